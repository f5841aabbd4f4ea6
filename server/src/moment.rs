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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_full_or_as_how_long_ago() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().expect("a time");
        for (text, read_as) in [
            ("2026-01-30T12:00:00Z", Some("2026-01-30T12:00:00Z")),
            ("2026-01-30T13:00:00+01:00", Some("2026-01-30T12:00:00Z")),
            ("0s", Some("2026-01-31T12:00:00Z")),
            ("90s", Some("2026-01-31T11:58:30Z")),
            ("15m", Some("2026-01-31T11:45:00Z")),
            ("2h", Some("2026-01-31T10:00:00Z")),
            ("3d", Some("2026-01-28T12:00:00Z")),
            ("1w", Some("2026-01-24T12:00:00Z")),
            ("", None),
            ("h", None),
            ("-2h", None),
            ("2 h", None),
            ("2", None),
            ("2é", None),
            ("yesterday", None),
            ("4294967296s", None),
        ] {
            let expected = read_as.map(|at| at.parse().expect("a time"));
            assert_eq!(read(text, now), expected, "{text:?}");
        }
        let longest = read("4294967295w", now).expect("it is read");
        assert!(longest < now, "before all that is known");
    }
}
