//! Scenario files: a state machine, what the outside does, and what must come of it. `rejoin test` runs them.
//!
//! A file is YAML ([`text`]: or a Markdown document with YAML in it). Its members are what all of its cases have in
//! common; each of its `cases` has the same members and puts them over these; `tasks`, `machines`, `services`, `faults`
//! and `expect` name by name.
//!
//! | member | what it says | read by |
//! | --- | --- | --- |
//! | `name` | the case's name | |
//! | `definition` | the state machine: a file, the definition itself, `{template, resource}` | [`definition`], [`cloudformation`] |
//! | `machine` | the state machine's name; by default the template's, or the file's | |
//! | `machines` | those that it starts: a definition by name | |
//! | `config` | functions, topics and routes, as for `rejoin serve` | the caller |
//! | `input` | the execution's input, or `@FILE` | |
//! | `tasks` | what answers Task states | [`tasks`], [`asks`], [`template`] |
//! | `services` | services that tasks ask: a mock's `services`, or its file, or a list of these | [`services`], the crate `mock` |
//! | `faults` | what a service does wrong: `{SERVICE: late}` | the same |
//! | `mock` | a test case of a mock configuration: `{file, case}` | `server::mocks` |
//! | `script` | what happens at a time after the start, and what of it is refused | [`acts`], [`steps`] |
//! | `until` | how far time goes; by default until nothing is due any more | |
//! | `expect` | what must come of it | [`expect`], [`pattern`] |
//! | `comment` | for people | |
//!
//! Everything that is wrong with a file is found at once, each thing with its place ([`given`]). [`play`] plays a case,
//! [`came`] is what came of it. [`write`](mod@write) makes a file of a run that somebody else has played.

mod acts;
mod asks;
pub mod came;
mod cloudformation;
pub mod definition;
#[cfg(test)]
mod documented;
pub mod expect;
mod given;
pub mod pattern;
pub mod play;
mod real;
mod served;
mod services;
mod steps;
mod tasks;
mod template;
mod text;
pub mod write;
mod yaml;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use asl::StateMachine;
use serde_json::{Value, json};
use server::gateway::misnamed;
use server::mocks::{Mocks, Validation};
use source::report::Paint;

use self::acts::{Known, Planned};
use self::definition::Definition;
use self::expect::Expect;
use self::given::{Faults, Given, Members, member};
use self::tasks::Mock;
use crate::world::{Machine, PATIENCE, Settings};

pub use self::given::spoken;
pub use self::pattern::Mismatch;
pub use self::play::{Outcome, play};

const OF_CASES: [&str; 14] = [
    "name",
    "definition",
    "machine",
    "machines",
    "config",
    "input",
    "services",
    "faults",
    "tasks",
    "mock",
    "script",
    "until",
    "expect",
    "comment",
];

/// What reads a configuration file for a case.
pub type Configure<'c> = &'c dyn Fn(&Path) -> Result<Settings, String>;

/// A file, read.
#[derive(Debug, Default)]
pub struct File {
    /// Its cases, if nothing is wrong with it.
    pub cases: Vec<Case>,
    /// All that was read for it, the file itself too.
    pub files: BTreeSet<PathBuf>,
    /// All that is wrong with it, for people.
    pub faults: Option<String>,
    /// The same for programs.
    pub wrong: Vec<Mistake>,
}

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Line and column, both from 1; none if it is the whole file.
    pub place: Option<(usize, usize)>,
    /// What.
    pub message: String,
    /// What to do, if that is known.
    pub hint: Option<String>,
}

/// Both.
type Refused = (String, Vec<Mistake>);

/// One case: an execution, what happens to it, and what must come of it.
pub struct Case {
    /// Its name.
    pub name: String,
    /// The file that it is in.
    pub file: String,
    /// The state machine.
    pub definition: Definition,
    /// The state machine's name.
    pub machine: String,
    machines: Vec<Machine>,
    settings: Settings,
    input: Value,
    tasks: HashMap<String, Mock>,
    /// The test case of the mock configuration.
    test_case: Option<String>,
    script: Vec<Planned>,
    until: Option<i64>,
    /// How long it may take in real time.
    pub patience: Duration,
    expect: Expect,
}

