//! Each row is a definition and what is said about it.

use serde_json::{Value, json};

use super::{Parsed, definition_message, parse, parse_express};
use crate::diagnostic::Severity;
use crate::fixture::World;
use crate::model::*;

/// The definition of one state, with a state `Done` after it.
fn with(state: Value) -> String {
    json!({"StartAt": "S", "States": {"S": state, "Done": {"Type": "Succeed"}}}).to_string()
}

fn errors(text: &str) -> String {
    let Parsed {
        machine,
        diagnostics,
    } = parse(text);
    let message = definition_message(&diagnostics);
    assert_eq!(
        machine.is_none(),
        !message.is_empty(),
        "a machine, or errors: {text}"
    );
    message
}

fn warnings(text: &str) -> Vec<String> {
    let found = parse(text)
        .diagnostics
        .into_iter()
        .filter(|d| d.severity == Severity::Warning);
    found.map(|d| format!("{} {}", d.code, d.pointer)).collect()
}

fn machine(text: &str) -> StateMachine {
    let Parsed {
        machine,
        diagnostics,
    } = parse(text);
    machine.unwrap_or_else(|| panic!("{}", definition_message(&diagnostics)))
}

/// Recorded on AWS, in the words of CreateStateMachine.
#[test]
fn what_aws_refuses_is_refused_in_its_words() {
    for (text, expected) in [
        (json!({"StartAt": "A"}).to_string(), "SCHEMA_VALIDATION_FAILED: These fields are required: [States] at /"),
        (
            json!({"States": {"A": {"Type": "Pass", "End": true}}}).to_string(),
            "SCHEMA_VALIDATION_FAILED: These fields are required: [StartAt] at /",
        ),
        (
            with(json!({"Type": "Wait", "Timestamp": "05-12-2016T21:29:29Z", "Next": "Done"})),
            "SCHEMA_VALIDATION_FAILED: String does not match RFC3339 timestamp at /States/S/Timestamp",
        ),
        (
            with(json!({"Type": "Wait", "Timestamp": "2016-12-05 21:29:29Z", "Next": "Done"})),
            "SCHEMA_VALIDATION_FAILED: String does not match RFC3339 timestamp at /States/S/Timestamp",
        ),
        (
            with(json!({"Type": "Wait", "Timestamp": "2016-12-05T21:29:29", "Next": "Done"})),
            "SCHEMA_VALIDATION_FAILED: String does not match RFC3339 timestamp at /States/S/Timestamp",
        ),
        (
            with(json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}, "Credentials": {}, "Next": "Done"})),
            "SCHEMA_VALIDATION_FAILED: The field 'RoleArn' is required but was missing at /States/S/Credentials",
        ),
        (
            with(json!({"Type": "Pass", "Parameters": {"parsed.$": "States.StringToJson('\"')x"}, "Next": "Done"})),
            "SCHEMA_VALIDATION_FAILED: The value for the field 'parsed.$' must be a valid JSONPath or a valid intrinsic \
             function call at /States/S/Parameters",
        ),
        (
            with(json!({"Type": "Task", "Resource": "arn:aws:states:::dynamodb:query", "Next": "Done"})),
            "SCHEMA_VALIDATION_FAILED: The resource provided arn:aws:states:::dynamodb:query is not recognized. The value \
             is not a valid resource ARN, or the resource is not available in this region. at /States/S/Resource",
        ),
        (
            json!({"StartAt": "P", "QueryLanguage": "JSONata",
                   "States": {"P": {"Type": "Pass", "End": true, "QueryLanguage": "JSONPath"}}})
            .to_string(),
            "SCHEMA_VALIDATION_FAILED: 'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine \
             at /States/P",
        ),
        // Measured on AWS by others: what concerns the graph.
        (
            json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}})
                .to_string(),
            "MISSING_END_STATE: Workflow has no terminal state at null",
        ),
        (
            json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "NOPE"}}}).to_string(),
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: NOPE at /States/A/Next, \
             MISSING_END_STATE: Workflow has no terminal state at null",
        ),
        (
            json!({"StartAt": "p1", "States": {"p1": {"Type": "Pass", "Next": "p3"}, "p2": {"Type": "Pass", "End": true}}})
                .to_string(),
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: p3 at /States/p1/Next, \
             MISSING_TRANSITION_TARGET: State \"p2\" is not reachable. at /States/p2",
        ),
        (
            json!({"StartAt": "x", "States": {"S": {"Type": "Succeed"}}}).to_string(),
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: x at /StartAt, \
             MISSING_TRANSITION_TARGET: State \"S\" is not reachable. at /States/S",
        ),
        (
            with(json!({"Type": "Choice", "Default": "NO", "Choices": [{"Variable": "$", "IsNull": true, "Next": "Done"}]})),
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: NO at /States/S/Default",
        ),
        (
            with(json!({"Type": "Choice", "Default": "Done", "Choices": [{"Variable": "$", "StringMatches": "Test"}]})),
            "SCHEMA_VALIDATION_FAILED: These fields are required: [Next] at /States/S/Choices[0]",
        ),
        (
            with(json!({"Type": "Pass", "Catch": [], "Next": "Done"})),
            "SCHEMA_VALIDATION_FAILED: Field 'Catch' is not supported at /States/S",
        ),
        (
            with(json!({"Type": "Pass", "Output": {}, "Next": "Done"})),
            "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for \
             the 'JSONata' QueryLanguage at /States/S",
        ),
    ] {
        assert_eq!(errors(&text), expected, "{text}");
    }
}

