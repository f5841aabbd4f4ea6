//! A file of JSON lines.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use parking_lot::Mutex;

/// One line is written at a time in this process, so that none ends up within another.
static WRITING: Mutex<()> = Mutex::new(());

/// Whether the file can be written; makes it if it is not there.
///
/// # Errors
/// One sentence.
pub fn check(path: &Path) -> Result<(), String> {
    open(path).map(drop)
}

/// Adds a line and returns when it is on disk.
///
/// # Errors
/// One sentence.
pub async fn append(path: &Path, line: String) -> Result<(), String> {
    let path = path.to_owned();
    let written = tokio::task::spawn_blocking(move || append_now(&path, line));
    match written.await {
        Ok(written) => written,
        Err(e) => Err(e.to_string()),
    }
}

fn append_now(path: &Path, mut line: String) -> Result<(), String> {
    let _writing = WRITING.lock();
    let mut file = open(path)?;
    let written = (|| {
        // A line that was cut off by a crash or a full disk must not spoil this one.
        if file.metadata()?.len() > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                line.insert(0, '\n');
            }
        }
        line.push('\n');
        file.write_all(line.as_bytes())?;
        file.sync_data()
    })();
    written.map_err(|e| format!("the file {} can't be written: {e}", path.display()))
}

fn open(path: &Path) -> Result<File, String> {
    OpenOptions::new()
        .append(true)
        .read(true)
        .create(true)
        .open(path)
        .map_err(|e| format!("the file {} can't be opened: {e}", path.display()))
}
