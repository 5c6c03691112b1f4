//! Mailboxes (RFC 4155 and the older `mboxo` and `mboxrd`): one mail after another in one file.

use super::part::{self, Part};
use crate::{Child, ExtractError, Extracted, Host, Limits, names};

/// Whether a text begins as a mailbox: an envelope line, and the fields of a mail below it.
pub(crate) fn is_mailbox(text: &str) -> bool {
    let Some((first, rest)) = text.split_once('\n') else { return false };
    first.starts_with("From ") && part::is_mail(rest)
}

/// Gives each mail to the host.
pub(crate) fn extract(bytes: &[u8], limits: &Limits, host: &mut dyn Host) -> Result<Extracted, ExtractError> {
    let messages = messages(bytes, limits)?;
    if messages.is_empty() {
        return Err(ExtractError::damaged("there is no mail in it"));
    }
    for (place, message) in messages.into_iter().enumerate() {
        let message = unquoted(message);
        let (head, _) = part::split(&message);
        let subject = names::of_subject(Part::read(head).subject(), ".eml");
        host.child(Child { name: format!("{:04} {subject}", place + 1), bytes: message })?;
    }
    Ok(Extracted::default())
}

/// The mails without their envelope lines. Such a line stands at the beginning or after an empty line, and a header
/// field follows: without that, a sentence that begins with `From` would end a mail in programs that do not mark it.
fn messages<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Vec<&'a [u8]>, ExtractError> {
    let mut messages = Vec::new();
    let mut open: Option<usize> = None;
    let mut at = 0;
    let mut is_after_empty = true;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let start = at;
        at += line.len();
        if is_after_empty && line.starts_with(b"From ") && begins_with_field(&bytes[at..]) {
            limits.check_entries(messages.len() + 1 + usize::from(open.is_some()))?;
            if let Some(from) = open.replace(at) {
                messages.push(&bytes[from..start]);
            }
        }
        is_after_empty = line.trim_ascii().is_empty();
    }
    messages.extend(open.map(|from| &bytes[from..]));
    messages.retain(|message| !message.trim_ascii().is_empty());
    Ok(messages)
}

fn begins_with_field(bytes: &[u8]) -> bool {
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let name = line.iter().position(|&byte| byte == b':').map(|colon| &line[..colon]);
    name.is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic))
}

/// Takes one `>` off lines such as `>From here`, which programs write so that they do not begin a mail (`mboxrd`;
/// `mboxo` writes the same for lines without a mark).
fn unquoted(message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(message.len());
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        let marks = line.iter().take_while(|&&byte| byte == b'>').count();
        let is_quoted = marks > 0 && line[marks..].starts_with(b"From ");
        bytes.extend(if is_quoted { &line[1..] } else { line });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_begin_with_an_envelope_line_over_a_field() {
        let text = b"From a@b Mon\nSubject: 1\n\nHello\n\nFrom here we walk.\n>From there\n>>From it\n\nFrom c@d Tue\nTo: x\n\nBye\n";
        let messages = messages(text, &Limits::default()).unwrap();
        assert_eq!(messages.len(), 2);
        assert!(unquoted(messages[0]).ends_with(b"\n\nFrom here we walk.\nFrom there\n>From it\n\n"));
        assert_eq!(messages[1], b"To: x\n\nBye\n");
        assert!(!is_mailbox("From here we walk.\nTo: the gate\n"));
        assert!(is_mailbox("From a@b Mon\nSubject: 1\nFrom: x\n\n"));
    }
}
