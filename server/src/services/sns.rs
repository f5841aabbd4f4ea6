//! `sns:publish`: a topic of this server is published to inside, any other with SNS's own protocol,
//! forms in and XML out.

use asl::{Data, Failure};
use bytes::Bytes;
use hyper::Method;
use serde_json::{Map, Value};

use super::Services;
use super::failure::{self, Older};
use super::http::{Call, request_id, with_metadata};
use super::parameters::{as_text, members, text};
use super::service::SNS;
use super::{sign, xml};
use crate::topics::{publish_parameters, publish_result, topic_not_found};

const OLDER: Older = Older {
    prefix: "SNS",
    base: "AmazonSNSException",
    service: "AmazonSNS",
};

impl Services {
    /// Publishes a message.
    pub(super) async fn publish(&self, parameters: &Value) -> Result<Data, Failure> {
        let refused = |(error, cause)| failure::named(error, cause);
        let (topic, mut publish) = publish_parameters(parameters).map_err(refused)?;
        publish.trace = self.1.as_ref().map(|sent| sent.context().clone());
        if self.0.topics.arn(&topic).is_none() && self.0.environment.endpoint(&SNS).is_some() {
            return self.publish_elsewhere(parameters).await;
        }
        match self.0.topics.publish(&topic, publish).await {
            Ok(Some(message_id)) => Ok(publish_result(&message_id).into()),
            Ok(None) => Err(refused(topic_not_found())),
            Err(what) => {
                crate::log::say!("a message could not be stored: {what}");
                Err(Failure::new(
                    "SNS.InternalErrorException",
                    "the message could not be stored",
                ))
            }
        }
    }

    /// Publishes to a topic that is not this server's.
    pub(crate) async fn publish_to_sns(&self, parameters: &Value) -> Result<(), String> {
        let published = self.publish_elsewhere(parameters).await;
        published
            .map(drop)
            .map_err(|failure| failure::said(&failure))
    }

    async fn publish_elsewhere(&self, parameters: &Value) -> Result<Data, Failure> {
        let mut message = members(parameters)?;
        as_text(&mut message, "Message");
        let form = form(&message);
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let answer = self
            .send(Call {
                service: &SNS,
                prefix: OLDER.prefix,
                method: Method::POST,
                path: "/",
                query: &[],
                headers: &[(
                    "content-type",
                    "application/x-www-form-urlencoded; charset=utf-8",
                )],
                body: Bytes::from(sign::query(&form)),
            })
            .await?;
        let body = String::from_utf8_lossy(&answer.body);
        if !answer.status.is_success() {
            let error = failure::Reported {
                status: answer.status.as_u16(),
                code: xml::text(&body, "Code").unwrap_or_default(),
                message: xml::text(&body, "Message").unwrap_or_default(),
                request_id: xml::text(&body, "RequestId")
                    .unwrap_or_else(|| request_id(&answer.headers)),
                ..failure::Reported::default()
            };
            return Err(error.older(&OLDER));
        }
        let result: Map<String, Value> = ["MessageId", "SequenceNumber"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), xml::text(&body, name)?.into())))
            .collect();
        Ok(with_metadata(result, &answer).into())
    }
}

/// The fields of the form.
fn form(message: &Map<String, Value>) -> Vec<(String, String)> {
    let mut form = vec![
        ("Action".to_owned(), "Publish".to_owned()),
        ("Version".to_owned(), "2010-03-31".to_owned()),
    ];
    for name in [
        "TopicArn",
        "TargetArn",
        "PhoneNumber",
        "Message",
        "Subject",
        "MessageStructure",
        "MessageDeduplicationId",
        "MessageGroupId",
    ] {
        form.extend(text(message, name).map(|value| (name.to_owned(), value.to_owned())));
    }
    if let Some(Value::Object(attributes)) = message.get("MessageAttributes") {
        for (number, (name, attribute)) in (1..).zip(attributes) {
            let entry = format!("MessageAttributes.entry.{number}");
            form.push((format!("{entry}.Name"), name.clone()));
            for member in ["DataType", "StringValue", "BinaryValue"] {
                let value = attribute.get(member).and_then(Value::as_str);
                form.extend(
                    value.map(|value| (format!("{entry}.Value.{member}"), value.to_owned())),
                );
            }
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_becomes_a_form() {
        let message = members(&json!({
            "TopicArn": "arn:t",
            "Message": "m",
            "Subject": null,
            "MessageAttributes": { "a": { "DataType": "String", "StringValue": "v" } },
        }))
        .expect("an object");
        let form: Vec<String> = form(&message)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            form,
            [
                "Action=Publish",
                "Version=2010-03-31",
                "TopicArn=arn:t",
                "Message=m",
                "MessageAttributes.entry.1.Name=a",
                "MessageAttributes.entry.1.Value.DataType=String",
                "MessageAttributes.entry.1.Value.StringValue=v",
            ]
        );
    }
}
