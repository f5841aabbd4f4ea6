//! Content that may be compressed: gzip is told by its first two bytes, and unpacked piece by piece.

use std::io::Write;

use bytes::{Buf, Bytes};
use flate2::write::MultiGzDecoder;

use crate::services::Content;

/// How much is unpacked at once. Gzip makes at most a thousand bytes of one, so no more than half a
/// megabyte comes of it, whatever somebody has packed.
const PACKED_BYTES: usize = 512;

const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Content, unpacked if need be.
pub(super) struct Unpacked {
    content: Content,
    /// What was read and not looked at yet.
    read: Bytes,
    /// Nothing before the first piece.
    packing: Option<Packing>,
}

enum Packing {
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

impl Unpacked {
    pub(super) fn new(content: Content) -> Unpacked {
        Unpacked {
            content,
            read: Bytes::new(),
            packing: None,
        }
    }

    /// The next piece; nothing at the end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, String> {
        if self.packing.is_none() {
            self.begin().await?;
        }
        loop {
            if self.read.is_empty() {
                match self.content.chunk().await? {
                    Some(read) => self.read = read,
                    None => return self.end(),
                }
            }
            let unpacked = match &mut self.packing {
                Some(Packing::Gzip(decoder)) => {
                    let packed = self.read.split_to(self.read.len().min(PACKED_BYTES));
                    decoder.write_all(&packed).map_err(cannot)?;
                    Bytes::from(std::mem::take(decoder.get_mut()))
                }
                _ => std::mem::take(&mut self.read),
            };
            if !unpacked.is_empty() {
                return Ok(Some(unpacked));
            }
        }
    }

    /// Reads enough to see how the content is packed.
    async fn begin(&mut self) -> Result<(), String> {
        while self.read.len() < MAGIC.len() {
            let Some(more) = self.content.chunk().await? else {
                break;
            };
            let length = self.read.len() + more.len();
            self.read = std::mem::take(&mut self.read)
                .chain(more)
                .copy_to_bytes(length);
        }
        self.packing = Some(match self.read.starts_with(&MAGIC) {
            true => Packing::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            false => Packing::Plain,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<Option<Bytes>, String> {
        let Some(Packing::Gzip(decoder)) = &mut self.packing else {
            return Ok(None);
        };
        decoder.try_finish().map_err(cannot)?;
        let rest = Bytes::from(std::mem::take(decoder.get_mut()));
        self.packing = Some(Packing::Plain);
        Ok((!rest.is_empty()).then_some(rest))
    }
}

fn cannot(why: std::io::Error) -> String {
    format!("it can't be unpacked: {why}")
}