impl Case {
    /// The execution's input.
    pub fn input(&self) -> &Value {
        &self.input
    }

    /// How the server is configured.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.file, self.name)
    }
}

/// Reads a file of scenarios.
pub fn read(path: &Path, configure: Configure<'_>, paint: Paint) -> File {
    let mut reader = Reader {
        file: path.display().to_string(),
        folder: path.parent().unwrap_or(Path::new("")).to_owned(),
        configure,
        files: BTreeSet::from([path.to_owned()]),
        settings: HashMap::new(),
        services: services::Files::default(),
    };
    let read = match std::fs::read_to_string(path) {
        Ok(text) => reader.cases(text, paint),
        Err(why) => {
            let message = format!("{} can't be read: {why}", path.display());
            let wrong = Mistake {
                place: None,
                message: message.clone(),
                hint: None,
            };
            Err((message + "\n", vec![wrong]))
        }
    };
    let (cases, faults, wrong) = match read {
        Ok(cases) => (cases, None, Vec::new()),
        Err((faults, wrong)) => (Vec::new(), Some(faults), wrong),
    };
    File {
        cases,
        files: reader.files,
        faults,
        wrong,
    }
}

struct Reader<'c> {
    file: String,
    folder: PathBuf,
    configure: Configure<'c>,
    files: BTreeSet<PathBuf>,
    settings: HashMap<PathBuf, Option<Settings>>,
    services: services::Files,
}

