//! `TestState`: one state, run by the engine on its own ([`engine::trial`]); nothing is stored.
//!
//! A Task state asks its resource, once; what waits for somebody (an activity's worker, a task token, the end of a
//! job) and what has children (Map and Parallel states) has to be mocked. A Wait state takes no time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use asl::{Data, Failure, Severity, StateId, StateMachine};
use engine::trial::{End, NeedsMock, Report, Trial};
use engine::{Dispatch, Identity, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::items::batch::Batcher;
use crate::services::Exchange;

use super::error::ApiError;
use super::mock_shape::Mode;
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check};
use super::{arn, ids, jackson, mock_shape, test_context};

/// `InspectionLevel`.
const INSPECTION_LEVELS: &[&str] = &["INFO", "DEBUG", "TRACE"];
/// `MockResponseValidationMode`.
const VALIDATION_MODES: &[&str] = &["STRICT", "PRESENT", "NONE"];
/// What a state is called whose definition comes without a name, and in the context object always.
const STATE_NAME: &str = "StateName";
/// How long a test may take, in real time, as on AWS.
const ANSWER_LIMIT: Duration = Duration::from_secs(300);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    definition: Option<Text<'a>>,
    role_arn: Option<Text<'a>>,
    input: Option<Text<'a>>,
    inspection_level: Option<Text<'a>>,
    reveal_secrets: Option<bool>,
    state_name: Option<Text<'a>>,
    mock: Option<Mock<'a>>,
    context: Option<Text<'a>>,
    variables: Option<Text<'a>>,
    state_configuration: Option<Configuration<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mock<'a> {
    #[serde(borrow)]
    result: Option<Text<'a>>,
    error_output: Option<ErrorOutput<'a>>,
    field_validation_mode: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct ErrorOutput<'a> {
    #[serde(borrow)]
    error: Option<Text<'a>>,
    cause: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configuration<'a> {
    retrier_retry_count: Option<i64>,
    #[serde(borrow)]
    error_caused_by_state: Option<Text<'a>>,
    map_iteration_failure_count: Option<i64>,
    map_item_reader_data: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inspection_data: Option<InspectionData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_state: Option<&'a str>,
    status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InspectionData<'a> {
    input: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_input_path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_parameters: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_items_path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_items_pointer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_item_selector: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_item_batcher: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_concurrency: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tolerated_failure_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tolerated_failure_percentage: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_result_selector: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_result_path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variables: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<ErrorDetails>,
    /// `request` and `response`, if they are to be seen.
    #[serde(flatten)]
    exchange: Option<&'a Exchange>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    catch_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_backoff_interval_seconds: Option<i64>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::within(&app.quotas);
    let definition = check.required("definition", &request.definition, validation::DEFINITION);
    let role_arn = check.optional("roleArn", &request.role_arn, validation::ARN);
    let input = check.optional("input", &request.input, validation::DATA);
    let level = &request.inspection_level;
    let level = check.one_of("inspectionLevel", level, INSPECTION_LEVELS);
    let state_name = check.optional("stateName", &request.state_name, validation::STATE_NAME);
    let variables = check.optional("variables", &request.variables, validation::DATA);
    let context = check.optional("context", &request.context, validation::DATA);
    if let Some(mock) = &request.mock {
        mock.constraints(&mut check);
    }
    if let Some(configuration) = &request.state_configuration {
        configuration.constraints(&mut check);
    }
    check.done()?;
    role_arn.map_or(Ok(()), arn::check_role)?;
    let input = input.unwrap_or("{}");
    let input = Data::parse(input).map_err(|error| {
        let fault = jackson::explain(input, &error);
        ApiError::invalid_execution_input(&fault)
    })?;
    let context = context.map(test_context::accept).transpose()?;
    let variables = variables.map(accept_variables).transpose()?;
    let reveals = request.reveal_secrets.unwrap_or(false);
    if reveals && request.mock.is_some() {
        return Err(ApiError::validation(
            "TestState does not support RevealSecrets when a mock is specified.",
        ));
    }
    let mock = request.mock.as_ref().map(Mock::accept).transpose()?;
    let state = State::of(definition, state_name)?;
    state.check_mock(mock.as_ref(), role_arn.is_some())?;
    if let (Some(Outcome::Success(result)), Some(given)) = (&mock, &request.mock)
        && state.kind() == "Task"
    {
        mock_shape::check(state.text("Resource"), result.value(), given.mode())?;
    }
    let configuration = request.state_configuration.as_ref();
    if let Some(configuration) = configuration {
        configuration.check(&state, mock.as_ref())?;
    }

    let now = app.clock.now();
    let machine = ids::uuid().to_string();
    let name = ids::uuid().to_string();
    let identity = Identity {
        arn: arn::express_execution(&app.place, &machine, &name).into(),
        name: name.into(),
        state_machine_arn: arn::state_machine(&app.place, &machine).into(),
        state_machine_name: machine.into(),
        definition: "".into(),
        role_arn: role_arn.unwrap_or_default().into(),
        input: input.clone(),
        started_at: now,
        version: None,
        alias: None,
        map_run: None,
        test_case: None,
        trace_context: None,
        trace_header: None,
    };
    let retries = configuration.and_then(|c| c.retrier_retry_count);
    let retries = u32::try_from(retries.unwrap_or(0)).unwrap_or(u32::MAX);
    let failed_items = configuration.and_then(|c| c.map_iteration_failure_count);
    let read_items = configuration.and_then(|c| c.map_item_reader_data.as_deref());
    let read_items = read_items
        .map(Data::parse)
        .transpose()
        .map_err(|_| ApiError::validation("Map item reader data must be a valid JSON document"))?;
    let context = context.unwrap_or_else(|| state.context(&identity, role_arn, retries));
    let (machine, id) = state.compile()?;
    let mut trial = Trial {
        machine: machine.into(),
        state: id,
        identity,
        context,
        variables: variables.unwrap_or_default(),
        mock,
        retries,
        failed_items: u64::try_from(failed_items.unwrap_or(0)).unwrap_or(0),
        read_items,
        seed: ids::uuid().as_u64_pair().1,
    };
    let mut exchange = Exchange::default();
    if trial.mock.is_none() {
        // An expression may take all the time that it has.
        let asked = app.runner.beside(move || (trial.asks(), trial)).await;
        trial = asked.1;
        if let Some(dispatch) = asked.0 {
            let outcome;
            (outcome, exchange) = ask(app, &trial.identity, &dispatch).await?;
            trial.mock = Some(match outcome {
                Ok(result) => Outcome::Success(result),
                Err(failure) => Outcome::Failure(failure),
            });
        }
    }
    let report = app.runner.beside(move || trial.run()).await;
    let report = report.map_err(|NeedsMock| needs_mock())?;
    tell(&report, &input, &exchange, level.unwrap_or("INFO"))
}

