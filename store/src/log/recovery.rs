//! Opening a store: reads the format, the index files of full segments, and the tail.
//!
//! What is a torn tail and what is damage: see [`crate::log::frame`].

use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use crate::log::disk::{Disk, File};
use crate::log::frame::{HEADER_BYTES, Header, PAYLOAD_BYTES_MAX, Position, checksum};
use crate::log::index::{Index, Placed};
use crate::log::seal::{Contents, Sealed};
use crate::log::segments::{
    SEGMENT_HEADER, Segment, Segments, Sizes, index_name, number_in, segment_name,
};
use crate::record;

/// The version of the format that this program writes, and the newest that it reads.
const FORMAT_VERSION: u32 = 1;

const FORMAT_FILE: &str = "FORMAT";

/// What was found, ready to go on.
pub(crate) struct Recovered {
    pub index: Index,
    pub segments: Segments,
    pub active: Arc<Segment>,
    pub seal: Contents,
    pub next_sequence: u64,
    /// A segment that was made ahead.
    pub ready: Option<Arc<dyn File>>,
    /// Full segments whose index files are missing or damaged.
    pub unsealed: Vec<(Contents, u64)>,
    pub notes: Vec<String>,
}

/// A segment as it was read.
enum Read {
    Sealed(Sealed),
    Bytes(Vec<u8>),
}

/// Reads what is on the disk.
pub(crate) fn recover(disk: Arc<dyn Disk>, sizes: &Sizes) -> Result<Recovered, String> {
    let place = disk.place();
    let unreadable = |error: io::Error| format!("the store in {place} can't be read: {error}");
    let names = disk.list().map_err(unreadable)?;
    let mut numbers: Vec<u32> = names
        .iter()
        .filter_map(|name| number_in(name, ".log"))
        .collect();
    numbers.sort_unstable();
    let salt = format(&*disk, &names, numbers.is_empty())?;
    for pair in numbers.windows(2) {
        if pair[0] + 1 != pair[1] {
            return Err(format!(
                "the store in {place} is damaged: {} is missing. Put the file back, or restore a backup of the directory.",
                segment_name(pair[0] + 1)
            ));
        }
    }
    if numbers.is_empty() {
        let new = |error: io::Error| format!("a store can't be made in {place}: {error}");
        disk.create(&segment_name(1), sizes.first).map_err(new)?;
        numbers.push(1);
    }
    // Index files of segments that were cleaned away are left over if a crash came between.
    for name in &names {
        if number_in(name, ".index").is_some_and(|number| number < numbers[0]) {
            disk.remove(name).map_err(unreadable)?;
        }
    }
    let has_index_file = |number: u32| names.contains(&index_name(number));

    let mut files = Vec::new();
    for number in &numbers {
        files.push(disk.open(&segment_name(*number)).map_err(unreadable)?);
    }
    let mut reading = Reading {
        index: Index::new(),
        place: &place,
        salt,
        next_sequence: None,
        ends: Vec::new(),
        contents: Vec::new(),
        stop: None,
    };
    // One thread reads and checks, the other fills the index.
    std::thread::scope(|scope| {
        let (read, to_apply) = sync_channel::<io::Result<Read>>(4);
        let (disk, numbers, files) = (&disk, &numbers, &files);
        scope.spawn(move || {
            for (number, file) in numbers.iter().zip(files) {
                let segment = if has_index_file(*number) {
                    read_sealed(&**disk, salt, *number)
                } else {
                    None
                };
                let segment = match segment {
                    Some(sealed) if sealed.end <= file.bytes() => Ok(Read::Sealed(sealed)),
                    _ => read_all(&**file).map(Read::Bytes),
                };
                if read.send(segment).is_err() {
                    return;
                }
            }
        });
        for number in numbers {
            let segment = to_apply
                .recv()
                .map_err(|_| "the thread that reads segments has ended".to_string())?;
            reading.take(
                *number,
                segment.map_err(unreadable)?,
                has_index_file(*number),
            )?;
        }
        Ok::<(), String>(())
    })?;
    reading
        .index
        .finish(numbers[0])
        .map_err(|what| format!("the store in {place} is damaged: {what}"))?;

    let mut notes = Vec::new();
    if let Some(stop) = &reading.stop {
        notes.push(cut(stop, &numbers, &files, &place)?);
    }

    // Records go on behind the last one, unless that segment counts as full.
    let last_used = reading.ends.iter().rposition(|end| *end > 0).unwrap_or(0);
    let active_place = if has_index_file(numbers[last_used]) {
        last_used + 1
    } else {
        last_used
    };
    let segments = Segments::new(Arc::clone(&disk), salt);
    let mut unsealed = Vec::new();
    let mut seal = None;
    let next_sequence = reading.next_sequence.unwrap_or(1);
    for (at, contents) in reading
        .contents
        .into_iter()
        .enumerate()
        .take(active_place + 1)
    {
        let end = reading.ends[at];
        if at == active_place {
            seal = contents;
        } else {
            unsealed.extend(contents.map(|contents| (contents, end)));
        }
        segments.add(Arc::new(Segment::new(
            numbers[at],
            Arc::clone(&files[at]),
            end,
        )));
    }
    let active_number = numbers[0] + active_place as u32;
    let active = match segments.get(active_number) {
        Some(active) => active,
        None => {
            let size = sizes.next(files[last_used].bytes());
            let file = disk
                .create(&segment_name(active_number), size)
                .map_err(unreadable)?;
            let active = Arc::new(Segment::new(active_number, file, 0));
            segments.add(Arc::clone(&active));
            active
        }
    };
    let ready = files.get(active_place + 1).cloned();
    for number in numbers.iter().skip(active_place + 2) {
        disk.remove(&segment_name(*number)).map_err(unreadable)?;
    }
    Ok(Recovered {
        index: reading.index,
        segments,
        active,
        seal: seal.unwrap_or_else(|| Contents::new(active_number, next_sequence)),
        next_sequence,
        ready,
        unsealed,
        notes,
    })
}

