//! Chunk: blocks become passages along headings, pages and sentences, measured in the embedder's own tokens.
//!
//! Passages tile the text: every sentence stands in exactly one passage, in order. Nothing overlaps, since the
//! prompt is short and a sentence in it twice is a sentence too few.

use domain::{Block, BlockKind, Location};
use unicode_segmentation::UnicodeSegmentation;

/// A word with more characters than this may count as one token, however long it is: tokenizers of the WordPiece kind
/// take it for a word that they do not know.
const LONG_WORD: usize = 100;

/// Characters of such a word that are one token at least. Keys and long numbers have fewer to a token, words more.
const CHARACTERS_A_TOKEN: usize = 4;

/// Bytes that one token has at most, beside white space: a word that is not a long one, each of its characters four bytes.
const BYTES_A_TOKEN: usize = 4 * LONG_WORD;

/// How large passages are, in tokens of the embedder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// A passage is closed by a heading or a new page once it has this many.
    pub least: usize,
    /// A passage is closed before it would have more than this.
    pub most: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        // Models of the MiniLM kind were trained on texts of 128 to 256 tokens; title and headings go in as well.
        Self { least: 60, most: 190 }
    }
}

/// A passage before it has an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Page on which it begins.
    pub page: Option<u32>,
    /// Headings above it, outermost first.
    pub heading_path: Vec<String>,
    /// Its text, blocks separated by a line break.
    pub text: String,
    /// For every page that it touches the box around its text there, or the cells of a sheet.
    pub places: Vec<Location>,
}

/// Divides `blocks` into passages; `count` gives the tokens of a text.
pub fn chunks(blocks: &[Block], sizes: Sizes, count: impl Fn(&str) -> usize) -> Vec<Chunk> {
    let count = move |text: &str| match in_long_words(text) {
        // It has to be divided whatever is counted, and counting takes far more memory than the text.
        least if least > sizes.most => least,
        // So does this, which is no single word: those without end are dealt with above.
        _ if text.len() > sizes.most * BYTES_A_TOKEN => sizes.most + 1,
        least => count(text).max(least),
    };
    let mut chunker = Chunker { sizes, count, headings: Vec::new(), open: None, done: Vec::new() };
    for block in blocks {
        match block.kind {
            BlockKind::Heading(level) => chunker.heading(level, block),
            _ => chunker.body(block),
        }
    }
    chunker.close();
    chunker.done
}

struct Chunker<F> {
    sizes: Sizes,
    count: F,
    /// Headings above the present position, with their levels.
    headings: Vec<(u8, String)>,
    open: Option<Open>,
    done: Vec<Chunk>,
}

struct Open {
    chunk: Chunk,
    tokens: usize,
    /// Nothing but headings so far.
    bare: bool,
}

impl<F: Fn(&str) -> usize> Chunker<F> {
    fn heading(&mut self, level: u8, block: &Block) {
        if self.open.as_ref().is_some_and(|open| open.tokens >= self.sizes.least && !open.bare) {
            self.close();
        }
        self.headings.retain(|(above, _)| *above < level);
        self.headings.push((level, block.text.clone()));
        // A section too short to stand alone runs on into the next one, whose heading then stands in the text.
        if let Some(open) = &mut self.open {
            let shared = self.headings.iter().map(|(_, text)| text);
            let shared = open.chunk.heading_path.iter().zip(shared).take_while(|(a, b)| a == b).count();
            open.chunk.heading_path.truncate(shared);
            let tokens = (self.count)(&block.text);
            open.push(&block.text, tokens, "\n");
            open.stands_at(block.location);
        }
    }

    fn body(&mut self, block: &Block) {
        let page = block.location.page;
        let turned = self.open.as_ref().is_some_and(|open| open.chunk.page != page);
        if turned && self.open.as_ref().is_some_and(|open| open.tokens >= self.sizes.least) {
            self.close();
        }
        let mut separator = "\n";
        for sentence in sentences(block) {
            for (piece, tokens) in self.fitting(sentence) {
                let full = self.open.as_ref().is_some_and(|open| open.tokens + tokens > self.sizes.most);
                if full {
                    self.close();
                }
                let heading_path = || self.headings.iter().map(|(_, text)| text.clone()).collect();
                let open = self.open.get_or_insert_with(|| Open {
                    chunk: Chunk { page, heading_path: heading_path(), text: String::new(), places: Vec::new() },
                    tokens: 0,
                    bare: true,
                });
                open.push(&piece, tokens, separator);
                open.stands_at(block.location);
                open.bare = false;
                separator = if block.kind == BlockKind::Preformatted { "\n" } else { " " };
            }
        }
    }

