//! A run that was played, as a scenario file that plays it again: what answered each attempt, and what else happened,
//! word for word.

use asl::{Failure, Resource};
use serde_json::{Map, Value, json};

use super::yaml;
use crate::part::{Act, Asked, Callback, Deed, Director, Part, Reply};

/// What answered one attempt of a task.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The Task state.
    pub state: String,
    /// Who was asked.
    pub resource: Resource,
    /// What was done about it.
    pub part: Part,
}

/// Writes down what a director does.
pub struct Recording<D> {
    director: D,
    answered: std::sync::Arc<parking_lot::Mutex<Vec<Answered>>>,
}

impl<D> Recording<D> {
    /// What `director` does is written to `answered`.
    pub fn new(
        director: D,
        answered: std::sync::Arc<parking_lot::Mutex<Vec<Answered>>>,
    ) -> Recording<D> {
        Recording { director, answered }
    }
}

impl<D: Director> Director for Recording<D> {
    fn part(&mut self, task: &Asked, attempt: u32) -> Part {
        let part = self.director.part(task, attempt);
        self.answered.lock().push(Answered {
            state: task.state.clone(),
            resource: task.resource.clone(),
            part: part.clone(),
        });
        part
    }
}

/// All that a file with one case says.
pub struct Written<'w> {
    /// What a person should know of it: comments above everything.
    pub about: &'w [String],
    /// The case's name.
    pub name: &'w str,
    /// The definition: its file, or itself.
    pub definition: &'w Value,
    /// The machine's name.
    pub machine: &'w str,
    /// The configuration's file.
    pub config: Option<&'w str>,
    /// The execution's input.
    pub input: &'w Value,
    /// What answered, in the order in which it was asked.
    pub answered: &'w [Answered],
    /// What must come of it.
    pub expect: &'w Value,
}

impl Written<'_> {
    /// The file.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in self.about {
            text.push_str(&format!("# {line}\n"));
        }
        let mut file = json!({
            "name": self.name,
            "definition": self.definition,
            "machine": self.machine,
        });
        if let Some(config) = self.config {
            file["config"] = config.into();
        }
        file["input"] = self.input.clone();
        file["tasks"] = tasks(self.answered);
        file["expect"] = self.expect.clone();
        text.push_str(&yaml::text(&file));
        text
    }
}

/// What answers each state: attempt by attempt, those that are alike as one.
fn tasks(answered: &[Answered]) -> Value {
    let mut tasks: Map<String, Value> = Map::new();
    for one in answered {
        let said = attempt(one);
        let attempts = tasks.entry(&one.state).or_insert_with(|| json!([]));
        let attempts = attempts.as_array_mut().expect("it was made a list");
        match attempts.last_mut() {
            Some(last) if without_times(last) == said => {
                last["times"] = (last["times"].as_u64().unwrap_or(1) + 1).into();
            }
            _ => attempts.push(said),
        }
    }
    for attempts in tasks.values_mut() {
        // The last one answers all that follow, however many those are.
        let last = attempts
            .as_array_mut()
            .and_then(|attempts| attempts.last_mut());
        if let Some(Value::Object(last)) = last {
            last.shift_remove("times");
        }
        if let Some([only]) = attempts.as_array().map(Vec::as_slice) {
            *attempts = only.clone();
        }
    }
    Value::Object(tasks)
}

fn without_times(attempt: &Value) -> Value {
    let mut attempt = attempt.clone();
    if let Value::Object(members) = &mut attempt {
        members.shift_remove("times");
    }
    attempt
}

fn attempt(answered: &Answered) -> Value {
    let Part {
        reply,
        delay,
        deeds,
        ..
    } = &answered.part;
    let mut said = match reply {
        Reply::Real => json!({ "real": true }),
        Reply::Never => json!({ "never": true }),
        Reply::Throw(failure) => json!({ "throws": described(failure) }),
        Reply::Return(result) => json!({ "returns": returned(result.value(), &answered.resource) }),
    };
    if *delay > 0 {
        said["after"] = time(*delay).into();
    }
    if !deeds.is_empty() {
        said["then"] = deeds.iter().map(deed).collect();
    }
    said
}

/// What was made up need not be what the service says. What an expression gives is not held against its model.
fn returned(result: &Value, resource: &Resource) -> Value {
    match server::mocks::check_result(resource.as_written(), result) {
        Ok(()) => literal(result),
        Err(_) => format!("{{% {result} %}}").into(),
    }
}

/// A value whose texts stay what they are, even if they look like expressions.
fn literal(value: &Value) -> Value {
    match value {
        Value::String(text) if asl::jsonata::between_braces(text).is_some() => {
            format!("{{% {value} %}}").into()
        }
        Value::Array(items) => items.iter().map(literal).collect(),
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(name, value)| (name.clone(), literal(value)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

fn deed(deed: &Deed) -> Value {
    let act = match &deed.act {
        Act::Succeed(output) => json!({ "succeed": literal(output) }),
        Act::Fail(failure) => json!({ "fail": described(failure) }),
        Act::Heartbeat => json!("heartbeat"),
        Act::Register { route, reference } => {
            json!({ "registers": { "route": route, "reference": literal(&json!(reference)) } })
        }
        Act::Callback(callback) => json!({ "callback": called(callback) }),
        Act::Stop(failure) => match (&failure.error, &failure.cause) {
            (None, None) => json!("stop"),
            _ => json!({ "stop": described(failure) }),
        },
        Act::Redrive => json!("redrive"),
        Act::Restart(0) => json!("restart"),
        Act::Restart(down) => json!({ "restart": time(*down) }),
    };
    json!({ time(deed.after): act })
}

fn called(callback: &Callback) -> Value {
    let mut said = json!({ "path": callback.path });
    if !callback.headers.is_empty() {
        let headers = callback.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), literal(&json!(value))));
        said["headers"] = Value::Object(headers.collect());
    }
    let text = String::from_utf8_lossy(&callback.body);
    // The same bytes, or the signature would be another.
    let document: Option<Value> = serde_json::from_str(&text).ok();
    let document =
        document.filter(|body| (body.is_object() || body.is_array()) && body.to_string() == text);
    match document {
        Some(body) => said["body"] = literal(&body),
        None => said["raw"] = text.into(),
    }
    if callback.forged {
        said["forged"] = true.into();
    }
    said
}

fn described(failure: &Failure) -> Value {
    let mut said = json!({});
    if let Some(error) = &failure.error {
        said["error"] = error.as_ref().into();
    }
    if let Some(cause) = &failure.cause {
        said["cause"] = cause.as_str().into();
    }
    said
}

/// A length of time, to the millisecond.
fn time(millis: i64) -> String {
    match millis % 1000 {
        0 => format!("{}s", millis / 1000),
        _ => format!("{millis}ms"),
    }
}
