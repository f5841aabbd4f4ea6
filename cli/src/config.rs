//! The configuration file: `rejoin.toml`. Every key is in `rejoin.sample.toml`, commented.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use server::alerts::AlertsConfig;
use server::clock::Clock;
use server::functions::FunctionConfig;
use server::gateway::{EngineConfig, RouteConfig};
use server::logs::LogsTo;
use server::quotas::Quotas;
use server::services::Environment;
use server::status_changes::StatusChangeConfig;
use server::telemetry::TelemetryConfig;
use server::topics::TopicConfig;
use server::waits::policy::StuckWaits;

use crate::mocks::MocksConfig;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[server]`.
    pub server: ServerConfig,
    /// `[quotas]`.
    pub quotas: Quotas,
    /// `[functions.NAME]`.
    pub functions: BTreeMap<String, FunctionConfig>,
    /// `[topics.NAME]`.
    pub topics: BTreeMap<String, TopicConfig>,
    /// `[alerts]`.
    pub alerts: AlertsConfig,
    /// `[[status_changes]]`.
    pub status_changes: Vec<StatusChangeConfig>,
    /// `[[routes]]`.
    pub routes: Vec<RouteConfig>,
    /// `[engines.NAME]`.
    pub engines: BTreeMap<String, EngineConfig>,
    /// `[stuck_waits]`.
    pub stuck_waits: StuckWaits,
    /// `[services]`.
    pub services: ServicesConfig,
    /// `[s3]`.
    pub s3: S3Config,
    /// `[logs]`.
    pub logs: LogsConfig,
    /// `[telemetry]`.
    pub telemetry: TelemetryConfig,
    /// `[mocks]`.
    pub mocks: MocksConfig,
}

/// `[s3]`: files instead of S3.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3Config {
    /// The folder whose folders stand in for buckets.
    pub directory: Option<PathBuf>,
}

/// `[logs]`: where `loggingConfiguration` sends an execution's history.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogsConfig {
    /// `cloudwatch`, `stderr`, `nowhere` or `{ file = PATH }`.
    pub to: Option<LogsTo>,
}

/// `[services]`: where tasks find other services; what the AWS variables of the same names say wins.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServicesConfig {
    /// `AWS_ENDPOINT_URL`.
    pub endpoint_url: Option<String>,
    /// `AWS_ENDPOINT_URL_SERVICE`, by the service's name, for example `sqs`.
    pub endpoint_urls: BTreeMap<String, String>,
}

impl ServicesConfig {
    /// The configuration and the variables together.
    pub fn environment(self, variables: impl Iterator<Item = (String, String)>) -> Environment {
        let one = self.endpoint_urls.into_iter().map(|(service, url)| {
            let service = service.to_uppercase().replace('-', "_");
            (format!("AWS_ENDPOINT_URL_{service}"), url)
        });
        let all = self
            .endpoint_url
            .map(|url| ("AWS_ENDPOINT_URL".to_owned(), url));
        let set = variables.filter(|(_, value)| !value.is_empty());
        Environment::of(all.into_iter().chain(one).chain(set))
    }
}

/// `[server]`: what the flags of `rejoin serve` say too; a flag wins.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// `--listen`.
    pub listen: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--clock`.
    pub clock: Option<ClockKind>,
    /// The region in the server's ARNs; default `us-east-1`.
    pub region: Option<String>,
    /// The account in the server's ARNs; default `123456789012`.
    pub account: Option<String>,
    /// `--log-format`.
    pub log_format: Option<LogFormat>,
    /// For how many days ended executions are kept; default 90, as on AWS.
    pub retention_days: Option<u32>,
}

/// Which clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ClockKind {
    /// The machine's.
    Real,
    /// One that stands until it is moved, over `/rejoin/clock`.
    Virtual,
}

/// How lines of the log are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object a line, for machines.
    Json,
}

impl LogFormat {
    /// Writes the log so from now on.
    pub fn begin(self) {
        server::log::write_as(match self {
            LogFormat::Text => server::log::Format::Text,
            LogFormat::Json => server::log::Format::Json,
        });
    }
}

impl ClockKind {
    /// A clock of this kind; a virtual one stands at the machine's time.
    pub fn start(self) -> Clock {
        match self {
            ClockKind::Real => Clock::real(),
            ClockKind::Virtual => Clock::standing_at(Clock::machine_time()),
        }
    }
}

