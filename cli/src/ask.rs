//! Asking a running server: what the commands that look into one have in common.
//!
//! A command flattens [`At`] (which server) into its arguments, or [`list::Listing`] (which server, how many, in
//! which form) if it shows a list, and asks with [`Server::get`] or [`Server::send`]. Everything is
//! blocking: a command does one thing after the other, and Ctrl-C ends it.
//!
//! The answers are the server's JSON as it stands; nothing here knows what is in them, except that a list
//! is `{"NAME": [...], "next": ...}`, newest first, and that a refusal is `{"error", "message", "hint"}`.
//! Errors are sentences that say what was wrong and what to do.
//!
//! - [`list`]: lists, in pages, as a table or as JSON lines, once or for ever.
//! - [`operation`]: operations of the Step Functions API.

pub mod list;
mod operation;

use std::cell::OnceCell;
use std::io::Write;
use std::time::Duration;

use asl::Timestamp;
use hyper::Method;
use serde_json::Value;
use server::client::{Answer, Client, address};
use tokio::runtime::{Builder, Runtime};

use crate::screen;

/// Where `rejoin serve` listens if it is not told otherwise.
const URL_DEFAULT: &str = "http://127.0.0.1:8083";

/// The variable that says where the server is.
const URL_VARIABLE: &str = "REJOIN_URL";

/// A server that answers does so at once, or after a long poll of a minute at most.
const PATIENCE: Duration = Duration::from_secs(75);

/// How much of an answer that can't be understood is shown.
const SHOWN_BYTES_MAX: usize = 300;

/// Which server is asked.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct At {
    /// The server that is asked [default: $REJOIN_URL, or http://127.0.0.1:8083]
    #[arg(long, value_name = "URL", global = true)]
    pub url: Option<String>,
}

/// A server that can be asked.
pub struct Server {
    url: String,
    runtime: Runtime,
    client: Client,
    /// Its version, once it has said that it is a Rejoin.
    known: OnceCell<()>,
}

impl At {
    /// The server; nothing is sent yet.
    ///
    /// # Errors
    /// A sentence: the URL is none.
    pub fn server(&self) -> Result<Server, String> {
        let variable = std::env::var(URL_VARIABLE)
            .ok()
            .filter(|url| !url.is_empty());
        let (url, from) = match (&self.url, variable) {
            (Some(url), _) => (url.clone(), "--url"),
            (None, Some(url)) => (url, URL_VARIABLE),
            (None, None) => (URL_DEFAULT.to_owned(), ""),
        };
        Server::new(&url).map_err(|why| format!("{from}: {why}; write for example {URL_DEFAULT}"))
    }
}

impl Server {
    fn new(url: &str) -> Result<Server, String> {
        address(url)?;
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Server {
            url: url.trim_end_matches('/').to_owned(),
            runtime: runtime.map_err(|why| format!("no runtime could be started: {why}"))?,
            client: Client::new(),
            known: OnceCell::new(),
        })
    }

    /// Gets a path, for example `/rejoin/waits`, with those of the parameters that are there.
    ///
    /// # Errors
    /// A sentence, ready to be shown: the server is not there, is no Rejoin, or refuses, and why.
    pub fn get(&self, path: &str, query: &[(&str, Option<&str>)]) -> Result<Value, String> {
        self.send(Method::GET, path, query, None)
    }

    /// Sends a request, with a body if there is one.
    ///
    /// # Errors
    /// As [`Server::get`].
    pub fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, Option<&str>)],
        body: Option<&Value>,
    ) -> Result<Value, String> {
        self.make_known()?;
        let path = format!("{path}{}", written_query(query));
        let answer = self.exchange(&method, &path, body)?;
        match (answer.status.as_u16(), serde_json::from_slice(&answer.body)) {
            (200..300, Ok(answer)) => Ok(answer),
            (200..300, Err(_)) if answer.body.is_empty() => Ok(Value::Null),
            (_, Ok(refusal)) if refusal_sentence(&refusal).is_some() => {
                Err(refusal_sentence(&refusal).expect("it has just been looked at"))
            }
            (status, _) => Err(format!(
                "{} answered {method} {path} with {status} and {}; is it a Rejoin of another version than this command ({})?",
                self.url,
                shown(&answer.body),
                env!("CARGO_PKG_VERSION")
            )),
        }
    }

    /// The server's time, which on a virtual clock is not this machine's.
    ///
    /// # Errors
    /// As [`Server::get`].
    pub fn now(&self) -> Result<Timestamp, String> {
        let clock = self.get("/rejoin/clock", &[])?;
        let now = clock["now"].as_str().and_then(|now| now.parse().ok());
        now.ok_or_else(|| format!("{} does not say what time it is: {clock}", self.url))
    }

    /// The ARN of an execution that is given by its ARN or its name: of several of one name, the newest one's.
    ///
    /// # Errors
    /// As [`Server::get`]; or the name is something else's.
    pub fn execution_arn(&self, given: &str) -> Result<String, String> {
        if given.starts_with("arn:") {
            return Ok(given.to_owned());
        }
        let wrong = |why: String| format!("{why}; give an execution's name or its ARN");
        // The one place that looks for names looks for other things, too.
        let story = match self.get(&format!("/rejoin/trace/{}", escaped(given)), &[]) {
            Ok(story) => story,
            Err(why) if why.starts_with("nothing is known of ") => {
                return Err(wrong(format!("there is no execution {given:?}")));
            }
            Err(why) => return Err(why),
        };
        let arn = story["execution"]["executionArn"].as_str();
        let whose = cell(&story["as"]);
        match arn.filter(|_| whose == "execution") {
            Some(arn) => Ok(arn.to_owned()),
            None => {
                let of = arn.map_or(String::new(), |arn| format!(", of {arn}"));
                Err(wrong(format!("{given:?} is a {whose}{of}")))
            }
        }
    }

    /// Makes sure, once, that what answers is a Rejoin: else its answers mean nothing.
    fn make_known(&self) -> Result<(), String> {
        if self.known.get().is_some() {
            return Ok(());
        }
        let answer = self.exchange(&Method::GET, "/health", None)?;
        let health = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        if !health["status"].is_string() || !health["version"].is_string() {
            return Err(format!(
                "what answers at {} is not a Rejoin: GET /health gave {} and {}; say with --url or {URL_VARIABLE} where the server is",
                self.url,
                answer.status.as_u16(),
                shown(&answer.body)
            ));
        }
        let _ = self.known.set(());
        Ok(())
    }

    fn exchange(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let url = format!("{}{path}", self.url);
        let headers: &[_] = match body {
            Some(_) => &[("content-type", "application/json")],
            None => &[],
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let sending = self
            .client
            .send(method.clone(), &url, headers, body.into(), PATIENCE);
        self.runtime.block_on(sending).map_err(|why| {
            format!(
                "{why}. Is `rejoin serve` running? --url or {URL_VARIABLE} says where, if not at {}",
                self.url
            )
        })
    }
}

