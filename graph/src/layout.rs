//! A layered layout: who follows stands below, and lines run in lanes that nothing else has.
//!
//! One [`Sheet`] is one region: the machine itself, a branch, a Map's processor. Nothing here knows what a
//! state is; there are nodes with a size and links between them. The stages, each a file:
//!
//! 1. [`rank`]: links that lead back are turned, and each node gets the lowest layer below all that lead to it.
//! 2. [`layers`]: links that pass a layer get a vertex in it, and labels are vertices in layers between.
//! 3. [`order`]: the vertices of each layer are put in an order with few crossings.
//! 4. [`place`]: each gets its column.
//! 5. [`route`]: rows, tracks between the layers, and the way of each line.
//!
//! Links of a class that have one target become one line on the way, so that a hundred states which
//! have one handler are a hundred short lines into a trunk. For that reason the work grows with what is drawn.
//!
//! A line is vertical inside of a layer, in a column that it has for itself, and horizontal between layers;
//! so it can't pass through a node that is not its own.

mod layers;
mod order;
mod place;
mod rank;
mod route;

use crate::geometry::{Point, Rect, Size};

/// What is to be laid out. The first node is where everything begins.
#[derive(Debug, Default)]
pub struct Sheet {
    /// Boxes, and marks.
    pub nodes: Vec<Node>,
    /// At most one of a class between any two nodes in a direction.
    pub links: Vec<Link>,
}

/// One node.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// How large it is.
    pub size: Size,
    /// All lines meet in its middle, because it is but a dot.
    pub dot: bool,
}

/// One link.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// Where it begins, as a place in [`Sheet::nodes`].
    pub from: usize,
    /// Where it leads.
    pub to: usize,
    /// Lines of different classes never become one.
    pub class: u8,
    /// How large its label is, if it has one.
    pub label: Option<Size>,
    /// It is drawn whole, and others join it.
    pub foremost: bool,
}

/// Where everything is.
#[derive(Debug, Default)]
pub struct Layout {
    /// How large all of it is.
    pub size: Size,
    /// Where the nodes are.
    pub nodes: Vec<Rect>,
    /// The ways of the links.
    pub links: Vec<Way>,
}

/// The way of a link.
#[derive(Debug, Clone, Default)]
pub struct Way {
    /// The corners, from where it begins.
    pub points: Vec<Point>,
    /// Whether it ends at its target, or joins another on the way.
    pub arrives: bool,
    /// Where its label is.
    pub label: Option<Rect>,
}

/// The room that a node needs for a line that leads back into itself, on each side.
const LOOP: i32 = 26;

impl Sheet {
    /// Lays it out.
    pub fn layout(&self) -> Layout {
        if self.nodes.is_empty() {
            return Layout::default();
        }
        let ranked = rank::rank(self);
        let mut layered = layers::layers(self, &ranked);
        order::order(&mut layered);
        let columns = place::place(&layered);
        route::route(self, &layered, columns)
    }

    /// How wide a node is with what belongs to it.
    fn width(&self, node: usize) -> i32 {
        let own = |l: &&Link| l.from == node && l.to == node;
        let loops = self.links.iter().filter(own);
        let room = loops.map(|l| LOOP * (1 + i32::from(l.class)) + l.label.map_or(0, |s| s.width));
        self.nodes[node].size.width + 2 * room.max().unwrap_or(0)
    }
}
