//! The loan processor with an outside that is played: how it ends, when, what became of its callbacks, who was told.

#![allow(clippy::unwrap_used)]

use asl::{Data, Failure};
use lab::{Act, Asked, Callback, Machine, Part, Reply, Seen, Settings, Stopped, World};
use serde_json::{Value, json};

const DEFINITION: &str = include_str!("../../examples/loan-processor/definition.asl.json");
const HOUR: i64 = 3_600_000;

fn settings() -> Settings {
    let route = json!({
        "name": "valuation",
        "path": "/callbacks/valuation",
        "verify": { "scheme": "standard-webhooks", "secrets": ["whsec_dGhlIHZhbHVhdGlvbiBzZXJ2aWNl"] },
        "reference": "$.valuationReference",
        "expects": ["LoanProcessor.RequestValuation"],
        "failure": { "when": "$.failed", "error": "ValuationFailed" },
        "topic": "LoanErrors",
    });
    Settings {
        topics: [("LoanErrors".to_owned(), Default::default())].into(),
        routes: vec![serde_json::from_value(route).unwrap()],
        ..Settings::default()
    }
}

/// The requester has registered the reference `v-1`, and the service does this so many seconds later.
fn requested(deeds: &[(i64, Act)]) -> Part {
    let reply = Data::from(json!({ "valuationReference": "v-1" }));
    let register = Act::Register {
        route: "valuation".to_owned(),
        reference: "v-1".to_owned(),
    };
    let part = Part::of(Reply::Return(reply)).then(0, register);
    let then = |part: Part, (after, act): &(i64, Act)| part.then(after * 1000, act.clone());
    deeds.iter().fold(part, then)
}

fn callback(body: Value, forged: bool) -> Act {
    Act::Callback(Callback {
        path: "/callbacks/valuation".to_owned(),
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
        forged,
    })
}

fn valuation() -> Act {
    callback(
        json!({ "valuationReference": "v-1", "propertyValue": 425_000 }),
        false,
    )
}

fn play(deeds: Vec<(i64, Act)>) -> Seen {
    let director = move |task: &Asked, _attempt: u32| match task.state.as_str() {
        "RequestValuation" => requested(&deeds),
        _ => Part::real(),
    };
    seen_of(World::open(settings(), Box::new(director)).unwrap())
}

fn seen_of(mut world: World) -> Seen {
    let machine = Machine {
        name: "LoanProcessor".to_owned(),
        definition: DEFINITION.to_owned(),
    };
    let arn = world.create(&machine).unwrap();
    world.start(&arn, "run", "{}").unwrap();
    assert_eq!(world.until_ended(HOUR).unwrap(), Stopped::There);
    assert_eq!(world.until_quiet().unwrap(), Stopped::NothingDue);
    world.seen().unwrap()
}

fn dispositions(seen: &Seen) -> Vec<&str> {
    let all = seen.deliveries.iter();
    let last = all.filter_map(|delivery| delivery["dispositions"].as_array()?.last());
    last.filter_map(|step| step["disposition"].as_str())
        .collect()
}

fn descriptions(seen: &Seen) -> Vec<(i64, &str)> {
    let told = seen.told.iter();
    told.filter_map(|told| Some((told.at, told.message["description"].as_str()?)))
        .collect()
}

#[test]
fn a_prompt_callback_is_the_result() {
    let seen = play(vec![(6, valuation())]);
    let ended = seen.ended.as_ref().unwrap();
    assert_eq!((ended.status, ended.at), ("SUCCEEDED", 6_000), "{seen:#?}");
    assert_eq!(ended.output.as_ref().unwrap()["propertyValue"], 425_000);
    assert_eq!(dispositions(&seen), ["delivered"]);
    assert!(seen.told.is_empty());
    assert_eq!(seen.states[0].left, Some(6_000));
    assert_eq!(
        seen.calls[0].parameters["FunctionName"]
            .as_str()
            .unwrap()
            .rsplit(':')
            .next(),
        Some("request-valuation")
    );
}

