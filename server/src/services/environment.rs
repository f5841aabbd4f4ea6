//! Where other services are, and as whom they are called: the variables that every AWS SDK reads.
//!
//! | variable | what it says |
//! | --- | --- |
//! | `AWS_ENDPOINT_URL_SERVICE` | where this one service is, for example `AWS_ENDPOINT_URL_SQS` |
//! | `AWS_ENDPOINT_URL` | where all others are |
//! | `AWS_REGION`, `AWS_DEFAULT_REGION` | the region that requests are signed for |
//! | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` | the credentials |
//!
//! With credentials and without an endpoint it is AWS itself. With an endpoint and without credentials
//! requests go unsigned: a stand-in does not mind. With neither, nothing is sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::service::Service;
use crate::actors::{Actors, Nearby};
use crate::gateway::EngineConfig;
use crate::logs::LogsTo;
use crate::mocks::Mocks;
use crate::telemetry::Export;

const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// What the variables say.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    region: Option<String>,
    credentials: Option<Credentials>,
    endpoint: Option<String>,
    /// Where the logs of executions go, if not where the variables say.
    logs: Option<LogsTo>,
    /// By the part of the variable's name that names the service, for example `SQS`.
    endpoints: BTreeMap<String, String>,
    buckets: Option<PathBuf>,
    engines: Arc<BTreeMap<String, EngineConfig>>,
    mocks: Option<Arc<Mocks>>,
    telemetry: Option<Arc<Export>>,
    actors: Option<Arc<dyn Actors>>,
    nearby: Option<Arc<dyn Nearby>>,
}

