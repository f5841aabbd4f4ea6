//! The work of one Map Run: which children there are, how far they are, and what is to be done next.
//!
//! Nothing is done here: the driver starts and stops children and says what it heard of them.

use std::sync::Arc;

use asl::{Failure, StateMachine, Timestamp};
use engine::map_run::OpenRun;
use engine::{Identity, MapRunChild, Status, TraceContext, WaitId};
use hashbrown::HashMap;

use crate::items::batch::Batch;

use super::document::Record;
use super::names::{self, Names};
use super::tally::{Settings, Tally};

/// Why no further children are started.
#[derive(Debug)]
pub(super) enum Ending {
    /// The Map Run has failed.
    Failed(Failure),
    /// The Map state does not wait any longer.
    Abandoned,
}

/// A child to be started.
pub(super) struct Child {
    pub(super) machine: Arc<StateMachine>,
    pub(super) identity: Identity,
    pub(super) place: u32,
}

/// A child that had ended badly, to be redriven.
pub(super) struct Again {
    pub(super) arn: String,
    /// Of this redrive of the Map Run: no child is redriven twice for it.
    pub(super) token: String,
    pub(super) place: u32,
}

/// A child that was there when the driver began.
pub(super) struct Found {
    pub(super) status: Status,
    /// Whether this redrive of the Map Run has redriven it: then it does not wait for that any more. Of one
    /// that ended badly it is not asked; it is seen when it is come to.
    pub(super) again: bool,
}

/// Which redrive of a Map Run its children are redriven for.
pub(super) fn token(arn: &str, redrives: u32) -> String {
    format!("{arn}/{redrives}")
}

/// What is to be done for a child to run.
pub(super) enum Task {
    Start(Child),
    Redrive(Again),
}

/// One Map Run's work.
pub(super) struct Work {
    pub(super) arn: Arc<str>,
    pub(super) names: Names,
    pub(super) settings: Settings,
    pub(super) tally: Tally,
    pub(super) ending: Option<Ending>,
    /// Whether the last item has been taken.
    pub(super) exhausted: bool,
    /// How many items there are, and how many of them a child takes, as far as that is known.
    pub(super) items: (Option<u64>, u64),
    machine: Arc<StateMachine>,
    /// Of whose Map state it is.
    parent: Arc<Identity>,
    /// The parent's trace, seen from the Map Run.
    trace: TraceContext,
    /// The Map state.
    state: Arc<str>,
    /// Children that were found, by name, and what was last heard of those that were not come to yet.
    found: HashMap<String, Found>,
    /// Children that run, by their place, and how many items each has.
    open: HashMap<u32, u32>,
    /// Which redrive of the Map Run this is; 0 is none.
    redrives: u32,
    /// The place of the next child, which is the number of those before.
    next: u32,
    stopping: bool,
}

impl Work {
    /// The work of a Map Run of which these children were found.
    pub(super) fn new(
        record: &Record,
        (parent, wait): (&Identity, WaitId),
        open: &OpenRun<'_>,
        machine: Arc<StateMachine>,
        found: Vec<(String, Found)>,
    ) -> Work {
        Work {
            arn: record.arn.clone(),
            names: Names::new(&record.arn, parent, names::is_express(open.map)),
            settings: record.settings,
            // It is that of before the redrive, which has ended.
            tally: match record.redrives {
                0 => Tally::default(),
                _ => record.tally,
            },
            ending: None,
            exhausted: false,
            items: (None, 1),
            machine,
            parent: Arc::new(parent.clone()),
            trace: parent.trace().below(parent.wait_span(wait)),
            state: open.state_name.clone(),
            found: found.into_iter().collect(),
            open: HashMap::new(),
            redrives: record.redrives,
            next: 0,
            stopping: false,
        }
    }

    /// Whether another child may be started, if there is an item for it.
    pub(super) fn has_room(&self) -> bool {
        self.ending.is_none() && !self.exhausted && self.open.len() < self.settings.concurrency()
    }

