//! Routes: how one third party calls back, checked.

pub mod config;

use asl::{Data, Timestamp};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::config::{
    AnswerConfig, BODY_BYTES_MAX, EARLY_KEEP_SECONDS, OutcomeConfig, RegistersConfig, RouteConfig,
    USED_KEEP_SECONDS,
};
use super::address::Address;
use super::callback::{BodyFormat, Callback, without_mark};
use super::chosen::Phase;
use super::disposition::Disposition;
use super::expression::{Condition, Query, Text, exact};
use super::rate::Rate;
use super::record::Intent;
use super::redact::Redaction;
use super::start::{Start, Starts};
use super::verify::{Doubt, Verification};
use super::words::did_you_mean;
use crate::http::{Call, Reply};
use crate::topics::Topics;

/// How long a reference may be: it is a part of a key that is held in memory.
pub const REFERENCE_BYTES_MAX: usize = 512;
/// How long a route's name may be, for the same reason.
const ROUTE_NAME_BYTES_MAX: usize = 64;

/// A route that was checked.
pub(super) struct Route {
    pub name: String,
    /// As it was written.
    pub config: RouteConfig,
    /// Where it is called: its own path first, then those of its outcomes.
    pub entrances: Vec<Entrance>,
    pub verification: Verification,
    pub expects: Vec<String>,
    pub early_keep_seconds: i64,
    pub used_keep_seconds: i64,
    pub body_bytes_max: usize,
    pub rate: Option<Rate>,
    pub alerts: Alerts,
    pub redaction: Redaction,
    pub format: BodyFormat,
    reference: Query,
    output: Option<Query>,
    repeat: Option<Query>,
    starts: Option<Starts>,
    from_request: Option<Query>,
    from_result: Option<Query>,
    answers: Vec<(Disposition, Answer)>,
}

/// A path of a route, and what it means to be called there.
pub(super) struct Entrance {
    pub address: Address,
    pub method: Method,
    meaning: Meaning,
}

enum Meaning {
    /// It is in the callback.
    Said {
        failure: Option<(Condition, Failing)>,
        heartbeat: Option<Condition>,
    },
    Success {
        output: Option<Query>,
    },
    Failure(Failing),
    Heartbeat,
}

/// Which failure.
struct Failing {
    error: Text,
    cause: Option<Text>,
}

/// What a third party hears instead of what the documentation says.
struct Answer {
    status: Option<StatusCode>,
    body: Option<(&'static str, Bytes)>,
}

/// Who hears of which dispositions.
pub(super) struct Alerts {
    pub topic_arn: Option<String>,
    dispositions: Vec<Disposition>,
}

impl Alerts {
    /// Whether this one is to be told.
    pub fn include(&self, disposition: Disposition) -> bool {
        self.dispositions.contains(&disposition)
    }
}

/// What a callback says.
pub(super) struct Reading {
    pub reference: String,
    pub intent: Intent,
    /// Equal for callbacks that say the same.
    pub digest: String,
    /// Equal for callbacks that are the same, if the route says how that is known.
    pub repeat: Option<String>,
    /// What it starts if nobody has registered its reference, or why it can't.
    pub start: Option<Result<Start, String>>,
}

impl Reading {
    /// The same, if the body is not stored as it came.
    pub fn without_its_body(mut self, body: &[u8]) -> Reading {
        if let Intent::Success { output } = &mut self.intent
            && output.is_none()
        {
            let text = std::str::from_utf8(body).ok();
            *output = text.and_then(|text| Data::parse(without_mark(text)).ok());
        }
        self
    }
}

/// Why a callback was not read.
pub(super) struct Fault {
    pub disposition: Disposition,
    /// One sentence.
    pub reason: String,
    /// If it is not verified.
    pub doubt: Option<Doubt>,
}

impl Fault {
    /// The same of a callback of which something is redacted: what an expression did not like is often said with the
    /// value, so of that only the code is left.
    pub fn without_values(mut self) -> Fault {
        const THREW: &str = "threw an error during evaluation. ";
        if let Some(at) = self.reason.find(THREW) {
            let (head, said) = self.reason.split_at(at + THREW.len());
            let code: String = said
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            self.reason = format!("{head}{code}; what it says more may be what is redacted.");
        }
        self
    }
}

impl Route {
    /// Checks a configuration.
    ///
    /// # Errors
    /// One sentence: which route, which key, what instead.
    pub fn checked(config: &RouteConfig, topics: &Topics) -> Result<Route, String> {
        let name = &config.name;
        Route::check(config, topics).map_err(|what| format!("route \"{name}\": {what}"))
    }

