//! Distributed Map states on a whole server: children, what they are told of, tolerance, restarts, stops.

mod map_runs_support;

use std::collections::BTreeSet;

use map_runs_support::{Server, distributed, output, working};
use serde_json::{Value, json};

const PASS: &str = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;

fn pass() -> Value {
    serde_json::from_str(PASS).expect("JSON")
}

/// Fails for items that are `"bad"`.
fn picky() -> Value {
    json!({"StartAt": "Look", "States": {
        "Look": {"Type": "Choice", "Default": "Good", "Choices": [
            {"Variable": "$", "StringEquals": "bad", "Next": "Bad"},
            {"Variable": "$", "StringEquals": "slow", "Next": "Slow"}]},
        "Slow": {"Type": "Wait", "Seconds": 100, "Next": "Good"},
        "Good": {"Type": "Succeed"},
        "Bad": {"Type": "Fail", "Error": "Bad", "Cause": "it was bad"}}})
}

#[test]
fn every_item_is_an_execution_of_its_own_and_the_output_is_the_list_of_theirs() {
    let server = Server::start();
    let each = json!({"Label": "each", "ItemSelector": {
        "n.$": "$$.Map.Item.Value", "at.$": "$$.Map.Item.Index", "of.$": "$.whole"},
        "ItemsPath": "$.items", "ResultPath": "$.answers"});
    server.machine("m", &distributed(pass(), each));
    let execution = server.start_execution("m", json!({"items": ["x", "y"], "whole": 2}));
    let ended = server.ended(&execution);
    let answers = json!([{"n": "x", "at": 0, "of": 2}, {"n": "y", "at": 1, "of": 2}]);
    assert_eq!(ended["status"], "SUCCEEDED");
    assert_eq!(
        output(&ended),
        json!({"items": ["x", "y"], "whole": 2, "answers": answers})
    );

    let runs = server.ask("ListMapRuns", json!({"executionArn": execution}));
    let run = &runs["mapRuns"][0];
    assert_eq!(runs["mapRuns"].as_array().map(Vec::len), Some(1));
    assert_eq!(run["executionArn"], execution);
    let here = "arn:aws:states:us-east-1:123456789012";
    assert_eq!(
        run["stateMachineArn"],
        format!("{here}:stateMachine:m/each")
    );
    let arn = run["mapRunArn"].as_str().expect("an ARN");
    assert!(arn.starts_with(&format!("{here}:mapRun:m/each:")), "{arn}");

    let described = server.describe(arn);
    let counts = json!({"pending": 0, "running": 0, "succeeded": 2, "failed": 0, "timedOut": 0,
        "aborted": 0, "total": 2, "resultsWritten": 2, "failuresNotRedrivable": 0, "pendingRedrive": 0});
    let expected = json!({"mapRunArn": arn, "executionArn": execution, "status": "SUCCEEDED",
        "startDate": described["startDate"], "stopDate": described["stopDate"], "maxConcurrency": 0,
        "toleratedFailurePercentage": 0.0, "toleratedFailureCount": 0, "itemCounts": counts,
        "executionCounts": counts, "redriveCount": 0});
    assert_eq!(described, expected);

    // The machine's list has the execution and not its children; the Map Run's has these.
    let of_machine = json!({"stateMachineArn": format!("{here}:stateMachine:m")});
    let listed = server.ask("ListExecutions", of_machine);
    assert_eq!(listed["executions"].as_array().map(Vec::len), Some(1));
    let children = server.children(arn);
    assert_eq!(children.len(), 2);
    for child in &children {
        assert_eq!(child["mapRunArn"], arn);
        assert_eq!(
            (&child["itemCount"], &child["status"]),
            (&json!(1), &json!("SUCCEEDED"))
        );
        let name = child["executionArn"].as_str().expect("an ARN");
        assert!(
            name.starts_with(&format!("{here}:execution:m/each:")),
            "{name}"
        );
        let described = server.ask("DescribeExecution", json!({"executionArn": name}));
        assert_eq!(described["mapRunArn"], arn);
        assert_eq!(
            described["stateMachineArn"],
            format!("{here}:stateMachine:m/each")
        );
        let history = server.ask("GetExecutionHistory", json!({"executionArn": name}));
        assert_eq!(history["events"][1]["type"], "PassStateEntered");
        let body = json!({"executionArn": name});
        let machine = server.ask("DescribeStateMachineForExecution", body);
        assert_eq!(
            (&machine["mapRunArn"], &machine["label"]),
            (&json!(arn), &json!("each"))
        );
        assert_eq!(machine["name"], "m/each");
        let definition = machine["definition"].as_str().expect("a text");
        assert!(definition.contains("\"StartAt\":\"P\""), "{definition}");
    }
}

