//! Services that speak AWS JSON: `sqs:sendMessage`, `dynamodb:*`, `events:putEvents`, and their like
//! among `aws-sdk:*`.

use asl::{Data, Failure};
use bytes::Bytes;
use hyper::Method;
use serde_json::{Map, Value, json};

use super::constraints;
use super::failure::{self, Older, Reported};
use super::http::{Call, json_error, with_metadata};
use super::parameters::{as_text, camel, members, pascal, required, text};
use super::service::{Case, DYNAMODB, EVENTS, Protocol, SQS, Service};
use super::{Caller, Services};
use crate::client::Answer;

const DYNAMODB_OLDER: Older = Older {
    prefix: "DynamoDB",
    base: "AmazonDynamoDBException",
    service: "AmazonDynamoDBv2",
};
const SQS_OLDER: Older = Older {
    prefix: "SQS",
    base: "AmazonSQSException",
    service: "AmazonSQS",
};
const EVENTS_OLDER: Older = Older {
    prefix: "EventBridge",
    base: "AmazonEventBridgeException",
    service: "AmazonEventBridge",
};

/// Members that take JSON text, so that an object given for one is written as such.
const TEXTS: &[&str] = &[
    "AssumeRolePolicyDocument",
    "Definition",
    "Input",
    "Message",
    "MessageBody",
    "Output",
    "Policy",
    "PolicyDocument",
    "SecretString",
];

impl Services {
    /// `sqs:sendMessage`.
    pub(super) async fn send_message(&self, parameters: &Value) -> Result<Data, Failure> {
        let mut message = members(parameters)?;
        // The older SDK takes a queue's URL for the place to send to.
        let url = required(&message, "QueueUrl")?;
        let place = url.split_once("://").map_or(url, |(_, place)| place);
        if !url.starts_with("http") || !place.contains('/') {
            let what = format!("{place}: Name or service not known");
            return Err(failure::unreachable(SQS_OLDER.prefix, &what));
        }
        if !message.contains_key("MessageBody") {
            let what = "The request must contain the parameter MessageBody.";
            return Err(Reported::locally("MissingParameter", what).older(&SQS_OLDER));
        }
        as_text(&mut message, "MessageBody");
        self.optimized(&SQS, &SQS_OLDER, "SendMessage", message)
            .await
    }

    /// `dynamodb:getItem`, `putItem`, `updateItem`, `deleteItem`.
    pub(super) async fn item(&self, operation: &str, parameters: &Value) -> Result<Data, Failure> {
        let request = members(parameters)?;
        if let Some(what) = constraints::item(operation, &request) {
            return Err(Reported::locally("ValidationException", what).older(&DYNAMODB_OLDER));
        }
        self.optimized(&DYNAMODB, &DYNAMODB_OLDER, &capital(operation), request)
            .await
    }

    /// `events:putEvents`. An entry that the bus refuses fails the task.
    pub(super) async fn put_events(
        &self,
        caller: &Caller,
        parameters: &Value,
    ) -> Result<Data, Failure> {
        let mut request = members(parameters)?;
        let mut malformed = Vec::new();
        if let Some(Value::Array(entries)) = request.get_mut("Entries") {
            for (index, entry) in entries.iter_mut().enumerate() {
                let Some(members) = entry.as_object_mut() else {
                    continue;
                };
                as_text(members, "Detail");
                told_by(members, caller);
                if is_malformed(members) {
                    malformed.push(index);
                }
            }
            let mut index = 0..;
            entries.retain(|_| {
                index
                    .next()
                    .is_some_and(|index| !malformed.contains(&index))
            });
            if entries.is_empty() && !malformed.is_empty() {
                return Err(failed_entries(Vec::new(), &malformed));
            }
        }
        let result = self
            .optimized(&EVENTS, &EVENTS_OLDER, "PutEvents", request)
            .await?;
        let failed = result.value().get("FailedEntryCount");
        if malformed.is_empty() && failed.and_then(Value::as_u64).unwrap_or(0) == 0 {
            return Ok(result);
        }
        let entries = result.value().get("Entries").and_then(Value::as_array);
        let entries = entries.cloned().unwrap_or_default();
        Err(failed_entries(entries, &malformed))
    }