/// Measured with ValidateStateMachineDefinition, by others: badmintoncryer/cdk-preflight, floci-io/floci#2968 and #3733.
#[test]
fn what_was_measured_on_aws_is_said_in_its_words() {
    let lambda = "arn:aws:lambda:us-east-1:1:function:f";
    let retry = |retrier: Value| json!({"Type": "Task", "Resource": lambda, "Retry": [retrier], "Next": "Done"});
    let call = |resource: &str, parameters: Value| json!({"Type": "Task", "Resource": resource, "Parameters": parameters, "Next": "Done"});
    let map = |fields: Value| {
        let mut state = json!({"Type": "Map", "Next": "Done", "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}}});
        let fields = fields.as_object().expect("fields").clone();
        state.as_object_mut().expect("a state").extend(fields);
        state
    };
    let choice = |rule: Value| json!({"Type": "Choice", "Choices": [rule], "Default": "Done"});
    let unknown = |arn: &str| {
        format!(
            "The resource provided {arn} is not recognized. The value is not a valid resource ARN, or the \
             resource is not available in this region. at /States/S/Resource"
        )
    };
    for (state, expected) in [
        (
            json!({"Type": "Pass"}),
            "This object should have only one of the following fields: [Next, End] at /States/S",
        ),
        (
            json!({"Type": "Pass", "Next": "Done", "End": true}),
            "There should only be one of the following fields: [Next, End] at /States/S",
        ),
        (
            json!({"Type": "Wait", "Seconds": 1, "Timestamp": "2030-01-01T00:00:00Z", "Next": "Done"}),
            "There should only be one of the following fields: [SecondsPath, Seconds, TimestampPath, Timestamp] at /States/S",
        ),
        (
            json!({"Type": "Wait", "Seconds": -1, "Next": "Done"}),
            "Minimum value is 0 at /States/S/Seconds",
        ),
        (
            json!({"Type": "Wait", "Seconds": 100_000_000, "Next": "Done"}),
            "Maximum value is 99999999 at /States/S/Seconds",
        ),
        (
            json!({"Type": "Wait", "Seconds": "1", "Next": "Done"}),
            "Expected value of type Integer at /States/S/Seconds",
        ),
        (
            json!({"Type": "Pass", "InputPath": "a", "Next": "Done"}),
            "Value must be a valid JSONPath. at /States/S/InputPath",
        ),
        (
            json!({"Type": "Pass", "QueryLanguage": 5, "Next": "Done"}),
            "Expected value of type [STRING] at /States/S/QueryLanguage",
        ),
        (
            json!({"Type": "Pass", "QueryLanguage": "jsonpath", "Output": 1, "Next": "Done"}),
            "Value should be one of the following: [JSONPath, JSONata] at /States/S/QueryLanguage",
        ),
        (
            json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% 1", "Next": "Done"}),
            "JSONata string must start with {% and end with %} at /States/S/Output",
        ),
        (
            json!({"Type": "Choice", "Choices": []}),
            "Value cannot be empty at /States/S/Choices",
        ),
        (
            choice(json!({"Variable": "a", "IsNull": true, "Next": "Done"})),
            "Value is not a Reference Path: Reference path didn't start with '$' at /States/S/Choices[0]/Variable",
        ),
        (
            choice(json!({"Variable": "$.a", "StringEqualsPath": "b", "Next": "Done"})),
            "Value is not a Reference Path: Reference path didn't start with '$' at /States/S/Choices[0]/StringEqualsPath",
        ),
        (
            choice(json!({"Next": "Done"})),
            "The object must have only one of the following fields, [And, Or, Not, Variable, Condition] at /States/S/Choices[0]",
        ),
        (
            choice(
                json!({"And": [{"Variable": "$.a", "IsNull": true, "Next": "Done"}], "Next": "Done"}),
            ),
            "Field 'Next' is not supported at /States/S/Choices[0]/And[0]",
        ),
        (
            retry(json!({"ErrorEquals": []})),
            "Value cannot be empty at /States/S/Retry[0]/ErrorEquals",
        ),
        (
            retry(json!({"ErrorEquals": ["States.ALL", "A"]})),
            "States.ALL must appear alone and at end of list at /States/S/Retry[0]/ErrorEquals",
        ),
        (
            retry(json!({"ErrorEquals": ["A"], "MaxAttempts": -1})),
            "Minimum value is 0 at /States/S/Retry[0]/MaxAttempts",
        ),
        (
            retry(json!({"ErrorEquals": ["A"], "MaxDelaySeconds": 31_622_401})),
            "Maximum value is 31622400 at /States/S/Retry[0]/MaxDelaySeconds",
        ),
        (
            retry(json!({"ErrorEquals": ["A"], "BackoffRate": 0.5})),
            "Minimum value is 1.0 at /States/S/Retry[0]/BackoffRate",
        ),
        (
            retry(json!({"ErrorEquals": ["A"], "JitterStrategy": "some"})),
            "Value should be one of the following: [NONE, FULL] at /States/S/Retry[0]/JitterStrategy",
        ),
        (
            json!({"Type": "Task", "Resource": "lambda", "Next": "Done"}),
            "Value is not a valid resource ARN at /States/S/Resource",
        ),
        (
            json!({"Type": "Task", "Resource": "arn:aws:states:us-east-1:1:activity:a", "Credentials": {"RoleArn": "r"}, "Next": "Done"}),
            "The field 'Credentials' is not supported for activities at /States/S",
        ),
        (
            json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "Done"}),
            "Parameters field is required for resource ARN: arn:aws:states:::lambda:invoke at /States/S",
        ),
        (
            call(
                "arn:aws:states:::sqs:sendMessage",
                json!({"QueueUrl.$": "$.q"}),
            ),
            "The field 'MessageBody' is required but was missing at /States/S/Parameters",
        ),
        (
            call(
                "arn:aws:states:::lambda:invoke.sync",
                json!({"FunctionName": "f"}),
            ),
            &unknown("arn:aws:states:::lambda:invoke.sync"),
        ),
        (
            call(
                "arn:aws:states:::ecs:runTask.sync:2",
                json!({"TaskDefinition": "t"}),
            ),
            &unknown("arn:aws:states:::ecs:runTask.sync:2"),
        ),
        (
            call(
                "arn:aws:states:::glue:startJobRun.waitForTaskToken",
                json!({"JobName": "j"}),
            ),
            &unknown("arn:aws:states:::glue:startJobRun.waitForTaskToken"),
        ),
        (
            json!({"Type": "Parallel", "Branches": [], "Next": "Done"}),
            "Value cannot be empty at /States/S/Branches",
        ),
        (
            json!({"Type": "Map", "Next": "Done"}),
            "This object should have only one of the following fields: [ItemProcessor, Iterator] at /States/S",
        ),
        (
            map(json!({"MaxConcurrency": -1})),
            "Minimum value is 0 at /States/S/MaxConcurrency",
        ),
        (
            map(json!({"ToleratedFailurePercentage": -1})),
            "Minimum value is 0.0 at /States/S/ToleratedFailurePercentage",
        ),
        (
            map(json!({"ToleratedFailurePercentage": 101})),
            "Maximum value is 100.0 at /States/S/ToleratedFailurePercentage",
        ),
        (
            map(
                json!({"ItemReader": {"Resource": "arn:aws:states:::sqs:getObject", "Parameters": {}}}),
            ),
            "The field 'Resource' does not match any of the allowed values at /States/S/ItemReader/Resource",
        ),
        (
            json!({"Type": "Pass", "Assign": {"states": 1}, "Next": "Done"}),
            "Cannot assign to reserved variable '$states'. at /States/S/Assign",
        ),
        (
            json!({"Type": "Pass", "Assign": {"a-b": 1}, "Next": "Done"}),
            "Invalid variable name 'a-b': the variable name contains invalid characters. at /States/S/Assign",
        ),
    ] {
        let found = errors(&with(state.clone()));
        let (_code, said) = found
            .split_once(": ")
            .unwrap_or_else(|| panic!("accepted: {state}"));
        assert_eq!(said, expected, "{state}");
    }
    // And what is taken: a retrier that does not wait, and a branch that never ends by itself.
    for state in [
        retry(json!({"ErrorEquals": ["A"], "IntervalSeconds": 0})),
        map(json!({"MaxConcurrency": i64::MAX})),
    ] {
        assert_eq!(errors(&with(state.clone())), "", "{state}");
    }
    let version = json!({"Version": "2.0", "StartAt": "A", "States": {"A": {"Type": "Succeed"}}});
    let said = "SCHEMA_VALIDATION_FAILED: Value should be one of the following: [1.0] at /Version";
    assert_eq!(errors(&version.to_string()), said);
}

