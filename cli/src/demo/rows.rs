//! What is done to the workflow, and what must come of it: DESIGN.md's table.

/// One scenario.
pub struct Row {
    /// Its name in the table.
    pub scenario: &'static str,
    /// The property's `nameOrNumber`, by which the valuation service knows how to misbehave.
    pub property: &'static str,
    /// Whether the workflow demands heartbeats (`HeartbeatSeconds` 10).
    pub heartbeats: bool,
    /// How much time passes.
    pub seconds: i64,
    /// How the execution ends.
    pub status: &'static str,
    /// With which error.
    pub error: Option<&'static str>,
    /// What the gateway makes of each callback, in the order in which they come.
    pub dispositions: &'static [&'static str],
    /// How the descriptions of the alerts begin, in the order in which they are published.
    pub alerts: &'static [&'static str],
}

const TIMED_OUT: Option<&str> = Some("ValuationServiceTimedOut");
const TIMED_OUT_ALERT: &str = "The valuation service timed out";

/// Longer than `HeartbeatSeconds` in all, and never that long without one.
const STEADY: &[&str] = &[
    "heartbeat",
    "heartbeat",
    "heartbeat",
    "heartbeat",
    "delivered",
];

/// All scenarios.
pub const ROWS: &[Row] = &[
    Row {
        scenario: "prompt",
        property: "12",
        heartbeats: false,
        seconds: 60,
        status: "SUCCEEDED",
        error: None,
        dispositions: &["delivered"],
        alerts: &[],
    },
    Row {
        scenario: "no callback",
        property: "No callback",
        heartbeats: false,
        seconds: 60,
        status: "FAILED",
        error: TIMED_OUT,
        dispositions: &[],
        alerts: &[TIMED_OUT_ALERT],
    },
    Row {
        scenario: "late",
        property: "Late callback",
        heartbeats: false,
        seconds: 60,
        status: "FAILED",
        error: TIMED_OUT,
        dispositions: &["late-timed-out"],
        alerts: &[TIMED_OUT_ALERT, "Late callback"],
    },
    Row {
        scenario: "duplicate, identical",
        property: "Duplicate response",
        heartbeats: false,
        seconds: 60,
        status: "SUCCEEDED",
        error: None,
        dispositions: &["delivered", "duplicate-identical"],
        alerts: &["Duplicate callback (identical"],
    },
    Row {
        scenario: "duplicate, contradicting",
        property: "Contradicting duplicate",
        heartbeats: false,
        seconds: 60,
        status: "SUCCEEDED",
        error: None,
        dispositions: &["delivered", "duplicate-contradicting"],
        alerts: &["Duplicate callback (contradict"],
    },
    Row {
        scenario: "failed",
        property: "Failed response",
        heartbeats: false,
        seconds: 60,
        status: "FAILED",
        error: Some("ValuationFailed"),
        dispositions: &["delivered-as-failure"],
        alerts: &["The valuation failed"],
    },
    Row {
        scenario: "unknown reference",
        property: "Unknown reference",
        heartbeats: false,
        seconds: 60,
        status: "FAILED",
        error: TIMED_OUT,
        dispositions: &["unknown-reference"],
        alerts: &["Unknown reference", TIMED_OUT_ALERT],
    },
    Row {
        scenario: "early",
        property: "Early callback",
        heartbeats: false,
        seconds: 60,
        status: "SUCCEEDED",
        error: None,
        dispositions: &["early, then delivered"],
        alerts: &[],
    },
    Row {
        scenario: "malformed",
        property: "Malformed callback",
        heartbeats: false,
        seconds: 60,
        status: "FAILED",
        error: TIMED_OUT,
        dispositions: &["malformed"],
        alerts: &["Malformed callback", TIMED_OUT_ALERT],
    },
    Row {
        scenario: "forged",
        property: "Forged callback",
        heartbeats: false,
        seconds: 60,
        status: "FAILED",
        error: TIMED_OUT,
        dispositions: &["unverified"],
        alerts: &["Unverified callback", TIMED_OUT_ALERT],
    },
    Row {
        scenario: "heartbeats stop",
        property: "Slow heartbeats",
        heartbeats: true,
        seconds: 60,
        status: "FAILED",
        error: TIMED_OUT,
        dispositions: &["heartbeat", "heartbeat", "heartbeat"],
        alerts: &[TIMED_OUT_ALERT],
    },
    Row {
        scenario: "heartbeats go on",
        property: "Steady heartbeats",
        heartbeats: true,
        seconds: 60,
        status: "SUCCEEDED",
        error: None,
        dispositions: STEADY,
        alerts: &[],
    },
    Row {
        scenario: "request rejected",
        property: "Rejected request",
        heartbeats: false,
        seconds: 60,
        status: "FAILED",
        error: Some("ValuationRequestRejected"),
        dispositions: &[],
        alerts: &[],
    },
];
