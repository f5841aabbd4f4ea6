//! Paths with places in them: `/callbacks/{reference}/approved`.

use crate::http::percent_decode;

/// A path, taken apart at its slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Parameter(String),
}

impl Address {
    /// Reads a path; `name` is for the example in a message.
    ///
    /// # Errors
    /// Completes the sentence "`path` ...".
    pub fn parse(text: &str, name: &str) -> Result<Address, String> {
        if !text.starts_with('/') || text.contains(['?', '#', ' ']) || text == "/" {
            return Err(format!(
                "is {text:?}; it must begin with '/', be more than that, and have no query, for example \"/callbacks/{name}\""
            ));
        }
        let ours = |prefix: &str| text == prefix || text.starts_with(&format!("{prefix}/"));
        if ours("/rejoin") || ours("/health") || text == "/metrics" {
            return Err(format!(
                "{text:?} belongs to the server itself; take another, for example \"/callbacks/{name}\""
            ));
        }
        let mut parts: Vec<Part> = Vec::new();
        for part in text[1..].split('/') {
            let inside = part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'));
            let part = match inside {
                Some(name) if !name.is_empty() && !name.contains(['{', '}']) => {
                    Part::Parameter(name.to_owned())
                }
                None if !part.contains(['{', '}']) => Part::Text(part.to_owned()),
                _ => {
                    return Err(format!(
                        "is {text:?}; a {{name}} stands for all between two slashes, for example \"/callbacks/{{reference}}\""
                    ));
                }
            };
            if matches!(part, Part::Parameter(_)) && parts.contains(&part) {
                return Err(format!("is {text:?}, which has the same {{name}} twice"));
            }
            parts.push(part);
        }
        if matches!(parts[0], Part::Parameter(_)) {
            return Err(format!(
                "is {text:?}, which could be any path of the server; begin it with a name, for example \"/callbacks{text}\""
            ));
        }
        Ok(Address {
            text: text.to_owned(),
            parts,
        })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The last part of it that is spelled out: what it is about, for people.
    pub fn last_name(&self) -> String {
        let mut names = self.parts.iter().rev().filter_map(|part| match part {
            Part::Text(text) => Some(percent_decode(text)),
            Part::Parameter(_) => None,
        });
        names.next().unwrap_or_default()
    }

    /// Whether it has the parameter of this name.
    pub fn has(&self, name: &str) -> bool {
        self.parts.contains(&Part::Parameter(name.to_owned()))
    }

    /// Whether it stands for one path alone.
    pub fn is_fixed(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// What its parameters are in `path`, if that is one of its paths. A parameter is never empty.
    pub fn fits(&self, path: &str) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        let mut sent = path.strip_prefix('/')?.split('/');
        for part in &self.parts {
            let sent = sent.next()?;
            match part {
                Part::Text(text) if text == sent => {}
                Part::Parameter(name) if !sent.is_empty() => {
                    found.push((name.clone(), percent_decode(sent)));
                }
                _ => return None,
            }
        }
        sent.next().is_none().then_some(found)
    }

    /// What its parameters are in `path`, if that may be meant for one of its paths: with a slash too many, in other
    /// capitals, or with escapes that need not be.
    pub fn resembles(&self, path: &str) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        let mut sent = path.split('/').filter(|part| !part.is_empty());
        for part in &self.parts {
            match part {
                Part::Text(text) if text.is_empty() => {}
                Part::Text(text) => {
                    let sent = percent_decode(sent.next()?).to_lowercase();
                    if sent != percent_decode(text).to_lowercase() {
                        return None;
                    }
                }
                Part::Parameter(name) => found.push((name.clone(), percent_decode(sent.next()?))),
            }
        }
        sent.next().is_none().then_some(found)
    }

    /// Whether a path could be one of both, with nothing to say whose it is.
    pub fn rivals(&self, other: &Address) -> bool {
        self.parts.len() == other.parts.len()
            && self.is_fixed() == other.is_fixed()
            && self.parts.iter().zip(&other.parts).all(|pair| match pair {
                (Part::Text(one), Part::Text(other)) => one == other,
                _ => true,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_stands_for_one_part() {
        let address = Address::parse("/c/{ref}/{how}", "c").expect("a path");
        let found = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
            Some(pairs.collect::<Vec<_>>())
        };
        for (path, expected) in [
            ("/c/7/done", found(&[("ref", "7"), ("how", "done")])),
            ("/c/a%2Fb/done", found(&[("ref", "a/b"), ("how", "done")])),
            ("/c//done", None),
            ("/c/7", None),
            ("/c/7/done/", None),
            ("/d/7/done", None),
            ("c/7/done", None),
        ] {
            assert_eq!(address.fits(path), expected, "{path}");
        }
        let meant = found(&[("ref", "7"), ("how", "Done")]);
        for (path, expected) in [
            ("/c/7/Done/", meant.clone()),
            ("//c/7//Done", meant.clone()),
            ("/C/7/Done", meant.clone()),
            ("/%63/%37/Done", meant),
            ("/c/7", None),
            ("/c/7/done/more", None),
            ("/d/7/done", None),
            ("/", None),
        ] {
            assert_eq!(address.resembles(path), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_says_why() {
        for (text, why) in [
            ("c", "it must begin with '/'"),
            ("/", "be more than that"),
            ("/c?x=1", "have no query"),
            ("/rejoin", "belongs to the server itself"),
            ("/metrics", "belongs to the server itself"),
            ("/health/x", "belongs to the server itself"),
            ("/{any}", "could be any path of the server"),
            ("/c/{", "stands for all between two slashes"),
            ("/c/x{y}", "stands for all between two slashes"),
            ("/c/{}", "stands for all between two slashes"),
            ("/c/{a}/{a}", "the same {name} twice"),
        ] {
            let said = Address::parse(text, "c").expect_err(text);
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn two_that_could_mean_the_same_path_are_rivals() {
        let parse = |text: &str| Address::parse(text, "c").expect("a path");
        for (one, other, rivals) in [
            ("/c/{a}", "/c/{b}", true),
            ("/c/{a}/x", "/c/y/{b}", true),
            ("/c/{a}/x", "/c/{b}/y", false),
            ("/c/{a}", "/c/{a}/x", false),
            ("/c/x", "/c/x", true),
            // The one that is spelled out is meant.
            ("/c/x", "/c/{a}", false),
        ] {
            assert_eq!(parse(one).rivals(&parse(other)), rivals, "{one} {other}");
        }
    }
}
