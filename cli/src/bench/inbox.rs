//! Many deliveries: what each costs, and how long a search takes among them.
//!
//! One in ten has a reference of its own, and the nine that follow repeat it; some of them are for executions, and
//! one in a thousand can't be read. So each question has few answers among many deliveries, but that for all
//! repeats, which are nearly all.

use std::path::Path;
use std::time::{Duration, Instant};

use asl::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::parked::disk_bytes;
use super::round_trips::{Lane, Quantiles};
use super::subject::Subject;
use crate::connection::Connection;

/// How many connections call back at once.
const CONNECTIONS: usize = 64;
/// How many callbacks each reference has.
const TO_A_REFERENCE: usize = 10;
/// How many references executions wait under.
const EXECUTIONS: usize = 100;
/// One in so many callbacks is malformed.
const MALFORMED: usize = 1000;
/// How often each question is asked.
const SEARCHES: usize = 200;
/// How many deliveries a search shows.
const LIMIT: usize = 50;

const ROUTE: &str = "inbox";

/// What one number of deliveries came to. Times are in milliseconds.
#[derive(Serialize)]
pub struct Row {
    /// How many there are.
    pub deliveries: usize,
    /// Answered, while they were made.
    pub stored_per_second: f64,
    /// Growth of the server's resident memory.
    pub memory_bytes_each: f64,
    /// Growth of its data directory.
    pub disk_bytes_each: f64,
    /// Those with a reference.
    pub by_reference: Quantiles,
    /// Those that met an execution.
    pub by_execution: Quantiles,
    /// The newest of a disposition that nearly all have.
    pub by_common_disposition: Quantiles,
    /// The newest of one that few have.
    pub by_rare_disposition: Quantiles,
    /// The first from some moment on.
    pub by_time: Quantiles,
}

/// Makes so many deliveries, and searches among them.
pub async fn search(directory: &Path, deliveries: usize) -> Result<Row, String> {
    let subject = subject(directory)?;
    let (memory, disk) = (subject.memory_bytes()?, disk_bytes(directory)?);
    let mut connection = Connection::open(subject.address).await?;
    let references = deliveries.div_ceil(TO_A_REFERENCE);
    let executions = wait_for_some(&subject, &mut connection, references).await?;
    let began = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for lane in 0..CONNECTIONS {
        let mut connection = Connection::open(subject.address).await?;
        running.spawn(async move {
            for number in (lane..deliveries).step_by(CONNECTIONS) {
                call_back(&mut connection, number).await?;
            }
            Ok::<_, String>(())
        });
    }
    while let Some(lane) = running.join_next().await {
        lane.map_err(|e| format!("a lane broke: {e}"))??;
    }
    let seconds = began.elapsed().as_secs_f64();
    let first = edge(&mut connection, "oldest").await?;
    let last = edge(&mut connection, "newest").await?;
    let mut asked = Asked(connection);
    let by_reference = asked
        .each(|turn| format!("reference={}", reference(scattered(turn, references))))
        .await?;
    let by_execution = asked
        .each(|turn| {
            format!(
                "execution={}",
                executions[scattered(turn, executions.len())]
            )
        })
        .await?;
    let by_common_disposition = asked
        .each(|_| "disposition=duplicate-identical".to_owned())
        .await?;
    let by_rare_disposition = asked.each(|_| "disposition=malformed".to_owned()).await?;
    let span = usize::try_from(last.0 - first.0).unwrap_or_default().max(1);
    let by_time = asked
        .each(|turn| {
            let since = first.plus_millis(scattered(turn, span) as i64);
            format!("since={since}&order=oldest")
        })
        .await?;
    let grown = |now: u64, before: u64| now.saturating_sub(before) as f64 / deliveries as f64;
    Ok(Row {
        deliveries,
        stored_per_second: deliveries as f64 / seconds,
        memory_bytes_each: grown(subject.memory_bytes()?, memory),
        disk_bytes_each: grown(disk_bytes(directory)?, disk),
        by_reference,
        by_execution,
        by_common_disposition,
        by_rare_disposition,
        by_time,
    })
}

