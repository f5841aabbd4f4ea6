//! A plain table for a terminal: columns as wide as their widest cell, as far as the screen goes. What is long is cut
//! there, but for ids, which are to be pasted.

use std::fmt;

use crate::screen;

/// The heads of columns that are never cut.
const WHOLE: [&str; 2] = ["id", "alert"];

/// What a column is not cut below.
const WIDTH_MIN: usize = 12;

/// Rows under a heading, shown as a whole or, with [`Table::next`], as they come.
pub struct Table {
    rows: Vec<Vec<String>>,
    /// How wide the columns of what was shown row by row have become; empty if nothing was.
    widths: Vec<usize>,
    /// How wide the screen is, if there is one.
    screen: Option<usize>,
}

impl Table {
    /// A table with these column heads.
    pub fn new(heads: &[&str]) -> Table {
        Table {
            rows: vec![heads.iter().map(|head| (*head).to_owned()).collect()],
            widths: Vec::new(),
            screen: screen::width(),
        }
    }

    /// So wide that all columns have their place on the screen, if that is possible.
    fn fitted(&self, mut widths: Vec<usize>) -> Vec<usize> {
        let Some(screen) = self.screen else {
            return widths;
        };
        let heads = &self.rows[0];
        let may = |column: &usize| !WHOLE.contains(&heads[*column].as_str());
        // A cell of a megabyte is no reason to go on one column at a time.
        (0..heads.len().min(widths.len()))
            .filter(may)
            .for_each(|column| widths[column] = widths[column].min(screen));
        loop {
            let all = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
            let columns = (0..heads.len().min(widths.len())).filter(may);
            let widest = columns.max_by_key(|column| widths[*column]);
            let Some(widest) = widest.filter(|widest| all > screen && widths[*widest] > WIDTH_MIN)
            else {
                return widths;
            };
            // The next in width is spared until this one is as narrow.
            let others = (0..widths.len()).filter(|other| *other != widest && may(other));
            let next = others.map(|other| widths[other]).max().unwrap_or_default();
            let needed = widths[widest] - (all - screen).min(widths[widest]);
            let floor = next.min(widths[widest] - 1);
            widths[widest] = needed.max(floor).max(WIDTH_MIN);
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: &[String]) {
        self.rows.push(cells.to_vec());
    }

    /// The lines of a row that is not kept, with the heads before the first. A column gets wider when a cell
    /// needs it; what stands above stays as it is.
    pub fn next(&mut self, cells: Vec<String>) -> String {
        let first = self.widths.is_empty();
        if first {
            self.widths = self.rows[0].iter().map(|head| width(head)).collect();
        }
        for (wide, cell) in self.widths.iter_mut().zip(&cells) {
            *wide = width(cell).max(*wide);
        }
        let widths = self.fitted(self.widths.clone());
        let mut lines = String::new();
        if first {
            lines.push_str(&line(&self.rows[0], &widths));
            lines.push_str(&rule(&widths));
        }
        lines.push_str(&line(&cells, &widths));
        lines
    }
}

/// One row as a line.
fn line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, &wide) in row.iter().zip(widths) {
        let cell = cut(cell, wide);
        line.push_str(&cell);
        line.extend(std::iter::repeat_n(' ', wide - width(&cell) + 2));
    }
    format!("{}\n", line.trim_end())
}

/// What stands under the heads.
fn rule(widths: &[usize]) -> String {
    let rule: Vec<String> = widths.iter().map(|&wide| "-".repeat(wide)).collect();
    format!("{}\n", rule.join("  "))
}

/// As much of a cell as there is room for; its colours end where they did.
fn cut(cell: &str, room: usize) -> String {
    if width(cell) <= room {
        return cell.to_owned();
    }
    let (mut shown, mut wide, mut in_code) = (String::new(), 0, false);
    for c in cell.chars() {
        if in_code || c == '\u{1b}' {
            in_code = c != 'm';
            shown.push(c);
        } else {
            wide += 1;
            match wide {
                wide if wide < room => shown.push(c),
                wide if wide == room => shown.push('…'),
                _ => {}
            }
        }
    }
    shown
}

/// How wide a cell is on screen: colour codes take no room.
fn width(cell: &str) -> usize {
    let mut width = 0;
    let mut in_code = false;
    for c in cell.chars() {
        match c {
            '\u{1b}' => in_code = true,
            'm' if in_code => in_code = false,
            _ if in_code => {}
            _ => width += 1,
        }
    }
    width
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(column))
                    .map(|cell| width(cell))
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let widths = self.fitted(widths);
        for (index, row) in self.rows.iter().enumerate() {
            f.write_str(&line(row, &widths))?;
            if index == 0 {
                f.write_str(&rule(&widths))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Table, width};

    #[test]
    fn a_table_fits_the_screen_and_ids_stay_whole() {
        let mut table = Table::new(&["age", "what", "because", "id"]);
        let row = || {
            let red = format!("\u{1b}[31m{}\u{1b}[0m", "y".repeat(60));
            vec!["1 s".to_owned(), "x".repeat(90), red, "i".repeat(36)]
        };
        table.row(&row());
        table.screen = Some(100);
        let one_by_one = table.next(row());
        for shown in [table.to_string(), one_by_one] {
            let heads = shown.lines().next().map(width);
            assert!(heads < Some(100));
            for line in shown.lines().skip(1) {
                assert_eq!(width(line), 100, "{line}");
            }
            assert!(shown.contains(&"i".repeat(36)), "{shown}");
            assert!(shown.contains("…\u{1b}[0m"), "{shown}");
        }
        // What can't fit breaks its lines.
        table.screen = Some(50);
        let line = table.to_string().lines().last().map(width);
        assert_eq!(line, Some(3 + 12 + 12 + 36 + 6));
    }

    #[test]
    fn a_row_shown_alone_stands_under_those_before() {
        let mut table = Table::new(&["id", "of"]);
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        assert_eq!(table.next(row("1", "x")), "id  of\n--  --\n1   x\n");
        assert_eq!(
            table.next(row("\u{1b}[1m1234\u{1b}[0m", "y")),
            "\u{1b}[1m1234\u{1b}[0m  y\n"
        );
        assert_eq!(table.next(row("2", "z")), "2     z\n");
    }
}
