//! Requests out: to functions, subscribers and other endpoints.
//!
//! HTTP/1.1, plain or over TLS, with connections that are kept and used again. The machine's root
//! certificates are read with the first `https` request, not before: reading them takes longer than
//! all the rest of a server's start, and most servers that a laptop or a test starts never need them.
//!
//! It does not follow redirects and does not try again: whoever sends knows whether that is safe.
//! Its errors leave out a URL's query, which may hold a credential.

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::uri::Scheme;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::actors::{Nearby, Outgoing, Silence};

/// Longer answers are not read to their end: the largest that has a use is a function's, of 6 MB.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A connection unused for this long is closed, before most servers and proxies (60 s and more) do it
/// from their side, which would cost a request.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// Sends requests to functions, subscribers and other endpoints; keeps connections. Cloning is a reference count.
#[derive(Clone)]
pub struct Client(Arc<Connections>);

type Plain = legacy::Client<HttpConnector, Full<Bytes>>;
type Secure = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

struct Connections {
    plain: Plain,
    /// Made with the first `https` request; the error is a sentence.
    secure: OnceLock<Result<Secure, String>>,
    /// Who answers for some places.
    nearby: Option<Arc<dyn Nearby>>,
}

/// What a request came to.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// What a request came to, with a body that may be larger than memory.
#[derive(Debug)]
pub struct Opened {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    place: String,
    limit: Duration,
}

impl Opened {
    /// The next piece of the body; nothing at its end.
    ///
    /// # Errors
    /// One sentence: why it can't be read.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            let Some(frame) = in_time(self.limit, &self.place, async {
                Ok::<_, String>(self.body.frame().await)
            })
            .await?
            else {
                return Ok(None);
            };
            let frame = frame.map_err(|e| unreadable(&self.place, &e))?;
            // What is no data is trailers, which nobody here asks for.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }

    /// The whole body, if it is not too long.
    ///
    /// # Errors
    /// As [`Opened::chunk`].
    pub async fn whole(self) -> Result<Answer, String> {
        let body = Limited::new(self.body, ANSWER_BYTES_MAX).collect();
        let body = in_time(self.limit, &self.place, async {
            let body = body.await;
            body.map_err(|e| unreadable(&self.place, &*e))
        });
        Ok(Answer {
            status: self.status,
            headers: self.headers,
            body: body.await?.to_bytes(),
        })
    }
}

impl Default for Client {
    fn default() -> Client {
        Client::new()
    }
}

impl Client {
    /// A client without connections yet.
    pub fn new() -> Client {
        Client::beside(None)
    }

    /// A client whose requests to some places somebody else answers.
    pub fn beside(nearby: Option<Arc<dyn Nearby>>) -> Client {
        Client(Arc::new(Connections {
            plain: pool().build(connector()),
            secure: OnceLock::new(),
            nearby,
        }))
    }

