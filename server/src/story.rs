//! The whole story of an execution, a reference or a callback, in the order of time: what somebody who is
//! on call reads first.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /rejoin/trace/X?route=` | the story of X |
//!
//! X is an execution's ARN or name, a delivery's id, a reference (on `route`, or on whichever has it), or a
//! trace's id. It is put together from what is stored anyway: the execution's events, its references and
//! callbacks, the alerts about them. What is forgotten is left out: a reference or a callback still knows
//! which wait it was for when the execution is gone.
//!
//! In reading order:
//! - `entry`: a line. `events`: the lines of an execution. `summary`: what it comes to.

mod entry;
mod events;
mod summary;

use asl::Timestamp;
use engine::{Execution, ExecutionKey, TraceId, WaitId};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use store::ListQuery;

use crate::alerts::about::Heard;
use crate::app::App;
use crate::gateway::Disposition;
use crate::gateway::trail::{Arrived, Registration, Trail};
use crate::http::{Call, Reply, percent_decode};
use entry::{Entry, Kind};
use events::{Ended, Told, Wait};

/// How many machines may have an execution of a name that is asked for.
const MACHINES_MAX: usize = 1000;

/// How many of the newest executions are looked at to find the one that is part of a trace.
const TRACED_MAX: usize = 2000;

/// How many callbacks are told of that may belong to a wait although nothing says so.
const STRAYS_MAX: usize = 5;

/// How many waits are named that a callback may be for.
const CANDIDATES_MAX: usize = 3;

/// What X is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Execution,
    Reference,
    Delivery,
    Trace,
}

impl Asked {
    fn name(self) -> &'static str {
        match self {
            Asked::Execution => "execution",
            Asked::Reference => "reference",
            Asked::Delivery => "delivery",
            Asked::Trace => "trace",
        }
    }
}

/// All that is known of what was asked for.
struct Story {
    asked: Asked,
    now: Timestamp,
    /// Which execution; none if nothing says so.
    execution_arn: Option<String>,
    /// It, unless it is forgotten.
    execution: Option<Execution>,
    waits: Vec<Wait>,
    /// The wait that it is about, if that was asked for.
    focus: Option<WaitId>,
    trail: Trail,
    /// Callbacks that met no wait and may be for this one.
    strays: Vec<Arrived>,
    /// Waits that the callback may be for, if it met none.
    candidates: Vec<Registration>,
    alerts: Vec<Heard>,
    entries: Vec<Entry>,
}

/// Answers a request on `/rejoin/trace/`.
pub async fn handle(app: &App, call: Call) -> Reply {
    if call.method != Method::GET {
        let mut reply = Reply::refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "a story can be read here",
            "use GET",
        );
        reply.headers.push(("Allow", "GET".to_owned()));
        return reply;
    }
    let text = percent_decode(call.path.trim_start_matches("/rejoin/trace/"));
    match tell(app, &text, call.parameter("route").as_deref()).await {
        Ok(Some(story)) => Reply::json(StatusCode::OK, &story.shown(&text)),
        Ok(None) => Reply::refusal(
            StatusCode::NOT_FOUND,
            "NotFound",
            format!("nothing is known of {text:?}"),
            "it has to be an execution's ARN or name, a delivery's id, a reference or a trace's id; rejoin inbox shows the callbacks that came, rejoin waits what is waited for",
        ),
        Err(what) => {
            crate::log::say!("a story could not be read: {what}");
            Reply::refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "Unavailable",
                "the server can't reach its store",
                "try again later; the server's log says what is wrong",
            )
        }
    }
}

/// The story of whatever `text` names; nothing if it names nothing that is known.
async fn tell(app: &App, text: &str, route: Option<&str>) -> Result<Option<Story>, String> {
    let Some((asked, execution_arn, trail)) = find(app, text, route).await? else {
        return Ok(None);
    };
    let mut story = Story {
        asked,
        now: app.clock.now(),
        execution_arn,
        execution: None,
        waits: Vec::new(),
        focus: None,
        trail,
        strays: Vec::new(),
        candidates: Vec::new(),
        alerts: Vec::new(),
        entries: Vec::new(),
    };
    story.focus = match asked {
        Asked::Reference => story.trail.registrations.first().and_then(|r| r.wait),
        Asked::Delivery => story.trail.arrived.first().and_then(|a| a.wait),
        Asked::Execution | Asked::Trace => None,
    };
    story.read_execution(app).await?;
    story.read_neighbours(app).await?;
    story.read_alerts(app).await?;
    story.order();
    Ok(Some(story))
}

