//! JSONPath in Jayway's dialect, which is what AWS runs (see `research`: golden vectors in the tests).

use serde_json::Value;

use crate::failure::Failure;
use crate::scope::Scope;

/// A compiled path that reads: `$.a.b`, `$$.Task.Token`, `$..x[?(@.y > 1)]`.
#[derive(Debug, Clone)]
pub struct Path {}

impl Path {
    /// Compiles `text`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Path, String> {
        let _ = text;
        todo!()
    }

    /// `$`.
    pub fn root() -> Path {
        todo!()
    }

    /// Whether it is `$`, so that a caller may pass its input on unchanged.
    pub fn is_root(&self) -> bool {
        todo!()
    }

    /// As written.
    pub fn text(&self) -> &str {
        todo!()
    }

    /// What the path selects: the value itself if it is definite, else a list of all matches.
    ///
    /// # Errors
    /// `States.Runtime` with AWS's cause if a definite path finds nothing; the caller renames the
    /// error where AWS has another (`States.ParameterPathFailure` in a template).
    pub fn select<'a>(&self, scope: Scope<'a>) -> Result<std::borrow::Cow<'a, Value>, Failure> {
        let _ = scope;
        todo!()
    }
}

/// A path made of names and indices only: it can be written to (`ResultPath`).
#[derive(Debug, Clone)]
pub struct ReferencePath {}

impl ReferencePath {
    /// Compiles `text`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<ReferencePath, String> {
        let _ = text;
        todo!()
    }

    /// `$`: the value replaces the whole document.
    pub fn root() -> ReferencePath {
        todo!()
    }

    /// Whether it is `$`.
    pub fn is_root(&self) -> bool {
        todo!()
    }

    /// `document` with `value` at this path; names on the way are made where they are missing.
    ///
    /// # Errors
    /// `States.ResultPathMatchFailure` if the document has no room for it.
    pub fn put(&self, document: &Value, value: Value) -> Result<Value, Failure> {
        let _ = (document, value);
        todo!()
    }
}
