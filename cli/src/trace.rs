//! `rejoin trace`: the whole story of an execution, a reference or a callback, on one screen.
//!
//! The server tells the story (`server/src/story.rs`); here it is laid out: a line for each thing that
//! happened, as wide as the screen, what is alike in one line, and what is long without its middle. `--all`
//! leaves nothing out, `--json` is the server's answer.

use std::collections::HashSet;
use std::process::ExitCode;
use std::time::Duration;

use asl::Timestamp;
use serde_json::Value;

use crate::ask::{At, Server, age, escaped, print, print_json, print_line};
use crate::colour::{BLUE, BOLD, DIM, GREEN, Paint, RED, YELLOW, paint};
use crate::screen;

/// How wide a line is if nothing says how wide the screen is.
const WIDTH: usize = 120;

/// What a line needs for its columns to stand.
const WIDTH_MIN: usize = 60;

/// How many things are told; with the five answers and the blank lines that is a screen of 24 lines.
const TOLD_MAX: usize = 13;

/// How many of one kind in a row are told before they are taken together.
const ALIKE_MAX: usize = 2;

/// How often a server is asked for more, in real time.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Any of these will do:
  rejoin trace order-2041                      an execution's name, or its ARN
  rejoin trace V-77 --route valuation          a third party's reference
  rejoin trace 019a9c5e-7b1c-7000-8000-...     a callback's id, as alerts and rejoin inbox have it
  rejoin trace 4bf92f3577b34da6a3ce929d0e0e4736    a trace's id, as logs and traceparent have it";

/// The flags of `rejoin trace`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Trace {
    /// An execution's name or ARN, a reference, a delivery's id or a trace's id
    #[arg(value_name = "REFERENCE|EXECUTION|DELIVERY")]
    of: String,
    /// The route that the reference is on, if several have it
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Everything, however many lines that takes
    #[arg(long)]
    all: bool,
    /// The story as JSON; with --follow, what is new as JSON lines
    #[arg(long)]
    json: bool,
    /// Go on, and tell what happens as it happens, until Ctrl-C
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    at: At,
}

impl Trace {
    /// Tells the story.
    pub fn run(self) -> Result<ExitCode, String> {
        let server = self.at.server()?;
        let story = self.story(&server)?;
        if self.follow {
            return self.go_on(&server, story);
        }
        match self.json {
            true => print_json(&story),
            false => print(&self.sheet().whole(&story)),
        }
        Ok(ExitCode::SUCCESS)
    }

    fn story(&self, server: &Server) -> Result<Value, String> {
        let path = format!("/rejoin/trace/{}", escaped(&self.of));
        server.get(&path, &[("route", self.route.as_deref())])
    }

    fn sheet(&self) -> Sheet {
        Sheet {
            width: screen::width()
                .filter(|width| *width >= WIDTH_MIN)
                .unwrap_or(WIDTH),
            told_max: if self.all { usize::MAX } else { TOLD_MAX },
            paint,
        }
    }

    /// What was there, and then what comes; the five answers again whenever one of them changes.
    fn go_on(&self, server: &Server, mut story: Value) -> Result<ExitCode, String> {
        let sheet = self.sheet();
        let mut seen = HashSet::new();
        let mut answers = String::new();
        let mut away = false;
        if !self.json {
            print(&sheet.head(&story));
        }
        loop {
            let start = start(&story);
            for entry in entries(&story) {
                if seen.insert(entry.to_string()) {
                    match self.json {
                        true => print_line(entry),
                        false => print(&sheet.line(entry, start)),
                    }
                }
            }
            let now = story["summary"].clone();
            // Since when says how long by now, which is no news.
            let key = format!("{}{}{}", now["execution"], now["arrived"], now["next"]);
            if !self.json && answers != key {
                print(&format!("\n{}\n", sheet.answers(&story)));
                answers = key;
            }
            // A server that is started anew is waited for: it is the following that would be lost.
            story = loop {
                std::thread::sleep(FOLLOW_EVERY);
                match self.story(server) {
                    Ok(story) => break story,
                    Err(why) if !away => {
                        away = true;
                        eprintln!("rejoin: {why}\nrejoin: asking again until it answers");
                    }
                    Err(_) => {}
                }
            };
            away = false;
        }
    }
}

