//! Which deliveries are wanted, and how they are found.
//!
//! What is asked for decides where is looked: with a reference or an execution, among the keys that name it
//! ([`super::super::found`]); with dispositions, among theirs; else through all. The ids have the
//! time in them, so a time range is a range of keys wherever is looked. Each delivery that is found is read and
//! compared with all that is asked for.
//!
//! A call looks at [`LOOKED_AT_MAX`] deliveries at most, and says where the next one goes on.

use asl::Timestamp;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use store::Table;

use super::super::disposition::Disposition;
use super::super::found::{
    compact, disposition_prefix, execution_prefix, id_of, is_odd, reference_prefix,
};
use super::super::manage::no_such_route;
use super::super::record::Delivery;
use super::super::words::did_you_mean;
use super::Gateway;
use super::show::in_brief;
use crate::http::{Call, Reply, percent_decode};
use crate::moment;

/// How many deliveries a page has if nothing is said, and at most.
const LIMIT_DEFAULT: usize = 50;
pub(super) const LIMIT_MAX: usize = 1000;

/// How many deliveries one call looks at: a filter that fits few of them gives `next` instead of an
/// answer that takes long.
pub(super) const LOOKED_AT_MAX: usize = 20_000;

/// How many are looked at before others have their turn.
const SCAN_PAGE: usize = 256;

/// An id is made a moment after the time that its delivery was received at.
const ID_LATER_MILLISECONDS_MAX: i64 = 1000;

/// What a delivery that has no disposition yet is called.
pub(super) const PENDING: &str = "pending";

/// A filter as it is written: parameters of a query, or members of a JSON object.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wanted {
    pub route: Option<String>,
    pub reference: Option<String>,
    /// An execution's ARN or name.
    pub execution: Option<String>,
    /// Names of dispositions, separated by commas.
    pub disposition: Option<String>,
    /// A time, or how long ago.
    pub since: Option<String>,
    pub until: Option<String>,
    /// Text in the body, in small or capital letters.
    pub text: Option<String>,
    /// Those that an operator has to look at.
    pub attention: Option<bool>,
    pub dismissed: Option<bool>,
    #[serde(rename = "replayOf")]
    pub replay_of: Option<String>,
}

/// The names of a filter's parts.
const WANTED: [&str; 10] = [
    "route",
    "reference",
    "execution",
    "disposition",
    "since",
    "until",
    "text",
    "attention",
    "dismissed",
    "replayOf",
];

/// What a list has beside a filter.
const OF_A_LIST: [&str; 3] = ["limit", "after", "order"];

/// A filter that was checked.
#[derive(Debug)]
pub(super) struct Filter {
    route: Option<String>,
    reference: Option<String>,
    execution: Option<String>,
    /// None: any; inside, none is [`PENDING`].
    dispositions: Option<Vec<Option<Disposition>>>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    text: Option<String>,
    attention: bool,
    dismissed: Option<bool>,
    replay_of: Option<String>,
    /// Whether those that operators had made are looked at too.
    pub replays: bool,
}

/// Some deliveries, and where to go on if there may be more.
pub(super) struct Page<T> {
    pub found: Vec<T>,
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Nothing fits, here or further on.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty() && self.next.is_none()
    }
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    NewestFirst,
    OldestFirst,
}

