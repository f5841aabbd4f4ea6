//! Alerts of a whole server: what is told, what is counted, and that a crash changes neither.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use server::alerts::{Alert, AlertsConfig, Kind};
use server::app::Settings;
use server::clock::Clock;
use server::http::Call;
use server::routes;
use server::topics::{SubscriberConfig, TopicConfig};
use support::whole::{Server, copy_all, scratch};
use support::{Endpoint, NOW};

fn settings(subscribers: Vec<SubscriberConfig>) -> Settings {
    let route = json!({
        "name": "valuation",
        "path": "/callbacks/valuation",
        "reference": "$.ref",
        "expects": ["LoanProcessor.RequestValuation"],
        "verify": { "scheme": "bearer", "secrets": ["secret"] },
        "topic": "errors",
    });
    let topic = TopicConfig {
        subscribers,
        retention_days: None,
    };
    Settings {
        topics: [("errors".to_owned(), topic)].into(),
        routes: vec![serde_json::from_value(route).unwrap()],
        ..Server::settings()
    }
}

async fn call(
    server: &Server,
    method: Method,
    path: &str,
    token: &str,
    body: String,
) -> (u16, Value) {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let call = Call {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: body.into(),
        peer: ([127, 0, 0, 1], 4000).into(),
        busy: server.0.clock.busy(),
    };
    let reply = routes::answer(server.0.clone(), call).await;
    let said = serde_json::from_slice(&reply.body).unwrap_or_default();
    (reply.status.as_u16(), said)
}

async fn forged(server: &Server) -> u16 {
    let path = "/callbacks/valuation";
    call(server, Method::POST, path, "guessed", "{}".into())
        .await
        .0
}

async fn get(server: &Server, path: &str) -> Value {
    let (status, said) = call(server, Method::GET, path, "", String::new()).await;
    assert_eq!(status, 200, "{path}: {said}");
    said
}

async fn pass(server: &Server, seconds: i64) {
    let clock = &server.0.clock;
    drop(clock.advance(clock.now().plus_seconds(seconds)).await);
}

/// What the topic heard, oldest first.
async fn heard(server: &Server) -> Vec<Value> {
    let page = get(server, "/rejoin/topics/errors/messages?limit=1000").await;
    let messages = page["messages"].as_array().unwrap().iter().rev();
    messages.map(|message| message["message"].clone()).collect()
}

fn numbers(alerts: &Value) -> Vec<u64> {
    let alerts = alerts["alerts"].as_array().unwrap();
    alerts
        .iter()
        .map(|a| a["count"].as_u64().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_forged_callbacks_are_two_messages_and_an_exact_count() {
    let server = Arc::new(Server::open_as(settings(Vec::new())).await);
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let server = server.clone();
        senders.spawn(async move {
            for _ in 0..200 {
                assert_eq!(forged(&server).await, 401);
            }
        });
    }
    while let Some(done) = senders.join_next().await {
        done.unwrap();
    }
    pass(&server, 1).await;
    let told = heard(&server).await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["kind"], &told[0]["count"]),
        (&"unverified".into(), &1.into())
    );
    // While the window is open the list has the count.
    assert_eq!(numbers(&get(&server, "/rejoin/alerts").await), [10_000]);
    pass(&server, 300).await;
    let told = heard(&server).await;
    assert_eq!(told.len(), 2);
    assert_eq!(
        (&told[1]["summary"], &told[1]["count"]),
        (&true.into(), &10_000.into())
    );
    assert_eq!(told[1]["alertId"], told[0]["alertId"]);
    assert_eq!(numbers(&get(&server, "/rejoin/alerts").await), [10_000]);
    // What happens after the window is told anew.
    forged(&server).await;
    pass(&server, 0).await;
    assert_eq!(heard(&server).await.len(), 3);
    pass(&server, 3600).await;
    assert_eq!(
        heard(&server).await.len(),
        3,
        "one that came once has no summary"
    );
}

