//! What a field's text says of where its value comes from, in both query languages.

use serde_json::Value;

use super::super::place::{Step, steps};

/// What a plain path starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The state's input, after InputPath.
    Input,
    /// Its result.
    Result,
    /// The item of a Map.
    Item,
    /// A variable.
    Variable(String),
}

/// A plain path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source(pub(super) Origin, pub(super) Vec<Step>);

/// What stands at a place of a template, if that is a plain path; a value of the template's own comes from nowhere.
pub(super) fn found(template: &Value, place: &[Step], jsonata: bool) -> Option<Source> {
    if jsonata && let Some(text) = template.as_str() {
        return Some(with(expression(text)?, place));
    }
    let (first, rest) = place.split_first()?;
    let Step::Name(first) = first else {
        return None;
    };
    if !jsonata && let Some(path) = template.get(format!("{first}.$")).and_then(Value::as_str) {
        return Some(with(self::path(path)?, rest));
    }
    found(template.get(first)?, rest, jsonata)
}

fn with(Source(origin, steps): Source, rest: &[Step]) -> Source {
    Source(origin, [&steps[..], rest].concat())
}

/// `{% $states.input.a %}` and its like.
fn expression(text: &str) -> Option<Source> {
    let text = text.trim().strip_prefix("{%")?.strip_suffix("%}")?.trim();
    for (name, origin) in [
        ("$states.context.Map.Item.Value", Origin::Item),
        ("$states.input", Origin::Input),
        ("$states.result", Origin::Result),
    ] {
        if let Some(inside) = text.strip_prefix(name) {
            return Some(Source(origin, steps(inside)));
        }
    }
    let (name, inside) = variable(text.strip_prefix('$')?)?;
    Some(Source(Origin::Variable(name.to_owned()), steps(inside)))
}

/// `$.a`, `$$.Map.Item.Value.a`, `$name.a`.
fn path(text: &str) -> Option<Source> {
    if let Some(inside) = text.strip_prefix("$$.Map.Item.Value") {
        return Some(Source(Origin::Item, steps(inside)));
    }
    let inside = text.strip_prefix('$')?;
    match variable(inside) {
        Some((name, inside)) => Some(Source(Origin::Variable(name.to_owned()), steps(inside))),
        None => Some(Source(Origin::Input, input_steps(text)?)),
    }
}

/// The name of a variable behind its `$`, and what comes after it.
pub(in crate::explore) fn variable(text: &str) -> Option<(&str, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let starts = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let is_function = rest.trim_start().starts_with('(');
    (starts && !is_function && name != "states").then_some((name, rest))
}

/// A field that has a path into the input.
pub(super) fn path_of(state: &Value, field: &str) -> Option<Vec<Step>> {
    let text = state.get(field)?.as_str()?;
    input_steps(text)
}

/// A path into the input.
pub(super) fn input_steps(text: &str) -> Option<Vec<Step>> {
    let inside = text.strip_prefix('$')?;
    (!inside.starts_with('$')).then(|| steps(inside))
}

/// Back through a template of JSONPath; none where it gives something of its own.
pub(super) fn through(template: Option<&Value>, place: Vec<Step>) -> Option<Vec<Step>> {
    let Some(template) = template else {
        return Some(place);
    };
    match found(template, &place, false)? {
        Source(Origin::Input, place) => Some(place),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_say_where_they_start() {
        let from = |origin: Origin, path: &str| Some(Source(origin, steps(path)));
        let variable = |name: &str| Origin::Variable(name.to_owned());
        for (text, expected) in [
            ("{% $states.input.a.b %}", from(Origin::Input, ".a.b")),
            ("{% $states.result %}", from(Origin::Result, "")),
            (
                "{%$states.context.Map.Item.Value.c%}",
                from(Origin::Item, ".c"),
            ),
            ("{% $order.id %}", from(variable("order"), ".id")),
            ("{% $uppercase($order.id) %}", None),
            ("{% $states.context.Execution.Id %}", None),
        ] {
            assert_eq!(expression(text), expected, "{text}");
        }
        for (text, expected) in [
            ("$.a", from(Origin::Input, ".a")),
            ("$", from(Origin::Input, "")),
            ("$$.Map.Item.Value.c", from(Origin::Item, ".c")),
            ("$$.Execution.Id", None),
            ("$order[0].id", from(variable("order"), "[0].id")),
            ("States.Format('{}', $.a)", None),
        ] {
            assert_eq!(path(text), expected, "{text}");
        }
    }
}
