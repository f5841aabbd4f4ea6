//! A Pass state.

use super::fields::{Fields, looks_like_expression};
use super::reader::Reader;
use super::scope::Scope;
use crate::model::{Pass, StateKind};

const FIELDS: &[&str] = &[
    "Type",
    "Comment",
    "QueryLanguage",
    "InputPath",
    "OutputPath",
    "Parameters",
    "Result",
    "ResultPath",
    "Next",
    "End",
    "Arguments",
    "Output",
    "Assign",
];

pub(super) fn read(
    reader: &mut Reader,
    scope: &mut Scope<'_>,
    fields: &Fields<'_>,
) -> Option<StateKind> {
    fields.only(reader, FIELDS);
    let result = fields.get("Result").cloned();
    if result
        .as_ref()
        .and_then(|value| value.as_str())
        .is_some_and(looks_like_expression)
    {
        reader.warning(
            "PASS_RESULT_IS_STATIC",
            &fields.at("Result"),
            "The result of a Pass state is static: this path or function is not evaluated",
            "Use 'Parameters' with a field whose name ends in '.$'.",
        );
    }
    Some(StateKind::Pass(Box::new(Pass {
        result,
        parameters: fields.template(reader, "Parameters"),
        result_path: fields.result_path(reader),
        next: scope.next(reader, fields),
    })))
}
