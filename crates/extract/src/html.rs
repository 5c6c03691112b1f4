//! HTML: the main content, without navigation, banners, scripts and forms.

mod hidden;

use crate::blocks::{Blocks, clean_title, first_heading};
use crate::properties::{Properties, clean_author};
use crate::{ExtractError, Extracted, Limits, dates, encoding};
use domain::{Block, BlockKind};
use encoding_rs::Encoding;
use hidden::Hidden;
use scraper::{ElementRef, Html, Node, Selector};
use std::collections::HashMap;

/// Elements without text of the document.
const SKIPPED: [&str; 24] = [
    "nav", "script", "style", "aside", "noscript", "template", "svg", "math", "iframe", "object", "button", "select",
    "textarea", "input", "dialog", "head", "canvas", "audio", "video", "map", "datalist", "frameset", "menu", "footer",
];

/// Elements whose start and end also end a block of text.
const BLOCK_LEVEL: [&str; 32] = [
    "address",
    "article",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "form",
    "header",
    "hr",
    "html",
    "legend",
    "main",
    "ol",
    "p",
    "search",
    "section",
    "summary",
    "table",
    "tbody",
    "tfoot",
    "thead",
    "ul",
    "hgroup",
    "optgroup",
];

/// How deep elements may nest. The parser looks through all open elements at each tag, so that its time grows with
/// the square of the depth.
const DEPTH: usize = 4_000;

pub(crate) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let (text, damaged) = encoding::decode(bytes, declared_encoding(bytes));
    let page = parse(&text)?;
    let hidden = Hidden::of(&page);
    let mut blocks = read(main_content(&page), &hidden, limits)?;
    if blocks.is_empty() {
        blocks = read(page.root_element(), &hidden, limits)?;
    }
    if blocks.is_empty() {
        return Err(ExtractError::NoText { reason: "the page shows nothing without a browser; print it to PDF" });
    }
    let title = select(&page, "title").next().map(|element| element.text().collect::<String>());
    let title = title.as_deref().and_then(clean_title).or_else(|| first_heading(&blocks));
    let warnings = if damaged { vec!["some characters could not be decoded".to_owned()] } else { Vec::new() };
    Ok(properties(&page).with(Extracted { title, blocks, pages: None, warnings, ..Extracted::default() }))
}

/// Author and dates from `meta` elements: the names of the HTML standard (section 4.2.5.1), Dublin Core and the Open
/// Graph protocol.
fn properties(page: &Html) -> Properties {
    let mut found: HashMap<String, &str> = HashMap::new();
    for element in select(page, "meta[content]").map(|element| element.value()) {
        let name = element.attr("name").or_else(|| element.attr("property")).or_else(|| element.attr("itemprop"));
        if let Some((name, content)) = name.zip(element.attr("content")) {
            found.entry(name.to_ascii_lowercase()).or_insert(content);
        }
    }
    let first = |names: &[&str]| names.iter().find_map(|name| found.get(*name).copied());
    let date = |names: &[&str]| names.iter().filter_map(|name| found.get(*name)).find_map(|text| dates::parse(text));
    let created = [
        "article:published_time",
        "dcterms.created",
        "dcterms.issued",
        "dcterms.date",
        "dc.date",
        "datepublished",
        "date",
    ];
    let modified = ["article:modified_time", "dcterms.modified", "dc.date.modified", "datemodified", "last-modified"];
    Properties {
        title: None,
        author: first(&["author", "dcterms.creator", "dc.creator"]).and_then(clean_author),
        created_at: date(&created),
        modified_at: date(&modified),
    }
}

/// The blocks of a piece of HTML inside another format.
pub(crate) fn fragment(markup: &str, limits: &Limits) -> Result<Vec<Block>, ExtractError> {
    let page = parse(markup)?;
    read(page.root_element(), &Hidden::of(&page), limits)
}

fn parse(text: &str) -> Result<Html, ExtractError> {
    if depth(text) > DEPTH {
        return Err(ExtractError::TooLarge { what: "the depth of its elements", limit: DEPTH.to_string() });
    }
    Ok(Html::parse_document(text))
}

/// An upper bound of how deep the elements nest: tags that open and are not closed, without those that the parser
/// closes by itself.
fn depth(text: &str) -> usize {
    const CLOSED_BY_PARSER: [&str; 26] = [
        "p", "li", "dt", "dd", "option", "tr", "td", "th", "tbody", "thead", "tfoot", "br", "img", "hr", "input",
        "meta", "link", "col", "area", "base", "embed", "source", "track", "wbr", "param", "colgroup",
    ];
    let (mut open, mut deepest) = (0_usize, 0_usize);
    for tag in text.split('<').skip(1) {
        let (closes, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
        let end = tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let name = &tag[..end];
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        if CLOSED_BY_PARSER.iter().any(|other| name.eq_ignore_ascii_case(other)) {
            continue;
        }
        open = if closes { open.saturating_sub(1) } else { open + 1 };
        deepest = deepest.max(open);
    }
    deepest
}

/// The encoding in a `meta` element of the first 1024 bytes, as the HTML standard looks for it.
fn declared_encoding(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    let (_, after) = head.split_once("charset=")?;
    let label = after.trim_start_matches(['"', '\'', ' ']);
    let end = label.find(|c: char| !c.is_ascii_alphanumeric() && !"-_:.".contains(c)).unwrap_or(label.len());
    Encoding::for_label(&label.as_bytes()[..end])
}

fn select<'p>(page: &'p Html, selector: &str) -> impl Iterator<Item = ElementRef<'p>> {
    Selector::parse(selector).ok().into_iter().flat_map(|selector| page.select(&selector).collect::<Vec<_>>())
}

