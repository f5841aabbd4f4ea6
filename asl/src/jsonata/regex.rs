//! Regular expressions: JavaScript's, as far as they can be matched in linear time.
//!
//! The crate `regex` knows neither look-around nor back references; an expression with these is
//! refused when it is read. In exchange no pattern and no text can make it hang.

use std::fmt::Write;

use regex::{Regex, RegexBuilder};

use super::error::{Failed, error};

/// How large a compiled pattern may be.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// A regular expression, compiled.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    regex: Regex,
}

impl Pattern {
    pub(super) fn compile(source: &str, fold: bool, lines: bool) -> Result<Pattern, Failed> {
        let regex = RegexBuilder::new(&translate(source))
            .case_insensitive(fold)
            .multi_line(lines)
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_BYTES_MAX)
            .nest_limit(50)
            .build()
            .map_err(|_| error("", format!("Invalid regular expression: /{source}/")))?;
        Ok(Pattern { regex })
    }

    pub(super) fn regex(&self) -> &Regex {
        &self.regex
    }
}

/// JavaScript's syntax in the crate's: classes are ASCII's, and signs that mean something only to the
/// crate are escaped.
fn translate(source: &str) -> String {
    let mut text = String::with_capacity(source.len() + 16);
    let mut in_class = false;
    let mut characters = source.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                let escaped = characters.next().unwrap_or('\\');
                match escaped {
                    'd' if in_class => text.push_str("0-9"),
                    'd' => text.push_str("[0-9]"),
                    'D' => text.push_str("[^0-9]"),
                    'w' if in_class => text.push_str("0-9A-Za-z_"),
                    'w' => text.push_str("[0-9A-Za-z_]"),
                    'W' => text.push_str("[^0-9A-Za-z_]"),
                    'b' if in_class => text.push_str("\\x08"),
                    'b' => text.push_str("(?-u:\\b)"),
                    'B' => text.push_str("(?-u:\\B)"),
                    'u' => {
                        let digits: String = characters.clone().take(4).collect();
                        if digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                            characters.nth(3);
                            let _ = write!(text, "\\x{{{digits}}}");
                        } else {
                            text.push('u');
                        }
                    }
                    's' | 'S' | 'n' | 'r' | 't' | 'f' | 'v' | 'x' | '0'..='9' | 'k' | 'p' | 'P' => {
                        text.push('\\');
                        text.push(escaped);
                    }
                    // JavaScript takes any other character for itself.
                    other if other.is_ascii_alphabetic() || !other.is_ascii() => text.push(other),
                    other if other.is_ascii_punctuation() => {
                        text.push('\\');
                        text.push(other);
                    }
                    other => text.push(other),
                }
            }
            '[' if in_class => text.push_str("\\["),
            '[' => {
                in_class = true;
                text.push('[');
                if characters.peek() == Some(&'^') {
                    characters.next();
                    text.push('^');
                }
                // A class without anything, which matches nothing, or all.
                if characters.peek() == Some(&']') {
                    characters.next();
                    in_class = false;
                    match text.pop() {
                        Some('^') => text.push_str("\\s\\S]"),
                        _ => text.push_str("[^\\s\\S]"),
                    }
                }
            }
            ']' if in_class => {
                in_class = false;
                text.push(']');
            }
            sign @ ('&' | '~') if in_class => {
                text.push('\\');
                text.push(sign);
            }
            other => text.push(other),
        }
    }
    text
}