#[test]
fn an_express_machine_has_neither_activities_nor_task_tokens_nor_jobs() {
    for (resource, expected) in [
        (
            "arn:aws:states:us-east-1:1:activity:a",
            "Express state machine does not support Activity ARN",
        ),
        (
            "arn:aws:states:::sns:publish.waitForTaskToken",
            "Express state machine does not support '.waitForTaskToken' service integration ",
        ),
        (
            "arn:aws:states:::states:startExecution.sync:2",
            "Express state machine does not support '.sync:2' service integration ",
        ),
    ] {
        let text = with(
            json!({"Type": "Task", "Resource": resource, "TimeoutSeconds": 1, "Next": "Done",
                "Parameters": {"Message": "m", "StateMachineArn": "a"}}),
        );
        assert!(parse(&text).machine.is_some());
        let refused = definition_message(&parse_express(&text).diagnostics);
        assert_eq!(
            refused,
            format!("SCHEMA_VALIDATION_FAILED: {expected} at /States/S/Resource")
        );
    }
}

#[test]
fn a_fault_names_its_code_and_place() {
    let task = |field: &str, value: Value| {
        let mut state = json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:1:function:f", "Next": "Done"});
        state[field] = value;
        with(state)
    };
    for (text, code, place) in [
        (String::new(), "MISSING_DESCRIPTION", ""),
        ("{".to_owned(), "INVALID_JSON_DESCRIPTION", ""),
        ("[]".to_owned(), "SCHEMA_VALIDATION_FAILED", "/"),
        ("[".repeat(100_000), "TOO_DEEPLY_NESTED", ""),
        (json!({"StartAt": "A", "States": {}}).to_string(), "SCHEMA_VALIDATION_FAILED", "/States"),
        (json!({"StartAt": "A", "States": []}).to_string(), "SCHEMA_VALIDATION_FAILED", "/States"),
        (with(json!({"Next": "Done"})), "SCHEMA_VALIDATION_FAILED", "/States/S"),
        (with(json!({"Type": "pass", "Next": "Done"})), "SCHEMA_VALIDATION_FAILED", "/States/S/Type"),
        (with(json!({"Type": "Pass"})), "SCHEMA_VALIDATION_FAILED", "/States/S"),
        (with(json!({"Type": "Pass", "End": "yes"})), "SCHEMA_VALIDATION_FAILED", "/States/S/End"),
        (with(json!({"Type": "Pass", "End": true, "Next": "Done"})), "SCHEMA_VALIDATION_FAILED", "/States/S"),
        (with(json!({"Type": "Pass", "InputPath": "a", "Next": "Done"})), "SCHEMA_VALIDATION_FAILED", "/States/S/InputPath"),
        (with(json!({"Type": "Pass", "ResultPath": "$..a", "Next": "Done"})), "SCHEMA_VALIDATION_FAILED", "/States/S/ResultPath"),
        (with(json!({"Type": "Pass", "Parameters": {"a": [{"b.$": "c"}]}, "Next": "Done"})), "SCHEMA_VALIDATION_FAILED", "/States/S/Parameters/a[0]"),
        (with(json!({"Type": "Wait", "Next": "Done"})), "SCHEMA_VALIDATION_FAILED", "/States/S"),
        (with(json!({"Type": "Wait", "Seconds": -1, "Next": "Done"})), "SCHEMA_VALIDATION_FAILED", "/States/S/Seconds"),
        (with(json!({"Type": "Wait", "Seconds": 1, "SecondsPath": "$.a", "Next": "Done"})), "SCHEMA_VALIDATION_FAILED", "/States/S"),
        (with(json!({"Type": "Choice", "Choices": []})), "SCHEMA_VALIDATION_FAILED", "/States/S/Choices"),
        (with(json!({"Type": "Choice", "Choices": [{"Variable": "$", "Next": "Done"}]})), "SCHEMA_VALIDATION_FAILED", "/States/S/Choices[0]"),
        (with(json!({"Type": "Choice", "Choices": [{"Not": {"Variable": "$", "NumericEquals": "1"}, "Next": "Done"}]})), "SCHEMA_VALIDATION_FAILED", "/States/S/Choices[0]/Not/NumericEquals"),
        (with(json!({"Type": "Choice", "Choices": [{"And": [{"StringEquals": "a"}], "Next": "Done"}]})), "SCHEMA_VALIDATION_FAILED", "/States/S/Choices[0]/And[0]"),
        (with(json!({"Type": "Fail", "Error": "a", "ErrorPath": "$.a"})), "SCHEMA_VALIDATION_FAILED", "/States/S"),
        (task("TimeoutSeconds", json!(0)), "SCHEMA_VALIDATION_FAILED", "/States/S/TimeoutSeconds"),
        (task("Resource", json!("lambda")), "SCHEMA_VALIDATION_FAILED", "/States/S/Resource"),
        (task("Retry", json!([{"ErrorEquals": []}])), "SCHEMA_VALIDATION_FAILED", "/States/S/Retry[0]/ErrorEquals"),
        (task("Retry", json!([{"ErrorEquals": ["States.ALL", "A"]}])), "SCHEMA_VALIDATION_FAILED", "/States/S/Retry[0]/ErrorEquals"),
        (task("Retry", json!([{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["A"]}])), "SCHEMA_VALIDATION_FAILED", "/States/S/Retry[0]/ErrorEquals"),
        (task("Retry", json!([{"ErrorEquals": ["A"], "BackoffRate": 0.5}])), "SCHEMA_VALIDATION_FAILED", "/States/S/Retry[0]/BackoffRate"),
        (task("Retry", json!([{"ErrorEquals": ["A"], "IntervalSeconds": 5, "MaxDelaySeconds": 5}])), "SCHEMA_VALIDATION_FAILED", "/States/S/Retry[0]/MaxDelaySeconds"),
        (task("Retry", json!([{"ErrorEquals": ["A"], "JitterStrategy": "SOME"}])), "SCHEMA_VALIDATION_FAILED", "/States/S/Retry[0]/JitterStrategy"),
        (task("Catch", json!([{"ErrorEquals": ["A"]}])), "SCHEMA_VALIDATION_FAILED", "/States/S/Catch[0]"),
        (task("Catch", json!([{"ErrorEquals": ["A"], "Next": "NO"}])), "MISSING_TRANSITION_TARGET", "/States/S/Catch[0]/Next"),
        (with(json!({"Type": "Parallel", "Branches": [], "Next": "Done"})), "SCHEMA_VALIDATION_FAILED", "/States/S/Branches"),
        (with(json!({"Type": "Parallel", "Branches": [{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Done"}}}], "Next": "Done"})), "MISSING_TRANSITION_TARGET", "/States/S/Branches[0]/States/A/Next"),
        (with(json!({"Type": "Map", "Next": "Done"})), "SCHEMA_VALIDATION_FAILED", "/States/S"),
        (with(json!({"Type": "Map", "ItemProcessor": {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}, "Next": "Done"})), "DUPLICATE_STATE_NAME", "/States/S/ItemProcessor/States/Done"),
        (json!({"StartAt": "a".repeat(81), "States": {"a".repeat(81): {"Type": "Succeed"}}}).to_string(), "INVALID_STATE_NAME", ""),
        (json!({"StartAt": "S", "QueryLanguage": "JSONata", "States": {"S": {"Type": "Succeed", "QueryLanguage": "JSONPath"}}}).to_string(), "SCHEMA_VALIDATION_FAILED", "/States/S"),
        (with(json!({"Type": "Pass", "QueryLanguage": "JSONata", "Parameters": {}, "Next": "Done"})), "SCHEMA_VALIDATION_FAILED", "/States/S"),
        (with(json!({"Type": "Pass", "QueryLanguage": "JSONata", "Arguments": {}, "Next": "Done"})), "SCHEMA_VALIDATION_FAILED", "/States/S"),
        (with(json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"a": ["{% 1 + %}"]}, "Next": "Done"})), "INVALID_JSONATA_EXPRESSION", "/States/S/Output/a[0]"),
        (with(json!({"Type": "Choice", "QueryLanguage": "JSONata", "Choices": [{"Condition": "true", "Next": "Done"}]})), "SCHEMA_VALIDATION_FAILED", "/States/S/Choices[0]/Condition"),
        (with(json!({"Type": "Choice", "QueryLanguage": "JSONata", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "Done"}]})), "SCHEMA_VALIDATION_FAILED", "/States/S/Choices[0]"),
        (with(json!({"Type": "Pass", "Assign": {"1a": 1}, "Next": "Done"})), "INVALID_VARIABLE_NAME", "/States/S/Assign"),
        (with(json!({"Type": "Pass", "Assign": {"states": 1}, "Next": "Done"})), "RESERVED_VARIABLE_NAME", "/States/S/Assign"),
        (with(json!({"Type": "Pass", "ResultPath": "$a", "Next": "Done"})), "SCHEMA_VALIDATION_FAILED", "/States/S/ResultPath"),
        (with(json!({"Type": "Map", "Assign": {"a": 1}, "Next": "Done", "ItemProcessor": {"StartAt": "A", "States": {"A": {"Type": "Pass", "Assign": {"a": 1}, "End": true}}}})), "SCHEMA_VALIDATION_FAILED", "/States/S/ItemProcessor/States/A/Assign"),
    ] {
        let diagnostics = parse(&text).diagnostics;
        let found = diagnostics.iter().find(|d| d.severity == Severity::Error).unwrap_or_else(|| panic!("accepted: {text}"));
        let place = if code == "INVALID_STATE_NAME" { found.pointer.clone() } else { place.to_owned() };
        assert_eq!((found.code, &found.pointer), (code, &place), "{text}: {found}");
    }
}

#[test]
fn all_faults_are_found_at_once() {
    let text = json!({"StartAt": "A", "Colour": 1, "States": {
        "A": {"Type": "Pass", "InputPath": "x", "Parameters": {"a.$": "b", "c.$": "d"}, "Next": "NOPE"},
        "B": {"Type": "Wait", "End": true},
        "C": {"Type": "Task", "Resource": "r", "TimeoutSeconds": 5, "HeartbeatSeconds": 5, "End": true}
    }});
    let diagnostics = parse(&text.to_string()).diagnostics;
    let places: Vec<&str> = diagnostics.iter().map(|d| d.pointer.as_str()).collect();
    assert_eq!(
        places,
        [
            "/",
            "/States/A/Parameters",
            "/States/A/Parameters",
            "/States/A/Next",
            "/States/A/InputPath",
            "/States/B",
            "/States/C/Resource",
            "/States/C/HeartbeatSeconds"
        ]
    );
}

#[test]
fn what_runs_and_is_probably_not_meant_is_warned_of() {
    for (state, expected) in [
        (
            json!({"Type": "Pass", "Parameters": {"a": {"b": "$.c"}, "d": "$5"}, "Next": "Done"}),
            vec!["NO_DOLLAR /States/S/Parameters/a/b"],
        ),
        (
            json!({"Type": "Pass", "Result": "$.a", "Next": "Done"}),
            vec!["PASS_RESULT_IS_STATIC /States/S/Result"],
        ),
        (
            json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "StringEquals": "$.b", "Next": "Done"}]}),
            vec!["NO_PATH /States/S/Choices[0]/StringEquals"],
        ),
    ] {
        let text = with(state);
        assert_eq!(errors(&text), "", "a warning refuses nothing");
        assert_eq!(warnings(&text), expected, "{text}");
    }
}

