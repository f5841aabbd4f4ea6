//! A value of a scenario file that knows its place, so that whoever finds fault with it can say where it stands.

use std::cell::RefCell;

use asl::{Diagnostic, nearest};
use mock::{Mock, Wrong};
use serde_json::{Map, Value};
use source::report::Paint;
use source::{Found, Part, Source};

use super::{Mistake, definition};

/// All that is wrong with a file, as far as it was read.
#[derive(Default)]
pub(super) struct Faults(RefCell<Vec<Fault>>);

struct Fault {
    block: usize,
    pointer: String,
    part: Part,
    message: String,
    hint: Option<String>,
    /// The file that is meant, which has faults of its own.
    elsewhere: Option<Elsewhere>,
}

/// A file that the scenario names.
enum Elsewhere {
    /// A definition, and whether it is for an Express machine.
    Definition(Box<Source>, bool),
    /// Services.
    Services(Box<Source>),
}

impl Fault {
    fn says_the_same(&self, other: &Fault) -> bool {
        let of = |fault: &Fault| (fault.block, fault.part);
        of(self) == of(other)
            && self.pointer == other.pointer
            && self.message == other.message
            && self.hint == other.hint
    }
}

impl Mistake {
    /// The same as it was found.
    pub(super) fn of(found: &Found<'_>) -> Mistake {
        let place = found.place.as_ref();
        Mistake {
            place: place.map(|place| (place.line, place.column)),
            message: found.diagnostic.message.clone(),
            hint: found.diagnostic.hint.clone(),
        }
    }
}

impl Faults {
    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        !self.0.borrow().is_empty()
    }

    /// What a person is told, in the order of the file; `blocks` are the texts that it consists of.
    pub(super) fn report(&self, blocks: &[Source], paint: Paint) -> (String, Vec<Mistake>) {
        let mut said = Vec::new();
        for fault in self.0.borrow().iter() {
            let source = &blocks[fault.block];
            let hint = fault.hint.clone();
            let found = source.wrong(&fault.pointer, fault.part, &fault.message, hint);
            let wrong = Mistake::of(&found);
            let mut report = source.report(&[found], paint);
            match &fault.elsewhere {
                Some(Elsewhere::Definition(definition, express)) => {
                    report.push_str(&definition::report(definition, *express, paint));
                }
                Some(Elsewhere::Services(file)) => {
                    let found = Mock::read(file).err().unwrap_or_default();
                    report.push_str(&file.report(&found, paint));
                }
                None => {}
            }
            said.push((fault.block, wrong, report));
        }
        said.sort_by_key(|(block, wrong, _)| (*block, wrong.place));
        let (wrong, texts): (Vec<Mistake>, Vec<String>) = said
            .into_iter()
            .map(|(_, wrong, text)| (wrong, text))
            .unzip();
        (texts.concat(), wrong)
    }
}

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct Given<'f> {
    pub(super) value: &'f Value,
    /// What stands elsewhere and is put over its members.
    above: Option<Box<Given<'f>>>,
    pointer: String,
    /// In which of the texts of the file.
    block: usize,
    faults: &'f Faults,
}

/// Members by name, in the order of the file.
pub(super) type Members<'f> = Vec<(&'f str, Given<'f>)>;

