//! Buckets, sources and windows, without a gateway around them.

use hyper::{HeaderMap, Method};

use super::*;
use crate::clock::Clock;

const START: Timestamp = Timestamp(1_700_000_000_000);

fn call(peer: &str, forwarded: &[&str]) -> Call {
    let mut headers = HeaderMap::new();
    for value in forwarded {
        headers.append("x-forwarded-for", value.parse().expect("a header's value"));
    }
    Call {
        method: Method::POST,
        path: "/".into(),
        query: String::new(),
        headers,
        body: Default::default(),
        peer: std::net::SocketAddr::new(peer.parse().expect("an address"), 4000),
        busy: Clock::standing_at(START).busy(),
    }
}

fn rate(config: serde_json::Value) -> Result<Rate, String> {
    Rate::checked(&serde_json::from_value(config).expect("a configuration"))
}

#[test]
fn a_bucket_has_its_burst_and_then_fills_at_its_rate() {
    let rate = rate(serde_json::json!({"per_second": 2, "burst": 3})).expect("it is right");
    let call = call("10.0.0.1", &[]);
    let takes = |ms| match rate.admit(&call, Timestamp(START.0 + ms)) {
        Ok(()) => 0,
        Err(too_many) => too_many.retry_after_seconds,
    };
    assert_eq!([0, 0, 0, 0].map(takes), [0, 0, 0, 1]);
    assert_eq!([499, 500, 501].map(takes), [1, 0, 1]);
    // An hour gives no more than the burst.
    let hour = 3_600_000;
    assert_eq!([hour; 4].map(takes), [0, 0, 0, 1]);
    // A clock that was put back neither gives nor takes.
    assert_eq!([hour - 60_000, hour - 59_500].map(takes), [1, 0]);
}

#[test]
fn less_than_one_a_second_says_when_to_come_again() {
    let rate = rate(serde_json::json!({"per_second": 0.1})).expect("it is right");
    let call = call("10.0.0.1", &[]);
    assert!(rate.admit(&call, START).is_ok());
    let too_many = rate.admit(&call, Timestamp(START.0 + 2500)).err();
    assert_eq!(too_many.map(|t| t.retry_after_seconds), Some(8));
}

#[test]
fn whoever_comes_is_told_apart_by_address_and_by_what_a_trusted_proxy_says() {
    let rate = rate(serde_json::json!({
        "per_second": 1,
        "client_header": "x-forwarded-for",
        "trusted_proxies": ["10.0.0.0/8", "::1"],
    }))
    .expect("it is right");
    for (peer, forwarded, source) in [
        ("192.0.2.1", &[][..], "192.0.2.1"),
        // A stranger may say what it likes.
        ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
        ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
        // What the client itself has put in front counts for nothing.
        ("10.0.0.1", &["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
        (
            "10.0.0.1",
            &["1.2.3.4", "198.51.100.7, 10.0.0.2"],
            "198.51.100.7",
        ),
        ("10.0.0.1", &["198.51.100.7:51234"], "198.51.100.7"),
        ("::1", &["[2001:db8:1:2:3::4]:443"], "2001:db8:1:2::"),
        ("10.0.0.1", &["unknown"], "10.0.0.1"),
        ("10.0.0.1", &[], "10.0.0.1"),
        ("::ffff:192.0.2.1", &[], "192.0.2.1"),
        ("2001:db8:1:2:9:9:9:9", &[], "2001:db8:1:2::"),
    ] {
        let found = rate.source(&call(peer, forwarded)).to_string();
        assert_eq!(found, source, "{peer} {forwarded:?}");
    }
}

#[test]
fn a_million_sources_need_the_memory_of_some_thousands_and_one_that_goes_on_is_remembered() {
    let rate = rate(serde_json::json!({"per_second": 0.001})).expect("it is right");
    let busy = call("192.0.2.1", &[]);
    assert!(rate.admit(&busy, START).is_ok());
    for number in 0..1_000_000_u32 {
        let other = std::net::Ipv4Addr::from_bits(0x0b00_0000 + number).into();
        let mut buckets = rate.buckets.lock();
        buckets.of(other, 1.0, START).callbacks = 0.0;
        let held = buckets.young.len() + buckets.old.len();
        assert!(held <= 2 * GENERATION_MAX, "{held} are held");
        drop(buckets);
        if number % 5000 == 0 {
            assert!(rate.admit(&busy, START).is_err(), "after {number} others");
        }
    }
}

#[test]
fn what_is_wrong_with_a_rate_is_said() {
    for (config, word) in [
        (serde_json::json!({"per_second": 0}), "`rate.per_second`"),
        (serde_json::json!({"per_second": -1}), "`rate.per_second`"),
        (
            serde_json::json!({"per_second": 1, "burst": 0}),
            "`rate.burst`",
        ),
        (
            serde_json::json!({"per_second": 1, "trusted_proxies": ["10.0.0.1"]}),
            "needs `rate.client_header`",
        ),
        (
            serde_json::json!({"per_second": 1, "client_header": "x-real-ip"}),
            "needs `rate.trusted_proxies`",
        ),
        (
            serde_json::json!({"per_second": 1, "client_header": "Forwarded", "trusted_proxies": ["::1"]}),
            "x-forwarded-for",
        ),
        (
            serde_json::json!({"per_second": 1, "client_header": "x-real-ip", "trusted_proxies": ["ten"]}),
            "`rate.trusted_proxies` has \"ten\"",
        ),
    ] {
        let said = rate(config.clone()).err().expect("it is refused");
        assert!(said.contains(word), "{config}: {said}");
    }
}

#[test]
fn the_first_refused_ones_are_kept_and_the_others_counted_to_the_last() {
    let floods = Floods::default();
    let source = |number: u32| IpAddr::V4(std::net::Ipv4Addr::from_bits(number));
    let mut stores = 0;
    for number in 0..10_000 {
        let note = floods.refuse("r", source(number % 25), START, || "d1".into());
        match note {
            Note::Keep => assert!(number < STORED_MAX),
            Note::Count { delivery, store } => {
                assert_eq!(delivery, "d1");
                stores += u32::from(store);
            }
        }
    }
    assert_eq!(stores, 14, "1, 2, 4 up to 8192");
    // Another route has a window of its own.
    assert_eq!(
        floods.refuse("s", source(1), START, String::new),
        Note::Keep
    );
    // The next window begins, and the one before is not closed yet.
    let later = START.plus_seconds(WINDOW_SECONDS);
    assert_eq!(
        floods.refuse("r", source(1), later, String::new),
        Note::Keep
    );
    let refused = floods.counted("d1").expect("it was counted");
    floods.close("d1");
    assert_eq!(refused.count, 9_995);
    assert_eq!(refused.sources.len(), SOURCES_NAMED_MAX);
    assert!(
        refused.note().ends_with("others (1995)."),
        "{}",
        refused.note()
    );
    assert_eq!(floods.counted("d1"), None);
    let note = floods.refuse("r", source(1), later, String::new);
    assert_eq!(note, Note::Keep, "the new window goes on");
}
