//! What each event does to the value. Nothing is decided here: an event that was stored happens
//! again exactly as it did, whatever the interpreter would decide today.

use asl::{Data, Failure, Pattern, Resource, StateKind, Timestamp};
use serde_json::Value;

use crate::event::{Event, EventKind, FrameId, Output, is_activity};
use crate::execution::{Closing, Execution, Status};
use crate::frame::{Children, Frame, OpenMapRun, OpenTask, Phase, Place};
use crate::wait::after_seconds;
use crate::waiting::Beats;

impl Execution {
    /// Brings the value to where it is after `event`, deciding nothing.
    ///
    /// # Panics
    /// If the event does not follow from what happened before: it is then another execution's.
    pub fn apply(&mut self, event: &Event) {
        let id = event.frame;
        let state_type = self
            .now
            .frames
            .get(&id)
            .and_then(|f| f.state.as_ref())
            .map(|p| p.state_type);
        let history_id = self.now.history_events + 1;
        self.now.history_events += event.kind.history_events(state_type);
        match &event.kind {
            EventKind::ExecutionStarted { .. } => {}
            EventKind::StateEntered { name, state_type } => {
                let place = Place {
                    name: name.clone(),
                    state_type: *state_type,
                    entered_at: event.at,
                    entered_event: history_id,
                    id: self
                        .machine
                        .find(name)
                        .expect("a state that was entered is in the definition"),
                };
                let frame = self.frame_mut(id);
                frame.state = Some(place);
                frame.retries.clear();
            }
            EventKind::StateExited { output, assigned } => {
                self.exit(id, output);
                if let Some(assigned) = assigned {
                    self.assign(id, assigned);
                }
            }
            EventKind::EvaluationFailed { .. } => {}
            EventKind::WaitStarted { until } => {
                self.set_phase(id, Phase::Waiting { until: *until })
            }
            EventKind::TaskScheduled {
                wait,
                resource,
                parameters,
                timeout_seconds,
                heartbeat_seconds,
                ..
            } => {
                let parameters = parameters
                    .as_ref()
                    .unwrap_or(&self.frame_mut(id).data)
                    .clone();
                let after = |seconds: &u64| after_seconds(event.at, *seconds);
                // An activity's heartbeat clock starts with the worker that fetches the task.
                let heartbeat = heartbeat_seconds
                    .as_ref()
                    .filter(|_| !is_activity(resource));
                let task = OpenTask {
                    wait: *wait,
                    opened_at: event.at,
                    parameters,
                    timeout_at: timeout_seconds.as_ref().map(after),
                    heartbeat_seconds: *heartbeat_seconds,
                    heartbeat_at: heartbeat.map(after),
                    delivered: false,
                    beats: None,
                };
                if self.now.identity.test_case.is_some() {
                    let state = self.frame_mut(id).place().name.clone();
                    self.now.invocations.begin(state, *wait);
                }
                self.now.next_wait = wait.0 + 1;
                self.now.waits.insert(*wait, id);
                self.now.undelivered += 1;
                self.set_phase(id, Phase::Task(task));
            }
            EventKind::TaskSubmitted { .. } => self.update_task(id, |task| task.delivered = true),
            EventKind::TaskPickedUp { .. } => self.update_task(id, |task| {
                task.delivered = true;
                beat(task, event.at);
            }),
            EventKind::TaskHeartbeat { .. } => self.update_task(id, |task| {
                beat(task, event.at);
                task.beats = Some(Beats::and(task.beats, event.at));
            }),
            EventKind::TaskSucceeded { output, .. } => {
                self.close_wait(id);
                self.frame_mut(id).result = Some(output.clone());
            }
            EventKind::TaskFailed { .. }
            | EventKind::TaskTimedOut { .. }
            | EventKind::WaitAborted { .. } => self.close_wait(id),
            EventKind::DistributedMapStarted { .. } => {}
            EventKind::MapRunStarted { wait, run } => {
                self.now.next_wait = wait.0 + 1;
                self.now.waits.insert(*wait, id);
                self.now.undelivered += 1;
                let open = OpenMapRun {
                    wait: *wait,
                    opened_at: event.at,
                    run: run.clone(),
                    redrives: 0,
                };
                self.set_phase(id, Phase::MapRun(open));
            }
            EventKind::MapRunRedriven { wait, count, .. } => {
                self.now.next_wait = wait.0 + 1;
                self.now.waits.insert(*wait, id);
                self.now.undelivered += 1;
                match &mut self.frame_mut(id).phase {
                    Phase::MapRun(open) => {
                        open.wait = *wait;
                        open.opened_at = event.at;
                        open.redrives = *count;
                    }
                    phase => {
                        panic!("only a Map Run that was asked for is redriven, and not {phase:?}")
                    }
                }
            }
            EventKind::MapRunSucceeded { output, .. } => {
                self.close_wait(id);
                self.frame_mut(id).result = Some(output.clone());
            }
            EventKind::MapRunFailed { .. } => self.close_wait(id),
            EventKind::RetryScheduled { retrier, until } => {
                let frame = self.frame_mut(id);
                let used = &mut frame.retries;
                let retrier = usize::from(*retrier);
                used.resize(used.len().max(retrier + 1), 0);
                used[retrier] += 1;
                frame.result = None;
                self.set_phase(id, Phase::Backoff { until: *until });
            }
            EventKind::ParallelStarted {
                input,
                first_frame,
                branches,
            } => {
                let input = input.as_ref().unwrap_or(&self.frame_mut(id).data).clone();
                for index in 0..*branches {
                    let child = Frame::new(Some(id), index, input.clone());
                    self.now
                        .frames
                        .insert(FrameId(first_frame.0 + index), child);
                }
                self.now.next_frame = first_frame.0 + branches;
                self.set_phase(
                    id,
                    Phase::Children(Children {
                        items: None,
                        outputs: vec![None; *branches as usize],
                        succeeded: 0,
                        next: *branches,
                        concurrency: *branches,
                    }),
                );
            }
            EventKind::MapStarted {
                items,
                length,
                concurrency,
            } => {
                let items = items.as_ref().unwrap_or(&self.frame_mut(id).data).clone();
                self.set_phase(
                    id,
                    Phase::Children(Children {
                        items: Some(items),
                        outputs: vec![None; *length as usize],
                        succeeded: 0,
                        next: 0,
                        concurrency: *concurrency,
                    }),
                );
            }
            EventKind::IterationStarted {
                parent,
                index,
                input,
            } => {
                let children = self.children_mut(*parent);
                children.next = index + 1;
                let input = input
                    .clone()
                    .unwrap_or_else(|| Data::from(item(children, *index).clone()));
                self.now
                    .frames
                    .insert(id, Frame::new(Some(*parent), *index, input));
                self.now.next_frame = id.0 + 1;
            }
            EventKind::BranchSucceeded | EventKind::IterationSucceeded => {
                let child = self.remove_frame(id);
                let parent = child
                    .parent
                    .expect("only a branch or iteration succeeds into something");
                let children = self.children_mut(parent);
                children.outputs[child.index as usize] = Some(child.data);
                children.succeeded += 1;
            }
            EventKind::BranchFailed
            | EventKind::BranchAborted
            | EventKind::IterationFailed
            | EventKind::IterationAborted => {
                self.remove_frame(id);
            }
            EventKind::ChildrenSucceeded | EventKind::ChildrenFailed => {}
            EventKind::ExecutionRedriven {
                count,
                client_token,
                frames,
            } => self.resume(event.at, *count, client_token.as_deref(), frames),
            EventKind::ExecutionSucceeded => {
                let output = Some(self.frame_mut(FrameId::ROOT).data.clone());
                self.close(
                    Status::Succeeded,
                    Closing {
                        at: event.at,
                        output,
                        failure: None,
                    },
                );
            }
            EventKind::ExecutionFailed { failure } => {
                self.close_badly(event.at, Status::Failed, failure.clone());
            }
            EventKind::ExecutionTimedOut => {
                let failure = Failure {
                    error: Some("States.Timeout".into()),
                    cause: None,
                };
                self.close_badly(event.at, Status::TimedOut, failure);
            }
            EventKind::ExecutionAborted { error, cause } => {
                let failure = Failure {
                    error: error.clone().map(Into::into),
                    cause: cause.clone(),
                };
                self.close_badly(event.at, Status::Aborted, failure);
            }
        }
    }