/// Reads or makes the format file; returns the salt.
fn format(disk: &dyn Disk, names: &[String], empty: bool) -> Result<u32, String> {
    let place = disk.place();
    if !names.iter().any(|name| name == FORMAT_FILE) {
        if !empty {
            return Err(format!(
                "the store in {place} is damaged: the file {FORMAT_FILE} is missing. Restore it from a backup of the directory."
            ));
        }
        // A random number without a further dependency: what keys the hash maps of this process.
        let random =
            std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), FORMAT_FILE) as u32;
        let text = format_text(random);
        disk.replace(FORMAT_FILE, text.as_bytes())
            .map_err(|error| format!("a store can't be made in {place}: {error}"))?;
        return Ok(random);
    }
    let unreadable = |error: io::Error| format!("the store in {place} can't be read: {error}");
    let file = disk.open(FORMAT_FILE).map_err(unreadable)?;
    let text = String::from_utf8_lossy(&read_all(&*file).map_err(unreadable)?).into_owned();
    let mut lines = text.lines();
    let damaged = || {
        format!("the store in {place} is damaged: the file {FORMAT_FILE} is not as it was written.")
    };
    if lines.next() != Some("rejoin store") {
        return Err(damaged());
    }
    let version: u32 = lines
        .next()
        .and_then(|line| line.strip_prefix("format ")?.parse().ok())
        .ok_or_else(damaged)?;
    if version > FORMAT_VERSION {
        return Err(format!(
            "the store in {place} has format {version}, but this program knows only up to format {FORMAT_VERSION}. Start a newer program, or choose another directory."
        ));
    }
    let salt = lines
        .next()
        .and_then(|line| u32::from_str_radix(line.strip_prefix("salt ")?, 16).ok())
        .ok_or_else(damaged)?;
    // With a wrong salt every record would look torn.
    if text != format_text(salt) {
        return Err(damaged());
    }
    Ok(salt)
}

fn format_text(salt: u32) -> String {
    let text = format!("rejoin store\nformat {FORMAT_VERSION}\nsalt {salt:08x}\n");
    let check = checksum(0, text.as_bytes());
    format!("{text}check {check:08x}\n")
}

