//! JSON lines: an item a line.

use super::rows::{Fault, Ready};

/// Lines of text that comes in pieces.
#[derive(Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    /// Takes in a piece of the text.
    pub(super) fn feed(&mut self, piece: &[u8], ready: &mut Ready) -> Result<(), Fault> {
        let mut rest = piece;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            self.take(&rest[..at], ready)?;
            self.end(ready)?;
            rest = &rest[at + 1..];
        }
        self.take(rest, ready)
    }

    /// The line is at its end. One that is blank is no item.
    pub(super) fn end(&mut self, ready: &mut Ready) -> Result<(), Fault> {
        self.number += 1;
        if !self.line.trim_ascii().is_empty() {
            let item = serde_json::from_slice(&self.line)
                .map_err(|why| Fault(format!("Line {} is not valid JSON: {why}", self.number)))?;
            ready.push(item);
        }
        self.line.clear();
        Ok(())
    }

    fn take(&mut self, part: &[u8], ready: &Ready) -> Result<(), Fault> {
        ready.fits(self.line.len() + part.len())?;
        self.line.extend_from_slice(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::items::rows::Rows;
    use crate::items::rows::tests::all;

    #[test]
    fn each_line_is_an_item() {
        let read = |text: &str| all(|| Ok(Rows::Lines(Lines::default())), text.as_bytes());
        assert_eq!(
            read("{\"a\": 1}\r\n\n \n[2]\n\"ü\"").expect("JSON lines"),
            [json!({"a": 1}), json!([2]), json!("ü")]
        );
        assert_eq!(read("").expect("nothing"), [] as [serde_json::Value; 0]);
        let Err(Fault(why)) = read("1\n{\n") else {
            panic!("a line that is no JSON")
        };
        assert!(why.starts_with("Line 2 is not valid JSON"), "{why}");
    }
}
