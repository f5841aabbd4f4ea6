//! Times and spans of time as people write them where they ask for something.

use asl::Timestamp;

/// What such a time looks like, for whoever wrote another one.
pub(crate) const HINT: &str =
    "write a time, 2026-01-31T12:00:00Z, or how long ago, 90s, 15m, 2h, 3d or 1w";

/// A time as it is written, or so long before `now`.
pub(crate) fn read(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let (number, seconds) = split(text)?;
    let number: u32 = number.parse().ok()?;
    Some(now.plus_seconds(-i64::from(number) * seconds))
}

/// What a span of time looks like, for whoever wrote another one.
pub const SPAN_HINT: &str = "write seconds, 30, or a number with a unit, 90s, 15m, 2h, 3d or 1w";

/// A span of time in seconds: a number of them, or one with a unit.
pub fn seconds(text: &str) -> Option<f64> {
    let (number, unit) = split(text).unwrap_or((text, 1));
    let seconds = number.parse::<f64>().ok()? * unit as f64;
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
}

/// The number, and the seconds of its unit.
fn split(text: &str) -> Option<(&str, i64)> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    Some((number, seconds))
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
    #[test]
    fn a_span_may_have_a_unit() {
        for (text, wanted) in [
            ("30", Some(30.0)),
            ("0.5s", Some(0.5)),
            ("90s", Some(90.0)),
            ("15m", Some(900.0)),
            ("1.5h", Some(5400.0)),
            ("365d", Some(31_536_000.0)),
            ("2w", Some(1_209_600.0)),
            // Of which length?
            ("1y", None),
            ("", None),
            ("m", None),
            ("-1", None),
            ("inf", None),
            ("1ü", None),
        ] {
            assert_eq!(seconds(text), wanted, "{text}");
        }
    }
}
