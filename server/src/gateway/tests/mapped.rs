//! What a callback says: where its reference is, what it asks for, in which form, at which path.

use super::*;

/// A route with some keys changed, a request, and what must come of it.
struct Row {
    named: &'static str,
    config: Value,
    method: Method,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: &'static str,
    /// How the wait ends, or the sentence with which it is refused.
    expected: Result<WaitEnd, &'static str>,
}

fn output(value: Value) -> Result<WaitEnd, &'static str> {
    Ok(WaitEnd::Succeeded {
        output: value.into(),
    })
}

fn failed(error: &str, cause: Option<&str>) -> Result<WaitEnd, &'static str> {
    let failure = asl::Failure {
        error: Some(error.to_owned().into()),
        cause: cause.map(str::to_owned),
    };
    Ok(WaitEnd::Failed { failure })
}

fn rows() -> Vec<Row> {
    let plain = |named: &'static str, config: Value, body: &'static str| Row {
        named,
        config,
        method: Method::POST,
        path: "/callbacks/valuation",
        headers: Vec::new(),
        body,
        expected: Err(""),
    };
    let outcomes = json!({
        "path": "/callbacks/{reference}",
        "reference": "$path.reference",
        "outcomes": [
            { "path": "/callbacks/{reference}/completed", "outcome": "success", "output": "$.value" },
            { "path": "/callbacks/{reference}/rejected", "outcome": "failure", "error": "Rejected", "cause": "{% 'by ' & $body.by %}" },
            { "path": "/callbacks/{reference}/working", "method": "PUT", "outcome": "heartbeat" },
        ],
    });
    vec![
        Row {
            expected: output(json!({"value": 7, "by": "Ann"})),
            ..plain(
                "JSONata puts the output together",
                json!({"reference": "{% $body.work.ref %}", "output": "{% { 'value': $sum($body.parts), 'by': $headers.`x-by` } %}"}),
                r#"{"work":{"ref":"r1"},"parts":[3,4]}"#,
            )
        }
        .with_header("x-by", "Ann"),
        Row {
            path: "/callbacks/valuation?ref=r1&x=a+b&x=c%20d",
            expected: output(json!(["a b", "c d"])),
            ..plain("the query", json!({"reference": "$query.ref", "output": "$query.x"}), "{}")
        },
        Row {
            expected: output(json!({"a": 1})),
            ..plain("a header", json!({"reference": "$headers['x-ref']"}), r#"{"a":1}"#)
        }
        .with_header("X-Ref", "r1"),
        Row {
            expected: output(json!({"ref": "r1", "text": "a b&c", "n": ["1", "2"]})),
            ..plain("a form", json!({"body": "form"}), "ref=r1&text=a+b%26c&n=1&n=2")
        },
        Row {
            expected: failed("ValuationFailed", Some("no such house")),
            ..plain(
                "a form that failed",
                json!({"body": "form", "failure": {"when": "$.failed", "equals": "true", "error": "ValuationFailed", "cause": "$.reason"}}),
                "ref=r1&failed=true&reason=no+such+house",
            )
        },
        Row {
            expected: output(json!("<v><ref>r1</ref><value>7</value></v>")),
            ..plain(
                "XML",
                json!({"body": "text", "reference": "{% $match($body, /<ref>(.*?)<.ref>/)[0].groups[0] %}"}),
                "<v><ref>r1</ref><value>7</value></v>",
            )
        },
        Row {
            expected: failed("Rejected", Some("by Bob")),
            ..plain(
                "JSONata says when it is a failure",
                json!({"failure": {"when": "{% $body.score < 3 %}", "error": "Rejected", "cause": "{% 'by ' & $body.by %}"}}),
                r#"{"ref":"r1","score":2,"by":"Bob"}"#,
            )
        },
        Row {
            expected: output(json!({"ref": "r1"})),
            ..plain(
                "what JSONata does not find is no failure",
                json!({"failure": {"when": "{% $body.failed %}", "error": "Rejected"}}),
                r#"{"ref":"r1"}"#,
            )
        },
        Row {
            path: "/callbacks/r1/completed",
            expected: output(json!(7)),
            ..plain("completed", outcomes.clone(), r#"{"value":7}"#)
        },
        Row {
            path: "/callbacks/r1/rejected",
            expected: failed("Rejected", Some("by Cy")),
            ..plain("rejected", outcomes.clone(), r#"{"by":"Cy"}"#)
        },
        Row {
            path: "/callbacks/r1",
            expected: output(Value::Null),
            ..plain("nothing but the path", outcomes.clone(), "")
        },
        Row {
            expected: Err("The body is not JSON: expected value at line 1 column 1. Its Content-Type is \"text/xml\"."),
            ..plain("something else than JSON", json!({}), "<ref>r1</ref>")
        }
        .with_header("content-type", "text/xml"),
        Row {
            expected: Err("There is no reference at {% $body.work.ref %}."),
            ..plain("no reference", json!({"reference": "{% $body.work.ref %}"}), "{}")
        },
        Row {
            expected: Err("There is no output at $query.x."),
            ..plain("no output", json!({"output": "$query.x"}), r#"{"ref":"r1"}"#)
        },
        Row {
            expected: Err("The JSONata expression '$body.a + 1' specified for the field 'output' threw an error"),
            ..plain("an expression that can't be evaluated", json!({"output": "{% $body.a + 1 %}"}), r#"{"ref":"r1","a":"x"}"#)
        },
        Row {
            expected: Err("There is no reference at $.ref."),
            ..plain("an empty body", json!({}), "")
        },
        Row {
            expected: failed(&"é".repeat(256), Some(&"x".repeat(32_768))),
            ..plain(
                "a failure that says more than Step Functions takes",
                json!({"body_bytes_max": 65536, "failure": {"when": "$.failed", "error": "$.error", "cause": "$.reason"}}),
                format!(
                    r#"{{"ref":"r1","failed":true,"error":"{}","reason":"{}"}}"#,
                    "é".repeat(300),
                    "x".repeat(40_000)
                )
                .leak(),
            )
        },
        // Which of several it was is not known any more.
        Row {
            expected: Err("The reference at $.ref is a number with more digits than are read of one"),
            ..plain("a number that is too large", json!({}), r#"{"ref":9007199254740992000.0}"#)
        },
        Row {
            expected: Err("The reference at $.ref is a number with more digits than are read of one"),
            ..plain("one with too many digits", json!({}), r#"{"ref":12345678901234567890123}"#)
        },
        Row {
            expected: Err("What is at $.event is a number with more digits than are read of one"),
            ..plain("one in what a repeat is known by", json!({"repeat": "$.event"}), r#"{"ref":"r1","event":18446744073709551616}"#)
        },
    ]
}

impl Row {
    fn with_header(mut self, name: &'static str, value: &str) -> Row {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn world(&self) -> World {
        let mut route = route();
        for (key, value) in self.config.as_object().expect("an object") {
            route[key] = value.clone();
        }
        World::with(vec![route]).unwrap_or_else(|what| panic!("{}: {what}", self.named))
    }
}

#[tokio::test]
async fn a_callback_is_read_as_its_route_says() {
    for row in rows() {
        let world = row.world();
        let token = world.engine.open(1, 1);
        world.register("r1", &token).await;
        let reply = world
            .send_with(row.method.clone(), row.path, &row.headers, row.body)
            .await;
        let said: Value = serde_json::from_slice(&reply.body).expect("JSON");
        let ended = world.engine.0.lock().waits[&(1, 1)].1.clone();
        match row.expected {
            Ok(end) => assert_eq!(
                ended.map(|ended| ended.end),
                Some(end),
                "{}: {said}",
                row.named
            ),
            Err(why) => {
                assert_eq!(reply.status, 400, "{}", row.named);
                let message = said["message"].as_str().expect("text");
                assert!(message.starts_with(why), "{}: {message}", row.named);
                assert_eq!(ended, None, "{}", row.named);
            }
        }
    }
}

#[tokio::test]
async fn the_same_body_at_another_path_is_another_outcome() {
    let row = rows()
        .into_iter()
        .find(|row| row.named == "completed")
        .expect("a row");
    let world = row.world();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    let body = r#"{"value":7}"#;
    let mut heard = Vec::new();
    for (method, path) in [
        (Method::PUT, "/callbacks/r1/working"),
        (Method::POST, "/callbacks/r1/completed"),
        (Method::POST, "/callbacks/r1/completed"),
        (Method::POST, "/callbacks/r1/rejected"),
        (Method::PUT, "/callbacks/r1/completed"),
    ] {
        let reply = world.send(method, path, body).await;
        let said: Value = serde_json::from_slice(&reply.body).expect("JSON");
        let of = if said["error"].is_null() {
            &said["disposition"]
        } else {
            &said["error"]
        };
        heard.push(of.as_str().expect("text").to_owned());
    }
    assert_eq!(
        heard,
        [
            "heartbeat",
            "delivered",
            "duplicate-identical",
            "duplicate-contradicting",
            "malformed"
        ]
    );
}

#[tokio::test]
async fn a_route_may_say_what_a_repeat_is() {
    let mut route = route();
    route["repeat"] = json!("$headers['x-event']");
    let world = World::with(vec![route]).expect("the route is right");
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    let beat = r#"{"ref":"r1","status":"working"}"#;
    let mut heard = Vec::new();
    for (event, body) in [
        (Some("1"), beat),
        (Some("1"), beat),
        (Some("1"), r#"{"ref":"r1","status":"working","n":2}"#),
        (Some("2"), beat),
        (None, beat),
        (None, beat),
    ] {
        let headers: Vec<_> = event
            .map(|event| ("x-event", event.to_owned()))
            .into_iter()
            .collect();
        let reply = world
            .send_with(Method::POST, "/callbacks/valuation", &headers, body)
            .await;
        let said: Value = serde_json::from_slice(&reply.body).expect("JSON");
        heard.push(said["disposition"].as_str().expect("text").to_owned());
    }
    assert_eq!(
        heard,
        [
            "heartbeat",
            "duplicate-identical",
            "duplicate-contradicting",
            "heartbeat",
            "heartbeat",
            "heartbeat"
        ]
    );
    assert_eq!(world.engine.0.lock().heartbeats, 4);
    world.pass(3600).await;
    let headers = [("x-event", "2".to_owned())];
    let reply = world
        .send_with(Method::POST, "/callbacks/valuation", &headers, beat)
        .await;
    assert!(
        String::from_utf8_lossy(&reply.body).contains("heartbeat"),
        "it is forgotten by then"
    );
}

#[tokio::test]
async fn a_route_may_say_what_to_answer() {
    let mut route = route();
    route["answers"] = json!({
        "delivered": { "status": 204 },
        "unknown-reference": { "status": 200, "body": { "received": true } },
        "malformed": { "body": "no" },
    });
    let world = World::with(vec![route]).expect("the route is right");
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    for (body, status, kind, answer) in [
        (r#"{"ref":"r1"}"#, 204, "application/json", ""),
        (
            r#"{"ref":"r1"}"#,
            200,
            "application/json",
            "{\"disposition\":\"duplicate-identical\"",
        ),
        (
            r#"{"ref":"r2"}"#,
            200,
            "application/json",
            "{\"received\":true}",
        ),
        ("?", 400, "text/plain; charset=utf-8", "no"),
    ] {
        let reply = world.send(Method::POST, "/callbacks/valuation", body).await;
        assert_eq!(
            (reply.status.as_u16(), reply.content_type),
            (status, kind),
            "{body}"
        );
        let text = String::from_utf8_lossy(&reply.body);
        assert!(
            text.starts_with(answer) && text.is_empty() == answer.is_empty(),
            "{text}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_mapping_is_one_sentence() {
    for (key, value, expected) in [
        (
            "reference",
            json!("{% $body. %}"),
            "`reference` \"{% $body. %}\" is not JSONata: ",
        ),
        (
            "reference",
            json!("{% ref %}"),
            "`reference` \"{% ref %}\" is not JSONata: Reference to 'ref' at the top level is not supported.; there is $body, $headers, $query, $path, $method there",
        ),
        (
            "reference",
            json!("{% $boddy.ref %}"),
            "`reference` \"{% $boddy.ref %}\" reads $boddy, which is not there; did you mean \"body\"?",
        ),
        (
            "reference",
            json!("$header.x"),
            "`reference` \"$header.x\" reads $header, which is not there; did you mean \"headers\"?",
        ),
        (
            "reference",
            json!("$path.ref"),
            "`reference` is \"$path.ref\", and the path \"/callbacks/valuation\" has no {ref}",
        ),
        (
            "repeat",
            json!("event"),
            "`repeat` is \"event\"; it must be a JSONPath",
        ),
        (
            "method",
            json!("POTS"),
            "`method` is \"POTS\"; did you mean \"POST\"?",
        ),
        (
            "answers",
            json!({"deliverd": {}}),
            "`answers` has \"deliverd\", which is no disposition; did you mean \"delivered\"?",
        ),
        (
            "answers",
            json!({"delivered": {"status": 100}}),
            "`answers.delivered.status` is 100",
        ),
        (
            "outcomes",
            json!([{"path": "/a", "outcome": "sucess"}]),
            "`outcomes[0].outcome` is \"sucess\"; did you mean \"success\"?",
        ),
        (
            "outcomes",
            json!([{"path": "/a", "outcome": "failure"}]),
            "`outcomes[0].error` is missing",
        ),
        (
            "outcomes",
            json!([{"path": "/a", "outcome": "heartbeat", "output": "$"}]),
            "`outcomes[0].output` belongs to a success, and this is a heartbeat",
        ),
        (
            "outcomes",
            json!([{"path": "a", "outcome": "success"}]),
            "`outcomes[0].path` is \"a\"; it must begin with '/'",
        ),
        (
            "outcomes",
            json!([{"path": "/callbacks/valuation", "outcome": "success"}]),
            "`outcomes[0].path` \"/callbacks/valuation\" is the same as",
        ),
    ] {
        let mut wrong = route();
        wrong[key] = value;
        let said = World::with(vec![wrong]).err().expect("it is wrong");
        let expected = format!("route \"valuation\": {expected}");
        assert!(said.starts_with(&expected), "{said}");
    }
    let mut other = route();
    other["name"] = json!("other");
    other["path"] = json!("/callbacks/{any}");
    let mut third = other.clone();
    third["name"] = json!("third");
    third["path"] = json!("/callbacks/{one}");
    assert!(
        World::with(vec![route(), other.clone()]).is_ok(),
        "the one that is spelled out is meant"
    );
    let said = World::with(vec![other, third])
        .err()
        .expect("nobody can tell them apart");
    assert!(said.contains("may mean the same"), "{said}");
}
