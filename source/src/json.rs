//! JSON text to places. `serde_json` reads the definition; this walks the same text for where
//! everything stands, and where the text is not JSON says what was probably meant.

use std::ops::Range;

use super::{Children, DEPTH_MAX, Fault, Members, Node, Repeated, Step, Tree};

pub(super) fn scan(text: &str) -> Result<Tree, Fault> {
    let mut scanner = Scanner {
        text,
        at: 0,
        open: Vec::new(),
        repeated: Vec::new(),
    };
    scanner.blank()?;
    let root = scanner.value()?;
    scanner.blank()?;
    if scanner.at < text.len() {
        let hint = "The definition ended before this; is there a bracket too many?";
        return Err(scanner.fault(1, "trailing characters", hint));
    }
    let repeated = scanner.repeated;
    Ok(Tree { root, repeated })
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    /// Where the brackets stand that are open.
    open: Vec<usize>,
    repeated: Vec<Repeated>,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fault(&self, width: usize, message: &str, hint: &str) -> Fault {
        Fault::new(self.at..self.at + width, message, Some(hint))
    }

    fn blank(&mut self) -> Result<(), Fault> {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        match self.peek() {
            Some(b'/' | b'#') => Err(self.fault(
                1,
                "a comment",
                "JSON has no comments: use a \"Comment\" field, or write the definition in YAML.",
            )),
            _ => Ok(()),
        }
    }

    fn value(&mut self) -> Result<Node, Fault> {
        let from = self.at;
        match self.peek() {
            Some(b'{') => self.several(b'}', |scanner, members| {
                if scanner.peek() != Some(b'"') {
                    return Err(scanner.no_name());
                }
                let (name, at) = scanner.string()?;
                members.note(&name, &at, &mut scanner.repeated);
                scanner.blank()?;
                if scanner.peek() != Some(b':') {
                    let hint = "A name is followed by a colon and its value.";
                    return Err(scanner.fault(1, "expected `:`", hint));
                }
                scanner.at += 1;
                scanner.blank()?;
                let mut node = scanner.value()?;
                node.name = Some(at);
                Ok((Step::Name(name), node))
            }),
            Some(b'[') => {
                let mut index = 0;
                self.several(b']', |scanner, _| {
                    let node = scanner.value()?;
                    index += 1;
                    Ok((Step::Index(index - 1), node))
                })
            }
            Some(b'"') => {
                self.string()?;
                Ok(self.leaf(from))
            }
            Some(b'-' | b'0'..=b'9') => {
                while matches!(
                    self.peek(),
                    Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
                ) {
                    self.at += 1;
                }
                Ok(self.leaf(from))
            }
            Some(_) => {
                let word = self.word();
                match word {
                    "true" | "false" | "null" => {
                        self.at += word.len();
                        Ok(self.leaf(from))
                    }
                    "" => Err(self.no_value()),
                    _ => Err(self.fault(
                        word.len(),
                        "expected value",
                        "Text is written in double quotes; the bare words are true, false and null.",
                    )),
                }
            }
            None => Err(self.ended()),
        }
    }

    /// The members of an object or the items of an array, each read by `one`, up to `close`.
    fn several(
        &mut self,
        close: u8,
        mut one: impl FnMut(&mut Self, &mut Members) -> Result<(Step, Node), Fault>,
    ) -> Result<Node, Fault> {
        if self.open.len() >= DEPTH_MAX {
            return Err(self.fault(1, "nested too deeply", "Nest fewer states into each other."));
        }
        let from = self.at;
        self.open.push(from);
        self.at += 1;
        let mut children = Vec::new();
        let mut members = Members::default();
        self.blank()?;
        if self.peek() == Some(close) {
            return Ok(self.close(from, children));
        }
        loop {
            children.push(one(self, &mut members)?);
            let end = self.at;
            self.blank()?;
            match self.peek() {
                Some(b',') => {
                    let comma = self.at;
                    self.at += 1;
                    self.blank()?;
                    if self.peek() == Some(close) {
                        let hint = "Remove the comma: nothing follows it.";
                        return Err(Fault::new(comma..comma + 1, "trailing comma", Some(hint)));
                    }
                }
                Some(other) if other == close => return Ok(self.close(from, children)),
                None => return Err(self.ended()),
                Some(b'}' | b']') => {
                    let line = self.text[..from].matches('\n').count() + 1;
                    let (opened, closes) =
                        (char::from(self.text.as_bytes()[from]), char::from(close));
                    let hint = format!("The '{opened}' of line {line} is closed by '{closes}'.");
                    return Err(self.fault(1, "the wrong bracket", &hint));
                }
                Some(_) => {
                    let hint = "Is a comma missing here?";
                    return Err(Fault::new(end..end + 1, "expected `,`", Some(hint)));
                }
            }
        }
    }

    fn close(&mut self, from: usize, children: Children) -> Node {
        self.open.pop();
        self.at += 1;
        Node {
            children,
            ..self.leaf(from)
        }
    }

    fn leaf(&self, from: usize) -> Node {
        Node {
            name: None,
            value: from..self.at,
            children: Vec::new(),
        }
    }

    /// A string, and where it stands.
    fn string(&mut self) -> Result<(String, Range<usize>), Fault> {
        let from = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                // What follows is either escaped, or a letter.
                Some(b'\\') => self.at += 2,
                Some(b'\n') | None => {
                    let end = self.at.min(self.text.len());
                    let hint = "The text that begins here has no closing quote on its line.";
                    return Err(Fault::new(from..end, "text without an end", Some(hint)));
                }
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let range = from..self.at;
        serde_json::from_str(&self.text[range.clone()])
            .map(|name| (name, range.clone()))
            .map_err(|_| {
                let hint = "A backslash is written \\\\, a tab \\t; a backslash before any other letter is not JSON.";
                Fault::new(range, "text that is not right", Some(hint))
            })
    }

    fn word(&self) -> &str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    }

    fn no_name(&self) -> Fault {
        let width = self.word().len().max(1);
        match self.peek() {
            None => self.ended(),
            Some(b',') => self.fault(1, "expected a name", "There is a comma too many."),
            _ => self.fault(
                width,
                "expected a name",
                "Names of fields are written in double quotes.",
            ),
        }
    }

    fn no_value(&self) -> Fault {
        let hint = match self.peek() {
            Some(b'\'') => "Text is written in double quotes.",
            Some(b',') => "There is a comma too many, or a value is missing.",
            _ => "A value is missing here.",
        };
        self.fault(1, "expected value", hint)
    }

    /// The text ends although something is open.
    fn ended(&self) -> Fault {
        let end = self.text.trim_end().len();
        let hint = match self.open.last() {
            Some(&at) => {
                let line = self.text[..at].matches('\n').count() + 1;
                let bracket = char::from(self.text.as_bytes()[at]);
                format!("The '{bracket}' of line {line} is not closed.")
            }
            None => "A definition is a JSON object.".to_owned(),
        };
        Fault::new(
            end.saturating_sub(1)..end,
            "the text ends here",
            Some(&hint),
        )
    }
}