    fn check(config: &RouteConfig, topics: &Topics) -> Result<Route, String> {
        let name = &config.name;
        let simple = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > ROUTE_NAME_BYTES_MAX || !name.chars().all(simple) {
            return Err(format!(
                "a name is 1 to {ROUTE_NAME_BYTES_MAX} letters, digits, '-', '_' or '.'; give it another `name`"
            ));
        }
        let entrances = entrances(config)?;
        if let Some(odd) = config.expects.iter().find(|name| {
            name.split_once('.')
                .is_none_or(|(machine, state)| machine.is_empty() || state.is_empty())
        }) {
            return Err(format!(
                "`expects` has {odd:?}; write STATE_MACHINE.STATE, for example \"LoanProcessor.RequestValuation\""
            ));
        }
        let body_bytes_max = config.body_bytes_max.unwrap_or(BODY_BYTES_MAX);
        if !(1..=BODY_BYTES_MAX).contains(&body_bytes_max) {
            return Err(format!(
                "`body_bytes_max` is {body_bytes_max}; it must be from 1 to {BODY_BYTES_MAX}, the most that Step Functions takes as an output"
            ));
        }
        let reference = Query::parse("reference", &config.reference)?;
        let verification = match &config.verify {
            None => Verification::None,
            Some(verify) => verify.checked()?,
        };
        if matches!(verification, Verification::SignedUrl)
            && !config.reference.starts_with("$path.")
        {
            return Err(format!(
                "`reference` is {:?}; where each wait has a URL of its own (signed-url) the reference is a part of the path, for example path = \"/callbacks/{name}/{{code}}\" and reference = \"$path.code\"",
                config.reference
            ));
        }
        if let Some(parameter) = config.reference.strip_prefix("$path.")
            && let Some(entrance) = entrances
                .iter()
                .find(|entrance| !entrance.address.has(parameter))
        {
            return Err(format!(
                "`reference` is {:?}, and the path {:?} has no {{{parameter}}}",
                config.reference,
                entrance.address.text()
            ));
        }
        if matches!(verification, Verification::SignedUrl) && config.starts.is_some() {
            return Err(
                "`starts` has no meaning where each wait has a URL of its own (signed-url): a URL is of a wait that is there; leave it out"
                    .into(),
            );
        }
        let answers = config.answers.iter().map(|(named, answer)| {
            let disposition = disposition("answers", named)?;
            Ok((disposition, Answer::checked(named, answer)?))
        });
        Ok(Route {
            name: name.clone(),
            config: config.clone(),
            entrances,
            verification,
            expects: config.expects.clone(),
            early_keep_seconds: config
                .early_keep_seconds
                .unwrap_or(EARLY_KEEP_SECONDS)
                .into(),
            used_keep_seconds: config.used_keep_seconds.unwrap_or(USED_KEEP_SECONDS).into(),
            body_bytes_max,
            rate: config.rate.as_ref().map(Rate::checked).transpose()?,
            alerts: alerts(config, topics)?,
            redaction: Redaction::parse(&config.redact, config.body)?,
            format: config.body,
            reference,
            output: output("output", config.output.as_deref())?,
            repeat: query("repeat", config.repeat.as_deref())?,
            starts: config.starts.as_ref().map(Starts::checked).transpose()?,
            from_request: chosen("from_request", config, |r| r.from_request.as_deref())?,
            from_result: chosen("from_result", config, |r| r.from_result.as_deref())?,
            answers: answers.collect::<Result<_, String>>()?,
        })
    }

    /// Whether references of its tasks are registered without a worker.
    pub fn registers(&self) -> bool {
        self.from_request.is_some() || self.from_result.is_some()
    }

    /// Whether a callback that nobody waits for starts an execution.
    pub fn starts(&self) -> bool {
        self.starts.is_some()
    }

    /// Where the workflow's own reference is.
    pub fn chosen(&self, phase: Phase) -> Option<&Query> {
        match phase {
            Phase::Request => self.from_request.as_ref(),
            Phase::Result => self.from_result.as_ref(),
        }
    }

    /// Which parameter of its paths is the code of a URL that this server made.
    pub fn code_parameter(&self) -> Option<&str> {
        match self.verification {
            Verification::SignedUrl => self.config.reference.strip_prefix("$path."),
            _ => None,
        }
    }

