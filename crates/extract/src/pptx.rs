//! PPTX: Office Open XML presentations (ECMA-376, part 1, PresentationML and DrawingML). A page is a slide.

mod frame;
mod graphics;
mod shapes;

use crate::blocks::{Blocks, clean_title, first_heading};
use crate::package::{Package, Relation};
use crate::properties::Properties;
use crate::xml::{self, Xml};
use crate::{ExtractError, Extracted, Limits};
use domain::{BlockKind, Location};
use frame::{Frame, Size};
use shapes::{Item, Placeholder, Shape, Slide};
use std::collections::HashMap;

/// The most placeholders of a layout that count.
const PLACEHOLDERS: usize = 100;

pub(crate) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let mut package = Package::open(bytes, limits)?;
    let main = package.main_part()?.ok_or_else(|| ExtractError::damaged("its main part is missing"))?;
    let (size, slides) = read_presentation(&package.need(&main)?, limits)?;
    let relations = package.relations(&main)?;
    let mut deck = Deck {
        package,
        limits,
        blocks: Blocks::new(limits),
        size,
        layouts: HashMap::new(),
        has_title_slide: false,
        warnings: Vec::new(),
    };
    for (number, id) in (1..).zip(&slides) {
        match relations.get(id) {
            Some(relation) => match deck.slide(number, &relation.target) {
                Err(ExtractError::Damaged { .. }) => {
                    deck.warnings.push(format!("slide {number} is damaged and partly missing"));
                }
                result => result?,
            },
            None => deck.warnings.push(format!("slide {number} is missing in the file")),
        }
    }
    let blocks = deck.blocks.into_vec();
    if blocks.is_empty() && !deck.warnings.is_empty() {
        return Err(ExtractError::damaged("none of its slides can be read"));
    }
    if blocks.is_empty() {
        return Err(ExtractError::NoText { reason: "its slides hold only pictures or nothing; save it as PDF" });
    }
    let properties = Properties::of_office(&mut deck.package)?;
    // PowerPoint puts this there by itself.
    let title = properties.title.clone().filter(|title| title != "PowerPoint Presentation");
    let title = title.or_else(|| first_heading(&blocks).as_deref().and_then(clean_title));
    let pages = u32::try_from(slides.len()).ok();
    Ok(properties.with(Extracted { title, blocks, pages, warnings: deck.warnings, ..Extracted::default() }))
}

/// The size of slides and the relations to them in the order in which they are shown (section 19.2.1.34).
fn read_presentation(part: &[u8], limits: &Limits) -> Result<(Size, Vec<String>), ExtractError> {
    let (mut size, mut slides) = (Size::default(), Vec::new());
    xml::for_each(part, |event| {
        match event {
            Xml::Start(element, "sldSz") => size = Size::read(element),
            Xml::Start(element, "sldId") => slides.extend(xml::prefixed_attribute(element, "id")),
            _ => {}
        }
        limits.check_pages(slides.len())
    })?;
    Ok((size, slides))
}

/// The presentation while its slides are read.
struct Deck<'a> {
    package: Package<'a>,
    limits: &'a Limits,
    blocks: Blocks<'a>,
    size: Size,
    /// Where layouts put their placeholders, by the name of their part.
    layouts: HashMap<String, Vec<(Placeholder, Frame)>>,
    /// Whether a slide has the title of all; titles of slides stand under it.
    has_title_slide: bool,
    warnings: Vec<String>,
}