/// What a text names: first what names one thing only.
async fn find(
    app: &App,
    text: &str,
    route: Option<&str>,
) -> Result<Option<(Asked, Option<String>, Trail)>, String> {
    if text.starts_with("arn:") {
        let trail = app.gateway.trail_of_execution(text).await?;
        let there = app.store.summary(ExecutionKey::of(text)).await;
        let known = there.map_err(|e| e.to_string())?.is_some()
            || !trail.registrations.is_empty()
            || !trail.arrived.is_empty();
        return Ok(known.then(|| (Asked::Execution, Some(text.to_owned()), trail)));
    }
    if route.is_none()
        && let Some(arrived) = app.gateway.trail_of_delivery(text).await?
    {
        let arn = arrived
            .met
            .as_ref()
            .map(|(place, _)| place.execution_arn.clone());
        let trail = Trail {
            registrations: Vec::new(),
            arrived: vec![arrived],
        };
        return Ok(Some((Asked::Delivery, arn, trail)));
    }
    let (on, reference) = match (route, text.split_once('/')) {
        (Some(route), _) => (Some(route), text),
        (None, Some((route, reference))) if app.gateway.has_route(route) => {
            (Some(route), reference)
        }
        (None, _) => (None, text),
    };
    let trail = app.gateway.trail_of_reference(on, reference).await?;
    if !trail.registrations.is_empty() || !trail.arrived.is_empty() {
        let registered = trail.registrations.first().map(|r| &r.place);
        let met = || trail.arrived.iter().find_map(|a| a.met.as_ref());
        let place = registered.or_else(|| met().map(|(place, _)| place));
        let arn = place.map(|place| place.execution_arn.clone());
        return Ok(Some((Asked::Reference, arn, trail)));
    }
    if route.is_some() {
        return Ok(None);
    }
    let named = match by_name(app, text).await? {
        Some(arn) => Some(arn),
        None => app.gateway.execution_heard_of(text).await?,
    };
    if let Some(arn) = named {
        return Ok(Some((Asked::Execution, Some(arn), Trail::default())));
    }
    if let Ok(trace) = text.parse() {
        if let Some(arn) = by_trace(app, trace).await? {
            return Ok(Some((Asked::Trace, Some(arn), Trail::default())));
        }
        let trail = app.gateway.trail_of_trace(trace).await?;
        if let Some(first) = trail.arrived.first() {
            let met = first.met.as_ref();
            let arn = met.map(|(place, _)| place.execution_arn.clone());
            return Ok(Some((Asked::Trace, arn, trail)));
        }
    }
    Ok(None)
}

/// The newest execution of this name, of any machine.
async fn by_name(app: &App, name: &str) -> Result<Option<String>, String> {
    let mut newest: Option<(Timestamp, String)> = None;
    for machine in app.machines.list(None, MACHINES_MAX).await? {
        let arn = machine.arn.replacen(":stateMachine:", ":execution:", 1);
        let arn = format!("{arn}:{name}");
        let summary = app.store.summary(ExecutionKey::of(&arn)).await;
        if let Some(summary) = summary.map_err(|e| e.to_string())?
            && newest
                .as_ref()
                .is_none_or(|(at, _)| *at < summary.started_at)
        {
            newest = Some((summary.started_at, arn));
        }
    }
    Ok(newest.map(|(_, arn)| arn))
}

/// The first of the newest executions that is part of a trace.
async fn by_trace(app: &App, trace: TraceId) -> Result<Option<String>, String> {
    let query = ListQuery {
        state_machine: None,
        status: None,
        after: None,
        limit: TRACED_MAX,
    };
    let page = app.store.list(query).await.map_err(|e| e.to_string())?;
    let mut found = None;
    for (key, _) in page.executions {
        if let Some(execution) = app.runner.execution(key).await?
            && execution.identity().trace_id() == trace
        {
            // The last that is found is the oldest, with which the trace came here.
            found = Some(execution.identity().arn.to_string());
        }
    }
    Ok(found)
}

impl Story {
    /// What the execution's events tell, and which references and callbacks it has.
    async fn read_execution(&mut self, app: &App) -> Result<(), String> {
        let Some(arn) = self.execution_arn.clone() else {
            return Ok(());
        };
        let key = ExecutionKey::of(&arn);
        self.execution = app.runner.execution(key).await?;
        if self.execution.is_some() {
            let told = Told::of(&app.runner.events(key).await?);
            self.entries = told.entries;
            self.waits = told.waits;
        }
        self.trail.add(app.gateway.trail_of_execution(&arn).await?);
        Ok(())
    }

