//! CSV text, byte by byte: each row is an object of its columns' names and texts.
//!
//! The rules are AWS's. Text in double quotes may have delimiters and newlines in it, and a quote that
//! is doubled. A backslash escapes a backslash, a quote or the delimiter; before anything else it is
//! dropped. A row that is too short has empty texts at its end, one that is too long loses its end, and
//! an empty line is no row. Every value is a text.

use std::collections::HashSet;
use std::sync::Arc;

use asl::{CsvDelimiter, CsvHeaders};
use serde_json::{Map, Value};

use super::rows::{Fault, Ready};

/// The longest that the headers may be together (AWS).
const HEADERS_BYTES_MAX: usize = 10 * 1024;

/// Rows of CSV text that comes in pieces.
pub(super) struct Csv {
    delimiter: u8,
    headers: Option<Vec<String>>,
    /// The fields of the row that is being read.
    row: Vec<String>,
    field: Vec<u8>,
    /// How long the row is so far.
    row_bytes: usize,
    at: At,
    /// The last byte ended a row as a carriage return: a newline after it ends no second one.
    after_return: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// The beginning of a field.
    Start,
    /// Inside of a field without quotes, or behind the closing quote.
    Plain,
    Quoted,
    /// Behind a quote in quotes: it closes them, or another one follows.
    Quote,
    /// Behind a backslash; whether in quotes.
    Escape(bool),
}

impl Csv {
    /// Rows whose columns have these names.
    pub(super) fn new(headers: &CsvHeaders, delimiter: CsvDelimiter) -> Result<Csv, Fault> {
        let headers = match headers {
            CsvHeaders::FirstRow => None,
            CsvHeaders::Given(names) => Some(names.iter().map(|n| n.to_string()).collect()),
        };
        Ok(Csv {
            delimiter: match delimiter {
                CsvDelimiter::Comma => b',',
                CsvDelimiter::Pipe => b'|',
                CsvDelimiter::Semicolon => b';',
                CsvDelimiter::Space => b' ',
                CsvDelimiter::Tab => b'\t',
            },
            headers: headers.map(distinct).transpose()?,
            row: Vec::new(),
            field: Vec::new(),
            row_bytes: 0,
            at: At::Start,
            after_return: false,
        })
    }

