//! `http:invoke`: a request to any HTTP endpoint.
//!
//! | what happens | error |
//! | --- | --- |
//! | a status of 400 and up | `States.Http.StatusCode.404`, the body as the cause |
//! | no answer, also for 60 seconds | `States.Http.Socket` |
//! | a body that is no text, or is said to be none | `States.Runtime` |
//!
//! As on AWS, each request says who sends it and how much of an answer is wanted (`User-Agent`, `Range`), and a
//! definition can't say otherwise. Some endpoints answer the second with 206 although all of the body is there.
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

/// How much of an answer is asked for: no more fits into a payload.
const RANGE: &str = "bytes=0-262144";

/// The headers that AWS sets itself, whatever the definition says.
const OWN_HEADERS: [&str; 3] = ["host", "user-agent", "range"];

/// What an answer may not have as its content type.
const NO_TEXT: [&str; 4] = ["application/octet-stream", "image/", "video/", "audio/"];

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
        let agent = format!(
            "Amazon|StepFunctions|HttpInvoke|{}",
            self.0.environment.region()
        );
        let given = headers(parameters.get("Headers"));
        let mut headers: Vec<_> = given
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let form = is_form(&parameters, &headers);
        let body = match parameters.get("RequestBody") {
            None => String::new(),
            Some(Value::Object(fields)) if form => {
                encoded(fields, Lists::of(&parameters)?).join("&")
            }
            Some(Value::String(text)) if form => text.clone(),
            Some(value) => value.to_string(),
        };
        let typed = headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if !typed && !body.is_empty() {
            headers.push(("content-type", if form { FORM } else { "application/json" }));
        }
        headers.extend([("User-Agent", &*agent), ("Range", RANGE)]);
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
        result(&answer).map(Data::from)
    }
}

/// How the items of a list stand in a form (`Transform.RequestEncodingOptions.ArrayFormat`).
#[derive(Debug, Clone, Copy, PartialEq)]
enum Lists {
    /// `a[0]=x&a[1]=y`, the default.
    Indices,
    /// `a=x&a=y`, which is what a query has.
    Repeat,
    /// `a=x,y`
    Commas,
    /// `a[]=x&a[]=y`
    Brackets,
    /// `a=["x","y"]`
    None,
}

impl Lists {
    fn of(parameters: &Map<String, Value>) -> Result<Lists, Failure> {
        let options = parameters
            .get("Transform")
            .and_then(|transform| transform.get("RequestEncodingOptions"));
        match options.and_then(|options| options.get("ArrayFormat")) {
            None => Ok(Lists::Indices),
            Some(Value::String(name)) if name == "INDICES" => Ok(Lists::Indices),
            Some(Value::String(name)) if name == "REPEAT" => Ok(Lists::Repeat),
            Some(Value::String(name)) if name == "COMMAS" => Ok(Lists::Commas),
            Some(Value::String(name)) if name == "BRACKETS" => Ok(Lists::Brackets),
            Some(Value::String(name)) if name == "NONE" => Ok(Lists::None),
            Some(other) => Err(Failure::runtime(format!(
                "ArrayFormat is one of INDICES, REPEAT, COMMAS, BRACKETS and NONE, and not {other}"
            ))),
        }
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
    let is_own = |name: &str| OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own));
    given
        .iter()
        .filter(|(name, _)| !is_own(name))
        .flat_map(|(name, value)| texts(value).map(|value| (name.clone(), value)))
        .collect()
}

fn with_query(url: &str, given: Option<&Value>) -> String {
    let Some(Value::Object(given)) = given else {
        return url.to_owned();
    };
    let pairs = encoded(given, Lists::Repeat);
    match pairs.is_empty() {
        true => url.to_owned(),
        false => {
            let first = if url.contains('?') { '&' } else { '?' };
            format!("{url}{first}{}", pairs.join("&"))
        }
    }
}

