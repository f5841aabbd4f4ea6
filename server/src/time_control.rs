//! The virtual clock over HTTP.
//!
//! | request | what it does |
//! | --- | --- |
//! | `GET /rejoin/clock` | says what time it is, what is in flight, and what is next |
//! | `POST /rejoin/clock/advance` `{"seconds": 30}` | goes on by so much, through all that is due on the way |
//! | `POST /rejoin/clock/next` | goes on to the next timer |
//! | `POST /rejoin/clock/until-idle` `{"seconds": 3600}` | goes from timer to timer until there is none within so much time |
//! | `POST /rejoin/clock/until-ended` `{"executionArn": "...", "seconds": 3600}` | goes from timer to timer until that execution has ended ([`until_ended`]) |
//! | `POST /rejoin/clock/freeze` | stops time: it no longer runs by itself, and what moves it ends where it is |
//! | `PUT /rejoin/clock/automatic` `{"automatic": true}` | lets time jump by itself whenever nothing is in flight |
//! | `PUT /rejoin/clock/grace` `{"seconds": 0.5}` | for how long, in real time, a function that does not answer keeps time standing; 5 at first |
//!
//! Each answers when the time is reached and nothing is in flight any more. Those that move time have turns: two
//! clients that each go on by thirty seconds have gone on by sixty, in whichever order they came.

mod until_ended;

pub use until_ended::what_it_waits_for;

use std::time::Duration;

use asl::Timestamp;
use hyper::{Method, StatusCode};
use serde::Deserialize;

use crate::app::App;
use crate::clock::{Clock, Frozen, Leave};
use crate::http::{Call, Reply};

/// Whose turn it is to move time.
#[derive(Default)]
pub struct TimeControl(tokio::sync::Mutex<()>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    seconds: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Automatic {
    automatic: bool,
}

/// What moves time.
enum Move {
    By(i64),
    Next,
    UntilIdle(i64),
    UntilEnded(until_ended::Wanted),
}

/// Answers a request on `/rejoin/clock`.
pub async fn handle(app: &App, call: Call) -> Reply {
    let clock = &app.clock;
    let order = call
        .path
        .trim_start_matches("/rejoin/clock")
        .trim_start_matches('/')
        .to_owned();
    if call.method == Method::GET && order.is_empty() {
        drop(call.busy);
        return Reply::json(StatusCode::OK, &clock.status());
    }
    if !clock.is_virtual() {
        return Reply::refusal(
            StatusCode::CONFLICT,
            "RealClock",
            "this server runs on the real clock, which can't be moved",
            "start it with `rejoin serve --clock virtual`",
        );
    }
    let wanted = match (&call.method, order.as_str()) {
        (&Method::POST, "advance") => span(&call).map(Move::By),
        (&Method::POST, "next") => Ok(Move::Next),
        (&Method::POST, "until-idle") => span(&call).map(Move::UntilIdle),
        (&Method::POST, "until-ended") => until_ended::Wanted::read(&call).map(Move::UntilEnded),
        _ => return set(clock, &order, call),
    };
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(reply) => return reply,
    };
    // From here on a freeze ends it, also while it waits for its turn.
    let leave = clock.leave();
    drop(call.busy);
    let _turn = app.time_control.0.lock().await;
    let moved = match wanted {
        Move::By(millis) => advance(app, leave, millis).await,
        Move::Next => go_to_next(clock, leave, None).await.map(drop),
        Move::UntilIdle(millis) => until_idle(clock, leave, millis).await,
        Move::UntilEnded(wanted) => return until_ended::go(app, leave, wanted).await,
    };
    match moved {
        Ok(()) => Reply::json(StatusCode::OK, &clock.status()),
        Err(Frozen) => frozen(clock),
    }
}

/// What changes how time goes without moving it; it waits for nobody's turn.
fn set(clock: &Clock, order: &str, call: Call) -> Reply {
    match (&call.method, order) {
        (&Method::POST, "freeze") => clock.freeze(),
        (&Method::PUT, "automatic") => match body::<Automatic>(&call) {
            Ok(Automatic { automatic }) => {
                drop(call.busy);
                clock.set_automatic(automatic);
            }
            Err(reply) => return reply,
        },
        (&Method::PUT, "grace") => match span(&call) {
            Ok(millis) => clock.set_grace(Duration::from_millis(millis.unsigned_abs())),
            Err(reply) => return reply,
        },
        _ => {
            return Reply::refusal(
                StatusCode::NOT_FOUND,
                "NotFound",
                format!("the clock has no {} {}", call.method, call.path),
                "GET /rejoin/clock, POST /rejoin/clock/advance, /next, /until-idle, /until-ended, /freeze, PUT /rejoin/clock/automatic, /grace",
            );
        }
    }
    Reply::json(StatusCode::OK, &clock.status())
}

async fn advance(app: &App, leave: Leave, millis: i64) -> Result<(), Frozen> {
    let clock = &app.clock;
    drop(
        clock
            .advance_with(leave, clock.now().plus_millis(millis))
            .await?,
    );
    app.retention.sweep_sometimes();
    clock.advance_with(leave, clock.now()).await.map(drop)
}

async fn until_idle(clock: &Clock, leave: Leave, millis: i64) -> Result<(), Frozen> {
    let end = clock.now().plus_millis(millis);
    while go_to_next(clock, leave, Some(end)).await? {}
    Ok(())
}

/// Waits until nothing is in flight, then goes on to the next timer if it comes by `end`; says
/// whether there was one. A timer may make another, so only the clock itself knows what is next.
async fn go_to_next(clock: &Clock, leave: Leave, end: Option<Timestamp>) -> Result<bool, Frozen> {
    drop(clock.advance_with(leave, clock.now()).await?);
    match clock
        .next_timer()
        .filter(|next| end.is_none_or(|end| *next <= end))
    {
        Some(next) => {
            drop(clock.advance_with(leave, next).await?);
            Ok(true)
        }
        None => Ok(false),
    }
}

/// What is said to who moved time when somebody froze it.
fn frozen(clock: &Clock) -> Reply {
    Reply::refusal(
        StatusCode::CONFLICT,
        "Frozen",
        format!(
            "the clock was frozen at {} before time had come as far as was asked for",
            clock.now()
        ),
        "ask again to go on from there",
    )
}

/// A hundred years.
const MILLIS_MAX: f64 = 100.0 * 365.0 * 86_400_000.0;

/// The milliseconds that `{"seconds": ...}` asks for.
fn span(call: &Call) -> Result<i64, Reply> {
    millis(body::<Span>(call)?.seconds)
}

fn millis(seconds: f64) -> Result<i64, Reply> {
    let millis = seconds * 1000.0;
    if millis.is_finite() && (0.0..=MILLIS_MAX).contains(&millis) {
        return Ok(millis.round() as i64);
    }
    Err(malformed(
        "seconds has to be between 0 and 3,153,600,000 (a hundred years)",
    ))
}

fn body<'a, T: Deserialize<'a>>(call: &'a Call) -> Result<T, Reply> {
    serde_json::from_slice(&call.body)
        .map_err(|error| malformed(&format!("the body is not as expected: {error}")))
}

fn malformed(message: &str) -> Reply {
    Reply::refusal(
        StatusCode::BAD_REQUEST,
        "Malformed",
        message,
        "send for example {\"seconds\": 30}, or {\"automatic\": true}",
    )
}
