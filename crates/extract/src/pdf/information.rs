//! Title, author and dates: from the information dictionary, or else the metadata stream (ISO 32000-1, section 14.3).

use super::objects::{dictionary, get, text_string};
use super::streams::Budget;
use crate::blocks::{clean_title, running};
use crate::xml::{self, Xml};
use crate::{Dated, ExtractError, Extracted, dates};
use jiff::civil::Date;
use jiff::tz::Offset;
use pdf_extract::{Document, Object};

/// Fills in what the file says about itself.
pub(super) fn read(document: &Document, budget: &Budget<'_>, extracted: &mut Extracted) -> Result<(), ExtractError> {
    let information = dictionary(document, &document.trailer, b"Info");
    let entry = |key: &[u8]| match get(document, information?, key)? {
        Object::String(bytes, _) => Some(text_string(bytes)),
        _ => None,
    };
    extracted.title = entry(b"Title").and_then(|title| clean_title(&title));
    extracted.author = entry(b"Author").and_then(|author| clean_author(&author));
    extracted.created_at = entry(b"CreationDate").and_then(|date| dated(&date));
    extracted.modified_at = entry(b"ModDate").and_then(|date| dated(&date));
    let metadata = document.catalog().ok().and_then(|catalog| get(document, catalog, b"Metadata"));
    if let Some(Object::Stream(metadata)) = metadata
        && let Some(packet) = budget.unpack(metadata)?
    {
        let found = Packet::read(&packet);
        extracted.title = extracted.title.take().or_else(|| clean_title(&found.title));
        extracted.author = extracted.author.take().or_else(|| clean_author(&found.authors.join(", ")));
        extracted.created_at = extracted.created_at.or_else(|| dates::parse(&found.created));
        extracted.modified_at = extracted.modified_at.or_else(|| dates::parse(&found.modified));
    }
    Ok(())
}

fn clean_author(author: &str) -> Option<String> {
    const CHARACTERS: usize = 300;
    let author = running(author);
    let is_nobody =
        matches!(author.to_lowercase().as_str(), "unknown" | "anonymous" | "user" | "admin" | "administrator");
    let is_shown = author.chars().any(char::is_alphabetic) && !is_nobody;
    is_shown.then(|| author.chars().take(CHARACTERS).collect())
}

/// `D:20231224181500+01'00'`, any part after the year may be missing (section 7.9.4).
fn dated(date: &str) -> Option<Dated> {
    let date = date.trim();
    let date = date.strip_prefix("D:").unwrap_or(date);
    let digits = date.find(|c: char| !c.is_ascii_digit()).unwrap_or(date.len());
    let (date, zone) = date.split_at(digits);
    let year: i16 = date.get(..4)?.parse().ok()?;
    let part = |at: usize, missing: i8| match date.get(at..at + 2) {
        Some(two) => two.parse().ok(),
        None => Some(missing),
    };
    let time = Date::new(year, part(4, 1)?, part(6, 1)?).ok()?;
    let time = time.at(part(8, 0)?, part(10, 0)?, part(12, 0)?.min(59), 0);
    let sign = match zone.chars().next() {
        Some('+') => 1,
        Some('-') => -1,
        Some(_) => 0,
        None => return Some(Dated::Local(time)),
    };
    // `+01'00'`, `+01'00` and `+0100` occur.
    let zone: String = zone.chars().filter(char::is_ascii_digit).collect();
    let number = |at: usize| zone.get(at..at + 2).and_then(|number| number.parse::<i32>().ok()).unwrap_or(0);
    let seconds = sign * (number(0) * 3_600 + number(2) * 60);
    Some(Dated::At(Offset::from_seconds(seconds).ok()?.to_timestamp(time).ok()?))
}

/// What matters of an XMP packet (ISO 16684-1): each as elements, or as attributes of `rdf:Description`.
#[derive(Default)]
struct Packet {
    title: String,
    authors: Vec<String>,
    created: String,
    modified: String,
}

impl Packet {
    fn read(packet: &[u8]) -> Self {
        let mut found = Self::default();
        let mut inside: Option<&'static str> = None;
        // What was found before a fault in it counts.
        let _ = xml::for_each(packet, |event| {
            match event {
                Xml::Start(start, name) => {
                    match name {
                        "title" => inside = Some("title"),
                        "creator" => inside = Some("creator"),
                        "CreateDate" => inside = Some("CreateDate"),
                        "ModifyDate" => inside = Some("ModifyDate"),
                        // The title in one language is enough.
                        "li" if inside == Some("title") && !found.title.trim().is_empty() => inside = None,
                        "li" if inside == Some("creator") => found.authors.push(String::new()),
                        "Description" => {
                            for attribute in start.attributes().flatten() {
                                let value = String::from_utf8_lossy(&attribute.value).into_owned();
                                match attribute.key.local_name().as_ref() {
                                    b"CreateDate" => found.created = value,
                                    b"ModifyDate" => found.modified = value,
                                    _ => {}
                                }
                            }
                        }
                        _ => {}
                    }
                }
                Xml::End(name) => {
                    if Some(name) == inside {
                        inside = None;
                    }
                }
                Xml::Text(text) => match inside {
                    Some("title") => found.title.push_str(text),
                    Some("creator") => {
                        if let Some(author) = found.authors.last_mut() {
                            author.push_str(text.trim_matches('\n'));
                        }
                    }
                    Some("CreateDate") => found.created.push_str(text),
                    Some("ModifyDate") => found.modified.push_str(text),
                    _ => {}
                },
            }
            Ok(())
        });
        found.authors.iter_mut().for_each(|author| *author = author.trim().to_owned());
        found.authors.retain(|author| !author.is_empty());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_with_and_without_zones() {
        for (date, expected) in [
            ("D:20231224181530+01'00'", Some("2023-12-24T17:15:30Z")),
            ("D:20231224181530-0530", Some("2023-12-24T23:45:30Z")),
            ("D:20231224181530Z00'00'", Some("2023-12-24T18:15:30Z")),
            ("20231224", Some("2023-12-24T00:00:00")),
            ("D:2023", Some("2023-01-01T00:00:00")),
            ("D:20231399", None),
            ("D:20230229", None),
            ("yesterday", None),
            ("D:20231224+99'99'", None),
        ] {
            assert_eq!(dated(date).map(|time| time.to_string()).as_deref(), expected, "{date}");
        }
    }

    #[test]
    fn packets_as_elements_and_attributes() {
        let packet = Packet::read(
            br#"<x:xmpmeta xmlns:x="x"><rdf:RDF><rdf:Description xmp:CreateDate="2023-12-24T18:15:30+01:00">
            <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Leave &amp; pay</rdf:li><rdf:li xml:lang="de">Urlaub</rdf:li></rdf:Alt></dc:title>
            <dc:creator><rdf:Seq><rdf:li>Anna</rdf:li><rdf:li>Bo</rdf:li></rdf:Seq></dc:creator>
            <xmp:ModifyDate>2024-01-02T03:04:05Z</xmp:ModifyDate></rdf:Description></rdf:RDF></x:xmpmeta>"#,
        );
        assert_eq!(packet.title.trim(), "Leave & pay");
        assert_eq!(packet.authors, ["Anna", "Bo"]);
        assert_eq!(
            (packet.created.as_str(), packet.modified.as_str()),
            ("2023-12-24T18:15:30+01:00", "2024-01-02T03:04:05Z")
        );
    }
}
