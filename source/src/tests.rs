//! Each row is a text and where something in it is found.

use serde_json::{Value, json};

use super::{Part, Source, json, report, yaml};

fn source(text: &str) -> Source {
    let yaml = !text.trim_start().starts_with('{');
    Source::of("test", text.to_owned(), yaml)
}

/// Code, place and marked text of everything that is said.
fn said(text: &str) -> Vec<String> {
    let source = source(text);
    let (_, found) = source.examine(false);
    let said = found.iter().map(|found| {
        let place = found.place.as_ref().expect("the text is not empty");
        let marked = place.text.chars().skip(place.column - 1).take(place.width);
        let marked: String = marked.collect();
        let code = found.diagnostic.code;
        format!("{code} {}:{} {marked}", place.line, place.column)
    });
    said.collect()
}

#[test]
fn a_fault_of_the_language_is_found_in_the_text() {
    for (text, expected) in [
        (
            "{\"StartAt\": \"A\",\n \"States\": {\n  \"A\": {\"Type\": \"Pass\", \"Nxt\": \"B\", \"End\": true}}}",
            "SCHEMA_VALIDATION_FAILED 3:25 \"Nxt\"",
        ),
        (
            "{\"StartAt\": \"A\", \"States\": {\n  \"A\": {\"Type\": \"Choice\", \"Default\": \"B\", \"Choices\": [{\"Variable\": \"$\", \"IsNull\": true, \"Next\": \"C\"}]},\n  \"C\": {\"Type\": \"Succeed\"}}}",
            "MISSING_TRANSITION_TARGET 2:38 \"B\"",
        ),
        // AWS does not escape names in its pointers.
        (
            "{\"StartAt\": \"a/b[0]\", \"States\": {\"a/b[0]\": {\"Type\": \"Wait\", \"Seconds\": true, \"End\": true},\n\"a\": {\"Type\": \"Succeed\"}}}",
            "SCHEMA_VALIDATION_FAILED 1:72 true",
        ),
        (
            "StartAt: A\nStates:\n  A:\n    Type: Wait\n    Seconds: soon\n    End: true\n",
            "SCHEMA_VALIDATION_FAILED 5:14 soon",
        ),
        (
            "StartAt: Größe\nStates:\n  Größe:\n    Type: Pass\n",
            "SCHEMA_VALIDATION_FAILED 3:3 Größe",
        ),
        // A list of items: the second retrier.
        (
            "StartAt: A\nStates:\n  A:\n    Type: Task\n    Resource: arn:aws:lambda:us-east-1:123456789012:function:f\n    Retry:\n      - ErrorEquals: [A]\n      - ErrorEquals: [B]\n        MaxAttempts: many\n    End: true\n",
            "SCHEMA_VALIDATION_FAILED 9:22 many",
        ),
    ] {
        assert_eq!(said(text), [expected], "{text}");
    }
}

#[test]
fn text_that_is_not_json_says_where_and_what_was_meant() {
    for (text, place, hint) in [
        ("{\"a\": 1,\n}", "1:8 ,", "Remove the comma"),
        ("{\"a\": [1, 2,], \"b\": 1}", "1:12 ,", "Remove the comma"),
        ("{\"a\": 1\n \"b\": 2}", "1:8 ", "comma missing"),
        ("{'a': 1}", "1:2 '", "double quotes"),
        ("{a: 1}", "1:2 a", "double quotes"),
        ("{\"a\": True}", "1:7 True", "true, false and null"),
        ("{\"a\": 1 // why\n}", "1:9 /", "no comments"),
        ("{\"a\" 1}", "1:6 1", "colon"),
        ("{\"a\": }", "1:7 }", "value is missing"),
        ("{\"a\": \"b\n}", "1:7 \"b", "closing quote"),
        ("{\"a\": \"C:\\Users\"}", "1:7 \"C:\\Users\"", "backslash"),
        (
            "{\"a\": {\n\"b\": 1",
            "2:6 1",
            "'{' of line 1 is not closed",
        ),
        ("{\"a\": [1}", "1:9 }", "closed by ']'"),
        ("{}\n}", "2:1 }", "bracket too many"),
    ] {
        let source = source(text);
        let (machine, found) = source.examine(false);
        assert!(machine.is_none(), "{text}");
        let [one] = &found[..] else {
            panic!("{text}: {} faults", found.len())
        };
        assert_eq!(one.diagnostic.code, "INVALID_JSON_DESCRIPTION", "{text}");
        let at = one.place.as_ref().expect("the text is not empty");
        let marked: String = at.text.chars().skip(at.column - 1).take(at.width).collect();
        assert_eq!(
            format!("{}:{} {marked}", at.line, at.column),
            place,
            "{text}"
        );
        let said = one.diagnostic.hint.as_deref().unwrap_or_default();
        assert!(said.contains(hint), "{text}: {said}");
        assert!(!one.diagnostic.message.contains(" line "), "{text}");
    }
}

