//! Where shapes stand on a slide (DrawingML, ECMA-376, part 1, section 20.1.7).

use crate::xml;
use domain::Area;
use quick_xml::events::BytesStart;

/// Width and height of a slide in English Metric Units, 914,400 an inch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Default for Size {
    /// The size of slides before wide screens.
    fn default() -> Self {
        Self { width: 9_144_000.0, height: 6_858_000.0 }
    }
}

impl Size {
    pub(super) fn read(element: &BytesStart<'_>) -> Self {
        match (length(element, "cx"), length(element, "cy")) {
            (Some(width), Some(height)) if width > 0.0 && height > 0.0 => Self { width, height },
            _ => Self::default(),
        }
    }
}

/// A box in the units of its group.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Frame {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Frame {
    /// The same box outside of a group that stands at `outer` and counts inside as `inner` says.
    pub(super) fn out_of(self, outer: Self, inner: Self) -> Self {
        let scale = |length: f64, of: f64| if of > 0.0 { length / of } else { 1.0 };
        let (across, down) = (scale(outer.width, inner.width), scale(outer.height, inner.height));
        Self {
            x: outer.x + (self.x - inner.x) * across,
            y: outer.y + (self.y - inner.y) * down,
            width: self.width * across,
            height: self.height * down,
        }
    }

    /// Its part of the slide; none if it lies outside.
    pub(super) fn area(self, size: Size) -> Option<Area> {
        let part = |at: f64, of: f64| (at / of * 10_000.0).round().clamp(0.0, 10_000.0) as u16;
        let area = Area {
            left: part(self.x, size.width),
            top: part(self.y, size.height),
            right: part(self.x + self.width, size.width),
            bottom: part(self.y + self.height, size.height),
        };
        (area.left < area.right && area.top < area.bottom).then_some(area)
    }
}

/// An attribute that is a length.
pub(super) fn length(element: &BytesStart<'_>, name: &str) -> Option<f64> {
    xml::attribute(element, name)?.parse::<f64>().ok().filter(|length| length.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_leave_their_groups() {
        let frame = Frame { x: 30.0, y: 20.0, width: 10.0, height: 10.0 };
        let outer = Frame { x: 100.0, y: 100.0, width: 50.0, height: 100.0 };
        let inner = Frame { x: 20.0, y: 20.0, width: 100.0, height: 100.0 };
        let found = frame.out_of(outer, inner);
        assert_eq!(found, Frame { x: 105.0, y: 100.0, width: 5.0, height: 10.0 });
        let area = found.area(Size { width: 200.0, height: 200.0 });
        assert_eq!(area, Some(Area { left: 5250, top: 5000, right: 5500, bottom: 5500 }));
        assert_eq!(Frame { x: 300.0, ..found }.area(Size { width: 200.0, height: 200.0 }), None);
        assert_eq!(frame.out_of(outer, Frame::default()).width, 10.0);
    }
}
