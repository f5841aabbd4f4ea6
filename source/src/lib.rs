//! A file of JSON or YAML as somebody wrote it, and where in it everything stands: a definition, a mock of
//! services, scenarios.
//!
//! The language ([`asl`]) reads JSON and names the place of a fault by a pointer, and so does everybody else who
//! reads a file's [`value`](Source::value) and finds fault with it ([`Source::wrong`]). Here the text is
//! walked once (`json`, `yaml`) to a tree of places, and a pointer is looked up in that. YAML
//! is made into JSON first: the API takes JSON alone, as AWS does, so YAML ends here. [`report`] is what a person reads.
//!
//! Not known here: what a file other than a definition means, and terminals.

mod json;
pub mod report;
mod yaml;

#[cfg(test)]
mod tests;

use std::io::Read;
use std::ops::Range;

use asl::{Diagnostic, Parsed, Severity};
use serde_json::Value;

use report::Paint;

/// As deep as a definition may be nested, which is what [`asl::parse`] takes too.
const DEPTH_MAX: usize = 128;

/// A file and its text.
pub struct Source {
    /// The file, or `<stdin>`.
    pub name: String,
    text: String,
    /// The definition as JSON, if it is not the text itself.
    json: Option<String>,
    /// The places of everything, or the fault that keeps them from being known.
    tree: Result<Tree, Fault>,
    yaml: bool,
}

/// What a walk over the text finds.
struct Tree {
    root: Node,
    repeated: Vec<Repeated>,
}

/// A value of the definition, and where it stands in the text, in bytes.
#[derive(Clone)]
struct Node {
    /// Where its name stands, if it is a member of an object.
    name: Option<Range<usize>>,
    value: Range<usize>,
    children: Children,
}

/// Members or items, in the order of the text.
type Children = Vec<(Step, Node)>;

/// The way from a value to one inside.
#[derive(Clone)]
enum Step {
    Name(String),
    Index(usize),
}

/// A name that an object has twice; what was said first does not count.
struct Repeated {
    name: String,
    first: usize,
    again: Range<usize>,
}

/// Why the text is not JSON, or not YAML.
struct Fault {
    at: Range<usize>,
    message: String,
    hint: Option<String>,
}

/// Where something stands in the text.
#[derive(Debug)]
pub struct Place<'s> {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// How many characters of the line it takes, at least 1.
    pub width: usize,
    /// The line itself.
    pub text: &'s str,
}

/// What of a member is meant: in `"Nxt": "B"`, which of the two is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `"Nxt"`.
    Name,
    /// `"B"`.
    Value,
    /// The member that the message names, as those of definitions do; else the value.
    Named,
}

/// A diagnostic and where it belongs in the text.
#[derive(Debug)]
pub struct Found<'s> {
    /// What is wrong.
    pub diagnostic: Diagnostic,
    /// Where; nothing if the text is empty.
    pub place: Option<Place<'s>>,
}

