//! Callbacks out: when, what they say, and what proves them.

use std::sync::Arc;
use std::time::Duration;

use asl::Timestamp;
use bytes::Bytes;
use hyper::StatusCode;
use serde_json::Value;
use server::client::address;
use server::clock::Busy;
use server::gateway::verify::sign::Signable;

use crate::agenda::{Agenda, Due};
use crate::choose::Chosen;
use crate::definition::Callback;
use crate::event::Sent;
use crate::plan::{Deed, Plan, Proves, Says};
use crate::running::Inner;
use crate::said::{half, written};
use crate::template::{World, text_of};

/// How long, in real time, the receiver of a callback may take to answer.
const CALLBACK_LIMIT: Duration = Duration::from_secs(10);

/// What a request has the service do.
pub(crate) struct Work {
    pub inner: Arc<Inner>,
    pub id: u64,
    pub request: Chosen,
    pub plan: Plan,
}

/// A callback that is ready to go.
#[derive(Debug, Default)]
pub struct Ready {
    /// Its URL.
    pub to: String,
    /// Its body.
    pub body: String,
    /// Its headers, those that prove it too.
    pub headers: Vec<(String, String)>,
}

impl Work {
    /// Sends all callbacks that are due at once; those that follow are still there.
    pub async fn at_once(&self, agenda: &mut Agenda) {
        while let Some(due) = agenda.next().filter(|due| due.after == 0 && due.tried == 0) {
            self.call_back(due, agenda).await;
        }
    }

    /// Sends each callback when it is time, and keeps virtual time standing only while it does.
    pub async fn in_time(self, mut agenda: Agenda, mut busy: Busy) {
        while let Some(due) = agenda.next() {
            let moment = self.request.at.plus_millis(due.after);
            if moment > self.inner.clock.now() {
                // The alarm is set before time may move; else it could move past the moment.
                let alarm = self.inner.clock.alarm(moment);
                drop(busy);
                busy = alarm.await;
            }
            self.call_back(due, &mut agenda).await;
        }
    }

    /// Sends one callback, once.
    async fn call_back(&self, due: Due, agenda: &mut Agenda) {
        let at = self.inner.clock.now();
        let ready = self.ready(due.deed);
        let answer = match &ready {
            Err(_) => Err(String::new()),
            Ok(ready) => {
                let callback = self.callback(due.deed);
                let headers = ready
                    .headers
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()));
                let headers: Vec<(&str, &str)> = headers.collect();
                let body = Bytes::copy_from_slice(ready.body.as_bytes());
                let sent = self.inner.client().send(
                    callback.method.clone(),
                    &ready.to,
                    &headers,
                    body,
                    CALLBACK_LIMIT,
                );
                sent.await.map(|answer| answer.status)
            }
        };
        self.note(at, due, agenda, ready, answer);
    }

    /// Which of its route's callbacks one is.
    pub fn callback(&self, deed: usize) -> &Callback {
        let route = self.request.route(&self.inner);
        &route.callbacks[self.plan.deeds[deed].callback]
    }

    /// Notes a callback that was sent, or could not be, and when it is sent again.
    pub fn note(
        &self,
        at: Timestamp,
        due: Due,
        agenda: &mut Agenda,
        ready: Result<Ready, String>,
        answer: Result<StatusCode, String>,
    ) {
        let deed = &self.plan.deeds[due.deed];
        // What can't be sent can't be sent later either.
        let pauses = match &ready {
            Ok(_) => &*self.callback(due.deed).retries,
            Err(_) => &[],
        };
        let (ready, answer) = match ready {
            Ok(ready) => (ready, answer),
            Err(why) => (Ready::default(), Err(why)),
        };
        let now = self.inner.clock.now().0 - self.request.at.0;
        let status = answer.as_ref().ok().copied();
        agenda.sent(due, deed.says, now, pauses, status);
        self.inner.sent(Sent {
            attempt: due.tried + 1,
            id: self.id,
            at: at.to_string(),
            service: self.request.asked.service.clone(),
            route: self.request.route(&self.inner).name.clone(),
            reference: self.request.reference.clone(),
            fault: self.request.fault.word(),
            says: deed.says.word(),
            to: ready.to,
            body: ready.body,
            status: answer.as_ref().ok().map(|status| status.as_u16()),
            error: answer.err(),
            request: self.request.asked.request.clone(),
        });
    }

    /// What is sent now.
    pub fn ready(&self, index: usize) -> Result<Ready, String> {
        let (deed, callback) = (&self.plan.deeds[index], self.callback(index));
        let mut world = self.request.world(&self.inner);
        let seed = self
            .inner
            .seed
            .named(format_args!("{}/{index}", self.request.reference));
        if self.plan.wrong_reference {
            world.reference = self
                .inner
                .seed
                .named(format_args!("not {}", self.request.reference))
                .id()
                .into();
        }
        world.seed = seed.named("inside");
        let to = text_of(
            callback
                .to
                .render(&world)
                .map_err(|why| format!("`to`: {why}"))?,
        );
        let uri = address(&to)?;
        let body = self
            .body(deed, callback, world)
            .map_err(|why| format!("`body`: {why}"))?;
        let (kind, mut body) = written(Some(body));
        if self.plan.malformed {
            body.truncate(half(&body).len());
        }
        let mut headers: Vec<(String, String)> = Vec::new();
        headers.extend(kind.map(|kind| ("content-type".to_owned(), kind.to_owned())));
        let world = self.request.world(&self.inner);
        for (name, template) in &callback.headers {
            let value = text_of(
                template
                    .render(&world)
                    .map_err(|why| format!("`headers`: {why}"))?,
            );
            headers.retain(|(known, _)| known != name);
            headers.push((name.clone(), value));
        }
        let what = Signable {
            method: callback.method.as_str(),
            uri: &uri,
            id: &seed.id(),
            at: self.inner.clock.now(),
            body: body.as_bytes(),
        };
        headers.extend(self.proof(what));
        Ok(Ready { to, body, headers })
    }

    /// What the callback says.
    fn body(
        &self,
        deed: &Deed,
        callback: &Callback,
        mut world: World<'_>,
    ) -> Result<Value, String> {
        let template = match deed.says {
            Says::Result | Says::Contradiction => &callback.body,
            // Only callbacks that have one get this deed.
            Says::Failure => callback.failure.as_ref().unwrap_or(&callback.body),
            Says::Heartbeat | Says::HeartbeatIfTaken => {
                callback.heartbeat.as_ref().unwrap_or(&callback.body)
            }
        };
        let said = template.render(&world)?;
        if deed.says != Says::Contradiction {
            return Ok(said);
        }
        match self
            .plan
            .contradiction
            .as_ref()
            .and_then(|second| second.body.as_ref())
        {
            None => Ok(contradicted(said, &world.reference)),
            Some(template) => {
                world.body = Some(said);
                template.render(&world)
            }
        }
    }

    fn proof(&self, mut what: Signable<'_>) -> Vec<(String, String)> {
        let Some(proof) = &self.request.service(&self.inner).proof else {
            return Vec::new();
        };
        match self.plan.proof {
            Proves::Right => proof.right.sign(&what),
            Proves::Forged => proof.forged.sign(&what),
            Proves::Nothing => Vec::new(),
            Proves::Expired(ago) => {
                what.at = what.at.plus_millis(-ago);
                proof.right.sign(&what)
            }
        }
    }
}