/// Each has a reference of its own, so each is another alert; the limit is on the group.
#[tokio::test]
async fn many_different_alerts_of_a_route_are_limited_and_add_up() {
    let mut settings = settings(Vec::new());
    settings.alerts = AlertsConfig {
        alerts_max: 5,
        window_seconds: 60,
        ..AlertsConfig::default()
    };
    let server = Server::open_as(settings).await;
    for number in 0..100 {
        let body = json!({ "ref": format!("r-{number}") }).to_string();
        let path = "/callbacks/valuation";
        let (status, _) = call(&server, Method::POST, path, "secret", body).await;
        assert_eq!(status, 404);
    }
    pass(&server, 0).await;
    let told = heard(&server).await;
    assert_eq!(told.len(), 6);
    let last = told[5]["description"].as_str().unwrap();
    assert!(
        last.starts_with("There are more than 5 alerts of this kind within 60 s;"),
        "{last}"
    );
    pass(&server, 60).await;
    let told = heard(&server).await;
    assert_eq!(told.len(), 7, "only the last has more to tell");
    assert_eq!(told[6]["count"], 95);
    let alerts = get(&server, "/rejoin/alerts").await;
    assert_eq!(numbers(&alerts).iter().sum::<u64>(), 100);
    let (one, all) = (numbers(&alerts), 6);
    assert_eq!(one.len(), all);
    // What stands for many is not about one reference.
    let page = get(&server, "/rejoin/alerts?kind=unknown-reference&limit=4").await;
    assert_eq!(page["alerts"].as_array().unwrap().len(), 4);
    let after = page["next"].as_str().unwrap();
    let page = get(&server, &format!("/rejoin/alerts?limit=4&after={after}")).await;
    assert_eq!(page["alerts"].as_array().unwrap().len(), 2);
    assert!(page["next"].is_null());
}

/// Somebody may have been woken for what is over, whatever else goes on.
#[tokio::test]
async fn an_all_clear_goes_out_however_much_else_is_told_and_closes_its_own_incident_alone() {
    let mut settings = settings(Vec::new());
    settings.alerts = AlertsConfig {
        topic: Some("errors".into()),
        alerts_max: 1,
        window_seconds: 60,
        ..AlertsConfig::default()
    };
    let server = Server::open_as(settings).await;
    let stuck = |name: &str, reference: Option<&str>| Alert {
        execution_arn: Some(format!(
            "arn:aws:states:us-east-1:123456789012:execution:m:{name}"
        )),
        state_machine_arn: Some("arn:aws:states:us-east-1:123456789012:stateMachine:m".into()),
        state_name: Some("W".into()),
        route: reference.map(|_| "valuation".into()),
        reference: reference.map(str::to_owned),
        ..Alert::new(Kind::StuckWait, "test", "Stuck wait.")
    };
    let raise = async |alert: Alert| {
        server.0.alerts.raise(None, alert).await.unwrap();
        pass(&server, 0).await;
    };
    // The reference was there, and is not any more when the wait ends.
    raise(stuck("one", Some("r-1"))).await;
    pass(&server, 61).await;
    for name in ["two", "three", "four"] {
        raise(stuck(name, None)).await;
    }
    let over = Alert {
        resolved: true,
        ..stuck("one", None)
    };
    raise(over).await;
    pass(&server, 61).await;
    let told = heard(&server).await;
    let seen: Vec<(Value, u64, bool)> = told
        .iter()
        .map(|alert| {
            let name = alert["executionArn"].as_str().unwrap();
            let name = name.rsplit(':').next().unwrap();
            let resolved = alert["resolved"] == true;
            (name.into(), alert["count"].as_u64().unwrap(), resolved)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("one".into(), 1, false),
            ("two".into(), 1, false),
            ("three".into(), 1, false),
            ("one".into(), 1, true),
            ("three".into(), 2, false),
        ]
    );
    let key = |index: usize| told[index]["dedupKey"].as_str().unwrap();
    assert_eq!(key(3), key(0), "it closes what was opened");
    assert_eq!(key(4), key(2), "the sum belongs to the first of the others");
    // What stands for many is an incident of its own: that of `three` opens and closes without it.
    raise(Alert {
        resolved: true,
        ..stuck("three", None)
    })
    .await;
    let last = heard(&server).await.pop().unwrap();
    assert_eq!(last["resolved"], true);
    assert_ne!(last["dedupKey"], key(2));
}

