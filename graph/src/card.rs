//! What stands in a state's box: its name, its type and what that does, how it waits, what it retries, and what the
//! overlay has to say; and how large the box is for it.

use asl::{Amount, Pattern, Resource, Retrier, Seconds, State, StateKind, Task, Text, WaitUntil};

use crate::geometry::{Size, even};
use crate::overlay::{Mark, Severity, Status};
use crate::text::{DETAIL, NAME, duration};
use crate::theme::Colour;

/// The widest text in a box.
const TEXT_MAX: i32 = 190;
/// The narrowest box.
const WIDTH_MIN: i32 = 130;
/// What the icon takes, with what is left of it.
pub const ICON: i32 = 34;
/// Right of the text.
const MARGIN: i32 = 14;
/// Above and below the text.
const PADDING: i32 = 9;
/// A line of the name.
pub const NAME_LINE: i32 = 16;
/// Any other line.
pub const DETAIL_LINE: i32 = 15;

/// A state's box.
#[derive(Debug, Clone)]
pub struct Card {
    pub look: Look,
    /// The name, on one line or two.
    pub name: Vec<String>,
    pub details: Vec<Detail>,
    /// All of it in words, with what was cut.
    pub title: String,
    pub size: Size,
    pub status: Option<Status>,
    pub severity: Option<Severity>,
    /// The overlay is an execution's that has not come here.
    pub unreached: bool,
}

/// A line below the name.
#[derive(Debug, Clone)]
pub struct Detail {
    pub text: String,
    pub colour: Colour,
    pub strong: bool,
}

/// What a state looks like: its type, and for tasks whom it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Task,
    /// A task that ends when somebody calls back.
    Callback,
    /// A task that a worker asks for.
    Activity,
    Pass,
    Wait,
    Choice,
    Succeed,
    Fail,
    Parallel,
    Map,
}

impl Look {
    pub fn of(state: &State) -> Look {
        match &state.kind {
            StateKind::Task(task) => match &task.resource {
                Resource::Activity { .. } => Look::Activity,
                Resource::Service {
                    pattern: Pattern::WaitForTaskToken,
                    ..
                } => Look::Callback,
                _ => Look::Task,
            },
            StateKind::Pass(_) => Look::Pass,
            StateKind::Wait(_) => Look::Wait,
            StateKind::Choice(_) => Look::Choice,
            StateKind::Succeed => Look::Succeed,
            StateKind::Fail(_) => Look::Fail,
            StateKind::Parallel(_) => Look::Parallel,
            StateKind::Map(_) => Look::Map,
        }
    }

    /// The state's type, in text.
    pub fn name(self) -> &'static str {
        match self {
            Look::Task | Look::Callback | Look::Activity => "Task",
            Look::Pass => "Pass",
            Look::Wait => "Wait",
            Look::Choice => "Choice",
            Look::Succeed => "Succeed",
            Look::Fail => "Fail",
            Look::Parallel => "Parallel",
            Look::Map => "Map",
        }
    }

    pub fn colour(self) -> Colour {
        match self {
            Look::Task => Colour::Task,
            Look::Callback | Look::Activity => Colour::Callback,
            Look::Pass => Colour::Pass,
            Look::Wait => Colour::Wait,
            Look::Choice => Colour::Choice,
            Look::Succeed => Colour::Succeed,
            Look::Fail => Colour::Fail,
            Look::Parallel | Look::Map => Colour::Container,
        }
    }
}

/// The box of a state.
pub fn card(state: &State, mark: Option<&Mark>, execution: bool) -> Card {
    let look = Look::of(state);
    let plain = |text: String| (text, Colour::Muted, false);
    let mut lines = vec![plain(match does(state) {
        Some(does) => format!("{} · {does}", look.name()),
        None => look.name().to_owned(),
    })];
    if let StateKind::Task(task) = &state.kind
        && let Some(waits) = waits(task, look)
    {
        let kind = match look {
            Look::Task => plain(waits),
            _ => (waits, look.colour(), false),
        };
        lines.push(kind);
    }
    let mut title = vec![state.name.to_string()];
    let retriers = retriers(state);
    if !retriers.is_empty() {
        let most: u64 = retriers.iter().map(|r| u64::from(r.max_attempts)).sum();
        lines.push(plain(format!("↻ Retry ×{most}")));
    }
    if let Some(mark) = mark {
        lines.extend(told(mark));
        if let Some(finding) = &mark.finding {
            let text = format!("{}: {}", severity_name(finding.severity), finding.text);
            lines.push((text, severity_colour(finding.severity), true));
        }
    } else if execution {
        lines.push(plain("not reached".into()));
    }
    title.extend(lines.iter().map(|(text, ..)| text.clone()));
    title.extend(retriers.iter().map(retried));
    let name = NAME.broken(&state.name, TEXT_MAX);
    let details: Vec<Detail> = lines
        .into_iter()
        .map(|(text, colour, strong)| Detail {
            text: DETAIL.cut(&text, TEXT_MAX),
            colour,
            strong,
        })
        .collect();
    let names = name.iter().map(|line| NAME.width(line));
    let widest = names.chain(details.iter().map(|line| DETAIL.width(&line.text)));
    // The sides of a Choice are slanted.
    let slant = if look == Look::Choice { 20 } else { 0 };
    let width = ICON + widest.max().unwrap_or(0) + MARGIN + slant;
    let height = 2 * PADDING + NAME_LINE * name.len() as i32 + DETAIL_LINE * details.len() as i32;
    Card {
        look,
        title: title.join("\n"),
        size: Size {
            width: even(width.max(WIDTH_MIN)),
            height,
        },
        name,
        details,
        status: mark.and_then(|mark| mark.status),
        severity: mark.and_then(|mark| mark.finding.as_ref().map(|f| f.severity)),
        unreached: execution && mark.is_none_or(|mark| mark.status.is_none()),
    }
}

