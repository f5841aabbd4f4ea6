//! Path text to steps.
//!
//! One function for each thing that can stand at a place, over a cursor into the text. Jayway is
//! lenient where RFC 9535 is not: a name after a dot goes on to the next `.`, `[`, `(` or blank, so
//! `$.a-b` needs no quotes. The text is the user's: nothing here may recurse without a limit.

use regex_lite::RegexBuilder;
use serde_json::Value;

use super::Root;
use super::filter::{Operand, Operator, Predicate, Query};
use super::function::{self, Argument, Call};
use super::token::Token;

/// How deep filters may nest.
const DEPTH_MAX: usize = 32;
/// How many steps a path may have.
const TOKENS_MAX: usize = 256;
/// How large a pattern may be once it is compiled: matching takes time in proportion to it.
const PATTERN_BYTES_MAX: usize = 32 * 1024;

/// The steps of a path, after its `$`.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut cursor = Cursor {
        text,
        at: 0,
        depth: 0,
    };
    let tokens = cursor.steps()?;
    match cursor.peek() {
        None => Ok(tokens),
        Some(c) => Err(format!(
            "'{c}' is not expected after '${}'",
            &text[..cursor.at]
        )),
    }
}

/// What stands behind the first `$`: the name of a variable, or nothing; and the rest.
pub(super) fn root(text: &str) -> (Root, &str) {
    let named = text.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if !named {
        return (Root::Input, text);
    }
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    (Root::Variable(text[..end].into()), &text[end..])
}

/// Whether the steps lead to one place at most. A union of names does only at the end.
pub(super) fn definite(tokens: &[Token]) -> bool {
    match tokens {
        [before @ .., Token::Names(_)] => before.iter().all(Token::is_definite),
        all => all.iter().all(Token::is_definite),
    }
}

