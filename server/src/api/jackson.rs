//! What is wrong with a text that is not JSON, in the words of the Jackson parser, which AWS passes on
//! (recorded in `test_invalid_start_execution_input`).
//!
//! Only texts that were refused come here, so this reads plainly and stops at the first fault. It keeps
//! its own stack of open brackets, since a hostile text may open a quarter of a million.

use asl::data::DEPTH_MAX;

/// What is expected where a value should begin.
const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// Of an unknown word, Jackson quotes this many characters.
const TOKEN_CHARACTERS_MAX: usize = 256;

/// The first fault of `text`; `None` if there is none that this reader knows.
pub(crate) fn fault(text: &str) -> Option<String> {
    let mut reader = Reader { rest: text };
    reader.document().err()
}

/// What is wrong with a text that serde_json refused with `error`.
pub(super) fn explain(text: &str, error: &serde_json::Error) -> String {
    fault(text).unwrap_or_else(|| match error.to_string() {
        // Nothing that Jackson would mind; it is our own parser that goes no deeper.
        what if what.starts_with("recursion limit") => {
            format!("Document nesting depth exceeds the maximum allowed ({DEPTH_MAX})")
        }
        what => what,
    })
}

struct Reader<'t> {
    rest: &'t str,
}

/// An open bracket.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    Array,
    Object,
}

impl Open {
    fn name(self) -> &'static str {
        match self {
            Open::Array => "Array",
            Open::Object => "Object",
        }
    }

    fn close(self) -> char {
        match self {
            Open::Array => ']',
            Open::Object => '}',
        }
    }
}

/// The fault, if one was found.
type Read<T = ()> = Result<T, String>;