/// The members of an object are items as an array's elements are, each with its key. A Map that is not
/// distributed takes arrays only.
#[test]
fn an_objects_members_are_items_with_keys() {
    let server = Server::start();
    let items = json!({"a": 1, "b": {"c": 2}});
    let pairs = json!([{"Key": "a", "Value": 1}, {"Key": "b", "Value": {"c": 2}}]);
    let selector =
        json!({"k.$": "$$.Map.Item.Key", "v.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index"});
    let selected = json!([{"k": "a", "v": 1, "i": 0}, {"k": "b", "v": {"c": 2}, "i": 1}]);
    let expression = |fields: Value| {
        let mut fields = fields;
        fields["QueryLanguage"] = "JSONata".into();
        fields
    };
    let whole = items.clone();
    let within = json!({"items": items});
    let rows = [
        (json!({}), &whole, &pairs),
        (json!({"ItemsPath": "$.items"}), &within, &pairs),
        (
            json!({"ItemsPath": "$.items", "ItemSelector": selector}),
            &within,
            &selected,
        ),
        (expression(json!({})), &whole, &pairs),
        (
            expression(json!({"Items": "{% $states.input.items %}"})),
            &within,
            &pairs,
        ),
        (
            expression(json!({"Items": {"a": 1, "b": "{% {'c': 2} %}"}})),
            &within,
            &pairs,
        ),
    ];
    for (row, (fields, input, expected)) in rows.into_iter().enumerate() {
        let name = format!("m{row}");
        server.machine(&name, &distributed(pass(), fields.clone()));
        let execution = server.start_execution(&name, input.clone());
        let ended = server.ended(&execution);
        assert_eq!(ended["status"], "SUCCEEDED", "{fields} {ended}");
        assert_eq!(&output(&ended), expected, "{fields}");
        let counts = server.describe(&server.map_run(&execution))["itemCounts"].clone();
        assert_eq!(
            (&counts["total"], &counts["succeeded"]),
            (&json!(2), &json!(2))
        );
        let history = server.ask("GetExecutionHistory", json!({"executionArn": execution}));
        let started = &history["events"][2];
        assert_eq!(
            started["mapStateStartedEventDetails"]["length"], 2,
            "{started}"
        );
    }
    server.machine("text", &distributed(pass(), json!({})));
    let refused = server.ended(&server.start_execution("text", json!("x")));
    assert_eq!(refused["error"], "States.Runtime");

    let mut inline: Value = serde_json::from_str(&distributed(pass(), json!({}))).expect("JSON");
    let state = &mut inline["States"]["Each"];
    state["ItemProcessor"]["ProcessorConfig"] = json!({"Mode": "INLINE"});
    server.machine("inline", &inline.to_string());
    let refused = server.ended(&server.start_execution("inline", items));
    let cause = refused["cause"].as_str().expect("a cause");
    assert!(
        cause.ends_with("Reference path \"$\" must point to array."),
        "{cause}"
    );
}

#[test]
fn no_items_are_no_children() {
    let server = Server::start();
    server.machine("m", &distributed(pass(), json!({})));
    let execution = server.start_execution("m", json!([]));
    let ended = server.ended(&execution);
    assert_eq!(
        (&ended["status"], &ended["output"]),
        (&json!("SUCCEEDED"), &json!("[]"))
    );
}

#[test]
fn a_child_knows_its_part_of_the_machine() {
    let server = Server::start();
    let shows = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true, "Parameters": {
        "machine.$": "$$.StateMachine.Id", "name.$": "$$.StateMachine.Name",
        "execution.$": "$$.Execution.Id", "input.$": "$$.Execution.Input"}}}});
    server.machine("m", &distributed(shows, json!({"Label": "l"})));
    let execution = server.start_execution("m", json!(["x"]));
    let output = output(&server.ended(&execution));
    let here = "arn:aws:states:us-east-1:123456789012";
    assert_eq!(output[0]["machine"], format!("{here}:stateMachine:m/l"));
    assert_eq!(
        (&output[0]["name"], &output[0]["input"]),
        (&json!("m/l"), &json!("x"))
    );
    let run = server.map_run(&execution);
    let child = &server.children(&run)[0];
    assert_eq!(output[0]["execution"], child["executionArn"]);
}

