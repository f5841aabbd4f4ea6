//! Activities: who may fetch tasks, and the queues they are fetched from.
//!
//! A queue holds no payloads, only which wait of which execution: a million tasks that nobody has
//! fetched yet must fit in memory. A task that ends while it stands in the queue is taken out of it, or
//! those that nobody fetches would pile up.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine::{ExecutionKey, Token, WaitId};
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::clock::Busy;
use crate::runner::{NotDone, PickedUp, Runner};
use crate::trace::Sent;

/// A task on its way to a worker, with the moment of its arrival held.
type Offer = (ExecutionKey, WaitId, Busy);

/// The queues of activity tasks. Cloning is a reference count.
#[derive(Clone, Default)]
pub struct ActivityQueues(Arc<Inner>);

#[derive(Default)]
struct Inner {
    queues: Mutex<Queues>,
    runner: OnceLock<Runner>,
}

#[derive(Default)]
struct Queues {
    by_activity: HashMap<Arc<str>, Queue>,
    /// Where each task stands that waits for a worker.
    standing: HashMap<(ExecutionKey, WaitId), (Arc<str>, u64)>,
}

/// One activity: tasks that wait for workers, or workers that wait for tasks; never both.
#[derive(Default)]
struct Queue {
    /// By their numbers, which grow.
    tasks: BTreeMap<u64, (ExecutionKey, WaitId)>,
    next: u64,
    workers: VecDeque<oneshot::Sender<Offer>>,
}

/// A task for a worker.
#[derive(Debug)]
pub struct ActivityTask {
    /// Its token.
    pub token: String,
    /// Its input, JSON text.
    pub input: String,
    /// The trace that it is part of.
    pub trace: Sent,
}

/// How long a worker waits, and with how many others.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// In real time.
    pub wait: Duration,
    /// How many workers may wait for one activity.
    pub most: usize,
}

/// Why there is neither a task nor none.
#[derive(Debug)]
pub enum NotFetched {
    /// As many workers as may wait do.
    TooManyPollers,
    /// The store failed; text for the log.
    Server(String),
}

/// What a worker finds at an activity's queue.
enum Next {
    Task((ExecutionKey, WaitId)),
    Place(oneshot::Receiver<Offer>),
}

impl ActivityQueues {
    /// Names the runner, which pick-ups go to.
    pub fn connect(&self, runner: Runner) {
        assert!(
            self.0.runner.set(runner).is_ok(),
            "the queues are connected once"
        );
    }

    /// A task was scheduled: to the worker that has waited longest, or to the end of the queue.
    pub fn offer(&self, activity_arn: &str, execution: ExecutionKey, wait: WaitId, busy: Busy) {
        let mut queues = self.0.queues.lock();
        let (activity, queue) = queues.of(activity_arn);
        let mut task = (execution, wait, busy);
        while let Some(worker) = queue.workers.pop_front() {
            match worker.send(task) {
                Ok(()) => return,
                // That worker hung up.
                Err(back) => task = back,
            }
        }
        let number = queue.next;
        queue.next += 1;
        queue.tasks.insert(number, (execution, wait));
        let before = queues
            .standing
            .insert((execution, wait), (activity, number));
        // A task may be offered twice: one place is enough.
        queues.remove(before);
    }

    /// A wait is over. If it was for a worker of an activity, none comes for it any more.
    pub fn wait_ended(&self, execution: ExecutionKey, wait: WaitId) {
        let mut queues = self.0.queues.lock();
        let standing = queues.standing.remove(&(execution, wait));
        queues.remove(standing);
    }