    /// What a callback that was verified says, in the order size, body, reference, intent.
    pub fn read(
        &self,
        entrance: usize,
        call: &Call,
        parameters: &[(String, String)],
        now: Timestamp,
    ) -> Result<Reading, Fault> {
        self.read_as(None, entrance, call, parameters, now)
    }

    /// As [`Route::read`], where the reference may be known already and is not looked for.
    pub fn read_as(
        &self,
        reference: Option<&str>,
        entrance: usize,
        call: &Call,
        parameters: &[(String, String)],
        now: Timestamp,
    ) -> Result<Reading, Fault> {
        let body = &call.body;
        if body.len() > self.body_bytes_max {
            return Err(Fault {
                disposition: Disposition::TooLarge,
                reason: format!(
                    "The body has {} bytes; this route takes {}.",
                    body.len(),
                    self.body_bytes_max
                ),
                doubt: None,
            });
        }
        self.understand(reference, entrance, call, parameters, now)
            .map_err(|reason| Fault {
                disposition: Disposition::Malformed,
                reason,
                doubt: None,
            })
    }

    fn understand(
        &self,
        known: Option<&str>,
        entrance: usize,
        call: &Call,
        parameters: &[(String, String)],
        now: Timestamp,
    ) -> Result<Reading, String> {
        let body = self.format.read(call)?;
        let callback = Callback::new(body, call, parameters, now);
        let reference = match known {
            Some(known) => known.to_owned(),
            None => self.reference_of(&callback)?,
        };
        let repeat = match &self.repeat {
            Some(repeat) => repeat.identity(callback.scope())?,
            None => None,
        };
        let intent = self.intent(&self.entrances[entrance], &callback, call)?;
        let start = match (&self.starts, &intent) {
            (Some(starts), Intent::Success { .. }) => Some(starts.read(&callback, &reference)),
            _ => None,
        };
        Ok(Reading {
            reference,
            intent,
            start,
            digest: digest(entrance, &callback.body),
            repeat,
        })
    }

    fn reference_of(&self, callback: &Callback<'_>) -> Result<String, String> {
        let place = self.reference.written();
        let reference = match self.reference.find(callback.scope())? {
            Some(Value::String(text)) => text,
            Some(Value::Number(number)) => {
                exact(&number).map_err(|what| format!("The reference at {place} is {what}"))?
            }
            Some(_) => {
                return Err(format!(
                    "The reference at {place} is neither text nor a number."
                ));
            }
            None => return Err(format!("There is no reference at {place}.")),
        };
        if reference.is_empty() {
            return Err(format!("The reference at {place} is empty."));
        }
        if reference.len() > REFERENCE_BYTES_MAX {
            return Err(format!(
                "The reference at {place} has {} bytes; at most {REFERENCE_BYTES_MAX} are possible.",
                reference.len()
            ));
        }
        Ok(reference)
    }

    fn intent(
        &self,
        entrance: &Entrance,
        callback: &Callback<'_>,
        call: &Call,
    ) -> Result<Intent, String> {
        let output = match &entrance.meaning {
            Meaning::Heartbeat => return Ok(Intent::Heartbeat),
            Meaning::Failure(failing) => return failing.intent(callback),
            Meaning::Success { output } => output.as_ref().or(self.output.as_ref()),
            Meaning::Said { failure, heartbeat } => {
                if let Some(rule) = heartbeat
                    && rule.holds(callback)?
                {
                    return Ok(Intent::Heartbeat);
                }
                if let Some((rule, failing)) = failure
                    && rule.holds(callback)?
                {
                    return failing.intent(callback);
                }
                self.output.as_ref()
            }
        };
        let output = match output {
            Some(query) => match query.find(callback.scope())? {
                Some(output) => Some(Data::from(output)),
                None => return Err(format!("There is no output at {}.", query.written())),
            },
            // The body is kept anyway, and is its own text if it is JSON.
            None if self.format == BodyFormat::Json && !call.body.is_empty() => None,
            None => Some(Data::from(callback.body.clone())),
        };
        Ok(Intent::Success { output })
    }

