//! The text of a call to a [`Call`].

use serde_json::Value;

use super::{Argument, Call, FUNCTIONS};
use crate::path::Path;

/// How deep calls may nest (AWS: 10).
const DEPTH_MAX: usize = 10;

/// Reads a call that is the whole of `text`.
pub(super) fn call(text: &str) -> Result<Call, String> {
    let mut cursor = Cursor { text, at: 0 };
    let call = cursor.call(1)?;
    cursor.blanks();
    if cursor.at < text.len() {
        return Err(format!(
            "'{}' is not expected after the call",
            cursor.rest()
        ));
    }
    Ok(call)
}

struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn call(&mut self, depth: usize) -> Result<Call, String> {
        if depth > DEPTH_MAX {
            return Err(format!("calls nest at most {DEPTH_MAX} deep"));
        }
        let start = self.at;
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '.');
        let function = *FUNCTIONS
            .iter()
            .find(|function| function.name == name)
            .ok_or_else(|| format!("there is no intrinsic function '{name}'"))?;
        self.blanks();
        if self.peek() != Some('(') {
            return Err(format!("'(' is expected after '{name}'"));
        }
        self.at += 1;
        let mut arguments = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                Some(')') if arguments.is_empty() => break,
                // The text of a format keeps its backslashes: `\{` there is not the start of `{}`.
                _ => arguments
                    .push(self.argument(depth, name == "States.Format" && arguments.is_empty())?),
            }
            self.blanks();
            match self.peek() {
                Some(',') => self.at += 1,
                Some(')') => break,
                Some(c) => return Err(format!("',' or ')' is expected where '{c}' stands")),
                None => return Err(format!("the closing ')' of '{name}' is missing")),
            }
        }
        self.at += 1;
        let (least, most) = function.arguments;
        if arguments.len() < least || arguments.len() > most {
            return Err(match least == most {
                true => format!(
                    "'{name}' takes {least} arguments, and {} are given",
                    arguments.len()
                ),
                false => format!(
                    "'{name}' takes at least {least} arguments, and {} are given",
                    arguments.len()
                ),
            });
        }
        Ok(Call {
            text: self.text[start..self.at].into(),
            function,
            arguments,
        })
    }

    fn argument(&mut self, depth: usize, raw: bool) -> Result<Argument, String> {
        match self.peek() {
            Some('$') => Ok(Argument::Path(Path::parse(self.path().trim_end())?)),
            Some('\'') => self
                .string(raw)
                .map(|text| Argument::Literal(Value::String(text))),
            Some('S') => self.call(depth + 1).map(Argument::Call),
            _ => {
                let word = self.take_while(|c| !matches!(c, ',' | ')') && !c.is_whitespace());
                match serde_json::from_str(word) {
                    Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => {
                        Ok(Argument::Literal(value))
                    }
                    _ => Err(format!("'{word}' is neither a path, a literal nor a call")),
                }
            }
        }
    }

    /// A path goes on to the next `,` or `)` outside of its own brackets and quotes.
    fn path(&mut self) -> &'t str {
        let rest = self.rest();
        let mut quote = None;
        let mut open = 0usize;
        let mut escaped = false;
        for (at, c) in rest.char_indices() {
            match (quote, c) {
                _ if escaped => escaped = false,
                (Some(_), '\\') => escaped = true,
                (Some(end), c) if c == end => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, '[' | '(') => open += 1,
                (None, ',' | ')') if open == 0 => {
                    self.at += at;
                    return &rest[..at];
                }
                (None, ']' | ')') => open = open.saturating_sub(1),
                _ => {}
            }
        }
        self.at = self.text.len();
        rest
    }

    /// Text in single quotes, in which a backslash stands before `'`, `{`, `}` and itself only
    /// (recorded on AWS: `ESCAPE_SEQUENCES_ILLEGAL_INTRINSIC_FUNCTION`).
    fn string(&mut self, raw: bool) -> Result<String, String> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' => {
                    self.at += at + 1;
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, next @ ('\'' | '{' | '}' | '\\'))) => {
                        if raw {
                            text.push('\\');
                        }
                        text.push(next);
                    }
                    Some((_, next)) => {
                        return Err(format!(
                            "'\\{next}' is not an escape that a string may have"
                        ));
                    }
                    None => break,
                },
                _ => text.push(c),
            }
        }
        Err("the closing ' of a string is missing".to_owned())
    }
}
