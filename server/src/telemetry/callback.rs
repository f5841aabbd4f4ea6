//! A callback as a span, and what a wait's span has of those that came for it.
//!
//! | the third party's `traceparent` | the callback's span is |
//! | --- | --- |
//! | is there, and its trace is recorded | inside of the step that it names, with a link to the wait that it met |
//! | is not | inside of the wait, or of the execution that it started |
//! | is not, and it met nothing | a trace of its own |
//!
//! Its id is made of the delivery's, as an execution's are made of its own, so the wait can name it. What becomes of a
//! callback later (an early one is delivered) is a span inside of the first.

use engine::{Identity, SpanId, TraceContext, TraceId, WaitId};
use sha2::{Digest, Sha256};

use super::execution::{EXECUTION_ARN, STATE_NAME};
use super::otlp::{Attributes, Event, Kind, Link, Written};
use crate::gateway::trail::{Arrived, Trail};
use crate::trace::own_trace;

/// A callback that got a disposition.
pub(crate) struct CallbackTold {
    /// It, with all that it was taken for up to now.
    pub arrived: Arrived,
    /// `tracestate`, as it came.
    pub tracestate: Option<String>,
    /// The execution that it has started, or has to do with otherwise.
    pub execution_arn: Option<String>,
    /// `POST`.
    pub method: Option<String>,
    /// Where it came from.
    pub peer: String,
    pub body_bytes: usize,
    /// Whether somebody has to look at it.
    pub odd: bool,
}

impl CallbackTold {
    /// The third party's context, if its trace is recorded.
    fn given(&self) -> Option<TraceContext> {
        given(&self.arrived, self.tracestate.as_deref())
    }

    /// The span of what it has just become; none if nobody records the trace.
    pub(super) fn written(&self, execution: Option<&Identity>) -> Option<Written> {
        let arrived = &self.arrived;
        let (at, disposition, note) = arrived.steps.last()?;
        let nth = arrived.steps.len() - 1;
        let met = execution.zip(arrived.wait);
        let execution_trace = execution.map(Identity::trace);
        let given = self.given();
        if given.is_none() && execution_trace.as_ref().is_some_and(|trace| !trace.sampled) {
            return None;
        }
        let inside = met
            .map(|(identity, wait)| identity.wait_span(wait))
            .or_else(|| execution.map(|identity| identity.execution_span(0)));
        let own = place(arrived, given.as_ref(), execution);
        let parent = match &given {
            Some(given) => given.parent,
            None => inside,
        };
        let first = (own, parent, given.is_some());
        let ((trace, id), parent, remote) = match nth {
            0 => first,
            _ => ((own.0, span(&arrived.id, "later", nth)), Some(own.1), false),
        };
        let link = met.map(|(identity, wait)| Link {
            trace: identity.trace_id(),
            span: identity.wait_span(wait),
            attributes: Attributes::default().with("rejoin.link", "wait"),
        });
        let place = arrived.met.as_ref().map(|(place, _)| place);
        let began = match nth {
            0 => arrived.at,
            _ => arrived.steps[nth - 1].0,
        };
        let attributes = Attributes::default()
            .with("rejoin.route", arrived.route.as_str())
            .perhaps("rejoin.reference", arrived.reference.as_deref())
            .with("rejoin.delivery.id", arrived.id.as_str())
            .with("rejoin.disposition", disposition.name())
            .with("rejoin.disposition.reason", note.as_str())
            .perhaps("http.request.method", self.method.as_deref())
            .with(
                "http.request.body.size",
                u32::try_from(self.body_bytes).unwrap_or(u32::MAX),
            )
            .with("client.address", self.peer.as_str())
            .perhaps(EXECUTION_ARN, self.execution_arn.as_deref())
            .perhaps(STATE_NAME, place.map(|place| place.state_name.as_str()));
        let name = match nth {
            0 => format!("callback {}", arrived.route),
            _ => format!("callback {}, later", arrived.route),
        };
        Some(Written {
            trace,
            id,
            parent,
            remote,
            state: given
                .and_then(|given| given.state)
                .map(|state| state.to_string()),
            name,
            kind: if nth == 0 {
                Kind::Server
            } else {
                Kind::Internal
            },
            began,
            ended: *at,
            attributes,
            events: Vec::new(),
            dropped_events: 0,
            links: link
                .filter(|link| link.trace != trace)
                .into_iter()
                .collect(),
            error: self.odd.then(|| format!("{}: {note}", disposition.name())),
        })
    }
}

fn given(arrived: &Arrived, tracestate: Option<&str>) -> Option<TraceContext> {
    let context = TraceContext::of_headers(arrived.traceparent.as_deref()?, tracestate)?;
    context.sampled.then_some(context)
}

/// The trace and the id of a callback's first span.
fn place(
    arrived: &Arrived,
    given: Option<&TraceContext>,
    execution: Option<&Identity>,
) -> (TraceId, SpanId) {
    let trace = match (given, execution) {
        (Some(given), _) => given.trace,
        (None, Some(execution)) => execution.trace_id(),
        (None, None) => own_trace(&arrived.id, arrived.at),
    };
    (trace, span(&arrived.id, "callback", 0))
}

/// What a wait's span is told of references and callbacks: when they came, and where else they stand.
pub(super) fn add(written: &mut Written, identity: &Identity, wait: WaitId, trail: &Trail) {
    for registration in &trail.registrations {
        written.events.push(Event {
            at: registration.at,
            name: "reference registered",
            attributes: Attributes::default()
                .with("rejoin.route", registration.route.as_str())
                .with("rejoin.reference", registration.reference.as_str()),
        });
    }
    for arrived in trail.arrived.iter().filter(|a| a.wait == Some(wait)) {
        for (at, disposition, _) in &arrived.steps {
            written.events.push(Event {
                at: *at,
                name: "callback",
                attributes: Attributes::default()
                    .with("rejoin.route", arrived.route.as_str())
                    .with("rejoin.delivery.id", arrived.id.as_str())
                    .with("rejoin.disposition", disposition.name()),
            });
        }
        let given = given(arrived, None);
        let (trace, span) = place(arrived, given.as_ref(), Some(identity));
        if trace != written.trace {
            written.links.push(Link {
                trace,
                span,
                attributes: Attributes::default().with("rejoin.link", "callback"),
            });
        }
    }
    written.events.sort_by_key(|event| event.at);
}

fn span(delivery: &str, what: &str, nth: usize) -> SpanId {
    let digest = Sha256::digest(format!("{what} {nth} of the callback {delivery}"));
    let head: [u8; 8] = digest[..8].try_into().expect("a SHA-256 has 32 bytes");
    SpanId(u64::from_be_bytes(head).max(1))
}
