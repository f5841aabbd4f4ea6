//! Expressions: JSONPath, JSONata, intrinsic functions.

use std::cell::Cell;

use asl::jsonata::{self, Session};
use asl::{Context, Path, Random, ReferencePath, Scope, Timestamp, Variables, intrinsic};
use serde_json::{Value, json};

use super::generated::document;
use crate::world::STARTED_AT;

/// What an expression may look at: a context object, one variable `$v`, numbers from a fixed seed.
struct World {
    context: Value,
    variable: Value,
    state: Cell<u64>,
    session: Session,
}

impl World {
    fn new() -> World {
        World {
            context: json!({"Execution": {"Id": "e", "Input": {"a": [1, 2]}}, "State": {"Name": "S"}}),
            variable: json!({"list": [3, 1, 2], "text": "some text", "nested": {"a": {"b": [null, true]}}}),
            state: Cell::new(1),
            session: Session::default(),
        }
    }

    fn scope<'a>(&'a self, input: &'a Value) -> Scope<'a> {
        const NOW: Timestamp = STARTED_AT;
        Scope {
            input,
            context: self,
            random: self,
            now: NOW,
            variables: self,
            result: Some(&self.variable),
            error_output: None,
            session: &self.session,
        }
    }
}

impl Context for World {
    fn value(&self) -> &Value {
        &self.context
    }
}

impl Random for World {
    fn next(&self) -> u64 {
        let next = self
            .state
            .get()
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        self.state.set(next);
        next
    }
}

impl Variables for World {
    fn get(&self, name: &str) -> Option<&Value> {
        (name == "v").then_some(&self.variable)
    }
}

/// The first line is a path; what follows makes the document that it reads.
pub fn path(data: &[u8]) {
    let line = data.iter().position(|byte| *byte == b'\n');
    let (text, rest) = data.split_at(line.unwrap_or(data.len()));
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let input = document(rest.get(1..).unwrap_or_default());
    let world = World::new();
    if let Ok(path) = Path::parse(text) {
        // A path that finds nothing has said so; whatever it finds can be written down.
        if let Ok(found) = path.select(world.scope(&input)) {
            assert!(!found.to_string().is_empty());
        }
    }
    if let Ok(path) = ReferencePath::parse(text) {
        let _ = path.put(&input, world.variable.clone());
    }
}

/// An expression, as between `{%` and `%}`.
pub fn jsonata(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(expression) = jsonata::Expression::parse(text, "Output") else {
        return;
    };
    let input = json!({
        "a": {"b": [1, 2.5, -3], "c": "text"},
        "items": [{"price": 1, "name": "x"}, {"price": 20, "name": "y"}, {"price": 3}],
        "t": "2026-01-01T00:00:00Z",
        "n": null,
    });
    let world = World::new();
    if let Ok(value) = expression.evaluate(world.scope(&input)) {
        let text = value.to_string();
        let again: Value =
            serde_json::from_str(&text).expect("what was evaluated can be read back");
        assert_eq!(again.to_string(), text);
    }
}

/// What a member whose name ends in `.$` holds.
pub fn intrinsic(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(expression) = intrinsic::Expression::parse(text, "Field.$") else {
        return;
    };
    let input = json!({
        "list": [1, 2, 2, "three", {"a": 1}, [4]],
        "text": "a,b;c {} \\ 'q' ä",
        "long": "x".repeat(20_000),
        "many": vec![7; 3_000],
        "number": 12.5,
        "large": 9_007_199_254_740_993_i64,
        "json": "{\"b\": [1, 2]}",
        "base64": "aGVsbG8=",
        "object": {"a": 1, "b": {"c": 2}},
    });
    let world = World::new();
    if let Ok(value) = expression.evaluate(world.scope(&input)) {
        assert!(!value.to_string().is_empty());
    }
}