#[test]
fn failures_are_tolerated_up_to_a_threshold() {
    let server = Server::start();
    let items = json!(["bad", "x", "bad", "y"]);
    for (name, fields, tolerated) in [
        ("none", json!({}), false),
        ("count-1", json!({"ToleratedFailureCount": 1}), false),
        ("count-2", json!({"ToleratedFailureCount": 2}), true),
        (
            "share-49",
            json!({"ToleratedFailurePercentage": 49.9}),
            false,
        ),
        ("share-50", json!({"ToleratedFailurePercentage": 50}), true),
        (
            "both",
            json!({"ToleratedFailureCount": 1, "ToleratedFailurePercentage": 50}),
            false,
        ),
    ] {
        let mut fields = fields;
        fields["MaxConcurrency"] = json!(1);
        server.machine(name, &distributed(picky(), fields));
        let execution = server.start_execution(name, items.clone());
        let ended = server.ended(&execution);
        let run = server.map_run(&execution);
        let described = server.describe(&run);
        if tolerated {
            assert_eq!(output(&ended), json!(["x", "y"]), "{name}");
            assert_eq!(described["status"], "SUCCEEDED", "{name}");
            assert_eq!(described["itemCounts"]["failed"], 2, "{name}");
        } else {
            assert_eq!(ended["status"], "FAILED", "{name}");
            assert_eq!(
                ended["error"], "States.ExceedToleratedFailureThreshold",
                "{name}"
            );
            let cause = "The specified tolerated failure threshold was exceeded";
            assert_eq!(ended["cause"], cause, "{name}");
            assert_eq!(described["status"], "FAILED", "{name}");
            let types = server.history(&execution);
            let last = &types[types.len() - 3..];
            assert_eq!(
                last,
                ["MapRunFailed", "MapStateFailed", "ExecutionFailed"],
                "{name}"
            );
        }
    }
}

#[test]
fn too_many_failures_stop_what_runs_and_start_nothing_more() {
    let server = Server::start();
    let fields = json!({"MaxConcurrency": 3, "Catch": [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"],
        "ResultPath": "$[0]", "Next": "Caught"}]});
    let mut definition: Value = serde_json::from_str(&distributed(picky(), fields)).expect("JSON");
    definition["States"]["Each"]["Next"] = json!("Caught");
    definition["States"]["Each"]
        .as_object_mut()
        .expect("an object")
        .remove("End");
    definition["States"]["Caught"] = json!({"Type": "Pass", "Result": "caught", "End": true});
    server.machine("m", &definition.to_string());
    let items = json!(["slow", "slow", "bad", "slow", "x"]);
    let execution = server.start_execution("m", items);
    let ended = server.ended(&execution);
    assert_eq!(
        (&ended["status"], &ended["output"]),
        (&json!("SUCCEEDED"), &json!("\"caught\""))
    );
    let run = server.map_run(&execution);
    let described = server.describe(&run);
    let counts = &described["itemCounts"];
    let seen =
        ["failed", "aborted", "pending", "running", "total"].map(|name| counts[name].clone());
    assert_eq!(seen, [1, 2, 2, 0, 5].map(Value::from), "{described}");
}

#[test]
fn a_map_run_goes_on_after_a_restart_and_no_item_is_done_twice() {
    let mut server = Server::on_disk();
    let activity = server.activity("a");
    let fields = json!({"MaxConcurrency": 4});
    server.machine("m", &distributed(working(&activity), fields));
    let items: Vec<u32> = (0..30).collect();
    let execution = server.start_execution("m", json!(items));
    let mut seen = BTreeSet::new();
    for round in 0..30 {
        let (token, input) = server.task(&activity);
        assert!(seen.insert(input.as_u64()), "{input} came twice");
        if round % 3 == 1 {
            server.restart();
        }
        server.succeed(&token, json!({"was": input}));
        if round % 3 == 2 {
            server.restart();
        }
    }
    let ended = server.ended(&execution);
    let expected: Vec<Value> = items.iter().map(|n| json!({"was": n})).collect();
    assert_eq!(output(&ended), json!(expected));
    let run = server.map_run(&execution);
    assert_eq!(server.children(&run).len(), 30);
    let described = server.describe(&run);
    assert_eq!(described["itemCounts"]["succeeded"], 30);
}