/// The one `main` element, or the one article, or the body.
fn main_content(page: &Html) -> ElementRef<'_> {
    let only = |selector: &str| {
        let mut found = select(page, selector).filter(|element| element.text().any(|text| !text.trim().is_empty()));
        let first = found.next();
        if found.next().is_none() { first } else { None }
    };
    only("main, [role=main]")
        .or_else(|| only("article"))
        .or_else(|| only("body"))
        .unwrap_or_else(|| page.root_element())
}

/// Walks the tree without recursion: how deep it goes is up to whoever wrote the page.
fn read(root: ElementRef<'_>, hidden: &Hidden, limits: &Limits) -> Result<Vec<Block>, ExtractError> {
    let mut reader = Reader::new(limits);
    let mut node = *root;
    loop {
        let element = ElementRef::wrap(node)
            .filter(|&element| element == root || !(is_skipped(element) || hidden.hides(element)));
        if let Some(element) = element {
            reader.open(element.value().name())?;
        } else if let Node::Text(text) = node.value() {
            reader.text.push_str(text);
        }
        if let Some(child) = node.first_child().filter(|_| element.is_some()) {
            node = child;
            continue;
        }
        if let Some(element) = element {
            reader.close(element.value().name())?;
        }
        // Up to the next sibling of this node or of one above it.
        loop {
            if node.id() == root.id() {
                reader.flush()?;
                return Ok(reader.blocks.into_vec());
            }
            if let Some(sibling) = node.next_sibling() {
                node = sibling;
                break;
            }
            let Some(parent) = node.parent() else { return Ok(reader.blocks.into_vec()) };
            node = parent;
            if let Some(element) = ElementRef::wrap(node) {
                reader.close(element.value().name())?;
            }
        }
    }
}

fn is_skipped(element: ElementRef<'_>) -> bool {
    let value = element.value();
    let is_hidden = value.attr("hidden").is_some() || value.attr("aria-hidden") == Some("true");
    let is_furniture = matches!(value.attr("role"), Some("navigation" | "banner" | "contentinfo" | "search"));
    // The header of an article holds its title, that of the page its logo.
    let is_banner = value.name() == "header"
        && !element
            .ancestors()
            .filter_map(ElementRef::wrap)
            .any(|above| matches!(above.value().name(), "main" | "article" | "section"));
    is_hidden || is_furniture || is_banner || SKIPPED.contains(&value.name())
}

struct Reader<'a> {
    blocks: Blocks<'a>,
    text: String,
    /// Open elements that set the kind of the text in them, innermost last.
    kinds: Vec<BlockKind>,
    /// Cells of the open row, while the outermost table is open.
    cells: Vec<String>,
    tables: usize,
}

impl<'a> Reader<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self { blocks: Blocks::new(limits), text: String::new(), kinds: Vec::new(), cells: Vec::new(), tables: 0 }
    }

    fn open(&mut self, name: &str) -> Result<(), ExtractError> {
        match name {
            "table" if self.tables > 0 => self.tables += 1,
            "table" => {
                self.flush()?;
                self.tables = 1;
            }
            // Inside a table everything is text of a cell.
            "td" | "th" if self.tables == 1 => self.text.clear(),
            _ if self.tables > 0 => self.separate(name),
            "br" => self.text.push('\n'),
            "img" | "hr" => {}
            _ => {
                if let Some(kind) = kind(name) {
                    self.flush()?;
                    self.kinds.push(kind);
                } else if BLOCK_LEVEL.contains(&name) {
                    self.flush()?;
                }
            }
        }
        Ok(())
    }

    fn close(&mut self, name: &str) -> Result<(), ExtractError> {
        match name {
            "table" => {
                self.tables = self.tables.saturating_sub(1);
                if self.tables == 0 {
                    self.text.clear();
                } else {
                    self.text.push(' ');
                }
            }
            "td" | "th" if self.tables == 1 => self.cells.push(std::mem::take(&mut self.text)),
            "tr" if self.tables == 1 => {
                let cells = std::mem::take(&mut self.cells);
                self.blocks.push_row(&cells, None)?;
            }
            "caption" if self.tables == 1 => self.flush()?,
            _ if self.tables > 0 => self.separate(name),
            _ => {
                if kind(name).is_some() {
                    self.flush()?;
                    self.kinds.pop();
                } else if BLOCK_LEVEL.contains(&name) {
                    self.flush()?;
                }
            }
        }
        Ok(())
    }

    fn separate(&mut self, name: &str) {
        if name == "br" || kind(name).is_some() || BLOCK_LEVEL.contains(&name) || matches!(name, "td" | "th" | "tr") {
            self.text.push(' ');
        }
    }

    fn flush(&mut self) -> Result<(), ExtractError> {
        let text = std::mem::take(&mut self.text);
        self.blocks.push(self.kinds.last().copied().unwrap_or(BlockKind::Paragraph), &text, None)
    }
}

