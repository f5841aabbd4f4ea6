//! One running copy of a function's program.
//!
//! | state | left by |
//! | --- | --- |
//! | starting | it asks for an invocation; it reports that it can't work; it ends; its time is over |
//! | working | it answers or fails (then it is idle); it ends; its time is over |
//! | idle | it is given an invocation (then it is starting again: it has to ask for it); it ends |
//!
//! A copy does one thing at a time, as on Lambda. It runs in a process group of its own, so that a
//! Ctrl-C in the server's terminal reaches the server alone, and so that all that the program started is
//! ended with it. A server that is killed can't end its programs: they notice that the Runtime API is
//! gone when they next ask for work, and the runtimes that AWS publishes then exit.

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Invocation;
use super::output;
use super::program::Command;
use super::runtime_api::{Desk, Report};
use crate::clock::{Busy, Clock};

/// How long a program may take from its start, or from its last answer, until it asks for its next
/// invocation; Lambda gives a cold start the same.
pub const ASK_SECONDS_MAX: i64 = 10;

/// After SIGTERM a program has this long, in real time, until SIGKILL.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// A child process and the interface it talks to. Dropping it kills the process.
pub struct Copy {
    child: Child,
    clock: Clock,
    invocations: mpsc::Sender<Arc<Invocation>>,
    reports: mpsc::UnboundedReceiver<Report>,
    runtime_api: JoinHandle<()>,
}

/// What became of an invocation.
#[derive(Debug)]
pub enum Outcome {
    /// The answer. The copy can go on.
    Answered(Bytes),
    /// An answer that is too long. The copy can go on.
    TooLarge,
    /// An error object. The copy can go on.
    Failed(Bytes),
    /// An error object: the program can't work at all.
    InitFailed(Bytes),
    /// The program ended, having taken the invocation or not.
    Exited {
        /// How, if that is known.
        status: Option<ExitStatus>,
        /// Whether it may have done a part of the work.
        taken: bool,
    },
    /// Time is over, for the work or for asking for it.
    TimedOut {
        /// Whether it was at work.
        taken: bool,
    },
}

impl Copy {
    /// Starts the program.
    ///
    /// # Errors
    /// One sentence: why it could not be started.
    pub async fn start(command: &Command, clock: &Clock) -> Result<Copy, String> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(|e| format!("no port on loopback for the Lambda Runtime API: {e}"))?;
        let address = listener
            .local_addr()
            .map_err(|e| format!("no port on loopback for the Lambda Runtime API: {e}"))?;
        let mut child = tokio::process::Command::new(&command.path)
            .args(&command.arguments)
            .envs(command.lambda_environment(&address.to_string(), clock.now()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| format!("{} can't be started: {e}", command.path.display()))?;
        if let Some(pipe) = child.stdout.take() {
            tokio::spawn(output::forward(command.function.clone(), pipe));
        }
        if let Some(pipe) = child.stderr.take() {
            tokio::spawn(output::forward(command.function.clone(), pipe));
        }
        // One at a time: the next is given only when the one before was taken.
        let (invocations, to_do) = mpsc::channel(1);
        let (say, reports) = mpsc::unbounded_channel();
        let desk = Desk::new(to_do, say, clock.clone(), command.timeout_seconds);
        Ok(Copy {
            child,
            clock: clock.clone(),
            invocations,
            reports,
            runtime_api: tokio::spawn(desk.serve(listener)),
        })
    }

    /// Whether the program still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Gives the copy something to do and waits until that came to something. Only an outcome after
    /// which the copy can go on allows another.
    pub async fn invoke(&mut self, invocation: Arc<Invocation>) -> (Outcome, Busy) {
        let mut taken = false;
        if self.invocations.try_send(invocation).is_err() {
            let status = None;
            return (Outcome::Exited { status, taken }, self.clock.busy());
        }
        let until = self.clock.now().plus_seconds(ASK_SECONDS_MAX);
        let mut timer = std::pin::pin!(self.clock.sleep_until(until));
        loop {
            // What the program said comes before its end, and both before a limit of the same moment.
            let outcome = tokio::select! {
                biased;
                report = self.reports.recv() => match report {
                    Some(Report::Taken(deadline)) => {
                        taken = true;
                        timer.set(self.clock.sleep_until(deadline));
                        continue;
                    }
                    Some(Report::Answered(body)) => Outcome::Answered(body),
                    Some(Report::TooLarge) => Outcome::TooLarge,
                    Some(Report::Failed(body)) => Outcome::Failed(body),
                    Some(Report::InitFailed(body)) => Outcome::InitFailed(body),
                    None => Outcome::Exited { status: None, taken },
                },
                status = self.child.wait() => Outcome::Exited { status: status.ok(), taken },
                busy = &mut timer => return (Outcome::TimedOut { taken }, busy),
            };
            return (outcome, self.clock.busy());
        }
    }

    /// Ends the program: SIGTERM, a moment, SIGKILL.
    pub async fn end(mut self) {
        self.signal(rustix::process::Signal::TERM);
        let _ = tokio::time::timeout(END_PATIENCE, self.child.wait()).await;
    }

    /// Sends a signal to the program and all it started, unless it has ended (and its number may be
    /// somebody else's by now).
    fn signal(&self, signal: rustix::process::Signal) {
        let group = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            // It fails only if the group is gone, which is what is wanted.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        self.runtime_api.abort();
    }
}