/// People are told how many, whoever keeps incidents of each: or they would stay open.
#[tokio::test]
async fn a_hundred_all_clears_are_counted_for_people_and_close_every_incident() {
    let answers = |_: &str| Some((202, &[][..], "{}".to_owned()));
    let mut duty = Endpoint::start(Arc::new(answers)).await;
    let mut people = Endpoint::start(Arc::new(answers)).await;
    let subscribers = [
        json!({ "pagerduty": { "routing_key": "key", "url": duty.url("/") } }),
        json!({ "http": people.url("/") }),
    ]
    .map(|one| serde_json::from_value(one).unwrap());
    let server = Server::open_as(Settings {
        alerts: AlertsConfig {
            topic: Some("errors".to_owned()),
            window_seconds: 60,
            alerts_max: 20,
            ..AlertsConfig::default()
        },
        ..settings(subscribers.into())
    })
    .await;
    let stuck = |number: u32| {
        let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:m";
        let arn = machine.replace(":stateMachine:", ":execution:");
        Alert {
            execution_arn: Some(format!("{arn}:{number}")),
            state_machine_arn: Some(machine.into()),
            ..Alert::new(Kind::StuckWait, "test", "Stuck wait.")
        }
    };
    // Ten in each minute: all are told.
    for number in 0..100 {
        server.0.alerts.raise(None, stuck(number)).await.unwrap();
        pass(&server, 6).await;
    }
    pass(&server, 600).await;
    let bodies = |endpoint: &mut Endpoint| {
        let mut bodies: Vec<Value> = Vec::new();
        while let Ok(received) = endpoint.received.try_recv() {
            bodies.push(serde_json::from_str(&received.body).unwrap());
        }
        bodies
    };
    let keys = |events: &[Value], action: &str| {
        let of = events.iter().filter(|e| e["event_action"] == action);
        let keys = of.map(|event| event["dedup_key"].as_str().unwrap().to_owned());
        keys.collect::<std::collections::BTreeSet<_>>()
    };
    let opened = keys(&bodies(&mut duty), "trigger");
    assert_eq!((opened.len(), bodies(&mut people).len()), (100, 100));

    for number in 0..100 {
        let over = Alert {
            resolved: true,
            ..stuck(number)
        };
        server.0.alerts.raise(None, over).await.unwrap();
    }
    pass(&server, 0).await;
    assert_eq!(
        bodies(&mut people).len(),
        21,
        "the last stands for the rest"
    );
    let closed = keys(&bodies(&mut duty), "resolve");
    assert!(closed.is_superset(&opened));
    pass(&server, 61).await;
    let told = bodies(&mut people);
    let [sum] = &told[..] else {
        panic!("{told:#?}")
    };
    let sum: Value = serde_json::from_str(sum["Message"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&sum["count"], &sum["resolved"]),
        (&80.into(), &true.into())
    );
    let alerts = get(&server, "/rejoin/alerts?limit=1000").await;
    assert_eq!(numbers(&alerts).iter().sum::<u64>(), 200);
}

#[test]
fn the_count_survives_a_crash_at_any_moment_of_it() {
    let directory = scratch();
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let open = |directory: PathBuf, clock: Clock| {
        Server::open_as(Settings {
            directory: Some(directory),
            clock,
            ..settings(Vec::new())
        })
    };
    // With a runtime ends all that it has spawned: a crash wherever it stood.
    runtime().block_on(async {
        let server = open(directory.clone(), Clock::standing_at(NOW)).await;
        for _ in 0..40 {
            forged(&server).await;
        }
        pass(&server, 10).await;
        for _ in 0..2 {
            forged(&server).await;
        }
    });
    runtime().block_on(async {
        let server = open(directory.clone(), Clock::standing_at(NOW.plus_seconds(20))).await;
        forged(&server).await;
        pass(&server, 300).await;
        let told = heard(&server).await;
        assert_eq!(told.len(), 2);
        assert_eq!(told[1]["count"], 43);
        let (first, last) = (&told[1]["firstAt"], &told[1]["lastAt"]);
        assert_eq!(*first, NOW.to_string());
        assert_eq!(*last, NOW.plus_seconds(20).to_string());
    });
    let copy = scratch();
    copy_all(&directory, &copy);
    for left in [directory, copy] {
        let _ = std::fs::remove_dir_all(left);
    }
}

