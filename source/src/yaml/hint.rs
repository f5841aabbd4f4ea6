//! What to do about text that is not YAML. The parser says what it met, in the words of YAML's grammar; people need
//! to hear what they are likely to have done.

/// Words of what the parser says, and what helps. The first row that fits counts.
const HINTS: [(&[&str], &str); 7] = [
    (&["tab"], "Indent with spaces; YAML takes no tabs there."),
    (
        &["simple key", "mapping values", "mapping keys"],
        "Every name has its colon and a blank (`name: value`), members of one object begin in one column, and text with `: ` in it is in quotes.",
    ),
    // Of a colon the parser says so only inside of brackets.
    (
        &[
            "flow mapping",
            "flow sequence",
            "misplaced bracket",
            "flow construct",
            "placement of ':'",
        ],
        "Every bracket is closed, and commas stand between what is in it; text with brackets or commas in it is in quotes.",
    ),
    (
        &["quoted scalar", "double-quoted"],
        "Every quote is closed; in double quotes a backslash is written twice.",
    ),
    (
        &["unknown anchor", "anchor or alias"],
        "`*name` stands for what is marked `&name` above it; text that begins with one of the two is in quotes.",
    ),
    (
        &["unexpected character", "plain scalar cannot"],
        "Text that begins with @, `, %, - or a bracket is in quotes.",
    ),
    (
        &[
            "block mapping",
            "block collection",
            "block sequence",
            "indent",
        ],
        "Members of one object, and the dashes of one list, begin in one column.",
    ),
];

/// What helps, as far as that can be told.
pub(super) fn of(said: &str) -> Option<&'static str> {
    let fits = |(words, _): &&(&[&str], _)| words.iter().any(|word| said.contains(word));
    HINTS.iter().find(fits).map(|(_, hint)| *hint)
}
