//! `GET /rejoin/waits`: which waits are open, the oldest first or (`order=newest`) the newest, and one in full.
//!
//! A page is found in the index; then each wait's execution is read, which takes some ten microseconds. Filters
//! that the index does not know (`kind`) look at so many waits a call and then give `next`.

use asl::Timestamp;
use engine::execution::wait_end;
use engine::{Execution, ExecutionKey, WaitEnd, WaitId, Waiting};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use store::{FoundWait, Places, WaitMark, WaitQuery};

use super::index::{is_kept, machine_and_state, machine_name, quiet_at};
use crate::app::App;
use crate::http::{Call, Reply, percent_decode};
use crate::moment;

/// How many waits a page has if nothing is said, and at most.
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 1000;

/// How many waits one call looks at.
const LOOKED_AT_MAX: usize = 5_000;

/// Among how many state machines a name is looked for.
const MACHINES_MAX: usize = 1000;

/// How many are read at a time.
const SCAN_PAGE: usize = 256;

/// Answers a request on `/rejoin/waits`.
pub async fn handle(app: &App, call: &Call) -> Reply {
    if call.method != Method::GET {
        let mut reply = Reply::refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "/rejoin/waits takes GET",
            "a wait ends by SendTaskSuccess or SendTaskFailure with its token, by a callback, or with its execution",
        );
        reply.headers.push(("Allow", "GET".into()));
        return reply;
    }
    let rest = call.path.trim_start_matches("/rejoin/waits");
    let answered = match rest.trim_start_matches('/') {
        "" => list(app, call).await,
        id => show(app, &percent_decode(id)).await,
    };
    answered.unwrap_or_else(|refused| match refused {
        Refused::Reply(reply) => reply,
        Refused::Server(what) => {
            crate::log::say!("open waits could not be read: {what}");
            Reply::refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "Unavailable",
                "the server can't read its store",
                "try again later; the server's log says what is wrong",
            )
        }
    })
}

/// Why there is no list.
enum Refused {
    Reply(Reply),
    Server(String),
}

impl From<String> for Refused {
    fn from(what: String) -> Refused {
        Refused::Server(what)
    }
}

/// Which waits are wanted.
struct Filter {
    machine: Option<String>,
    state: Option<String>,
    kind: Option<String>,
    without_deadline: Option<bool>,
    stuck: Option<bool>,
    /// Open since then, or before.
    until: Option<Timestamp>,
    /// Whether those that opened last come first.
    newest_first: bool,
}

impl Filter {
    fn place_fits(&self, place: &str, endless: bool) -> bool {
        let (machine, state) = machine_and_state(place);
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        is(&self.machine, machine)
            && is(&self.state, state)
            && self.without_deadline.is_none_or(|wanted| wanted == endless)
    }

    fn index_fits(&self, wait: &FoundWait) -> bool {
        self.place_fits(&wait.opened.place, wait.opened.endless)
            && self.until.is_none_or(|until| wait.opened.since <= until)
    }

    fn fits(&self, shown: &Value) -> bool {
        let kind = self.kind.as_deref();
        kind.is_none_or(|kind| shown["kind"] == kind)
            && self
                .stuck
                .is_none_or(|wanted| shown["stuck"].is_null() != wanted)
    }
}

fn malformed(error: &str, message: impl Into<String>, hint: &str) -> Refused {
    Refused::Reply(Reply::refusal(
        StatusCode::BAD_REQUEST,
        error,
        message,
        hint,
    ))
}

/// `true` or `false`, if the parameter is there.
fn flag(call: &Call, name: &str) -> Result<Option<bool>, Refused> {
    match call.parameter(name).as_deref() {
        None => Ok(None),
        Some("true" | "") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(other) => Err(malformed(
            "InvalidParameter",
            format!("`{name}` is {other:?}"),
            "it is true or false",
        )),
    }
}

/// The text of a place among all waits.
fn written(mark: WaitMark) -> String {
    format!("{}.{}.{}", mark.since.0, mark.slot, mark.wait.0)
}

fn read_mark(text: &str) -> Option<WaitMark> {
    let mut parts = text.split('.');
    let mark = WaitMark {
        since: Timestamp(parts.next()?.parse().ok()?),
        slot: parts.next()?.parse().ok()?,
        wait: WaitId(parts.next()?.parse().ok()?),
    };
    parts.next().is_none().then_some(mark)
}

