//! Lists that a server gives newest first, in pages: shown once, or followed.
//!
//! As a table they stand newest first, as the server gives them. Followed, the oldest stands first and what
//! comes is added below. As JSON they are one item a line, so that they can be filtered while they come.

use std::collections::{HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use asl::Timestamp;
use serde_json::Value;

use super::{At, Server, print, print_line};
use crate::table::Table;

/// How many items are shown if nothing is said.
const LIMIT_DEFAULT: usize = 50;

/// How many items are asked for at a time; every list of a server allows it.
const PAGE: usize = 100;

/// How many are shown of what has come between two looks.
const FOLLOWED_MAX: usize = 5_000;

/// How many are remembered as shown.
const SEEN_MAX: usize = 10_000;

/// How often a server is asked for more, in real time.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// The flags of a command that shows a list.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct Listing {
    #[command(flatten)]
    at: At,
    /// How many are shown [default: 50]
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
    /// Show them as the server gives them: JSON, one a line
    #[arg(long)]
    json: bool,
    /// Go on, and show what comes as it comes, until Ctrl-C
    #[arg(long)]
    follow: bool,
}

/// What a command lists, and how.
pub struct List<'a> {
    /// Where: `/rejoin/deliveries`.
    pub path: &'a str,
    /// The filters.
    pub query: &'a [(&'a str, Option<&'a str>)],
    /// The answer's member that has the items.
    pub member: &'a str,
    /// What makes an item another one, or the same one as something else than before: when following, it
    /// is shown again if this is new. As a rule an id and a status.
    pub identity: &'a dyn Fn(&Value) -> String,
    /// The heads of the columns.
    pub heads: &'a [&'a str],
    /// An item's cells, at the server's time.
    pub row: &'a dyn Fn(&Value, Timestamp) -> Vec<String>,
    /// What to say if there is none.
    pub none: &'a str,
}

impl Listing {
    /// The server that is asked.
    ///
    /// # Errors
    /// As [`At::server`].
    pub fn server(&self) -> Result<Server, String> {
        self.at.server()
    }

    /// Whether JSON is wanted.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether it is to go on.
    pub fn is_followed(&self) -> bool {
        self.follow
    }

    /// Shows a list.
    ///
    /// # Errors
    /// A sentence, as [`Server::get`].
    pub fn show(&self, list: &List<'_>) -> Result<ExitCode, String> {
        let server = self.server()?;
        let limit = self.limit.map_or(LIMIT_DEFAULT, NonZeroUsize::get);
        let (items, more) = list.items(&server, limit, &|_| false)?;
        if self.follow {
            return self.follow(&server, list, items);
        }
        if self.json {
            items.iter().for_each(print_line);
        } else if items.is_empty() {
            print(&format!("{}\n", list.none));
        } else {
            let now = server.now()?;
            let mut table = Table::new(list.heads);
            for item in &items {
                table.row(&(list.row)(item, now));
            }
            print(&table.to_string());
            // Who reads the table itself does not have to tell this line from it.
            if more {
                eprintln!(
                    "rejoin: there may be more; --limit {} shows more",
                    limit * 10
                );
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Shows what is there, and then what comes.
    fn follow(
        &self,
        server: &Server,
        list: &List<'_>,
        mut items: Vec<Value>,
    ) -> Result<ExitCode, String> {
        let mut table = Table::new(list.heads);
        let mut seen = Seen::default();
        let (mut away, mut now) = (false, server.now()?);
        // What is older than the first items is no news.
        let (older, _) = list.items(server, items.len() + PAGE, &|_| false)?;
        older.iter().skip(items.len()).for_each(|item| {
            seen.add((list.identity)(item));
        });
        loop {
            items.retain(|item| seen.add((list.identity)(item)));
            if self.json {
                items.iter().rev().for_each(print_line);
            } else {
                for item in items.iter().rev() {
                    print(&table.next((list.row)(item, now)));
                }
            }
            std::thread::sleep(FOLLOW_EVERY);
            let known = |item: &Value| seen.has(&(list.identity)(item));
            // A server that is started anew is waited for: it is the following that would be lost.
            let found = list.items(server, FOLLOWED_MAX, &known);
            items = match found.and_then(|(items, _)| Ok((items, server.now()?))) {
                Ok((items, at)) => {
                    (away, now) = (false, at);
                    items
                }
                Err(why) => {
                    if !std::mem::replace(&mut away, true) {
                        eprintln!("rejoin: {why}\nrejoin: asking again until it answers");
                    }
                    Vec::new()
                }
            };
        }
    }
}

/// What has been shown, of the last [`SEEN_MAX`].
#[derive(Default)]
struct Seen {
    all: HashSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    fn has(&self, identity: &str) -> bool {
        self.all.contains(identity)
    }

    /// Says whether it is new.
    fn add(&mut self, identity: String) -> bool {
        if !self.all.insert(identity.clone()) {
            return false;
        }
        self.order.push_back(identity);
        if self.order.len() > SEEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
        true
    }
}

impl List<'_> {
    /// The first so many items, over as many pages as that takes, but no page after one that has something
    /// `known`; and whether there may be more.
    ///
    /// # Errors
    /// A sentence, as [`Server::get`].
    pub fn items(
        &self,
        server: &Server,
        limit: usize,
        known: &dyn Fn(&Value) -> bool,
    ) -> Result<(Vec<Value>, bool), String> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        while items.len() < limit {
            let page = (limit - items.len()).min(PAGE).to_string();
            let mut query = self.query.to_vec();
            query.push(("limit", Some(&page)));
            query.push(("after", after.as_deref()));
            let mut answer = server.get(self.path, &query)?;
            let Some(Value::Array(found)) = answer.get_mut(self.member).map(Value::take) else {
                return Err(format!("{} gave no list of {}", self.path, self.member));
            };
            let enough = found.iter().any(known);
            items.extend(found);
            match answer["next"].as_str() {
                Some(next) if !enough => after = Some(next.to_owned()),
                _ => {
                    after = None;
                    break;
                }
            }
        }
        let more = after.is_some();
        Ok((items, more))
    }
}
