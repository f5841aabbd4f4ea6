//! The Task states of a machine, and every way in which each can go wrong.

use std::collections::{BTreeMap, BTreeSet};

use asl::{Pattern, Recovery, Resource, StateId, StateKind, StateMachine, Task};

use super::channel::{Channel, Door, Registers};
use super::errors;
use super::way::{Attempts, Fault, Way};
use crate::world::Settings;

/// How many heartbeats of one wait are played.
const BEATS_MAX: i64 = 200;

/// How often heartbeats come that nobody has asked for.
const BEAT_EVERY: i64 = 2_000;

/// A Task state.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its name.
    pub state: String,
    /// Who does the work.
    pub resource: Resource,
    /// How it waits.
    pub kind: Kind,
    /// How the answer comes in, if it waits for its token.
    pub channel: Channel,
    /// Why a route that expects it is not used.
    pub not_played: Option<String>,
    /// `ErrorEquals` of each Retry, then of each Catch.
    pub retries: Vec<Vec<String>>,
    /// The same of Catch.
    pub catches: Vec<Vec<String>>,
    /// What the Retry and Catch of the states around it name: they get what its own leave.
    pub named_around: BTreeSet<String>,
    /// Milliseconds, if a run has shown them.
    pub timeout: Option<i64>,
    /// The same for heartbeats.
    pub heartbeat: Option<i64>,
}

/// How a task waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// For the resource's answer.
    Answer,
    /// For its token.
    Callback,
    /// For the end of a job.
    Job,
    /// For a worker of its activity.
    Activity,
}

impl Kind {
    /// Whether somebody else may let it wait for as long as they like.
    pub fn waits_for_others(self) -> bool {
        !matches!(self, Kind::Answer)
    }
}

impl Site {
    fn of(state: &str, task: &Task, machine: &str, settings: &Settings) -> Site {
        let kind = match &task.resource {
            Resource::Activity { .. } => Kind::Activity,
            Resource::Function { .. } => Kind::Answer,
            Resource::Service { pattern, .. } => match pattern {
                Pattern::RequestResponse => Kind::Answer,
                Pattern::Sync => Kind::Job,
                Pattern::WaitForTaskToken => Kind::Callback,
            },
        };
        let name = format!("{machine}.{state}");
        let mut routes = settings.routes.iter();
        let route = routes.find(|route| route.expects.contains(&name));
        let (channel, not_played) = match route.filter(|_| kind == Kind::Callback).map(Door::of) {
            None => (Channel::Token, None),
            Some(Ok(door)) => (Channel::Route(Box::new(door)), None),
            Some(Err(why)) => (Channel::Token, Some(why)),
        };
        let names = |errors: &[std::sync::Arc<str>]| -> Vec<String> {
            errors.iter().map(ToString::to_string).collect()
        };
        let Recovery {
            retriers, catchers, ..
        } = &task.recovery;
        Site {
            state: state.to_owned(),
            resource: task.resource.clone(),
            kind,
            channel,
            not_played,
            retries: retriers
                .iter()
                .map(|retrier| names(&retrier.errors))
                .collect(),
            catches: catchers
                .iter()
                .map(|catcher| names(&catcher.errors))
                .collect(),
            named_around: BTreeSet::new(),
            timeout: None,
            heartbeat: None,
        }
    }

    /// The route that answers it, if one does.
    pub fn door(&self) -> Option<&Door> {
        match &self.channel {
            Channel::Route(door) => Some(door),
            Channel::Token => None,
        }
    }

    /// How long it waits for an answer at most, if for long.
    pub fn deadline(&self) -> Option<i64> {
        self.timeout.into_iter().chain(self.heartbeat).min()
    }

    /// How many heartbeats fit in before TimeoutSeconds is over, if that is not too many to play.
    pub fn beats(&self) -> Option<i64> {
        let beats = (self.timeout? - 1) / (self.heartbeat? / 2).max(1);
        (beats <= BEATS_MAX).then_some(beats)
    }

    /// When heartbeats come before they stop: early enough that one that is missing counts before TimeoutSeconds is over.
    pub fn last_beats(&self) -> Vec<i64> {
        let heartbeat = self.heartbeat.unwrap_or(BEAT_EVERY);
        let every = heartbeat / 2;
        let room = self.timeout.map_or(i64::MAX, |timeout| timeout - heartbeat);
        let mut beats = vec![every, 2 * every];
        beats.retain(|beat| *beat < room);
        if beats.is_empty() {
            beats.push((room / 2).clamp(1, every.max(1)));
        }
        beats
    }

    /// Whether one of `names` means an error of this name that the outside gives.
    fn takes(names: &[String], error: &str) -> bool {
        names.iter().any(|name| match name.as_str() {
            "States.ALL" => true,
            "States.TaskFailed" => error != "States.Timeout",
            name => name == error,
        })
    }