async fn list(app: &App, call: &Call) -> Result<Reply, Refused> {
    let now = app.clock.now();
    let limit = match call.parameter("limit").map(|limit| limit.parse()) {
        None => LIMIT_DEFAULT,
        Some(Ok(limit)) if (1..=LIMIT_MAX).contains(&limit) => limit,
        Some(_) => {
            let hint = format!("it must be from 1 to {LIMIT_MAX}");
            let message = "`limit` is not a number that is possible";
            return Err(malformed("InvalidLimit", message, &hint));
        }
    };
    let until = match call.parameter("olderThan") {
        None => None,
        Some(text) => match moment::seconds(&text) {
            Some(seconds) => Some(now.plus_millis(-((seconds * 1000.0) as i64))),
            None => {
                return Err(malformed(
                    "InvalidParameter",
                    format!("`olderThan` is {text:?}"),
                    moment::SPAN_HINT,
                ));
            }
        },
    };
    let after = match call.parameter("after") {
        None => None,
        Some(text) => Some(read_mark(&text).ok_or_else(|| {
            malformed(
                "InvalidParameter",
                format!("`after` is {text:?}"),
                "it is the `next` of the page before",
            )
        })?),
    };
    let filter = Filter {
        machine: call
            .parameter("machine")
            .map(|machine| machine_name(&machine).to_owned()),
        state: call.parameter("state"),
        kind: call.parameter("kind"),
        without_deadline: flag(call, "withoutDeadline")?,
        stuck: flag(call, "stuck")?,
        until,
        newest_first: match call.parameter("order").as_deref() {
            None | Some("oldest") => false,
            Some("newest") => true,
            Some(other) => {
                return Err(malformed(
                    "InvalidParameter",
                    format!("`order` is {other:?}"),
                    "it is oldest, which comes first if nothing is said, or newest",
                ));
            }
        },
    };
    if let Some(kind) = &filter.kind {
        let mut known = engine::WaitKind::ALL
            .into_iter()
            .filter(|kind| is_kept(*kind));
        if !known.clone().any(|known| known.name() == kind) {
            let names: Vec<_> = known.by_ref().map(|kind| kind.name()).collect();
            return Err(malformed(
                "InvalidParameter",
                format!("there is no kind {kind:?} of wait"),
                &format!("there are: {}", names.join(", ")),
            ));
        }
    }
    let execution = call.parameter("execution");
    let reference = call.parameter("reference");
    // An execution and a reference have few waits, which need no pages.
    let few = match (&execution, &reference) {
        (None, None) => None,
        (Some(execution), None) => Some(of_execution(app, execution)),
        (execution, Some(reference)) => {
            let mut few = of_reference(app, reference).await?;
            if let Some(execution) = execution {
                let of: Vec<_> = of_execution(app, execution);
                few.retain(|wait| of.iter().any(|other| other.mark == wait.mark));
            }
            Some(few)
        }
    };
    let (waits, next) = match few {
        Some(mut few) => {
            few.sort_by_key(|wait| wait.mark);
            if filter.newest_first {
                few.reverse();
            }
            let comes = |mark: WaitMark, at: WaitMark| match filter.newest_first {
                true => mark < at,
                false => mark > at,
            };
            few.retain(|wait| {
                filter.index_fits(wait) && after.is_none_or(|at| comes(wait.mark, at))
            });
            read_all(app, &filter, few, limit).await?
        }
        None => page(app, &filter, after, limit).await?,
    };
    if let (Some(machine), true, None) = (&filter.machine, waits.is_empty(), next) {
        known_machine(app, machine).await?;
    }
    let mut body = json!({ "waits": waits, "open": count(app, &filter) });
    if let Some(next) = next {
        body["next"] = written(next).into();
    }
    Ok(Reply::json(StatusCode::OK, &body))
}

/// A machine that waits are asked for in vain has to be one.
async fn known_machine(app: &App, name: &str) -> Result<(), Refused> {
    let machines = app.machines.list(None, MACHINES_MAX).await?;
    let waiting = app.store.wait_places();
    let waiting = waiting
        .iter()
        .map(|place| machine_and_state(&place.place).0);
    let names = machines.iter().map(|machine| machine_name(&machine.arn));
    let mut known = names.clone().chain(waiting);
    // Behind so many there may be more.
    if machines.len() >= MACHINES_MAX || known.any(|known| known == name) {
        return Ok(());
    }
    let hint = match asl::nearest(name, names) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "ListStateMachines names them".to_owned(),
    };
    Err(Refused::Reply(Reply::refusal(
        StatusCode::NOT_FOUND,
        "NoSuchStateMachine",
        format!("there is no state machine {name:?}"),
        &hint,
    )))
}

