//! A checked definition.
//!
//! All states of a machine, those inside Parallel branches and Map processors too, stand in one
//! list; a [`StateId`] is a place in it. State names are unique in the whole definition (an ASL
//! rule), so a name finds its state wherever it is nested. Everything that can be compiled (paths,
//! templates, intrinsics) is compiled here, once.
//!
//! The query language is a property of each field's type: what may be looked up is a path or a
//! JSONata expression, and a [`Template`] may be of either language. A state says which language it
//! has because an absent field means another thing in each.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::amount::Amount;
use crate::choice::Rule;
use crate::jsonata::Expression;
use crate::path::{Path, ReferencePath};
use crate::template::Template;
use crate::timestamp::Timestamp;

/// A whole definition, ready to run.
#[derive(Debug)]
pub struct StateMachine {
    /// `Comment`.
    pub comment: Option<String>,
    /// Where an execution starts.
    pub start_at: StateId,
    /// Every state, nested ones too; [`StateId`] indexes it.
    pub states: Vec<State>,
    /// `TimeoutSeconds` of the whole machine.
    pub timeout_seconds: Option<u64>,
}

impl StateMachine {
    /// The state at `id`.
    pub fn state(&self, id: StateId) -> &State {
        &self.states[id.0 as usize]
    }

    /// The activities that its tasks are for, as often as they are named.
    pub fn activities(&self) -> impl Iterator<Item = &Arc<str>> {
        self.states.iter().filter_map(|state| match &state.kind {
            StateKind::Task(task) => match &task.resource {
                Resource::Activity { arn } => Some(arn),
                _ => None,
            },
            _ => None,
        })
    }

    /// The workflow variables that each state reads, for those that read any, by the state's name.
    pub fn variable_references(&self) -> BTreeMap<&str, &[Arc<str>]> {
        let read = self
            .states
            .iter()
            .filter(|s| !s.variable_references.is_empty());
        read.map(|s| (&*s.name, &*s.variable_references)).collect()
    }

    /// The state called `name`, at any depth.
    pub fn find(&self, name: &str) -> Option<StateId> {
        self.states
            .iter()
            .position(|s| &*s.name == name)
            .map(|i| StateId(i as u32))
    }
}

/// A state's place in [`StateMachine::states`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StateId(pub u32);

/// One state.
#[derive(Debug)]
pub struct State {
    /// Its name, unique in the machine.
    pub name: Arc<str>,
    /// `InputPath`; `None` where the definition says `null` (an empty object goes in).
    pub input_path: Option<Path>,
    /// `OutputPath`; `None` where the definition says `null` (an empty object comes out).
    pub output_path: Option<Path>,
    /// `QueryLanguage`, its own or that of the whole definition.
    pub query_language: QueryLanguage,
    /// `Output` (JSONata).
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Option<Template>,
    /// The workflow variables that its fields read, in order and each once.
    pub variable_references: Vec<Arc<str>>,
    /// What it does.
    pub kind: StateKind,
}

/// The language of a state's expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum QueryLanguage {
    JsonPath,
    Jsonata,
}

/// The eight state types.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum StateKind {
    Task(Box<Task>),
    Pass(Box<Pass>),
    Wait(Box<Wait>),
    Choice(Box<Choice>),
    Succeed,
    Fail(Box<Fail>),
    Parallel(Box<Parallel>),
    Map(Box<Map>),
}

/// Where a state goes when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// `Next`.
    State(StateId),
    /// `End: true`.
    End,
}

/// What happens to a state's result before it is its output.
#[derive(Debug)]
pub struct ResultFlow {
    /// `ResultSelector`.
    pub selector: Option<Template>,
    /// `ResultPath`; `None` where the definition says `null` (the result is dropped).
    pub path: Option<ReferencePath>,
}

