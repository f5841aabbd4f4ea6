//! Every expression of `jsonata.json`, as the engine evaluates it: compiled once, the input a JSON
//! document, a session of its own, the result a JSON document.
//!
//! `jsonata.mjs` runs this, times the same expressions in the reference implementation, and prints
//! one beside the other.

use std::fmt;
use std::sync::LazyLock;

use asl::jsonata::{Expression, Session};
use asl::{Context, NoVariables, Random, Scope, Timestamp};
use serde_json::Value;

fn main() {
    divan::main();
}

struct Case {
    name: String,
    input: Value,
    expression: Expression,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// An execution's surroundings, as far as an expression that is timed looks at them.
struct Outside;

impl Context for Outside {
    fn value(&self) -> &Value {
        &Value::Null
    }
}

impl Random for Outside {
    fn next(&self) -> u64 {
        7
    }
}

fn evaluate(expression: &Expression, input: &Value) -> Value {
    let scope = Scope {
        input,
        context: &Outside,
        random: &Outside,
        now: Timestamp(1_700_000_000_000),
        variables: &NoVariables,
        result: None,
        error_output: None,
        session: &Session::default(),
    };
    expression.evaluate(scope).expect("it has a value")
}

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let file: Value = serde_json::from_str(include_str!("jsonata.json")).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let parse = |text: &str| Expression::parse(text, "Output").expect("an expression");
    let cases = file["cases"].as_array().expect("a list");
    let case = |case: &Value| Case {
        name: text(&case[0]),
        input: evaluate(&parse(&text(&file["inputs"][text(&case[1])])), &Value::Null),
        expression: parse(&text(&case[2])),
    };
    cases.iter().map(case).collect()
});

#[divan::bench(args = CASES.iter())]
fn expressions(case: &Case) -> Value {
    evaluate(&case.expression, &case.input)
}
