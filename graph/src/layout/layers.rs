//! From nodes and links to vertices in layers and segments between neighbouring layers.

use std::collections::BTreeMap;

use super::Sheet;
use super::rank::Ranked;

/// All vertices, layer by layer.
#[derive(Debug, Default)]
pub struct Layered {
    /// The vertices; the nodes come first, in their order.
    pub vertices: Vec<Vertex>,
    /// The vertices of each layer, from left to right.
    pub layers: Vec<Vec<usize>>,
    /// What is between neighbouring layers.
    pub segments: Vec<Segment>,
    /// The segments that come from above, of each vertex.
    pub above: Vec<Vec<usize>>,
    /// The segments that go down.
    pub below: Vec<Vec<usize>>,
    /// The vertices that each link goes through, from where it begins; nothing for one that stays.
    pub chains: Vec<Vec<usize>>,
    /// The segments between the vertices of each chain.
    pub pieces: Vec<Vec<usize>>,
}

#[derive(Debug, Clone, Copy)]
pub struct Vertex {
    pub layer: usize,
    pub width: i32,
    pub height: i32,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Node,
    /// A node in whose middle all lines meet.
    Dot,
    Label,
    /// Where a line passes a layer.
    Lane,
}

#[derive(Debug, Clone, Copy)]
pub struct Segment {
    pub upper: usize,
    pub lower: usize,
    pub class: u8,
    /// It is a piece of a link that leads up.
    pub turned: bool,
}

/// Links that become one line: the target, the class, the direction.
type Trunk = (usize, u8, bool);

pub fn layers(sheet: &Sheet, ranked: &Ranked) -> Layered {
    let passing = |at: &usize| sheet.links[*at].from != sheet.links[*at].to;
    let passing: Vec<usize> = (0..sheet.links.len()).filter(passing).collect();
    let layer_of = spread(sheet, ranked, &passing);
    let mut layered = Layered {
        chains: vec![Vec::new(); sheet.links.len()],
        pieces: vec![Vec::new(); sheet.links.len()],
        ..Layered::default()
    };
    for (at, node) in sheet.nodes.iter().enumerate() {
        layered.vertices.push(Vertex {
            layer: layer_of[ranked.ranks[at]],
            width: sheet.width(at),
            height: node.size.height,
            kind: if node.dot { Kind::Dot } else { Kind::Node },
        });
    }
    let mut trunks: BTreeMap<(Trunk, usize), usize> = BTreeMap::new();
    let mut segments: BTreeMap<(usize, usize, u8), usize> = BTreeMap::new();
    for at in passing {
        let (link, turned) = (sheet.links[at], ranked.turned[at]);
        let (start, end) = (
            layered.vertices[link.from].layer,
            layered.vertices[link.to].layer,
        );
        let between: Vec<usize> = match turned {
            false => (start + 1..end).collect(),
            true => (end + 1..start).rev().collect(),
        };
        let mut chain = vec![link.from];
        for (step, layer) in between.into_iter().enumerate() {
            let vertices = &mut layered.vertices;
            let vertex = match link.label {
                Some(size) if step == 0 => {
                    vertices.push(Vertex {
                        layer,
                        width: size.width,
                        height: size.height,
                        kind: Kind::Label,
                    });
                    vertices.len() - 1
                }
                _ => *trunks
                    .entry(((link.to, link.class, turned), layer))
                    .or_insert_with(|| {
                        vertices.push(Vertex {
                            layer,
                            width: 0,
                            height: 0,
                            kind: Kind::Lane,
                        });
                        vertices.len() - 1
                    }),
            };
            chain.push(vertex);
        }
        chain.push(link.to);
        for pair in chain.windows(2) {
            let (upper, lower) = if turned {
                (pair[1], pair[0])
            } else {
                (pair[0], pair[1])
            };
            let segment = *segments
                .entry((upper, lower, link.class))
                .or_insert_with(|| {
                    layered.segments.push(Segment {
                        upper,
                        lower,
                        class: link.class,
                        turned,
                    });
                    layered.segments.len() - 1
                });
            layered.pieces[at].push(segment);
        }
        layered.chains[at] = chain;
    }
    let count = layered.vertices.iter().map(|v| v.layer + 1).max();
    layered.layers = vec![Vec::new(); count.unwrap_or(0)];
    layered.above = vec![Vec::new(); layered.vertices.len()];
    layered.below = vec![Vec::new(); layered.vertices.len()];
    for (at, segment) in layered.segments.iter().enumerate() {
        layered.below[segment.upper].push(at);
        layered.above[segment.lower].push(at);
    }
    // The first order is that of a walk in depth, which draws a tree without crossings.
    let mut seen = vec![false; layered.vertices.len()];
    for root in 0..layered.vertices.len() {
        let mut stack = vec![root];
        while let Some(vertex) = stack.pop() {
            if std::mem::replace(&mut seen[vertex], true) {
                continue;
            }
            layered.layers[layered.vertices[vertex].layer].push(vertex);
            let below = layered.below[vertex].iter().rev();
            stack.extend(below.map(|segment| layered.segments[*segment].lower));
        }
    }
    layered
}

/// The layer of each rank: a rank is followed by a layer of labels if any link there has one.
fn spread(sheet: &Sheet, ranked: &Ranked, passing: &[usize]) -> Vec<usize> {
    let ranks = ranked.ranks.iter().max().map_or(0, |rank| rank + 1);
    let mut labelled = vec![false; ranks];
    for &at in passing
        .iter()
        .filter(|at| sheet.links[**at].label.is_some())
    {
        let rank = ranked.ranks[sheet.links[at].from];
        labelled[if ranked.turned[at] { rank - 1 } else { rank }] = true;
    }
    let mut layer = 0;
    let mut layer_of = Vec::with_capacity(ranks);
    for labelled in labelled {
        layer_of.push(layer);
        layer += 1 + usize::from(labelled);
    }
    layer_of
}
