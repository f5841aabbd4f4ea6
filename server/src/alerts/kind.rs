//! What an alert is about: the closed list, how bad each is, and what to do.

use serde::{Deserialize, Serialize};

use crate::gateway::Disposition;

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Kind {
    /// What became of a callback; its name is the disposition's.
    Callback(Disposition),
    /// A wait has been open for longer than anybody meant it to be.
    StuckWait,
    /// A wait's heartbeats have stopped, and nothing times it out for that.
    MissingHeartbeats,
    /// A wait began that nothing will ever end but an answer.
    WaitWithoutDeadline,
    /// A subscriber does not take what is published.
    FailingSink,
    /// The engine that the gateway works for does not answer.
    EngineUnreachable,
}

/// How bad it is. The names are PagerDuty's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look in the daytime.
    Warning,
    /// Work is lost, or will be.
    Error,
    /// Nothing goes through.
    Critical,
}

impl Severity {
    /// All of them, the mildest first.
    pub const ALL: [Severity; 4] = [
        Severity::Info,
        Severity::Warning,
        Severity::Error,
        Severity::Critical,
    ];

    /// As written in alerts.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
            Severity::Critical => "critical",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|s| s.name() == name)
    }
}

impl Kind {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Kind> {
        let others = [
            Kind::StuckWait,
            Kind::MissingHeartbeats,
            Kind::WaitWithoutDeadline,
            Kind::FailingSink,
            Kind::EngineUnreachable,
        ];
        Disposition::ALL
            .into_iter()
            .map(Kind::Callback)
            .chain(others)
    }

    /// As written in alerts.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Callback(disposition) => disposition.name(),
            Kind::StuckWait => "stuck-wait",
            Kind::MissingHeartbeats => "missing-heartbeats",
            Kind::WaitWithoutDeadline => "wait-without-deadline",
            Kind::FailingSink => "failing-sink",
            Kind::EngineUnreachable => "engine-unreachable",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::all().find(|kind| kind.name() == name)
    }

    /// As a headline.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Callback(disposition) => disposition.title(),
            Kind::StuckWait => "Stuck wait",
            Kind::MissingHeartbeats => "Missing heartbeats",
            Kind::WaitWithoutDeadline => "Wait without a deadline",
            Kind::FailingSink => "Failing subscriber",
            Kind::EngineUnreachable => "Engine unreachable",
        }
    }

    /// How bad it is if whoever raises it does not know better.
    pub fn severity(self) -> Severity {
        match self {
            Kind::Callback(disposition) => match disposition {
                Disposition::Delivered
                | Disposition::DeliveredAsFailure
                | Disposition::Started
                | Disposition::Heartbeat
                | Disposition::Early
                | Disposition::DuplicateIdentical => Severity::Info,
                Disposition::LateEnded
                | Disposition::LateSuperseded
                | Disposition::Unverified
                | Disposition::RateLimited => Severity::Warning,
                Disposition::DuplicateContradicting
                | Disposition::LateTimedOut
                | Disposition::UnknownReference
                | Disposition::Malformed
                | Disposition::TooLarge => Severity::Error,
                Disposition::Undeliverable => Severity::Critical,
            },
            Kind::WaitWithoutDeadline | Kind::MissingHeartbeats => Severity::Warning,
            Kind::StuckWait | Kind::FailingSink => Severity::Error,
            Kind::EngineUnreachable => Severity::Critical,
        }
    }

    /// What to do next, in a sentence.
    pub fn next_step(self) -> &'static str {
        match self {
            Kind::Callback(disposition) => after(disposition),
            Kind::StuckWait => {
                "Ask the third party what became of the work; answer for it with SendTaskSuccess or SendTaskFailure, or stop the execution."
            }
            Kind::MissingHeartbeats => {
                "Ask the worker or the third party whether it is still at work; HeartbeatSeconds would have the state fail by itself."
            }
            Kind::WaitWithoutDeadline => {
                "Give the state TimeoutSeconds, or the execution may wait for ever if the answer never comes."
            }
            Kind::FailingSink => {
                "See to it that the subscriber answers again; what it has not taken is tried again for about six hours."
            }
            Kind::EngineUnreachable => {
                "See to it that the engine's endpoint answers; callbacks are kept and delivered when it does."
            }
        }
    }
}

/// What to do next about a callback that nobody tries to deliver again.
pub const GIVEN_UP: &str = "It is not tried again: find out which engine its task token is of, and send it to its wait with rejoin inbox rematch, or answer for the third party.";

fn after(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Delivered
        | Disposition::Started
        | Disposition::Heartbeat
        | Disposition::Early => "Nothing has to be done.",
        Disposition::DeliveredAsFailure => {
            "See in the execution's history what the workflow made of the failure."
        }
        Disposition::DuplicateIdentical => {
            "Nothing has to be done; if it goes on, ask the third party why it sends everything twice."
        }
        Disposition::DuplicateContradicting => {
            "Ask the third party which of the two answers is right; the first one has counted."
        }
        Disposition::LateTimedOut => {
            "Decide whether the answer is still wanted: redrive the execution or start another one; if this is common, the state's TimeoutSeconds or HeartbeatSeconds are too short."
        }
        Disposition::LateEnded => {
            "See in the execution's history how the wait ended, and whether this answer changes anything."
        }
        Disposition::LateSuperseded => {
            "Nothing has to be done if the later attempt gets its own answer; the state's Retry may be too quick."
        }
        Disposition::UnknownReference => {
            "Find out whose it is: a reference that was never registered, or that belongs to another system."
        }
        Disposition::Malformed => {
            "Compare the body with what the route reads, and ask the third party to send it again."
        }
        Disposition::Unverified => {
            "If it is the third party's own, compare secrets and clocks; if not, somebody tries to forge callbacks."
        }
        Disposition::RateLimited => {
            "Find out who sends so much; raise the route's rate if it is meant."
        }
        Disposition::TooLarge => {
            "Raise the route's body_bytes_max if such callbacks are meant, and ask the third party to send it again."
        }
        Disposition::Undeliverable => {
            "Nothing is lost: it is tried again until the engine answers; see to the engine."
        }
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> String {
        kind.name().to_owned()
    }
}

impl TryFrom<String> for Kind {
    type Error = String;

    fn try_from(name: String) -> Result<Kind, String> {
        Kind::named(&name).ok_or_else(|| format!("there is no kind of alert {name:?}"))
    }
}
