//! A region: the states that one `StartAt` leads to, and the links between them. The machine is one, and
//! so is each branch of a Parallel state and the processor of a Map.

use std::collections::BTreeMap;

use asl::{Next, Recovery, StateId, StateKind, StateMachine};

/// The states with one start, in the order of the definition.
pub struct Region {
    pub states: Vec<StateId>,
    pub links: Vec<Link>,
}

/// Where a link begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Start,
    State(StateId),
    End,
}

/// All that leads from one place to another in the same manner.
#[derive(Debug, Clone)]
pub struct Link {
    pub from: Place,
    pub to: Place,
    pub kind: Kind,
    /// The rules of a Choice, or the errors of a Catch; each is enough.
    pub reasons: Vec<String>,
}

/// Why a state is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `Next` and `End`; the rules of a Choice too.
    Next,
    Catch,
}

/// The region that begins at `start`.
pub fn region(machine: &StateMachine, start: StateId) -> Region {
    let mut links = vec![Link {
        from: Place::Start,
        to: Place::State(start),
        kind: Kind::Next,
        reasons: Vec::new(),
    }];
    let mut seen = BTreeMap::from([(start, ())]);
    let mut waiting = vec![start];
    let mut states = Vec::new();
    while let Some(id) = waiting.pop() {
        states.push(id);
        for link in leaving(machine, id) {
            if let Place::State(to) = link.to
                && seen.insert(to, ()).is_none()
            {
                waiting.push(to);
            }
        }
    }
    states.sort_unstable();
    links.extend(states.iter().flat_map(|id| leaving(machine, *id)));
    Region { states, links }
}

/// Where the regions inside of a state begin, each with its name.
pub fn inside(machine: &StateMachine, id: StateId) -> Vec<(StateId, String)> {
    match &machine.state(id).kind {
        StateKind::Map(map) => vec![(map.start_at, String::new())],
        StateKind::Parallel(parallel) => {
            let branches = parallel.branches.iter().enumerate();
            branches
                .map(|(at, start)| (*start, format!("Branch {}", at + 1)))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The Parallel or Map state that each nested state stands in, the nearest one.
pub fn containers(machine: &StateMachine) -> BTreeMap<StateId, StateId> {
    let all = 0..machine.states.len();
    let ids = all
        .filter_map(|index| u32::try_from(index).ok())
        .map(StateId);
    let of = |container: StateId| {
        let starts = inside(machine, container).into_iter();
        let inner = starts.flat_map(|(start, _)| region(machine, start).states);
        inner.map(move |id| (id, container))
    };
    ids.flat_map(of).collect()
}

/// The links that leave a state, those with the same end as one.
fn leaving(machine: &StateMachine, id: StateId) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    let mut add = |to: Place, kind: Kind, reason: Option<String>| {
        let same = links.iter_mut().find(|l| l.to == to && l.kind == kind);
        match same {
            Some(link) => link.reasons.extend(reason),
            None => links.push(Link {
                from: Place::State(id),
                to,
                kind,
                reasons: reason.into_iter().collect(),
            }),
        }
    };
    let place = |next: &Next| match next {
        Next::State(to) => Place::State(*to),
        Next::End => Place::End,
    };
    let (next, recovery): (Option<&Next>, Option<&Recovery>) = match &machine.state(id).kind {
        StateKind::Task(task) => (Some(&task.next), Some(&task.recovery)),
        StateKind::Parallel(parallel) => (Some(&parallel.next), Some(&parallel.recovery)),
        StateKind::Map(map) => (Some(&map.next), Some(&map.recovery)),
        StateKind::Pass(pass) => (Some(&pass.next), None),
        StateKind::Wait(wait) => (Some(&wait.next), None),
        StateKind::Choice(choice) => {
            for rule in &choice.rules {
                add(
                    Place::State(rule.next),
                    Kind::Next,
                    Some(rule.rule.to_string()),
                );
            }
            if let Some(default) = choice.default {
                add(Place::State(default), Kind::Next, Some("default".into()));
            }
            (None, None)
        }
        StateKind::Succeed | StateKind::Fail(_) => (None, None),
    };
    if let Some(next) = next {
        add(place(next), Kind::Next, None);
    }
    for catcher in recovery.iter().flat_map(|recovery| &recovery.catchers) {
        let errors = catcher.errors.join(", ");
        add(Place::State(catcher.next), Kind::Catch, Some(errors));
    }
    links
}