/// A server with a route that asks nobody who they are, and tells nobody.
fn subject(directory: &Path) -> Result<Subject, String> {
    let path = directory.with_extension("toml");
    let config = format!(
        "[[routes]]\nname = \"{ROUTE}\"\npath = \"/callbacks/{ROUTE}\"\nreference = \"$.reference\"\n\
         early_keep_seconds = 86400\nalerts = []\nverify = {{ scheme = \"none\" }}\n"
    );
    std::fs::write(&path, config)
        .map_err(|e| format!("{} can't be written: {e}", path.display()))?;
    Subject::start_with(directory, &["--config".as_ref(), path.as_os_str()])
}

/// Executions wait under some of the references, all over them; gives their names.
async fn wait_for_some(
    subject: &Subject,
    connection: &mut Connection,
    references: usize,
) -> Result<Vec<String>, String> {
    let mut lane = Lane::open(subject.address, ROUTE).await?;
    let mut names = Vec::new();
    for number in 0..EXECUTIONS.min(references) {
        let arn = lane.start().await?;
        names.extend(arn.rsplit(':').next().map(str::to_owned));
        let token = lane.fetch().await?;
        let name = reference(number * references / EXECUTIONS.min(references));
        let path = format!("/rejoin/references/{ROUTE}/{name}");
        let body = json!({ "taskToken": token }).to_string();
        let answer = connection.send("PUT", &path, "", &body).await?;
        if answer.status != 200 {
            return Err(format!("{path}: {} {}", answer.status, answer.body));
        }
    }
    Ok(names)
}

async fn call_back(connection: &mut Connection, number: usize) -> Result<(), String> {
    let body = match number % MALFORMED {
        0 => json!({ "propertyValue": 250_000 }),
        _ => {
            let name = reference(number / TO_A_REFERENCE);
            json!({ "reference": name, "propertyValue": 250_000 })
        }
    };
    let path = format!("/callbacks/{ROUTE}");
    let answer = connection
        .send("POST", &path, "", &body.to_string())
        .await?;
    match answer.status {
        200 | 202 | 400 => Ok(()),
        status => Err(format!("{path}: {status} {}", answer.body)),
    }
}

/// When the first or the last delivery came.
async fn edge(connection: &mut Connection, order: &str) -> Result<Timestamp, String> {
    let path = format!("/rejoin/deliveries?limit=1&order={order}");
    let answer = connection.get(&path).await?;
    let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let at = said["deliveries"][0]["receivedAt"].as_str();
    at.and_then(|at| at.parse().ok())
        .ok_or_else(|| format!("{path}: {} {}", answer.status, answer.body))
}

struct Asked(Connection);

impl Asked {
    /// Asks a question in many ways, and says how long each answer took. All have one.
    async fn each(&mut self, question: impl Fn(usize) -> String) -> Result<Quantiles, String> {
        let mut times: Vec<Duration> = Vec::with_capacity(SEARCHES);
        for turn in 0..SEARCHES {
            let path = format!("/rejoin/deliveries?limit={LIMIT}&{}", question(turn));
            let begun = Instant::now();
            let answer = self.0.get(&path).await?;
            times.push(begun.elapsed());
            if answer.status != 200 || !answer.body.contains("\"receivedAt\"") {
                return Err(format!("{path}: {} {}", answer.status, answer.body));
            }
        }
        Ok(Quantiles::of(times))
    }
}

/// All over `number` of them, and no two neighbours one after the other.
fn scattered(turn: usize, number: usize) -> usize {
    turn.wrapping_mul(2_654_435_761) % number
}

/// As long as the references of third parties are: a UUID's length.
fn reference(index: usize) -> String {
    format!("5f0c9d7e-41b2-4c3a-9d58-{index:012}")
}
