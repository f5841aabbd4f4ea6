//! What a misspelled name was probably meant to be.

/// Longer words are not looked at: no field of the language comes near, and no state's name may.
const LENGTH_MAX: usize = 80;

/// The one of `known` that `word` was probably meant to be.
pub fn nearest<'n>(word: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let word = word.trim();
    let length = word.chars().count();
    if length > LENGTH_MAX {
        return None;
    }
    // One slip in a short word, two in a longer one; more is another word.
    let slips = match length {
        0..=2 => 0,
        3..=6 => 1,
        _ => 2,
    };
    let by_distance = known.filter_map(|name| {
        let distance = match name.eq_ignore_ascii_case(word) {
            true => 0,
            false => distance(word, name, slips)?,
        };
        Some((distance, name))
    });
    by_distance.min_by_key(|(d, _)| *d).map(|(_, name)| name)
}

/// How many letters are to be added, removed, replaced or swapped with their neighbour to make one
/// word the other, if it is not more than `most`.
fn distance(a: &str, b: &str, most: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > most * 4 {
        return None;
    }
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    // Rows of the usual table: the one before the last, the last, and the one that is being made.
    let mut older = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let replaced = last[j] + usize::from(a[i] != b[j]);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(older[j - 1] + 1);
            }
            row.push(least);
        }
        older = std::mem::replace(&mut last, row);
    }
    Some(last[b.len()]).filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_seen_through_and_another_word_is_not() {
        let known = ["Next", "Type", "Comment", "ResultPath", "TimeoutSeconds"];
        for (word, expected) in [
            ("next", Some("Next")),
            ("Nxt", Some("Next")),
            ("Nextt", Some("Next")),
            ("Tpye", Some("Type")),
            ("Result", None),
            ("ResultsPath", Some("ResultPath")),
            ("TimeOutSecond", Some("TimeoutSeconds")),
            ("End", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known.into_iter()), expected, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(1_000_000), known.into_iter()), None);
    }
}
