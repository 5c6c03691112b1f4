//! Markdown: CommonMark with tables, footnotes and YAML front matter.

use crate::blocks::{Blocks, clean_title, first_heading};
use crate::properties::{Properties, clean_author};
use crate::{ExtractError, Extracted, Limits, dates, encoding, html};
use domain::BlockKind;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

pub(crate) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let (text, damaged) = encoding::decode(bytes, None);
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut reader = Reader::new(limits);
    for event in Parser::new_ext(&text, options) {
        reader.read(event)?;
    }
    reader.flush()?;
    let (blocks, properties) = (reader.blocks.into_vec(), reader.properties);
    if blocks.is_empty() {
        return Err(ExtractError::Empty);
    }
    let title = properties.title.clone().or_else(|| first_heading(&blocks));
    let warnings = if damaged { vec!["some characters could not be decoded".to_owned()] } else { Vec::new() };
    Ok(properties.with(Extracted { title, blocks, pages: None, warnings, ..Extracted::default() }))
}

struct Reader<'a> {
    blocks: Blocks<'a>,
    limits: &'a Limits,
    text: String,
    kind: BlockKind,
    /// How many list items are open.
    items: usize,
    cells: Vec<String>,
    in_metadata: bool,
    html: Option<String>,
    properties: Properties,
}

