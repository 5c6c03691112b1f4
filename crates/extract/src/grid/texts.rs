//! Many short texts in one piece of memory.

/// Texts by their number.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    text: String,
    /// Where each ends. No file is large enough for more than fits.
    ends: Vec<u32>,
}

impl Texts {
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }

    pub(crate) fn get(&self, at: usize) -> Option<&str> {
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.text.get(start as usize..*self.ends.get(at)? as usize)
    }
}
