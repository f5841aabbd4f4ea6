//! Requests in: which route fits, what goes wrong with it, and what is answered.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use server::clock::Busy;
use server::http::percent_decode;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::call;
use crate::definition::{Choice, Nth, Reply, Route, Segment, Service};
use crate::event::{Answered, Asked};
use crate::fault::Fault;
use crate::plan::{Answer, Plan};
use crate::running::{Inner, can};
use crate::send::Work;
use crate::template::{World, text_of};

/// The most that a request may have.
const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long to wait, in real time, when no connection can be taken: the machine is out of something.
const BREATH: Duration = Duration::from_millis(50);

/// Takes connections for ever.
pub(crate) async fn listen(inner: Arc<Inner>, service: usize, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => inner.spawn(connection(inner.clone(), service, stream)),
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

async fn connection(inner: Arc<Inner>, service: usize, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(Notify::new());
    let answer = service_fn(|request| {
        let (inner, reset) = (inner.clone(), reset.clone());
        async move { Ok::<_, Infallible>(answer(inner, service, &reset, request).await) }
    });
    let mut connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    tokio::select! {
        // An error here is a client that went away; there is nobody to tell.
        _ = &mut connection => {}
        () = reset.notified() => {
            let stream = connection.into_parts().io.into_inner();
            // With nothing to linger for, closing it sends a reset.
            let _ = stream.set_zero_linger();
        }
    }
}

async fn answer(
    inner: Arc<Inner>,
    service: usize,
    reset: &Notify,
    request: Request<Incoming>,
) -> Response<Said> {
    let mut busy = inner.clock.busy();
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, REQUEST_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(why) => return refusal(StatusCode::PAYLOAD_TOO_LARGE, &why.to_string()),
    };
    let path = head.uri.path();
    let query = head.uri.query().unwrap_or_default();
    let request = call::request(head.method.as_str(), path, query, &head.headers, &body);
    let request = match chosen(&inner, service, request) {
        Ok(request) => request,
        Err(refused) => return refused.tell(&inner, service),
    };
    let route = request.route(&inner);
    let plan = Plan::of(route, &request.fault);
    let rendered = match &plan.answer {
        Answer::Error(error) => {
            let template = error.body.as_deref();
            template
                .map_or_else(
                    || Ok(json!({"message": "the service is out of order"})),
                    |template| template.render(&request.world(&inner)),
                )
                .map(|body| (error.status, Vec::new(), Some(body)))
        }
        _ => rendered(&route.reply, &request.world(&inner)),
    };
    let (status, headers, body) = match rendered {
        Ok(rendered) => rendered,
        Err(why) => {
            let refused = Refused {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                why: format!("the mock can't answer {}: {why}", route.name),
                request: request.asked.request.clone(),
            };
            return refused.tell(&inner, service);
        }
    };
    if let Some(key) = request
        .key
        .as_deref()
        .filter(|_| plan.works() && !request.asked.repeated)
    {
        inner.keep_work(service, &route.name, key, &request.reference);
    }
    let (delay, manner) = (route.reply.delay + plan.delay, plan.answer.clone());
    let (repeated, early) = (request.asked.repeated, plan.early);
    let at = request.at;
    let id = inner.asked(request.asked.clone());
    if !repeated && !plan.deeds.is_empty() {
        let work = Work {
            inner: inner.clone(),
            id,
            request,
            plan,
        };
        match early {
            true => work.at_once().await,
            false => inner.spawn(work.in_time(busy.clone())),
        }
    }
    if delay > 0 && !matches!(manner, Answer::Never | Answer::Reset) {
        let alarm = inner.clock.alarm(at.plus_millis(delay));
        drop(busy);
        busy = alarm.await;
    }
    let (kind, text) = written(body);
    let said = |status: Option<u16>, body: &str, remark: Option<&str>| {
        inner.answered(Answered {
            id,
            at: inner.clock.now().to_string(),
            service: inner.service(service).name.clone(),
            status,
            body: body.to_owned(),
            remark: remark.map(str::to_owned),
        });
    };
    let body = match manner {
        Answer::Usual | Answer::Error(_) => {
            said(Some(status), &text, None);
            Said::all(text)
        }
        Answer::HalfBody => {
            let half = half(&text);
            said(Some(status), half, Some("half of its body"));
            Said::all(half.to_owned())
        }
        Answer::SlowBody(millis) => {
            said(
                Some(status),
                &text,
                Some("the second half of its body comes late"),
            );
            let alarm = inner.clock.alarm(inner.clock.now().plus_millis(millis));
            Said::slowly(text, alarm)
        }
        Answer::Never => {
            said(None, "", Some("never answered"));
            drop(busy);
            return std::future::pending().await;
        }
        Answer::Reset | Answer::ResetAfterWork => {
            let remark = match manner {
                Answer::Reset => "connection reset",
                _ => "connection reset after the work was done",
            };
            said(None, "", Some(remark));
            reset.notify_one();
            return std::future::pending().await;
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).expect("statuses are checked as they are read");
    if let Some(kind) = kind {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    for (name, value) in headers {
        response.headers_mut().insert(name, value);
    }
    let length = response.body().length();
    if status != StatusCode::NO_CONTENT.as_u16() {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response
}

/// A request that fits a route, and what is to become of it.
pub(crate) struct Chosen {
    service: usize,
    route: usize,
    pub at: asl::Timestamp,
    key: Option<String>,
    pub reference: String,
    pub fault: Fault,
    pub asked: Asked,
}

impl Chosen {
    pub fn service<'i>(&self, inner: &'i Inner) -> &'i Service {
        inner.service(self.service)
    }

    pub fn route<'i>(&self, inner: &'i Inner) -> &'i Route {
        &inner.service(self.service).routes[self.route]
    }

    /// What its templates see.
    pub fn world<'a>(&'a self, inner: &Inner) -> World<'a> {
        World {
            request: &self.asked.request,
            reference: self.reference.as_str().into(),
            n: self.asked.n.into(),
            body: None,
            now: inner.clock.now(),
            seed: inner
                .seed
                .named(format_args!("{}#{}", self.reference, self.asked.n)),
        }
    }
}

