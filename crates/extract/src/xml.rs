//! Reads the XML parts of Office files as a stream of plain events.

use crate::ExtractError;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// How deep elements may nest.
const DEPTH: usize = 1_000;

/// One event; element names come without their namespace prefix, entities as the text they stand for.
pub(crate) enum Xml<'a> {
    Start(&'a BytesStart<'a>, &'a str),
    End(&'a str),
    Text(&'a str),
}

/// Reads `part` and passes each event to `handle`. Only the five predefined entities and character references are
/// replaced; entities that the document declares itself stay unexpanded, so that they cannot multiply.
pub(crate) fn for_each(
    part: &[u8],
    mut handle: impl FnMut(Xml<'_>) -> Result<(), ExtractError>,
) -> Result<(), ExtractError> {
    let mut reader = Reader::from_reader(part);
    reader.config_mut().check_end_names = true;
    let mut depth = 0_usize;
    loop {
        let event = reader.read_event().map_err(|_| broken())?;
        match event {
            Event::Start(start) => {
                depth += 1;
                if depth > DEPTH {
                    return Err(ExtractError::damaged(format!("its elements nest deeper than {DEPTH}")));
                }
                let name = start.local_name();
                handle(Xml::Start(&start, utf8(name.as_ref())?))?;
            }
            Event::Empty(start) => {
                let name = start.local_name();
                handle(Xml::Start(&start, utf8(name.as_ref())?))?;
                handle(Xml::End(utf8(name.as_ref())?))?;
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                handle(Xml::End(utf8(end.local_name().as_ref())?))?;
            }
            Event::Text(text) => handle(Xml::Text(&text.decode().map_err(|_| broken())?))?,
            Event::CData(text) => handle(Xml::Text(&text.decode().map_err(|_| broken())?))?,
            Event::GeneralRef(reference) => {
                if let Ok(Some(c)) = reference.resolve_char_ref() {
                    handle(Xml::Text(c.encode_utf8(&mut [0; 4])))?;
                } else if let Some(text) = reference.decode().ok().and_then(|name| predefined(&name)) {
                    handle(Xml::Text(text))?;
                }
            }
            Event::Eof if depth > 0 => return Err(ExtractError::damaged("it ends too early")),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// The value of an attribute by its local name.
pub(crate) fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.attributes().flatten().find(|found| found.key.local_name().as_ref() == name.as_bytes())?;
    attribute.unescape_value().ok().map(std::borrow::Cow::into_owned)
}

/// The value of an attribute that has this local name and a prefix, such as `r:id` beside a plain `id`.
pub(crate) fn prefixed_attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = element.attributes().flatten();
    let attribute =
        attributes.find(|found| found.key.prefix().is_some() && found.key.local_name().as_ref() == name.as_bytes())?;
    attribute.unescape_value().ok().map(std::borrow::Cow::into_owned)
}

/// XML 1.0, section 4.6.
fn predefined(name: &str) -> Option<&'static str> {
    Some(match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        _ => return None,
    })
}

fn utf8(name: &[u8]) -> Result<&str, ExtractError> {
    std::str::from_utf8(name).map_err(|_| broken())
}

fn broken() -> ExtractError {
    ExtractError::damaged("its XML is broken")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(xml: &str) -> Result<String, ExtractError> {
        let mut found = String::new();
        for_each(xml.as_bytes(), |event| {
            if let Xml::Text(text) = event {
                found.push_str(text);
            }
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn declared_entities_are_not_expanded() {
        let bomb = "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]>\
                    <x>1 &lt; 2 &amp; &#x41;&#66;<![CDATA[<c>]]>&c;</x>";
        assert_eq!(text(bomb).unwrap(), "1 < 2 & AB<c>");
    }

    #[test]
    fn broken_deep_and_cut_xml_is_damaged() {
        for xml in ["<a></b>".to_owned(), "<a><b></b>".to_owned(), "<a>".repeat(100_000), "<a b='".to_owned()] {
            assert!(matches!(text(&xml), Err(ExtractError::Damaged { .. })), "{}", &xml[..5]);
        }
    }
}
