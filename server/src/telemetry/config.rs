//! Whether and where spans go: `[telemetry]`, and the variables that every OpenTelemetry SDK reads, which win.
//!
//! | variable | what it says |
//! | --- | --- |
//! | `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | where spans are sent, as it is |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | the same, with `/v1/traces` to be added |
//! | `OTEL_EXPORTER_OTLP_HEADERS` | `name=value,name=value`, percent-encoded; sent with them |
//! | `OTEL_EXPORTER_OTLP_TIMEOUT` | how many milliseconds an answer may take |
//! | `OTEL_EXPORTER_OTLP_COMPRESSION` | `gzip` or `none`: whether they are packed |
//! | `OTEL_EXPORTER_OTLP_PROTOCOL` | `http/json` is the one that is spoken here |
//! | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | who sends them |
//! | `OTEL_BSP_SCHEDULE_DELAY` | how many milliseconds a span waits for others to go with |
//! | `OTEL_TRACES_EXPORTER`, `OTEL_SDK_DISABLED` | `none` and `true`: no spans |
//!
//! Those of `_EXPORTER_OTLP_` have a form for traces alone (`OTEL_EXPORTER_OTLP_TRACES_HEADERS`), which wins. Where an
//! SDK would send to localhost if nothing is said, nothing is sent here: whoever wants spans names an endpoint.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use crate::client::address;
use crate::gateway::verify::secret::SecretSource;
use crate::http::percent_decode;

const PROTOCOL: &str = "http/json";
const SERVICE_NAME: &str = "rejoin";
/// The SDKs' own.
const TIMEOUT: Duration = Duration::from_secs(10);
const DELAY: Duration = Duration::from_secs(5);

/// `[telemetry]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// Where spans are sent, without `/v1/traces`.
    pub endpoint: Option<String>,
    /// Sent with them: a collector's credentials, say.
    pub headers: BTreeMap<String, SecretSource>,
    /// Whether they are packed on their way; not if nothing is said.
    pub compression: Option<Compression>,
    /// Who sends them; `rejoin` if nothing is said.
    pub service_name: Option<String>,
    /// What else is said of who sends them, for example `deployment.environment.name`.
    pub resource_attributes: BTreeMap<String, String>,
}

/// How spans are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// By gzip.
    Gzip,
    /// Not at all.
    None,
}

/// Where spans go and what goes with them.
#[derive(Clone)]
pub struct Export {
    pub(super) url: String,
    /// Of every request.
    pub(super) headers: Vec<(String, String)>,
    pub(super) gzip: bool,
    pub(super) timeout: Duration,
    /// How long a span waits for others to go with.
    pub(super) delay: Duration,
    /// Of whom spans tell.
    pub(super) resource: BTreeMap<String, String>,
}

/// Headers are credentials, and are not shown.
impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Export")
            .field("url", &self.url)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

impl TelemetryConfig {
    /// Makes relative paths relative to `folder`.
    pub fn relative_to(&mut self, folder: &Path) {
        for secret in self.headers.values_mut() {
            secret.relative_to(folder);
        }
    }

