//! Each row is a Map state and what is said about it.

use serde_json::{Value, json};

use crate::diagnostic::Severity;
use crate::fixture::World;
use crate::model::*;
use crate::parse::{definition_message, parse, parse_express};

/// A distributed Map with `fields` besides.
fn distributed(fields: Value) -> Value {
    let config = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
    map(config, fields)
}

fn map(config: Value, fields: Value) -> Value {
    let mut state = json!({"Type": "Map", "End": true, "ItemProcessor": {
        "ProcessorConfig": config,
        "StartAt": "A", "States": {"A": {"Type": "Succeed"}}}});
    let fields = fields.as_object().expect("fields").clone();
    state.as_object_mut().expect("a state").extend(fields);
    state
}

fn definition(state: &Value) -> String {
    json!({"StartAt": "M", "States": {"M": state}}).to_string()
}

/// The Map state of a definition that is accepted.
fn read(state: &Value) -> Box<Map> {
    let parsed = parse(&definition(state));
    let mut machine = parsed
        .machine
        .unwrap_or_else(|| panic!("{}", definition_message(&parsed.diagnostics)));
    match machine.states.swap_remove(0).kind {
        StateKind::Map(map) => map,
        other => panic!("{other:?} is no Map"),
    }
}

fn reader(config: Value) -> Value {
    json!({"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b", "Key": "k"},
        "ReaderConfig": config})
}

