//! A Succeed state.

use super::fields::Fields;
use super::reader::Reader;
use super::scope::Scope;
use crate::model::StateKind;

const FIELDS: &[&str] = &[
    "Type",
    "Comment",
    "QueryLanguage",
    "InputPath",
    "OutputPath",
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
    scope.ends();
    Some(StateKind::Succeed)
}