    /// Gives the next child its input; nothing if it is there already.
    pub(super) fn take(&mut self, batch: Batch, now: Timestamp) -> Option<Task> {
        let Batch { input, items } = batch;
        let place = self.next;
        self.next += 1;
        self.tally.begin(items);
        let name = self.names.child(place);
        let found = self.found.remove(&name);
        if found.as_ref().is_some_and(|found| found.again) {
            self.tally.redriven(items);
        }
        match found.map(|found| found.status) {
            Some(Status::Running) => {
                self.open.insert(place, items);
                None
            }
            Some(status) if self.redrives > 0 && status != Status::Succeeded => {
                self.open.insert(place, items);
                self.tally.redriven(items);
                Some(Task::Redrive(Again {
                    arn: self.names.execution(&name),
                    token: token(&self.arn, self.redrives),
                    place,
                }))
            }
            Some(status) => {
                self.tally.end(status, items);
                None
            }
            None => {
                self.open.insert(place, items);
                Some(Task::Start(Child {
                    machine: self.machine.clone(),
                    identity: Identity {
                        arn: self.names.execution(&name).into(),
                        name: name.into(),
                        state_machine_arn: self.names.machine_arn.clone(),
                        state_machine_name: self.names.machine_name.clone(),
                        definition: self.parent.definition.clone(),
                        role_arn: self.parent.role_arn.clone(),
                        input,
                        started_at: now,
                        version: None,
                        alias: None,
                        map_run: Some(MapRunChild {
                            arn: self.arn.clone(),
                            state: self.state.clone(),
                            index: place,
                            items,
                        }),
                        test_case: self.parent.test_case.clone(),
                        trace_context: Some(self.trace.clone().into()),
                        trace_header: None,
                    },
                    place,
                }))
            }
        }
    }

    /// A child can't be redriven; that it has ended is said next.
    pub(super) fn not_redrivable(&mut self, place: u32) {
        if let Some(items) = self.open.get(&place) {
            self.tally.not_redrivable(*items);
        }
    }

    /// A child has ended.
    pub(super) fn ended(&mut self, place: u32, status: Status) {
        match self.open.remove(&place) {
            Some(items) => self.tally.end(status, items),
            // It ran before the server was started, and is not come to yet.
            None if place >= self.next => {
                if let Some(found) = self.found.get_mut(&self.names.child(place)) {
                    found.status = status;
                    found.again &= status == Status::Succeeded;
                }
            }
            None => {}
        }
    }

    /// No further children, for this reason; the first reason counts, but nobody wants to know why
    /// once the Map Run is abandoned.
    pub(super) fn end(&mut self, ending: Ending) {
        match ending {
            Ending::Abandoned => self.ending = Some(ending),
            Ending::Failed(_) => drop(self.ending.get_or_insert(ending)),
        }
    }

    /// Ends it if more items have failed than are tolerated.
    pub(super) fn check_failures(&mut self) {
        let (total, _) = self.items;
        if self.settings.exceeded_by(&self.tally.items, total) {
            let cause = "The specified tolerated failure threshold was exceeded";
            let failure = Failure::new("States.ExceedToleratedFailureThreshold", cause);
            self.end(Ending::Failed(failure));
        }
    }

    /// The ARNs of the children that are to be stopped; once.
    pub(super) fn take_to_stop(&mut self) -> Vec<String> {
        if self.ending.is_none() || std::mem::replace(&mut self.stopping, true) {
            return Vec::new();
        }
        let open = self.open.keys();
        let mut arns: Vec<String> = open
            .map(|place| self.names.execution(&self.names.child(*place)))
            .collect();
        // Some may have been started before the server was, and not been come to.
        let found = self.found.iter();
        let running = found.filter(|(_, found)| found.status == Status::Running);
        arns.extend(running.map(|(name, _)| self.names.execution(name)));
        arns
    }

    /// Whether nothing is left to be done but to say how it ended.
    pub(super) fn is_over(&self) -> bool {
        (self.exhausted || self.stopping) && self.open.is_empty()
    }

    /// How many children there are or have been.
    pub(super) fn children(&self) -> u32 {
        self.next.max(self.found.len() as u32)
    }

    /// The counts, with what is pending.
    pub(super) fn known(&self) -> Tally {
        let (total, batch) = self.items;
        self.tally.known(total, batch)
    }
}
