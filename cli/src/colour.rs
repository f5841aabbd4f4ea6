//! Colours where a terminal shows them and its owner wants them.

use std::io::IsTerminal;

pub use source::report::{BLUE, BOLD, Paint, RED, YELLOW};

/// What is well.
pub const GREEN: &str = "\u{1b}[32m";
/// What is in the background.
pub const DIM: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";

/// `text` for standard output.
pub fn paint(colour: &str, text: &str) -> String {
    painted(colour, text, std::io::stdout().is_terminal())
}

/// `text` for standard error.
pub fn paint_error(colour: &str, text: &str) -> String {
    painted(colour, text, std::io::stderr().is_terminal())
}

fn painted(colour: &str, text: &str, terminal: bool) -> String {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty())
        || std::env::var_os("TERM").is_some_and(|kind| kind == "dumb");
    if terminal && !unwanted {
        format!("{colour}{text}{RESET}")
    } else {
        text.to_owned()
    }
}