    /// What came that belongs to nothing and may belong to this; or what this may belong to.
    async fn read_neighbours(&mut self, app: &App) -> Result<(), String> {
        if self.execution_arn.is_none() {
            if let Some(arrived) = self.trail.arrived.first() {
                let waiting = app
                    .gateway
                    .waiting_at(&arrived.route, arrived.at, CANDIDATES_MAX);
                self.candidates = waiting.await?;
            }
            return Ok(());
        }
        let Some(wait) = self.wait().filter(|wait| wait.is_callback()) else {
            return Ok(());
        };
        // One that was answered had nothing of what came besides.
        if matches!(wait.ended, Some((_, Ended::Succeeded | Ended::Failed(_)))) {
            return Ok(());
        }
        let to = wait.ended.as_ref().map_or(self.now, |(at, _)| *at);
        let (from, state) = (wait.since, wait.state.clone());
        let registered = self.trail.registrations.iter().map(|r| r.route.clone());
        let mut routes: Vec<String> = registered.collect();
        if let Some(execution) = &self.execution {
            let machine = execution.identity().defined_machine_arn();
            let expecting = app.gateway.routes_expecting(machine, &state);
            routes.extend(expecting.iter().map(|route| route.to_string()));
        }
        let strays = app.gateway.strays(&routes, from, to, STRAYS_MAX).await?;
        let known = |stray: &Arrived| self.trail.arrived.iter().any(|a| a.id == stray.id);
        self.strays = strays.into_iter().filter(|stray| !known(stray)).collect();
        Ok(())
    }

    async fn read_alerts(&mut self, app: &App) -> Result<(), String> {
        let execution = self.execution.as_ref();
        let began = execution.map(|execution| execution.identity().started_at);
        let first = self.trail.arrived.iter().map(|arrived| arrived.at).min();
        let registered = self.trail.registrations.iter().map(|r| r.at).min();
        let Some(since) = [began, first, registered].into_iter().flatten().min() else {
            return Ok(());
        };
        let arrived = self.trail.arrived.iter().chain(&self.strays);
        let ids: Vec<&str> = arrived.map(|arrived| arrived.id.as_str()).collect();
        let arn = self.execution_arn.as_deref();
        self.alerts = app.alerts.about(since, arn, &ids).await?;
        Ok(())
    }

    /// Puts all entries together in the order of time.
    fn order(&mut self) {
        let beats: Vec<_> = self
            .trail
            .arrived
            .iter()
            .flat_map(|arrived| arrived.steps.iter().map(move |step| (arrived.at, step)))
            .filter(|(_, (_, disposition, _))| *disposition == Disposition::Heartbeat)
            .map(|(from, (to, ..))| (from, *to))
            .collect();
        // A heartbeat that came as a callback is told as one.
        self.entries.retain(|entry| {
            entry.kind != Kind::Heartbeat
                || !beats
                    .iter()
                    .any(|(from, to)| (*from..=*to).contains(&entry.at))
        });
        let mut arrived: Vec<&Arrived> = self.trail.arrived.iter().collect();
        arrived.sort_by(|one, other| one.id.cmp(&other.id));
        let mut told: Vec<Entry> = self.trail.registrations.iter().map(registered).collect();
        told.extend(arrived.into_iter().flat_map(|arrived| came(arrived, false)));
        told.extend(self.strays.iter().flat_map(|stray| came(stray, true)));
        told.extend(self.alerts.iter().map(alerted));
        for entry in told {
            let later = |other: &Entry| comes_later(other, &entry);
            let place = self.entries.iter().position(later);
            self.entries
                .insert(place.unwrap_or(self.entries.len()), entry);
        }
    }

    /// The wait that the story is about: the one asked for, the one that is open, or the last one.
    fn wait(&self) -> Option<&Wait> {
        if let Some(focus) = self.focus {
            return self.waits.iter().find(|wait| wait.id == focus);
        }
        let open = |wait: &&Wait| wait.ended.is_none();
        let mut callbacks = self.waits.iter().filter(|wait| wait.is_callback());
        let newest = self.waits.iter().rev();
        let open_callback = callbacks.clone().rev().find(open);
        open_callback
            .or_else(|| newest.clone().find(open))
            .or_else(|| callbacks.next_back())
            .or_else(|| newest.clone().find(|wait| is_failed(wait)))
            .or_else(|| self.waits.last())
    }

    fn shown(&self, text: &str) -> Value {
        let identity = self.execution.as_ref().map(Execution::identity);
        let place = self.place();
        let trace = identity.map(|identity| identity.trace_id().to_string());
        let of_callback = || self.trail.arrived.first()?.trace_id.clone();
        let mut shown = json!({
            "asked": text,
            "as": self.asked.name(),
            "now": self.now.to_string(),
            "traceId": trace
                .or_else(|| place.and_then(|place| place.trace_id.clone()))
                .or_else(of_callback),
            "summary": summary::of(self),
            "entries": self.entries,
        });
        if let Some(execution) = &self.execution {
            let identity = execution.identity();
            let closing = execution.closing();
            shown["execution"] = json!({
                "executionArn": identity.arn,
                "name": identity.name,
                "stateMachineArn": identity.state_machine_arn,
                "status": execution.status().name(),
                "startDate": identity.started_at.to_string(),
                "stopDate": closing.map(|closing| closing.at.to_string()),
            });
        } else if let Some(place) = place {
            shown["execution"] = json!({
                "executionArn": place.execution_arn,
                "name": place.execution_name,
                "stateMachineArn": place.state_machine_arn,
                "status": null,
            });
        }
        shown
    }

