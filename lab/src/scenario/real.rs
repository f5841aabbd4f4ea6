//! Who answers a task that a file does not answer. A case that nobody answers is not right, whatever comes of it: the
//! error of a service that is not there would be caught as any other, and the case pass for a wrong reason.
//!
//! | task | answered by |
//! | --- | --- |
//! | a function, a topic | the one that is configured |
//! | `states`, activities | the case's own server |
//! | `http:invoke` | a service of the case; this machine; anybody else only if the file says `real` |
//! | all else | what is configured to stand in for AWS |

use std::net::IpAddr;

use asl::Resource;

use crate::part::Asked;
use crate::world::Settings;

/// Whether somebody answers; `real` if the file says so.
///
/// # Errors
/// A sentence for people: what is asked, and what to do.
pub(super) fn answered(settings: &Settings, task: &Asked, real: bool) -> Result<(), String> {
    let elsewhere = settings.environment.is_somewhere();
    let parameters = task.parameters.value();
    let text = |name: &str| parameters[name].as_str().unwrap_or_default();
    let of_function = |arn: &str| {
        let name = function(arn);
        let there = settings.functions.contains_key(name);
        (format!("the function {name}"), there || elsewhere)
    };
    let (what, there) = match &task.resource {
        Resource::Activity { .. } => return Ok(()),
        Resource::Function { arn } => of_function(arn),
        Resource::Service {
            service, action, ..
        } => match &**service {
            "states" | "aws-sdk:sfn" => return Ok(()),
            "lambda" => of_function(text("FunctionName")),
            "sns" => {
                let topic = [text("TopicArn"), text("TargetArn")].concat();
                let topic = topic.rsplit(':').next().unwrap_or_default();
                let there = settings.topics.contains_key(topic);
                (format!("the topic {topic}"), there || elsewhere)
            }
            "http" => {
                let url = text("ApiEndpoint");
                let services = settings.services.as_ref();
                let played = services.is_some_and(|services| services.mock.at(url).is_some());
                (url.to_owned(), real || played || is_here(url))
            }
            service => (format!("{service}:{action}"), elsewhere),
        },
    };
    match there {
        true => Ok(()),
        false => Err(format!(
            "{} asks {what}, and nothing answers: say under `tasks` what does, or {}",
            task.state,
            match what.starts_with("http") {
                true => "that it is `real`",
                false => "configure it (`config`)",
            }
        )),
    }
}

/// Whether a URL is one of this machine.
fn is_here(url: &str) -> bool {
    let Ok(url) = url.parse::<hyper::Uri>() else {
        return false;
    };
    let host = url.host().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The name of a function, of its ARN or of its name and version.
fn function(arn: &str) -> &str {
    let mut parts = arn.split(':');
    match parts.by_ref().any(|part| part == "function") {
        true => parts.next().unwrap_or(arn),
        false => arn.split(':').next().unwrap_or(arn),
    }
}

#[cfg(test)]
mod tests {
    use super::{function, is_here};

    #[test]
    fn a_function_is_known_by_its_name() {
        for (said, name) in [
            ("pay", "pay"),
            ("pay:1", "pay"),
            ("arn:aws:lambda:us-east-1:123456789012:function:pay", "pay"),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:pay:live",
                "pay",
            ),
            ("123456789012:function:pay", "pay"),
        ] {
            assert_eq!(function(said), name);
        }
    }

    #[test]
    fn only_this_machine_is_here() {
        for (url, here) in [
            ("http://127.0.0.1:8080/a", true),
            ("http://localhost", true),
            ("http://[::1]:80?a", true),
            ("https://example.com/127.0.0.1", false),
            ("https://127.example.com", false),
            ("https://localhost.example.com", false),
            ("https://localhost@example.com", false),
            ("", false),
        ] {
            assert_eq!(is_here(url), here, "{url}");
        }
    }
}
