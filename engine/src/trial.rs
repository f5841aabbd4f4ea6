//! One state on its own, for `TestState`: run as in an execution, with an answer from a mock.
//!
//! The state's own file under [`crate::states`] does the work, on an execution that is never stored. The
//! only thing that is different is where an answer comes from: a Task state takes the mock's as its
//! resource's, and Parallel and Map states take it instead of their branches' or iterations', which are
//! begun and never run.
//!
//! What the fields of the state made of its data on the way ([`Seen`]) is worked out beside the run, with
//! the same functions and the same random numbers.

mod map;

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::{
    Data, Failure, QueryLanguage, ReferencePath, ResultFlow, State, StateId, StateKind,
    StateMachine,
};
use serde_json::Value;

use crate::command::Outcome;
use crate::decide::{Decider, Stop};
use crate::effect::{Dispatch, Effect};
use crate::event::{EventKind, FrameId};
use crate::execution::Execution;
use crate::flow::{Leaving, Made};
use crate::frame::Phase;
use crate::identity::Identity;
use crate::map_run::Batches;
use crate::recovery::{Raised, recovery_of};
use crate::states;
use crate::token::TokenKey;

/// A state and what it is to be tried with.
#[derive(Debug)]
pub struct Trial {
    /// Where the state is defined.
    pub machine: Arc<StateMachine>,
    /// Which one it is, at any depth.
    pub state: StateId,
    /// Whose state it is made to believe to be; the input is the state's.
    pub identity: Identity,
    /// What `$$` means, all of it except the item of a Map state.
    pub context: Value,
    /// The workflow variables when the state is entered.
    pub variables: BTreeMap<String, Data>,
    /// What a Task, Parallel or Map state gets.
    pub mock: Option<Outcome>,
    /// How often each of the state's retriers has been used.
    pub retries: u32,
    /// How many iterations of a Map state are said to have failed.
    pub failed_items: u64,
    /// What the `ItemReader` of a Map state is said to have read.
    pub read_items: Option<Data>,
    /// For jitter and random functions.
    pub seed: u64,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How it ended.
    pub end: End,
    /// The state's output, unless it failed.
    pub output: Option<Data>,
    /// The failure, also if it was caught or would be tried again.
    pub failure: Option<Failure>,
    /// The state that comes next.
    pub next: Option<Arc<str>>,
    /// What the state's fields made of its data.
    pub seen: Seen,
    /// The workflow variables when the state has been left.
    pub variables: BTreeMap<String, Data>,
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With an output.
    Succeeded,
    /// With a failure that nothing handles.
    Failed,
    /// With a failure after which the state would be tried again.
    Retriable {
        /// Which entry of `Retry` says so.
        retrier: usize,
        /// After how long.
        backoff_millis: i64,
    },
    /// With a failure that was caught.
    Caught {
        /// By which entry of `Catch`.
        catcher: usize,
    },
}

/// What a state's fields made of its data, as far as the state has them and it came to them. AWS leaves
/// out more than it would have to; this is what it was recorded to show for each type of state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// `InputPath`.
    pub after_input_path: Option<Data>,
    /// `Parameters`.
    pub after_parameters: Option<Data>,
    /// `Arguments`.
    pub after_arguments: Option<Data>,
    /// `ItemsPath`.
    pub after_items_path: Option<Data>,
    /// `ItemsPointer`, for what the reader is said to have read.
    pub after_items_pointer: Option<Data>,
    /// `ItemSelector`, for all items.
    pub after_item_selector: Option<Data>,
    /// `ItemBatcher`, and the items that it puts into batches.
    pub batches: Option<(Batches, Vec<Value>)>,
    /// `MaxConcurrency`.
    pub max_concurrency: Option<u64>,
    /// `ToleratedFailureCount`.
    pub tolerated_failure_count: Option<u64>,
    /// `ToleratedFailurePercentage`.
    pub tolerated_failure_percentage: Option<f64>,
    /// The raw result.
    pub result: Option<Data>,
    /// `ResultSelector`.
    pub after_result_selector: Option<Data>,
    /// `ResultPath`.
    pub after_result_path: Option<Data>,
}