    /// Rows of text that has no headers, for example of an inventory, which names them elsewhere.
    pub(super) fn with_columns<'n>(names: impl Iterator<Item = &'n str>) -> Result<Csv, Fault> {
        let names = names.map(Arc::from).collect();
        Csv::new(&CsvHeaders::Given(names), CsvDelimiter::Comma)
    }

    /// Takes in a piece of the text.
    pub(super) fn feed(&mut self, piece: &[u8], ready: &mut Ready) -> Result<(), Fault> {
        for byte in piece {
            self.byte(*byte, ready)?;
        }
        Ok(())
    }

    /// The text is at its end: the last row need not have a newline.
    pub(super) fn end(&mut self, ready: &mut Ready) -> Result<(), Fault> {
        match self.at {
            At::Start if self.row.is_empty() => Ok(()),
            _ => self.end_row(ready),
        }
    }

    fn byte(&mut self, byte: u8, ready: &mut Ready) -> Result<(), Fault> {
        if std::mem::take(&mut self.after_return) && byte == b'\n' {
            return Ok(());
        }
        self.row_bytes += 1;
        ready.fits(self.row_bytes)?;
        match (self.at, byte) {
            (At::Escape(quoted), byte) => {
                self.at = if quoted { At::Quoted } else { At::Plain };
                if byte == b'\\' || byte == b'"' || byte == self.delimiter {
                    self.field.push(byte);
                    return Ok(());
                }
                return self.byte(byte, ready);
            }
            (At::Quoted, b'"') => self.at = At::Quote,
            (At::Quoted, b'\\') => self.at = At::Escape(true),
            (At::Quote, b'"') => {
                self.field.push(b'"');
                self.at = At::Quoted;
            }
            (At::Quoted, byte) => self.field.push(byte),
            (At::Start, b'"') => self.at = At::Quoted,
            (_, b'\\') => self.at = At::Escape(false),
            (_, b'\r' | b'\n') => {
                self.after_return = byte == b'\r';
                return self.end_row(ready);
            }
            (_, byte) if byte == self.delimiter => self.end_field(),
            (_, byte) => {
                self.field.push(byte);
                self.at = At::Plain;
            }
        }
        Ok(())
    }

    fn end_field(&mut self) {
        let field = std::mem::take(&mut self.field);
        self.row.push(text(field));
        self.at = At::Start;
    }

    fn end_row(&mut self, ready: &mut Ready) -> Result<(), Fault> {
        let empty_line = self.at == At::Start && self.row.is_empty();
        self.end_field();
        let row = std::mem::take(&mut self.row);
        let row_bytes = std::mem::take(&mut self.row_bytes);
        if empty_line {
            return Ok(());
        }
        match &self.headers {
            Some(headers) => ready.push(object(headers, row)),
            None if row_bytes > HEADERS_BYTES_MAX => {
                return Err(Fault(format!(
                    "CSV headers cannot be longer than {HEADERS_BYTES_MAX} bytes."
                )));
            }
            None => self.headers = Some(distinct(without_mark(row))?),
        }
        Ok(())
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Spreadsheets begin a file with a byte order mark, which is no part of a name.
fn without_mark(mut headers: Vec<String>) -> Vec<String> {
    if let Some(first) = headers.first_mut()
        && let Some(rest) = first.strip_prefix('\u{feff}')
    {
        *first = rest.to_owned();
    }
    headers
}

/// In the words recorded in `test_map_item_reader_csv_headers_decl_duplicate_headers`.
fn distinct(headers: Vec<String>) -> Result<Vec<String>, Fault> {
    let mut seen = HashSet::new();
    match headers.iter().all(|header| seen.insert(header)) {
        true => Ok(headers),
        false => Err(Fault("CSV headers cannot contain duplicates.".to_owned())),
    }
}

fn object(headers: &[String], row: Vec<String>) -> Value {
    let mut fields = row.into_iter();
    let members = headers
        .iter()
        .map(|name| (name.clone(), fields.next().unwrap_or_default().into()));
    Value::Object(Map::from_iter(members))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::items::rows::tests::{all, split};

    fn first_row(text: &str) -> Result<Vec<Value>, Fault> {
        let csv = || Csv::new(&CsvHeaders::FirstRow, CsvDelimiter::Comma).map(Into::into);
        all(csv, text.as_bytes())
    }

    /// The object of `test_map_item_reader_base_csv_headers_first_line`.
    #[test]
    fn rows_are_objects_of_texts() {
        let text = "Col1,Col2,Col3\nValue1,Value2,Value3\nValue4,Value5,Value6\n,,,\n\
                    true,1,'HelloWorld'\nNull,None,\n   \n";
        let rows = [
            ["Value1", "Value2", "Value3"],
            ["Value4", "Value5", "Value6"],
            ["", "", ""],
            ["true", "1", "'HelloWorld'"],
            ["Null", "None", ""],
            ["   ", "", ""],
        ];
        let rows = rows.map(|[a, b, c]| json!({"Col1": a, "Col2": b, "Col3": c}));
        assert_eq!(first_row(text).expect("CSV"), rows);
    }

    #[test]
    fn quotes_backslashes_and_line_ends_are_as_aws_has_them() {
        for (text, expected) in [
            ("a,b\r\n1,2\r\n\r\n3,4", json!([["1", "2"], ["3", "4"]])),
            ("a,b\r1,2\r3,4\r", json!([["1", "2"], ["3", "4"]])),
            (
                "a,b\n\"x, y\nz\",\"say \"\"hi\"\"\"\n",
                json!([["x, y\nz", "say \"hi\""]]),
            ),
            (
                "a,b\nC:\\\\Program Files\\\\MyApp.exe,6534512\n",
                json!([["C:\\Program Files\\MyApp.exe", "6534512"]]),
            ),
            ("a,b\n1\\,5,\\x\n", json!([["1,5", "x"]])),
            ("a,b\n\"\",\"q\\\"r\"\n", json!([["", "q\"r"]])),
            ("a,b\n1 \"x\" 2,3\n", json!([["1 \"x\" 2", "3"]])),
            ("a,b\n\"x\"y,\n", json!([["xy", ""]])),
            ("\u{feff}a,b\n1,2,3,4\n", json!([["1", "2"]])),
            ("a,b\n1", json!([["1", ""]])),
            ("a,b\n\"\"", json!([["", ""]])),
            ("a,b", json!([])),
            ("", json!([])),
        ] {
            let rows = first_row(text).expect("CSV");
            let rows: Vec<Value> = rows.iter().map(|row| json!([row["a"], row["b"]])).collect();
            assert_eq!(Value::from(rows), expected, "{text:?}");
        }
    }

    #[test]
    fn headers_are_given_or_found_and_never_twice() {
        let given = |names: &[&str], delimiter, text: &str| {
            let names = CsvHeaders::Given(names.iter().map(|n| Arc::from(*n)).collect());
            all(
                || Csv::new(&names, delimiter).map(Into::into),
                text.as_bytes(),
            )
        };
        assert_eq!(
            given(&["x", "y"], CsvDelimiter::Pipe, "1|2\n3|4,5\n").expect("CSV"),
            [json!({"x": "1", "y": "2"}), json!({"x": "3", "y": "4,5"})]
        );
        assert_eq!(
            given(&["x", "y"], CsvDelimiter::Tab, "1\t\n").expect("CSV"),
            [json!({"x": "1", "y": ""})]
        );
        let twice = Fault("CSV headers cannot contain duplicates.".to_owned());
        assert_eq!(
            given(&["x", "x"], CsvDelimiter::Comma, "1,2\n"),
            Err(twice.clone())
        );
        assert_eq!(first_row("a,a\n1,2\n"), Err(twice));
        let long = format!("{}\n", "a".repeat(HEADERS_BYTES_MAX + 1));
        assert!(first_row(&long).is_err());
    }

    /// Whatever fields hold, text that is written with quotes is read as it was, in whatever pieces.
    #[test]
    fn what_is_written_in_quotes_is_read_as_it_was() {
        let alphabet = ['a', '"', ',', '\\', '\n', '\r', ' ', 'ü', '|'];
        for seed in 0..500u64 {
            let mut random = split(seed);
            let mut below = move |limit: usize| (random() % limit as u64) as usize;
            let columns = 1 + below(4);
            let rows: Vec<Vec<String>> = (0..below(6))
                .map(|_| {
                    let field = |below: &mut dyn FnMut(usize) -> usize| -> String {
                        (0..below(7))
                            .map(|_| alphabet[below(alphabet.len())])
                            .collect()
                    };
                    (0..columns).map(|_| field(&mut below)).collect()
                })
                .collect();
            let names: Vec<String> = (0..columns).map(|column| format!("c{column}")).collect();
            let quoted = |field: &String| {
                let field = field.replace('\\', "\\\\").replace('"', "\"\"");
                format!("\"{field}\"")
            };
            let mut text = names.join(",");
            for row in &rows {
                text.push('\n');
                text.push_str(&row.iter().map(quoted).collect::<Vec<_>>().join(","));
            }
            let expected: Vec<Value> = rows
                .into_iter()
                .map(|row| {
                    Value::Object(
                        names
                            .iter()
                            .cloned()
                            .zip(row.into_iter().map(Value::from))
                            .collect(),
                    )
                })
                .collect();
            assert_eq!(first_row(&text), Ok(expected), "seed {seed}: {text:?}");
        }
    }
}