impl Reader<'_> {
    fn document(&mut self) -> Read {
        let mut open = Vec::new();
        self.space();
        loop {
            // Here a value begins.
            match self.peek() {
                Some('{') => {
                    self.next();
                    self.space();
                    if self.peek() == Some('}') {
                        self.next();
                    } else {
                        open.push(Open::Object);
                        self.name(Open::Object)?;
                        continue;
                    }
                }
                Some('[') => {
                    self.next();
                    self.space();
                    if self.peek() == Some(']') {
                        self.next();
                    } else {
                        open.push(Open::Array);
                        continue;
                    }
                }
                _ => self.scalar(open.last().copied())?,
            }
            // Here a value has ended.
            loop {
                self.space();
                let Some(&around) = open.last() else {
                    return self.end();
                };
                match self.next() {
                    Some(',') => {
                        self.space();
                        if around == Open::Object {
                            self.name(around)?;
                        }
                        break;
                    }
                    Some(c) if c == around.close() => {
                        open.pop();
                    }
                    Some(c @ (']' | '}')) => {
                        return Err(format!(
                            "Unexpected close marker '{c}': expected '{}' (for {})",
                            around.close(),
                            around.name()
                        ));
                    }
                    Some(c) => {
                        let expected = format!("comma to separate {} entries", around.name());
                        return Err(unexpected(c, &format!("was expecting {expected}")));
                    }
                    None => return Err(ended(&expected_close(around))),
                }
            }
        }
    }

    /// After the document: nothing.
    fn end(&mut self) -> Read {
        match self.peek() {
            None => Ok(()),
            Some(c) => Err(unexpected(c, "expected nothing after the JSON value")),
        }
    }

    /// A member's name and the colon behind it.
    fn name(&mut self, around: Open) -> Read {
        match self.next() {
            Some('"') => self.string(" in field name")?,
            Some(c) => {
                let comment = "was expecting double-quote to start field name";
                return Err(unexpected(c, comment));
            }
            None => return Err(ended(&expected_close(around))),
        }
        self.space();
        match self.next() {
            Some(':') => {}
            Some(c) => {
                let comment = "was expecting a colon to separate field name and value";
                return Err(unexpected(c, comment));
            }
            None => return Err(ended(" within/between Object entries")),
        }
        self.space();
        Ok(())
    }

    /// Any value but an array or an object.
    fn scalar(&mut self, around: Option<Open>) -> Read {
        match self.peek() {
            Some('"') => {
                self.next();
                self.string(": was expecting closing quote for a string value")
            }
            Some('-' | '0'..='9') => self.number(),
            Some(c) if begins_word(c) => self.word(),
            Some(c) => {
                let comment = format!("expected a valid value {VALUES}");
                Err(unexpected(c, &comment))
            }
            None => Err(ended(&around.map_or_else(String::new, expected_close))),
        }
    }

    fn word(&mut self) -> Read {
        let end = self.rest.find(|c| !continues_word(c));
        let word = &self.rest[..end.unwrap_or(self.rest.len())];
        if !matches!(word, "null" | "true" | "false") {
            let shown: String = word.chars().take(TOKEN_CHARACTERS_MAX).collect();
            let more = if shown.len() < word.len() { "..." } else { "" };
            return Err(format!(
                "Unrecognized token '{shown}{more}': was expecting {VALUES}"
            ));
        }
        self.rest = &self.rest[word.len()..];
        Ok(())
    }

    fn number(&mut self) -> Read {
        if self.peek() == Some('-') {
            self.next();
            let comment = "expected digit (0-9) to follow minus sign, for valid numeric value";
            self.digits_or(comment, false)?;
        } else {
            self.digits_or("expected digit", false)?;
        }
        if self.peek() == Some('.') {
            self.next();
            self.digits_or("Decimal point not followed by a digit", true)?;
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            self.next();
            if matches!(self.peek(), Some('+' | '-')) {
                self.next();
            }
            self.digits_or("Exponent indicator not followed by a digit", true)?;
        }
        Ok(())
    }

    /// One digit or more; before the point not with a zero in front.
    fn digits_or(&mut self, comment: &str, zeroes: bool) -> Read {
        let end = self.rest.find(|c: char| !c.is_ascii_digit());
        let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        match rest.chars().next() {
            Some(c) if digits.is_empty() => {
                return Err(format!(
                    "Unexpected character ({}) in numeric value: {comment}",
                    described(c)
                ));
            }
            None if digits.is_empty() => return Err(ended(" in numeric value")),
            _ => {}
        }
        if !zeroes && digits.len() > 1 && digits.starts_with('0') {
            return Err("Invalid numeric value: Leading zeroes not allowed".to_owned());
        }
        self.rest = rest;
        Ok(())
    }

    /// The rest of a string, its closing quote too.
    fn string(&mut self, unfinished: &str) -> Read {
        loop {
            match self.next() {
                Some('"') => return Ok(()),
                Some('\\') => self.escape()?,
                Some(c) if c < ' ' => {
                    return Err(format!(
                        "Illegal unquoted character ({}): has to be escaped using backslash to be \
                         included in string value",
                        described(c)
                    ));
                }
                Some(_) => {}
                None => return Err(ended(unfinished)),
            }
        }
    }

    fn escape(&mut self) -> Read {
        match self.next() {
            Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => Ok(()),
            Some('u') => {
                for _ in 0..4 {
                    match self.next() {
                        Some(c) if c.is_ascii_hexdigit() => {}
                        Some(c) => {
                            let comment = "expected a hex-digit for character escape sequence";
                            return Err(unexpected(c, comment));
                        }
                        None => return Err(ended(" in character escape sequence")),
                    }
                }
                Ok(())
            }
            Some(c) => Err(format!("Unrecognized character escape {}", described(c))),
            None => Err(ended(" in character escape sequence")),
        }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }
}