    /// Puts events that the server itself sends; one that the bus refuses is an error.
    pub(crate) async fn put_event_for(&self, parameters: &Value) -> Result<(), String> {
        let sent = async {
            let request = members(parameters)?;
            let result = self
                .optimized(&EVENTS, &EVENTS_OLDER, "PutEvents", request)
                .await?;
            let failed = result.value().get("FailedEntryCount");
            if failed.and_then(Value::as_u64).unwrap_or(0) == 0 {
                return Ok(());
            }
            let entries = result.value().get("Entries").and_then(Value::as_array);
            Err(failed_entries(entries.cloned().unwrap_or_default(), &[]))
        };
        sent.await.map_err(|failure| failure::said(&failure))
    }

    /// `aws-sdk:*` of a service that speaks AWS JSON.
    pub(super) async fn sdk_json(
        &self,
        service: &Service,
        operation: &str,
        parameters: &Value,
    ) -> Result<Data, Failure> {
        let mut request = members(parameters)?;
        for name in TEXTS {
            as_text(&mut request, name);
        }
        let items = ["getItem", "putItem", "updateItem", "deleteItem"];
        if std::ptr::eq(service, &DYNAMODB)
            && items.contains(&operation)
            && let Some(what) = constraints::item(operation, &request)
        {
            return Err(Reported::locally("ValidationException", what).newer(service.id));
        }
        let answer = self
            .json(service, service.id, &capital(operation), request)
            .await?;
        if !answer.status.is_success() {
            return Err(json_error(&answer).newer(service.id));
        }
        Ok(sdk_result(Value::Object(body(&answer)), case(service)).into())
    }

    async fn optimized(
        &self,
        service: &Service,
        older: &Older,
        operation: &str,
        request: Map<String, Value>,
    ) -> Result<Data, Failure> {
        let answer = self.json(service, older.prefix, operation, request).await?;
        if !answer.status.is_success() {
            return Err(json_error(&answer).older(older));
        }
        Ok(with_metadata(body(&answer), &answer).into())
    }

    pub(super) async fn json(
        &self,
        service: &Service,
        prefix: &str,
        operation: &str,
        request: Map<String, Value>,
    ) -> Result<Answer, Failure> {
        let Protocol::Json {
            version, target, ..
        } = service.protocol
        else {
            unreachable!("only services that speak AWS JSON are called so");
        };
        let request = match case(service) {
            Case::Pascal => Value::Object(request),
            Case::Camel => camel(Value::Object(request)),
        };
        let target = format!("{target}.{operation}");
        let content_type = format!("application/x-amz-json-{version}");
        self.send(Call {
            service,
            prefix,
            method: Method::POST,
            path: "/",
            query: &[],
            headers: &[("content-type", &content_type), ("x-amz-target", &target)],
            body: Bytes::from(request.to_string()),
        })
        .await
    }
}

fn case(service: &Service) -> Case {
    match service.protocol {
        Protocol::Json { case, .. } => case,
        Protocol::Own => Case::Pascal,
    }
}

/// The members of an answer that are not null.
fn body(answer: &Answer) -> Map<String, Value> {
    let members: Map<String, Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
    members
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .collect()
}

/// What `aws-sdk:*` makes of an answer: names with a capital, and moments as text.
pub(super) fn sdk_result(answer: Value, case: Case) -> Value {
    let answer = match case {
        Case::Pascal => answer,
        Case::Camel => pascal(answer),
    };
    moments(answer)
}

