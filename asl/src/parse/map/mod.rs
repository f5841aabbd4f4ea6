//! A Map state: what both modes have, and which mode it is.
//!
//! [`distributed`] reads what only `Mode` `DISTRIBUTED` has; its `ItemReader` has a file of its own,
//! [`item_reader`], and so has its [`label`].

mod distributed;
mod item_reader;
pub(super) mod label;
#[cfg(test)]
mod tests;

use super::fields::{Fields, none_of};
use super::reader::Reader;
use super::scope::{self, Scope};
use super::{recovery, task};
use crate::amount::Amount;
use crate::model::{Items, Map, QueryLanguage, StateId, StateKind, Tolerance};
use crate::path::Path;

const FIELDS: &[&str] = &[
    "Type",
    "Comment",
    "QueryLanguage",
    "InputPath",
    "OutputPath",
    "ItemProcessor",
    "Iterator",
    "ItemsPath",
    "ItemSelector",
    "Parameters",
    "MaxConcurrency",
    "MaxConcurrencyPath",
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
    "ResultSelector",
    "ResultPath",
    "Retry",
    "Catch",
    "Next",
    "End",
    "Arguments",
    "Output",
    "Assign",
    "Items",
];
const PROCESSOR: &[&str] = &["Comment", "StartAt", "States", "ProcessorConfig"];
/// `MaxConcurrency` has no limit of its own; a Map has one that it stays below in silence.
const CONCURRENCY_MAX: u64 = i64::MAX as u64;
const TOLERATED_COUNT_MAX: u64 = i64::MAX as u64;

pub(super) fn read(
    reader: &mut Reader,
    scope: &mut Scope<'_>,
    fields: &Fields<'_>,
) -> Option<StateKind> {
    let processor = Processor::of(reader, fields);
    let is_distributed = processor.as_ref().is_some_and(|p| p.express.is_some());
    if !is_distributed {
        distributed::refuse_inline(reader, fields);
    }
    fields.only(reader, &[FIELDS, distributed::FIELDS].concat());
    let next = scope.next(reader, fields);
    fields.exclusive(reader, &["ItemSelector", "Parameters"]);
    let selector = if fields.has("ItemSelector") {
        "ItemSelector"
    } else {
        "Parameters"
    };
    let item_selector = match reader.language {
        QueryLanguage::JsonPath => fields.template(reader, selector),
        QueryLanguage::Jsonata => fields.jsonata_template(reader, "ItemSelector"),
    };
    let items = items(reader, fields, is_distributed);
    let max_concurrency = whole(reader, fields, "MaxConcurrency", 0, CONCURRENCY_MAX);
    let tolerance = tolerance(reader, fields);
    let result = task::result_flow(reader, fields);
    let recovery = recovery::read(reader, scope, fields);
    let distributed = processor
        .as_ref()
        .and_then(|p| p.express)
        .map(|express| Box::new(distributed::read(reader, fields, express)));
    let start_at = processor.and_then(|processor| processor.states(reader));
    Some(StateKind::Map(Box::new(Map {
        start_at: start_at?,
        items: items?,
        item_selector,
        max_concurrency: max_concurrency.unwrap_or(Amount::fixed("MaxConcurrency", 0)),
        tolerance,
        distributed,
        result,
        recovery,
        next,
    })))
}

/// An object has items as well, its members, but only for a distributed Map.
fn items(reader: &mut Reader, fields: &Fields<'_>, is_distributed: bool) -> Option<Items> {
    match (reader.language, fields.get("Items")) {
        (QueryLanguage::JsonPath, _) if fields.has("ItemsPath") => {
            fields.path(reader, "ItemsPath").map(Items::Path)
        }
        (QueryLanguage::JsonPath, _) => Some(Items::Path(Path::root())),
        (QueryLanguage::Jsonata, None) => Some(Items::Input),
        (QueryLanguage::Jsonata, Some(value)) => {
            let are_items = value.is_array() || (is_distributed && value.is_object());
            if !are_items && !fields.is_jsonata(reader, "Items") {
                reader.schema(
                    &fields.at("Items"),
                    "Expected value of type Array or a JSONata expression",
                );
                return None;
            }
            fields
                .jsonata_template(reader, "Items")
                .map(Items::Template)
        }
    }
}

