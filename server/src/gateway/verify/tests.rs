//! Each scheme with the example that its maker publishes, and what must not pass for one.

use asl::Timestamp;
use hyper::header::HeaderName;
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};

use super::config::VerifyConfig;
use super::proxy::Network;
use super::{Doubt, SignedId, Unverified, Verification, Verified};
use crate::clock::Clock;
use crate::http::Call;

fn scheme(config: Value) -> Verification {
    let config: VerifyConfig = serde_json::from_value(config).expect("the keys exist");
    config.checked().unwrap_or_else(|what| panic!("{what}"))
}

fn refused(config: Value) -> String {
    let config: VerifyConfig = serde_json::from_value(config).expect("the keys exist");
    config.checked().err().expect("it is wrong")
}

fn call(headers: &[(&str, &str)], body: &str) -> Call {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        map.append(name, value.parse().expect("a header's value"));
    }
    Call {
        method: Method::POST,
        path: "/callbacks/orders".into(),
        query: "of=7".into(),
        headers: map,
        body: body.to_owned().into(),
        peer: ([10, 1, 2, 3], 4000).into(),
        busy: Clock::standing_at(Timestamp(0)).busy(),
    }
}

fn seconds(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1000)
}

/// A published example: how it is configured, what was sent, and when.
struct Example {
    config: Value,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
    at: Timestamp,
    /// The header with the signature, and what it is with one character changed.
    forged: (&'static str, &'static str),
}