#[test]
fn settings_change_as_it_goes_on() {
    let server = Server::start();
    let activity = server.activity("a");
    let fields = json!({"MaxConcurrency": 1});
    server.machine("m", &distributed(working(&activity), fields));
    let execution = server.start_execution("m", json!([1, 2, 3, 4]));
    let (first, _) = server.task(&activity);
    let run = server.map_run(&execution);
    let counts = || {
        server.settle();
        let described = server.describe(&run);
        let counts = &described["executionCounts"];
        ["running", "pending", "failed"].map(|name| counts[name].as_u64().expect("a number"))
    };
    assert_eq!(counts(), [1, 3, 0]);
    let change = json!({"mapRunArn": run, "maxConcurrency": 3, "toleratedFailureCount": 1});
    assert_eq!(server.ask("UpdateMapRun", change), json!({}));
    let (second, _) = server.task(&activity);
    let (third, _) = server.task(&activity);
    assert_eq!(counts(), [3, 1, 0]);
    server.ask("SendTaskFailure", json!({"taskToken": first, "error": "E"}));
    // One may fail now, so the fourth begins.
    let (fourth, input) = server.task(&activity);
    assert_eq!((input, counts()), (json!(4), [3, 0, 1]));
    for token in [second, third, fourth] {
        server.succeed(&token, json!(0));
    }
    let ended = server.ended(&execution);
    assert_eq!(ended["output"], "[0,0,0]");
    let described = server.describe(&run);
    let seen = [
        &described["maxConcurrency"],
        &described["toleratedFailureCount"],
    ];
    assert_eq!(seen, [&json!(3), &json!(1)]);
    // It is over.
    let change = json!({"mapRunArn": run, "maxConcurrency": 5});
    let (kind, _) = server.refused("UpdateMapRun", change);
    assert_eq!(kind, "ValidationException");
}

#[test]
fn who_stops_the_execution_stops_the_children() {
    for restarts in [false, true] {
        let mut server = Server::on_disk();
        let activity = server.activity("a");
        let fields = json!({"MaxConcurrency": 2});
        server.machine("m", &distributed(working(&activity), fields));
        let execution = server.start_execution("m", json!([1, 2, 3]));
        let (token, _) = server.task(&activity);
        let run = server.map_run(&execution);
        if restarts {
            server.restart();
        }
        server.ask("StopExecution", json!({"executionArn": execution}));
        server.settle();
        assert_eq!(server.describe(&run)["status"], "ABORTED");
        let (kind, _) = server.refused(
            "SendTaskSuccess",
            json!({"taskToken": token, "output": "0"}),
        );
        assert_eq!(kind, "TaskTimedOut");
        let children = server.children(&run);
        assert!(
            children.iter().all(|child| child["status"] == "ABORTED"),
            "{children:?}"
        );
        let described = server.describe(&run);
        let counts = &described["executionCounts"];
        assert_eq!(
            (&counts["aborted"], &counts["running"]),
            (&json!(children.len()), &json!(0))
        );
    }
}

#[test]
fn time_goes_on_while_all_children_wait() {
    let server = Server::start();
    server.machine("m", &distributed(picky(), json!({"MaxConcurrency": 2})));
    let execution = server.start_execution("m", json!(["slow", "slow", "slow"]));
    let ended = server.ended(&execution);
    let took = ended["stopDate"].as_f64().zip(ended["startDate"].as_f64());
    // Two at a time, 100 seconds each.
    assert_eq!(
        took.map(|(stop, start)| (stop - start).round()),
        Some(200.0)
    );
}