    /// The configuration and the variables together; nothing if no spans are to be sent.
    ///
    /// # Errors
    /// One sentence: what is wrong and what to do.
    pub fn export(
        self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Option<Export>, String> {
        // What is empty counts as not set, says the specification.
        let variables: BTreeMap<String, String> = variables
            .filter(|(name, value)| name.starts_with("OTEL_") && !value.trim().is_empty())
            .collect();
        let variable = |name: &str| variables.get(name).map(|value| value.trim());
        let of_traces = |name: &str| {
            variable(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"))
                .or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        let disabled = variable("OTEL_SDK_DISABLED");
        if disabled.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let base = variable("OTEL_EXPORTER_OTLP_ENDPOINT").or(self.endpoint.as_deref());
        let url = match (variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), base) {
            (Some(url), _) => url.to_owned(),
            (None, Some(base)) => format!("{}/v1/traces", base.trim_end_matches('/')),
            (None, None) => return Ok(None),
        };
        match variable("OTEL_TRACES_EXPORTER") {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(other) => {
                return Err(format!(
                    "OTEL_TRACES_EXPORTER is {other:?}, and spans are exported as otlp or not at all; set it to otlp or none"
                ));
            }
        }
        if let Some(other) = of_traces("PROTOCOL").filter(|protocol| *protocol != PROTOCOL) {
            return Err(format!(
                "OTEL_EXPORTER_OTLP_PROTOCOL is {other:?}, and spans are sent as {PROTOCOL} only; set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL={PROTOCOL} and an endpoint that takes it (a collector's has port 4318 as a rule), or OTEL_SDK_DISABLED=true"
            ));
        }
        address(&url).map_err(|what| {
            format!("spans can't be sent: {what}; set OTEL_EXPORTER_OTLP_ENDPOINT or [telemetry] endpoint to a URL such as http://127.0.0.1:4318")
        })?;
        let compression = match of_traces("COMPRESSION") {
            Some("gzip") => Some(Compression::Gzip),
            Some("none") => Some(Compression::None),
            Some(other) => {
                return Err(format!(
                    "OTEL_EXPORTER_OTLP_COMPRESSION is {other:?}, and spans are packed by gzip or not at all; set it to gzip or none"
                ));
            }
            None => self.compression,
        };
        let mut headers = Vec::new();
        for (name, secret) in &self.headers {
            let value = secret
                .read()
                .map_err(|what| format!("the header {name:?} of [telemetry] {what}"))?;
            headers.push((name.clone(), value));
        }
        if let Some(text) = of_traces("HEADERS") {
            for (name, value) in pairs("OTEL_EXPORTER_OTLP_HEADERS", text)? {
                headers.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
                headers.push((name, value));
            }
        }
        for (name, value) in &headers {
            let fits = HeaderName::try_from(name).is_ok() && HeaderValue::try_from(value).is_ok();
            if !fits {
                return Err(format!(
                    "the header {name:?} can't be sent with spans: a name has letters, digits and hyphens, and a value no line breaks"
                ));
            }
        }
        let millis = |name: &str, value: Option<&str>, default: Duration| {
            match value {
            None => Ok(default),
            Some(text) => text.parse().map(Duration::from_millis).map_err(|_| {
                format!("{name} is {text:?}, which is no number of milliseconds; set it to 10000, for example")
            }),
        }
        };
        let timeout = millis("OTEL_EXPORTER_OTLP_TIMEOUT", of_traces("TIMEOUT"), TIMEOUT)?;
        let delay = "OTEL_BSP_SCHEDULE_DELAY";
        let delay = millis(delay, variable(delay), DELAY)?;

        let mut resource = self.resource_attributes;
        if let Some(text) = variable("OTEL_RESOURCE_ATTRIBUTES") {
            resource.extend(pairs("OTEL_RESOURCE_ATTRIBUTES", text)?);
        }
        let named = variable("OTEL_SERVICE_NAME").map(str::to_owned);
        if let Some(name) = named.or(self.service_name) {
            resource.insert("service.name".to_owned(), name);
        }
        resource
            .entry("service.name".to_owned())
            .or_insert_with(|| SERVICE_NAME.to_owned());
        let version = env!("CARGO_PKG_VERSION").to_owned();
        resource
            .entry("service.version".to_owned())
            .or_insert(version);
        Ok(Some(Export {
            url,
            headers,
            gzip: compression == Some(Compression::Gzip),
            timeout,
            delay,
            resource,
        }))
    }
}

impl Export {
    /// Where spans are sent, for people.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// `name=value,name=value`, both percent-encoded. What stands there may be a credential, and is not shown.
fn pairs(variable: &str, text: &str) -> Result<Vec<(String, String)>, String> {
    let members = text
        .split(',')
        .map(str::trim)
        .filter(|member| !member.is_empty());
    members
        .enumerate()
        .map(|(index, member)| {
            let (name, value) = member.split_once('=').ok_or_else(|| {
                format!(
                    "the {}. member of {variable} has no `=`; write name=value,name=value",
                    index + 1
                )
            })?;
            // Properties, behind a semicolon, have no meaning here.
            let value = value.split(';').next().unwrap_or_default();
            Ok((percent_decode(name.trim()), percent_decode(value.trim())))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(
        config: &TelemetryConfig,
        variables: &[(&str, &str)],
    ) -> Result<Option<Export>, String> {
        let owned = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        config.clone().export(owned)
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1/otel/");

    #[test]
    fn spans_go_where_the_variables_say() {
        let config: TelemetryConfig = serde_json::from_value(serde_json::json!({
            "endpoint": "http://127.0.0.1:2", "service_name": "loans",
        }))
        .expect("it is right");
        let none = TelemetryConfig::default();
        let traces = (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://127.0.0.1:3/in",
        );
        for (config, variables, url) in [
            (&none, &[][..], None),
            (&config, &[][..], Some("http://127.0.0.1:2/v1/traces")),
            (
                &config,
                &[ENDPOINT],
                Some("http://127.0.0.1:1/otel/v1/traces"),
            ),
            (&config, &[ENDPOINT, traces], Some("http://127.0.0.1:3/in")),
            (&none, &[ENDPOINT, ("OTEL_SDK_DISABLED", "True")], None),
            (&none, &[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")], None),
            (&none, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], None),
        ] {
            let found = export(config, variables).expect("it is right");
            let found = found.as_ref().map(Export::url);
            assert_eq!(found, url, "{variables:?}");
        }
    }

    #[test]
    fn what_goes_with_them_is_read_as_the_specification_says() {
        let config: TelemetryConfig = serde_json::from_value(serde_json::json!({
            "headers": { "Authorization": "of the file", "x-kept": "1" },
            "resource_attributes": { "deployment.environment.name": "test" },
        }))
        .expect("it is right");
        let variables = [
            ENDPOINT,
            ("OTEL_EXPORTER_OTLP_HEADERS", "ignored=1"),
            (
                "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
                "authorization=Bearer%20a%2Cb , x-two=2;property",
            ),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.name=other,service.namespace=n",
            ),
            ("OTEL_SERVICE_NAME", "loans"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
            ("OTEL_BSP_SCHEDULE_DELAY", "0"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ];
        let found = export(&config, &variables).expect("it is right");
        let found = found.expect("there is an endpoint");
        let headers: Vec<_> = found
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            headers,
            [
                ("x-kept", "1"),
                ("authorization", "Bearer a,b"),
                ("x-two", "2")
            ]
        );
        assert_eq!(
            (found.timeout, found.delay),
            (Duration::from_millis(1500), Duration::ZERO)
        );
        let resource: Vec<_> = found
            .resource
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            resource,
            [
                ("deployment.environment.name", "test"),
                ("service.name", "loans"),
                ("service.namespace", "n"),
                ("service.version", env!("CARGO_PKG_VERSION")),
            ]
        );
        assert!(!format!("{found:?}").contains("Bearer"));
    }

    #[test]
    fn what_is_wrong_is_said_and_no_credential_is_shown() {
        let none = TelemetryConfig::default();
        for (name, value, said) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/json only"),
            (
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
                "http/protobuf",
                "http/json only",
            ),
            ("OTEL_TRACES_EXPORTER", "zipkin", "otlp or none"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "gzip or none"),
            (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "collector:4317",
                "http://",
            ),
            (
                "OTEL_EXPORTER_OTLP_TIMEOUT",
                "10s",
                "no number of milliseconds",
            ),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=b,SECRET", "2. member"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=SECRET%0A", "line breaks"),
        ] {
            let wrong = export(&none, &[ENDPOINT, (name, value)]).expect_err("it is wrong");
            assert!(wrong.contains(said), "{name}={value}: {wrong}");
            assert!(!wrong.contains("SECRET"), "{wrong}");
        }
    }
}
