//! Spans on their way to a collector: one queue, and a task that empties it.
//!
//! Nobody waits for a delivery, and it keeps no time standing: all its pauses are the machine's, on a virtual clock
//! too, since a collector is a matter of sockets and nothing of a workflow rests on it. What can't be held any longer,
//! and what is refused, is dropped, counted and told to the operator, once a minute at most.
//!
//! | the collector | what becomes of a batch |
//! | --- | --- |
//! | 200 | taken, but for as many as it says it has rejected |
//! | 429, 502, 503, 504, no answer | sent again, as late as `Retry-After` says, or after a pause that doubles |
//! | anything else | dropped |

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::RETRY_AFTER;
use hyper::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use tokio::sync::{Notify, mpsc};

use super::config::Export;
use super::otlp;
use crate::client::{Answer, Client};

/// So much is held at most: spans are no reason to run out of memory.
const HELD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What one request has at most; 512 is the SDKs' own.
const BATCH_SPANS_MAX: usize = 512;
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// How often a batch is sent, and how long after the first attempt the next one waits; then twice as long.
const ATTEMPTS: u32 = 6;
const BACKOFF: Duration = Duration::from_millis(500);
/// A collector that asks for more than this is not waited for any longer.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// How often an operator is told of the same trouble.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Takes spans. Cloning is a reference count.
#[derive(Clone)]
pub(super) struct Delivery {
    spans: mpsc::UnboundedSender<String>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Spans that are on their way, and what will be spans.
    held: AtomicUsize,
    held_bytes: AtomicUsize,
    exported: AtomicU64,
    dropped: AtomicU64,
    /// How many wait for all to be sent: then no span waits for others.
    hurried: AtomicUsize,
    hurry: Notify,
    less: Notify,
}

impl Delivery {
    pub(super) fn to(export: Export, client: Client) -> Delivery {
        let (spans, taken) = mpsc::unbounded_channel();
        let state = Arc::new(State::default());
        let outbox = Outbox {
            around: otlp::around(&export.resource),
            export,
            client,
            state: state.clone(),
            told: None,
        };
        tokio::spawn(outbox.empty(taken));
        Delivery { spans, state }
    }

    /// Takes a span, or drops it.
    pub(super) fn take(&self, span: String) {
        let state = &self.state;
        if state.held_bytes.load(Ordering::Relaxed) + span.len() > HELD_BYTES_MAX {
            return self.drop_spans(1);
        }
        state.held.fetch_add(1, Ordering::Relaxed);
        state.held_bytes.fetch_add(span.len(), Ordering::Relaxed);
        if let Err(unsent) = self.spans.send(span) {
            // The runtime is being stopped.
            state.release(1, unsent.0.len());
            self.drop_spans(1);
        }
    }

    /// Something that will be spans: [`Delivery::settled`] waits for it.
    pub(super) fn hold(&self) -> Held {
        self.state.held.fetch_add(1, Ordering::Relaxed);
        Held(self.state.clone())
    }

    /// Counts spans that nobody will see.
    pub(super) fn drop_spans(&self, count: u64) {
        self.state.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// How many spans were taken by the collector, and how many were dropped.
    pub(super) fn figures(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.state.exported), read(&self.state.dropped))
    }

    /// Returns when nothing is held.
    pub(super) async fn settled(&self) {
        let state = &self.state;
        let _hurrying = Hurrying::begin(state);
        loop {
            let less = state.less.notified();
            if state.held.load(Ordering::Acquire) == 0 {
                return;
            }
            less.await;
        }
    }
}

impl State {
    fn release(&self, spans: usize, bytes: usize) {
        self.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.held.fetch_sub(spans, Ordering::Release);
        self.less.notify_waiters();
    }
}

/// What [`Delivery::hold`] gives.
pub(super) struct Held(Arc<State>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.release(1, 0);
    }
}

/// Somebody waits for all to be sent, and may give up.
struct Hurrying<'a>(&'a State);

