//! The reader of the product: documents by `extract`.

use crate::{Outlet, Progress, Reader};
use extract::{Child, ExtractError, Extracted, Format, Host, Limits, Line, Picture};
use render::{Order, PagePicture, RenderError};

/// Reads documents; `recognize` finds the text in pictures and answers like [`Host::recognize`].
pub struct Documents<F> {
    recognize: F,
}

impl<F: FnMut(&Picture) -> Result<Option<Vec<Line>>, ExtractError>> Documents<F> {
    /// A reader with this recognition.
    pub const fn new(recognize: F) -> Self {
        Self { recognize }
    }
}

impl Documents<fn(&Picture) -> Result<Option<Vec<Line>>, ExtractError>> {
    /// A reader for which pictures stay pictures.
    #[must_use]
    pub fn without_recognition() -> Self {
        Self::new(|_| Ok(None))
    }
}

impl<F: FnMut(&Picture) -> Result<Option<Vec<Line>>, ExtractError>> Reader for Documents<F> {
    fn read(
        &mut self,
        name: &str,
        bytes: Vec<u8>,
        limits: &Limits,
        outlet: &mut Outlet<'_>,
    ) -> Result<(Format, Extracted), ExtractError> {
        let file_name = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let format = extract::sniff(&bytes, file_name)?;
        let mut surroundings = Surroundings { recognize: &mut self.recognize, outlet, pictures: 0 };
        let extracted = extract::extract(&bytes, format, limits, &mut surroundings)?;
        Ok((format, extracted))
    }

    fn draw(&mut self, _: &str, bytes: Vec<u8>, order: &Order) -> Result<PagePicture, RenderError> {
        render::draw(bytes, order)
    }
}

/// What extraction finds around it in a worker.
struct Surroundings<'a, 'b, F> {
    recognize: &'a mut F,
    outlet: &'a mut Outlet<'b>,
    pictures: u32,
}

impl<F: FnMut(&Picture) -> Result<Option<Vec<Line>>, ExtractError>> Host for Surroundings<'_, '_, F> {
    fn child(&mut self, child: Child) -> Result<(), ExtractError> {
        self.outlet.child(child)
    }

    fn recognize(&mut self, picture: &Picture) -> Result<Option<Vec<Line>>, ExtractError> {
        let lines = (self.recognize)(picture)?;
        if lines.is_some() {
            self.pictures = self.pictures.saturating_add(1);
            self.outlet.progress(Progress { pictures: self.pictures });
        }
        Ok(lines)
    }
}
