//! Customer managed keys of KMS: whether a key may be used.
//!
//! Nothing is encrypted with them here; disks are the operator's business. But a team that names a key of its
//! own wants to see that a key which is disabled, or that its role may not use, stops its workflows. So where
//! a KMS is named (`AWS_ENDPOINT_URL_KMS`, or `kms` in the configuration), it is asked for a data key as AWS
//! asks it, and the data key is not kept. Where none is named, nobody is asked and every key is good.
//!
//! An answer holds for as long as the configuration lets a data key be used again; a refusal is asked about
//! again each time.

use serde_json::json;

use super::Services;
use super::http::json_error;
use super::service::json_service;
use crate::machines::EncryptionConfiguration;

/// For how long a data key is used if the configuration does not say, as on AWS.
const REUSE_SECONDS: i64 = 300;

/// Why a key may not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRefusal {
    /// KMS says that the caller may not; its words.
    AccessDenied(String),
    /// The key is not in a state to be used.
    InvalidState {
        /// `KmsKeyState`.
        state: &'static str,
        /// KMS's words.
        message: String,
    },
    /// KMS has too much to do; its words.
    Throttled(String),
    /// KMS could not be asked; a sentence for the log.
    NoAnswer(String),
}

impl Services {
    /// Whether anybody is asked about keys.
    pub(crate) fn asks_for_keys(&self) -> bool {
        let kms = json_service("kms").expect("KMS is in the table of services");
        self.0.environment.names(kms)
    }

    /// Asks whether the key of a resource may be used. `context` is what kind of ARN the resource has, and
    /// the ARN: KMS has it in its audit log, and a key's policy may go by it.
    pub(crate) async fn use_key(
        &self,
        encryption: &EncryptionConfiguration,
        context: (&str, &str),
    ) -> Result<(), KeyRefusal> {
        let Some(key) = encryption.kms_key_id.as_deref() else {
            return Ok(());
        };
        if !self.asks_for_keys() {
            return Ok(());
        }
        let now = self.0.clock.now();
        let place = format!("{key} {}", context.1);
        if let Some(until) = self.0.keys.lock().get(&place)
            && now < *until
        {
            return Ok(());
        }
        self.ask_for_key(key, context).await?;
        let seconds = encryption.kms_data_key_reuse_period_seconds;
        let until = now.plus_seconds(seconds.unwrap_or(REUSE_SECONDS));
        let mut keys = self.0.keys.lock();
        keys.retain(|_, until| now < *until);
        keys.insert(place, until);
        Ok(())
    }

    async fn ask_for_key(&self, key: &str, (kind, arn): (&str, &str)) -> Result<(), KeyRefusal> {
        let kms = json_service("kms").expect("KMS is in the table of services");
        let request = json!({
            "KeyId": key,
            "KeySpec": "AES_256",
            "EncryptionContext": { (format!("aws:states:{kind}Arn")): arn },
        });
        let serde_json::Value::Object(request) = request else {
            unreachable!("the request was written as an object");
        };
        let asked = self.json(kms, kms.id, "GenerateDataKey", request).await;
        let answer =
            asked.map_err(|failure| KeyRefusal::NoAnswer(failure.cause.unwrap_or_default()))?;
        if answer.status.is_success() {
            return Ok(());
        }
        let error = json_error(&answer);
        Err(refusal(&error.code, error.message))
    }
}

/// What an error of KMS means for the key.
fn refusal(code: &str, message: String) -> KeyRefusal {
    let state = match code {
        "DisabledException" => "DISABLED",
        "KMSInvalidStateException" if message.contains("pending deletion") => "PENDING_DELETION",
        "KMSInvalidStateException" if message.contains("pending import") => "PENDING_IMPORT",
        "KMSInvalidStateException" if message.contains("creating") => "CREATING",
        "KMSInvalidStateException"
        | "NotFoundException"
        | "KeyUnavailableException"
        | "InvalidKeyUsageException" => "UNAVAILABLE",
        "ThrottlingException" | "LimitExceededException" => return KeyRefusal::Throttled(message),
        "AccessDeniedException" | "InvalidGrantTokenException" => {
            return KeyRefusal::AccessDenied(message);
        }
        _ => return KeyRefusal::NoAnswer(format!("{code}: {message}")),
    };
    KeyRefusal::InvalidState { state, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kms_says_becomes_what_step_functions_says() {
        let state = |code: &str, message: &str| match refusal(code, message.to_owned()) {
            KeyRefusal::InvalidState { state, .. } => state,
            other => panic!("{other:?}"),
        };
        assert_eq!(state("DisabledException", "k is disabled."), "DISABLED");
        let pending = "k is pending deletion.";
        assert_eq!(
            state("KMSInvalidStateException", pending),
            "PENDING_DELETION"
        );
        assert_eq!(state("NotFoundException", "no k"), "UNAVAILABLE");
        let denied = refusal("AccessDeniedException", "no".to_owned());
        assert_eq!(denied, KeyRefusal::AccessDenied("no".to_owned()));
        let throttled = refusal("ThrottlingException", "slow".to_owned());
        assert_eq!(throttled, KeyRefusal::Throttled("slow".to_owned()));
    }
}
