//! Reference paths: names and indices only, so that there is one place to write to.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::token::Token;
use super::{Path, evaluate};
use crate::failure::Failure;

/// A path made of names and indices only: it can be written to (`ResultPath`). Cloning is a
/// reference count.
#[derive(Debug, Clone)]
pub struct ReferencePath {
    text: Arc<str>,
    steps: Arc<[Step]>,
}

#[derive(Debug)]
enum Step {
    Name(Box<str>),
    Index(i64),
}

impl ReferencePath {
    /// Compiles `text`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<ReferencePath, String> {
        let path = Path::parse(text)?;
        if path.is_context() {
            return Err("the context object ('$$') cannot be written to".to_owned());
        }
        if path.variable().is_some() {
            return Err("a workflow variable is assigned with 'Assign'".to_owned());
        }
        let steps: Option<Vec<Step>> = path
            .0
            .tokens
            .iter()
            .map(|token| match token {
                Token::Name(name) => Some(Step::Name(name.clone())),
                Token::Index(index) => Some(Step::Index(*index)),
                _ => None,
            })
            .collect();
        let steps = steps.ok_or("a reference path has names and single indices only")?;
        Ok(ReferencePath {
            text: text.into(),
            steps: steps.into(),
        })
    }

    /// `$`: the value replaces the whole document.
    pub fn root() -> ReferencePath {
        ReferencePath {
            text: "$".into(),
            steps: Arc::new([]),
        }
    }

    /// Whether it is `$`.
    pub fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// `document` with `value` at this path; names on the way are made where they are missing.
    ///
    /// # Errors
    /// `States.ResultPathMatchFailure` if the document has no room for it.
    pub fn put(&self, document: &Value, value: Value) -> Result<Value, Failure> {
        if self.is_root() {
            return Ok(value);
        }
        let mut whole = document.clone();
        let mut here = &mut whole;
        for step in &*self.steps {
            here = match (step, here) {
                (Step::Name(name), Value::Object(members)) => members
                    .entry(&**name)
                    .or_insert_with(|| Value::Object(Map::new())),
                (Step::Index(index), Value::Array(items))
                    if evaluate::item(items, *index).is_some() =>
                {
                    let at = if *index < 0 {
                        index + items.len() as i64
                    } else {
                        *index
                    };
                    &mut items[at as usize]
                }
                _ => return Err(self.no_room(document)),
            };
        }
        *here = value;
        Ok(whole)
    }

    fn no_room(&self, document: &Value) -> Failure {
        Failure::new(
            "States.ResultPathMatchFailure",
            format!(
                "Unable to apply ReferencePath {} to input {document}",
                self.text
            ),
        )
    }
}
