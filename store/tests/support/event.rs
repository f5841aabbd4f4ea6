//! The one place where the store's tests and benchmark make events and snapshots.

use std::sync::Arc;

use asl::{Data, Timestamp};
use engine::{Event, EventKind, FrameId, Identity, Snapshot, WaitId};

/// An event that is told from others by its time.
#[allow(dead_code)] // The benchmark has large ones.
pub fn event(at: i64) -> Event {
    Event {
        at: Timestamp(at),
        frame: FrameId::ROOT,
        kind: EventKind::TaskHeartbeat { wait: WaitId(1) },
    }
}

/// An event with a payload of some bytes.
#[allow(dead_code)] // For large ones, and the benchmark.
pub fn large_event(at: i64, bytes: usize) -> Event {
    let output = Data::from(serde_json::Value::String("x".repeat(bytes)));
    Event {
        at: Timestamp(at),
        frame: FrameId::ROOT,
        kind: EventKind::TaskSubmitted {
            wait: WaitId(1),
            output,
        },
    }
}

/// Some snapshot. Its fields are the engine's own, so it is read from what a store would hold.
#[allow(dead_code)] // The benchmark takes none.
pub fn snapshot() -> Snapshot {
    let identity = Identity {
        arn: Arc::from("arn:aws:states:us-east-1:000000000000:execution:Machine:name"),
        name: Arc::from("name"),
        state_machine_arn: Arc::from("arn:aws:states:us-east-1:000000000000:stateMachine:Machine"),
        state_machine_name: Arc::from("Machine"),
        definition: Arc::from("0123"),
        role_arn: Arc::from("arn:aws:iam::000000000000:role/any"),
        input: Data::from(serde_json::json!({"some": "input"})),
        started_at: Timestamp(1000),
        version: None,
        alias: None,
        map_run: None,
        test_case: None,
        trace_context: None,
        trace_header: None,
    };
    serde_json::from_value(serde_json::json!({
        "identity": identity,
        "status": "Running",
        "closing": null,
        "deadline": null,
        "frames": {},
        "waits": {},
        "next_frame": 1,
        "next_wait": 1,
        "history_events": 5,
        "undelivered": 0,
    }))
    .expect("a snapshot of the engine has these fields")
}
