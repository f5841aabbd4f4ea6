//! What a function's program prints goes to the server's log, line by line, with the function's name.

use std::io::Write;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// A longer line is cut in pieces, so that a program that never ends a line costs no memory.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Copies lines from `pipe` until its other end is closed.
pub async fn forward(function: String, pipe: impl AsyncRead + Unpin) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut reader)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .await;
        if !matches!(read, Ok(count) if count > 0) {
            return;
        }
        let text = String::from_utf8_lossy(line.trim_ascii_end());
        // A log that can't be written is no reason to stop the function.
        let _ = writeln!(std::io::stderr().lock(), "{function}: {text}");
    }
}
