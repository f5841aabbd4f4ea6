//! What the outside does after a while, as a file says it: `- 6s: {callback: {...}}`.

use asl::{Failure, Pattern, Resource, StateKind, StateMachine};
use serde_json::Value;

use super::given::{DURATION, Given, Members, member, millis};
use super::steps::Refused;
use super::template::{Surroundings, Template};
use crate::part::{Act, Callback};
use crate::world::Settings;

/// What can be named in a file, to tell what can't.
pub(super) struct Known<'k> {
    pub(super) settings: &'k Settings,
    pub(super) machine: &'k StateMachine,
    /// Those of nested executions, by name.
    pub(super) others: &'k [(String, &'k StateMachine)],
}

impl<'k> Known<'k> {
    pub(super) fn states(&self) -> Vec<&'k str> {
        let states = self.machine.states.iter();
        states.map(|state| &*state.name).collect()
    }

    /// The Task states, those of other machines as `MACHINE.STATE` too.
    pub(super) fn tasks(&self) -> Vec<String> {
        let mut names: Vec<String> = tasks_of(self.machine).map(str::to_owned).collect();
        for (machine, definition) in self.others {
            for task in tasks_of(definition) {
                names.push(task.to_owned());
                names.push(format!("{machine}.{task}"));
            }
        }
        names
    }

    /// The resource of a Task state.
    pub(super) fn resource(&self, name: &str) -> Option<&'k Resource> {
        let of = |machine: &'k StateMachine, name: &str| {
            let state = machine.states.iter().find(|state| &*state.name == name)?;
            match &state.kind {
                StateKind::Task(task) => Some(&task.resource),
                _ => None,
            }
        };
        of(self.machine, name).or_else(|| {
            self.others.iter().find_map(|(machine, definition)| {
                let own = name
                    .strip_prefix(machine.as_str())
                    .and_then(|rest| rest.strip_prefix('.'));
                of(definition, own.unwrap_or(name))
            })
        })
    }

    /// The machine and the state that `MACHINE.STATE` names, of another machine.
    pub(super) fn elsewhere<'n>(&self, name: &'n str) -> Option<(&'n str, &'n str)> {
        if tasks_of(self.machine).any(|task| task == name) {
            return None;
        }
        self.others.iter().find_map(|(machine, definition)| {
            let state = name.strip_prefix(machine.as_str())?.strip_prefix('.')?;
            let known = tasks_of(definition).any(|task| task == state);
            known
                .then(|| name.split_at(machine.len()))
                .map(|(machine, _)| (machine, state))
        })
    }

    pub(super) fn routes(&self) -> Vec<&'k str> {
        let routes = self.settings.routes.iter();
        routes.map(|route| route.name.as_str()).collect()
    }

    /// The services that tasks can ask.
    pub(super) fn services(&self) -> Vec<&'k str> {
        let services = self.settings.services.iter();
        services
            .flat_map(|services| services.mock.services())
            .collect()
    }

    /// The routes of a service, as `POST /valuations`.
    pub(super) fn routes_of(&self, service: &str) -> Vec<&'k str> {
        let mut routes: Vec<&str> = match &self.settings.services {
            Some(services) => services.mock.routes(service).collect(),
            None => Vec::new(),
        };
        routes.dedup();
        routes
    }

    pub(super) fn topics(&self) -> Vec<&'k str> {
        self.settings.topics.keys().map(String::as_str).collect()
    }

    /// The states in which somebody waits for an answer from outside.
    fn waiting(&self) -> Vec<&'k str> {
        let waiting = self.machine.states.iter().filter(|state| {
            let StateKind::Task(task) = &state.kind else {
                return false;
            };
            match &task.resource {
                Resource::Activity { .. } => true,
                Resource::Service { pattern, .. } => *pattern == Pattern::WaitForTaskToken,
                Resource::Function { .. } => false,
            }
        });
        waiting.map(|state| &*state.name).collect()
    }
}

fn tasks_of(machine: &StateMachine) -> impl Iterator<Item = &str> {
    machine.states.iter().filter_map(|state| match state.kind {
        StateKind::Task(_) => Some(&*state.name),
        _ => None,
    })
}

/// Something that happens.
#[derive(Debug)]
pub(super) struct Planned {
    /// In milliseconds: after the task went out, or after the start.
    pub(super) after: i64,
    /// Which state it is about, if a script says it.
    pub(super) of: Option<String>,
    pub(super) doing: Doing,
    /// In a script: whether it has to be refused, and how.
    pub(super) refused: Refused,
}

/// What happens.
#[derive(Debug)]
pub(super) enum Doing {
    Callback {
        path: Template,
        headers: Vec<(String, Template)>,
        body: Body,
        forged: bool,
    },
    Register {
        route: String,
        reference: Template,
    },
    Succeed(Template),
    Fail(Failure),
    Heartbeat,
    Stop(Failure),
    Redrive,
    Restart(i64),
}

