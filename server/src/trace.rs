//! A trace on its way: read off requests that come in, and carried by those that tasks send.
//!
//! | a request carries | read from whoever starts an execution | sent with a task's request |
//! | --- | --- | --- |
//! | `traceparent`, `tracestate` | yes, first of all | yes |
//! | `X-Amzn-Trace-Id` | yes, and `traceHeader` in the body | yes |
//! | `Lambda-Runtime-Trace-Id` | | to functions |
//!
//! A worker that fetches an activity's task gets the first two and X-Ray's as headers of the answer. So does whoever is
//! told of something that belongs to a trace: an alert, a status change, what a task publishes. A topic of SNS gets
//! them as attributes of the message too, and a bus of EventBridge as `TraceHeader`. A callback that starts an execution
//! is one who starts.
//!
//! What it means and how its ids are made is [`engine::trace`]'s.

use asl::Timestamp;
use engine::{Identity, SpanId, TraceContext, TraceId, WaitId};
use sha2::{Digest, Sha256};

use crate::http::Call;

/// W3C's headers.
pub(crate) const TRACEPARENT: &str = "traceparent";
pub(crate) const TRACESTATE: &str = "tracestate";
/// X-Ray's.
pub(crate) const X_RAY: &str = "x-amzn-trace-id";

/// What an incoming request says of the trace that it belongs to.
pub(crate) struct Given<'a> {
    w3c: Option<TraceContext>,
    x_ray: Option<&'a str>,
}

impl<'a> Given<'a> {
    /// Off a request's headers.
    pub(crate) fn by(call: &'a Call) -> Given<'a> {
        let traceparent = call.header(TRACEPARENT);
        let read = |parent| TraceContext::of_headers(parent, call.header(TRACESTATE));
        Given {
            w3c: traceparent.and_then(read),
            x_ray: call.header(X_RAY),
        }
    }

    /// By one of this server's own tasks, or by nobody.
    pub(crate) fn inside(sent: Option<&Sent>) -> Given<'static> {
        Given {
            w3c: sent.map(|sent| sent.context.clone()),
            x_ray: None,
        }
    }

    /// The context, if `member` is what the request's body says in X-Ray's form.
    pub(crate) fn context(&self, member: Option<&str>) -> Option<TraceContext> {
        let x_ray = || [member, self.x_ray].into_iter().flatten();
        self.w3c
            .clone()
            .or_else(|| x_ray().find_map(TraceContext::of_x_ray))
    }
}

/// What one attempt of a task tells those whom it asks.
#[derive(Debug)]
pub struct Sent {
    /// The execution's trace, seen from the attempt.
    context: TraceContext,
    traceparent: String,
    x_ray: String,
}

impl Sent {
    /// For an execution's task.
    pub fn of(identity: &Identity, wait: WaitId) -> Sent {
        let span = identity.wait_span(wait);
        let context = identity.trace().below(span);
        Sent {
            traceparent: context.traceparent(span),
            x_ray: context.x_ray(span),
            context,
        }
    }

    /// For whoever goes on with what has come to here.
    pub(crate) fn onward(context: TraceContext) -> Option<Sent> {
        let span = context.parent?;
        Some(Sent {
            traceparent: context.traceparent(span),
            x_ray: context.x_ray(span),
            context,
        })
    }

    /// The trace, and the step that tells.
    pub(crate) fn context(&self) -> &TraceContext {
        &self.context
    }

    /// The headers of a request, none of which is to be signed: whatever passes it on may change them.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let state = self.context.state.as_deref();
        [(TRACEPARENT, &*self.traceparent), (X_RAY, &self.x_ray)]
            .into_iter()
            .chain(state.map(|state| (TRACESTATE, state)))
    }

    /// What Lambda's Runtime API gives a function.
    pub(crate) fn x_ray(&self) -> &str {
        &self.x_ray
    }
}

/// The trace of a callback that belongs to nothing; it begins with the time, as X-Ray wants it.
pub(crate) fn own_trace(delivery: &str, at: Timestamp) -> TraceId {
    let digest = Sha256::digest(format!("trace of the callback {delivery}"));
    let tail: [u8; 12] = digest[..12].try_into().expect("a SHA-256 has 32 bytes");
    let mut id = [0; 16];
    id[..4].copy_from_slice(&((at.0 / 1000) as u32).to_be_bytes());
    id[4..].copy_from_slice(&tail);
    TraceId(u128::from_be_bytes(id).max(1))
}

/// A trace as a message about something in it passes it on. The step that it comes from is the message itself, which has
/// no span, unless a step has published it.
pub(crate) fn of_message(of: TraceContext, message: &str) -> TraceContext {
    if of.parent.is_some() {
        return of;
    }
    let digest = Sha256::digest(format!("message {message}"));
    let head: [u8; 8] = digest[..8].try_into().expect("a SHA-256 has 32 bytes");
    of.below(SpanId(u64::from_be_bytes(head).max(1)))
}

/// A trace of which no more than its id is known.
pub(crate) fn of_id(trace: TraceId) -> TraceContext {
    TraceContext {
        trace,
        parent: None,
        sampled: true,
        state: None,
    }
}