impl Wanted {
    /// Checks it.
    ///
    /// # Errors
    /// The answer that says what is wrong.
    pub fn checked(self, now: Timestamp) -> Result<Filter, Reply> {
        let dispositions = match &self.disposition {
            None => None,
            Some(names) => Some(
                names
                    .split(',')
                    .map(|name| disposition(name.trim()))
                    .collect::<Result<Vec<_>, _>>()?,
            ),
        };
        let time = |name: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => moment::read(text, now).map(Some).ok_or_else(|| {
                invalid(
                    name,
                    &format!("{text:?} is no time and no age"),
                    moment::HINT,
                )
            }),
        };
        Ok(Filter {
            since: time("since", &self.since)?,
            until: time("until", &self.until)?,
            route: self.route,
            reference: self.reference,
            execution: self.execution,
            dispositions,
            text: self.text.map(|text| text.to_lowercase()),
            attention: self.attention.unwrap_or_default(),
            dismissed: self.dismissed,
            replay_of: self.replay_of,
            replays: true,
        })
    }

    /// Out of a query.
    fn of_query(call: &Call) -> Result<Wanted, Reply> {
        let known = |name: &str| WANTED.contains(&name) || OF_A_LIST.contains(&name);
        for pair in call.query.split('&').filter(|pair| !pair.is_empty()) {
            let name = percent_decode(pair.split_once('=').map_or(pair, |(name, _)| name));
            if !known(&name) {
                let all = [&WANTED[..], &OF_A_LIST[..]].concat();
                return Err(invalid(
                    &name,
                    "it is no parameter of this list",
                    &did_you_mean(&name, &all),
                ));
            }
        }
        let flag = |name: &str| match call.parameter(name).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(invalid(
                name,
                &format!("{other:?} is neither true nor false"),
                "write true or false",
            )),
        };
        Ok(Wanted {
            route: call.parameter("route"),
            reference: call.parameter("reference"),
            execution: call.parameter("execution"),
            disposition: call.parameter("disposition"),
            since: call.parameter("since"),
            until: call.parameter("until"),
            text: call.parameter("text"),
            attention: flag("attention")?,
            dismissed: flag("dismissed")?,
            replay_of: call.parameter("replayOf"),
        })
    }
}

impl Filter {
    /// Whether a delivery is wanted, as far as it says so itself.
    fn fits(&self, delivery: &Delivery) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        let place = delivery.target.as_ref().map(|holder| &holder.place);
        let at = delivery.received_at;
        is(&self.route, Some(&delivery.route))
            && is(&self.reference, delivery.reference.as_deref())
            && is(&self.replay_of, delivery.replay_of.as_deref())
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at <= until)
            && (self.replays || delivery.replay_of.is_none())
            && self
                .dispositions
                .as_ref()
                .is_none_or(|wanted| wanted.contains(&delivery.disposition()))
            && self.execution.as_deref().is_none_or(|wanted| {
                let start = delivery.start.as_ref();
                place.is_some_and(|p| p.execution_arn == wanted || p.execution_name == wanted)
                    || start.is_some_and(|s| s.execution_arn == wanted || s.name == wanted)
            })
            && self
                .dismissed
                .is_none_or(|wanted| delivery.dismissal().is_some() == wanted)
            && self
                .text
                .as_deref()
                .is_none_or(|text| delivery.body.shown().to_lowercase().contains(text))
    }

    /// Where those that fit are to be looked for.
    fn place(&self) -> Place {
        if let Some(reference) = &self.reference {
            return Place::Keys(vec![reference_prefix(reference)]);
        }
        if let Some(execution) = &self.execution {
            return Place::Keys(vec![execution_prefix(name_of(execution))]);
        }
        let prefixes: Option<Vec<_>> = match (&self.dispositions, self.attention) {
            (Some(wanted), _) => wanted.iter().map(|d| disposition_prefix((*d)?)).collect(),
            (None, true) => Disposition::ALL
                .into_iter()
                .filter(|disposition| wants_attention(*disposition))
                .map(disposition_prefix)
                .collect(),
            (None, false) => None,
        };
        prefixes.map_or(Place::All, Place::Keys)
    }
}

/// Where is looked.
enum Place {
    /// Through all deliveries.
    All,
    /// Among the keys that begin with one of these.
    Keys(Vec<String>),
}

/// Whether somebody has to look at deliveries with this disposition, as far as it alone says so.
fn wants_attention(disposition: Disposition) -> bool {
    // What was said twice was heard once.
    is_odd(disposition) && disposition != Disposition::DuplicateIdentical
}