/// What a Task state's resource really answers. It is asked once: Retry is for the test to show, not to do.
async fn ask(
    app: &App,
    identity: &Identity,
    dispatch: &Dispatch,
) -> Result<(Result<Data, Failure>, Exchange), ApiError> {
    // In a box, since what is asked may be this server's own API, and so this very operation.
    let asked = Box::pin(app.dispatcher.ask_once(identity, dispatch));
    match tokio::time::timeout(ANSWER_LIMIT, asked).await {
        Ok(asked) => asked.ok_or_else(needs_mock),
        Err(_) => Err(ApiError::validation(
            "The resource did not answer within the five minutes that a test may take",
        )),
    }
}

fn needs_mock() -> ApiError {
    ApiError::validation(
        "A test can't wait for an activity's worker, a task token or the end of a job; specify a mock",
    )
}

/// The workflow variables that a request brings.
fn accept_variables(text: &str) -> Result<BTreeMap<String, Data>, ApiError> {
    let variables: BTreeMap<String, Value> = serde_json::from_str(text)
        .map_err(|_| ApiError::validation("Variables must be a valid JSON object"))?;
    let variables = variables.into_iter();
    Ok(variables
        .map(|(name, value)| (name, value.into()))
        .collect())
}

fn tell(report: &Report, input: &Data, exchange: &Exchange, level: &str) -> Answer {
    let failure = report.failure.as_ref();
    let exchange = (level == "TRACE").then_some(exchange);
    write(&Response {
        output: report.output.as_ref().map(Data::text),
        error: failure.and_then(|failure| failure.error.as_deref()),
        cause: failure.and_then(|failure| failure.cause.as_deref()),
        inspection_data: (level != "INFO").then(|| inspection(report, input, exchange)),
        next_state: report.next.as_deref(),
        status: match report.end {
            End::Succeeded => "SUCCEEDED",
            End::Failed => "FAILED",
            End::Retriable { .. } => "RETRIABLE",
            End::Caught { .. } => "CAUGHT_ERROR",
        },
    })
}