#[test]
fn a_fault_of_a_map_names_its_place() {
    let items = |config| distributed(json!({"ItemReader": reader(config)}));
    let csv = |fields: Value| {
        let mut config = json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"});
        let fields = fields.as_object().expect("fields").clone();
        config.as_object_mut().expect("a config").extend(fields);
        items(config)
    };
    let at = "/States/M";
    let config = "/States/M/ItemReader/ReaderConfig";
    for (state, place) in [
        (
            map(json!({"Mode": "DISTRIBUTED"}), json!({})),
            format!("{at}/ItemProcessor/ProcessorConfig"),
        ),
        (
            map(
                json!({"Mode": "INLINE", "ExecutionType": "EXPRESS"}),
                json!({}),
            ),
            format!("{at}/ItemProcessor/ProcessorConfig"),
        ),
        (
            map(json!({"Mode": "SOLO"}), json!({})),
            format!("{at}/ItemProcessor/ProcessorConfig/Mode"),
        ),
        (
            map(
                json!({"Mode": "DISTRIBUTED", "ExecutionType": "FAST"}),
                json!({}),
            ),
            format!("{at}/ItemProcessor/ProcessorConfig/ExecutionType"),
        ),
        (map(json!({}), json!({"Label": "l"})), at.to_owned()),
        (
            map(
                json!({}),
                json!({"ItemReader": reader(json!({"InputType": "JSON"}))}),
            ),
            at.to_owned(),
        ),
        (
            map(json!({}), json!({"ItemBatcher": {"MaxItemsPerBatch": 2}})),
            at.to_owned(),
        ),
        (distributed(json!({"Label": "a b"})), format!("{at}/Label")),
        (distributed(json!({"Label": ""})), format!("{at}/Label")),
        (
            distributed(json!({"ToleratedFailureCount": -1})),
            format!("{at}/ToleratedFailureCount"),
        ),
        (
            distributed(json!({"ToleratedFailureCount": 1, "ToleratedFailureCountPath": "$.a"})),
            at.to_owned(),
        ),
        (
            distributed(json!({"ToleratedFailurePercentage": 100.5})),
            format!("{at}/ToleratedFailurePercentage"),
        ),
        (
            distributed(
                json!({"ToleratedFailurePercentage": "{% 1 + %}", "QueryLanguage": "JSONata"}),
            ),
            format!("{at}/ToleratedFailurePercentage"),
        ),
        (
            distributed(json!({"ToleratedFailureCountPath": "$.a", "QueryLanguage": "JSONata"})),
            at.to_owned(),
        ),
        (
            distributed(
                json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {}}}),
            ),
            format!("{at}/ItemReader"),
        ),
        (
            distributed(
                json!({"ItemReader": {"Resource": "arn:aws:states:::sqs:getObject", "Parameters": {}}}),
            ),
            format!("{at}/ItemReader/Resource"),
        ),
        (
            items(json!({"InputType": "XML"})),
            format!("{config}/InputType"),
        ),
        (
            items(json!({"InputType": "PARQUET"})),
            format!("{config}/InputType"),
        ),
        (items(json!({"InputType": "CSV"})), config.to_owned()),
        (items(json!({"MaxItems": 1})), config.to_owned()),
        (
            items(json!({"InputType": "JSON", "ItemsPointer": "a/b"})),
            format!("{config}/ItemsPointer"),
        ),
        (
            csv(json!({"MaxItems": 100_000_001})),
            format!("{config}/MaxItems"),
        ),
        (
            csv(json!({"CSVHeaderLocation": "GIVEN"})),
            config.to_owned(),
        ),
        (
            csv(json!({"CSVDelimiter": ","})),
            format!("{config}/CSVDelimiter"),
        ),
        (
            csv(json!({"CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a", 1]})),
            format!("{config}/CSVHeaders[1]"),
        ),
        (
            distributed(json!({"ItemBatcher": {"BatchInput": {}}})),
            format!("{at}/ItemBatcher"),
        ),
        (
            distributed(json!({"ItemBatcher": {"MaxItemsPerBatch": 0}})),
            format!("{at}/ItemBatcher/MaxItemsPerBatch"),
        ),
        (
            distributed(json!({"ItemBatcher": {"MaxInputBytesPerBatch": 262_145}})),
            format!("{at}/ItemBatcher/MaxInputBytesPerBatch"),
        ),
        (
            distributed(json!({"ResultWriter": {}})),
            format!("{at}/ResultWriter"),
        ),
        (
            distributed(json!({"ResultWriter": {"WriterConfig": {"OutputType": "CSV"}}})),
            format!("{at}/ResultWriter/WriterConfig/OutputType"),
        ),
        (
            distributed(
                json!({"ResultWriter": {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {}}}),
            ),
            format!("{at}/ResultWriter/Resource"),
        ),
    ] {
        let diagnostics = parse(&definition(&state)).diagnostics;
        let errors: Vec<_> = diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .collect();
        let [error] = errors[..] else {
            panic!("one error, not {errors:?}: {state}")
        };
        assert_eq!(error.pointer, place, "{state}: {error}");
    }
}

#[test]
fn parquet_is_said_to_be_missing_here_and_not_to_be_wrong() {
    let state = distributed(json!({"ItemReader": reader(json!({"InputType": "PARQUET"}))}));
    let diagnostics = parse(&definition(&state)).diagnostics;
    let found = diagnostics
        .iter()
        .find(|d| d.severity == Severity::Error)
        .expect("it can't be run");
    assert_eq!(
        (found.code, &*found.message),
        (
            "NOT_SUPPORTED_YET",
            "This version does not support items in Parquet files yet"
        )
    );
    assert!(
        found
            .hint
            .as_ref()
            .is_some_and(|hint| hint.contains("CSV, JSON or JSONL"))
    );
}

#[test]
fn labels_are_unique_and_their_faults_have_a_name() {
    let twice = json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "M", "States": {"M": distributed(json!({"Label": "same"}))}},
        {"StartAt": "N", "States": {"N": {"Type": "Map", "Label": "same", "End": true, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
            "StartAt": "B", "States": {"B": {"Type": "Succeed"}}}}}},
    ]}}});
    assert_eq!(
        definition_message(&parse(&twice.to_string()).diagnostics),
        "DUPLICATE_LABEL_NAME: Duplicate Label name: same at /States/P/Branches[1]/States/N/Label"
    );
    let bad = distributed(json!({"Label": "label_\u{2}"}));
    assert_eq!(
        definition_message(&parse(&definition(&bad)).diagnostics),
        "SCHEMA_VALIDATION_FAILED: Label contains invalid character: '\\u{2}' at /States/M/Label"
    );
}

