//! Rows, and the ways of the lines: where they leave and enter the nodes, and on which track between two layers
//! they go sideways.

use std::collections::{BTreeMap, BTreeSet};

use super::layers::{Kind, Layered};
use super::{LOOP, Layout, Sheet, Way};
use crate::geometry::{Point, Rect, Size};

/// Between two lines at the same side of a node.
const PORTS: i32 = 14;
/// Between a node's corner and its lines.
const CORNER: i32 = 14;
/// Between two tracks.
const TRACKS: i32 = 10;
/// Between a track and a layer that no arrow points to.
const CLEAR: i32 = 9;
/// The same, where there is an arrow.
const CLEAR_ARROW: i32 = 18;
/// From one layer of nodes to the next, at least.
const ROWS: i32 = 32;
/// The same beside a layer of labels.
const ROWS_LABEL: i32 = 13;

/// Lines that are one in a channel: where they meet, their class, and whether they lead up.
type Hub = (usize, u8, bool);

struct Router<'l> {
    sheet: &'l Sheet,
    layered: &'l Layered,
    columns: Vec<i32>,
    /// Where each segment begins and ends.
    upper: Vec<i32>,
    lower: Vec<i32>,
}

pub fn route(sheet: &Sheet, layered: &Layered, columns: Vec<i32>) -> Layout {
    let mut router = Router {
        sheet,
        layered,
        upper: layered.segments.iter().map(|s| columns[s.upper]).collect(),
        lower: layered.segments.iter().map(|s| columns[s.lower]).collect(),
        columns,
    };
    for node in 0..sheet.nodes.len() {
        router.ports_below(node);
    }
    for node in 0..sheet.nodes.len() {
        router.ports_above(node);
    }
    router.lay_out()
}