    /// Sends one request and reads the whole answer, within `limit` of real time.
    ///
    /// # Errors
    /// One sentence: what could not be reached and why.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
        limit: Duration,
    ) -> Result<Answer, String> {
        let uri = address(url)?;
        let place = place(&uri);
        if let Some(nearby) = &self.0.nearby {
            let headers = headers.iter().filter_map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                Some((name, HeaderValue::from_str(value).ok()?))
            });
            let request = Outgoing {
                method: &method,
                url,
                headers: &headers.collect(),
                body: &body,
                limit,
            };
            if let Some(answer) = nearby.request(&request) {
                return answer.await.map_err(|silence| match silence {
                    Silence::Reset => format!("{place} gave no answer: connection reset"),
                    Silence::TooLate => too_late(&place, limit),
                });
            }
        }
        let exchange = async {
            let response = self.exchange(method, uri, &place, headers, body).await?;
            whole(response).await.map_err(|e| unreadable(&place, &*e))
        };
        in_time(limit, &place, exchange).await
    }

    /// Sends one request and leaves the answer's body to be read piece by piece, each of them and the
    /// answer's beginning within `limit` of real time.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn open(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        limit: Duration,
    ) -> Result<Opened, String> {
        let uri = address(url)?;
        let place = place(&uri);
        let exchange = self.exchange(method, uri, &place, headers, Bytes::new());
        let response = in_time(limit, &place, exchange).await?;
        let (head, body) = response.into_parts();
        Ok(Opened {
            status: head.status,
            headers: head.headers,
            body,
            place,
            limit,
        })
    }

    async fn exchange(
        &self,
        method: Method,
        uri: Uri,
        place: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Response<Incoming>, String> {
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|e| format!("the request to {place} can't be written: {e}"))?;
        let response = if secure {
            self.secure()?.request(request).await
        } else {
            self.0.plain.request(request).await
        };
        response.map_err(|e| explain(place, &e))
    }

    fn secure(&self) -> Result<&Secure, String> {
        let made = self.0.secure.get_or_init(|| {
            let mut connector = connector();
            connector.enforce_http(false);
            let roots = HttpsConnectorBuilder::new()
                .with_native_roots()
                .map_err(|e| {
                    format!(
                        "this machine's root certificates can't be read, without which no https \
                         endpoint can be trusted: {e}; install ca-certificates or set SSL_CERT_FILE"
                    )
                })?;
            Ok(pool().build(roots.https_only().enable_http1().wrap_connector(connector)))
        });
        made.as_ref().map_err(Clone::clone)
    }
}

/// Checks that a URL is one that requests can be sent to.
///
/// # Errors
/// One sentence that says what is wrong with it.
pub fn address(url: &str) -> Result<Uri, String> {
    let uri: Uri = url
        .parse()
        .map_err(|e| format!("{url:?} is not a URL: {e}"))?;
    let known = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS);
    if !known || uri.host().is_none_or(str::is_empty) {
        return Err(format!(
            "{url:?} is not a URL of a server; it has to begin with http:// or https:// and a host"
        ));
    }
    Ok(uri)
}

fn pool() -> legacy::Builder {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder
        .pool_idle_timeout(IDLE_CONNECTION)
        .pool_timer(TokioTimer::new());
    builder
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    // Requests are written whole; waiting for more to send only delays the answer.
    connector.set_nodelay(true);
    connector
}

async fn in_time<T>(
    limit: Duration,
    place: &str,
    exchange: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    match tokio::time::timeout(limit, exchange).await {
        Ok(done) => done,
        Err(_) => Err(too_late(place, limit)),
    }
}

fn too_late(place: &str, limit: Duration) -> String {
    format!("{place} did not answer within {} s", limit.as_secs_f64())
}

fn unreadable(place: &str, error: &(dyn Error + 'static)) -> String {
    format!("the answer of {place} can't be read: {}", deepest(error))
}

async fn whole(response: Response<Incoming>) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?;
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body: body.to_bytes(),
    })
}

/// A URL as it may be shown: without the query and without credentials.
fn place(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().map_or(String::new(), |p| format!(":{p}"));
    let scheme = uri.scheme_str().unwrap_or_default();
    format!("{scheme}://{host}{port}{}", uri.path())
}

/// Why a request got no answer, in one sentence.
fn explain(place: &str, error: &legacy::Error) -> String {
    let root = deepest(error);
    if root
        .downcast_ref::<std::io::Error>()
        .is_some_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused)
    {
        return format!("{place} refused the connection: nothing listens there");
    }
    if chain(error).any(|cause| cause.to_string() == "dns error") {
        return format!("the host of {place} is not known: {root}");
    }
    if error.is_connect() {
        return format!("{place} can't be reached: {root}");
    }
    format!("{place} gave no answer: {root}")
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| (*cause).source())
}

fn deepest<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    chain(error).last().unwrap_or(error)
}
