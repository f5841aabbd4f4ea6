//! What becomes of a request: all of it is known as soon as it is here, before anything of it is done.

use std::sync::Arc;

use asl::Timestamp;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::choose::{Refused, chosen};
use crate::definition::Reply;
use crate::event::{Answered, Asked};
use crate::fault::Fault;
use crate::plan::{Answer, Plan};
use crate::running::Inner;
use crate::said::written;
use crate::send::Work;
use crate::template::{World, text_of};

/// How a request is answered, and what else follows from it. It is noted already.
pub(crate) struct Decided {
    pub id: u64,
    /// When it came.
    pub at: Timestamp,
    pub status: u16,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body's type.
    pub kind: Option<&'static str>,
    pub text: String,
    /// How long after it came it is answered, in milliseconds.
    pub delay: i64,
    pub manner: Answer,
    /// The callbacks, if there are any.
    pub work: Option<Work>,
}

/// Chooses the route and plans what is to be done.
pub(crate) fn decide(
    inner: &Arc<Inner>,
    service: usize,
    request: Value,
) -> Result<Decided, Refused> {
    let request = chosen(inner, service, request)?;
    let route = request.route(inner);
    let plan = Plan::of(route, &request.fault);
    let rendered = match &plan.answer {
        Answer::Error(error) => error
            .body
            .as_deref()
            .map_or_else(
                || Ok(json!({"message": "the service is out of order"})),
                |template| template.render(&request.world(inner)),
            )
            .map(|body| (error.status, Vec::new(), Some(body))),
        _ => rendered(&route.reply, &request.world(inner)),
    };
    let (status, headers, body) = rendered.map_err(|why| Refused {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        why: format!("the mock can't answer {}: {why}", route.name),
        request: request.asked.request.clone(),
    })?;
    let is_new = !request.asked.repeated;
    if let Some(key) = request.key.as_deref().filter(|_| plan.works() && is_new) {
        inner.keep_work(service, &route.name, key, &request.reference);
    }
    let delay = match plan.answer {
        Answer::Never | Answer::Reset => 0,
        _ => route.reply.delay + plan.delay,
    };
    let (at, manner) = (request.at, plan.answer.clone());
    let id = inner.asked(request.asked.clone());
    let (kind, text) = written(body);
    let work = (is_new && !plan.deeds.is_empty()).then(|| Work {
        inner: inner.clone(),
        id,
        request,
        plan,
    });
    Ok(Decided {
        id,
        at,
        status,
        headers,
        kind,
        text,
        delay,
        manner,
        work,
    })
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

impl Refused {
    /// Notes that it came, and what it was told.
    pub fn note(&self, inner: &Inner, service: usize) {
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
            request: self.request.clone(),
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
    }

    /// What the client is told.
    pub fn body(&self) -> String {
        json!({ "message": self.why }).to_string()
    }
}