#[test]
fn defaults_are_filled_in() {
    let text = with(
        json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:1:function:f", "Next": "Done",
        "Retry": [{"ErrorEquals": ["A"]}, {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 3, "MaxAttempts": 0,
                   "BackoffRate": 1, "MaxDelaySeconds": 9, "JitterStrategy": "FULL"}],
        "Catch": [{"ErrorEquals": ["B"], "Next": "Done"}, {"ErrorEquals": ["C"], "Next": "Done", "ResultPath": null}]}),
    );
    let machine = machine(&text);
    assert_eq!(
        (
            machine.start_at,
            machine.find("Done"),
            machine.timeout_seconds
        ),
        (StateId(0), Some(StateId(1)), None)
    );
    let state = machine.state(machine.start_at);
    assert!(state.input_path.as_ref().is_some_and(crate::Path::is_root));
    assert!(state.output_path.as_ref().is_some_and(crate::Path::is_root));
    let StateKind::Task(task) = &state.kind else {
        panic!("a Task")
    };
    assert!(matches!(&task.resource, Resource::Function { arn } if arn.ends_with(":f")));
    assert_eq!(task.next, Next::State(StateId(1)));
    assert!(
        task.result
            .path
            .as_ref()
            .is_some_and(crate::ReferencePath::is_root)
    );
    let [first, second] = &task.recovery.retriers[..] else {
        panic!("two retriers")
    };
    assert_eq!(
        (
            first.interval_seconds,
            first.max_attempts,
            first.backoff_rate
        ),
        (1, 3, 2.0)
    );
    assert_eq!((first.max_delay_seconds, first.full_jitter), (None, false));
    assert_eq!(
        (
            second.interval_seconds,
            second.max_attempts,
            second.backoff_rate
        ),
        (3, 0, 1.0)
    );
    assert_eq!(
        (second.max_delay_seconds, second.full_jitter),
        (Some(9), true)
    );
    let paths: Vec<bool> = task
        .recovery
        .catchers
        .iter()
        .map(|catcher| catcher.result_path.is_some())
        .collect();
    assert_eq!(paths, [true, false], "null drops the failure");
}