    /// The next task of an activity: at once, or when one comes within `patience` (real time).
    /// The pick-up is durable before this returns. Virtual time stands as long as there is a task to be
    /// had, and goes on for a worker that has to wait.
    ///
    /// # Errors
    /// [`NotFetched`].
    pub async fn fetch(
        &self,
        activity_arn: &str,
        worker: Option<String>,
        Patience { wait, most }: Patience,
        mut busy: Busy,
    ) -> Result<Option<ActivityTask>, NotFetched> {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let (execution, wait) = match self.next(activity_arn, most)? {
                Next::Task(task) => task,
                Next::Place(offer) => {
                    drop(busy);
                    match tokio::time::timeout_at(deadline, Hand(self, activity_arn, offer)).await {
                        Ok(Some((execution, wait, handed_over))) => {
                            busy = handed_over;
                            (execution, wait)
                        }
                        _ => return Ok(None),
                    }
                }
            };
            if let Some(task) = self
                .pick_up(execution, wait, worker.clone())
                .await
                .map_err(NotFetched::Server)?
            {
                return Ok(Some(task));
            }
        }
    }

    /// The task at the head of the queue, or a place among the waiting workers, of whom there may be `most`.
    fn next(&self, activity_arn: &str, most: usize) -> Result<Next, NotFetched> {
        let mut queues = self.0.queues.lock();
        let (_, queue) = queues.of(activity_arn);
        if let Some((_, task)) = queue.tasks.pop_first() {
            queues.standing.remove(&task);
            return Ok(Next::Task(task));
        }
        queue.workers.retain(|worker| !worker.is_closed());
        if queue.workers.len() >= most {
            return Err(NotFetched::TooManyPollers);
        }
        let (worker, offer) = oneshot::channel();
        queue.workers.push_back(worker);
        Ok(Next::Place(offer))
    }

    /// Records that a worker has the task; `None` if the task is over or with another worker.
    async fn pick_up(
        &self,
        execution: ExecutionKey,
        wait: WaitId,
        worker: Option<String>,
    ) -> Result<Option<ActivityTask>, String> {
        let runner = self
            .0
            .runner
            .get()
            .expect("the queues are connected before a worker asks");
        match runner.pick_up(execution, wait, worker).await {
            Ok(PickedUp { input, trace }) => {
                let token = runner.token(Token { execution, wait });
                Ok(Some(ActivityTask {
                    token,
                    input: input.text().to_owned(),
                    trace,
                }))
            }
            Err(NotDone::Refused(_) | NotDone::Unknown) => Ok(None),
            Err(NotDone::Server(what)) => Err(what),
        }
    }
}

impl Queues {
    /// The queue of an activity, made when it is first heard of.
    fn of(&mut self, activity_arn: &str) -> (Arc<str>, &mut Queue) {
        let known = self.by_activity.get_key_value(activity_arn);
        let activity = known.map_or_else(|| activity_arn.into(), |(name, _)| name.clone());
        let queue = self.by_activity.entry(activity.clone()).or_default();
        (activity, queue)
    }

    /// Empties a place in a queue.
    fn remove(&mut self, standing: Option<(Arc<str>, u64)>) {
        if let Some((activity, number)) = standing
            && let Some(queue) = self.by_activity.get_mut(&activity)
        {
            queue.tasks.remove(&number);
        }
    }
}

/// Waits for an offer; one that was made to a worker that hangs up at that moment goes back to the queue.
struct Hand<'a>(&'a ActivityQueues, &'a str, oneshot::Receiver<Offer>);

impl Future for Hand<'_> {
    type Output = Option<Offer>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.2)
            .poll(context)
            .map(Result::ok)
    }
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        self.2.close();
        if let Ok((execution, wait, busy)) = self.2.try_recv() {
            self.0.offer(self.1, execution, wait, busy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_task_that_ends_leaves_its_queue() {
        let queues = ActivityQueues::default();
        let clock = Clock::real();
        for wait in 1..=3 {
            queues.offer("a", ExecutionKey(7), WaitId(wait), clock.busy());
        }
        // Once more, as after a restart.
        queues.offer("a", ExecutionKey(7), WaitId(3), clock.busy());
        queues.wait_ended(ExecutionKey(7), WaitId(1));
        queues.wait_ended(ExecutionKey(7), WaitId(9));
        let next = || match queues.next("a", 1) {
            Ok(Next::Task((_, wait))) => Some(wait),
            _ => None,
        };
        assert_eq!((next(), next()), (Some(WaitId(2)), Some(WaitId(3))));
        assert!(next().is_none());
        assert!(queues.0.queues.lock().standing.is_empty());
    }
}
