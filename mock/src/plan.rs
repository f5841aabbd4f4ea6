//! What a fault makes of a route: how the request is answered, and which callbacks come when.

use crate::definition::{Callback, Route};
use crate::fault::{BEATS_MAX, Beats, Contradiction, ErrorReply, Fault};

/// What becomes of one request.
#[derive(Debug)]
pub(crate) struct Plan {
    pub answer: Answer,
    /// How much later than usual it comes, in milliseconds.
    pub delay: i64,
    /// Whether the callbacks come before the answer, all at once.
    pub early: bool,
    /// In the order of their times.
    pub deeds: Vec<Deed>,
    pub proof: Proves,
    pub wrong_reference: bool,
    /// Whether bodies of callbacks are cut in half.
    pub malformed: bool,
    /// What a contradiction says, if the fault has a word for it.
    pub contradiction: Option<Contradiction>,
}

#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Usual,
    Never,
    Error(ErrorReply),
    /// Nothing was done.
    Reset,
    /// All is done that is to be done.
    ResetAfterWork,
    /// The second half comes this much later.
    SlowBody(i64),
    HalfBody,
}

impl Answer {
    /// Whether there is one at all.
    pub fn comes(&self) -> bool {
        !matches!(self, Answer::Never | Answer::Reset | Answer::ResetAfterWork)
    }

    /// What is wrong with it, or why there is none.
    pub fn remark(&self) -> Option<&'static str> {
        match self {
            Answer::Usual | Answer::Error(_) => None,
            Answer::HalfBody => Some("half of its body"),
            Answer::SlowBody(_) => Some("the second half of its body comes late"),
            Answer::Never => Some("never answered"),
            Answer::Reset => Some("connection reset"),
            Answer::ResetAfterWork => Some("connection reset after the work was done"),
        }
    }
}

/// One callback that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deed {
    /// Milliseconds from the request on.
    pub after: i64,
    /// Which of the route's callbacks it is.
    pub callback: usize,
    pub says: Says,
}

/// What a callback says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    Result,
    Contradiction,
    Failure,
    Heartbeat,
    /// A heartbeat after which, if it isn't taken, no other comes.
    HeartbeatIfTaken,
}

/// What a callback proves itself with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proves {
    Right,
    Forged,
    Nothing,
    /// As of this many milliseconds ago.
    Expired(i64),
}

/// Whether a route can go wrong in this way; `signs` and `timed` are about what its callbacks are signed with.
///
/// # Errors
/// What it lacks for that.
pub(crate) fn fits(
    fault: &Fault,
    route: &Route,
    signs: bool,
    timed: bool,
) -> Result<(), &'static str> {
    let has = |says: fn(&Callback) -> bool| route.callbacks.iter().any(says);
    let beats = has(|callback| callback.heartbeat.is_some());
    let lacks = match fault {
        Fault::None
        | Fault::NoAnswer
        | Fault::Delay(_)
        | Fault::Error(_)
        | Fault::Reset
        | Fault::Crash => None,
        Fault::SlowBody(_) | Fault::MalformedReply if route.reply.body.is_none() => {
            Some("the route's reply has no `body`")
        }
        Fault::SlowBody(_) | Fault::MalformedReply => None,
        _ if route.callbacks.is_empty() => Some("the route has no `callbacks`"),
        Fault::OutOfOrder if route.callbacks.len() < 2 && !beats => {
            Some("there is one callback alone, and it has no `heartbeat`")
        }
        Fault::WrongReference if !has(|callback| callback.names_reference()) => Some(
            "no callback says $reference, and a reference that the caller chose is not the service's to mistake",
        ),
        Fault::Forged | Fault::Unsigned | Fault::Expired(_) if !signs => {
            Some("the service has no `secret`")
        }
        Fault::Expired(_) if !timed => Some("the service's scheme does not sign a time"),
        Fault::Failed if !has(|callback| callback.failure.is_some()) => {
            Some("no callback has a `failure`")
        }
        Fault::Heartbeats(_) | Fault::HeartbeatsStop(_) | Fault::HeartbeatsOnly(_) if !beats => {
            Some("no callback has a `heartbeat`")
        }
        _ => None,
    };
    lacks.map_or(Ok(()), Err)
}

impl Callback {
    fn names_reference(&self) -> bool {
        self.to.names_reference() || self.body.names_reference()
    }
}