#[test]
fn a_resource_is_taken_apart() {
    for (arn, service, action, pattern) in [
        (
            "arn:aws:states:::lambda:invoke",
            "lambda",
            "invoke",
            Pattern::RequestResponse,
        ),
        (
            "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "sqs",
            "sendMessage.waitForTaskToken",
            Pattern::WaitForTaskToken,
        ),
        (
            "arn:aws:states:::states:startExecution.sync:2",
            "states",
            "startExecution.sync:2",
            Pattern::Sync,
        ),
        (
            "arn:aws:states:::ecs:runTask.sync",
            "ecs",
            "runTask.sync",
            Pattern::Sync,
        ),
        (
            "arn:aws-cn:states:::aws-sdk:s3:listBuckets",
            "aws-sdk:s3",
            "listBuckets",
            Pattern::RequestResponse,
        ),
    ] {
        let parameters = json!({"FunctionName": "f", "QueueUrl": "q", "MessageBody": "b",
            "StateMachineArn": "a", "TaskDefinition": "t"});
        let text = with(
            json!({"Type": "Task", "Resource": arn, "Parameters": parameters, "Next": "Done"}),
        );
        let machine = machine(&text);
        let StateKind::Task(task) = &machine.states[0].kind else {
            panic!("a Task")
        };
        let expected = Resource::Service {
            arn: arn.into(),
            service: service.into(),
            action: action.into(),
            pattern,
        };
        assert_eq!(task.resource, expected);
    }
}

