//! Columns, after Brandes and Köpf: vertices that follow each other are aligned to straight blocks, four times
//! (from above or below, from the left or right); each time the blocks are pushed together; and each vertex gets the
//! middle of what the four say. Lanes come before nodes, so that long lines are straight.
//!
//! All four keep the distances between neighbours, so the middle of them does too.

use super::layers::{Kind, Layered};

/// Between two nodes.
const GAP_NODES: i32 = 36;
/// Between a line and what is beside it.
const GAP_LANES: i32 = 18;

/// The middle of each vertex.
pub fn place(layered: &Layered) -> Vec<i32> {
    let conflicts = conflicts(layered);
    let mut all: Vec<Vec<i32>> = Vec::with_capacity(4);
    for from_below in [false, true] {
        for from_right in [false, true] {
            let view = View::new(layered, from_below, from_right);
            let root = view.align(&conflicts);
            let mut columns = view.push_together(&root);
            if from_right {
                columns.iter_mut().for_each(|x| *x = -*x);
            }
            all.push(columns);
        }
    }
    // They are laid over each other where the narrowest ends.
    let extent = |columns: &Vec<i32>| {
        let ends = columns.iter().zip(&layered.vertices);
        let left = ends.clone().map(|(x, v)| x - v.width / 2).min();
        let right = ends.map(|(x, v)| x + v.width / 2).max();
        (left.unwrap_or(0), right.unwrap_or(0))
    };
    let extents: Vec<(i32, i32)> = all.iter().map(extent).collect();
    let narrowest = extents.iter().min_by_key(|(left, right)| right - left);
    let (left, right) = *narrowest.expect("there are four");
    for (which, columns) in all.iter_mut().enumerate() {
        let shift = if which % 2 == 0 {
            left - extents[which].0
        } else {
            right - extents[which].1
        };
        columns.iter_mut().for_each(|x| *x += shift);
    }
    (0..layered.vertices.len())
        .map(|vertex| {
            let mut four = [0, 1, 2, 3].map(|which| all[which][vertex]);
            four.sort_unstable();
            (four[1] + four[2]).div_euclid(2)
        })
        .collect()
}

/// How far the middles of neighbours must be from each other.
fn distance(layered: &Layered, left: usize, right: usize) -> i32 {
    let (left, right) = (&layered.vertices[left], &layered.vertices[right]);
    let node = |kind| matches!(kind, Kind::Node | Kind::Dot);
    let gap = if node(left.kind) && node(right.kind) {
        GAP_NODES
    } else {
        GAP_LANES
    };
    (left.width + 1) / 2 + (right.width + 1) / 2 + gap
}

/// The segments that do not get to be straight, because they cross a piece of a long line or join one.
fn conflicts(layered: &Layered) -> Vec<bool> {
    let mut position = vec![0; layered.vertices.len()];
    for layer in &layered.layers {
        for (at, vertex) in layer.iter().enumerate() {
            position[*vertex] = at;
        }
    }
    let lane = |vertex: usize| layered.vertices[vertex].kind == Kind::Lane;
    let mut conflicts = vec![false; layered.segments.len()];
    for layer in layered.layers.iter().skip(1) {
        let inner = |vertex: usize| {
            let above = layered.above[vertex].iter();
            let mut uppers = above.map(|s| layered.segments[*s].upper);
            uppers.find(|upper| lane(vertex) && lane(*upper))
        };
        let (mut left, mut scanned) = (0, 0);
        for (at, &vertex) in layer.iter().enumerate() {
            let upper = inner(vertex);
            if upper.is_none() && at + 1 < layer.len() {
                continue;
            }
            let right = upper.map_or(usize::MAX, |upper| position[upper]);
            for &vertex in &layer[scanned..=at] {
                for &segment in &layered.above[vertex] {
                    let upper = layered.segments[segment].upper;
                    let crosses = position[upper] < left || position[upper] > right;
                    conflicts[segment] = crosses && !(lane(upper) && lane(vertex));
                }
            }
            scanned = at + 1;
            left = if upper.is_some() { right } else { left };
        }
    }
    let goes_on = |segments: &[usize]| {
        let mut segments = segments.iter().map(|at| &layered.segments[*at]);
        segments.any(|segment| lane(segment.upper) && lane(segment.lower))
    };
    for (at, segment) in layered.segments.iter().enumerate() {
        let (upper, lower) = (segment.upper, segment.lower);
        let joins = lane(lower) && goes_on(&layered.above[lower]);
        let leaves = lane(upper) && goes_on(&layered.below[upper]);
        conflicts[at] |= (joins || leaves) && !(lane(upper) && lane(lower));
    }
    conflicts
}