/// AWS JSON writes moments as seconds, the result of a task as text.
fn moments(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| {
                let value = match value.as_f64() {
                    Some(seconds) if is_moment(&name, seconds) => {
                        asl::Timestamp((seconds * 1000.0).round() as i64)
                            .to_string()
                            .into()
                    }
                    _ => moments(value),
                };
                (name, value)
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(moments).collect(),
        value => value,
    }
}

/// Without the service's model only the name tells, and that it would be a moment of our time.
fn is_moment(name: &str, seconds: f64) -> bool {
    ["Date", "Time", "Timestamp"]
        .iter()
        .any(|end| name.ends_with(end))
        && (1e8..1e11).contains(&seconds)
}

/// An event tells which execution sent it: AWS adds both ARNs to its `Resources`.
fn told_by(entry: &mut Map<String, Value>, caller: &Caller) {
    let resources = entry
        .entry("Resources")
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(resources) = resources {
        resources.push(Value::from(&*caller.state_machine_arn));
        resources.push(Value::from(&*caller.execution_arn));
    }
}

/// Whether the bus would refuse an entry for its `Detail`, which has to be an object. Such entries are not
/// sent, since not every stand-in looks at them.
fn is_malformed(entry: &Map<String, Value>) -> bool {
    text(entry, "Detail")
        .is_some_and(|detail| serde_json::from_str::<Map<String, Value>>(detail).is_err())
}

/// What the bus said of the entries that were sent, and would have said of the others, in their order.
fn failed_entries(mut said: Vec<Value>, malformed: &[usize]) -> Failure {
    for index in malformed {
        let entry =
            json!({ "ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed." });
        said.insert((*index).min(said.len()), entry);
    }
    let failed = said
        .iter()
        .filter(|entry| entry.get("ErrorCode").is_some())
        .count();
    let cause = json!({ "Entries": said, "FailedEntryCount": failed });
    Failure::new("EventBridge.FailedEntry", cause.to_string())
}

/// An operation as its service names it.
pub(super) fn capital(operation: &str) -> String {
    let mut letters = operation.chars();
    letters
        .next()
        .map(|letter| {
            std::iter::once(letter.to_ascii_uppercase())
                .chain(letters)
                .collect()
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_has_capitals_and_moments_as_text() {
        let answer =
            json!({ "startDate": 1_767_323_045.678, "count": 1_767_323_045, "a": [{ "b": 1 }] });
        assert_eq!(
            sdk_result(answer, Case::Camel),
            json!({
                "StartDate": "2026-01-02T03:04:05.678Z",
                "Count": 1_767_323_045,
                "A": [{ "B": 1 }],
            })
        );
        assert_eq!(capital("putItem"), "PutItem");
    }

    #[test]
    fn an_entry_that_is_malformed_takes_its_place_among_the_others() {
        let entry = |detail: &str| Map::from_iter([("Detail".to_owned(), detail.into())]);
        assert!(is_malformed(&entry("\"text\"")));
        assert!(!is_malformed(&entry("{}")));
        let failure = failed_entries(vec![json!({ "EventId": "1" })], &[0, 2]);
        let cause: Value = serde_json::from_str(&failure.cause.expect("a cause")).expect("JSON");
        assert_eq!(cause["FailedEntryCount"], 2);
        assert_eq!(cause["Entries"][0]["ErrorCode"], "MalformedDetail");
        assert_eq!(cause["Entries"][1]["EventId"], "1");
        assert_eq!(cause["Entries"][2]["ErrorMessage"], "Detail is malformed.");
    }

    #[test]
    fn an_event_tells_which_execution_sent_it() {
        let caller = Caller {
            execution_arn: "E".into(),
            state_machine_arn: "M".into(),
        };
        let mut entry = Map::new();
        entry.insert("Resources".to_owned(), json!(["R"]));
        told_by(&mut entry, &caller);
        assert_eq!(entry["Resources"], json!(["R", "M", "E"]));
    }
}