/// How a story is laid out.
struct Sheet {
    width: usize,
    told_max: usize,
    paint: Paint,
}

fn entries(story: &Value) -> &[Value] {
    story["entries"].as_array().map_or(&[], Vec::as_slice)
}

/// What all times are counted from.
fn start(story: &Value) -> Option<Timestamp> {
    entries(story).first().and_then(at)
}

fn at(entry: &Value) -> Option<Timestamp> {
    entry["at"].as_str()?.parse().ok()
}

impl Sheet {
    fn whole(&self, story: &Value) -> String {
        let start = start(story);
        let mut told = self.head(story);
        for line in self.body(entries(story), start) {
            told.push_str(&line);
        }
        told.push('\n');
        told.push_str(&self.answers(story));
        told
    }

    /// What it is about.
    fn head(&self, story: &Value) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let asked = format!("{} {}", text(&story["as"]), text(&story["asked"]));
        let trace = match story["traceId"].as_str() {
            Some(id) => format!("  trace {id}"),
            None => String::new(),
        };
        let day = entries(story)
            .first()
            .and_then(|entry| entry["at"].as_str()?.get(..10));
        let day = day.map(|day| format!("  {day} UTC")).unwrap_or_default();
        let room = self.width.saturating_sub(trace.len() + day.len());
        let asked = (self.paint)(BOLD, &cut(&asked, room));
        format!("{asked}{}\n", (self.paint)(DIM, &format!("{day}{trace}")))
    }

    /// The lines, of which some stand for many.
    fn body(&self, entries: &[Value], start: Option<Timestamp>) -> Vec<String> {
        if self.told_max == usize::MAX {
            return entries
                .iter()
                .map(|entry| self.line(entry, start))
                .collect();
        }
        let mut lines = Vec::new();
        let mut rest = entries;
        while let Some(first) = rest.first() {
            let alike = |entry: &&Value| {
                entry["kind"] == first["kind"] && entry["stateName"] == first["stateName"]
            };
            let run = match first["kind"].as_str() {
                Some("heartbeat" | "state") => rest.iter().take_while(alike).count(),
                _ => 1,
            };
            let (these, others) = rest.split_at(run);
            rest = others;
            lines.push(self.line(first, start));
            if run > ALIKE_MAX {
                lines.push(self.note(&format!("{} more like this", run - 2)));
            }
            if run > 1 {
                lines.extend(these.last().map(|last| self.line(last, start)));
            }
        }
        if lines.len() > self.told_max {
            // How it began, and above all how it ended.
            let head = self.told_max / 3;
            let tail = lines.len() - (self.told_max - head - 1);
            let note = self.note(&format!("{} more lines: --all shows them", tail - head));
            lines.splice(head..tail, [note]);
        }
        lines
    }

    fn note(&self, text: &str) -> String {
        format!("{:22}{}\n", "", (self.paint)(DIM, &format!("... {text}")))
    }

    /// `22:04:31   +30 s  failed    RequestValuation: timed out: no answer in 30 s`.
    fn line(&self, entry: &Value, start: Option<Timestamp>) -> String {
        let written = entry["at"].as_str().unwrap_or_default();
        let clock = written.get(11..19).unwrap_or(written);
        let after = match (at(entry), start) {
            (Some(at), Some(start)) if at != start => format!("+{}", age(start, at)),
            _ => String::new(),
        };
        let (word, colour) = match entry["kind"].as_str().unwrap_or_default() {
            "execution" => ("execution", BOLD),
            "state" => ("state", DIM),
            "request" => ("request", BLUE),
            "reference" => ("reference", BLUE),
            "heartbeat" => ("heartbeat", GREEN),
            "callback" => ("callback", GREEN),
            "odd" => ("callback", YELLOW),
            "retry" => ("retry", YELLOW),
            "alert" => ("alert", YELLOW),
            "good" => ("done", GREEN),
            _ => ("failed", RED),
        };
        let text = entry["text"].as_str().unwrap_or_default();
        let text = match entry["stateName"].as_str() {
            Some(state) => format!("{state}: {text}"),
            None => text.to_owned(),
        };
        // The first three columns have 8, 11 and 9 characters.
        let room = self.width.saturating_sub(8 + 1 + 11 + 2 + 9 + 2);
        let word = (self.paint)(colour, &format!("{word:9}"));
        let after = (self.paint)(DIM, &format!("{after:>11}"));
        format!("{clock} {after}  {word}  {}\n", cut(&text, room))
    }

    /// Which execution, which step, since when, what arrived, what to do.
    fn answers(&self, story: &Value) -> String {
        let summary = &story["summary"];
        let text = |name: &str| summary[name].as_str().unwrap_or_default().to_owned();
        let arrived: Vec<String> = summary["arrived"]
            .as_array()
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .map(|line| line.as_str().unwrap_or_default().to_owned())
            .collect();
        let mut told = String::new();
        let mut answer = |question: &str, text: &str| {
            let room = self.width.saturating_sub(11);
            let question = (self.paint)(BOLD, &format!("{question:9}"));
            for (index, part) in wrapped(text, room).iter().enumerate() {
                let margin = if index == 0 {
                    question.as_str()
                } else {
                    "         "
                };
                told.push_str(&format!("{margin}  {part}\n"));
            }
        };
        answer("execution", &text("execution"));
        answer("step", &text("step"));
        answer("since", &text("since"));
        for (index, line) in arrived.iter().enumerate() {
            answer(if index == 0 { "arrived" } else { "" }, line);
        }
        answer("to do", &text("next"));
        told
    }
}