impl<'a> Reader<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self {
            blocks: Blocks::new(limits),
            limits,
            text: String::new(),
            kind: BlockKind::Paragraph,
            items: 0,
            cells: Vec::new(),
            in_metadata: false,
            html: None,
            properties: Properties::default(),
        }
    }

    fn read(&mut self, event: Event<'_>) -> Result<(), ExtractError> {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) => {
                self.text.push_str(&text);
                Ok(())
            }
            Event::Html(markup) => {
                self.html.get_or_insert_default().push_str(&markup);
                Ok(())
            }
            Event::SoftBreak | Event::HardBreak => {
                self.text.push(if self.kind == BlockKind::Preformatted { '\n' } else { ' ' });
                Ok(())
            }
            Event::InlineHtml(markup) => {
                if markup.starts_with("<br") {
                    self.text.push(' ');
                }
                Ok(())
            }
            Event::TaskListMarker(done) => {
                self.text.push_str(if done { "[x] " } else { "[ ] " });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, tag: &Tag<'_>) -> Result<(), ExtractError> {
        match tag {
            Tag::MetadataBlock(_) => self.in_metadata = true,
            Tag::Heading { level, .. } => self.begin(BlockKind::Heading(depth(*level)))?,
            Tag::CodeBlock(_) => self.begin(BlockKind::Preformatted)?,
            Tag::Item => {
                self.items += 1;
                self.begin(BlockKind::ListItem)?;
            }
            Tag::Paragraph => {
                let kind = if self.items > 0 { BlockKind::ListItem } else { BlockKind::Paragraph };
                // The text of a loose item is a paragraph of its own; its task marker stays with it.
                if !self.text.is_empty() && self.kind == kind {
                    return Ok(());
                }
                self.begin(kind)?;
            }
            Tag::Table(_) | Tag::HtmlBlock => self.flush()?,
            Tag::TableHead | Tag::TableRow => self.cells.clear(),
            Tag::TableCell => self.text.clear(),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, tag: TagEnd) -> Result<(), ExtractError> {
        match tag {
            TagEnd::MetadataBlock(_) => {
                self.properties = front_matter(&std::mem::take(&mut self.text));
                self.in_metadata = false;
            }
            TagEnd::Heading(_) | TagEnd::Paragraph | TagEnd::CodeBlock => self.flush()?,
            TagEnd::Item => {
                self.flush()?;
                self.items = self.items.saturating_sub(1);
            }
            TagEnd::TableCell => self.cells.push(std::mem::take(&mut self.text)),
            TagEnd::TableHead | TagEnd::TableRow => {
                let cells = std::mem::take(&mut self.cells);
                self.blocks.push_row(&cells, None)?;
            }
            TagEnd::HtmlBlock => {
                let markup = self.html.take().unwrap_or_default();
                for block in html::fragment(&markup, self.limits)? {
                    self.blocks.push(block.kind, &block.text, None)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, kind: BlockKind) -> Result<(), ExtractError> {
        self.flush()?;
        self.kind = kind;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ExtractError> {
        let text = std::mem::take(&mut self.text);
        if self.in_metadata { Ok(()) } else { self.blocks.push(self.kind, &text, None) }
    }
}

const fn depth(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

/// What a YAML front matter says at its top level; plain or quoted scalars on one line, or a list of authors.
fn front_matter(yaml: &str) -> Properties {
    let scalar = |name: &str| {
        let value = yaml.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(unquoted(value).to_owned())
    };
    let date = |names: [&str; 3]| names.iter().find_map(|name| dates::parse(&scalar(name)?.replacen(' ', "T", 1)));
    let authors = scalar("authors").map(|list| {
        let inside = list.trim_matches(['[', ']']);
        inside.split(',').map(unquoted).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ")
    });
    Properties {
        title: scalar("title").as_deref().and_then(clean_title),
        author: scalar("author").or(authors).as_deref().and_then(clean_author),
        created_at: date(["date", "created", "published"]),
        modified_at: date(["lastmod", "updated", "modified"]),
    }
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value)
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
    fn front_matter_says_who_and_when() {
        let found =
            front_matter("title: x\nauthors: [\"Ada L\", 'Bo']\ndate: 2026-03-01 10:00:00\nlastmod: \"2026-03-02\"\n");
        assert_eq!(found.author.as_deref(), Some("Ada L, Bo"));
        assert_eq!(found.created_at.map(|time| time.to_string()).as_deref(), Some("2026-03-01T10:00:00"));
        assert_eq!(found.modified_at.map(|time| time.to_string()).as_deref(), Some("2026-03-02T00:00:00"));
        assert_eq!(front_matter("author: Cy\n").author.as_deref(), Some("Cy"));
        assert_eq!(front_matter("  author: nested\n"), Properties::default());
    }

    #[test]
    fn every_kind_of_block() {
        use BlockKind::{Heading, ListItem, Paragraph, Preformatted, TableRow};
        check(
            "---\nowner: x\ntitle: \"Leave rules\"\n---\n# Leave *and* `rest`\n\nYou get\n**24** days [^1].\n\n\
             - one\n  - inner\n- two\n\n  more of two\n- [x] done\n\n| Band | Pay |\n|---|---|\n| 1 | 27,600 |\n\n\
             ```sh\nls -l\n  cd\n```\n\n> quoted\n\n<div>In <b>HTML</b></div>\n\nSetext\n---\n\n[^1]: Since 2024.\n",
            Some("Leave rules"),
            &[
                (Heading(1), "Leave and rest"),
                (Paragraph, "You get 24 days ."),
                (ListItem, "one"),
                (ListItem, "inner"),
                (ListItem, "two"),
                (ListItem, "more of two"),
                (ListItem, "[x] done"),
                (TableRow, "Band | Pay"),
                (TableRow, "1 | 27,600"),
                (Preformatted, "ls -l\n  cd"),
                (Paragraph, "quoted"),
                (Paragraph, "In HTML"),
                (Heading(2), "Setext"),
                (Paragraph, "Since 2024."),
            ],
        );
    }

    #[test]
    fn the_title_is_the_first_heading_without_front_matter() {
        check("intro\n\n# Top\n", Some("Top"), &[(BlockKind::Paragraph, "intro"), (BlockKind::Heading(1), "Top")]);
        check("just text", None, &[(BlockKind::Paragraph, "just text")]);
    }

    #[test]
    fn deep_nesting_ends_well() {
        let quotes = ">".repeat(100_000);
        let lists: String = (0..2_000).map(|depth| format!("{}- x\n", " ".repeat(depth))).collect();
        let brackets = "[".repeat(50_000);
        for input in [quotes + " deep", lists, brackets, "*a ".repeat(50_000)] {
            assert!(extract(input.as_bytes(), &Limits::default()).is_ok_and(|extracted| !extracted.blocks.is_empty()));
        }
    }
}