/// What a refusal says: its message, and what to do.
fn refusal_sentence(refusal: &Value) -> Option<String> {
    let message = refusal["message"].as_str()?;
    Some(match refusal["hint"].as_str() {
        Some(hint) => format!("{message}; {hint}"),
        None => message.to_owned(),
    })
}

/// A segment of a path or a value of a query, percent-encoded.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

fn written_query(query: &[(&str, Option<&str>)]) -> String {
    let mut written = String::new();
    for (name, value) in query {
        if let Some(value) = value {
            let joint = if written.is_empty() { '?' } else { '&' };
            written.push(joint);
            written.push_str(&format!("{name}={}", escaped(value)));
        }
    }
    written
}

fn shown(body: &[u8]) -> String {
    if body.is_empty() {
        return "nothing".into();
    }
    let head = &body[..body.len().min(SHOWN_BYTES_MAX)];
    let text = String::from_utf8_lossy(head);
    let more = if head.len() < body.len() { "..." } else { "" };
    format!("{:?}{more}", text.trim())
}

/// How long it is from `then` to `now`, in the two largest units: `3 d 4 h`, `12 s`.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let millis = (now.0 - then.0).max(0);
    if millis < 10_000 && millis % 1000 != 0 {
        return format!("{:.1} s", millis as f64 / 1000.0);
    }
    let seconds = millis / 1000;
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let two = units[first..]
        .iter()
        .take(2)
        .filter(|(count, _)| *count > 0);
    let words: Vec<_> = two.map(|(count, unit)| format!("{count} {unit}")).collect();
    match words.is_empty() {
        true => "0 s".into(),
        false => words.join(" "),
    }
}

/// [`age`] of a time that stands as text in an answer; the text itself if it is no time, `-` if there is none.
pub fn age_of(then: &Value, now: Timestamp) -> String {
    match then.as_str() {
        None => "-".into(),
        Some(text) => match text.parse() {
            Ok(then) => age(then, now),
            Err(_) => text.to_owned(),
        },
    }
}

/// A value as a cell of a table: text without quotes and without what commands a terminal, `-` for what is not there.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => screen::plain(text),
        other => screen::plain_json(&other.to_string()),
    }
}

/// Prints text to standard output. If whoever reads it has gone, as `| head` does, that is the end.
pub fn print(text: &str) {
    let mut output = std::io::stdout().lock();
    if output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .is_err()
    {
        std::process::exit(0);
    }
}

/// Prints an item as JSON, on a line of its own.
pub fn print_line(value: &Value) {
    print(&screen::plain_json(&format!("{value}\n")));
}

