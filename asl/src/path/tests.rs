//! Each row is a path and what Jayway (or AWS, where it was recorded) gives for it.

use serde_json::{Value, json};

use super::{Path, ReferencePath};
use crate::fixture::World;

fn store() -> Value {
    json!({
        "store": {
            "book": [
                {"category": "reference", "author": "Nigel Rees", "title": "Sayings", "price": 8.95, "tags": ["a", "b"]},
                {"category": "fiction", "author": "Evelyn Waugh", "title": "Sword", "price": 12.99, "tags": []},
                {"category": "fiction", "author": "Melville", "title": "Moby Dick", "isbn": "0-553", "price": 8.99},
                {"category": "fiction", "author": "Tolkien", "title": "Rings", "isbn": "0-395", "price": 22.99}
            ],
            "bicycle": {"color": "red", "price": 19.95}
        },
        "limit": 10,
        "list": [1, 2, 3, 4, 5],
        "k-1": "dash",
        "null": null,
        "text": "hello",
        "a'b": "quote",
        "Test\\\"\"Name\"": "escapes",
        "deep": {"deep": {"deep": 1}}
    })
}

/// What the path gives, or the cause of the failure behind a `!`.
fn select(document: &Value, path: &str) -> String {
    let world = World::new(json!({"Task": {"Token": "abc"}, "Execution": {"Input": {"x": 1}}}));
    match Path::parse(path) {
        Err(why) => format!("? {why}"),
        Ok(path) => match path.select(world.scope(document)) {
            Ok(value) => value.to_string(),
            Err(failure) => {
                assert_eq!(failure.error.as_deref(), Some("States.Runtime"));
                format!("! {}", failure.cause.expect("a failed path has a cause"))
            }
        },
    }
}

