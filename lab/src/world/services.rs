//! The services of a case: they are played on the world's clock, and what they call back comes to the server's door
//! when it is due, in the order of everything else that the outside does. Nobody is called who is not of the case.

use std::net::TcpListener;
use std::sync::Arc;

use asl::Timestamp;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use mock::played::{Callback, Callbacks, Given, Ready, Request};
use mock::{Fault, Mock, Played};
use serde_json::Value;
use server::actors::{Answering, Nearby, Outgoing, Silence};
use server::client::Answer;
use server::clock::{Clock, let_time_go};
use tokio::sync::oneshot;

use super::{About, Due, Outside, Stagehand, World};
use crate::part::{Asked, Part};
use crate::seen::{Done, Served};

/// What ids and references are made from: the same in every run.
const SEED: u64 = 1;

/// Services that are played, and what each does wrong in this case.
#[derive(Clone)]
pub struct Services {
    /// The services.
    pub mock: Mock,
    /// What they do wrong whatever is asked, by the service's name.
    pub faults: Vec<(String, Fault)>,
}

impl Services {
    pub(super) fn play(&self, clock: &Clock) -> Arc<Played> {
        let played = self.mock.play(clock.clone(), SEED);
        for (service, fault) in &self.faults {
            played.force(service, fault);
        }
        Arc::new(played)
    }
}

/// A port of the world's own.
pub(super) fn listener() -> Result<TcpListener, String> {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|why| format!("no port is free: {why}"))
}

impl Outside {
    /// The part of a task that goes out again after a restart, and has others asked for it. What was planned for
    /// the first time was the doing of whoever is gone.
    pub(super) fn ask_again(&mut self, task: &Asked, call: usize, now: Timestamp) -> Part {
        let is_its = |due: &Due| match due {
            Due::Act(_, About::Token(Some(token)), _) => *token == task.token,
            _ => false,
        };
        self.due.retain(|_, due| !is_its(due));
        let attempt = self.calls[call].1.attempt;
        let part = self.director.part(task, attempt);
        self.plan_part(&part, &task.token, now);
        self.parts.insert(task.token.clone(), (part.clone(), call));
        part
    }
}

impl World {
    /// The server's URL, with no slash at its end.
    pub fn url(&self) -> String {
        let address = self.listener.local_addr();
        address.map_or_else(|_| String::new(), |address| format!("http://{address}"))
    }

    /// The services, if there are any.
    pub fn services(&self) -> Option<Arc<Played>> {
        self.outside.lock().services.clone()
    }

    /// Sends the next one of a service's callbacks, and plans the one that follows.
    pub(super) fn call_back(&mut self, callbacks: Callbacks) {
        let callback = callbacks.take();
        let answer = match callback.sends() {
            Err(why) => Err(why),
            Ok(ready) => match self.path_here(&ready.to) {
                // Nobody listens while the server is down.
                Some(_) if self.life.is_none() => Err("connection refused".to_owned()),
                Some(path) => Ok(self.called_here(&callback, &path, ready)),
                None => self.called_elsewhere(&callback, ready),
            },
        };
        if let Some(next) = callback.answered(answer) {
            self.outside
                .lock()
                .schedule(next.due(), Due::Callback(next));
        }
    }

    /// The next moment before `then` at which a service calls back.
    pub(super) fn next_callback(&self, then: Timestamp) -> Option<(Timestamp, Callbacks)> {
        let mut outside = self.outside.lock();
        let is_one = |due: &Due| matches!(due, Due::Callback(_));
        let mut planned = outside.due.iter();
        let (&key, _) = planned.find(|((at, _), due)| *at < then && is_one(due))?;
        match outside.due.remove(&key)? {
            Due::Callback(callbacks) => Some((key.0, callbacks)),
            _ => None,
        }
    }

    /// A callback to this server.
    fn called_here(&self, callback: &Callback, path: &str, ready: &Ready) -> StatusCode {
        let Ready { headers, body, .. } = ready;
        let at = self.clock.now();
        let method = callback.method().clone();
        let answer = self.request(method, path, headers, body.clone().into_bytes());
        let status = StatusCode::from_u16(answer.0).expect("the server answers with a status");
        let done = Done {
            at: 0,
            what: format!(
                "{}: callback to {path}: {body}",
                named(callback.service(), callback.fault())
            ),
            answer,
            call: None,
            step: None,
        };
        self.outside.lock().done.push((at, done));
        status
    }