/// Prints an answer as JSON for people to read.
pub fn print_json(value: &Value) {
    print(&screen::plain_json(&format!("{value:#}\n")));
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::*;

    /// Gives these answers, one a connection, and then the lines that it was asked with.
    fn answering(answers: &'static [(u16, &str)]) -> (Server, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let asked = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for (status, body) in answers {
                let (stream, _) = listener.accept().expect("somebody comes");
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                asked.extend(lines.next());
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                write!(
                    &stream,
                    "HTTP/1.1 {status} Said\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
                .expect("it is read");
            }
            asked
        });
        let server = Server::new(&format!("http://{address}/")).expect("it is a URL");
        (server, asked)
    }

    const HEALTH: (u16, &str) = (200, r#"{"status": "ok", "version": "0.1.0"}"#);

    #[test]
    fn an_answer_is_json_and_a_refusal_a_sentence() {
        let refusal = r#"{"error": "NotFound", "message": "there is none", "hint": "make one"}"#;
        let answers = Box::leak(Box::new([
            HEALTH,
            (200, r#"{"a": 1}"#),
            (404, refusal),
            (502, "<p>"),
        ]));
        let (server, asked) = answering(answers);
        let got = server.get("/rejoin/x", &[("q", Some("ü")), ("no", None)]);
        assert_eq!(got, Ok(serde_json::json!({"a": 1})));
        assert_eq!(
            server.get("/rejoin/x", &[]),
            Err("there is none; make one".into())
        );
        let why = server.get("/rejoin/x", &[]).expect_err("it is no answer");
        assert!(why.contains("GET /rejoin/x with 502 and \"<p>\""), "{why}");
        let asked = asked.join().expect("all was asked");
        assert_eq!(
            asked[..2],
            ["GET /health HTTP/1.1", "GET /rejoin/x?q=%C3%BC HTTP/1.1"]
        );
    }

    #[test]
    fn what_is_no_rejoin_or_not_there_is_told_with_what_to_do() {
        let (server, asked) = answering(&[(200, "<html>")]);
        let why = server.now().expect_err("it is no Rejoin");
        assert!(
            why.contains("is not a Rejoin") && why.contains("--url"),
            "{why}"
        );
        drop(asked.join().expect("it was asked"));
        let why = server.now().expect_err("nobody listens");
        assert!(
            why.contains("nothing listens there. Is `rejoin serve` running?"),
            "{why}"
        );
    }

    #[test]
    fn a_list_is_read_in_pages_up_to_what_is_known() {
        let page = r#"{"things": [{"id": 3}, {"id": 2}], "next": "2"}"#;
        let last = r#"{"things": [{"id": 1}]}"#;
        let pages = [HEALTH, (200, page), (200, last), (200, page), (200, page)];
        let answers = Box::leak(Box::new(pages));
        let (server, asked) = answering(answers);
        let list = list::List {
            path: "/rejoin/things",
            query: &[("of", Some("mine"))],
            member: "things",
            identity: &|thing| thing["id"].to_string(),
            heads: &["id"],
            row: &|thing, _| vec![cell(&thing["id"])],
            none: "nothing",
        };
        let count = |(items, more): (Vec<Value>, bool)| (items.len(), more);
        let all = list.items(&server, 5, &|_| false);
        assert_eq!(all.map(count), Ok((3, false)));
        let until_two = list.items(&server, 5, &|thing| thing["id"] == 2);
        assert_eq!(until_two.map(count), Ok((2, false)));
        let two = list.items(&server, 2, &|_| false);
        assert_eq!(two.map(count), Ok((2, true)), "and there may be more");
        let asked = asked.join().expect("all was asked");
        assert_eq!(
            asked[2],
            "GET /rejoin/things?of=mine&limit=3&after=2 HTTP/1.1"
        );
    }

    #[test]
    fn an_age_has_the_two_largest_units() {
        for (millis, text) in [
            (-5, "0 s"),
            (0, "0 s"),
            (250, "0.2 s"),
            (6_000, "6 s"),
            (12_400, "12 s"),
            (60_000, "1 min"),
            (3_725_000, "1 h 2 min"),
            (86_400_000 * 3 + 59_000, "3 d"),
        ] {
            assert_eq!(
                age(Timestamp(1_000_000), Timestamp(1_000_000 + millis)),
                text
            );
        }
    }

    #[test]
    fn a_query_has_what_is_there_escaped() {
        let query = [("a", Some("1 & 2")), ("b", None), ("c", Some("é"))];
        assert_eq!(written_query(&query), "?a=1%20%26%202&c=%C3%A9");
        assert_eq!(written_query(&[("b", None)]), "");
    }

    #[test]
    fn a_refusal_is_shown_with_what_to_do() {
        let refusal = serde_json::json!({"error": "NotFound", "message": "there is none", "hint": "make one"});
        assert_eq!(
            refusal_sentence(&refusal).as_deref(),
            Some("there is none; make one")
        );
        assert_eq!(refusal_sentence(&serde_json::json!([1])), None);
    }

    #[test]
    fn a_url_that_is_none_is_said_with_where_it_came_from() {
        let at = At {
            url: Some("localhost:1".into()),
        };
        let why = at.server().err().expect("it is no URL");
        assert!(why.starts_with("--url: "), "{why}");
    }
}