impl Gateway {
    /// `GET /rejoin/deliveries?route=&reference=&execution=&disposition=&since=&until=&text=&attention=&dismissed=&replayOf=&limit=&after=&order=`.
    pub(super) async fn list_deliveries(&self, call: &Call) -> Result<Reply, String> {
        self.sweep_sometimes(0, None);
        let asked = Wanted::of_query(call).and_then(|wanted| {
            let filter = wanted.checked(self.0.clock.now())?;
            Ok((filter, limit(call)?, order(call)?))
        });
        let (filter, limit, order) = match asked {
            Ok(asked) => asked,
            Err(refusal) => return Ok(refusal),
        };
        let page = self
            .find(&filter, call.parameter("after"), limit, order, in_brief)
            .await?;
        if page.is_empty()
            && call.parameter("after").is_none()
            && let Some(refusal) = self.no_route_of(&filter)
        {
            return Ok(refusal);
        }
        let mut body = json!({
            "deliveries": page.found,
        });
        if let Some(next) = page.next {
            body["next"] = next.into();
        }
        Ok(Reply::json(StatusCode::OK, &body))
    }

    /// The answer if nothing came on a route that is not there. What has come is kept for longer than its route, so that
    /// a name is wrong only if nothing has.
    pub(super) fn no_route_of(&self, filter: &Filter) -> Option<Reply> {
        let route = filter.route.as_deref()?;
        (!self.has_route(route)).then(|| no_such_route(route, &self.routes()))
    }

    /// What is `kept` of those that fit, after the one of the id `after`. They are read one at a time: of a
    /// large page only what is shown of them is in memory.
    pub(super) async fn find<T>(
        &self,
        filter: &Filter,
        mut after: Option<String>,
        limit: usize,
        order: Order,
        kept: impl Fn(&Delivery) -> T,
    ) -> Result<Page<T>, String> {
        let place = filter.place();
        let mut found = Vec::new();
        let mut looked_at = 0;
        loop {
            let ids = self.ids(filter, &place, after.as_deref(), order);
            let last = ids.len() < SCAN_PAGE;
            for id in ids {
                if filter.is_past(&id, order) {
                    return Ok(Page { found, next: None });
                }
                looked_at += 1;
                if let Some((_, delivery)) = self.delivery(&id).await?
                    && filter.fits(&delivery)
                    && (!filter.attention || self.needs_attention(&delivery).await?)
                {
                    found.push(kept(&delivery));
                }
                if found.len() == limit || looked_at == LOOKED_AT_MAX {
                    let next = Some(id);
                    return Ok(Page { found, next });
                }
                after = Some(id);
            }
            if last {
                return Ok(Page { found, next: None });
            }
            tokio::task::yield_now().await;
        }
    }

    /// The next ids where `filter` looks.
    fn ids(
        &self,
        filter: &Filter,
        place: &Place,
        after: Option<&str>,
        order: Order,
    ) -> Vec<String> {
        let backwards = order == Order::NewestFirst;
        // No id ends before the text that its time begins with.
        let bound = match order {
            Order::NewestFirst => filter
                .until
                .map(|until| id_from(Timestamp(until.0 + ID_LATER_MILLISECONDS_MAX))),
            Order::OldestFirst => filter.since.map(id_from),
        };
        let after = match (after, bound) {
            (Some(after), Some(bound)) if backwards => Some(bound.min(after.to_owned())),
            (Some(after), Some(bound)) => Some(bound.max(after.to_owned())),
            (after, bound) => after.map(str::to_owned).or(bound),
        };
        let store = &self.0.store;
        let prefixes = match place {
            Place::All => {
                return store.keys(Table::Delivery, "", after.as_deref(), SCAN_PAGE, backwards);
            }
            Place::Keys(prefixes) => prefixes,
        };
        let after = after.map(|id| compact(&id));
        let mut ids = Vec::new();
        for prefix in prefixes {
            let after = after.as_ref().map(|id| format!("{prefix}{id}"));
            let table = Table::DeliveryIndex;
            let keys = store.keys(table, prefix, after.as_deref(), SCAN_PAGE, backwards);
            ids.extend(keys.iter().filter_map(|key| id_of(key)));
        }
        // Each prefix has its own in order; together they have to be put into it. One that got another
        // disposition in between is there twice.
        if prefixes.len() > 1 {
            ids.sort_unstable_by(|a, b| if backwards { b.cmp(a) } else { a.cmp(b) });
            ids.dedup();
            ids.truncate(SCAN_PAGE);
        }
        ids
    }

