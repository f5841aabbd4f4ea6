//! What the outside does: a part for each attempt of a task, and deeds that follow.
//!
//! | a task's attempt | its part |
//! | --- | --- |
//! | is answered by what is configured | [`Reply::Real`] |
//! | has a result | [`Reply::Return`]; for one that waits for its token: the request was taken |
//! | fails | [`Reply::Throw`] |
//! | is never answered | [`Reply::Never`] |
//!
//! Deeds are counted from the moment in which the task goes out, so one that comes before the reply is *early*.

use asl::{Data, Failure};
use mock::played::Callbacks;
use serde_json::Value;

pub use server::actors::Asked;

/// Says what becomes of tasks. It is asked once for each attempt.
pub trait Director: Send {
    /// The part of the `attempt`th attempt (from 0) of a state in an execution.
    fn part(&mut self, task: &Asked, attempt: u32) -> Part;

    /// What the reader of a Map state's items finds; nothing if it is to read where the settings say.
    fn items(&self, _state: &str) -> Option<Vec<Value>> {
        None
    }

    /// Whether what a Map's results are written to is nowhere.
    fn takes_objects(&self) -> bool {
        false
    }
}

impl<F: FnMut(&Asked, u32) -> Part + Send> Director for F {
    fn part(&mut self, task: &Asked, attempt: u32) -> Part {
        self(task, attempt)
    }
}

/// What the outside does about one attempt of a task.
#[derive(Debug, Clone)]
pub struct Part {
    /// The answer.
    pub reply: Reply,
    /// How long it takes, in milliseconds.
    pub delay: i64,
    /// What else happens.
    pub deeds: Vec<Deed>,
    /// What services will call back that were asked for it.
    pub callbacks: Vec<Callbacks>,
    /// Whether somebody was asked for it: the answer comes once all that is due by then was done, and if the task
    /// goes out again, they are asked again.
    pub asked: bool,
}

impl Part {
    /// An answer, at once.
    pub fn of(reply: Reply) -> Part {
        Part {
            reply,
            delay: 0,
            deeds: Vec::new(),
            callbacks: Vec::new(),
            asked: false,
        }
    }

    /// What is configured answers.
    pub fn real() -> Part {
        Part::of(Reply::Real)
    }

    /// With something that happens so many milliseconds after the task went out.
    #[must_use]
    pub fn then(mut self, after: i64, act: Act) -> Part {
        self.deeds.push(Deed { after, act });
        self
    }
}

/// What comes back for a task.
#[derive(Debug, Clone)]
pub enum Reply {
    /// What its resource says.
    Real,
    /// This.
    Return(Data),
    /// This failure.
    Throw(Failure),
    /// Nothing.
    Never,
}

/// Something that happens later.
#[derive(Debug, Clone)]
pub struct Deed {
    /// Milliseconds after the task went out; in a script, after the execution's start.
    pub after: i64,
    /// What.
    pub act: Act,
}

/// What the outside can do to a server. What is about a task is about the attempt whose part it is in; in a script
/// about the state that is named, or else the only one that waits.
#[derive(Debug, Clone)]
pub enum Act {
    /// `SendTaskSuccess`.
    Succeed(Value),
    /// `SendTaskFailure`.
    Fail(Failure),
    /// `SendTaskHeartbeat`.
    Heartbeat,
    /// `PUT /rejoin/references/ROUTE/REFERENCE`, as a worker does.
    Register {
        /// The route's name.
        route: String,
        /// The reference.
        reference: String,
    },
    /// A third party calls back.
    Callback(Callback),
    /// `StopExecution`.
    Stop(Failure),
    /// `RedriveExecution`.
    Redrive,
    /// The server is killed, and starts again so many milliseconds later.
    Restart(i64),
}

/// A callback as it is sent.
#[derive(Debug, Clone)]
pub struct Callback {
    /// The path, with the query if there is one.
    pub path: String,
    /// Its headers. What the route verifies by is added unless it is here, or [`Callback::forged`].
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// It is not signed as the third party signs.
    pub forged: bool,
}

impl Act {
    /// In a few words, for the story of a case.
    pub fn words(&self) -> String {
        match self {
            Act::Succeed(output) => format!("SendTaskSuccess {output}"),
            Act::Fail(failure) => {
                format!("SendTaskFailure {}", failure.error.as_deref().unwrap_or(""))
            }
            Act::Heartbeat => "SendTaskHeartbeat".to_owned(),
            Act::Register { route, reference } => {
                format!("register {reference} on route {route}")
            }
            Act::Callback(callback) => format!(
                "{}callback to {}: {}",
                if callback.forged { "forged " } else { "" },
                callback.path,
                String::from_utf8_lossy(&callback.body)
            ),
            Act::Stop(_) => "StopExecution".to_owned(),
            Act::Redrive => "RedriveExecution".to_owned(),
            Act::Restart(0) => "the server is killed and starts again".to_owned(),
            Act::Restart(down) => {
                format!("the server is killed and starts again {down} ms later")
            }
        }
    }
}
