//! Verified callbacks through the gateway to executions in the same process: each is signed (Standard Webhooks),
//! stored, delivered, and its outcome stored, before it is answered.
//!
//! So that nothing else is measured, the executions are parked and their references registered before.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::json;
use server::gateway::verify::Signer;

use super::round_trips::{Lane, Quantiles};
use super::subject::{Subject, cpu_seconds_of};
use crate::connection::Connection;

/// How many lanes park executions at once.
const PARKING_LANES: usize = 64;

/// The route that is measured.
const ROUTE: &str = "bench";
const SECRET: &str = "whsec_YSBzZWNyZXQgdGhhdCBwcm90ZWN0cyBub3RoaW5n";

/// What one run came to. Times are in milliseconds.
#[derive(Serialize)]
pub struct Row {
    /// Connections, each with one callback at a time.
    pub connections: usize,
    callbacks: usize,
    /// Answered.
    pub callbacks_per_second: f64,
    /// Sent to answered.
    pub answered: Quantiles,
    /// Processor time of the server for one callback, in microseconds.
    pub server_cpu_us: f64,
    /// And of the load driver.
    pub driver_cpu_us: f64,
    /// The machine's limit at this group size, 1 KiB records; a callback takes three commits.
    pub raw_appends_per_second: f64,
}

/// A server with the route.
pub fn subject(directory: &Path) -> Result<Subject, String> {
    let path = directory.with_extension("toml");
    let config = format!(
        "[[routes]]\nname = \"{ROUTE}\"\npath = \"/callbacks/{ROUTE}\"\nreference = \"$.reference\"\n\
         verify = {{ scheme = \"standard-webhooks\", secrets = [\"{SECRET}\"] }}\n"
    );
    std::fs::write(&path, config)
        .map_err(|e| format!("{} can't be written: {e}", path.display()))?;
    Subject::start_with(directory, &["--config".as_ref(), path.as_os_str()])
}

/// Registers a reference on the route.
pub async fn register(
    connection: &mut Connection,
    reference: &str,
    token: &str,
) -> Result<(), String> {
    let path = format!("/rejoin/references/{ROUTE}/{reference}");
    let body = json!({ "taskToken": token }).to_string();
    let answer = connection.send("PUT", &path, "", &body).await?;
    match answer.status {
        200 => Ok(()),
        status => Err(format!("{path}: {status} {}", answer.body)),
    }
}

/// Looks a reference up.
pub async fn look_up(connection: &mut Connection, reference: &str) -> Result<(), String> {
    let path = format!("/rejoin/references/{ROUTE}/{reference}");
    let answer = connection.get(&path).await?;
    match answer.status {
        200 if answer.body.contains("\"waiting\"") => Ok(()),
        status => Err(format!("{path}: {status} {}", answer.body)),
    }
}

/// Sends `callbacks` over so many connections.
pub async fn drive(
    directory: &Path,
    connections: usize,
    callbacks: usize,
    raw_appends_per_second: f64,
) -> Result<Row, String> {
    let subject = subject(directory)?;
    let references = park(&subject, callbacks).await?;
    let mut senders = Vec::new();
    for share in references.chunks(callbacks.div_ceil(connections)) {
        senders.push((Connection::open(subject.address).await?, share.to_vec()));
    }
    let (server_cpu, driver_cpu) = (subject.cpu_seconds()?, cpu_seconds_of("self")?);
    let begun = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for (connection, share) in senders {
        running.spawn(call_back(connection, share));
    }
    let mut times = Vec::with_capacity(callbacks);
    while let Some(sender) = running.join_next().await {
        times.extend(sender.map_err(|e| format!("a connection broke: {e}"))??);
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let number = times.len() as f64;
    Ok(Row {
        connections,
        callbacks,
        callbacks_per_second: number / elapsed,
        answered: Quantiles::of(times),
        server_cpu_us: (subject.cpu_seconds()? - server_cpu) * 1e6 / number,
        driver_cpu_us: (cpu_seconds_of("self")? - driver_cpu) * 1e6 / number,
        raw_appends_per_second,
    })
}

/// Parks executions, each under a reference of its own; gives the references.
async fn park(subject: &Subject, number: usize) -> Result<Vec<String>, String> {
    let lanes = PARKING_LANES.min(number);
    let mut parking = tokio::task::JoinSet::new();
    for index in 0..lanes {
        let mut lane = Lane::open(subject.address, &format!("gateway-{index}")).await?;
        let mut connection = Connection::open(subject.address).await?;
        let share = number / lanes + usize::from(index < number % lanes);
        parking.spawn(async move {
            let mut references = Vec::with_capacity(share);
            for turn in 0..share {
                lane.start().await?;
                let token = lane.fetch().await?;
                let reference = format!("ref-{index}-{turn}");
                register(&mut connection, &reference, &token).await?;
                references.push(reference);
            }
            Ok::<_, String>(references)
        });
    }
    let mut all = Vec::with_capacity(number);
    while let Some(lane) = parking.join_next().await {
        all.extend(lane.map_err(|e| format!("a lane broke: {e}"))??);
    }
    Ok(all)
}

/// Calls back for each reference, one after the other; how long each took.
async fn call_back(
    mut connection: Connection,
    references: Vec<String>,
) -> Result<Vec<Duration>, String> {
    let mut signer = Signer::default();
    signer.add(SECRET)?;
    let mut times = Vec::with_capacity(references.len());
    for reference in references {
        let body = json!({ "reference": reference, "propertyValue": 250_000 }).to_string();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = now
            .map_err(|e| format!("the machine's clock is before 1970: {e}"))?
            .as_secs()
            .to_string();
        let sent = Instant::now();
        let signature = signer.sign(&reference, &seconds, body.as_bytes());
        let headers = format!(
            "webhook-id: {reference}\r\nwebhook-timestamp: {seconds}\r\nwebhook-signature: {signature}\r\n"
        );
        let path = format!("/callbacks/{ROUTE}");
        let answer = connection.send("POST", &path, &headers, &body).await?;
        if answer.status != 200 || !answer.body.contains("\"delivered\"") {
            return Err(format!(
                "a callback was not delivered: {} {}",
                answer.status, answer.body
            ));
        }
        times.push(sent.elapsed());
    }
    Ok(times)
}
