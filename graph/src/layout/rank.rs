//! Layers: links that close a circle are turned, and what is left has longest paths.

use super::Sheet;

/// In which layer each node is, and which links are turned.
pub struct Ranked {
    pub ranks: Vec<usize>,
    pub turned: Vec<bool>,
}

pub fn rank(sheet: &Sheet) -> Ranked {
    let turned = turned(sheet);
    let ends = sheet.links.iter().zip(&turned).map(|(link, turned)| {
        if *turned {
            (link.to, link.from)
        } else {
            (link.from, link.to)
        }
    });
    let mut below = vec![Vec::new(); sheet.nodes.len()];
    let mut open = vec![0_usize; sheet.nodes.len()];
    for (upper, lower) in ends.filter(|(upper, lower)| upper != lower) {
        below[upper].push(lower);
        open[lower] += 1;
    }
    let mut ranks = vec![0; sheet.nodes.len()];
    let mut ready: Vec<usize> = (0..open.len()).filter(|node| open[*node] == 0).collect();
    while let Some(upper) = ready.pop() {
        for &lower in &below[upper] {
            ranks[lower] = ranks[lower].max(ranks[upper] + 1);
            open[lower] -= 1;
            if open[lower] == 0 {
                ready.push(lower);
            }
        }
    }
    Ranked { ranks, turned }
}

/// A walk in depth, with a stack of its own: what leads to a node that the walk is still inside of
/// leads back.
fn turned(sheet: &Sheet) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Not,
        Inside,
        Done,
    }
    let mut leaving = vec![Vec::new(); sheet.nodes.len()];
    for (at, link) in sheet.links.iter().enumerate() {
        leaving[link.from].push(at);
    }
    let mut seen = vec![Seen::Not; sheet.nodes.len()];
    let mut turned = vec![false; sheet.links.len()];
    for root in 0..sheet.nodes.len() {
        if seen[root] != Seen::Not {
            continue;
        }
        seen[root] = Seen::Inside;
        let mut stack = vec![(root, 0)];
        while let Some((node, next)) = stack.last_mut() {
            let Some(&link) = leaving[*node].get(*next) else {
                seen[*node] = Seen::Done;
                stack.pop();
                continue;
            };
            *next += 1;
            let to = sheet.links[link].to;
            match seen[to] {
                Seen::Not => {
                    seen[to] = Seen::Inside;
                    stack.push((to, 0));
                }
                Seen::Inside => turned[link] = to != sheet.links[link].from,
                Seen::Done => {}
            }
        }
    }
    turned
}
