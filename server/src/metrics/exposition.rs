//! Prometheus' text format 0.0.4: `# HELP`, `# TYPE`, samples.
//!
//! All samples of a family stand together, which is why a family is written by one value ([`Family`]) that
//! begins and ends with it.

use std::fmt::{Display, Write};

use store::Reading;

/// `Content-Type` of a page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page that is being written.
#[derive(Default)]
pub struct Page(String);

/// A family of a page: samples of one name.
pub struct Family<'a> {
    page: &'a mut String,
    name: &'static str,
}

/// A label's name and value.
pub type Label<'a> = (&'a str, &'a str);

impl Page {
    /// Begins a family of figures that only rise.
    pub fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        debug_assert!(name.ends_with("_total"), "{name} is a counter");
        self.family(name, help, "counter")
    }

    /// Begins a family of figures that are as they are.
    pub fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, help, "gauge")
    }

    /// Begins a family of histograms.
    pub fn histogram(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, help, "histogram")
    }

    fn family(&mut self, name: &'static str, help: &str, kind: &str) -> Family<'_> {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.put(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        Family {
            page: &mut self.0,
            name,
        }
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a text takes all");
    }

    /// The page.
    pub fn finish(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// A sample.
    pub fn sample(&mut self, labels: &[Label<'_>], value: impl Display) -> &mut Self {
        self.put("", labels, value);
        self
    }

    /// The samples of a histogram whose values are multiples of a second's `per_second`th.
    pub fn reading(&mut self, labels: &[Label<'_>], reading: &Reading, per_second: f64) {
        let up_to = |le: &str, count: u64, family: &mut Self| {
            family.put("_bucket", &[labels, &[("le", le)]].concat(), count);
        };
        for (bound, count) in &reading.buckets {
            up_to(&(*bound as f64 / per_second).to_string(), *count, self);
        }
        up_to("+Inf", reading.count, self);
        self.put("_sum", labels, reading.sum as f64 / per_second);
        self.put("_count", labels, reading.count);
    }

    fn put(&mut self, suffix: &str, labels: &[Label<'_>], value: impl Display) {
        self.page.push_str(self.name);
        self.page.push_str(suffix);
        for (place, (name, value)) in labels.iter().enumerate() {
            self.page.push(if place == 0 { '{' } else { ',' });
            self.page.push_str(name);
            self.page.push_str("=\"");
            for character in value.chars() {
                match character {
                    '\\' => self.page.push_str("\\\\"),
                    '"' => self.page.push_str("\\\""),
                    '\n' => self.page.push_str("\\n"),
                    other => self.page.push(other),
                }
            }
            self.page.push('"');
        }
        if !labels.is_empty() {
            self.page.push('}');
        }
        writeln!(self.page, " {value}").expect("a text takes all");
    }
}

#[cfg(test)]
mod tests {
    use store::Histogram;

    use super::*;

    #[test]
    fn a_page_is_as_the_format_wants_it() {
        let mut page = Page::default();
        page.counter("things_total", "What there was,\nand \\ more.")
            .sample(&[], 7)
            .sample(&[("name", "a \"b\"\\\n"), ("kind", "x")], 1.5);
        let histogram = Histogram::new(&[250, 1000]);
        for value in [100, 300, 5000] {
            histogram.see(value);
        }
        page.histogram("took_seconds", "How long.").reading(
            &[("of", "it")],
            &histogram.read(),
            1000.0,
        );
        assert_eq!(
            page.finish(),
            r#"# HELP things_total What there was,\nand \\ more.
# TYPE things_total counter
things_total 7
things_total{name="a \"b\"\\\n",kind="x"} 1.5
# HELP took_seconds How long.
# TYPE took_seconds histogram
took_seconds_bucket{of="it",le="0.25"} 1
took_seconds_bucket{of="it",le="1"} 2
took_seconds_bucket{of="it",le="+Inf"} 3
took_seconds_sum{of="it"} 5.4
took_seconds_count{of="it"} 3
"#
        );
    }
}
