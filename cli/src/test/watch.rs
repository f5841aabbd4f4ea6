//! What files looked like, so that whoever waits hears of a change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// Files as they were at a moment; what was not there is a file that may come.
pub struct Looks(BTreeMap<PathBuf, Option<Look>>);

/// When it was written and how long it is: two writes within one tick of the file system's clock differ by that.
type Look = (SystemTime, u64);

impl Looks {
    /// As they are now.
    pub fn of<'f>(files: impl IntoIterator<Item = &'f PathBuf>) -> Looks {
        let files = files.into_iter();
        Looks(files.map(|file| (file.clone(), look(file))).collect())
    }

    /// Returns when one of them is another than it was, and they stay as they are: an editor that writes a file
    /// begins by making it empty.
    pub fn until_changed(&self) {
        let mut before = Looks::of(self.0.keys());
        while before.0 == self.0 {
            std::thread::sleep(LOOK_EVERY);
            before = Looks::of(self.0.keys());
        }
        loop {
            std::thread::sleep(LOOK_EVERY);
            let now = Looks::of(self.0.keys());
            if now.0 == before.0 {
                return;
            }
            before = now;
        }
    }
}

fn look(file: &Path) -> Option<Look> {
    let data = std::fs::metadata(file).ok()?;
    Some((data.modified().ok()?, data.len()))
}