#[test]
fn express_children_wait_for_nobody_and_express_machines_have_none() {
    let waits = json!({"A": {"Type": "Task", "End": true,
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": "q", "MessageBody": "b"}}});
    let mut state = distributed(json!({}));
    state["ItemProcessor"]["States"] = waits;
    assert!(parse(&definition(&state)).machine.is_some());
    let errors =
        definition_message(&parse_express(&definition(&distributed(json!({})))).diagnostics);
    assert!(
        errors.contains("/ItemProcessor/ProcessorConfig/Mode"),
        "{errors}"
    );
    state["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = json!("EXPRESS");
    let errors = definition_message(&parse(&definition(&state)).diagnostics);
    assert!(
        errors.contains("does not support '.waitForTaskToken'"),
        "{errors}"
    );
}

#[test]
fn a_distributed_map_is_read_whole() {
    let state = distributed(json!({
        "Label": "Rows",
        "ToleratedFailureCountPath": "$.most",
        "ToleratedFailurePercentage": 0.5,
        "ItemReader": reader(json!({"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a", "b"],
            "CSVDelimiter": "PIPE", "MaxItemsPath": "$.max"})),
        "ItemBatcher": {"MaxItemsPerBatch": 3, "BatchInput": {"x.$": "$.x"}},
        "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b"},
            "WriterConfig": {"OutputType": "JSONL", "Transformation": "FLATTEN"}},
    }));
    let map = read(&state);
    let input = json!({"most": "4", "max": 9});
    let world = World::seeded(1);
    let count = map.tolerance.count.expect("a count");
    assert_eq!(count.evaluate(world.scope(&input)), Ok(4));
    assert_eq!(
        map.tolerance.percentage.expect("a share").given(),
        Some(&0.5)
    );
    let distributed = map.distributed.expect("distributed");
    assert!(!distributed.express);
    assert_eq!(distributed.label.as_deref(), Some("Rows"));
    let reader = distributed.reader.expect("a reader");
    assert_eq!(reader.source, ItemSource::GetObject);
    assert_eq!(reader.config.input, Some(InputType::Csv));
    assert_eq!(reader.config.delimiter, CsvDelimiter::Pipe);
    assert_eq!(
        reader.config.headers,
        CsvHeaders::Given(vec!["a".into(), "b".into()])
    );
    let max = reader.config.max_items.expect("a limit");
    assert_eq!(max.evaluate(world.scope(&input)), Ok(9));
    let batcher = distributed.batcher.expect("a batcher");
    assert_eq!(batcher.max_items.expect("a limit").given(), Some(&3));
    assert!(batcher.input.is_some());
    let writer = distributed.writer.expect("a writer");
    assert!(writer.destination.is_some() && writer.json_lines);
    assert_eq!(writer.transformation, Transformation::Flatten);
}

#[test]
fn what_is_not_exported_is_compact_and_what_is_exported_is_whole() {
    let form = |writer: Value| {
        let map = read(&distributed(json!({ "ResultWriter": writer })));
        let writer = map.distributed.and_then(|d| d.writer).expect("a writer");
        (writer.destination.is_some(), writer.transformation)
    };
    assert_eq!(
        form(json!({"WriterConfig": {"OutputType": "JSON"}})),
        (false, Transformation::Compact)
    );
    let exported =
        json!({"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b"}});
    assert_eq!(form(exported), (true, Transformation::None));
}

#[test]
fn an_inline_map_may_tolerate_failures() {
    let state = map(
        json!({"Mode": "INLINE"}),
        json!({"ToleratedFailureCount": 1}),
    );
    let map = read(&state);
    assert!(map.distributed.is_none() && map.tolerance.count.is_some());
}