fn read_all(file: &dyn File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; file.bytes() as usize];
    file.read(&mut bytes, 0)?;
    Ok(bytes)
}

/// The index file of a segment, if it is good.
pub(crate) fn read_sealed(disk: &dyn Disk, salt: u32, number: u32) -> Option<Sealed> {
    let file = disk.open(&index_name(number)).ok()?;
    Sealed::read(salt, number, read_all(&*file).ok()?)
}

/// A place where reading had to stop before the end of what was written.
struct Stop {
    segment: u32,
    offset: usize,
}

struct Reading<'a> {
    index: Index,
    place: &'a str,
    salt: u32,
    next_sequence: Option<u64>,
    /// Where the records of each segment end.
    ends: Vec<u64>,
    /// What the index file of each segment that was read in full would say.
    contents: Vec<Option<Contents>>,
    stop: Option<Stop>,
}

impl Reading<'_> {
    fn take(&mut self, number: u32, read: Read, sealed: bool) -> Result<(), String> {
        match read {
            Read::Sealed(contents) => self.take_sealed(&contents),
            Read::Bytes(bytes) => self.take_bytes(number, &bytes, sealed),
        }
    }

    fn take_sealed(&mut self, sealed: &Sealed) -> Result<(), String> {
        let expected = self.next_sequence.unwrap_or(sealed.first_sequence);
        if sealed.first_sequence != expected || self.stop.is_some() {
            return Err(match &self.stop {
                Some(stop) => damaged(self.place, stop.segment, stop.offset),
                None => damaged(
                    self.place,
                    sealed.segment - 1,
                    self.ends.last().map_or(0, |end| *end as usize),
                ),
            });
        }
        self.index.reserve(sealed.starts as usize);
        let index = &mut self.index;
        sealed
            .each(|placed, facts| index.apply(placed, &record::read_facts(facts)?))
            .map_err(|what| {
                format!(
                    "the store in {} is damaged: {}: {what}",
                    self.place,
                    index_name(sealed.segment)
                )
            })?;
        self.next_sequence = Some(expected + u64::from(sealed.records));
        self.ends.push(sealed.end);
        self.contents.push(None);
        Ok(())
    }

    fn take_bytes(&mut self, number: u32, bytes: &[u8], sealed: bool) -> Result<(), String> {
        if let Some(stop) = &self.stop {
            // A batch lies in one segment, so what was written to a later one came after a sync.
            if bytes.iter().any(|byte| *byte != 0) {
                return Err(damaged(self.place, stop.segment, stop.offset));
            }
            self.ends.push(0);
            self.contents.push(None);
            return Ok(());
        }
        let first = self
            .next_sequence
            .or_else(|| first_sequence(self.salt, bytes));
        let mut contents = Contents::new(number, first.unwrap_or(1));
        let index = &mut self.index;
        let (end, next) = scan(self.salt, number, bytes, first.unwrap_or(1), |placed, facts| {
            contents.add(&placed, facts);
            index.apply(placed, &record::read_facts(facts)?)
        })
        .map_err(|(offset, what)| {
            format!(
                "the store in {} is damaged: the record at byte {offset} of {} can't be used: {what}. Restore a backup of the directory.",
                self.place,
                segment_name(number)
            )
        })?;
        if bytes[end..].iter().any(|byte| *byte != 0) {
            // A segment with an index file was full, and so written to its end and synced.
            if sealed || durable_behind(self.salt, bytes, end, next) {
                return Err(damaged(self.place, number, end));
            }
            self.stop = Some(Stop {
                segment: number,
                offset: end,
            });
        }
        if end > 0 {
            self.next_sequence = Some(next);
        }
        self.ends.push(end as u64);
        self.contents.push((end > 0).then_some(contents));
        Ok(())
    }
}

fn damaged(place: &str, segment: u32, offset: usize) -> String {
    format!(
        "the store in {place} is damaged at byte {offset} of {}: a record there is unreadable, though later ones are intact, so it had been acknowledged. Nothing was changed. Restore a backup of the directory; check the disk.",
        segment_name(segment)
    )
}

