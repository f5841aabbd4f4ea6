//! The body of an answer: at once or in two halves.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use serde_json::Value;
use server::clock::Busy;

/// A body as it is sent, and its type.
pub(crate) fn written(body: Option<Value>) -> (Option<&'static str>, String) {
    match body {
        None => (None, String::new()),
        Some(Value::String(text)) => (Some("text/plain; charset=utf-8"), text),
        Some(other) => (Some("application/json"), other.to_string()),
    }
}

/// The first half, which of JSON is none.
pub(crate) fn half(text: &str) -> &str {
    &text[..text.floor_char_boundary(text.len() / 2)]
}

type Alarm = Pin<Box<dyn Future<Output = Busy> + Send>>;

/// A body, at once or in two halves.
pub(crate) struct Said {
    now: Option<Bytes>,
    later: Option<(Alarm, Bytes)>,
}

impl Said {
    pub fn all(text: String) -> Said {
        Said {
            now: Some(text.into()).filter(|text: &Bytes| !text.is_empty()),
            later: None,
        }
    }

    pub fn slowly(text: String, alarm: impl Future<Output = Busy> + Send + 'static) -> Said {
        let mut first = Bytes::from(text);
        let rest = first.split_off(first.len() / 2);
        Said {
            now: Some(first).filter(|first| !first.is_empty()),
            later: Some((Box::pin(alarm), rest)),
        }
    }

    pub fn length(&self) -> usize {
        let later = self.later.as_ref().map_or(0, |(_, rest)| rest.len());
        self.now.as_ref().map_or(0, Bytes::len) + later
    }
}

impl Body for Said {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(now) = self.now.take() {
            return Poll::Ready(Some(Ok(Frame::data(now))));
        }
        let Some((alarm, _)) = &mut self.later else {
            return Poll::Ready(None);
        };
        match alarm.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(_busy) => {
                let rest = self.later.take().map(|(_, rest)| Frame::data(rest));
                Poll::Ready(rest.map(Ok))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.now.is_none() && self.later.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length() as u64)
    }
}