/// What each child of a Map is given, if it is given a batch. Limits that no batch can keep show nothing.
fn batched(report: &Report) -> Option<String> {
    let (batches, items) = report.seen.batches.as_ref()?;
    let mut batcher = Batcher::new(batches).ok()?;
    let items = items.iter().cloned().map(Data::from);
    let mut made: Vec<_> = items.filter_map(|item| batcher.push(&item)).collect();
    made.extend(batcher.take());
    let inputs = made.iter().map(|batch| batch.input.value().clone());
    Some(Value::Array(inputs.collect()).to_string())
}

fn inspection<'a>(
    report: &'a Report,
    input: &'a Data,
    exchange: Option<&'a Exchange>,
) -> InspectionData<'a> {
    fn text(data: &Option<Data>) -> Option<&str> {
        data.as_ref().map(Data::text)
    }
    let Report {
        seen,
        variables,
        end,
        ..
    } = report;
    InspectionData {
        input: input.text(),
        after_input_path: text(&seen.after_input_path),
        after_parameters: text(&seen.after_parameters),
        after_arguments: text(&seen.after_arguments),
        after_items_path: text(&seen.after_items_path),
        after_items_pointer: text(&seen.after_items_pointer),
        after_item_selector: text(&seen.after_item_selector),
        after_item_batcher: batched(report),
        max_concurrency: seen.max_concurrency,
        tolerated_failure_count: seen.tolerated_failure_count,
        tolerated_failure_percentage: seen.tolerated_failure_percentage,
        result: text(&seen.result),
        after_result_selector: text(&seen.after_result_selector),
        after_result_path: text(&seen.after_result_path),
        variables: (!variables.is_empty()).then(|| {
            let variables = variables.iter();
            let object: Map<String, Value> = variables
                .map(|(name, value)| (name.clone(), value.value().clone()))
                .collect();
            Value::Object(object).to_string()
        }),
        error_details: match *end {
            End::Succeeded | End::Failed => None,
            End::Caught { catcher } => Some(ErrorDetails {
                catch_index: Some(catcher),
                retry_index: None,
                retry_backoff_interval_seconds: None,
            }),
            End::Retriable {
                retrier,
                backoff_millis,
            } => Some(ErrorDetails {
                catch_index: None,
                retry_index: Some(retrier),
                retry_backoff_interval_seconds: Some(backoff_millis / 1000),
            }),
        },
        exchange,
    }
}

