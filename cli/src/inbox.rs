//! `rejoin inbox`: what became of callbacks, and doing something about it.
//!
//! The list and its flags are those of every list ([`crate::ask::list`]); the commands below it each send one
//! request, or, for a replay of many, one after the other until the server says that there are no more.

use std::process::ExitCode;

use asl::Timestamp;
use hyper::Method;
use serde_json::{Map, Value};

use crate::ask::list::{List, Listing};
use crate::ask::{At, Server, age_of, cell, escaped, print, print_line};
use crate::colour::{DIM, GREEN, RED, YELLOW, paint};
use crate::screen::plain_lines;
use crate::table::Table;

const EXAMPLES: &str = "\
Examples:
  rejoin inbox --attention                         what did not go well, and nobody has seen to
  rejoin inbox --reference VAL-2041                what came for it
  rejoin inbox --execution ARN --json              for a script
  rejoin inbox show ID                             one in full: bytes, headers, each attempt
  rejoin inbox replay ID                           through its route again, as the route is now
  rejoin inbox replay --disposition malformed --since 2h         what would come of each; then --yes
  rejoin inbox rematch ID --execution order-7 --state RequestValuation
  rejoin inbox dismiss ID --note 'told the bank'";

/// Show the callbacks that came, newest first, and replay, re-match or dismiss them
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Inbox {
    #[command(subcommand)]
    deed: Option<Deed>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    listing: Listing,
}

/// Filters.
#[derive(clap::Args, Default)]
struct Which {
    /// Only of this route
    #[arg(long)]
    route: Option<String>,
    /// Only with this reference
    #[arg(long)]
    reference: Option<String>,
    /// Only those that met this execution (its ARN or name)
    #[arg(long)]
    execution: Option<String>,
    /// Only with these dispositions, separated by commas; or pending, which has none yet. What waits for an engine
    /// elsewhere is undeliverable until that takes it
    #[arg(long)]
    disposition: Option<String>,
    /// Only since then: 2026-01-31T12:00:00Z, or 90s, 15m, 2h, 3d, 1w ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only until then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only with this text in the body
    #[arg(long)]
    text: Option<String>,
    /// Only what did not go well, is not dismissed, and was not replayed with success
    #[arg(long)]
    attention: bool,
    /// Only what is dismissed
    #[arg(long)]
    dismissed: bool,
}

#[derive(clap::Subcommand)]
enum Deed {
    /// Show one in full
    Show(Show),
    /// Have one, or all that fit, go through their routes again
    Replay(Replay),
    /// Have one go to a wait of your choice
    Rematch(Rematch),
    /// Say that nobody has to look at one any more
    Dismiss(Dismiss),
}

