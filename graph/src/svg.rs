//! The picture as text: one `svg` element with its own style.

use std::collections::BTreeMap;
use std::fmt::Write;

use asl::{StateId, StateMachine};

use crate::Options;
use crate::card::{Card, DETAIL_LINE, ICON, Look, NAME_LINE, severity_colour};
use crate::geometry::{Point, Rect};
use crate::icon::icon;
use crate::overlay::Status;
use crate::region::Kind;
use crate::scene::{EndMark, Frame, Label, Line, Scene, StateBox};
use crate::text::{DETAIL, Face, NAME, escaped};
use crate::theme::{Colour, Theme};

/// How round the corners of lines are.
const BEND: i32 = 6;
/// An arrowhead's length, and half of its width.
const ARROW: (i32, i32) = (9, 4);

/// Writing to a `String` does not fail.
const WRITES: &str = "a String takes what is written";

/// Writes a picture.
pub fn written(machine: &StateMachine, scene: &Scene, options: &Options) -> String {
    let mut svg = Svg {
        text: String::new(),
        theme: options.theme,
    };
    let class = options.theme.class();
    let (width, height) = (scene.size.width, scene.size.height);
    svg.line(format_args!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="{class}" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="graphics-document" aria-roledescription="state machine">"#
    ));
    let title = options.title.as_deref().or(machine.comment.as_deref());
    svg.line(format_args!(
        "<title>{}</title>",
        escaped(title.unwrap_or("State machine"))
    ));
    svg.line(format_args!("<desc>{}</desc>", described(machine)));
    svg.style();
    svg.line(format_args!(
        r#"<rect class="ground" width="{width}" height="{height}"/>"#
    ));
    let mut frames: BTreeMap<_, Vec<&Frame>> = BTreeMap::new();
    for frame in &scene.frames {
        frames.entry(frame.of).or_default().push(frame);
    }
    for state in &scene.boxes {
        let frames = frames.get(&state.id).map_or(&[][..], Vec::as_slice);
        svg.state(machine, state, frames);
    }
    // What was gone lies on top.
    let untaken = scene.lines.iter().filter(|line| !line.taken);
    for line in untaken.chain(scene.lines.iter().filter(|line| line.taken)) {
        svg.link(machine, line, options.overlay.is_execution());
    }
    scene.marks.iter().for_each(|mark| svg.mark(mark));
    scene.labels.iter().for_each(|label| svg.label(label));
    svg.text.push_str("</svg>\n");
    svg.text
}

/// What a person hears who can't see it.
fn described(machine: &StateMachine) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for state in &machine.states {
        *counts.entry(Look::of(state).name()).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(name, n)| format!("{n} {name}"))
        .collect();
    let states = match machine.states.len() {
        1 => "One state".to_owned(),
        count => format!("{count} states"),
    };
    let start = escaped(&machine.state(machine.start_at).name);
    format!("{states} ({}), beginning at {start}.", counts.join(", "))
}

struct Svg {
    text: String,
    theme: Theme,
}

