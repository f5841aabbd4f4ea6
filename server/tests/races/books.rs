//! The books: what was said to the server, what its histories, its inbox and its alerts say, and whether
//! they agree. Nothing here asks how the server works; it is only held to what it has told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::life::{HEARTBEAT_SECONDS, Said, TIMEOUT_SECONDS, World, body};
use super::lot::{Action, Says};

/// How a wait ended, as the history tells.
#[derive(Debug, Clone, PartialEq)]
enum End {
    Succeeded(u32),
    Failed(String, u32),
    TimedOut,
    /// The execution was stopped.
    Aborted,
}

/// One attempt of the task.
#[derive(Debug, Clone)]
struct Wait {
    execution: String,
    began_at: f64,
    ended_at: f64,
    end: End,
}

/// A callback as the inbox has it.
#[derive(Debug)]
struct Delivery {
    id: String,
    body: Value,
    /// When it got the disposition that it has.
    judged_at: f64,
    dispositions: Vec<String>,
    execution: Option<String>,
    wait_began_at: Option<f64>,
}

impl Delivery {
    fn disposition(&self) -> &str {
        self.dispositions
            .last()
            .expect("a delivery that has settled has a disposition")
    }
}

pub struct Books {
    said: Vec<Said>,
    waits: Vec<Wait>,
    stopped: BTreeSet<String>,
    deliveries: BTreeMap<String, Delivery>,
    /// Disposition and delivery of each alert.
    alerts: Vec<(String, String)>,
}

/// How often something was seen.
#[derive(Debug, Default)]
pub struct Tally {
    dispositions: BTreeMap<String, u64>,
    ends: BTreeMap<&'static str, u64>,
    unanswered: u64,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        for (name, count) in other.dispositions {
            *self.dispositions.entry(name).or_default() += count;
        }
        for (name, count) in other.ends {
            *self.ends.entry(name).or_default() += count;
        }
        self.unanswered += other.unanswered;
    }

    pub fn check_that_all_was_seen(&self) {
        for disposition in [
            "delivered",
            "delivered-as-failure",
            "heartbeat",
            "duplicate-identical",
            "duplicate-contradicting",
            "late-timed-out",
            "late-ended",
            "late-superseded",
            "unknown-reference",
        ] {
            assert!(
                self.dispositions.contains_key(disposition),
                "no callback was {disposition}"
            );
        }
        for end in ["succeeded", "failed", "timed out", "aborted"] {
            assert!(self.ends.contains_key(end), "no wait {end}");
        }
        assert!(self.unanswered > 0, "no request was cut short by a restart");
    }
}

impl Books {
    pub fn of(world: &World) -> Books {
        let mut waits = Vec::new();
        let mut stopped = BTreeSet::new();
        for arn in &world.executions {
            let request = json!({ "executionArn": arn, "maxResults": 1000 });
            let history = world.operation("GetExecutionHistory", request);
            let events = history["events"].as_array().expect("events");
            let name = arn.rsplit(':').next().expect("a name");
            let described = world.operation("DescribeExecution", json!({ "executionArn": arn }));
            let status = described["status"].as_str().expect("a status");
            assert_ne!(status, "RUNNING", "{name} never ends: {events:#?}");
            if status == "ABORTED" {
                stopped.insert(arn.clone());
            }
            waits.extend(waits_of(name, events));
        }
        let listed = world.get("/rejoin/deliveries?limit=1000");
        let deliveries = listed["deliveries"]
            .as_array()
            .expect("deliveries")
            .iter()
            .map(|brief| {
                let id = text(brief, "id");
                (
                    id.clone(),
                    delivery(&world.get(&format!("/rejoin/deliveries/{id}"))),
                )
            });
        let told = world.get("/rejoin/topics/errors/messages?limit=1000");
        let alerts = told["messages"]
            .as_array()
            .expect("messages")
            .iter()
            .map(|message| {
                let alert = &message["message"];
                (text(alert, "disposition"), text(alert, "deliveryId"))
            });
        Books {
            said: world.said.lock().clone(),
            waits,
            stopped,
            deliveries: deliveries.collect(),
            alerts: alerts.collect(),
        }
    }

    /// Whether all of it agrees; what was seen.
    pub fn balance(self) -> Tally {
        self.every_answer_is_in_the_inbox();
        self.every_completion_has_one_cause();
        self.every_cause_has_one_completion();
        self.every_disposition_is_borne_out();
        self.every_alert_is_told_once();
        self.nothing_is_before_its_time();
        let mut tally = Tally::default();
        for delivery in self.deliveries.values() {
            *tally
                .dispositions
                .entry(delivery.disposition().to_owned())
                .or_default() += 1;
        }
        for wait in &self.waits {
            let end = match wait.end {
                End::Succeeded(_) => "succeeded",
                End::Failed(..) => "failed",
                End::TimedOut => "timed out",
                End::Aborted => "aborted",
            };
            *tally.ends.entry(end).or_default() += 1;
        }
        tally.unanswered = self
            .said
            .iter()
            .filter(|said| said.answer.is_none())
            .count() as u64;
        tally
    }

