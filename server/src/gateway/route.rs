//! Routes: how one third party calls back, as written and as checked.

use asl::jsonata::Session;
use asl::{Context, Data, NoVariables, Path, Random, Scope, Timestamp};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::disposition::Disposition;
use super::record::Intent;
use super::verify::Verification;
use super::verify::config::VerifyConfig;
use super::words::did_you_mean;
use crate::topics::Topics;

/// How long an early callback is kept if the route does not say.
pub const EARLY_KEEP_SECONDS: u32 = 600;
/// How long a reference is remembered after its wait has ended if the route does not say: third
/// parties repeat what got no answer for hours, so a day tells a late one from an unknown one.
pub const USED_KEEP_SECONDS: u32 = 86_400;
/// How large a callback may be if the route does not say: Step Functions takes no larger output.
pub const BODY_BYTES_MAX: usize = 262_144;
/// How long a reference may be: it is a part of a key that is held in memory.
pub const REFERENCE_BYTES_MAX: usize = 512;
/// How long a route's name may be, for the same reason.
const ROUTE_NAME_BYTES_MAX: usize = 64;

/// `[[routes]]` of the configuration: how one third party calls back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// Its name, part of a reference's key.
    pub name: String,
    /// The path that the third party POSTs to, for example `/callbacks/valuation`.
    pub path: String,
    /// How the third party is known; without it nobody asks, and the server's log says so at its start.
    #[serde(default)]
    pub verify: Option<VerifyConfig>,
    /// Where the reference is in the body, a JSONPath: `$.valuationReference`.
    pub reference: String,
    /// Which tasks register references here, as `STATE_MACHINE.STATE`. With it, a callback whose
    /// reference nobody registered counts as early only while such a task is open and has not
    /// registered; else it is unknown at once (404, alert). Without it nobody can tell, so every such
    /// callback is early (202), and the alert comes when its time is over.
    #[serde(default)]
    pub expects: Vec<String>,
    /// What makes a callback a failure; without it none is.
    #[serde(default)]
    pub failure: Option<FailureConfig>,
    /// What makes a callback a heartbeat; without it none is.
    #[serde(default)]
    pub heartbeat: Option<ConditionConfig>,
    /// What becomes the task's output, a JSONPath; the whole body by default.
    #[serde(default)]
    pub output: Option<String>,
    /// How long a callback is kept for a reference that is not registered yet, in seconds of the
    /// server's clock; default [`EARLY_KEEP_SECONDS`].
    #[serde(default)]
    pub early_keep_seconds: Option<u32>,
    /// How long a reference is remembered after its wait has ended, in seconds of the server's
    /// clock; default [`USED_KEEP_SECONDS`].
    #[serde(default)]
    pub used_keep_seconds: Option<u32>,
    /// The largest body taken; default [`BODY_BYTES_MAX`].
    #[serde(default)]
    pub body_bytes_max: Option<usize>,
    /// The topic that hears alerts; without it there are none.
    #[serde(default)]
    pub topic: Option<String>,
    /// Which dispositions alert; by default all but `delivered`, `delivered-as-failure`, `heartbeat`
    /// and `early`.
    #[serde(default)]
    pub alerts: Option<Vec<String>>,
}

/// A part of the body that is asked for a value.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionConfig {
    /// A JSONPath: `$.failed`.
    pub when: String,
    /// What must be there; `true` by default.
    #[serde(default)]
    pub equals: Option<Value>,
}

/// When a callback is a failure, and which.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureConfig {
    /// A JSONPath: `$.failed`.
    pub when: String,
    /// What must be there; `true` by default.
    #[serde(default)]
    pub equals: Option<Value>,
    /// The error name that Retry and Catch see: text, or a JSONPath if it begins with `$`.
    pub error: String,
    /// The cause: text, or a JSONPath if it begins with `$`; none by default.
    #[serde(default)]
    pub cause: Option<String>,
}

/// A route that was checked.
pub(super) struct Route {
    pub index: usize,
    pub name: String,
    pub path: String,
    pub verification: Verification,
    pub reference: Path,
    pub expects: Vec<String>,
    pub failure: Option<FailureRule>,
    pub heartbeat: Option<Condition>,
    pub output: Option<Path>,
    pub early_keep_seconds: i64,
    pub used_keep_seconds: i64,
    pub body_bytes_max: usize,
    pub alerts: Option<Alerts>,
}

/// A part of the body, and what it must be.
pub(super) struct Condition {
    path: Path,
    equals: Value,
}

/// When a callback is a failure, and which.
pub(super) struct FailureRule {
    condition: Condition,
    error: Text,
    cause: Option<Text>,
}

/// Text, or where it is.
enum Text {
    Fixed(String),
    At(Path),
}

/// Who hears of which dispositions.
pub(super) struct Alerts {
    pub topic_arn: String,
    dispositions: Vec<Disposition>,
}

impl Alerts {
    /// Whether this one is to be told.
    pub fn include(&self, disposition: Disposition) -> bool {
        self.dispositions.contains(&disposition)
    }
}