    /// `sentence` whole if it fits a passage, else in pieces of whole words that do.
    fn fitting(&self, sentence: &str) -> Vec<(String, usize)> {
        let tokens = (self.count)(sentence);
        if tokens <= self.sizes.most {
            return vec![(sentence.to_owned(), tokens)];
        }
        let mut pieces: Vec<(String, usize)> = Vec::new();
        for (word, tokens) in sentence.split_inclusive(char::is_whitespace).flat_map(|word| self.cut(word)) {
            match pieces.last_mut() {
                Some((piece, sum)) if *sum + tokens <= self.sizes.most => {
                    piece.push_str(&word);
                    *sum += tokens;
                }
                _ => pieces.push((word, tokens)),
            }
        }
        pieces.iter_mut().for_each(|(piece, _)| *piece = piece.trim().to_owned());
        pieces.retain(|(piece, _)| !piece.is_empty());
        pieces
    }

    /// A word, or what passes for one (a key, a long number), in parts that fit a passage, with their tokens.
    fn cut(&self, word: &str) -> Vec<(String, usize)> {
        let tokens = (self.count)(word);
        if tokens <= self.sizes.most {
            return vec![(word.to_owned(), tokens)];
        }
        // Every token has at least one character, so this many characters always fit.
        let characters: Vec<char> = word.chars().collect();
        let is_long = in_long_words(word) > 0;
        let part = |part: &[char]| {
            let text: String = part.iter().collect();
            // A part may be no long word any more, and would be one again beside its neighbours.
            let least = if is_long { part.len() / CHARACTERS_A_TOKEN } else { 0 };
            let tokens = (self.count)(&text).max(least);
            (text, tokens)
        };
        characters.chunks(self.sizes.most.max(1)).map(part).collect()
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take()
            && !open.chunk.text.is_empty()
        {
            self.done.push(open.chunk);
        }
    }
}

impl Open {
    fn push(&mut self, text: &str, tokens: usize, separator: &str) {
        if !self.chunk.text.is_empty() {
            self.chunk.text.push_str(separator);
        }
        self.chunk.text.push_str(text);
        self.tokens += tokens;
    }

    /// Widens the box on the page, or the cells of the sheet, by where a block stands.
    fn stands_at(&mut self, at: Location) {
        if at.area.is_none() && at.cells.is_none() {
            return;
        }
        let Some(place) = self.chunk.places.iter_mut().find(|place| place.page == at.page) else {
            self.chunk.places.push(at);
            return;
        };
        place.area = place.area.zip(at.area).map(|(a, b)| a.around(b)).or(place.area).or(at.area);
        place.cells = place.cells.zip(at.cells).map(|(a, b)| a.around(b)).or(place.cells).or(at.cells);
    }
}

/// The least that a text counts by its long words.
fn in_long_words(text: &str) -> usize {
    let long = text.split_whitespace().filter(|word| word.len() > LONG_WORD).map(|word| word.chars().count());
    long.filter(|characters| *characters > LONG_WORD).map(|characters| characters / CHARACTERS_A_TOKEN).sum()
}

