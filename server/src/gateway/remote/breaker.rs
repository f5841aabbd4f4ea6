//! The circuit breaker of an engine: after failures in a row it is left alone for a while.
//!
//! | state | an attempt is made | it fails | it gets an answer |
//! | --- | --- | --- | --- |
//! | closed | yes | open, if it is the fifth in a row or the credentials are refused | |
//! | open | no, before its time; then yes, and half-open | longer | closed |
//! | half-open | no: one is on its way to find out | open, for twice as long | closed |
//!
//! It has no timer. Whoever failed is due again when the pause is over, and finds out.

use asl::Timestamp;

/// So many failures in a row, and it opens.
const FAILURES_MAX: u32 = 5;
/// The first pause, doubled each time, up to the second figure.
const PAUSE_SECONDS: i64 = 5;
const PAUSE_MAX_SECONDS: i64 = 60;
/// The same when the credentials are refused: only a person mends that.
const REFUSED_PAUSE_SECONDS: i64 = 60;
const REFUSED_PAUSE_MAX_SECONDS: i64 = 900;

/// What is wrong with an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It does not answer, or has too much to do.
    Unreachable,
    /// It does not take the credentials.
    Credentials,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Breaker {
    state: State,
    /// Failures since an attempt got an answer.
    pub failures: u32,
    /// How often it has opened since.
    openings: u32,
    /// What the last failure was, and when.
    pub problem: Option<(Timestamp, String)>,
    /// When it has answered last.
    pub answered_at: Option<Timestamp>,
}

/// See the module.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Everything goes out.
    #[default]
    Closed,
    /// Nothing goes out before this moment.
    Open(Timestamp),
    /// One attempt is on its way.
    HalfOpen,
}

impl Breaker {
    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether an attempt may be made now. What was admitted must be told how it went.
    pub fn admit(&mut self, now: Timestamp) -> bool {
        match self.state {
            State::Closed => true,
            State::Open(until) if now < until => false,
            State::Open(_) => {
                self.state = State::HalfOpen;
                true
            }
            State::HalfOpen => false,
        }
    }

    /// The engine has answered. Says whether that closes it.
    pub fn answered(&mut self, now: Timestamp) -> bool {
        let closes = self.state != State::Closed;
        *self = Breaker {
            problem: self.problem.take(),
            answered_at: Some(now),
            ..Breaker::default()
        };
        closes
    }

    /// An attempt failed. `lot` is a part of one, so that several gateways do not come back at once.
    pub fn failed(&mut self, now: Timestamp, trouble: Trouble, what: String, lot: f64) {
        self.failures = self.failures.saturating_add(1);
        self.problem = Some((now, what));
        let opens = match self.state {
            // Sent before it opened.
            State::Open(until) if now < until => false,
            State::Open(_) | State::HalfOpen => true,
            State::Closed => trouble == Trouble::Credentials || self.failures >= FAILURES_MAX,
        };
        if opens {
            let (first, most) = match trouble {
                Trouble::Unreachable => (PAUSE_SECONDS, PAUSE_MAX_SECONDS),
                Trouble::Credentials => (REFUSED_PAUSE_SECONDS, REFUSED_PAUSE_MAX_SECONDS),
            };
            let pause = (first << self.openings.min(10)).min(most);
            let pause_millis = pause as f64 * 1000.0 * (1.0 - lot / 4.0);
            self.openings += 1;
            self.state = State::Open(Timestamp(now.0 + pause_millis as i64));
        }
    }

    /// The attempt that was to find out came to nothing on this side.
    pub fn gave_up(&mut self, now: Timestamp) {
        if self.state == State::HalfOpen {
            self.state = State::Open(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &mut Breaker, now: i64) {
        breaker.failed(Timestamp(now), Trouble::Unreachable, "down".into(), 0.0);
    }

    #[test]
    fn five_failures_open_it_and_one_attempt_finds_out() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            assert!(breaker.admit(Timestamp(0)));
            fail(&mut breaker, 0);
        }
        assert_eq!(breaker.state(), State::Closed);
        fail(&mut breaker, 0);
        assert_eq!(breaker.state(), State::Open(Timestamp(5_000)));
        assert!(!breaker.admit(Timestamp(4_999)));
        assert!(breaker.admit(Timestamp(5_000)));
        assert!(!breaker.admit(Timestamp(5_000)), "one at a time");
        fail(&mut breaker, 6_000);
        assert_eq!(breaker.state(), State::Open(Timestamp(16_000)));
        // One that was sent before it opened does not make the pause longer.
        fail(&mut breaker, 7_000);
        assert_eq!(breaker.state(), State::Open(Timestamp(16_000)));
        assert!(breaker.admit(Timestamp(16_000)));
        assert!(breaker.answered(Timestamp(16_001)));
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(breaker.failures, 0);
        assert!(!breaker.answered(Timestamp(16_002)));
    }

    #[test]
    fn refused_credentials_open_it_at_once_and_for_longer() {
        let mut breaker = Breaker::default();
        breaker.failed(Timestamp(0), Trouble::Credentials, "expired".into(), 0.0);
        assert_eq!(breaker.state(), State::Open(Timestamp(60_000)));
    }

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        let mut breaker = Breaker::default();
        let mut now = 0;
        for _ in 0..20 {
            fail(&mut breaker, now);
            if let State::Open(until) = breaker.state() {
                now = until.0;
            }
        }
        let State::Open(until) = breaker.state() else {
            panic!("it is open");
        };
        let before = until.0 - 60_000;
        assert!(breaker.admit(until));
        breaker.failed(until, Trouble::Unreachable, "down".into(), 1.0);
        assert_eq!(breaker.state(), State::Open(Timestamp(until.0 + 45_000)));
        assert!(before >= 0);
    }
}
