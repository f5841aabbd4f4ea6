//! Each row is a rule, an input, and whether the rule holds.

use serde_json::{Value, json};

use super::{Comparison, OPERATORS};
use crate::fixture::World;
use crate::model::StateKind;
use crate::parse::parse;

/// Whether the rule holds, or the cause of its failure.
fn holds(rule: &Value, input: &Value) -> Result<bool, String> {
    let mut rule = rule.clone();
    rule["Next"] = json!("Yes");
    let definition = json!({"StartAt": "C", "States": {
        "C": {"Type": "Choice", "Choices": [rule]}, "Yes": {"Type": "Succeed"}
    }});
    let parsed = parse(&definition.to_string());
    let machine = parsed
        .machine
        .unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    let StateKind::Choice(choice) = &machine.states[0].kind else {
        panic!("the first state is the Choice")
    };
    let world = World::new(json!({}));
    choice.rules[0]
        .rule
        .holds(world.scope(input))
        .map_err(|failure| failure.cause.expect("a cause"))
}

#[test]
fn comparisons_hold_for_their_own_type_only() {
    let samples = [
        json!(null),
        json!(true),
        json!(0),
        json!(1.5),
        json!("a"),
        json!("2020-01-01T00:00:00Z"),
        json!([]),
        json!({}),
    ];
    for (operator, operand, matching) in [
        ("StringEquals", json!("a"), vec![4]),
        ("StringLessThan", json!("a"), vec![5]),
        ("StringLessThanEquals", json!("a"), vec![4, 5]),
        ("StringGreaterThan", json!("2"), vec![4, 5]),
        ("StringGreaterThanEquals", json!("a"), vec![4]),
        ("StringMatches", json!("2020-*T*Z"), vec![5]),
        ("NumericEquals", json!(0.0), vec![2]),
        ("NumericLessThan", json!(1), vec![2]),
        ("NumericLessThanEquals", json!(1.5), vec![2, 3]),
        ("NumericGreaterThan", json!(0), vec![3]),
        ("NumericGreaterThanEquals", json!(0), vec![2, 3]),
        ("BooleanEquals", json!(true), vec![1]),
        (
            "TimestampEquals",
            json!("2020-01-01T01:00:00+01:00"),
            vec![5],
        ),
        ("TimestampLessThan", json!("2020-01-01T00:00:01Z"), vec![5]),
        (
            "TimestampLessThanEquals",
            json!("2020-01-01T00:00:00Z"),
            vec![5],
        ),
        (
            "TimestampGreaterThan",
            json!("2019-01-01T00:00:00Z"),
            vec![5],
        ),
        (
            "TimestampGreaterThanEquals",
            json!("2020-01-01T00:00:00Z"),
            vec![5],
        ),
        ("IsNull", json!(true), vec![0]),
        ("IsBoolean", json!(true), vec![1]),
        ("IsNumeric", json!(true), vec![2, 3]),
        ("IsString", json!(true), vec![4, 5]),
        ("IsTimestamp", json!(true), vec![5]),
        ("IsPresent", json!(true), vec![0, 1, 2, 3, 4, 5, 6, 7]),
        ("IsPresent", json!(false), vec![]),
        ("IsString", json!(false), vec![0, 1, 2, 3, 6, 7]),
    ] {
        for (at, sample) in samples.iter().enumerate() {
            let expected = Ok(matching.contains(&at));
            assert_eq!(
                holds(
                    &json!({"Variable": "$.v", operator: operand}),
                    &json!({"v": sample})
                ),
                expected,
                "{operator} {operand} of {sample}"
            );
            if !operator.starts_with("Is") && operator != "StringMatches" {
                let rule = json!({"Variable": "$.v", format!("{operator}Path"): "$.w"});
                assert_eq!(
                    holds(&rule, &json!({"v": sample, "w": operand})),
                    expected,
                    "{operator}Path {operand} of {sample}"
                );
            }
        }
    }
}

#[test]
fn a_variable_that_selects_nothing_fails_except_under_is_present() {
    let cause =
        "Invalid path '$.v': The choice state's condition path references an invalid value.";
    for operator in ["StringEquals", "IsString", "IsTimestamp", "StringMatches"] {
        let operand = if operator.starts_with("Is") {
            json!(true)
        } else {
            json!("a")
        };
        assert_eq!(
            holds(&json!({"Variable": "$.v", operator: operand}), &json!({})),
            Err(cause.to_owned()),
            "{operator}"
        );
    }
    assert_eq!(
        holds(
            &json!({"Variable": "$.w", "StringEqualsPath": "$.v"}),
            &json!({"w": "a"})
        ),
        Err(cause.to_owned())
    );
    assert_eq!(
        holds(&json!({"Variable": "$.v", "IsPresent": false}), &json!({})),
        Ok(true)
    );
    assert_eq!(
        holds(&json!({"Variable": "$.v", "IsPresent": true}), &json!({})),
        Ok(false)
    );
}

