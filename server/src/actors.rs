//! Somebody who plays the outside: answers tasks instead of their resources, so that a test says what comes back,
//! when, and what never does.
//!
//! Unlike a test case of a mock configuration ([`crate::mocks`]), which answers for everything at once, an actor
//! takes the resource's place and no more: what waits for a token goes on waiting for it.
//!
//! | a task's pattern | the actor's answer is |
//! | --- | --- |
//! | request and response | the task's result |
//! | `.waitForTaskToken` | that the request was taken; who ends the wait has its token |
//! | `.sync` | what the job came to |
//! | an activity | what its worker says |

use std::pin::Pin;

use std::time::Duration;

use asl::{Data, Failure, Resource};
use bytes::Bytes;
use engine::ExecutionKey;
use hyper::{HeaderMap, Method};

use crate::client::Answer;
use crate::clock::Busy;

/// Answers tasks. What it is asked is already stored; after a restart it may be asked again.
pub trait Actors: Send + Sync {
    /// Takes a task; nothing if its resource is to be called.
    fn act(&self, task: Asked, busy: Busy) -> Result<Acting, Busy>;
}

impl std::fmt::Debug for dyn Actors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Actors")
    }
}

/// What comes back in the end. Whoever waits for a moment of the clock lets go of the `Busy` meanwhile, and brings
/// the one that it was woken with.
pub type Acting = Pin<Box<dyn Future<Output = (Result<Data, Failure>, Busy)> + Send>>;

/// A task on its way to its resource.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which execution's.
    pub execution: ExecutionKey,
    /// Its ARN.
    pub execution_arn: String,
    /// Its machine's name.
    pub machine: String,
    /// The Task state's name.
    pub state: String,
    /// Who is asked.
    pub resource: Resource,
    /// What is asked; an activity's input.
    pub parameters: Data,
    /// The task token of this attempt.
    pub token: String,
}

/// Answers requests to some places in their stead: what is asked of the real client comes here instead of on the wire.
pub trait Nearby: Send + Sync {
    /// Takes a request; nothing if its URL is not one of those places. Whoever answers later lets time go on meanwhile
    /// ([`crate::clock::let_time_go`]).
    fn request(&self, request: &Outgoing<'_>) -> Option<Answering>;
}

/// What comes back, or why nothing does.
pub type Answering = Pin<Box<dyn Future<Output = Result<Answer, Silence>> + Send>>;

/// A request that goes out.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// `POST`, for example.
    pub method: &'a Method,
    /// Where it goes.
    pub url: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a Bytes,
    /// How long the answer may take.
    pub limit: Duration,
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The connection was reset.
    Reset,
    /// There was none in time.
    TooLate,
}

impl std::fmt::Debug for dyn Nearby {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nearby")
    }
}
