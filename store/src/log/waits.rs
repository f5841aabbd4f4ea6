//! All open waits, by age and by place: a part of the index.
//!
//! Each costs an entry of some 50 bytes by its execution and one of some 30 by its age. What is asked of a
//! wait beside its place and age stands with its execution, on disk.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use asl::Timestamp;
use engine::WaitId;

use crate::contract::{OpenedWait, Places, WaitPlace, WaitQuery};
use crate::record::WaitFact;

/// When something is, of which execution (by its slot), and which wait.
type Entry = (i64, u32, u32);

/// See the module.
#[derive(Default)]
pub(crate) struct Waits {
    places: Vec<Place>,
    free: Vec<u32>,
    /// The numbers of places; first those of waits that end by themselves.
    by_name: [HashMap<Arc<str>, u32>; 2],
    /// By execution: since when, and in which place.
    open: BTreeMap<(u32, u32), (i64, u32)>,
    /// By execution, of those that have one: [`OpenedWait::quiet_at`].
    quiet_at: BTreeMap<(u32, u32), i64>,
    quiet: BTreeSet<Entry>,
    /// Whether the parts that are ordered by time are kept up; while a log is read they are not.
    ordered: bool,
}

struct Place {
    name: Arc<str>,
    endless: bool,
    waits: BTreeSet<Entry>,
}

impl Waits {
    /// Takes over what a record says of an execution's waits. `whole`: these are all.
    pub(crate) fn apply(
        &mut self,
        slot: u32,
        opened: &[WaitFact<'_>],
        closed: &[WaitId],
        whole: bool,
    ) {
        if whole {
            self.clear(slot);
        }
        for wait in closed {
            self.close(slot, wait.0);
        }
        for fact in opened {
            self.close(slot, fact.wait.0);
            self.open(slot, fact);
        }
    }

    /// None of an execution's waits is open any more.
    pub(crate) fn clear(&mut self, slot: u32) {
        let of_slot = self.open.range((slot, 0)..=(slot, u32::MAX));
        let waits: Vec<u32> = of_slot.map(|((_, wait), _)| *wait).collect();
        for wait in waits {
            self.close(slot, wait);
        }
    }

    fn open(&mut self, slot: u32, fact: &WaitFact<'_>) {
        let (wait, since) = (fact.wait.0, fact.since.0);
        let place = self.place(fact.place, fact.endless);
        self.open.insert((slot, wait), (since, place));
        if let Some(at) = fact.quiet_at {
            self.quiet_at.insert((slot, wait), at.0);
        }
        if self.ordered {
            self.places[place as usize]
                .waits
                .insert((since, slot, wait));
            self.quiet
                .extend(fact.quiet_at.map(|at| (at.0, slot, wait)));
        }
    }

    fn close(&mut self, slot: u32, wait: u32) {
        let Some((since, place)) = self.open.remove(&(slot, wait)) else {
            return;
        };
        let quiet_at = self.quiet_at.remove(&(slot, wait));
        if !self.ordered {
            return;
        }
        if let Some(at) = quiet_at {
            self.quiet.remove(&(at, slot, wait));
        }
        let waits = &mut self.places[place as usize].waits;
        waits.remove(&(since, slot, wait));
        if waits.is_empty() {
            self.give_up(place);
        }
    }

    fn place(&mut self, name: &str, endless: bool) -> u32 {
        let by_name = &mut self.by_name[usize::from(endless)];
        if let Some(number) = by_name.get(name) {
            return *number;
        }
        let name: Arc<str> = name.into();
        let place = Place {
            name: name.clone(),
            endless,
            waits: BTreeSet::new(),
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.places[number as usize] = place;
                number
            }
            None => {
                self.places.push(place);
                (self.places.len() - 1) as u32
            }
        };
        by_name.insert(name, number);
        number
    }

    fn give_up(&mut self, number: u32) {
        let place = &self.places[number as usize];
        self.by_name[usize::from(place.endless)].remove(&place.name);
        self.free.push(number);
    }

    /// Puts all in order, once the log is read.
    pub(crate) fn finish(&mut self) {
        self.ordered = true;
        let mut waits: Vec<Vec<Entry>> = vec![Vec::new(); self.places.len()];
        for (&(slot, wait), &(since, place)) in &self.open {
            waits[place as usize].push((since, slot, wait));
        }
        for (number, waits) in waits.into_iter().enumerate() {
            match waits.is_empty() {
                true => self.give_up(number as u32),
                false => self.places[number].waits = waits.into_iter().collect(),
            }
        }
        let quiet = self.quiet_at.iter();
        self.quiet = quiet.map(|(&(slot, wait), &at)| (at, slot, wait)).collect();
    }