impl Reader<'_> {
    fn cases(&mut self, text: String, paint: Paint) -> Result<Vec<Case>, Refused> {
        let texts = text::texts(&self.file, text);
        let mut values = Vec::with_capacity(texts.blocks.len());
        let (mut unreadable, mut wrong) = (String::new(), Vec::new());
        for (index, block) in texts.blocks.iter().enumerate() {
            let nothing = texts.document && index == 0 && block.json().is_empty();
            match block.value() {
                _ if nothing => values.push(json!({})),
                Ok(value) => values.push(value),
                Err(found) => {
                    unreadable.push_str(&block.report(&found, paint));
                    wrong.extend(found.iter().map(Mistake::of));
                }
            }
        }
        if !unreadable.is_empty() {
            return Err((unreadable, wrong));
        }
        let faults = Faults::default();
        let root = |block: usize| Given::root(&values[block], block, &faults);
        let mut of_file = OF_CASES.to_vec();
        if !texts.document {
            of_file.push("cases");
        }
        if values[0].get("StartAt").is_some() {
            let hint =
                "`rejoin validate` checks it; a file of scenarios names it: `definition: FILE`.";
            root(0).wrong_but(
                "this is a state machine's definition, and no scenario",
                hint,
            );
            return Err(faults.report(&texts.blocks, paint));
        }
        let too_many = texts.headings.len() + 1..values.len();
        if !too_many.is_empty() {
            for block in too_many {
                let hint = "Give it a `##` heading of its own; the fence of what is only for people says ```text.";
                root(block).wrong_but(
                    "there is a block of YAML before this one, and a case has one",
                    hint,
                );
            }
            return Err(faults.report(&texts.blocks, paint));
        }
        if !(0..values.len()).all(|block| root(block).is_object()) {
            return Err(faults.report(&texts.blocks, paint));
        }
        let mut common = root(0).members(&of_file);
        let listed = common.iter().position(|(name, _)| *name == "cases");
        let listed = listed.map(|at| common.remove(at).1);
        let cases: Vec<Said<'_>> = match listed {
            _ if texts.document => in_document(&texts.headings, &root),
            Some(listed) => in_list(&listed),
            None => {
                let name = member(&common, "name").and_then(Given::text);
                let name = name.map_or_else(|| stem(&self.file), str::to_owned);
                vec![(name, Vec::new(), root(0))]
            }
        };
        let mut lists = std::iter::once(&common).chain(cases.iter().map(|(_, own, _)| own));
        let defined = lists.any(|members| member(members, "definition").is_some());
        let hint = "Add `definition: FILE`, for one case or at the top for all.";
        if !defined && !cases.is_empty() {
            root(0).wrong_but("there is no definition", hint);
        }
        let mut read = Vec::with_capacity(cases.len());
        let mut names = HashSet::new();
        for (name, own, given) in cases {
            if !names.insert(name.clone()) {
                let given = member(&own, "name").unwrap_or(&given);
                let hint = "Give it a name of its own, so that a report tells them apart.";
                given.wrong_but(format!("another case is called `{name}`"), hint);
            }
            let members = merged(&common, own);
            match member(&members, "definition") {
                Some(_) => read.extend(self.case(name, &members)),
                None if defined => given.wrong_but("there is no definition for this case", hint),
                None => {}
            }
        }
        match faults.any() {
            true => Err(faults.report(&texts.blocks, paint)),
            false => Ok(read),
        }
    }

    fn case(&mut self, name: String, members: &Members<'_>) -> Option<Case> {
        let of = |name| member(members, name);
        let settings = match of("config") {
            Some(config) => self.configured(config)?,
            None => Settings::default(),
        };
        let (folder, place) = (self.folder.clone(), settings.place.clone());
        let given = of("definition")?;
        let definition = definition::read(given, &folder, &place, &mut self.files)?;
        let machine = match of("machine") {
            Some(machine) => machine.text()?.to_owned(),
            None => match (&definition.name, given.value) {
                (Some(name), _) => name.clone(),
                (None, Value::String(file)) if !file.trim_start().starts_with('{') => stem(file),
                _ => "StateMachine".to_owned(),
            },
        };
        let mut others = Vec::new();
        for (name, given) in of("machines").map(Given::entries).into_iter().flatten() {
            let other = definition::read(&given, &folder, &place, &mut self.files)?;
            others.push((name.to_owned(), other));
        }
        let mut settings = settings;
        settings.services =
            self.services
                .read(of("services"), of("faults"), &folder, &mut self.files)?;
        let mut machines = others.iter().map(|(name, other)| (name, &*other.machine));
        if let Some(config) = of("config") {
            let own = (&machine, &*definition.machine);
            for (name, machine) in machines.by_ref().chain(std::iter::once(own)) {
                for route in &settings.routes {
                    for what in misnamed(&route.name, &route.expects, name, machine) {
                        config.wrong(what);
                    }
                }
            }
        }
        let test_case = match of("mock") {
            Some(mock) => Some(self.mocked(mock, &mut settings)?),
            None => None,
        };
        let input = match of("input") {
            Some(input) => self.input(input)?,
            None => json!({}),
        };
        let machines: Vec<(String, &StateMachine)> = others
            .iter()
            .map(|(name, definition)| (name.clone(), &*definition.machine))
            .collect();
        let known = Known {
            settings: &settings,
            machine: &definition.machine,
            others: &machines,
        };
        let mut tasks = HashMap::new();
        for (state, given) in of("tasks").map(Given::entries).into_iter().flatten() {
            match known.resource(state) {
                Some(resource) => {
                    tasks.insert(state.to_owned(), Mock::read(&given, &known, resource));
                }
                None => {
                    let names = known.tasks();
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    given.unknown_name("Task state", state, &names);
                }
            }
        }
        let script = of("script").map(|script| acts::read(script, &known, true));
        let until = match of("until") {
            Some(until) => Some(until.duration()?),
            None => None,
        };
        let expect = of("expect").map(expect::members).unwrap_or_default();
        let expect = Expect::read(&expect, &known);
        let machines = others.iter().map(|(name, definition)| Machine {
            name: name.clone(),
            definition: definition.text.to_string(),
        });
        Some(Case {
            name,
            file: self.file.clone(),
            machine,
            machines: machines.collect(),
            input,
            tasks,
            test_case,
            script: script.unwrap_or_default(),
            until,
            patience: PATIENCE,
            expect,
            definition,
            settings,
        })
    }

    fn configured(&mut self, given: &Given<'_>) -> Option<Settings> {
        let path = self.folder.join(given.text()?);
        if let Some(known) = self.settings.get(&path) {
            return known.clone();
        }
        self.files.insert(path.clone());
        let settings = match (self.configure)(&path) {
            Ok(settings) => Some(settings.quiet()),
            Err(why) => {
                given.wrong(why);
                None
            }
        };
        self.settings.insert(path, settings.clone());
        settings
    }

    fn mocked(&mut self, given: &Given<'_>, settings: &mut Settings) -> Option<String> {
        if !given.is_object() {
            return None;
        }
        let members = given.members(&["file", "case"]);
        let (Some(file), Some(case)) = (member(&members, "file"), member(&members, "case")) else {
            given.wrong_but(
                "a file and a case of it are needed",
                "`mock: {file: MockConfigFile.json, case: HappyPath}`.",
            );
            return None;
        };
        let path = self.folder.join(file.text()?);
        self.files.insert(path.clone());
        match Mocks::read(&path, Validation::Strict) {
            Ok(mocks) => {
                let environment = std::mem::take(&mut settings.environment);
                settings.environment = environment.mocked_by(Some(mocks));
            }
            Err(why) => {
                file.wrong(why);
                return None;
            }
        }
        case.text().map(str::to_owned)
    }

    fn input(&mut self, given: &Given<'_>) -> Option<Value> {
        let Some(file) = given.value.as_str().and_then(|text| text.strip_prefix('@')) else {
            return Some(given.value.clone());
        };
        let path = self.folder.join(file);
        self.files.insert(path.clone());
        let read = std::fs::read_to_string(&path).map_err(|why| why.to_string());
        let read = read.and_then(|text| {
            asl::Data::parse(&text).map_err(|why| format!("it is not JSON: {why}"))
        });
        match read {
            Ok(input) => Some(input.value().clone()),
            Err(why) => {
                given.wrong(format!("{} can't be read: {why}", path.display()));
                None
            }
        }
    }
}