impl Card {
    /// Where the first line of text begins.
    pub fn text_at(&self) -> (i32, i32) {
        let slant = if self.look == Look::Choice { 10 } else { 0 };
        (ICON + slant, PADDING)
    }
}

/// What the type alone does not tell.
fn does(state: &State) -> Option<String> {
    Some(match &state.kind {
        StateKind::Task(task) => match &task.resource {
            Resource::Function { arn } => format!("function {}", name_in(arn, "function:")),
            Resource::Activity { arn } => format!("activity {}", name_in(arn, "activity:")),
            Resource::Service {
                service, action, ..
            } => {
                let action = action.trim_end_matches(".waitForTaskToken");
                format!("{service}:{action}")
            }
        },
        StateKind::Wait(wait) => match &wait.until {
            WaitUntil::Seconds(seconds) => duration(*seconds),
            WaitUntil::SecondsPath(path) => format!("{} s", path.text()),
            WaitUntil::Timestamp(time) => format!("until {time}"),
            WaitUntil::TimestampPath(path) => format!("until {}", path.text()),
            WaitUntil::SecondsJsonata(expression) => format!("{} s", bare(expression.text())),
            WaitUntil::TimestampJsonata(expression) => format!("until {}", bare(expression.text())),
        },
        StateKind::Fail(fail) => match fail.error.as_ref()? {
            Text::Fixed(error) => error.to_string(),
            Text::Jsonata(expression) => bare(expression.text()).to_owned(),
            Text::Expression(_) => return None,
        },
        StateKind::Parallel(parallel) => match parallel.branches.len() {
            1 => "1 branch".to_owned(),
            count => format!("{count} branches"),
        },
        StateKind::Map(map) => {
            let mut words = Vec::new();
            if let Some(distributed) = &map.distributed {
                let express = if distributed.express { ", express" } else { "" };
                words.push(format!("distributed{express}"));
            }
            if let Some(most) = concurrency(&map.max_concurrency) {
                words.push(format!("{most} at a time"));
            }
            if words.is_empty() {
                return Some("for each item".to_owned());
            }
            words.join(" · ")
        }
        StateKind::Pass(_) | StateKind::Choice(_) | StateKind::Succeed => return None,
    })
}

fn concurrency(amount: &Amount<u64>) -> Option<u64> {
    amount.given().copied().filter(|most| *most > 0)
}

fn name_in<'a>(arn: &'a str, after: &str) -> &'a str {
    arn.split_once(after).map_or(arn, |(_, name)| name)
}

fn bare(text: &str) -> &str {
    asl::jsonata::between_braces(text).unwrap_or(text)
}

/// How long a task may take, and whom it waits for.
fn waits(task: &Task, look: Look) -> Option<String> {
    let mut words = Vec::new();
    match look {
        Look::Callback => words.push("callback".to_owned()),
        Look::Activity => words.push("worker".to_owned()),
        _ => {}
    }
    match &task.timeout {
        Some(timeout) => words.push(format!("timeout {}", seconds(timeout))),
        None if look != Look::Task => words.push("no timeout".to_owned()),
        None => {}
    }
    if let Some(heartbeat) = &task.heartbeat {
        words.push(format!("heartbeat {}", seconds(heartbeat)));
    }
    (!words.is_empty()).then(|| words.join(" · "))
}

fn seconds(seconds: &Seconds) -> String {
    match seconds {
        Seconds::Fixed(seconds) => duration(*seconds),
        Seconds::Path(path) => path.text().to_owned(),
        Seconds::Jsonata(expression) => bare(expression.text()).to_owned(),
    }
}

fn retriers(state: &State) -> &[Retrier] {
    match &state.kind {
        StateKind::Task(task) => &task.recovery.retriers,
        StateKind::Parallel(parallel) => &parallel.recovery.retriers,
        StateKind::Map(map) => &map.recovery.retriers,
        _ => &[],
    }
}

fn retried(retrier: &Retrier) -> String {
    format!(
        "Retry {}: {} times, first after {}, then × {}",
        retrier.errors.join(", "),
        retrier.max_attempts,
        duration(retrier.interval_seconds),
        retrier.backoff_rate
    )
}

/// The status in words: colour alone tells nobody anything who can't see it.
fn told(mark: &Mark) -> Option<(String, Colour, bool)> {
    let (word, colour) = match mark.status? {
        Status::Passed => ("✓ passed", Colour::Succeed),
        Status::Caught => ("⚠ failed, caught", Colour::Wait),
        Status::Stopped => ("■ stopped", Colour::Wait),
        Status::Failed => ("✗ failed", Colour::Fail),
        Status::Current => ("▶ running", Colour::Task),
    };
    let visits = match mark.visits {
        0 | 1 => String::new(),
        visits => format!(" · {visits} visits"),
    };
    Some((format!("{word}{visits}"), colour, true))
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "Note",
        Severity::Warning => "Warning",
        Severity::Error => "Error",
    }
}

/// The colour of a finding.
pub fn severity_colour(severity: Severity) -> Colour {
    match severity {
        Severity::Info => Colour::Task,
        Severity::Warning => Colour::Wait,
        Severity::Error => Colour::Fail,
    }
}
