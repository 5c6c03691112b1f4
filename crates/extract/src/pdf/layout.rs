//! x
use super::glyphs::Line;
use crate::{ExtractError,blocks::Blocks};
pub(super) fn write(pages: Vec<Vec<Line>>, blocks: &mut Blocks<'_>) -> Result<(), ExtractError> {
    for (n, page) in pages.iter().enumerate() { for l in page { blocks.push(domain::BlockKind::Paragraph, &format!("{:.0}-{:.0} y{:.1} s{:.1}{}{} {}", l.left, l.right, l.baseline, l.size, if l.is_bold {"B"} else {""}, if l.is_beside {"&"} else {""}, l.text), Some(n as u32+1))?; } }
    Ok(())
}
