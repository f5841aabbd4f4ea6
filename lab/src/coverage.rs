//! What of a state machine a run of cases reached: states, the ways between them, catchers and retriers.
//!
//! It is read off the events of executions. Of two catchers of a state that lead to the same state, the first that names
//! the error was taken. Which of several rules that lead to the same state it was no event says: it is found by looking
//! again at the state's input.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use asl::{Next, Recovery, State, StateKind, StateMachine};
use engine::{Event, EventKind, Execution, FrameId};
use graph::{Mark, Overlay, Status, Step};
use serde_json::{Value, json};

use crate::seen::Seen;

/// Something that can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Point {
    /// A state.
    State(String),
    /// From a state to the next one; to the end, if there is none.
    Way(String, Option<String>),
    /// One of several ways of a Choice to the same state: by this rule, or by its Default.
    Rule(String, Option<usize>, String),
    /// An entry of a state's `Retry`.
    Retrier(String, usize),
    /// An entry of a state's `Catch`.
    Catcher(String, usize),
}

/// What was reached of a state machine, and how often.
#[derive(Debug, Clone)]
pub struct Coverage {
    machine: Arc<StateMachine>,
    points: Vec<Point>,
    reached: HashMap<Point, u64>,
    starts: u64,
}

/// Something that is reached or not, of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// `states`, `ways`, `retriers`, `catchers`.
    pub of: &'static str,
    /// How many were reached.
    pub reached: usize,
    /// Out of how many.
    pub all: usize,
}

impl Coverage {
    /// Nothing of it is reached yet.
    pub fn of(machine: Arc<StateMachine>) -> Coverage {
        let mut points = Vec::new();
        for state in &machine.states {
            points_of(&machine, state, &mut points);
        }
        Coverage {
            machine,
            points,
            reached: HashMap::new(),
            starts: 0,
        }
    }

    /// Adds an execution, with the children of its Map Runs.
    pub fn add(&mut self, seen: &Seen) {
        self.starts += 1;
        for events in seen.runs() {
            self.follow(events);
        }
    }

    fn follow(&mut self, events: &[Event]) {
        let mut frames: HashMap<FrameId, Frame> = HashMap::new();
        let mut again = self.again(events);
        for (index, event) in events.iter().enumerate() {
            // It is made of the first.
            if let Some(execution) = again.as_mut().filter(|_| index > 0) {
                execution.apply(event);
            }
            let frame = frames.entry(event.frame).or_default();
            match &event.kind {
                EventKind::StateEntered { name, .. } => {
                    if let Some((from, error)) = frame.left.take() {
                        self.passed(&from, Some(name), error.as_deref(), frame.rule.take());
                    }
                    self.reach(Point::State(name.to_string()));
                    let rule = again.as_mut().filter(|_| self.chooses(name));
                    frame.rule =
                        rule.and_then(|again| again.rule_that_holds(event.frame, event.at));
                    frame.state = Some(name.clone());
                    frame.error = None;
                }
                EventKind::StateExited { .. } => {
                    frame.left = frame.state.take().map(|state| (state, frame.error.take()));
                }
                EventKind::TaskScheduled { .. } | EventKind::MapRunStarted { .. } => {
                    frame.error = None;
                }
                EventKind::TaskFailed { failure, .. }
                | EventKind::MapRunFailed { failure, .. }
                | EventKind::EvaluationFailed { failure, .. } => {
                    frame.error = Some(failure.error.as_deref().unwrap_or_default().to_owned());
                }
                EventKind::TaskTimedOut { heartbeat, .. } => {
                    frame.error = Some(match heartbeat {
                        true => "States.HeartbeatTimeout".to_owned(),
                        false => "States.Timeout".to_owned(),
                    });
                }
                EventKind::ChildrenFailed => frame.error = Some(String::new()),
                EventKind::RetryScheduled { retrier, .. } => {
                    frame.error = None;
                    if let Some(state) = &frame.state {
                        let point = Point::Retrier(state.to_string(), usize::from(*retrier));
                        self.reach(point);
                    }
                }
                EventKind::BranchSucceeded
                | EventKind::IterationSucceeded
                | EventKind::ExecutionSucceeded => {
                    if let Some((from, error)) = frame.left.take() {
                        self.passed(&from, None, error.as_deref(), None);
                    }
                }
                _ => {}
            }
        }
    }

    /// Adds what another run of the same machine reached.
    pub fn merge(&mut self, other: &Coverage) {
        self.starts += other.starts;
        for (point, count) in &other.reached {
            *self.reached.entry(point.clone()).or_default() += count;
        }
    }

