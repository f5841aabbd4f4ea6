//! Requests in, and what is answered.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::agenda::Agenda;
use crate::call;
use crate::decide::{Decided, decide};
use crate::plan::Answer;
use crate::running::Inner;
use crate::said::{Said, half};

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
        Err(why) => {
            let said = json!({ "message": why.to_string() }).to_string();
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, said);
        }
    };
    let path = head.uri.path();
    let query = head.uri.query().unwrap_or_default();
    let request = call::request(head.method.as_str(), path, query, &head.headers, &body);
    let decided = match decide(&inner, service, request) {
        Ok(decided) => decided,
        Err(refused) => {
            refused.note(&inner, service);
            return refusal(refused.status, refused.body());
        }
    };
    let Decided {
        id,
        at,
        status,
        headers,
        kind,
        text,
        delay,
        manner,
        work,
    } = decided;
    if let Some(work) = work {
        let mut agenda = Agenda::of(&work.plan);
        if work.plan.early {
            work.at_once(&mut agenda).await;
        }
        if agenda.next().is_some() {
            inner.spawn(work.in_time(agenda, busy.clone()));
        }
    }
    if delay > 0 {
        let alarm = inner.clock.alarm(at.plus_millis(delay));
        drop(busy);
        busy = alarm.await;
    }
    let text = match manner {
        Answer::HalfBody => half(&text).to_owned(),
        _ => text,
    };
    inner.settled(id, service, inner.clock.now(), status, &manner, &text);
    let body = match manner {
        Answer::Usual | Answer::Error(_) | Answer::HalfBody => Said::all(text),
        Answer::SlowBody(millis) => {
            let alarm = inner.clock.alarm(inner.clock.now().plus_millis(millis));
            Said::slowly(text, alarm)
        }
        Answer::Never => {
            drop(busy);
            return std::future::pending().await;
        }
        Answer::Reset | Answer::ResetAfterWork => {
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

fn refusal(status: StatusCode, said: String) -> Response<Said> {
    let mut response = Response::new(Said::all(said));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
