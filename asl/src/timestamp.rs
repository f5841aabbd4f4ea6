//! Instants, in milliseconds since 1970, the precision that the Step Functions API reports.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This instant plus `milliseconds`; saturates at the end of time.
    pub fn plus_millis(self, milliseconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(milliseconds))
    }

    /// This instant plus `seconds`; saturates at the end of time.
    pub fn plus_seconds(self, seconds: i64) -> Timestamp {
        self.plus_millis(seconds.saturating_mul(1000))
    }

    /// Seconds since 1970 with a fraction, as the AWS JSON protocol writes a timestamp.
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

/// RFC 3339 with milliseconds and `Z`, as in `$$.Execution.StartTime`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// Reads RFC 3339 text; finer than a millisecond is cut off.
impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Timestamp, jiff::Error> {
        Ok(Timestamp(text.parse::<jiff::Timestamp>()?.as_millisecond()))
    }
}

impl Timestamp {
    /// Reads the form that ASL asks for: RFC 3339 with an upper-case `T`, and with `Z` or an offset.
    pub fn from_asl(text: &str) -> Option<Timestamp> {
        let shape = text.as_bytes();
        let upper = shape.get(10) == Some(&b'T') && !text.contains(['z', 't', '[']);
        if upper { text.parse().ok() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    /// The refused forms are recorded on AWS: `test_wait_timestamp_invalid`.
    #[test]
    fn a_timestamp_has_the_form_that_asl_asks_for() {
        for (text, millis) in [
            ("1970-01-01T00:00:01Z", Some(1000)),
            ("1970-01-01T01:00:00.250+01:00", Some(250)),
            ("2016-12-05T21:29:29", None),
            ("2016-12-05 21:29:29Z", None),
            ("05-12-2016T21:29:29Z", None),
            ("2016-12-05T25:29:29Z", None),
            ("2016-12-05t21:29:29z", None),
            ("2016-12-05", None),
            ("", None),
        ] {
            assert_eq!(
                Timestamp::from_asl(text).map(|instant| instant.0),
                millis,
                "{text}"
            );
        }
    }
}