#[test]
fn what_there_is_not_is_refused() {
    let server = Server::start();
    let here = "arn:aws:states:us-east-1:123456789012";
    let no_run = format!("{here}:mapRun:m/l:u");
    for (operation, body, kind, message) in [
        ("DescribeMapRun", json!({"mapRunArn": no_run}), "ResourceNotFound", format!("Resource not found: '{no_run}'")),
        ("UpdateMapRun", json!({"mapRunArn": no_run}), "ResourceNotFound", format!("Resource not found: '{no_run}'")),
        ("ListExecutions", json!({"mapRunArn": no_run}), "ResourceNotFound", format!("Resource not found: '{no_run}'")),
        ("DescribeMapRun", json!({"mapRunArn": "x"}), "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: x'".to_owned()),
        ("UpdateMapRun", json!({"mapRunArn": "x"}), "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: x'".to_owned()),
        ("ListMapRuns", json!({"executionArn": format!("{here}:execution:m:e")}), "ExecutionDoesNotExist",
            format!("Execution Does Not Exist: '{here}:execution:m:e'")),
        ("ListMapRuns", json!({"executionArn": "x"}), "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: x'".to_owned()),
        ("UpdateMapRun", json!({"mapRunArn": no_run, "toleratedFailurePercentage": 100.5, "maxConcurrency": -1}),
            "ValidationException", "2 validation errors detected: Value '-1' at 'maxConcurrency' failed to satisfy \
            constraint: Member must have value greater than or equal to 0; Value '100.5' at \
            'toleratedFailurePercentage' failed to satisfy constraint: Member must have value less than or equal \
            to 100".to_owned()),
        ("ListExecutions", json!({"mapRunArn": no_run, "stateMachineArn": format!("{here}:stateMachine:m")}),
            "ValidationException", "Must provide a StateMachine ARN or MapRun ARN".to_owned()),
    ] {
        let refused = server.refused(operation, body);
        assert_eq!(refused, (kind.to_owned(), message), "{operation}");
    }
    server.machine("m", &distributed(pass(), json!({})));
    let execution = server.start_execution("m", json!([1]));
    server.ended(&execution);
    let body = json!({"executionArn": execution, "nextToken": "garbage"});
    assert_eq!(server.refused("ListMapRuns", body).0, "InvalidToken");
}

#[test]
fn map_runs_are_listed_page_by_page_the_latest_first() {
    let server = Server::start();
    let again = json!({"StartAt": "Each", "States": {
        "Each": {"Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}},
            "ItemsPath": "$.items", "ResultPath": "$.items", "Next": "Less"},
        "Less": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, -1)", "items.$": "$.items"}, "Next": "Look"},
        "Look": {"Type": "Choice", "Default": "Each", "Choices": [{"Variable": "$.n", "NumericEquals": 0, "Next": "Done"}]},
        "Done": {"Type": "Succeed"}}});
    server.machine("m", &again.to_string());
    let execution = server.start_execution("m", json!({"n": 3, "items": [1]}));
    server.ended(&execution);
    let all = server.ask("ListMapRuns", json!({"executionArn": execution}));
    let all = all["mapRuns"].as_array().expect("a list").clone();
    assert_eq!(all.len(), 3);
    let mut paged = Vec::new();
    let mut body = json!({"executionArn": execution, "maxResults": 2});
    loop {
        let page = server.ask("ListMapRuns", body.clone());
        paged.extend(page["mapRuns"].as_array().expect("a list").clone());
        match page.get("nextToken") {
            Some(token) => body["nextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(paged, all);
}

#[test]
fn ten_thousand_items_take_seconds() {
    let server = Server::on_disk();
    let fields =
        json!({"MaxConcurrency": 0, "ResultSelector": {"first.$": "$[0]", "last.$": "$[9999]"}});
    server.machine("m", &distributed(pass(), fields));
    let items: Vec<u32> = (0..10_000).collect();
    let begun = std::time::Instant::now();
    let execution = server.start_execution("m", json!(items));
    let ended = server.ended(&execution);
    let took = begun.elapsed();
    assert_eq!(output(&ended), json!({"first": 0, "last": 9999}));
    let described = server.describe(&server.map_run(&execution));
    assert_eq!(described["itemCounts"]["succeeded"], 10_000);
    println!("10,000 items took {took:?}");
    assert!(took < std::time::Duration::from_secs(60), "{took:?}");
}

#[test]
fn express_children_are_described_and_take_five_minutes_at_most() {
    let server = Server::start();
    let waits =
        json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "SecondsPath": "$", "End": true}}});
    let fields = json!({"Label": "l", "ToleratedFailureCount": 1});
    let mut definition: Value =
        serde_json::from_str(&distributed(waits, fields)).expect("a definition is JSON");
    let processor = &mut definition["States"]["Each"]["ItemProcessor"];
    processor["ProcessorConfig"]["ExecutionType"] = json!("EXPRESS");
    server.machine("m", &definition.to_string());
    let execution = server.start_execution("m", json!([1, 400]));
    let ended = server.ended(&execution);
    assert_eq!(output(&ended), json!([1]));
    let run = server.map_run(&execution);
    assert_eq!(server.describe(&run)["itemCounts"]["timedOut"], 1);
    let here = "arn:aws:states:us-east-1:123456789012:express:m/l:";
    for child in server.children(&run) {
        let arn = child["executionArn"].as_str().expect("an ARN");
        assert!(arn.starts_with(here), "{arn}");
        let described = server.ask("DescribeExecution", json!({"executionArn": arn}));
        assert_eq!(described["mapRunArn"], run);
        assert_eq!(described["status"], child["status"]);
    }
}

