//! A plain table for a terminal: columns as wide as their widest cell.

use std::fmt;

/// Rows under a heading, shown as a whole or, with [`Table::next`], as they come.
pub struct Table {
    rows: Vec<Vec<String>>,
    /// How wide the columns of what was shown row by row have become; empty if nothing was.
    widths: Vec<usize>,
}

impl Table {
    /// A table with these column heads.
    pub fn new(heads: &[&str]) -> Table {
        Table {
            rows: vec![heads.iter().map(|head| (*head).to_owned()).collect()],
            widths: Vec::new(),
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
        let mut lines = String::new();
        if first {
            lines.push_str(&line(&self.rows[0], &self.widths));
            lines.push_str(&rule(&self.widths));
        }
        lines.push_str(&line(&cells, &self.widths));
        lines
    }
}

/// One row as a line.
fn line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, &wide) in row.iter().zip(widths) {
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', wide - width(cell) + 2));
    }
    format!("{}\n", line.trim_end())
}

/// What stands under the heads.
fn rule(widths: &[usize]) -> String {
    let rule: Vec<String> = widths.iter().map(|&wide| "-".repeat(wide)).collect();
    format!("{}\n", rule.join("  "))
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
    use super::Table;

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
