//! Markdown of the manual as HTML: only what is known here comes out, and every text is escaped.

use super::resolve;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A page as HTML.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rendered {
    /// Without its first heading.
    pub(crate) html: String,
    /// Its parts: id and heading.
    pub(crate) parts: Vec<(String, String)>,
}

pub(crate) fn render(markdown: &str) -> Rendered {
    let mut writer = Writer::default();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        writer.take(event);
    }
    writer.rendered
}

#[derive(Default)]
struct Writer {
    rendered: Rendered,
    /// The text of the heading that is being read.
    heading: Option<String>,
    /// For each link that is open, whether it leads anywhere.
    links: Vec<bool>,
    in_table_head: bool,
}

impl Writer {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.open(&tag),
            Event::End(tag) => self.close(tag),
            Event::Text(text) => self.text(&text),
            Event::Code(code) => {
                self.add("<code>");
                self.text(&code);
                self.add("</code>");
            }
            Event::SoftBreak => self.text(" "),
            Event::HardBreak => self.add("<br>"),
            Event::Rule => self.add("<hr>"),
            // Nothing of a page is HTML.
            Event::Html(raw) | Event::InlineHtml(raw) => self.text(&raw),
            _ => {}
        }
    }

    fn open(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Heading { .. } => self.heading = Some(String::new()),
            Tag::Paragraph => self.add("<p>"),
            Tag::BlockQuote(_) => self.add("<blockquote>"),
            Tag::CodeBlock(kind) => {
                let prompt = matches!(kind, CodeBlockKind::Fenced(language) if &**language == "sh");
                self.add(if prompt {
                    "<pre class=\"commands\" tabindex=\"0\"><code>"
                } else {
                    "<pre tabindex=\"0\"><code>"
                });
            }
            Tag::List(None) => self.add("<ul>"),
            Tag::List(Some(first)) => self.add(&format!("<ol start=\"{first}\">")),
            Tag::Item => self.add("<li>"),
            Tag::Table(_) => self.add("<div class=\"table-box\" tabindex=\"0\"><table>"),
            Tag::TableHead => {
                self.in_table_head = true;
                self.add("<thead><tr>");
            }
            Tag::TableRow => self.add("<tr>"),
            Tag::TableCell => self.add(if self.in_table_head { "<th scope=\"col\">" } else { "<td>" }),
            Tag::Emphasis => self.add("<em>"),
            Tag::Strong => self.add("<strong>"),
            Tag::Link { dest_url, .. } => {
                let address = resolve(dest_url);
                if let Some(address) = &address {
                    self.add("<a href=\"");
                    self.text(address);
                    self.add("\">");
                }
                self.links.push(address.is_some());
            }
            _ => {}
        }
    }

    fn close(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => self.end_heading(level),
            TagEnd::Paragraph => self.add("</p>"),
            TagEnd::BlockQuote(_) => self.add("</blockquote>"),
            TagEnd::CodeBlock => self.add("</code></pre>"),
            TagEnd::List(true) => self.add("</ol>"),
            TagEnd::List(false) => self.add("</ul>"),
            TagEnd::Item => self.add("</li>"),
            TagEnd::Table => self.add("</tbody></table></div>"),
            TagEnd::TableHead => {
                self.in_table_head = false;
                self.add("</tr></thead><tbody>");
            }
            TagEnd::TableRow => self.add("</tr>"),
            TagEnd::TableCell => self.add(if self.in_table_head { "</th>" } else { "</td>" }),
            TagEnd::Emphasis => self.add("</em>"),
            TagEnd::Strong => self.add("</strong>"),
            TagEnd::Link if self.links.pop() == Some(true) => self.add("</a>"),
            _ => {}
        }
    }

    fn end_heading(&mut self, level: HeadingLevel) {
        let text = self.heading.take().unwrap_or_default();
        // The page shows the first one itself.
        if level == HeadingLevel::H1 {
            return;
        }
        let id = anchor(&text);
        let tag = if level == HeadingLevel::H2 { "h2" } else { "h3" };
        self.add(&format!("<{tag} id=\"{id}\">"));
        self.text(&text);
        self.add(&format!("</{tag}>"));
        if level == HeadingLevel::H2 {
            self.rendered.parts.push((id, text));
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(heading) = &mut self.heading {
            heading.push_str(text);
            return;
        }
        for letter in text.chars() {
            match letter {
                '&' => self.rendered.html.push_str("&amp;"),
                '<' => self.rendered.html.push_str("&lt;"),
                '>' => self.rendered.html.push_str("&gt;"),
                '"' => self.rendered.html.push_str("&quot;"),
                other => self.rendered.html.push(other),
            }
        }
    }

    /// Adds markup of ours; a heading has none.
    fn add(&mut self, markup: &str) {
        if self.heading.is_none() {
            self.rendered.html.push_str(markup);
        }
    }
}

/// What a heading is linked by, as forges make it: small letters, dashes for spaces, nothing else.
fn anchor(heading: &str) -> String {
    let letter = |c: char| match c {
        ' ' | '-' => Some('-'),
        c if c.is_alphanumeric() || c == '_' => Some(c),
        _ => None,
    };
    heading.to_lowercase().chars().filter_map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_comes_out_and_all_text_is_escaped() {
        let page = "# Title\n\n## When `it` is *full*\n\nSee [backup](backup.md#once) and [out](https://example.org), <b onclick=x>raw</b> & so \
                    on.\n\n```sh\ncarrel doctor 2>&1\n```\n\n| a | b |\n|---|---|\n| 1 | `2 < 3` |\n\n- one\n- two\n";
        let Rendered { html, parts } = render(page);
        assert_eq!(parts, [("when-it-is-full".to_owned(), "When it is full".to_owned())]);
        assert!(html.starts_with(
            "<h2 id=\"when-it-is-full\">When it is full</h2><p>See <a href=\"/manual/backup#once\">backup</a> and out, "
        ));
        assert!(html.contains("&lt;b onclick=x&gt;raw&lt;/b&gt; &amp; so on."), "{html}");
        assert!(
            html.contains("<pre class=\"commands\" tabindex=\"0\"><code>carrel doctor 2&gt;&amp;1\n</code></pre>"),
            "{html}"
        );
        assert!(html.contains("<th scope=\"col\">a</th>") && html.contains("<td><code>2 &lt; 3</code></td>"), "{html}");
        assert!(html.contains("<ul><li>one</li><li>two</li></ul>"), "{html}");
    }
}