#[tokio::test]
async fn alerts_are_found_by_what_they_are_about_and_shown_with_who_has_taken_them() {
    let endpoint = Endpoint::start(Arc::new(|_: &str| Some((200, &[][..], String::new())))).await;
    let url = endpoint.url("/hear");
    let server = Server::open_as(settings(vec![SubscriberConfig::Http(url.clone())])).await;
    forged(&server).await;
    let alert = Alert {
        execution_arn: Some("arn:aws:states:us-east-1:123456789012:execution:m:e".into()),
        execution_name: Some("e".into()),
        ..Alert::new(Kind::StuckWait, "test", "Stuck wait: e waits in W.")
    };
    server.0.alerts.raise(None, alert).await.unwrap();
    pass(&server, 0).await;
    let found = async |query: &str| {
        let page = get(&server, &format!("/rejoin/alerts?{query}")).await;
        let alerts = page["alerts"].as_array().unwrap().iter();
        let kinds = alerts.map(|alert| alert["kind"].as_str().unwrap().to_owned());
        kinds.collect::<Vec<_>>().join(" ")
    };
    for (query, expected) in [
        ("", "stuck-wait unverified"),
        ("kind=unverified", "unverified"),
        ("severity=error", "stuck-wait"),
        ("severity=info", "stuck-wait unverified"),
        ("execution=e", "stuck-wait"),
        (
            "execution=arn:aws:states:us-east-1:123456789012:execution:m:e",
            "stuck-wait",
        ),
        ("route=valuation", "unverified"),
        ("since=2026-01-02T03:04:05Z", "stuck-wait unverified"),
        ("since=2026-01-02T03:04:06Z", ""),
    ] {
        assert_eq!(found(query).await, expected, "{query}");
    }
    for query in [
        "kind=sabotage",
        "severity=bad",
        "since=yesterday",
        "limit=0",
    ] {
        let path = format!("/rejoin/alerts?{query}");
        let (status, said) = call(&server, Method::GET, &path, "", String::new()).await;
        assert_eq!(status, 400, "{query}: {said}");
        assert!(said["hint"].is_string());
    }
    let page = get(&server, "/rejoin/alerts?kind=unverified").await;
    let id = page["alerts"][0]["alertId"].as_str().unwrap().to_owned();
    let shown = get(&server, &format!("/rejoin/alerts/{id}")).await;
    let delivery = &shown["messages"][0]["deliveries"][0];
    assert_eq!(delivery["subscriber"], format!("http:{url}"));
    assert_eq!(delivery["status"], "delivered");
    let schema = get(&server, "/rejoin/schemas/alert").await;
    assert_eq!(schema["title"], "Alert");
    let (status, _) = call(
        &server,
        Method::GET,
        "/rejoin/alerts/none",
        "",
        String::new(),
    )
    .await;
    assert_eq!(status, 404);
    let (status, _) = call(&server, Method::POST, "/rejoin/alerts", "", String::new()).await;
    assert_eq!(status, 405);
}

