//! Many references: what each costs, whether looking one up takes longer the more there are, and how soon after
//! a crash one is found.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::gateway::{look_up, register, subject};
use super::parked::disk_bytes;
use super::round_trips::{Lane, Quantiles};
use crate::connection::Connection;

/// How many connections register at once.
const CONNECTIONS: usize = 64;
/// How many are looked up, all over those that are there.
const LOOK_UPS: usize = 5000;

/// What there is at some number of references. Times are in milliseconds.
#[derive(Serialize)]
pub struct Row {
    /// How many there are.
    pub references: usize,
    /// Since the row before.
    pub registered_per_second: f64,
    /// Growth of the server's resident memory.
    pub memory_bytes_each: f64,
    /// Growth of its data directory.
    pub disk_bytes_each: f64,
    /// One found, over one connection, asked to answered.
    pub look_up: Quantiles,
    /// From the start of a new process after kill -9 to the first one found; of the last row.
    pub restart_seconds: Option<f64>,
}

/// Registers references up to each of these numbers, all for one wait.
pub async fn register_all(
    directory: &Path,
    numbers: &[usize],
    say: &dyn Fn(&str),
) -> Result<Vec<Row>, String> {
    let subject = subject(directory)?;
    let mut lane = Lane::open(subject.address, "references").await?;
    lane.start().await?;
    let token = lane.fetch().await?;
    let mut looking = Connection::open(subject.address).await?;
    let (memory, disk) = (subject.memory_bytes()?, disk_bytes(directory)?);
    let mut rows = Vec::new();
    let mut there = 0;
    for &number in numbers {
        say(&format!("registering up to {number} references ..."));
        let begun = Instant::now();
        let mut registering = tokio::task::JoinSet::new();
        for lane in 0..CONNECTIONS {
            let mut connection = Connection::open(subject.address).await?;
            let token = token.clone();
            registering.spawn(async move {
                for index in (there + lane..number).step_by(CONNECTIONS) {
                    register(&mut connection, &name(index), &token).await?;
                }
                Ok::<_, String>(())
            });
        }
        while let Some(lane) = registering.join_next().await {
            lane.map_err(|e| format!("a lane broke: {e}"))??;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let mut times = Vec::with_capacity(LOOK_UPS);
        for turn in 0..LOOK_UPS {
            // All over them, and no two neighbours one after the other.
            let index = turn.wrapping_mul(2_654_435_761) % number;
            let asked = Instant::now();
            look_up(&mut looking, &name(index)).await?;
            times.push(asked.elapsed());
        }
        let grown = |now: u64, before: u64| now.saturating_sub(before) as f64 / number as f64;
        rows.push(Row {
            references: number,
            registered_per_second: (number - there) as f64 / seconds,
            memory_bytes_each: grown(subject.memory_bytes()?, memory),
            disk_bytes_each: grown(disk_bytes(directory)?, disk),
            look_up: Quantiles::of(times),
            restart_seconds: None,
        });
        there = number;
    }
    subject.kill();
    say("starting again after kill -9 ...");
    let begun = Instant::now();
    let subject = self::subject(directory)?;
    let mut looking = Connection::open(subject.address).await?;
    look_up(&mut looking, &name(there / 2)).await?;
    if let Some(last) = rows.last_mut() {
        last.restart_seconds = Some(begun.elapsed().as_secs_f64());
    }
    Ok(rows)
}

/// As long as the references of third parties are: a UUID's length.
fn name(index: usize) -> String {
    format!("5f0c9d7e-41b2-4c3a-9d58-{index:012}")
}
