//! The log's files: which segments there are, what lies in them, and the next one, made ahead.
//!
//! ```text
//! FORMAT                  the version of the format and the store's salt; made first, never changed
//! LOCK                    locked while the store is open
//! segment-0000000001.log  records; zeros from the last record to the end of the file
//! segment-0000000001.index  what a restart has to know of a segment that is full
//! ```
//!
//! A segment is written out as zeros before it is used, so that the sync of a batch never has to
//! write metadata: about twice as many syncs a second. That is done one segment ahead, on a thread of
//! its own. The first segment is small and each next one four times as large up to a limit, so that
//! a small store is small on disk and quick to make.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::log::disk::{Disk, File};
use crate::log::frame::{HEADER_BYTES, Header, Position, checksum};

/// Every segment begins with its magic word, so that `file` and people can tell what it is; the
/// first record comes after it.
pub(crate) const SEGMENT_HEADER: [u8; 16] = *b"rejoin segment\n\0";

/// How large segments are.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// The first segment's bytes.
    pub first: u64,
    /// No segment is larger, except for a single batch that is.
    pub largest: u64,
    /// How much garbage is always tolerated before the oldest segment is cleaned.
    pub slack: u64,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes {
            first: 256 << 10,
            largest: 64 << 20,
            slack: 32 << 20,
        }
    }
}

impl Sizes {
    /// The size of the segment after one of `bytes`.
    pub(crate) fn next(&self, bytes: u64) -> u64 {
        (bytes * 4).min(self.largest).max(self.first)
    }
}

/// A file of records.
pub(crate) struct Segment {
    pub number: u32,
    pub file: Arc<dyn File>,
    /// Where the next record goes. 0 if nothing was written yet.
    pub end: AtomicU64,
}

impl Segment {
    pub(crate) fn new(number: u32, file: Arc<dyn File>, end: u64) -> Segment {
        Segment {
            number,
            file,
            end: AtomicU64::new(end),
        }
    }
}

pub(crate) fn segment_name(number: u32) -> String {
    format!("segment-{number:010}.log")
}

pub(crate) fn index_name(number: u32) -> String {
    format!("segment-{number:010}.index")
}

/// The number in a file name with this ending.
pub(crate) fn number_in(name: &str, ending: &str) -> Option<u32> {
    name.strip_prefix("segment-")?
        .strip_suffix(ending)?
        .parse()
        .ok()
}

/// All segments that hold records.
pub(crate) struct Segments {
    pub disk: Arc<dyn Disk>,
    pub salt: u32,
    map: RwLock<BTreeMap<u32, Arc<Segment>>>,
}

/// Why a record could not be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// Its segment was cleaned away since its position was looked up: look again.
    Gone,
    /// It is not as it was written, or the disk does not give it.
    Bad(String),
}

/// Enough for most records, so that one read does.
const FIRST_READ_BYTES: u64 = 4096;

impl Segments {
    pub(crate) fn new(disk: Arc<dyn Disk>, salt: u32) -> Segments {
        Segments {
            disk,
            salt,
            map: RwLock::default(),
        }
    }

    pub(crate) fn add(&self, segment: Arc<Segment>) {
        self.map.write().insert(segment.number, segment);
    }

    pub(crate) fn get(&self, number: u32) -> Option<Arc<Segment>> {
        self.map.read().get(&number).cloned()
    }

    pub(crate) fn oldest(&self) -> Option<Arc<Segment>> {
        self.map.read().values().next().cloned()
    }

    pub(crate) fn newest(&self) -> Option<Arc<Segment>> {
        self.map.read().values().next_back().cloned()
    }

    /// How many bytes of records there are.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.map
            .read()
            .values()
            .map(|segment| segment.end.load(Ordering::Relaxed))
            .sum()
    }

    /// Takes a segment away, first for readers and then from the disk.
    pub(crate) fn remove(&self, number: u32) -> io::Result<()> {
        self.map.write().remove(&number);
        // The index file may be missing, if it could not be written; the segment then counts alone.
        match self.disk.remove(&index_name(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.disk.remove(&segment_name(number))
    }

    /// The header and payload of the record at `position`.
    pub(crate) fn read(&self, position: Position) -> Result<(Header, Vec<u8>), ReadError> {
        let (segment, header, mut bytes) = self.begin(position, FIRST_READ_BYTES)?;
        let read = bytes.len();
        let whole = HEADER_BYTES + header.payload_bytes as usize;
        bytes.resize(whole, 0);
        if whole > read {
            segment
                .file
                .read(&mut bytes[read..], position.offset() + read as u64)
                .map_err(|error| self.bad(position, &format!("can't be read: {error}")))?;
        }
        bytes.drain(..HEADER_BYTES);
        let payload = bytes;
        if checksum(self.salt, &payload) != header.payload_checksum {
            return Err(self.bad(position, "is damaged: its checksum is wrong"));
        }
        Ok((header, payload))
    }

    /// A record's header alone.
    pub(crate) fn header(&self, position: Position) -> Result<Header, ReadError> {
        let (_, header, _) = self.begin(position, HEADER_BYTES as u64)?;
        Ok(header)
    }

    /// A record's header, and the first bytes of it: so many, or fewer at the end of the file.
    fn begin(
        &self,
        position: Position,
        first: u64,
    ) -> Result<(Arc<Segment>, Header, Vec<u8>), ReadError> {
        let segment = self.get(position.segment()).ok_or(ReadError::Gone)?;
        let rest = segment.file.bytes().saturating_sub(position.offset());
        let mut bytes = vec![0; first.min(rest) as usize];
        if bytes.len() < HEADER_BYTES {
            return Err(self.bad(position, "lies behind the end of the file"));
        }
        segment
            .file
            .read(&mut bytes, position.offset())
            .map_err(|error| self.bad(position, &format!("can't be read: {error}")))?;
        let head = bytes[..HEADER_BYTES]
            .try_into()
            .expect("as many bytes as a header has");
        let header = Header::read(self.salt, head)
            .ok_or_else(|| self.bad(position, "is damaged: its header's checksum is wrong"))?;
        if HEADER_BYTES as u64 + u64::from(header.payload_bytes) > rest {
            return Err(self.bad(position, "is damaged: it is longer than its file"));
        }
        Ok((segment, header, bytes))
    }

    fn bad(&self, position: Position, what: &str) -> ReadError {
        ReadError::Bad(format!(
            "the record at byte {} of {} in {} {what}",
            position.offset(),
            segment_name(position.segment()),
            self.disk.place()
        ))
    }
}
