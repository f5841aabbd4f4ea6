//! The screen: how wide it is, and what may be shown on it.
//!
//! References, headers and bodies are what third parties have sent, and anybody can send some. A terminal takes
//! certain characters for commands (it changes its title, moves the cursor, types for its owner), so none of them
//! reaches one.

use std::io::{IsTerminal, Write};

/// As `println!`, for what a reader may have seen enough of: that nobody reads on is no fault.
macro_rules! show {
    ($($text:tt)*) => {
        $crate::screen::say(format!("{}\n", format_args!($($text)*)).as_bytes())
    };
}
pub(crate) use show;

/// Writes to standard output, if anybody reads it.
pub fn say(text: &[u8]) {
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text).and_then(|()| output.flush());
}

/// A narrower screen is not laid out for: its lines break.
const WIDTH_MIN: usize = 40;

/// How many columns standard output has; nothing if it is no terminal, unless `COLUMNS` says so all the same.
pub fn width() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok();
    let said = said.and_then(|columns| columns.trim().parse().ok());
    let seen = || {
        let output = std::io::stdout();
        let size = terminal_size::terminal_size_of(&output).filter(|_| output.is_terminal());
        size.map(|(columns, _)| usize::from(columns.0))
    };
    said.or_else(seen).filter(|width| *width >= WIDTH_MIN)
}

/// A text in which nothing is a command to a terminal, on one line.
pub fn plain(text: &str) -> String {
    shown(text, |c| !is_command(c))
}

/// The same for a text of several lines.
pub fn plain_lines(text: &str) -> String {
    shown(text, |c| matches!(c, '\n' | '\t') || !is_command(c))
}

/// JSON as it is, but for what would be a command: there an escape means the same.
pub fn plain_json(json: &str) -> String {
    let risky = |c: char| is_command(c) && c != '\n';
    if !json.contains(risky) {
        return json.to_owned();
    }
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        match risky(c) {
            // All of them are in the first plane.
            true => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => shown.push(c),
        }
    }
    shown
}

/// Characters that control a terminal, and those that change the direction of what follows.
fn is_command(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

fn shown(text: &str, fits: impl Fn(char) -> bool) -> String {
    if text.chars().all(&fits) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match fits(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_default()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_came_commands_a_terminal() {
        let sent = "a\u{1b}]0;mine\u{7}b\nc\td\u{9b}2J\u{202e}é";
        assert_eq!(
            plain(sent),
            "a\\u{1b}]0;mine\\u{7}b\\nc\\td\\u{9b}2J\\u{202e}é"
        );
        assert_eq!(
            plain_lines(sent),
            "a\\u{1b}]0;mine\\u{7}b\nc\td\\u{9b}2J\\u{202e}é"
        );
        let json = serde_json::json!({ "body": sent });
        let written = plain_json(&format!("{json:#}"));
        assert!(
            written.chars().all(|c| c == '\n' || !is_command(c)),
            "{written}"
        );
        let read: serde_json::Value = serde_json::from_str(&written).expect("it is JSON still");
        assert_eq!(read, json);
    }
}