    /// All that can go wrong with it. How long it waits must be known by now.
    pub fn faults(&self) -> Vec<Fault> {
        let mut ways = Vec::new();
        let mut raised: Vec<String> = errors::raised_by(&self.resource);
        // What the definition names has a reason to be there.
        let own = self.retries.iter().chain(&self.catches).flatten();
        let named: BTreeSet<&String> = own.chain(&self.named_around).collect();
        let named = named
            .into_iter()
            .filter(|name| !errors::is_the_engines_own(name));
        let mut failed = Vec::new();
        for name in named {
            if raised.contains(name) {
                continue;
            }
            let is_services = name.contains('.');
            match self.kind {
                Kind::Callback if !is_services => failed.push(name.clone()),
                Kind::Activity => failed.push(name.clone()),
                _ => raised.push(name.clone()),
            }
        }
        ways.extend(raised.into_iter().map(Way::Error));
        if matches!(self.kind, Kind::Callback | Kind::Activity) {
            if let Some(Some(name)) = self.door().and_then(Door::failure)
                && !failed.iter().any(|known| known == name)
            {
                failed.push(name.to_owned());
            }
            let routes_alone = self
                .door()
                .is_some_and(|door| matches!(door.failure(), Some(Some(_))));
            if !routes_alone {
                failed.push(errors::OUTSIDES_OWN.to_owned());
            }
            ways.extend(failed.into_iter().map(Way::Failed));
        }
        if self.kind == Kind::Callback {
            ways.push(Way::NoCallback);
            if self.deadline().is_some() {
                ways.push(Way::Late);
            }
            ways.extend([Way::DuplicateIdentical, Way::DuplicateContradicting]);
        } else {
            ways.push(Way::NoAnswer);
        }
        if self.heartbeat.is_some() && matches!(self.kind, Kind::Callback | Kind::Activity) {
            ways.push(Way::HeartbeatsStop);
            if self.beats().is_some() {
                ways.push(Way::HeartbeatsGoOn);
            }
        }
        if let Some(door) = self.door() {
            ways.extend([Way::UnknownReference, Way::Malformed, Way::Forged]);
            if matches!(door.registers, Registers::Worker | Registers::Result(_)) {
                ways.push(Way::Early);
            }
        }
        ways.push(Way::RestartAsked);
        if self.kind == Kind::Callback {
            ways.push(Way::RestartWaiting);
        }
        let every = ways.into_iter().map(|way| Fault {
            state: self.state.clone(),
            way,
            attempts: Attempts::Every,
        });
        every.chain(self.recovered()).collect()
    }

    /// What a Retry recovers from: the first error that each has, once.
    fn recovered(&self) -> Vec<Fault> {
        let raised = errors::raised_by(&self.resource);
        let of = |names: &Vec<String>| {
            let raised = raised.iter().find(|error| Site::takes(names, error));
            let way = match (
                raised,
                names.iter().find(|name| !errors::is_the_engines_own(name)),
            ) {
                (Some(error), _) => Way::Error(error.clone()),
                (None, Some(named)) if matches!(self.kind, Kind::Callback | Kind::Activity) => {
                    Way::Failed(named.clone())
                }
                (None, Some(named)) => Way::Error(named.clone()),
                (None, None) if self.deadline().is_some() => match self.kind {
                    Kind::Callback => Way::NoCallback,
                    _ => Way::NoAnswer,
                },
                (None, None) => return None,
            };
            Some(Fault {
                state: self.state.clone(),
                way,
                attempts: Attempts::First,
            })
        };
        let mut faults: Vec<Fault> = self.retries.iter().filter_map(of).collect();
        faults.dedup();
        faults
    }
}

/// All Task states, in the order of the definition.
pub fn all(machine: &StateMachine, name: &str, settings: &Settings) -> Vec<Site> {
    let containers = graph::containers(machine);
    let states = (0..).map(StateId).zip(&machine.states);
    let tasks = states.filter_map(|(id, state)| match &state.kind {
        StateKind::Task(task) => Some(Site {
            named_around: named_around(machine, &containers, id),
            ..Site::of(&state.name, task, name, settings)
        }),
        _ => None,
    });
    tasks.collect()
}

/// What the handlers of the states around this one name, as far as its errors get. A distributed Map fails with errors
/// of its own.
fn named_around(
    machine: &StateMachine,
    containers: &BTreeMap<StateId, StateId>,
    id: StateId,
) -> BTreeSet<String> {
    let around = std::iter::successors(containers.get(&id), |id| containers.get(id));
    let recoveries = around.map_while(|id| match &machine.state(*id).kind {
        StateKind::Parallel(parallel) => Some(&parallel.recovery),
        StateKind::Map(map) if map.distributed.is_none() => Some(&map.recovery),
        _ => None,
    });
    let names = recoveries.flat_map(|Recovery { retriers, catchers }| {
        let retried = retriers.iter().flat_map(|retrier| retrier.errors.iter());
        retried.chain(catchers.iter().flat_map(|catcher| catcher.errors.iter()))
    });
    names.map(ToString::to_string).collect()
}
