//! What people and scripts ask about alerts.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /rejoin/alerts?kind=&severity=&execution=&route=&since=&limit=&after=` | alerts, newest first |
//! | `GET /rejoin/alerts/ID` | one, with its messages and who has taken them |
//! | `GET /rejoin/schemas/alert` | the JSON Schema of an alert |

use asl::Timestamp;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use store::{StoreError, Table};

use super::record::{Record, group_key, read};
use super::windows::Group;
use super::{Alerts, Kind, SCHEMA, Severity};
use crate::http::{Call, Reply};
use crate::moment;

/// How many alerts a page has if nothing is said, and at most.
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 1000;

/// How many alerts one call looks at: a filter that fits few of them gives `next` instead of an answer that
/// takes long.
const LOOKED_AT_MAX: usize = 20_000;

/// How many are read at a time.
const SCAN_PAGE: usize = 256;

/// Which alerts are wanted.
struct Filter {
    kind: Option<Kind>,
    severity: Option<Severity>,
    /// An execution's ARN or name.
    execution: Option<String>,
    route: Option<String>,
    /// Not what happened last before this moment.
    since: Option<Timestamp>,
}

impl Filter {
    fn of(call: &Call, now: Timestamp) -> Result<Filter, Reply> {
        let refuse = |parameter: &str, given: &str, hint: &str| {
            Reply::refusal(
                StatusCode::BAD_REQUEST,
                "InvalidParameter",
                format!("`{parameter}` is {given:?}, which is not possible"),
                hint,
            )
        };
        let kind = match call.parameter("kind") {
            None => None,
            Some(name) => Some(Kind::named(&name).ok_or_else(|| {
                let known: Vec<_> = Kind::all().map(Kind::name).collect();
                refuse("kind", &name, &format!("there are: {}", known.join(", ")))
            })?),
        };
        let severity = match call.parameter("severity") {
            None => None,
            Some(name) => Some(Severity::named(&name).ok_or_else(|| {
                let known = Severity::ALL.map(Severity::name).join(", ");
                refuse("severity", &name, &format!("it is the least: {known}"))
            })?),
        };
        let since = match call.parameter("since") {
            None => None,
            Some(text) => {
                Some(moment::read(&text, now).ok_or_else(|| refuse("since", &text, moment::HINT))?)
            }
        };
        Ok(Filter {
            kind,
            severity,
            execution: call.parameter("execution"),
            route: call.parameter("route"),
            since,
        })
    }

    fn fits(&self, record: &Record) -> bool {
        let alert = &record.alert;
        let is = |wanted: &Option<String>, found: &Option<String>| {
            wanted.is_none() || wanted.as_ref() == found.as_ref()
        };
        self.kind.is_none_or(|kind| alert.kind == kind)
            && self.severity.is_none_or(|least| alert.severity >= least)
            && (is(&self.execution, &alert.execution_arn)
                || is(&self.execution, &alert.execution_name))
            && is(&self.route, &alert.route)
            && self
                .since
                .is_none_or(|since| alert.last_at.unwrap_or(alert.raised_at).0 >= since)
    }
}

