//! A disk that remembers all that was done to it, so that a test can ask how it would look had the
//! power gone at any moment; and that can begin to fail at any moment.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use store::log::disk::{Disk, File};

use super::Random;

/// What was done.
enum Act {
    Create {
        name: String,
        bytes: u64,
    },
    Replace {
        name: String,
        content: Vec<u8>,
    },
    Remove {
        name: String,
    },
    Write {
        name: String,
        bytes: Vec<u8>,
        offset: u64,
    },
    Sync {
        name: String,
    },
}

type Files = BTreeMap<String, Vec<u8>>;

#[derive(Default)]
struct State {
    /// What was there at first.
    first: Files,
    files: Files,
    /// Who has a file open can read it after it was removed.
    removed: Files,
    acts: Vec<Act>,
    fail_from: Option<usize>,
}

/// See the module.
#[derive(Clone, Default)]
pub struct CrashDisk(Arc<Mutex<State>>);

/// What a disk promises to write whole.
const SECTOR_BYTES: usize = 512;

impl CrashDisk {
    pub fn of(files: Files) -> CrashDisk {
        CrashDisk(Arc::new(Mutex::new(State {
            first: files.clone(),
            files,
            ..State::default()
        })))
    }

    /// How much was done so far.
    pub fn acts(&self) -> usize {
        self.0.lock().acts.len()
    }

    /// Whether the act at this place is a sync.
    pub fn is_sync(&self, at: usize) -> bool {
        matches!(self.0.lock().acts.get(at), Some(Act::Sync { .. }))
    }

    /// Everything from this act on fails.
    pub fn fail_from(&self, act: usize) {
        self.0.lock().fail_from = Some(act);
    }

    /// The files as they are now, without a crash.
    pub fn files(&self) -> Files {
        self.0.lock().files.clone()
    }

    /// The disk after a crash before the act `at`: of what was written since the last sync of its file,
    /// each sector is there or not.
    pub fn after_crash(&self, at: usize, random: &mut Random) -> Files {
        let state = self.0.lock();
        let acts = &state.acts[..at];
        let mut files = state.first.clone();
        for (place, act) in acts.iter().enumerate() {
            match act {
                Act::Create { name, bytes } => {
                    drop(files.insert(name.clone(), vec![0; *bytes as usize]))
                }
                Act::Replace { name, content } => drop(files.insert(name.clone(), content.clone())),
                Act::Remove { name } => drop(files.remove(name)),
                Act::Sync { .. } => {}
                Act::Write {
                    name,
                    bytes,
                    offset,
                } => {
                    let synced = acts[place..]
                        .iter()
                        .any(|act| matches!(act, Act::Sync { name: of } if of == name));
                    let Some(file) = files.get_mut(name) else {
                        continue;
                    };
                    let (mut from, end) = (*offset as usize, *offset as usize + bytes.len());
                    // Most crashes leave a beginning, or all, or nothing; some leave any sectors.
                    let how = random.below(4);
                    let cut = random.below(bytes.len() as u64 + 1) as usize;
                    while from < end {
                        let to = ((from / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
                        let piece = from - *offset as usize..to - *offset as usize;
                        let there = match how {
                            0 => piece.end <= cut,
                            1 => piece.start >= cut,
                            _ => random.one_in(2),
                        };
                        if synced || there {
                            file[from..to].copy_from_slice(&bytes[piece]);
                        }
                        from = to;
                    }
                }
            }
        }
        files
    }
}

impl State {
    fn opened(&self, name: &str) -> Option<&Vec<u8>> {
        self.files.get(name).or_else(|| self.removed.get(name))
    }

    fn act(&mut self, act: Act) -> io::Result<()> {
        if self.fail_from.is_some_and(|from| self.acts.len() >= from) {
            return Err(io::Error::other("the disk was told to fail"));
        }
        match &act {
            Act::Create { name, bytes } => {
                drop(self.files.insert(name.clone(), vec![0; *bytes as usize]))
            }
            Act::Replace { name, content } => {
                drop(self.files.insert(name.clone(), content.clone()))
            }
            Act::Remove { name } => {
                let content = self.files.remove(name).ok_or(io::ErrorKind::NotFound)?;
                self.removed.insert(name.clone(), content);
            }
            Act::Sync { .. } => {}
            Act::Write {
                name,
                bytes,
                offset,
            } => {
                // A file that was removed can still be written by who has it open.
                if let Some(file) = self.files.get_mut(name) {
                    let from = *offset as usize;
                    let piece = file
                        .get_mut(from..from + bytes.len())
                        .ok_or(io::ErrorKind::WriteZero)?;
                    piece.copy_from_slice(bytes);
                }
            }
        }
        self.acts.push(act);
        Ok(())
    }
}

struct CrashFile {
    disk: CrashDisk,
    name: String,
}

impl Disk for CrashDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().files.keys().cloned().collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn File>> {
        self.0.lock().act(Act::Create {
            name: name.into(),
            bytes,
        })?;
        self.open(name)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.0
            .lock()
            .files
            .get(name)
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(CrashFile {
            disk: self.clone(),
            name: name.into(),
        }))
    }

    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.0.lock().act(Act::Replace {
            name: name.into(),
            content: content.to_vec(),
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.lock().act(Act::Remove { name: name.into() })
    }

    fn place(&self) -> String {
        "the crash disk".into()
    }
}

impl File for CrashFile {
    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.0.lock();
        let file = state.opened(&self.name).ok_or(io::ErrorKind::NotFound)?;
        let from = offset as usize;
        buffer.copy_from_slice(
            file.get(from..from + buffer.len())
                .ok_or(io::ErrorKind::UnexpectedEof)?,
        );
        Ok(())
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (name, bytes) = (self.name.clone(), bytes.to_vec());
        self.disk.0.lock().act(Act::Write {
            name,
            bytes,
            offset,
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.0.lock().act(Act::Sync {
            name: self.name.clone(),
        })
    }

    fn bytes(&self) -> u64 {
        self.disk
            .0
            .lock()
            .opened(&self.name)
            .map_or(0, |file| file.len() as u64)
    }
}