    /// What a third party was told is what the inbox says, and nothing else is in the inbox.
    fn every_answer_is_in_the_inbox(&self) {
        let mut cut_short = 0;
        let mut answered = BTreeSet::new();
        for said in &self.said {
            let Action::CallBack { reference, says } = &said.action else {
                continue;
            };
            let Some((status, answer)) = &said.answer else {
                cut_short += 1;
                continue;
            };
            assert_ne!(*status, 503, "the store and the engine are well: {said:?}");
            let id = text(answer, "deliveryId");
            let kept = self
                .deliveries
                .get(&id)
                .unwrap_or_else(|| panic!("acknowledged and lost: {said:?}"));
            assert_eq!(kept.body, body(reference, *says), "the body of {id}");
            let disposition = text(answer, "disposition");
            assert!(
                kept.dispositions.contains(&disposition),
                "{id} was answered {disposition}: {kept:?}"
            );
            assert!(
                answered.insert(id),
                "two callbacks are one delivery: {said:?}"
            );
        }
        let others = self.deliveries.len() - answered.len();
        assert!(others <= cut_short, "{others} deliveries that nobody sent");
    }

    /// What a wait ended with was brought by exactly one delivery, or by one answer to its token.
    fn every_completion_has_one_cause(&self) {
        for wait in &self.waits {
            let (disposition, number) = match &wait.end {
                End::Succeeded(number) => ("delivered", *number),
                End::Failed(_, number) => ("delivered-as-failure", *number),
                End::TimedOut | End::Aborted => continue,
            };
            let brought = self.deliveries.values().filter(|delivery| {
                delivery.disposition() == disposition
                    && self.carries(delivery, &wait.end)
                    && delivery.execution.as_ref() == Some(&wait.execution)
                    && delivery.wait_began_at == Some(wait.began_at)
            });
            let brought = brought.count();
            let answers = || {
                self.said.iter().filter(|said| matches!(
                &said.action,
                Action::Answer { says, .. } if says.number() == Some(number) && ends_as(*says, &wait.end)
            ))
            };
            let acknowledged = answers().any(|said| matches!(said.answer, Some((200, _))));
            let unanswered = answers().any(|said| said.answer.is_none());
            assert!(
                brought == 1 || (brought == 0 && (acknowledged || unanswered)),
                "{brought} deliveries count as the end of {wait:?}"
            );
        }
    }

    fn carries(&self, delivery: &Delivery, end: &End) -> bool {
        match end {
            End::Succeeded(number) => delivery.body["number"] == json!(number),
            End::Failed(error, number) => {
                delivery.body["number"] == json!(number.to_string())
                    && delivery.body["error"] == json!(error)
            }
            End::TimedOut | End::Aborted => false,
        }
    }

    /// What was taken has ended exactly one wait.
    fn every_cause_has_one_completion(&self) {
        for delivery in self.deliveries.values() {
            if !matches!(delivery.disposition(), "delivered" | "delivered-as-failure") {
                continue;
            }
            let ended = self.waits.iter().filter(|wait| {
                self.carries(delivery, &wait.end)
                    && Some(&wait.execution) == delivery.execution.as_ref()
                    && Some(wait.began_at) == delivery.wait_began_at
            });
            assert_eq!(ended.count(), 1, "{delivery:?} among {:#?}", self.waits);
        }
        // Answers to tokens: as many waits at least ended so as were told so.
        let mut told: BTreeMap<(bool, u32), usize> = BTreeMap::new();
        for said in &self.said {
            if let (Action::Answer { says, .. }, Some((200, _))) = (&said.action, &said.answer)
                && let Some(number) = says.number()
            {
                *told
                    .entry((matches!(says, Says::Done(_)), number))
                    .or_default() += 1;
            }
        }
        for ((done, number), count) in told {
            let ended = self.waits.iter().filter(|wait| match &wait.end {
                End::Succeeded(with) => done && *with == number,
                End::Failed(_, with) => !done && *with == number,
                End::TimedOut | End::Aborted => false,
            });
            let ended = ended.count();
            assert!(
                ended >= count,
                "{count} answers with {number} were taken, {ended} waits ended so"
            );
        }
        for said in &self.said {
            if let (Action::Stop { execution }, Some((200, _))) = (&said.action, &said.answer)
                && !self.stopped.contains(execution)
            {
                // It had ended before, which is no error on AWS.
                let name = execution.rsplit(':').next().expect("a name");
                let last = self.waits.iter().rfind(|wait| wait.execution == name);
                assert!(
                    last.is_some_and(|wait| wait.end != End::Aborted),
                    "{said:?}"
                );
            }
        }
    }