/// How many waits are open in the places that are wanted, of whatever age.
fn count(app: &App, filter: &Filter) -> usize {
    let places = app.store.wait_places();
    let fitting = places
        .iter()
        .filter(|place| filter.place_fits(&place.place, place.endless));
    fitting.map(|place| place.open).sum()
}

/// A page, and where to go on if there may be more.
async fn page(
    app: &App,
    filter: &Filter,
    mut after: Option<WaitMark>,
    limit: usize,
) -> Result<(Vec<Value>, Option<WaitMark>), Refused> {
    let mut waits = Vec::new();
    let mut looked_at = 0;
    loop {
        let wanted = (limit - waits.len()).min(SCAN_PAGE);
        let found = app.store.waits(&WaitQuery {
            places: Places::Those(&|place| filter.place_fits(&place.place, place.endless)),
            newest_first: filter.newest_first,
            after,
            until: filter.until,
            limit: wanted,
        });
        let last = found.len() < wanted;
        looked_at += found.len();
        after = found.last().map(|wait| wait.mark).or(after);
        let (read, _) = read_all(app, filter, found, usize::MAX).await?;
        waits.extend(read);
        if last {
            return Ok((waits, None));
        }
        if waits.len() >= limit || looked_at >= LOOKED_AT_MAX {
            return Ok((waits, after));
        }
    }
}

/// The first of these that fit and are still open.
async fn read_all(
    app: &App,
    filter: &Filter,
    found: Vec<FoundWait>,
    limit: usize,
) -> Result<(Vec<Value>, Option<WaitMark>), Refused> {
    let mut shown = Vec::new();
    // Many waits of one execution stand together, and each execution is read once.
    let mut last: Option<(ExecutionKey, Execution)> = None;
    for wait in found {
        if last.as_ref().is_none_or(|(key, _)| *key != wait.execution) {
            let Some(execution) = app.runner.execution(wait.execution).await? else {
                continue;
            };
            last = Some((wait.execution, execution));
        }
        let (_, execution) = last.as_ref().expect("it has just been read");
        let id = wait.opened.wait;
        let Some(waiting) = execution.waiting(id) else {
            continue;
        };
        let one = shown_wait(app, wait.execution, execution, id, &waiting);
        if filter.fits(&one) {
            shown.push(one);
        }
        if shown.len() == limit {
            return Ok((shown, Some(wait.mark)));
        }
    }
    Ok((shown, None))
}

/// The waits of an execution, by its ARN or its name.
fn of_execution(app: &App, execution: &str) -> Vec<FoundWait> {
    if execution.starts_with("arn:") {
        return app.store.waits_of(ExecutionKey::of(execution));
    }
    // A name says nothing of the machine, so it is tried with each that something waits in.
    let places = app.store.wait_places();
    let mut machines: Vec<_> = places
        .iter()
        .map(|place| machine_and_state(&place.place).0)
        .collect();
    machines.sort_unstable();
    machines.dedup();
    let arns = machines
        .into_iter()
        .map(|machine| app.place.execution_arn(machine, execution));
    arns.flat_map(|arn| app.store.waits_of(ExecutionKey::of(&arn)))
        .collect()
}

/// The waits that hold a reference, on whichever route.
async fn of_reference(app: &App, reference: &str) -> Result<Vec<FoundWait>, Refused> {
    let mut found = Vec::new();
    for token in app.gateway.holders(reference).await? {
        let waits = app.store.waits_of(token.execution);
        found.extend(
            waits
                .into_iter()
                .filter(|wait| wait.opened.wait == token.wait),
        );
    }
    Ok(found)
}