/// Iterations of a Map state that are said to have failed, and of how many.
#[derive(Debug, Clone, Copy)]
struct FailedItems {
    failed: u64,
    of: u64,
}

/// The state waits for an answer, and the trial has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeedsMock;

/// Nobody can answer a trial, and its context is given: no token is ever made.
fn no_tokens() -> TokenKey {
    TokenKey::new(&[0; 32])
}

impl Trial {
    /// What a Task state asks of its resource, for a caller that would have a real answer for a mock. `None`:
    /// the state fails before, or is of another type.
    pub fn asks(&self) -> Option<Dispatch> {
        let tokens = &no_tokens();
        let mut execution = self.entered(tokens);
        let at = self.identity.started_at;
        let mut decider = Decider::new(&mut execution, at, self.seed, tokens);
        states::run(&mut decider, FrameId::ROOT).ok()?;
        let events = decider.finish();
        let effects = execution.effects(&events).into_iter();
        effects
            .filter_map(|effect| match effect {
                Effect::Dispatch(dispatch) => Some(dispatch),
                _ => None,
            })
            .next()
    }

    /// An execution that has just come to the state.
    fn entered(&self, tokens: &TokenKey) -> Execution {
        let identity = Arc::new(self.identity.clone());
        let mut execution = Execution::blank(self.machine.clone(), identity);
        execution.given_context = Some(self.context.clone());
        let at = self.identity.started_at;
        // An execution begins with room for all the events of one state.
        let entered =
            Decider::new(&mut execution, at, self.seed, tokens).enter(FrameId::ROOT, self.state);
        debug_assert!(entered.is_ok(), "a new execution takes events");
        let frame = execution.now.frames.get_mut(&FrameId::ROOT);
        let frame = frame.expect("a new execution has a frame");
        frame.variables = self.variables.clone();
        if let Some(recovery) = recovery_of(&self.machine.state(self.state).kind) {
            frame.retries = vec![self.retries; recovery.retriers.len()];
        }
        execution
    }

    /// Runs the state.
    ///
    /// # Errors
    /// [`NeedsMock`].
    pub fn run(self) -> Result<Report, NeedsMock> {
        let tokens = &no_tokens();
        let at = self.identity.started_at;
        let mut execution = self.entered(tokens);
        let place = execution.now.frames[&FrameId::ROOT].place().told();
        let recovery = recovery_of(&self.machine.state(self.state).kind);

        let mut aside = execution.clone();
        let mut seen = Seen::default();
        // What stops it here stops the run as well, which says so.
        let _ = Decider::new(&mut aside, at, self.seed, tokens).see(
            self.mock.as_ref(),
            self.read_items.as_ref(),
            &mut seen,
        );

        let mut decider = Decider::new(&mut execution, at, self.seed, tokens);
        let raised = decider.try_state(self.mock, self.failed_items)?;
        let events = decider.finish();
        let scheduled = events.iter().find_map(|event| match &event.kind {
            EventKind::RetryScheduled { retrier, until } => Some(End::Retriable {
                retrier: usize::from(*retrier),
                backoff_millis: until.0 - at.0,
            }),
            _ => None,
        });
        let left = events
            .iter()
            .position(|event| matches!(event.kind, EventKind::StateExited { .. }));
        let mut variables = self.variables;
        if let Some(left) = left
            && let EventKind::StateExited { assigned, .. } = &events[left].kind
            && let Some(assigned) = assigned.as_ref().and_then(|data| data.value().as_object())
        {
            let assigned = assigned.iter();
            variables.extend(assigned.map(|(name, value)| (name.clone(), value.clone().into())));
        }
        let next = left.and_then(|left| {
            events[left..].iter().find_map(|event| match &event.kind {
                EventKind::StateEntered { name, .. } => Some(name.clone()),
                _ => None,
            })
        });
        let output = left.and_then(|_| match execution.closing() {
            Some(closing) => closing.output.clone(),
            None => Some(execution.now.frames[&FrameId::ROOT].data.clone()),
        });
        let ended_with = execution
            .closing()
            .and_then(|closing| closing.failure.clone());
        let catcher = raised
            .clone()
            .zip(recovery)
            .and_then(|(failure, recovery)| {
                let raised = Raised::from(failure);
                let mut catchers = recovery.catchers.iter();
                catchers.position(|catcher| raised.is_named_by(&catcher.errors))
            });
        let end = match (scheduled, catcher) {
            _ if ended_with.is_some() => End::Failed,
            (Some(retriable), _) => retriable,
            (None, Some(catcher)) => End::Caught { catcher },
            (None, None) => End::Succeeded,
        };
        Ok(Report {
            end,
            output,
            failure: ended_with
                .or(raised)
                .map(|failure| without(&place, failure)),
            next,
            seen,
            variables,
        })
    }
}