/// A request that the file has no answer for.
struct Refused {
    status: StatusCode,
    why: String,
    request: Arc<Value>,
}

impl Refused {
    fn tell(self, inner: &Inner, service: usize) -> Response<Said> {
        let at = inner.clock.now().to_string();
        let name = inner.service(service).name.clone();
        let id = inner.asked(Asked {
            id: 0,
            at: at.clone(),
            service: name.clone(),
            route: None,
            n: 0,
            fault: Fault::None.word(),
            reference: None,
            repeated: false,
            request: self.request,
            answered: None,
        });
        inner.answered(Answered {
            id,
            at,
            service: name,
            status: Some(self.status.as_u16()),
            body: String::new(),
            remark: Some(self.why.clone()),
        });
        refusal(self.status, &self.why)
    }
}

/// The first route that fits, with all that follows from it.
fn chosen(inner: &Inner, index: usize, request: Value) -> Result<Chosen, Refused> {
    let service = inner.service(index);
    let mut request = Arc::new(request);
    // Routes of one name and key are counted together, and a request is counted once.
    let mut counted: Vec<(&str, String, u64)> = Vec::new();
    let mut paths_fit = false;
    for (at, route) in service.routes.iter().enumerate() {
        let Some(parameters) = fits(route, &request) else {
            continue;
        };
        paths_fit = true;
        Arc::make_mut(&mut request)["params"] = parameters;
        let mut world = World {
            request: &request,
            reference: Value::Null,
            n: Value::Null,
            body: None,
            now: inner.clock.now(),
            seed: inner.seed.named("choice"),
        };
        let trouble = |what: &str, why: String| Refused {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            why: format!("the mock can't read `{what}` of {}: {why}", route.name),
            request: request.clone(),
        };
        let own_key = match &route.key {
            None => None,
            Some(key) => key
                .find(&world)
                .map_err(|why| trouble("key", why))?
                .map(text_of),
        };
        let counts = own_key.clone().unwrap_or_default();
        let known = counted
            .iter()
            .find(|(name, key, _)| *name == route.name && *key == counts);
        let n = match known {
            Some((_, _, n)) => *n,
            None => {
                let n = inner.count(index, &route.name, &counts);
                counted.push((&route.name, counts, n));
                n
            }
        };
        if route
            .request
            .is_some_and(|Nth(from, to)| !(from..=to).contains(&n))
        {
            continue;
        }
        world.n = n.into();
        if let Some(when) = &route.when {
            let holds = when.find(&world).map_err(|why| trouble("when", why))?;
            if holds != Some(Value::Bool(true)) {
                continue;
            }
        }
        let fault = fault(inner, service, route, &world).map_err(|why| trouble("fault", why))?;
        let key = own_key.or_else(|| {
            request["headers"]["idempotency-key"]
                .as_str()
                .map(str::to_owned)
        });
        let done = key
            .as_deref()
            .and_then(|key| inner.work(index, &route.name, key));
        let repeated = done.is_some();
        let reference = done.unwrap_or_else(|| {
            inner
                .seed
                .named(format_args!(
                    "{}\n{}\n{}\n{n}",
                    service.name,
                    route.name,
                    key.as_deref().unwrap_or_default()
                ))
                .id()
        });
        let now = inner.clock.now();
        return Ok(Chosen {
            service: index,
            route: at,
            at: now,
            key,
            fault: fault.clone(),
            asked: Asked {
                id: 0,
                at: now.to_string(),
                service: service.name.clone(),
                route: Some(route.name.clone()),
                n,
                fault: fault.word(),
                reference: Some(reference.clone()),
                repeated,
                request: request.clone(),
                answered: None,
            },
            reference,
        });
    }
    let (method, path) = (text(&request["method"]), text(&request["path"]));
    let mut routes: Vec<&str> = service
        .routes
        .iter()
        .map(|route| route.name.as_str())
        .collect();
    routes.dedup();
    let why = match paths_fit {
        true => format!(
            "no route of {} for {method} {path} fits this request",
            service.name
        ),
        false => format!(
            "{} has no {method} {path}; it has {}",
            service.name,
            routes.join(", ")
        ),
    };
    Err(Refused {
        status: StatusCode::NOT_FOUND,
        why,
        request,
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What the parameters of the route's path stand for, if it is for this method and path.
fn fits(route: &Route, request: &Value) -> Option<Value> {
    if route
        .method
        .as_ref()
        .is_some_and(|method| method != text(&request["method"]))
    {
        return None;
    }
    let mut parameters = serde_json::Map::new();
    let mut there = text(&request["path"]).strip_prefix('/')?.split('/');
    for segment in &route.path {
        let decoded = percent_decode(there.next()?);
        match segment {
            Segment::Fixed(fixed) if *fixed == decoded => {}
            Segment::Parameter(name) if !decoded.is_empty() => {
                parameters.insert(name.clone(), decoded.into());
            }
            _ => return None,
        }
    }
    there.next().is_none().then(|| parameters.into())
}

/// What goes wrong: what was forced, else what the file or the request says.
fn fault(
    inner: &Inner,
    service: &Service,
    route: &Route,
    world: &World<'_>,
) -> Result<Fault, String> {
    if let Some(forced) = inner.forced(&service.name, &route.name) {
        return Ok(forced);
    }
    let named = match &route.fault {
        Choice::Always(fault) => return Ok(fault.clone()),
        Choice::Named(template) => template.find(world)?.map(text_of).unwrap_or_default(),
    };
    match &service.faults {
        // Those of the table were checked as it was read.
        Some(table) => {
            let found = table.iter().find(|(name, _)| *name == named);
            Ok(found.map_or(Fault::None, |(_, fault)| fault.clone()))
        }
        None => {
            let fault = Fault::named(&named).unwrap_or(Fault::None);
            can(&fault, service, route).map(|()| fault)
        }
    }
}

type Rendered = (u16, Vec<(HeaderName, HeaderValue)>, Option<Value>);

fn rendered(reply: &Reply, world: &World<'_>) -> Result<Rendered, String> {
    let mut headers = Vec::new();
    for (name, template) in &reply.headers {
        let value = text_of(template.render(world)?);
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|why| format!("{name}: {why}"))?;
        let value = HeaderValue::from_str(&value)
            .map_err(|_| format!("{name} can't have the value {value:?}"))?;
        headers.push((name, value));
    }
    let body = reply
        .body
        .as_ref()
        .map(|body| body.render(world))
        .transpose()?;
    Ok((reply.status, headers, body))
}

/// A body as it is sent, and its type.
pub(crate) fn written(body: Option<Value>) -> (Option<&'static str>, String) {
    match body {
        None => (None, String::new()),
        Some(Value::String(text)) => (Some("text/plain; charset=utf-8"), text),
        Some(other) => (Some("application/json"), other.to_string()),
    }
}

/// The first half, which of JSON is none.
pub(crate) fn half(text: &str) -> &str {
    &text[..text.floor_char_boundary(text.len() / 2)]
}

fn refusal(status: StatusCode, why: &str) -> Response<Said> {
    let mut response = Response::new(Said::all(json!({ "message": why }).to_string()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

type Alarm = Pin<Box<dyn Future<Output = Busy> + Send>>;

/// A body, at once or in two halves.
struct Said {
    now: Option<Bytes>,
    later: Option<(Alarm, Bytes)>,
}

impl Said {
    fn all(text: String) -> Said {
        Said {
            now: Some(text.into()).filter(|text: &Bytes| !text.is_empty()),
            later: None,
        }
    }

    fn slowly(text: String, alarm: impl Future<Output = Busy> + Send + 'static) -> Said {
        let mut first = Bytes::from(text);
        let rest = first.split_off(first.len() / 2);
        Said {
            now: Some(first).filter(|first| !first.is_empty()),
            later: Some((Box::pin(alarm), rest)),
        }
    }

    fn length(&self) -> usize {
        let later = self.later.as_ref().map_or(0, |(_, rest)| rest.len());
        self.now.as_ref().map_or(0, Bytes::len) + later
    }
}

impl Body for Said {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(now) = self.now.take() {
            return Poll::Ready(Some(Ok(Frame::data(now))));
        }
        let Some((alarm, _)) = &mut self.later else {
            return Poll::Ready(None);
        };
        match alarm.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(_busy) => {
                let rest = self.later.take().map(|(_, rest)| Frame::data(rest));
                Poll::Ready(rest.map(Ok))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.now.is_none() && self.later.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length() as u64)
    }
}
