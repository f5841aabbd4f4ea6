//! Step Functions somewhere else: AWS's, another Rejoin, or anything that speaks the same.

use std::path::{Path, PathBuf};
use std::time::Duration;

use asl::Timestamp;
use bytes::Bytes;
use hyper::Method;
use serde_json::Value;

use super::environment::{Credentials, Environment};
use super::http::{Call, json_error};
use super::service::{self, Protocol};
use crate::client::{Client, address};

/// Step Functions at one place, with somebody who signs.
pub struct StepFunctions {
    client: Client,
    environment: Environment,
    credentials: Option<CredentialsFile>,
    limit: Duration,
}

/// A file of AWS's own form, which another program may write anew while the server runs.
#[derive(Debug, Clone)]
struct CredentialsFile {
    path: PathBuf,
    profile: String,
}

/// Why an operation was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There was no answer. What was asked may have been done all the same, unless `never_sent`.
    NoAnswer {
        /// It did not leave this machine.
        never_sent: bool,
        /// One sentence.
        what: String,
    },
    /// The other side says why.
    Said {
        /// The HTTP status.
        status: u16,
        /// For example `TaskTimedOut`.
        code: String,
        /// Its words.
        message: String,
    },
}

impl StepFunctions {
    /// Step Functions at `url`, or where the environment says.
    ///
    /// # Errors
    /// One sentence: what is missing, and what to write.
    pub fn new(
        client: Client,
        environment: &Environment,
        region: Option<&str>,
        url: Option<&str>,
        credentials: Option<(&Path, &str)>,
        limit: Duration,
    ) -> Result<StepFunctions, String> {
        if let Some(url) = url {
            address(url).map_err(|what| format!("`endpoint_url`: {what}"))?;
        }
        let environment = environment.elsewhere(region, &service::STATES, url);
        let credentials = credentials.map(|(path, profile)| CredentialsFile {
            path: path.to_owned(),
            profile: profile.to_owned(),
        });
        if credentials.is_none() && environment.endpoint(&service::STATES).is_none() {
            return Err(
                "it is not known where it is: set `endpoint_url`, or AWS_ENDPOINT_URL_SFN, or, for AWS itself, \
                 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or `credentials_file`)"
                    .into(),
            );
        }
        Ok(StepFunctions {
            client,
            environment,
            credentials,
            limit,
        })
    }

    /// Where requests go.
    pub fn endpoint(&self) -> String {
        let endpoint = self.environment.endpoint(&service::STATES);
        endpoint.unwrap_or_else(|| format!("AWS, {}", self.environment.region()))
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        self.environment.region()
    }

    /// What speaks against requests being taken, as far as can be known before the first one: a sentence.
    pub fn doubt(&self) -> Option<String> {
        match &self.credentials {
            Some(file) => std::fs::read_to_string(&file.path)
                .map_err(|why| why.to_string())
                .and_then(|text| credentials(&text, &file.profile))
                .err()
                .map(|why| format!("{} can't be used: {why}", file.path.display())),
            None if self.environment.credentials().is_none() => Some(
                "there are no credentials, so its requests go unsigned, which another Rejoin takes and AWS does \
                 not; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or `credentials_file`"
                    .into(),
            ),
            None => None,
        }
    }

    /// Does one operation, once.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn ask(&self, operation: &str, request: &Value) -> Result<Value, Refused> {
        let Protocol::Json {
            version, target, ..
        } = service::STATES.protocol
        else {
            unreachable!("Step Functions speaks AWS JSON");
        };
        let environment = self.signing().await?;
        let call = Call {
            service: &service::STATES,
            prefix: service::STATES.id,
            method: Method::POST,
            path: "/",
            query: &[],
            headers: &[
                ("content-type", &format!("application/x-amz-json-{version}")),
                ("x-amz-target", &format!("{target}.{operation}")),
            ],
            body: Bytes::from(request.to_string()),
        };
        let sent = call.send_within(&self.client, environment.as_ref(), self.limit);
        let answer = sent.await.map_err(|failure| {
            let what = failure.cause.unwrap_or_default();
            Refused::NoAnswer {
                never_sent: what.contains("refused the connection")
                    || what.contains("can't be reached")
                    || what.contains("is not known:"),
                what,
            }
        })?;
        if answer.status.is_success() {
            return Ok(serde_json::from_slice(&answer.body).unwrap_or_default());
        }
        let error = json_error(&answer);
        Err(Refused::Said {
            status: error.status,
            code: error.code,
            message: error.message,
        })
    }

    /// The environment with the credentials of now: a file is read each time, since who rotates credentials
    /// only writes it anew.
    async fn signing(&self) -> Result<std::borrow::Cow<'_, Environment>, Refused> {
        let Some(file) = &self.credentials else {
            return Ok(std::borrow::Cow::Borrowed(&self.environment));
        };
        let read = tokio::fs::read_to_string(&file.path).await;
        let found = read
            .map_err(|why| why.to_string())
            .and_then(|text| credentials(&text, &file.profile));
        match found {
            Ok(found) => Ok(std::borrow::Cow::Owned(
                self.environment.clone().signed_by(found),
            )),
            Err(why) => Err(Refused::Said {
                status: 0,
                code: "CredentialsUnavailable".into(),
                message: format!("{} can't be used: {why}", file.path.display()),
            }),
        }
    }
}