#[derive(clap::Args)]
struct Show {
    /// The delivery's id
    id: String,
    /// As the server gives it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Who does something, and why.
#[derive(clap::Args)]
struct Why {
    /// Who you are [default: $USER]
    #[arg(long)]
    by: Option<String>,
    /// Why, for those who look later
    #[arg(long)]
    note: Option<String>,
}

/// What an operator answers for.
#[derive(clap::Args)]
struct Allowances {
    /// You vouch for one that was not verified
    #[arg(long)]
    trust: bool,
    /// The workflow may be given "(redacted)" where something was redacted
    #[arg(long)]
    allow_redacted: bool,
}

#[derive(clap::Args)]
struct Replay {
    /// The delivery's id; without it, all that fit the filters, which by themselves show what would come of it
    #[arg(conflicts_with_all = ["route", "reference", "execution", "disposition", "since", "until", "text", "attention", "dismissed", "yes"])]
    id: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Do it to all that fit, and not only show what would come of it
    #[arg(long)]
    yes: bool,
    /// Of one: show what would come of it
    #[arg(long, requires = "id")]
    dry_run: bool,
    /// Of one: once more, though a replay of it has ended well
    #[arg(long, requires = "id")]
    again: bool,
    #[command(flatten)]
    allowances: Allowances,
    #[command(flatten)]
    why: Why,
    /// As the server gives it; of many, one a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

#[derive(clap::Args)]
struct Rematch {
    /// The delivery's id
    id: String,
    /// The wait that is registered under this reference
    #[arg(long, conflicts_with_all = ["task_token", "execution"])]
    reference: Option<String>,
    /// The route that it is registered on [default: the delivery's]
    #[arg(long, requires = "reference")]
    route: Option<String>,
    /// The wait with this task token
    #[arg(long, conflicts_with = "execution")]
    task_token: Option<String>,
    /// The wait of this execution (its ARN or name)
    #[arg(long)]
    execution: Option<String>,
    /// The state that it waits in, if there are several
    #[arg(long, requires = "execution")]
    state: Option<String>,
    /// Show what would come of it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    allowances: Allowances,
    #[command(flatten)]
    why: Why,
    /// As the server gives it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

#[derive(clap::Args)]
struct Dismiss {
    /// The delivery's id
    id: String,
    /// Take it back
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    at: At,
}

impl Inbox {
    /// Shows the list, or does what is asked for.
    ///
    /// # Errors
    /// A sentence: what was wrong and what to do.
    pub fn run(&self) -> Result<ExitCode, String> {
        match &self.deed {
            None => self.list(),
            Some(Deed::Show(show)) => show.run(),
            Some(Deed::Replay(replay)) => replay.run(),
            Some(Deed::Rematch(rematch)) => rematch.run(),
            Some(Deed::Dismiss(dismiss)) => dismiss.run(),
        }
    }

