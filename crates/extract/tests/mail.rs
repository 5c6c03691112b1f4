//! Mail and mailboxes, written here.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Keeper, assert_well_formed, check, check_refused, lines, pdf, read_with_children};
use extract::{ExtractError, Format, Limits, extract, sniff};

/// Parts between boundaries.
fn multipart(kind: &str, boundary: &str, parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("--{boundary}\r\n{part}\r\n")).collect();
    format!("Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n\r\n{parts}--{boundary}--\r\n")
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for (place, group) in bytes.chunks(3).enumerate() {
        let mut bits = 0_u32;
        for at in 0..3 {
            bits = bits << 8 | u32::from(group.get(at).copied().unwrap_or(0));
        }
        for at in 0..4_usize {
            let digit = usize::try_from(bits >> (18 - 6 * at) & 63).unwrap();
            text.push(if at <= group.len() { char::from(ALPHABET[digit]) } else { '=' });
        }
        if place % 19 == 18 {
            text.push_str("\r\n");
        }
    }
    text
}

const HEAD: &str = "Return-Path: <ada@example.org>\r\nReceived: from a by b\r\n\twith SMTP id 1; Mon, 2 Mar 2026 14:05:01 +0100\r\n\
    DKIM-Signature: v=1; b=QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2\r\n\
    From: =?utf-8?q?Ada_L=C3=B6we?= <ada@example.org>\r\nTo: Bo <bo@example.org>, crew:c@example.org,d@example.org;\r\n\
    Cc: e@example.org\r\nSubject: Crane =?utf-8?B?UHLDvGZ1bmc=?=\r\nDate: Mon, 2 Mar 2026 14:05:00 +0100\r\nMIME-Version: 1.0\r\n";

const FROM: &str = "- p From: Ada Löwe <ada@example.org> · To: Bo <bo@example.org>, c@example.org, d@example.org · Cc: e@example.org · \
    Date: 2026-03-02 14:05 +0100";

#[test]
fn a_plain_mail() {
    let file = format!(
        "{HEAD}Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         Dear Bo,\r\n\r\nthe crane is checked on Wednesday, before the ship comes, =\r\nf=FCr alle.\r\n\r\n- bring boots\r\n- and gloves\r\n\r\nAda"
    );
    let extracted = check(
        file.as_bytes(),
        "0001",
        &[
            "- h1 Crane Prüfung",
            FROM,
            "- p Dear Bo,",
            "- p the crane is checked on Wednesday, before the ship comes, für alle.",
            "- li bring boots",
            "- li and gloves",
            "- p Ada",
        ],
    );
    assert_eq!(extracted.title.as_deref(), Some("Crane Prüfung"));
    assert_eq!(extracted.author.as_deref(), Some("Ada Löwe"));
    assert_eq!(extracted.created_at.unwrap().to_string(), "2026-03-02T13:05:00Z");
    let field = |key: &str| extracted.fields.get(key).map(String::as_str);
    assert_eq!(field("from"), Some("Ada Löwe <ada@example.org>"));
    assert_eq!(field("to"), Some("Bo <bo@example.org>, c@example.org, d@example.org"));
    assert_eq!((field("cc"), field("subject")), (Some("e@example.org"), Some("Crane Prüfung")));
    assert_eq!(field("date"), Some("2026-03-02T13:05:00Z"));
    assert_eq!(extracted.warnings, [""; 0]);
}

#[test]
fn a_subject_without_end_is_no_heading_and_a_short_title() {
    for letter in ["x", "-"] {
        let subject = letter.repeat(20_000);
        let file = format!("From: ada@example.org\r\nSubject: {subject}\r\n\r\nBring boots.");
        let expected = [format!("- p {subject}"), "- p From: ada@example.org".into(), "- p Bring boots.".into()];
        let extracted = check(file.as_bytes(), "x.eml", &expected.each_ref().map(String::as_str));
        assert_eq!(extracted.title, Some(letter.repeat(500)));
    }
}

#[test]
fn the_better_form_of_a_text_is_read() {
    let html = "Content-Type: text/html; charset=utf-8\r\n\r\n<html><body><h1>Plan</h1><p>We meet at the gate, every Monday in March, at nine.</p>\
        <ul><li>boots</li></ul></body></html>";
    let with = |plain: &str| {
        let plain = format!("Content-Type: text/plain\r\n\r\n{plain}");
        format!("{HEAD}{}", multipart("alternative", "a=_1", &[&plain, html]))
    };
    let rich = [
        "- h1 Crane Prüfung",
        FROM,
        "- h2 Plan",
        "- p We meet at the gate, every Monday in March, at nine.",
        "- li boots",
    ];
    check(with("Your program shows no HTML").as_bytes(), "x.eml", &rich);
    check(with("").as_bytes(), "x.eml", &rich);
    let plain = "We meet at the gate, every Monday in March, at nine. Bring boots.";
    check(with(plain).as_bytes(), "x.eml", &["- h1 Crane Prüfung", FROM, &format!("- p {plain}")]);
}

