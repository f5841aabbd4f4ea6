//! A Map state, inline.

use super::fields::Fields;
use super::reader::Reader;
use super::scope::{self, Scope};
use super::{recovery, task};
use crate::model::{Concurrency, Items, Map, QueryLanguage, StateKind};
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
/// What only a distributed Map has.
const DISTRIBUTED: &[&str] = &[
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "Label",
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
];

pub(super) fn read(
    reader: &mut Reader,
    scope: &mut Scope<'_>,
    fields: &Fields<'_>,
) -> Option<StateKind> {
    let known: Vec<&str> = FIELDS.iter().chain(DISTRIBUTED).copied().collect();
    fields.only(reader, &known);
    for name in DISTRIBUTED.iter().filter(|name| fields.has(name)) {
        reader.not_supported(
            &fields.at(name),
            &format!("distributed Map states, which '{name}' belongs to,"),
        );
    }
    let next = scope.next(reader, fields);
    fields.exclusive(reader, &["ItemSelector", "Parameters"]);
    fields.exclusive(reader, &["MaxConcurrency", "MaxConcurrencyPath"]);
    let selector = if fields.has("ItemSelector") {
        "ItemSelector"
    } else {
        "Parameters"
    };
    let item_selector = match reader.language {
        QueryLanguage::JsonPath => fields.template(reader, selector),
        QueryLanguage::Jsonata => fields.jsonata_template(reader, "ItemSelector"),
    };
    let items = items(reader, fields);
    let max_concurrency = if fields.has("MaxConcurrencyPath") {
        fields
            .reference(reader, "MaxConcurrencyPath")
            .map(Concurrency::Path)
    } else if fields.is_jsonata(reader, "MaxConcurrency") {
        fields
            .jsonata(reader, "MaxConcurrency")
            .map(Concurrency::Jsonata)
    } else {
        let given = fields
            .integer(reader, "MaxConcurrency", 0, u64::from(u32::MAX))
            .unwrap_or(0);
        Some(Concurrency::Fixed(u32::try_from(given).unwrap_or(u32::MAX)))
    };
    let result = task::result_flow(reader, fields);
    let recovery = recovery::read(reader, scope, fields);
    let start_at = processor(reader, fields);
    Some(StateKind::Map(Box::new(Map {
        start_at: start_at?,
        items: items?,
        item_selector,
        max_concurrency: max_concurrency?,
        result,
        recovery,
        next,
    })))
}

fn items(reader: &mut Reader, fields: &Fields<'_>) -> Option<Items> {
    match (reader.language, fields.get("Items")) {
        (QueryLanguage::JsonPath, _) if fields.has("ItemsPath") => {
            fields.path(reader, "ItemsPath").map(Items::Path)
        }
        (QueryLanguage::JsonPath, _) => Some(Items::Path(Path::root())),
        (QueryLanguage::Jsonata, None) => Some(Items::Input),
        (QueryLanguage::Jsonata, Some(value)) => {
            if !value.is_array() && !fields.is_jsonata(reader, "Items") {
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

/// `ItemProcessor`, or `Iterator` as it was called before.
fn processor(reader: &mut Reader, fields: &Fields<'_>) -> Option<crate::model::StateId> {
    fields.exclusive(reader, &["ItemProcessor", "Iterator"]);
    let name = if fields.has("Iterator") && !fields.has("ItemProcessor") {
        "Iterator"
    } else {
        "ItemProcessor"
    };
    if !fields.require(reader, &[name]) {
        return None;
    }
    let inner = Fields::of(reader, fields.get(name)?, &fields.at(name))?;
    inner.only(reader, PROCESSOR);
    if let Some(config) = inner.get("ProcessorConfig") {
        let config = Fields::of(reader, config, &inner.at("ProcessorConfig"))?;
        config.only(reader, &["Comment", "Mode", "ExecutionType"]);
        match config.string(reader, "Mode") {
            None | Some("INLINE") => {}
            Some("DISTRIBUTED") => {
                reader.not_supported(&config.at("Mode"), "distributed Map states");
                return None;
            }
            Some(_) => reader.schema(
                &config.at("Mode"),
                "Value is not one of: [INLINE, DISTRIBUTED]",
            ),
        }
    }
    scope::read(reader, &inner)
}
