//! Tags of state machines and activities.

use serde::{Deserialize, Serialize};

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Unique among the tags of a resource.
    pub key: String,
    /// May be empty.
    pub value: String,
}

/// `tags` with `added`: a key that was there gets the new value.
pub fn with(tags: &[Tag], added: Vec<Tag>) -> Vec<Tag> {
    let mut tags = tags.to_vec();
    for tag in added {
        match tags.iter_mut().find(|present| present.key == tag.key) {
            Some(present) => present.value = tag.value,
            None => tags.push(tag),
        }
    }
    tags
}

/// `tags` without those of these keys.
pub fn without(tags: &[Tag], keys: &[String]) -> Vec<Tag> {
    let kept = tags.iter().filter(|tag| !keys.contains(&tag.key));
    kept.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> Tag {
        Tag {
            key: key.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn a_key_is_there_once() {
        let tags = with(&[], vec![tag("a", "1"), tag("a", "2"), tag("b", "")]);
        assert_eq!(tags, [tag("a", "2"), tag("b", "")]);
        assert_eq!(
            without(&tags, &["a".to_owned(), "c".to_owned()]),
            [tag("b", "")]
        );
    }
}