    /// The engine elsewhere that it happens at.
    fn engine(&self) -> Option<&str> {
        let mut registered = self.trail.registrations.iter();
        let mut arrived = self.trail.arrived.iter();
        registered
            .find_map(|registration| registration.engine.as_deref())
            .or_else(|| arrived.find_map(|arrived| arrived.engine.as_deref()))
    }

    /// What a reference or a callback knows of the wait, beside the execution.
    fn place(&self) -> Option<&crate::gateway::Place> {
        let registered = self.trail.registrations.iter();
        let met = self.trail.arrived.iter().filter_map(|a| a.met.as_ref());
        registered
            .map(|registration| &registration.place)
            .chain(met.map(|(place, _)| place))
            .next()
    }
}

fn is_failed(wait: &Wait) -> bool {
    matches!(&wait.ended, Some((_, ended)) if *ended != Ended::Succeeded)
}

/// Whether `other` stands behind what is added. Of what happened at the same moment, a request comes before its
/// reference and a callback before what it brings about; an alert is last.
fn comes_later(other: &Entry, added: &Entry) -> bool {
    let outcome = matches!(
        other.kind,
        Kind::Good | Kind::Bad | Kind::Retry | Kind::Alert
    );
    let same = match added.kind {
        Kind::Alert => false,
        Kind::Reference => outcome || matches!(other.kind, Kind::Heartbeat),
        _ => outcome,
    };
    other.at > added.at || (other.at == added.at && same)
}

fn registered(registration: &Registration) -> Entry {
    let Registration {
        route, reference, ..
    } = registration;
    Entry {
        // Of a wait elsewhere the worker may not have said it.
        state_name: Some(registration.place.state_name.as_str())
            .filter(|name| !name.is_empty())
            .map(Into::into),
        route: Some(route.clone()),
        reference: Some(reference.clone()),
        ..Entry::new(
            registration.at,
            Kind::Reference,
            &format!("{reference:?} registered on the route {route}"),
        )
    }
}

/// A callback, once for everything that it was taken for.
fn came(arrived: &Arrived, stray: bool) -> Vec<Entry> {
    let entry = |(index, (at, disposition, note)): (usize, &(Timestamp, Disposition, String))| {
        let plain = matches!(
            disposition,
            Disposition::Delivered | Disposition::Early | Disposition::DeliveredAsFailure
        );
        let kind = match disposition {
            Disposition::Heartbeat => Kind::Heartbeat,
            _ if plain => Kind::Callback,
            _ => Kind::Odd,
        };
        let perhaps = if stray {
            " (perhaps for this wait)"
        } else {
            ""
        };
        let again = if index > 0 { "now " } else { "" };
        Entry {
            route: Some(arrived.route.clone()),
            reference: arrived.reference.clone(),
            delivery_id: Some(arrived.id.clone()),
            disposition: Some(disposition.name()),
            traceparent: arrived.traceparent.clone(),
            ..Entry::new(
                *at,
                kind,
                &format!("{again}{}{perhaps}: {note}", disposition.name()),
            )
        }
    };
    match arrived.steps.is_empty() {
        false => arrived.steps.iter().enumerate().map(entry).collect(),
        true => vec![Entry {
            delivery_id: Some(arrived.id.clone()),
            ..Entry::new(
                arrived.at,
                Kind::Callback,
                "stored, and on its way to the wait",
            )
        }],
    }
}

fn alerted(heard: &Heard) -> Entry {
    let Heard {
        alert,
        topic,
        taken,
    } = heard;
    let whom = match (topic, taken) {
        (None, _) => "no topic, so nobody was told".to_owned(),
        (Some(topic), (_, 0)) => format!("topic {topic}"),
        (Some(topic), (taken, all)) => format!("topic {topic}, {taken} of {all} subscribers"),
    };
    let times = match alert.count {
        0 | 1 => String::new(),
        count => format!(", {count} times"),
    };
    Entry {
        alert_id: Some(alert.alert_id.clone()),
        delivery_id: alert.delivery_id.clone(),
        ..Entry::new(
            alert.raised_at.0,
            Kind::Alert,
            &format!(
                "{} ({}{times}) to {whom}",
                alert.kind.title(),
                alert.severity.name()
            ),
        )
    }
}
