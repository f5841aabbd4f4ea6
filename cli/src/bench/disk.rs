//! The machine's own limit: appending records and syncing each group, with nothing else.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// About what the store writes for one commit of a round trip.
const RECORD_BYTES: usize = 1024;
const LIMIT: Duration = Duration::from_secs(1);

/// Records per second, `group` of them to each write and fdatasync.
pub fn appends_per_second(path: &Path, group: usize) -> Result<f64, String> {
    let failed = |e: std::io::Error| format!("{} can't be written: {e}", path.display());
    let mut file = File::create(path).map_err(failed)?;
    let block = vec![b'r'; RECORD_BYTES * group];
    let begun = Instant::now();
    let mut records = 0;
    while begun.elapsed() < LIMIT {
        file.write_all(&block).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        records += group;
    }
    let rate = records as f64 / begun.elapsed().as_secs_f64();
    std::fs::remove_file(path).map_err(failed)?;
    Ok(rate)
}
