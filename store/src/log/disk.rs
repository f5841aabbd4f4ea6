//! What the log asks of a disk, as a seam: files in a directory, memory, and in tests a disk that
//! fails or forgets.
//!
//! The promises the log builds on, and so what every disk must keep:
//! - [`File::sync`] returns only when all writes before it have reached the disk.
//! - A file that [`Disk::create`] or [`Disk::replace`] has returned survives a crash with all its
//!   bytes, and one that they have not returned is either there in full, or not.
//! - What [`Disk::remove`] has returned for stays away; who has it open can still read it.
//! - Writes since the last sync may be on disk or not, sector by sector, in any order.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

/// A flat set of named files.
pub trait Disk: Send + Sync + 'static {
    /// The files that are there, in the order of their names.
    ///
    /// # Errors
    /// If they can't be listed.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes a file of `bytes` zeros, written out so that later writes change no metadata. Takes
    /// the place of one that has the name.
    ///
    /// # Errors
    /// If it can't be written in full.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn File>>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// If it can't be opened.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Writes a whole file in the place of what has the name.
    ///
    /// # Errors
    /// If it can't be written in full; what was there is then still there.
    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// If it can't be removed, or is not there.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Where this is, for people.
    fn place(&self) -> String;
}

/// An open file of fixed length.
pub trait File: Send + Sync {
    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// If there is less, or it can't be read.
    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// If not all was written.
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes all writes so far durable.
    ///
    /// # Errors
    /// If that is not certain.
    fn sync(&self) -> io::Result<()>;

    /// How long it is.
    fn bytes(&self) -> u64;
}

/// A directory, locked for as long as this value lives.
pub struct Directory {
    path: PathBuf,
    /// Synced after a name changes, since a synced file without a name is lost all the same.
    directory: fs::File,
    _lock: fs::File,
}

/// The file whose lock says that a store is in use. The lock goes with the process, however it ends.
const LOCK_FILE: &str = "LOCK";

/// Beginnings of files; they are removed when a store is opened.
const UNFINISHED_SUFFIX: &str = ".unfinished";

/// Zeros are written and synced in pieces, so that the sync of a commit never waits behind a
/// whole segment of them.
const ZEROS_BYTES: usize = 1 << 20;

impl Directory {
    /// Opens a directory, making it if it is missing.
    ///
    /// # Errors
    /// One sentence for an operator.
    pub fn open(path: &Path) -> Result<Directory, String> {
        let shown = path.display();
        let unusable = |error: io::Error| {
            format!(
                "the data directory {shown} can't be used: {error}. Choose one that this user may write to."
            )
        };
        fs::create_dir_all(path).map_err(unusable)?;
        let directory = fs::File::open(path).map_err(unusable)?;
        let lock = fs::File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LOCK_FILE))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(format!(
                    "the data directory {shown} is in use by another process. Stop that one first, or choose another directory."
                ));
            }
            Err(fs::TryLockError::Error(error)) => return Err(unusable(error)),
        }
        for entry in fs::read_dir(path).map_err(unusable)? {
            let entry = entry.map_err(unusable)?;
            if entry
                .file_name()
                .to_string_lossy()
                .ends_with(UNFINISHED_SUFFIX)
            {
                fs::remove_file(entry.path()).map_err(unusable)?;
            }
        }
        Ok(Directory {
            path: path.to_owned(),
            directory,
            _lock: lock,
        })
    }

    /// Writes a file under a name of its own, and gives it its name when all of it is on the disk. One that does not
    /// come so far leaves nothing: the room that it took may be the last there is.
    fn write(
        &self,
        name: &str,
        fill: impl FnOnce(&fs::File) -> io::Result<()>,
    ) -> io::Result<fs::File> {
        let begun = fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(self.unfinished(name));
        let written = begun.and_then(|file| {
            fill(&file)?;
            file.sync_all()?;
            self.finish(name)?;
            Ok(file)
        });
        if written.is_err() {
            // It is removed at the next start otherwise.
            let _ = fs::remove_file(self.unfinished(name));
        }
        written
    }

    fn finish(&self, name: &str) -> io::Result<()> {
        fs::rename(self.unfinished(name), self.path.join(name))?;
        self.directory.sync_all()
    }

    fn unfinished(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{UNFINISHED_SUFFIX}"))
    }
}

impl Disk for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn File>> {
        let file = self.write(name, |file| {
            let zeros = vec![0; ZEROS_BYTES.min(bytes as usize)];
            let mut offset = 0;
            while offset < bytes {
                let piece = &zeros[..zeros.len().min((bytes - offset) as usize)];
                file.write_all_at(piece, offset)?;
                offset += piece.len() as u64;
                if offset < bytes {
                    file.sync_data()?;
                }
            }
            Ok(())
        })?;
        Ok(Arc::new(DirectoryFile { file, bytes }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let file = fs::File::options()
            .read(true)
            .write(true)
            .open(self.path.join(name))?;
        let bytes = file.metadata()?.len();
        Ok(Arc::new(DirectoryFile { file, bytes }))
    }

    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.write(name, |file| file.write_all_at(content, 0))?;
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))?;
        self.directory.sync_all()
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }
}

struct DirectoryFile {
    file: fs::File,
    bytes: u64,
}

impl File for DirectoryFile {
    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Files in memory, for a store that forgets everything at its end.
#[derive(Default)]
pub struct Memory {
    files: Mutex<BTreeMap<String, Arc<MemoryFile>>>,
}

struct MemoryFile(RwLock<Vec<u8>>);

impl Disk for Memory {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files.lock().keys().cloned().collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn File>> {
        let file = Arc::new(MemoryFile(RwLock::new(vec![0; bytes as usize])));
        self.files.lock().insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let files = self.files.lock();
        let file = files.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::clone(file) as Arc<dyn File>)
    }

    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let file = Arc::new(MemoryFile(RwLock::new(content.to_vec())));
        self.files.lock().insert(name.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files
            .lock()
            .remove(name)
            .map(|_| ())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn place(&self) -> String {
        "memory".into()
    }
}

impl File for MemoryFile {
    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let content = self.0.read();
        let from = offset as usize;
        let piece = content
            .get(from..from + buffer.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(piece);
        Ok(())
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut content = self.0.write();
        let from = offset as usize;
        let piece = content
            .get_mut(from..from + bytes.len())
            .ok_or(io::ErrorKind::WriteZero)?;
        piece.copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.0.read().len() as u64
    }
}
