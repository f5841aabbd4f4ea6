//! How many callbacks a route takes from one source: a token bucket for each, on the server's clock.
//!
//! A *source* is the address that a callback comes from; where a trusted proxy stands in front, the one
//! that it names. Of IPv6 it is the first half (/64): whoever has one address there has all of them.
//!
//! What is refused is not silent, and must not fill the disk either, or the limit would be worth nothing.
//! So it is counted by route and window of time ([`WINDOW_SECONDS`], from the first refusal on), whatever
//! number of sources it comes from: the first [`STORED_MAX`] are deliveries as any other, and all further
//! ones are one delivery together, which says how many there were. Their number is in memory while the
//! window lasts, is stored each time that it has doubled, and is exact at the window's end; after a crash
//! it says "at least".
//!
//! Memory is bounded: a route remembers the sources that came last, and a source that it has forgotten
//! begins with a full bucket.
//!
//! This file counts; `refuse` stores and answers.

use std::net::{IpAddr, Ipv6Addr};

use asl::Timestamp;
use hashbrown::{HashMap, HashSet};
use hyper::header::{FORWARDED, HeaderName};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::route::config::RateConfig;
use super::verify::Network;
use crate::http::Call;

/// How long refusals are counted together.
pub(super) const WINDOW_SECONDS: i64 = 60;

/// How many refused callbacks of a route and window are kept each for itself.
pub(super) const STORED_MAX: u32 = 5;

/// How many sources a window's count names; those that come later are counted with the others.
const SOURCES_NAMED_MAX: usize = 20;

/// How many sources each of the two generations of buckets has. A bucket takes some 64 bytes, so a route
/// needs 1 MiB at most.
const GENERATION_MAX: usize = 8192;

/// A route's limit, with the buckets of its sources.
pub(super) struct Rate {
    per_second: f64,
    burst: u32,
    client_header: Option<HeaderName>,
    trusted_proxies: Vec<Network>,
    buckets: Mutex<Buckets>,
}

/// The buckets that were used last: when the young ones are as many as there may be they become the old
/// ones, and those that were old are forgotten. A bucket that is used is young again.
#[derive(Default)]
struct Buckets {
    young: HashMap<IpAddr, Bucket>,
    old: HashMap<IpAddr, Bucket>,
}

#[derive(Clone, Copy)]
struct Bucket {
    /// How many callbacks it is good for, at `at`.
    callbacks: f64,
    at: Timestamp,
}

/// A callback is one too many.
pub(super) struct TooMany {
    pub source: IpAddr,
    /// When there is room for the next one of this source.
    pub retry_after_seconds: u32,
    /// One sentence for the operator.
    pub reason: String,
}

impl Rate {
    /// Checks `rate` of a route.
    ///
    /// # Errors
    /// One sentence: which key, what instead.
    pub fn checked(config: &RateConfig) -> Result<Rate, String> {
        /// More than this is no limit.
        const PER_SECOND_MAX: f64 = 1e6;
        /// A callback a day.
        const PER_SECOND_MIN: f64 = 1.0 / 86_400.0;
        let per_second = config.per_second;
        if !(PER_SECOND_MIN..=PER_SECOND_MAX).contains(&per_second) {
            return Err(format!(
                "`rate.per_second` is {per_second}; it is how many callbacks a second are taken from one source, for example 10, or 0.5 for one in two seconds"
            ));
        }
        let burst = config.burst.unwrap_or(per_second.ceil() as u32);
        if burst == 0 {
            return Err(
                "`rate.burst` is 0, so no callback would ever be taken; it is how many are taken at once after a pause"
                    .into(),
            );
        }
        let client_header = match &config.client_header {
            None if config.trusted_proxies.is_empty() => None,
            None => {
                return Err(
                    "`rate.trusted_proxies` needs `rate.client_header`, in which they name the client, for example \"x-forwarded-for\""
                        .into(),
                );
            }
            Some(_) if config.trusted_proxies.is_empty() => {
                return Err(
                    "`rate.client_header` needs `rate.trusted_proxies`; anybody else could name a new client each time, so name the proxy's addresses, for example [\"127.0.0.1\"]"
                        .into(),
                );
            }
            Some(name) => match HeaderName::from_bytes(name.as_bytes()) {
                Ok(name) if name != FORWARDED => Some(name),
                _ => {
                    return Err(format!(
                        "`rate.client_header` is {name:?}; name a header that has addresses and nothing else, for example \"x-forwarded-for\" or \"x-real-ip\""
                    ));
                }
            },
        };
        Ok(Rate {
            per_second,
            burst,
            client_header,
            trusted_proxies: Network::parse_all("rate.trusted_proxies", &config.trusted_proxies)?,
            buckets: Mutex::default(),
        })
    }