#[test]
fn attachments_are_files_of_their_own() {
    let file = pdf(&[&[(60.0, 700.0, "F1", 10.0, "Hello")]]);
    let attached = format!(
        "Content-Type: application/pdf; name=\"x\"\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename*0*=UTF-8''..%2F..%2FPr%C3%BC; filename*1=\"fung.pdf\"\r\n\r\n{}",
        base64(&file)
    );
    let picture = |size: usize, id: &str| {
        format!(
            "Content-Type: image/png\r\nContent-ID: <{id}>\r\nContent-Disposition: inline; filename=\"{id}.png\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n{}",
            base64(&vec![7; size])
        )
    };
    let nested =
        "Content-Type: message/rfc822\r\n\r\nFrom: c@example.org\r\nSubject: The older/one\r\n\r\nText of old.";
    let notes = "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=\"notes.txt\"\r\n\r\nremember";
    let event = "Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Check\r\n\
                 DTSTART:20260304T080000Z\r\nEND:VEVENT\r\nEND:VCALENDAR";
    let signature = "Content-Type: application/pgp-signature; name=s.asc\r\n\r\n-----BEGIN PGP SIGNATURE-----";
    let text = "Content-Type: text/plain\r\n\r\nSee the file.";
    let related = multipart(
        "related",
        "r",
        &[
            "Content-Type: text/html\r\n\r\n<p>See the file, please.</p>",
            &picture(900, "logo"),
            &picture(60_000, "plan"),
        ],
    );
    let inner = multipart("alternative", "al", &[text, &related, event]);
    let message = format!("{HEAD}{}", multipart("mixed", "m", &[&inner, &attached, nested, notes, signature]));
    let (extracted, children) = read_with_children(message.as_bytes(), "x.eml");
    assert_well_formed(&extracted, &Limits::default());
    assert_eq!(
        lines(&extracted),
        [
            "- h1 Crane Prüfung",
            &format!("{FROM} · Attachments: plan.png, Prüfung.pdf, The older-one.eml, notes.txt"),
            "- p Appointment: Check Start: 2026-03-04 08:00 UTC",
            "- p See the file.",
        ]
    );
    let names: Vec<&str> = children.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["plan.png", "Prüfung.pdf", "The older-one.eml", "notes.txt"]);
    assert_eq!(children[1].1, file);
    assert_eq!(sniff(&children[2].1, &children[2].0), Ok(Format::Eml));
    assert_eq!(children[3].1, b"remember");
    assert_eq!(extracted.warnings, [""; 0]);
}

#[test]
fn older_mail_does_not_come_again() {
    let quoted: String = (0..40).map(|line| format!("> old line {line}\r\n")).collect();
    let reply = format!(
        "{HEAD}\r\nYes, at nine.\r\n\r\nOn Sun, 1 Mar 2026, Bo <bo@example.org> wrote:\r\n{quoted}\r\nRegards\r\n"
    );
    let extracted = check(reply.as_bytes(), "x.eml", &["- h1 Crane Prüfung", FROM, "- p Yes, at nine.", "- p Regards"]);
    assert!(extracted.warnings[0].contains("quoted"), "{:?}", extracted.warnings);

    let outlook = "<p>Yes.</p><div style='border:none;border-top:solid #E1E1E1 1.0pt'><p><b>Von:</b> Bo<br><b>Gesendet:</b> Montag<br>\
                   <b>An:</b> Ada<br><b>Betreff:</b> x</p></div><p>old</p>";
    let message = format!("{HEAD}Content-Type: text/html\r\n\r\n{outlook}");
    check(message.as_bytes(), "x.eml", &["- h1 Crane Prüfung", FROM, "- p Yes."]);
    let forward = message.replace("Subject: Crane", "Subject: WG: Crane");
    let (extracted, _) = read_with_children(forward.as_bytes(), "x.eml");
    assert_eq!(extracted.blocks.last().unwrap().text, "old");
    assert_eq!(extracted.warnings, [""; 0]);
}

#[test]
fn encoded_data_is_no_text() {
    let dense = base64(&[0x5a; 4_000]);
    // A part without its encoding, a lost boundary, and uuencode in the text.
    let bare = format!("{HEAD}\r\nHello\r\n\r\n{dense}\r\n");
    let lost = format!(
        "{HEAD}{}",
        multipart("mixed", "one", &["Content-Type: text/plain\r\n\r\nHello"]).replace("=\"one\"", "=\"two\"")
    );
    let uuencode =
        format!("{HEAD}\r\nHello\r\nbegin 644 x.bin\r\n{}end\r\n", format!("M{}\r\n", "5".repeat(60)).repeat(30));
    for message in [bare, lost, uuencode] {
        let (extracted, _) = read_with_children(message.as_bytes(), "x.eml");
        let text: String = extracted.blocks.iter().map(|block| block.text.as_str()).collect();
        assert!(text.contains("Hello") && text.len() < 400, "{text}");
        assert!(!text.contains("DKIM") && !text.contains("Content-Type"), "{text}");
        assert_eq!(extracted.warnings.len(), 1);
    }
}

