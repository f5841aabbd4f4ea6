//! Engines elsewhere: AWS Step Functions, another Rejoin, or what stands in for them.
//!
//! A route that names an engine takes references for tokens that this server did not make, and its
//! callbacks are delivered over the network. What differs from the engine in this process:
//!
//! - *Nothing is known of a wait* but what the worker said when it registered (`place`), and what the
//!   engine answers. `TaskTimedOut` stands for every way in which a wait can be over; who the execution is
//!   lets `history` tell them apart.
//! - *Every delivery goes through a lane* (`lane`): one for each reference, in which callbacks leave in the
//!   order in which they came, heartbeats too. A place in a lane is a document, stored with the delivery; so
//!   what was acknowledged survives a crash and goes out after it. Lanes do not wait for each other.
//! - *Stored is acknowledged.* If the engine can't be reached the third party hears 202, since sending it
//!   again would help nobody. Should it do so, it is a duplicate.
//! - *An execution that a callback starts* (`starts`) is started there, under its name as often as it takes.
//! - *A circuit breaker* (`breaker`) for each engine: what would fail is not sent.
//!
//! | the engine says (`verdict`) | disposition | the lane |
//! | --- | --- | --- |
//! | yes | delivered, delivered as failure, heartbeat | goes on |
//! | `TaskTimedOut` | late; delivered if the history shows that an earlier attempt did it | goes on |
//! | `TaskDoesNotExist` | late (ended) | goes on |
//! | `InvalidToken` | late if the history shows it; else undeliverable, for good: it is registered wrongly | goes on |
//! | `InvalidOutput`, `ValidationException` | malformed | goes on |
//! | throttling, 5xx, no answer | undeliverable, tried again: 1 s, doubled up to 300 s | waits |
//! | refused credentials | the same, and the breaker opens at once for a minute and more | waits |
//! | `AccessDenied`, anything else | undeliverable, tried again each 1 to 15 minutes; a heartbeat is given up | waits |
//!
//! This module does not know how a callback is read, nor what a request looks like on the wire
//! ([`crate::services`]).

mod breaker;
mod history;
mod judge;
mod lane;
mod place;
mod show;
mod starts;
mod stuck;
mod unreachable;
mod verdict;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::Semaphore;

use self::breaker::Breaker;
pub(super) use self::place::{Told, trace_told};
use super::route::config::RouteConfig;
use super::words::did_you_mean;
use crate::client::Client;
use crate::services::{Environment, StepFunctions};

/// How many requests to one engine are open at a time if the configuration does not say: what one AWS
/// account may send in a second is some hundreds, and a request takes some ten milliseconds.
const CONCURRENCY: usize = 32;
/// How long an answer may take if the configuration does not say.
const TIMEOUT_SECONDS: u32 = 10;
/// A name is a part of a key.
const NAME_BYTES_MAX: usize = 64;

/// `[engines.NAME]` of the configuration: a Step Functions endpoint that routes deliver to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// Where it is; by default `AWS_ENDPOINT_URL_SFN`, `AWS_ENDPOINT_URL`, or AWS itself.
    pub endpoint_url: Option<String>,
    /// The region that requests are signed for; by default `AWS_REGION`, or the server's.
    pub region: Option<String>,
    /// A file with credentials in AWS's form, read anew for each request; by default `AWS_ACCESS_KEY_ID` and
    /// its companions sign.
    pub credentials_file: Option<PathBuf>,
    /// Which credentials of that file; default `default`.
    pub profile: Option<String>,
    /// How many requests are open at a time; default 32.
    pub concurrency: Option<usize>,
    /// How long an answer may take, in seconds of real time; default 10.
    pub timeout_seconds: Option<u32>,
}

/// The engines of the configuration.
#[derive(Default)]
pub(super) struct Engines {
    named: BTreeMap<String, Arc<Remote>>,
    /// There is none in this process.
    alone: bool,
}

/// An engine elsewhere.
pub(super) struct Remote {
    name: String,
    api: StepFunctions,
    breaker: Mutex<Breaker>,
    seats: Semaphore,
    concurrency: usize,
}

