//! The server under test: this program again, as a child process on the embedded store.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde::Serialize;

use crate::connection::Connection;

/// How many starts the start-up time is the median of.
pub const STARTS: usize = 5;

/// A running server; killed when dropped.
pub struct Subject {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

/// What a server costs before it has anything to do.
#[derive(Serialize)]
pub struct AtRest {
    /// From the start of the process to the first answer.
    pub start_up_ms: f64,
    /// Resident memory.
    pub idle_mib: f64,
    /// Size of the program's file.
    pub binary_mb: f64,
}

impl Subject {
    /// Starts a server on a data directory; returns when it says where it listens.
    pub fn start(directory: &Path) -> Result<Subject, String> {
        Subject::start_with(directory, &[])
    }

    /// As [`Subject::start`], with more flags.
    pub fn start_with(directory: &Path, flags: &[&OsStr]) -> Result<Subject, String> {
        let program = std::env::current_exe()
            .map_err(|e| format!("this program's own file is not known: {e}"))?;
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("the server can't be started: {e}"))?;
        let output = child
            .stdout
            .take()
            .expect("the server's output was asked for");
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        let address = read
            .ok()
            .and_then(|_| line.trim().rsplit_once("http://")?.1.parse().ok());
        match address {
            Some(address) => Ok(Subject { child, address }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                Err(format!("the server did not start; it said: {line:?}"))
            }
        }
    }

    /// Resident memory now, in bytes.
    pub fn memory_bytes(&self) -> Result<u64, String> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .map_err(|e| format!("the server's memory can't be read: {e}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.map(|kib| kib * 1024)
            .ok_or_else(|| "the server's memory can't be read".to_owned())
    }

    /// Processor time used so far, in seconds.
    pub fn cpu_seconds(&self) -> Result<f64, String> {
        cpu_seconds_of(&self.child.id().to_string())
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts a few servers to see what one costs.
pub async fn at_rest(directory: &Path) -> Result<AtRest, String> {
    let mut times = Vec::new();
    let mut idle = 0;
    for _ in 0..STARTS {
        let begun = Instant::now();
        let subject = Subject::start(directory)?;
        let mut connection = Connection::open(subject.address).await?;
        connection.get("/health").await?;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        idle = subject.memory_bytes()?;
    }
    times.sort_by(f64::total_cmp);
    let program = std::env::current_exe()
        .and_then(std::fs::metadata)
        .map_err(|e| format!("this program's size is not known: {e}"))?;
    Ok(AtRest {
        start_up_ms: times[STARTS / 2],
        idle_mib: idle as f64 / (1024.0 * 1024.0),
        binary_mb: program.len() as f64 / 1e6,
    })
}

/// Processor time, user and system, that a process has used, in seconds.
pub fn cpu_seconds_of(process: &str) -> Result<f64, String> {
    /// What the kernel counts in (`sysconf(_SC_CLK_TCK)`), the same on every Linux of today.
    const TICKS_PER_SECOND: f64 = 100.0;
    let unread = || format!("the processor time of process {process} can't be read");
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).map_err(|_| unread())?;
    // The second field, the program's name in brackets, may have spaces; utime and stime are the 14th and 15th.
    let (_, after_name) = stat.rsplit_once(')').ok_or_else(unread)?;
    let fields: Vec<f64> = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    if fields.len() == 2 {
        Ok((fields[0] + fields[1]) / TICKS_PER_SECOND)
    } else {
        Err(unread())
    }
}