impl Router<'_> {
    fn kind(&self, vertex: usize) -> Kind {
        self.layered.vertices[vertex].kind
    }

    fn hub(&self, segment: usize) -> Hub {
        let segment = &self.layered.segments[segment];
        if segment.turned {
            (segment.upper, segment.class, true)
        } else {
            (segment.lower, segment.class, false)
        }
    }

    /// Between which columns lines may touch a node.
    fn range(&self, node: usize) -> (i32, i32) {
        let half = (self.sheet.nodes[node].size.width / 2 - CORNER).max(0);
        (self.columns[node] - half, self.columns[node] + half)
    }

    fn ports_below(&mut self, node: usize) {
        if self.kind(node) != Kind::Node {
            return;
        }
        let groups = self.groups(&self.layered.below[node], true);
        let mut ports: Vec<(i32, i32, Vec<usize>)> = Vec::new();
        for group in groups {
            let others = group.iter().map(|s| self.layered.segments[*s].lower);
            let mut wishes: Vec<(i32, i32)> = others
                .map(|other| (self.columns[other], self.wish(node, other)))
                .collect();
            wishes.sort_by_key(|(_, wish)| (wish - self.columns[node]).abs());
            let (toward, wish) = wishes[0];
            let (from, to) = self.shared(node, self.layered.segments[group[0]].lower);
            let toward = if from <= to && group.len() == 1 {
                wish
            } else {
                toward
            };
            ports.push((toward, wish, group));
        }
        for (x, group) in self.spread(node, ports) {
            for segment in group {
                self.upper[segment] = x;
            }
        }
    }

    fn ports_above(&mut self, node: usize) {
        if self.kind(node) != Kind::Node {
            return;
        }
        let groups = self.groups(&self.layered.above[node], false);
        let (low, high) = self.range(node);
        let mut ports: Vec<(i32, i32, Vec<usize>)> = Vec::new();
        for group in groups {
            let mut ends: Vec<i32> = group.iter().map(|s| self.upper[*s]).collect();
            ends.sort_by_key(|x| (x - self.columns[node]).abs());
            let wish = if (low..=high).contains(&ends[0]) {
                ends[0]
            } else {
                self.towards(node, ends[0])
            };
            ports.push((ends[0], wish, group));
        }
        for (x, group) in self.spread(node, ports) {
            for segment in group {
                self.lower[segment] = x;
            }
        }
    }

    /// Segments by the port that they have at a node: those that end here share one.
    fn groups(&self, segments: &[usize], below: bool) -> Vec<Vec<usize>> {
        let mut ending: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
        let mut groups = Vec::new();
        for &at in segments {
            let segment = &self.layered.segments[at];
            if segment.turned == below {
                ending.entry(segment.class).or_default().push(at);
            } else {
                groups.push(vec![at]);
            }
        }
        groups.extend(ending.into_values());
        groups
    }

    /// Where a line to `other` would best leave `node`: straight, if they are above each other.
    fn wish(&self, node: usize, other: usize) -> i32 {
        let (from, to) = self.shared(node, other);
        if from > to {
            return self.towards(node, self.columns[other]);
        }
        let own = self.sheet.nodes[node].size.width;
        let narrower = if own <= self.layered.vertices[other].width {
            self.columns[node]
        } else {
            self.columns[other]
        };
        let narrower = match self.kind(other) {
            Kind::Node => narrower,
            _ => self.columns[other],
        };
        narrower.clamp(from, to)
    }

    /// The columns in which a line between the two is straight; none if the first is behind the second.
    fn shared(&self, node: usize, other: usize) -> (i32, i32) {
        let (low, high) = self.range(node);
        let (other_low, other_high) = match self.kind(other) {
            Kind::Node => self.range(other),
            _ => (self.columns[other], self.columns[other]),
        };
        (low.max(other_low), high.min(other_high))
    }

    /// A little off the middle, on the side where `x` is.
    fn towards(&self, node: usize, x: i32) -> i32 {
        let (low, high) = self.range(node);
        let middle = self.columns[node];
        x.clamp((low + middle) / 2, (high + middle) / 2)
    }

    /// Keeps the lines at a side of a node apart: where each leads, where it would like to be, what it is.
    fn spread(
        &self,
        node: usize,
        mut ports: Vec<(i32, i32, Vec<usize>)>,
    ) -> Vec<(i32, Vec<usize>)> {
        let (low, high) = self.range(node);
        if let [(toward, wish, _)] = ports.as_mut_slice() {
            // One line alone that has to turn anyway leaves in the middle.
            if !(low..=high).contains(toward) && *wish == self.towards(node, *toward) {
                *wish = self.columns[node];
            }
        }
        ports.sort_by_key(|(toward, wish, _)| (*toward, *wish));
        let count = ports.len() as i32;
        let apart = PORTS.min((high - low) / (count - 1).max(1));
        // Those that have to turn make room for those that can be straight.
        let straight: Vec<(i32, i32)> = (0..)
            .zip(&ports)
            .filter(|(_, (toward, wish, _))| toward == wish)
            .map(|(at, (_, wish, _))| (at, *wish))
            .collect();
        for (at, (toward, wish, _)) in (0..).zip(&mut ports) {
            if toward == wish {
                continue;
            }
            let behind = straight.partition_point(|(other, _)| *other < at);
            if let Some((other, x)) = straight.get(behind) {
                *wish = (*wish).min(x - apart * (other - at));
            } else if let Some((other, x)) = straight.last() {
                *wish = (*wish).max(x + apart * (at - other));
            }
        }
        let mut placed: Vec<(i32, Vec<usize>)> = Vec::new();
        for (_, wish, group) in ports {
            let least = placed.last().map_or(low, |(x, _)| x + apart);
            placed.push((wish.max(least), group));
        }
        let mut most = high;
        for (x, _) in placed.iter_mut().rev() {
            *x = (*x).min(most);
            most = *x - apart;
        }
        placed
    }

    fn lay_out(&self) -> Layout {
        let layers = &self.layered.layers;
        let heights: Vec<i32> = layers
            .iter()
            .map(|layer| {
                let heights = layer.iter().map(|v| self.layered.vertices[*v].height);
                heights.max().unwrap_or(0)
            })
            .collect();
        let mut tops = vec![0];
        let mut tracks: BTreeMap<Hub, i32> = BTreeMap::new();
        for at in 1..layers.len() {
            let bottom = tops[at - 1] + heights[at - 1];
            tops.push(bottom + self.channel(at, bottom, &mut tracks));
        }
        let edges = self.layered.vertices.iter().zip(&self.columns);
        let left = edges.clone().map(|(v, x)| x - (v.width + 1) / 2).min();
        let right = edges.map(|(v, x)| x + (v.width + 1) / 2).max();
        let shift = left.unwrap_or(0);
        let last = layers.len() - 1;
        let mut layout = Layout {
            size: Size {
                width: right.unwrap_or(0) - shift,
                height: tops[last] + heights[last],
            },
            ..Layout::default()
        };
        let rect = |vertex: usize, size: Size, layer: usize| Rect {
            at: Point {
                x: self.columns[vertex] - size.width / 2 - shift,
                y: tops[layer],
            },
            size,
        };
        for (at, node) in self.sheet.nodes.iter().enumerate() {
            let layer = self.layered.vertices[at].layer;
            layout.nodes.push(rect(at, node.size, layer));
        }
        layout.links = vec![Way::default(); self.sheet.links.len()];
        // What joins must find drawn what it joins: the foremost first, then the longest.
        let mut turns: Vec<usize> = (0..self.sheet.links.len()).collect();
        turns.sort_by_key(|at| {
            let foremost = self.sheet.links[*at].foremost;
            (!foremost, usize::MAX - self.layered.chains[*at].len())
        });
        let mut drawn = BTreeSet::new();
        for at in turns {
            let chain = &self.layered.chains[at];
            layout.links[at] = if chain.is_empty() {
                self.around(at, layout.nodes[self.sheet.links[at].from])
            } else {
                let mut way = self.way(at, shift, &layout.nodes, &tracks, &mut drawn);
                if let Some(size) = self.sheet.links[at].label {
                    way.label = Some(rect(chain[1], size, self.layered.vertices[chain[1]].layer));
                }
                way
            };
        }
        layout
    }

    /// Finds the tracks above a layer and says how high the channel is.
    fn channel(&self, layer: usize, top: i32, tracks: &mut BTreeMap<Hub, i32>) -> i32 {
        let mut nets: BTreeMap<Hub, Net> = BTreeMap::new();
        let (mut arrow_up, mut arrow_down) = (false, false);
        for &vertex in &self.layered.layers[layer] {
            for &segment in &self.layered.above[vertex] {
                let hub = self.hub(segment);
                let net = nets.entry(hub).or_default();
                net.uppers.push(self.upper[segment]);
                net.lowers.push(self.lower[segment]);
                let node = matches!(self.kind(hub.0), Kind::Node | Kind::Dot);
                arrow_up |= node && hub.2;
                arrow_down |= node && !hub.2;
            }
        }
        let mut nets: Vec<(Hub, Net)> = nets.into_iter().filter(|(_, net)| net.turns()).collect();
        for (_, net) in &mut nets {
            net.tidy();
        }
        // Exchanging neighbours while it helps finds an order with few crossings, and is quick.
        for _ in 0..nets.len().min(40) {
            let mut helped = false;
            for at in 1..nets.len() {
                if nets[at].1.cost_above(&nets[at - 1].1) < nets[at - 1].1.cost_above(&nets[at].1) {
                    nets.swap(at - 1, at);
                    helped = true;
                }
            }
            if !helped {
                break;
            }
        }
        let mut levels: Vec<i32> = Vec::with_capacity(nets.len());
        for (at, (_, net)) in nets.iter().enumerate() {
            let above = nets[..at].iter().zip(&levels);
            let touching = above.filter(|((_, other), _)| net.touches(other));
            levels.push(touching.map(|(_, level)| level + 1).max().unwrap_or(0));
        }
        let clear = |arrow| if arrow { CLEAR_ARROW } else { CLEAR };
        let (above, below) = (clear(arrow_up), clear(arrow_down));
        let deep = levels.iter().max().map_or(0, |level| level * TRACKS);
        let label = |layer: usize| {
            let mut vertices = self.layered.layers[layer].iter();
            vertices.any(|v| self.kind(*v) == Kind::Label)
        };
        let least = match (label(layer - 1) || label(layer), arrow_up || arrow_down) {
            (false, _) => ROWS,
            (true, true) => CLEAR_ARROW + 4,
            (true, false) => ROWS_LABEL,
        };
        let height = if nets.is_empty() {
            least
        } else {
            least.max(above + deep + below)
        };
        let slack = (height - above - deep - below) / 2;
        for ((hub, _), level) in nets.iter().zip(&levels) {
            tracks.insert(*hub, top + above + slack + level * TRACKS);
        }
        height
    }

    /// The way of a link through the layers, as far as nobody has drawn it yet.
    fn way(
        &self,
        at: usize,
        shift: i32,
        nodes: &[Rect],
        tracks: &BTreeMap<Hub, i32>,
        drawn: &mut BTreeSet<Hub>,
    ) -> Way {
        let link = &self.sheet.links[at];
        let (from, to) = (&nodes[link.from], &nodes[link.to]);
        let pieces = &self.layered.pieces[at];
        let turned = self.layered.segments[pieces[0]].turned;
        let ends = |segment: usize| {
            let (upper, lower) = (self.upper[segment] - shift, self.lower[segment] - shift);
            if turned {
                (lower, upper)
            } else {
                (upper, lower)
            }
        };
        let mut way = Way::default();
        way.corner(
            ends(pieces[0]).0,
            if turned { from.at.y } else { from.bottom() },
        );
        for &piece in pieces {
            let (begin, end) = ends(piece);
            let hub = self.hub(piece);
            let joins = !drawn.insert(hub);
            if let Some(&track) = tracks.get(&hub) {
                if begin != end || joins {
                    way.corner(begin, track);
                    way.corner(end, track);
                }
                if joins {
                    return way;
                }
            }
        }
        let last = pieces[pieces.len() - 1];
        way.corner(ends(last).1, if turned { to.bottom() } else { to.at.y });
        way.arrives = true;
        way
    }

    /// The way of a link that leads back into its own node: around its right side.
    fn around(&self, at: usize, node: Rect) -> Way {
        let link = &self.sheet.links[at];
        let class = i32::from(link.class);
        let out = node.right() + LOOP * (class + 1) - 10;
        let middle = node.at.y + node.size.height / 2;
        let reach = 7 * (class + 1);
        let mut way = Way {
            arrives: true,
            ..Way::default()
        };
        way.corner(node.right(), middle + reach);
        way.corner(out, middle + reach);
        way.corner(out, middle - reach);
        way.corner(node.right(), middle - reach);
        way.label = link.label.map(|size| Rect {
            at: Point {
                x: out + 5,
                y: middle - size.height / 2,
            },
            size,
        });
        way
    }
}