/// What a body says.
pub(super) struct Reading {
    pub reference: String,
    pub intent: Intent,
    /// Equal for bodies that say the same.
    pub digest: String,
}

/// Why a body was not read.
pub(super) struct Fault {
    pub disposition: Disposition,
    /// One sentence.
    pub reason: String,
}

impl Route {
    /// Checks a configuration.
    pub fn checked(index: usize, config: RouteConfig, topics: &Topics) -> Result<Route, String> {
        let name = config.name;
        let wrong = |what: String| Err(format!("route \"{name}\": {what}"));
        let simple = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > ROUTE_NAME_BYTES_MAX || !name.chars().all(simple) {
            return wrong(format!(
                "a name is 1 to {ROUTE_NAME_BYTES_MAX} letters, digits, '-', '_' or '.'; give it another `name`"
            ));
        }
        if !config.path.starts_with('/')
            || config.path.contains(['?', '#', ' '])
            || config.path == "/"
        {
            return wrong(format!(
                "`path` is {:?}; it must begin with '/', be more than that, and have no query, for example \"/callbacks/{name}\"",
                config.path
            ));
        }
        let ours =
            |prefix: &str| config.path == prefix || config.path.starts_with(&format!("{prefix}/"));
        if ours("/rejoin") || ours("/health") {
            return wrong(format!(
                "`path` {:?} belongs to the server itself; take another, for example \"/callbacks/{name}\"",
                config.path
            ));
        }
        let path = |key: &str, text: &str| {
            if !text.starts_with('$') || text.starts_with("$$") {
                return Err(format!(
                    "route \"{name}\": `{key}` is {text:?}; it must be a JSONPath into the callback's body, for example \"$.{}\"",
                    key.rsplit('.').next().unwrap_or(key)
                ));
            }
            Path::parse(text).map_err(|why| {
                format!("route \"{name}\": `{key}` {text:?} is not a JSONPath: {why}")
            })
        };
        let text = |key: &str, text: String| {
            Ok::<Text, String>(if text.starts_with('$') {
                Text::At(path(key, &text)?)
            } else {
                Text::Fixed(text)
            })
        };
        let failure = match config.failure {
            None => None,
            Some(failure) => {
                if failure.error.is_empty() {
                    return wrong(
                        "`failure.error` is empty; name the error that Retry and Catch are to see"
                            .into(),
                    );
                }
                Some(FailureRule {
                    condition: Condition {
                        path: path("failure.when", &failure.when)?,
                        equals: failure.equals.unwrap_or(Value::Bool(true)),
                    },
                    error: text("failure.error", failure.error)?,
                    cause: match failure.cause {
                        Some(cause) => Some(text("failure.cause", cause)?),
                        None => None,
                    },
                })
            }
        };
        let heartbeat = match config.heartbeat {
            None => None,
            Some(heartbeat) => Some(Condition {
                path: path("heartbeat.when", &heartbeat.when)?,
                equals: heartbeat.equals.unwrap_or(Value::Bool(true)),
            }),
        };
        if let Some(odd) = config.expects.iter().find(|name| {
            name.split_once('.')
                .is_none_or(|(machine, state)| machine.is_empty() || state.is_empty())
        }) {
            return wrong(format!(
                "`expects` has {odd:?}; write STATE_MACHINE.STATE, for example \"LoanProcessor.RequestValuation\""
            ));
        }
        let body_bytes_max = config.body_bytes_max.unwrap_or(BODY_BYTES_MAX);
        if !(1..=BODY_BYTES_MAX).contains(&body_bytes_max) {
            return wrong(format!(
                "`body_bytes_max` is {body_bytes_max}; it must be from 1 to {BODY_BYTES_MAX}, the most that Step Functions takes as an output"
            ));
        }
        let dispositions = match config.alerts {
            None => Disposition::ALL
                .into_iter()
                .filter(|disposition| disposition.alerts_by_default())
                .collect(),
            Some(names) => names
                .iter()
                .map(|wanted| {
                    Disposition::named(wanted).ok_or_else(|| {
                        let known: Vec<_> = Disposition::ALL.iter().map(|d| d.name()).collect();
                        format!(
                            "route \"{name}\": `alerts` has {wanted:?}, which is no disposition; {}",
                            did_you_mean(wanted, &known)
                        )
                    })
                })
                .collect::<Result<Vec<_>, _>>()?,
        };
        let alerts = match &config.topic {
            None => None,
            Some(topic) => match topics.arn(topic) {
                Some(topic_arn) => Some(Alerts {
                    topic_arn,
                    dispositions,
                }),
                None => {
                    return wrong(format!(
                        "`topic` {topic:?} is not configured; add [topics.{topic}], or name a topic that is"
                    ));
                }
            },
        };
        let output = match config.output {
            Some(text) if text != "$" => Some(path("output", &text)?),
            _ => None,
        };
        let verification = match &config.verify {
            None => Verification::None,
            Some(verify) => verify
                .checked()
                .map_err(|what| format!("route \"{name}\": {what}"))?,
        };
        Ok(Route {
            index,
            verification,
            reference: path("reference", &config.reference)?,
            failure,
            heartbeat,
            output,
            expects: config.expects,
            early_keep_seconds: config
                .early_keep_seconds
                .unwrap_or(EARLY_KEEP_SECONDS)
                .into(),
            used_keep_seconds: config.used_keep_seconds.unwrap_or(USED_KEEP_SECONDS).into(),
            body_bytes_max,
            alerts,
            path: config.path,
            name,
        })
    }

