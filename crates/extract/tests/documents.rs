//! ODT, RTF and EPUB, made here.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{archive, check, check_refused, opendocument};
use extract::{Format, sniff};

#[test]
fn odt_headings_lists_tables_and_notes() {
    let cell = |text: &str| format!("<table:table-cell><text:p>{text}</text:p></table:table-cell>");
    let body = format!(
        "<office:text><text:tracked-changes><text:p>gone</text:p></text:tracked-changes><text:table-of-content><text:p>Scope 1</text:p></text:table-of-content>\
         <text:p text:style-name='P1'>Leave &amp; rest</text:p><text:h text:outline-level='2'>Scope</text:h>\
         <text:p>You get<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Since 2024.</text:p></text:note-body></text:note>\
         <text:s text:c='2'/>24<text:tab/>days<office:annotation><text:p>why?</text:p></office:annotation>.</text:p>\
         <text:list><text:list-item><text:p>one</text:p><text:list><text:list-item><text:p>inner</text:p></text:list-item></text:list></text:list-item></text:list>\
         <table:table><table:table-row table:number-rows-repeated='4000000000'>{}{}</table:table-row><table:table-row>{}<table:table-cell>\
         <text:p>27,600</text:p><table:table><table:table-row>{}{}</table:table-row></table:table></table:table-cell></table:table-row></table:table>\
         <text:p>See <draw:frame><svg:title>Alt</svg:title><draw:text-box><text:p>In a box</text:p></draw:text-box></draw:frame>around</text:p></office:text>",
        cell("Band"),
        cell("Pay"),
        cell("a"),
        cell("in"),
        cell("side")
    );
    let styles = "<x><style:style style:name='P1' style:family='paragraph' style:parent-style-name='Title'/></x>";
    let meta = "<office:meta><meta:initial-creator>Ada L</meta:initial-creator><dc:creator>Bo</dc:creator>\
                <meta:creation-date>2026-03-01T10:00:00.5</meta:creation-date><dc:date>2026-03-02T10:00:00</dc:date></office:meta>";
    let file = opendocument("text", &body, &[("styles.xml", styles), ("meta.xml", meta)]);
    let extracted = check(
        &file,
        "x.odt",
        &[
            "- h1 Leave & rest",
            "- h2 Scope",
            "- p You get 24 days.",
            "- p Since 2024.",
            "- li one",
            "- li inner",
            "- tr Band | Pay",
            "- tr a | 27,600 in side",
            "- p In a box",
            "- p See around",
        ],
    );
    assert_eq!(extracted.title.as_deref(), Some("Leave & rest"));
    assert_eq!(extracted.author.as_deref(), Some("Ada L"));
    assert_eq!(extracted.created_at.unwrap().to_string(), "2026-03-01T10:00:00.5");
    assert_eq!(extracted.modified_at.unwrap().to_string(), "2026-03-02T10:00:00");
}

#[test]
fn opendocument_files_that_cannot_be_read_say_so() {
    let manifest = "<manifest><file-entry><encryption-data/></file-entry></manifest>";
    check_refused(&opendocument("text", "", &[("META-INF/manifest.xml", manifest)]), "x.odt", "encrypted");
    check_refused(&opendocument("text", "<office:text/>", &[]), "x.odt", "holds no text");
    check_refused(&opendocument("database", "", &[]), "x.odb", "save it as PDF");
    check_refused(
        &archive(&[("mimetype", b"application/vnd.oasis.opendocument.text")]),
        "x.odt",
        "content.xml is missing",
    );
    let cut = opendocument("text", "<office:text><text:p>kept</text:p><text:p>", &[]);
    let extracted = check(&cut, "x.odt", &["- p kept"]);
    assert_eq!(extracted.warnings.len(), 1);
}