impl Source {
    /// Reads a file, or standard input for `-`.
    ///
    /// # Errors
    /// One sentence: which file, and why it can't be read.
    pub fn read(path: &str) -> Result<Source, String> {
        if path == "-" {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|e| format!("standard input can't be read: {e}"))?;
            // JSON is YAML too, but has clearer faults as JSON.
            let yaml = !text.trim_start().starts_with(['{', '[', '"']);
            return Ok(Source::of("<stdin>", text, yaml));
        }
        let text =
            std::fs::read_to_string(path).map_err(|e| format!("{path} can't be read: {e}"))?;
        let lower = path.to_ascii_lowercase();
        let yaml = [".yaml", ".yml"].iter().any(|end| lower.ends_with(end));
        Ok(Source::of(path, text, yaml))
    }

    /// What was read elsewhere, from the file `name`.
    pub fn of(name: &str, text: String, yaml: bool) -> Source {
        Source::tagged(name, text, yaml, yaml::Tags::Refused)
    }

    /// A template of CloudFormation: in YAML, `!Sub x` is short for `Fn::Sub: x`.
    pub fn template(name: &str, text: String) -> Source {
        let yaml = !text.trim_start().starts_with('{');
        Source::tagged(name, text, yaml, yaml::Tags::Functions)
    }

    fn tagged(name: &str, text: String, yaml: bool, tags: yaml::Tags) -> Source {
        let name = name.to_owned();
        let (json, tree) = if text.trim().is_empty() {
            // The language has its own word for an empty definition.
            (None, Err(Fault::new(0..0, "the file is empty", None)))
        } else if yaml {
            match yaml::read(&text, tags) {
                Ok((value, tree)) => (Some(value.to_string()), Ok(tree)),
                Err(fault) => (None, Err(fault)),
            }
        } else {
            (None, json::scan(&text))
        };
        Source {
            name,
            text,
            json,
            tree,
            yaml,
        }
    }

    /// The definition as JSON, as far as the text is one.
    pub fn json(&self) -> &str {
        self.json.as_deref().unwrap_or(&self.text)
    }

    /// What the file says, if it is not a definition but something of ours.
    ///
    /// # Errors
    /// What keeps the text from being JSON or YAML, or a name that is given twice.
    pub fn value(&self) -> Result<Value, Vec<Found<'_>>> {
        let error = |message: &str, hint: Option<String>, range: Range<usize>| {
            vec![self.found(Severity::Error, "", message, hint, range)]
        };
        let tree = match &self.tree {
            Ok(tree) => tree,
            Err(Fault { at, message, hint }) => {
                return Err(error(message, hint.clone(), at.clone()));
            }
        };
        if !tree.repeated.is_empty() {
            let repeated = tree.repeated.iter().map(|repeated| {
                let message = format!("`{}` is given twice", repeated.name);
                let (hint, again) = (self.other_one(repeated), repeated.again.clone());
                self.found(Severity::Error, "", &message, Some(hint), again)
            });
            return Err(repeated.collect());
        }
        serde_json::from_str(self.json()).map_err(|why| error(&why.to_string(), None, 0..0))
    }

    /// Something that is wrong with what [`Source::value`] gave, at a pointer like `/services/a b/routes[0]`
    /// (names are not escaped).
    pub fn wrong(
        &self,
        pointer: &str,
        part: Part,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Found<'_> {
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            code: "",
            message: message.into(),
            pointer: pointer.to_owned(),
            hint,
        };
        let place = self.tree.as_ref().ok().and_then(|tree| {
            let (_, node) = tree.root.nearest(pointer);
            self.place(match part {
                Part::Name => node.name.clone().unwrap_or(node.value.clone()),
                Part::Value => node.named_range(),
                Part::Named => tree.range(&diagnostic),
            })
        });
        Found { diagnostic, place }
    }

    /// What a person is told of everything that was found.
    pub fn report(&self, found: &[Found<'_>], paint: Paint) -> String {
        let each = found
            .iter()
            .map(|f| report::diagnostic(&self.name, f, paint));
        each.collect()
    }

    /// Reads the definition; what is said of it comes in the order of the text.
    pub fn examine(&self, express: bool) -> (Option<asl::StateMachine>, Vec<Found<'_>>) {
        if let (true, Err(fault)) = (self.yaml && !self.text.trim().is_empty(), &self.tree) {
            let found = self.found(
                Severity::Error,
                "INVALID_YAML_DESCRIPTION",
                &fault.message,
                fault.hint.clone(),
                fault.at.clone(),
            );
            return (None, vec![found]);
        }
        let Parsed {
            machine,
            diagnostics,
        } = if express {
            asl::parse_express(self.json())
        } else {
            asl::parse(self.json())
        };
        let located = diagnostics.into_iter().map(|d| self.locate(d));
        let mut found: Vec<Found<'_>> = located.chain(self.repeated()).collect();
        found.sort_by_key(|f| f.place.as_ref().map(|place| (place.line, place.column)));
        (machine, found)
    }

    fn locate(&self, mut diagnostic: Diagnostic) -> Found<'_> {
        let range = match &self.tree {
            Ok(tree) => tree.range(&diagnostic),
            Err(fault) => {
                diagnostic.hint = diagnostic.hint.or_else(|| fault.hint.clone());
                fault.at.clone()
            }
        };
        // The place says it better.
        if let Some(at) = diagnostic.message.rfind(" at line ")
            && diagnostic.code == "INVALID_JSON_DESCRIPTION"
        {
            diagnostic.message.truncate(at);
        }
        let place = self.place(range);
        Found { diagnostic, place }
    }

    fn repeated(&self) -> impl Iterator<Item = Found<'_>> {
        let repeated = self.tree.iter().flat_map(|tree| &tree.repeated);
        repeated.map(|repeated| {
            let name = &repeated.name;
            self.found(
                Severity::Warning,
                "REJOIN_REPEATED_FIELD",
                &format!("Field '{name}' is given twice, and only the last one counts"),
                Some(self.other_one(repeated)),
                repeated.again.clone(),
            )
        })
    }

    fn other_one(&self, repeated: &Repeated) -> String {
        let first = repeated.first;
        let line = self.place(first..first).map_or(1, |place| place.line);
        format!("It is on line {line} too. Remove or rename one of them.")
    }

    fn found(
        &self,
        severity: Severity,
        code: &'static str,
        message: &str,
        hint: Option<String>,
        range: Range<usize>,
    ) -> Found<'_> {
        let diagnostic = Diagnostic {
            severity,
            code,
            message: message.to_owned(),
            pointer: String::new(),
            hint,
        };
        let place = self.place(range);
        Found { diagnostic, place }
    }

    /// The line that a range begins on, and how much of the range stands there.
    fn place(&self, range: Range<usize>) -> Option<Place<'_>> {
        if self.text.trim().is_empty() {
            return None;
        }
        let start = self.text.floor_char_boundary(range.start);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let text = self.text[line_start..].lines().next().unwrap_or_default();
        let end = self
            .text
            .floor_char_boundary(range.end)
            .min(line_start + text.len());
        let width = self.text.get(start..end).map_or(0, |t| t.chars().count());
        Some(Place {
            line: before.matches('\n').count() + 1,
            column: self.text[line_start..start].chars().count() + 1,
            width: width.max(1),
            text,
        })
    }
}

