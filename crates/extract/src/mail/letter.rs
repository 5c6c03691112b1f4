//! A message as a document: who wrote to whom, when, about what, and what.

use super::mime::Content;
use super::{body, quotes};
use crate::blocks::{Blocks, clean_title, cut_title, running};
use crate::{Dated, ExtractError, Extracted, Host, Limits};
use domain::BlockKind;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// How many people the first block names in each of its lists; all of them are in the fields.
const SHOWN_PEOPLE: usize = 10;

/// The longest value of a field, in characters.
const FIELD_CHARS: usize = 4_000;

/// The header of a message.
#[derive(Debug, Default)]
pub(crate) struct Letter {
    pub(crate) subject: Option<String>,
    /// The name of the sender, or the address.
    pub(crate) author: Option<String>,
    /// Name and address of the sender.
    pub(crate) from: Option<String>,
    pub(crate) to: Vec<String>,
    pub(crate) cc: Vec<String>,
    pub(crate) sent_at: Option<Timestamp>,
    /// When it was sent as the sender's clock said.
    pub(crate) date: Option<String>,
}

impl Letter {
    /// Name and address as people write them.
    pub(crate) fn person(name: Option<&str>, address: Option<&str>) -> Option<String> {
        let name = name.map(running).filter(|name| !name.is_empty());
        let address = address.map(running).filter(|address| !address.is_empty());
        match (name, address) {
            (Some(name), Some(address)) if name != address => Some(format!("{name} <{address}>")),
            (name, address) => name.or(address),
        }
    }

    /// Makes a document of it and gives its files to the host.
    ///
    /// # Errors
    /// [`ExtractError::Encrypted`] if all it says is encrypted, [`ExtractError::Damaged`] if it is no mail at all,
    /// [`ExtractError::TooLarge`].
    pub(crate) fn finish(
        self,
        content: Content,
        limits: &Limits,
        host: &mut dyn Host,
    ) -> Result<Extracted, ExtractError> {
        let subject = self.subject.as_deref().map(running).filter(|subject| !subject.is_empty());
        let mut blocks = Blocks::new(limits);
        blocks.push(BlockKind::Heading(1), subject.as_deref().unwrap_or_default(), None)?;
        blocks.push(BlockKind::Paragraph, &self.summary(&content), None)?;
        let before = blocks.as_slice().len();
        for appointment in &content.appointments {
            blocks.push(BlockKind::Paragraph, &appointment.join("\n"), None)?;
        }
        let is_forward = subject.as_deref().is_some_and(quotes::is_forward);
        let (mut warnings, mut is_encrypted) = (content.warnings, content.is_encrypted);
        let (mut quoted, mut encoded) = (0, 0);
        for text in &content.texts {
            let left_out = body::push(&mut blocks, text, is_forward, limits)?;
            quoted += left_out.quoted;
            encoded += left_out.encoded;
            is_encrypted |= left_out.is_encrypted;
        }
        let is_bare = blocks.as_slice().len() == before && content.files.is_empty();
        if is_encrypted && is_bare {
            return Err(ExtractError::Encrypted);
        }
        let blocks = blocks.into_vec();
        if blocks.is_empty() && content.files.is_empty() {
            return Err(ExtractError::damaged("it has neither the header nor the text of a mail"));
        }
        if is_encrypted {
            warnings.push("an encrypted part could not be read".to_owned());
        }
        if quoted > 0 {
            warnings.push("older mail quoted below or between the text was left out".to_owned());
        }
        if encoded > 0 {
            warnings.push("lines of encoded data in the text were left out".to_owned());
        }
        for file in content.files {
            host.child(file)?;
        }
        let author = self.author.as_deref().map(running).filter(|author| !author.is_empty());
        Ok(Extracted {
            title: subject.as_deref().and_then(|subject| clean_title(subject).or_else(|| Some(cut_title(subject)))),
            author,
            created_at: self.sent_at.map(Dated::At),
            fields: self.fields(subject),
            blocks,
            warnings,
            ..Extracted::default()
        })
    }

    fn fields(&self, subject: Option<String>) -> BTreeMap<String, String> {
        let people = |list: &[String]| (!list.is_empty()).then(|| list.join(", "));
        let fields = [
            ("subject", subject),
            ("from", self.from.clone()),
            ("to", people(&self.to)),
            ("cc", people(&self.cc)),
            ("date", self.sent_at.map(|at| at.to_string())),
        ];
        let fields = fields.into_iter().filter_map(|(key, value)| value.map(|value| (key, running(&value))));
        fields.map(|(key, value)| (key.to_owned(), value.chars().take(FIELD_CHARS).collect())).collect()
    }

    /// One paragraph that answers who, to whom, when and with what.
    fn summary(&self, content: &Content) -> String {
        let list = |people: &[String]| {
            let more = people.len().saturating_sub(SHOWN_PEOPLE);
            let shown = people[..people.len() - more].join(", ");
            if more > 0 { format!("{shown} and {more} more") } else { shown }
        };
        let files: Vec<String> = content.files.iter().map(|file| file.name.clone()).collect();
        let lines = [
            ("From", self.from.clone().unwrap_or_default()),
            ("To", list(&self.to)),
            ("Cc", list(&self.cc)),
            ("Date", self.date.clone().unwrap_or_default()),
            ("Attachments", list(&files)),
        ];
        let lines = lines.into_iter().filter(|(_, value)| !value.is_empty());
        lines.map(|(word, value)| format!("{word}: {value}")).collect::<Vec<_>>().join(" · ")
    }
}