impl Svg {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.text.write_fmt(line).expect(WRITES);
        self.text.push('\n');
    }

    fn style(&mut self) {
        let theme = self.theme;
        let of = |colour| theme.of(colour);
        let mut rules = vec![
            (".ground".to_owned(), format!("fill:{}", of(Colour::Ground))),
            (
                "text".to_owned(),
                format!(
                    "font-family:Helvetica,Arial,'Liberation Sans',sans-serif;font-size:{}px;fill:{}",
                    DETAIL.size,
                    of(Colour::Muted)
                ),
            ),
            (
                "text.name".to_owned(),
                format!(
                    "font-size:{}px;font-weight:600;fill:{}",
                    NAME.size,
                    of(Colour::Text)
                ),
            ),
            ("text.strong".to_owned(), "font-weight:600".to_owned()),
            (
                ".box".to_owned(),
                format!("fill:{};stroke-width:1.5", of(Colour::Box)),
            ),
            (".second".to_owned(), "fill:none;stroke-width:1".to_owned()),
            (
                ".holds .box".to_owned(),
                format!("fill:{}", of(Colour::Inner)),
            ),
            (
                ".frame".to_owned(),
                format!(
                    "fill:{};stroke:{};stroke-dasharray:2 3",
                    of(Colour::Ground),
                    of(Colour::Faint)
                ),
            ),
            (
                ".icon".to_owned(),
                "fill:none;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round".to_owned(),
            ),
            (
                ".link".to_owned(),
                format!("fill:none;stroke:{};stroke-width:1.4", of(Colour::Line)),
            ),
            (
                ".catch .link".to_owned(),
                format!("stroke:{};stroke-dasharray:5 3", of(Colour::Fail)),
            ),
            (".arrow".to_owned(), format!("fill:{}", of(Colour::Line))),
            (
                ".catch .arrow".to_owned(),
                format!("fill:{}", of(Colour::Fail)),
            ),
            (
                ".away .link".to_owned(),
                format!("stroke:{}", of(Colour::Faint)),
            ),
            (
                ".away .arrow".to_owned(),
                format!("fill:{}", of(Colour::Faint)),
            ),
            (
                ".taken .link".to_owned(),
                format!("stroke:{};stroke-width:2.6", of(Colour::Text)),
            ),
            (
                ".taken .arrow".to_owned(),
                format!("fill:{}", of(Colour::Text)),
            ),
            (
                ".taken.catch .link".to_owned(),
                format!("stroke:{}", of(Colour::Fail)),
            ),
            (
                ".taken.catch .arrow".to_owned(),
                format!("fill:{}", of(Colour::Fail)),
            ),
            (
                ".label rect".to_owned(),
                format!(
                    "fill:{};stroke:{};stroke-width:1",
                    of(Colour::Ground),
                    of(Colour::Faint)
                ),
            ),
            (
                ".label text".to_owned(),
                format!("fill:{}", of(Colour::Text)),
            ),
            (
                ".label.catch rect".to_owned(),
                format!("stroke:{};stroke-dasharray:5 3", of(Colour::Fail)),
            ),
            (
                ".label.catch text".to_owned(),
                format!("fill:{}", of(Colour::Fail)),
            ),
            (".label.taken rect".to_owned(), "stroke-width:2".to_owned()),
            (".mark".to_owned(), format!("fill:{}", of(Colour::Text))),
            (
                "text.mark".to_owned(),
                format!(
                    "fill:{};text-anchor:middle;font-weight:600",
                    of(Colour::Ground)
                ),
            ),
        ];
        for (class, colour) in COLOURS {
            rules.push((
                format!(".{class} .box,.{class} .second,.{class} .icon"),
                format!("stroke:{}", of(colour)),
            ));
            rules.push((format!("text.{class}"), format!("fill:{}", of(colour))));
        }
        // What was not reached keeps the sign of its type, and loses the rest.
        rules.push((
            ".away .box,.away .second".to_owned(),
            format!("stroke:{};stroke-dasharray:3 3", of(Colour::Faint)),
        ));
        for (class, edge, tint) in STATUSES {
            rules.push((
                format!(".{class} .box"),
                format!("fill:{};stroke:{};stroke-width:2.5", of(tint), of(edge)),
            ));
        }
        self.text.push_str("<style>\n");
        self.text.push_str(&theme.variables());
        let class = theme.class();
        for (selectors, rule) in rules {
            let scoped: Vec<String> = selectors
                .split(',')
                .map(|s| format!(".{class} {s}"))
                .collect();
            self.line(format_args!("{}{{{rule}}}", scoped.join(",")));
        }
        self.text.push_str("</style>\n");
    }

    fn state(&mut self, machine: &StateMachine, state: &StateBox, frames: &[&Frame]) {
        let StateBox { rect, card, .. } = state;
        let mut classes = vec![colour_class(card.look.colour())];
        if state.container {
            classes.push("holds");
        }
        if card.unreached {
            classes.push("away");
        }
        classes.extend(status_class(card));
        let name = escaped(&machine.state(state.id).name);
        self.line(format_args!(
            r#"<g class="{}" role="graphics-symbol" data-state="{name}"><title>{}</title>"#,
            classes.join(" "),
            escaped(&card.title)
        ));
        self.outline(card.look, rect);
        for frame in frames {
            self.frame(frame);
        }
        let (x, y) = card.text_at();
        let (x, mut y) = (rect.at.x + x, rect.at.y + y);
        self.line(format_args!(
            r#"<path class="icon" transform="translate({} {y})" d="{}"/>"#,
            x - ICON + 10,
            icon(card.look)
        ));
        for line in &card.name {
            self.write(NAME, "name", Point { x, y: y + 12 }, line);
            y += NAME_LINE;
        }
        for line in &card.details {
            let class = match (line.colour, line.strong) {
                (Colour::Muted, _) => "detail".to_owned(),
                (colour, false) => colour_class(colour).to_owned(),
                (colour, true) => format!("{} strong", colour_class(colour)),
            };
            self.write(DETAIL, &class, Point { x, y: y + 11 }, &line.text);
            y += DETAIL_LINE;
        }
        self.text.push_str("</g>\n");
    }

    fn outline(&mut self, look: Look, rect: &Rect) {
        let (x, y) = (rect.at.x, rect.at.y);
        let (width, height) = (rect.size.width, rect.size.height);
        match look {
            Look::Choice => {
                let (right, bottom, middle) = (rect.right(), rect.bottom(), y + height / 2);
                self.line(format_args!(
                    r#"<path class="box" d="M{} {y}H{}L{right} {middle}L{} {bottom}H{}L{x} {middle}Z"/>"#,
                    x + 12,
                    right - 12,
                    right - 12,
                    x + 12
                ));
            }
            _ => {
                let round = match look {
                    Look::Succeed | Look::Fail => (height / 2).min(22),
                    _ => 7,
                };
                self.line(format_args!(
                    r#"<rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="{round}"/>"#
                ));
            }
        }
        if matches!(look, Look::Callback | Look::Activity) {
            self.line(format_args!(
                r#"<rect class="second" x="{}" y="{}" width="{}" height="{}" rx="4"/>"#,
                x + 3,
                y + 3,
                width - 6,
                height - 6
            ));
        }
    }

    fn frame(&mut self, frame: &Frame) {
        let Rect { at, size } = frame.rect;
        self.line(format_args!(
            r#"<rect class="frame" x="{}" y="{}" width="{}" height="{}" rx="5"/>"#,
            at.x, at.y, size.width, size.height
        ));
        if !frame.name.is_empty() {
            let place = Point {
                x: at.x + 10,
                y: at.y + 16,
            };
            self.write(DETAIL, "detail", place, &frame.name);
        }
    }

    /// Text, with how wide it is: a viewer that has another font fits it in.
    fn write(&mut self, face: Face, class: &str, at: Point, text: &str) {
        let width = face.width(text);
        if width == 0 {
            return;
        }
        self.line(format_args!(
            r#"<text class="{class}" x="{}" y="{}" textLength="{width}" lengthAdjust="spacingAndGlyphs">{}</text>"#,
            at.x,
            at.y,
            escaped(text)
        ));
    }

    fn link(&mut self, machine: &StateMachine, line: &Line, execution: bool) {
        // For scripts of the page that the picture stands in, as `data-state` is.
        let end = |side: &str, id: Option<StateId>| {
            let name = id.map(|id| escaped(&machine.state(id).name));
            name.map_or(String::new(), |name| format!(r#" data-{side}="{name}""#))
        };
        let mut class = match line.kind {
            Kind::Next => "next".to_owned(),
            Kind::Catch => "catch".to_owned(),
        };
        if line.taken {
            class.push_str(" taken");
        } else if execution {
            class.push_str(" away");
        }
        self.line(format_args!(
            r#"<g class="{class}"{}{}><title>{}</title>"#,
            end("from", line.from),
            end("to", line.to),
            escaped(&line.title)
        ));
        let mut points = line.points.clone();
        let head = line.arrives.then(|| shorten(&mut points)).flatten();
        let path = bent(&points);
        self.line(format_args!(r#"<path class="link" d="{path}"/>"#));
        if let Some(head) = head {
            self.line(format_args!(r#"<path class="arrow" d="{head}"/>"#));
        }
        self.text.push_str("</g>\n");
    }

    fn mark(&mut self, mark: &EndMark) {
        let Rect { at, size } = mark.rect;
        let word = if mark.start { "Start" } else { "End" };
        let (x, y) = (at.x + size.width / 2, at.y + size.height / 2);
        if mark.inside {
            self.line(format_args!(
                r#"<circle class="mark" cx="{x}" cy="{y}" r="{}"><title>{word}</title></circle>"#,
                size.width / 2
            ));
        } else {
            self.line(format_args!(
                r#"<rect class="mark" x="{}" y="{}" width="{}" height="{}" rx="{}"/>"#,
                at.x,
                at.y,
                size.width,
                size.height,
                size.height / 2
            ));
            self.line(format_args!(
                r#"<text class="mark" x="{x}" y="{}">{word}</text>"#,
                y + 4
            ));
        }
    }

    fn label(&mut self, label: &Label) {
        let Rect { at, size } = label.rect;
        let catch = if label.kind == Kind::Catch {
            " catch"
        } else {
            ""
        };
        let taken = if label.taken { " taken" } else { "" };
        self.line(format_args!(
            r#"<g class="label{catch}{taken}"><title>{}</title><rect x="{}" y="{}" width="{}" height="{}" rx="{}"/>"#,
            escaped(&label.title),
            at.x,
            at.y,
            size.width,
            size.height,
            size.height / 2
        ));
        let (x, _) = label.text_span();
        self.write(DETAIL, "detail", Point { x, y: at.y + 13 }, &label.text);
        self.text.push_str("</g>\n");
    }
}

/// Colours that boxes and lines of text have.
const COLOURS: [(&str, Colour); 8] = [
    ("task", Colour::Task),
    ("callback", Colour::Callback),
    ("pass", Colour::Pass),
    ("wait", Colour::Wait),
    ("choice", Colour::Choice),
    ("succeed", Colour::Succeed),
    ("fail", Colour::Fail),
    ("container", Colour::Container),
];

fn colour_class(colour: Colour) -> &'static str {
    let found = COLOURS.iter().find(|(_, other)| *other == colour);
    found.map_or("detail", |(class, _)| class)
}

/// How a box looks of which the overlay says something: the class, its edge, its ground.
const STATUSES: [(&str, Colour, Colour); 4] = [
    ("is-well", Colour::Succeed, Colour::TintSucceed),
    ("is-current", Colour::Task, Colour::TintTask),
    ("is-doubtful", Colour::Wait, Colour::TintWait),
    ("is-bad", Colour::Fail, Colour::TintFail),
];

/// A finding counts more than a status: it is what the report is about.
fn status_class(card: &Card) -> Option<&'static str> {
    let edge = match (card.severity, card.status) {
        (Some(severity), _) => severity_colour(severity),
        (None, Some(Status::Passed)) => Colour::Succeed,
        (None, Some(Status::Current)) => Colour::Task,
        (None, Some(Status::Caught | Status::Stopped)) => Colour::Wait,
        (None, Some(Status::Failed)) => Colour::Fail,
        (None, None) => return None,
    };
    let found = STATUSES.iter().find(|(_, other, _)| *other == edge);
    found.map(|(class, ..)| *class)
}

/// The arrowhead at the end of a line, which is made to end inside of it.
fn shorten(points: &mut [Point]) -> Option<String> {
    let [.., before, last] = points else {
        return None;
    };
    let (length, half) = ARROW;
    let (dx, dy) = ((last.x - before.x).signum(), (last.y - before.y).signum());
    let tip = *last;
    let back = Point {
        x: tip.x - dx * length,
        y: tip.y - dy * length,
    };
    *last = Point {
        x: tip.x - dx * (length - 2),
        y: tip.y - dy * (length - 2),
    };
    Some(format!(
        "M{} {}L{} {}L{} {}Z",
        tip.x,
        tip.y,
        back.x - dy * half,
        back.y + dx * half,
        back.x + dy * half,
        back.y - dx * half
    ))
}

/// A line with round corners.
fn bent(points: &[Point]) -> String {
    let mut path = String::new();
    for (at, point) in points.iter().enumerate() {
        let corner = at.checked_sub(1).zip(points.get(at + 1));
        let Some((before, after)) = corner.map(|(before, after)| (points[before], *after)) else {
            let letter = if at == 0 { 'M' } else { 'L' };
            write!(path, "{letter}{} {}", point.x, point.y).expect(WRITES);
            continue;
        };
        // Each half of a stretch belongs to one of its corners.
        let near = |other: Point| {
            let length = (other.x - point.x).abs().max((other.y - point.y).abs());
            let bend = BEND.min(length / 2);
            Point {
                x: point.x + (other.x - point.x).signum() * bend,
                y: point.y + (other.y - point.y).signum() * bend,
            }
        };
        let (into, out) = (near(before), near(after));
        write!(
            path,
            "L{} {}Q{} {} {} {}",
            into.x, into.y, point.x, point.y, out.x, out.y
        )
        .expect(WRITES);
    }
    path
}