    /// What the third party hears of a disposition: `usual`, unless the route says something else.
    pub fn answer(&self, disposition: Disposition, usual: Reply) -> Reply {
        let Some((_, answer)) = self.answers.iter().find(|(of, _)| *of == disposition) else {
            return usual;
        };
        let mut reply = usual;
        if let Some(status) = answer.status {
            reply.status = status;
        }
        if let Some((content_type, body)) = &answer.body {
            reply.content_type = content_type;
            reply.body = body.clone();
        }
        if [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&reply.status) {
            reply.body = Bytes::new();
        }
        reply
    }
}

impl Failing {
    fn checked(key: &str, error: &str, cause: Option<&str>) -> Result<Failing, String> {
        if error.is_empty() {
            return Err(format!(
                "`{key}.error` is empty; name the error that Retry and Catch are to see"
            ));
        }
        Ok(Failing {
            error: Text::parse(&format!("{key}.error"), error)?,
            cause: match cause {
                Some(cause) => Some(Text::parse(&format!("{key}.cause"), cause)?),
                None => None,
            },
        })
    }

    fn intent(&self, callback: &Callback<'_>) -> Result<Intent, String> {
        let Some(error) = self.error.of(callback)? else {
            return Err(
                "It says that it failed, and gives no error name where the route looks for one."
                    .into(),
            );
        };
        // A third party that says less about a failure than it could is not refused for it.
        let cause = match &self.cause {
            Some(cause) => cause.of(callback)?,
            None => None,
        };
        Ok(Intent::Failure {
            error: Some(first_of(error, ERROR_CHARS_MAX)),
            cause: cause.map(|cause| first_of(cause, CAUSE_CHARS_MAX)),
        })
    }
}

/// So many characters of an error and of a cause does `SendTaskFailure` take. A failure that has more to say fails its task with
/// the first of them, and the inbox has all of it: refused, it would leave the workflow to its timeout.
const ERROR_CHARS_MAX: usize = 256;
const CAUSE_CHARS_MAX: usize = 32_768;

fn first_of(mut text: String, chars_max: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(chars_max) {
        text.truncate(end);
    }
    text
}

impl Answer {
    fn checked(of: &str, config: &AnswerConfig) -> Result<Answer, String> {
        let status = match config.status {
            None => None,
            Some(number @ 200..=599) => {
                Some(StatusCode::from_u16(number).expect("200 to 599 are statuses"))
            }
            Some(number) => {
                return Err(format!(
                    "`answers.{of}.status` is {number}; an answer's status is from 200 to 599"
                ));
            }
        };
        let body = config.body.as_ref().map(|body| match body {
            Value::String(text) => ("text/plain; charset=utf-8", Bytes::from(text.clone())),
            json => ("application/json", Bytes::from(json.to_string())),
        });
        Ok(Answer { status, body })
    }
}

/// The paths of a route.
fn entrances(config: &RouteConfig) -> Result<Vec<Entrance>, String> {
    let failure = match &config.failure {
        None => None,
        Some(failure) => Some((
            Condition::parse("failure.when", &failure.when, failure.equals.clone())?,
            Failing::checked("failure", &failure.error, failure.cause.as_deref())?,
        )),
    };
    let heartbeat = match &config.heartbeat {
        None => None,
        Some(heartbeat) => Some(Condition::parse(
            "heartbeat.when",
            &heartbeat.when,
            heartbeat.equals.clone(),
        )?),
    };
    let mut all = vec![Entrance {
        address: Address::parse(&config.path, &config.name)
            .map_err(|what| format!("`path` {what}"))?,
        method: method("method", config.method.as_deref())?,
        meaning: Meaning::Said { failure, heartbeat },
    }];
    for (index, outcome) in config.outcomes.iter().enumerate() {
        let key = format!("outcomes[{index}]");
        let entrance = Entrance {
            address: Address::parse(&outcome.path, &config.name)
                .map_err(|what| format!("`{key}.path` {what}"))?,
            method: method(&format!("{key}.method"), outcome.method.as_deref())?,
            meaning: meaning(&key, outcome)?,
        };
        if let Some(rival) = all.iter().find(|other| entrance.rivals(other)) {
            return Err(format!(
                "`{key}.path` {:?} is the same as {:?}; an outcome needs a path of its own",
                outcome.path,
                rival.address.text()
            ));
        }
        all.push(entrance);
    }
    Ok(all)
}

impl Entrance {
    /// What being called here means, in a word; none if the callback says.
    pub fn outcome(&self) -> Option<&'static str> {
        match self.meaning {
            Meaning::Said { .. } => None,
            Meaning::Success { .. } => Some("success"),
            Meaning::Failure(_) => Some("failure"),
            Meaning::Heartbeat => Some("heartbeat"),
        }
    }