#[test]
fn a_path_selects_what_jayway_selects() {
    let store = store();
    for (path, expected) in [
        // Definite: the value itself.
        ("$.limit", "10"),
        ("$['limit']", "10"),
        ("$[\"limit\"]", "10"),
        ("$.store.bicycle.color", r#""red""#),
        ("$.store['bicycle'].color", r#""red""#),
        ("$.k-1", r#""dash""#),
        ("$['k-1']", r#""dash""#),
        ("$.null", "null"),
        (r"$['a\'b']", r#""quote""#),
        ("$[\"a'b\"]", r#""quote""#),
        // Recorded on AWS: a backslash before another quote is itself.
        ("$['Test\\\"\"Name\"']", r#""escapes""#),
        ("$.list[0]", "1"),
        ("$.list[-1]", "5"),
        ("$.list[(@.length-1)]", "5"),
        ("$.store.book[1].price", "12.99"),
        ("$$.Task.Token", r#""abc""#),
        ("$$.Execution.Input", r#"{"x":1}"#),
        // Unions.
        (
            "$.store.bicycle['color','price']",
            r#"{"color":"red","price":19.95}"#,
        ),
        ("$.store.bicycle['color','none']", r#"{"color":"red"}"#),
        ("$.store['bicycle','book'].color", r#"["red"]"#),
        ("$.store.book[0,2].title", r#"["Sayings","Moby Dick"]"#),
        (
            "$.store.book[*]['title','isbn']",
            r#"[{"title":"Sayings"},{"title":"Sword"},{"title":"Moby Dick","isbn":"0-553"},{"title":"Rings","isbn":"0-395"}]"#,
        ),
        // Slices.
        ("$.list[0:2]", "[1,2]"),
        ("$.list[2:]", "[3,4,5]"),
        ("$.list[:2]", "[1,2]"),
        ("$.list[-2:]", "[4,5]"),
        ("$.list[:-2]", "[1,2,3]"),
        ("$.list[-3:-1]", "[3,4]"),
        ("$.list[1:99]", "[2,3,4,5]"),
        ("$.list[3:1]", "[]"),
        ("$.list[0,2]", "[1,3]"),
        ("$.list[0,9]", "[1]"),
        // Wildcards and deep scans.
        ("$.list[*]", "[1,2,3,4,5]"),
        ("$.store.bicycle.*", r#"["red",19.95]"#),
        ("$..price", "[8.95,12.99,8.99,22.99,19.95]"),
        ("$.store..isbn", r#"["0-553","0-395"]"#),
        ("$..book[0].title", r#"["Sayings"]"#),
        ("$..deep", r#"[{"deep":{"deep":1}},{"deep":1},1]"#),
        ("$..['color','price']", r#"[{"color":"red","price":19.95}]"#),
        ("$.deep..*", r#"[{"deep":1},1]"#),
        ("$.none..x", "[]"),
        // Filters.
        (
            "$.store.book[?(@.price < 10)].title",
            r#"["Sayings","Moby Dick"]"#,
        ),
        (
            "$.store.book[?(@.price<$.limit)].title",
            r#"["Sayings","Moby Dick"]"#,
        ),
        (
            "$.store.book[?(@.price >= 12.99 && @.category == 'fiction')].title",
            r#"["Sword","Rings"]"#,
        ),
        (
            "$.store.book[?(@.price > 20 || @.price < 8.96)].title",
            r#"["Sayings","Rings"]"#,
        ),
        ("$.store.book[?(@.isbn)].title", r#"["Moby Dick","Rings"]"#),
        ("$.store.book[?(!@.isbn)].title", r#"["Sayings","Sword"]"#),
        (
            "$.store.book[?(!(@.price < 10))].title",
            r#"["Sword","Rings"]"#,
        ),
        (
            "$.store.book[?(@.isbn != null)].title",
            r#"["Moby Dick","Rings"]"#,
        ),
        (
            "$.store.book[?(@.category != 'fiction')].title",
            r#"["Sayings"]"#,
        ),
        (
            "$.store.book[?('fiction' == @.category)].price",
            "[12.99,8.99,22.99]",
        ),
        (
            "$.store.book[?(@.author =~ /.*REES/i)].title",
            r#"["Sayings"]"#,
        ),
        ("$.store.book[?(@.author =~ /Rees/)].title", "[]"),
        (
            "$.store.book[?(@.title in ['Rings', 'Sword'])].price",
            "[12.99,22.99]",
        ),
        (
            "$.store.book[?(@.title nin ['Rings', 'Sword'])].price",
            "[8.95,8.99]",
        ),
        (
            "$.store.book[?(@.tags subsetof ['a', 'b', 'c'])].title",
            r#"["Sayings","Sword"]"#,
        ),
        (
            "$.store.book[?(@.tags anyof ['b', 'x'])].title",
            r#"["Sayings"]"#,
        ),
        (
            "$.store.book[?(@.tags noneof ['b', 'x'])].title",
            r#"["Sword"]"#,
        ),
        (
            "$.store.book[?(@.tags contains 'a')].title",
            r#"["Sayings"]"#,
        ),
        ("$.store.book[?(@.title contains 'Dick')].price", "[8.99]"),
        ("$.store.book[?(@.tags size 2)].title", r#"["Sayings"]"#),
        ("$.store.book[?(@.tags empty true)].title", r#"["Sword"]"#),
        (
            "$.store.book[?(@.tags.length() > 1)].title",
            r#"["Sayings"]"#,
        ),
        (
            "$.store.book[?(@['price'] == 8.95)].title",
            r#"["Sayings"]"#,
        ),
        ("$.list[?(@ > 3)]", "[4,5]"),
        ("$.list[?(@ == 1.0)]", "[1]"),
        ("$..[?(@.color == 'red')].price", "[19.95]"),
        ("$..book[?(@.isbn)].isbn", r#"["0-553","0-395"]"#),
        ("$.store.book[?(@.price > 100)]", "[]"),
        // Functions.
        ("$.list.length()", "5"),
        ("$.store.bicycle.length()", "2"),
        ("$.list.min()", "1.0"),
        ("$.list.max()", "5.0"),
        ("$.list.sum()", "15.0"),
        ("$.list.avg()", "3.0"),
        ("$.list.stddev()", "1.4142135623730951"),
        ("$.store.bicycle.keys()", r#"["color","price"]"#),
        ("$.list.first()", "1"),
        ("$.list.last()", "5"),
        ("$.list.index(1)", "2"),
        ("$.list.append(6)", "[1,2,3,4,5,6]"),
        (
            "$.store.book[0].tags.concat(\"-\", $.text)",
            r#""ab-hello""#,
        ),
        ("$..price.sum()", "73.87"),
        // Recorded on AWS: a branching path matches nothing where a definite one fails.
        ("$.none[*]", "[]"),
        ("$.none.more[1:5]", "[]"),
        ("$.text[*]", "[]"),
    ] {
        assert_eq!(select(&store, path), expected, "{path}");
    }
}

#[test]
fn a_definite_path_that_finds_nothing_fails_in_jayways_words() {
    let store = store();
    for (path, expected) in [
        // The first two are recorded on AWS.
        (
            "$.NoSuchOutputPath",
            "! Invalid path '$.NoSuchOutputPath' : No results for path: $['NoSuchOutputPath']",
        ),
        (
            "$.no.such.path",
            "! Invalid path '$.no.such.path' : Missing property in path $['no']",
        ),
        (
            "$.store.none",
            "! Invalid path '$.store.none' : No results for path: $['store']['none']",
        ),
        (
            "$.list[9]",
            "! Invalid path '$.list[9]' : Index out of bounds when evaluating path $['list'][9]",
        ),
        (
            "$.null[0]",
            "! Invalid path '$.null[0]' : The path $['null'] is null",
        ),
        (
            "$.text.x",
            "! Invalid path '$.text.x' : Property ['x'] not found in path $['text']",
        ),
        (
            "$$.Task.None",
            "! Invalid path '$$.Task.None' : No results for path: $['Task']['None']",
        ),
    ] {
        assert_eq!(select(&store, path), expected, "{path}");
    }
}

#[test]
fn what_is_no_path_is_refused_with_a_reason() {
    for (path, expected) in [
        (
            "",
            "a path starts with '$', or with '$$' for the context object",
        ),
        (
            "limit",
            "a path starts with '$', or with '$$' for the context object",
        ),
        ("$.", "a name, '*' or '[' is expected after '.'"),
        ("$..", "a name, '*' or '[' is expected after '.'"),
        (
            "$.a b",
            "use bracket notation ['my prop'] if a name contains blanks (after 'a')",
        ),
        ("$[", "the closing ']' is missing"),
        ("$[::2]", "']' is expected where ':' stands"),
        ("$['a", "the closing ' is missing"),
        ("$[?(@.a ==)]", "')' is not expected in a filter"),
        ("$[?(@.a like 'b')]", "there is no operator 'like'"),
        (
            "$[?(@.a =~ 'b')]",
            "'=~' takes a pattern between slashes, and only it does",
        ),
        ("$.a.size2()", "there is no function 'size2()'"),
        ("$.a.length().b", "'.' is not expected after '$.a.length()'"),
        ("$name first", "' ' is not expected after '$'"),
    ] {
        assert_eq!(
            Path::parse(path).map(|_| ()),
            Err(expected.to_owned()),
            "{path}"
        );
    }
    let nested = format!("$[?({}@.a{})]", "(".repeat(10_000), ")".repeat(10_000));
    assert!(Path::parse(&nested).is_err(), "nesting has a limit");
    let long = format!("${}", "[*]".repeat(10_000));
    assert!(Path::parse(&long).is_err(), "length has a limit");
}

#[test]
fn a_definite_path_borrows_what_it_finds() {
    let store = store();
    let world = World::new(Value::Null);
    let path = Path::parse("$.store.book[1]").expect("a path");
    let found = path.select(world.scope(&store)).expect("it is there");
    assert!(
        matches!(found, std::borrow::Cow::Borrowed(value) if std::ptr::eq(value, &store["store"]["book"][1]))
    );
}

#[test]
fn a_path_that_visits_too_much_is_stopped() {
    let mut deep = json!(1);
    for _ in 0..120 {
        deep = json!([deep, 1]);
    }
    assert!(
        select(&deep, "$..*..*..*..*..*").starts_with("! Invalid path"),
        "scan after scan"
    );
}

#[test]
fn a_reference_path_writes_and_makes_room() {
    for (path, document, expected) in [
        ("$", json!({"a": 1}), json!("new")),
        ("$.b", json!({"a": 1}), json!({"a": 1, "b": "new"})),
        ("$.a", json!({"a": 1, "b": 2}), json!({"a": "new", "b": 2})),
        (
            "$.x.y.z",
            json!({"a": 1}),
            json!({"a": 1, "x": {"y": {"z": "new"}}}),
        ),
        ("$['x y'].z", json!({}), json!({"x y": {"z": "new"}})),
        ("$.l[1]", json!({"l": [1, 2]}), json!({"l": [1, "new"]})),
        ("$.l[0].b", json!({"l": [{}]}), json!({"l": [{"b": "new"}]})),
    ] {
        let reference = ReferencePath::parse(path).expect(path);
        assert_eq!(
            reference.put(&document, json!("new")),
            Ok(expected),
            "{path}"
        );
    }
    for (path, document) in [
        ("$.a.b", json!({"a": 1})),
        ("$.l[2]", json!({"l": [1]})),
        ("$.a", json!([])),
        ("$.a", json!("s")),
    ] {
        let failure = ReferencePath::parse(path)
            .expect(path)
            .put(&document, json!(1))
            .expect_err(path);
        assert_eq!(
            failure.error.as_deref(),
            Some("States.ResultPathMatchFailure"),
            "{path}"
        );
    }
    for path in [
        "$..a",
        "$.a[*]",
        "$['a','b']",
        "$.a.length()",
        "$$.a",
        "a",
        "$.l[0,1]",
        "$.l[0:1]",
        "$[?(@.a)]",
    ] {
        assert!(
            ReferencePath::parse(path).is_err(),
            "{path} is not a reference path"
        );
    }
}