    /// Takes a callback of its source out of the bucket.
    ///
    /// # Errors
    /// It is one too many.
    pub fn admit(&self, call: &Call, now: Timestamp) -> Result<(), TooMany> {
        let source = self.source(call);
        let burst = f64::from(self.burst);
        let mut buckets = self.buckets.lock();
        let bucket = buckets.of(source, burst, now);
        // A clock that was put back gives nothing and takes nothing.
        let passed = now.0.saturating_sub(bucket.at.0).max(0) as f64 / 1000.0;
        bucket.callbacks = (bucket.callbacks + passed * self.per_second).min(burst);
        bucket.at = now;
        if bucket.callbacks >= 1.0 {
            bucket.callbacks -= 1.0;
            return Ok(());
        }
        let seconds = (1.0 - bucket.callbacks) / self.per_second;
        Err(TooMany {
            source,
            retry_after_seconds: seconds.ceil().max(1.0) as u32,
            reason: format!(
                "{source} has sent more callbacks than this route takes from one source, which is {} a second and {} at once. Nothing of it was looked at.",
                self.per_second, self.burst
            ),
        })
    }

    /// Whom a callback counts for.
    fn source(&self, call: &Call) -> IpAddr {
        let mut address = call.peer.ip().to_canonical();
        let trusted = |address: IpAddr| self.trusted_proxies.iter().any(|n| n.contains(address));
        if let Some(name) = &self.client_header {
            let values = call.headers.get_all(name).iter();
            let said: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
            // Each proxy adds whom it heard, so the last ones are known best: go back as far as those who
            // say so are trusted.
            let named = said.iter().flat_map(|value| value.split(','));
            for text in named.collect::<Vec<_>>().into_iter().rev() {
                let Some(before) = trusted(address).then(|| written(text)).flatten() else {
                    break;
                };
                address = before;
            }
        }
        match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(all) => Ipv6Addr::from_bits(all.to_bits() >> 64 << 64).into(),
        }
    }
}

/// An address as proxies write it, some with a port.
fn written(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let alone = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|at| at.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    alone
        .or_else(with_port)
        .or_else(in_brackets)
        .map(|address| address.to_canonical())
}

impl Buckets {
    /// A source's bucket, among the young ones by now; a full one if it is not known.
    fn of(&mut self, source: IpAddr, burst: f64, now: Timestamp) -> &mut Bucket {
        if self.young.len() >= GENERATION_MAX && !self.young.contains_key(&source) {
            self.old = std::mem::take(&mut self.young);
        }
        if let Some(bucket) = self.old.remove(&source) {
            self.young.insert(source, bucket);
        }
        self.young.entry(source).or_insert(Bucket {
            callbacks: burst,
            at: now,
        })
    }
}

/// Callbacks that were refused within one window and are not kept each for itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refused {
    /// How many.
    pub count: u64,
    /// Whether the window is over and this is all; if not there may be more.
    pub complete: bool,
    /// When the first of them came.
    pub since: Timestamp,
    /// When the window ends.
    pub until: Timestamp,
    /// Who sent them, and how many.
    pub sources: Vec<(IpAddr, u64)>,
}

