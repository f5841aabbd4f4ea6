//! Each row is a call and what it gives. The marked tables are recorded on AWS.

use serde_json::{Value, json};

use super::Expression;
use crate::fixture::World;

fn evaluate(text: &str, input: &Value) -> Result<Value, String> {
    let world = World::new(json!({"StateMachine": {"Id": "arn:1", "Name": "a-b-c"}}));
    let expression = Expression::parse(text, "x.$").unwrap_or_else(|why| panic!("{text}: {why}"));
    expression.evaluate(world.scope(input)).map_err(|failure| {
        format!(
            "{}: {}",
            failure.error.expect("an error name"),
            failure.cause.expect("a cause")
        )
    })
}

#[test]
fn calls_give_what_aws_recorded() {
    for (call, input, expected) in [
        ("States.Array()", json!(null), json!([])),
        (
            "States.ArrayGetItem($.f, $.s)",
            json!({"f": [1, 2, 3, 4, 5, 6], "s": 5}),
            json!(6),
        ),
        ("States.ArrayLength($)", json!([1, 2, 3]), json!(3)),
        (
            "States.ArrayRange($.f, $.s, $.t)",
            json!({"f": 0, "s": 10, "t": 3}),
            json!([0, 3, 6, 9]),
        ),
        (
            "States.ArrayRange($.f, $.s, $.t)",
            json!({"f": 1, "s": 9, "t": 9}),
            json!([1]),
        ),
        ("States.Base64Decode($)", json!(""), json!("")),
        (
            "States.Base64Decode($)",
            json!("RGF0YSB0byBlbmNvZGU="),
            json!("Data to encode"),
        ),
        (
            "States.Base64Encode($)",
            json!("Data to encode"),
            json!("RGF0YSB0byBlbmNvZGU="),
        ),
        (
            "States.Format('arg {}.', $)",
            json!(null),
            json!("arg null."),
        ),
        ("States.Format('arg {}.', $)", json!(1.1), json!("arg 1.1.")),
        (
            "States.Format('arg {}.', $)",
            json!("{\"a\": 1}"),
            json!("arg {\"a\": 1}."),
        ),
        (
            "States.Format('arg {}.', $)",
            json!({"Arg1": 1, "Arg2": []}),
            json!("arg {Arg1=1, Arg2=[]}."),
        ),
        (
            "States.Format('{}', $$.StateMachine)",
            json!(null),
            json!("{Id=arn:1, Name=a-b-c}"),
        ),
        (
            "States.ArrayGetItem(States.StringSplit($$.StateMachine.Name, '-'), 0)",
            json!(null),
            json!("a"),
        ),
        (
            "States.ArrayGetItem(States.StringSplit($$.StateMachine.Name, '-'), \
             States.MathAdd(States.ArrayLength(States.StringSplit($$.StateMachine.Name, '-')), -1))",
            json!(null),
            json!("c"),
        ),
        (
            "States.Hash($, 'MD5')",
            json!("input data"),
            json!("812f45842bc6d66ee14572ce20db8e86"),
        ),
        (
            "States.Hash($, 'SHA-1')",
            json!("input data"),
            json!("aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ),
        (
            "States.Hash($, 'SHA-256')",
            json!("input data"),
            json!("b4a697a057313163aee33cd8d40c66e9f0f177e00cac2de32475ffff6169c3e3"),
        ),
        (
            r#"States.JsonMerge(States.StringToJson('{"constant": "false"}'), $, false)"#,
            json!({"input": "value"}),
            json!({"constant": "false", "input": "value"}),
        ),
        (
            "States.JsonToString($)",
            json!({"Arg1": 1, "Arg2": []}),
            json!("{\"Arg1\":1,\"Arg2\":[]}"),
        ),
        (
            "States.JsonToString($)",
            json!("HelloWorld"),
            json!("\"HelloWorld\""),
        ),
        (
            "States.StringSplit($, ',')",
            json!(", , ,"),
            json!([" ", " "]),
        ),
        ("States.StringSplit($, ',')", json!(",,,,"), json!([])),
        (
            "States.StringSplit($, '.+,=')",
            json!("This.is+a,test=string"),
            json!(["This", "is", "a", "test", "string"]),
        ),
    ] {
        assert_eq!(evaluate(call, &input), Ok(expected), "{call} of {input}");
    }
}

/// Recorded on AWS: both arguments are rounded, half up, before they are added.
#[test]
fn math_add_rounds_as_java_does() {
    for (first, second, sum) in [
        (-9.0, 3.0, -6),
        (1.49, 1.5, 3),
        (1.5, 1.51, 4),
        (-1.49, -1.5, -2),
        (-1.5, -1.51, -3),
        (-1.5, 0.0, -1),
        (-1.51, 0.0, -2),
        (0.5, 0.0, 1),
        (2.5, 0.0, 3),
        (-0.5, 0.5, 1),
        (-0.5, 0.0, 0),
        (-2.5, 0.0, -2),
    ] {
        let input = json!({"f": first, "s": second});
        assert_eq!(
            evaluate("States.MathAdd($.f, $.s)", &input),
            Ok(json!(sum)),
            "{first} + {second}"
        );
    }
}

#[test]
fn calls_give_what_the_documentation_says() {
    for (call, input, expected) in [
        (
            "States.Array($.a, 'b', 1, true, null)",
            json!({"a": {}}),
            json!([{}, "b", 1, true, null]),
        ),
        (
            "States.ArrayPartition($, 4)",
            json!([1, 2, 3, 4, 5, 6, 7, 8, 9]),
            json!([[1, 2, 3, 4], [5, 6, 7, 8], [9]]),
        ),
        ("States.ArrayContains($, 5)", json!([1, 5]), json!(true)),
        ("States.ArrayContains($, 'x')", json!([1, 5]), json!(false)),
        (
            "States.ArrayUnique($)",
            json!([1, 2, 3, 3, 1, "1"]),
            json!([1, 2, 3, "1"]),
        ),
        (
            "States.ArrayRange(9, 1, -2)",
            json!(null),
            json!([9, 7, 5, 3, 1]),
        ),
        ("States.ArrayRange(1, 9, -2)", json!(null), json!([])),
        (
            "States.StringToJson($)",
            json!("{\"foo\": [1, 1.0]}"),
            json!({"foo": [1, 1.0]}),
        ),
        (
            "States.JsonMerge($.a, $.b, false)",
            json!({"a": {"a": {"a1": 1}, "b": 2}, "b": {"a": {"a3": 1}}}),
            json!({"a": {"a3": 1}, "b": 2}),
        ),
        (
            r"States.Format('it\'s \{{}\} \\', 1)",
            json!(null),
            json!(r"it's {1} \"),
        ),
        (
            "States.Format($.pattern, $.x)",
            json!({"pattern": "<{}>", "x": 1e10}),
            json!("<1.0E10>"),
        ),
        (
            "States.Format( 'a {}' , $['x,y)'] )",
            json!({"x,y)": 1}),
            json!("a 1"),
        ),
        (
            "States.ArrayLength($.l[?(@.a in [1, 2])])",
            json!({"l": [{"a": 1}, {"a": 3}]}),
            json!(1),
        ),
    ] {
        assert_eq!(evaluate(call, &input), Ok(expected), "{call} of {input}");
    }
    let random = |call| {
        evaluate(call, &json!(null))
            .expect(call)
            .as_i64()
            .expect("a whole number")
    };
    for _ in 0..100 {
        assert!((-3..3).contains(&random("States.MathRandom(-3, 3)")));
    }
    assert_eq!(
        random("States.MathRandom(1, 1000, 7)"),
        random("States.MathRandom(1, 1000, 7)"),
        "a seed decides"
    );
    let uuid = evaluate("States.UUID()", &json!(null)).expect("a UUID");
    let uuid = uuid.as_str().expect("text");
    assert_eq!(uuid.len(), 36);
    assert_eq!((&uuid[14..15], &uuid[8..9]), ("4", "-"), "{uuid}");
    assert!("89ab".contains(&uuid[19..20]), "{uuid}");
}

#[test]
fn a_function_that_refuses_its_arguments_fails() {
    for (call, why) in [
        (
            "States.ArrayLength($)",
            "argument 1 must be an array, and is a number",
        ),
        ("States.ArrayRange(1, 1000, 1)", ""),
        (
            "States.ArrayRange(0, 1000, 1)",
            "a range has at most 1000 items, and this has 1001",
        ),
        (
            "States.ArrayRange(0, 1, 0)",
            "the step of a range must not be zero",
        ),
        (
            "States.ArrayPartition(States.Array(1), 0)",
            "the size of a chunk must be positive",
        ),
        (
            "States.ArrayGetItem(States.Array(1), 1)",
            "the index 1 is outside of an array of 1",
        ),
        (
            "States.ArrayGetItem(States.Array(1), -1)",
            "the index -1 is outside of an array of 1",
        ),
        (
            "States.MathAdd(2147483648, 1)",
            "argument 1 must be between -2147483648 and 2147483647, and is 2147483648",
        ),
        (
            "States.MathRandom(3, 3)",
            "the start 3 must be below the end 3",
        ),
        (
            "States.Hash('x', 'CRC')",
            "'CRC' is none of MD5, SHA-1, SHA-256, SHA-384 and SHA-512",
        ),
        (
            "States.Format('{} {}', 1)",
            "there are more placeholders {} than arguments",
        ),
        (
            "States.Format('{}', 1, 2)",
            "there are more arguments than placeholders {}",
        ),
        (
            "States.Base64Decode('?')",
            "argument 1 is not Base64: Invalid symbol 63, offset 0.",
        ),
    ] {
        let result = evaluate(call, &json!(7));
        match why {
            "" => assert!(result.is_ok(), "{call}"),
            why => assert_eq!(
                result,
                Err(format!(
                    "States.IntrinsicFailure: The function '{call}' had the following error: {why}"
                ))
            ),
        }
    }
    assert_eq!(
        evaluate("States.Format('{}', $.none)", &json!({"a": 1})),
        Err("States.Runtime: The JsonPath argument for the field '$.none' could not be found in the input '{\"a\":1}'"
            .to_owned())
    );
}

#[test]
fn what_is_no_call_is_refused() {
    let nested = format!("{}1{}", "States.Array(".repeat(11), ")".repeat(11));
    for text in [
        "",
        "States",
        "States.Nope()",
        "States.UUID",
        "States.UUID(",
        "States.UUID(1)",
        "States.Array(1",
        "States.Array(,)",
        "States.Array(1,)",
        "States.Array(a)",
        "States.Array('a)",
        "States.Array(1) x",
        "States.Array([1])",
        "States.Hash('a')",
        "States.Format()",
        // Recorded on AWS: only ' { } \ can be escaped.
        r#"States.StringToJson('{"text":"An \"escaped double quote\" here"}')"#,
        nested.as_str(),
    ] {
        assert!(Expression::parse(text, "x.$").is_err(), "{text}");
    }
    let allowed = format!("{}1{}", "States.Array(".repeat(10), ")".repeat(10));
    assert!(
        Expression::parse(&allowed, "x.$").is_ok(),
        "ten levels are AWS's limit"
    );
}