impl<'f> Given<'f> {
    /// A whole text.
    pub(super) fn root(value: &'f Value, block: usize, faults: &'f Faults) -> Given<'f> {
        let pointer = String::new();
        Given {
            value,
            above: None,
            pointer,
            block,
            faults,
        }
    }

    /// The same, with the members of another put over its own.
    pub(super) fn with(&self, other: &Given<'f>) -> Given<'f> {
        Given {
            above: Some(Box::new(other.clone())),
            ..self.clone()
        }
    }

    /// What stands here, and what stands elsewhere and is put over it, each on its own.
    pub(super) fn layers(&self) -> Vec<Given<'f>> {
        let above = self.above.iter().flat_map(|above| above.layers());
        let own = Given {
            above: None,
            ..self.clone()
        };
        std::iter::once(own).chain(above).collect()
    }

    fn inside(&self, value: &'f Value, step: &str) -> Given<'f> {
        Given {
            value,
            above: None,
            pointer: format!("{}{step}", self.pointer),
            block: self.block,
            faults: self.faults,
        }
    }

    fn fault(&self, part: Part, message: String, hint: Option<String>) {
        self.note(Fault {
            block: self.block,
            pointer: self.pointer.clone(),
            part,
            message,
            hint,
            elsewhere: None,
        });
    }

    fn note(&self, fault: Fault) {
        let mut faults = self.faults.0.borrow_mut();
        // What all cases have in common is read once for each.
        if !faults.iter().any(|known| known.says_the_same(&fault)) {
            faults.push(fault);
        }
    }

    /// The value leads to a definition that is not right.
    pub(super) fn wrong_with(&self, message: &str, definition: Box<Source>, express: bool) {
        self.note(Fault {
            block: self.block,
            pointer: self.pointer.clone(),
            part: Part::Value,
            message: message.to_owned(),
            hint: None,
            elsewhere: Some(Elsewhere::Definition(definition, express)),
        });
    }

    /// The value leads to services that are not right.
    pub(super) fn wrong_services(&self, file: Box<Source>) {
        self.note(Fault {
            block: self.block,
            pointer: self.pointer.clone(),
            part: Part::Value,
            message: "the services are not right".to_owned(),
            hint: None,
            elsewhere: Some(Elsewhere::Services(file)),
        });
    }

    /// The value is a part of a mock, of which this is said.
    pub(super) fn wrong_in_mock(&self, wrong: Wrong) {
        self.note(Fault {
            block: self.block,
            pointer: format!("{}{}", self.pointer, wrong.pointer),
            part: wrong.part,
            message: wrong.message,
            hint: wrong.hint,
            elsewhere: None,
        });
    }

    /// The value is a definition, of which this is said.
    pub(super) fn wrong_inside(&self, said: Diagnostic) {
        self.note(Fault {
            block: self.block,
            pointer: format!("{}{}", self.pointer, said.pointer.trim_end_matches('/')),
            part: Part::Named,
            message: said.message,
            hint: said.hint,
            elsewhere: None,
        });
    }

    /// The value is wrong.
    pub(super) fn wrong(&self, message: impl Into<String>) {
        self.fault(Part::Value, message.into(), None);
    }

    /// The value is wrong, and this may help.
    pub(super) fn wrong_but(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.fault(Part::Value, message.into(), Some(hint.into()));
    }

    /// The member should not be here, or is called something else.
    pub(super) fn wrong_name(&self, message: impl Into<String>, hint: Option<String>) {
        self.fault(Part::Name, message.into(), hint);
    }

    /// The value is none of these words.
    pub(super) fn unknown_word(&self, what: &str, word: &str, known: &[&str]) {
        let message = format!("there is no {what} `{word}`");
        self.fault(Part::Value, message, Some(meant(word, known)));
    }

    /// The member's name is none of these words.
    pub(super) fn unknown_name(&self, what: &str, word: &str, known: &[&str]) {
        let message = format!("there is no {what} `{word}`");
        self.fault(Part::Name, message, Some(meant(word, known)));
    }

    /// A text.
    pub(super) fn text(&self) -> Option<&'f str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.wrong("it has to be a text");
        }
        text
    }

    /// One of these words.
    pub(super) fn word(&self, what: &str, known: &[&str]) -> Option<&'f str> {
        let word = self.text()?;
        if known.contains(&word) {
            return Some(word);
        }
        self.unknown_word(what, word, known);
        None
    }

    /// A whole number.
    pub(super) fn count(&self) -> Option<u64> {
        let count = self.value.as_u64();
        if count.is_none() {
            self.wrong("it has to be a whole number");
        }
        count
    }

    /// True or false.
    pub(super) fn truth(&self) -> Option<bool> {
        let truth = self.value.as_bool();
        if truth.is_none() {
            self.wrong("it has to be true or false");
        }
        truth
    }

    /// How long, in milliseconds.
    pub(super) fn duration(&self) -> Option<i64> {
        let millis = match self.value {
            Value::String(text) => millis(text),
            Value::Number(seconds) => seconds.as_f64().and_then(whole_millis),
            _ => None,
        };
        if millis.is_none() {
            self.wrong_but("it is no length of time", DURATION);
        }
        millis
    }

    /// A list; one thing that is no list counts as a list of it.
    pub(super) fn items(&self) -> Vec<Given<'f>> {
        match self.value {
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(index, item)| self.inside(item, &format!("[{index}]")))
                    .collect()
            }
            Value::Null => Vec::new(),
            _ => vec![self.clone()],
        }
    }

    fn object(&self) -> Option<&'f Map<String, Value>> {
        if !self.value.is_null() {
            self.is_object();
        }
        self.value.as_object()
    }

    /// Whether it is an object, which it has to be.
    pub(super) fn is_object(&self) -> bool {
        let is_object = self.value.is_object();
        if !is_object {
            self.wrong("it has to be an object: `name: value`, one a line");
        }
        is_object
    }

    /// A list of which something is expected: one that says nothing is a fault.
    pub(super) fn some_items(&self, hint: &str) -> Vec<Given<'f>> {
        let items = self.items();
        if items.is_empty() {
            self.wrong_but("nothing is said here", hint);
        }
        items
    }

    /// The value of its only member, if that has this name.
    pub(super) fn only(&self, name: &str) -> Option<Given<'f>> {
        let members = self.value.as_object()?;
        let is_only = members.len() == 1 && members.contains_key(name);
        is_only.then(|| self.entries().swap_remove(0).1)
    }

    /// The members, whatever their names.
    pub(super) fn entries(&self) -> Members<'f> {
        let members = self.object().into_iter().flatten();
        let mut entries: Members<'f> = members
            .map(|(name, value)| (name.as_str(), self.inside(value, &format!("/{name}"))))
            .collect();
        for (name, member) in self.above.iter().flat_map(|above| above.entries()) {
            match entries.iter_mut().find(|(known, _)| *known == name) {
                Some((_, there)) => *there = member,
                None => entries.push((name, member)),
            }
        }
        entries
    }

    /// The members, whose names have to be among those that are known.
    pub(super) fn members(&self, known: &[&str]) -> Members<'f> {
        let mut entries = self.entries();
        entries.retain(|(name, member)| {
            let is_known = known.contains(name);
            if !is_known {
                let message = format!("`{name}` is not known here");
                member.wrong_name(message, Some(meant(name, known)));
            }
            is_known
        });
        entries
    }
}