impl Tree {
    /// Where a diagnostic belongs: AWS's pointer is often the object around what its message names.
    fn range(&self, diagnostic: &Diagnostic) -> Range<usize> {
        let (_, node) = self.root.nearest(&diagnostic.pointer);
        if let Some(member) = node.named_in(&diagnostic.message) {
            return member.name.clone().unwrap_or(member.value.clone());
        }
        if diagnostic.pointer.is_empty()
            && let Some(states) = self.root.member("States")
        {
            return states.named_range();
        }
        node.named_range()
    }
}

impl Node {
    /// The value that the pointer leads to, or the last one on the way; and how much of the pointer
    /// is left there. AWS does not escape names, so a `/` in one is found by trying.
    fn nearest(&self, pointer: &str) -> (usize, &Node) {
        let mut best = (pointer.len(), self);
        for (step, child) in &self.children {
            let rest = match step {
                Step::Name(name) => pointer
                    .strip_prefix('/')
                    .and_then(|p| p.strip_prefix(name.as_str())),
                Step::Index(index) => pointer.strip_prefix(&format!("[{index}]")),
            };
            if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
            {
                let found = child.nearest(rest);
                if found.0 < best.0 {
                    best = found;
                }
            }
        }
        best
    }

    fn member(&self, name: &str) -> Option<&Node> {
        // The last one counts, so the last one is it.
        let mut members = self.children.iter().rev();
        let found =
            members.find(|(step, _)| matches!(step, Step::Name(member) if member == name))?;
        Some(&found.1)
    }

    /// The member that a message names, as `'Field'` or in a list as `[Field, Other]`.
    fn named_in(&self, message: &str) -> Option<&Node> {
        let quoted = message.split('\'').skip(1).step_by(2);
        let listed = message
            .split_once('[')
            .and_then(|(_, rest)| rest.split_once(']'))
            .map_or("", |(list, _)| list)
            .split(", ");
        quoted.chain(listed).find_map(|name| self.member(name))
    }

    /// The name of what has members, else the value.
    fn named_range(&self) -> Range<usize> {
        match &self.name {
            Some(name) if !self.children.is_empty() => name.clone(),
            _ => self.value.clone(),
        }
    }
}

impl Fault {
    fn new(at: Range<usize>, message: impl Into<String>, hint: Option<&str>) -> Fault {
        Fault {
            at,
            message: message.into(),
            hint: hint.map(str::to_owned),
        }
    }
}

/// Members as they come in, with a look out for names that are there already.
#[derive(Default)]
struct Members {
    seen: std::collections::HashMap<String, usize>,
}

impl Members {
    fn note(&mut self, name: &str, at: &Range<usize>, repeated: &mut Vec<Repeated>) {
        if let Some(first) = self.seen.insert(name.to_owned(), at.start) {
            repeated.push(Repeated {
                name: name.to_owned(),
                first,
                again: at.clone(),
            });
        }
    }
}