/// How long after the last callback a heartbeat comes that should have come before.
const HEARTBEAT_AFTER_MILLIS: i64 = 2_000;

impl Plan {
    /// What is to be done for a request to `route`.
    pub fn of(route: &Route, fault: &Fault) -> Plan {
        let mut plan = Plan {
            answer: Answer::Usual,
            delay: 0,
            early: false,
            deeds: Vec::new(),
            proof: Proves::Right,
            wrong_reference: false,
            malformed: false,
            contradiction: None,
        };
        match fault {
            Fault::NoAnswer => plan.answer = Answer::Never,
            Fault::Error(reply) => plan.answer = Answer::Error(reply.clone()),
            Fault::Reset => plan.answer = Answer::Reset,
            Fault::Crash => plan.answer = Answer::ResetAfterWork,
            Fault::Delay(millis) => plan.delay = *millis,
            Fault::SlowBody(millis) => plan.answer = Answer::SlowBody(*millis),
            Fault::MalformedReply => plan.answer = Answer::HalfBody,
            Fault::Early => plan.early = true,
            Fault::WrongReference => plan.wrong_reference = true,
            Fault::Malformed => plan.malformed = true,
            Fault::Forged => plan.proof = Proves::Forged,
            Fault::Unsigned => plan.proof = Proves::Nothing,
            Fault::Expired(millis) => plan.proof = Proves::Expired(*millis),
            Fault::Contradicting(second) => plan.contradiction = Some(second.clone()),
            _ => {}
        }
        if !matches!(
            plan.answer,
            Answer::Never | Answer::Error(_) | Answer::Reset
        ) {
            for (index, callback) in route.callbacks.iter().enumerate() {
                deeds(fault, index, callback, &mut plan.deeds);
            }
            if let Fault::OutOfOrder = fault {
                out_of_order(route, &mut plan.deeds);
            }
        }
        plan.deeds.sort_by_key(|deed| deed.after);
        plan
    }

    /// Whether the request has the service do anything.
    pub fn works(&self) -> bool {
        !matches!(
            self.answer,
            Answer::Never | Answer::Error(_) | Answer::Reset
        )
    }
}

/// What becomes of one callback.
fn deeds(fault: &Fault, callback: usize, as_written: &Callback, deeds: &mut Vec<Deed>) {
    let after = as_written.after;
    let mut add = |after: i64, says: Says| {
        deeds.push(Deed {
            after,
            callback,
            says,
        })
    };
    match fault {
        Fault::NoCallback => {}
        Fault::Late(after) => add(*after, Says::Result),
        Fault::Duplicate(later) => {
            add(after, Says::Result);
            add(after + later, Says::Result);
        }
        Fault::Contradicting(second) => {
            add(after, Says::Result);
            add(after + second.after, Says::Contradiction);
        }
        Fault::Failed if as_written.failure.is_some() => add(after, Says::Failure),
        Fault::Heartbeats(Beats { every, count }) if as_written.heartbeat.is_some() => {
            let count = i64::from(*count);
            (1..=count).for_each(|beat| add(beat * every, Says::Heartbeat));
            add((count + 1) * every, Says::Result);
        }
        Fault::HeartbeatsStop(Beats { every, count }) if as_written.heartbeat.is_some() => {
            (1..=i64::from(*count)).for_each(|beat| add(beat * every, Says::Heartbeat));
        }
        Fault::HeartbeatsOnly(every) if as_written.heartbeat.is_some() => {
            (1..=i64::from(BEATS_MAX)).for_each(|beat| add(beat * every, Says::HeartbeatIfTaken));
        }
        _ => add(after, Says::Result),
    }
}

/// The last comes first; of one alone, a heartbeat comes after it.
fn out_of_order(route: &Route, deeds: &mut Vec<Deed>) {
    if deeds.len() > 1 {
        let mut times: Vec<i64> = deeds.iter().map(|deed| deed.after).collect();
        times.sort_unstable();
        deeds.sort_by_key(|deed| deed.after);
        deeds.reverse();
        for (deed, after) in deeds.iter_mut().zip(times) {
            deed.after = after;
        }
        return;
    }
    let beats = |deed: &&Deed| route.callbacks[deed.callback].heartbeat.is_some();
    if let Some(only) = deeds.first().filter(beats).copied() {
        deeds.push(Deed {
            after: only.after + HEARTBEAT_AFTER_MILLIS,
            says: Says::Heartbeat,
            ..only
        });
    }
}
