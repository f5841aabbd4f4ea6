//! Mocked integrations: the mock configuration file of Step Functions Local, unchanged.
//!
//! `StateMachines.NAME.TestCases.CASE` names, state by state, one of `MockedResponses`; that one says for each
//! invocation of the state what comes back. An execution takes a test case by `#CASE` after the ARN of its
//! machine, and keeps it: the choice is part of its identity, and its invocations are counted by the engine from
//! what is stored, so a restart goes on where the case was.
//!
//! | a Task state | what happens |
//! | --- | --- |
//! | is in the test case | never calls its resource; a callback, a job and an activity's worker are answered for at once |
//! | is in it, but not this invocation | the execution fails with `States.Runtime`, which nothing catches |
//! | is not in it | calls its resource |
//! | of a machine that a task starts | calls its resource, unless the task's `StateMachineArn` names a case too |
//!
//! The file is read when the server starts; [`file`] checks it. What needs the machine's definition is checked
//! when an execution takes the case (`api/test_case.rs`).

mod file;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use asl::{Data, Failure, Resource};
use engine::{Dispatch, Identity, Outcome};
use serde::Deserialize;
use serde_json::Value;

/// The members of Lambda's response to an invocation, of which the first two are always there.
const INVOCATION: [&str; 5] = [
    "StatusCode",
    "Payload",
    "ExecutedVersion",
    "LogResult",
    "FunctionError",
];

/// How strictly a mocked result is checked against the model of its service, where that is known: the values of
/// `MockResponseValidationMode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Validation {
    /// What is required has to be there, and what is there has to be right.
    #[default]
    Strict,
    /// What is there has to be right.
    Present,
    /// Nothing is checked, as in Step Functions Local.
    None,
}

impl FromStr for Validation {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Validation, &'static str> {
        match text.to_ascii_lowercase().as_str() {
            "strict" => Ok(Validation::Strict),
            "present" => Ok(Validation::Present),
            "none" => Ok(Validation::None),
            _ => Err("it is one of strict, present and none"),
        }
    }
}

/// What a mock configuration file says.
#[derive(Debug)]
pub struct Mocks {
    /// Which file it was, for messages.
    file: String,
    validation: Validation,
    machines: BTreeMap<String, BTreeMap<String, TestCase>>,
}

/// The responses of the states that a test case mocks, by the state's name.
pub(crate) type TestCase = BTreeMap<String, Arc<Responses>>;

/// One of `MockedResponses`.
#[derive(Debug)]
pub(crate) struct Responses {
    /// What the file calls it.
    pub(crate) name: String,
    /// In order and without gaps, from the first invocation on.
    pub(crate) ranges: Vec<Range>,
}

/// What comes back from some invocations of a state.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) first: u32,
    pub(crate) last: u32,
    pub(crate) said: Said,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

/// What a mock says.
#[derive(Debug)]
pub(crate) enum Said {
    /// The task's result, before `ResultSelector`.
    Return(Data),
    /// The task's error.
    Throw(Failure),
}

impl Mocks {
    /// Reads a mock configuration file.
    ///
    /// # Errors
    /// One sentence: which file, which place, what is wrong and what to do.
    pub fn read(path: &Path, validation: Validation) -> Result<Mocks, String> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|e| format!("the mock configuration {file} can't be read: {e}"))?;
        Mocks::parse(file, &text, validation)
    }

    /// The same of a text that is at hand.
    ///
    /// # Errors
    /// As [`Mocks::read`].
    pub fn parse(file: String, text: &str, validation: Validation) -> Result<Mocks, String> {
        let machines = file::machines(text)
            .map_err(|fault| format!("the mock configuration {file} is not right: {fault}"))?;
        Ok(Mocks {
            file,
            validation,
            machines,
        })
    }

    /// How many machines and test cases there are.
    pub fn counts(&self) -> (usize, usize) {
        let cases = self.machines.values().map(BTreeMap::len).sum();
        (self.machines.len(), cases)
    }

    /// Which file it was.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How strictly results are checked.
    pub(crate) fn validation(&self) -> Validation {
        self.validation
    }

    /// A test case, or why there is none.
    pub(crate) fn test_case(&self, machine: &str, case: &str) -> Result<&TestCase, String> {
        let file = &self.file;
        let Some(cases) = self.machines.get(machine) else {
            return Err(format!(
                "the state machine {machine} has no test case '{case}': {file} does not name it; it names {}",
                listed(self.machines.keys())
            ));
        };
        cases.get(case).ok_or_else(|| {
            format!(
                "the state machine {machine} has no test case '{case}' in {file}; it has {}",
                listed(cases.keys())
            )
        })
    }

    /// What comes back instead of what a task's resource would say; nothing if that is to be called.
    fn answer(&self, machine: &str, case: &str, task: &Dispatch) -> Option<Outcome> {
        let responses = match self.test_case(machine, case) {
            Ok(states) => states.get(&*task.state_name)?,
            // It was there when the execution started, and what it mocked is not to be called now.
            Err(gone) => {
                return Some(failed(format!(
                    "The mock configuration has changed: {gone}"
                )));
            }
        };
        let invocation = task.invocation;
        let range = responses
            .ranges
            .iter()
            .find(|range| (range.first..=range.last).contains(&invocation));
        Some(match range.map(|range| &range.said) {
            Some(Said::Return(result)) => Outcome::Success(as_result(&task.resource, result)),
            Some(Said::Throw(failure)) => Outcome::Failure(failure.clone()),
            None => failed(format!(
                "The mocked response '{}' of the state '{}' has nothing for its invocation {invocation} (the first is 0) in test case '{case}' of {}.",
                responses.name, task.state_name, self.file
            )),
        })
    }
}

/// Whether a mocked result can be one of a task with this `Resource`, where the model of its service is known.
///
/// # Errors
/// What is wrong with it.
pub fn check_result(resource: &str, result: &Value) -> Result<(), String> {
    crate::api::check_mocked_result(resource, result)
}

/// What comes back instead of what a task's resource would say; nothing if that is to be called.
pub(crate) fn answer(
    mocks: Option<&Mocks>,
    identity: &Identity,
    task: &Dispatch,
) -> Option<Outcome> {
    let case = identity.test_case.as_deref()?;
    match mocks {
        Some(mocks) => mocks.answer(identity.defined_machine_name(), case, task),
        None => Some(failed(format!(
            "The execution runs test case '{case}', and the server was started without a mock configuration."
        ))),
    }
}

fn failed(cause: String) -> Outcome {
    Outcome::Failure(Failure::runtime(cause))
}

/// The task's result. A task that names a function by its bare ARN has the function's payload for a result, while
/// files that are used with LocalStack mock the whole response to the invocation.
fn as_result(resource: &Resource, said: &Data) -> Data {
    let Resource::Function { .. } = resource else {
        return said.clone();
    };
    let Value::Object(members) = said.value() else {
        return said.clone();
    };
    let is_invocation = members
        .keys()
        .all(|name| INVOCATION.contains(&name.as_str()))
        && members.contains_key("StatusCode");
    match members.get("Payload").filter(|_| is_invocation) {
        Some(payload) => Data::from(payload.clone()),
        None => said.clone(),
    }
}

/// Names for a sentence.
fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    }
}
