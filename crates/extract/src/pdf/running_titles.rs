//! x
use super::glyphs::Line;
pub(super) fn remove(_pages: &mut [Vec<Line>]) {}