    fn reach(&mut self, point: Point) {
        *self.reached.entry(point).or_default() += 1;
    }

    /// The execution to play again beside its events, if any Choice has rules that only their conditions tell apart.
    fn again(&self, events: &[Event]) -> Option<Execution> {
        let ambiguous = self
            .points
            .iter()
            .any(|point| matches!(point, Point::Rule(..)));
        (ambiguous && !events.is_empty())
            .then(|| Execution::replay(self.machine.clone(), &events[..1]))
    }

    fn chooses(&self, state: &str) -> bool {
        let of_state = |point: &Point| matches!(point, Point::Rule(of, ..) if of == state);
        self.points.iter().any(of_state)
    }

    fn passed(
        &mut self,
        from: &str,
        to: Option<&str>,
        error: Option<&str>,
        rule: Option<Option<usize>>,
    ) {
        if let (Some(rule), Some(to)) = (rule, to) {
            let point = Point::Rule(from.to_owned(), rule, to.to_owned());
            if self.points.contains(&point) {
                return self.reach(point);
            }
        }
        let way = Point::Way(from.to_owned(), to.map(str::to_owned));
        let is_way = self.points.contains(&way);
        if (error.is_some() || !is_way)
            && let Some(catcher) = self.catcher(from, to, error.unwrap_or_default())
        {
            self.reach(Point::Catcher(from.to_owned(), catcher));
        } else if is_way {
            self.reach(way);
        }
    }

    /// Which catcher of a state leads to another one, for this error.
    fn catcher(&self, from: &str, to: Option<&str>, error: &str) -> Option<usize> {
        let catchers = &recovery(self.state(from)?)?.catchers;
        let leads = |index: &usize| Some(&*self.machine.state(catchers[*index].next).name) == to;
        let mut leading = (0..catchers.len()).filter(leads);
        let named = |index: &usize| {
            let errors = &catchers[*index].errors;
            errors.iter().any(|named| **named == *error)
        };
        leading.clone().find(named).or_else(|| leading.next())
    }

    fn state(&self, name: &str) -> Option<&State> {
        let id = self.machine.find(name)?;
        Some(self.machine.state(id))
    }

    /// How much of each kind was reached.
    pub fn counts(&self) -> [Count; 4] {
        let count = |of, is: fn(&Point) -> bool| {
            let all = self.points.iter().filter(|point| is(point));
            let reached = all.clone().filter(|point| self.reached.contains_key(point));
            Count {
                of,
                reached: reached.count(),
                all: all.count(),
            }
        };
        [
            count("states", |point| matches!(point, Point::State(_))),
            count("ways", |point| {
                matches!(point, Point::Way(..) | Point::Rule(..))
            }),
            count("retriers", |point| matches!(point, Point::Retrier(..))),
            count("catchers", |point| matches!(point, Point::Catcher(..))),
        ]
    }

    /// What was never reached; of a state that was not, its ways and what it catches are not said.
    pub fn missed(&self) -> Vec<String> {
        let missed = self.points.iter().filter(|point| {
            let of = match point {
                Point::State(_) => None,
                Point::Way(state, _)
                | Point::Rule(state, ..)
                | Point::Retrier(state, _)
                | Point::Catcher(state, _) => Some(Point::State(state.clone())),
            };
            !self.reached.contains_key(point)
                && of.is_none_or(|state| self.reached.contains_key(&state))
        });
        missed.map(|point| self.words(point)).collect()
    }

    fn words(&self, point: &Point) -> String {
        let errors = |state: &str, index: usize, retry: bool| {
            let recovery = self.state(state).and_then(recovery);
            let errors = recovery.and_then(|recovery| match retry {
                true => recovery.retriers.get(index).map(|entry| &entry.errors),
                false => recovery.catchers.get(index).map(|entry| &entry.errors),
            });
            let errors = errors.into_iter().flatten().map(|error| &**error);
            errors.collect::<Vec<_>>().join(", ")
        };
        match point {
            Point::State(state) => format!("state {state}"),
            Point::Way(from, Some(to)) => format!("way {from} -> {to}"),
            Point::Way(from, None) => format!("way {from} -> its end"),
            Point::Rule(from, Some(rule), to) => format!("way {from} -> {to} by Choices[{rule}]"),
            Point::Rule(from, None, to) => format!("way {from} -> {to} by Default"),
            Point::Retrier(state, index) => {
                format!("{state} Retry[{index}] ({})", errors(state, *index, true))
            }
            Point::Catcher(state, index) => {
                format!("{state} Catch[{index}] ({})", errors(state, *index, false))
            }
        }
    }