/// A moment of an answer: AWS writes seconds as a number, and what stands in for it may write text.
pub fn moment(said: &Value) -> Option<Timestamp> {
    match said {
        Value::String(text) => text.parse().ok(),
        said => Some(Timestamp((said.as_f64()? * 1000.0).round() as i64)),
    }
}

/// The credentials of a profile in a file of AWS's form.
fn credentials(text: &str, profile: &str) -> Result<Credentials, String> {
    let mut here = false;
    let (mut id, mut secret, mut token) = (None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            let name = name.trim();
            here = name == profile || name.strip_prefix("profile ") == Some(profile);
        } else if here && let Some((key, value)) = line.split_once('=') {
            let value = Some(value.trim().to_owned());
            match key.trim() {
                "aws_access_key_id" => id = value,
                "aws_secret_access_key" => secret = value,
                "aws_session_token" => token = value,
                _ => {}
            }
        }
    }
    match (id, secret) {
        (Some(access_key_id), Some(secret_access_key)) => Ok(Credentials {
            access_key_id,
            secret_access_key,
            session_token: token,
        }),
        _ => Err(format!(
            "it has no [{profile}] with aws_access_key_id and aws_secret_access_key"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_numbers_or_text() {
        let rows = [
            (serde_json::json!(1.5), Some(Timestamp(1500))),
            (
                serde_json::json!("2024-01-01T00:00:00.250Z"),
                Some(Timestamp(1_704_067_200_250)),
            ),
            (serde_json::json!("soon"), None),
            (Value::Null, None),
        ];
        for (said, expected) in rows {
            assert_eq!(moment(&said), expected, "{said}");
        }
    }

    #[test]
    fn a_profile_of_a_credentials_file() {
        let text = "[default]\naws_access_key_id = A\naws_secret_access_key=B\n\n# c\n[ops]\naws_access_key_id=C\n\
                    aws_secret_access_key = D=\naws_session_token = E\n";
        let ops = credentials(text, "ops").expect("it is there");
        assert_eq!(
            (ops.access_key_id.as_str(), ops.secret_access_key.as_str()),
            ("C", "D=")
        );
        assert_eq!(ops.session_token.as_deref(), Some("E"));
        let default = credentials(text, "default").expect("it is there");
        assert_eq!(default.session_token, None);
        assert!(credentials(text, "nobody").is_err());
    }

    #[test]
    fn what_aws_will_not_take_is_known_at_the_start() {
        let file = std::env::temp_dir().join(format!("rejoin-profile-{}", uuid::Uuid::new_v4()));
        std::fs::write(
            &file,
            "[ops]\naws_access_key_id=C\naws_secret_access_key=D\n",
        )
        .expect("it can be written");
        let signed = [("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "B")];
        for (variables, profile, doubt) in [
            (&signed[..], None, None),
            (&[], None, Some("there are no credentials")),
            (&[], Some("ops"), None),
            (&signed, Some("nobody"), Some("it has no [nobody]")),
        ] {
            let variables = variables.iter().map(|(name, value)| {
                let (name, value): (&str, &str) = (name, value);
                (name.to_owned(), value.to_owned())
            });
            let api = StepFunctions::new(
                Client::new(),
                &Environment::of(variables),
                None,
                Some("http://127.0.0.1:1"),
                profile.map(|profile| (file.as_path(), profile)),
                Duration::from_secs(1),
            );
            let found = api.expect("it is known where it is").doubt();
            match (doubt, &found) {
                (None, None) => {}
                (Some(part), Some(said)) if said.contains(part) => {}
                _ => panic!("{profile:?}: {found:?}"),
            }
        }
        std::fs::remove_file(&file).expect("it was there");
    }
}