    /// A frame that an event names.
    fn frame_mut(&mut self, id: FrameId) -> &mut Frame {
        self.now
            .frames
            .get_mut(&id)
            .expect("an event's frame is open")
    }

    fn children_mut(&mut self, id: FrameId) -> &mut Children {
        match &mut self.frame_mut(id).phase {
            Phase::Children(children) => children,
            phase => panic!("a frame with children waits for them, and is not {phase:?}"),
        }
    }

    fn assign(&mut self, id: FrameId, assigned: &Data) {
        let variables = &mut self.frame_mut(id).variables;
        let assigned = assigned.value().as_object().into_iter().flatten();
        for (name, value) in assigned {
            variables.insert(name.clone(), Data::from(value.clone()));
        }
    }

    fn exit(&mut self, id: FrameId, output: &Output) {
        let frame = self.frame_mut(id);
        let data = match output {
            Output::Input => frame.data.clone(),
            Output::Document(data) => data.clone(),
            Output::Result => frame
                .result
                .clone()
                .expect("a task that is left has a result"),
            Output::Children => match &frame.phase {
                Phase::Children(children) => children.output(),
                phase => panic!("only branches and iterations have outputs, and not {phase:?}"),
            },
        };
        frame.data = data;
        frame.result = None;
        self.set_phase(id, Phase::Idle);
    }

