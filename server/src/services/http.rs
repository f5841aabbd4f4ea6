//! One signed request to a service, and what is made of its answer.

use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use serde_json::{Map, Value, json};

use super::environment::Environment;
use super::failure::{self, Reported};
use super::service::Service;
use super::sign::{self, Scope, Signable};
use crate::client::{Answer, Client, Opened, address};
use crate::clock::Clock;
use crate::trace::Sent;

/// The longest that an answer may take in real time; the limit of the task is the engine's to watch.
/// Lambda's functions may run for 15 minutes.
const ANSWER_LIMIT: Duration = Duration::from_secs(960);

/// What is asked of a service.
pub struct Call<'a> {
    /// Whom.
    pub service: &'a Service,
    /// How its errors begin, for example `SQS`.
    pub prefix: &'a str,
    /// `POST`.
    pub method: Method,
    /// Percent-encoded, with the slash at the beginning.
    pub path: &'a str,
    /// Names and values, not encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// Lower-case names and values, beside those that every request has.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: Bytes,
}

impl Call<'_> {
    /// Sends it, signed, as part of a trace if there is one.
    ///
    /// # Errors
    /// The failure of a task whose service can't be reached. An error that the service reports is an answer.
    pub async fn send(
        self,
        client: &Client,
        environment: &Environment,
        trace: Option<&Sent>,
    ) -> Result<Answer, asl::Failure> {
        self.exchange(client, environment, trace, ANSWER_LIMIT)
            .await
    }

    /// Sends it, signed, and waits for the answer for as long as `limit` of real time.
    ///
    /// # Errors
    /// As [`Call::send`].
    pub async fn send_within(
        self,
        client: &Client,
        environment: &Environment,
        limit: Duration,
    ) -> Result<Answer, asl::Failure> {
        self.exchange(client, environment, None, limit).await
    }

    async fn exchange(
        self,
        client: &Client,
        environment: &Environment,
        trace: Option<&Sent>,
        limit: Duration,
    ) -> Result<Answer, asl::Failure> {
        let signed = self.signed(environment)?;
        let cannot = |what: String| failure::unreachable(self.prefix, &what);
        let mut headers: Vec<(&str, &str)> = signed.headers();
        for (name, value) in trace.into_iter().flat_map(Sent::headers) {
            headers.push((name, value));
        }
        let sent = client.send(self.method, &signed.url, &headers, self.body, limit);
        sent.await.map_err(cannot)
    }

    /// Sends it, signed and without a body, and leaves the answer's to be read.
    ///
    /// # Errors
    /// As [`Call::send`].
    pub async fn open(
        self,
        client: &Client,
        environment: &Environment,
    ) -> Result<Opened, asl::Failure> {
        let signed = self.signed(environment)?;
        let cannot = |what: String| failure::unreachable(self.prefix, &what);
        let headers = signed.headers();
        let opened = client.open(self.method, &signed.url, &headers, ANSWER_LIMIT);
        opened.await.map_err(cannot)
    }

    fn signed(&self, environment: &Environment) -> Result<Signed, asl::Failure> {
        let Some(endpoint) = environment.endpoint(self.service) else {
            return Err(failure::no_credentials(
                self.prefix,
                self.service.variables[0],
            ));
        };
        let cannot = |what: String| failure::unreachable(self.prefix, &what);
        let uri = address(&endpoint).map_err(cannot)?;
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let path = format!("{}{}", uri.path().trim_end_matches('/'), self.path);
        let mut url = format!("{}://{host}{path}", uri.scheme_str().unwrap_or("http"));
        if !self.query.is_empty() {
            url.push('?');
            url.push_str(&sign::query(self.query));
        }

        let time = sign::time(Clock::machine_time());
        let body_hash = sign::hash(&self.body);
        let mut headers = self.headers.to_vec();
        headers.push(("x-amz-date", &time));
        if self.service.signing == "s3" {
            headers.push(("x-amz-content-sha256", &body_hash));
        }
        let authorization;
        if let Some(who) = environment.credentials() {
            if let Some(token) = &who.session_token {
                headers.push(("x-amz-security-token", token));
            }
            let mut signed = headers.clone();
            signed.push(("host", host));
            let request = Signable {
                method: self.method.as_str(),
                path: &path,
                query: self.query,
                headers: &signed,
                body_hash: &body_hash,
            };
            let scope = Scope {
                region: environment.region(),
                service: self.service.signing,
                time: &time,
            };
            authorization = sign::authorization(&request, &scope, who);
            headers.push(("authorization", &authorization));
        }
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Ok(Signed {
            headers: headers.into_iter().map(owned).collect(),
            url,
        })
    }
}