impl Says {
    pub fn word(self) -> &'static str {
        match self {
            Says::Result => "result",
            Says::Contradiction => "contradiction",
            Says::Failure => "failure",
            Says::Heartbeat | Says::HeartbeatIfTaken => "heartbeat",
        }
    }
}

/// Something else than `said`, about the same reference: each number is one more, each yes a no; where there is
/// neither, each text is another.
fn contradicted(said: Value, reference: &Value) -> Value {
    fn turn(value: &mut Value, texts: bool, reference: &Value) -> bool {
        match value {
            value if value == reference => false,
            Value::Number(number) => {
                let more = match number.as_i64() {
                    Some(whole) => Value::from(whole.wrapping_add(1)),
                    None => Value::from(number.as_f64().unwrap_or_default() + 1.0),
                };
                *value = more;
                true
            }
            Value::Bool(yes) => {
                *yes = !*yes;
                true
            }
            Value::String(text) if texts => {
                text.push_str(" (not)");
                true
            }
            Value::Array(items) => items
                .iter_mut()
                .fold(false, |any, item| turn(item, texts, reference) | any),
            Value::Object(members) => members
                .values_mut()
                .fold(false, |any, item| turn(item, texts, reference) | any),
            Value::Null | Value::String(_) => false,
        }
    }
    let mut other = said;
    if !turn(&mut other, false, reference) {
        turn(&mut other, true, reference);
    }
    other
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_contradicts_says_something_else_of_the_same_reference() {
        let reference = json!("r-1");
        for (said, expected) in [
            (
                json!({"ref": "r-1", "value": 5, "by": "A"}),
                json!({"ref": "r-1", "value": 6, "by": "A"}),
            ),
            (
                json!({"ref": "r-1", "ok": true}),
                json!({"ref": "r-1", "ok": false}),
            ),
            (
                json!({"ref": "r-1", "by": ["A"]}),
                json!({"ref": "r-1", "by": ["A (not)"]}),
            ),
            (
                json!({"ref": "r-1", "x": 1.5}),
                json!({"ref": "r-1", "x": 2.5}),
            ),
        ] {
            assert_eq!(contradicted(said, &reference), expected);
        }
    }
}