#[test]
fn items_that_are_read_are_read_again_after_a_restart() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("map-runs-buckets");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("b")).expect("a folder");
    let rows: String = (0..12).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    std::fs::write(folder.join("b/rows.jsonl"), rows).expect("a file");
    let buckets = server::services::Environment::default().with_buckets(Some(folder.clone()));
    let mut server = Server::on_disk_in(buckets);
    let activity = server.activity("a");
    let fields = json!({"MaxConcurrency": 2,
        "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSONL"},
            "Parameters": {"Bucket": "b", "Key": "rows.jsonl"}},
        "ItemBatcher": {"MaxItemsPerBatch": 3},
        "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b"},
            "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSON"}}});
    server.machine("m", &distributed(working(&activity), fields));
    let execution = server.start_execution("m", json!({}));
    let mut seen = Vec::new();
    for _ in 0..4 {
        let (token, input) = server.task(&activity);
        let items = input["Items"].as_array().expect("a batch").clone();
        seen.extend(items.iter().map(|item| item["n"].as_u64()));
        server.restart();
        server.succeed(&token, json!(items.len()));
        server.restart();
    }
    let ended = output(&server.ended(&execution));
    seen.sort();
    assert_eq!(
        seen,
        (0..12).map(Some).collect::<Vec<_>>(),
        "each item once"
    );
    let described = server.describe(&server.map_run(&execution));
    assert_eq!(described["itemCounts"]["succeeded"], 12);
    assert_eq!(described["executionCounts"]["succeeded"], 4);
    let key = ended["ResultWriterDetails"]["Key"].as_str().expect("a key");
    let manifest = std::fs::read(folder.join("b").join(key)).expect("the manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let file = manifest["ResultFiles"]["SUCCEEDED"][0]["Key"]
        .as_str()
        .expect("a key");
    let results = std::fs::read_to_string(folder.join("b").join(file)).expect("the results");
    assert_eq!(results, "[3,3,3,3]");
    std::fs::remove_dir_all(&folder).expect("it is there");
}

/// Five items, of which two fail, with one failure tolerated; the Map Run's ARN and the execution's.
fn two_of_five_fail(server: &Server, activity: &str) -> (String, String) {
    let fields = json!({"ToleratedFailureCount": 1});
    server.machine("m", &distributed(working(activity), fields));
    let execution = server.start_execution("m", json!([0, 1, 2, 3, 4]));
    let mut tasks: Vec<_> = (0..5).map(|_| server.task(activity)).collect();
    // Those that succeed do so before the failures stop what runs.
    tasks.sort_by_key(|(_, item)| [1, 3].contains(&item.as_u64().expect("a number")));
    for (token, item) in &tasks {
        match item.as_u64() {
            Some(1 | 3) => server.fail(token),
            _ => server.succeed(token, json!({"first": item})),
        }
        server.settle();
    }
    assert_eq!(server.ended(&execution)["status"], "FAILED");
    let run = server.map_run(&execution);
    (execution, run)
}

