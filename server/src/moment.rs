//! Times as people write them where they ask for something.

use asl::Timestamp;

/// What such a time looks like, for whoever wrote another one.
pub(crate) const HINT: &str =
    "write a time, 2026-01-31T12:00:00Z, or how long ago, 90s, 15m, 2h, 3d or 1w";

/// A time as it is written, or so long before `now`.
pub(crate) fn read(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds: i64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    let number: u32 = number.parse().ok()?;
    Some(now.plus_seconds(-i64::from(number) * seconds))
}
