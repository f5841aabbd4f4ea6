//! What is told at once, and what is counted: the windows of a group of alerts.
//!
//! A group is a kind of alert on a route or of a machine. Within it, what is about the same thing is told once
//! and counted for as long as its window is open; and if more windows are open than the limits allow, whatever
//! else comes is counted in one more, the *overflow*. So a storm makes a bounded number of messages, and the
//! counts of all alerts add up to what was raised.
//!
//! | an alert comes | its window | the group | what happens |
//! | --- | --- | --- | --- |
//! | any | open | | counted |
//! | any | none | has room | told, its window opens; the window of what it contradicts closes |
//! | any | none | is full, no overflow | told as the first of many, the overflow opens |
//! | any | none | is full, overflow open | counted in the overflow |
//!
//! Alerts that something is over have windows and an overflow of their own: what ends is no reason to be silent about
//! what begins. One that is counted in their overflow is told to those subscribers all the same that keep an incident
//! open until it is.
//!
//! When a window's time is over it closes; if more was counted than was told, a summary is sent. A window that has
//! nothing to say has no timer (on the virtual clock that would be a reason for time to move): it closes when its
//! group is looked at next.

use asl::Timestamp;
use serde::{Deserialize, Serialize};

use super::alert::Alert;

/// How much is told.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For how long what is the same is counted and not told; with 0 everything is told.
    pub window_seconds: i64,
    /// How many windows of a group may be open, beside the overflow; and as many of what is over.
    pub windows_max: usize,
}

/// The open windows of a group: one document.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The open ones, in the order in which they opened.
    pub windows: Vec<Window>,
}

/// An alert that was told, and how often the same came since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The alert's id.
    pub alert_id: String,
    /// What it is about; of the overflow nothing, of that of what is over [`OTHERS_OVER`].
    pub about: Option<String>,
    /// How often it came.
    pub count: u64,
    /// How often it was said to have come.
    pub told: u64,
    /// When it came last.
    pub last_at: Timestamp,
    /// When it closes.
    pub closes_at: Timestamp,
}

/// What becomes of an alert.
#[derive(Debug, PartialEq)]
pub enum Taken {
    /// It is to be told: a window has opened for it.
    Told {
        /// The first of those that have no window of their own.
        overflow: bool,
    },
    /// It is one more of those whose window is open.
    Counted {
        /// Of those that have no window of their own.
        overflow: bool,
    },
}

/// What begins the name of what is over: the key of what it was.
const OVER: &str = "resolved ";

/// The overflow of what is over. No key has a blank in it.
const OTHERS_OVER: &str = "resolved and others";

impl Group {
    /// An alert comes. If it says that something is over, the window of that is closed and given back; if it
    /// says that something has happened again, the window of that it was over is.
    pub fn take(
        &mut self,
        alert: &Alert,
        now: Timestamp,
        limits: Limits,
    ) -> (Taken, Option<Window>) {
        if limits.window_seconds == 0 {
            return (Taken::Told { overflow: false }, None);
        }
        let over = format!("{OVER}{}", alert.dedup_key);
        // If it has happened again since it was over, it is told to be over next time, too.
        let (about, opposite) = match alert.resolved {
            true => (over, alert.dedup_key.clone()),
            false => (alert.dedup_key.clone(), over),
        };
        let ended = self.remove(&opposite);
        let last_at = alert.raised_at.0;
        if let Some(window) = self.find(Some(&about)) {
            window.add(last_at);
            return (Taken::Counted { overflow: false }, ended);
        }
        let others = alert.resolved.then(|| OTHERS_OVER.to_owned());
        let own = |window: &&Window| window.is_own(alert.resolved);
        let overflow = self.windows.iter().filter(own).count() >= limits.windows_max;
        if overflow && let Some(window) = self.find(others.as_deref()) {
            window.add(last_at);
            return (Taken::Counted { overflow: true }, ended);
        }
        self.windows.push(Window {
            alert_id: alert.alert_id.clone(),
            about: if overflow { others } else { Some(about) },
            count: 1,
            told: 1,
            last_at,
            closes_at: now.plus_seconds(limits.window_seconds),
        });
        (Taken::Told { overflow }, ended)
    }

    /// Whether this alert has an open window.
    pub fn has(&self, alert_id: &str) -> bool {
        self.windows.iter().any(|w| w.alert_id == alert_id)
    }

    /// Takes out the windows whose time is over.
    pub fn close(&mut self, now: Timestamp) -> Vec<Window> {
        let (closed, open) = std::mem::take(&mut self.windows)
            .into_iter()
            .partition(|window| window.closes_at <= now);
        self.windows = open;
        closed
    }

    /// When the next one closes that has something to say then.
    pub fn next_close(&self) -> Option<Timestamp> {
        let untold = self.windows.iter().filter(|w| w.count > w.told);
        untold.map(|window| window.closes_at).min()
    }

    fn find(&mut self, about: Option<&str>) -> Option<&mut Window> {
        self.windows
            .iter_mut()
            .find(|window| window.about.as_deref() == about)
    }