/// The libraries' own test case: https://github.com/standard-webhooks/standard-webhooks.
fn standard_webhooks() -> Example {
    Example {
        config: json!({"scheme": "standard-webhooks", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}),
        headers: vec![
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            (
                "webhook-signature",
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ],
        body: r#"{"test": 2432232314}"#,
        at: seconds(1_614_265_330),
        forged: (
            "webhook-signature",
            "v1,h0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
    }
}

/// The same message, signed with Python's `cryptography` and the private key of bytes 0 to 31.
fn standard_webhooks_ed25519() -> Example {
    Example {
        config: json!({"scheme": "standard-webhooks", "secrets": ["whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="]}),
        headers: vec![
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            (
                "webhook-signature",
                "v1a,yoUrgEkc12aGqm0n4Sydmdz55xJfTz4AsAgieHFjmkR7LJtqVCZOQYzvvHjI5kAey+r4iaBGxTFRrl2iBQxtDQ==",
            ),
        ],
        forged: (
            "webhook-signature",
            "v1a,zoUrgEkc12aGqm0n4Sydmdz55xJfTz4AsAgieHFjmkR7LJtqVCZOQYzvvHjI5kAey+r4iaBGxTFRrl2iBQxtDQ==",
        ),
        ..standard_webhooks()
    }
}

/// "Validating webhook deliveries" in GitHub's documentation.
fn github() -> Example {
    Example {
        config: json!({"scheme": "github", "secrets": ["It's a Secret to Everybody"]}),
        headers: vec![(
            "x-hub-signature-256",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        )],
        body: "Hello, World!",
        at: seconds(0),
        forged: (
            "x-hub-signature-256",
            "sha256=857107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        ),
    }
}

/// The event of Stripe's libraries' tests, signed with PyPI's `stripe`; the form of the header, with a
/// signature of another version after it, is that of Stripe's documentation.
fn stripe() -> Example {
    Example {
        config: json!({"scheme": "stripe", "secrets": ["whsec_test_secret"]}),
        headers: vec![(
            "stripe-signature",
            "t=1492774577,v1=c2f890decbc5ede7c5060bb9a6d31e0626a4342bacb9aeae2adb1bcea72f9812,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39",
        )],
        body: "{\n  \"id\": \"evt_test_webhook\",\n  \"object\": \"event\"\n}",
        at: seconds(1_492_774_577),
        forged: (
            "stripe-signature",
            "t=1492774577,v1=d2f890decbc5ede7c5060bb9a6d31e0626a4342bacb9aeae2adb1bcea72f9812,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39",
        ),
    }
}

/// "Verifying requests from Slack" in Slack's documentation.
fn slack() -> Example {
    Example {
        config: json!({"scheme": "slack", "secrets": ["8f742231b10e8888abcd99yyyzzz85a5"]}),
        headers: vec![
            ("x-slack-request-timestamp", "1531420618"),
            (
                "x-slack-signature",
                "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
            ),
        ],
        body: "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
        at: seconds(1_531_420_618),
        forged: (
            "x-slack-signature",
            "v0=b2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        ),
    }
}

/// GitHub's example again, in the words of the generic scheme.
fn hmac() -> Example {
    Example {
        config: json!({
            "scheme": "hmac",
            "secrets": ["It's a Secret to Everybody"],
            "header": "x-hub-signature-256",
            "prefix": "sha256=",
        }),
        ..github()
    }
}

fn examples() -> Vec<Example> {
    vec![
        standard_webhooks(),
        standard_webhooks_ed25519(),
        github(),
        stripe(),
        slack(),
        hmac(),
    ]
}

fn reason(unverified: Unverified) -> String {
    unverified.reason
}

impl Example {
    fn check(
        &self,
        headers: &[(&str, &str)],
        body: &str,
        at: Timestamp,
    ) -> Result<Verified, String> {
        let checked = scheme(self.config.clone()).check(&call(headers, body), at);
        checked.map_err(reason)
    }

    fn doubt(&self, headers: &[(&str, &str)], body: &str, at: Timestamp) -> Option<Doubt> {
        let checked = scheme(self.config.clone()).check(&call(headers, body), at);
        checked.err().map(|unverified| unverified.doubt)
    }

    fn timed(&self) -> bool {
        self.at != seconds(0)
    }
}

#[test]
fn published_examples_verify() {
    for example in examples() {
        let verified = example.check(&example.headers, example.body, example.at);
        let verified = verified.unwrap_or_else(|why| panic!("{}: {why}", example.config));
        let scheme = example.config["scheme"].as_str().expect("text");
        let by = format!("{scheme}, secret 1 of 1");
        assert_eq!(verified.by.as_deref(), Some(&*by));
        assert_eq!(verified.id.is_some(), example.timed(), "{by}");
    }
}

#[test]
fn one_bit_of_the_body_the_signature_or_the_time_makes_a_forgery() {
    for example in examples() {
        let config = &example.config;
        let changed = example.body.replacen(['e', '0'], "x", 1);
        let why = example.check(&example.headers, &changed, example.at);
        let why = why.expect_err("another body");
        assert!(
            why.starts_with("Its signature was not made with the route's secret"),
            "{config}: {why}"
        );
        let doubt = example.doubt(&example.headers, &changed, example.at);
        assert_eq!(doubt, Some(Doubt::Forged), "{config}");

        let with = |name: &str, value: &'static str| -> Vec<(&str, &str)> {
            let headers = example.headers.iter();
            headers
                .map(|(n, v)| (*n, if *n == name { value } else { *v }))
                .collect()
        };
        let (name, forged) = example.forged;
        let forged = example.check(&with(name, forged), example.body, example.at);
        assert!(forged.is_err(), "{config}");

        for (name, value) in &example.headers {
            if name.contains("timestamp") {
                let later = (value.parse::<i64>().expect("seconds") + 1).to_string();
                let headers: Vec<_> = example
                    .headers
                    .iter()
                    .map(|(n, v)| (*n, if n == name { later.as_str() } else { *v }))
                    .collect();
                assert!(
                    example.check(&headers, example.body, example.at).is_err(),
                    "{config}"
                );
            }
        }
    }
}

#[test]
fn a_missing_a_doubled_and_an_empty_header_say_which() {
    for example in examples() {
        for (name, _) in &example.headers {
            let without: Vec<_> = example
                .headers
                .iter()
                .filter(|(n, _)| n != name)
                .copied()
                .collect();
            let why = example
                .check(&without, example.body, example.at)
                .expect_err("one is missing");
            assert_eq!(why, format!("It has no header {name}."));
            let doubt = example.doubt(&without, example.body, example.at);
            assert_eq!(doubt, Some(Doubt::Unsigned));

            let mut twice = example.headers.clone();
            twice.push((name, "something else"));
            let why = example
                .check(&twice, example.body, example.at)
                .expect_err("it is there twice");
            assert_eq!(why, format!("It has the header {name} more than once."));

            let empty: Vec<_> = example
                .headers
                .iter()
                .map(|(n, v)| (*n, if n == name { "" } else { *v }))
                .collect();
            assert!(example.check(&empty, example.body, example.at).is_err());
        }
    }
}

#[test]
fn a_time_that_is_too_far_away_is_expired_on_either_side() {
    for example in examples().into_iter().filter(Example::timed) {
        for (off, good) in [(300, true), (-300, true), (301, false), (-301, false)] {
            let at = example.at.plus_seconds(off);
            let checked = example.check(&example.headers, example.body, at);
            assert_eq!(checked.is_ok(), good, "{} s: {checked:?}", off);
            if let Err(why) = checked {
                assert!(why.starts_with("It is expired: its timestamp "), "{why}");
                assert!(why.ends_with("the route allows 300 s."), "{why}");
                let doubt = example.doubt(&example.headers, example.body, at);
                assert_eq!(doubt, Some(Doubt::Expired));
            }
        }
    }
    let mut example = stripe();
    example.config["tolerance_seconds"] = json!(10);
    let at = example.at.plus_seconds(11);
    let why = example
        .check(&example.headers, example.body, at)
        .expect_err("expired");
    assert_eq!(
        why,
        "It is expired: its timestamp 2017-04-21T11:36:17.000Z is 11 s before the server's clock, and the route allows 10 s."
    );
}

#[test]
fn any_of_several_secrets_will_do_and_the_inbox_hears_which() {
    for example in examples() {
        let mut config = example.config.clone();
        let good = config["secrets"][0].clone();
        let other = match config["scheme"].as_str() {
            Some("standard-webhooks") => json!("whsec_bm90IHRoaXMgb25l"),
            _ => json!("not this one"),
        };
        config["secrets"] = json!([other, good]);
        let verified = scheme(config.clone())
            .check(&call(&example.headers, example.body), example.at)
            .expect("the second secret fits");
        let by = verified.by.expect("by a secret");
        assert!(by.ends_with(", secret 2 of 2"), "{by}");
        config["secrets"] = json!([other, other]);
        let why = scheme(config.clone())
            .check(&call(&example.headers, example.body), example.at)
            .map_err(reason)
            .expect_err("neither fits");
        assert!(
            why.contains("any of the route's 2 secrets")
                || why.contains("the route has no public key"),
            "{why}"
        );
    }
}

#[test]
fn of_several_signatures_one_must_fit() {
    let example = standard_webhooks();
    let mut headers = example.headers.clone();
    headers[2].1 = "v1,bm9ldQ== v2,x v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1a,bm9ldQ==";
    assert!(example.check(&headers, example.body, example.at).is_ok());
    headers[2].1 = "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let why = example
        .check(&headers, example.body, example.at)
        .expect_err("of no known version");
    assert_eq!(
        why,
        "Its header webhook-signature has no signature of version v1 or v1a."
    );
    // A shared secret must not be taken for a public key, nor the other way round.
    headers[2].1 = "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    assert!(example.check(&headers, example.body, example.at).is_err());
}

#[test]
fn a_replay_has_the_same_id_whatever_was_added_to_its_signatures() {
    let example = stripe();
    let id = |headers: &[(&str, &str)]| {
        let verified = example
            .check(headers, example.body, example.at)
            .expect("it is signed");
        verified.id.expect("the time is signed")
    };
    let first = id(&example.headers);
    let more = format!("{},v1=00", example.headers[0].1);
    assert_eq!(first, id(&[("stripe-signature", &more)]));
    assert_eq!(first.replayable_seconds, Some(600));
    let example = standard_webhooks();
    let verified = example
        .check(&example.headers, example.body, example.at)
        .expect("it is signed");
    let text = "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned();
    assert_eq!(
        verified.id,
        Some(SignedId {
            text,
            replayable_seconds: Some(600)
        })
    );
}

#[test]
fn what_was_cut_short_is_said_to_be() {
    let example = standard_webhooks();
    let why = example
        .check(&example.headers, r#"{"test": 24322"#, example.at)
        .expect_err("cut");
    assert_eq!(
        why,
        "Its signature was not made with the route's secret for what came. Its body is JSON that ends too soon, so it may have been cut short."
    );
}

#[test]
fn the_generic_scheme_speaks_what_others_invented() {
    // Each signature was made with Python's hmac, over what its row says.
    for (more, headers, at) in [
        (
            json!({"header": "x-shop-hmac", "encoding": "base64"}),
            vec![(
                "x-shop-hmac",
                "WRDmIBbvUDQnLJJsJwcZkqRlwjNc7PQYUb2gcVd/T20=",
            )],
            seconds(0),
        ),
        (
            json!({"header": "x-sig", "algorithm": "sha1", "prefix": "sha1="}),
            vec![("x-sig", "sha1=79999786a1bff10cd4d7dd0b0752574af76be0b5")],
            seconds(0),
        ),
        (
            json!({
                "header": "x-sig", "algorithm": "sha512", "encoding": "base64url",
                "timestamp_header": "x-time", "id_header": "x-id",
                "content": "{id}|{timestamp}|{method} {path}?{query}|{body}",
            }),
            vec![
                (
                    "x-sig",
                    "sV3U02SLYviGM5khduRb3TMenr6ZyIKzvr3sWvSQ8vpqSh48dgOmSedNilR_yqyqs57i1C7scW24UKDifqVO7Q",
                ),
                ("x-time", "1700000000123"),
                ("x-id", "id-1"),
            ],
            Timestamp(1_700_000_000_123),
        ),
    ] {
        let mut config = json!({"scheme": "hmac", "secrets": ["s3cret"]});
        config
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        let checked = scheme(config.clone()).check(&call(&headers, "{\"a\":1}"), at);
        assert!(checked.is_ok(), "{config}: {checked:?}");
        assert!(
            scheme(config)
                .check(&call(&headers, "{\"a\":2}"), at)
                .is_err()
        );
    }
}

#[test]
fn passwords_are_compared_whole() {
    let basic = json!({"scheme": "basic", "secrets": ["old:one", "Aladdin:open sesame"]});
    let bearer = json!({"scheme": "bearer", "secrets": ["t0ken"]});
    let key = json!({"scheme": "bearer", "secrets": ["t0ken"], "header": "x-api-key"});
    for (config, header, value, good) in [
        (
            &basic,
            "authorization",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            true,
        ),
        (
            &basic,
            "authorization",
            "basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            true,
        ),
        (
            &basic,
            "authorization",
            "Basic QWxhZGRpbjpvcGVuIHNlc2Ft",
            false,
        ),
        (&basic, "authorization", "Basic ?", false),
        (&basic, "authorization", "Bearer t0ken", false),
        (&bearer, "authorization", "Bearer t0ken", true),
        (&bearer, "authorization", "bearer t0ken", true),
        (&bearer, "authorization", "Bearer t0ke", false),
        (&bearer, "authorization", "Bearer t0kens", false),
        (&bearer, "authorization", "t0ken", false),
        (&bearer, "authorization", "", false),
        (&key, "x-api-key", "t0ken", true),
        (&key, "x-api-key", "t0kem", false),
        (&key, "authorization", "Bearer t0ken", false),
    ] {
        let checked = scheme(config.clone()).check(&call(&[(header, value)], ""), seconds(0));
        assert_eq!(checked.is_ok(), good, "{config} {value}");
        if let Err(why) = checked.map_err(reason) {
            assert!(!why.contains("t0ken") && !why.contains("sesame"), "{why}");
        }
    }
}

#[test]
fn what_a_proxy_has_seen_counts_from_the_proxy_alone() {
    let config = |trusted: &str| {
        json!({
            "scheme": "mtls-header",
            "headers": { "x-ssl-client-verify": "SUCCESS", "x-ssl-client-s-dn": ["CN=a", "CN=b"] },
            "trusted_proxies": [trusted],
        })
    };
    let good = [
        ("x-ssl-client-verify", "SUCCESS"),
        ("x-ssl-client-s-dn", "CN=b"),
    ];
    for (trusted, headers, why) in [
        ("10.0.0.0/8", good.to_vec(), None),
        ("10.1.2.3", good.to_vec(), None),
        ("0.0.0.0/0", good.to_vec(), None),
        (
            "10.1.2.4",
            good.to_vec(),
            Some("It comes from 10.1.2.3, which is not one of the route's trusted proxies."),
        ),
        (
            "::/0",
            good.to_vec(),
            Some("It comes from 10.1.2.3, which is not one of the route's trusted proxies."),
        ),
        (
            "10.0.0.0/8",
            vec![("x-ssl-client-verify", "FAILED"), good[1]],
            Some("Its header x-ssl-client-verify is \"FAILED\", which the route does not accept."),
        ),
        (
            "10.0.0.0/8",
            vec![good[0], ("x-ssl-client-s-dn", "CN=c")],
            Some("Its header x-ssl-client-s-dn is \"CN=c\", which the route does not accept."),
        ),
        (
            "10.0.0.0/8",
            vec![good[0]],
            Some("It has no header x-ssl-client-s-dn."),
        ),
        (
            "10.0.0.0/8",
            vec![good[0], good[1], ("x-ssl-client-s-dn", "CN=a")],
            Some("It has the header x-ssl-client-s-dn more than once."),
        ),
    ] {
        let checked = scheme(config(trusted)).check(&call(&headers, ""), seconds(0));
        assert_eq!(
            checked.map_err(reason).err().as_deref(),
            why,
            "{trusted} {headers:?}"
        );
    }
    let mapped = "::ffff:10.1.2.3".parse().expect("an address");
    assert!(Network::parse("10.0.0.0/8").is_some_and(|network| network.contains(mapped)));
    for odd in [
        "10.0.0.0/33",
        "10.0.0",
        "",
        "/8",
        "10.0.0.0/-1",
        "localhost",
    ] {
        assert_eq!(Network::parse(odd), None, "{odd}");
    }
}

#[test]
fn a_wrong_configuration_says_where_and_what_instead() {
    for (config, said) in [
        (
            json!({"scheme": "githb"}),
            "`verify.scheme` is \"githb\"; did you mean \"github\"? There are standard-webhooks, hmac,",
        ),
        (
            json!({"scheme": "github"}),
            "`verify.secrets` is missing; the scheme github needs at least one",
        ),
        (
            json!({"scheme": "github", "secrets": ["x"], "prefix": "y"}),
            "`verify.prefix` has no meaning for the scheme github, which has secrets",
        ),
        (
            json!({"scheme": "none", "secrets": ["x"]}),
            "`verify.secrets` has no meaning for the scheme none; leave it out",
        ),
        (
            json!({"scheme": "standard-webhooks", "secrets": ["whsec_?"]}),
            "`verify.secrets[0]` is not base64 after its prefix",
        ),
        (
            json!({"scheme": "standard-webhooks", "secrets": ["whsec_"]}),
            "`verify.secrets[0]` is empty",
        ),
        (
            json!({"scheme": "standard-webhooks", "secrets": ["whpk_AAAA"]}),
            "`verify.secrets[0]` has 3 bytes; a public key",
        ),
        (
            json!({"scheme": "standard-webhooks", "secrets": ["whsk_AAAA"]}),
            "`verify.secrets[0]` is the key that the third party signs with",
        ),
        (
            json!({"scheme": "basic", "secrets": ["sesame"]}),
            "`verify.secrets[0]` has no colon",
        ),
        (
            json!({"scheme": "slack", "secrets": ["env:REJOIN_NO_SUCH_VARIABLE"]}),
            "`verify.secrets[0]` is the environment variable REJOIN_NO_SUCH_VARIABLE, which is not set",
        ),
        (
            json!({"scheme": "slack", "secrets": ["file:/no/such/file"]}),
            "`verify.secrets[0]` is in the file /no/such/file, which can't be read",
        ),
        (
            json!({"scheme": "slack", "secrets": [""]}),
            "`verify.secrets[0]` is empty",
        ),
        (
            json!({"scheme": "hmac", "secrets": ["x"]}),
            "`verify.header` is missing",
        ),
        (
            json!({"scheme": "hmac", "secrets": ["x"], "header": "a b"}),
            "`verify.header` has \"a b\", which is no header's name",
        ),
        (
            json!({"scheme": "hmac", "secrets": ["x"], "header": "s", "algorithm": "sha265"}),
            "`verify.algorithm` is \"sha265\"; did you mean \"sha256\"?",
        ),
        (
            json!({"scheme": "hmac", "secrets": ["x"], "header": "s", "encoding": "base46"}),
            "`verify.encoding` is \"base46\"; did you mean \"base64\"?",
        ),
        (
            json!({"scheme": "hmac", "secrets": ["x"], "header": "s", "content": "{boddy}"}),
            "`verify.content` has {boddy}; did you mean \"body\"?",
        ),
        (
            json!({"scheme": "hmac", "secrets": ["x"], "header": "s", "content": "{body"}),
            "`verify.content` has a '{' without its '}'",
        ),
        (
            json!({"scheme": "hmac", "secrets": ["x"], "header": "s", "content": "{path}"}),
            "`verify.content` has no {body}",
        ),
        (
            json!({"scheme": "hmac", "secrets": ["x"], "header": "s", "timestamp_header": "t"}),
            "`verify.content` has no {timestamp}, so `verify.timestamp_header` would prove nothing",
        ),
        (
            json!({"scheme": "hmac", "secrets": ["x"], "header": "s", "content": "{id}{body}"}),
            "`verify.content` has {id}; say with `verify.id_header`",
        ),
        (
            json!({"scheme": "hmac", "secrets": ["x"], "header": "s", "tolerance_seconds": 1}),
            "`verify.tolerance_seconds` needs a `verify.timestamp_header`",
        ),
        (
            json!({"scheme": "mtls-header", "trusted_proxies": ["::1"]}),
            "`verify.headers` is missing",
        ),
        (
            json!({"scheme": "mtls-header", "headers": {"a": "b"}}),
            "`verify.trusted_proxies` is missing",
        ),
        (
            json!({"scheme": "mtls-header", "headers": {"a": "b"}, "trusted_proxies": ["home"]}),
            "`verify.trusted_proxies` has \"home\"",
        ),
    ] {
        let found = refused(config.clone());
        assert!(found.starts_with(said), "{config}: {found}");
    }
}

#[test]
fn a_secret_is_read_where_it_is_and_never_shown() {
    let folder = std::env::temp_dir().join(format!("rejoin-secret-{}", std::process::id()));
    std::fs::write(&folder, "It's a Secret to Everybody\n").expect("the folder can be written");
    let mut example = github();
    example.config["secrets"] = json!([format!("file:{}", folder.display())]);
    let checked = example.check(&example.headers, example.body, example.at);
    std::fs::remove_file(&folder).expect("it was written");
    assert!(checked.is_ok(), "{checked:?}");
    let config: VerifyConfig = serde_json::from_value(json!({
        "scheme": "github", "secrets": ["sesame", "env:PATH", "file:secrets/one"]
    }))
    .expect("the keys exist");
    let shown = format!("{config:?}");
    assert!(
        shown.contains("[(not shown), env:PATH, file:secrets/one]"),
        "{shown}"
    );
}

#[test]
fn what_is_signed_here_is_what_the_reference_libraries_sign() {
    let example = standard_webhooks();
    let [(_, id), (_, seconds), (_, signature)] = example.headers[..] else {
        panic!("three headers");
    };
    let mut signer = super::Signer::default();
    let secret = example.config["secrets"][0].as_str().expect("text");
    signer.add(secret).expect("a shared secret");
    let signed = signer.sign(id, seconds, example.body.as_bytes());
    assert_eq!(signed, signature);
    signer.add("bmV4dA==").expect("a shared secret");
    let both = signer.sign(id, seconds, example.body.as_bytes());
    assert!(both.starts_with(&format!("{signature} v1,")), "{both}");
    assert!(signer.add("whpk_AAAA").is_err());
    assert!(signer.add("whsec_").is_err());
}
