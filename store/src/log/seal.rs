//! Index files: what a restart has to know of a segment that is full, so that it need not read it.
//!
//! ```text
//! u32 checksum of the rest    u32 segment    u64 first sequence number    u64 where its records end
//! u32 how many records        u32 how many of them start an execution
//! for each record: u32 offset, u32 length, u8 kind, u64 previous, u32 length of facts, facts
//! ```
//!
//! A file that is missing or does not check out is no harm: the segment itself is read.

use crate::log::frame::{Kind, Position, checksum};
use crate::log::index::Placed;
use crate::record::Reader;

const HEADER_BYTES: usize = 32;

/// The index file of a segment that is being written.
pub(crate) struct Contents {
    segment: u32,
    first_sequence: u64,
    records: u32,
    starts: u32,
    bytes: Vec<u8>,
}

impl Contents {
    pub(crate) fn new(segment: u32, first_sequence: u64) -> Contents {
        Contents {
            segment,
            first_sequence,
            records: 0,
            starts: 0,
            bytes: vec![0; HEADER_BYTES],
        }
    }

    pub(crate) fn segment(&self) -> u32 {
        self.segment
    }

    /// Adds the next record.
    pub(crate) fn add(&mut self, placed: &Placed, facts: &[u8]) {
        self.records += 1;
        // Nearly so: commits without an execution have no previous record either. It is a hint.
        if placed.previous == Position::NOWHERE {
            self.starts += 1;
        }
        self.bytes
            .extend_from_slice(&(placed.position.offset() as u32).to_le_bytes());
        self.bytes
            .extend_from_slice(&(placed.bytes as u32).to_le_bytes());
        self.bytes.push(placed.kind as u8);
        self.bytes
            .extend_from_slice(&placed.previous.0.to_le_bytes());
        self.bytes
            .extend_from_slice(&(facts.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(facts);
    }

    /// The finished file.
    pub(crate) fn finish(mut self, salt: u32, end: u64) -> Vec<u8> {
        self.bytes[4..8].copy_from_slice(&self.segment.to_le_bytes());
        self.bytes[8..16].copy_from_slice(&self.first_sequence.to_le_bytes());
        self.bytes[16..24].copy_from_slice(&end.to_le_bytes());
        self.bytes[24..28].copy_from_slice(&self.records.to_le_bytes());
        self.bytes[28..32].copy_from_slice(&self.starts.to_le_bytes());
        let sum = checksum(salt, &self.bytes[4..]);
        self.bytes[..4].copy_from_slice(&sum.to_le_bytes());
        self.bytes
    }
}

/// An index file that checked out.
pub(crate) struct Sealed {
    pub segment: u32,
    pub first_sequence: u64,
    pub end: u64,
    pub records: u32,
    pub starts: u32,
    bytes: Vec<u8>,
}

impl Sealed {
    /// Takes a file; `None` if it is not as it was written.
    pub(crate) fn read(salt: u32, segment: u32, bytes: Vec<u8>) -> Option<Sealed> {
        let mut header = Reader(&bytes);
        let sum = header.u32().ok()?;
        let named = header.u32().ok()?;
        let first_sequence = header.u64().ok()?;
        let end = header.u64().ok()?;
        let records = header.u32().ok()?;
        let starts = header.u32().ok()?;
        if named != segment || checksum(salt, &bytes[4..]) != sum {
            return None;
        }
        Some(Sealed {
            segment,
            first_sequence,
            end,
            records,
            starts,
            bytes,
        })
    }

    /// Hands out each record's place and facts.
    pub(crate) fn each(
        &self,
        mut take: impl FnMut(Placed, &[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut reader = Reader(&self.bytes[HEADER_BYTES..]);
        for place in 0..self.records {
            let offset = reader.u32()?;
            let bytes = reader.u32()?;
            let kind = match reader.u8()? {
                1 => Kind::Commit,
                2 => Kind::Moved,
                3 => Kind::Part,
                other => {
                    return Err(format!(
                        "it has a record of a kind, {other}, that this program does not know"
                    ));
                }
            };
            let previous = Position(reader.u64()?);
            let length = reader.u32()? as usize;
            let facts = reader.take(length)?;
            let placed = Placed {
                position: Position::new(self.segment, u64::from(offset)),
                sequence: self.first_sequence + u64::from(place),
                kind,
                previous,
                bytes: u64::from(bytes),
            };
            take(placed, facts)?;
        }
        Ok(())
    }
}