    /// Whether an operator has to look at it: it did not end well, nobody has said that this is all right, and
    /// no replay of it ended well. A replay is not looked at beside what it repeats.
    pub(super) async fn needs_attention(&self, delivery: &Delivery) -> Result<bool, String> {
        Ok(delivery.disposition().is_some_and(wants_attention)
            && delivery.replay_of.is_none()
            && delivery.dismissal().is_none()
            && !self.was_made_good(delivery).await?)
    }

    /// Whether the last replay of a delivery ended well.
    pub(super) async fn was_made_good(&self, delivery: &Delivery) -> Result<bool, String> {
        let Some((last, _)) = delivery.made().next_back() else {
            return Ok(false);
        };
        let made = self.delivery(last).await?;
        Ok(made.is_some_and(|(_, made)| ended_well(&made)))
    }
}

/// Whether what a delivery says was taken, by it or by another one.
pub(super) fn ended_well(delivery: &Delivery) -> bool {
    matches!(
        delivery.disposition(),
        Some(
            Disposition::Delivered
                | Disposition::DeliveredAsFailure
                | Disposition::Heartbeat
                | Disposition::Started
                | Disposition::DuplicateIdentical
        )
    )
}

impl Filter {
    /// Whether nothing from this id on can fit.
    fn is_past(&self, id: &str, order: Order) -> bool {
        match order {
            Order::NewestFirst => self.since.is_some_and(|since| *id < *id_from(since)),
            Order::OldestFirst => self.until.is_some_and(|until| {
                *id > *id_from(Timestamp(until.0 + ID_LATER_MILLISECONDS_MAX))
            }),
        }
    }
}

/// What the ids of that millisecond begin with, and all later ones are greater than.
fn id_from(at: Timestamp) -> String {
    let milliseconds = u64::try_from(at.0).unwrap_or_default();
    format!("{:08x}-{:04x}", milliseconds >> 16, milliseconds & 0xffff)
}

/// An execution's name, out of its ARN or as it is.
fn name_of(execution: &str) -> &str {
    match execution.starts_with("arn:") {
        true => execution.split(':').nth(7).unwrap_or(execution),
        false => execution,
    }
}

fn disposition(name: &str) -> Result<Option<Disposition>, Reply> {
    if name == PENDING {
        return Ok(None);
    }
    Disposition::named(name).map(Some).ok_or_else(|| {
        let known: Vec<_> = Disposition::ALL.iter().map(|d| d.name()).collect();
        Reply::refusal(
            StatusCode::BAD_REQUEST,
            "InvalidDisposition",
            format!("there is no disposition \"{name}\""),
            &format!("{}, {PENDING}", did_you_mean(name, &known)),
        )
    })
}

fn limit(call: &Call) -> Result<usize, Reply> {
    match call.parameter("limit").map(|limit| limit.parse()) {
        None => Ok(LIMIT_DEFAULT),
        Some(Ok(limit)) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(Reply::refusal(
            StatusCode::BAD_REQUEST,
            "InvalidLimit",
            "`limit` is not a number that is possible",
            &format!("it must be from 1 to {LIMIT_MAX}"),
        )),
    }
}

fn order(call: &Call) -> Result<Order, Reply> {
    match call.parameter("order").as_deref() {
        None | Some("newest") => Ok(Order::NewestFirst),
        Some("oldest") => Ok(Order::OldestFirst),
        Some(other) => Err(invalid(
            "order",
            &format!("there is no order {other:?}"),
            "there are newest (the newest first, the default) and oldest",
        )),
    }
}

fn invalid(name: &str, what: &str, hint: &str) -> Reply {
    Reply::refusal(
        StatusCode::BAD_REQUEST,
        "InvalidParameter",
        format!("`{name}`: {what}"),
        hint,
    )
}