/// What a file says of a case: its name, its members, and where it is.
type Said<'f> = (String, Members<'f>, Given<'f>);

/// The cases of a document: a heading and a block each.
fn in_document<'f>(headings: &[String], root: &dyn Fn(usize) -> Given<'f>) -> Vec<Said<'f>> {
    if headings.is_empty() {
        let hint = "Below each `## Heading` a fenced block of yaml is a case.";
        root(0).wrong_but("the document has no case", hint);
    }
    let cases = headings.iter().enumerate();
    let cases = cases.map(|(index, heading)| {
        let given = root(index + 1);
        (heading.clone(), given.members(&OF_CASES), given)
    });
    cases.collect()
}

/// Those of a list.
fn in_list<'f>(listed: &Given<'f>) -> Vec<Said<'f>> {
    let hint = "Each case is one of a list: `- name: ...`.";
    match listed.value {
        Value::Array(items) if !items.is_empty() => {}
        Value::Array(_) | Value::Null => listed.wrong_but("there is no case", hint),
        _ => {
            listed.wrong_but("it has to be a list", hint);
            return Vec::new();
        }
    }
    let cases = listed.items().into_iter().enumerate();
    let cases = cases.filter(|(_, case)| case.is_object());
    let cases = cases.map(|(index, case)| {
        let own = case.members(&OF_CASES);
        let name = member(&own, "name").and_then(Given::text);
        let name = name.map_or_else(|| format!("case {}", index + 1), str::to_owned);
        (name, own, case)
    });
    cases.collect()
}

/// A case's members over those that all have in common.
fn merged<'f>(common: &Members<'f>, own: Members<'f>) -> Members<'f> {
    let mut all = common.clone();
    for (name, given) in own {
        let both = ["tasks", "machines", "services", "faults", "expect"].contains(&name);
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, there)) if both => *there = there.with(&given),
            Some((_, there)) => *there = given,
            None => all.push((name, given)),
        }
    }
    all
}

/// A file's name without what it ends with.
fn stem(file: &str) -> String {
    let name = Path::new(file).file_name().and_then(|name| name.to_str());
    let name = name.unwrap_or(file);
    name.split('.').next().unwrap_or(name).to_owned()
}
