//! What all states have in common, and which type one is.

use serde_json::Value;

use super::fields::Fields;
use super::near::nearest;
use super::reader::{Reader, shared};
use super::scope::Scope;
use super::{choice, fail, map, parallel, pass, succeed, task, wait};
use crate::model::{QueryLanguage, State};
use crate::path::Path;
use crate::template::Template;

/// The longest name of a variable, in characters (AWS).
const VARIABLE_NAME_MAX: usize = 80;

const TYPES: &str = "[Task, Pass, Wait, Choice, Succeed, Fail, Parallel, Map]";

/// Reads one state; nothing if its type is not known or cannot run yet.
pub(super) fn read(
    reader: &mut Reader,
    scope: &mut Scope<'_>,
    name: &str,
    value: &Value,
    pointer: &str,
) -> Option<State> {
    let fields = Fields::of(reader, value, pointer)?;
    if !fields.require(reader, &["Type"]) {
        return None;
    }
    let kind = fields.string(reader, "Type")?;
    fields.string(reader, "Comment");
    let own = fields.query_language(reader);
    let goes_back =
        reader.top_language == QueryLanguage::Jsonata && own == Some(QueryLanguage::JsonPath);
    if goes_back {
        reader.schema(
            pointer,
            "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine",
        );
    }
    let query_language = own.unwrap_or(reader.top_language);
    let outer = reader.enter_state(pointer, query_language);
    if !goes_back {
        refuse_other_language(reader, &fields, &["Arguments", "Output", "Items"]);
    }
    let state = read_in_language(reader, scope, kind, &fields);
    let variable_references = reader.leave_state(outer);
    Some(State {
        name: shared(name),
        query_language,
        variable_references,
        ..state?
    })
}

fn read_in_language(
    reader: &mut Reader,
    scope: &mut Scope<'_>,
    kind: &str,
    fields: &Fields<'_>,
) -> Option<State> {
    if !matches!(kind, "Task" | "Parallel") && reader.language == QueryLanguage::Jsonata {
        refuse(reader, fields, &["Arguments"]);
    }
    if kind == "Fail" {
        refuse(reader, fields, &["Assign", "Output"]);
    }
    let kind = match kind {
        "Task" => task::read(reader, scope, fields),
        "Pass" => pass::read(reader, scope, fields),
        "Wait" => wait::read(reader, scope, fields),
        "Choice" => choice::read(reader, scope, fields),
        "Succeed" => succeed::read(reader, scope, fields),
        "Fail" => fail::read(reader, scope, fields),
        "Parallel" => parallel::read(reader, scope, fields),
        "Map" => map::read(reader, scope, fields),
        other => {
            let near = nearest(other, TYPES.trim_matches(['[', ']']).split(", "));
            let hint = near.map(|known| format!("It is spelled '{known}'."));
            reader.error(
                "SCHEMA_VALIDATION_FAILED",
                &fields.at("Type"),
                format!("Value should be one of the following: {TYPES}"),
                hint,
            );
            None
        }
    }?;
    let output_path = match fields.has("OutputPath") {
        true => fields.document_path(reader, "OutputPath"),
        false => Some(Path::root()),
    };
    Some(State {
        name: shared(""),
        input_path: fields.document_path(reader, "InputPath"),
        output_path,
        query_language: reader.language,
        output: output(reader, fields),
        assign: assign(reader, fields),
        variable_references: Vec::new(),
        kind,
    })
}

/// Fields that only JSONPath has.
const JSONPATH: &[&str] = &[
    "InputPath",
    "OutputPath",
    "Parameters",
    "Result",
    "ResultPath",
    "ResultSelector",
    "ItemsPath",
    "SecondsPath",
    "TimestampPath",
    "TimeoutSecondsPath",
    "HeartbeatSecondsPath",
    "ErrorPath",
    "CausePath",
    "MaxConcurrencyPath",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentagePath",
    "MaxItemsPath",
    "MaxItemsPerBatchPath",
    "MaxInputBytesPerBatchPath",
    "Variable",
];

/// Fields that the state's language does not have; `jsonata` are those of the object that only
/// JSONata has.
pub(super) fn refuse_other_language(reader: &mut Reader, fields: &Fields<'_>, jsonata: &[&str]) {
    let (own, other, names) = match reader.language {
        QueryLanguage::JsonPath => ("JSONPath", "JSONata", jsonata),
        QueryLanguage::Jsonata => ("JSONata", "JSONPath", JSONPATH),
    };
    for name in names.iter().filter(|name| fields.has(name)) {
        reader.schema_hint(
            &fields.pointer,
            format!(
                "The QueryLanguage is set to '{own}', but field '{name}' is only supported for the '{other}' \
                 QueryLanguage"
            ),
            match in_other_language(name) {
                Some(instead) => format!("In {own} it is {instead}."),
                None => format!("Give the state \"QueryLanguage\": \"{other}\", or remove the field."),
            },
        );
    }
}