    /// The one place that changes a phase, so that the timers follow.
    fn set_phase(&mut self, id: FrameId, phase: Phase) {
        let frame = self
            .now
            .frames
            .get_mut(&id)
            .expect("an event's frame is open");
        if let Some(at) = frame.timer() {
            self.timers.remove(&(at, id));
        }
        frame.phase = phase;
        self.timers.extend(frame.timer().map(|at| (at, id)));
    }

    fn update_task(&mut self, id: FrameId, change: impl FnOnce(&mut OpenTask)) {
        let mut task = self.take_task(id);
        let was_ours = self.is_ours(id, &task);
        change(&mut task);
        self.now.undelivered -= u32::from(was_ours && !self.is_ours(id, &task));
        self.set_phase(id, Phase::Task(task));
    }

    /// A Map Run's wait is watched until it is over, and its phase goes on until its state is left.
    fn close_wait(&mut self, id: FrameId) {
        if let Phase::MapRun(open) = &self.frame_mut(id).phase {
            let wait = open.wait;
            self.now.undelivered -= 1;
            self.now.waits.remove(&wait);
            return;
        }
        let task = self.take_task(id);
        self.now.undelivered -= u32::from(self.is_ours(id, &task));
        self.now.waits.remove(&task.wait);
        self.now.invocations.end(task.wait);
    }

    /// Whether a task has to go out again after a restart: it is with nobody yet, or what it waits for
    /// is only watched by this server (`.sync`).
    pub(crate) fn is_ours(&self, id: FrameId, task: &OpenTask) -> bool {
        !task.delivered || self.is_watched(id)
    }

    fn is_watched(&self, id: FrameId) -> bool {
        let state = self.now.frames[&id].place().id;
        matches!(
            &self.machine.state(state).kind,
            StateKind::Task(task) if matches!(
                task.resource,
                Resource::Service { pattern: Pattern::Sync, .. }
            )
        )
    }

    fn take_task(&mut self, id: FrameId) -> OpenTask {
        let frame = self
            .now
            .frames
            .get_mut(&id)
            .expect("an event's frame is open");
        if let Some(at) = frame.timer() {
            self.timers.remove(&(at, id));
        }
        match std::mem::replace(&mut frame.phase, Phase::Idle) {
            Phase::Task(task) => task,
            phase => panic!("an event of a task finds it open, and not {phase:?}"),
        }
    }

    fn remove_frame(&mut self, id: FrameId) -> Frame {
        self.set_phase(id, Phase::Idle);
        self.now
            .frames
            .remove(&id)
            .expect("an event's frame is open")
    }

    fn close_badly(&mut self, at: Timestamp, status: Status, failure: Failure) {
        self.close(
            status,
            Closing {
                at,
                output: None,
                failure: Some(failure),
            },
        );
    }

    fn close(&mut self, status: Status, closing: Closing) {
        self.now.status = status;
        self.now.closing = Some(closing);
        self.now.frames.clear();
        self.timers.clear();
    }
}

/// A sign of life moves the heartbeat's deadline.
fn beat(task: &mut OpenTask, at: Timestamp) {
    task.heartbeat_at = task
        .heartbeat_seconds
        .map(|seconds| after_seconds(at, seconds));
}

/// One item of a Map state.
pub(crate) fn item(children: &Children, index: u32) -> &Value {
    let items = children.items.as_ref().expect("a Map state has items");
    &items.value()[index as usize]
}