/// Where a request goes and what it carries.
struct Signed {
    url: String,
    headers: Vec<(String, String)>,
}

impl Signed {
    fn headers(&self) -> Vec<(&str, &str)> {
        let headers = self.headers.iter();
        headers.map(|(n, v)| (n.as_str(), v.as_str())).collect()
    }
}

/// The error of an answer in JSON: its code is in a header, or in the body's `__type` or `code`.
pub fn json_error(answer: &Answer) -> Reported {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let code = header(&answer.headers, "x-amzn-errortype")
        .or_else(|| text("__type"))
        .or_else(|| text("code"))
        .unwrap_or("UnknownError");
    // `com.amazonaws.sqs#QueueDoesNotExist`, `ResourceNotFoundException:http://...`
    let code = code.rsplit('#').next().unwrap_or(code);
    let code = code.split(':').next().unwrap_or(code);
    let query_code = header(&answer.headers, "x-amzn-query-error")
        .and_then(|both| both.split(';').next())
        .map(str::to_owned);
    Reported {
        status: answer.status.as_u16(),
        code: code.to_owned(),
        query_code,
        message: text("message")
            .or_else(|| text("Message"))
            .unwrap_or_default()
            .to_owned(),
        request_id: request_id(&answer.headers),
        extended_request_id: None,
    }
}

/// The service's request id, or none.
pub fn request_id(headers: &HeaderMap) -> String {
    ["x-amzn-requestid", "x-amz-request-id"]
        .iter()
        .find_map(|name| header(headers, name))
        .unwrap_or("null")
        .to_owned()
}

/// A header that is text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A result of an optimized integration: what the service answered and what the older SDK tells of HTTP.
pub fn with_metadata(mut result: Map<String, Value>, answer: &Answer) -> Value {
    let mut all = Map::new();
    let mut first = Map::new();
    for name in answer.headers.keys() {
        let values: Vec<&str> = answer
            .headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        let Some(value) = values.first() else {
            continue;
        };
        let name = as_sent(name.as_str());
        first.insert(name.to_owned(), (*value).into());
        all.insert(name.to_owned(), values.into());
    }
    first.sort_keys();
    result.insert(
        "SdkHttpMetadata".to_owned(),
        json!({
            "AllHttpHeaders": all,
            "HttpHeaders": first,
            "HttpStatusCode": answer.status.as_u16(),
        }),
    );
    result.insert(
        "SdkResponseMetadata".to_owned(),
        json!({ "RequestId": request_id(&answer.headers) }),
    );
    result.sort_keys();
    Value::Object(result)
}

/// A header's name as AWS writes it; on the way here it lost its capitals.
fn as_sent(name: &str) -> &str {
    match name {
        "connection" => "Connection",
        "content-length" => "Content-Length",
        "content-type" => "Content-Type",
        "date" => "Date",
        "server" => "Server",
        "x-amz-executed-version" => "X-Amz-Executed-Version",
        "x-amz-log-result" => "X-Amz-Log-Result",
        "x-amzn-remapped-content-length" => "x-amzn-Remapped-Content-Length",
        "x-amzn-requestid" => "x-amzn-RequestId",
        "x-amzn-trace-id" => "X-Amzn-Trace-Id",
        name => name,
    }
}