/// A failure whose cause does not say in which state it happened: there is but one here (recorded in
/// `test_state_map_context_object`).
fn without(place: &str, failure: Failure) -> Failure {
    let cause = failure.cause.map(|cause| match cause.strip_prefix(place) {
        Some(rest) => rest.to_owned(),
        None => cause,
    });
    Failure { cause, ..failure }
}

impl Decider<'_> {
    /// Runs the state that the frame is in, and gives it its answer. What it failed with, if it did.
    fn try_state(
        &mut self,
        mock: Option<Outcome>,
        failed: u64,
    ) -> Result<Option<Failure>, NeedsMock> {
        let frame = FrameId::ROOT;
        let ran = states::run(self, frame);
        let step = match (ran, mock) {
            (Err(stop), _) => Err(stop),
            (Ok(()), mock) if self.execution.now.frames.contains_key(&frame) => {
                self.answer(mock.ok_or(NeedsMock), failed)?
            }
            (Ok(()), _) => Ok(()),
        };
        let raised = match &step {
            Err(Stop::Failed(flaw)) => Some(flaw.failure.clone()),
            _ => None,
        };
        // Over needs no answer: the execution says how it ended.
        let _ = self.settle(frame, step);
        Ok(raised)
    }

    /// What a state that has run and not ended the execution was waiting for, if it was.
    fn answer(
        &mut self,
        mock: Result<Outcome, NeedsMock>,
        failed: u64,
    ) -> Result<Result<(), Stop>, NeedsMock> {
        let frame = FrameId::ROOT;
        let machine = self.machine.clone();
        let state = machine.state(self.place(frame).id);
        let wait = match &self.frame(frame).phase {
            // It has been left for the next one.
            Phase::Idle | Phase::Backoff { .. } => return Ok(Ok(())),
            // A trial does not take the time.
            Phase::Waiting { .. } => return Ok(states::wait::done(self, frame)),
            Phase::Task(task) => Some(task.wait),
            Phase::Children(_) | Phase::MapRun(_) => None,
        };
        let (result, flow, next) = match (mock?, &state.kind) {
            (Outcome::Failure(failure), _) => {
                if let Some(wait) = wait {
                    let failure = failure.clone();
                    if self
                        .emit(frame, EventKind::TaskFailed { wait, failure })
                        .is_err()
                    {
                        return Ok(Err(Stop::Over));
                    }
                }
                return Ok(Err(failure.into()));
            }
            (Outcome::Success(result), StateKind::Parallel(p)) => (result, &p.result, p.next),
            (Outcome::Success(result), StateKind::Map(map)) => {
                let of = result.value().as_array().map_or(0, Vec::len) as u64;
                if let Err(stop) = self.tolerate(state, map, FailedItems { failed, of }) {
                    return Ok(Err(stop));
                }
                (result, &map.result, map.next)
            }
            (Outcome::Success(result), _) => {
                let wait = wait.expect("of all others, only a Task state waits for an answer");
                return Ok(states::task::succeed(self, frame, wait, result));
            }
        };
        let made = self.selected(frame, flow.selector.as_ref(), Made::document(result));
        let left = made
            .and_then(|made| self.left(frame, state, Leaving::of(state), flow.path.as_ref(), made));
        Ok(match left {
            Ok(left) => self.leave(frame, left, next).map_err(Stop::from),
            Err(flaw) => Err(flaw.into()),
        })
    }

    /// Works out what the state's fields make of its data, up to the first that fails.
    fn see(
        &mut self,
        mock: Option<&Outcome>,
        read: Option<&Data>,
        seen: &mut Seen,
    ) -> Result<(), Stop> {
        let frame = FrameId::ROOT;
        let machine = self.machine.clone();
        let state = machine.state(self.place(frame).id);
        let input = self.input(frame, state.input_path.as_ref())?;
        let result = match mock {
            Some(Outcome::Success(result)) => Some(result.clone()),
            _ => None,
        };
        if state.query_language == QueryLanguage::Jsonata {
            return self.see_jsonata(state, &input, result, read, seen);
        }
        match &state.kind {
            StateKind::Task(task) => {
                seen.after_input_path = Some(input.clone());
                let parameters = self.parameters(frame, task.parameters.as_ref(), &input)?;
                seen.after_parameters = Some(parameters);
                seen.result = result.clone();
                self.see_result(&task.result, result, seen)
            }
            StateKind::Parallel(parallel) => self.see_result(&parallel.result, result, seen),
            StateKind::Map(map) => {
                seen.after_input_path = Some(input.clone());
                self.see_map(state, map, &input, read, seen)?;
                self.see_result(&map.result, result, seen)
            }
            StateKind::Pass(pass) => {
                let result = match &pass.result {
                    Some(result) => {
                        let result = Data::from(result.clone());
                        seen.result = Some(result.clone());
                        result
                    }
                    None => {
                        seen.after_input_path = Some(input.clone());
                        let made = self.parameters(frame, pass.parameters.as_ref(), &input)?;
                        seen.after_parameters = Some(made.clone());
                        made
                    }
                };
                seen.after_result_selector = Some(result.clone());
                seen.after_result_path = Some(self.placed(pass.result_path.as_ref(), result)?);
                Ok(())
            }
            StateKind::Choice(_) | StateKind::Wait(_) | StateKind::Succeed | StateKind::Fail(_) => {
                seen.after_input_path = Some(input);
                Ok(())
            }
        }
    }

    /// The same for a state with JSONata, which has fewer steps to show.
    fn see_jsonata(
        &mut self,
        state: &State,
        input: &Data,
        result: Option<Data>,
        read: Option<&Data>,
        seen: &mut Seen,
    ) -> Result<(), Stop> {
        let frame = FrameId::ROOT;
        match &state.kind {
            StateKind::Task(task) => {
                let arguments = self.parameters(frame, task.parameters.as_ref(), input)?;
                seen.after_arguments = task.parameters.is_some().then_some(arguments);
                seen.result = result;
            }
            StateKind::Map(map) => {
                self.see_map(state, map, input, read, seen)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn see_result(
        &self,
        flow: &ResultFlow,
        result: Option<Data>,
        seen: &mut Seen,
    ) -> Result<(), Stop> {
        let Some(result) = result else { return Ok(()) };
        let result = Made::document(result);
        let selected = self.selected(FrameId::ROOT, flow.selector.as_ref(), result)?;
        seen.after_result_selector = Some(selected.data.clone());
        seen.after_result_path = Some(self.placed(flow.path.as_ref(), selected.data)?);
        Ok(())
    }

    /// What `ResultPath` makes of the state's raw input and a result.
    fn placed(&self, path: Option<&ReferencePath>, result: Data) -> Result<Data, Failure> {
        let raw = &self.frame(FrameId::ROOT).data;
        match path {
            None => Ok(raw.clone()),
            Some(path) if path.is_root() => Ok(result),
            Some(path) => {
                let put = path.put(raw.value(), result.value().clone());
                put.map(Data::from)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use asl::Timestamp;
    use serde_json::json;

    use super::*;

    fn trial(state: Value, input: Value, mock: Option<Outcome>) -> Trial {
        // A state that nothing leads to would be refused.
        let definition = json!({"StartAt": "All", "States": {
            "All": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.s", "IsPresent": true, "Next": "S"},
                    {"Variable": "$.n", "IsPresent": true, "Next": "Next"},
                ],
                "Default": "Caught",
            },
            "S": state,
            "Next": {"Type": "Succeed"},
            "Caught": {"Type": "Succeed"},
        }});
        let parsed = asl::parse(&definition.to_string());
        let machine = parsed.machine.expect("the definition is good");
        Trial {
            state: machine.find("S").expect("it is there"),
            machine: Arc::new(machine),
            identity: Identity {
                arn: "e".into(),
                name: "e".into(),
                state_machine_arn: "m".into(),
                state_machine_name: "m".into(),
                definition: "".into(),
                role_arn: "r".into(),
                input: Data::from(input),
                started_at: Timestamp(1_000),
                version: None,
                alias: None,
                map_run: None,
                test_case: None,
                trace_context: None,
                trace_header: None,
            },
            context: json!({"Given": "context"}),
            variables: BTreeMap::from([("v".to_owned(), Data::from(json!(1)))]),
            mock,
            retries: 0,
            failed_items: 0,
            read_items: None,
            seed: 7,
        }
    }

    fn run(trial: Trial) -> Report {
        let report = trial.run();
        report.expect("it needs no mock")
    }

    fn success(value: Value) -> Option<Outcome> {
        Some(Outcome::Success(Data::from(value)))
    }

    fn failure(error: &'static str) -> Option<Outcome> {
        Some(Outcome::Failure(Failure::new(error, "cause")))
    }

    fn task(more: Value) -> Value {
        let mut task = json!({
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "f", "Payload.$": "$.a", "Context.$": "$$.Given"},
            "Retry": [{"ErrorEquals": ["Again"], "IntervalSeconds": 2, "MaxAttempts": 2}],
            "Catch": [
                {"ErrorEquals": ["Other"], "Next": "Next"},
                {"ErrorEquals": ["States.ALL"], "Next": "Caught"},
            ],
            "Next": "Next",
        });
        for (key, value) in more.as_object().expect("fields") {
            task[key] = value.clone();
        }
        task
    }

    #[test]
    fn a_task_gets_what_the_mock_says_and_shows_every_step() {
        let fields = json!({
            "InputPath": "$.in", "ResultSelector": {"s.$": "$.r"}, "ResultPath": "$.out",
            "OutputPath": "$.out.s",
        });
        let input = json!({"in": {"a": 1}});
        let report = run(trial(task(fields), input, success(json!({"r": 2}))));
        assert_eq!(report.end, End::Succeeded);
        assert_eq!(report.next.as_deref(), Some("Next"));
        assert_eq!(report.output, Some(Data::from(json!(2))));
        let data = |value| Some(Data::from(value));
        let expected = Seen {
            after_input_path: data(json!({"a": 1})),
            after_parameters: data(
                json!({"FunctionName": "f", "Payload": 1, "Context": "context"}),
            ),
            result: data(json!({"r": 2})),
            after_result_selector: data(json!({"s": 2})),
            after_result_path: data(json!({"in": {"a": 1}, "out": {"s": 2}})),
            ..Seen::default()
        };
        assert_eq!(report.seen, expected);
    }

    #[test]
    fn a_state_with_jsonata_has_arguments_and_variables() {
        let task = json!({
            "Type": "Task", "QueryLanguage": "JSONata", "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": "f", "Payload": "{% $states.input.a + $v %}"},
            "Assign": {"w": "{% $states.result.r %}"},
            "Output": "{% $states.context.Given %}",
            "Next": "Next",
        });
        let report = run(trial(task, json!({"a": 2}), success(json!({"r": 3}))));
        assert_eq!(report.output, Some(Data::from(json!("context"))));
        let expected = Seen {
            after_arguments: Some(Data::from(json!({"FunctionName": "f", "Payload": 3}))),
            result: Some(Data::from(json!({"r": 3}))),
            ..Seen::default()
        };
        assert_eq!(report.seen, expected);
        let variables = [("v", 1), ("w", 3)];
        let variables = variables.map(|(name, n)| (name.to_owned(), Data::from(json!(n))));
        assert_eq!(report.variables, BTreeMap::from(variables));
    }

    #[test]
    fn a_failure_is_tried_again_then_caught() {
        let again = |retries| Trial {
            retries,
            ..trial(task(json!({})), json!({"a": 1}), failure("Again"))
        };
        let report = run(again(1));
        let retriable = End::Retriable {
            retrier: 0,
            backoff_millis: 4_000,
        };
        assert_eq!(
            (report.end, report.output, report.next),
            (retriable, None, None)
        );

        let report = run(again(2));
        assert_eq!(report.end, End::Caught { catcher: 1 });
        assert_eq!(report.next.as_deref(), Some("Caught"));
        let error = json!({"Error": "Again", "Cause": "cause"});
        assert_eq!(report.output, Some(Data::from(error)));
        assert_eq!(report.failure, Some(Failure::new("Again", "cause")));
    }

    #[test]
    fn a_failure_that_nothing_handles_is_the_end() {
        let report = run(trial(
            task(json!({"Catch": [], "Retry": []})),
            json!({"a": 1}),
            failure("Any"),
        ));
        assert_eq!((report.end, report.next), (End::Failed, None));
        assert_eq!(report.failure, Some(Failure::new("Any", "cause")));
        // A parameter that can't be made fails the state before anybody is asked.
        let report = run(trial(task(json!({})), json!({}), success(json!(1))));
        assert_eq!(report.end, End::Failed);
        assert_eq!(report.seen.after_parameters, None);
        let cause = report.failure.and_then(|failure| failure.cause);
        let cause = cause.expect("a failure of an expression has a cause");
        assert!(cause.starts_with("The JSONPath '$.a'"), "{cause}");
    }

    #[test]
    fn branches_and_iterations_are_mocked_and_never_run() {
        let fails = json!({"StartAt": "F", "States": {"F": {"Type": "Fail"}}});
        let parallel = json!({"Type": "Parallel", "Branches": [fails], "End": true});
        let report = run(trial(parallel, json!({}), success(json!(["mock"]))));
        assert_eq!((report.end, report.next), (End::Succeeded, None));
        assert_eq!(report.output, Some(Data::from(json!(["mock"]))));

        let map = json!({
            "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 1, "ItemProcessor": fails,
            "ItemSelector": {"v.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index"}, "End": true,
        });
        let input = json!({"items": ["a", "b"]});
        let report = run(trial(map.clone(), input.clone(), success(json!([1, 2]))));
        assert_eq!(report.output, Some(Data::from(json!([1, 2]))));
        let items = json!([{"v": "a", "i": 0}, {"v": "b", "i": 1}]);
        assert_eq!(report.seen.after_item_selector, Some(Data::from(items)));
        assert_eq!(report.seen.max_concurrency, Some(1));
        let report = run(trial(map.clone(), input.clone(), failure("Any")));
        assert_eq!(report.end, End::Failed);

        let mut of_context = map;
        of_context["ItemsPath"] = "$$.Given".into();
        let report = run(trial(of_context, input, success(json!([]))));
        let cause = "Reference path \"$.Given\" must point to array.";
        assert_eq!(report.failure, Some(Failure::runtime(cause)));
    }

    #[test]
    fn a_state_that_waits_for_somebody_needs_a_mock() {
        let trial = trial(task(json!({})), json!({"a": 1}), None);
        let report = trial.run();
        assert_eq!(report, Err(NeedsMock));
    }

    #[test]
    fn a_wait_takes_no_time_in_a_trial() {
        let wait = json!({"Type": "Wait", "Seconds": 100, "Next": "Next"});
        let report = run(trial(wait, json!({"a": 1}), None));
        assert_eq!(report.end, End::Succeeded);
        assert_eq!(report.next.as_deref(), Some("Next"));
    }

    #[test]
    fn a_distributed_map_is_told_how_many_items_failed() {
        let map = json!({"Type": "Map", "ItemsPath": "$.items", "ToleratedFailureCount": 1,
            "ItemSelector": {"v.$": "$$.Map.Item.Value"}, "Next": "Next", "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}});
        for (failed_items, end) in [(0, End::Succeeded), (1, End::Succeeded), (2, End::Failed)] {
            let mock = Outcome::Success(Data::from(json!([0, 0, 1])));
            let report = run(Trial {
                failed_items,
                ..trial(map.clone(), json!({"items": [1, 2, 3]}), Some(mock))
            });
            assert_eq!(report.end, end, "{failed_items}");
            assert_eq!(report.seen.tolerated_failure_count, Some(1));
            assert_eq!(
                report.seen.after_item_selector,
                Some(Data::from(json!([{"v": 1}, {"v": 2}, {"v": 3}])))
            );
        }
    }
}
