//! The text of a mail as blocks: the form that reads best, what is new in it, and nothing that only programs read.

use super::mime::Text;
use super::quotes::{self, Run};
use crate::blocks::Blocks;
use crate::{ExtractError, Limits, html, text};
use domain::{Block, BlockKind};

/// A plain text shorter than this may only say that the mail has another form.
const STUB_CHARS: usize = 400;

/// How many lines that no person writes make a run of encoded bytes.
const ENCODED_LINES: usize = 6;

/// What of a text did not become blocks.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    /// Lines, or blocks of markup, that repeat older mail.
    pub(crate) quoted: usize,
    /// Lines of encoded bytes.
    pub(crate) encoded: usize,
    /// Whether it is encrypted.
    pub(crate) is_encrypted: bool,
}

/// Adds the text's blocks. A mail that passes an older one on is kept whole.
pub(crate) fn push(
    blocks: &mut Blocks<'_>,
    message: &Text,
    is_forward: bool,
    limits: &Limits,
) -> Result<LeftOut, ExtractError> {
    let mut left_out = LeftOut::default();
    let plain = message.plain.as_deref().map(without_armour).unwrap_or_default();
    if plain.trim_start().starts_with("-----BEGIN PGP MESSAGE-----") {
        left_out.is_encrypted = true;
        return Ok(left_out);
    }
    if let Some(markup) = &message.markup
        && plain.trim().chars().count() < STUB_CHARS
    {
        let (rich, cut) = from_markup(markup, is_forward, limits)?;
        let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
        if rich.iter().map(|block| letters(&block.text)).sum::<usize>() > 2 * letters(plain) {
            left_out.quoted = cut;
            return push_all(blocks, &rich).map(|()| left_out);
        }
    }
    let (clear, encoded) = without_encoded(plain);
    left_out.encoded = encoded;
    let runs = if is_forward { vec![Run::New(clear)] } else { newest(&clear, &mut left_out) };
    for run in runs {
        match run {
            Run::New(lines) => push_all(blocks, &text::read(&lines, limits)?)?,
            Run::Quoted(lines) => blocks.push(BlockKind::Preformatted, &lines, None)?,
        }
    }
    Ok(left_out)
}

fn newest(text: &str, left_out: &mut LeftOut) -> Vec<Run> {
    let (runs, quoted) = quotes::newest(text);
    left_out.quoted = quoted;
    runs
}

/// The blocks of a text in HTML, and how many of older mail were left out.
fn from_markup(markup: &str, is_forward: bool, limits: &Limits) -> Result<(Vec<Block>, usize), ExtractError> {
    let new = if is_forward { markup } else { quotes::newest_markup(markup) };
    let mut blocks = html::fragment(new, limits)?;
    let mut cut = usize::from(new.len() < markup.len());
    let older = blocks.iter().position(|block| quotes::is_joined_header(&block.text));
    if let Some(at) = older.filter(|&at| at > 0 && !is_forward) {
        cut += blocks.len() - at;
        blocks.truncate(at);
    }
    Ok((blocks, cut))
}

/// Adds blocks below the heading that the subject is.
fn push_all(blocks: &mut Blocks<'_>, found: &[Block]) -> Result<(), ExtractError> {
    for block in found {
        let kind = match block.kind {
            BlockKind::Heading(level) => BlockKind::Heading((level + 1).min(6)),
            kind => kind,
        };
        blocks.push(kind, &block.text, None)?;
    }
    Ok(())
}

/// The text inside a cleartext signature (RFC 9580, section 7), or all of it.
fn without_armour(text: &str) -> &str {
    let Some((_, signed)) = text.split_once("-----BEGIN PGP SIGNED MESSAGE-----") else { return text };
    let signed = signed.find("\n\n").or_else(|| signed.find("\r\n\r\n")).map_or(signed, |at| &signed[at..]);
    signed.split_once("-----BEGIN PGP SIGNATURE-----").map_or(signed, |(signed, _)| signed)
}

/// The text without runs of lines in base64 or uuencode and headers of parts that were not parted, and how many lines
/// that were.
fn without_encoded(text: &str) -> (String, usize) {
    let lines: Vec<&str> = text.lines().collect();
    let (mut kept, mut dropped, mut at) = (String::with_capacity(text.len()), 0, 0);
    while at < lines.len() {
        let run = lines[at..].iter().take_while(|line| is_encoded(line)).count();
        let run = if run >= ENCODED_LINES { run } else { part_header(&lines[at..]) };
        if run > 0 {
            dropped += run;
            at += run;
            continue;
        }
        kept.push_str(lines[at]);
        kept.push('\n');
        at += 1;
    }
    (kept, dropped)
}

/// How many lines from here on are a boundary and the header of a part: its boundary was not the declared one.
fn part_header(lines: &[&str]) -> usize {
    let is_field = |line: &&str| line.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"));
    let starts = lines[0].starts_with("--") && lines.get(1).is_some_and(is_field);
    let fields = || lines[1..].iter().take_while(|line| !line.trim().is_empty()).count();
    if starts { 1 + fields() } else { 0 }
}

/// A full line of base64, or one of uuencode, which holds 45 bytes and begins with their number.
fn is_encoded(line: &str) -> bool {
    let line = line.trim_end();
    let base64 = || line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let uuencode =
        || line.len() == 61 && line.starts_with('M') && line.bytes().all(|byte| (b' '..=b'`').contains(&byte));
    line.len() >= 50 && (base64() || uuencode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_lines_are_no_text() {
        let dense = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2\n";
        let (kept, dropped) = without_encoded(&format!("Hello\n{}bye\n{dense}", dense.repeat(6)));
        assert_eq!((kept, dropped), (format!("Hello\nbye\n{dense}"), 6));
        let parts = "--x\nContent-Type: text/plain\nContent-Language: de\n\nHello\n--x--\n";
        assert_eq!(without_encoded(parts), ("\nHello\n--x--\n".to_owned(), 3));
        assert!(is_encoded(&format!("M{}", "#".repeat(60))) && !is_encoded(&"-".repeat(70)));
    }

    #[test]
    fn a_signature_around_the_text_goes() {
        let text = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHello\n-----BEGIN PGP SIGNATURE-----\n\niQ==\n";
        assert_eq!(without_armour(text).trim(), "Hello");
        assert_eq!(without_armour("Hello"), "Hello");
    }
}
