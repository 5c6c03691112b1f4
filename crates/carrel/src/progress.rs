//! Progress bars on a terminal, plain lines elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// A bar over `length` things called `unit`; hidden when nobody watches.
pub(crate) fn bar(length: u64, unit: &str) -> ProgressBar {
    let watched = std::io::stderr().is_terminal();
    let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let template = format!("{{bar:30}} {{pos}}/{{len}} {unit}  {{elapsed}} (about {{eta}} left)  {{wide_msg}}");
    let bar = ProgressBar::with_draw_target(Some(length), target);
    bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// A bar over bytes, whose number is told later.
pub(crate) fn bytes_bar() -> ProgressBar {
    let bar = bar(0, "");
    let template = "{bar:30} {bytes}/{total_bytes}  {bytes_per_sec} (about {eta} left)";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