    /// What a callback that was verified says, in the order size, JSON, reference, intent.
    pub fn read(&self, body: &Bytes) -> Result<Reading, Fault> {
        let malformed = |reason: String| Fault {
            disposition: Disposition::Malformed,
            reason,
        };
        if body.len() > self.body_bytes_max {
            return Err(Fault {
                disposition: Disposition::TooLarge,
                reason: format!(
                    "The body has {} bytes; this route takes {}.",
                    body.len(),
                    self.body_bytes_max
                ),
            });
        }
        let value: Value = serde_json::from_slice(body)
            .map_err(|why| malformed(format!("The body is not JSON: {why}.")))?;
        let place = self.reference.text();
        let reference = match at(&self.reference, &value) {
            Some(Value::String(text)) => text,
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => {
                return Err(malformed(format!(
                    "The reference at {place} is neither text nor a number."
                )));
            }
            None => return Err(malformed(format!("There is no reference at {place}."))),
        };
        if reference.is_empty() {
            return Err(malformed(format!("The reference at {place} is empty.")));
        }
        if reference.len() > REFERENCE_BYTES_MAX {
            return Err(malformed(format!(
                "The reference at {place} has {} bytes; at most {REFERENCE_BYTES_MAX} are possible.",
                reference.len()
            )));
        }
        Ok(Reading {
            reference,
            intent: self.intent(&value).map_err(malformed)?,
            digest: digest(&value),
        })
    }

    fn intent(&self, body: &Value) -> Result<Intent, String> {
        if self.heartbeat.as_ref().is_some_and(|rule| rule.holds(body)) {
            return Ok(Intent::Heartbeat);
        }
        if let Some(rule) = self
            .failure
            .as_ref()
            .filter(|rule| rule.condition.holds(body))
        {
            let Some(error) = rule.error.of(body) else {
                return Err(
                    "It says that it failed, and gives no error name where the route looks for one."
                        .into(),
                );
            };
            return Ok(Intent::Failure {
                error: Some(error),
                // A third party that says less about a failure than it could is not refused for it.
                cause: rule.cause.as_ref().and_then(|cause| cause.of(body)),
            });
        }
        let output = match &self.output {
            None => None,
            Some(path) => match at(path, body) {
                Some(output) => Some(Data::from(output)),
                None => return Err(format!("There is no output at {}.", path.text())),
            },
        };
        Ok(Intent::Success { output })
    }
}

impl Condition {
    fn holds(&self, body: &Value) -> bool {
        at(&self.path, body).is_some_and(|found| found == self.equals)
    }
}

impl Text {
    fn of(&self, body: &Value) -> Option<String> {
        match self {
            Text::Fixed(text) => Some(text.clone()),
            Text::At(path) => match at(path, body)? {
                Value::String(text) => Some(text),
                Value::Null => None,
                other => Some(other.to_string()),
            },
        }
    }
}

/// What a path finds in a body.
fn at(path: &Path, body: &Value) -> Option<Value> {
    /// A callback has no context object and asks for no randomness.
    struct Nothing;
    impl Context for Nothing {
        fn value(&self) -> &Value {
            &Value::Null
        }
    }
    impl Random for Nothing {
        fn next(&self) -> u64 {
            0
        }
    }
    let scope = Scope {
        input: body,
        context: &Nothing,
        random: &Nothing,
        now: Timestamp(0),
        variables: &NoVariables,
        result: None,
        error_output: None,
        session: &Session::default(),
    };
    path.select(scope).ok().map(std::borrow::Cow::into_owned)
}

/// Equal for two bodies with the same values, whatever the order of members and the white space.
fn digest(value: &Value) -> String {
    fn feed(value: &Value, hash: &mut Sha256) {
        match value {
            Value::Array(items) => {
                hash.update(b"[");
                for item in items {
                    feed(item, hash);
                    hash.update(b",");
                }
                hash.update(b"]");
            }
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_unstable_by_key(|(name, _)| *name);
                hash.update(b"{");
                for (name, member) in members {
                    hash.update(Value::from(name.as_str()).to_string());
                    hash.update(b":");
                    feed(member, hash);
                    hash.update(b",");
                }
                hash.update(b"}");
            }
            // Text is written with its quotes, so no two values are written alike.
            scalar => hash.update(scalar.to_string()),
        }
    }
    let mut hash = Sha256::new();
    feed(value, &mut hash);
    hash.finalize()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
