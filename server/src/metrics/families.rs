//! The page: every family, from the counters and from what the store knows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::{EndKind, Status, WaitKind};
use hyper::{Method, StatusCode};
use store::{Table, WaitPlace};

use super::exposition::{CONTENT_TYPE, Page};
use super::series::{OTHER, SEPARATOR};
use super::{ENDED, Metrics, SERIES_MAX};
use crate::app::App;
use crate::gateway::Disposition;
use crate::http::{Call, Reply};
use crate::waits::index::machine_and_state;

const MILLIS: f64 = 1e3;
const MICROS: f64 = 1e6;

/// Answers `GET /metrics`.
pub fn handle(app: &App, call: &Call) -> Reply {
    if call.method != Method::GET {
        return Reply::refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "/metrics takes GET",
            "let Prometheus scrape it, or look at it in a browser",
        );
    }
    let mut page = Page::default();
    server(&mut page, app);
    executions(&mut page, app);
    waits(&mut page, app);
    app.metrics.write(&mut page);
    gateway(&mut page, app);
    spans(&mut page, app);
    store(&mut page, app);
    Reply {
        status: StatusCode::OK,
        content_type: CONTENT_TYPE,
        headers: Vec::new(),
        body: page.finish().into(),
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn server(page: &mut Page, app: &App) {
    let version = env!("CARGO_PKG_VERSION");
    page.gauge("rejoin_info", "Which program this is; always 1.")
        .sample(&[("version", version)], 1);
    let mut clock = page.gauge("rejoin_clock", "Which clock the server goes by: 1.");
    for (kind, is) in [
        ("real", !app.clock.is_virtual()),
        ("virtual", app.clock.is_virtual()),
    ] {
        clock.sample(&[("kind", kind)], u8::from(is));
    }
    page.gauge(
        "rejoin_clock_seconds",
        "What time it is by the server's clock, in seconds since 1970. All ages are by this clock.",
    )
    .sample(&[], app.clock.now().0 as f64 / MILLIS);
}

fn executions(page: &mut Page, app: &App) {
    let mut kept = page.gauge(
        "rejoin_executions",
        "Executions that are kept, by status. Express executions are not kept.",
    );
    for status in [Status::Running].iter().chain(&ENDED) {
        kept.sample(
            &[("status", status.name())],
            app.store.count_status(*status),
        );
    }
}

/// Open waits by machine and state. The places with the oldest waits are told apart.
fn waits(page: &mut Page, app: &App) {
    let now = app.clock.now();
    let mut places = app.store.wait_places();
    places.sort_by_key(|place| place.oldest);
    let rest = places.split_off(places.len().min(SERIES_MAX));
    places.sort_by(|one, other| (&one.place, one.endless).cmp(&(&other.place, other.endless)));
    let mut rows: Vec<(String, String, WaitPlace)> = places
        .into_iter()
        .map(|place| {
            let (machine, state) = machine_and_state(&place.place);
            (machine.to_owned(), state.to_owned(), place)
        })
        .collect();
    let mut others: BTreeMap<bool, WaitPlace> = BTreeMap::new();
    for place in rest {
        let other = others.entry(place.endless).or_insert(WaitPlace {
            open: 0,
            ..place.clone()
        });
        other.open += place.open;
        other.oldest = other.oldest.min(place.oldest);
    }
    let other = |place| (OTHER.to_owned(), OTHER.to_owned(), place);
    rows.extend(others.into_values().map(other));
    let labels = |row: &(String, String, WaitPlace)| {
        let deadline = if row.2.endless { "no" } else { "yes" };
        (row.0.clone(), row.1.clone(), deadline)
    };
    let mut open = page.gauge(
        "rejoin_open_waits",
        "Waits that are open: for callbacks, activity workers, .sync jobs and Map Runs. deadline=no: nothing ends them but an answer.",
    );
    for row in &rows {
        let (machine, state, deadline) = labels(row);
        open.sample(
            &[
                ("machine", &machine),
                ("state", &state),
                ("deadline", deadline),
            ],
            row.2.open,
        );
    }
    let mut oldest = page.gauge(
        "rejoin_oldest_wait_age_seconds",
        "How long the oldest of these waits has been open.",
    );
    for row in &rows {
        let (machine, state, deadline) = labels(row);
        oldest.sample(
            &[
                ("machine", &machine),
                ("state", &state),
                ("deadline", deadline),
            ],
            (now.0 - row.2.oldest.0).max(0) as f64 / MILLIS,
        );
    }
}

impl Metrics {
    /// What was counted.
    fn write(&self, page: &mut Page) {
        let counters = &*self.0;
        page.counter(
            "rejoin_executions_started_total",
            "Executions that began, Express ones too.",
        )
        .sample(&[], read(&counters.started));
        let mut ended = page.counter(
            "rejoin_executions_ended_total",
            "Executions that ended, by status.",
        );
        for (status, count) in ENDED.iter().zip(&counters.ended) {
            ended.sample(&[("status", status.name())], read(count));
        }
        let mut ended = page.counter(
            "rejoin_waits_ended_total",
            "Waits that ended, by what they were for and how they ended. answer: a resource that was called.",
        );
        for kind in WaitKind::ALL {
            for end in EndKind::ALL {
                let count = &counters.waits_ended[kind as usize][end as usize];
                ended.sample(&[("kind", kind.name()), ("end", end.name())], read(count));
            }
        }
        let mut trips = page.histogram(
            "rejoin_callback_round_trip_seconds",
            "From the opening of a wait to the callback that ended it, by the server's clock.",
        );
        for (place, histogram) in counters.round_trips.all() {
            let (machine, state) = match &*place {
                OTHER => (OTHER, OTHER),
                place => machine_and_state(place),
            };
            trips.reading(
                &[("machine", machine), ("state", state)],
                &histogram.read(),
                MILLIS,
            );
        }
        let callbacks = counters.callbacks.all();
        let mut dispositions = page.counter(
            "rejoin_callbacks_total",
            "Dispositions that callbacks got, by route. One that is early, unknown or undeliverable may get another one later.",
        );
        for (route, those) in &callbacks {
            for disposition in Disposition::ALL {
                let count = read(&those.dispositions[disposition as usize]);
                dispositions.sample(
                    &[("route", route), ("disposition", disposition.name())],
                    count,
                );
            }
        }
        let mut late = page.histogram(
            "rejoin_callback_late_seconds",
            "How long after the end of their wait late callbacks came, by route.",
        );
        for (route, those) in &callbacks {
            late.reading(&[("route", route)], &those.late.read(), MILLIS);
        }
        let mut sent = page.counter(
            "rejoin_topic_deliveries_total",
            "Messages that sinks of topics took, or did not take and will be sent again, by topic and sink.",
        );
        for (name, those) in counters.sent.all() {
            let (topic, sink) = match &*name {
                OTHER => (OTHER, OTHER),
                name => name.split_once(SEPARATOR).unwrap_or((name, "")),
            };
            for (result, count) in [("taken", &those.taken), ("refused", &those.refused)] {
                sent.sample(
                    &[("topic", topic), ("sink", sink), ("result", result)],
                    read(count),
                );
            }
        }
        let mut alerts = page.counter(
            "rejoin_alerts_total",
            "Alerts by kind: raised, or suppressed because the like of it was raised before and counts it.",
        );
        for (kind, those) in counters.alerts.all() {
            for (result, count) in [("raised", &those.raised), ("suppressed", &those.suppressed)] {
                alerts.sample(&[("kind", &kind), ("result", result)], read(count));
            }
        }
    }
}

fn gateway(page: &mut Page, app: &App) {
    let known = app.store.count(Table::Reference);
    let held = app.store.count(Table::HeldReference);
    page.gauge(
        "rejoin_references",
        "References that are registered, until they are forgotten after the end of their wait.",
    )
    .sample(&[], held);
    page.gauge(
        "rejoin_callbacks_kept",
        "References that no wait holds: a callback, early or unknown, is kept for each in case somebody registers it, or has started an execution.",
    )
    .sample(&[], known.saturating_sub(held));
    page.gauge(
        "rejoin_callbacks_pending",
        "Callbacks on which the last word is not said: stored and not delivered (those that stay are undeliverable, and tried again), or counts of refused ones that go on.",
    )
    .sample(&[], app.store.count_due(Table::Delivery));
    page.counter(
        "rejoin_requests_astray_total",
        "Requests that brought something to a path at which nobody is; a callback may be among them.",
    )
    .sample(&[], app.gateway.astray_count());
    page.gauge(
        "rejoin_messages_pending",
        "Messages of topics that a sink has yet to take.",
    )
    .sample(&[], app.store.count_due(Table::Message));
}

/// What went to the collector of traces, if there is one.
fn spans(page: &mut Page, app: &App) {
    let Some((exported, dropped)) = app.telemetry.figures() else {
        return;
    };
    let mut spans = page.counter(
        "rejoin_spans_total",
        "Spans of executions and callbacks: exported, or dropped because the collector refused them or did not keep up.",
    );
    for (result, count) in [("exported", exported), ("dropped", dropped)] {
        spans.sample(&[("result", result)], count);
    }
}

fn store(page: &mut Page, app: &App) {
    let figures = app.store.figures();
    page.counter(
        "rejoin_commits_total",
        "Commits that were made durable: what is acknowledged is one, or a part of one.",
    )
    .sample(&[], figures.commits);
    page.histogram(
        "rejoin_sync_seconds",
        "How long a batch of commits took to be written and synced.",
    )
    .reading(&[], &app.store.sync_micros(), MICROS);
    let mut bytes = page.gauge(
        "rejoin_store_bytes",
        "Bytes on disk: all that are used, and those of them that are needed.",
    );
    bytes
        .sample(&[("what", "used")], figures.used_bytes)
        .sample(&[("what", "live")], figures.live_bytes);
    page.gauge(
        "rejoin_store_failed",
        "1 once the store takes nothing any more: the disk has failed or is full, and the server has to be started again.",
    )
    .sample(&[], u8::from(app.store.write_problem().is_some()));
}