#[test]
fn nested_states_stand_in_one_list() {
    let inner =
        |name: &str| json!({"StartAt": name, "States": {name: {"Type": "Pass", "End": true}}});
    let text = json!({"StartAt": "P", "States": {
        "P": {"Type": "Parallel", "Branches": [inner("A"), inner("B")], "Next": "M"},
        "M": {"Type": "Map", "Iterator": inner("C"), "Parameters": {"v.$": "$$.Map.Item.Value"}, "End": true}
    }});
    let machine = machine(&text.to_string());
    let names: Vec<&str> = machine.states.iter().map(|state| &*state.name).collect();
    assert_eq!(names, ["P", "M", "A", "B", "C"]);
    let (StateKind::Parallel(parallel), StateKind::Map(map)) =
        (&machine.states[0].kind, &machine.states[1].kind)
    else {
        panic!("a Parallel and a Map")
    };
    assert_eq!(parallel.branches, [StateId(2), StateId(3)]);
    assert_eq!(map.start_at, StateId(4));
    assert!(
        map.item_selector.is_some(),
        "the older name of ItemSelector"
    );
}

/// Text of a definition with bytes changed, parts doubled and parts cut, from a seed: never a panic,
/// and either a machine or an error.
#[test]
fn no_text_is_too_odd() {
    let seeds = [
        with(
            json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "HeartbeatSeconds": 3,
            "Parameters": {"a.$": "States.Format('{}', $.a[?(@.b =~ /x/ && @.c in ['d', 1])].e.length())"},
            "ResultPath": "$.a.b[0]", "Retry": [{"ErrorEquals": ["States.ALL"], "BackoffRate": 1.5}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}], "Next": "Done"}),
        ),
        with(
            json!({"Type": "Choice", "Choices": [{"And": [{"Variable": "$..a", "StringMatches": "a*"},
            {"Not": {"Variable": "$['x','y']", "TimestampEqualsPath": "$$.a[-1:]"}}], "Next": "Done"}], "Default": "Done"}),
        ),
        with(
            json!({"Type": "Parallel", "Branches": [{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1,
            "Next": "F"}, "F": {"Type": "Fail", "CausePath": "States.UUID()"}}}], "Next": "Done"}),
        ),
        with(
            json!({"Type": "Map", "ItemsPath": "$.l", "MaxConcurrency": 2, "ItemProcessor": {"StartAt": "I",
            "States": {"I": {"Type": "Pass", "Result": {}, "End": true}}}, "Next": "Done"}),
        ),
    ];
    let world = World::seeded(20_261_122);
    let mut accepted = 0;
    for round in 0..20_000 {
        let mut text: Vec<char> = seeds[round % seeds.len()].chars().collect();
        for _ in 0..=world.below(4) {
            let (from, to) = (world.below(text.len()), world.below(text.len()));
            let part: Vec<char> = text[from..(from + world.below(12)).min(text.len())].to_vec();
            match world.below(4) {
                0 => text[from] = text[to],
                1 => drop(text.splice(to..to, part)),
                2 => drop(text.remove(from)),
                _ => {
                    text[from] = ['"', '\\', '$', '[', ']', '(', '.', '\'', 'é', '0', '-', ',']
                        [world.below(12)]
                }
            }
        }
        let text: String = text.into_iter().collect();
        accepted += usize::from(errors(&text).is_empty());
    }
    assert!(
        accepted > 200,
        "the changes are small enough that some of the texts are definitions: {accepted}"
    );
}

