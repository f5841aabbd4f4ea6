//! Callback round trips: so many lanes, each doing one after the other.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::subject::{Subject, cpu_seconds_of};
use crate::connection::Connection;

/// What one run came to. Times are in milliseconds.
#[derive(Serialize)]
pub struct Row {
    in_flight: usize,
    /// Completed in the run's time.
    pub round_trips_per_second: f64,
    /// StartExecution, sent to answered.
    pub start: Quantiles,
    /// SendTaskSuccess, sent to answered.
    pub acknowledged: Quantiles,
    /// SendTaskSuccess sent to the execution seen ended.
    pub ended: Quantiles,
    /// Processor time of the server for one round trip, in microseconds.
    pub server_cpu_us: f64,
    /// And of the load driver.
    pub driver_cpu_us: f64,
    /// The machine's limit at this group size, 1 KiB records.
    pub raw_appends_per_second: f64,
}

/// The median and the 99th percentile, in milliseconds.
#[derive(Serialize)]
pub struct Quantiles {
    p50: f64,
    p99: f64,
}

/// What a lane has seen.
#[derive(Default)]
struct Times {
    start: Vec<Duration>,
    acknowledged: Vec<Duration>,
    ended: Vec<Duration>,
}

/// Drives `in_flight` lanes for `seconds` against a new server; what the disk alone does is put beside it.
pub async fn drive(
    directory: &Path,
    in_flight: usize,
    seconds: f64,
    raw_appends_per_second: f64,
) -> Result<Row, String> {
    let subject = Subject::start(directory)?;
    let mut lanes = Vec::new();
    for lane in 0..in_flight {
        lanes.push(Lane::open(subject.address, &format!("lane-{lane}")).await?);
    }
    let (server_cpu, driver_cpu) = (subject.cpu_seconds()?, cpu_seconds_of("self")?);
    let begun = Instant::now();
    let end = begun + Duration::from_secs_f64(seconds);
    let mut running = tokio::task::JoinSet::new();
    for lane in lanes {
        running.spawn(lane.run_until(end));
    }
    let mut all = Times::default();
    while let Some(lane) = running.join_next().await {
        let times = lane.map_err(|e| format!("a lane broke: {e}"))??;
        all.start.extend(times.start);
        all.acknowledged.extend(times.acknowledged);
        all.ended.extend(times.ended);
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let number = all.ended.len() as f64;
    Ok(Row {
        in_flight,
        round_trips_per_second: number / elapsed,
        server_cpu_us: (subject.cpu_seconds()? - server_cpu) * 1e6 / number,
        driver_cpu_us: (cpu_seconds_of("self")? - driver_cpu) * 1e6 / number,
        start: Quantiles::of(all.start),
        acknowledged: Quantiles::of(all.acknowledged),
        ended: Quantiles::of(all.ended),
        raw_appends_per_second,
    })
}

/// One round trip at a time: a machine and an activity of its own, so that the task it fetches is
/// that of the execution it started; two connections, since the end is awaited while the callback is sent.
pub struct Lane {
    calls: Connection,
    ends: Connection,
    machine: String,
    activity: String,
}

impl Lane {
    /// Makes the activity and the machine.
    pub async fn open(address: SocketAddr, name: &str) -> Result<Lane, String> {
        let mut calls = Connection::open(address).await?;
        let ends = Connection::open(address).await?;
        let made = calls
            .call("CreateActivity", &json!({ "name": name }).to_string())
            .await?;
        let activity = field(&made, "activityArn")?;
        let definition = json!({
            "StartAt": "Ask",
            "States": { "Ask": { "Type": "Task", "Resource": activity, "TimeoutSeconds": 86400, "End": true } }
        });
        let machine = json!({
            "name": name,
            "definition": definition.to_string(),
            "roleArn": "arn:aws:iam::123456789012:role/bench",
        });
        let machine = field(
            &calls
                .call("CreateStateMachine", &machine.to_string())
                .await?,
            "stateMachineArn",
        )?;
        Ok(Lane {
            calls,
            ends,
            machine,
            activity,
        })
    }

    /// Starts an execution.
    pub async fn start(&mut self) -> Result<String, String> {
        let body = json!({ "stateMachineArn": self.machine, "input": INPUT }).to_string();
        field(
            &self.calls.call("StartExecution", &body).await?,
            "executionArn",
        )
    }

    /// Fetches the task; from then on the execution is parked.
    pub async fn fetch(&mut self) -> Result<String, String> {
        let body = json!({ "activityArn": self.activity, "workerName": "bench" }).to_string();
        field(
            &self.calls.call("GetActivityTask", &body).await?,
            "taskToken",
        )
    }

    /// Calls back.
    pub async fn succeed(&mut self, token: &str) -> Result<(), String> {
        let body = success(token);
        self.calls.call("SendTaskSuccess", &body).await.map(drop)
    }

    async fn run_until(mut self, end: Instant) -> Result<Times, String> {
        let mut times = Times::default();
        while Instant::now() < end {
            let begun = Instant::now();
            let execution = self.start().await?;
            times.start.push(begun.elapsed());
            let token = self.fetch().await?;
            let path = format!("/rejoin/executions/{execution}?wait=30");
            let sent = Instant::now();
            let Lane { calls, ends, .. } = &mut self;
            let body = success(&token);
            let acknowledged = async {
                calls.call("SendTaskSuccess", &body).await?;
                Ok::<_, String>(sent.elapsed())
            };
            let ended = async {
                let answer = ends.get(&path).await?;
                if !answer.body.contains("\"SUCCEEDED\"") {
                    return Err(format!("an execution did not succeed: {}", answer.body));
                }
                Ok(sent.elapsed())
            };
            // Polled in this order, so the watch is on before the callback is sent.
            let (ended, acknowledged) = tokio::try_join!(ended, acknowledged)?;
            times.acknowledged.push(acknowledged);
            times.ended.push(ended);
        }
        Ok(times)
    }
}

/// What SendTaskSuccess is sent with: the token and a small result.
fn success(token: &str) -> String {
    json!({ "taskToken": token, "output": "{\"propertyValue\":250000}" }).to_string()
}

/// A loan application, about 300 bytes.
const INPUT: &str = r#"{"applicationId":"7f3b2a10-5c1e-4e0a-9a7d-2f6d1c0b9e55","applicant":{"name":"Ada Lovelace","email":"ada@example.com"},"property":{"nameOrNumber":"12","street":"St James's Square","town":"London","postcode":"SW1Y 4JH"},"loan":{"amount":180000,"termMonths":300,"product":"two-year-fixed"}}"#;

impl Quantiles {
    /// Of these times.
    pub fn of(mut times: Vec<Duration>) -> Quantiles {
        times.sort_unstable();
        let at = |share: f64| {
            let index = (times.len() as f64 * share) as usize;
            times
                .get(index.min(times.len().saturating_sub(1)))
                .map_or(0.0, |time| time.as_secs_f64() * 1000.0)
        };
        Quantiles {
            p50: at(0.5),
            p99: at(0.99),
        }
    }
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} / {:.2}", self.p50, self.p99)
    }
}

/// A text member of a JSON answer.
fn field(answer: &str, name: &str) -> Result<String, String> {
    let value: Value = serde_json::from_str(answer)
        .map_err(|e| format!("the server's answer is not JSON: {e}"))?;
    let text = value.get(name).and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| format!("the server's answer has no {name}: {answer}"))
}