#[test]
fn the_walk_and_the_parser_agree_on_what_is_json() {
    for text in [
        "{\"a\": [1, -2.5e+3, \"\\u00e4\\n\", null, true, {}], \"b\": {\"c\": []}}",
        " { } ",
        "{\"a\": \"\\\\\"}",
        "[1, 2, [3]]",
    ] {
        assert!(json::scan(text).is_ok(), "{text}");
        assert!(serde_json::from_str::<Value>(text).is_ok(), "{text}");
    }
    let deep = "[".repeat(1_000_000);
    assert!(json::scan(&deep).is_err());
}

#[test]
fn a_name_given_twice_is_warned_of() {
    for (text, expected) in [
        (
            "{\"StartAt\": \"A\", \"States\": {\"A\": {\"Type\": \"Pass\", \"End\": true},\n\"A\": {\"Type\": \"Succeed\"}}}",
            "REJOIN_REPEATED_FIELD 2:1 \"A\"",
        ),
        (
            "StartAt: A\nStates:\n  A:\n    Type: Succeed\n    Type: Succeed\n",
            "REJOIN_REPEATED_FIELD 5:5 Type",
        ),
    ] {
        assert_eq!(said(text), [expected], "{text}");
    }
}

#[test]
fn yaml_means_what_its_core_schema_says() {
    for (text, expected) in [
        ("a: 1", json!({"a": 1})),
        ("a: -1.5", json!({"a": -1.5})),
        ("a: .5", json!({"a": 0.5})),
        ("a: +3", json!({"a": 3})),
        ("a: true", json!({"a": true})),
        ("a: yes", json!({"a": "yes"})),
        ("a: ~", json!({"a": null})),
        ("a:", json!({"a": null})),
        ("a: '1'", json!({"a": "1"})),
        ("a: !!str 1", json!({"a": "1"})),
        ("a: 012345678901", json!({"a": "012345678901"})),
        (
            "a: 2026-03-14T01:59:00Z",
            json!({"a": "2026-03-14T01:59:00Z"}),
        ),
        ("a: 1.2.3", json!({"a": "1.2.3"})),
        ("a: $.b", json!({"a": "$.b"})),
        ("a: |\n  x\n  y\n", json!({"a": "x\ny\n"})),
        (
            "- a\n- b: [c, {d: e}]",
            json!(["a", {"b": ["c", {"d": "e"}]}]),
        ),
        ("a: &x {b: 1}\nc: *x", json!({"a": {"b": 1}, "c": {"b": 1}})),
        ("1: one", json!({"1": "one"})),
        // What is said here counts, and of several the first that has it.
        (
            "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {z: 3, <<: [*b, *a]}",
            json!({"a": {"x": 1, "y": 1}, "b": {"y": 2, "z": 2}, "c": {"z": 3, "y": 2, "x": 1}}),
        ),
        ("a: {'<<': 1}", json!({"a": {"<<": 1}})),
    ] {
        match yaml::read(text, yaml::Tags::Refused) {
            Ok((value, _)) => assert_eq!(value, expected, "{text}"),
            Err(fault) => panic!("{text}: {}", fault.message),
        }
    }
}

#[test]
fn yaml_that_is_not_taken_says_where_and_why() {
    let bomb: String = (1..20)
        .map(|n| {
            format!(
                "a{n}: &a{n} [{}]\n",
                vec![format!("*a{}", n - 1); 10].join(", ")
            )
        })
        .collect();
    let bomb = format!("a0: &a0 [x, x, x, x]\n{bomb}");
    let deep = "[".repeat(100_000);
    for (text, message) in [
        ("StartAt: !Ref Start\n", "'!Ref' is not known here"),
        ("a: [1, 2\nb: 3\n", ""),
        ("a: 1\n---\nb: 2\n", "a second document begins here"),
        (
            "a: &x [*x]",
            "an alias stands for something that it is part of",
        ),
        (
            "# nothing but this\n",
            "there are comments here and nothing else",
        ),
        (
            "a: 1\n<<: 2\n",
            "only an object's members can be taken over",
        ),
        (bomb.as_str(), "aliases unfold to more than"),
        (deep.as_str(), ""),
    ] {
        let source = source(text);
        let (_, found) = source.examine(false);
        let said = &found[0].diagnostic;
        assert_eq!(said.code, "INVALID_YAML_DESCRIPTION", "{text:.40}");
        assert!(
            said.message.contains(message),
            "{text:.40}: {}",
            said.message
        );
    }
}

