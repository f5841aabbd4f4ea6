//! What all states have in common, and which type one is.

use serde_json::Value;

use super::fields::{Fields, QueryLanguage};
use super::reader::{Reader, shared};
use super::scope::Scope;
use super::{choice, fail, map, parallel, pass, succeed, task, wait};
use crate::model::State;
use crate::path::Path;

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
    if fields.query_language(reader) == QueryLanguage::Jsonata {
        reader.not_supported(&fields.at("QueryLanguage"), "the query language JSONata");
        return None;
    }
    refuse_other_language(reader, &fields, &["Arguments", "Output"]);
    let kind = match kind {
        "Task" => task::read(reader, scope, &fields),
        "Pass" => pass::read(reader, scope, &fields),
        "Wait" => wait::read(reader, scope, &fields),
        "Choice" => choice::read(reader, scope, &fields),
        "Succeed" => succeed::read(reader, scope, &fields),
        "Fail" => fail::read(reader, scope, &fields),
        "Parallel" => parallel::read(reader, scope, &fields),
        "Map" => map::read(reader, scope, &fields),
        other => {
            let near = TYPES
                .trim_matches(['[', ']'])
                .split(", ")
                .find(|known| known.eq_ignore_ascii_case(other));
            let hint = near.map(|known| format!("It is spelled '{known}'."));
            reader.error(
                "SCHEMA_VALIDATION_FAILED",
                &fields.at("Type"),
                format!("Value is not one of: {TYPES}"),
                hint,
            );
            None
        }
    }?;
    Some(State {
        name: shared(name),
        input_path: fields.document_path(reader, "InputPath"),
        output_path: match fields.has("OutputPath") {
            true => fields.document_path(reader, "OutputPath"),
            false => Some(Path::root()),
        },
        kind,
    })
}

/// Fields that only JSONata has, and workflow variables, which come with it.
pub(super) fn refuse_other_language(reader: &mut Reader, fields: &Fields<'_>, jsonata: &[&str]) {
    for name in jsonata.iter().filter(|name| fields.has(name)) {
        reader.schema(
            &fields.pointer,
            format!(
                "The QueryLanguage is set to 'JSONPath', but field '{name}' is only supported for the 'JSONata' \
                 QueryLanguage"
            ),
        );
    }
    if fields.has("Assign") {
        reader.not_supported(&fields.at("Assign"), "workflow variables");
    }
}
