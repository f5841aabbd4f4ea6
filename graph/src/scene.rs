//! The picture as values: every box, line and label with its place.
//!
//! Regions are laid out from the inside to the outside: a container is as large as what is in it. How
//! deep that goes is bounded by the depth of a definition, which its parser limits.

use asl::{StateId, StateMachine};

use crate::card::{Card, card};
use crate::geometry::{Point, Rect, Size, even};
use crate::layout::{Link as SheetLink, Node, Sheet};
use crate::overlay::{Overlay, Step};
use crate::region::{self, Kind, Link, Place, Region};
use crate::text::DETAIL;

/// Around the whole picture, and between a container and what is in it.
const MARGIN: i32 = 16;
/// Inside of the frame of a branch.
const FRAME: i32 = 12;
/// The name of a branch.
const FRAME_NAME: i32 = 16;
/// Between two branches.
const FRAMES: i32 = 14;
/// Branches that are wider than this stand in several rows.
const ROW_MAX: i32 = 1_500;
/// The widest text of a label.
const LABEL_MAX: i32 = 180;
/// How high a label is.
const LABEL: i32 = 18;
/// Around the text of a label.
const LABEL_SIDES: i32 = 7;

/// The marks of the whole machine have words in them.
const MARK: Size = Size {
    width: 52,
    height: 22,
};
/// Those of what is inside of a state do not.
const MARK_INSIDE: Size = Size {
    width: 10,
    height: 10,
};

/// A picture.
#[derive(Debug, Default)]
pub struct Scene {
    pub size: Size,
    /// A container comes before what is in it.
    pub boxes: Vec<StateBox>,
    pub frames: Vec<Frame>,
    pub marks: Vec<EndMark>,
    pub lines: Vec<Line>,
    pub labels: Vec<Label>,
}

#[derive(Debug)]
pub struct StateBox {
    pub id: StateId,
    pub rect: Rect,
    pub card: Card,
    pub container: bool,
}

/// A branch, or what a Map does with each item.
#[derive(Debug)]
pub struct Frame {
    pub of: StateId,
    pub rect: Rect,
    pub name: String,
}

/// Where a region begins or ends.
#[derive(Debug)]
pub struct EndMark {
    pub rect: Rect,
    pub start: bool,
    pub inside: bool,
}

#[derive(Debug)]
pub struct Line {
    /// The state it leaves, if it is a state.
    pub from: Option<StateId>,
    /// The state it leads to, if it is one.
    pub to: Option<StateId>,
    pub kind: Kind,
    pub points: Vec<Point>,
    pub arrives: bool,
    pub taken: bool,
    pub title: String,
}

#[derive(Debug)]
pub struct Label {
    pub rect: Rect,
    pub kind: Kind,
    pub text: String,
    pub title: String,
    pub taken: bool,
}

/// The picture of a machine.
pub fn scene(machine: &StateMachine, overlay: &Overlay) -> Scene {
    let painter = Painter {
        machine,
        overlay,
        execution: overlay.is_execution(),
    };
    let mut scene = painter.region(machine.start_at, false);
    scene.shift(Point {
        x: MARGIN,
        y: MARGIN,
    });
    scene.size.width += 2 * MARGIN;
    scene.size.height += 2 * MARGIN;
    scene
}

struct Painter<'m> {
    machine: &'m StateMachine,
    overlay: &'m Overlay,
    execution: bool,
}

