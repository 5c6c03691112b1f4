//! Properties by their ids (MS-OXPROPS), as they lie in the storages of a message file.

use crate::{ExtractError, Limits, encoding};
use cfb::CompoundFile;
use encoding_rs::{Encoding, UTF_16LE};
use std::io::{Cursor, Read};

/// The stream with the properties of fixed size (MS-OXMSG, section 2.4).
pub(crate) const PROPERTIES: &str = "__properties_version1.0";

/// The storage of an embedded message in that of its attachment (section 2.2.2.1).
pub(crate) const EMBEDDED: &str = "__substg1.0_3701000D";

/// Ids of properties (MS-OXPROPS, section 2).
pub(crate) mod id {
    pub(crate) const MESSAGE_CLASS: u16 = 0x001a;
    pub(crate) const SUBJECT: u16 = 0x0037;
    pub(crate) const CLIENT_SUBMIT_TIME: u16 = 0x0039;
    pub(crate) const SENT_REPRESENTING_NAME: u16 = 0x0042;
    pub(crate) const RECIPIENT_TYPE: u16 = 0x0c15;
    pub(crate) const SENDER_NAME: u16 = 0x0c1a;
    pub(crate) const SENDER_EMAIL_ADDRESS: u16 = 0x0c1f;
    pub(crate) const DISPLAY_CC: u16 = 0x0e03;
    pub(crate) const DISPLAY_TO: u16 = 0x0e04;
    pub(crate) const MESSAGE_DELIVERY_TIME: u16 = 0x0e06;
    pub(crate) const BODY: u16 = 0x1000;
    pub(crate) const RTF_COMPRESSED: u16 = 0x1009;
    pub(crate) const BODY_HTML: u16 = 0x1013;
    pub(crate) const DISPLAY_NAME: u16 = 0x3001;
    pub(crate) const EMAIL_ADDRESS: u16 = 0x3003;
    pub(crate) const ATTACH_DATA: u16 = 0x3701;
    pub(crate) const ATTACH_FILENAME: u16 = 0x3704;
    pub(crate) const ATTACH_METHOD: u16 = 0x3705;
    pub(crate) const ATTACH_LONG_FILENAME: u16 = 0x3707;
    pub(crate) const ATTACH_MIME_TAG: u16 = 0x370e;
    pub(crate) const ATTACH_CONTENT_ID: u16 = 0x3712;
    pub(crate) const SMTP_ADDRESS: u16 = 0x39fe;
    pub(crate) const INTERNET_CODE_PAGE: u16 = 0x3fde;
    pub(crate) const MESSAGE_CODE_PAGE: u16 = 0x3ffd;
    pub(crate) const SENDER_SMTP_ADDRESS: u16 = 0x5d01;
    pub(crate) const SENT_REPRESENTING_SMTP_ADDRESS: u16 = 0x5d02;
}

/// `PtypString`, `PtypString8` and `PtypBinary` (MS-OXCDATA, section 2.11.1).
const STRING: u16 = 0x001f;
const STRING8: u16 = 0x001e;
const BINARY: u16 = 0x0102;

/// A message file. Folders are paths without a slash at their beginning; `""` is the message itself.
pub(crate) struct Store<'a> {
    pub(crate) file: CompoundFile<Cursor<&'a [u8]>>,
    pub(crate) limits: &'a Limits,
    /// Bytes read so far: streams may share their sectors.
    read: u64,
    code_page: Option<&'static Encoding>,
}

impl<'a> Store<'a> {
    pub(crate) fn open(bytes: &'a [u8], limits: &'a Limits) -> Result<Self, ExtractError> {
        let file = CompoundFile::open(Cursor::new(bytes))
            .map_err(|_| ExtractError::damaged("the compound file that it is cannot be opened"))?;
        let mut store = Self { file, limits, read: 0, code_page: None };
        let page = store.number("", id::MESSAGE_CODE_PAGE)?.or(store.number("", id::INTERNET_CODE_PAGE)?);
        store.code_page = page.and_then(encoding::of_code_page);
        Ok(store)
    }

    /// The folders in the message whose names begin so, in order.
    pub(crate) fn folders(&mut self, prefix: &str) -> Result<Vec<String>, ExtractError> {
        let mut folders = Vec::new();
        for entry in self.file.read_root_storage() {
            if entry.is_storage() && entry.name().starts_with(prefix) {
                folders.push(entry.name().to_owned());
                self.limits.check_entries(folders.len())?;
            }
        }
        folders.sort_unstable();
        Ok(folders)
    }

    pub(crate) fn text(&mut self, folder: &str, id: u16) -> Result<Option<String>, ExtractError> {
        if let Some(bytes) = self.stream(&path(folder, id, STRING))? {
            let text = UTF_16LE.decode_without_bom_handling(&bytes).0;
            return Ok(Some(text.trim_end_matches('\0').to_owned()));
        }
        let bytes = self.stream(&path(folder, id, STRING8))?;
        Ok(bytes.map(|bytes| encoding::decode(&bytes, self.code_page).0.trim_end_matches('\0').to_owned()))
    }

    /// The first of several properties that says something.
    pub(crate) fn first_text(&mut self, folder: &str, ids: &[u16]) -> Result<Option<String>, ExtractError> {
        for &id in ids {
            if let Some(text) = self.text(folder, id)?.filter(|text| !text.trim().is_empty()) {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    pub(crate) fn bytes(&mut self, folder: &str, id: u16) -> Result<Option<Vec<u8>>, ExtractError> {
        self.stream(&path(folder, id, BINARY))
    }

    /// A property of fixed size: a number, or a time in its units.
    pub(crate) fn number(&mut self, folder: &str, id: u16) -> Result<Option<u64>, ExtractError> {
        let Some(stream) = self.stream(&format!("{folder}/{PROPERTIES}"))? else { return Ok(None) };
        // A message has a longer header than its parts (MS-OXMSG, section 2.4.1).
        let header = if folder.is_empty() { 32 } else { 8 };
        let entries = stream.get(header..).unwrap_or_default().chunks_exact(16);
        let found = entries.filter_map(|entry| entry.split_first_chunk::<4>()).find_map(|(tag, rest)| {
            let (_, value) = rest.split_last_chunk::<8>()?;
            let tag = u32::from_le_bytes(*tag);
            // `PtypInteger32` fills only the lower half.
            let is_short = tag & 0xffff == 0x0003;
            let value = u64::from_le_bytes(*value);
            (tag >> 16 == u32::from(id)).then_some(if is_short { value & 0xffff_ffff } else { value })
        });
        Ok(found)
    }

    /// A whole stream; `None` if there is none of this name, or it is damaged.
    pub(crate) fn stream(&mut self, path: &str) -> Result<Option<Vec<u8>>, ExtractError> {
        if !self.file.is_stream(path) {
            return Ok(None);
        }
        let left = self.limits.unpacked_bytes.saturating_sub(self.read);
        let Ok(stream) = self.file.open_stream(path) else { return Ok(None) };
        let mut bytes = Vec::new();
        let is_whole = stream.take(left.saturating_add(1)).read_to_end(&mut bytes).is_ok();
        self.read += bytes.len() as u64;
        self.limits.check_unpacked(self.read)?;
        Ok(is_whole.then_some(bytes))
    }
}

fn path(folder: &str, id: u16, kind: u16) -> String {
    format!("{folder}/__substg1.0_{id:04X}{kind:04X}")
}
