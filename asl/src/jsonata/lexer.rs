//! Text to tokens.

use super::error::{Failed, error};
use super::regex::Pattern;

/// A token.
#[derive(Debug, Clone)]
pub(super) enum Token {
    Name(String),
    Variable(String),
    Text(String),
    Number(f64),
    Bool(bool),
    Null,
    Regex(Pattern),
    Operator(&'static str),
    End,
}

impl Token {
    /// As a message shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Token::Name(text) | Token::Variable(text) | Token::Text(text) => format!("{text:?}"),
            Token::Number(number) => number.to_string(),
            Token::Bool(flag) => flag.to_string(),
            Token::Null => "null".to_owned(),
            Token::Regex(_) => "{}".to_owned(),
            Token::Operator(operator) => format!("{operator:?}"),
            Token::End => "\"(end)\"".to_owned(),
        }
    }

    /// As it is written.
    pub(super) fn text(&self) -> String {
        match self {
            Token::Name(text) | Token::Variable(text) | Token::Text(text) => text.clone(),
            Token::Operator(operator) => (*operator).to_owned(),
            other => other.shown(),
        }
    }

    pub(super) fn is(&self, operator: &str) -> bool {
        matches!(self, Token::Operator(found) if *found == operator)
    }
}

/// The longer ones first.
const OPERATORS: [&str; 35] = [
    "..", ":=", "!=", ">=", "<=", "**", "~>", "?:", "??", ".", "[", "]", "{", "}", "(", ")", ",",
    "@", "#", ";", ":", "?", "+", "-", "*", "/", "%", "|", "=", "<", ">", "^", "&", "!", "~",
];

const SPACES: &str = " \t\n\r\u{b}";

pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Lexer<'t> {
        Lexer { text, at: 0 }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// The next token. After an operand, a slash divides; elsewhere it begins a regular expression.
    pub(super) fn next(&mut self, after_operand: bool) -> Result<Token, Failed> {
        loop {
            let rest = self.rest().trim_start_matches(|c| SPACES.contains(c));
            self.at = self.text.len() - rest.len();
            let Some(comment) = rest.strip_prefix("/*") else {
                break;
            };
            let length = comment
                .find("*/")
                .ok_or_else(|| error("S0106", "Comment has no closing tag"))?;
            self.at += length + 4;
        }
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(Token::End);
        };
        if first == '/' && !after_operand {
            self.at += 1;
            return self.regex().map(Token::Regex);
        }
        if let Some(operator) = OPERATORS.iter().find(|op| rest.starts_with(**op)) {
            self.at += operator.len();
            return Ok(Token::Operator(operator));
        }
        if first == '"' || first == '\'' {
            self.at += 1;
            return self.quoted(first).map(Token::Text);
        }
        if let Some(length) = number_length(rest) {
            let digits = &rest[..length];
            self.at += length;
            return match digits.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Token::Number(number)),
                _ => Err(error("S0102", format!("Number out of range: {digits:?}"))),
            };
        }
        if let Some(name) = rest.strip_prefix('`') {
            let length = name.find('`').ok_or_else(|| {
                error(
                    "S0105",
                    "Quoted property name must be terminated with a backquote (`)",
                )
            })?;
            self.at += length + 2;
            return Ok(Token::Name(name[..length].to_owned()));
        }
        let ends = |c: char| SPACES.contains(c) || is_operator(c);
        let name = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += name.len();
        Ok(match name {
            "or" => Token::Operator("or"),
            "in" => Token::Operator("in"),
            "and" => Token::Operator("and"),
            "true" => Token::Bool(true),
            "false" => Token::Bool(false),
            "null" => Token::Null,
            _ => match name.strip_prefix('$') {
                Some(name) => Token::Variable(name.to_owned()),
                None => Token::Name(name.to_owned()),
            },
        })
    }

    fn quoted(&mut self, quote: char) -> Result<String, Failed> {
        let mut text = String::new();
        // Half of a pair of surrogates, which waits for the other.
        let mut high: Option<u16> = None;
        let mut characters = self.rest().char_indices();
        let start = self.at;
        while let Some((at, character)) = characters.next() {
            let mut unit = None;
            if character == quote {
                self.at = start + at + 1;
                text.extend(high.map(|_| char::REPLACEMENT_CHARACTER));
                return Ok(text);
            }
            let mut meant = character;
            if character == '\\' {
                let escape = characters.next().map_or('\0', |(_, c)| c);
                meant = match escape {
                    '"' | '\\' | '/' => escape,
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => {
                        let from = start + at + 2;
                        let digits = self.text.get(from..from + 4);
                        let code = digits
                            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
                            .and_then(|digits| u16::from_str_radix(digits, 16).ok())
                            .ok_or_else(|| {
                                let what =
                                    "The escape sequence \\u must be followed by 4 hex digits";
                                error("S0104", what)
                            })?;
                        characters.nth(3);
                        unit = Some(code);
                        '\0'
                    }
                    other => {
                        let what = format!("Unsupported escape sequence: \\\"{other}\"");
                        return Err(error("S0103", what));
                    }
                };
            }
            match (high.take(), unit) {
                (Some(first), Some(second)) if (0xdc00..0xe000).contains(&second) => {
                    text.extend(char::decode_utf16([first, second]).flatten());
                    continue;
                }
                (Some(_), _) => text.push(char::REPLACEMENT_CHARACTER),
                (None, _) => {}
            }
            match unit {
                Some(code) if (0xd800..0xdc00).contains(&code) => high = Some(code),
                Some(code) => text
                    .push(char::from_u32(u32::from(code)).unwrap_or(char::REPLACEMENT_CHARACTER)),
                None => text.push(meant),
            }
        }
        Err(error(
            "S0101",
            "String literal must be terminated by a matching quote",
        ))
    }

    /// After the slash.
    fn regex(&mut self) -> Result<Pattern, Failed> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let escaped = |at: usize| {
            let before = bytes[..at].iter().rev();
            before.take_while(|byte| **byte == b'\\').count() % 2 == 1
        };
        let mut depth = 0_i32;
        for (at, byte) in bytes.iter().enumerate() {
            let after_backslash = at > 0 && bytes[at - 1] == b'\\';
            match byte {
                b'/' if depth == 0 && !escaped(at) => {
                    if at == 0 {
                        return Err(error("S0301", "Empty regular expressions are not allowed"));
                    }
                    let flags = rest[at + 1..].bytes();
                    let flags = flags.take_while(|flag| matches!(flag, b'i' | b'm')).count();
                    let flags = &rest[at + 1..at + 1 + flags];
                    self.at += at + 1 + flags.len();
                    return Pattern::compile(&rest[..at], flags.contains('i'), flags.contains('m'));
                }
                b'(' | b'[' | b'{' if !after_backslash => depth += 1,
                b')' | b']' | b'}' if !after_backslash => depth -= 1,
                _ => {}
            }
        }
        Err(error("S0302", "No terminating / in regular expression"))
    }
}

/// Whether a name ends before it.
fn is_operator(character: char) -> bool {
    ".[]{}(),@#;:?+-*/%|=<>^&!~".contains(character)
}

/// How long the number is that `text` starts with.
fn number_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        let rest = bytes[from..].iter();
        rest.take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut length = match bytes.first()? {
        b'0' => 1,
        b'1'..=b'9' => digits(0),
        _ => return None,
    };
    if bytes.get(length) == Some(&b'.') && digits(length + 1) > 0 {
        length += 1 + digits(length + 1);
    }
    if let Some(b'e' | b'E') = bytes.get(length) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    Some(length)
}
