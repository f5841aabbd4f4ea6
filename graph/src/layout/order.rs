//! Few crossings: sweeps down and up that put each vertex where its neighbours are on average, then
//! exchanges of neighbours as long as they help. The best order that was seen is kept.

use super::layers::Layered;

/// More sweeps hardly ever find anything.
const SWEEPS: usize = 16;
/// How many segments all sweeps together look at: a picture that is this large has fewer sweeps.
const SWEPT_MAX: usize = 250_000;
/// Above this many segments nothing is exchanged: nobody sees a crossing less among so many.
const EXCHANGED_MAX: usize = 20_000;
/// Rounds of exchanges, each of which only goes on if it helped.
const EXCHANGES: usize = 6;

pub fn order(layered: &mut Layered) {
    let mut position = vec![0; layered.vertices.len()];
    for layer in &layered.layers {
        number(layer, &mut position);
    }
    let mut best = (crossings(layered, &position), layered.layers.clone());
    let count = layered.segments.len().max(1);
    for sweep in 0..(SWEPT_MAX / count).clamp(2, SWEEPS) {
        if best.0 == 0 {
            break;
        }
        let layers = layered.layers.len();
        for step in 1..layers {
            let at = if sweep % 2 == 0 {
                step
            } else {
                layers - 1 - step
            };
            let mut layer = std::mem::take(&mut layered.layers[at]);
            sort(layered, &mut layer, &position, sweep % 2 == 0);
            number(&layer, &mut position);
            layered.layers[at] = layer;
        }
        if count <= EXCHANGED_MAX {
            exchange(layered, &mut position);
        }
        let found = crossings(layered, &position);
        if found < best.0 {
            best = (found, layered.layers.clone());
        }
    }
    layered.layers = best.1;
}

fn number(layer: &[usize], position: &mut [usize]) {
    for (at, vertex) in layer.iter().enumerate() {
        position[*vertex] = at;
    }
}

/// Where the neighbours of a vertex in the layer above (or below) are.
fn neighbours(layered: &Layered, vertex: usize, above: bool) -> impl Iterator<Item = usize> {
    let segments = if above {
        &layered.above[vertex]
    } else {
        &layered.below[vertex]
    };
    segments.iter().map(move |segment| {
        let segment = &layered.segments[*segment];
        if above { segment.upper } else { segment.lower }
    })
}

/// Sorts those that have neighbours by where these are; the others stay where they are.
fn sort(layered: &Layered, layer: &mut [usize], position: &[usize], above: bool) {
    let mut moved: Vec<(usize, usize)> = Vec::new();
    let mut places = Vec::new();
    for (place, &vertex) in layer.iter().enumerate() {
        let (mut sum, mut count) = (0, 0);
        for neighbour in neighbours(layered, vertex, above) {
            sum += position[neighbour];
            count += 1;
        }
        // A whole number that orders as the average does, finely enough.
        if let Some(average) = (sum * 4_096_usize).checked_div(count) {
            moved.push((average, vertex));
            places.push(place);
        }
    }
    moved.sort_by_key(|(average, _)| *average);
    for (place, (_, vertex)) in places.into_iter().zip(moved) {
        layer[place] = vertex;
    }
}

fn exchange(layered: &mut Layered, position: &mut [usize]) {
    for _ in 0..EXCHANGES {
        let mut helped = false;
        for at in 0..layered.layers.len() {
            let mut layer = std::mem::take(&mut layered.layers[at]);
            for left in 1..layer.len() {
                let (a, b) = (layer[left - 1], layer[left]);
                let (mut now, mut then) = (0, 0);
                for above in [true, false] {
                    let of = |vertex| -> Vec<usize> {
                        let mut places: Vec<usize> = neighbours(layered, vertex, above)
                            .map(|n| position[n])
                            .collect();
                        places.sort_unstable();
                        places
                    };
                    let (a, b) = (of(a), of(b));
                    now += inversions(&a, &b);
                    then += inversions(&b, &a);
                }
                if then < now {
                    layer.swap(left - 1, left);
                    (position[a], position[b]) = (left, left - 1);
                    helped = true;
                }
            }
            layered.layers[at] = layer;
        }
        if !helped {
            break;
        }
    }
}

/// How many pairs there are of which the left one is further right. Both are sorted.
fn inversions(left: &[usize], right: &[usize]) -> usize {
    let mut smaller = 0;
    let mut sum = 0;
    for place in left {
        while smaller < right.len() && right[smaller] < *place {
            smaller += 1;
        }
        sum += smaller;
    }
    sum
}

/// How many pairs of segments cross, counted with a tree of sums for each pair of layers.
fn crossings(layered: &Layered, position: &[usize]) -> usize {
    let mut sum = 0;
    let mut lowers = Vec::new();
    for at in 1..layered.layers.len() {
        lowers.clear();
        for &upper in &layered.layers[at - 1] {
            let from = lowers.len();
            lowers.extend(neighbours(layered, upper, false).map(|n| position[n]));
            lowers[from..].sort_unstable();
        }
        let mut tree = vec![0_usize; layered.layers[at].len() + 1];
        for (seen, &place) in lowers.iter().enumerate() {
            // Those before that end at this place or left of it do not cross.
            let (mut node, mut not) = (place + 1, 0);
            while node > 0 {
                not += tree[node];
                node &= node - 1;
            }
            sum += seen - not;
            let mut node = place + 1;
            while node < tree.len() {
                tree[node] += 1;
                node += node & node.wrapping_neg();
            }
        }
    }
    sum
}
