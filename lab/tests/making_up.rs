//! What the explorer makes up where nobody gives an input or results: it follows what states look at back to where that
//! comes from, in both query languages, through variables, items and children.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use lab::explore::plan::Choice;
use lab::explore::row::End;
use lab::explore::{Exploration, Question, explore};
use lab::{Machine, Settings};
use serde_json::{Value, json};

fn explored(definition: &Value) -> Exploration {
    explore(&question(definition)).unwrap()
}

fn question(definition: &Value) -> Question {
    Question {
        machine: Machine {
            name: "Machine".to_owned(),
            definition: definition.to_string(),
        },
        input: None,
        results: BTreeMap::new(),
        settings: Settings::default(),
        choice: Choice::default(),
        notes: Vec::new(),
    }
}

/// A task of a function that is asked this.
fn asks(payload: Value, more: Value) -> Value {
    let mut task = json!({ "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 60 });
    let jsonata = payload.to_string().contains("{%");
    let field = if jsonata { "Arguments" } else { "Parameters" };
    task[field] = json!({ "FunctionName": "f", "Payload": payload });
    for (name, value) in more.as_object().unwrap() {
        task[name] = value.clone();
    }
    task
}

fn jsonata(mut definition: Value) -> Value {
    definition["QueryLanguage"] = json!("JSONata");
    definition
}

/// A Map of one task, which looks at its items.
fn map(mode: Value, task: Value, more: Value) -> Value {
    let mut state = json!({
        "Type": "Map",
        "ItemProcessor": { "ProcessorConfig": mode, "StartAt": "Work", "States": { "Work": task } },
        "End": true,
    });
    for (name, value) in more.as_object().unwrap() {
        state[name] = value.clone();
    }
    json!({ "StartAt": "Each", "States": { "Each": state } })
}

/// Variables of JSONata, one by another, and a Choice between what they say.
fn by_variables() -> Value {
    jsonata(json!({ "StartAt": "Get", "States": {
        "Get": asks(json!("{% 1 %}"), json!({
            "Assign": { "order": "{% $states.result.Payload.order %}", "who": { "is": "{% $states.input.customer %}" } },
            "Output": {}, "Next": "Again",
        })),
        "Again": { "Type": "Pass", "Assign": { "item": "{% $order.items[0] %}" }, "Next": "Charge" },
        "Charge": asks(json!({ "id": "{% $item.id %}", "who": "{% $who.is.name %}" }), json!({ "Next": "Big" })),
        "Big": { "Type": "Choice", "Default": "Done", "Choices": [
            { "Condition": "{% $order.total > 100 %}", "Next": "Ask" },
            { "Condition": "{% $order.kind = 'gift' %}", "Next": "Wrap" },
        ] },
        "Ask": asks(json!("{% ($own := $order; $own.total) %}"), json!({ "Next": "Done" })),
        "Wrap": { "Type": "Pass", "Next": "Done" },
        "Done": { "Type": "Succeed" },
    } }))
}

/// The same with paths, where the task's result goes nowhere else.
fn by_variables_in_paths() -> Value {
    json!({ "StartAt": "Get", "States": {
        "Get": asks(json!({}), json!({ "Assign": { "order.$": "$.Payload.order" }, "ResultPath": null, "Next": "Mark" })),
        "Mark": { "Type": "Pass", "Parameters": { "by.$": "$.user" }, "Assign": { "by.$": "$.by.name" }, "Next": "Charge" },
        "Charge": asks(json!({ "id.$": "$order.id", "by.$": "States.Format('{}', $by)" }), json!({ "Next": "Big" })),
        "Big": { "Type": "Choice", "Default": "Done", "Choices": [
            { "Variable": "$order.total", "NumericGreaterThan": 100, "Next": "Ask" },
        ] },
        "Ask": asks(json!({}), json!({ "Next": "Done" })),
        "Done": { "Type": "Succeed" },
    } })
}

#[test]
fn what_states_look_at_is_found_where_it_comes_from() {
    let distributed = |kind: &str| json!({ "Mode": "DISTRIBUTED", "ExecutionType": kind });
    let inline = || json!({ "Mode": "INLINE" });
    let end = || json!({ "End": true });
    let by_path = || asks(json!({ "id.$": "$.id" }), end());
    let items = || json!({ "ItemsPath": "$.items" });
    let item = ["the input: $.items", "the input: $.items[0].id"];
    let rows: [(&str, Value, &[&str]); 11] = [
        (
            "variables",
            by_variables(),
            &[
                "the input: $.customer",
                "the input: $.customer.name",
                "the result of Get: $.Payload.order",
                "the result of Get: $.Payload.order.items[0]",
                "the result of Get: $.Payload.order.items[0].id",
                "the result of Get: $.Payload.order.kind",
                "the result of Get: $.Payload.order.total",
            ],
        ),
        (
            "variables in paths",
            by_variables_in_paths(),
            &[
                "the input: $.user",
                "the input: $.user.name",
                "the result of Get: $.Payload.order",
                "the result of Get: $.Payload.order.id",
                "the result of Get: $.Payload.order.total",
            ],
        ),
        ("an inline Map", map(inline(), by_path(), items()), &item),
        (
            "a distributed Map",
            map(distributed("STANDARD"), by_path(), items()),
            &item,
        ),
        (
            "a distributed Map of Express children",
            map(distributed("EXPRESS"), by_path(), items()),
            &item,
        ),
        (
            "items that are read",
            map(
                distributed("STANDARD"),
                by_path(),
                json!({
                    "ItemReader": {
                        "Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": { "InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW" },
                        "Parameters": { "Bucket": "b", "Key.$": "$.key" },
                    },
                    "ResultWriter": { "Resource": "arn:aws:states:::s3:putObject", "Parameters": { "Bucket": "b", "Prefix": "out" } },
                }),
            ),
            &["the input: $.key", "the items of Each: $[0].id"],
        ),
        (
            "objects that are listed",
            map(
                distributed("EXPRESS"),
                asks(json!({ "key.$": "$.Key", "size.$": "$.Size" }), end()),
                json!({
                    "ItemReader": { "Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": { "Bucket": "b" } },
                }),
            ),
            &[],
        ),
        (
            "batches",
            map(
                distributed("STANDARD"),
                asks(json!({ "id.$": "$.Items[0].id" }), end()),
                json!({ "ItemsPath": "$.items", "ItemBatcher": { "MaxItemsPerBatch": 2 } }),
            ),
            &item,
        ),
        (
            "selected items",
            map(
                inline(),
                asks(json!({ "id.$": "$.one.id", "of.$": "$.of" }), end()),
                json!({ "ItemsPath": "$.items", "ItemSelector": { "one.$": "$$.Map.Item.Value", "of.$": "$.owner" } }),
            ),
            &[
                "the input: $.items",
                "the input: $.items[0].id",
                "the input: $.owner",
            ],
        ),
        (
            "items of JSONata",
            jsonata(map(
                inline(),
                asks(json!({ "id": "{% $states.input.id %}" }), end()),
                json!({ "Items": "{% $states.input.items %}" }),
            )),
            &item,
        ),
        (
            "selected items of JSONata",
            jsonata(map(
                distributed("STANDARD"),
                asks(json!({ "id": "{% $states.input.one.id %}" }), end()),
                json!({
                    "Items": "{% $states.input.items %}",
                    "ItemSelector": { "one": "{% $states.context.Map.Item.Value %}" },
                }),
            )),
            &item,
        ),
    ];
    for (what, definition, expected) in rows {
        let exploration = explored(&definition);
        let courses = &exploration.courses;
        for course in courses {
            let well = &course.well;
            assert_eq!(
                well.end,
                End::Succeeded,
                "{what}: {:?} {:?}",
                well.error,
                well.cause
            );
        }
        let mut made_up: Vec<&str> = courses
            .iter()
            .flat_map(|course| course.made_up.iter().map(String::as_str))
            .collect();
        made_up.sort_unstable();
        made_up.dedup();
        assert_eq!(made_up, expected, "{what}");
        let codes = exploration.findings.iter().map(|finding| finding.code);
        let codes: Vec<&str> = codes.collect();
        assert!(!codes.contains(&"state-not-reached"), "{what}: {codes:?}");
        for site in &exploration.sites {
            let mut rows = exploration.rows.iter();
            let fails = rows.any(|row| {
                row.case.to_string() == format!("{}/no-answer", site.state)
                    && row.end == End::Failed
            });
            assert!(fails, "{what}: {}", site.state);
        }
    }
}

#[test]
fn items_that_are_read_can_be_given() {
    let reads = json!({ "ItemReader": {
        "Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": { "InputType": "JSON" },
        "Parameters": { "Bucket": "b", "Key": "k" },
    } });
    let mode = json!({ "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" });
    let task = asks(json!({ "id.$": "$.id" }), json!({ "End": true }));
    let mut question = question(&map(mode, task, reads));
    question.results = [("Each".to_owned(), json!([{ "id": 7 }, { "id": 8 }]))].into();
    let exploration = explore(&question).unwrap();
    let well = &exploration.courses[0].well;
    let asked = well
        .calls
        .iter()
        .map(|call| &call.parameters["Payload"]["id"]);
    assert_eq!(asked.collect::<Vec<_>>(), [7, 8]);
    question.results = [("Each".to_owned(), json!({ "id": 7 }))].into();
    let why = explore(&question).err().unwrap();
    assert!(why.contains("it has to be the list of these"), "{why}");
    question.results = [("Eech".to_owned(), json!([]))].into();
    let why = explore(&question).err().unwrap();
    assert!(why.contains("those are Each and Work"), "{why}");
}

/// The state of a child waits, is tried again, and is restarted in as any other.
#[test]
fn what_goes_wrong_in_the_child_of_a_map_run_is_seen() {
    let task = asks(
        json!({}),
        json!({ "Retry": [{ "ErrorEquals": ["Lambda.ServiceException"], "IntervalSeconds": 30 }], "End": true }),
    );
    let mode = json!({ "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" });
    let exploration = explored(&map(mode, task, json!({})));
    let of = |case: &str| {
        let mut rows = exploration.rows.iter();
        let row = rows.find(|row| row.case.to_string() == case).unwrap();
        (row.end.name(), row.retries, row.after / 1000)
    };
    assert_eq!(of("Work/Lambda.ServiceException"), ("FAILED", 3, 210));
    assert_eq!(
        of("Work/Lambda.ServiceException:once"),
        ("SUCCEEDED", 1, 30)
    );
    assert_eq!(
        of("Work/Lambda.ServiceException:once + Work/restart-retrying"),
        ("SUCCEEDED", 1, 30)
    );
    let rows = exploration.rows.iter();
    let failing = rows.filter(|row| row.case.to_string() == "Work/no-answer");
    let story: Vec<&str> = failing
        .flat_map(|row| row.story.iter().map(|(_, what)| what.as_str()))
        .collect();
    assert!(
        story.contains(&"child 1: Work: no answer came in time"),
        "{story:#?}"
    );
}

/// Both are made up, and the heartbeat is the shorter one.
#[test]
fn a_made_up_heartbeat_is_no_finding() {
    let ask = |more: Value| {
        let mut ask = json!({
            "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true,
            "Parameters": { "QueueUrl": "q", "MessageBody": { "t.$": "$$.Task.Token" } }, "HeartbeatSecondsPath": "$.h",
        });
        for (name, value) in more.as_object().unwrap() {
            ask[name] = value.clone();
        }
        json!({ "StartAt": "Ask", "States": { "Ask": ask } })
    };
    for definition in [
        ask(json!({ "TimeoutSecondsPath": "$.t" })),
        ask(json!({ "TimeoutSeconds": 20 })),
    ] {
        let exploration = explored(&definition);
        assert_eq!(exploration.courses[0].well.end, End::Succeeded);
        let codes = exploration.findings.iter().map(|finding| finding.code);
        let codes: Vec<&str> = codes.collect();
        assert!(!codes.contains(&"heartbeat-never-fires"), "{codes:?}");
    }
}

/// Nothing is asked, so that nobody is there to say that it is enough.
#[test]
fn what_goes_round_without_a_task_is_left_alone_soon() {
    let definition = json!({ "StartAt": "Work", "States": {
        "Work": asks(json!({}), json!({ "Next": "There?" })),
        "There?": { "Type": "Choice", "Default": "Rest", "Choices": [
            { "Variable": "$.Payload.there", "BooleanEquals": true, "Next": "Done" },
        ] },
        "Rest": { "Type": "Wait", "Seconds": 60, "Next": "There?" },
        "Done": { "Type": "Succeed" },
    } });
    let exploration = explored(&definition);
    let endless = exploration.courses.iter();
    let endless: Vec<&End> = endless
        .filter(|course| course.well.states.contains("Rest"))
        .map(|course| &course.well.end)
        .collect();
    assert_eq!(endless, [&End::NoEnd]);
    let well = exploration
        .courses
        .iter()
        .find(|course| course.well.end == End::NoEnd);
    let well = &well.unwrap().well;
    assert_eq!(well.error, None);
    // AWS would go on until the history is full, for months.
    assert!(well.after < 3 * 86_400_000, "{}", well.after);
}

/// `Ask`, whose answer goes through this into a Choice between two.
fn computed(output: Value, condition: &str) -> Value {
    jsonata(json!({ "StartAt": "Ask", "States": {
        "Ask": asks(json!("{% 1 %}"), json!({ "Output": output, "Next": "Which" })),
        "Which": { "Type": "Choice", "Choices": [{ "Condition": condition, "Next": "Few" }], "Default": "Many" },
        "Few": { "Type": "Succeed" },
        "Many": { "Type": "Succeed" },
    }}))
}

#[test]
fn what_is_computed_with_is_no_text() {
    for (output, condition) in [
        // Members of what a block looks at, one by one.
        (
            json!({ "n": "{% $sum($states.input.lines.(price * qty)) %}" }),
            "{% $states.input.n > 2 %}",
        ),
        (
            json!({ "n": "{% $number($states.result.Payload.n) %}" }),
            "{% $states.input.n > 2 %}",
        ),
        // Where it comes from can't be followed.
        (
            json!("{% $merge([$states.input, { 'n': $states.result.Payload.n }]) %}"),
            "{% $states.input.n > 2 %}",
        ),
    ] {
        let definition = computed(output.clone(), condition);
        let exploration = explored(&definition);
        let well = &exploration.courses[0].well;
        assert_eq!(well.end, End::Succeeded, "{output}: {:?}", well.cause);
        let cases: Vec<String> = exploration
            .rows
            .iter()
            .map(|r| r.case.to_string())
            .collect();
        assert!(cases.contains(&"Ask/no-answer".to_owned()), "{cases:?}");
    }
}

#[test]
fn what_ends_badly_whatever_is_made_up_is_said() {
    let output = json!("{% $error('no way') %}");
    let exploration = explored(&computed(output, "{% true %}"));
    let finding = exploration
        .findings
        .iter()
        .find(|found| found.code == "ends-badly");
    let finding = finding.expect("it is found");
    assert_eq!(finding.states, ["Ask"]);
    assert!(finding.what.contains("no way"), "{}", finding.what);
    // Before any task there is nothing to explore.
    let first = json!({ "Type": "Pass", "Output": "{% $error('no way') %}", "Next": "Ask" });
    let mut definition = computed(json!({}), "{% true %}");
    definition["StartAt"] = json!("First");
    definition["States"]["First"] = first;
    let why = explore(&question(&definition))
        .err()
        .expect("nothing is explored");
    assert!(
        why.contains("no task was asked") && why.contains("in First"),
        "{why}"
    );
}
