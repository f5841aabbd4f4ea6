//! The one place that knows how events, snapshots and documents look as bytes.
