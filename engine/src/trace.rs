//! Which distributed trace an execution is part of: W3C Trace Context, and X-Ray's form of it.
//!
//! Whoever starts an execution may say which trace it belongs to ([`TraceContext`]); that is kept with its
//! identity. Of one that nobody said anything of, the trace's id is made of the execution's ARN and
//! start, so it needs no storage and is the same after every recovery; it begins with the start in
//! seconds, as X-Ray wants it. Span ids are made in the same way: the execution has one, each attempt of a
//! task has one, and each can be found again by whoever knows the execution.
//!
//! Not known here: who collects spans, and in which requests a context travels.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::identity::{Identity, WaitId};

/// How long a `tracestate` may be, and how many members it may have; a longer one is left out, which the
/// standard allows.
const STATE_BYTES_MAX: usize = 512;
const STATE_MEMBERS_MAX: usize = 32;

/// What a whole trace is called: 16 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub u128);

/// What a step of a trace is called: 8 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(pub u64);

/// In hexadecimal.
impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// In hexadecimal.
impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Reads 32 lower-case hexadecimal digits that are not all zero.
impl FromStr for TraceId {
    type Err = ();

    fn from_str(text: &str) -> Result<TraceId, ()> {
        match hexadecimal(text, 32).and_then(|text| u128::from_str_radix(text, 16).ok()) {
            Some(id) if id != 0 => Ok(TraceId(id)),
            _ => Err(()),
        }
    }
}

/// Reads 16 lower-case hexadecimal digits that are not all zero.
impl FromStr for SpanId {
    type Err = ();

    fn from_str(text: &str) -> Result<SpanId, ()> {
        match hexadecimal(text, 16).and_then(|text| u64::from_str_radix(text, 16).ok()) {
            Some(id) if id != 0 => Ok(SpanId(id)),
            _ => Err(()),
        }
    }
}

fn hexadecimal(text: &str, digits: usize) -> Option<&str> {
    let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == digits && text.bytes().all(is_digit)).then_some(text)
}

/// What somebody says of the trace that a request belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceContext {
    /// The trace.
    pub trace: TraceId,
    /// The step that the request comes from, if that is said.
    pub parent: Option<SpanId>,
    /// Whether the trace is recorded.
    pub sampled: bool,
    /// What vendors add (`tracestate`), to be passed on as it is.
    pub state: Option<Arc<str>>,
}

impl TraceContext {
    /// Reads the headers `traceparent` and `tracestate`; nothing if the first is none of the standard's, which
    /// is then as if nobody had said anything.
    pub fn of_headers(traceparent: &str, tracestate: Option<&str>) -> Option<TraceContext> {
        let (version, rest) = traceparent.trim().split_once('-')?;
        hexadecimal(version, 2).filter(|version| *version != "ff")?;
        let mut parts = rest.split('-');
        let (trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?);
        // A later version may say more, behind another hyphen.
        if version == "00" && parts.next().is_some() {
            return None;
        }
        let flags = u8::from_str_radix(hexadecimal(flags, 2)?, 16).ok()?;
        Some(TraceContext {
            trace: trace.parse().ok()?,
            parent: Some(parent.parse().ok()?),
            sampled: flags & 1 == 1,
            state: tracestate.and_then(state),
        })
    }

    /// Reads X-Ray's header: `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`.
    pub fn of_x_ray(header: &str) -> Option<TraceContext> {
        let mut root = None;
        let mut parent = None;
        let mut sampled = true;
        for part in header.split(';') {
            match part.trim().split_once('=') {
                Some(("Root", id)) => root = x_ray_id(id),
                Some(("Parent", id)) => parent = id.parse().ok(),
                Some(("Sampled", flag)) => sampled = flag != "0",
                _ => {}
            }
        }
        Some(TraceContext {
            trace: root?,
            parent,
            sampled,
            state: None,
        })
    }

    /// The header `traceparent` of a request from the step `span`.
    pub fn traceparent(&self, span: SpanId) -> String {
        format!("00-{}-{span}-{:02x}", self.trace, u8::from(self.sampled))
    }

    /// X-Ray's header of a request from the step `span`.
    pub fn x_ray(&self, span: SpanId) -> String {
        let id = self.trace.to_string();
        let (seconds, rest) = id.split_at(8);
        let sampled = u8::from(self.sampled);
        format!("Root=1-{seconds}-{rest};Parent={span};Sampled={sampled}")
    }

    /// X-Ray's header as whoever it came from would write it: without a parent if none is known.
    pub fn x_ray_header(&self) -> String {
        match self.parent {
            Some(parent) => self.x_ray(parent),
            None => self
                .x_ray(SpanId(0))
                .replace(";Parent=0000000000000000", ""),
        }
    }

    /// The same trace, seen from one of its steps.
    pub fn below(&self, span: SpanId) -> TraceContext {
        TraceContext {
            parent: Some(span),
            ..self.clone()
        }
    }
}

/// `1-5759e988-bd862e3fe1be46a994272793`.
fn x_ray_id(text: &str) -> Option<TraceId> {
    let (seconds, rest) = text.strip_prefix("1-")?.split_once('-')?;
    let digits = (seconds.len() == 8).then(|| format!("{seconds}{rest}").to_lowercase())?;
    digits.parse().ok()
}