#[test]
fn rtf_text_styles_tables_and_notes() {
    let file = br"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset0 Times;}{\f1\fcharset204 Arial Cyr;}{\f2\fcharset2 Symbol;}{\f3\fcharset128 Mincho;}}
{\colortbl;\red0\green0\blue0;}{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 Chapter;}{\s2 heading 2;}{\*\cs5 Default;}}
{\info{\title Leave \'fc rules}{\author Ada L}{\creatim\yr2026\mo3\dy1\hr10\min30}{\company X}}
{\header Page}{\*\generator Writer;}{\pict\pngblip 89504e470d0a}
\pard\plain\s1 1 Scope\par
\pard\plain\s2\b Who{\v hidden}{\deleted gone}\par
\pard You get\u160?24\~days \endash{\uc2\u228 ae}\u8364\'80 {\footnote \chftn  Since 2024.}\f1 \'cf\'ee\'f0\'f2\f0  \'df{\f3 \'8a\'bf}\u-10179 ?\u-8704 ?\line end\bin5 }}}}}.\par
{\listtext\f2 \'b7\tab}\ls1 one\par\pard \ls0 {\field{\*\fldinst HYPERLINK x}{\fldrslt link}}\par
\trowd\cellx10\pard\intbl Band\cell Pay\par more\cell\row
\trowd\pard\intbl a\cell 27,600\cell\row\pard
\outlinelevel2 Deep\par \pard{\*\unknown text}{\*\shppict{\pict 00}}{\shp{\*\shpinst{\sp{\sn a}{\sv b}}{\shptxt \pard In a box\par}}}End}
after";
    let extracted = check(
        file,
        "x.rtf",
        &[
            "- h1 1 Scope",
            "- h2 Who",
            "- p You get 24 days –ä€ Порт ß漢😀 end.",
            "- p Since 2024.",
            "- li one",
            "- p link",
            "- tr Band | Pay more",
            "- tr a | 27,600",
            "- h3 Deep",
            "- p In a box",
            "- p End",
        ],
    );
    assert_eq!(extracted.title.as_deref(), Some("Leave ü rules"));
    assert_eq!(extracted.author.as_deref(), Some("Ada L"));
    assert_eq!(extracted.created_at.unwrap().to_string(), "2026-03-01T10:30:00");
    assert_eq!(extracted.warnings, [""; 0]);
}

#[test]
fn rtf_that_is_cut_off_or_deep() {
    let extracted = check(br"{\rtf1 Hello\par there", "x.rtf", &["- p Hello", "- p there"]);
    assert_eq!(extracted.warnings, ["the file ends too early"]);
    check_refused(br"{\rtf1\ansi{\pict 00}}", "x.rtf", "holds no text");
    check_refused(&[br"{\rtf1 ".as_slice(), &b"{".repeat(2_000)].concat(), "x.rtf", "nest deeper");
}

fn epub(package: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let container = b"<container><rootfiles><rootfile full-path='OPS/book.opf'/></rootfiles></container>";
    let mut parts: Vec<(&str, &[u8])> = vec![
        ("mimetype", b"application/epub+zip"),
        ("META-INF/container.xml", container),
        ("OPS/book.opf", package.as_bytes()),
    ];
    parts.extend(more.iter().map(|(name, part)| (*name, part.as_bytes())));
    archive(&parts)
}

#[test]
fn epub_chapters_follow_the_spine() {
    let item = |id: &str, href: &str, more: &str| {
        format!("<item id='{id}' href='{href}' media-type='application/xhtml+xml' {more}/>")
    };
    let package = format!(
        "<package><metadata><dc:title>Leave</dc:title><dc:creator>Ada L</dc:creator><dc:creator>Bo</dc:creator><dc:language>en</dc:language>\
         <dc:date>2026</dc:date><meta property='dcterms:modified'>2026-03-02T10:00:00Z</meta></metadata><manifest>{}{}{}{}\
         <item id='css' href='a.css' media-type='text/css'/></manifest>\
         <spine><itemref idref='nav'/><itemref idref='two'/><itemref idref='one'/><itemref idref='one'/><itemref idref='gone'/></spine></package>",
        item("nav", "nav.xhtml", "properties='nav'"),
        item("one", "text/one.xhtml#start", ""),
        item("two", "text/t%20wo.xhtml", ""),
        item("gone", "gone.xhtml", ""),
    );
    let page = |body: &str| {
        format!("<?xml version='1.0'?><html xmlns='x'><head><title>T</title></head><body>{body}</body></html>")
    };
    let file = epub(
        &package,
        &[
            ("OPS/nav.xhtml", &page("<p>Contents</p>")),
            ("OPS/text/one.xhtml", &page("<h2>One</h2><p>You get 24 days.</p>")),
            ("OPS/text/t wo.xhtml", &page("<h1>Two</h1><ul><li>a</li></ul>")),
        ],
    );
    let extracted = check(&file, "x.epub", &["- h1 Two", "- li a", "- h2 One", "- p You get 24 days."]);
    assert_eq!(extracted.title.as_deref(), Some("Leave"));
    assert_eq!(extracted.author.as_deref(), Some("Ada L, Bo"));
    assert_eq!(extracted.fields.get("language").map(String::as_str), Some("en"));
    assert_eq!(extracted.created_at.unwrap().to_string(), "2026-01-01T00:00:00");
    assert_eq!(extracted.modified_at.unwrap().to_string(), "2026-03-02T10:00:00Z");
    assert_eq!(extracted.warnings, ["the chapter OPS/gone.xhtml is missing in the file"]);

    let encryption = "<encryption><CipherReference URI='OPS/a.xhtml'/></encryption>";
    let package = format!(
        "<package><manifest>{}</manifest><spine><itemref idref='a'/></spine></package>",
        item("a", "a.xhtml", "")
    );
    check_refused(&epub(&package, &[("META-INF/encryption.xml", encryption)]), "x.epub", "encrypted");
    check_refused(&epub("<package/>", &[]), "x.epub", "holds no text");
    assert_eq!(sniff(&archive(&[("META-INF/container.xml", b"<x/>")]), "x"), Ok(Format::Epub));
}
