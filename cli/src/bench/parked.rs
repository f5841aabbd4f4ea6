//! Many parked executions: what each costs, and how soon after a crash a callback is taken.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::round_trips::Lane;
use super::subject::Subject;

/// How many lanes park at once.
const LANES: usize = 64;
/// How many tokens, spread over the whole run, are called back after the restart.
const KEPT_PER_LANE: usize = 4;

/// What one run came to.
#[derive(Serialize)]
pub struct Row {
    parked: usize,
    /// Started and fetched, per second.
    pub parked_per_second: f64,
    /// Growth of the server's resident memory.
    pub memory_bytes_each: f64,
    /// Growth of its data directory.
    pub disk_bytes_each: f64,
    /// From the start of the new process to the first acknowledged callback.
    pub restart_seconds: f64,
    /// Callbacks sent after the restart, all of which were taken.
    pub called_back: usize,
}

/// Parks `number` executions, kills the server, starts it again, and calls back.
pub async fn park(directory: &Path, number: usize, say: &dyn Fn(&str)) -> Result<Row, String> {
    let subject = Subject::start(directory)?;
    let lanes_wanted = LANES.min(number);
    let mut lanes = Vec::new();
    for lane in 0..lanes_wanted {
        lanes.push(Lane::open(subject.address, &format!("park-{lane}")).await?);
    }
    let memory_before = subject.memory_bytes()?;
    let disk_before = disk_bytes(directory)?;
    say(&format!("parking {number} ..."));
    let begun = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for (index, mut lane) in lanes.into_iter().enumerate() {
        let share = number / lanes_wanted + usize::from(index < number % lanes_wanted);
        running.spawn(async move {
            let mut kept = Vec::new();
            for turn in 0..share {
                lane.start().await?;
                let token = lane.fetch().await?;
                if turn % (share / KEPT_PER_LANE).max(1) == 0 {
                    kept.push(token);
                }
            }
            Ok::<_, String>(kept)
        });
    }
    let mut tokens = Vec::new();
    while let Some(lane) = running.join_next().await {
        tokens.extend(lane.map_err(|e| format!("a lane broke: {e}"))??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let memory = subject.memory_bytes()?.saturating_sub(memory_before);
    let disk = disk_bytes(directory)?.saturating_sub(disk_before);
    subject.kill();
    say(&format!(
        "parked in {seconds:.1} s; starting again after kill -9 ..."
    ));

    let begun = Instant::now();
    let subject = Subject::start(directory)?;
    let mut restart_seconds = None;
    let mut lane = Lane::open(subject.address, "after").await?;
    for token in &tokens {
        lane.succeed(token).await?;
        restart_seconds.get_or_insert_with(|| begun.elapsed().as_secs_f64());
    }
    Ok(Row {
        parked: number,
        parked_per_second: number as f64 / seconds,
        memory_bytes_each: memory as f64 / number as f64,
        disk_bytes_each: disk as f64 / number as f64,
        restart_seconds: restart_seconds.ok_or("nothing was parked")?,
        called_back: tokens.len(),
    })
}

/// What a folder's files take on disk.
pub fn disk_bytes(folder: &Path) -> Result<u64, String> {
    use std::os::unix::fs::MetadataExt;
    let failed = |e: std::io::Error| format!("{} can't be read: {e}", folder.display());
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        bytes += if path.is_dir() {
            disk_bytes(&path)?
        } else {
            path.metadata().map_err(failed)?.blocks() * 512
        };
    }
    Ok(bytes)
}