#[test]
fn a_redrive_runs_again_what_failed_and_nothing_else() {
    for restarts in [false, true] {
        let mut server = Server::on_disk();
        let activity = server.activity("a");
        let (execution, run) = two_of_five_fail(&server, &activity);
        let names = |server: &Server| -> BTreeSet<String> {
            let children = server.children(&run).into_iter();
            children
                .map(|child| child["executionArn"].to_string())
                .collect()
        };
        let before = names(&server);
        if restarts {
            server.restart();
        }
        server.ask("RedriveExecution", json!({"executionArn": execution}));
        server.settle();
        let described = server.describe(&run);
        let seen = ["status", "redriveCount"].map(|name| described[name].clone());
        assert_eq!(seen, [json!("RUNNING"), json!(1)], "{described}");
        assert!(described["redriveDate"].is_number(), "{described}");
        let counts = &described["executionCounts"];
        let counts = ["running", "succeeded", "failed", "pendingRedrive"].map(|name| &counts[name]);
        assert_eq!(counts, [2, 3, 0, 0], "{described}");

        let mut again = BTreeSet::new();
        for _ in 0..2 {
            let (token, item) = server.task(&activity);
            again.insert(item.as_u64());
            if restarts {
                server.restart();
            }
            server.succeed(&token, json!({"again": item}));
            if restarts {
                server.restart();
            }
        }
        assert_eq!(again, BTreeSet::from([Some(1), Some(3)]));
        let expected =
            json!([{"first": 0}, {"again": 1}, {"first": 2}, {"again": 3}, {"first": 4}]);
        assert_eq!(output(&server.ended(&execution)), expected);
        assert_eq!(server.map_run(&execution), run, "the same goes on");
        assert_eq!(names(&server), before, "and so do its children");
        let described = server.describe(&run);
        assert_eq!(described["status"], "SUCCEEDED");
        assert_eq!(described["itemCounts"]["succeeded"], 5);
        let types = server.history(&execution);
        let redriven = types.iter().position(|name| name == "ExecutionRedriven");
        let redriven = redriven.expect("it was redriven");
        assert_eq!(types[redriven + 1], "MapRunRedriven");
        let mut redrives: Vec<_> = server
            .children(&run)
            .iter()
            .map(|child| {
                let body = json!({"executionArn": child["executionArn"]});
                server.ask("DescribeExecution", body)["redriveCount"].as_u64()
            })
            .collect();
        redrives.sort();
        assert_eq!(redrives, [0, 0, 0, 1, 1].map(Some));
    }
}

#[test]
fn failures_after_a_redrive_count_anew() {
    let mut server = Server::on_disk();
    let activity = server.activity("a");
    let (execution, run) = two_of_five_fail(&server, &activity);
    // At one moment of the virtual clock: both fail again, and then one does.
    for (failures, status) in [(2, "FAILED"), (1, "SUCCEEDED")] {
        server.ask("RedriveExecution", json!({"executionArn": execution}));
        server.settle();
        for number in 0..2 {
            let (token, item) = server.task(&activity);
            match number < failures {
                true => server.fail(&token),
                false => server.succeed(&token, item),
            }
            // A child that has failed again is not redriven twice.
            server.restart();
        }
        let ended = server.ended(&execution);
        assert_eq!(ended["status"], status);
        let described = server.describe(&run);
        assert_eq!(described["status"], status);
        assert_eq!(described["itemCounts"]["failed"], failures, "{described}");
    }
    assert_eq!(server.describe(&run)["redriveCount"], 2);
}

/// What a redrive finds, and what comes of it: some of `executionCounts`.
fn counts<const N: usize>(server: &Server, run: &str, names: [&str; N]) -> [u64; N] {
    let described = server.describe(run);
    names.map(|name| {
        let count = &described["executionCounts"][name];
        count.as_u64().expect("a number")
    })
}

#[test]
fn a_redrive_runs_again_what_had_timed_out() {
    for restarts in [false, true] {
        let mut server = Server::on_disk();
        let waits = json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "TimestampPath": "$", "End": true}}});
        let mut definition: Value =
            serde_json::from_str(&distributed(waits, json!({}))).expect("a definition is JSON");
        let processor = &mut definition["States"]["Each"]["ItemProcessor"];
        processor["ProcessorConfig"]["ExecutionType"] = json!("EXPRESS");
        server.machine("m", &definition.to_string());
        // An Express child has five minutes; the second one waits for longer.
        let items = json!(["2023-11-14T22:13:21Z", "2023-11-14T22:20:00Z"]);
        let execution = server.start_execution("m", items.clone());
        let ended = server.ended(&execution);
        assert_eq!(ended["error"], "States.ExceedToleratedFailureThreshold");
        let run = server.map_run(&execution);
        let names = [
            "succeeded",
            "timedOut",
            "pendingRedrive",
            "failuresNotRedrivable",
        ];
        assert_eq!(counts(&server, &run, names), [1, 1, 0, 0]);
        if restarts {
            server.restart();
        }
        server.ask("RedriveExecution", json!({"executionArn": execution}));
        assert_eq!(output(&server.ended(&execution)), items);
        assert_eq!(counts(&server, &run, names), [2, 0, 0, 0]);
        assert_eq!(server.children(&run).len(), 2);
    }
}

