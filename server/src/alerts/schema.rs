//! The schema holds what it promises: every alert that this server can make fits it, and everything that the
//! schema names is made by somebody.

use std::collections::BTreeSet;

use asl::Timestamp;
use serde_json::{Map, Value};

use super::{Alert, Kind, LookFurther, Moment, SCHEMA};
use crate::gateway::{Disposition, Doubt};

/// What is wrong with `value`, by the keywords that our schema uses. One that is not known here is a fault of
/// the test, not of the value.
fn faults(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let Some(schema) = schema.as_object() else {
        return found.push(format!("{place}: the schema is no object"));
    };
    for (keyword, rule) in schema {
        let fits = match keyword.as_str() {
            "$schema" | "$id" | "title" | "description" => rule.is_string(),
            "type" => match rule.as_str() {
                Some("string") => value.is_string(),
                Some("object") => value.is_object(),
                Some("integer") => value.is_u64() || value.is_i64(),
                Some("number") => value.is_number(),
                _ => false,
            },
            "enum" => rule.as_array().is_some_and(|all| all.contains(value)),
            "const" => rule == value,
            "minimum" => value
                .as_f64()
                .is_none_or(|value| Some(value) >= rule.as_f64()),
            "format" => {
                rule == "date-time"
                    && value
                        .as_str()
                        .is_some_and(|text| text.parse::<Timestamp>().is_ok())
            }
            "required" => rule.as_array().is_some_and(|names| {
                let has =
                    |name: &Value| name.as_str().is_some_and(|name| value.get(name).is_some());
                names.iter().all(has)
            }),
            "properties" => {
                let none = Map::new();
                let properties = rule.as_object().unwrap_or(&none);
                for (name, member) in value.as_object().unwrap_or(&none) {
                    let place = format!("{place}/{name}");
                    match properties.get(name) {
                        Some(schema) => faults(schema, member, &place, found),
                        // Readers let members pass that they do not know; we do not make any.
                        None => found.push(format!("{place}: not in the schema")),
                    }
                }
                rule.is_object()
            }
            _ => false,
        };
        if !fits {
            found.push(format!("{place}: {keyword} {rule} and not {value}"));
        }
    }
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

/// What is wrong with an alert as it is sent.
pub(crate) fn faults_of(alert: &Value) -> Vec<String> {
    let mut found = Vec::new();
    faults(&schema(), alert, "", &mut found);
    found
}

/// An alert that has every member.
fn full(kind: Kind) -> Alert {
    let at = || Some(Moment(Timestamp(1_700_000_000_123)));
    let text = || Some("text \u{1F600}\n".to_owned());
    Alert {
        alert_id: "01".to_owned(),
        raised_at: Moment(Timestamp(1_700_000_000_000)),
        since: at(),
        resolved: true,
        count: 3,
        first_at: at(),
        last_at: at(),
        summary: true,
        dedup_key: "key".to_owned(),
        execution_arn: text(),
        execution_name: text(),
        state_machine_arn: text(),
        state_name: text(),
        wait_began_at: at(),
        wait_deadline: at(),
        wait_ended_at: at(),
        wait_age_seconds: Some(1.5),
        last_heartbeat_at: at(),
        route: text(),
        reference: text(),
        delivery_id: text(),
        disposition: Some(Disposition::Early),
        doubt: Some(Doubt::Forged),
        received_at: at(),
        peer: text(),
        event_request_id: text(),
        event_body: text(),
        event_body_truncated: true,
        late_by_seconds: Some(-0.001),
        topic: text(),
        subscriber: text(),
        message_id: text(),
        attempts: Some(1),
        last_error: text(),
        trace_id: text(),
        look_further: LookFurther {
            delivery: text(),
            execution: text(),
            reference: text(),
            topic: text(),
            alert: text(),
            trace: text(),
        },
        link: text(),
        ..Alert::new(kind, "source", "description")
    }
}

fn sent(alert: &Alert) -> Value {
    serde_json::to_value(alert).expect("an alert is JSON")
}

#[test]
fn every_kind_of_alert_fits_the_schema_with_all_members_and_with_few() {
    for kind in Kind::all() {
        let few = Alert {
            first_at: Some(Moment(Timestamp(0))),
            last_at: Some(Moment(Timestamp(0))),
            ..Alert::new(kind, "source", "description")
        };
        for alert in [full(kind), few] {
            assert_eq!(faults_of(&sent(&alert)), Vec::<String>::new());
            let again: Alert = serde_json::from_value(sent(&alert)).expect("it can be read");
            assert_eq!(again, alert);
        }
    }
}

#[test]
fn the_schema_and_the_value_have_the_same_members() {
    let names = |value: &Value| -> BTreeSet<String> {
        let members = value.as_object().expect("an object");
        members.keys().cloned().collect()
    };
    let (schema, alert) = (schema(), sent(&full(Kind::StuckWait)));
    assert_eq!(names(&schema["properties"]), names(&alert));
    let further = &schema["properties"]["lookFurther"]["properties"];
    assert_eq!(names(further), names(&alert["lookFurther"]));
    let kinds: Vec<_> = Kind::all().map(Kind::name).collect();
    assert_eq!(schema["properties"]["kind"]["enum"], Value::from(kinds));
    let dispositions: Vec<_> = Disposition::ALL.map(Disposition::name).into();
    let listed = &schema["properties"]["disposition"]["enum"];
    assert_eq!(*listed, Value::from(dispositions));
}

#[test]
fn what_does_not_fit_is_found() {
    let rows = [
        ("/kind", Value::from("sabotage")),
        ("/count", Value::from(0)),
        ("/count", Value::from("1")),
        ("/raisedAt", Value::from("yesterday")),
        ("/resolved", Value::from(false)),
        ("/lookFurther/delivery", Value::from(1)),
    ];
    for (place, wrong) in rows {
        let mut alert = sent(&full(Kind::StuckWait));
        *alert.pointer_mut(place).expect("it is there") = wrong;
        assert_eq!(
            faults_of(&alert).len(),
            1,
            "{place}: {:?}",
            faults_of(&alert)
        );
    }
    let mut alert = sent(&full(Kind::StuckWait));
    alert["kinds"] = 1.into();
    alert.as_object_mut().expect("an object").remove("source");
    assert_eq!(faults_of(&alert).len(), 2);
}
