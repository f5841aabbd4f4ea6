//! The server under test: this program again, as a child process on the embedded store.

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
        let program = std::env::current_exe()
            .map_err(|e| format!("this program's own file is not known: {e}"))?;
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory)
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
