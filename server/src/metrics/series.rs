//! One family's series: a figure for each name, and one for all names beyond a number of them.

use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::RwLock;

/// Stands between the parts of a name that is made of several.
pub const SEPARATOR: char = '\n';

/// In the place of every part of a name for those that are one series together.
pub const OTHER: &str = "(other)";

/// See the module.
pub struct Series<T> {
    named: RwLock<HashMap<Box<str>, Arc<T>>>,
    most: usize,
    new: fn() -> T,
    other: Arc<T>,
}

impl<T> Series<T> {
    /// At most so many, each made by `new`.
    pub fn new(most: usize, new: fn() -> T) -> Series<T> {
        Series {
            named: RwLock::default(),
            most,
            new,
            other: Arc::new(new()),
        }
    }

    /// Changes what is of this name. A name that is known takes no more than looking it up.
    pub fn with(&self, name: &str, change: impl FnOnce(&T)) {
        if let Some(known) = self.named.read().get(name) {
            return change(known);
        }
        let mut named = self.named.write();
        if let Some(known) = named.get(name) {
            return change(known);
        }
        if named.len() >= self.most {
            return change(&self.other);
        }
        let made = Arc::new((self.new)());
        change(&made);
        named.insert(name.into(), made);
    }

    /// All of them by name, and last, if there are too many, what has none.
    pub fn all(&self) -> Vec<(Box<str>, Arc<T>)> {
        let named = self.named.read();
        let mut all: Vec<_> = named
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let full = named.len() >= self.most;
        drop(named);
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        if full {
            all.push((OTHER.into(), self.other.clone()));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn beyond_the_bound_all_names_are_one() {
        let series: Series<AtomicU64> = Series::new(2, AtomicU64::default);
        for name in ["b", "a", "c", "d", "a"] {
            series.with(name, |count| {
                count.fetch_add(1, Ordering::Relaxed);
            });
        }
        let all = series.all();
        let all: Vec<_> = all
            .iter()
            .map(|(name, count)| (&**name, count.load(Ordering::Relaxed)))
            .collect();
        assert_eq!(all, [("a", 2), ("b", 1), (OTHER, 2)]);
    }
}
