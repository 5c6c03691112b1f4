//! What BM25 counts, counted only of what a scope may see: scores tell no more of hidden passages than an index without them
//! would.

use crate::IndexError;
use crate::catalogue::Extent;
use tantivy::query::Bm25StatisticsProvider;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Searcher, SegmentReader, Term};

/// For one search of one scope. Nothing of it is kept: the next scope counts for itself.
pub(crate) struct Statistics<'a> {
    searcher: &'a Searcher,
    /// By segment.
    seen: Vec<Bits>,
    pairs: Field,
    extent: Extent,
}

impl<'a> Statistics<'a> {
    /// Of the passages that have a term of each of `filters`; `extent` is how much text that is.
    pub(crate) fn new(
        searcher: &'a Searcher,
        filters: &[Vec<Term>],
        pairs: Field,
        extent: Extent,
    ) -> Result<Self, IndexError> {
        let seen = searcher.segment_readers().iter().map(|segment| -> tantivy::Result<Bits> {
            let mut seen = Bits::alive(segment);
            for terms in filters {
                let mut allowed = Bits::none(segment);
                for term in terms {
                    each(segment, term, |passage| allowed.insert(passage))?;
                }
                seen.keep(&allowed);
            }
            Ok(seen)
        });
        Ok(Self { searcher, seen: seen.collect::<tantivy::Result<_>>()?, pairs, extent })
    }
}

impl Bm25StatisticsProvider for Statistics<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        Ok(if field == self.pairs { self.extent.pairs } else { self.extent.terms })
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.extent.passages)
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        let mut count = 0;
        for (segment, seen) in self.searcher.segment_readers().iter().zip(&self.seen) {
            each(segment, term, |passage| count += u64::from(seen.contains(passage)))?;
        }
        // More of them than passages would be a contradiction that ends the process.
        Ok(count.min(self.extent.passages))
    }
}

/// Hands each passage of a segment that has this term to `visit`.
fn each(segment: &SegmentReader, term: &Term, mut visit: impl FnMut(u32)) -> tantivy::Result<()> {
    let index = segment.inverted_index(term.field())?;
    let Some(mut postings) = index.read_block_postings(term, IndexRecordOption::Basic)? else { return Ok(()) };
    while !postings.docs().is_empty() {
        postings.docs().iter().copied().for_each(&mut visit);
        postings.advance();
    }
    Ok(())
}

/// A set of a segment's passages.
struct Bits(Vec<u64>);

impl Bits {
    fn none(segment: &SegmentReader) -> Self {
        Self(vec![0; segment.max_doc().div_ceil(u64::BITS) as usize])
    }

    fn alive(segment: &SegmentReader) -> Self {
        let mut bits = Self::none(segment);
        if segment.has_deletes() {
            segment.doc_ids_alive().for_each(|passage| bits.insert(passage));
        } else {
            bits.0.fill(u64::MAX);
        }
        bits
    }

    fn insert(&mut self, passage: u32) {
        self.0[(passage / u64::BITS) as usize] |= 1 << (passage % u64::BITS);
    }

    fn contains(&self, passage: u32) -> bool {
        self.0[(passage / u64::BITS) as usize] & (1 << (passage % u64::BITS)) != 0
    }

    fn keep(&mut self, others: &Self) {
        self.0.iter_mut().zip(&others.0).for_each(|(bits, others)| *bits &= others);
    }
}
