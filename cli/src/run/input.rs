//! The input of an execution, from wherever it comes.

use std::io::Read;

use source::Source;

/// JSON as given, the file after `@` (JSON or YAML), or standard input for `-`.
///
/// # Errors
/// One sentence: what can't be read, or where it is not JSON.
pub(crate) fn read(given: &str) -> Result<String, String> {
    let (from, text) = if given == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|e| format!("standard input can't be read: {e}"))?;
        ("the input from <stdin>".to_owned(), text)
    } else if let Some(path) = given.strip_prefix('@') {
        let source = Source::read(path)?;
        (format!("the input from {path}"), source.json().to_owned())
    } else {
        ("the input".to_owned(), given.to_owned())
    };
    match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => Ok(text),
        Err(e) => Err(format!(
            "{from} is not JSON: {e}; write for example '{{\"order\": 7}}' or @input.json"
        )),
    }
}