/// Each field as a part of a query or a form.
fn encoded(fields: &Map<String, Value>, lists: Lists) -> Vec<String> {
    let pair =
        |name: &str, value: &str| format!("{}={}", sign::encode(name, ""), sign::encode(value, ""));
    let mut pairs = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        match (value, lists) {
            (Value::Array(_), Lists::Indices) => pairs.extend(
                texts(value)
                    .enumerate()
                    .map(|(at, item)| pair(&format!("{name}[{at}]"), &item)),
            ),
            (Value::Array(_), Lists::Brackets) => {
                pairs.extend(texts(value).map(|item| pair(&format!("{name}[]"), &item)));
            }
            (Value::Array(_), Lists::Commas) => {
                let items: Vec<String> = texts(value).map(|item| sign::encode(&item, "")).collect();
                pairs.push(format!("{}={}", sign::encode(name, ""), items.join(",")));
            }
            (Value::Array(_), Lists::None) => pairs.push(pair(name, &value.to_string())),
            _ => pairs.extend(texts(value).map(|item| pair(name, &item))),
        }
    }
    pairs
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

fn result(answer: &Answer) -> Result<Value, Failure> {
    let kind = header(&answer.headers, "content-type").unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    if NO_TEXT.iter().any(|no_text| kind.starts_with(no_text)) {
        return Err(Failure::runtime(format!(
            "The response has the content type '{kind}', which an HTTP task can't take"
        )));
    }
    let Ok(text) = std::str::from_utf8(&answer.body) else {
        return Err(Failure::runtime(
            "The body of the response is not a valid string",
        ));
    };
    let mut headers = Map::new();
    for name in answer.headers.keys() {
        let values = answer.headers.get_all(name).iter();
        let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
        headers.insert(name.as_str().to_owned(), values.into());
    }
    let body = match serde_json::from_str::<Value>(text) {
        Ok(value) if kind.contains("json") => value,
        _ => text.into(),
    };
    Ok(json!({
        "Headers": headers,
        "ResponseBody": body,
        "StatusCode": answer.status.as_u16(),
        "StatusText": answer.status.canonical_reason().unwrap_or_default(),
    }))
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

    /// The formats, and their names, are those of AWS's documentation.
    #[test]
    fn a_list_in_a_form_stands_as_the_definition_says() {
        let body = json!({ "a": ["x", 2], "b": "c d" });
        let fields = body.as_object().expect("an object");
        for (format, form) in [
            (json!({}), "a%5B0%5D=x&a%5B1%5D=2&b=c%20d"),
            (
                json!({ "ArrayFormat": "INDICES" }),
                "a%5B0%5D=x&a%5B1%5D=2&b=c%20d",
            ),
            (json!({ "ArrayFormat": "REPEAT" }), "a=x&a=2&b=c%20d"),
            (json!({ "ArrayFormat": "COMMAS" }), "a=x,2&b=c%20d"),
            (
                json!({ "ArrayFormat": "BRACKETS" }),
                "a%5B%5D=x&a%5B%5D=2&b=c%20d",
            ),
            (
                json!({ "ArrayFormat": "NONE" }),
                "a=%5B%22x%22%2C2%5D&b=c%20d",
            ),
        ] {
            let transform = json!({ "Transform": { "RequestEncodingOptions": format } });
            let parameters = members(&transform).expect("an object");
            let lists = Lists::of(&parameters).expect("a format");
            assert_eq!(encoded(fields, lists).join("&"), form, "{transform}");
        }
        let other = json!({ "Transform": { "RequestEncodingOptions": { "ArrayFormat": "X" } } });
        assert!(Lists::of(&members(&other).expect("an object")).is_err());
    }

    #[test]
    fn what_is_no_text_fails_the_execution() {
        let answer = |kind: &'static str, body: &'static [u8]| Answer {
            status: hyper::StatusCode::OK,
            headers: [(
                hyper::header::CONTENT_TYPE,
                hyper::header::HeaderValue::from_static(kind),
            )]
            .into_iter()
            .collect(),
            body: Bytes::from_static(body),
        };
        for (kind, body) in [
            ("image/png", &b"x"[..]),
            ("Application/Octet-Stream", b"x"),
            ("text/plain", b"\xff\xfe"),
        ] {
            let failure = result(&answer(kind, body)).expect_err("it is refused");
            assert_eq!(failure.error.as_deref(), Some("States.Runtime"), "{kind}");
        }
        let kept = result(&answer("text/plain", b"x")).expect("a text");
        assert_eq!(kept["ResponseBody"], "x");
    }
}
