//! `POST /rejoin/clock/until-ended`: from timer to timer, until an execution has ended.
//!
//! It is answered with the execution as it ended and with the time. If it can't end by time alone, because nothing is
//! due any more, that is said at once, and what the execution waits for; so it is if its end lies beyond the limit
//! of virtual time, or if it takes too long in real time (two executions that wake each other may do so for ever).

use std::time::{Duration, Instant};

use asl::Timestamp;
use engine::{Execution, ExecutionKey, Status, WaitKind, Waiting};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{MILLIS_MAX, body, frozen, millis};
use crate::app::App;
use crate::clock::{Frozen, Leave};
use crate::executions::{View, failed, unknown};
use crate::http::{Call, Reply};

/// For how long it goes on in real time; less than clients wait for an answer, as a rule.
const PATIENCE: Duration = Duration::from_secs(50);

/// How many waits are named; a Map may have thousands.
const WAITS_SHOWN_MAX: usize = 5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(rename = "executionArn")]
    execution_arn: String,
    seconds: Option<f64>,
}

/// Whose end is waited for.
pub struct Wanted {
    arn: String,
    /// How far time may go, at most.
    millis: i64,
}

/// Why it is no further.
enum Stopped {
    Frozen,
    Unknown,
    Store(String),
    /// Nothing is due.
    NothingDue,
    /// Nothing is due by then, but later.
    Limit(Timestamp),
    /// It took too long in real time.
    Patience,
}

impl From<Frozen> for Stopped {
    fn from(_: Frozen) -> Stopped {
        Stopped::Frozen
    }
}

impl Wanted {
    /// What a request wants.
    pub fn read(call: &Call) -> Result<Wanted, Reply> {
        let asked: Asked = body(call)?;
        Ok(Wanted {
            arn: asked.execution_arn,
            millis: asked.seconds.map_or(Ok(MILLIS_MAX as i64), millis)?,
        })
    }
}

/// Goes there.
pub async fn go(app: &App, leave: Leave, wanted: Wanted) -> Reply {
    let key = ExecutionKey::of(&wanted.arn);
    let end = app.clock.now().plus_millis(wanted.millis);
    let going = tokio::time::timeout(PATIENCE, on(app, leave, key, end));
    let stopped = going.await.unwrap_or(Err(Stopped::Patience)).err();
    match &stopped {
        Some(Stopped::Frozen) => return frozen(&app.clock),
        Some(Stopped::Unknown) => return no_such(&wanted.arn),
        Some(Stopped::Store(what)) => return failed(what),
        _ => {}
    }
    let execution = match app.runner.execution(key).await {
        Ok(Some(execution)) => execution,
        Ok(None) => return no_such(&wanted.arn),
        Err(what) => return failed(&what),
    };
    match stopped {
        Some(why) => still_runs(app, &execution, &why),
        None => {
            let mut said = json!(View::of(&execution));
            said["now"] = app.clock.now().to_string().into();
            Reply::json(StatusCode::OK, &said)
        }
    }
}

/// From timer to timer.
async fn on(app: &App, leave: Leave, key: ExecutionKey, end: Timestamp) -> Result<(), Stopped> {
    let clock = &app.clock;
    let begun = Instant::now();
    loop {
        drop(clock.advance_with(leave, clock.now()).await?);
        let summary = app.store.summary(key).await;
        let summary = summary.map_err(|what| Stopped::Store(what.to_string()))?;
        if summary.ok_or(Stopped::Unknown)?.status != Status::Running {
            return Ok(());
        }
        let next = clock.next_timer().ok_or(Stopped::NothingDue)?;
        if next > end {
            return Err(Stopped::Limit(end));
        }
        // What never has to wait for anything gives the runtime no moment in which to look at the time.
        if begun.elapsed() > PATIENCE {
            return Err(Stopped::Patience);
        }
        drop(clock.advance_with(leave, next).await?);
    }
}

/// An Express execution has no ARN that could be asked for: what is not kept is not found.
fn no_such(arn: &str) -> Reply {
    if !arn.contains(":express:") {
        return unknown(arn);
    }
    Reply::refusal(
        StatusCode::BAD_REQUEST,
        "ExpressExecution",
        format!(
            "{arn} is an Express execution, which is not kept, so nobody can say whether it has ended"
        ),
        "PUT /rejoin/clock/automatic {\"automatic\": true} and StartSyncExecution, which answers when it has ended; or POST /rejoin/clock/until-idle",
    )
}

/// It has not ended: why, and what it waits for.
fn still_runs(app: &App, execution: &Execution, why: &Stopped) -> Reply {
    let open: Vec<_> = execution
        .open_waits()
        .filter_map(|wait| Some((wait, execution.waiting(wait)?)))
        .collect();
    let waits: Vec<Value> = open
        .iter()
        .take(WAITS_SHOWN_MAX)
        .map(|(wait, waiting)| {
            json!({
                "id": format!("{}/{}", execution.identity().arn, wait.0),
                "state": waiting.state_name,
                "kind": waiting.kind,
            })
        })
        .collect();
    let what = what_it_waits_for(execution);
    let (error, first, hint) = match why {
        Stopped::Limit(end) => (
            "NotEndedInTime",
            format!("the execution has not ended by {end}"),
            "allow more `seconds`, or answer what it waits for",
        ),
        Stopped::Patience => (
            "NotEndedYet",
            format!(
                "the execution has not ended after {} s of real time",
                PATIENCE.as_secs()
            ),
            "ask again to go on; if something polls for ever, say with `seconds` how far to go",
        ),
        _ => (
            "NothingDue",
            "the execution still runs, and nothing is due any more that could end it".to_owned(),
            "answer it (SendTaskSuccess, a callback, a worker), stop it, or give the state TimeoutSeconds; GET /rejoin/waits shows what else is open",
        ),
    };
    Reply::json(
        StatusCode::CONFLICT,
        &json!({
            "error": error,
            "message": format!("{first}: {what}"),
            "hint": hint,
            "status": execution.status().name(),
            "now": app.clock.now().to_string(),
            "waits": waits,
        }),
    )
}

/// `the execution waits in Ask for its callback, no deadline`.
pub fn what_it_waits_for(execution: &Execution) -> String {
    let open = execution
        .open_waits()
        .filter_map(|wait| execution.waiting(wait));
    let mut what: Vec<_> = open.map(|waiting| said(&waiting)).collect();
    if what.len() > WAITS_SHOWN_MAX {
        let more = what.split_off(WAITS_SHOWN_MAX).len();
        what.push(format!("in {more} places more"));
    }
    match (what.is_empty(), execution.next_timer()) {
        (false, _) => format!("the execution waits {}", what.join("; ")),
        (true, Some(at)) => format!("the execution goes on at {at}"),
        (true, None) => "the execution waits for nothing".to_owned(),
    }
}

/// `in Ask for its callback, no deadline`.
fn said(waiting: &Waiting) -> String {
    let whom = match waiting.kind {
        WaitKind::Answer => "the answer of its resource",
        WaitKind::Callback => "its callback",
        WaitKind::Activity => "a worker of its activity",
        WaitKind::Sync => "the end of its job",
        WaitKind::MapRun => "the end of its Map Run",
    };
    let deadlines = [
        waiting.timeout_at,
        waiting.heartbeat_at,
        waiting.execution_timeout_at,
    ];
    let until = match deadlines.into_iter().flatten().min() {
        Some(at) => format!("until {at}"),
        None => "no deadline".to_owned(),
    };
    format!("in {} for {whom}, {until}", waiting.state_name)
}
