//! `[[routes]]` of the configuration, as written.
//!
//! Where a value is looked for, text that begins with `$` is a JSONPath and text in `{% %}` is JSONata:
//! into the body, or into `$headers`, `$query`, `$path`, `$method` (and `$body`, in JSONata).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::gateway::callback::BodyFormat;
use crate::gateway::verify::config::VerifyConfig;

/// How long an early callback is kept if the route does not say.
pub const EARLY_KEEP_SECONDS: u32 = 600;
/// How long a reference is remembered after its wait has ended if the route does not say: third
/// parties repeat what got no answer for hours, so a day tells a late one from an unknown one.
pub const USED_KEEP_SECONDS: u32 = 86_400;
/// How large a callback may be if the route does not say: Step Functions takes no larger output.
pub const BODY_BYTES_MAX: usize = 262_144;

/// `[[routes]]` of the configuration: how one third party calls back.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// Its name, part of a reference's key.
    pub name: String,
    /// The path that the third party calls, for example `/callbacks/valuation`; `{name}` stands for all
    /// between two slashes, and is `$path.name`.
    pub path: String,
    /// The method that it calls with; default `POST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The engine that the tokens registered here are of and that callbacks are delivered to: NAME of
    /// `[engines.NAME]`. By default the one in this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// How the third party is known; without it nobody asks, and the server's log says so at its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<VerifyConfig>,
    /// What the body is: `json` (the default), `form`, or `text` (XML is text here).
    #[serde(default)]
    pub body: BodyFormat,
    /// Where the reference is: `$.valuationReference`.
    pub reference: String,
    /// Which tasks register references here, as `STATE_MACHINE.STATE`. With it, a callback whose
    /// reference nobody registered counts as early only while such a task is open and has not
    /// registered; else it is unknown at once (404, alert). Without it nobody can tell, so every such
    /// callback is early (202), and the alert comes when its time is over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expects: Vec<String>,
    /// References that the workflow chooses itself, registered as its tasks go out. For tasks that this
    /// route `expects`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registers: Option<RegistersConfig>,
    /// What a callback starts whose reference nobody has registered; without it nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<StartsConfig>,
    /// What makes a callback a failure; without it none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureConfig>,
    /// What makes a callback a heartbeat; without it none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<ConditionConfig>,
    /// What becomes the task's output; the whole body by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Further paths, each with an outcome of its own: `/callbacks/valuation/rejected`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<OutcomeConfig>,
    /// What identifies a repeat: callbacks with the same value are the same callback. By default a
    /// repeat is what comes again for a reference that has had its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<String>,
    /// Whether another execution may take a reference whose wait has ended, as it may want to if the
    /// reference is a key of its own business. A late answer to the one could then become the answer
    /// to the other. By default the reference is remembered for `used_keep_seconds` first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reuse: bool,
    /// Where third parties reach this server, for the URLs of the scheme `signed-url`:
    /// `https://hooks.example.com`. By default where it listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// How long a callback is kept for a reference that is not registered yet, in seconds of the
    /// server's clock; default [`EARLY_KEEP_SECONDS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_keep_seconds: Option<u32>,
    /// How long a reference is remembered after its wait has ended, in seconds of the server's
    /// clock; default [`USED_KEEP_SECONDS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_keep_seconds: Option<u32>,
    /// The largest body taken; default [`BODY_BYTES_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_bytes_max: Option<usize>,
    /// What of a callback is not stored, as `$headers.NAME`, `$query.NAME`, or values in the body:
    /// `$.card.number`, `$.items[*].iban`, `$..iban`, `/card/number`. What becomes the task's output is not
    /// touched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<String>,
    /// For how many days its callbacks are kept in the inbox; by default as long as those of all routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox_keep_days: Option<u32>,
    /// How many bytes its callbacks may take there before the oldest go; by default none do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox_bytes_max: Option<u64>,
    /// How many callbacks are taken from one source; without it as many as come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateConfig>,
    /// What to answer, by disposition; what is not here has the answer of the documentation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<String, AnswerConfig>,
    /// The topic that hears alerts; without it that of `[alerts]` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Which dispositions alert; by default all but `delivered`, `delivered-as-failure`, `heartbeat`
    /// and `early`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<Vec<String>>,
}

/// The execution that a callback starts whose reference nobody has registered.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StartsConfig {
    /// Its state machine: a name, or an ARN (of a version or an alias, too).
    pub state_machine: String,
    /// What becomes its input; the whole body by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Its name, by which it is started once; by default the reference, or a hash of it if it can't be a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// How many callbacks a route takes from one source, which is the address that they come from.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RateConfig {
    /// How many a second in the long run; 0.5 is one in two seconds.
    pub per_second: f64,
    /// How many at once after a pause; `per_second`, rounded up, by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Where a trusted proxy says for whom it calls: `x-forwarded-for`, `x-real-ip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_header: Option<String>,
    /// The proxies' addresses, each an address or `ADDRESS/BITS`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_proxies: Vec<String>,
}

/// Where the workflow's own reference is; there is also `$execution`, with its `name`, `id`, `startTime`
/// and `input`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RegistersConfig {
    /// In the task's request: `$.orderId`, `$execution.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_request: Option<String>,
    /// In what the task's resource answers: `$.Payload.reference`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_result: Option<String>,
}

/// A part of the callback that is asked for a value.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionConfig {
    /// Where: `$.failed`.
    pub when: String,
    /// What must be there; `true` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
}

/// When a callback is a failure, and which.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FailureConfig {
    /// Where: `$.failed`.
    pub when: String,
    /// What must be there; `true` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// The error name that Retry and Catch see: text, or where it is.
    pub error: String,
    /// The cause: text, or where it is; none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// A path of its own for one outcome.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeConfig {
    /// As the route's.
    pub path: String,
    /// As the route's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// `success`, `failure` or `heartbeat`.
    pub outcome: String,
    /// Of a success: what becomes the task's output; as the route's by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Of a failure: the error name that Retry and Catch see: text, or where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Of a failure: the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// What a third party hears.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerConfig {
    /// The HTTP status, 200 to 599; that of the documentation by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Text is sent as it is, anything else as JSON; that of the documentation by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}
