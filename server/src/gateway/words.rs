//! The nearest valid word, for messages about configuration.

/// How many letters may be wrong for a word to be meant: more is another word.
const WRONG_MAX: usize = 3;

/// `, did you mean "github"?`, if one of `known` is near; then which there are.
pub(super) fn did_you_mean(word: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|known| (distance(word, known), known))
        .min()
        .filter(|(distance, known)| *distance <= WRONG_MAX.min(known.len() / 2));
    let there_are = known.join(", ");
    match nearest {
        Some((_, nearest)) => format!("did you mean \"{nearest}\"? There are {there_are}"),
        None => format!("there are {there_are}"),
    }
}

/// How many letters have to be put in, taken out or exchanged (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in to.iter().enumerate() {
            let exchanged = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = exchanged.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_near_is_meant() {
        let known = ["github", "stripe", "slack"];
        for (word, expected) in [
            ("githb", "did you mean \"github\"? "),
            ("GitHub", "did you mean \"github\"? "),
            ("strip", "did you mean \"stripe\"? "),
            ("banana", "there are github, stripe, slack"),
            ("", "there are github"),
        ] {
            let said = did_you_mean(word, &known);
            assert!(said.starts_with(expected), "{word}: {said}");
        }
    }
}