fn state(text: &str) -> Option<Arc<str>> {
    let text = text.trim();
    let members = text
        .split(',')
        .map(str::trim)
        .filter(|member| !member.is_empty());
    let fits = text.len() <= STATE_BYTES_MAX
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && members.clone().count() <= STATE_MEMBERS_MAX
        && members.clone().all(|member| member.contains('='));
    (fits && !text.is_empty()).then(|| text.into())
}

/// How a context is stored: what the headers would say, with zeros where no parent is known.
#[derive(Serialize, Deserialize)]
struct Stored(Arc<str>, Option<Arc<str>>);

impl Serialize for TraceContext {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parent = self.traceparent(self.parent.unwrap_or(SpanId(0)));
        Stored(parent.into(), self.state.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TraceContext {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<TraceContext, D::Error> {
        let Stored(parent, state) = Stored::deserialize(deserializer)?;
        let mut parts = parent.split('-').skip(1);
        let trace = parts.next().and_then(|id| id.parse().ok());
        let trace = trace.ok_or_else(|| serde::de::Error::custom("not a trace context"))?;
        Ok(TraceContext {
            trace,
            parent: parts.next().and_then(|id| id.parse().ok()),
            sampled: parts.next() == Some("01"),
            state,
        })
    }
}

impl Identity {
    /// The trace that the execution is part of: the one that it was started in, or one of its own.
    pub fn trace(&self) -> TraceContext {
        match &self.trace_context {
            Some(context) => TraceContext::clone(context),
            None => TraceContext {
                trace: self.own_trace(),
                parent: None,
                sampled: true,
                state: None,
            },
        }
    }

    /// [`Identity::trace`]'s id.
    pub fn trace_id(&self) -> TraceId {
        let given = self.trace_context.as_ref().map(|context| context.trace);
        given.unwrap_or_else(|| self.own_trace())
    }

    /// The execution as a step of its trace; each redrive is another.
    pub fn execution_span(&self, redrives: u32) -> SpanId {
        self.span("execution", redrives, 0)
    }

    /// One attempt of a task as a step of its trace.
    pub fn wait_span(&self, wait: WaitId) -> SpanId {
        self.span("wait", wait.0, 0)
    }

    /// A stay in a state as a step of its trace: the `nth` of the execution, of all its branches and iterations.
    pub fn state_span(&self, nth: u32) -> SpanId {
        self.span("state", nth, 0)
    }

    fn own_trace(&self) -> TraceId {
        let seconds = (self.started_at.0 / 1000) as u32;
        let digest = self.digest("trace", 0, 0);
        let tail: [u8; 12] = digest[..12].try_into().expect("a SHA-256 has 32 bytes");
        let mut id = [0; 16];
        id[..4].copy_from_slice(&seconds.to_be_bytes());
        id[4..].copy_from_slice(&tail);
        TraceId(u128::from_be_bytes(id).max(1))
    }

    fn span(&self, kind: &str, one: u32, other: u32) -> SpanId {
        let digest = self.digest(kind, one, other);
        let head: [u8; 8] = digest[..8].try_into().expect("a SHA-256 has 32 bytes");
        SpanId(u64::from_be_bytes(head).max(1))
    }

    /// Another execution of the same name, once the first is forgotten, starts at another time.
    fn digest(&self, kind: &str, one: u32, other: u32) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(kind.as_bytes());
        hash.update(one.to_be_bytes());
        hash.update(other.to_be_bytes());
        hash.update(self.started_at.0.to_be_bytes());
        hash.update(self.arn.as_bytes());
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    /// The first rows are the standard's own examples.
    #[test]
    fn a_traceparent_is_read_as_the_standard_says() {
        for (header, sampled) in [
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                Some(true),
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
                Some(false),
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09",
                Some(true),
            ),
            (
                "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                Some(true),
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                None,
            ),
            (
                "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                None,
            ),
            (
                "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                None,
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                None,
            ),
            (
                "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                None,
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
                None,
            ),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", None),
            ("", None),
        ] {
            let read = TraceContext::of_headers(header, None);
            assert_eq!(read.map(|context| context.sampled), sampled, "{header}");
        }
    }

    #[test]
    fn what_was_read_is_written_again_and_stored() {
        let header = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let state = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";
        let read = TraceContext::of_headers(&header, Some(state)).expect("it is right");
        assert_eq!(read.traceparent(read.parent.expect("it has one")), header);
        assert_eq!(read.state.as_deref(), Some(state));
        let text = serde_json::to_string(&read).expect("it is text");
        assert_eq!(serde_json::from_str::<TraceContext>(&text).ok(), Some(read));
        let read = TraceContext::of_headers(&header, Some("no member")).expect("it is right");
        assert_eq!(read.state, None, "a state that is none is left out");
    }

    /// The header is the one of X-Ray's documentation.
    #[test]
    fn x_ray_says_the_same_in_other_words() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let read = TraceContext::of_x_ray(header).expect("it is right");
        assert_eq!(read.trace.to_string(), "5759e988bd862e3fe1be46a994272793");
        assert_eq!(read.x_ray(read.parent.expect("it has one")), header);
        assert_eq!(read.x_ray_header(), header);
        let alone = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
        let read = TraceContext::of_x_ray(alone).expect("it is right");
        assert_eq!(read.parent, None);
        assert_eq!(read.x_ray_header(), alone);
        for none in [
            "",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759-bd86",
            "Self=1",
        ] {
            assert_eq!(TraceContext::of_x_ray(none), None, "{none}");
        }
    }
}