impl Refused {
    /// One sentence for people.
    pub fn note(&self) -> String {
        let named: u64 = self.sources.iter().map(|(_, count)| count).sum();
        let mut from: Vec<String> = self
            .sources
            .iter()
            .map(|(s, n)| format!("{s} ({n})"))
            .collect();
        if named < self.count {
            from.push(format!("others ({})", self.count - named));
        }
        let so_far = if self.complete { "" } else { "At least " };
        format!(
            "{so_far}{} more callbacks were refused until {}, from {}.",
            self.count,
            self.until,
            from.join(", ")
        )
    }
}

/// The windows in which callbacks were refused, and are counted together.
#[derive(Default)]
pub(super) struct Floods(Mutex<FloodState>);

#[derive(Default)]
struct FloodState {
    /// By the route's name.
    windows: HashMap<String, Window>,
    /// By the id of the delivery that stands for them.
    counted: HashMap<String, Refused>,
    /// Those of them that could not be stored.
    unstored: HashSet<String>,
}

struct Window {
    ends: Timestamp,
    stored: u32,
    /// The delivery that stands for the others.
    counts: Option<String>,
}

/// What is done about a refused callback.
#[derive(Debug, PartialEq)]
pub(super) enum Note {
    /// It is kept as a delivery of its own.
    Keep,
    /// It is counted in this delivery, which has to be stored now if `store`.
    Count { delivery: String, store: bool },
}

impl Floods {
    /// A callback of a route is refused; `new_id` names a delivery if one is needed.
    pub fn refuse(
        &self,
        route: &str,
        source: IpAddr,
        now: Timestamp,
        new_id: impl FnOnce() -> String,
    ) -> Note {
        let mut state = self.0.lock();
        let FloodState {
            windows, counted, ..
        } = &mut *state;
        let fresh = || Window {
            ends: now.plus_seconds(WINDOW_SECONDS),
            stored: 0,
            counts: None,
        };
        let window = windows.entry_ref(route).or_insert_with(fresh);
        if window.ends <= now {
            *window = fresh();
        }
        if window.stored < STORED_MAX {
            window.stored += 1;
            return Note::Keep;
        }
        let delivery = window.counts.get_or_insert_with(new_id).clone();
        let until = window.ends;
        let refused = counted
            .entry_ref(delivery.as_str())
            .or_insert_with(|| Refused {
                count: 0,
                complete: false,
                since: now,
                until,
                sources: Vec::new(),
            });
        refused.count += 1;
        let named = refused.sources.len();
        match refused
            .sources
            .iter_mut()
            .find(|(known, _)| *known == source)
        {
            Some((_, count)) => *count += 1,
            None if named < SOURCES_NAMED_MAX => refused.sources.push((source, 1)),
            None => {}
        }
        Note::Count {
            delivery,
            store: refused.count.is_power_of_two(),
        }
    }

    /// What a delivery stands for by now; none if its window is over.
    pub fn counted(&self, delivery: &str) -> Option<Refused> {
        self.0.lock().counted.get(delivery).cloned()
    }

    /// Whether the last try to store a count came to nothing.
    pub fn is_unstored(&self, delivery: &str) -> bool {
        self.0.lock().unstored.contains(delivery)
    }

    /// What came of a try.
    pub fn is_stored(&self, delivery: &str, stored: bool) {
        let unstored = &mut self.0.lock().unstored;
        match stored {
            true => unstored.remove(delivery),
            false => unstored.insert(delivery.to_owned()),
        };
    }

    /// A window is over, and what its delivery stands for is stored.
    pub fn close(&self, delivery: &str) {
        let mut state = self.0.lock();
        state.counted.remove(delivery);
        state
            .windows
            .retain(|_, window| window.counts.as_deref() != Some(delivery));
    }
}

#[cfg(test)]
mod tests;