/// A Task state.
#[derive(Debug)]
pub struct Task {
    /// Who does the work.
    pub resource: Resource,
    /// `Parameters`, or `Arguments` (JSONata).
    pub parameters: Option<Template>,
    /// `Credentials`.
    pub credentials: Option<Template>,
    /// `ResultSelector` and `ResultPath`.
    pub result: ResultFlow,
    /// `TimeoutSeconds` or `TimeoutSecondsPath`.
    pub timeout: Option<Seconds>,
    /// `HeartbeatSeconds` or `HeartbeatSecondsPath`.
    pub heartbeat: Option<Seconds>,
    /// `Retry` and `Catch`.
    pub recovery: Recovery,
    /// `Next` or `End`.
    pub next: Next,
}

/// What a Task's `Resource` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A bare function ARN, `arn:aws:lambda:REGION:ACCOUNT:function:NAME`.
    Function {
        /// As written.
        arn: Arc<str>,
    },
    /// `arn:aws:states:REGION:ACCOUNT:activity:NAME`.
    Activity {
        /// As written.
        arn: Arc<str>,
    },
    /// `arn:aws:states:::SERVICE:ACTION` with an optional pattern suffix.
    Service {
        /// As written.
        arn: Arc<str>,
        /// `resourceType` in the history, for example `lambda`, `sns`, `aws-sdk:s3`.
        service: Arc<str>,
        /// `resource` in the history: action and suffix, for example `invoke.waitForTaskToken`.
        action: Arc<str>,
        /// The suffix, read.
        pattern: Pattern,
    },
}

impl Resource {
    /// As the definition has it.
    pub fn as_written(&self) -> &Arc<str> {
        let (Resource::Function { arn }
        | Resource::Activity { arn }
        | Resource::Service { arn, .. }) = self;
        arn
    }
}

/// How a Task waits for its resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// No suffix: the response is the result.
    RequestResponse,
    /// `.sync` or `.sync:2`: the end of the job that was started is the result.
    Sync,
    /// `.waitForTaskToken`: what somebody sends with the token is the result.
    WaitForTaskToken,
}

/// A number of seconds, given or looked up.
#[derive(Debug)]
pub enum Seconds {
    /// `...Seconds`.
    Fixed(u64),
    /// `...SecondsPath`.
    Path(Path),
    /// `...Seconds` as an expression.
    Jsonata(Expression),
}

/// A Pass state.
#[derive(Debug)]
pub struct Pass {
    /// `Result`.
    pub result: Option<Value>,
    /// `Parameters`.
    pub parameters: Option<Template>,
    /// `ResultPath`; `None` where the definition says `null`.
    pub result_path: Option<ReferencePath>,
    /// `Next` or `End`.
    pub next: Next,
}

/// A Wait state.
#[derive(Debug)]
pub struct Wait {
    /// For how long, or until when.
    pub until: WaitUntil,
    /// `Next` or `End`.
    pub next: Next,
}

/// `Seconds`, `Timestamp`, and the two as paths.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum WaitUntil {
    Seconds(u64),
    SecondsPath(Path),
    Timestamp(Timestamp),
    TimestampPath(Path),
    SecondsJsonata(Expression),
    TimestampJsonata(Expression),
}

/// A Choice state.
#[derive(Debug)]
pub struct Choice {
    /// `Choices`, in order.
    pub rules: Vec<ChoiceRule>,
    /// `Default`.
    pub default: Option<StateId>,
}

/// One entry of `Choices`.
#[derive(Debug)]
pub struct ChoiceRule {
    /// When it applies.
    pub rule: Rule,
    /// `Next`.
    pub next: StateId,
    /// `Assign`, instead of the state's.
    pub assign: Option<Template>,
    /// `Output` (JSONata), instead of the state's.
    pub output: Option<Template>,
}

/// A Fail state.
#[derive(Debug)]
pub struct Fail {
    /// `Error` or `ErrorPath`.
    pub error: Option<Text>,
    /// `Cause` or `CausePath`.
    pub cause: Option<Text>,
}