/// The value of a member.
pub(super) fn member<'m, 'f>(members: &'m Members<'f>, name: &str) -> Option<&'m Given<'f>> {
    let mut found = members.iter().filter(|(known, _)| *known == name);
    found.next().map(|(_, member)| member)
}

/// What may have been meant, or all that there is.
fn meant(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("Did you mean `{near}`?"),
        None if known.is_empty() => "There is none.".to_owned(),
        None => format!("There are: {}.", known.join(", ")),
    }
}

/// What a length of time looks like.
pub(super) const DURATION: &str = "It is a number of seconds, or like 500ms, 6s, 2m, 1h, 3d or 1h30m; a hundred years (36500d) at most.";

const SECONDS_MAX: f64 = 36_500.0 * 86_400.0;

fn whole_millis(seconds: f64) -> Option<i64> {
    (0.0..=SECONDS_MAX)
        .contains(&seconds)
        .then_some((seconds * 1000.0).round() as i64)
}

/// `1h30m`, or `90` for seconds, in milliseconds.
pub(super) fn millis(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let is_number = rest.bytes().all(|c| c.is_ascii_digit() || c == b'.');
    if is_number {
        return rest.parse().ok().and_then(whole_millis);
    }
    let mut sum = 0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let unit = match unit {
            "ms" => 1.0,
            "s" => 1_000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * unit;
        rest = after.trim_start();
    }
    whole_millis(sum / 1000.0)
}

/// Milliseconds as a person says them: `1h 30m`, `6s`, `1.5s`, `250ms`.
pub fn spoken(millis: i64) -> String {
    if millis.abs() < 1000 {
        return match millis {
            0 => "0s".to_owned(),
            _ => format!("{millis}ms"),
        };
    }
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.abs();
    let whole = [
        (millis / 86_400_000, "d"),
        (millis / 3_600_000 % 24, "h"),
        (millis / 60_000 % 60, "m"),
    ];
    let mut parts: Vec<String> = whole
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    let seconds = millis % 60_000;
    if seconds > 0 {
        parts.push(format!("{}s", seconds as f64 / 1000.0));
    }
    format!("{sign}{}", parts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{millis, spoken};

    #[test]
    fn lengths_of_time_are_read_and_said() {
        for (text, expected, said) in [
            ("6s", Some(6_000), "6s"),
            ("1h30m", Some(5_400_000), "1h 30m"),
            ("1h 30m", Some(5_400_000), "1h 30m"),
            ("1.5s", Some(1_500), "1.5s"),
            ("250ms", Some(250), "250ms"),
            // Not 1000.9999.
            ("1.001s", Some(1_001), "1.001s"),
            ("365d", Some(31_536_000_000), "365d"),
            ("90s", Some(90_000), "1m 30s"),
            ("6", Some(6_000), "6s"),
            ("0.25", Some(250), "250ms"),
            ("36500d", Some(3_153_600_000_000), "36500d"),
            ("36501d", None, ""),
            ("-6", None, ""),
            ("-6s", None, ""),
            ("nan", None, ""),
            ("1e3", None, ""),
            (".", None, ""),
            ("6 seconds", None, ""),
            ("", None, ""),
            ("soon", None, ""),
        ] {
            assert_eq!(millis(text), expected, "{text}");
            if let Some(millis) = expected {
                assert_eq!(spoken(millis), said);
            }
        }
    }
}
