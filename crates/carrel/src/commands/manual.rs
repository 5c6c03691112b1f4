//! `carrel manual`: the manual on a console, as Markdown.

use crate::Outcome;
use std::io::{ErrorKind, Write};
use web::ManualText;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The page, such as backup [default: the list of pages]
    page: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let page = match &arguments.page {
        None => ManualText::index(),
        Some(name) => ManualText::named(name.trim_end_matches(".md")).ok_or_else(|| {
            let names: Vec<&str> = ManualText::all().iter().map(|page| page.name).collect();
            format!("the manual has no page '{name}'; it has {}", names.join(", "))
        })?,
    };
    // Whoever reads it through a pager may leave in the middle.
    match std::io::stdout().write_all(page.markdown.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