/// A string, given or looked up.
#[derive(Debug)]
pub enum Text {
    /// Given.
    Fixed(Arc<str>),
    /// `ErrorPath` or `CausePath`: a reference path or an intrinsic function.
    Expression(crate::intrinsic::Expression),
    /// `Error` or `Cause` as an expression.
    Jsonata(Expression),
}

/// A Parallel state.
#[derive(Debug)]
pub struct Parallel {
    /// `Branches`: where each starts.
    pub branches: Vec<StateId>,
    /// `Parameters`, or `Arguments` (JSONata).
    pub parameters: Option<Template>,
    /// `ResultSelector` and `ResultPath`.
    pub result: ResultFlow,
    /// `Retry` and `Catch`.
    pub recovery: Recovery,
    /// `Next` or `End`.
    pub next: Next,
}

/// A Map state.
#[derive(Debug)]
pub struct Map {
    /// `ItemProcessor.StartAt` (or that of the older `Iterator`).
    pub start_at: StateId,
    /// `ItemsPath` or `Items`; a distributed Map with an [`ItemReader`] looks at neither.
    pub items: Items,
    /// `ItemSelector` (or the older `Parameters`).
    pub item_selector: Option<Template>,
    /// `MaxConcurrency`; 0 is no limit of the user's own.
    pub max_concurrency: Amount<u64>,
    /// How many failed items are no failure of the state. An inline Map may say it too.
    pub tolerance: Tolerance,
    /// What only `Mode` `DISTRIBUTED` has; nothing for an inline Map.
    pub distributed: Option<Box<Distributed>>,
    /// `ResultSelector` and `ResultPath`.
    pub result: ResultFlow,
    /// `Retry` and `Catch`.
    pub recovery: Recovery,
    /// `Next` or `End`.
    pub next: Next,
}

/// The items of a Map state.
#[derive(Debug)]
pub enum Items {
    /// `ItemsPath`; `$` where it is absent.
    Path(Path),
    /// The state's input, where a state with JSONata has no `Items`.
    Input,
    /// `Items` (JSONata).
    Template(Template),
}

/// `ToleratedFailureCount` and `ToleratedFailurePercentage`. A Map fails when more items have failed
/// than either allows; without either, no item may fail.
#[derive(Debug, Default)]
pub struct Tolerance {
    /// `ToleratedFailureCount`, at least 0.
    pub count: Option<Amount<u64>>,
    /// `ToleratedFailurePercentage`, from 0 to 100.
    pub percentage: Option<Amount<f64>>,
}

/// What a Map state has in `Mode` `DISTRIBUTED`: its items become executions of their own.
#[derive(Debug)]
pub struct Distributed {
    /// `ExecutionType` is `EXPRESS` (else `STANDARD`).
    pub express: bool,
    /// `Label`, which the names of its Map Runs begin with.
    pub label: Option<Arc<str>>,
    /// `ItemReader`.
    pub reader: Option<ItemReader>,
    /// `ItemBatcher`.
    pub batcher: Option<ItemBatcher>,
    /// `ResultWriter`.
    pub writer: Option<ResultWriter>,
}

/// `ItemReader`: items that are not in the state's input.
#[derive(Debug)]
pub struct ItemReader {
    /// `Resource`.
    pub source: ItemSource,
    /// `Parameters`, or `Arguments` (JSONata): the API call that gets the items.
    pub arguments: Option<Template>,
    /// `ReaderConfig`.
    pub config: ReaderConfig,
}

/// `Resource` of an `ItemReader`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemSource {
    /// `arn:aws:states:::s3:getObject`: the items are in an object.
    GetObject,
    /// `arn:aws:states:::s3:listObjectsV2`: the items are the objects of a bucket.
    ListObjects,
}