    fn list(&self) -> Result<ExitCode, String> {
        let which = &self.which;
        let truth = |flag: bool| flag.then_some("true");
        let query = [
            ("route", which.route.as_deref()),
            ("reference", which.reference.as_deref()),
            ("execution", which.execution.as_deref()),
            ("disposition", which.disposition.as_deref()),
            ("since", which.since.as_deref()),
            ("until", which.until.as_deref()),
            ("text", which.text.as_deref()),
            ("attention", truth(which.attention)),
            ("dismissed", truth(which.dismissed)),
        ];
        self.listing.show(&List {
            path: "/rejoin/deliveries",
            query: &query,
            member: "deliveries",
            // An early one that is delivered is news.
            identity: &|one| format!("{}{}", one["id"], one["disposition"]),
            heads: &[
                "came",
                "disposition",
                "route",
                "reference",
                "execution",
                "id",
            ],
            row: &row,
            none: "there is no delivery that fits",
        })
    }
}

fn row(one: &Value, now: Timestamp) -> Vec<String> {
    let mut disposition = coloured(&one["disposition"]);
    if !one["dismissed"].is_null() {
        disposition += &paint(DIM, " dismissed");
    } else if !one["replayedAs"].is_null() {
        disposition += &paint(DIM, " replayed");
    } else if !one["replayOf"].is_null() {
        disposition += &paint(DIM, " replay");
    }
    vec![
        format!("{} ago", age_of(&one["receivedAt"], now)),
        disposition,
        cell(&one["route"]),
        cell(&one["reference"]),
        cell(&one["executionName"]),
        paint(DIM, &cell(&one["id"])),
    ]
}

/// A disposition in the colour of how well it is.
fn coloured(disposition: &Value) -> String {
    let name = cell(disposition);
    let colour = match name.as_str() {
        "delivered" | "delivered-as-failure" | "heartbeat" => GREEN,
        "early" | "pending" | "duplicate-identical" => DIM,
        "undeliverable" | "rate-limited" => YELLOW,
        _ => RED,
    };
    paint(colour, &name)
}

impl Show {
    fn run(&self) -> Result<ExitCode, String> {
        let one = self.at.server()?.get(&path(&self.id, ""), &[])?;
        if self.json {
            print_line(&one);
            return Ok(ExitCode::SUCCESS);
        }
        let text = in_full(&one);
        print(&text);
        Ok(ExitCode::SUCCESS)
    }
}

/// One delivery for people.
fn in_full(one: &Value) -> String {
    let mut text = String::new();
    let mut line = |head: &str, value: String| {
        text.push_str(&format!("{:<12} {value}\n", head));
    };
    line("delivery", cell(&one["id"]));
    line("disposition", coloured(&one["disposition"]));
    line(
        "came",
        format!("{} from {}", cell(&one["receivedAt"]), cell(&one["peer"])),
    );
    line(
        "sent to",
        format!(
            "{} {}  (route {})",
            cell(&one["method"]),
            cell(&one["path"]),
            cell(&one["route"])
        ),
    );
    for (head, name) in [
        ("reference", "reference"),
        ("verified by", "verifiedBy"),
        ("execution", "executionArn"),
        ("state", "stateName"),
        ("waited since", "waitBeganAt"),
        ("until", "waitDeadline"),
        ("replay of", "replayOf"),
    ] {
        if !one[name].is_null() {
            line(head, cell(&one[name]));
        }
    }
    let each = |name: &str| one[name].as_array().cloned().unwrap_or_default();
    for step in each("dispositions") {
        let said = format!(
            "{}  {}: {}",
            cell(&step["at"]),
            coloured(&step["disposition"]),
            cell(&step["note"])
        );
        line("became", said);
    }
    for one in each("tries") {
        let note = match one["note"].as_str() {
            Some(note) => format!(": {note}"),
            None => String::new(),
        };
        line(
            "tried",
            format!("{}  {}{note}", cell(&one["at"]), cell(&one["result"])),
        );
    }
    for mark in each("marks") {
        let made = mark["delivery"].as_str().map(|made| format!(" as {made}"));
        let by = mark["by"].as_str().map(|by| format!(" by {by}"));
        let note = mark["note"].as_str().map(|note| format!(": {note}"));
        let more = [made, by, note].map(Option::unwrap_or_default).concat();
        line(
            "marked",
            format!("{}  {}{more}", cell(&mark["at"]), cell(&mark["deed"])),
        );
    }
    for header in each("headers") {
        line(
            "header",
            format!("{}: {}", cell(&header[0]), cell(&header[1])),
        );
    }
    if one["redacted"]
        .as_array()
        .is_some_and(|all| !all.is_empty())
    {
        let redacted: Vec<String> = each("redacted").iter().map(cell).collect();
        line("redacted", redacted.join(", "));
    }
    let size = match one["bodyWhole"] == true {
        true => format!("{} bytes", one["bodyBytes"]),
        false => format!("the beginning of {} bytes", one["bodyBytes"]),
    };
    line("body", size);
    let body = one["body"].as_str().or(one["bodyBase64"].as_str());
    text.push_str(&format!("\n{}\n", plain_lines(body.unwrap_or_default())));
    text
}

impl Replay {
    fn run(&self) -> Result<ExitCode, String> {
        let server = self.at.server()?;
        match &self.id {
            Some(id) => {
                let mut body = self.why.body();
                self.allowances.add_to(&mut body);
                body.insert("again".into(), self.again.into());
                body.insert("dryRun".into(), self.dry_run.into());
                body.insert("key".into(), key().into());
                let said =
                    server.send(Method::POST, &path(id, "/replay"), &[], Some(&body.into()))?;
                Ok(told(&said, self.json))
            }
            None => self.many(&server),
        }
    }

