//! A function's copies: started on demand, used again, replaced when they die.
//!
//! There are never more copies than `copies_max`: an invocation needs a place, places are given in the
//! order of asking, and a copy is started only by who has a place and finds no idle copy. The copy used
//! last is used first, so that those beyond the usual load stay idle.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asl::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use super::copy::{ASK_SECONDS_MAX, Copy, Outcome};
use super::{Invocation, Invoked, failure, with_grace};
use crate::clock::{Busy, Clock};

/// What to start.
pub struct Command {
    /// The program.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What the configuration adds to its environment.
    pub environment: BTreeMap<String, String>,
    /// What it is told of its memory.
    pub memory_mib: u32,
    /// The function's name.
    pub function: String,
    /// Where it is told that it runs.
    pub region: String,
    /// How long an invocation may take.
    pub timeout_seconds: u32,
}

/// A function that is a program.
pub struct Program {
    command: Command,
    clock: Clock,
    /// One permit for each copy that may be at work.
    places: Semaphore,
    copies_max: u32,
    idle: Mutex<Vec<Copy>>,
    stopping: watch::Receiver<bool>,
}

impl Program {
    /// A function of which no copy runs yet.
    pub fn new(
        command: Command,
        copies_max: u32,
        clock: Clock,
        stopping: watch::Receiver<bool>,
    ) -> Program {
        Program {
            command,
            clock,
            places: Semaphore::new(copies_max as usize),
            copies_max,
            idle: Mutex::new(Vec::new()),
            stopping,
        }
    }

    /// Has a copy do it. Does not return once the server stops.
    pub async fn invoke(&self, invocation: Arc<Invocation>, busy: Busy) -> (Invoked, Busy) {
        let place = async { (self.places.acquire().await, self.clock.busy()) };
        let (place, busy) = with_grace(&self.clock, busy, place).await;
        let place = place.expect("the places are never closed");
        match with_grace(&self.clock, busy, self.work(invocation)).await {
            (Some(invoked), busy) => (invoked, busy),
            (None, _) => {
                drop(place);
                std::future::pending().await
            }
        }
    }

    /// Finds or starts a copy and gives it the invocation. `None`: the server stops.
    async fn work(&self, invocation: Arc<Invocation>) -> (Option<Invoked>, Busy) {
        let id = &invocation.request_id;
        let mut stopping = self.stopping.clone();
        loop {
            if *stopping.borrow() {
                return (None, self.clock.busy());
            }
            let idle = self.take_idle();
            let warm = idle.is_some();
            let mut copy = match idle {
                Some(copy) => copy,
                None => match Copy::start(&self.command, &self.clock).await {
                    Ok(copy) => copy,
                    Err(what) => {
                        let invoked = failure::not_started(id, &what);
                        return (Some(invoked), self.clock.busy());
                    }
                },
            };
            let stopped = async {
                // An error is a server that is gone; then there is nobody to answer either.
                let _ = stopping.wait_for(|stopping| *stopping).await;
            };
            let (outcome, busy) = tokio::select! {
                biased;
                () = stopped => {
                    copy.end().await;
                    return (None, self.clock.busy());
                }
                done = copy.invoke(invocation.clone()) => done,
            };
            let function = &self.command.function;
            let invoked = match outcome {
                Outcome::Answered(body) => {
                    self.give_back(copy);
                    failure::answered(function, id, &body)
                }
                Outcome::TooLarge => {
                    self.give_back(copy);
                    failure::answer_too_large()
                }
                Outcome::Failed(body) => {
                    self.give_back(copy);
                    failure::reported(&body)
                }
                Outcome::InitFailed(body) => failure::reported(&body),
                // It died idle, which says nothing of this invocation; another copy takes it.
                Outcome::Exited { taken: false, .. } if warm => continue,
                Outcome::Exited { status, taken } => failure::exited(id, status, taken),
                Outcome::TimedOut { taken: true } => {
                    failure::timed_out(id, self.command.timeout_seconds)
                }
                Outcome::TimedOut { taken: false } => {
                    failure::did_not_ask(id, function, ASK_SECONDS_MAX)
                }
            };
            return (Some(invoked), busy);
        }
    }

    /// An idle copy that still runs.
    fn take_idle(&self) -> Option<Copy> {
        let mut idle = self.idle.lock();
        while let Some(mut copy) = idle.pop() {
            if copy.is_alive() {
                return Some(copy);
            }
        }
        None
    }

    fn give_back(&self, copy: Copy) {
        self.idle.lock().push(copy);
    }

    /// Ends all copies; the server is stopping.
    pub async fn stop(&self) {
        self.end_idle().await;
        // Those at work are ended by who has their place; one may have become idle at the last moment.
        let _ = self.places.acquire_many(self.copies_max).await;
        self.end_idle().await;
    }

    async fn end_idle(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        let mut ending = tokio::task::JoinSet::new();
        for copy in idle {
            ending.spawn(copy.end());
        }
        ending.join_all().await;
    }
}

impl Command {
    /// What Lambda tells a program, and what the configuration adds. The rest of the server's own
    /// environment is passed on too: a program on this machine needs its PATH and HOME.
    pub fn lambda_environment(
        &self,
        runtime_api: &str,
        now: Timestamp,
    ) -> BTreeMap<String, String> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let handler = self.path.file_name().unwrap_or_default();
        let day = now.to_string()[..10].replace('-', "/");
        let stream = Uuid::new_v4().simple();
        let lambda = [
            ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", self.function.clone()),
            (
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
                self.memory_mib.to_string(),
            ),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            (
                "AWS_LAMBDA_LOG_GROUP_NAME",
                format!("/aws/lambda/{}", self.function),
            ),
            (
                "AWS_LAMBDA_LOG_STREAM_NAME",
                format!("{day}/[$LATEST]{stream}"),
            ),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_REGION", self.region.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("LAMBDA_TASK_ROOT", folder.to_string_lossy().into_owned()),
            ("_HANDLER", handler.to_string_lossy().into_owned()),
            ("TZ", ":UTC".to_owned()),
        ];
        let mut environment: BTreeMap<String, String> = lambda
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        for (name, value) in &self.environment {
            environment.insert(name.clone(), value.clone());
        }
        environment
    }
}

/// The program that a name means: a path, or a name that is looked for on the PATH.
///
/// # Errors
/// Completes the sentence "the function NAME ...".
pub fn find(name: &str) -> Result<PathBuf, String> {
    if name.is_empty() {
        return Err(
            "has an empty program; name one, for example program = [\"./bootstrap\"]".into(),
        );
    }
    if name.contains('/') {
        let path = PathBuf::from(name);
        return match can_run(&path) {
            Ok(()) => Ok(path),
            Err(what) => Err(format!(
                "can't run its program {name}: {what}; build it, or correct the path in the configuration"
            )),
        };
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search)
        .map(|folder| folder.join(name))
        .find(|path| can_run(path).is_ok())
        .ok_or_else(|| {
            format!(
                "can't run its program {name}: it is on none of the folders of PATH; install it, or give its path"
            )
        })
}

fn can_run(path: &Path) -> Result<(), String> {
    match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err("there is no such file".into()),
        Err(e) => Err(e.to_string()),
        Ok(about) if !about.is_file() => Err("it is not a file".into()),
        Ok(about) if about.permissions().mode() & 0o111 == 0 => {
            Err("it is not executable (chmod +x)".into())
        }
        Ok(_) => Ok(()),
    }
}