#[test]
fn a_route_to_an_engine_elsewhere_is_for_the_execution_here() {
    let mut settings = settings();
    settings.routes[0].engine = Some("aws".to_owned());
    let director = |task: &Asked, _: u32| match task.state.as_str() {
        "RequestValuation" => requested(&[(6, valuation())]),
        _ => Part::real(),
    };
    let refused = World::open(settings.clone(), Box::new(director)).err();
    assert!(refused.unwrap().contains("aws"), "no engine is configured");
    let seen = seen_of(World::open(settings.quiet(), Box::new(director)).unwrap());
    assert_eq!(dispositions(&seen), ["delivered"]);
}

#[test]
fn a_late_and_a_forged_callback_are_told_of() {
    let forged = callback(json!({ "valuationReference": "v-1" }), true);
    let seen = play(vec![(3, forged), (45, valuation())]);
    let ended = seen.ended.as_ref().unwrap();
    assert_eq!((ended.status, ended.at), ("FAILED", 30_000));
    let error = ended
        .failure
        .as_ref()
        .and_then(|failure| failure.error.as_deref());
    assert_eq!(error, Some("ValuationServiceTimedOut"));
    assert_eq!(dispositions(&seen), ["unverified", "late-timed-out"]);
    let told = descriptions(&seen);
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[1], (30_000, "The valuation service timed out"));
    assert!(
        told[2].0 == 45_000 && told[2].1.starts_with("Late callback"),
        "{told:?}"
    );
}

#[test]
fn a_wait_outlives_the_server() {
    let seen = play(vec![(3, Act::Restart(2_000)), (6, valuation())]);
    let ended = seen.ended.as_ref().unwrap();
    assert_eq!((ended.status, ended.at), ("SUCCEEDED", 6_000), "{seen:#?}");
    assert_eq!(seen.calls.len(), 1, "what was taken is not asked for again");
}

#[test]
fn what_is_stuck_says_what_it_waits_for() {
    let definition = json!({
        "StartAt": "Ask",
        "States": { "Ask": { "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Parameters": { "FunctionName": "f", "Payload.$": "$$.Task.Token" }, "End": true } },
    });
    let director = |_: &Asked, _: u32| Part::of(Reply::Return(Data::from(json!({}))));
    let mut world = World::open(Settings::default(), Box::new(director)).unwrap();
    let machine = Machine {
        name: "Asks".to_owned(),
        definition: definition.to_string(),
    };
    let arn = world.create(&machine).unwrap();
    world.start(&arn, "run", "{}").unwrap();
    assert_eq!(world.until_ended(1000 * HOUR).unwrap(), Stopped::NothingDue);
    let seen = world.seen().unwrap();
    let stuck = seen.stuck.unwrap();
    assert_eq!(
        stuck,
        "the execution waits in Ask for its callback, no deadline"
    );
    assert!(seen.ended.is_none());
}

#[test]
fn a_task_fails_hangs_or_takes_its_time() {
    let replies = [
        (
            Part::of(Reply::Throw(Failure {
                error: Some("ValuationFailed".into()),
                cause: None,
            })),
            "ValuationFailed",
            0,
        ),
        (Part::of(Reply::Never), "ValuationServiceTimedOut", 30_000),
    ];
    for (part, error, at) in replies {
        let director = move |task: &Asked, _: u32| match task.state.as_str() {
            "RequestValuation" => part.clone(),
            _ => Part::real(),
        };
        let mut world = World::open(settings(), Box::new(director)).unwrap();
        let machine = Machine {
            name: "LoanProcessor".to_owned(),
            definition: DEFINITION.to_owned(),
        };
        let arn = world.create(&machine).unwrap();
        world.start(&arn, "run", "{}").unwrap();
        world.until_ended(HOUR).unwrap();
        let seen = world.seen().unwrap();
        let ended = seen.ended.unwrap();
        assert_eq!(ended.at, at);
        assert_eq!(ended.failure.unwrap().error.as_deref(), Some(error));
    }
}