#[derive(Debug)]
pub(super) enum Body {
    Json(Template),
    Raw(String),
}

/// What follows a task, and what a script may say.
pub(super) const OF_TASKS: [&str; 8] = [
    "callback",
    "heartbeat",
    "succeed",
    "fail",
    "registers",
    "stop",
    "redrive",
    "restart",
];

/// What a script may say of an act.
pub(super) const ABOUT: [&str; 2] = ["of", "refused"];

const WHEN: &str = "Say when and what: `- 6s: heartbeat`.";

/// Reads a list of `TIME: {ACT: ...}`.
pub(super) fn read(given: &Given<'_>, known: &Known<'_>, script: bool) -> Vec<Planned> {
    let mut planned = Vec::new();
    for item in given.items() {
        let entries = match item.value {
            Value::Object(members) if !members.is_empty() => item.entries(),
            _ => {
                item.wrong_but("nothing happens at a time", WHEN);
                continue;
            }
        };
        for (time, what) in &entries {
            let Some(after) = millis(time) else {
                let hint = match OF_TASKS.contains(time) {
                    true => format!("{WHEN} What happens is indented below its time."),
                    false => format!("{WHEN} {DURATION}"),
                };
                what.wrong_name(format!("`{time}` is no time"), Some(hint));
                continue;
            };
            // At one time several things may happen, in this order.
            let what = what.items();
            if what.is_empty() {
                item.wrong_but(format!("nothing happens after {time}"), WHEN);
            }
            for what in what {
                planned.extend(act(&what, known, script, after));
            }
        }
    }
    planned
}

fn act(given: &Given<'_>, known: &Known<'_>, script: bool, after: i64) -> Option<Planned> {
    if let Value::String(_) = given.value {
        let word = given.word("act", &OF_TASKS)?;
        let doing = bare(word).or_else(|| {
            given.wrong(format!("`{word}` needs more: `{{{word}: ...}}`"));
            None
        })?;
        return Some(Planned {
            after,
            of: about(given, None, known, script, word),
            doing,
            refused: Refused::Not,
        });
    }
    let mut names = OF_TASKS.to_vec();
    if script {
        names.extend(ABOUT);
    }
    let members = given.members(&names);
    let acts: Vec<_> = members
        .iter()
        .filter(|(name, _)| !ABOUT.contains(name))
        .collect();
    let [(name, what)] = acts.as_slice() else {
        if !acts.is_empty() {
            given.wrong_but(
                "several things happen",
                "One act each: `- 6s: [{callback: ...}, restart]`.",
            );
        } else if members.is_empty() && given.entries().is_empty() {
            given.wrong("nothing happens");
        }
        return None;
    };
    let of = about(given, member(&members, "of"), known, script, name);
    let doing = match *name {
        "callback" => callback(what, known)?,
        "registers" => registers(what, known)?,
        "succeed" => Doing::Succeed(Template::read(what)),
        "fail" => Doing::Fail(failure(what)?),
        "stop" if !what.value.is_null() => Doing::Stop(failure(what)?),
        "restart" if !what.value.is_null() => Doing::Restart(what.duration()?),
        word => bare(word)?,
    };
    let refused = match member(&members, "refused") {
        Some(refused) => Refused::read(refused, name)?,
        None => Refused::Not,
    };
    Some(Planned {
        after,
        of,
        doing,
        refused,
    })
}

/// What needs no more than its word.
fn bare(word: &str) -> Option<Doing> {
    let nothing = || Failure {
        error: None,
        cause: None,
    };
    match word {
        "heartbeat" => Some(Doing::Heartbeat),
        "stop" => Some(Doing::Stop(nothing())),
        "redrive" => Some(Doing::Redrive),
        "restart" => Some(Doing::Restart(0)),
        _ => None,
    }
}

/// Which state's task something is about, in a script.
fn about(
    given: &Given<'_>,
    of: Option<&Given<'_>>,
    known: &Known<'_>,
    script: bool,
    act: &str,
) -> Option<String> {
    if !script {
        return None;
    }
    if !["heartbeat", "succeed", "fail", "registers"].contains(&act) {
        if let Some(of) = of {
            of.wrong_name(format!("a `{act}` is about no task"), None);
        }
        return None;
    }
    match of {
        Some(of) => {
            let tasks = known.tasks();
            let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
            of.word("Task state", &tasks).map(str::to_owned)
        }
        None => match known.waiting().as_slice() {
            [only] => Some((*only).to_owned()),
            several => {
                given.wrong_but(
                    "it is not clear whose task this is about",
                    format!("Add `of: STATE`. There are: {}.", several.join(", ")),
                );
                None
            }
        },
    }
}