impl Mock<'_> {
    fn constraints(&self, check: &mut Check) {
        check.optional("mock.result", &self.result, validation::DATA);
        if let Some(output) = &self.error_output {
            check.optional("mock.errorOutput.error", &output.error, validation::ERROR);
            check.optional("mock.errorOutput.cause", &output.cause, validation::CAUSE);
        }
        let mode = &self.field_validation_mode;
        check.one_of("mock.fieldValidationMode", mode, VALIDATION_MODES);
    }

    fn mode(&self) -> Mode {
        match self.field_validation_mode.as_deref() {
            Some("NONE") => Mode::None,
            Some("PRESENT") => Mode::Present,
            _ => Mode::Strict,
        }
    }

    fn accept(&self) -> Result<Outcome, ApiError> {
        match (&self.result, &self.error_output) {
            (Some(result), None) => match Data::parse(result) {
                Ok(result) => Ok(Outcome::Success(result)),
                Err(_) => Err(ApiError::validation("Mocked result must be valid JSON")),
            },
            (None, Some(output)) => Ok(Outcome::Failure(Failure {
                error: output.error.as_deref().map(|error| error.to_owned().into()),
                cause: output.cause.as_deref().map(str::to_owned),
            })),
            (Some(_), Some(_)) => Err(ApiError::validation(
                "A test mock should have only one of the following fields: [result, errorOutput].",
            )),
            (None, None) => Err(ApiError::validation(
                "A test mock should have one of the following fields: [result, errorOutput].",
            )),
        }
    }
}

impl Configuration<'_> {
    fn constraints(&self, check: &mut Check) {
        let at = |member| format!("stateConfiguration.{member}");
        let max = i64::from(u32::MAX);
        if let Some(count) = self.retrier_retry_count {
            check.range(&at("retrierRetryCount"), count, 0, max);
        }
        if let Some(count) = self.map_iteration_failure_count {
            check.range(&at("mapIterationFailureCount"), count, 0, max);
        }
        check.optional(
            "stateConfiguration.mapItemReaderData",
            &self.map_item_reader_data,
            validation::DATA,
        );
        check.optional(
            "stateConfiguration.errorCausedByState",
            &self.error_caused_by_state,
            validation::STATE_NAME,
        );
    }

    fn check(&self, state: &State, mock: Option<&Outcome>) -> Result<(), ApiError> {
        let iterations = match mock {
            Some(Outcome::Success(result)) => result.value().as_array().map(Vec::len),
            _ => None,
        };
        if let (Some(failed), Some(iterations)) = (self.map_iteration_failure_count, iterations)
            && state.kind() == "Map"
            && failed > iterations as i64
        {
            return Err(ApiError::validation(
                "Map iteration failure count must be less than or equal to the number of Map \
                 iterations",
            ));
        }
        Ok(())
    }
}

/// The state to be tested, as it is written.
struct State {
    /// What was given: a machine, or the state alone.
    definition: Value,
    /// The state's name in the machine that was given.
    name: Option<String>,
    /// Its fields.
    fields: Map<String, Value>,
}

impl State {
    fn of(text: &str, name: Option<&str>) -> Result<State, ApiError> {
        let definition: Value = serde_json::from_str(text).map_err(|error| {
            let fault = jackson::explain(text, &error);
            ApiError::invalid_definition(&format!("INVALID_JSON_DESCRIPTION: {fault}"))
        })?;
        let found = match name {
            None => Some(&definition),
            Some(name) => find(&definition, name),
        };
        let fields = found
            .and_then(Value::as_object)
            .cloned()
            .ok_or_else(|| ApiError::validation("State not found in definition"))?;
        Ok(State {
            definition,
            name: name.map(str::to_owned),
            fields,
        })
    }

