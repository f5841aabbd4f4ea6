//! What a file says with JSONata: compiled as it is read, evaluated over a request.

use asl::Template as Compiled;
use asl::jsonata::{self, Session};
use asl::{Context, Random, Scope, Timestamp, Variables};
use serde_json::Value;

use crate::call::Seed;
use crate::reading::Reading;

/// The variables that a template may read. The language's own functions are there too, `$now()` for one.
const VARIABLES: [&str; 3] = ["request", "reference", "n"];

/// How the evaluator says that there is nothing.
const NOTHING: &str = "returned nothing (undefined).";

/// JSON in which a text in `{% %}` is JSONata.
#[derive(Debug)]
pub(crate) struct Template(Compiled);

/// What a template is evaluated over.
pub(crate) struct World<'a> {
    /// `$request`.
    pub request: &'a Value,
    /// `$reference`.
    pub reference: Value,
    /// `$n`.
    pub n: Value,
    /// `$body`, where there is one.
    pub body: Option<Value>,
    pub now: Timestamp,
    pub seed: Seed,
}

impl Template {
    /// Compiles `value`, which stands at `at`, and may read `also` beside the usual variables.
    pub fn read(
        reading: &mut Reading,
        value: &Value,
        at: &str,
        also: Option<&str>,
    ) -> Option<Template> {
        let field = at.rsplit('/').next().unwrap_or(at);
        let compiled = match Compiled::parse_jsonata(value, field) {
            Ok(compiled) => compiled,
            Err(faults) => {
                for (inside, fault) in faults {
                    let hint = "Text in {% %} is JSONata, which reads $request, $reference and $n.";
                    reading.wrong(&format!("{at}{inside}"), fault.message, hint);
                }
                return None;
            }
        };
        let known: Vec<&str> = VARIABLES.into_iter().chain(also).collect();
        let mut fits = true;
        for name in compiled.variables() {
            // `$states.input` is the request's body; the language has it everywhere.
            if name != "states" && !known.contains(&name) {
                let near = asl::nearest(name, known.iter().copied());
                let hint = near.map_or(String::new(), |near| format!("Did you mean ${near}? "));
                let there = known.join(", $");
                reading.wrong(
                    at,
                    format!("it reads ${name}, which is not there"),
                    format!("{hint}There are ${there}."),
                );
                fits = false;
            }
        }
        fits.then_some(Template(compiled))
    }

    /// Whether what it says depends on the reference.
    pub fn names_reference(&self) -> bool {
        self.0.variables().contains(&"reference")
    }

    /// Whether it is JSONata as a whole, and not something that has some inside or none at all.
    pub fn is_expression(&self) -> bool {
        self.0.as_jsonata().is_some()
    }

    /// What it says.
    ///
    /// # Errors
    /// Why an expression has no value.
    pub fn render(&self, world: &World<'_>) -> Result<Value, String> {
        let session = Session::default();
        let input = &world.request["body"];
        let scope = Scope {
            input,
            context: &Nothing,
            random: &world.seed,
            now: world.now,
            variables: world,
            result: None,
            error_output: None,
            session: &session,
        };
        let rendered = self.0.render(scope);
        rendered.map_err(|failure| failure.cause.unwrap_or_default())
    }

    /// What it says, or nothing where there is nothing: what a request may lack.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn find(&self, world: &World<'_>) -> Result<Option<Value>, String> {
        match self.render(world) {
            Ok(value) => Ok(Some(value).filter(|value| !value.is_null())),
            Err(why) if why.ends_with(NOTHING) => Ok(None),
            Err(why) => Err(why),
        }
    }
}

/// A value as text: what is text already stands without quotes.
pub(crate) fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Whether `text` is JSONata.
pub(crate) fn is_jsonata(text: &str) -> bool {
    jsonata::between_braces(text).is_some()
}

impl Variables for World<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        match name {
            "request" => Some(self.request),
            "reference" => Some(&self.reference),
            "n" => Some(&self.n),
            "body" => self.body.as_ref(),
            _ => None,
        }
    }
}

/// A mock has no context object.
struct Nothing;

impl Context for Nothing {
    fn value(&self) -> &Value {
        &Value::Null
    }
}

impl Random for Seed {
    fn next(&self) -> u64 {
        self.draw()
    }
}
