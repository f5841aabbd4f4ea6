//! Functions: programs that speak the AWS Lambda Runtime API, and URLs.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::clock::Clock;
use crate::http::Client;

/// All functions of a server. Cloning is a reference count.
#[derive(Clone)]
pub struct Functions {}

/// `[functions.NAME]` of the configuration: a program, or a URL.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionConfig {
    /// The program to start, with its arguments.
    #[serde(default)]
    pub program: Option<Vec<String>>,
    /// Or: where to POST the payload.
    #[serde(default)]
    pub url: Option<String>,
    /// Further environment variables for the program.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// After how long an invocation is given up; default 3, as on Lambda, at most 900.
    #[serde(default)]
    pub timeout_seconds: Option<u32>,
    /// How many copies of the program may run at once; default 10.
    #[serde(default)]
    pub copies_max: Option<u32>,
    /// What the program is told of its memory (`AWS_LAMBDA_FUNCTION_MEMORY_SIZE`); default 128.
    #[serde(default)]
    pub memory_mib: Option<u32>,
}

/// What an invocation came to.
#[derive(Debug)]
pub enum Invoked {
    /// The function answered; JSON text.
    Answer {
        /// The payload.
        payload: String,
        /// Lambda's request id.
        request_id: String,
    },
    /// The function failed: what Step Functions makes the error and the cause.
    Failed {
        /// For example the `errorType` that the function reported, or `Sandbox.Timedout`.
        error: String,
        /// Lambda's error object as JSON text.
        cause: String,
    },
}

impl Functions {
    /// Checks the configuration and makes ready; programs start with the first invocation.
    ///
    /// # Errors
    /// One sentence: which function, what is wrong, what to do.
    pub fn new(
        configs: BTreeMap<String, FunctionConfig>,
        region: &str,
        clock: Clock,
        client: Client,
    ) -> Result<Functions, String> {
        let _ = (configs, region, clock, client);
        todo!()
    }

    /// Whether there is such a function.
    pub fn has(&self, name: &str) -> bool {
        let _ = name;
        todo!()
    }

    /// Invokes a function with a payload (JSON text) and waits for its answer. `arn` is what the
    /// function is told it is called as.
    pub async fn invoke(&self, name: &str, arn: &str, payload: &str) -> Invoked {
        let _ = (name, arn, payload);
        todo!()
    }

    /// Ends the programs; for a clean stop.
    pub async fn stop(&self) {
        todo!()
    }
}
