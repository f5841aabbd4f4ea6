//! JSONPath in Jayway's dialect, which is what AWS runs.
//!
//! - [`Path`] reads; it may branch (`..`, `[*]`, filters), and then it gives a list.
//! - [`ReferencePath`] is made of names and indices only, so it names one place and can be written to.
//!
//! Both are compiled once by [`parse`]; [`evaluate`] walks a document; [`filter`] decides what is
//! inside `[?( )]`; [`function`] holds what may end a path (`.length()`). The messages of a failed
//! walk are Jayway's, since AWS hands them on to its users.

mod evaluate;
mod filter;
mod function;
mod parse;
mod reference;
mod token;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use crate::failure::Failure;
use crate::scope::Scope;

pub(crate) use filter::numbers;
pub use reference::ReferencePath;
use token::Token;

/// A compiled path that reads: `$.a.b`, `$$.Task.Token`, `$..x[?(@.y > 1)]`. Cloning is a reference count.
#[derive(Debug, Clone)]
pub struct Path(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    /// As written.
    text: Box<str>,
    root: Root,
    /// Whether it can select one place only.
    definite: bool,
    tokens: Vec<Token>,
}

/// What a path starts at.
#[derive(Debug)]
enum Root {
    /// `$`.
    Input,
    /// `$$`.
    Context,
    /// `$name`.
    Variable(Box<str>),
}

impl Path {
    /// Compiles `text`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Path, String> {
        let (root, rest) = match text.strip_prefix("$$") {
            Some(rest) => (Root::Context, rest),
            None => match text.strip_prefix('$') {
                Some(rest) => parse::root(rest),
                None => {
                    return Err(
                        "a path starts with '$', or with '$$' for the context object".to_owned(),
                    );
                }
            },
        };
        // As Jayway does; AWS's own samples have paths with a blank at their end.
        let tokens = parse::tokens(rest.trim_end())?;
        let definite = parse::definite(&tokens);
        Ok(Path(Arc::new(Compiled {
            text: text.into(),
            root,
            definite,
            tokens,
        })))
    }

    /// `$`.
    pub fn root() -> Path {
        Path(Arc::new(Compiled {
            text: "$".into(),
            root: Root::Input,
            definite: true,
            tokens: Vec::new(),
        }))
    }

    /// Whether it is `$`, so that a caller may pass its input on unchanged.
    pub fn is_root(&self) -> bool {
        matches!(self.0.root, Root::Input) && self.0.tokens.is_empty()
    }

    /// Whether it reads the context object.
    pub fn is_context(&self) -> bool {
        matches!(self.0.root, Root::Context)
    }

    /// The workflow variable that it reads, if it reads one.
    pub fn variable(&self) -> Option<&str> {
        match &self.0.root {
            Root::Variable(name) => Some(name),
            Root::Input | Root::Context => None,
        }
    }

    /// Whether it can select one place only, so that its result is a value and not a list of matches.
    pub fn is_definite(&self) -> bool {
        self.0.definite
    }

    /// Whether it consists of names and single indices only.
    pub fn is_reference(&self) -> bool {
        self.0.tokens.iter().all(Token::is_reference)
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What the path selects: the value itself if it is definite, else a list of all matches.
    ///
    /// # Errors
    /// `States.Runtime` with AWS's cause if a definite path finds nothing.
    pub fn select<'a>(&self, scope: Scope<'a>) -> Result<Cow<'a, Value>, Failure> {
        self.find(scope)
            .map_err(|why| Failure::runtime(format!("Invalid path '{}' : {why}", self.text())))
    }

    /// As [`Path::select`], for a caller that has its own words for a path that finds nothing.
    ///
    /// # Errors
    /// Why nothing was found, in Jayway's words.
    pub fn find<'a>(&self, scope: Scope<'a>) -> Result<Cow<'a, Value>, String> {
        let budget = evaluate::Budget::new();
        let document = match &self.0.root {
            Root::Input => scope.input,
            Root::Context => {
                if let Some((part, rest)) = self.part_of_context(scope)
                    && let Ok(found) = evaluate::select(rest, true, part, part, &budget)
                {
                    return Ok(found);
                }
                // What is missing is told by the whole path.
                scope.context.value()
            }
            Root::Variable(name) => scope
                .variables
                .get(name)
                .ok_or_else(|| format!("No value has been assigned to the variable '{name}'"))?,
        };
        if !self.0.definite {
            // A walk is bounded; a state may have hundreds of them.
            scope.session.time_left()?;
        }
        evaluate::select(&self.0.tokens, self.0.definite, document, document, &budget)
    }

    /// The same in a payload template, where an index behind the end of a list finds `null` (measured on AWS:
    /// floci-io/floci#3167).
    ///
    /// # Errors
    /// As [`Path::find`].
    pub(crate) fn find_or_past_the_end<'a>(
        &self,
        scope: Scope<'a>,
    ) -> Result<Cow<'a, Value>, String> {
        self.find(scope).or_else(|why| {
            let Some((Token::Index(_), list)) = self.0.tokens.split_last() else {
                return Err(why);
            };
            let document = match &self.0.root {
                Root::Input => Some(scope.input),
                Root::Context => Some(scope.context.value()),
                Root::Variable(name) => scope.variables.get(name),
            };
            let budget = evaluate::Budget::new();
            let list = document
                .filter(|_| self.0.definite)
                .and_then(|whole| evaluate::select(list, true, whole, whole, &budget).ok());
            match list.is_some_and(|list| list.is_array()) {
                true => Ok(Cow::Owned(Value::Null)),
                false => Err(why),
            }
        })
    }

    /// The part of the context object that the path begins with, and the rest of the path: most read a
    /// name or a token, and need not wait for a copy of the execution's input.
    fn part_of_context<'a>(&self, scope: Scope<'a>) -> Option<(&'a Value, &[Token])> {
        if !self.0.definite {
            return None;
        }
        let names: Vec<&str> = self.0.tokens.iter().map_while(Token::name).collect();
        let (part, taken) = scope.context.part(&names)?;
        Some((part, &self.0.tokens[taken..]))
    }
}