struct Cursor<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Cursor<'t> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Moves over `expected` if it stands here.
    fn take(&mut self, expected: &str) -> bool {
        let here = self.rest().starts_with(expected);
        if here {
            self.at += expected.len();
        }
        here
    }

    fn expect(&mut self, expected: &str) -> Result<(), String> {
        if self.take(expected) {
            return Ok(());
        }
        Err(match self.peek() {
            Some(c) => format!("'{expected}' is expected where '{c}' stands"),
            None => format!("'{expected}' is expected at the end"),
        })
    }

    fn blanks(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn take_while(&mut self, mut wanted: impl FnMut(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// As many steps as follow; stops where no step can start.
    fn steps(&mut self) -> Result<Vec<Token>, String> {
        let mut tokens = Vec::new();
        loop {
            if matches!(tokens.last(), Some(Token::Function(_))) {
                return Ok(tokens);
            }
            if tokens.len() > TOKENS_MAX {
                return Err(format!("a path has at most {TOKENS_MAX} steps"));
            }
            if self.take("..") {
                tokens.push(Token::Scan);
                if self.peek() == Some('[') {
                    continue;
                }
                tokens.push(self.after_dot()?);
            } else if self.take(".") {
                if self.peek() == Some('[') {
                    continue;
                }
                tokens.push(self.after_dot()?);
            } else if self.peek() == Some('[') {
                tokens.push(self.bracket()?);
            } else {
                return Ok(tokens);
            }
        }
    }

    /// A name, `*` or a function.
    fn after_dot(&mut self) -> Result<Token, String> {
        if self.take("*") {
            return Ok(Token::Wildcard);
        }
        // Inside a filter the name also ends at what can follow an operand there.
        let filter = self.depth > 0;
        let name = self.take_while(|c| {
            let ends_anywhere = matches!(c, '.' | '[' | '(') || c.is_whitespace();
            let ends_in_filter = matches!(c, ')' | ',' | '=' | '!' | '<' | '>' | '&' | '|' | ']');
            !(ends_anywhere || filter && ends_in_filter)
        });
        if name.is_empty() {
            return Err("a name, '*' or '[' is expected after '.'".to_owned());
        }
        if self.peek() == Some('(') {
            let function = function::Name::from_text(name)
                .ok_or_else(|| format!("there is no function '{name}()'"))?;
            self.at += 1;
            return self.call(function);
        }
        match self.peek() {
            Some(c) if c.is_whitespace() && !filter => Err(format!(
                "use bracket notation ['my prop'] if a name contains blanks (after '{name}')"
            )),
            _ => Ok(Token::Name(name.into())),
        }
    }

    /// The arguments of a function, after its `(`.
    fn call(&mut self, name: function::Name) -> Result<Token, String> {
        self.enter()?;
        let mut arguments = Vec::new();
        self.blanks();
        while self.peek() != Some(')') {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            arguments.push(match self.operand()? {
                Operand::Query(query) => Argument::Query(query),
                Operand::Literal(value) => Argument::Literal(value),
                Operand::Pattern(_) => return Err("a function takes JSON or paths".to_owned()),
            });
            self.blanks();
        }
        self.expect(")")?;
        self.depth -= 1;
        Ok(Token::Function(Call { name, arguments }))
    }

    /// `[...]`.
    fn bracket(&mut self) -> Result<Token, String> {
        self.expect("[")?;
        self.blanks();
        let token = match self.peek() {
            Some('\'' | '"') => self.names()?,
            Some('*') => {
                self.at += 1;
                Token::Wildcard
            }
            Some('?') => {
                self.at += 1;
                self.blanks();
                self.expect("(")?;
                let predicate = self.any()?;
                self.blanks();
                self.expect(")")?;
                Token::Filter(predicate)
            }
            Some('(') => self.old_negative_index()?,
            _ => self.indices()?,
        };
        self.blanks();
        self.expect("]")?;
        Ok(token)
    }

    fn names(&mut self) -> Result<Token, String> {
        let mut names = Vec::new();
        loop {
            self.blanks();
            names.push(self.quoted()?.into_boxed_str());
            self.blanks();
            if !self.take(",") {
                break;
            }
        }
        Ok(match names.len() {
            1 => Token::Name(names.remove(0)),
            _ => Token::Names(names),
        })
    }

    /// A quoted text. A backslash only stands for something before the quote that would end the
    /// text; elsewhere it is itself (recorded on AWS: `ESCAPE_SEQUENCES_JSONPATH`).
    fn quoted(&mut self) -> Result<String, String> {
        let quote = match self.peek() {
            Some(c @ ('\'' | '"')) => c,
            _ => return Err("a quoted name is expected".to_owned()),
        };
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                self.at += at + c.len_utf8();
                return Ok(text);
            }
            match chars.peek() {
                Some((_, next)) if c == '\\' && *next == quote => {
                    text.push(quote);
                    chars.next();
                }
                _ => text.push(c),
            }
        }
        Err(format!("the closing {quote} is missing"))
    }

    /// `[(@.length-1)]`, an old way to say `[-1]`.
    fn old_negative_index(&mut self) -> Result<Token, String> {
        self.expect("(")?;
        self.blanks();
        self.expect("@.length")?;
        self.take("()");
        self.blanks();
        let index = self
            .number()
            .filter(|n| *n < 0)
            .ok_or("'@.length-N' is expected")?;
        self.blanks();
        self.expect(")")?;
        Ok(Token::Index(index))
    }

    /// `0`, `0,2`, `1:3`.
    fn indices(&mut self) -> Result<Token, String> {
        let first = self.number();
        self.blanks();
        if self.take(":") {
            self.blanks();
            let to = self.number();
            return Ok(Token::Slice(first, to));
        }
        let first = first.ok_or_else(|| match self.peek() {
            Some(c) => format!("'{c}' is not expected after '['"),
            None => "the closing ']' is missing".to_owned(),
        })?;
        let mut indices = vec![first];
        while self.take(",") {
            self.blanks();
            indices.push(self.number().ok_or("a number is expected after ','")?);
            self.blanks();
        }
        Ok(match indices[..] {
            [index] => Token::Index(index),
            _ => Token::Indices(indices),
        })
    }

    fn number(&mut self) -> Option<i64> {
        let start = self.at;
        self.take("-");
        self.blanks();
        self.take_while(|c| c.is_ascii_digit());
        let digits: String = self.text[start..self.at].split_whitespace().collect();
        let number = digits.parse().ok();
        if number.is_none() {
            self.at = start;
        }
        number
    }

    fn enter(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("filters nest at most {DEPTH_MAX} deep"));
        }
        Ok(())
    }

    /// `a || b`.
    fn any(&mut self) -> Result<Predicate, String> {
        self.enter()?;
        let mut any = vec![self.all()?];
        self.blanks();
        while self.take("||") {
            any.push(self.all()?);
            self.blanks();
        }
        self.depth -= 1;
        Ok(if any.len() == 1 {
            any.remove(0)
        } else {
            Predicate::Or(any)
        })
    }

    /// `a && b`.
    fn all(&mut self) -> Result<Predicate, String> {
        let mut all = vec![self.condition()?];
        self.blanks();
        while self.take("&&") {
            all.push(self.condition()?);
            self.blanks();
        }
        Ok(if all.len() == 1 {
            all.remove(0)
        } else {
            Predicate::And(all)
        })
    }

    /// `!a`, `(a)`, `@.a`, `@.a == 1`.
    fn condition(&mut self) -> Result<Predicate, String> {
        self.blanks();
        if self.take("!") {
            self.enter()?;
            let inner = self.condition()?;
            self.depth -= 1;
            return Ok(Predicate::Not(Box::new(inner)));
        }
        if self.take("(") {
            let inner = self.any()?;
            self.blanks();
            self.expect(")")?;
            return Ok(inner);
        }
        let left = self.operand()?;
        self.blanks();
        let start = self.at;
        let sign = self.take_while(|c| matches!(c, '=' | '!' | '<' | '>' | '~'));
        let word = if sign.is_empty() {
            self.take_while(|c| c.is_ascii_alphabetic())
        } else {
            sign
        };
        if word.is_empty() {
            self.at = start;
            return match left {
                Operand::Query(query) => Ok(Predicate::Exists(query)),
                _ => Err("a comparison is expected after a literal".to_owned()),
            };
        }
        let operator =
            Operator::from_text(word).ok_or_else(|| format!("there is no operator '{word}'"))?;
        self.blanks();
        let right = self.operand()?;
        if (operator == Operator::Matches) != matches!(right, Operand::Pattern(_)) {
            return Err("'=~' takes a pattern between slashes, and only it does".to_owned());
        }
        Ok(Predicate::Compare(left, operator, right))
    }

    /// A path, a literal or a pattern.
    fn operand(&mut self) -> Result<Operand, String> {
        self.blanks();
        match self.peek() {
            Some(c @ ('@' | '$')) => {
                self.at += 1;
                let tokens = self.steps()?;
                let definite = definite(&tokens);
                Ok(Operand::Query(Query {
                    from_root: c == '$',
                    definite,
                    tokens,
                }))
            }
            Some('\'' | '"') => Ok(Operand::Literal(Value::String(self.quoted()?))),
            Some('/') => self.pattern(),
            Some('[') => self.list(),
            Some('{') => {
                let mut values =
                    serde_json::Deserializer::from_str(self.rest()).into_iter::<Value>();
                let value = values
                    .next()
                    .and_then(Result::ok)
                    .ok_or("the object in the filter is not JSON")?;
                self.at += values.byte_offset();
                Ok(Operand::Literal(value))
            }
            _ => {
                let word =
                    self.take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '+' | '.' | '_'));
                match (serde_json::from_str(word), self.peek()) {
                    (Ok(value), _) => Ok(Operand::Literal(value)),
                    // AWS takes a bare word as text: definitions of its own samples, which do run
                    // there, have `[?(@.status == Failure)]`.
                    (Err(_), _) if word.starts_with(char::is_alphabetic) => {
                        Ok(Operand::Literal(Value::String(word.to_owned())))
                    }
                    (Err(_), Some(c)) if word.is_empty() => {
                        Err(format!("'{c}' is not expected in a filter"))
                    }
                    (Err(_), None) if word.is_empty() => {
                        Err("the filter is not complete".to_owned())
                    }
                    (Err(_), _) => Err(format!("'{word}' is neither a path nor a literal")),
                }
            }
        }
    }

    /// `['a', "b", 1]`: JSON, and single quotes as well.
    fn list(&mut self) -> Result<Operand, String> {
        self.enter()?;
        self.expect("[")?;
        let mut items = Vec::new();
        self.blanks();
        while self.peek() != Some(']') {
            if !items.is_empty() {
                self.expect(",")?;
            }
            match self.operand()? {
                Operand::Literal(value) => items.push(value),
                _ => return Err("a list in a filter has literals only".to_owned()),
            }
            self.blanks();
        }
        self.expect("]")?;
        self.depth -= 1;
        Ok(Operand::Literal(Value::Array(items)))
    }

    /// `/pattern/flags`.
    fn pattern(&mut self) -> Result<Operand, String> {
        self.expect("/")?;
        let mut escaped = false;
        let source = self.take_while(|c| {
            let end = c == '/' && !escaped;
            escaped = c == '\\' && !escaped;
            !end
        });
        self.expect("/")?;
        let flags = self.take_while(|c| c.is_ascii_alphabetic());
        if let Some(flag) = flags.chars().find(|flag| !"dimsuxU".contains(*flag)) {
            return Err(format!("there is no pattern flag '{flag}'"));
        }
        RegexBuilder::new(&format!(r"\A(?:{})\z", source.replace("\\/", "/")))
            .case_insensitive(flags.contains('i'))
            .multi_line(flags.contains('m'))
            .dot_matches_new_line(flags.contains('s'))
            .ignore_whitespace(flags.contains('x'))
            .size_limit(PATTERN_BYTES_MAX)
            .build()
            .map(Operand::Pattern)
            .map_err(|why| format!("the pattern /{source}/ is not valid: {why}"))
    }
}
