//! `http:invoke`: a request to any HTTP endpoint.
//!
//! | what happens | error |
//! | --- | --- |
//! | a status of 400 and up | `States.Http.StatusCode.404`, the body as the cause |
//! | no answer, also for 60 seconds | `States.Http.Socket` |
//!
//! AWS takes the request's authorization from an EventBridge connection. There are no connections here:
//! a `ConnectionArn` is taken and not used, so an endpoint that wants authorization answers 401, unless
//! `Headers` bring it.
//!
//! `TestState` shows what went over the wire ([`Exchange`]), in AWS's form. What a connection would add is what
//! `revealSecrets` is for; all that is sent here the definition says, so nothing is hidden.

use std::time::Duration;

use asl::{Data, Failure};
use bytes::Bytes;
use hyper::Method;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Services;
use super::failure::named;
use super::http::header;
use super::parameters::{members, required, text};
use super::sign;
use crate::client::{Answer, address};

/// AWS's own.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

const FORM: &str = "application/x-www-form-urlencoded";

/// What went over the wire, as far as it came.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Exchange {
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Sent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Received>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Sent {
    protocol: String,
    method: String,
    url: String,
    headers: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    body: String,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Received {
    protocol: String,
    status_code: String,
    status_message: String,
    headers: String,
    body: String,
}

/// `[name: value, other: value]`
fn listed<'h>(headers: impl Iterator<Item = (&'h str, &'h str)>) -> String {
    let headers: Vec<_> = headers
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    format!("[{}]", headers.join(", "))
}

/// `http` or `https`; nothing for what is no URL.
fn protocol(url: &str) -> String {
    let uri = address(url).ok();
    let scheme = uri.as_ref().and_then(|uri| uri.scheme_str());
    scheme.unwrap_or_default().to_owned()
}

impl Services {
    /// Sends the request, and writes down what went over the wire if somebody wants to see it.
    pub(super) async fn http_invoke(
        &self,
        parameters: &Value,
        mut seen: Option<&mut Exchange>,
    ) -> Result<Data, Failure> {
        let parameters = members(parameters)?;
        let method = required(&parameters, "Method")?;
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| Failure::runtime(format!("The HTTP method '{method}' is not one")))?;
        let url = with_query(
            required(&parameters, "ApiEndpoint")?,
            parameters.get("QueryParameters"),
        );
        let given = headers(parameters.get("Headers"));
        let mut headers: Vec<_> = given
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let form = is_form(&parameters, &headers);
        let body = match parameters.get("RequestBody") {
            None => String::new(),
            Some(Value::Object(fields)) if form => encoded(fields).join("&"),
            Some(Value::String(text)) if form => text.clone(),
            Some(value) => value.to_string(),
        };
        let typed = headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if !typed && !body.is_empty() {
            headers.push(("content-type", if form { FORM } else { "application/json" }));
        }
        let untold: Vec<_> = self
            .1
            .iter()
            .flat_map(|sent| sent.headers())
            .filter(|(name, _)| {
                !given
                    .iter()
                    .any(|(other, _)| other.eq_ignore_ascii_case(name))
            })
            .collect();
        headers.extend(untold);
        if let Some(seen) = seen.as_deref_mut() {
            seen.request = Some(Sent {
                protocol: protocol(&url),
                method: method.to_string(),
                url: url.clone(),
                headers: listed(headers.iter().copied()),
                body: body.clone(),
            });
        }
        let client = &self.0.client;
        let sent = client.send(method, &url, &headers, Bytes::from(body), ANSWER_LIMIT);
        let answer = sent
            .await
            .map_err(|what| named("States.Http.Socket".to_owned(), what))?;
        let status = answer.status;
        if let Some(seen) = seen {
            let headers = answer.headers.iter();
            let headers = headers.filter_map(|(n, v)| Some((n.as_str(), v.to_str().ok()?)));
            seen.response = Some(Received {
                protocol: protocol(&url),
                status_code: status.as_u16().to_string(),
                status_message: status.canonical_reason().unwrap_or_default().to_owned(),
                headers: listed(headers),
                body: String::from_utf8_lossy(&answer.body).into_owned(),
            });
        }
        if status.is_client_error() || status.is_server_error() {
            let error = format!("States.Http.StatusCode.{}", status.as_u16());
            let cause = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(named(error, cause));
        }
        Ok(result(&answer).into())
    }
}

/// The body goes as a form if the task says so.
fn is_form(parameters: &Map<String, Value>, headers: &[(&str, &str)]) -> bool {
    let transform = parameters.get("Transform").and_then(Value::as_object);
    let encoding = transform.and_then(|transform| text(transform, "RequestBodyEncoding"));
    encoding == Some("URL_ENCODED")
        || headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("content-type") && value.starts_with(FORM)
        })
}

fn headers(given: Option<&Value>) -> Vec<(String, String)> {
    let Some(Value::Object(given)) = given else {
        return Vec::new();
    };
    given
        .iter()
        .flat_map(|(name, value)| texts(value).map(|value| (name.clone(), value)))
        .collect()
}

fn with_query(url: &str, given: Option<&Value>) -> String {
    let Some(Value::Object(given)) = given else {
        return url.to_owned();
    };
    let pairs = encoded(given);
    match pairs.is_empty() {
        true => url.to_owned(),
        false => {
            let first = if url.contains('?') { '&' } else { '?' };
            format!("{url}{first}{}", pairs.join("&"))
        }
    }
}

fn encoded(fields: &Map<String, Value>) -> Vec<String> {
    let pair = |name: &str, value: String| {
        format!("{}={}", sign::encode(name, ""), sign::encode(&value, ""))
    };
    fields
        .iter()
        .flat_map(|(name, value)| texts(value).map(move |value| pair(name, value)))
        .collect()
}

/// A value, or each of a list, as text.
fn texts(value: &Value) -> impl Iterator<Item = String> {
    let values = match value {
        Value::Array(values) => values.as_slice(),
        value => std::slice::from_ref(value),
    };
    values.iter().map(|value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    })
}

fn result(answer: &Answer) -> Value {
    let mut headers = Map::new();
    for name in answer.headers.keys() {
        let values = answer.headers.get_all(name).iter();
        let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
        headers.insert(name.as_str().to_owned(), values.into());
    }
    let said_json = header(&answer.headers, "content-type").is_some_and(|t| t.contains("json"));
    let body = match serde_json::from_slice::<Value>(&answer.body) {
        Ok(value) if said_json => value,
        _ => String::from_utf8_lossy(&answer.body).into(),
    };
    json!({
        "Headers": headers,
        "ResponseBody": body,
        "StatusCode": answer.status.as_u16(),
        "StatusText": answer.status.canonical_reason().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_and_a_form_are_encoded() {
        let query = json!({ "a b": ["1", 2], "c": true });
        assert_eq!(
            with_query("http://h/p?x=y", Some(&query)),
            "http://h/p?x=y&a%20b=1&a%20b=2&c=true"
        );
        assert_eq!(with_query("http://h/p", Some(&json!({}))), "http://h/p");
        let parameters = members(&json!({ "Transform": { "RequestBodyEncoding": "URL_ENCODED" } }));
        assert!(is_form(&parameters.expect("an object"), &[]));
    }
}