    /// Late ones were late, and repeats repeat something.
    fn every_disposition_is_borne_out(&self) {
        for delivery in self.deliveries.values() {
            let met = self.waits.iter().find(|wait| {
                Some(&wait.execution) == delivery.execution.as_ref()
                    && Some(wait.began_at) == delivery.wait_began_at
            });
            let late_for = || met.unwrap_or_else(|| panic!("late for no wait: {delivery:?}"));
            match delivery.disposition() {
                "delivered" | "delivered-as-failure" | "heartbeat" => {}
                "late-timed-out" => {
                    let wait = late_for();
                    assert_eq!(wait.end, End::TimedOut, "{delivery:?}");
                    assert!(wait.ended_at <= delivery.judged_at, "{delivery:?} {wait:?}");
                }
                "late-ended" | "late-superseded" => {
                    let wait = late_for();
                    assert!(wait.ended_at <= delivery.judged_at, "{delivery:?} {wait:?}");
                }
                "duplicate-identical" | "duplicate-contradicting" => {
                    let same = |other: &&Delivery| {
                        other.id != delivery.id && other.body["ref"] == delivery.body["ref"]
                    };
                    let before = self.deliveries.values().filter(same).any(|other| {
                        (other.body == delivery.body)
                            == (delivery.disposition() == "duplicate-identical")
                    });
                    assert!(before, "{delivery:?} repeats nothing");
                }
                "unknown-reference" => {
                    assert_eq!(delivery.execution, None, "{delivery:?}");
                }
                other => panic!("{other} is no disposition to stay with: {delivery:?}"),
            }
        }
    }

    /// An alert for each disposition that is not in the plain course of things, and for nothing else.
    fn every_alert_is_told_once(&self) {
        let mut due = Vec::new();
        for delivery in self.deliveries.values() {
            for disposition in &delivery.dispositions {
                if !matches!(
                    disposition.as_str(),
                    "delivered" | "delivered-as-failure" | "heartbeat" | "early"
                ) {
                    due.push((disposition.clone(), delivery.id.clone()));
                }
            }
        }
        let mut told = self.alerts.clone();
        due.sort();
        told.sort();
        assert_eq!(
            told, due,
            "the alerts that were told, and those that were due"
        );
    }

    /// A wait that timed out had its time, and none had more.
    fn nothing_is_before_its_time(&self) {
        for wait in &self.waits {
            let lasted = wait.ended_at - wait.began_at;
            assert!(
                lasted <= TIMEOUT_SECONDS as f64,
                "{wait:?} lasted {lasted} s"
            );
            if wait.end == End::TimedOut {
                assert!(
                    lasted >= HEARTBEAT_SECONDS as f64,
                    "{wait:?} lasted {lasted} s"
                );
            }
        }
    }
}

impl Says {
    fn number(self) -> Option<u32> {
        match self {
            Says::Done(number) | Says::Failed(number) | Says::FailedForGood(number) => Some(number),
            Says::Working => None,
        }
    }
}

fn ends_as(says: Says, end: &End) -> bool {
    match (says, end) {
        (Says::Done(_), End::Succeeded(_)) => true,
        (Says::Failed(_), End::Failed(error, _)) => error == "Again",
        (Says::FailedForGood(_), End::Failed(error, _)) => error == "Enough",
        _ => false,
    }
}

/// The waits that a history tells of: each is scheduled once and ends once.
fn waits_of(execution: &str, events: &[Value]) -> Vec<Wait> {
    let mut waits: Vec<Wait> = Vec::new();
    let mut open: Option<f64> = None;
    for event in events {
        let at = seconds(&event["timestamp"]);
        let details = |name: &str| event[name].clone();
        let end = match event["type"].as_str().expect("a type") {
            "TaskScheduled" => {
                assert_eq!(open.replace(at), None, "two waits at once: {events:#?}");
                continue;
            }
            "TaskSucceeded" => {
                let output = text(&details("taskSucceededEventDetails"), "output");
                End::Succeeded(output.parse().expect("a number"))
            }
            "TaskFailed" => {
                let failed = details("taskFailedEventDetails");
                let number = text(&failed, "cause").parse().expect("a number");
                End::Failed(text(&failed, "error"), number)
            }
            "TaskTimedOut" => End::TimedOut,
            "ExecutionAborted" if open.is_some() => End::Aborted,
            _ => continue,
        };
        let began_at = open
            .take()
            .unwrap_or_else(|| panic!("it ends twice: {events:#?}"));
        waits.push(Wait {
            execution: execution.to_owned(),
            began_at,
            ended_at: at,
            end,
        });
    }
    assert_eq!(open, None, "a wait that never ends: {events:#?}");
    waits
}

fn delivery(full: &Value) -> Delivery {
    let dispositions = full["dispositions"].as_array().expect("dispositions");
    Delivery {
        id: text(full, "id"),
        body: serde_json::from_str(&text(full, "body")).expect("JSON"),
        judged_at: moment(&text(dispositions.last().expect("it has settled"), "at")),
        dispositions: dispositions
            .iter()
            .map(|step| text(step, "disposition"))
            .collect(),
        execution: full["executionName"].as_str().map(str::to_owned),
        wait_began_at: full["waitBeganAt"].as_str().map(moment),
    }
}

fn seconds(timestamp: &Value) -> f64 {
    timestamp.as_f64().expect("seconds")
}

/// The seconds of an RFC 3339 moment.
fn moment(text: &str) -> f64 {
    asl::Timestamp::from_asl(text).expect("a moment").0 as f64 / 1000.0
}

fn text(value: &Value, name: &str) -> String {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no text {name} in {value}"))
        .to_owned()
}
