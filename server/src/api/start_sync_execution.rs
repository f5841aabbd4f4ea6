//! `StartSyncExecution`: runs an Express execution and answers when it has ended, well or badly.
//!
//! The SDKs send it to a host whose name begins with `sync-`; no host is looked at here.

use asl::{Data, Timestamp};
use engine::Identity;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::app::App;
use crate::clock::Busy;
use crate::runner::Ended;
use crate::trace::Given;

use super::error::ApiError;
use super::request::{Answer, read, write};
use super::start::Request;

/// AWS bills an Express execution by 100 milliseconds begun, and by 64 MB of memory. What an execution
/// takes here is some kilobytes, so it is always the first 64.
const BILLED_MILLIS_STEP: i64 = 100;
const BILLED_MEMORY_MB: u32 = 64;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    execution_arn: &'a str,
    state_machine_arn: &'a str,
    name: &'a str,
    start_date: f64,
    stop_date: f64,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
    input_details: Details,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    output_details: Details,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_header: Option<&'a str>,
    billing_details: Billing,
}

#[derive(Serialize)]
struct Details {
    included: bool,
}

#[derive(Serialize)]
struct Billing {
    #[serde(rename = "billedMemoryUsedInMB")]
    memory: u32,
    #[serde(rename = "billedDurationInMilliseconds")]
    millis: i64,
}

impl Billing {
    fn of(started_at: Timestamp, stopped_at: Timestamp) -> Billing {
        let millis = stopped_at.0.saturating_sub(started_at.0).max(1);
        let steps = (millis - 1) / BILLED_MILLIS_STEP + 1;
        Billing {
            memory: BILLED_MEMORY_MB,
            millis: steps * BILLED_MILLIS_STEP,
        }
    }
}

/// The time of the execution has to pass, so the caller's `Busy` is given up until it has ended.
pub(super) async fn answer(
    app: &App,
    body: &[u8],
    given: &Given<'_>,
    busy: Busy,
) -> (Answer, Busy) {
    let begun = match begin(app, body, given).await {
        Ok(begun) => begun,
        Err(error) => return (Err(error), busy),
    };
    drop(busy);
    match begun.ended.await {
        Ok(ended) => (show(&begun.shown, &ended), ended.busy),
        Err(_) => {
            let what = format!("{} was lost", begun.shown.identity.arn);
            (Err(ApiError::server(what)), app.clock.busy())
        }
    }
}

/// An execution under way.
struct Begun {
    shown: Shown,
    ended: oneshot::Receiver<Ended>,
}

/// What of the request comes back in the response.
struct Shown {
    identity: Identity,
    trace_header: Option<String>,
    with_data: bool,
}

async fn begin(app: &App, body: &[u8], given: &Given<'_>) -> Result<Begun, ApiError> {
    let request: Request = read(body)?;
    let start = request.accept(app).await?;
    if !start.is_express() {
        return Err(ApiError::type_not_supported());
    }
    let (with_data, trace_header) = (start.with_data, start.trace_header.map(str::to_owned));
    let identity = start.identity(app, given);
    let compiled = app.machines.definition(&identity.definition).await;
    let compiled = compiled.map_err(ApiError::server)?;
    let started = app
        .runner
        .start_express(compiled, identity.clone(), true)
        .await;
    Ok(Begun {
        ended: started.map_err(ApiError::server)?,
        shown: Shown {
            identity,
            trace_header,
            with_data,
        },
    })
}

fn show(shown: &Shown, ended: &Ended) -> Answer {
    let Shown {
        identity,
        with_data,
        ..
    } = shown;
    let closing = &ended.closing;
    let failure = closing.failure.as_ref().filter(|_| *with_data);
    let output = closing.output.as_ref().filter(|_| *with_data);
    let included = *with_data;
    write(&Response {
        execution_arn: &identity.arn,
        state_machine_arn: &identity.state_machine_arn,
        name: &identity.name,
        start_date: identity.started_at.as_seconds(),
        stop_date: closing.at.as_seconds(),
        status: ended.status.name(),
        error: failure.and_then(|failure| failure.error.as_deref()),
        cause: failure.and_then(|failure| failure.cause.as_deref()),
        input: included.then(|| identity.input.text()),
        input_details: Details { included },
        output: output.map(Data::text),
        output_details: Details { included },
        trace_header: shown.trace_header.as_deref(),
        billing_details: Billing::of(identity.started_at, closing.at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hundred_milliseconds_begun_are_billed() {
        for (took, billed) in [(0, 100), (1, 100), (100, 100), (101, 200), (7_512, 7_600)] {
            let billing = Billing::of(Timestamp(5), Timestamp(5 + took));
            assert_eq!(billing.millis, billed, "{took}");
        }
    }
}