fn tolerance(reader: &mut Reader, fields: &Fields<'_>) -> Tolerance {
    let count = "ToleratedFailureCount";
    let percentage = "ToleratedFailurePercentage";
    Tolerance {
        count: whole(reader, fields, count, 0, TOLERATED_COUNT_MAX),
        percentage: amount(reader, fields, percentage, |reader| {
            fields.number(reader, percentage, 0.0, 100.0)
        }),
    }
}

/// A whole number in one of its three forms.
fn whole(
    reader: &mut Reader,
    fields: &Fields<'_>,
    name: &'static str,
    least: u64,
    most: u64,
) -> Option<Amount<u64>> {
    amount(reader, fields, name, |reader| {
        fields.integer(reader, name, least, most)
    })
}

/// A number in one of its three forms; `given` reads the first of them.
fn amount<T>(
    reader: &mut Reader,
    fields: &Fields<'_>,
    name: &'static str,
    given: impl FnOnce(&mut Reader) -> Option<T>,
) -> Option<Amount<T>> {
    let path = format!("{name}Path");
    fields.exclusive(reader, &[name, &path]);
    if fields.has(&path) {
        let found = fields.reference(reader, &path)?;
        // Of a Map's paths `ItemsPath` alone may lead into the context object (measured: floci-io/floci#3733).
        if found.is_context() {
            reader.schema(
                &fields.at(&path),
                "Value is not a Reference Path: it leads into the context object",
            );
        }
        return Some(Amount::path(name, found));
    }
    if fields.is_jsonata(reader, name) {
        let expression = fields.jsonata(reader, name);
        return expression.map(|expression| Amount::jsonata(name, expression));
    }
    given(reader).map(|number| Amount::fixed(name, number))
}

/// `ItemProcessor`, or `Iterator` as it was called before.
struct Processor<'v> {
    fields: Fields<'v>,
    /// Whether children are Express executions; nothing for an inline Map, which has no children.
    express: Option<bool>,
}

impl<'v> Processor<'v> {
    fn of(reader: &mut Reader, fields: &Fields<'v>) -> Option<Processor<'v>> {
        if !fields.one_field(reader, &["ItemProcessor", "Iterator"]) {
            return None;
        }
        let name = match fields.has("ItemProcessor") {
            true => "ItemProcessor",
            false => "Iterator",
        };
        let inner = Fields::of(reader, fields.get(name)?, &fields.at(name))?;
        inner.only(reader, PROCESSOR);
        let config = inner.get("ProcessorConfig");
        let config =
            config.and_then(|value| Fields::of(reader, value, &inner.at("ProcessorConfig")));
        let express = config.and_then(|config| mode(reader, &config));
        Some(Processor {
            fields: inner,
            express,
        })
    }

    fn states(self, reader: &mut Reader) -> Option<StateId> {
        let outer = reader.express;
        reader.express = self.express.unwrap_or(outer);
        let start_at = scope::read(reader, &self.fields);
        reader.express = outer;
        start_at
    }
}

/// `ProcessorConfig`: what [`Processor::express`] is.
fn mode(reader: &mut Reader, config: &Fields<'_>) -> Option<bool> {
    config.only(reader, &["Comment", "Mode", "ExecutionType"]);
    match config.string(reader, "Mode") {
        Some("DISTRIBUTED") => {}
        mode => {
            match mode {
                None | Some("INLINE") => {}
                Some(_) => {
                    reader.schema(&config.at("Mode"), none_of(&["INLINE", "DISTRIBUTED"]));
                }
            }
            if config.has("ExecutionType") {
                reader.schema_hint(
                    &config.pointer,
                    "Field 'ExecutionType' is not supported",
                    "An inline Map has no child executions; give \"Mode\": \"DISTRIBUTED\" if it is to have.",
                );
            }
            return None;
        }
    }
    if reader.express {
        reader.schema_hint(
            &config.at("Mode"),
            "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines",
            "Make it a STANDARD state machine, or the Map an inline one.",
        );
    }
    config.require(reader, &["ExecutionType"]);
    let kind = config.one_of(reader, "ExecutionType", &["STANDARD", "EXPRESS"]);
    Some(kind == Some("EXPRESS"))
}
