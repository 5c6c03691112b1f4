//! Messages of Outlook, written here as compound files.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Message, check, check_refused, lines, read_with_children};
use extract::{Format, Limits, extract, sniff};

/// 2026-03-02 13:05 UTC in units of 100 nanoseconds since 1601.
const SENT: u64 = (1_772_456_700 + 11_644_473_600) * 10_000_000;

fn person(name: &str, address: &str, kind: u64) -> Message<'static> {
    Message::default().text(0x3001, name).text(0x39fe, address).number(0x0c15, kind)
}

fn letter<'a>() -> Message<'a> {
    let mut message = Message::default()
        .text(0x001a, "IPM.Note")
        .text(0x0037, "Crane Prüfung")
        .text(0x0042, "Ada Löwe")
        .text(0x5d02, "ada@example.org")
        .text(0x0e04, "Bo");
    message.fixed.push((0x0039_0040, SENT));
    message.recipients =
        vec![person("Bo", "bo@example.org", 1), person("Cy", "/o=x/cn=y", 2), person("Di", "di@example.org", 3)];
    message
}

const FROM: &str =
    "- p From: Ada Löwe <ada@example.org> · To: Bo <bo@example.org> · Cc: Cy · Date: 2026-03-02 13:05 UTC";

#[test]
fn header_text_and_history() {
    let message = letter().text(
        0x1000,
        "Yes, at nine.\r\n\r\n-----Original Message-----\r\nFrom: Bo\r\nSent: Monday\r\n\r\nShall we?\r\n",
    );
    let extracted = check(&message.file(), "x.msg", &["- h1 Crane Prüfung", FROM, "- p Yes, at nine."]);
    assert_eq!(extracted.title.as_deref(), Some("Crane Prüfung"));
    assert_eq!(extracted.author.as_deref(), Some("Ada Löwe"));
    assert_eq!(extracted.created_at.unwrap().to_string(), "2026-03-02T13:05:00Z");
    assert_eq!(extracted.fields["to"], "Bo <bo@example.org>");
    assert_eq!(extracted.warnings.len(), 1);
}

#[test]
fn the_text_may_be_html_or_rich_text() {
    let html = letter().bytes(0x1013, b"<p>Gr\xfc\xdfe</p>").number(0x3fde, 1252);
    check(&html.file(), "x.msg", &["- h1 Crane Prüfung", FROM, "- p Grüße"]);
    let rtf = br"{\rtf1\ansi\fromhtml1{\*\htmltag64 <ul><li>}one{\*\htmltag72 </ul>}}";
    let raw = [&[0; 8], b"MELA".as_slice(), &[0; 4], rtf].concat();
    check(&letter().bytes(0x1009, &raw).file(), "x.msg", &["- h1 Crane Prüfung", FROM, "- li one"]);
    // Without Unicode: PtypString8 in the code page of the message.
    let mut old = Message::default().number(0x3ffd, 1251);
    old.streams.push((0x0037_001e, b"\xcf\xee\xf0\xf2".to_vec()));
    check(&old.file(), "x.msg", &["- h1 Порт"]);
}

#[test]
fn attachments_and_messages_in_messages() {
    let deepest = Message::default().text(0x0037, "Deepest").text(0x1000, "Words at the ground.");
    let deeper = Message { embedded: Some(&deepest), ..Message::default() }.number(0x3705, 5);
    let inner = Message { attachments: vec![deeper], ..letter() }.text(0x1000, "Words of old.");
    let embedded =
        Message { embedded: Some(&inner), ..Message::default() }.number(0x3705, 5).text(0x3001, "The older/one");
    let file = Message::default().text(0x3707, "C:\\x\\plan.txt").text(0x3704, "PLAN~1.TXT").bytes(0x3701, b"Hello");
    let logo = Message::default().text(0x3707, "logo.png").text(0x3712, "logo@x").bytes(0x3701, &[7; 900]);
    let link = Message::default().text(0x3707, "far.docx").number(0x3705, 2);
    let message = Message { attachments: vec![file, embedded, logo, link], ..letter() }.text(0x1000, "See these.");
    let (extracted, children) = read_with_children(&message.file(), "x.msg");
    assert_eq!(
        lines(&extracted),
        ["- h1 Crane Prüfung", &format!("{FROM} · Attachments: plan.txt, The older-one.msg"), "- p See these."]
    );
    assert_eq!(extracted.warnings, ["far.docx holds no data of its own and was left out"]);
    assert_eq!(children[0], ("plan.txt".to_owned(), b"Hello".to_vec()));
    assert_eq!(sniff(&children[1].1, "x"), Ok(Format::Msg));
    let (older, children) = read_with_children(&children[1].1, "x.msg");
    assert_eq!(lines(&older)[0], "- h1 Crane Prüfung");
    assert_eq!(lines(&older)[2], "- p Words of old.");
    check(&children[0].1, "x.msg", &["- h1 Deepest", "- p Words at the ground."]);
}

#[test]
fn signed_and_encrypted_messages() {
    let with = |class: &str, data: &[u8]| {
        let attached = Message::default().text(0x3707, "smime.p7m").bytes(0x3701, data);
        let mut message = Message { attachments: vec![attached], ..letter() };
        message.streams.retain(|(tag, _)| *tag != 0x001a_001f);
        message.text(0x001a, class).file()
    };
    let signed = "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nContent-Type: text/plain\r\n\r\nSigned words.\r\n--s\r\n\
                  Content-Type: application/pkcs7-signature\r\n\r\nMII=\r\n--s--\r\n";
    let expected = ["- h1 Crane Prüfung", FROM, "- p Signed words."];
    check(&with("IPM.Note.SMIME.MultipartSigned", signed.as_bytes()), "x.msg", &expected);
    // id-envelopedData, 1.2.840.113549.1.7.3.
    let enveloped = [0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03];
    check_refused(&with("IPM.Note.SMIME", &enveloped), "x.msg", "encrypted");
}

#[test]
fn other_compound_files_stay_what_they_are() {
    let mut file = cfb::CompoundFile::create(std::io::Cursor::new(Vec::new())).unwrap();
    file.create_stream("/WordDocument").unwrap();
    file.create_storage("/ObjectPool").unwrap();
    file.create_stream("/ObjectPool/__properties_version1.0").unwrap();
    let bytes = file.into_inner().into_inner();
    check_refused(&bytes, "x.doc", "Word format from before 2007");
    let whole = letter().file();
    let cut = &whole[..whole.len() - 700];
    assert!(sniff(cut, "x.msg").is_err() || extract(cut, Format::Msg, &Limits::default(), &mut extract::Alone).is_ok());
}