    /// A callback to another service of the case, whose own callbacks follow.
    fn called_elsewhere(&self, callback: &Callback, ready: &Ready) -> Result<StatusCode, String> {
        let Ready { to, headers, body } = ready;
        let services = self.services();
        let found = services.as_ref().and_then(|services| {
            let (service, path) = services.mock().at(to)?;
            let request = Request {
                method: callback.method().clone(),
                path,
                headers: header_map(headers),
                body: body.clone().into(),
            };
            services.ask(service, &request)
        });
        let told = found.ok_or_else(|| {
            format!(
                "{to} is neither this server nor a service of the case, and nobody else is called"
            )
        })?;
        if let Some(callbacks) = told.callbacks {
            let at = callbacks.due();
            self.outside.lock().schedule(at, Due::Callback(callbacks));
        }
        match told.answer {
            Given::Reply { status, .. } => Ok(status),
            Given::Reset => Err("connection reset".to_owned()),
            Given::Nothing => Err("never answered".to_owned()),
        }
    }

    /// The path and query of a URL of this server.
    fn path_here(&self, url: &str) -> Option<String> {
        let routes = self.settings.routes.iter();
        let public = routes.filter_map(|route| route.public_url.as_deref());
        let own = self.url();
        let mut bases = std::iter::once(own.as_str()).chain(public);
        bases.find_map(|base| {
            let path = url.strip_prefix(base.trim_end_matches('/'))?;
            path.starts_with('/').then(|| path.to_owned())
        })
    }
}

/// What the server itself asks of a service: `http:invoke`, a function that is a URL.
impl Nearby for Stagehand {
    fn request(&self, request: &Outgoing<'_>) -> Option<Answering> {
        let mut outside = self.0.lock();
        let services = outside.services.clone()?;
        let (service, path) = services.mock().at(request.url)?;
        let brought = Request {
            method: request.method.clone(),
            path,
            headers: request.headers.clone(),
            body: request.body.clone(),
        };
        let told = services.ask(service, &brought)?;
        if let Some(callbacks) = told.callbacks {
            outside.schedule(callbacks.due(), Due::Callback(callbacks));
        }
        let limit = i64::try_from(request.limit.as_millis()).unwrap_or(i64::MAX);
        let (after, answer) = match told.answer {
            Given::Nothing => (limit, Err(Silence::TooLate)),
            _ if told.after > limit => (limit, Err(Silence::TooLate)),
            Given::Reset => (told.after, Err(Silence::Reset)),
            Given::Reply {
                status,
                headers,
                body,
            } => {
                let answer = Answer {
                    status,
                    headers,
                    body,
                };
                (told.after, Ok(answer))
            }
        };
        // It is there once all that is due by then was done, the callbacks of an early one too.
        let (there, is_there) = oneshot::channel();
        let at = outside.clock.now().plus_millis(after);
        outside.schedule(at, Due::Answer(there));
        Some(Box::pin(async move {
            let woken = async {
                match is_there.await {
                    Ok(busy) => busy,
                    // The world is gone, and this server with it.
                    Err(_) => std::future::pending().await,
                }
            };
            let_time_go(woken).await;
            answer
        }))
    }
}

/// A service's name, and what it does wrong.
pub(crate) fn named(service: &str, fault: &str) -> String {
    match fault == Fault::None.word() {
        true => service.to_owned(),
        false => format!("{service} ({fault})"),
    }
}

/// Headers; what can't be one is left out.
pub(crate) fn header_map(headers: &[(String, String)]) -> HeaderMap {
    let headers = headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    });
    headers.collect()
}

/// What the services did.
pub(super) fn served(world: &World, started_at: Timestamp) -> Vec<Served> {
    let Some(services) = world.services() else {
        return Vec::new();
    };
    let since = |at: &str| {
        let at: Timestamp = at.parse().expect("a mock writes times as we do");
        at.0 - started_at.0
    };
    let named = services.mock().services().map(|name| Served {
        service: name.to_owned(),
        requests: Vec::new(),
        callbacks: Vec::new(),
    });
    let mut served: Vec<Served> = named.collect();
    let own = world.url();
    for mut asked in services.requests() {
        let of = served
            .iter_mut()
            .find(|served| served.service == asked.service)
            .expect("who was asked is there");
        if mentions(&asked.request, &own) {
            mask(Arc::make_mut(&mut asked.request), &own);
        }
        of.requests.push((since(&asked.at), asked));
    }
    for mut sent in services.sent() {
        let of = served
            .iter_mut()
            .find(|served| served.service == sent.service)
            .expect("who has sent it is there");
        sent.to = sent.to.replace(&own, OWN);
        of.callbacks.push((since(&sent.at), sent));
    }
    served
}

/// What stands for the server's URL in what is shown: its port is another one each time.
const OWN: &str = "$url";

fn mentions(value: &Value, url: &str) -> bool {
    match value {
        Value::String(text) => text.contains(url),
        Value::Array(items) => items.iter().any(|item| mentions(item, url)),
        Value::Object(members) => members.values().any(|item| mentions(item, url)),
        _ => false,
    }
}

fn mask(value: &mut Value, url: &str) {
    match value {
        Value::String(text) => *text = text.replace(url, OWN),
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, url)),
        Value::Object(members) => members.values_mut().for_each(|item| mask(item, url)),
        _ => {}
    }
}
