//! The shell around the engine: HTTP in and out, timers, functions, topics, the callback gateway.
//!
//! The runner's four beats, always in this order: **decide, append, apply, act**. The engine turns a
//! command into events, the store makes them durable, and only then do effects leave the process.
//!
//! This crate does not read flags or configuration files (`cli` does), does not interpret the
//! language (`asl`, `engine` do), and does not know bytes on disk (`store` does).
//!
//! In reading order:
//! - [`app`]: the parts, joined.
//! - [`clock`]: real time, or time that moves only when nothing is in flight.
//! - [`runner`]: the four beats for all executions; `aside`: what takes long; [`dispatch`]: tasks to their
//!   resources; [`express`]: executions that are not stored.
//! - [`scheduler`]: what is due. [`logs`]: what executions leave in CloudWatch Logs.
//!   [`redrives`]: which were redriven; `abandoned`: which nobody waits for any more.
//! - [`machines`], [`versions`], [`activity`], [`activities`]: what executions are made of and work for;
//!   [`registry`]: their documents, kept in memory; [`tags`].
//! - [`quotas`]: how much of everything there may be.
//! - [`http`]: requests in. [`client`]: requests out. [`routes`]: who answers what.
//! - [`executions`], [`time_control`]: what the Step Functions API does not have.
//! - [`api`]: the Step Functions API, one file an operation.
//! - [`functions`]: programs that speak the Lambda Runtime API, and URLs.
//! - [`story`]: all that happened to an execution, a reference or a callback.
//! - [`log`]: what operators read.
//! - [`trace`]: which distributed trace requests belong to. [`telemetry`]: what goes to a collector of traces.
//! - [`topics`]: `sns:publish` and its subscribers.
//! - [`services`]: calls to other services, and to this server itself.
//! - [`mocks`]: what test cases say instead of them. [`actors`]: who plays the outside.
//! - [`alerts`]: what somebody should know. [`status_changes`]: what executions come to.
//! - [`gateway`]: references, callbacks, dispositions.
//! - [`waits`]: which waits are open, and which are stuck. [`metrics`]: what Prometheus is told.

mod abandoned;
pub mod activities;
pub mod activity;
pub mod actors;
pub mod alerts;
pub mod api;
pub mod app;
mod aside;
pub mod client;
pub mod clock;
mod cross_site;
pub mod crowd;
pub mod dispatch;
pub mod executions;
pub mod express;
pub mod functions;
pub mod gateway;
pub mod http;
pub mod items;
pub mod log;
pub mod logs;
pub mod machines;
pub mod map_runs;
pub mod metrics;
pub mod mocks;
pub mod moment;
pub mod quotas;
pub mod redrives;
pub mod registry;
pub mod routes;
pub mod runner;
pub mod scheduler;
pub mod services;
pub mod status_changes;
pub mod story;
pub mod tags;
pub mod telemetry;
pub mod time_control;
pub mod topics;
pub mod trace;
pub mod unstored;
pub mod versions;
pub mod waits;
