//! `loggingConfiguration`, `tracingConfiguration`, `encryptionConfiguration` and `tags` as they come in,
//! and what of them is accepted.

use serde::Deserialize;

use crate::machines::{
    EncryptionConfiguration, LogDestination, LoggingConfiguration, TracingConfiguration,
};
use crate::tags::Tag;

use super::error::ApiError;
use super::validation::{self, Check};

/// `LogLevel`.
const LOG_LEVELS: &[&str] = &["ALL", "ERROR", "FATAL", "OFF"];
/// `EncryptionType`.
const ENCRYPTION_TYPES: &[&str] = &["AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY"];

/// `loggingConfiguration`, unchecked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Logging {
    level: Option<String>,
    include_execution_data: Option<bool>,
    destinations: Option<Vec<LogDestination>>,
}

impl Logging {
    pub(super) fn constraints(&self, check: &mut Check) {
        if let Some(level) = &self.level {
            check.member_of("loggingConfiguration.level", level, LOG_LEVELS);
        }
        let destinations = self.destinations.iter().flatten();
        for (i, destination) in destinations.enumerate() {
            let group = destination.cloud_watch_logs_log_group.as_ref();
            if let Some(arn) = group.and_then(|group| group.log_group_arn.as_deref()) {
                let at = format!(
                    "loggingConfiguration.destinations.{}.member.cloudWatchLogsLogGroup.logGroupArn",
                    i + 1
                );
                check.length(&at, arn, validation::ARN);
            }
        }
    }

    /// What is left out has a default; whoever wants logs has to say where, once.
    pub(super) fn accept(self) -> Result<LoggingConfiguration, ApiError> {
        let level = self.level.unwrap_or_else(|| "OFF".to_owned());
        let count = self.destinations.as_ref().map_or(0, Vec::len);
        if count > 1 || (level != "OFF" && count == 0) {
            return Err(ApiError::invalid_logging_configuration(
                "Must specify exactly one Log Destination.",
            ));
        }
        Ok(LoggingConfiguration {
            level,
            include_execution_data: self.include_execution_data.unwrap_or(false),
            destinations: self.destinations,
        })
    }
}

/// `tracingConfiguration`, unchecked.
#[derive(Debug, Deserialize)]
pub(super) struct Tracing {
    enabled: Option<bool>,
}

impl Tracing {
    /// It is on or off; neither is a mistake.
    pub(super) fn accept(self) -> Result<TracingConfiguration, ApiError> {
        match self.enabled {
            Some(enabled) => Ok(TracingConfiguration { enabled }),
            None => Err(ApiError::new(
                "InvalidTracingConfiguration",
                "Invalid Tracing Configuration: enabled must be set to true or false",
            )),
        }
    }
}

/// `encryptionConfiguration`, unchecked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Encryption {
    #[serde(rename = "type")]
    kind: Option<String>,
    kms_key_id: Option<String>,
    kms_data_key_reuse_period_seconds: Option<i64>,
}

impl Encryption {
    pub(super) fn constraints(&self, check: &mut Check) {
        if let Some(key) = &self.kms_key_id {
            let at = "encryptionConfiguration.kmsKeyId";
            check.length(at, key, validation::KMS_KEY_ID);
        }
        if let Some(seconds) = self.kms_data_key_reuse_period_seconds {
            let at = "encryptionConfiguration.kmsDataKeyReusePeriodSeconds";
            check.range(at, seconds, 60, 900);
        }
        match &self.kind {
            Some(kind) => check.member_of("encryptionConfiguration.type", kind, ENCRYPTION_TYPES),
            None => check.missing("encryptionConfiguration.type"),
        }
    }

    pub(super) fn accept(self) -> Result<EncryptionConfiguration, ApiError> {
        let kind = self.kind.expect("constraints() reported a missing type");
        if kind == "CUSTOMER_MANAGED_KMS_KEY" && self.kms_key_id.is_none() {
            return Err(ApiError::invalid_encryption_configuration(
                "kmsKeyId is required for CUSTOMER_MANAGED_KMS_KEY",
            ));
        }
        Ok(EncryptionConfiguration {
            kind,
            kms_key_id: self.kms_key_id,
            kms_data_key_reuse_period_seconds: self.kms_data_key_reuse_period_seconds,
        })
    }
}

/// One of `tags`, unchecked.
#[derive(Debug, Deserialize)]
pub(super) struct RawTag {
    key: Option<String>,
    value: Option<String>,
}

pub(super) fn tag_constraints(tags: &[RawTag], check: &mut Check) {
    for (i, tag) in tags.iter().enumerate() {
        let at = |member: &str| format!("tags.{}.member.{member}", i + 1);
        if let Some(key) = &tag.key {
            check.length(&at("key"), key, validation::TAG_KEY);
        }
        if let Some(value) = &tag.value {
            check.length(&at("value"), value, validation::TAG_VALUE);
        }
    }
}

/// The tags with a key; one without a value has the empty one.
pub(super) fn accept_tags(tags: Vec<RawTag>) -> Vec<Tag> {
    let keyed = tags.into_iter().filter_map(|tag| {
        Some(Tag {
            key: tag.key?,
            value: tag.value.unwrap_or_default(),
        })
    });
    crate::tags::with(&[], keyed.collect())
}

/// A resource has to do with so many.
pub(super) fn check_count(tags: &[Tag], arn: &str, most: usize) -> Result<(), ApiError> {
    match tags.len() > most {
        true => Err(ApiError::too_many_tags(arn, most)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logging(json: &str) -> Result<LoggingConfiguration, String> {
        let raw: Logging = serde_json::from_str(json).expect("it is accepted");
        let mut check = Check::new();
        raw.constraints(&mut check);
        check
            .done()
            .and_then(|()| raw.accept())
            .map_err(|e| e.message)
    }

    #[test]
    fn logging_has_defaults_and_one_destination() {
        let one = r#"{"cloudWatchLogsLogGroup":{"logGroupArn":"arn:aws:logs:r:a:log-group:g:*"}}"#;
        assert_eq!(
            logging("{}").expect("it is accepted"),
            LoggingConfiguration::default()
        );
        let off = logging(r#"{"destinations":[]}"#).expect("it is accepted");
        assert_eq!(off.destinations, Some(vec![]));
        let all = logging(&format!(r#"{{"level":"ALL","destinations":[{one}]}}"#))
            .expect("it is accepted");
        assert_eq!(
            (all.level.as_str(), all.include_execution_data),
            ("ALL", false)
        );
        let refusal = "Invalid Logging Configuration: Must specify exactly one Log Destination.";
        let two = format!(r#"{{"level":"ALL","destinations":[{one},{one}]}}"#);
        for bad in [
            r#"{"level":"FATAL"}"#,
            r#"{"level":"ERROR","destinations":[]}"#,
            &two,
        ] {
            assert_eq!(logging(bad).expect_err("it is refused"), refusal);
        }
        assert_eq!(
            logging(r#"{"level":"SOME"}"#).expect_err("it is refused"),
            "1 validation error detected: Value 'SOME' at 'loggingConfiguration.level' failed to \
             satisfy constraint: Member must satisfy enum value set: [ALL, ERROR, FATAL, OFF]"
        );
    }
}
