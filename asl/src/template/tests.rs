//! Each row is a template and what it gives for one input.

use serde_json::{Value, json};

use super::Template;
use crate::fixture::World;

fn render(template: Value, input: &Value) -> Result<Value, (String, String)> {
    let world = World::new(json!({"Execution": {"Input": {}}, "Task": {"Token": "abc"}}));
    let template = Template::parse(&template).expect("a template");
    template.render(world.scope(input)).map_err(|failure| {
        (
            failure.error.expect("an error name").into_owned(),
            failure.cause.expect("a cause"),
        )
    })
}

#[test]
fn members_that_end_in_dollar_are_evaluated() {
    let input = json!({"a": {"b": 1}, "l": [1, 2]});
    for (template, expected) in [
        (json!({"x": "$.a"}), json!({"x": "$.a"})),
        (json!({"x.$": "$.a"}), json!({"x": {"b": 1}})),
        (
            json!({"x.$": "$", "y": 2}),
            json!({"x": {"a": {"b": 1}, "l": [1, 2]}, "y": 2}),
        ),
        (json!({"t.$": "$$.Task.Token"}), json!({"t": "abc"})),
        (json!({"n": {"x.$": "$.a.b"}}), json!({"n": {"x": 1}})),
        (
            json!({"l": [{"x.$": "$.l[1]"}, 3]}),
            json!({"l": [{"x": 2}, 3]}),
        ),
        (
            json!({"f.$": "States.Format('{}!', $.a.b)"}),
            json!({"f": "1!"}),
        ),
        (json!({"none.$": "$.none[*]"}), json!({"none": []})),
        (
            json!({"past.$": "$.l[2]", "before.$": "$.l[-3]"}),
            json!({"past": null, "before": null}),
        ),
        (json!([1, "$.a"]), json!([1, "$.a"])),
        (json!("text"), json!("text")),
    ] {
        assert_eq!(render(template.clone(), &input), Ok(expected), "{template}");
    }
}

#[test]
fn members_keep_their_order() {
    let rendered = render(
        json!({"z.$": "$.l", "a": 1, "m.$": "$.a.b"}),
        &json!({"l": 0, "a": {"b": 2}}),
    );
    assert_eq!(
        rendered.map(|value| value.to_string()),
        Ok(r#"{"z":0,"a":1,"m":2}"#.to_owned())
    );
}

/// Recorded on AWS: `test_invalid_jsonpath`.
#[test]
fn a_path_that_finds_nothing_fails_in_awss_words() {
    let input = json!({"int-literal": 0});
    for path in ["$.no_such_jsonpath", "$$.Execution.Input.no_such_jsonpath"] {
        let cause = format!(
            "The JSONPath '{path}' specified for the field 'value.$' could not be found in the input '{{\"int-literal\":0}}'"
        );
        assert_eq!(
            render(json!({"value.$": path}), &input),
            Err(("States.Runtime".to_owned(), cause))
        );
    }
}

#[test]
fn every_member_that_is_no_expression_is_reported_with_its_place() {
    let faults = Template::parse(&json!({"a.$": "b", "n": {"l": [{"c.$": 1}]}, "ok.$": "$"}))
        .expect_err("faults");
    let places: Vec<(&str, &str)> = faults
        .iter()
        .map(|fault| (&*fault.pointer, &*fault.field))
        .collect();
    assert_eq!(places, [("", "a.$"), ("/n/l[0]", "c.$")]);
}
