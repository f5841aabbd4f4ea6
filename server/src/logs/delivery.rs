//! Lines on their way out: for each group a queue, and a task that empties it.
//!
//! Nobody waits for a delivery. What can't be held any longer, because more is said than is taken, and
//! what is refused, is dropped, counted and told to the operator, once a minute at most for each group.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use asl::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use super::line::Line;
use crate::clock::Clock;
use crate::services::{CloudWatchLogs, NotTaken};

/// So much is held for all groups together. A log is no reason to run out of memory.
const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What `PutLogEvents` takes at most, each line counted with so many bytes more.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
const BATCH_LINES_MAX: usize = 10_000;
const LINE_OVERHEAD_BYTES: usize = 26;
/// How often a batch is sent, and how long after the first attempt the next one waits; then twice as long.
const ATTEMPTS: u32 = 4;
const BACKOFF: Duration = Duration::from_millis(200);
/// How often an operator is told of the same trouble.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Where lines go.
#[derive(Clone)]
pub(super) enum Outlet {
    /// The group that the machine names.
    CloudWatch(Box<CloudWatchLogs>),
    /// This server's standard error, a line of JSON each.
    Stderr,
    /// A file, a line of JSON each.
    File(PathBuf),
}

/// Takes lines. Cloning is a reference count.
#[derive(Clone)]
pub(super) struct Delivery(Arc<Inner>);

struct Inner {
    outlet: Outlet,
    clock: Clock,
    queues: Mutex<HashMap<Arc<str>, mpsc::UnboundedSender<Line>>>,
    held_lines: AtomicUsize,
    held_bytes: AtomicUsize,
    dropped: AtomicU64,
    less: Notify,
}

impl Delivery {
    pub(super) fn to(outlet: Outlet, clock: Clock) -> Delivery {
        Delivery(Arc::new(Inner {
            outlet,
            clock,
            queues: Mutex::default(),
            held_lines: AtomicUsize::new(0),
            held_bytes: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            less: Notify::new(),
        }))
    }

    /// Takes a line for `group`, or drops it; `machine` begins the name of the group's stream.
    pub(super) fn take(&self, group: &Arc<str>, machine: &str, line: Line) {
        let inner = &self.0;
        if inner.held_bytes.load(Ordering::Relaxed) + line.text.len() > HELD_BYTES_MAX {
            return self.drop_lines(1);
        }
        inner.held_lines.fetch_add(1, Ordering::Relaxed);
        inner
            .held_bytes
            .fetch_add(line.text.len(), Ordering::Relaxed);
        let mut queues = inner.queues.lock();
        let queue = queues.entry(group.clone()).or_insert_with(|| {
            let (queue, lines) = mpsc::unbounded_channel();
            let outbox = Outbox {
                delivery: self.clone(),
                group: group.clone(),
                stream: stream(machine),
                begun: false,
                told: None,
                file: None,
            };
            tokio::spawn(outbox.empty(lines));
            queue
        });
        queue
            .send(line)
            .expect("a queue's task ends after its queue");
    }

    /// Whether lines go where AWS's do.
    pub(super) fn is_to_cloud_watch(&self) -> bool {
        matches!(self.0.outlet, Outlet::CloudWatch(_))
    }

    /// Something that will be lines: [`Delivery::settled`] waits for it.
    pub(super) fn hold(&self) -> Held {
        self.0.held_lines.fetch_add(1, Ordering::Relaxed);
        Held(self.clone())
    }

    /// Counts lines that nobody will read.
    pub(super) fn drop_lines(&self, count: u64) {
        self.0.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// How many lines have been dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Returns when nothing is held.
    pub(super) async fn settled(&self) {
        loop {
            let less = self.0.less.notified();
            if self.0.held_lines.load(Ordering::Acquire) == 0 {
                return;
            }
            less.await;
        }
    }

    fn release(&self, lines: &[Line]) {
        let bytes = lines.iter().map(|line| line.text.len()).sum();
        self.0.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.0.held_lines.fetch_sub(lines.len(), Ordering::Release);
        self.0.less.notify_waiters();
    }
}

/// What [`Delivery::hold`] gives.
pub(super) struct Held(Delivery);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.held_lines.fetch_sub(1, Ordering::Release);
        self.0.0.less.notify_waiters();
    }
}

