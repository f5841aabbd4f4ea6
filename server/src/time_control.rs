//! The virtual clock over HTTP.
//!
//! | request | what it does |
//! | --- | --- |
//! | `GET /rejoin/clock` | says what time it is, what is in flight, and what is next |
//! | `POST /rejoin/clock/advance` `{"seconds": 30}` | goes on by so much, through all that is due on the way |
//! | `POST /rejoin/clock/next` | goes on to the next timer |
//! | `POST /rejoin/clock/until-idle` `{"seconds": 3600}` | goes from timer to timer until there is none within so much time |
//! | `PUT /rejoin/clock/automatic` `{"automatic": true}` | lets time jump by itself whenever nothing is in flight |
//! | `PUT /rejoin/clock/grace` `{"seconds": 0.5}` | for how long, in real time, a function that does not answer keeps time standing; 5 at first |
//!
//! Each answers when the time is reached and nothing is in flight any more.

use std::time::Duration;

use asl::Timestamp;
use hyper::{Method, StatusCode};
use serde::Deserialize;

use crate::app::App;
use crate::clock::Clock;
use crate::http::{Call, Reply};

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
    match (&call.method, order.as_str()) {
        (&Method::POST, "advance") => match span(&call) {
            Ok(millis) => {
                drop(call.busy);
                drop(clock.advance(clock.now().plus_millis(millis)).await);
                app.retention.sweep_sometimes();
                drop(clock.advance(clock.now()).await);
            }
            Err(reply) => return reply,
        },
        (&Method::POST, "next") => {
            drop(call.busy);
            go_to_next(clock, None).await;
        }
        (&Method::POST, "until-idle") => match span(&call) {
            Ok(millis) => {
                drop(call.busy);
                let end = clock.now().plus_millis(millis);
                while go_to_next(clock, Some(end)).await {}
            }
            Err(reply) => return reply,
        },
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
                "GET /rejoin/clock, POST /rejoin/clock/advance, /next, /until-idle, PUT /rejoin/clock/automatic, /grace",
            );
        }
    }
    Reply::json(StatusCode::OK, &clock.status())
}

/// Waits until nothing is in flight, then goes on to the next timer if it comes by `end`; says
/// whether there was one. A timer may make another, so only the clock itself knows what is next.
async fn go_to_next(clock: &Clock, end: Option<Timestamp>) -> bool {
    drop(clock.advance(clock.now()).await);
    match clock
        .next_timer()
        .filter(|next| end.is_none_or(|end| *next <= end))
    {
        Some(next) => {
            drop(clock.advance(next).await);
            true
        }
        None => false,
    }
}

/// A hundred years.
const MILLIS_MAX: f64 = 100.0 * 365.0 * 86_400_000.0;

/// The milliseconds that `{"seconds": ...}` asks for.
fn span(call: &Call) -> Result<i64, Reply> {
    let span: Span = body(call)?;
    let millis = span.seconds * 1000.0;
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
