//! Text that has to fit: how wide it is, where it breaks, and where it is cut.
//!
//! No font is at hand here, and the reader's is not known. Widths are those of Helvetica and of what is
//! made to replace it; the picture tells its viewer the width of each text, so that another font is fitted in.

/// Advance widths of ` ` to `~`, in hundredths of the font's size.
const WIDTHS: [u8; 95] = [
    28, 28, 36, 56, 56, 89, 67, 19, 33, 33, 39, 58, 28, 33, 28, 28, 56, 56, 56, 56, 56, 56, 56, 56,
    56, 56, 28, 28, 58, 58, 58, 56, 102, 67, 67, 72, 72, 67, 61, 78, 72, 28, 50, 67, 56, 83, 72,
    78, 67, 78, 72, 67, 61, 72, 67, 94, 67, 67, 61, 28, 28, 28, 47, 56, 33, 56, 56, 50, 56, 56, 28,
    56, 56, 22, 22, 50, 22, 83, 56, 56, 56, 56, 33, 50, 28, 56, 50, 72, 50, 50, 50, 33, 26, 33, 58,
];

/// A face in which the picture is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Face {
    /// Its size in pixels.
    pub size: i32,
    /// Whether it is half bold, and with that wider.
    pub bold: bool,
}

/// Names of states.
pub const NAME: Face = Face {
    size: 13,
    bold: true,
};
/// All else that is said of a state, and labels.
pub const DETAIL: Face = Face {
    size: 11,
    bold: false,
};

impl Face {
    /// How wide the text is, in pixels, rounded up.
    pub fn width(self, text: &str) -> i32 {
        let hundredths: i32 = text.chars().map(advance).sum();
        let scaled = hundredths * self.size * if self.bold { 107 } else { 100 };
        (scaled + 9_999) / 10_000
    }

    /// The text, cut with an ellipsis if it is wider than `width`.
    pub fn cut(self, text: &str, width: i32) -> String {
        if self.width(text) <= width {
            return text.to_owned();
        }
        let mut kept = String::new();
        for c in text.chars() {
            kept.push(c);
            kept.push('…');
            let fits = self.width(&kept) <= width;
            kept.pop();
            if !fits {
                kept.pop();
                break;
            }
        }
        let kept = kept.trim_end();
        format!("{kept}…")
    }

    /// The text on two lines at most, broken where a word begins if it can be, and then cut.
    pub fn broken(self, text: &str, width: i32) -> Vec<String> {
        if self.width(text) <= width {
            return vec![text.to_owned()];
        }
        let mut breaks = text.char_indices().skip(1).filter(|(at, c)| {
            let before = text[..*at].chars().next_back().unwrap_or(' ');
            let word = c.is_uppercase() && !before.is_uppercase();
            word || before.is_whitespace() || "-_.:/".contains(before)
        });
        let fits = |at: usize| self.width(text[..at].trim_end()) <= width;
        let mut at = 0;
        while let Some((next, _)) = breaks.by_ref().next().filter(|(next, _)| fits(*next)) {
            at = next;
        }
        // A word that is longer than the line breaks anywhere.
        if self.width(text[..at].trim_end()) * 3 < width {
            let ends = text.char_indices().map(|(at, _)| at);
            at = ends.take_while(|end| fits(*end)).last().unwrap_or(0);
        }
        if at == 0 {
            return vec![self.cut(text, width)];
        }
        let (first, rest) = text.split_at(at);
        vec![first.trim_end().to_owned(), self.cut(rest.trim(), width)]
    }
}

/// What a character takes of a line. Of those that are not in the table the wide ones are known by
/// their blocks; the others are taken for wide letters.
fn advance(c: char) -> i32 {
    match c {
        ' '..='~' => i32::from(WIDTHS[c as usize - ' ' as usize]),
        '…' => 100,
        '·' => 28,
        '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' => 100,
        '\u{ff00}'..='\u{ff60}' => 100,
        c if c as u32 >= 0x1_0000 => 125,
        _ => 67,
    }
}

/// The text as XML has it. What XML can't have at all is shown as the sign for what is missing.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' | '\r' => escaped.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A number of seconds in the largest unit that tells it whole: `90 s`, `2 h`.
pub fn duration(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let whole = units
        .iter()
        .find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    match whole {
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_between_words_and_cut_where_it_must_be() {
        for (text, width, lines) in [
            ("Short", 100, &["Short"][..]),
            ("NotifyTheCustomer", 80, &["NotifyThe", "Customer"]),
            ("notify-the-customer", 80, &["notify-the-", "customer"]),
            ("wait for the bank", 80, &["wait for the", "bank"]),
            (
                "OneTwoThreeFourFiveSixSevenEight",
                80,
                &["OneTwo", "ThreeFour…"],
            ),
            (
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                80,
                &["aaaaaaaaaa", "aaaaaaaa…"],
            ),
        ] {
            let broken = NAME.broken(text, width);
            assert_eq!(broken, lines, "{text}");
            assert!(broken.iter().all(|line| NAME.width(line) <= width));
        }
    }

    #[test]
    fn a_duration_is_told_whole() {
        let told = [45, 60, 90, 7_200, 86_400 * 30].map(duration);
        assert_eq!(told, ["45 s", "1 min", "90 s", "2 h", "30 d"]);
    }
}