impl Config {
    /// Reads a file. Paths in it are relative to the file's folder.
    ///
    /// # Errors
    /// One sentence: which file, which line, what is wrong.
    pub fn read(path: &Path) -> Result<Config, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| format!("the configuration {} can't be read: {e}", path.display()))?;
        let mut config: Config = toml::from_str(&text).map_err(|fault| {
            format!(
                "the configuration {} is not right, {}; rejoin.sample.toml shows every key",
                path.display(),
                explained(&text, &fault)
            )
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        config.resolve(folder);
        Ok(config)
    }

    /// Makes relative paths relative to `folder`.
    fn resolve(&mut self, folder: &Path) {
        if let Some(directory) = &mut self.server.data_dir {
            *directory = folder.join(&*directory);
        }
        for function in self.functions.values_mut() {
            // A bare name is looked for on the PATH, as a shell would.
            if let Some(program) = function
                .program
                .as_mut()
                .and_then(|program| program.first_mut())
                && program.contains('/')
            {
                *program = folder.join(&*program).to_string_lossy().into_owned();
            }
        }
        for file in self
            .engines
            .values_mut()
            .filter_map(|engine| engine.credentials_file.as_mut())
        {
            *file = folder.join(&*file);
        }
        let verifies = self
            .routes
            .iter_mut()
            .filter_map(|route| route.verify.as_mut());
        for secret in verifies.flat_map(|verify| &mut verify.secrets) {
            secret.relative_to(folder);
        }
        if let Some(file) = &mut self.mocks.file {
            *file = folder.join(&*file);
        }
        self.telemetry.relative_to(folder);
        if let Some(LogsTo::File(path)) = &mut self.logs.to {
            *path = folder.join(&*path);
        }
        for subscriber in self
            .topics
            .values_mut()
            .flat_map(|topic| &mut topic.subscribers)
        {
            subscriber.relative_to(folder);
        }
    }
}

/// Where a fault is and what it is, in one line. The line of the file itself is not shown, and no value out of
/// it: it may be a secret, and this goes to logs.
fn explained(text: &str, fault: &toml::de::Error) -> String {
    let reason = without_value(fault.message());
    let Some(before) = fault.span().and_then(|span| text.get(..span.start)) else {
        return reason;
    };
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |line| line.chars().count())
        + 1;
    format!("line {line}, column {column}: {reason}")
}

/// A reason as serde gives it, `invalid type: string "...", expected a sequence`, without what was found there.
fn without_value(message: &str) -> String {
    /// What is quoted in these is a key.
    const OF_KEYS: [&str; 3] = ["unknown field", "missing field", "duplicate"];
    if OF_KEYS.iter().any(|kind| message.starts_with(kind)) {
        return message.to_owned();
    }
    let (found, expected) = match message.rfind(", expected ") {
        Some(at) => message.split_at(at),
        None => (message, ""),
    };
    let mut quoted = found.split(['"', '`']);
    let kind = quoted.next().unwrap_or_default().trim_end();
    // A word that is as good as one that is known gives nothing away.
    let known = expected.split('`').skip(1).step_by(2);
    let meant = quoted.next().and_then(|word| asl::nearest(word, known));
    match meant {
        Some(meant) => format!("{kind}{expected}; did you mean `{meant}`?"),
        None => format!("{kind}{expected}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_without_a_secret() {
        let route = "[[routes]]\nname = \"r\"\npath = \"/r\"\nreference = \"$.r\"\n";
        for (rest, place, reason) in [
            (
                "verify = { secrets = [\"whsec_SECRET }",
                "line 5, column ",
                "unclosed array, expected `]`",
            ),
            (
                "verify = { scheme = \"bearer\", secrets = [whsec_SECRET] }",
                "line 5, column 42: ",
                "string",
            ),
            (
                "verify = { scheme = \"bearer\", secrets = \"SECRET, expected \\\" x\" }",
                "line 5, column 41: ",
                "invalid type: string, expected a sequence",
            ),
            (
                "verify = { scheme = \"bearer\", secrets = [5346747] }",
                "line 5, column 42: ",
                "expected",
            ),
            (
                "verifi = \"SECRET\"",
                "line 5, column 1: ",
                "unknown field `verifi`",
            ),
            (
                "[topics.t]\nsubscribers = [\"https://hooks.example.com/SECRET\"]",
                "line 6, column 16: ",
                "unknown variant, expected",
            ),
            (
                "[server]\nclock = \"SECRET\"",
                "line 6, column 9: ",
                "unknown variant, expected `real` or `virtual`",
            ),
            (
                "[topics.t]\nsubscribers = [{ fil = \"SECRET\" }]",
                "line 6, column ",
                "did you mean `file`?",
            ),
            (
                "early_keep_seconds = -5346747",
                "line 5, column 22: ",
                "invalid value: integer, expected u32",
            ),
        ] {
            let text = format!("{route}{rest}\n");
            let fault = toml::from_str::<Config>(&text).expect_err("it is not right");
            let said = explained(&text, &fault);
            assert!(said.starts_with(place), "{rest}: {said}");
            assert!(said.contains(reason), "{rest}: {said}");
            assert!(
                !said.contains("SECRET") && !said.contains("5346747"),
                "{rest}: {said}"
            );
        }
    }
}