    fn remove(&mut self, about: &str) -> Option<Window> {
        let at = self
            .windows
            .iter()
            .position(|window| window.about.as_deref() == Some(about))?;
        Some(self.windows.remove(at))
    }
}

impl Window {
    /// Whether it is about one thing, which is over or is not.
    fn is_own(&self, over: bool) -> bool {
        let about = self.about.as_deref();
        about.is_some_and(|about| about != OTHERS_OVER && about.starts_with(OVER) == over)
    }

    fn add(&mut self, at: Timestamp) {
        self.count += 1;
        self.last_at = self.last_at.max(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::Kind;

    const LIMITS: Limits = Limits {
        window_seconds: 300,
        windows_max: 2,
    };

    fn about(subject: &str, resolved: bool) -> Alert {
        Alert {
            alert_id: subject.to_owned(),
            dedup_key: subject.to_owned(),
            resolved,
            ..Alert::new(Kind::StuckWait, "test", "stuck")
        }
    }

    fn take(group: &mut Group, subject: &str, now: i64) -> Taken {
        let now = Timestamp(now * 1000);
        group.take(&about(subject, false), now, LIMITS).0
    }

    #[test]
    fn what_is_the_same_is_told_once_and_what_is_too_much_is_counted_together() {
        let mut group = Group::default();
        let told = |overflow| Taken::Told { overflow };
        let counted = |overflow| Taken::Counted { overflow };
        let rows = [
            ("a", 0, told(false)),
            ("a", 1, counted(false)),
            ("b", 10, told(false)),
            ("c", 11, told(true)),
            ("d", 12, counted(true)),
            ("c", 13, counted(true)),
            ("b", 14, counted(false)),
        ];
        for (subject, now, expected) in rows {
            assert_eq!(take(&mut group, subject, now), expected, "{subject} {now}");
        }
        assert_eq!(group.next_close(), Some(Timestamp(300_000)));
        assert_eq!(group.close(Timestamp(299_999)), []);
        let closed = group.close(Timestamp(300_000));
        assert_eq!((closed.len(), closed[0].count, closed[0].told), (1, 2, 1));
        // There is room again, for one.
        assert_eq!(take(&mut group, "d", 301), told(false));
        assert_eq!(group.next_close(), Some(Timestamp(310_000)));
        assert_eq!(take(&mut group, "e", 302), counted(true));
        let counts: Vec<u64> = group
            .close(Timestamp(i64::MAX))
            .iter()
            .map(|w| w.count)
            .collect();
        assert_eq!(counts, [2, 4, 1]);
        assert_eq!(group, Group::default());
        assert_eq!(take(&mut group, "f", 700), told(false));
        assert_eq!(
            group.next_close(),
            None,
            "what was told once has no more to say"
        );
    }

    #[test]
    fn what_is_over_closes_its_window_and_may_begin_again() {
        let mut group = Group::default();
        let now = Timestamp(0);
        let one = |group: &mut Group, resolved| group.take(&about("a", resolved), now, LIMITS);
        one(&mut group, false);
        one(&mut group, false);
        let (taken, ended) = one(&mut group, true);
        assert_eq!(taken, Taken::Told { overflow: false });
        assert_eq!(ended.map(|window| window.count), Some(2));
        assert_eq!(one(&mut group, true).0, Taken::Counted { overflow: false });
        let (taken, ended) = one(&mut group, false);
        assert_eq!(taken, Taken::Told { overflow: false });
        assert_eq!(ended.map(|window| window.count), Some(2));
        assert_eq!(one(&mut group, true).0, Taken::Told { overflow: false });
    }

    #[test]
    fn what_is_over_has_room_of_its_own_and_is_counted_when_that_is_full() {
        let mut group = Group::default();
        for subject in ["a", "b", "c"] {
            take(&mut group, subject, 0);
        }
        let over = |group: &mut Group, subject: &str| {
            let now = Timestamp(1000);
            group.take(&about(subject, true), now, LIMITS)
        };
        let told = |overflow| Taken::Told { overflow };
        // However many are open that are not over.
        for subject in ["earlier", "a"] {
            assert_eq!(over(&mut group, subject).0, told(false));
        }
        let (taken, ended) = over(&mut group, "b");
        assert_eq!(
            (taken, ended.map(|window| window.count)),
            (told(true), Some(1))
        );
        let windows = group.windows.len();
        for number in 0..100 {
            let subject = format!("other {number}");
            let counted = Taken::Counted { overflow: true };
            assert_eq!(over(&mut group, &subject), (counted, None));
        }
        assert_eq!(group.windows.len(), windows, "the document does not grow");
        let others = group.find(Some(OTHERS_OVER)).map(|window| window.count);
        assert_eq!(others, Some(101));
        let overflow = group.find(None).map(|window| window.count);
        assert_eq!(overflow, Some(1), "only c");
        // What begins has the room that a and b have left.
        assert_eq!(take(&mut group, "d", 2), told(false));
    }
}