impl Deck<'_> {
    fn slide(&mut self, number: u32, name: &str) -> Result<(), ExtractError> {
        let part = self.package.need(name)?;
        let mut slide = Slide::default();
        let result = slide.read(&part, self.limits);
        if slide.is_hidden {
            self.warnings.push(format!("slide {number} is hidden and was read"));
        }
        let relations = self.package.relations(name)?;
        let related = |kind: &str| relations.values().find(|found| found.kind == kind).map(|found| &found.target);
        if let Some(layout) = related("slideLayout") {
            self.place(layout, &mut slide.shapes)?;
        }
        // The title comes first, wherever it lies in the pile of shapes.
        slide.shapes.sort_by_key(|shape| !shape.is_title());
        for shape in &slide.shapes {
            self.shape(number, shape, &relations)?;
        }
        if let Some(notes) = related("notesSlide") {
            self.notes(number, notes)?;
        }
        result
    }

    /// Gives placeholders without a place of their own that of the layout, or of the master under it (section 19.3.1.36).
    fn place(&mut self, layout: &str, shapes: &mut [Shape]) -> Result<(), ExtractError> {
        if !self.layouts.contains_key(layout) {
            let mut frames = self.frames(layout)?;
            let relations = self.package.relations(layout)?;
            if let Some(master) = relations.values().find(|found| found.kind == "slideMaster") {
                frames.extend(self.frames(&master.target)?.into_iter().map(|(mut placeholder, frame)| {
                    // On a master only the kinds count.
                    placeholder.index = None;
                    (placeholder, frame)
                }));
            }
            self.layouts.insert(layout.to_owned(), frames);
        }
        let frames = self.layouts.get(layout).map_or(&[][..], Vec::as_slice);
        for shape in shapes.iter_mut().filter(|shape| shape.frame.is_none()) {
            let Some(own) = &shape.placeholder else { continue };
            let found = frames.iter().find(|(other, _)| own.is_like(other));
            shape.frame = found.map(|(_, frame)| *frame);
        }
        Ok(())
    }

    fn frames(&mut self, name: &str) -> Result<Vec<(Placeholder, Frame)>, ExtractError> {
        let mut layout = Slide::default();
        if let Some(part) = self.package.read_extra(name)? {
            // A damaged layout costs only places.
            let _ = layout.read(&part, self.limits);
        }
        let placed = layout.shapes.into_iter().filter_map(|shape| shape.placeholder.zip(shape.frame));
        Ok(placed.take(PLACEHOLDERS).collect())
    }

    fn shape(&mut self, number: u32, shape: &Shape, relations: &HashMap<String, Relation>) -> Result<(), ExtractError> {
        if shape.is_furniture() {
            return Ok(());
        }
        let area = shape.frame.and_then(|frame| frame.area(self.size));
        let location = Location { area, ..Location::on_page(Some(number)) };
        for item in &shape.items {
            match item {
                Item::Paragraph { text, has_bullet } => {
                    let kind = match () {
                        () if shape.is_main_title() => BlockKind::Heading(1),
                        () if shape.is_title() => BlockKind::Heading(if self.has_title_slide { 2 } else { 1 }),
                        () if has_bullet.unwrap_or(shape.has_bullets()) => BlockKind::ListItem,
                        () => BlockKind::Paragraph,
                    };
                    self.has_title_slide |= shape.is_main_title();
                    self.blocks.push_at(kind, text, location)?;
                }
                Item::Row(cells) => self.blocks.push_row_at(cells, location)?,
                Item::Linked(id) => {
                    let Some(relation) = relations.get(id) else { continue };
                    let Some(part) = self.package.read_extra(&relation.target)? else { continue };
                    let result = match relation.kind.as_str() {
                        "chart" => graphics::chart(&part, location, &mut self.blocks),
                        "diagramData" => graphics::diagram(&part, location, &mut self.blocks),
                        _ => Ok(()),
                    };
                    if matches!(result, Err(ExtractError::Damaged { .. })) {
                        self.warnings.push(format!("a chart or diagram on slide {number} is damaged"));
                    } else {
                        result?;
                    }
                }
            }
        }
        Ok(())
    }

    fn notes(&mut self, number: u32, name: &str) -> Result<(), ExtractError> {
        let Some(part) = self.package.read_extra(name)? else { return Ok(()) };
        let mut notes = Slide::default();
        if notes.read(&part, self.limits).is_err() {
            self.warnings.push(format!("the notes of slide {number} are damaged and partly missing"));
        }
        let mut mark = "Notes: ";
        for item in notes.shapes.iter().filter(|shape| shape.is_notes()).flat_map(|shape| &shape.items) {
            if let Item::Paragraph { text, .. } = item
                && !text.trim().is_empty()
            {
                self.blocks.push(BlockKind::Paragraph, &format!("{mark}{text}"), Some(number))?;
                mark = "";
            }
        }
        Ok(())
    }
}