impl Engines {
    /// Makes them.
    ///
    /// # Errors
    /// One sentence: which engine, what is wrong, what to do.
    pub fn new(
        configs: &BTreeMap<String, EngineConfig>,
        environment: &Environment,
        client: &Client,
        alone: bool,
    ) -> Result<Engines, String> {
        let mut named = BTreeMap::new();
        for (name, config) in configs {
            let limit = config.timeout_seconds.unwrap_or(TIMEOUT_SECONDS);
            let limit = Duration::from_secs(limit.into());
            let remote = Remote::new(name, config, environment, client, limit)
                .map_err(|what| format!("engine \"{name}\": {what}"))?;
            if let Some(doubt) = remote.api.doubt() {
                crate::log::say!("engine \"{name}\": {doubt}");
            }
            named.insert(name.clone(), Arc::new(remote));
        }
        Ok(Engines { named, alone })
    }

    /// The one of this name, if it is configured.
    pub fn named(&self, name: &str) -> Option<Arc<Remote>> {
        self.named.get(name).cloned()
    }

    /// Checks what a route says of its engine.
    ///
    /// # Errors
    /// One sentence: which route, which key, what instead.
    pub fn check(&self, route: &RouteConfig) -> Result<(), String> {
        let name = &route.name;
        let Some(engine) = &route.engine else {
            if self.alone {
                return Err(format!(
                    "route \"{name}\": it names no `engine`, and `rejoin gateway` has none in its process; write engine = \"NAME\" and [engines.NAME], or run `rejoin serve`"
                ));
            }
            return Ok(());
        };
        if !self.named.contains_key(engine) {
            let known: Vec<&str> = self.named.keys().map(String::as_str).collect();
            let hint = match known.is_empty() {
                true => format!("add [engines.{engine}]"),
                false => did_you_mean(engine, &known),
            };
            return Err(format!(
                "route \"{name}\": `engine` is {engine:?}, which is not configured; {hint}"
            ));
        }
        if let Some(starts) = &route.starts
            && !starts.state_machine.starts_with("arn:")
        {
            return Err(format!(
                "route \"{name}\": `starts.state_machine` is {:?}, and the engine {engine:?} is elsewhere, under an account that is not known here; give the state machine's ARN",
                starts.state_machine
            ));
        }
        if !route.expects.is_empty() || route.registers.is_some() {
            return Err(format!(
                "route \"{name}\": `expects` and `registers` are for tasks that this server hands out, and those of the engine {engine:?} are not; leave them out, and have the worker register (PUT /rejoin/references/{name}/REFERENCE)"
            ));
        }
        Ok(())
    }
}

impl Remote {
    fn new(
        name: &str,
        config: &EngineConfig,
        environment: &Environment,
        client: &Client,
        limit: Duration,
    ) -> Result<Remote, String> {
        let simple = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(simple) {
            return Err(format!(
                "a name is 1 to {NAME_BYTES_MAX} letters, digits, '-', '_' or '.'"
            ));
        }
        let concurrency = config.concurrency.unwrap_or(CONCURRENCY);
        if concurrency == 0 || limit.is_zero() {
            return Err("`concurrency` and `timeout_seconds` are at least 1".into());
        }
        if config.profile.is_some() && config.credentials_file.is_none() {
            return Err("`profile` is for `credentials_file`, which is not there".into());
        }
        let profile = config.profile.as_deref().unwrap_or("default");
        let credentials = config.credentials_file.as_deref();
        let api = StepFunctions::new(
            client.clone(),
            environment,
            config.region.as_deref(),
            config.endpoint_url.as_deref(),
            credentials.map(|path| (path, profile)),
            limit,
        )?;
        Ok(Remote {
            name: name.to_owned(),
            api,
            breaker: Mutex::default(),
            seats: Semaphore::new(concurrency),
            concurrency,
        })
    }
}

/// A part of one, drawn anew each time: for pauses that are not to end all at once.
fn lot() -> f64 {
    let drawn = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(drawn) / f64::from(u32::MAX)
}