/// `ReaderConfig`.
#[derive(Debug, Default)]
pub struct ReaderConfig {
    /// `InputType`; absent where it is told by other fields.
    pub input: Option<InputType>,
    /// `MaxItems` or `MaxItemsPath`; 0 is all of them.
    pub max_items: Option<Amount<u64>>,
    /// `ItemsPointer`, a JSON pointer to the items in a JSON object.
    pub items_pointer: Option<Arc<str>>,
    /// `CSVHeaderLocation` and `CSVHeaders`.
    pub headers: CsvHeaders,
    /// `CSVDelimiter`, a comma where it is absent.
    pub delimiter: CsvDelimiter,
    /// `ManifestType`.
    pub manifest: Option<ManifestType>,
    /// `Transformation` is `LOAD_AND_FLATTEN`: the items are in the objects that are listed.
    pub load_and_flatten: bool,
}

/// `InputType`: what an object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum InputType {
    Csv,
    Json,
    JsonLines,
    /// A list of objects; which kind of list says [`ManifestType`].
    Manifest,
}

/// What names the columns of CSV text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CsvHeaders {
    /// `FIRST_ROW`.
    #[default]
    FirstRow,
    /// `GIVEN`: `CSVHeaders`.
    Given(Vec<Arc<str>>),
}

/// `CSVDelimiter`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CsvDelimiter {
    #[default]
    Comma,
    Pipe,
    Semicolon,
    Space,
    Tab,
}

/// `ManifestType`: who wrote a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestType {
    /// `ATHENA_DATA`: one object's URI a line; the items are in these objects.
    AthenaData,
    /// `S3_INVENTORY`: the items are the rows of an inventory.
    S3Inventory,
}

/// `ItemBatcher`: several items for one child execution.
#[derive(Debug)]
pub struct ItemBatcher {
    /// `MaxItemsPerBatch`.
    pub max_items: Option<Amount<u64>>,
    /// `MaxInputBytesPerBatch`.
    pub max_bytes: Option<Amount<u64>>,
    /// `BatchInput`, which every batch has besides its items.
    pub input: Option<Template>,
}

/// `ResultWriter`.
#[derive(Debug)]
pub struct ResultWriter {
    /// `Parameters`, or `Arguments` (JSONata), of `arn:aws:states:::s3:putObject`. Without it the
    /// results are not exported but only given another form.
    pub destination: Option<Template>,
    /// `WriterConfig.Transformation`.
    pub transformation: Transformation,
    /// `WriterConfig.OutputType` is `JSONL` (else `JSON`).
    pub json_lines: bool,
}

/// `Transformation` of a `WriterConfig`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transformation {
    /// Each child's description, with its output in it. What is exported has this form by default.
    None,
    /// Each child's output. What is not exported has this form by default.
    Compact,
    /// The same, and an output that is an array adds its elements.
    Flatten,
}

/// What to do about a failure: first Retry, then Catch.
#[derive(Debug, Default)]
pub struct Recovery {
    /// `Retry`, in order.
    pub retriers: Vec<Retrier>,
    /// `Catch`, in order.
    pub catchers: Vec<Catcher>,
}

/// One entry of `Retry`. The defaults are ASL's and are filled in.
#[derive(Debug)]
pub struct Retrier {
    /// `ErrorEquals`.
    pub errors: Vec<Arc<str>>,
    /// `IntervalSeconds`, default 1.
    pub interval_seconds: u64,
    /// `MaxAttempts`, default 3; 0 is never.
    pub max_attempts: u32,
    /// `BackoffRate`, default 2.0, at least 1.0.
    pub backoff_rate: f64,
    /// `MaxDelaySeconds`.
    pub max_delay_seconds: Option<u64>,
    /// `JitterStrategy` is `FULL` (default `NONE`).
    pub full_jitter: bool,
}

/// One entry of `Catch`.
#[derive(Debug)]
pub struct Catcher {
    /// `ErrorEquals`.
    pub errors: Vec<Arc<str>>,
    /// `ResultPath`; `None` where the definition says `null`.
    pub result_path: Option<ReferencePath>,
    /// `Assign`.
    pub assign: Option<Template>,
    /// `Output` (JSONata).
    pub output: Option<Template>,
    /// `Next`.
    pub next: StateId,
}
