//! What is wrong with a file: where, what, and what to do.

use mock::Mock;
use source::Source;

/// A file with one route, and one more line in it.
fn with(line: &str) -> String {
    format!(
        "services:\n  orders:\n    secret: whsec_dGhlIHNlY3JldA==\n    routes:\n      - post: /orders\n        reply: {{body: {{a: 1}}}}\n        {line}\n"
    )
}

/// `LINE:COLUMN marked text: message (hint)` of all that is wrong.
fn said(text: &str) -> Vec<String> {
    let source = Source::of("test.mock.yaml", text.to_owned(), true);
    let Err(found) = Mock::read(&source) else {
        return Vec::new();
    };
    let said = found.iter().map(|found| {
        let place = found.place.as_ref().expect("the text is not empty");
        let marked = place.text.chars().skip(place.column - 1).take(place.width);
        let marked: String = marked.collect();
        let hint = found.diagnostic.hint.as_deref().unwrap_or_default();
        let message = &found.diagnostic.message;
        format!(
            "{}:{} {marked}: {message} ({hint})",
            place.line, place.column
        )
    });
    said.collect()
}

#[test]
fn each_mistake_has_a_place_and_a_way_out() {
    for (line, expected) in [
        (
            "fualt: late",
            "7:9 fualt: `fualt` is not known here (Did you mean `fault`?",
        ),
        (
            "fault: lat",
            "7:16 lat: `lat` is not known here (Did you mean `late`?",
        ),
        (
            "fault: {late: {aftr: 1}}",
            "7:24 aftr: `aftr` is not known here (Did you mean `after`?",
        ),
        (
            "fault: {late: {after: soon}}",
            "7:31 soon: a duration like 2s, 250ms, 5m, 1h or 1d belongs here, and not \"soon\"",
        ),
        (
            "fault: {reset: {x: 1}}",
            "7:17 reset: `reset` has no settings (Write `reset` alone.)",
        ),
        (
            "fault: [late]",
            "7:9 fault: a fault belongs here, and not a list (Write `late`, or with settings",
        ),
        (
            "fault: {heartbeats: {every: 0}}",
            "heartbeats need some time between them",
        ),
        (
            "fault: late",
            "7:16 late: `late`: the route has no `callbacks`",
        ),
        ("when: yes", "7:15 yes: JSONata in {% %} belongs here"),
        (
            "when: '{% $requets.body %}'",
            "it reads $requets, which is not there (Did you mean $request? There are $request, $reference, $n.)",
        ),
        ("when: '{% $request. %}'", "7:15 '{% $request. %}': "),
        (
            "request: 3..1",
            "7:18 3..1: the number of a request from 1 on, or from which to which (1..2, 3..) belongs here, and not \"3..1\"",
        ),
        (
            "get: /orders",
            "a route has one method and its path (Write for example `post: /valuations`",
        ),
        ("callbacks: [{after: 1s}]", "a callback has `to` and `body`"),
        (
            "callbacks: [{to: x, body: 1, retries: 5s}]",
            "7:47 5s: it has to be a list of pauses (Write the pauses, 20 at most: `retries: [5s, 5m, 30m]`.)",
        ),
        ("callbacks: [{to: x, body: 1, retries: [5s, soon]}]", "soon"),
        (
            "callbacks: [{to: x, body: 1, method: DELET}]",
            "7:46 DELET: `DELET` is not known here",
        ),
        (
            "reply: {}",
            "`reply` is given twice (It is on line 6 too. Remove or rename one of them.)",
        ),
    ] {
        let said = said(&with(line));
        assert_eq!(said.len(), 1, "{line}: {said:?}");
        assert!(said[0].contains(expected), "{line}: {}", said[0]);
    }
}

#[test]
fn all_mistakes_are_told_in_the_order_of_the_file() {
    let text = "seeds: 1\nservices:\n  a:\n    secret: {scheme: githb, secret: s}\n    routes:\n      - post: orders\n      - post: /b\n        reply: {status: 99, body: '{% $x %}', delay: -1s}\n  b: {}\n";
    let said = said(text);
    let begins = [
        "1:1 seeds: ",
        "4:22 githb: ",
        "6:15 orders: ",
        "8:25 99: ",
        "8:35 '{% $x %}': ",
        "8:54 -1s: ",
        "9:6 {: `b` has no routes",
    ];
    assert_eq!(said.len(), begins.len(), "{said:#?}");
    for (said, begin) in said.iter().zip(begins) {
        assert!(said.starts_with(begin), "{begin}: {said}");
    }
}

#[test]
fn a_mock_may_be_a_part_of_a_file() {
    let text = "mocks:\n  services:\n    a:\n      routes:\n        - {pst: /}\n";
    let source = Source::of("scenario.yaml", text.to_owned(), true);
    let value = source.value().expect("it is YAML");
    let found = Mock::read_part(&source, &value["mocks"], "/mocks")
        .err()
        .expect("it is wrong");
    let place = found[0].place.as_ref().expect("it has a place");
    assert_eq!((place.line, place.column), (5, 12));
}

#[test]
fn the_files_of_the_examples_are_right() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/loan-processor/valuation.mock.yaml"
    );
    let source = Source::read(file).expect("it is there");
    let mock = Mock::read(&source)
        .unwrap_or_else(|found| panic!("{}", source.report(&found, source::report::plain)));
    assert_eq!(mock.services().collect::<Vec<_>>(), ["valuation"]);
    assert_eq!(mock.fault_names("valuation").count(), 12);
}

#[test]
fn the_readmes_example_is_right() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme
        .split_once("```yaml\nservices:\n")
        .expect("it is there");
    let (text, _) = rest.split_once("```").expect("it ends");
    assert_eq!(said(&format!("services:\n{text}")), Vec::<String>::new());
}
