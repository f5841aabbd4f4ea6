//! What became of a delivery: the closed list.

use hyper::StatusCode;
use serde::{Deserialize, Serialize};

/// What became of one HTTP callback. At any moment a delivery has exactly one, or none yet while it
/// is being delivered.
///
/// Only three go on to another: `early` and `unknown-reference` when their reference is registered
/// or their time is over, `undeliverable` when the engine can be reached again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// It was the wait's result.
    Delivered,
    /// It was the wait's failure.
    DeliveredAsFailure,
    /// It started an execution.
    Started,
    /// It said that the work goes on.
    Heartbeat,
    /// Its reference is not registered yet, and a wait is open that may register it: kept.
    Early,
    /// It says again what was said before.
    DuplicateIdentical,
    /// It says something else than what was said before; the first one counts.
    DuplicateContradicting,
    /// The wait had timed out.
    LateTimedOut,
    /// The wait had ended otherwise: answered by somebody else, or its execution ended.
    LateEnded,
    /// A retry of the state waits now, under a token and reference of its own.
    LateSuperseded,
    /// Nobody registered its reference, and nobody is about to.
    UnknownReference,
    /// Not JSON, or without what the route needs.
    Malformed,
    /// Not known to come from the route's third party: forged, expired, or changed on its way.
    Unverified,
    /// More bytes than the route takes.
    TooLarge,
    /// More callbacks than the route takes from one source.
    RateLimited,
    /// The engine could not be reached; it is tried again.
    Undeliverable,
}

impl Disposition {
    /// All of them, in the order of the documentation.
    pub const ALL: [Disposition; 16] = [
        Disposition::Delivered,
        Disposition::DeliveredAsFailure,
        Disposition::Started,
        Disposition::Heartbeat,
        Disposition::Early,
        Disposition::DuplicateIdentical,
        Disposition::DuplicateContradicting,
        Disposition::LateTimedOut,
        Disposition::LateEnded,
        Disposition::LateSuperseded,
        Disposition::UnknownReference,
        Disposition::Malformed,
        Disposition::Unverified,
        Disposition::TooLarge,
        Disposition::RateLimited,
        Disposition::Undeliverable,
    ];

    /// As written in configuration, alerts and the inbox.
    pub fn name(self) -> &'static str {
        match self {
            Disposition::Delivered => "delivered",
            Disposition::DeliveredAsFailure => "delivered-as-failure",
            Disposition::Started => "started",
            Disposition::Heartbeat => "heartbeat",
            Disposition::Early => "early",
            Disposition::DuplicateIdentical => "duplicate-identical",
            Disposition::DuplicateContradicting => "duplicate-contradicting",
            Disposition::LateTimedOut => "late-timed-out",
            Disposition::LateEnded => "late-ended",
            Disposition::LateSuperseded => "late-superseded",
            Disposition::UnknownReference => "unknown-reference",
            Disposition::Malformed => "malformed",
            Disposition::Unverified => "unverified",
            Disposition::TooLarge => "too-large",
            Disposition::RateLimited => "rate-limited",
            Disposition::Undeliverable => "undeliverable",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Disposition> {
        Disposition::ALL.into_iter().find(|d| d.name() == name)
    }

    /// As a headline of an alert.
    pub fn title(self) -> &'static str {
        match self {
            Disposition::Delivered => "Callback",
            Disposition::DeliveredAsFailure => "Callback with a failure",
            Disposition::Started => "Callback that started an execution",
            Disposition::Heartbeat => "Heartbeat",
            Disposition::Early => "Early callback",
            Disposition::DuplicateIdentical => "Duplicate callback (identical repeat)",
            Disposition::DuplicateContradicting => "Duplicate callback (contradicts the first one)",
            Disposition::LateTimedOut | Disposition::LateEnded | Disposition::LateSuperseded => {
                "Late callback"
            }
            Disposition::UnknownReference => "Unknown reference",
            Disposition::Malformed => "Malformed callback",
            Disposition::Unverified => "Unverified callback",
            Disposition::TooLarge => "Callback too large",
            Disposition::RateLimited => "Callbacks over the rate limit",
            Disposition::Undeliverable => "Undeliverable callback",
        }
    }

    /// What the third party hears.
    pub fn status(self) -> StatusCode {
        match self {
            Disposition::Delivered
            | Disposition::DeliveredAsFailure
            | Disposition::Started
            | Disposition::Heartbeat
            | Disposition::DuplicateIdentical => StatusCode::OK,
            Disposition::Early => StatusCode::ACCEPTED,
            Disposition::Malformed => StatusCode::BAD_REQUEST,
            Disposition::Unverified => StatusCode::UNAUTHORIZED,
            Disposition::UnknownReference => StatusCode::NOT_FOUND,
            Disposition::DuplicateContradicting => StatusCode::CONFLICT,
            Disposition::LateTimedOut | Disposition::LateEnded | Disposition::LateSuperseded => {
                StatusCode::GONE
            }
            Disposition::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Disposition::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Disposition::Undeliverable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether it is to be tried again.
    pub fn is_undeliverable(self) -> bool {
        self == Disposition::Undeliverable
    }

    /// Whether it alerts if the route does not say which do: all do that are not the plain course of things.
    pub fn alerts_by_default(self) -> bool {
        !matches!(
            self,
            Disposition::Delivered
                | Disposition::DeliveredAsFailure
                | Disposition::Started
                | Disposition::Heartbeat
                | Disposition::Early
        )
    }
}