#[tokio::test]
async fn a_subscriber_that_fails_is_an_alert_to_the_others_and_so_is_its_recovery() {
    let status = Arc::new(AtomicU32::new(503));
    let answers = status.clone();
    let bad = Endpoint::start(Arc::new(move |_: &str| {
        Some((
            answers.load(Ordering::Relaxed) as u16,
            &[][..],
            String::new(),
        ))
    }))
    .await;
    let good = Endpoint::start(Arc::new(|_: &str| Some((200, &[][..], String::new())))).await;
    let subscribers = [&bad, &good].map(|endpoint| SubscriberConfig::Http(endpoint.url("/")));
    let server = Server::open_as(settings(subscribers.into())).await;
    // The third party is answered while the subscriber fails.
    assert_eq!(forged(&server).await, 401);
    pass(&server, 120).await;
    let told = heard(&server).await;
    assert_eq!(told.len(), 2, "{told:#?}");
    let alert = &told[1];
    assert_eq!(alert["kind"], "failing-sink");
    assert_eq!(alert["subscriber"], format!("http:{}", bad.url("/")));
    assert_eq!(alert["attempts"], 5);
    assert_eq!(
        alert["lastError"],
        "the endpoint answered 503 Service Unavailable"
    );
    let topics = get(&server, "/rejoin/topics").await;
    let states = &topics["topics"][0]["states"];
    assert_eq!(
        (&states[0]["status"], &states[1]["status"]),
        (&"failing".into(), &"ok".into())
    );
    assert_eq!(
        (&states[0]["pending"], &states[1]["delivered"]),
        (&1.into(), &2.into())
    );
    // The one that fails is not told that it does.
    let page = get(&server, "/rejoin/topics/errors/messages").await;
    let deliveries = page["messages"][0]["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 1);

    status.store(200, Ordering::Relaxed);
    pass(&server, 600).await;
    let told = heard(&server).await;
    assert_eq!(told.len(), 3, "{told:#?}");
    assert_eq!(
        (&told[2]["resolved"], &told[2]["dedupKey"]),
        (&true.into(), &alert["dedupKey"])
    );
    let topics = get(&server, "/rejoin/topics").await;
    assert_eq!(topics["topics"][0]["states"][0]["status"], "ok");
}

/// What it did not take is lost, and it is well again all the same.
#[tokio::test]
async fn a_subscriber_that_was_given_up_on_is_well_again_with_the_next_message_that_it_takes() {
    let directory = scratch();
    let status = Arc::new(AtomicU32::new(503));
    let answers = status.clone();
    let bad = Endpoint::start(Arc::new(move |_: &str| {
        let status = answers.load(Ordering::Relaxed) as u16;
        Some((status, &[][..], String::new()))
    }))
    .await;
    let subscribers = vec![SubscriberConfig::Http(bad.url("/"))];
    let about = |alerts: Vec<Value>| {
        let sinks = alerts.into_iter().filter(|a| a["kind"] == "failing-sink");
        sinks.collect::<Vec<_>>()
    };
    let server = Server::open_as(Settings {
        directory: Some(directory.clone()),
        ..settings(subscribers.clone())
    })
    .await;
    forged(&server).await;
    pass(&server, 30 * 3600).await;
    let told = about(heard(&server).await);
    assert_eq!(
        told.len(),
        2,
        "that it fails, and that it was given up: {told:#?}"
    );
    drop(server);
    // It is remembered over a restart.
    let copy = scratch();
    copy_all(&directory, &copy);
    let server = Server::open_as(Settings {
        directory: Some(copy.clone()),
        clock: Clock::standing_at(NOW.plus_seconds(31 * 3600)),
        ..settings(subscribers)
    })
    .await;
    status.store(200, Ordering::Relaxed);
    for _ in 0..2 {
        forged(&server).await;
        pass(&server, 600).await;
    }
    let told = about(heard(&server).await);
    assert_eq!(told.len(), 3, "it is said once: {told:#?}");
    assert_eq!(told[2]["resolved"], true);
    assert_eq!(told[2]["dedupKey"], told[0]["dedupKey"]);
    for left in [directory, copy] {
        let _ = std::fs::remove_dir_all(left);
    }
}

#[tokio::test]
async fn two_that_fail_do_not_tell_of_each_other_for_ever() {
    let answers = |_: &str| Some((503, &[][..], String::new()));
    let ends = [
        Endpoint::start(Arc::new(answers)).await,
        Endpoint::start(Arc::new(answers)).await,
    ];
    let subscribers = ends.iter().map(|end| SubscriberConfig::Http(end.url("/")));
    let server = Server::open_as(settings(subscribers.collect())).await;
    forged(&server).await;
    pass(&server, 30 * 3600).await;
    // The callback; of each that it fails, and that it was given up; and no word of these.
    let told = heard(&server).await;
    let kinds: Vec<_> = told
        .iter()
        .map(|alert| alert["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "unverified",
            "failing-sink",
            "failing-sink",
            "failing-sink",
            "failing-sink"
        ]
    );
    assert_eq!(server.0.clock.next_timer(), None, "nothing goes on");
}