    /// The waits of an execution.
    pub(crate) fn of(&self, slot: u32) -> Vec<OpenedWait> {
        self.open
            .range((slot, 0)..=(slot, u32::MAX))
            .map(|(&(slot, wait), _)| self.opened(slot, wait))
            .collect()
    }

    fn opened(&self, slot: u32, wait: u32) -> OpenedWait {
        let (since, place) = self.open[&(slot, wait)];
        let place = &self.places[place as usize];
        OpenedWait {
            wait: WaitId(wait),
            since: Timestamp(since),
            place: place.name.clone(),
            endless: place.endless,
            quiet_at: self.quiet_at.get(&(slot, wait)).copied().map(Timestamp),
        }
    }

    /// The places in which there are waits.
    pub(crate) fn places(&self) -> Vec<WaitPlace> {
        self.places.iter().filter_map(Place::shown).collect()
    }

    /// Waits of some places, in the order that is asked for: with the executions' slots.
    pub(crate) fn find(&self, query: &WaitQuery<'_>) -> Vec<(u32, OpenedWait)> {
        // From the newest back it is the same walk with everything turned round.
        let turned = |(since, slot, wait): Entry| match query.newest_first {
            true => (!since, !slot, !wait),
            false => (since, slot, wait),
        };
        let until = query.until.map_or(i64::MAX, |until| until.0);
        let after = query
            .after
            .map(|mark| (mark.since.0, mark.slot, mark.wait.0));
        let all = (
            Bound::Unbounded,
            Bound::Included((until, u32::MAX, u32::MAX)),
        );
        let range = match (after, query.newest_first) {
            (None, _) => all,
            (Some(after), false) if after.0 > until => return Vec::new(),
            (Some(after), false) => (Bound::Excluded(after), all.1),
            (Some(after), true) if after.0 > until => all,
            (Some(after), true) => (Bound::Unbounded, Bound::Excluded(after)),
        };
        let mut rest: Vec<Box<dyn Iterator<Item = &Entry>>> = self
            .wanted(&query.places)
            .into_iter()
            .map(|place| place.waits.range(range))
            .map(|waits| match query.newest_first {
                true => Box::new(waits.rev()) as Box<dyn Iterator<Item = &Entry>>,
                false => Box::new(waits),
            })
            .collect();
        let mut heads: BinaryHeap<_> = rest
            .iter_mut()
            .enumerate()
            .filter_map(|(number, waits)| Some(Reverse((turned(*waits.next()?), number))))
            .collect();
        let mut found = Vec::new();
        while found.len() < query.limit
            && let Some(Reverse((head, number))) = heads.pop()
        {
            let (_, slot, wait) = turned(head);
            found.push((slot, self.opened(slot, wait)));
            let next = rest[number].next();
            heads.extend(next.map(|next| Reverse((turned(*next), number))));
        }
        found
    }

    fn wanted(&self, places: &Places<'_>) -> Vec<&Place> {
        match places {
            Places::One(name, endless) => {
                let number = self.by_name[usize::from(*endless)].get(*name);
                let place = number.map(|number| &self.places[*number as usize]);
                place.into_iter().collect()
            }
            Places::Those(fits) => {
                let places = self.places.iter();
                places
                    .filter(|place| place.shown().is_some_and(|shown| fits(&shown)))
                    .collect()
            }
        }
    }

    /// The waits whose silence becomes odd after `after`, until `until`: at most `limit`, the earliest first.
    pub(crate) fn quiet(
        &self,
        after: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Vec<(u32, OpenedWait)> {
        let range = (
            Bound::Excluded((after.0, u32::MAX, u32::MAX)),
            Bound::Included((until.0, u32::MAX, u32::MAX)),
        );
        if after >= until {
            return Vec::new();
        }
        let found = self.quiet.range(range).take(limit);
        found
            .map(|&(_, slot, wait)| (slot, self.opened(slot, wait)))
            .collect()
    }
}

impl Place {
    fn shown(&self) -> Option<WaitPlace> {
        let (oldest, ..) = self.waits.first()?;
        Some(WaitPlace {
            place: self.name.clone(),
            endless: self.endless,
            open: self.waits.len(),
            oldest: Timestamp(*oldest),
        })
    }
}
