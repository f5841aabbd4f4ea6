//! `ItemReader`: where a distributed Map gets its items.

use super::distributed::is_s3;
use super::whole;
use crate::model::{
    CsvDelimiter, CsvHeaders, InputType, ItemReader, ItemSource, ManifestType, QueryLanguage,
    ReaderConfig,
};
use crate::parse::fields::Fields;
use crate::parse::reader::{Reader, shared};
use crate::parse::state;

const FIELDS: &[&str] = &["Resource", "Parameters", "Arguments", "ReaderConfig"];
const CONFIG: &[&str] = &[
    "InputType",
    "CSVHeaderLocation",
    "CSVHeaders",
    "CSVDelimiter",
    "MaxItems",
    "MaxItemsPath",
    "ManifestType",
    "ItemsPointer",
    "Transformation",
];
/// AWS's words for a resource that a reader or a writer can't have.
pub(super) const NO_SUCH_RESOURCE: &str =
    "The field 'Resource' does not match any of the allowed values";
/// The most items that a Map takes from its source (AWS).
pub(super) const ITEMS_MAX: u64 = 100_000_000;

pub(super) fn read(reader: &mut Reader, fields: &Fields<'_>) -> Option<ItemReader> {
    let fields = Fields::of(reader, fields.get("ItemReader")?, &fields.at("ItemReader"))?;
    fields.only(reader, FIELDS);
    state::refuse_other_language(reader, &fields, &["Arguments"]);
    let arguments = match reader.language {
        QueryLanguage::JsonPath => "Parameters",
        QueryLanguage::Jsonata => "Arguments",
    };
    fields.require(reader, &["Resource", arguments]);
    let source = fields.string(reader, "Resource").and_then(|resource| {
        let known = [
            ("getObject", ItemSource::GetObject),
            ("listObjectsV2", ItemSource::ListObjects),
        ];
        let found = known.iter().find(|(action, _)| is_s3(resource, action));
        if found.is_none() {
            reader.schema_hint(
                &fields.at("Resource"),
                NO_SUCH_RESOURCE,
                "It is arn:aws:states:::s3:getObject or arn:aws:states:::s3:listObjectsV2.",
            );
        }
        found.map(|(_, source)| *source)
    });
    let arguments = state::arguments(reader, &fields);
    let config = config(reader, &fields, source);
    Some(ItemReader {
        source: source?,
        arguments,
        config,
    })
}

fn config(reader: &mut Reader, fields: &Fields<'_>, source: Option<ItemSource>) -> ReaderConfig {
    let Some(config) = fields.get("ReaderConfig") else {
        if source == Some(ItemSource::GetObject) {
            fields.require(reader, &["ReaderConfig"]);
        }
        return ReaderConfig::default();
    };
    let Some(config) = Fields::of(reader, config, &fields.at("ReaderConfig")) else {
        return ReaderConfig::default();
    };
    config.only(reader, CONFIG);
    state::refuse_other_language(reader, &config, &[]);
    let manifest = match config.one_of(reader, "ManifestType", &["ATHENA_DATA", "S3_INVENTORY"]) {
        Some("ATHENA_DATA") => Some(ManifestType::AthenaData),
        Some("S3_INVENTORY") => Some(ManifestType::S3Inventory),
        _ => None,
    };
    let transformation = config.one_of(reader, "Transformation", &["NONE", "LOAD_AND_FLATTEN"]);
    let load_and_flatten = transformation == Some("LOAD_AND_FLATTEN");
    // An inventory is known to be CSV text, and a list of objects need not be looked into.
    let reads_objects = match source {
        Some(ItemSource::GetObject) => manifest != Some(ManifestType::S3Inventory),
        Some(ItemSource::ListObjects) => load_and_flatten,
        None => false,
    };
    if reads_objects {
        config.require(reader, &["InputType"]);
    }
    let input = input_type(reader, &config);
    ReaderConfig {
        input,
        max_items: whole(reader, &config, "MaxItems", 0, ITEMS_MAX),
        items_pointer: items_pointer(reader, &config),
        headers: headers(reader, &config, input),
        delimiter: delimiter(reader, &config),
        manifest,
        load_and_flatten,
    }
}

fn input_type(reader: &mut Reader, config: &Fields<'_>) -> Option<InputType> {
    let types = ["CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"];
    match config.one_of(reader, "InputType", &types)? {
        "CSV" => Some(InputType::Csv),
        "JSON" => Some(InputType::Json),
        "JSONL" => Some(InputType::JsonLines),
        "MANIFEST" => Some(InputType::Manifest),
        // Good on AWS: it is this version that has not got it.
        _ => {
            let instead = "AWS reads them. Here, write the items as CSV, JSON or JSONL.";
            reader.not_supported(&config.at("InputType"), "items in Parquet files", instead);
            None
        }
    }
}

fn items_pointer(reader: &mut Reader, config: &Fields<'_>) -> Option<std::sync::Arc<str>> {
    let pointer = config.string(reader, "ItemsPointer")?;
    if !pointer.is_empty() && !pointer.starts_with('/') {
        reader.schema_hint(
            &config.at("ItemsPointer"),
            "The value for the field 'ItemsPointer' must be a valid JSONPointer",
            "It is written like \"/orders/open\".",
        );
    }
    Some(shared(pointer))
}

fn headers(reader: &mut Reader, config: &Fields<'_>, input: Option<InputType>) -> CsvHeaders {
    if input == Some(InputType::Csv) && !config.has("CSVHeaderLocation") {
        reader.schema(&config.pointer, "The field 'CSVHeaderLocation' is required");
    }
    if input == Some(InputType::Json) && config.has("CSVHeaderLocation") {
        reader.schema(
            &config.pointer,
            "Field 'CSVHeaderLocation' is not supported",
        );
    }
    let location = config.one_of(reader, "CSVHeaderLocation", &["FIRST_ROW", "GIVEN"]);
    let given = config.array(reader, "CSVHeaders");
    if location != Some("GIVEN") {
        return CsvHeaders::FirstRow;
    }
    config.require(reader, &["CSVHeaders"]);
    let mut headers = Vec::new();
    for (at, header) in given.into_iter().flatten().enumerate() {
        match header.as_str() {
            Some(header) => headers.push(shared(header)),
            None => reader.schema(
                &format!("{}[{at}]", config.at("CSVHeaders")),
                "Expected value of type String",
            ),
        }
    }
    CsvHeaders::Given(headers)
}

fn delimiter(reader: &mut Reader, config: &Fields<'_>) -> CsvDelimiter {
    let names = ["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"];
    match config.one_of(reader, "CSVDelimiter", &names) {
        Some("PIPE") => CsvDelimiter::Pipe,
        Some("SEMICOLON") => CsvDelimiter::Semicolon,
        Some("SPACE") => CsvDelimiter::Space,
        Some("TAB") => CsvDelimiter::Tab,
        _ => CsvDelimiter::Comma,
    }
}
