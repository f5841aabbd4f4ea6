use std::time::Instant;

use serde_json::{Value, json};

use super::*;
use crate::fixture::World;
use crate::scope::Variables;

struct Assigned(Value);

impl Variables for Assigned {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

fn evaluate(text: &str, input: &Value, variables: &Value) -> Result<Value, String> {
    let world = World::new(json!({"State": {"Name": "S"}, "Map": {"Item": {"Index": 3}}}));
    let variables = Assigned(variables.clone());
    let result = json!({"ok": true});
    let scope = Scope {
        variables: &variables,
        result: Some(&result),
        ..world.scope(input)
    };
    let expression =
        Expression::parse(text, "Output").map_err(|faults| format!("refused: {faults:?}"))?;
    expression
        .evaluate(scope)
        .map_err(|failure| failure.cause.unwrap_or_default())
}

#[test]
fn an_expression_gives_its_value() {
    let input = json!({"a": [1, 2, 3], "name": "x", "one": [5], "ms": 0});
    let variables = json!({"v": {"w": [1, 2]}, "join": "own"});
    for (text, expected) in [
        ("$states.input.a", json!([1, 2, 3])),
        ("$states.input.one", json!([5])),
        ("$states.input.a[$ > 1]", json!([2, 3])),
        ("$sum($states.input.a) + 1.5", json!(7.5)),
        ("$states.result.ok", json!(true)),
        ("$states.context.State.Name", json!("S")),
        ("$states.context.Map.Item.Index & ''", json!("3")),
        ("$keys($states)", json!(["input", "result", "context"])),
        ("$v.w[1]", json!(2)),
        ("$join", json!("own")),
        ("($v := 7; $v)", json!(7)),
        (
            "$states.input.name & '-' & 1 & null & $nothing",
            json!("x-1null"),
        ),
        ("$map($states.input.a, $string)", json!(["1", "2", "3"])),
        ("$states.input.a.$string()", json!(["1", "2", "3"])),
        ("$join(['a', 'b'], '/')", json!("a/b")),
        ("['a', 'b'] ~> $join('/')", json!("a/b")),
        ("$string({'a': 1})", json!("{\"a\":1}")),
        ("$pad('x', -3, '.')", json!("..x")),
        ("$formatInteger(12, 'w')", json!("twelve")),
        ("($f := $formatInteger; $f(12, 'w'))", json!("twelve")),
        (
            "$map([1, 2], function($n) { $formatInteger($n, 'w') })",
            json!(["one", "two"]),
        ),
        ("$formatNumber(1234.5, '#,##0.00')", json!("1,234.50")),
        ("$fromMillis(0)", json!("1970-01-01T00:00:00.000Z")),
        (
            "$states.input.ms.$fromMillis()",
            json!("1970-01-01T00:00:00.000Z"),
        ),
        ("$toMillis('1970-01-01T00:00:01.000Z')", json!(1000)),
        ("$parseInteger('twelve', 'w')", json!(12)),
        ("$replace('aXbX', 'X', '-')", json!("a-b-")),
        (
            "$replace('ab', /b/, function($m) { $m.match & '!' })",
            json!("ab!"),
        ),
        // AWS's own.
        ("$partition([1, 2, 3], 2)", json!([[1, 2], [3]])),
        ("$partition([0], 4)", json!([[0]])),
        ("$range(0, 10, 3)", json!([0, 3, 6, 9])),
        ("$range(1, 9, 9)", json!(1)),
        ("$range(3, 1, -1)", json!([3, 2, 1])),
        ("$range(-1.7, 2, 1)", json!([-1, 0, 1, 2])),
        ("$partition([1, 2, 3], 2.9)", json!([[1, 2], [3]])),
        ("$count($range(1, 360145, 1))", json!(360_145)),
        ("$parseInteger('abc', '0')", json!("NaN")),
        ("$parseInteger('\u{0663}', 'w')", json!("NaN")),
        (
            "$hash('a', 'MD5')",
            json!("0cc175b9c0f1b6a831c399e269772661"),
        ),
        ("$parse('-0')", json!(0)),
        ("$parse('{\"a\": [1.5]}')", json!({"a": [1.5]})),
        ("$random(7) = $random(7)", json!(true)),
        ("$random() = $random()", json!(false)),
        ("$now()", json!("2023-11-14T22:13:20.000Z")),
        ("$now('[Y]')", json!("2023")),
        ("$millis()", json!(1_700_000_000_000_i64)),
        ("$length($uuid())", json!(36)),
        ("$count($shuffle([1, 2, 3]))", json!(3)),
    ] {
        assert_eq!(evaluate(text, &input, &variables), Ok(expected), "{text}");
    }
}

#[test]
fn a_failure_has_the_causes_of_aws() {
    let start = "The JSONata expression";
    for (text, cause) in [
        (
            "$nothing",
            "specified for the field 'Output' returned nothing (undefined).",
        ),
        (
            "$randomSeeded(1)",
            "specified for the field 'Output' threw an error during evaluation. T1006: Attempted to invoke a non-function",
        ),
        (
            "$eval('1')",
            "specified for the field 'Output' threw an error during evaluation. T1006: Attempted to invoke a non-function",
        ),
    ] {
        let expected = format!("{start} '{text}' {cause}");
        assert_eq!(evaluate(text, &json!({}), &json!({})), Err(expected));
    }
    let world = World::new(json!({}));
    let input = json!({});
    let expression = Expression::parse("{'a': 1}", "Items").expect("an expression");
    let found = expression.evaluate_as(world.scope(&input), "array", |_| None::<()>);
    let cause = found.expect_err("no array").cause;
    let expected = "The JSONata expression '{'a': 1}' specified for the field 'Items' returned an unexpected \
                    result type. Expected 'array', but was 'object' for value: {\"a\":1}";
    assert_eq!(cause.as_deref(), Some(expected));
}

/// What took the evaluator down, or all of its memory, or more time than it had, before the guards.
#[test]
fn nothing_brings_the_evaluator_down() {
    let big = json!({"big": "x".repeat(200_000)});
    let nested = format!("{}1{}", "[".repeat(900), "]".repeat(900));
    let chained = "1+".repeat(900) + "'x'";
    // Just what the parser still takes; the values are missing a number.
    let bracketed = format!("{}1+'x'{}", "[".repeat(198), "]".repeat(198));
    let summed = "1+".repeat(290) + "'x'";
    for text in [
        nested.as_str(),
        chained.as_str(),
        bracketed.as_str(),
        summed.as_str(),
        "$formatInteger(1/0, 'w')",
        "($f := $formatInteger; $f(1/0, 'w'))",
        "$pad('', 2e9)",
        "$formatNumber(1/0, '#')",
        "$fromMillis(1, '[,M]')",
        "($d := function($t, $n) { $n = 0 ? $t : $d($t & $t, $n - 1) }; $d('x', 40))",
        "$reduce([1..40], function($t, $i) { $t & $t }, 'x')",
        "($f := function($n) { $f($n + 1) }; $f(0))",
        "($f := function($n) { 1 + $f($n + 1) }; $f(0))",
        "[1..1e8]",
        "[1..873783]",
        "$map([1..3000], function($i) { $map([1..3000], function($j) { $i * $j }) })",
        "$join([1..90000].$big, ',')",
        "($j := $join; $j([1..90000].$big, ','))",
        "$string([1..90000].$big)",
        "$replace($big, 'x', $big)",
        "[1..90000].$big",
        "($f := function($n, $k) { $n = 0 ? $k() : $f($n - 1, function() { $k() }) }; $f(100000, function() { 1 }))",
        "($f := function($n, $k) { $n = 0 ? $k(1) : $f($n - 1, $k ~> $string) }; $f(100000, $string))",
        "($f := function($n, $a) { $n = 0 ? $a : $f($n - 1, [[$a]]) }; $f(100000, 1))",
        "($f := function($n, $a) { $n = 0 ? $a : $f($n - 1, {'a': $a}) }; $f(100000, 1))",
        "($f := function($n, $a) { $n = 0 ? 1 : $f($n - 1, $append($a, $a)) }; $f(60, [1, 2]))",
        "($f := function($x) { [$x][$f($)] }; $f(1))",
        "($f := function($x) { $map([$x, 1], $f) }; $f(1))",
        "($f := function($x) { $reduce([$x, 1], function($a, $b) { $f($a) }) }; $f(1))",
        "($f := function($x) { [$x, 1]^($f($)) }; $f(1))",
        "($f := function($x) { $x.{'a': $f(1)} }; $f(1))",
        "($f := function($x) { {'a': $x} ~> | $ | {'b': $f(1)} | }; $f(1))",
        "($f := function($x) { $replace('a', /a/, $f) }; $f(1))",
        "($f := function($x) { $sort([2, 1], $f) }; $f(1))",
        "$fromMillis(0, '[Y,70000]')",
        "$toMillis('1', '[Y,2000000]')",
        "(function($a)<é>{1})(2)",
        "$range(1, 1e12, 1)",
        "$replace('a', /a/, function($m) { $replace($big, 'x', $big) })",
        "(function($t) { $pad($t, 2e9) })('')",
    ] {
        let started = Instant::now();
        assert!(evaluate(text, &json!({}), &big).is_err(), "{text}");
        assert!(
            started.elapsed().as_secs() < 20,
            "{text}: {:?}",
            started.elapsed()
        );
    }
}

#[test]
fn an_expression_that_cannot_be_read_is_no_expression() {
    let deep = "(".repeat(60_000);
    let long = "1+".repeat(40_000);
    for text in ["", "1 +", "$states.input.(", "<x", &deep, &long] {
        let parsed = Expression::parse(text, "Output");
        assert!(parsed.is_err(), "{text:.20}");
    }
}

/// The two languages tell what they read, for `variableReferences`.
#[test]
fn an_expression_says_what_it_reads() {
    let text = "$a + ($b := $c; $b) + $map($d, function($x) { $x & $states.input.y }) & $sum([$e])";
    let expression = Expression::parse(text, "Output").expect("an expression");
    let names: Vec<&str> = expression.names().collect();
    assert_eq!(
        names,
        ["a", "c", "d", "states"]
            .iter()
            .chain(&["e"])
            .copied()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
}

/// The last that AWS was measured to take, and the first that it does not (floci-io/floci#2737).
#[test]
fn an_expression_nests_as_deep_as_on_aws() {
    let sum = |terms: usize| vec!["1"; terms].join("+");
    let nested = |open: &str, close: &str, levels: usize| {
        format!("{}1{}", open.repeat(levels), close.repeat(levels))
    };
    let piped = |stages: usize| format!("1{}", " ~> $string()".repeat(stages));
    let recursive = |calls: usize| {
        format!("($f := function($n) {{ $n = 0 ? 0 : 1 + $f($n - 1) }}; $f({calls}))")
    };
    for (deepest, deeper) in [
        (sum(100), sum(101)),
        (nested("(", ")", 99), nested("(", ")", 100)),
        (nested("[", "]", 99), nested("[", "]", 100)),
        (piped(99), piped(100)),
        (recursive(31), recursive(32)),
    ] {
        assert!(
            evaluate(&deepest, &Value::Null, &Value::Null).is_ok(),
            "{deepest}"
        );
        let why = evaluate(&deeper, &Value::Null, &Value::Null).expect_err("too deep");
        assert!(why.contains("Depth=101 max=100"), "{deeper}: {why}");
    }
}

/// The words were measured on AWS (floci-io/floci#2745, #2670 and #2786).
#[test]
fn what_a_state_does_not_have_is_refused() {
    let unsupported = "UNSUPPORTED_JSONATA_EXPRESSION";
    let invalid = "INVALID_JSONATA_EXPRESSION";
    for (text, field, expected) in [
        (
            "phone",
            "Output",
            vec![(
                unsupported,
                "Reference to 'phone' at the top level is not supported.",
            )],
        ),
        (
            "[a, {b: c[d]}, a]",
            "Output",
            vec![
                (
                    unsupported,
                    "Reference to 'a' at the top level is not supported.",
                ),
                (
                    unsupported,
                    "Reference to 'b' at the top level is not supported.",
                ),
                (
                    unsupported,
                    "Reference to 'c' at the top level is not supported.",
                ),
            ],
        ),
        (
            "$map($states.input.a, function($x){ b })",
            "Output",
            vec![(
                unsupported,
                "Reference to 'b' at the top level is not supported.",
            )],
        ),
        (
            "$.a",
            "Output",
            vec![(
                unsupported,
                "Reference to '$' at the top level is not supported.",
            )],
        ),
        (
            "$$",
            "Output",
            vec![(unsupported, "Reference to '$$' is not supported.")],
        ),
        (
            "$states.errorOutput.Cause",
            "Output",
            vec![(unsupported, "Field '$states.errorOutput' does not exist.")],
        ),
        ("$states.errorOutput.Cause", "Catch[0]/Output", vec![]),
        ("$states.input.items[value > 3].{'a': b}", "Output", vec![]),
        ("$states.input.items^(price)", "Output", vec![]),
        (
            "1 +",
            "Output",
            vec![(invalid, "Unexpected end of expression")],
        ),
        (
            "\"unterminated",
            "Output",
            vec![(
                invalid,
                "String literal must be terminated by a matching quote",
            )],
        ),
        (
            "",
            "Output",
            vec![(invalid, "Unexpected end of expression")],
        ),
    ] {
        let faults = Expression::parse(text, field).err().unwrap_or_default();
        let found: Vec<(&str, &str)> = faults.iter().map(|f| (f.code, &*f.message)).collect();
        assert_eq!(found, expected, "{text}");
    }
}
