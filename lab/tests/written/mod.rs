//! A scenario file that a test writes, and the configuration that it may name.

use std::path::{Path, PathBuf};

use lab::Settings;
use lab::scenario::{self, File};
use serde_json::json;

/// Two routes and a topic.
pub fn configured(path: &Path) -> Result<Settings, String> {
    if !path.ends_with("rejoin.toml") {
        return Err(format!(
            "the configuration {} can't be read",
            path.display()
        ));
    }
    let route = |name: &str| {
        serde_json::from_value(json!({
            "name": name, "path": format!("/callbacks/{name}"), "reference": "$.reference",
        }))
        .unwrap()
    };
    Ok(Settings {
        topics: [("Errors".to_owned(), Default::default())].into(),
        routes: vec![route("valuation"), route("payment")],
        ..Settings::default()
    })
}

/// A file beside the others, for as long as it is looked at.
pub struct Written(pub PathBuf);

impl Written {
    /// Of this text, YAML or Markdown.
    pub fn of(text: &str) -> Written {
        let end = if text.contains("```") { "md" } else { "yaml" };
        let name = format!(
            "rejoin-scenario-{}-{:p}.test.{end}",
            std::process::id(),
            text.as_ptr()
        );
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Written(path)
    }

    /// What it says.
    pub fn read(&self) -> File {
        scenario::read(&self.0, &configured, source::report::plain)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
