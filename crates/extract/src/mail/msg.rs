//! A message of Outlook (MS-OXMSG): properties in the streams of a compound file (MS-CFB).

mod embedded;
mod rtf;
mod store;

use super::letter::Letter;
use super::mime::{self, Content, Text};
use super::part::Part;
use crate::{ExtractError, Extracted, Host, Limits, encoding, names};
use jiff::Timestamp;
use std::io::Cursor;
use store::{Store, id};

/// Seconds between the beginnings of the calendars of Windows (1601) and Unix (1970).
const EPOCHS_APART: i64 = 11_644_473_600;

/// `afEmbeddedMessage` (MS-OXCMSG, section 2.2.2.9).
const EMBEDDED_MESSAGE: u64 = 5;

/// `MAPI_TO` and `MAPI_CC` (MS-OXOMSG, section 2.2.3.1).
const TO: u64 = 1;
const CC: u64 = 2;

/// Whether a compound file is a message.
pub(crate) fn is_message(bytes: &[u8]) -> bool {
    cfb::CompoundFile::open(Cursor::new(bytes)).is_ok_and(|file| file.is_stream(store::PROPERTIES))
}

pub(crate) fn extract(bytes: &[u8], limits: &Limits, host: &mut dyn Host) -> Result<Extracted, ExtractError> {
    let mut store = Store::open(bytes, limits)?;
    let letter = letter(&mut store)?;
    let class = store.text("", id::MESSAGE_CLASS)?.unwrap_or_default();
    let content = if class.to_ascii_lowercase().starts_with("ipm.note.smime") {
        secured(&mut store, limits)?
    } else {
        content(&mut store)?
    };
    letter.finish(content, limits, host)
}

fn letter(store: &mut Store<'_>) -> Result<Letter, ExtractError> {
    let name = store.first_text("", &[id::SENT_REPRESENTING_NAME, id::SENDER_NAME])?;
    let address = store
        .first_text("", &[id::SENT_REPRESENTING_SMTP_ADDRESS, id::SENDER_SMTP_ADDRESS, id::SENDER_EMAIL_ADDRESS])?
        .filter(|address| address.contains('@'));
    let (mut to, mut cc) = (Vec::new(), Vec::new());
    for folder in store.folders("__recip_version1.0_#")? {
        let name = store.text(&folder, id::DISPLAY_NAME)?;
        let address = store.first_text(&folder, &[id::SMTP_ADDRESS, id::EMAIL_ADDRESS])?;
        let person = Letter::person(name.as_deref(), address.filter(|address| address.contains('@')).as_deref());
        match store.number(&folder, id::RECIPIENT_TYPE)? {
            Some(TO) | None => to.extend(person),
            Some(CC) => cc.extend(person),
            Some(_) => {}
        }
    }
    if to.is_empty() && cc.is_empty() {
        to.extend(store.text("", id::DISPLAY_TO)?.map(|people| people.replace(';', ",")));
        cc.extend(store.text("", id::DISPLAY_CC)?.map(|people| people.replace(';', ",")));
    }
    let submitted = store.number("", id::CLIENT_SUBMIT_TIME)?;
    let sent_at = submitted.or(store.number("", id::MESSAGE_DELIVERY_TIME)?).and_then(from_file_time);
    Ok(Letter {
        subject: store.text("", id::SUBJECT)?,
        author: name.clone().or_else(|| address.clone()),
        from: Letter::person(name.as_deref(), address.as_deref()),
        to,
        cc,
        sent_at,
        date: sent_at.map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string()),
    })
}

/// Units of 100 nanoseconds since 1601 (MS-DTYP, section 2.3.3).
fn from_file_time(time: u64) -> Option<Timestamp> {
    let seconds = i64::try_from(time / 10_000_000).ok()?.checked_sub(EPOCHS_APART)?;
    Timestamp::from_second(seconds).ok().filter(|_| time > 0)
}

fn content(store: &mut Store<'_>) -> Result<Content, ExtractError> {
    let mut text = Text { plain: store.text("", id::BODY)?, markup: markup(store)? };
    if text.markup.is_none()
        && text.plain.as_deref().is_none_or(|plain| plain.trim().is_empty())
        && let Some(compressed) = store.bytes("", id::RTF_COMPRESSED)?
    {
        text = rtf::read(&compressed).unwrap_or_default();
    }
    let mut content = Content { texts: vec![text], ..Content::default() };
    for folder in store.folders("__attach_version1.0_#")? {
        attachment(store, &folder, &mut content)?;
    }
    Ok(content)
}

/// The text in HTML: bytes in the code page that the message names, or a string.
fn markup(store: &mut Store<'_>) -> Result<Option<String>, ExtractError> {
    if let Some(bytes) = store.bytes("", id::BODY_HTML)? {
        let page = store.number("", id::INTERNET_CODE_PAGE)?.and_then(encoding::of_code_page);
        return Ok(Some(encoding::decode(&bytes, page).0));
    }
    store.text("", id::BODY_HTML)
}

fn attachment(store: &mut Store<'_>, folder: &str, content: &mut Content) -> Result<(), ExtractError> {
    let given = [id::ATTACH_LONG_FILENAME, id::ATTACH_FILENAME, id::DISPLAY_NAME];
    let name = store.first_text(folder, &given)?;
    if store.number(folder, id::ATTACH_METHOD)? == Some(EMBEDDED_MESSAGE) {
        let name = names::of_subject(name.as_deref(), ".msg");
        match embedded::copy(store, &format!("{folder}/{}", store::EMBEDDED))? {
            Some(bytes) => content.push_file(name, bytes),
            None => content.warnings.push(format!("{name} is damaged and was left out")),
        }
        return Ok(());
    }
    let kind = store.text(folder, id::ATTACH_MIME_TAG)?.unwrap_or_default().to_ascii_lowercase();
    let name = mime::with_ending(name.as_deref().and_then(names::file), &kind);
    let Some(bytes) = store.bytes(folder, id::ATTACH_DATA)? else {
        content.warnings.push(format!("{name} holds no data of its own and was left out"));
        return Ok(());
    };
    let is_shown_in_text = store.text(folder, id::ATTACH_CONTENT_ID)?.is_some();
    if !(is_shown_in_text && mime::is_decoration(&kind, &name, bytes.len())) {
        content.push_file(name, bytes);
    }
    Ok(())
}

/// A signed or encrypted message: all of it is in its one attachment (MS-OXOSMIME, section 2.1).
fn secured(store: &mut Store<'_>, limits: &Limits) -> Result<Content, ExtractError> {
    let mut entity = Vec::new();
    for folder in store.folders("__attach_version1.0_#")? {
        let Some(bytes) = store.bytes(&folder, id::ATTACH_DATA)? else { continue };
        // A detached signature stands beside its text in a MIME entity, the others are bare.
        if !bytes.trim_ascii_start().to_ascii_lowercase().starts_with(b"content-") {
            entity.extend(b"Content-Type: application/pkcs7-mime\r\n\r\n");
        }
        entity.extend(bytes);
        break;
    }
    if entity.is_empty() { content(store) } else { Content::read(&Part::read(&entity), limits) }
}