/// `GET /rejoin/waits/EXECUTION_ARN/WAIT`: one, also after it is over.
async fn show(app: &App, id: &str) -> Result<Reply, Refused> {
    let unknown = |what: String| {
        Refused::Reply(Reply::refusal(
            StatusCode::NOT_FOUND,
            "NotFound",
            what,
            "a wait is EXECUTION_ARN/NUMBER, as GET /rejoin/waits gives it in `id`",
        ))
    };
    let named = id.rsplit_once('/').and_then(|(arn, wait)| {
        let wait = wait.parse().ok().map(WaitId)?;
        Some((arn, wait))
    });
    let (arn, wait) = named.ok_or_else(|| unknown(format!("{id:?} names no wait")))?;
    let key = ExecutionKey::of(arn);
    let execution = app.runner.execution(key).await?;
    let execution = execution.ok_or_else(|| unknown(format!("there is no execution {arn}")))?;
    if let Some(waiting) = execution.waiting(wait) {
        let shown = shown_wait(app, key, &execution, wait, &waiting);
        return Ok(Reply::json(StatusCode::OK, &shown));
    }
    let ended = wait_end(&app.runner.events(key).await?, wait);
    let Some(ended) = ended else {
        return Err(unknown(format!(
            "the execution {arn} has no wait {}",
            wait.0
        )));
    };
    let end = match &ended.end {
        WaitEnd::Succeeded { .. } => "succeeded",
        WaitEnd::Failed { .. } => "failed",
        WaitEnd::TimedOut => "timed-out",
        WaitEnd::HeartbeatTimedOut => "heartbeat-timed-out",
        WaitEnd::Aborted => "aborted",
    };
    let mut shown = whose(&execution, wait, &ended.wait.state_name);
    shown["openedAt"] = ended.wait.opened_at.to_string().into();
    shown["endedAt"] = ended.ended_at.to_string().into();
    shown["end"] = end.into();
    shown["superseded"] = ended.superseded.into();
    shown["references"] = references(app, key, wait);
    Ok(Reply::json(StatusCode::OK, &shown))
}

fn whose(execution: &Execution, wait: WaitId, state_name: &str) -> Value {
    let identity = execution.identity();
    json!({
        "id": format!("{}/{}", identity.arn, wait.0),
        "executionArn": identity.arn,
        "executionName": identity.name,
        "stateMachineArn": identity.state_machine_arn,
        "machine": machine_name(identity.defined_machine_arn()),
        "state": state_name,
    })
}

fn references(app: &App, execution: ExecutionKey, wait: WaitId) -> Value {
    let held = app.gateway.references_of(execution, wait).into_iter();
    held.map(|(route, reference)| json!({ "route": route, "reference": reference }))
        .collect()
}

/// A wait for people.
fn shown_wait(
    app: &App,
    key: ExecutionKey,
    execution: &Execution,
    wait: WaitId,
    waiting: &Waiting,
) -> Value {
    let now = app.clock.now();
    let mut shown = whose(execution, wait, &waiting.state_name);
    let members = json!({
        "kind": waiting.kind,
        "openedAt": waiting.opened_at.to_string(),
        "ageSeconds": (now.0 - waiting.opened_at.0).max(0) as f64 / 1000.0,
        "deadline": said(waiting.timeout_at),
        "heartbeatDeadline": said(waiting.heartbeat_at),
        "executionDeadline": said(waiting.execution_timeout_at),
        "withoutDeadline": waiting.is_endless(),
        "attempt": waiting.attempt,
        "heartbeats": waiting.beats.map_or(0, |beats| beats.count),
        "lastHeartbeatAt": said(waiting.beats.map(|beats| beats.last)),
        "references": references(app, key, wait),
        "stuck": app.waits.stuck(execution, waiting, now).map(Stuck::name),
    });
    let (Value::Object(shown_members), Value::Object(members)) = (&mut shown, members) else {
        unreachable!("both are objects");
    };
    // What does not apply is not there.
    let there = members.into_iter().filter(|(_, value)| !value.is_null());
    shown_members.extend(there);
    shown
}

fn said(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// Why a wait counts as stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stuck {
    /// It is older than it may become.
    Old,
    /// Its heartbeats have stopped.
    Silent,
}

impl Stuck {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Stuck::Old => "old",
            Stuck::Silent => "silent",
        }
    }
}

impl super::Waits {
    /// Whether a wait counts as stuck.
    pub fn stuck(&self, execution: &Execution, waiting: &Waiting, now: Timestamp) -> Option<Stuck> {
        if quiet_at(waiting, &self.0.policy.silence()).is_some_and(|at| at <= now) {
            return Some(Stuck::Silent);
        }
        self.is_old(execution, waiting, now).then_some(Stuck::Old)
    }

    /// Whether a wait has been open for longer than the policy allows.
    pub(super) fn is_old(&self, execution: &Execution, waiting: &Waiting, now: Timestamp) -> bool {
        let machine = machine_name(execution.identity().defined_machine_arn());
        let endless = waiting.is_endless();
        let after = self
            .0
            .policy
            .after_seconds(machine, &waiting.state_name, endless);
        after.is_some_and(|after| waiting.opened_at.plus_seconds(after.into()) <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let mark = WaitMark {
            since: Timestamp(1_700_000_000_000),
            slot: 17,
            wait: WaitId(3),
        };
        assert_eq!(read_mark(&written(mark)), Some(mark));
        assert_eq!(read_mark("1.2"), None);
        assert_eq!(read_mark("1.2.3.4"), None);
    }
}