/// The layers as seen from one of the four corners.
struct View<'l> {
    layered: &'l Layered,
    from_below: bool,
    layers: Vec<Vec<usize>>,
    position: Vec<usize>,
}

impl<'l> View<'l> {
    fn new(layered: &'l Layered, from_below: bool, from_right: bool) -> View<'l> {
        let mut layers = layered.layers.clone();
        if from_below {
            layers.reverse();
        }
        let mut position = vec![0; layered.vertices.len()];
        for layer in &mut layers {
            if from_right {
                layer.reverse();
            }
            for (at, vertex) in layer.iter().enumerate() {
                position[*vertex] = at;
            }
        }
        View {
            layered,
            from_below,
            layers,
            position,
        }
    }

    /// The first vertex of the block that each vertex is in.
    fn align(&self, conflicts: &[bool]) -> Vec<usize> {
        let mut root: Vec<usize> = (0..self.layered.vertices.len()).collect();
        let mut taken = vec![false; root.len()];
        for layer in &self.layers {
            // The place behind the last one that was aligned to: blocks do not cross.
            let mut free = 0;
            for &vertex in layer {
                let segments = if self.from_below {
                    &self.layered.below[vertex]
                } else {
                    &self.layered.above[vertex]
                };
                let mut before: Vec<(usize, usize)> = segments
                    .iter()
                    .filter(|at| !conflicts[**at])
                    .map(|at| {
                        let segment = &self.layered.segments[*at];
                        let other = if self.from_below {
                            segment.lower
                        } else {
                            segment.upper
                        };
                        (self.position[other], other)
                    })
                    .collect();
                before.sort_unstable();
                let middles = match before.len() {
                    0 => continue,
                    count => (count - 1) / 2..=count / 2,
                };
                for (place, other) in &before[middles] {
                    if root[vertex] == vertex && !taken[*other] && *place >= free {
                        taken[*other] = true;
                        root[vertex] = root[*other];
                        free = place + 1;
                    }
                }
            }
        }
        root
    }

    /// Pushes the blocks to the left as far as they go, and then to the right as far as those that stand
    /// right of them let them, where nothing holds them on the left.
    fn push_together(&self, root: &[usize]) -> Vec<i32> {
        let count = root.len();
        let mut after: Vec<Vec<(usize, i32)>> = vec![Vec::new(); count];
        let mut open = vec![0_usize; count];
        for layer in &self.layers {
            for pair in layer.windows(2) {
                let apart = distance(self.layered, pair[0], pair[1]);
                after[root[pair[0]]].push((root[pair[1]], apart));
                open[root[pair[1]]] += 1;
            }
        }
        let mut ready: Vec<usize> = (0..count)
            .filter(|vertex| root[*vertex] == *vertex && open[*vertex] == 0)
            .collect();
        let mut sorted = Vec::with_capacity(count);
        let mut columns = vec![0; count];
        while let Some(block) = ready.pop() {
            sorted.push(block);
            for &(right, apart) in &after[block] {
                columns[right] = columns[right].max(columns[block] + apart);
                open[right] -= 1;
                if open[right] == 0 {
                    ready.push(right);
                }
            }
        }
        for &block in sorted.iter().rev() {
            let room = after[block]
                .iter()
                .map(|(right, apart)| columns[*right] - apart);
            if let Some(furthest) = room.min() {
                columns[block] = columns[block].max(furthest);
            }
        }
        (0..count).map(|vertex| columns[root[vertex]]).collect()
    }
}