/// As much of a text as there is room for, on one line.
fn cut(text: &str, room: usize) -> String {
    let text = screen::plain(&text.replace(['\n', '\r', '\t'], " "));
    match text.chars().count() > room {
        true => text
            .chars()
            .take(room.saturating_sub(3))
            .chain("...".chars())
            .collect(),
        false => text,
    }
}

/// A text in lines of at most so many characters, broken between words.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        let wide = line.chars().count() + 1 + word.chars().count();
        if line.is_empty() {
            *line = cut(word, room);
        } else if wide <= room {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(cut(word, room));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sheet() -> Sheet {
        Sheet {
            width: 120,
            told_max: TOLD_MAX,
            paint: |_, text| text.to_owned(),
        }
    }

    fn entry(second: i64, kind: &str, text: &str) -> Value {
        json!({"at": Timestamp(second * 1000).to_string(), "kind": kind, "stateName": "Ask", "text": text})
    }

    #[test]
    fn a_line_has_its_time_and_fits_the_screen() {
        let start = Some(Timestamp(0));
        let line = sheet().line(&entry(90, "bad", "timed out"), start);
        assert_eq!(line, "00:01:30 +1 min 30 s  failed     Ask: timed out\n");
        let long = sheet().line(&entry(3, "odd", &"ü\n".repeat(200)), start);
        assert_eq!(long.trim_end().chars().count(), 120, "{long}");
    }

    #[test]
    fn what_is_alike_is_told_together_and_what_is_long_without_its_middle() {
        let beats: Vec<Value> = (0..50).map(|n| entry(n, "heartbeat", "goes on")).collect();
        let lines = sheet().body(&beats, None);
        assert_eq!(lines.len(), 3);
        assert!(
            lines[1].ends_with("... 48 more like this\n"),
            "{}",
            lines[1]
        );
        let retries: Vec<Value> = (0..50).map(|n| entry(n, "retry", &n.to_string())).collect();
        let lines = sheet().body(&retries, None);
        assert_eq!(lines.len(), TOLD_MAX);
        assert!(lines[4].contains("38 more lines"), "{}", lines[4]);
        assert!(lines[TOLD_MAX - 1].ends_with("Ask: 49\n"));
    }

    #[test]
    fn a_long_answer_is_broken_between_words() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("unbreakable", 7), ["unbr..."]);
        assert_eq!(wrapped("", 7), [""]);
    }
}