/// `{route, reference}`.
pub(super) fn registers(given: &Given<'_>, known: &Known<'_>) -> Option<Doing> {
    let members = given.members(&["route", "reference"]);
    let route = route(given, &members, known)?;
    let Some(reference) = member(&members, "reference") else {
        given.wrong("a `reference` is missing");
        return None;
    };
    Some(Doing::Register {
        route: known.settings.routes[route].name.clone(),
        reference: Template::read(reference),
    })
}

/// The route that is named, or the only one.
fn route(given: &Given<'_>, members: &Members<'_>, known: &Known<'_>) -> Option<usize> {
    let routes = known.routes();
    match (member(members, "route"), routes.len()) {
        (Some(named), 1..) => {
            let name = named.word("route", &routes)?;
            routes.iter().position(|route| *route == name)
        }
        (None, 1) => Some(0),
        (_, 0) => {
            given.wrong_but(
                "there is no route",
                "Routes are configured: `config: rejoin.toml`.",
            );
            None
        }
        (None, _) => {
            given.wrong_but(
                "a `route` is missing",
                format!("There are: {}.", routes.join(", ")),
            );
            None
        }
    }
}

/// What a callback may have.
pub(super) const OF_CALLBACK: [&str; 6] = ["route", "path", "body", "raw", "headers", "forged"];

fn callback(given: &Given<'_>, known: &Known<'_>) -> Option<Doing> {
    let members = given.members(&OF_CALLBACK);
    let path = match member(&members, "path") {
        Some(path) => Template::read(path),
        None => {
            let route = &known.settings.routes[route(given, &members, known)?];
            if route.path.contains('{') {
                given.wrong_but(
                    format!("the route's path is {}", route.path),
                    "Give the path of this callback: `path: /...`.",
                );
            }
            Template::plain(route.path.as_str().into())
        }
    };
    let body = match (member(&members, "body"), member(&members, "raw")) {
        (Some(body), None) => Body::Json(Template::read(body)),
        (None, Some(raw)) => Body::Raw(raw.text()?.to_owned()),
        (None, None) => Body::Raw(String::new()),
        (Some(_), Some(raw)) => {
            raw.wrong_name("a callback has a `body` or is `raw`, not both", None);
            return None;
        }
    };
    let headers = member(&members, "headers").map(Given::entries);
    let headers = headers.into_iter().flatten();
    Some(Doing::Callback {
        path,
        headers: headers
            .map(|(name, value)| (name.to_owned(), Template::read(&value)))
            .collect(),
        body,
        forged: match member(&members, "forged") {
            Some(forged) => forged.truth()?,
            None => false,
        },
    })
}

/// `ERROR`, or `{error, cause}`.
pub(super) fn failure(given: &Given<'_>) -> Option<Failure> {
    if let Value::String(error) = given.value {
        return Some(Failure {
            error: Some(error.clone().into()),
            cause: None,
        });
    }
    let members = given.members(&["error", "cause"]);
    let text = |name| member(&members, name).and_then(Given::text);
    if members.is_empty() {
        given.wrong_but(
            "an error is missing",
            "It is its name, or `{error: NAME, cause: TEXT}`.",
        );
        return None;
    }
    Some(Failure {
        error: text("error").map(|error| error.to_owned().into()),
        cause: text("cause").map(str::to_owned),
    })
}

impl Doing {
    /// What it is called in a file.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Doing::Callback { .. } => "callback",
            Doing::Register { .. } => "registers",
            Doing::Succeed(_) => "succeed",
            Doing::Fail(_) => "fail",
            Doing::Heartbeat => "heartbeat",
            Doing::Stop(_) => "stop",
            Doing::Redrive => "redrive",
            Doing::Restart(_) => "restart",
        }
    }

    /// What is done, now that it is known about what.
    ///
    /// # Errors
    /// What an expression says is wrong.
    pub(super) fn act(&self, surroundings: &Surroundings) -> Result<Act, String> {
        Ok(match self {
            Doing::Callback {
                path,
                headers,
                body,
                forged,
            } => {
                let mut given = Vec::with_capacity(headers.len());
                for (name, value) in headers {
                    given.push((name.to_lowercase(), value.text(surroundings)?));
                }
                Act::Callback(Callback {
                    path: path.text(surroundings)?,
                    headers: given,
                    body: match body {
                        Body::Raw(text) => text.clone().into_bytes(),
                        // A text is the body as it is: a form, for example.
                        Body::Json(body) => body.text(surroundings)?.into_bytes(),
                    },
                    forged: *forged,
                })
            }
            Doing::Register { route, reference } => Act::Register {
                route: route.clone(),
                reference: reference.text(surroundings)?,
            },
            Doing::Succeed(output) => Act::Succeed(output.evaluate(surroundings)?),
            Doing::Fail(failure) => Act::Fail(failure.clone()),
            Doing::Heartbeat => Act::Heartbeat,
            Doing::Stop(failure) => Act::Stop(failure.clone()),
            Doing::Redrive => Act::Redrive,
            Doing::Restart(down) => Act::Restart(*down),
        })
    }
}