impl Painter<'_> {
    fn region(&self, start: StateId, inside: bool) -> Scene {
        let region = region::region(self.machine, start);
        let mut insides: Vec<(Card, Option<Scene>)> = Vec::new();
        let mark = Node {
            size: if inside { MARK_INSIDE } else { MARK },
            dot: true,
        };
        let mut sheet = Sheet {
            nodes: vec![mark],
            links: Vec::new(),
        };
        for &id in &region.states {
            let state = self.machine.state(id);
            let marked = self.overlay.states.get(&*state.name);
            let card = card(state, marked, self.execution);
            let inner = self.container(id, &card);
            let size = inner.as_ref().map_or(card.size, |inner| inner.size);
            sheet.nodes.push(Node { size, dot: false });
            insides.push((card, inner));
        }
        let end = sheet.nodes.len();
        if region.links.iter().any(|link| link.to == Place::End) {
            sheet.nodes.push(mark);
        }
        let words: Vec<(String, String)> = region.links.iter().map(words).collect();
        let taken: Vec<bool> = region.links.iter().map(|link| self.taken(link)).collect();
        for ((link, (label, _)), taken) in region.links.iter().zip(&words).zip(&taken) {
            sheet.links.push(SheetLink {
                from: node(&region, link.from, end),
                to: node(&region, link.to, end),
                class: u8::from(link.kind == Kind::Catch),
                label: (!label.is_empty()).then(|| Size {
                    width: even(DETAIL.width(label)) + 2 * LABEL_SIDES,
                    height: LABEL,
                }),
                foremost: *taken,
            });
        }
        let layout = sheet.layout();
        let mut scene = Scene {
            size: layout.size,
            ..Scene::default()
        };
        for (at, rect) in layout.nodes.iter().enumerate() {
            if at == 0 || at == end {
                scene.marks.push(EndMark {
                    rect: *rect,
                    start: at == 0,
                    inside,
                });
            }
        }
        for (at, (card, inner)) in insides.into_iter().enumerate() {
            let rect = layout.nodes[at + 1];
            scene.boxes.push(StateBox {
                id: region.states[at],
                rect,
                card,
                container: inner.is_some(),
            });
            if let Some(mut inner) = inner {
                inner.shift(rect.at);
                scene.take(inner);
            }
        }
        let ways = layout.links.into_iter().zip(words).zip(taken);
        for (link, ((way, (label, title)), taken)) in region.links.iter().zip(ways) {
            let state = |place| match place {
                Place::State(id) => Some(id),
                Place::Start | Place::End => None,
            };
            if let Some(rect) = way.label {
                scene.labels.push(Label {
                    rect,
                    kind: link.kind,
                    text: label,
                    title: title.clone(),
                    taken,
                });
            }
            scene.lines.push(Line {
                from: state(link.from),
                to: state(link.to),
                kind: link.kind,
                points: way.points,
                arrives: way.arrives,
                taken,
                title: self.told(link, &title),
            });
        }
        scene
    }

    /// What is in a state, with room for its card above, if anything is.
    fn container(&self, id: StateId, card: &Card) -> Option<Scene> {
        let inside = region::inside(self.machine, id);
        if inside.is_empty() {
            return None;
        }
        let mut all = Scene::default();
        let mut at = Point {
            x: MARGIN,
            y: card.size.height,
        };
        let (mut row, mut width) = (0, 0);
        for (start, name) in inside {
            let mut scene = self.region(start, true);
            let above = FRAME + if name.is_empty() { 0 } else { FRAME_NAME };
            let size = Size {
                width: (scene.size.width + 2 * FRAME).max(DETAIL.width(&name) + 2 * FRAME),
                height: scene.size.height + above + FRAME,
            };
            if at.x > MARGIN && at.x + size.width > ROW_MAX {
                at = Point {
                    x: MARGIN,
                    y: at.y + row + FRAMES,
                };
                row = 0;
            }
            scene.shift(Point {
                x: at.x + (size.width - scene.size.width) / 2,
                y: at.y + above,
            });
            all.frames.push(Frame {
                of: id,
                rect: Rect { at, size },
                name,
            });
            all.take(scene);
            width = width.max(at.x + size.width + MARGIN);
            row = row.max(size.height);
            at.x += size.width + FRAMES;
        }
        all.size = Size {
            width: even(width.max(card.size.width)),
            height: at.y + row + MARGIN,
        };
        // What is narrower than the card above it stands in its middle.
        let slack = (all.size.width - width) / 2;
        all.shift(Point { x: slack, y: 0 });
        Some(all)
    }

    fn taken(&self, link: &Link) -> bool {
        let name = |place| match place {
            Place::State(id) => Some(self.machine.state(id).name.to_string()),
            Place::Start | Place::End => None,
        };
        !self.overlay.steps.is_empty()
            && self.overlay.steps.contains(&Step {
                from: name(link.from),
                to: name(link.to),
                caught: link.kind == Kind::Catch,
            })
    }

    fn told(&self, link: &Link, reason: &str) -> String {
        let name = |place| match place {
            Place::State(id) => &*self.machine.state(id).name,
            Place::Start => "Start",
            Place::End => "End",
        };
        let colon = if reason.is_empty() { "" } else { ": " };
        format!("{} → {}{colon}{reason}", name(link.from), name(link.to))
    }
}

fn node(region: &Region, place: Place, end: usize) -> usize {
    match place {
        Place::Start => 0,
        Place::End => end,
        Place::State(id) => {
            let at = region.states.binary_search(&id);
            1 + at.expect("a link stays in its region")
        }
    }
}

/// A link's label as far as it can be shown, and all of it.
fn words(link: &Link) -> (String, String) {
    if link.reasons.is_empty() {
        return Default::default();
    }
    let all = match link.kind {
        Kind::Next => link.reasons.join(" or "),
        Kind::Catch => format!("Catch {}", link.reasons.join(", ")),
    };
    (DETAIL.cut(&all, LABEL_MAX), all)
}

impl Scene {
    fn shift(&mut self, by: Point) {
        let boxes = self.boxes.iter_mut().map(|b| &mut b.rect);
        let frames = self.frames.iter_mut().map(|f| &mut f.rect);
        let marks = self.marks.iter_mut().map(|m| &mut m.rect);
        let labels = self.labels.iter_mut().map(|l| &mut l.rect);
        for rect in boxes.chain(frames).chain(marks).chain(labels) {
            *rect = rect.moved(by);
        }
        for point in self.lines.iter_mut().flat_map(|line| &mut line.points) {
            *point = point.moved(by);
        }
    }

    fn take(&mut self, other: Scene) {
        self.boxes.extend(other.boxes);
        self.frames.extend(other.frames);
        self.marks.extend(other.marks);
        self.lines.extend(other.lines);
        self.labels.extend(other.labels);
    }
}

impl Label {
    /// Where the text begins, and how wide it is.
    pub fn text_span(&self) -> (i32, i32) {
        (
            self.rect.at.x + LABEL_SIDES,
            self.rect.size.width - 2 * LABEL_SIDES,
        )
    }
}