/// Java's `Character.isJavaIdentifierStart`, near enough.
fn begins_word(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

/// Java's `Character.isJavaIdentifierPart`, near enough.
fn continues_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn expected_close(around: Open) -> String {
    format!(": expected close marker for {}", around.name())
}

fn ended(where_: &str) -> String {
    format!("Unexpected end-of-input{where_}")
}

fn unexpected(c: char, comment: &str) -> String {
    format!("Unexpected character ({}): {comment}", described(c))
}

fn described(c: char) -> String {
    let code = u32::from(c);
    if c.is_control() {
        format!("(CTRL-CHAR, code {code})")
    } else if code > 255 {
        format!("'{c}' (code {code} / 0x{code:x})")
    } else {
        format!("'{c}' (code {code})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first two are recorded on AWS; the others are what Jackson says.
    #[test]
    fn a_fault_is_told_in_the_words_of_jackson() {
        for (text, fault_) in [
            (
                "not some json",
                "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or \
                 token 'null', 'true' or 'false')",
            ),
            (
                "{'not': 'json'",
                "Unexpected character (''' (code 39)): was expecting double-quote to start field name",
            ),
            (
                "[nul]",
                "Unrecognized token 'nul': was expecting (JSON String, Number, Array, Object or \
                 token 'null', 'true' or 'false')",
            ),
            (
                r#"{"a":1,}"#,
                "Unexpected character ('}' (code 125)): was expecting double-quote to start field name",
            ),
            (
                r#"{"a" 1}"#,
                "Unexpected character ('1' (code 49)): was expecting a colon to separate field name \
                 and value",
            ),
            (
                r#"{"a":}"#,
                "Unexpected character ('}' (code 125)): expected a valid value (JSON String, Number, \
                 Array, Object or token 'null', 'true' or 'false')",
            ),
            (
                r#"{"a":1 "b":2}"#,
                "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries",
            ),
            (
                "[1 2]",
                "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries",
            ),
            (
                "[1}",
                "Unexpected close marker '}': expected ']' (for Array)",
            ),
            (
                "[1",
                "Unexpected end-of-input: expected close marker for Array",
            ),
            (
                "[",
                "Unexpected end-of-input: expected close marker for Array",
            ),
            (
                "{",
                "Unexpected end-of-input: expected close marker for Object",
            ),
            (r#"{"a"#, "Unexpected end-of-input in field name"),
            (
                r#"{"a":"b"#,
                "Unexpected end-of-input: was expecting closing quote for a string value",
            ),
            ("01", "Invalid numeric value: Leading zeroes not allowed"),
            (
                "-x",
                "Unexpected character ('x' (code 120)) in numeric value: expected digit (0-9) to \
                 follow minus sign, for valid numeric value",
            ),
            (
                "[1.]",
                "Unexpected character (']' (code 93)) in numeric value: Decimal point not followed \
                 by a digit",
            ),
            ("\"\\x\"", "Unrecognized character escape 'x' (code 120)"),
            (
                "\"a\nb\"",
                "Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using \
                 backslash to be included in string value",
            ),
            (
                "{} {}",
                "Unexpected character ('{' (code 123)): expected nothing after the JSON value",
            ),
            (
                "€",
                "Unexpected character ('€' (code 8364 / 0x20ac)): expected a valid value (JSON \
                 String, Number, Array, Object or token 'null', 'true' or 'false')",
            ),
        ] {
            assert_eq!(fault(text).as_deref(), Some(fault_), "{text}");
        }
    }

    /// Whatever serde_json refuses, this reader finds a fault in, and the other way round.
    #[test]
    fn it_agrees_with_the_real_parser() {
        let pieces = [
            "{", "}", "[", "]", ",", ":", "\"a\"", "1", "-", "0.5", "true", "x", " ", "\"\\n\"",
            "1e3",
        ];
        let mut state: u64 = 42;
        let mut valid = 0;
        for _ in 0..50_000 {
            let mut text = String::new();
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            for shift in 0..(1 + (state >> 60) / 2) {
                let pick = (state >> (8 + shift * 6)) % pieces.len() as u64;
                text.push_str(pieces[pick as usize]);
            }
            let parsed = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            valid += u32::from(parsed);
            assert_eq!(fault(&text).is_none(), parsed, "{text}");
        }
        assert!(
            valid > 100,
            "the test is to meet good texts too, not {valid}"
        );
    }

    #[test]
    fn a_deep_text_is_no_danger() {
        let deep = "[".repeat(262_144);
        assert!(fault(&deep).is_some());
    }
}
