//! How the answer to a task that waits for its token comes in: through the route that expects it, or with the token.

use serde_json::{Value, json};
use server::gateway::RouteConfig;

use super::place::{self, Step, steps};
use crate::part::{Act, Asked, Callback};

/// The way in for one task.
#[derive(Debug, Clone)]
pub enum Channel {
    /// `SendTaskSuccess` and its like.
    Token,
    /// A route of the gateway.
    Route(Box<Door>),
}

/// A route whose callbacks can be made up.
#[derive(Debug, Clone)]
pub struct Door {
    /// Its name.
    pub route: String,
    path: String,
    reference: Where,
    output: Vec<Step>,
    failure: Option<(Vec<Step>, Value, Error)>,
    heartbeat: Option<(Vec<Step>, Value)>,
    /// Who registers the reference.
    pub registers: Registers,
    /// Whether the route knows its third party.
    pub is_verified: bool,
}

/// Where the reference stands in a callback.
#[derive(Debug, Clone)]
enum Where {
    Body(Vec<Step>),
    Path(String),
    Query(String),
    Header(String),
}

/// The error of a callback that is a failure.
#[derive(Debug, Clone)]
enum Error {
    Fixed(String),
    At(Vec<Step>),
}

/// Who registers the reference of a wait.
#[derive(Debug, Clone, PartialEq)]
pub enum Registers {
    /// A worker, with the token.
    Worker,
    /// The server, with what stands there in the request.
    Request(Vec<Step>),
    /// The server, with the execution's name.
    ExecutionName,
    /// The server, with what stands there in the resource's answer.
    Result(Vec<Step>),
}

impl Door {
    /// A route as a way in.
    ///
    /// # Errors
    /// Which of its keys can't be played, in a few words.
    pub fn of(route: &RouteConfig) -> Result<Door, String> {
        if route.engine.is_some() {
            return Err("its engine is elsewhere".to_owned());
        }
        if !matches!(serde_json::to_value(route.body), Ok(Value::String(body)) if body == "json") {
            return Err("its callbacks are not JSON".to_owned());
        }
        let scheme = route.verify.as_ref().map(|verify| &*verify.scheme);
        if scheme == Some("signed-url") {
            return Err("each wait has a URL of its own".to_owned());
        }
        if route
            .method
            .as_deref()
            .is_some_and(|method| method != "POST")
        {
            return Err("it is not called with POST".to_owned());
        }
        let reference = match route.reference.split_once('.') {
            Some(("$path", name)) => Where::Path(name.to_owned()),
            Some(("$query", name)) => Where::Query(name.to_owned()),
            Some(("$headers", name)) => Where::Header(name.to_owned()),
            _ => Where::Body(in_body("reference", &route.reference)?),
        };
        if !matches!(reference, Where::Path(_)) && route.path.contains('{') {
            return Err("its path has parts that are not the reference".to_owned());
        }
        let equals = |equals: &Option<Value>| equals.clone().unwrap_or(Value::Bool(true));
        let failure = match &route.failure {
            None => None,
            Some(failure) => {
                let error = match failure.error.starts_with('$') {
                    true => Error::At(in_body("failure.error", &failure.error)?),
                    false => Error::Fixed(failure.error.clone()),
                };
                let when = in_body("failure.when", &failure.when)?;
                Some((when, equals(&failure.equals), error))
            }
        };
        let heartbeat = match &route.heartbeat {
            None => None,
            Some(beat) => Some((in_body("heartbeat.when", &beat.when)?, equals(&beat.equals))),
        };
        let registers = match &route.registers {
            None => Registers::Worker,
            Some(chosen) => match (&chosen.from_request, &chosen.from_result) {
                (Some(from), _) if from == "$execution.name" => Registers::ExecutionName,
                (Some(from), _) => Registers::Request(in_body("registers.from_request", from)?),
                (None, Some(from)) => Registers::Result(in_body("registers.from_result", from)?),
                (None, None) => Registers::Worker,
            },
        };
        Ok(Door {
            route: route.name.clone(),
            path: route.path.clone(),
            reference,
            output: match &route.output {
                None => Vec::new(),
                Some(output) => in_body("output", output)?,
            },
            failure,
            heartbeat,
            registers,
            is_verified: scheme.is_some_and(|scheme| scheme != "none"),
        })
    }

    /// Whether callbacks can say that the work goes on.
    pub fn has_heartbeats(&self) -> bool {
        self.heartbeat.is_some()
    }

    /// The error of its failures: none if there are no failures, nothing inside if the callback says which.
    pub fn failure(&self) -> Option<Option<&str>> {
        let (_, _, error) = self.failure.as_ref()?;
        Some(match error {
            Error::Fixed(name) => Some(name),
            Error::At(_) => None,
        })
    }

    /// The reference of one attempt's wait.
    pub fn reference(&self, task: &Asked, attempt: u32) -> String {
        let chosen = match &self.registers {
            Registers::Request(at) => place::get(task.parameters.value(), at),
            Registers::ExecutionName => {
                return task
                    .execution_arn
                    .rsplit(':')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
            }
            Registers::Worker | Registers::Result(_) => None,
        };
        match chosen {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => format!("reference-{}", attempt + 1),
        }
    }

    /// A callback that is the task's result.
    pub fn success(&self, reference: &str, result: &Value) -> Callback {
        let mut body = json!({});
        place::set(&mut body, &self.output, result.clone());
        self.callback(body, reference)
    }

    /// One that is its failure.
    pub fn failed(&self, reference: &str, name: &str) -> Option<Callback> {
        let (when, equals, error) = self.failure.as_ref()?;
        let mut body = json!({});
        place::set(&mut body, when, equals.clone());
        if let Error::At(at) = error {
            place::set(&mut body, at, name.into());
        }
        Some(self.callback(body, reference))
    }

    /// One that says that the work goes on.
    pub fn beat(&self, reference: &str) -> Option<Callback> {
        let (when, equals) = self.heartbeat.as_ref()?;
        let mut body = json!({});
        place::set(&mut body, when, equals.clone());
        Some(self.callback(body, reference))
    }

    /// One that is not even JSON.
    pub fn malformed(&self, reference: &str) -> Callback {
        let mut callback = self.callback(json!({}), reference);
        callback.body = b"{ this is no JSON".to_vec();
        callback
    }

    fn callback(&self, mut body: Value, reference: &str) -> Callback {
        let mut path = self.path.clone();
        let mut headers = Vec::new();
        match &self.reference {
            Where::Body(at) => place::set(&mut body, at, reference.into()),
            Where::Path(name) => path = path.replace(&format!("{{{name}}}"), reference),
            Where::Query(name) => path = format!("{path}?{name}={reference}"),
            Where::Header(name) => headers.push((name.clone(), reference.to_owned())),
        }
        Callback {
            path,
            headers,
            body: body.to_string().into_bytes(),
            forged: false,
        }
    }

    /// What a worker does once it knows the reference.
    pub fn register(&self, reference: &str) -> Option<Act> {
        (self.registers == Registers::Worker).then(|| Act::Register {
            route: self.route.clone(),
            reference: reference.to_owned(),
        })
    }
}

fn in_body(key: &str, text: &str) -> Result<Vec<Step>, String> {
    let text = text.trim();
    let path = text.strip_prefix('$');
    let path = path.filter(|path| path.is_empty() || path.starts_with(['.', '[']));
    let found = path.map(steps);
    match found {
        // A filter or a function would have been left out.
        Some(found) if place::written("$", &found).len() + 2 >= text.len() => Ok(found),
        _ => Err(format!(
            "its `{key}` {text:?} is no plain path into the body"
        )),
    }
}