impl<'a> Hurrying<'a> {
    fn begin(state: &'a State) -> Hurrying<'a> {
        state.hurried.fetch_add(1, Ordering::Relaxed);
        state.hurry.notify_waiters();
        Hurrying(state)
    }
}

impl Drop for Hurrying<'_> {
    fn drop(&mut self) {
        self.0.hurried.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The way out.
struct Outbox {
    export: Export,
    client: Client,
    /// What stands before the spans of a request, and behind them.
    around: (String, &'static str),
    state: Arc<State>,
    told: Option<Instant>,
}

/// Why a batch was not taken.
#[derive(Debug, PartialEq)]
enum NotTaken {
    /// It may be taken if it is sent again, after so long if that was said.
    Later(String, Option<Duration>),
    /// It will not be taken.
    Never(String),
}

impl Outbox {
    async fn empty(mut self, mut spans: mpsc::UnboundedReceiver<String>) {
        let mut next = None;
        loop {
            let first = match next.take() {
                Some(span) => span,
                None => match spans.recv().await {
                    Some(span) => span,
                    None => return,
                },
            };
            let mut bytes = first.len();
            let mut batch = vec![first];
            let deadline = tokio::time::Instant::now() + self.export.delay;
            while batch.len() < BATCH_SPANS_MAX
                && let Some(span) = self.another(&mut spans, deadline).await
            {
                if bytes + span.len() > BATCH_BYTES_MAX {
                    next = Some(span);
                    break;
                }
                bytes += span.len();
                batch.push(span);
            }
            let count = batch.len();
            self.deliver(batch).await;
            self.state.release(count, bytes);
        }
    }

    /// The next span that goes with those that are there, if one comes in time.
    async fn another(
        &self,
        spans: &mut mpsc::UnboundedReceiver<String>,
        deadline: tokio::time::Instant,
    ) -> Option<String> {
        loop {
            // First listen, then look.
            let hurry = self.state.hurry.notified();
            if let Ok(span) = spans.try_recv() {
                return Some(span);
            }
            if self.state.hurried.load(Ordering::Relaxed) > 0 {
                return None;
            }
            tokio::select! {
                span = spans.recv() => return span,
                () = tokio::time::sleep_until(deadline) => return None,
                () = hurry => {}
            }
        }
    }

    async fn deliver(&mut self, batch: Vec<String>) {
        let count = batch.len() as u64;
        let (before, behind) = &self.around;
        let body = format!("{before}{}{behind}", batch.join(","));
        drop(batch);
        let body = match self.export.gzip {
            false => Bytes::from(body),
            // A large batch takes longer than those who serve requests have time for.
            true => tokio::task::spawn_blocking(move || packed(&body))
                .await
                .expect("packing does not panic"),
        };
        let mut attempt = 0;
        let taken = loop {
            attempt += 1;
            match self.send(body.clone()).await {
                Err(NotTaken::Later(_, said)) if attempt < ATTEMPTS && is_bearable(said) => {
                    tokio::time::sleep(pause(attempt, said)).await;
                }
                taken => break taken,
            }
        };
        let (dropped, what) = match taken {
            Ok((0, _)) => (0, None),
            Ok((rejected, why)) => (rejected.min(count), Some(why)),
            Err(NotTaken::Later(what, _) | NotTaken::Never(what)) => (count, Some(what)),
        };
        let state = &self.state;
        state.exported.fetch_add(count - dropped, Ordering::Relaxed);
        state.dropped.fetch_add(dropped, Ordering::Relaxed);
        if let Some(what) = what {
            self.tell(&what);
        }
    }

    /// Sends a request; gives how many of its spans were rejected, and why.
    async fn send(&self, body: Bytes) -> Result<(u64, String), NotTaken> {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(self.export.gzip.then_some(("content-encoding", "gzip")));
        let own = self.export.headers.iter();
        headers.extend(own.map(|(name, value)| (name.as_str(), value.as_str())));
        let Export { url, timeout, .. } = &self.export;
        let sent = self
            .client
            .send(Method::POST, url, &headers, body, *timeout);
        match sent.await {
            Ok(answer) => read(&answer),
            Err(what) => Err(NotTaken::Later(what, None)),
        }
    }

    fn tell(&mut self, what: &str) {
        let due = self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if due {
            self.told = Some(Instant::now());
            let dropped = self.state.dropped.load(Ordering::Relaxed);
            crate::log::say!(
                "spans could not be sent ({what}); {dropped} were dropped so far, and what they tell of went on"
            );
        }
    }
}

fn packed(body: &str) -> Bytes {
    let room = Vec::with_capacity(body.len() / 8);
    let mut packer = GzEncoder::new(room, Compression::fast());
    let packed = packer.write_all(body.as_bytes());
    let packed = packed.and_then(|()| packer.finish());
    packed.expect("memory takes all that is written").into()
}

/// What a collector's answer means.
fn read(answer: &Answer) -> Result<(u64, String), NotTaken> {
    let status = answer.status;
    if status.is_success() {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let partial = &body["partialSuccess"];
        // A number of 64 bits is text, and some write it as a number.
        let rejected = &partial["rejectedSpans"];
        let text = rejected.as_str().and_then(|text| text.parse().ok());
        let rejected = rejected.as_u64().or(text).unwrap_or_default();
        let why = partial["errorMessage"].as_str().unwrap_or_default();
        return Ok((rejected, format!("the collector has rejected some: {why}")));
    }
    let what = format!("the collector answered {status}");
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Err(NotTaken::Later(what, retry_after(&answer.headers))),
        _ => Err(NotTaken::Never(what)),
    }
}

/// `Retry-After`: seconds, or a moment of the machine's time.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let left = moment.as_millisecond() - crate::clock::Clock::machine_time().0;
    Some(Duration::from_millis(
        u64::try_from(left).unwrap_or_default(),
    ))
}

fn is_bearable(said: Option<Duration>) -> bool {
    said.is_none_or(|said| said <= RETRY_AFTER_MAX)
}

/// How long after an attempt, counted from 1, the next one is made.
fn pause(attempt: u32, said: Option<Duration>) -> Duration {
    said.unwrap_or_else(|| {
        let doubled = BACKOFF * 2_u32.pow(attempt - 1);
        // Servers that a collector has turned away together are not to come back together.
        let lot = getrandom::u32().unwrap_or_default();
        doubled.mul_f64(0.75 + 0.5 * f64::from(lot) / f64::from(u32::MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<&str>, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(RETRY_AFTER, value.parse().expect("a header"));
        }
        Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers,
            body: body.to_owned().into(),
        }
    }

    #[test]
    fn an_answer_means_what_the_specification_says() {
        for (status, body, rejected) in [
            (200, "{}", 0),
            (200, "", 0),
            (200, r#"{"partialSuccess":{}}"#, 0),
            (200, r#"{"partialSuccess":{"rejectedSpans":"3"}}"#, 3),
            (200, r#"{"partialSuccess":{"rejectedSpans":2}}"#, 2),
        ] {
            let read = read(&answer(status, None, body)).expect("it was taken");
            assert_eq!(read.0, rejected, "{body}");
        }
        for (status, again) in [
            (429, true),
            (502, true),
            (503, true),
            (504, true),
            (400, false),
            (401, false),
            (404, false),
            (413, false),
            (500, false),
            (301, false),
        ] {
            let not = read(&answer(status, None, "")).expect_err("it was not taken");
            assert_eq!(matches!(not, NotTaken::Later(..)), again, "{status}");
        }
    }

    #[test]
    fn a_collector_says_how_long_it_wants_to_be_left_alone() {
        let said = |text| match read(&answer(503, Some(text), "")) {
            Err(NotTaken::Later(_, said)) => said,
            other => panic!("{other:?}"),
        };
        assert_eq!(said("7"), Some(Duration::from_secs(7)));
        assert_eq!(
            said("Wed, 21 Oct 2015 07:28:00 GMT"),
            Some(Duration::ZERO),
            "it is over"
        );
        let later = said("Tue, 01 Jan 2999 00:00:00 GMT").expect("a moment");
        assert!(!is_bearable(Some(later)), "nobody waits for so long");
        assert_eq!(said("soon"), None);

        assert_eq!(
            pause(3, Some(Duration::from_secs(7))),
            Duration::from_secs(7)
        );
        let third = pause(3, None);
        let about = Duration::from_millis(1500)..=Duration::from_millis(2500);
        assert!(about.contains(&third), "{third:?}");
    }
}
