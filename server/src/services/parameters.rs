//! Parameters of a task as parameters of an operation.
//!
//! A member that is null is one that is not given. Where an operation takes a text and the task has an
//! object or a list, it gets the JSON text of it, as on AWS (recorded case
//! `test_sfn_start_execution_implicit_json_serialisation`).

use asl::Failure;
use serde_json::{Map, Value};

/// The task's parameters without the members that are null.
///
/// # Errors
/// They are not an object.
pub fn members(parameters: &Value) -> Result<Map<String, Value>, Failure> {
    let Value::Object(members) = parameters else {
        return Err(Failure::runtime(
            "The parameters of a service integration have to be an object",
        ));
    };
    let given = members.iter().filter(|(_, value)| !value.is_null());
    Ok(given
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect())
}

/// Makes a member a text.
pub fn as_text(members: &mut Map<String, Value>, name: &str) {
    if let Some(value) = members.get_mut(name)
        && !value.is_string()
    {
        *value = Value::String(value.to_string());
    }
}

/// A member that is a text.
pub fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name)?.as_str()
}

/// A required member that is a text.
///
/// # Errors
/// It is missing, or no text.
pub fn required<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str, Failure> {
    text(members, name).ok_or_else(|| {
        Failure::runtime(format!(
            "The field '{name}' is required but was missing, or is not a string"
        ))
    })
}

/// Writes the names of members with a small first letter, in objects and lists throughout.
pub fn camel(value: Value) -> Value {
    renamed(value, &|first| first.to_ascii_lowercase())
}

/// Writes the names of members with a capital first letter, in objects and lists throughout.
pub fn pascal(value: Value) -> Value {
    renamed(value, &|first| first.to_ascii_uppercase())
}

fn renamed(value: Value, first: &impl Fn(char) -> char) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| {
                let mut letters = name.chars();
                let name: String = letters
                    .next()
                    .map(|letter| std::iter::once(first(letter)).chain(letters).collect())
                    .unwrap_or_default();
                (name, renamed(value, first))
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(|item| renamed(item, first)).collect(),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_is_not_given_and_an_object_becomes_text() {
        let mut given =
            members(&json!({ "A": null, "B": { "c": 1 }, "D": "d" })).expect("an object");
        as_text(&mut given, "B");
        as_text(&mut given, "D");
        assert_eq!(Value::Object(given), json!({ "B": "{\"c\":1}", "D": "d" }));
        assert!(members(&json!([])).is_err());
    }

    #[test]
    fn names_change_their_first_letter() {
        let camels = json!({ "tags": [{ "key": "K", "value": "V" }] });
        let pascals = json!({ "Tags": [{ "Key": "K", "Value": "V" }] });
        assert_eq!(pascal(camels.clone()), pascals);
        assert_eq!(camel(pascals), camels);
    }
}
