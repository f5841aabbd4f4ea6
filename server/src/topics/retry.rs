//! When an attempt is made again.
//!
//! The schedule is the one that SNS has for endpoints that are not AWS's own: 50 attempts in a little
//! over 6 hours. Two more come 10 s apart, then ten whose distance grows from 10 s to 10 minutes, then
//! one every 10 minutes. There is no jitter: a test can say when an attempt comes, and one server's
//! deliveries are no herd.

/// After this many a delivery is given up.
pub const ATTEMPTS_MAX: u32 = 50;

/// The pauses after the first attempts, in seconds; the last goes on until the end.
const PAUSES_SECONDS: [i64; 13] = [10, 10, 10, 16, 25, 39, 62, 97, 153, 242, 381, 600, 600];

/// How long to wait after this many attempts; `None`: that was the last.
pub fn seconds_until_next(attempts: u32) -> Option<i64> {
    let last = PAUSES_SECONDS.len() - 1;
    let index = (attempts.max(1) - 1) as usize;
    (attempts < ATTEMPTS_MAX).then(|| PAUSES_SECONDS[index.min(last)])
}
