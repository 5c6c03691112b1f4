//! A mail as it travels: RFC 5322 with MIME.

use super::letter::Letter;
use super::mime::Content;
use super::part::Part;
use crate::{ExtractError, Extracted, Host, Limits};
use jiff::Timestamp;
use mail_parser::{Addr, DateTime, HeaderName};

pub(crate) fn extract(bytes: &[u8], limits: &Limits, host: &mut dyn Host) -> Result<Extracted, ExtractError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let message = Part::read(without_envelope(bytes));
    let content = Content::read(&message, limits)?;
    letter(&message, limits).finish(content, limits, host)
}

/// Some programs save a single mail with the envelope line of a mailbox.
fn without_envelope(bytes: &[u8]) -> &[u8] {
    let first = bytes.iter().position(|&byte| byte == b'\n');
    first.filter(|_| bytes.starts_with(b"From ")).map_or(bytes, |end| &bytes[end + 1..])
}

pub(crate) fn letter(message: &Part<'_>, limits: &Limits) -> Letter {
    let people = |field: HeaderName<'static>| -> Vec<String> {
        let addresses = message.addresses(field).into_iter().take(limits.entries);
        addresses.filter_map(|one| Letter::person(one.name.as_deref(), one.address.as_deref())).collect()
    };
    let sender: Option<&Addr<'_>> =
        [HeaderName::From, HeaderName::Sender].into_iter().find_map(|field| message.addresses(field).first().copied());
    let date = message.date();
    Letter {
        subject: message.subject().map(str::to_owned),
        author: sender.and_then(|sender| sender.name.as_deref().or(sender.address.as_deref())).map(str::to_owned),
        from: sender.and_then(|sender| Letter::person(sender.name.as_deref(), sender.address.as_deref())),
        to: people(HeaderName::To),
        cc: people(HeaderName::Cc),
        sent_at: date.and_then(|date| Timestamp::from_second(date.to_timestamp()).ok()),
        date: date.map(shown),
    }
}

/// `2026-03-02 14:05 +0100`: the time on the sender's clock.
fn shown(date: &DateTime) -> String {
    let DateTime { year, month, day, hour, minute, tz_hour, tz_minute, .. } = date;
    let sign = if date.tz_before_gmt { '-' } else { '+' };
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} {sign}{tz_hour:02}{tz_minute:02}")
}
