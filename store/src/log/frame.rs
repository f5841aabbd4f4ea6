//! How a record lies in a segment: a header with checksums, the payload, and zeros up to the next
//! multiple of eight.
//!
//! ```text
//!  0 u32 checksum of the rest of the header       16 u64 sequence number of the record
//!  4 u32 checksum of the payload                  24 u64 sequence number of the first record of its batch
//!  8 u32 length of the payload                    32 u64 position of the execution's record before, or 0
//! 12 u32 kind
//! ```
//!
//! Checksums begin with the store's *salt*, a random number, so that bytes which a user sent as a
//! payload, or the file of another store, can't pass for a record.
//!
//! # Torn or damaged
//!
//! The writer begins a batch only after the sync of the batch before has returned. A crash can
//! therefore tear the last batch alone, though in any order of its sectors. Records are numbered
//! without gaps, and each says with which number its batch began. So if record *n* is unreadable
//! and anywhere behind it a readable record belongs to a batch that began after *n*, then *n* was
//! durable, and acknowledged, before that batch was written: this is damage, and opening is refused.
//! So it is if a later segment was written to, or the segment counts as full. If there is none of that, *n* belongs to the last batch, and what follows is cut off as torn. (Damage to
//! exactly the last batch looks the same; that can't be told apart without a second sync per batch.)

use crc32fast::Hasher;

/// Length of a record's header.
pub(crate) const HEADER_BYTES: usize = 40;

/// A longer record would be a mistake of the caller, or of the disk.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 1 << 30;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A commit, or the forgetting of executions.
    Commit = 1,
    /// An execution or document rewritten in full: it takes the place of what came before.
    Moved = 2,
    /// An early part of an execution that is being rewritten in several records. Only the
    /// [`Kind::Moved`] record that names it makes it count.
    Part = 3,
}

/// A record's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub payload_checksum: u32,
    pub payload_bytes: u32,
    pub kind: Kind,
    pub sequence: u64,
    pub batch: u64,
    pub previous: Position,
}

impl Header {
    /// The header as bytes.
    pub(crate) fn write(&self, salt: u32) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[4..8].copy_from_slice(&self.payload_checksum.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[12..16].copy_from_slice(&(self.kind as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.batch.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.previous.0.to_le_bytes());
        let sum = checksum(salt, &bytes[4..]);
        bytes[..4].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads a header; `None` if it is none.
    pub(crate) fn read(salt: u32, bytes: &[u8; HEADER_BYTES]) -> Option<Header> {
        if u32_at(bytes, 0) != checksum(salt, &bytes[4..]) {
            return None;
        }
        let kind = match u32_at(bytes, 12) {
            1 => Kind::Commit,
            2 => Kind::Moved,
            3 => Kind::Part,
            _ => return None,
        };
        Some(Header {
            payload_checksum: u32_at(bytes, 4),
            payload_bytes: u32_at(bytes, 8),
            kind,
            sequence: u64_at(bytes, 16),
            batch: u64_at(bytes, 24),
            previous: Position(u64_at(bytes, 32)),
        })
    }

    /// How much room the record takes.
    pub(crate) fn record_bytes(&self) -> u64 {
        record_bytes(self.payload_bytes as usize)
    }
}

/// How much room a record with such a payload takes.
pub(crate) fn record_bytes(payload_bytes: usize) -> u64 {
    ((HEADER_BYTES + payload_bytes) as u64).next_multiple_of(8)
}

/// The checksum of `bytes` in the store with this salt.
pub(crate) fn checksum(salt: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(salt);
    hasher.update(bytes);
    hasher.finalize()
}

pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().expect("four bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().expect("eight bytes"))
}

/// Where a record lies: its segment and the offset in it. 0 is nowhere: segments count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Position(pub u64);

impl Position {
    pub(crate) const NOWHERE: Position = Position(0);

    pub(crate) fn new(segment: u32, offset: u64) -> Position {
        Position(u64::from(segment) << 32 | offset)
    }

    pub(crate) fn segment(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(crate) fn offset(self) -> u64 {
        self.0 & 0xffff_ffff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_no_changed_bit_passes() {
        let header = Header {
            payload_checksum: 7,
            payload_bytes: 1234,
            kind: Kind::Moved,
            sequence: 99,
            batch: 97,
            previous: Position::new(3, 4096),
        };
        let bytes = header.write(42);
        assert_eq!(Header::read(42, &bytes), Some(header));
        assert_eq!(Header::read(43, &bytes), None, "another store's salt");
        for bit in 0..HEADER_BYTES * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::read(42, &changed), None, "bit {bit}");
        }
    }
}
