//! The shapes of a slide, a layout or notes (sections 19.3 and 21.1).

use super::frame::{Frame, length};
use crate::xml::{self, Xml};
use crate::{ExtractError, Limits};
use quick_xml::events::BytesStart;

/// A slide as it is read.
#[derive(Debug, Default)]
pub(super) struct Slide {
    pub(super) shapes: Vec<Shape>,
    pub(super) is_hidden: bool,
    /// Groups around the open shape: where they stand, and how they count inside.
    groups: Vec<(Frame, Frame)>,
    open: Option<Shape>,
    paragraph: Option<Paragraph>,
    /// Cells of the open table row.
    cells: Vec<String>,
    in_cell: bool,
    in_text: bool,
    skipped: usize,
    /// How many shapes and items there are.
    count: usize,
}

/// A text box, placeholder, table, chart or diagram.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) placeholder: Option<Placeholder>,
    pub(super) frame: Option<Frame>,
    pub(super) items: Vec<Item>,
}

/// What the layout keeps a place for (section 19.3.1.36).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placeholder {
    kind: String,
    pub(super) index: Option<String>,
}

/// Something in a shape.
#[derive(Debug)]
pub(super) enum Item {
    /// `has_bullet` where the paragraph itself says so.
    Paragraph {
        text: String,
        has_bullet: Option<bool>,
    },
    Row(Vec<String>),
    /// The relation to the part of a chart or diagram.
    Linked(String),
}

#[derive(Debug, Default)]
struct Paragraph {
    text: String,
    has_bullet: Option<bool>,
}

impl Placeholder {
    /// Whether a placeholder of a slide stands where this one of its layout or master does.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (&self.index, &other.index) {
            (Some(own), Some(other)) => own == other,
            _ => self.general_kind() == other.general_kind(),
        }
    }

    /// Masters know fewer kinds than slides.
    fn general_kind(&self) -> &str {
        match self.kind.as_str() {
            "ctrTitle" => "title",
            "subTitle" | "obj" | "tbl" | "chart" | "dgm" => "body",
            kind => kind,
        }
    }
}

impl Shape {
    fn kind(&self) -> Option<&str> {
        self.placeholder.as_ref().map(|placeholder| placeholder.kind.as_str())
    }

    pub(super) fn is_main_title(&self) -> bool {
        self.kind() == Some("ctrTitle")
    }

    pub(super) fn is_title(&self) -> bool {
        matches!(self.kind(), Some("title" | "ctrTitle"))
    }

    pub(super) fn has_bullets(&self) -> bool {
        matches!(self.kind(), Some("body" | "obj"))
    }

    pub(super) fn is_notes(&self) -> bool {
        matches!(self.kind(), None | Some("body"))
    }

    /// Date, footer, header and number, which are the same on every slide.
    pub(super) fn is_furniture(&self) -> bool {
        matches!(self.kind(), Some("dt" | "ftr" | "hdr" | "sldNum"))
    }
}

impl Slide {
    /// Reads a part to its end. After an error what was found until then stays.
    pub(super) fn read(&mut self, part: &[u8], limits: &Limits) -> Result<(), ExtractError> {
        xml::for_each(part, |event| {
            match event {
                Xml::Start(..) if self.skipped > 0 => self.skipped += 1,
                Xml::End(_) if self.skipped > 0 => self.skipped -= 1,
                // The second of two alternatives, and extensions of later versions.
                Xml::Start(_, "Fallback" | "extLst") => self.skipped = 1,
                Xml::Start(element, name) => self.start(element, name),
                Xml::End(name) => self.end(name),
                Xml::Text(text) if self.in_text && self.skipped == 0 => self.text(text),
                Xml::Text(_) => {}
            }
            limits.check_blocks(self.count)
        })
    }

    fn start(&mut self, element: &BytesStart<'_>, name: &str) {
        let value = |name: &str| xml::attribute(element, name);
        match name {
            "sld" => self.is_hidden = matches!(value("show").as_deref(), Some("0" | "false")),
            "grpSp" => self.groups.push(Default::default()),
            "sp" | "pic" | "graphicFrame" | "cxnSp" => self.open = Some(Shape::default()),
            "ph" => {
                let kind = value("type").unwrap_or_else(|| "obj".to_owned());
                if let Some(shape) = &mut self.open {
                    shape.placeholder = Some(Placeholder { kind, index: value("idx") });
                }
            }
            "off" | "ext" | "chOff" | "chExt" => self.place(element, name),
            "p" => self.paragraph = Some(Paragraph::default()),
            "t" => self.in_text = true,
            "br" | "tab" => self.text(" "),
            "buNone" | "buChar" | "buAutoNum" | "buBlip" => {
                if let Some(paragraph) = &mut self.paragraph {
                    paragraph.has_bullet = Some(name != "buNone");
                }
            }
            "tr" => self.cells.clear(),
            "tc" => {
                self.cells.push(String::new());
                self.in_cell = true;
            }
            "chart" | "relIds" => {
                let relation = if name == "chart" { "id" } else { "dm" };
                let linked = xml::prefixed_attribute(element, relation).map(Item::Linked);
                if let Some(shape) = &mut self.open {
                    shape.items.extend(linked);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "grpSp" => {
                self.groups.pop();
            }
            "sp" | "pic" | "graphicFrame" | "cxnSp" => {
                let Some(mut shape) = self.open.take() else { return };
                for (outer, inner) in self.groups.iter().rev() {
                    shape.frame = shape.frame.map(|frame| frame.out_of(*outer, *inner));
                }
                self.count += 1;
                self.shapes.push(shape);
            }
            "t" => self.in_text = false,
            "p" => {
                let Some(Paragraph { text, has_bullet }) = self.paragraph.take() else { return };
                if let Some(cell) = self.cells.last_mut().filter(|_| self.in_cell) {
                    cell.push(' ');
                    cell.push_str(&text);
                } else if let Some(shape) = self.open.as_mut().filter(|_| !text.trim().is_empty()) {
                    self.count += 1;
                    shape.items.push(Item::Paragraph { text, has_bullet });
                }
            }
            "tc" => self.in_cell = false,
            "tr" => {
                let cells = std::mem::take(&mut self.cells);
                if let Some(shape) = &mut self.open {
                    self.count += 1;
                    shape.items.push(Item::Row(cells));
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(paragraph) = &mut self.paragraph {
            paragraph.text.push_str(text);
        }
    }

    /// A corner or a size of the open shape, or else of the innermost group.
    fn place(&mut self, element: &BytesStart<'_>, name: &str) {
        let names = if name.ends_with("ff") { ("x", "y") } else { ("cx", "cy") };
        let Some((first, second)) = length(element, names.0).zip(length(element, names.1)) else { return };
        let frame = match (&mut self.open, self.groups.last_mut()) {
            (Some(shape), _) => shape.frame.get_or_insert_default(),
            (None, Some((_, inner))) if name.starts_with("ch") => inner,
            (None, Some((outer, _))) => outer,
            (None, None) => return,
        };
        if names.0 == "x" {
            (frame.x, frame.y) = (first, second);
        } else {
            (frame.width, frame.height) = (first, second);
        }
    }
}
