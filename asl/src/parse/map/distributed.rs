//! What only a distributed Map has.

use super::{item_reader, label, whole};
use crate::model::{Distributed, ItemBatcher, QueryLanguage, ResultWriter, Transformation};
use crate::parse::fields::Fields;
use crate::parse::reader::Reader;
use crate::parse::state;

pub(super) const FIELDS: &[&str] = &["ItemReader", "ItemBatcher", "ResultWriter", "Label"];
const BATCHER: &[&str] = &[
    "MaxItemsPerBatch",
    "MaxItemsPerBatchPath",
    "MaxInputBytesPerBatch",
    "MaxInputBytesPerBatchPath",
    "BatchInput",
];
const WRITER: &[&str] = &["Resource", "Parameters", "Arguments", "WriterConfig"];
/// The most items that a batch may have: as many as a Map.
const BATCH_ITEMS_MAX: u64 = item_reader::ITEMS_MAX;
/// The most bytes that a batch may have: as many as an execution's input (AWS).
const BATCH_BYTES_MAX: u64 = 256 * 1024;

pub(super) fn read(reader: &mut Reader, fields: &Fields<'_>, express: bool) -> Distributed {
    Distributed {
        express,
        label: label::read(reader, fields),
        reader: item_reader::read(reader, fields),
        batcher: batcher(reader, fields),
        writer: writer(reader, fields),
    }
}

/// Reports what an inline Map may not have.
pub(super) fn refuse_inline(reader: &mut Reader, fields: &Fields<'_>) {
    for name in FIELDS.iter().filter(|name| fields.has(name)) {
        reader.schema_hint(
            &fields.pointer,
            format!("Field '{name}' is not supported"),
            "Give the ItemProcessor a ProcessorConfig with \"Mode\": \"DISTRIBUTED\".",
        );
    }
}

fn batcher(reader: &mut Reader, fields: &Fields<'_>) -> Option<ItemBatcher> {
    let fields = Fields::of(
        reader,
        fields.get("ItemBatcher")?,
        &fields.at("ItemBatcher"),
    )?;
    fields.only(reader, BATCHER);
    state::refuse_other_language(reader, &fields, &[]);
    let max_items = whole(reader, &fields, "MaxItemsPerBatch", 1, BATCH_ITEMS_MAX);
    let max_bytes = whole(reader, &fields, "MaxInputBytesPerBatch", 1, BATCH_BYTES_MAX);
    if !BATCHER[..4].iter().any(|name| fields.has(name)) {
        reader.schema(
            &fields.pointer,
            "At least one of these fields is required: [MaxItemsPerBatch, MaxItemsPerBatchPath, \
             MaxInputBytesPerBatch, MaxInputBytesPerBatchPath]",
        );
    }
    let input = match reader.language {
        QueryLanguage::JsonPath => fields.template(reader, "BatchInput"),
        QueryLanguage::Jsonata => fields.jsonata_template(reader, "BatchInput"),
    };
    Some(ItemBatcher {
        max_items,
        max_bytes,
        input,
    })
}

fn writer(reader: &mut Reader, fields: &Fields<'_>) -> Option<ResultWriter> {
    let fields = Fields::of(
        reader,
        fields.get("ResultWriter")?,
        &fields.at("ResultWriter"),
    )?;
    fields.only(reader, WRITER);
    state::refuse_other_language(reader, &fields, &["Arguments"]);
    let exports = fields.has("Resource") || !fields.has("WriterConfig");
    let mut destination = None;
    if exports {
        let arguments = match reader.language {
            QueryLanguage::JsonPath => "Parameters",
            QueryLanguage::Jsonata => "Arguments",
        };
        fields.require(reader, &["Resource", arguments]);
        if let Some(resource) = fields.string(reader, "Resource")
            && !is_s3(resource, "putObject")
        {
            reader.schema_hint(
                &fields.at("Resource"),
                item_reader::NO_SUCH_RESOURCE,
                "It is arn:aws:states:::s3:putObject.",
            );
        }
        destination = state::arguments(reader, &fields);
    }
    let by_default = match exports {
        true => Transformation::None,
        false => Transformation::Compact,
    };
    let mut writer = ResultWriter {
        destination,
        transformation: by_default,
        json_lines: false,
    };
    if let Some(config) = fields.get("WriterConfig")
        && let Some(config) = Fields::of(reader, config, &fields.at("WriterConfig"))
    {
        config.only(reader, &["OutputType", "Transformation"]);
        let forms = ["NONE", "COMPACT", "FLATTEN"];
        writer.transformation = match config.one_of(reader, "Transformation", &forms) {
            Some("NONE") => Transformation::None,
            Some("COMPACT") => Transformation::Compact,
            Some("FLATTEN") => Transformation::Flatten,
            _ => by_default,
        };
        let json_lines = config.one_of(reader, "OutputType", &["JSON", "JSONL"]);
        writer.json_lines = json_lines == Some("JSONL");
    }
    Some(writer)
}

/// Whether `resource` is the integration of S3 called `action`.
pub(super) fn is_s3(resource: &str, action: &str) -> bool {
    let mut parts = resource.splitn(3, ':');
    let partition = (parts.next(), parts.next());
    matches!(partition, (Some("arn"), Some(partition)) if partition.starts_with("aws"))
        && parts
            .next()
            .and_then(|rest| rest.strip_prefix("states:::s3:"))
            == Some(action)
}