#[test]
fn a_child_that_failed_too_long_ago_is_not_redriven() {
    let mut server = Server::on_disk();
    let activity = server.activity("a");
    let child = json!({"StartAt": "Look", "States": {
        "Look": {"Type": "Choice", "Default": "Late", "Choices": [
            {"Variable": "$", "StringEquals": "bad", "Next": "Bad"}]},
        "Bad": {"Type": "Fail", "Error": "Bad"},
        "Late": {"Type": "Wait", "Seconds": 15 * 24 * 3600, "Next": "Work"},
        "Work": {"Type": "Task", "Resource": activity, "End": true}}});
    let fields = json!({"ToleratedFailureCount": 1});
    server.machine("m", &distributed(child, fields));
    let execution = server.start_execution("m", json!(["bad", "late"]));
    server.pass(15 * 24 * 3600);
    let (token, _) = server.task(&activity);
    server.fail(&token);
    assert_eq!(server.ended(&execution)["status"], "FAILED");
    let run = server.map_run(&execution);
    let names = [
        "succeeded",
        "failed",
        "running",
        "pendingRedrive",
        "failuresNotRedrivable",
    ];
    assert_eq!(counts(&server, &run, names), [0, 2, 0, 0, 0]);

    // A child can be redriven for fourteen days after it has failed. It stays a failure, and counts as one.
    server.ask("RedriveExecution", json!({"executionArn": execution}));
    server.settle();
    assert_eq!(counts(&server, &run, names), [0, 1, 1, 0, 1]);
    let (token, _) = server.task(&activity);
    server.restart();
    assert_eq!(counts(&server, &run, names), [0, 1, 1, 0, 1]);
    server.succeed(&token, json!("done"));
    assert_eq!(output(&server.ended(&execution)), json!(["done"]));
    assert_eq!(counts(&server, &run, names), [1, 1, 0, 0, 1]);
}

#[test]
fn a_redrive_starts_what_was_never_started() {
    for restarts in [false, true] {
        let folder = format!("map-runs-redriven-{restarts}");
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("b")).expect("a folder");
        let buckets = server::services::Environment::default().with_buckets(Some(folder.clone()));
        let mut server = Server::on_disk_in(buckets);
        let activity = server.activity("a");
        let fields = json!({"MaxConcurrency": 1,
            "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b"}}});
        server.machine("m", &distributed(working(&activity), fields));
        let execution = server.start_execution("m", json!([0, 1, 2]));
        let (token, _) = server.task(&activity);
        server.fail(&token);
        assert_eq!(server.ended(&execution)["status"], "FAILED");
        let run = server.map_run(&execution);
        let names = ["failed", "pending", "succeeded", "pendingRedrive", "total"];
        assert_eq!(counts(&server, &run, names), [1, 2, 0, 0, 3]);
        assert_eq!(server.children(&run).len(), 1);

        server.ask("RedriveExecution", json!({"executionArn": execution}));
        for place in 0..3 {
            let (token, item) = server.task(&activity);
            assert_eq!(item, json!(place));
            if restarts {
                server.restart();
            }
            assert_eq!(counts(&server, &run, names), [0, 2 - place, place, 0, 3]);
            server.succeed(&token, item);
            if restarts {
                server.restart();
            }
        }
        let ended = output(&server.ended(&execution));
        assert_eq!(counts(&server, &run, names), [0, 0, 3, 0, 3]);
        assert_eq!(server.children(&run).len(), 3);

        // The files say which were redriven.
        let read = |key: &Value| -> Value {
            let key = key.as_str().expect("a key");
            let text = std::fs::read(folder.join("b").join(key)).expect("a file");
            serde_json::from_slice(&text).expect("JSON")
        };
        let manifest = read(&ended["ResultWriterDetails"]["Key"]);
        let results = read(&manifest["ResultFiles"]["SUCCEEDED"][0]["Key"]);
        let mut written: Vec<_> = results
            .as_array()
            .expect("a list")
            .iter()
            .map(|result| (result["Input"].to_string(), result["RedriveCount"].as_u64()))
            .collect();
        written.sort();
        let expected = [("\"0\"", 1), ("\"1\"", 0), ("\"2\"", 0)];
        assert_eq!(
            written,
            expected.map(|(input, count)| (input.to_owned(), Some(count)))
        );
        for kind in ["FAILED", "PENDING"] {
            assert_eq!(manifest["ResultFiles"][kind], json!([]), "{manifest}");
        }
        std::fs::remove_dir_all(&folder).expect("it is there");
    }
}