/// The same for expressions: what compiles can be evaluated on any document.
#[test]
fn no_expression_is_too_odd() {
    let seeds = [
        "$.a.b[0]['c','d'].e",
        "$..a[?(@.b > 1 && !@.c || @.d in ['x', 2])].f",
        "$.a[-2:].b[1,2].*",
        "$.a.concat('x', $.b)",
        "States.Format('{} \\{\\}', $.a, States.MathAdd(1, -2.5))",
        "States.JsonMerge($.a, $$.b, false)",
        "States.ArrayRange(1, $.n, 3)",
        "States.Hash($.a[?(@.b =~ /a+/i)].length(), 'MD5')",
        "$.a[(@.length-1)].sum()",
    ];
    let document = json!({"a": [{"b": 2, "c": null, "d": "x", "f": [1, "é"]}, "text", 3], "b": {"c": 1, "d": [[]]}, "n": 9});
    let world = World::seeded(7);
    let mut compiled = 0;
    for round in 0..50_000 {
        let mut text: Vec<char> = seeds[round % seeds.len()].chars().collect();
        for _ in 0..=world.below(3) {
            let (from, to) = (world.below(text.len()), world.below(text.len()));
            match world.below(3) {
                0 => text[from] = text[to],
                1 => text.insert(
                    from,
                    [
                        '.', '[', ']', '(', ')', '?', '@', '$', '\'', '\\', '*', 'é', '9', '!', ':',
                    ][world.below(15)],
                ),
                _ => drop(text.remove(from)),
            }
        }
        let text: String = text.into_iter().collect();
        if let Ok(expression) = crate::intrinsic::Expression::parse(&text, "x.$") {
            compiled += 1;
            let _ = expression.evaluate(world.scope(&document));
        }
    }
    assert!(
        compiled > 2_000,
        "the changes are small enough that some still compile: {compiled}"
    );
}

/// A variable has one owner; scopes beside each other may use the same names.
#[test]
fn a_variable_belongs_to_one_scope() {
    let inner = |name: &str, below: Value| json!({"StartAt": name, "States": {name: below}});
    let assigns = |name: &str| json!({"Type": "Pass", "Assign": {name: 1}, "End": true});
    let branches = |outer: &str| {
        with(
            json!({"Type": "Parallel", "Assign": {outer: 1}, "Next": "Done", "Branches": [
                inner("A", assigns("x")),
                inner("B", json!({"Type": "Parallel", "End": true, "Branches": [inner("C", assigns("x")), inner("D", assigns("x"))]})),
            ]}),
        )
    };
    assert_eq!(errors(&branches("y")), "");
    let catching = branches("y").replacen(
        "\"Assign\":{\"y\":1}",
        "\"Catch\":[{\"ErrorEquals\":[\"E\"],\"Assign\":{\"x\":1},\"Next\":\"Done\"}]",
        1,
    );
    assert!(catching.contains("Catch"), "{catching}");
    assert_eq!(errors(&catching), "");
    let places: Vec<String> = parse(&branches("x"))
        .diagnostics
        .iter()
        .map(|d| d.pointer.clone())
        .collect();
    let branches = "/States/S/Branches";
    assert_eq!(
        places,
        [
            format!("{branches}[0]/States/A/Assign"),
            format!("{branches}[1]/States/B/Branches[0]/States/C/Assign"),
            format!("{branches}[1]/States/B/Branches[1]/States/D/Assign"),
        ]
    );
}

