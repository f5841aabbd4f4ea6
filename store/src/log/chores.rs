//! Work for the writer that need not be done on its thread: making the next segment, and writing
//! the index file of one that is full.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use crate::log::disk::{Disk, File};
use crate::log::seal;
use crate::log::segments::{index_name, segment_name};

enum Chore {
    Prepare { number: u32, bytes: u64 },
    Seal { contents: seal::Contents, end: u64 },
}

/// The writer's side.
pub(crate) struct Chores {
    disk: Arc<dyn Disk>,
    chores: Option<Sender<Chore>>,
    prepared: Receiver<io::Result<Arc<dyn File>>>,
    thread: Option<JoinHandle<()>>,
}

impl Chores {
    /// Starts the thread. `ready` is a segment that an earlier run made and did not use.
    pub(crate) fn start(
        disk: Arc<dyn Disk>,
        salt: u32,
        ready: Option<Arc<dyn File>>,
    ) -> io::Result<Chores> {
        let (chores, todo) = channel();
        let (done, prepared) = channel();
        if let Some(file) = ready {
            done.send(Ok(file))
                .expect("the receiver is in this function");
        }
        let worker = Arc::clone(&disk);
        let thread = std::thread::Builder::new()
            .name("store-chores".into())
            .spawn(move || {
                for chore in todo {
                    match chore {
                        Chore::Prepare { number, bytes } => {
                            if done
                                .send(worker.create(&segment_name(number), bytes))
                                .is_err()
                            {
                                return;
                            }
                        }
                        Chore::Seal { contents, end } => {
                            // Without its index file a segment is read in full at the next start: slower, not wrong.
                            let _ = worker.replace(
                                &index_name(contents.segment()),
                                &contents.finish(salt, end),
                            );
                        }
                    }
                }
            })?;
        Ok(Chores {
            disk,
            chores: Some(chores),
            prepared,
            thread: Some(thread),
        })
    }

    fn send(&self, chore: Chore) {
        let chores = self
            .chores
            .as_ref()
            .expect("the sender is there until drop");
        // The thread ends only with this value, or by a panic, which `prepared` reports.
        let _ = chores.send(chore);
    }

    /// Makes a segment ahead; each is to be fetched by [`Chores::prepared`].
    pub(crate) fn prepare(&self, number: u32, bytes: u64) {
        self.send(Chore::Prepare { number, bytes });
    }

    /// Writes the index file of a segment that is full.
    pub(crate) fn seal(&self, contents: seal::Contents, end: u64) {
        self.send(Chore::Seal { contents, end });
    }

    /// The segment made ahead if it is as large as that; waits if it is not ready. If there is none, makes one on
    /// this thread, no larger than it has to be: where there is no room for a large one there may be for a small one.
    pub(crate) fn prepared(&self, number: u32, least: u64) -> Result<Arc<dyn File>, String> {
        let made = self
            .prepared
            .recv()
            .map_err(|_| "the thread that makes segments has ended".to_string())?;
        match made {
            Ok(file) if file.bytes() >= least => Ok(file),
            _ => self
                .disk
                .create(&segment_name(number), least.next_multiple_of(4096))
                .map_err(|error| self.failed(&error)),
        }
    }

    fn failed(&self, error: &io::Error) -> String {
        format!(
            "no further segment could be made in {}: {error}. What was acknowledged before is safe; make room, then start again.",
            self.disk.place()
        )
    }
}

impl Drop for Chores {
    fn drop(&mut self) {
        self.chores = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was reported where its result was missed.
            let _ = thread.join();
        }
    }
}