impl Way {
    /// Goes on to a place; corners that are none are left out.
    fn corner(&mut self, x: i32, y: i32) {
        let point = Point { x, y };
        if self.points.last() == Some(&point) {
            return;
        }
        if let [.., a, b] = self.points.as_slice()
            && ((a.x == b.x && b.x == x) || (a.y == b.y && b.y == y))
        {
            self.points.pop();
        }
        self.points.push(point);
    }
}

/// What shares a track, and where it comes down to it and leaves it.
#[derive(Default)]
struct Net {
    uppers: Vec<i32>,
    lowers: Vec<i32>,
    left: i32,
    right: i32,
}

/// Two lines that lie over each other are worse than any number of crossings.
const COVERED: usize = 1_000_000;

impl Net {
    fn turns(&self) -> bool {
        let first = self.uppers[0];
        self.uppers.iter().chain(&self.lowers).any(|x| *x != first)
    }

    fn tidy(&mut self) {
        for ends in [&mut self.uppers, &mut self.lowers] {
            ends.sort_unstable();
            ends.dedup();
        }
        let ends = self.uppers.iter().chain(&self.lowers);
        self.left = ends.clone().min().copied().unwrap_or(0);
        self.right = ends.max().copied().unwrap_or(0);
    }

    fn touches(&self, other: &Net) -> bool {
        self.left - TRACKS <= other.right && other.left - TRACKS <= self.right
    }

    /// What it costs to have this track above the other one.
    fn cost_above(&self, other: &Net) -> usize {
        let crossing = |ends: &[i32], net: &Net| {
            let first = ends.partition_point(|x| *x <= net.left);
            ends.partition_point(|x| *x < net.right)
                .saturating_sub(first)
        };
        let near = |x: &i32| {
            let at = other.uppers.partition_point(|upper| *upper <= x - 4);
            other.uppers.get(at).is_some_and(|upper| *upper < x + 4)
        };
        let covered = self.lowers.iter().filter(|x| near(x)).count();
        crossing(&self.lowers, other) + crossing(&other.uppers, self) + covered * COVERED
    }
}
