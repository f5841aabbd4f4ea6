//! A Parallel state.

use super::fields::Fields;
use super::reader::Reader;
use super::scope::{self, Scope};
use super::{recovery, state, task};
use crate::model::{Parallel, StateKind};

const FIELDS: &[&str] = &[
    "Type",
    "Comment",
    "QueryLanguage",
    "InputPath",
    "OutputPath",
    "Branches",
    "Parameters",
    "ResultSelector",
    "ResultPath",
    "Retry",
    "Catch",
    "Next",
    "End",
    "Arguments",
    "Output",
    "Assign",
];
const BRANCH: &[&str] = &["Comment", "StartAt", "States"];

pub(super) fn read(
    reader: &mut Reader,
    scope: &mut Scope<'_>,
    fields: &Fields<'_>,
) -> Option<StateKind> {
    fields.only(reader, FIELDS);
    fields.require(reader, &["Branches"]);
    let next = scope.next(reader, fields);
    let parameters = state::arguments(reader, fields);
    let result = task::result_flow(reader, fields);
    let recovery = recovery::read(reader, scope, fields);
    let values = fields.array(reader, "Branches")?;
    fields.not_empty(reader, "Branches", values);
    let mut branches = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        let Some(branch) = Fields::of(reader, value, &format!("{}[{at}]", fields.at("Branches")))
        else {
            continue;
        };
        branch.only(reader, BRANCH);
        branches.extend(scope::read(reader, &branch));
    }
    Some(StateKind::Parallel(Box::new(Parallel {
        branches,
        parameters,
        result,
        recovery,
        next,
    })))
}
