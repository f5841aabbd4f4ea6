//! Where a secret is.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A secret of the configuration: `env:NAME`, `file:PATH`, or the secret itself. It is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "String", into = "String")]
pub enum SecretSource {
    /// `env:NAME`: an environment variable of the server.
    Variable(String),
    /// `file:PATH`: a file's content, without white space at its end.
    File(PathBuf),
    /// The secret itself.
    Literal(String),
}

impl SecretSource {
    /// Makes a relative path relative to `folder`.
    pub fn relative_to(&mut self, folder: &Path) {
        if let SecretSource::File(path) = self {
            *path = folder.join(&*path);
        }
    }

    /// What is shown instead of a literal.
    pub fn hidden() -> SecretSource {
        SecretSource::Literal("(not shown)".to_owned())
    }

    /// For people: where it is, but not what it is.
    pub fn without_literal(&self) -> SecretSource {
        match self {
            SecretSource::Literal(_) => SecretSource::hidden(),
            elsewhere => elsewhere.clone(),
        }
    }

    /// The secret.
    ///
    /// # Errors
    /// Completes the sentence "the secret ...", without showing it.
    pub fn read(&self) -> Result<String, String> {
        let secret = match self {
            SecretSource::Variable(name) => std::env::var(name).map_err(|_| {
                format!("is the environment variable {name}, which is not set, or is no text")
            })?,
            SecretSource::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|why| {
                    format!(
                        "is in the file {}, which can't be read: {why}",
                        path.display()
                    )
                })?;
                text.trim_end().to_owned()
            }
            SecretSource::Literal(text) => text.clone(),
        };
        match secret.is_empty() {
            true => Err(format!("is empty: {self:?}")),
            false => Ok(secret),
        }
    }
}

/// Where it is; a literal is not shown.
impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from(self.without_literal()))
    }
}

impl From<String> for SecretSource {
    fn from(text: String) -> SecretSource {
        if let Some(name) = text.strip_prefix("env:") {
            SecretSource::Variable(name.to_owned())
        } else if let Some(path) = text.strip_prefix("file:") {
            SecretSource::File(path.into())
        } else {
            SecretSource::Literal(text)
        }
    }
}

impl From<SecretSource> for String {
    fn from(source: SecretSource) -> String {
        match source {
            SecretSource::Variable(name) => format!("env:{name}"),
            SecretSource::File(path) => format!("file:{}", path.display()),
            SecretSource::Literal(text) => text,
        }
    }
}
