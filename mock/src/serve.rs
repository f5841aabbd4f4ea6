//! Requests in, and what is answered.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::call;
use crate::choose::{Refused, chosen};
use crate::definition::Reply;
use crate::event::{Answered, Asked};
use crate::fault::Fault;
use crate::plan::{Answer, Plan};
use crate::running::Inner;
use crate::said::{Said, half, written};
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

fn refusal(status: StatusCode, why: &str) -> Response<Said> {
    let mut response = Response::new(Said::all(json!({ "message": why }).to_string()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
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