/// What one language has in the place of a field of the other.
fn in_other_language(field: &str) -> Option<&'static str> {
    Some(match field {
        "Parameters" => "'Arguments'",
        "ResultSelector" | "OutputPath" | "ResultPath" | "Result" => {
            "'Output', where $states.result is the result"
        }
        "InputPath" => "$states.input in the expressions",
        "ItemsPath" => "'Items'",
        "Variable" => "'Condition'",
        "SecondsPath" => "'Seconds' with an expression",
        "TimestampPath" => "'Timestamp' with an expression",
        "TimeoutSecondsPath" => "'TimeoutSeconds' with an expression",
        "HeartbeatSecondsPath" => "'HeartbeatSeconds' with an expression",
        "ErrorPath" => "'Error' with an expression",
        "CausePath" => "'Cause' with an expression",
        "MaxConcurrencyPath" => "'MaxConcurrency' with an expression",
        "ToleratedFailureCountPath" => "'ToleratedFailureCount' with an expression",
        "ToleratedFailurePercentagePath" => "'ToleratedFailurePercentage' with an expression",
        "Arguments" => "'Parameters'",
        "Output" => "'OutputPath', 'ResultSelector' or 'ResultPath'",
        "Items" => "'ItemsPath'",
        "Condition" => "'Variable' and a comparison",
        _ => return None,
    })
}

fn refuse(reader: &mut Reader, fields: &Fields<'_>, names: &[&str]) {
    for name in names.iter().filter(|name| fields.has(name)) {
        reader.schema(&fields.pointer, format!("Field '{name}' is not supported"));
    }
}

/// `Output`, of a state, a Choice rule or a Catch.
pub(super) fn output(reader: &mut Reader, fields: &Fields<'_>) -> Option<Template> {
    match reader.language {
        QueryLanguage::Jsonata => fields.jsonata_template(reader, "Output"),
        QueryLanguage::JsonPath => None,
    }
}

/// `Arguments`, or `Parameters` as JSONPath calls it.
pub(super) fn arguments(reader: &mut Reader, fields: &Fields<'_>) -> Option<Template> {
    match reader.language {
        QueryLanguage::Jsonata => fields.jsonata_template(reader, "Arguments"),
        QueryLanguage::JsonPath => fields.template(reader, "Parameters"),
    }
}

/// `Assign`, of a state, a Choice rule or a Catch.
pub(super) fn assign(reader: &mut Reader, fields: &Fields<'_>) -> Option<Template> {
    let assigned = Fields::of(reader, fields.get("Assign")?, &fields.at("Assign"))?;
    for (name, _) in assigned.entries() {
        let name = match reader.language {
            QueryLanguage::JsonPath => name.strip_suffix(".$").unwrap_or(name),
            QueryLanguage::Jsonata => name,
        };
        let mut chars = name.chars();
        let starts = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
        let rest = chars.all(|c| c.is_alphanumeric() || c == '_');
        let fault = if name == "states" {
            let message = "Cannot assign to reserved variable '$states'.".to_owned();
            Some(("RESERVED_VARIABLE_NAME", message))
        } else if !(starts && rest) {
            let why = "the variable name contains invalid characters.";
            let message = format!("Invalid variable name '{name}': {why}");
            Some(("INVALID_VARIABLE_NAME", message))
        } else if name.chars().count() > VARIABLE_NAME_MAX {
            let why = "the variable name has more than 80 characters.";
            let message = format!("Invalid variable name '{name}': {why}");
            Some(("INVALID_VARIABLE_NAME", message))
        } else {
            None
        };
        if let Some((code, message)) = fault {
            let hint = format!(
                "A name has letters, digits and underscores, at most {VARIABLE_NAME_MAX}, does not \
                 start with a digit, and is not 'states'."
            );
            reader.error(code, &assigned.pointer, message, Some(hint));
        }
        // A Catch may assign what an inner scope does (recorded: test_parallel_catch_error).
        if !reader.place_in_state(&fields.pointer).starts_with("Catch[") {
            reader.assigns(name, &assigned.pointer);
        }
    }
    match reader.language {
        QueryLanguage::Jsonata => fields.jsonata_template(reader, "Assign"),
        QueryLanguage::JsonPath => fields.template(reader, "Assign"),
    }
}