#[test]
fn text_that_is_not_yaml_says_what_may_have_been_meant() {
    for (text, place, hint) in [
        ("a:\n\tb: 1\n", "2:2", "Indent with spaces"),
        ("a:\n  b: 1\n c: 2\n", "3:2", "begin in one column"),
        ("a:\n  b: 1\n  c\n", "4:1", "has its colon"),
        ("a: b: c\n", "1:5", "in quotes"),
        ("a: [1, 2\nb: 3\n", "2:2", "Every bracket is closed"),
        ("a: @file.json\n", "1:4", "begins with @"),
        ("a: *b\n", "1:4", "what is marked `&name` above it"),
        ("a: \"b\n", "1:4", "Every quote is closed"),
        ("a: \"C:\\Users\"\n", "1:4", "a backslash is written twice"),
    ] {
        let source = Source::of("test", text.to_owned(), true);
        let found = source.value().expect_err(text);
        let at = found[0].place.as_ref().expect("the text is not empty");
        assert_eq!(format!("{}:{}", at.line, at.column), place, "{text}");
        let said = found[0].diagnostic.hint.as_deref().unwrap_or_default();
        assert!(
            said.contains(hint),
            "{text}: {}",
            found[0].diagnostic.message
        );
    }
}

#[test]
fn nothing_is_found_in_nothing() {
    let source = source("\n");
    let (_, found) = source.examine(false);
    assert_eq!(found[0].diagnostic.code, "MISSING_DESCRIPTION");
    assert!(found[0].place.is_none());
}

#[test]
fn what_is_wrong_with_a_file_of_ours_is_found_in_it() {
    let text = "services:\n  a/b:\n    routes:\n      - post: /x\n        relpy: {status: 201}\n";
    let source = Source::of("mock.yaml", text.to_owned(), true);
    assert_eq!(
        source.value().ok(),
        Some(json!({"services": {"a/b": {"routes": [{"post": "/x", "relpy": {"status": 201}}]}}}))
    );
    for (pointer, part, expected) in [
        ("/services/a/b/routes[0]/relpy", Part::Name, "5:9 relpy"),
        ("/services/a/b/routes[0]/post", Part::Value, "4:15 /x"),
        (
            "/services/a/b/routes[0]/relpy/status",
            Part::Value,
            "5:25 201",
        ),
        // What is missing stands where it should.
        (
            "/services/a/b/routes[0]/relpy/body",
            Part::Value,
            "5:9 relpy",
        ),
    ] {
        let found = source.wrong(pointer, part, "no", Some("Do.".into()));
        let place = found.place.as_ref().expect("the text is not empty");
        let marked: String = place
            .text
            .chars()
            .skip(place.column - 1)
            .take(place.width)
            .collect();
        assert_eq!(
            format!("{}:{} {marked}", place.line, place.column),
            expected,
            "{pointer}"
        );
    }
    let found = source.wrong(
        "/services/a/b/routes[0]/relpy",
        Part::Name,
        "no",
        Some("Do.".into()),
    );
    let expected = "error: no\n --> mock.yaml:5:9  /services/a/b/routes[0]/relpy\n  |\n5 |         relpy: {status: 201}\n  |         ^^^^^\n  = Do.\n\n";
    assert_eq!(source.report(&[found], report::plain), expected);
    let twice = Source::of("mock.yaml", "a: 1\na: 2\nb: 1\nb: 2\n".into(), true);
    let found = twice.value().expect_err("two are there twice");
    let said = found.iter().map(|found| {
        let line = found.place.as_ref().map_or(0, |place| place.line);
        format!("{line} {}", found.diagnostic.message)
    });
    let said: Vec<String> = said.collect();
    assert_eq!(said, ["2 `a` is given twice", "4 `b` is given twice"]);
}
