//! Many stored callbacks go through their routes again: first to see what would become of them, then in earnest.
//!
//! They go one after the other, the oldest first, so those of one reference keep their order. A call takes
//! some, and says where the next goes on; whoever sends it again with the same `key` has no callback replayed
//! twice. A replay is itself never among them: its origin is.

use hashbrown::HashMap;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::disposition::Disposition;
use super::replay::{Goal, Replayed, Wish, told};
use super::search::{LIMIT_MAX, Order, Wanted};
use super::show::disposition_name;
use super::{Gateway, asked};
use crate::http::{Call, Reply};

/// How many a call takes if it does not say.
const LIMIT_DEFAULT: usize = 100;

/// The body: which, and how.
#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Bulk {
    filter: Wanted,
    /// True unless it is said.
    dry_run: bool,
    limit: usize,
    after: Option<String>,
    trust: bool,
    allow_redacted: bool,
    by: Option<String>,
    note: Option<String>,
    key: Option<String>,
}

impl Default for Bulk {
    fn default() -> Bulk {
        Bulk {
            filter: Wanted::default(),
            dry_run: true,
            limit: LIMIT_DEFAULT,
            after: None,
            trust: false,
            allow_redacted: false,
            by: None,
            note: None,
            key: None,
        }
    }
}

const EXAMPLE: &str =
    r#"{"filter": {"route": "valuation", "disposition": "malformed", "since": "2h"}}"#;

impl Gateway {
    /// `POST /rejoin/deliveries/replay`.
    pub(super) async fn replay_many(&self, call: &Call) -> Result<Reply, String> {
        let mut bulk: Bulk = match asked(call, EXAMPLE) {
            Ok(bulk) => bulk,
            Err(refusal) => return Ok(refusal),
        };
        if !(1..=LIMIT_MAX).contains(&bulk.limit) {
            return Ok(Reply::refusal(
                StatusCode::BAD_REQUEST,
                "InvalidLimit",
                format!("`limit` is {}", bulk.limit),
                &format!(
                    "it must be from 1 to {LIMIT_MAX}; `next` of the answer is `after` of the next request"
                ),
            ));
        }
        // Nobody means what went well unless they say so, nor what somebody has dismissed.
        bulk.filter.dismissed.get_or_insert(false);
        if bulk.filter.disposition.is_none() {
            bulk.filter.attention.get_or_insert(true);
        }
        let mut filter = match bulk.filter.checked(self.0.clock.now()) {
            Ok(filter) => filter,
            Err(refusal) => return Ok(refusal),
        };
        filter.replays = false;
        let first = bulk.after.is_none();
        let page = self
            .find(
                &filter,
                bulk.after,
                bulk.limit,
                Order::OldestFirst,
                |origin| {
                    let one = json!({
                        "id": origin.id,
                        "route": origin.route,
                        "reference": origin.reference,
                        "receivedAt": origin.received_at.to_string(),
                        "disposition": disposition_name(origin),
                    });
                    (origin.id.clone(), one)
                },
            )
            .await?;
        if page.is_empty()
            && first
            && let Some(refusal) = self.no_route_of(&filter)
        {
            return Ok(refusal);
        }
        let wish = Wish {
            trust: bulk.trust,
            allow_redacted: bulk.allow_redacted,
            again: false,
            dry_run: bulk.dry_run,
            by: bulk.by,
            note: bulk.note,
            key: bulk.key,
        };
        let mut answered = Answered::default();
        let mut done: Vec<Value> = Vec::new();
        let mut body = json!({ "dryRun": bulk.dry_run });
        if let Some(next) = page.next {
            body["next"] = next.into();
        }
        for (id, mut one) in page.found {
            match self.again(&id, wish.clone(), Goal::Route).await {
                Ok(replayed) => {
                    let replayed = self.after_those(&mut answered, &id, replayed);
                    one["result"] = told(replayed);
                    done.push(one);
                }
                // What is done is done; whoever asks goes on after it.
                Err(what) => {
                    crate::log::say!("a replay of many stopped at {id}: {what}");
                    body["stoppedAt"] = id.into();
                    body["next"] = match done.last() {
                        Some(last) => last["id"].clone(),
                        None => return Err(what),
                    };
                    break;
                }
            }
        }
        body["deliveries"] = done.into();
        Ok(Reply::json(StatusCode::OK, &body))
    }

    /// What would become of one, after those before it.
    fn after_those(&self, answered: &mut Answered, id: &str, replayed: Replayed) -> Replayed {
        let Replayed::Would(mut would) = replayed else {
            return replayed;
        };
        let decides = matches!(
            would.step.disposition,
            Disposition::Delivered | Disposition::DeliveredAsFailure | Disposition::Early
        );
        if decides {
            let key = (would.route.clone(), would.reference.clone());
            match answered.0.get(&key) {
                Some((first, digest)) => would.step = self.repeat(first, *digest == would.digest),
                None => {
                    let said = (id.to_owned(), would.digest.clone());
                    answered.0.insert(key, said);
                }
            }
        }
        Replayed::Would(would)
    }
}

/// The references that would have had an answer by then, with the delivery and what it says.
#[derive(Default)]
struct Answered(HashMap<(String, Option<String>), (String, String)>);