    /// Whether a call could be for both.
    pub fn rivals(&self, other: &Entrance) -> bool {
        self.method == other.method && self.address.rivals(&other.address)
    }
}

fn meaning(key: &str, config: &OutcomeConfig) -> Result<Meaning, String> {
    let of = config.outcome.as_str();
    let odd = [
        ("output", config.output.is_some(), "success"),
        ("error", config.error.is_some(), "failure"),
        ("cause", config.cause.is_some(), "failure"),
    ]
    .into_iter()
    .find(|(_, set, belongs)| *set && *belongs != of);
    let known = ["success", "failure", "heartbeat"];
    if known.contains(&of)
        && let Some((name, _, belongs)) = odd
    {
        return Err(format!(
            "`{key}.{name}` belongs to a {belongs}, and this is a {of}"
        ));
    }
    Ok(match of {
        "success" => Meaning::Success {
            output: query(&format!("{key}.output"), config.output.as_deref())?,
        },
        "failure" => {
            let error = config.error.as_deref().ok_or_else(|| {
                format!("`{key}.error` is missing; name the error that Retry and Catch are to see")
            })?;
            Meaning::Failure(Failing::checked(key, error, config.cause.as_deref())?)
        }
        "heartbeat" => Meaning::Heartbeat,
        other => {
            return Err(format!(
                "`{key}.outcome` is {other:?}; {}",
                did_you_mean(other, &known)
            ));
        }
    })
}

fn method(key: &str, name: Option<&str>) -> Result<Method, String> {
    const KNOWN: [&str; 5] = ["POST", "PUT", "PATCH", "GET", "DELETE"];
    match name {
        None => Ok(Method::POST),
        Some(name) if KNOWN.contains(&name) => {
            Ok(Method::from_bytes(name.as_bytes()).expect("a known method"))
        }
        Some(name) => Err(format!(
            "`{key}` is {name:?}; {}",
            did_you_mean(name, &KNOWN)
        )),
    }
}

fn query(key: &str, text: Option<&str>) -> Result<Option<Query>, String> {
    text.map(|text| Query::parse(key, text)).transpose()
}

/// As [`query`], and nothing if it is the whole body, which needs no second copy.
fn output(key: &str, text: Option<&str>) -> Result<Option<Query>, String> {
    Ok(query(key, text)?.filter(|query| !query.is_body()))
}

/// Where a reference is that the workflow chooses itself.
fn chosen(
    key: &str,
    config: &RouteConfig,
    of: impl Fn(&RegistersConfig) -> Option<&str>,
) -> Result<Option<Query>, String> {
    let Some(text) = config.registers.as_ref().and_then(of) else {
        return Ok(None);
    };
    if config.expects.is_empty() {
        return Err(
            "`registers` needs `expects`, which says whose references are registered".into(),
        );
    }
    Query::parse_with(&format!("registers.{key}"), text, &super::chosen::VARIABLES).map(Some)
}

fn disposition(key: &str, name: &str) -> Result<Disposition, String> {
    Disposition::named(name).ok_or_else(|| {
        let known = Disposition::ALL.map(Disposition::name);
        let hint = did_you_mean(name, &known);
        format!("`{key}` has {name:?}, which is no disposition; {hint}")
    })
}

fn alerts(config: &RouteConfig, topics: &Topics) -> Result<Alerts, String> {
    let dispositions = match &config.alerts {
        None => Disposition::ALL
            .into_iter()
            .filter(|disposition| disposition.alerts_by_default())
            .collect(),
        Some(names) => names
            .iter()
            .map(|name| disposition("alerts", name))
            .collect::<Result<Vec<_>, _>>()?,
    };
    let topic_arn = match &config.topic {
        None => None,
        Some(topic) => Some(topics.arn(topic).ok_or_else(|| {
            format!(
                "`topic` {topic:?} is not configured; add [topics.{topic}], or name a topic that is"
            )
        })?),
    };
    Ok(Alerts {
        topic_arn,
        dispositions,
    })
}

/// Equal for two bodies with the same values, whatever the order of members and the white space, at the
/// same entrance: the same body at another path is another outcome.
fn digest(entrance: usize, value: &Value) -> String {
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
    if entrance > 0 {
        hash.update(entrance.to_le_bytes());
    }
    feed(value, &mut hash);
    hash.finalize()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