/// The sentences of a block (UAX #29); lines where line breaks matter; a table row stays whole.
fn sentences(block: &Block) -> Vec<&str> {
    let text = block.text.as_str();
    let parts: Vec<&str> = match block.kind {
        BlockKind::Preformatted => text.lines().collect(),
        BlockKind::TableRow => vec![text],
        _ => text.split_sentence_bounds().collect(),
    };
    let tidy: fn(&str) -> &str = if block.kind == BlockKind::Preformatted { str::trim_end } else { str::trim };
    parts.into_iter().map(tidy).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Location;
    use proptest::prelude::*;

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn block(kind: BlockKind, text: &str, page: u32) -> Block {
        Block { kind, text: text.to_owned(), location: Location::on_page(Some(page)) }
    }

    #[test]
    fn a_passage_ends_at_a_heading_and_carries_its_path() {
        let body = "Leave accrues every month at the same rate. Days not taken lapse in March.";
        let blocks = [
            block(BlockKind::Heading(1), "Handbook", 1),
            block(BlockKind::Heading(2), "Leave", 1),
            block(BlockKind::Paragraph, body, 1),
            block(BlockKind::Heading(2), "Hours", 2),
            block(BlockKind::Paragraph, "The day has eight hours.", 2),
        ];
        let found = chunks(&blocks, Sizes { least: 5, most: 50 }, words);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].heading_path, ["Handbook", "Leave"]);
        assert_eq!((found[0].text.as_str(), found[0].page), (body, Some(1)));
        assert_eq!(found[1].heading_path, ["Handbook", "Hours"]);
        assert_eq!(found[1].page, Some(2));
    }

    #[test]
    fn a_short_section_runs_on_under_the_heading_they_share() {
        let blocks = [
            block(BlockKind::Heading(1), "Canteen", 1),
            block(BlockKind::Heading(2), "Monday", 1),
            block(BlockKind::Paragraph, "Soup.", 1),
            block(BlockKind::Heading(2), "Tuesday", 1),
            block(BlockKind::Paragraph, "Fish.", 1),
        ];
        let found = chunks(&blocks, Sizes { least: 20, most: 50 }, words);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].heading_path, ["Canteen"]);
        assert_eq!(found[0].text, "Soup.\nTuesday\nFish.");
    }

    #[test]
    fn a_word_that_counts_as_one_token_is_divided_by_its_characters() {
        let endless: String = ('a'..='z').cycle().take(100_000).collect();
        let text = format!("Before it stand words. The key is {endless} and ends here.");
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        for kind in [BlockKind::Paragraph, BlockKind::TableRow, BlockKind::Preformatted] {
            for sizes in [Sizes::default(), Sizes { least: 5, most: 30 }] {
                let found = chunks(&[block(kind, &text, 1)], sizes, words);
                let longest = found.iter().map(|chunk| chunk.text.chars().count()).max();
                assert!(longest.is_some_and(|longest| longest <= 10 * sizes.most), "{kind:?}: {longest:?} characters");
                let kept: String = found.iter().map(|chunk| chunk.text.as_str()).collect();
                assert!(bare(&kept) == bare(&text), "{kind:?}: something is missing or out of order");
            }
        }
    }

    #[test]
    fn a_text_without_an_end_is_counted_word_by_word() {
        let text = "stone ".repeat(100_000);
        for kind in [BlockKind::Paragraph, BlockKind::TableRow, BlockKind::Preformatted] {
            let longest = std::cell::Cell::new(0);
            let count = |text: &str| {
                longest.set(longest.get().max(text.len()));
                words(text)
            };
            let sizes = Sizes::default();
            let found = chunks(&[block(kind, &text, 1)], sizes, count);
            assert!(longest.get() < 100, "{kind:?}: {} bytes were counted at once", longest.get());
            assert!(found.iter().all(|chunk| words(&chunk.text) <= sizes.most));
            assert_eq!(found.iter().map(|chunk| words(&chunk.text)).sum::<usize>(), 100_000);
        }
    }

    #[test]
    fn words_that_tokenizers_know_are_left_to_them() {
        let longest = "é".repeat(LONG_WORD);
        let text = format!("{longest} {longest} {longest}");
        assert_eq!(in_long_words(&text), 0);
        let found = chunks(&[block(BlockKind::Paragraph, &text, 1)], Sizes { least: 1, most: 3 }, words);
        assert_eq!(found.iter().map(|chunk| chunk.text.as_str()).collect::<Vec<_>>(), [text.as_str()]);
        assert_eq!(in_long_words(&format!("a {longest}é b")), (LONG_WORD + 1) / CHARACTERS_A_TOKEN);
    }

    fn any_block() -> impl Strategy<Value = Block> {
        let kind = prop_oneof![
            (1u8..5).prop_map(BlockKind::Heading),
            Just(BlockKind::Paragraph),
            Just(BlockKind::ListItem),
            Just(BlockKind::TableRow),
        ];
        (kind, "[a-zé]{1,9}( [a-z]{1,9}){0,40}(\\. [A-Z][a-z]{1,8}){0,6}\\.", 1u32..4)
            .prop_map(|(kind, text, page)| block(kind, &text, page))
    }

    proptest! {
        #[test]
        fn passages_tile_the_text_and_fit(blocks in prop::collection::vec(any_block(), 0..30)) {
            let sizes = Sizes { least: 8, most: 25 };
            let found = chunks(&blocks, sizes, words);
            for chunk in &found {
                // Only headings that run on may add to a full passage.
                prop_assert!(words(&chunk.text) <= 2 * sizes.most + 60);
            }
            let body = |texts: &mut dyn Iterator<Item = String>| -> Vec<String> {
                texts.flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
            };
            let given = body(&mut blocks.iter().filter(|b| !matches!(b.kind, BlockKind::Heading(_))).map(|b| b.text.clone()));
            let kept = body(&mut found.iter().map(|chunk| chunk.text.clone()));
            let mut rest = kept.iter();
            for word in &given {
                prop_assert!(rest.any(|kept| kept == word), "'{word}' is missing or out of order");
            }
        }
    }
}
