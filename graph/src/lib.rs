//! The picture of a state machine: one SVG that stands alone, for reports, pages and documents.
//!
//! ```
//! let definition = r#"{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}"#;
//! let machine = asl::parse(definition).machine.expect("it is right");
//! let svg = graph::draw(&machine, &graph::Options::default());
//! assert!(svg.starts_with("<svg "));
//! ```
//!
//! The same machine and options give the same bytes. The picture follows the reader's light or dark theme, or
//! has one of its own; nothing in it is fetched, and nothing in it is found by an id, so that any number of pictures may
//! stand in one page.
//!
//! Not known here: executions, findings, files. What is to be shown of an execution or a report, the caller says by
//! state names in an [`Overlay`].
//!
//! In reading order:
//! - [`Overlay`]: what is shown on top of the definition.
//! - `region`: the states that have one start, and the links between them.
//! - `card`: what stands in a state's box, and how large that is.
//! - `layout`: where boxes go and how lines run.
//! - `scene`: all regions put into each other; the picture as values, which is what the tests look at.
//! - `svg`, `theme`, `icon`: the picture as text.
//! - `text`, `geometry`: how wide text is; points and rectangles.

mod card;
mod geometry;
mod icon;
mod layout;
mod overlay;
mod region;
mod scene;
mod svg;
#[cfg(test)]
mod tests;
mod text;
mod theme;

pub use overlay::{Finding, Mark, Overlay, Severity, Status, Step};
pub use region::containers;
pub use theme::Theme;

use asl::StateMachine;

/// How a picture is drawn.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Light, dark, or what the reader has.
    pub theme: Theme,
    /// What the picture is called; for those who can't see it, and where a pointer rests on it.
    pub title: Option<String>,
    /// What is shown of an execution or of a report.
    pub overlay: Overlay,
}

/// Draws a state machine as SVG.
pub fn draw(machine: &StateMachine, options: &Options) -> String {
    let scene = scene::scene(machine, &options.overlay);
    svg::written(machine, &scene, options)
}
