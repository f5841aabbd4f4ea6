//! That an engine does not answer, and that it does again: an alert each.
//!
//! That the first was told is a document until the second is: the breaker forgets what it knew with a restart,
//! and whoever was woken must not look for ever.

use asl::Timestamp;
use store::{DocumentChange, Expect, Store, Table};

use crate::alerts::{Alert, Kind};
use crate::gateway::record::Delivery;
use crate::gateway::trail;

/// The alert when the breaker opens.
pub(super) fn alert(
    engine: &str,
    endpoint: &str,
    what: &str,
    until: Timestamp,
    found_by: &Delivery,
) -> Alert {
    about(
        engine,
        found_by,
        format!(
            "The engine {engine} ({endpoint}) takes no callbacks: {what}. They are kept, and delivered when it does; the next attempt is at {until}."
        ),
    )
}

/// The alert when it has answered.
pub(super) fn over(engine: &str, endpoint: &str, found_by: &Delivery) -> Alert {
    let description =
        format!("The engine {engine} ({endpoint}) answers again; what was kept goes out.");
    Alert {
        resolved: true,
        next_step: "Nothing has to be done.".into(),
        ..about(engine, found_by, description)
    }
}

/// It names the callback that has found out, whose story has it then.
fn about(engine: &str, found_by: &Delivery, description: String) -> Alert {
    let source = format!("rejoin gateway, engine {engine}");
    Alert {
        delivery_id: Some(found_by.id.clone()),
        trace_id: trail::about(found_by).trace_id,
        ..Alert::new(Kind::EngineUnreachable, source, description)
    }
}

/// Whether it was told that an engine does not answer, and not that it does again.
pub(super) fn is_told(store: &Store, engine: &str) -> bool {
    let key = key(engine);
    let found = store.keys(Table::FailingSink, &key, None, 1, false);
    found.first() == Some(&key)
}

/// What is remembered of such an alert.
pub(super) fn remembered(engine: &str, alert: &Alert) -> DocumentChange {
    DocumentChange {
        table: Table::FailingSink,
        key: key(engine),
        // Several lanes may find out at the same time.
        expect: Expect::Any,
        content: (!alert.resolved).then(Vec::new),
        due: None,
    }
}

/// No topic has such a name.
fn key(engine: &str) -> String {
    format!("\n{engine}")
}
