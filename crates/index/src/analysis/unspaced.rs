//! Scripts that put no space between words.
//!
//! Thai, Lao, Burmese and Khmer are spelt with letters: their words are found by dictionaries that are compiled in (ICU4X).
//! A Chinese or Japanese character is nearly a word already: overlapping pairs of them found as well as a
//! dictionary's words, without the dictionary (docs/adr/0027). Hangul has spaces, but hangs particles on its words; pairs
//! look past them.

use icu_segmenter::options::WordBreakInvariantOptions;
use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed};
use std::ops::Range;

/// How a run of characters is cut into terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// By dictionaries.
    Words,
    /// Into overlapping pairs.
    Pairs,
}

impl Cut {
    fn of(c: char) -> Option<Self> {
        match u32::from(c) {
            0x0E01..=0x0E3A | 0x0E40..=0x0E4E            // Thai
            | 0x0E81..=0x0EBD | 0x0EC0..=0x0ECE          // Lao
            | 0x1000..=0x103F | 0x1780..=0x17D3 => {     // Burmese, Khmer
                Some(Self::Words)
            }
            0x3005..=0x3007 | 0x3041..=0x309F | 0x30A1..=0x30FA | 0x30FC..=0x30FF | 0x31F0..=0x31FF // kana
            | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF // Han
            | 0xAC00..=0xD7A3 => {                       // Hangul
                Some(Self::Pairs)
            }
            _ => None,
        }
    }
}

/// Whether `c` is of a script that puts no space between words, or of Hangul.
#[must_use]
pub fn is_unspaced(c: char) -> bool {
    Cut::of(c).is_some()
}

/// Cuts such scripts. Cheap to copy: what it goes by is part of the program.
#[derive(Clone, Copy)]
pub(crate) struct Segmenter {
    words: WordSegmenterBorrowed<'static>,
}

impl Segmenter {
    pub(crate) fn new() -> Self {
        Self { words: WordSegmenter::new_dictionary(WordBreakInvariantOptions::default()) }
    }

    /// The places of the terms of `run`, which holds unspaced characters only: words, or pairs that overlap, or a
    /// lonely character.
    pub(crate) fn terms(self, run: &str) -> Vec<Range<usize>> {
        let mut terms = Vec::new();
        let mut begin = 0;
        while let Some(cut) = run[begin..].chars().next().and_then(Cut::of) {
            let rest = &run[begin..];
            let end = begin + rest.find(|c| Cut::of(c) != Some(cut)).unwrap_or(rest.len());
            let part = &run[begin..end];
            let places: Vec<Range<usize>> = match cut {
                Cut::Words => {
                    let ends: Vec<usize> = self.words.segment_str(part).collect();
                    ends.windows(2).map(|pair| pair[0]..pair[1]).collect()
                }
                Cut::Pairs => {
                    let starts = part.char_indices().map(|(at, _)| at);
                    let starts: Vec<usize> = starts.chain([part.len()]).collect();
                    let width = starts.len().min(3);
                    starts.windows(width).map(|chars| chars[0]..chars[width - 1]).collect()
                }
            };
            terms.extend(places.into_iter().map(|place| begin + place.start..begin + place.end));
            begin = end;
        }
        terms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(run: &str) -> Vec<&str> {
        Segmenter::new().terms(run).into_iter().map(|place| &run[place]).collect()
    }

    #[test]
    fn thai_and_its_neighbours_become_words() {
        assert_eq!(terms("กรุงเทพเป็นเมืองหลวงของประเทศไทย"), ["กรุงเทพ", "เป็น", "เมือง", "หลวง", "ของ", "ประเทศไทย"]);
        assert_eq!(terms("ພາສາລາວເປັນພາສາທາງການ"), ["ພາສາ", "ລາວ", "ເປັນ", "ພາສາ", "ທາງການ"]);
        assert_eq!(terms("ភាសាខ្មែរជាភាសាផ្លូវការ"), ["ភាសាខ្មែរ", "ជា", "ភាសាផ្លូវការ"]);
        assert_eq!(terms("အရှေ့တောင်အာရှတွင်ရှိသည်"), ["အရှေ့တောင်", "အာ", "ရှ", "တွင်", "ရှိ", "သည်"]);
    }

    #[test]
    fn a_word_is_cut_alike_wherever_it_stands() {
        for text in ["พนักงานทุกคนมีสิทธิลาพักร้อน", "กรุณาติดต่อพนักงานที่โต๊ะ"]
        {
            assert!(terms(text).contains(&"พนักงาน"), "{text}");
        }
    }

    #[test]
    fn chinese_japanese_and_hangul_become_pairs() {
        assert_eq!(terms("日本の首都"), ["日本", "本の", "の首", "首都"]);
        assert_eq!(terms("서울에"), ["서울", "울에"]);
        assert_eq!(terms("猫"), ["猫"]);
        assert_eq!(terms("東京ไทย"), ["東京", "ไทย"]);
        assert!(terms("").is_empty());
    }
}