/// AWS names its streams so: `states/MACHINE/MINUTE/RANDOM`. Ours is one for each run of the server.
fn stream(machine: &str) -> String {
    let now = Clock::machine_time().to_string();
    let minute = now[..16].replace(['T', ':'], "-");
    let random = Uuid::new_v4().simple().to_string();
    format!("states/{machine}/{minute}/{}", &random[..8])
}

/// One group's way out.
struct Outbox {
    delivery: Delivery,
    group: Arc<str>,
    stream: String,
    /// Whether the stream has been made.
    begun: bool,
    told: Option<Instant>,
    file: Option<File>,
}

impl Outbox {
    async fn empty(mut self, mut lines: mpsc::UnboundedReceiver<Line>) {
        let mut next = None;
        loop {
            let first = match next.take() {
                Some(line) => line,
                None => match lines.recv().await {
                    Some(line) => line,
                    None => return,
                },
            };
            let mut bytes = first.text.len() + LINE_OVERHEAD_BYTES;
            let mut batch = vec![first];
            while batch.len() < BATCH_LINES_MAX
                && let Ok(line) = lines.try_recv()
            {
                bytes += line.text.len() + LINE_OVERHEAD_BYTES;
                if bytes > BATCH_BYTES_MAX {
                    next = Some(line);
                    break;
                }
                batch.push(line);
            }
            if let Err(what) = self.send(&batch).await {
                self.delivery.drop_lines(batch.len() as u64);
                self.tell(&what);
            }
            self.delivery.release(&batch);
        }
    }

    /// Hands a batch over, or says why that can't be done.
    async fn send(&mut self, batch: &[Line]) -> Result<(), String> {
        match &self.delivery.0.outlet {
            Outlet::CloudWatch(service) => {
                let service = service.clone();
                self.put(&service, batch).await
            }
            Outlet::Stderr => {
                write(&mut std::io::stderr().lock(), batch).map_err(|e| e.to_string())
            }
            Outlet::File(path) => {
                // Opened anew after trouble: it may have been moved away.
                let file = match &mut self.file {
                    Some(file) => file,
                    None => {
                        let opened = OpenOptions::new().create(true).append(true).open(path);
                        self.file.insert(opened.map_err(|e| e.to_string())?)
                    }
                };
                let written = write(file, batch);
                if written.is_err() {
                    self.file = None;
                }
                written.map_err(|e| e.to_string())
            }
        }
    }

    async fn put(&mut self, service: &CloudWatchLogs, batch: &[Line]) -> Result<(), String> {
        let mut lines: Vec<(Timestamp, &str)> = batch
            .iter()
            .map(|line| (self.ingested(line), line.text.as_str()))
            .collect();
        // Executions overlap, and the service wants what it gets in order.
        lines.sort_by_key(|(at, _)| *at);
        let mut wait = BACKOFF;
        let mut left = ATTEMPTS;
        loop {
            left -= 1;
            let sent = match self.begun {
                true => {
                    service
                        .put(&self.group, &self.stream, lines.iter().copied())
                        .await
                }
                false => service.create_stream(&self.group, &self.stream).await,
            };
            match sent {
                Ok(()) if self.begun => return Ok(()),
                Ok(()) => {
                    self.begun = true;
                    left += 1;
                }
                // The group may have been made anew since, without the stream.
                Err(NotTaken::NoPlace) if self.begun => self.begun = false,
                Err(NotTaken::NoPlace) => return Err("there is no such log group".to_owned()),
                Err(NotTaken::Later(what)) if left == 0 => return Err(what),
                Err(NotTaken::Later(_)) => {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                Err(NotTaken::Never(what)) => return Err(what),
            }
        }
    }

    /// CloudWatch Logs takes nothing that is from long ago or from the future, which virtual time may be;
    /// the line itself says when it was.
    fn ingested(&self, line: &Line) -> Timestamp {
        match self.delivery.0.clock.is_virtual() {
            true => Clock::machine_time(),
            false => line.at,
        }
    }

    fn tell(&mut self, what: &str) {
        let due = self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if due {
            self.told = Some(Instant::now());
            crate::log::say!(
                "the log group {} could not be written ({what}); {} lines of logs were dropped so far",
                self.group,
                self.delivery.dropped()
            );
        }
    }
}

fn write(to: &mut impl Write, batch: &[Line]) -> std::io::Result<()> {
    let mut text = String::new();
    for line in batch {
        text.push_str(&line.text);
        text.push('\n');
    }
    to.write_all(text.as_bytes())?;
    to.flush()
}