    /// All that fit, page after page.
    fn many(&self, server: &Server) -> Result<ExitCode, String> {
        let mut body = self.why.body();
        self.allowances.add_to(&mut body);
        body.insert("filter".into(), self.which.filter());
        body.insert("dryRun".into(), (!self.yes).into());
        body.insert("key".into(), key().into());
        let mut table = Table::new(&["came", "was", "reference", "becomes", "because", "id"]);
        let mut all_well = true;
        let (mut done, mut refused) = (0, 0);
        loop {
            let asked = Value::from(body.clone());
            let page = server.send(Method::POST, "/rejoin/deliveries/replay", &[], Some(&asked))?;
            for one in page["deliveries"].as_array().into_iter().flatten() {
                match one["result"]["refused"].is_null() {
                    true => done += 1,
                    false => refused += 1,
                }
                let (became, because, well) = outcome(&one["result"]);
                all_well &= well;
                match self.json {
                    true => print_line(one),
                    false => print(&table.next(vec![
                        cell(&one["receivedAt"]),
                        coloured(&one["disposition"]),
                        cell(&one["reference"]),
                        became,
                        because,
                        paint(DIM, &cell(&one["id"])),
                    ])),
                }
            }
            if let Some(id) = page["stoppedAt"].as_str() {
                return Err(format!(
                    "the server could not go on at delivery {id}; its log says why. The same command goes on where it stopped"
                ));
            }
            match page["next"].as_str() {
                Some(next) => body.insert("after".into(), next.into()),
                None => break,
            };
        }
        if !self.json {
            print(&replayed(done, refused, self.yes));
        }
        Ok(match all_well || !self.yes {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

impl Rematch {
    fn run(&self) -> Result<ExitCode, String> {
        let mut body = self.why.body();
        self.allowances.add_to(&mut body);
        body.insert("dryRun".into(), self.dry_run.into());
        body.insert("key".into(), key().into());
        let server = self.at.server()?;
        let execution = self.execution.as_deref();
        let execution = execution
            .map(|given| server.execution_arn(given))
            .transpose()?;
        for (name, value) in [
            ("reference", &self.reference),
            ("route", &self.route),
            ("taskToken", &self.task_token),
            ("execution", &execution),
            ("state", &self.state),
        ] {
            if let Some(value) = value {
                body.insert(name.into(), value.as_str().into());
            }
        }
        let path = path(&self.id, "/rematch");
        let said = server.send(Method::POST, &path, &[], Some(&body.into()))?;
        Ok(told(&said, self.json))
    }
}

impl Dismiss {
    fn run(&self) -> Result<ExitCode, String> {
        let method = match self.undo {
            true => Method::DELETE,
            false => Method::POST,
        };
        let server = self.at.server()?;
        let body = self.why.body().into();
        server.send(method, &path(&self.id, "/dismiss"), &[], Some(&body))?;
        print(match self.undo {
            true => "it needs attention again\n",
            false => "dismissed\n",
        });
        Ok(ExitCode::SUCCESS)
    }
}

impl Which {
    /// As the server takes it in a body.
    fn filter(&self) -> Value {
        let mut filter = Map::new();
        for (name, value) in [
            ("route", &self.route),
            ("reference", &self.reference),
            ("execution", &self.execution),
            ("disposition", &self.disposition),
            ("since", &self.since),
            ("until", &self.until),
            ("text", &self.text),
        ] {
            if let Some(value) = value {
                filter.insert(name.into(), value.as_str().into());
            }
        }
        for (name, flag) in [("attention", self.attention), ("dismissed", self.dismissed)] {
            if flag {
                filter.insert(name.into(), true.into());
            }
        }
        filter.into()
    }
}

impl Why {
    fn body(&self) -> Map<String, Value> {
        let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
        let mut body = Map::new();
        if let Some(by) = self.by.clone().or_else(user) {
            body.insert("by".into(), by.into());
        }
        if let Some(note) = &self.note {
            body.insert("note".into(), note.as_str().into());
        }
        body
    }
}

impl Allowances {
    fn add_to(&self, body: &mut Map<String, Value>) {
        body.insert("trust".into(), self.trust.into());
        body.insert("allowRedacted".into(), self.allow_redacted.into());
    }
}

fn path(id: &str, below: &str) -> String {
    format!("/rejoin/deliveries/{}{below}", escaped(id))
}

/// What this request is called, for the server to know it again.
fn key() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = now.unwrap_or_default().as_nanos();
    format!("cli-{}-{nanos}", std::process::id())
}

/// Shows what came of one.
fn told(said: &Value, as_json: bool) -> ExitCode {
    if as_json {
        print_line(said);
    } else {
        for warning in said["warnings"].as_array().into_iter().flatten() {
            print(&format!("{} {}\n", paint(YELLOW, "mind:"), cell(warning)));
        }
        let (became, because, _) = outcome(said);
        let verb = match said["would"].is_null() {
            true => "became",
            false => "would become",
        };
        print(&format!("{verb} {became}: {because}\n"));
        if let Some(id) = said["delivery"]["id"].as_str() {
            print(&format!("delivery {id}\n"));
        }
    }
    match outcome(said).2 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// What became of one, why, and whether it is well.
/// The last line of a replay of many.
fn replayed(done: u64, refused: u64, yes: bool) -> String {
    let not = match refused {
        0 => String::new(),
        refused if yes => format!(", {refused} refused"),
        refused => format!(", {refused} would be refused"),
    };
    match (done, refused, yes) {
        (0, 0, _) => "there is no delivery that fits\n".to_owned(),
        (_, _, true) => format!("\n{done} replayed{not}\n"),
        (0, refused, false) => format!("\n{refused} would be refused; nothing was done\n"),
        (_, _, false) => {
            format!(
                "\n{done} would be replayed, in this order{not}; nothing was done. --yes does it\n"
            )
        }
    }
}

fn outcome(said: &Value) -> (String, String, bool) {
    if !said["refused"].is_null() {
        let refused = &said["refused"];
        let why = format!("{}; {}", cell(&refused["message"]), cell(&refused["hint"]));
        return (paint(RED, "refused"), why, false);
    }
    let one = match said["would"].is_null() {
        true => &said["delivery"],
        false => &said["would"],
    };
    let well = [
        "delivered",
        "delivered-as-failure",
        "heartbeat",
        "early",
        "duplicate-identical",
    ];
    let well = one["disposition"]
        .as_str()
        .is_some_and(|name| well.contains(&name));
    let before = match said["before"] == true {
        true => " (replayed before)",
        false => "",
    };
    let became = format!("{}{before}", coloured(&one["disposition"]));
    (became, cell(&one["note"]), well)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_came_of_a_replay_is_told_with_its_reason() {
        let refused = json!({"refused": {"message": "it is open", "hint": "wait"}});
        let (became, because, well) = outcome(&refused);
        assert!(became.contains("refused") && !well);
        assert_eq!(because, "it is open; wait");
        let done = json!({"delivery": {"disposition": "late-ended", "note": "It is over."}});
        let (became, because, well) = outcome(&done);
        assert!(became.contains("late-ended") && !well);
        assert_eq!(because, "It is over.");
        let would =
            json!({"would": {"disposition": "delivered", "note": "It fits."}, "warnings": []});
        assert!(outcome(&would).2);
    }

    #[test]
    fn what_is_refused_is_not_counted_as_replayed() {
        for (done, refused, yes, said) in [
            (0, 0, true, "there is no delivery that fits"),
            (3, 0, true, "3 replayed"),
            (2, 1, true, "2 replayed, 1 refused"),
            (0, 3, true, "0 replayed, 3 refused"),
            (
                2,
                0,
                false,
                "2 would be replayed, in this order; nothing was done. --yes does it",
            ),
            (
                2,
                1,
                false,
                "2 would be replayed, in this order, 1 would be refused; nothing was done. --yes does it",
            ),
            (0, 3, false, "3 would be refused; nothing was done"),
        ] {
            assert_eq!(replayed(done, refused, yes).trim(), said);
        }
    }

    #[test]
    fn one_in_full_has_all_that_is_known() {
        let shown = in_full(&json!({
            "id": "1-2", "disposition": "late-ended", "receivedAt": "T", "peer": "P", "method": "POST",
            "path": "/c", "route": "r", "reference": "REF",
            "dispositions": [{"at": "T", "disposition": "late-ended", "note": "N"}],
            "tries": [{"at": "T2", "result": "unreachable", "note": "down"}],
            "marks": [{"at": "T3", "deed": "replayed", "delivery": "3-4", "by": "ann"}],
            "headers": [["x-a", "1"]], "redacted": ["$.card"], "bodyWhole": false, "bodyBytes": 9,
            "body": "{\"a\":",
        }));
        for part in [
            "REF",
            "N",
            "T2  unreachable: down",
            "replayed as 3-4 by ann",
            "x-a: 1",
            "$.card",
            "the beginning of 9 bytes",
            "{\"a\":",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }
}
