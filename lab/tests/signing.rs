//! What the outside proves itself with is what the gateway asks for, scheme by scheme; and what a forger has is not.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use lab::Settings;
use lab::report::junit::reasons;
use lab::scenario::{self, File, play};
use serde_json::{Value, json};

const SECRET: &str = "whsec_dGhlIHZhbHVhdGlvbiBzZXJ2aWNlIG9mIHRoZSBsb2FuIHByb2Nlc3Nvcg==";

fn file(verify: &Value, text: &str) -> File {
    let name = format!(
        "rejoin-signing-{}-{:p}.test.yaml",
        std::process::id(),
        text.as_ptr()
    );
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).unwrap();
    let configured = |_: &Path| {
        let route = json!({ "name": "bank", "path": "/callbacks/bank", "reference": "$.reference", "verify": verify });
        Ok(Settings {
            routes: vec![serde_json::from_value(route).unwrap()],
            ..Settings::default()
        })
    };
    let file = scenario::read(&path, &configured, source::report::plain);
    std::fs::remove_file(&path).unwrap();
    file
}

#[track_caller]
fn passes(verify: &Value, text: &str) {
    let file = file(verify, text);
    assert_eq!(file.faults, None, "{text}");
    let outcome = play(&Arc::new(file.cases.into_iter().next().unwrap()));
    assert!(
        outcome.passed(),
        "{verify}: {text}: {:#?}",
        reasons(&outcome)
    );
}

/// What comes to a route while an execution waits.
fn waiting(more: &str) -> String {
    format!(
        "definition: {{StartAt: W, States: {{W: {{Type: Wait, Seconds: 60, End: true}}}}}}
config: rejoin.toml
{more}
"
    )
}

#[test]
fn each_scheme_takes_the_third_party_and_not_the_forger() {
    for verify in [
        json!({"scheme": "standard-webhooks", "secrets": [SECRET]}),
        json!({"scheme": "github", "secrets": ["s"]}),
        json!({"scheme": "stripe", "secrets": ["s"]}),
        json!({"scheme": "slack", "secrets": ["s"]}),
        json!({"scheme": "basic", "secrets": ["user:password"]}),
        json!({"scheme": "bearer", "secrets": ["s", "another"]}),
        json!({"scheme": "bearer", "secrets": ["s"], "header": "x-api-key", "prefix": ""}),
        json!({"scheme": "hmac", "secrets": ["s"], "header": "x-signature", "encoding": "base64",
            "content": "{id}.{timestamp}.{method}.{path}?{query}.{body}", "timestamp_header": "x-time", "id_header": "x-id"}),
        // These nobody can play, or not here: the lab has a secret of its own with the route.
        json!({"scheme": "mtls-header", "headers": {"x-verified": "yes"}, "trusted_proxies": ["10.0.0.1"]}),
        json!({"scheme": "github", "secrets": ["env:NOBODY_HAS_SET_THIS_ONE"]}),
    ] {
        passes(
            &verify,
            &waiting(
                "script:
  - 1s: {callback: {path: '/callbacks/bank?a=1', body: {reference: r-1}}}
  - 2s: {callback: {path: '/callbacks/bank?a=1', body: {reference: r-2}, forged: true}}
expect: {callbacks: [unknown-reference, unverified]}",
            ),
        );
    }
}

#[test]
fn a_callback_may_bring_its_own_id_and_its_own_proof() {
    let verify = json!({"scheme": "standard-webhooks", "secrets": [SECRET]});
    passes(
        &verify,
        &waiting(
            "script:
  - 1s: {callback: {body: {reference: r-1}, headers: {webhook-id: msg-1}}}
  - 2s: {callback: {body: {reference: r-1}, headers: {webhook-signature: 'v1,bm90aGluZw=='}}}
expect: {callbacks: [unknown-reference, unverified]}",
        ),
    );
    passes(
        &json!({"scheme": "bearer", "secrets": ["s"]}),
        &waiting(
            "script:
  - 1s: {callback: {body: {reference: r-1}, headers: {authorization: Bearer s}}}
  - 2s: {callback: {body: {reference: r-1}, headers: {Authorization: Bearer t}}}
expect: {callbacks: [unknown-reference, unverified]}",
        ),
    );
}

/// A route that `rejoin serve` would not take is not made into one that it does.
#[test]
fn a_route_that_is_not_right_says_so() {
    let file = file(
        &json!({"scheme": "githb", "secrets": ["s"]}),
        &waiting("expect: {ended: 60s}"),
    );
    let outcome = play(&Arc::new(file.cases.into_iter().next().unwrap()));
    let said = reasons(&outcome).join("\n");
    assert!(said.contains("did you mean \"github\"?"), "{said}");
}

/// The service signs as its file says, the route verifies as the configuration does.
#[test]
fn a_service_proves_itself_by_its_own_secret() {
    for (secret, became) in [
        ("{scheme: github, secret: s}", "unknown-reference"),
        ("{scheme: github, secret: t}", "unverified"),
        ("{scheme: stripe, secret: s}", "unverified"),
    ] {
        let text = "definition:
  StartAt: Ask
  States:
    Ask: {Type: Task, Resource: 'arn:aws:states:::lambda:invoke', Parameters: {FunctionName: f}, End: true}
config: rejoin.toml
services: {bank: {secret: SECRET, routes: [{post: /, callbacks: [{to: '{% $request.body %}', body: {reference: r-1}}]}]}}
tasks: {Ask: {asks: {post: /, body: '{% $url & \"/callbacks/bank\" %}'}}}
expect: {callbacks: [BECAME]}
";
        let verify = json!({"scheme": "github", "secrets": ["s"]});
        passes(
            &verify,
            &text.replace("SECRET", secret).replace("BECAME", became),
        );
    }
}