/// Who signs.
#[derive(Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl Environment {
    /// Reads variables; those that are empty count as not set.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Environment {
        let mut variables: BTreeMap<String, String> = variables
            .into_iter()
            .filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty())
            .collect();
        let access_key_id = variables.remove("AWS_ACCESS_KEY_ID");
        let secret_access_key = variables.remove("AWS_SECRET_ACCESS_KEY");
        let session_token = variables.remove("AWS_SESSION_TOKEN");
        let credentials =
            access_key_id
                .zip(secret_access_key)
                .map(|(access_key_id, secret_access_key)| Credentials {
                    access_key_id,
                    secret_access_key,
                    session_token,
                });
        let region = variables
            .remove("AWS_REGION")
            .or_else(|| variables.remove("AWS_DEFAULT_REGION"));
        let endpoint = variables.remove(ENDPOINT);
        let endpoints = variables
            .into_iter()
            .filter_map(|(name, url)| {
                let service = name.strip_prefix(ENDPOINT)?.strip_prefix('_')?;
                Some((service.to_owned(), url))
            })
            .collect();
        Environment {
            region,
            credentials,
            endpoint,
            logs: None,
            endpoints,
            buckets: None,
            engines: Arc::default(),
            mocks: None,
            telemetry: None,
            actors: None,
            nearby: None,
        }
    }

    /// Sends the logs of executions somewhere else than to CloudWatch Logs.
    pub fn logging_to(mut self, to: Option<LogsTo>) -> Environment {
        self.logs = to;
        self
    }

    /// Where the logs of executions go, if not where the variables say.
    pub fn logs(&self) -> Option<&LogsTo> {
        self.logs.as_ref()
    }

    /// Names the folder whose folders stand in for S3's buckets, for the items and results of Maps.
    pub fn with_buckets(mut self, directory: Option<PathBuf>) -> Environment {
        self.buckets = directory;
        self
    }

    /// The folder whose folders stand in for buckets, if there is one.
    pub fn buckets(&self) -> Option<&Path> {
        self.buckets.as_deref()
    }

    /// Names the engines elsewhere that callbacks are delivered to.
    pub fn with_engines(mut self, engines: BTreeMap<String, EngineConfig>) -> Environment {
        self.engines = Arc::new(engines);
        self
    }

    /// The engines elsewhere that callbacks are delivered to.
    pub fn engines(&self) -> &BTreeMap<String, EngineConfig> {
        &self.engines
    }

    /// Names what test cases say instead of services.
    pub fn mocked_by(mut self, mocks: Option<Mocks>) -> Environment {
        self.mocks = mocks.map(Arc::new);
        self
    }

    /// What test cases say instead of services.
    pub fn mocks(&self) -> Option<&Mocks> {
        self.mocks.as_deref()
    }

    /// Names who answers tasks instead of their resources.
    pub fn played_by(mut self, actors: Arc<dyn Actors>) -> Environment {
        self.actors = Some(actors);
        self
    }

    /// Who answers tasks instead of their resources.
    pub(crate) fn actors(&self) -> Option<&dyn Actors> {
        self.actors.as_deref()
    }

    /// Names who answers requests to some places in their stead.
    pub fn beside(mut self, nearby: Arc<dyn Nearby>) -> Environment {
        self.nearby = Some(nearby);
        self
    }

    /// Who answers requests to some places in their stead.
    pub(crate) fn nearby(&self) -> Option<&Arc<dyn Nearby>> {
        self.nearby.as_ref()
    }

    /// Names where spans go.
    pub fn traced_to(mut self, export: Option<Export>) -> Environment {
        self.telemetry = export.map(Arc::new);
        self
    }

    /// Where spans go, if they do.
    pub fn telemetry(&self) -> Option<&Export> {
        self.telemetry.as_deref()
    }

    /// The same environment, seen from another region and with a service at another place.
    pub(crate) fn elsewhere(
        &self,
        region: Option<&str>,
        service: &Service,
        url: Option<&str>,
    ) -> Environment {
        let mut there = self.clone();
        if let Some(region) = region {
            there.region = Some(region.to_owned());
        }
        if let Some(url) = url {
            let variable = service.variables[0].to_owned();
            there.endpoints.insert(variable, url.to_owned());
        }
        there
    }

    /// The same environment, with somebody else who signs.
    pub(crate) fn signed_by(mut self, credentials: Credentials) -> Environment {
        self.credentials = Some(credentials);
        self
    }

    /// Fills in the region if no variable names one.
    pub fn in_region(mut self, region: &str) -> Environment {
        self.region.get_or_insert_with(|| region.to_owned());
        self
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        self.region.as_deref().unwrap_or("us-east-1")
    }

    /// Who signs, if anybody does.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Where the service is, without a slash at the end; `None` if there is nobody to sign for AWS itself.
    pub fn endpoint(&self, service: &Service) -> Option<String> {
        if let Some(url) = self.named(service) {
            return Some(url.trim_end_matches('/').to_owned());
        }
        self.credentials.as_ref()?;
        let region = self.region();
        let suffix = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        Some(format!("https://{}.{region}.{suffix}", service.endpoint))
    }

    /// Whether services can be called at all: a variable says where some are, or somebody signs for AWS.
    pub fn is_somewhere(&self) -> bool {
        self.endpoint.is_some() || !self.endpoints.is_empty() || self.credentials.is_some()
    }

    /// Whether a variable of this one service says where it is.
    pub fn names(&self, service: &Service) -> bool {
        self.own(service).is_some()
    }

    fn named(&self, service: &Service) -> Option<&String> {
        self.own(service).or(self.endpoint.as_ref())
    }

    fn own(&self, service: &Service) -> Option<&String> {
        let mut variables = service.variables.iter();
        variables.find_map(|variable| self.endpoints.get(*variable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::service;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::of(
            variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn a_services_own_variable_wins_over_the_one_for_all() {
        let environment = environment(&[
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1/"),
            ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:2"),
            ("AWS_ENDPOINT_URL_EVENTBRIDGE", "http://127.0.0.1:3"),
            ("AWS_ENDPOINT_URL_SNS", ""),
        ]);
        let at = |service| environment.endpoint(service).expect("an endpoint");
        assert_eq!(at(&service::SQS), "http://127.0.0.1:2");
        assert_eq!(at(&service::EVENTS), "http://127.0.0.1:3");
        assert_eq!(at(&service::SNS), "http://127.0.0.1:1");
        assert_eq!(at(&service::LAMBDA), "http://127.0.0.1:1");
    }

    #[test]
    fn without_an_endpoint_it_is_aws_and_only_with_credentials() {
        let nobody = environment(&[("AWS_REGION", "eu-west-1")]);
        assert_eq!(nobody.endpoint(&service::SQS), None);
        let somebody = environment(&[
            ("AWS_DEFAULT_REGION", "us-west-2"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ]);
        assert_eq!(
            somebody.endpoint(&service::SQS).as_deref(),
            Some("https://sqs.eu-west-1.amazonaws.com")
        );
        assert!(!format!("{somebody:?}").contains("secret\""));
    }
}