#[test]
fn encrypted_mail_says_so() {
    let pgp = multipart(
        "encrypted",
        "e",
        &[
            "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1",
            "Content-Type: application/octet-stream\r\n\r\nx",
        ],
    );
    check_refused(format!("{HEAD}{pgp}").as_bytes(), "x.eml", "encrypted");
    check_refused(format!("{HEAD}\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA\r\n").as_bytes(), "x.eml", "encrypted");
    // id-envelopedData, 1.2.840.113549.1.7.3.
    let enveloped =
        [&[0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03, 0xa0, 0x80][..], &[0; 6]]
            .concat();
    let smime = "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    check_refused(format!("{HEAD}{smime}{}", base64(&enveloped)).as_bytes(), "x.eml", "encrypted");
}

#[test]
fn signed_mail_is_read_through() {
    let text = "Content-Type: text/plain\r\n\r\nSigned words.";
    let detached =
        multipart("signed", "s", &[text, "Content-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nMIIB"]);
    let expected = ["- h1 Crane Prüfung", FROM, "- p Signed words."];
    check(format!("{HEAD}{detached}").as_bytes(), "x.eml", &expected);

    let value = |tag: u8, content: &[u8]| [&[tag, 0x81, u8::try_from(content.len()).unwrap()], content].concat();
    let oid = |last: u8| value(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, last]);
    let inner = value(0x30, &[oid(1), value(0xa0, &value(4, text.as_bytes()))].concat());
    let signed = value(0x30, &[value(2, &[1]), value(0x31, &[]), inner, value(0x31, &[])].concat());
    let cms = value(0x30, &[oid(2), value(0xa0, &signed)].concat());
    let opaque = format!(
        "{HEAD}Content-Type: application/x-pkcs7-mime; smime-type=signed-data\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        base64(&cms)
    );
    check(opaque.as_bytes(), "x.eml", &expected);
}

#[test]
fn a_mailbox_gives_its_mails() {
    let mut mailbox = String::new();
    for (place, subject) in ["Crane", "a/b: c", ""].iter().enumerate() {
        mailbox += &format!(
            "From a@b Mon Mar  2 14:05:00 2026\nFrom: a@b\nSubject: {subject}\nTo: x@y\n\nText {place}\n>From the gate\n\n"
        );
    }
    let (extracted, children) = read_with_children(mailbox.as_bytes(), "inbox");
    assert_eq!(extracted.blocks, []);
    let names: Vec<&str> = children.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["0001 Crane.eml", "0002 a-b: c.eml", "0003 message.eml"]);
    check(&children[0].1, "0001 Crane.eml", &["- h1 Crane", "- p From: a@b · To: x@y", "- p Text 0 From the gate"]);
    let few = Limits { entries: 2, ..Limits::default() };
    let refused = extract(mailbox.as_bytes(), Format::Mbox, &few, &mut Keeper::default());
    assert!(matches!(refused, Err(ExtractError::TooLarge { .. })));
}

#[test]
fn deep_and_many_parts_end_well() {
    let mut deep = HEAD.to_owned();
    for level in 0..10_000 {
        deep += &format!("Content-Type: multipart/mixed; boundary=\"b{level}\"\r\n\r\n--b{level}\r\n");
    }
    check_refused(deep.as_bytes(), "x.eml", "depth");
    // Not deep, but every level has all the lines of a large part.
    let mut large = HEAD.to_owned();
    for level in 0..20 {
        large += &format!("Content-Type: multipart/mixed; boundary=\"b{level}\"\r\n\r\n--b{level}\r\n");
    }
    large += &"--\r\n".repeat(5_000);
    let limits = Limits { unpacked_bytes: 64 << 10, ..Limits::default() };
    let refused = extract(large.as_bytes(), Format::Eml, &limits, &mut Keeper::default());
    assert!(matches!(refused, Err(ExtractError::TooLarge { .. })), "{refused:?}");
    let mut mails = HEAD.to_owned();
    for level in 0..10_000 {
        mails += &format!("Content-Type: message/rfc822\r\n\r\nSubject: {level}\r\n");
    }
    let (_, children) = read_with_children(mails.as_bytes(), "x.eml");
    assert_eq!(children.len(), 1);
    let many: Vec<&str> = vec!["Content-Type: text/plain\r\n\r\nx"; 10_001];
    check_refused(format!("{HEAD}{}", multipart("mixed", "m", &many)).as_bytes(), "x.eml", "number of its parts");
}