/// Recorded: `test_base_variable_references_in_assign_templates`.
#[test]
fn a_state_says_which_variables_it_reads() {
    let text = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"a": 1}, "Parameters": {"b": "$bucket"}, "Next": "M"},
        "M": {"Type": "Map", "ItemsPath": "$items", "MaxConcurrencyPath": "$most", "Next": "F", "ItemProcessor":
            {"StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": {"x.$": "States.Format('{}', $q)"}, "End": true}}}},
        "F": {"Type": "Choice", "QueryLanguage": "JSONata", "Default": "E", "Choices":
            [{"Condition": "{% $c = $states.input.x %}", "Output": "{% $o %}", "Next": "E"}]},
        "E": {"Type": "Fail", "CausePath": "$cause", "ErrorPath": "$error"}
    }});
    let machine = machine(&text.to_string());
    let found: Vec<(&str, Vec<&str>)> = machine
        .states
        .iter()
        .map(|state| {
            let names = state.variable_references.iter().map(|name| &**name);
            (&*state.name, names.collect())
        })
        .collect();
    assert_eq!(
        found,
        [
            ("A", vec![]),
            ("M", vec!["items", "most"]),
            ("F", vec!["c", "o"]),
            ("E", vec!["cause", "error"]),
            ("P", vec!["q"]),
        ]
    );
}

/// What definitions of AWS's own samples have, which do run there.
#[test]
fn what_is_seen_on_aws_is_taken() {
    for state in [
        json!({"Type": "Pass", "InputPath": "$..a[?(@.status==Failure)]", "Next": "Done"}),
        json!({"Type": "Pass", "Parameters": {"a.$": "States.ArrayGetItem($.a[?(@.key == Foo_Bar)].value, 0)"}, "Next": "Done"}),
        json!({"Type": "Pass", "Parameters": {"a.$": "$$.Execution.Name "}, "Next": "Done"}),
        json!({"Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:aws-sdk:s3:getObject", "Parameters": {}, "Next": "Done"}),
        json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST", "Next": "Done"}),
    ] {
        assert_eq!(errors(&with(state.clone())), "", "{state}");
    }
}

#[test]
fn what_validators_of_others_refuse_is_refused() {
    for (state, place) in [
        (
            json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"a": ["{% 10 %"]}, "Next": "Done"}),
            "/States/S/Output/a[0]",
        ),
        (
            json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": "10 %}", "Next": "Done"}),
            "/States/S/Output",
        ),
        (
            json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f:", "Next": "Done"}),
            "/States/S/Resource",
        ),
        (
            json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f:$*#", "Next": "Done"}),
            "/States/S/Resource",
        ),
    ] {
        let text = with(state);
        let found = parse(&text).diagnostics;
        let [one] = &found[..] else {
            panic!("{text}: {found:?}")
        };
        assert_eq!(
            (one.severity, one.pointer.as_str()),
            (Severity::Error, place),
            "{text}"
        );
    }
    let both = json!({"Type": "Pass", "Parameters": {"a": {"b": 1, "b.$": "$.c"}}, "Next": "Done"});
    assert_eq!(
        warnings(&with(both)),
        ["REJOIN_REPEATED_FIELD /States/S/Parameters/a/b.$"]
    );
}

#[test]
fn a_hint_says_what_to_do() {
    for (text, hint) in [
        (
            with(
                json!({"Type": "Pass", "QueryLanguage": "JSONata", "Parameters": {}, "Next": "Done"}),
            ),
            "In JSONata it is 'Arguments'.",
        ),
        (
            with(json!({"Type": "Pass", "Output": {}, "Next": "Done"})),
            "In JSONPath it is 'OutputPath', 'ResultSelector' or 'ResultPath'.",
        ),
        (
            with(json!({"Type": "Task", "Resource": "${Function.Arn}", "Next": "Done"})),
            "Replace what deployment fills in by what it will be.",
        ),
        (
            with(json!({"Type": "Pas", "Next": "Done"})),
            "It is spelled 'Pass'.",
        ),
        (
            with(json!({"Type": "Pass", "Next": "Doen"})),
            "There is a state 'Done'.",
        ),
        (
            json!({"Resources": {"Machine": {}}}).to_string(),
            "This looks like a CloudFormation template: give the definition inside of it.",
        ),
    ] {
        let found = parse(&text).diagnostics;
        let hints: Vec<&str> = found.iter().filter_map(|d| d.hint.as_deref()).collect();
        assert!(hints.contains(&hint), "{text}: {hints:?}");
    }
}
