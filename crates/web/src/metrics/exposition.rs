//! Prometheus' text exposition format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).

use std::fmt::{Display, Write};

/// The content type of a page in this format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a family of samples is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Only ever grows, until the process ends.
    Counter,
    /// A value of the moment.
    Gauge,
    /// Counts in buckets, a sum and a count.
    Histogram,
}

/// A page in the making. Each family is begun once, and its samples follow it.
#[derive(Default)]
pub(crate) struct Exposition {
    page: String,
}

impl Exposition {
    /// Begins a family.
    pub(crate) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    /// A sample of the family begun last, which a histogram's name extends.
    pub(crate) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        if labels.is_empty() {
            return self.line(format_args!("{name} {value}"));
        }
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        self.line(format_args!("{name}{{{}}} {value}", labels.join(",")));
    }

    /// A family of one sample without labels.
    pub(crate) fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// The page.
    pub(crate) fn finish(self) -> String {
        self.page
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a text does not fail.
        let _ = writeln!(self.page, "{line}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_in_the_format() {
        let mut page = Exposition::default();
        page.family("a_total", Kind::Counter, "What\nhappened \\ so far.");
        page.sample("a_total", &[("path", "/documents/{id}"), ("odd", "a\"b\\c\nd")], 3);
        page.single("b_seconds", Kind::Gauge, "Seconds.", 0.25);
        let wanted = "# HELP a_total What\\nhappened \\\\ so far.\n# TYPE a_total counter\n\
            a_total{path=\"/documents/{id}\",odd=\"a\\\"b\\\\c\\nd\"} 3\n\
            # HELP b_seconds Seconds.\n# TYPE b_seconds gauge\nb_seconds 0.25\n";
        assert_eq!(page.finish(), wanted);
    }
}
