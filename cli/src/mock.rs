//! `rejoin mock`: services that misbehave as a file tells them, on the real clock.
//!
//! What they do is the crate `mock`'s; here it is told, a line for each thing that happens.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use mock::event::{Answered, Sent};
use mock::{Asked, Event, Fault, Listen, Mock as Services, Running, Start};
use serde_json::json;
use server::client::Client;
use server::clock::Clock;
use source::Source;

use crate::colour::{BLUE, BOLD, DIM, GREEN, RED, YELLOW, paint, paint_error};
use crate::serve::{runtime, until_told_to_stop};

/// Where the first service listens that names no port.
const LISTEN_DEFAULT: &str = "127.0.0.1:8090";
/// As much of a body as is shown.
const BODY_MAX: usize = 120;

const EXAMPLES: &str = "\
A file of a few lines:
  services:
    valuation:
      secret: whsec_dGhlIHNlY3JldA==
      routes:
        - post: /valuations
          reply: {status: 201, body: {valuationReference: '{% $reference %}'}}
          callbacks:
            - {after: 6s, to: '{% $request.body.callbackUrl %}', body: {valuationReference: '{% $reference %}'}}
          fault: {late: {after: 45s}}

Faults: FAULTS.
examples/loan-processor/valuation.mock.yaml has most of them, chosen by the request.";

/// The flags of `rejoin mock`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES.replace("FAULTS", &fault_lines()))]
pub struct Mock {
    /// What the services answer, call back, and do wrong: YAML (.yaml, .yml) or JSON; - is standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Where they listen: from this port on, a port a service; 0 picks free ones [default: as the file says,
    /// else from 127.0.0.1:8090 on]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Print a JSON document a line
    #[arg(long)]
    json: bool,
}

/// The words of all faults, in lines that fit.
fn fault_lines() -> String {
    let mut lines = String::new();
    let mut length = 8;
    for word in Fault::words() {
        if !lines.is_empty() {
            lines.push_str(if length > 80 { ",\n  " } else { ", " });
            length = if length > 80 { 2 } else { length + 2 };
        }
        lines.push_str(word);
        length += word.len();
    }
    lines
}

impl Mock {
    /// Runs the services until it is told to stop.
    pub fn run(self) -> Result<ExitCode, String> {
        let source = Source::read(&self.file)?;
        let services = Services::read(&source).map_err(|found| {
            eprint!("{}", source.report(&found, paint_error));
            let faults = if found.len() == 1 { "fault" } else { "faults" };
            format!("{} is not run, because of the {faults} above", self.file)
        })?;
        let listen = match &self.listen {
            Some(at) => Listen::From(address(at)?),
            None => Listen::AsWritten(address(LISTEN_DEFAULT)?),
        };
        runtime()?.block_on(self.serve(&services, listen))
    }

    async fn serve(&self, services: &Services, listen: Listen) -> Result<ExitCode, String> {
        let json = self.json;
        let clock = Clock::real();
        // Another time it has other references, as a real service would.
        let seed = clock.now().0.unsigned_abs();
        let heard = move |event: &Event| match json {
            true => say(&serde_json::to_string(event).expect("events have text keys only")),
            false => say(&told(event)),
        };
        let start = Start {
            clock,
            client: Client::new(),
            listen,
            seed,
            heard: Some(Arc::new(heard)),
        };
        let running = services.start(start).await?;
        self.greet(services, &running);
        until_told_to_stop().await?;
        Ok(ExitCode::SUCCESS)
    }

    /// Where everybody listens; programs read that.
    fn greet(&self, services: &Services, running: &Running) {
        for (name, address) in running.addresses() {
            let url = format!("http://{address}");
            let mut routes: Vec<&str> = services.routes(name).collect();
            routes.dedup();
            if self.json {
                let line =
                    json!({"event": "listening", "service": name, "url": url, "routes": routes});
                say(&line.to_string());
            } else {
                say(&format!(
                    "{} listens at {}: {}",
                    paint(BOLD, name),
                    paint(BLUE, &url),
                    routes.join(", ")
                ));
            }
        }
        if !self.json {
            say(&paint(DIM, "Ctrl-C ends it."));
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let parsed = text.parse();
    parsed.map_err(|why| format!("--listen {text}: {why}; write for example {LISTEN_DEFAULT}"))
}

/// A line. Whoever started it may have closed its output since, which is no reason to stop.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// An event, for a person.
fn told(event: &Event) -> String {
    match event {
        Event::Request(asked) => request(asked),
        Event::Answer(answered) => answer(answered),
        Event::Callback(sent) => callback(sent),
    }
}

fn request(asked: &Asked) -> String {
    let what = |name: &str| asked.request[name].as_str().unwrap_or_default();
    let mut line = format!(
        "{} → {} {} {} {}",
        time(&asked.at),
        number(asked.id),
        asked.service,
        paint(BOLD, &format!("{} {}", what("method"), what("path"))),
        body(&asked.request["body"].to_string()),
    );
    if asked.n > 1 {
        line += &format!(", number {}", asked.n);
    }
    if asked.repeated {
        line += ", the same work again";
    }
    if asked.fault != Fault::None.word() {
        line += &format!(", {}", paint(YELLOW, asked.fault));
    }
    line
}

fn answer(answered: &Answered) -> String {
    let status = match answered.status {
        Some(status) => paint(shade(status), &status.to_string()),
        None => paint(RED, "no answer"),
    };
    let remark = answered.remark.as_ref().map_or(String::new(), |remark| {
        paint(YELLOW, &format!(" ({remark})"))
    });
    let said = body(&answered.body);
    format!(
        "{} ← {} {} {status}{remark} {said}",
        time(&answered.at),
        number(answered.id),
        answered.service
    )
    .trim_end()
    .to_owned()
}

fn callback(sent: &Sent) -> String {
    let answer = match (sent.status, &sent.error) {
        (Some(status), _) => paint(shade(status), &status.to_string()),
        (None, error) => paint(RED, error.as_deref().unwrap_or("no answer")),
    };
    let fault = match sent.fault == Fault::None.word() {
        true => String::new(),
        false => format!(" {}", paint(YELLOW, sent.fault)),
    };
    let again = match sent.attempt {
        1 => String::new(),
        attempt => format!(", attempt {attempt}"),
    };
    format!(
        "{} ↗ {} {} {}{again}{fault} to {} {} ⇒ {answer}",
        time(&sent.at),
        number(sent.id),
        sent.service,
        paint(BOLD, sent.says),
        paint(BLUE, &sent.to),
        body(&sent.body),
    )
}

/// Of `2026-11-23T02:17:41.645Z` the time of the day.
fn time(at: &str) -> String {
    let (_, time) = at.split_once('T').unwrap_or(("", at));
    paint(DIM, time.trim_end_matches('Z'))
}

fn number(id: u64) -> String {
    paint(DIM, &format!("#{id}"))
}

fn shade(status: u16) -> &'static str {
    match status {
        ..400 => GREEN,
        400..500 => YELLOW,
        _ => RED,
    }
}

/// A body, or its beginning.
fn body(text: &str) -> String {
    let text = if text == "null" { "" } else { text };
    match text.char_indices().nth(BODY_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