    fn text(&self, field: &str) -> &str {
        self.fields
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn kind(&self) -> &str {
        self.text("Type")
    }

    /// Whether a state of this type may be, or has to be, tested with this mock.
    fn check_mock(&self, mock: Option<&Outcome>, has_role: bool) -> Result<(), ApiError> {
        match (self.kind(), mock) {
            ("Task", None) if !has_role => Err(ApiError::validation(
                "RoleArn must be specified when testing a Task state",
            )),
            ("Map" | "Parallel", None) => Err(ApiError::new(
                "InvalidDefinition",
                "TestState API does not support Map or Parallel states. Supported state types \
                 include: [Task, Wait, Pass, Succeed, Fail, Choice]",
            )),
            (kind @ ("Pass" | "Wait" | "Choice" | "Succeed" | "Fail"), Some(_)) => {
                Err(ApiError::validation(format!(
                    "State type '{kind}' is not supported when a mock is specified"
                )))
            }
            ("Parallel", Some(Outcome::Success(result))) => {
                let branches = self.fields.get("Branches").and_then(Value::as_array);
                let results = result.value().as_array();
                match branches.map(Vec::len) == results.map(Vec::len) {
                    true => Ok(()),
                    false => Err(ApiError::validation(
                        "Mocked result must contain the same number of items as number of \
                         Parallel branches.",
                    )),
                }
            }
            _ => Ok(()),
        }
    }

    /// What `$$` is if the request does not say: an Express execution's, as AWS's tests are.
    fn context(&self, identity: &Identity, role_arn: Option<&str>, retries: u32) -> Value {
        let mut context = json!({
            "Execution": {
                "Id": &*identity.arn,
                "Input": identity.input.value(),
                "Name": &*identity.name,
                "RoleArn": role_arn,
                "StartTime": identity.started_at.to_string(),
            },
            "StateMachine": {
                "Id": &*identity.state_machine_arn,
                "Name": &*identity.state_machine_name,
            },
            "State": {
                "Name": STATE_NAME,
                "EnteredTime": identity.started_at.to_string(),
            },
        });
        if matches!(self.kind(), "Task" | "Map" | "Parallel") {
            context["State"]["RetryCount"] = retries.into();
        }
        context
    }

    /// The machine that the state is in. A state that came alone gets one, in which the states that it
    /// leads to do nothing.
    fn compile(&self) -> Result<(StateMachine, StateId), ApiError> {
        let (machine, name) = match &self.name {
            Some(name) => (self.definition.to_string(), name.as_str()),
            None => {
                let mut states = Map::new();
                for target in targets(&self.fields) {
                    states.insert(target.to_owned(), json!({ "Type": "Succeed" }));
                }
                states.insert(STATE_NAME.to_owned(), self.definition.clone());
                let machine = json!({ "StartAt": STATE_NAME, "States": states });
                (machine.to_string(), STATE_NAME)
            }
        };
        let parsed = asl::parse(&machine);
        let Some(machine) = parsed.machine else {
            let errors = parsed.diagnostics.iter();
            let errors = errors.filter(|diagnostic| diagnostic.severity == Severity::Error);
            let errors: Vec<String> = errors.map(ToString::to_string).collect();
            return Err(ApiError::invalid_definition(&errors.join(", ")));
        };
        let id = machine.find(name);
        let id = id.ok_or_else(|| ApiError::validation("State not found in definition"))?;
        Ok((machine, id))
    }
}

/// The state of this name in a definition or in what is nested in it.
fn find<'v>(scope: &'v Value, name: &str) -> Option<&'v Value> {
    let states = scope.get("States")?.as_object()?;
    if let Some(state) = states.get(name) {
        return Some(state);
    }
    states.values().find_map(|state| {
        let branches = state.get("Branches").and_then(Value::as_array);
        let processors = ["ItemProcessor", "Iterator"];
        let processors = processors.iter().filter_map(|field| state.get(*field));
        branches
            .into_iter()
            .flatten()
            .chain(processors)
            .find_map(|nested| find(nested, name))
    })
}

/// Where a state may lead.
fn targets(state: &Map<String, Value>) -> BTreeSet<&str> {
    let lists = ["Choices", "Catch"];
    let lists = lists.iter().filter_map(|list| state.get(*list)?.as_array());
    let own = ["Next", "Default"]
        .iter()
        .filter_map(|field| state.get(*field));
    lists
        .flatten()
        .filter_map(|entry| entry.get("Next"))
        .chain(own)
        .filter_map(Value::as_str)
        .collect()
}