fn kind(name: &str) -> Option<BlockKind> {
    Some(match name {
        "h1" => BlockKind::Heading(1),
        "h2" => BlockKind::Heading(2),
        "h3" => BlockKind::Heading(3),
        "h4" => BlockKind::Heading(4),
        "h5" => BlockKind::Heading(5),
        "h6" => BlockKind::Heading(6),
        "li" => BlockKind::ListItem,
        "pre" | "listing" | "plaintext" | "xmp" => BlockKind::Preformatted,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, title: Option<&str>, expected: &[(BlockKind, &str)]) {
        let extracted = extract(input.as_bytes(), &Limits::default()).unwrap();
        let found: Vec<_> = extracted.blocks.iter().map(|block| (block.kind, block.text.as_str())).collect();
        assert_eq!(found, expected);
        assert_eq!(extracted.title.as_deref(), title);
    }

    #[test]
    fn the_main_content_and_nothing_else() {
        use BlockKind::{Heading, ListItem, Paragraph, Preformatted, TableRow};
        check(
            "<!doctype html><html><head><title>Leave &amp; rest</title><style>p{}</style></head><body>\
             <header>Logo</header><nav><ul><li>Home</li></ul></nav><main><header><h1>Leave\n <em>rules</em></h1></header>\
             <p>You get<br>24&nbsp;days<!-- no --><script>x()</script>.</p>loose<ul><li>one<ol><li><p>inner</p></li></ol>\
             <li>two <b>bold</b></ul><table><caption>Bands</caption><thead><tr><th>Band<th>Pay</thead>\
             <tr><td><p>a</p><p>b</p><td>27,600<tr><td></table><pre>ls\n  cd</pre><aside>Ad</aside>\
             <p hidden>secret</p><p style='display:none'>secret</p><form><p>Form text</p><button>Send</button></form></main><footer>Imprint</footer>",
            Some("Leave & rest"),
            &[
                (Heading(1), "Leave rules"),
                (Paragraph, "You get 24 days."),
                (Paragraph, "loose"),
                (ListItem, "one"),
                (ListItem, "inner"),
                (ListItem, "two bold"),
                (Paragraph, "Bands"),
                (TableRow, "Band | Pay"),
                (TableRow, "a b | 27,600"),
                (Preformatted, "ls\n  cd"),
                (Paragraph, "Form text"),
            ],
        );
    }

    #[test]
    fn nested_tables_are_text_of_their_cell() {
        check(
            "<table><tr><td>a<table><tr><td>b</td><td>c</td></tr></table></td><td>d</td></tr></table><h2>End</h2>",
            None,
            &[(BlockKind::TableRow, "a b c | d"), (BlockKind::Heading(2), "End")],
        );
    }

    #[test]
    fn a_declared_encoding_is_used() {
        let page = b"<meta http-equiv=content-type content='text/html; charset=windows-1251'><p>\xcf\xee\xf0\xf2 X";
        assert_eq!(extract(page, &Limits::default()).unwrap().blocks[0].text, "Порт X");
    }

    #[test]
    fn authors_and_dates_are_in_the_head() {
        let page = "<meta name=Author content='Ada L'><meta property='article:published_time' content='soon'>\
                    <meta name='DC.date' content='2026-03-01'><meta name=dcterms.modified content='2026-03-02T10:00:00Z'><p>x";
        let found = extract(page.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(found.author.as_deref(), Some("Ada L"));
        assert_eq!(found.created_at.map(|time| time.to_string()).as_deref(), Some("2026-03-01T00:00:00"));
        assert_eq!(found.modified_at.map(|time| time.to_string()).as_deref(), Some("2026-03-02T10:00:00Z"));
    }

    #[test]
    fn pages_without_text_say_so() {
        let error = extract(b"<html><div id=root></div><script>app()</script>", &Limits::default()).unwrap_err();
        assert!(matches!(error, ExtractError::NoText { .. }), "{error}");
    }

    #[test]
    fn deep_nesting_ends_well() {
        let deep = |tag: &str, depth: usize| format!("<{tag}>").repeat(depth) + "deep";
        for (page, fine) in [
            (deep("div", DEPTH), true),
            (deep("div", 100_000), false),
            (deep("b", 100_000), false),
            (deep("table", 100_000), false),
            (deep("p", 100_000), true),
            ("<li>x".repeat(100_000), true),
            ("<p><b>x".repeat(3_000), true),
        ] {
            let started = std::time::Instant::now();
            let found = extract(page.as_bytes(), &Limits::default());
            assert_eq!(found.is_ok(), fine, "{} {found:?}", &page[..20]);
            assert!(started.elapsed().as_secs() < 20, "{} {:?}", &page[..20], started.elapsed());
        }
    }
}
