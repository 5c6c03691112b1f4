//! Text in charts and diagrams, which are parts of their own.

use crate::ExtractError;
use crate::blocks::Blocks;
use crate::grid::number::plain;
use crate::xml::{self, Xml};
use domain::{BlockKind, Location};

/// A row of numbers in a chart.
#[derive(Default)]
struct Series {
    name: String,
    categories: Vec<String>,
    values: Vec<String>,
}

/// The title of a chart and a row for each series: `Sales | May: 3 | June: 4` (DrawingML charts, section 21.2).
pub(super) fn chart(part: &[u8], location: Location, blocks: &mut Blocks<'_>) -> Result<(), ExtractError> {
    let (mut title, mut in_title, mut in_text) = (String::new(), false, false);
    let mut series: Option<Series> = None;
    // The element of the series that is open, and the value in it.
    let (mut role, mut value) = (String::new(), String::new());
    xml::for_each(part, |event| {
        match event {
            Xml::Start(_, "title") => in_title = true,
            Xml::End("title") => {
                in_title = false;
                title.push(' ');
            }
            Xml::Start(_, "t" | "v") => (in_text, value) = (true, String::new()),
            Xml::Text(text) if in_text && in_title && series.is_none() => title.push_str(text),
            Xml::Text(text) if in_text => value.push_str(text),
            Xml::Start(_, "ser") => {
                blocks.push_at(BlockKind::Paragraph, &std::mem::take(&mut title), location)?;
                series = Some(Series::default());
            }
            Xml::Start(_, name @ ("tx" | "cat" | "val" | "xVal" | "yVal" | "dLbls")) => role = name.to_owned(),
            Xml::End("t" | "v") => {
                in_text = false;
                let value = std::mem::take(&mut value);
                if let Some(series) = &mut series {
                    match role.as_str() {
                        "tx" => series.name.push_str(&value),
                        "cat" | "xVal" => series.categories.push(shown(value)),
                        "val" | "yVal" => series.values.push(shown(value)),
                        _ => {}
                    }
                }
            }
            Xml::End("ser") => {
                let Series { name, categories, values } = series.take().unwrap_or_default();
                let pairs = values.into_iter().enumerate().map(|(at, value)| match categories.get(at) {
                    Some(category) => format!("{category}: {value}"),
                    None => value,
                });
                let cells: Vec<String> = std::iter::once(name).chain(pairs).filter(|cell| !cell.is_empty()).collect();
                blocks.push_row_at(&cells, location)?;
            }
            _ => {}
        }
        Ok(())
    })?;
    blocks.push_at(BlockKind::Paragraph, &title, location)
}

fn shown(value: String) -> String {
    value.parse().map_or(value, plain)
}

/// The texts of a SmartArt diagram (section 21.4), as a list.
pub(super) fn diagram(part: &[u8], location: Location, blocks: &mut Blocks<'_>) -> Result<(), ExtractError> {
    let (mut text, mut in_text) = (String::new(), false);
    xml::for_each(part, |event| {
        match event {
            Xml::Start(_, "t") => in_text = true,
            Xml::End("t") => in_text = false,
            Xml::Text(part) if in_text => text.push_str(part),
            Xml::Start(_, "br") => text.push(' '),
            Xml::End("p") => blocks.push_at(BlockKind::ListItem, &std::mem::take(&mut text), location)?,
            _ => {}
        }
        Ok(())
    })
}
