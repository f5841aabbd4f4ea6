//! What is told of a mock at work: each request, its answer, each callback.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

/// Something that happened. As JSON it says in `event` what.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A request came.
    Request(Asked),
    /// It was answered, or was not.
    Answer(Answered),
    /// A callback was sent, and is answered or was not.
    Callback(Sent),
}

/// A request.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The how-many-eth of the mock, from 1.
    pub id: u64,
    /// When it came, by the mock's clock, RFC 3339.
    pub at: String,
    /// Which service it came to.
    pub service: String,
    /// The route that it fits, like `POST /valuations`; none if it fits none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The how-many-eth of its route and key, from 1; 0 if it fits no route.
    pub n: u64,
    /// The word of what goes wrong with it.
    pub fault: &'static str,
    /// The reference that it got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Whether the work was there already, because of its key.
    pub repeated: bool,
    /// `$request`, as templates see it.
    pub request: Arc<Value>,
    /// How it was answered; none while it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answered>,
}

/// What a request came to.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    /// The request's number.
    pub id: u64,
    /// When, by the mock's clock, RFC 3339.
    pub at: String,
    /// Which service answered.
    pub service: String,
    /// The answer's status; none if there was no answer.
    pub status: Option<u16>,
    /// Its body.
    pub body: String,
    /// What is wrong with it, or why there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// A callback that was sent. It is so once, unless the file says `retries`: a service that always tries again would hide
/// what the mock is for.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    /// The number of the request that it belongs to.
    pub id: u64,
    /// When it was sent, by the mock's clock, RFC 3339.
    pub at: String,
    /// Which service sent it.
    pub service: String,
    /// For which route.
    pub route: String,
    /// The reference that the request got.
    pub reference: String,
    /// The word of what goes wrong.
    pub fault: &'static str,
    /// `result`, `contradiction`, `failure` or `heartbeat`.
    pub says: &'static str,
    /// Which attempt to send it this is, from 1.
    pub attempt: usize,
    /// Where it went.
    pub to: String,
    /// What was sent.
    pub body: String,
    /// The status that it was answered with; none if there was no answer.
    pub status: Option<u16>,
    /// Why there was no answer, or why it could not be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// `$request` of the request that it belongs to.
    #[serde(skip)]
    pub request: Arc<Value>,
}