    /// For `--json`.
    pub fn json(&self) -> Value {
        let counts = self.counts().into_iter();
        let counts: serde_json::Map<String, Value> = counts
            .map(|count| {
                let numbers = json!({ "reached": count.reached, "all": count.all });
                (count.of.to_owned(), numbers)
            })
            .collect();
        json!({ "executions": self.starts, "counts": counts, "missed": self.missed() })
    }

    /// What was reached, on the picture of the machine.
    pub fn svg(&self, title: &str) -> String {
        let mut states = BTreeMap::new();
        let mut overlay = Overlay::default();
        for (point, count) in &self.reached {
            match point {
                Point::State(name) => {
                    let mark = Mark {
                        status: Some(Status::Passed),
                        visits: *count,
                        finding: None,
                    };
                    states.insert(name.clone(), mark);
                }
                Point::Way(from, to) => {
                    overlay.steps.insert(Step {
                        from: Some(from.clone()),
                        to: to.clone(),
                        caught: false,
                    });
                }
                Point::Rule(from, _, to) => {
                    overlay.steps.insert(Step {
                        from: Some(from.clone()),
                        to: Some(to.clone()),
                        caught: false,
                    });
                }
                Point::Catcher(from, index) => {
                    let catchers = self.state(from).and_then(recovery);
                    let catcher = catchers.and_then(|recovery| recovery.catchers.get(*index));
                    let to =
                        catcher.map(|catcher| self.machine.state(catcher.next).name.to_string());
                    overlay.steps.insert(Step {
                        from: Some(from.clone()),
                        to,
                        caught: true,
                    });
                }
                Point::Retrier(..) => {}
            }
        }
        if self.starts > 0 {
            overlay.steps.insert(Step {
                from: None,
                to: Some(self.machine.state(self.machine.start_at).name.to_string()),
                caught: false,
            });
        }
        overlay.states = states;
        let options = graph::Options {
            title: Some(title.to_owned()),
            overlay,
            ..graph::Options::default()
        };
        graph::draw(&self.machine, &options)
    }
}

/// Where a frame is.
#[derive(Default)]
struct Frame {
    state: Option<Arc<str>>,
    /// Which rule of a Choice holds, if it matters.
    rule: Option<Option<usize>>,
    /// With which error its state failed.
    error: Option<String>,
    /// The state that it has left, and with which error, until it is in the next one.
    left: Option<(Arc<str>, Option<String>)>,
}

fn recovery(state: &State) -> Option<&Recovery> {
    match &state.kind {
        StateKind::Task(task) => Some(&task.recovery),
        StateKind::Parallel(parallel) => Some(&parallel.recovery),
        StateKind::Map(map) => Some(&map.recovery),
        _ => None,
    }
}

fn points_of(machine: &StateMachine, state: &State, points: &mut Vec<Point>) {
    let name = state.name.to_string();
    let to = |id| Some(machine.state(id).name.to_string());
    points.push(Point::State(name.clone()));
    let next = match &state.kind {
        StateKind::Task(task) => Some(task.next),
        StateKind::Pass(pass) => Some(pass.next),
        StateKind::Wait(wait) => Some(wait.next),
        StateKind::Parallel(parallel) => Some(parallel.next),
        StateKind::Map(map) => Some(map.next),
        StateKind::Choice(choice) => {
            let rules = choice.rules.iter().enumerate();
            let ways = rules.map(|(index, rule)| (Some(index), rule.next));
            let ways: Vec<_> = ways
                .chain(choice.default.map(|next| (None, next)))
                .collect();
            for (rule, next) in &ways {
                let several = ways.iter().filter(|(_, other)| other == next).count() > 1;
                points.push(match (several, to(*next)) {
                    (true, Some(to)) => Point::Rule(name.clone(), *rule, to),
                    (_, to) => Point::Way(name.clone(), to),
                });
            }
            None
        }
        StateKind::Succeed | StateKind::Fail(_) => None,
    };
    match next {
        Some(Next::State(next)) => points.push(Point::Way(name.clone(), to(next))),
        Some(Next::End) => points.push(Point::Way(name.clone(), None)),
        None => {}
    }
    if let Some(recovery) = recovery(state) {
        let retriers = 0..recovery.retriers.len();
        points.extend(retriers.map(|index| Point::Retrier(name.clone(), index)));
        let catchers = 0..recovery.catchers.len();
        points.extend(catchers.map(|index| Point::Catcher(name.clone(), index)));
    }
}