/// The number of the first record of the oldest segment.
pub(crate) fn first_sequence(salt: u32, bytes: &[u8]) -> Option<u64> {
    let start = SEGMENT_HEADER.len();
    let header = bytes
        .get(start..start + HEADER_BYTES)?
        .try_into()
        .expect("as many bytes as a header has");
    Header::read(salt, header).map(|header| header.sequence)
}

/// Hands out the records of a segment as far as they are good and follow one another. Returns where
/// they end, and the number of the record that would come next.
pub(crate) fn scan(
    salt: u32,
    segment: u32,
    bytes: &[u8],
    first_sequence: u64,
    mut take: impl FnMut(Placed, &[u8]) -> Result<(), String>,
) -> Result<(usize, u64), (usize, String)> {
    let mut next = first_sequence;
    if !bytes.starts_with(&SEGMENT_HEADER) {
        return Ok((0, next));
    }
    let mut offset = SEGMENT_HEADER.len();
    while let Some((header, payload)) = record_at(salt, bytes, offset) {
        if header.sequence != next {
            break;
        }
        let placed = Placed {
            position: Position::new(segment, offset as u64),
            sequence: header.sequence,
            kind: header.kind,
            previous: header.previous,
            bytes: header.record_bytes(),
        };
        record::facts_bytes(payload)
            .and_then(|facts| take(placed, facts))
            .map_err(|what| (offset, what))?;
        next += 1;
        offset += header.record_bytes() as usize;
    }
    // A segment whose first record is torn is as good as unused.
    Ok((if next == first_sequence { 0 } else { offset }, next))
}

/// The record at `offset`, if there is a good one.
fn record_at(salt: u32, bytes: &[u8], offset: usize) -> Option<(Header, &[u8])> {
    let head = bytes.get(offset..offset + HEADER_BYTES)?;
    let header = Header::read(
        salt,
        head.try_into().expect("as many bytes as a header has"),
    )?;
    let length = header.payload_bytes as usize;
    if length > PAYLOAD_BYTES_MAX {
        return None;
    }
    let start = offset + HEADER_BYTES;
    let payload = bytes.get(start..start + length)?;
    (checksum(salt, payload) == header.payload_checksum).then_some((header, payload))
}

/// Whether anything behind `from` proves that the record `missing` had been durable.
fn durable_behind(salt: u32, bytes: &[u8], from: usize, missing: u64) -> bool {
    (from.next_multiple_of(8)..bytes.len())
        .step_by(8)
        .any(|offset| {
            // Most of it is zeros, or the middle of a record whose header was read.
            bytes
                .get(offset..offset + 8)
                .is_some_and(|word| word != [0; 8])
                && record_at(salt, bytes, offset).is_some_and(|(header, _)| header.batch > missing)
        })
}

/// Overwrites a torn tail with zeros, so that it is not met again.
fn cut(
    stop: &Stop,
    numbers: &[u32],
    files: &[Arc<dyn File>],
    place: &str,
) -> Result<String, String> {
    let failed = |error: io::Error| {
        format!("the torn end of the store in {place} can't be cut off: {error}")
    };
    let mut bytes_cut = 0;
    // From the back, so that if this is interrupted the tail is still a tail.
    for (number, file) in numbers.iter().zip(files).rev() {
        if *number < stop.segment {
            break;
        }
        let from = if *number == stop.segment {
            stop.offset
        } else {
            0
        };
        let bytes = read_all(&**file).map_err(failed)?;
        let Some(last) = bytes[from..].iter().rposition(|byte| *byte != 0) else {
            continue;
        };
        file.write(&vec![0; last + 1], from as u64)
            .map_err(failed)?;
        file.sync().map_err(failed)?;
        bytes_cut += last + 1;
    }
    Ok(format!(
        "The last write before the store was closed is incomplete: {bytes_cut} bytes were cut off at byte {} of {} in {place}. They had not been acknowledged to anybody.",
        stop.offset,
        segment_name(stop.segment)
    ))
}