impl Alerts {
    /// Answers a call on `/rejoin/alerts` and on the schema; `None` if it is on another path.
    pub async fn handle(&self, call: &Call) -> Option<Reply> {
        let rest = call.path.strip_prefix("/rejoin/alerts");
        let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with('/'));
        if rest.is_none() && call.path != "/rejoin/schemas/alert" {
            return None;
        }
        if call.method != Method::GET {
            let mut reply = Reply::refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "alerts are read here",
                "use GET",
            );
            reply.headers.push(("Allow", "GET".to_owned()));
            return Some(reply);
        }
        let answered = match rest.map(|rest| rest.trim_matches('/')) {
            None => Ok(Reply {
                status: StatusCode::OK,
                content_type: "application/schema+json",
                headers: Vec::new(),
                body: SCHEMA.into(),
            }),
            Some("") => self.list(call).await,
            Some(id) => self.show(id).await,
        };
        Some(answered.unwrap_or_else(|what| {
            crate::log::say!("alerts could not be read: {what}");
            Reply::refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "Unavailable",
                "the server can't reach its store",
                "try again later; the server's log says what is wrong",
            )
        }))
    }

    async fn list(&self, call: &Call) -> Result<Reply, String> {
        let limit = match call.parameter("limit").map(|limit| limit.parse()) {
            None => LIMIT_DEFAULT,
            Some(Ok(limit)) if (1..=LIMIT_MAX).contains(&limit) => limit,
            Some(_) => {
                return Ok(Reply::refusal(
                    StatusCode::BAD_REQUEST,
                    "InvalidLimit",
                    "`limit` is not a number that is possible",
                    &format!("it must be from 1 to {LIMIT_MAX}"),
                ));
            }
        };
        let filter = match Filter::of(call, self.0.clock.now()) {
            Ok(filter) => filter,
            Err(refusal) => return Ok(refusal),
        };
        let (found, next) = self.find(&filter, call.parameter("after"), limit).await?;
        let shown: Vec<Value> = found.iter().map(in_brief).collect();
        let mut body = json!({ "alerts": shown });
        if let Some(next) = next {
            body["next"] = next.into();
        }
        Ok(Reply::json(StatusCode::OK, &body))
    }

    async fn show(&self, id: &str) -> Result<Reply, String> {
        let Some(document) = self.get(Table::Alert, id).await? else {
            return Ok(Reply::refusal(
                StatusCode::NOT_FOUND,
                "NotFound",
                format!("there is no alert {id:?}"),
                "GET /rejoin/alerts lists them, newest first",
            ));
        };
        let mut record: Record = read(id, &document.content)?;
        self.bring_up_to_date(&mut record).await?;
        let mut messages = Vec::with_capacity(record.messages.len());
        for message_id in &record.messages {
            // A topic keeps its messages for so long only.
            let topic_arn = record.topic_arn.as_deref().unwrap_or_default();
            if let Some(message) = self.0.topics.message(topic_arn, message_id).await? {
                messages.push(json!({
                    "messageId": message.message_id,
                    "topicArn": message.topic_arn,
                    "publishedAt": message.published_at,
                    "deliveries": message.deliveries,
                }));
            }
        }
        let mut shown = in_brief(&record);
        shown["messages"] = messages.into();
        Ok(Reply::json(StatusCode::OK, &shown))
    }

    /// Those that fit, newest first, and where to go on if there may be more.
    async fn find(
        &self,
        filter: &Filter,
        mut after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Record>, Option<String>), String> {
        let mut found = Vec::new();
        let mut looked_at = 0;
        loop {
            let scanned = self
                .0
                .store
                .scan(Table::Alert, "", after.as_deref(), SCAN_PAGE, true);
            let page = scanned.await.map_err(|StoreError(what)| what)?;
            let last = page.len() < SCAN_PAGE;
            for (key, document) in page {
                let mut record: Record = read(&key, &document.content)?;
                self.bring_up_to_date(&mut record).await?;
                looked_at += 1;
                if filter.fits(&record) {
                    found.push(record);
                }
                if found.len() == limit || looked_at == LOOKED_AT_MAX {
                    return Ok((found, Some(key)));
                }
                after = Some(key);
            }
            if last {
                return Ok((found, None));
            }
        }
    }

    /// While its window is open, that has the count.
    async fn bring_up_to_date(&self, record: &mut Record) -> Result<(), String> {
        let Some(group) = &record.group else {
            return Ok(());
        };
        let key = group_key(group);
        let Some(document) = self.get(Table::Alerting, &key).await? else {
            record.group = None;
            return Ok(());
        };
        let windows: Group = read(&key, &document.content)?;
        let id = &record.alert.alert_id;
        let window = windows.windows.iter().find(|w| w.alert_id == *id);
        if let Some(window) = window {
            record.count(window);
        }
        // One that has nothing to say closes when its group is looked at next.
        let now = self.0.clock.now();
        if window.is_none_or(|window| window.closes_at <= now) {
            record.group = None;
        }
        Ok(())
    }
}

/// The alert, and which topic has heard it.
fn in_brief(record: &Record) -> Value {
    let mut shown = serde_json::to_value(&record.alert).expect("an alert is JSON");
    // What was sent as a summary is one here as well: the alert whose count is known.
    if let Some(members) = shown.as_object_mut() {
        members.remove("summary");
    }
    shown["topicArn"] = record.topic_arn.clone().into();
    shown["open"] = record.group.is_some().into();
    shown
}
