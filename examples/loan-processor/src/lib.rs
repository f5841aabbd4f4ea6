//! The loan processor: a mortgage workflow that asks an external valuation service for a property's
//! value, parks, and rejoins when the service calls back, whichever way that goes wrong.
//!
//! It is an ordinary Step Functions application. Nothing in the workflow or the function knows that
//! it does not run on AWS, but for the one line that registers the reference.
//!
//! In reading order:
//! - [`DEFINITION`]: the workflow, as the CDK emits it.
//! - [`request`]: the function that asks for a valuation.
//! - [`service`]: the valuation service's stand-in, which goes wrong when it is told to.

pub mod request;
pub mod service;

/// The workflow: waits at most 30 s for the valuation.
pub const DEFINITION: &str = include_str!("../definition.asl.json");

/// The same, and wants a heartbeat every 10 s.
pub const DEFINITION_WITH_HEARTBEATS: &str = include_str!("../definition-heartbeats.asl.json");

/// The state machine's name, which the gateway's route expects references from.
pub const STATE_MACHINE: &str = "LoanProcessor";

/// The name of the state machine with heartbeats.
pub const STATE_MACHINE_WITH_HEARTBEATS: &str = "LoanProcessorWithHeartbeats";

/// The function's name in the definition and in the configuration.
pub const FUNCTION: &str = "request-valuation";

/// The topic's name in the definition and in the configuration.
pub const TOPIC: &str = "LoanErrors";

/// The gateway's route, and the path that it listens on.
pub const ROUTE: &str = "valuation";

/// See [`ROUTE`].
pub const CALLBACK_PATH: &str = "/callbacks/valuation";

/// The configuration of a server that runs all this.
pub const CONFIGURATION: &str = include_str!("../rejoin.toml");