#[test]
fn and_or_and_not_stop_as_soon_as_they_know() {
    let yes = json!({"Variable": "$.a", "NumericEquals": 1});
    let no = json!({"Variable": "$.a", "NumericEquals": 2});
    let fails = json!({"Variable": "$.none", "NumericEquals": 2});
    for (rule, expected) in [
        (json!({"And": [yes, yes]}), Some(true)),
        (json!({"And": [yes, no]}), Some(false)),
        (json!({"And": [no, fails]}), Some(false)),
        (json!({"And": [yes, fails]}), None),
        (json!({"Or": [no, yes]}), Some(true)),
        (json!({"Or": [no, no]}), Some(false)),
        (json!({"Or": [yes, fails]}), Some(true)),
        (json!({"Not": no}), Some(true)),
        (
            json!({"Not": {"Or": [no, {"And": [yes, {"Not": yes}]}]}}),
            Some(true),
        ),
        (json!({"Not": fails}), None),
    ] {
        assert_eq!(holds(&rule, &json!({"a": 1})).ok(), expected, "{rule}");
    }
}

#[test]
fn string_matches_knows_wildcards_and_escapes() {
    for (pattern, text, expected) in [
        ("*.log", "zebra.log", true),
        ("*.log", "zebra.log2", false),
        ("log-*.txt", "log-.txt", true),
        ("log-*.txt", "log-1.2.txt", true),
        ("*", "", true),
        ("a*a", "a", false),
        ("a*b*c", "axxbyybzc", true),
        ("a*b*c", "axxc", false),
        (r"foo\*bar", "foo*bar", true),
        (r"foo\*bar", "fooxbar", false),
        (r"a\\b", r"a\b", true),
        ("", "", true),
        ("abc", "abc", true),
        ("abc", "ab", false),
    ] {
        assert_eq!(
            holds(
                &json!({"Variable": "$", "StringMatches": pattern}),
                &json!(text)
            ),
            Ok(expected),
            "{pattern} {text}"
        );
    }
}

#[test]
fn the_list_of_operators_has_those_that_are_read() {
    for name in OPERATORS {
        assert!(Comparison::parse(name, &json!("$.a")).is_some(), "{name}");
        let other = format!("{name}Then");
        assert!(
            Comparison::parse(&other, &json!("$.a")).is_none(),
            "{other}"
        );
    }
}

#[test]
fn an_operator_that_is_misspelled_is_told_how_it_is_spelled() {
    for (name, meant) in [
        ("NumericGreaterThen", "It is spelled 'NumericGreaterThan'."),
        ("stringequals", "It is spelled 'StringEquals'."),
        ("IsPresnt", "It is spelled 'IsPresent'."),
        ("an", "A rule has 'Variable' and one comparison operator"),
        (
            "Compare",
            "A rule has 'Variable' and one comparison operator",
        ),
    ] {
        let mut rule = json!({"Variable": "$.a", "Next": "Yes"});
        rule[name] = json!("$.b");
        let definition = json!({"StartAt": "C", "States": {
            "C": {"Type": "Choice", "Choices": [rule]}, "Yes": {"Type": "Succeed"}
        }});
        let parsed = parse(&definition.to_string());
        let hints = parsed.diagnostics.iter().filter_map(|d| d.hint.as_deref());
        let hints: Vec<&str> = hints.collect();
        assert!(
            hints.iter().any(|hint| hint.starts_with(meant)),
            "{name}: {hints:?}"
        );
    }
}

#[test]
fn a_rule_is_told_in_short_words() {
    let a = json!({"Variable": "$.a", "NumericGreaterThan": 3});
    let b = json!({"Variable": "$.b", "IsPresent": false});
    let c = json!({"Variable": "$.c", "StringMatches": "x*y"});
    for (rule, words) in [
        (a.clone(), "$.a > 3"),
        (b.clone(), "$.b is not present"),
        (c.clone(), "$.c matches \"x*y\""),
        (
            json!({"Variable": "$.a", "StringEqualsPath": "$.b"}),
            "$.a = $.b",
        ),
        (
            json!({"And": [a, {"Or": [b, c.clone()]}]}),
            "$.a > 3 and ($.b is not present or $.c matches \"x*y\")",
        ),
        (json!({"Not": {"And": [c]}}), "not $.c matches \"x*y\""),
    ] {
        let mut rule = rule;
        rule["Next"] = json!("Yes");
        let definition = json!({"StartAt": "C", "States": {
            "C": {"Type": "Choice", "Choices": [rule]}, "Yes": {"Type": "Succeed"}
        }});
        let machine = parse(&definition.to_string()).machine.expect("it is right");
        let StateKind::Choice(choice) = &machine.states[0].kind else {
            panic!("the first state is the Choice")
        };
        assert_eq!(choice.rules[0].rule.to_string(), words);
    }
}
