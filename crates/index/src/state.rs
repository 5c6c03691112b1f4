//! What a search reads: the two legs as of the same change.

use crate::IndexError;
use crate::analysis::Analysis;
use crate::catalogue::{Catalogue, Visible};
use crate::dense::{Dense, Near};
use crate::fusion;
use crate::lexical::{Lexical, Row};
use crate::{Hit, Mode, Query};
use domain::AccessScope;
use std::collections::HashMap;
use tantivy::Searcher;

pub(crate) struct State {
    pub(crate) searcher: Searcher,
    pub(crate) catalogue: Catalogue,
    pub(crate) dense: Dense,
    /// Whether a committed change is missing here. Nothing may be searched then.
    pub(crate) stale: bool,
}

impl State {
    pub(crate) fn search(
        &self,
        lexical: &Lexical,
        analysis: &Analysis,
        query: &Query<'_>,
        scope: &AccessScope,
    ) -> Result<Vec<Hit>, IndexError> {
        let mut visible = self.catalogue.visible(scope);
        if let Some(within) = query.within {
            self.catalogue.narrow(&mut visible, within);
        }
        if visible.count == 0 || query.limit == 0 {
            return Ok(Vec::new());
        }
        let words = |limit: usize| {
            let scope = (!visible.all).then_some((scope, visible.extent));
            let text = (query.text, visible.languages.as_slice());
            let found = lexical.search(&self.searcher, analysis, text, scope, query.within, limit)?;
            self.lexical_hits(found, query.vector, &visible)
        };
        let vectors = |vector, limit: usize| {
            let found = self.dense.search(vector, &visible, limit)?;
            Ok::<_, IndexError>(found.into_iter().filter_map(|near| self.dense_hit(near)))
        };
        let mut hits: Vec<Hit> = match (query.mode, query.vector) {
            (Mode::Lexical, _) | (Mode::Hybrid, None) => words(query.limit)?,
            (Mode::Dense, Some(vector)) => vectors(vector, query.limit)?.collect(),
            (Mode::Dense, None) => return Err(IndexError::NoVector),
            (Mode::Hybrid, Some(vector)) => {
                let depth = query.limit.max(fusion::DEPTH);
                // A passage that both legs found keeps the lexical hit: that one knows the cosine as well.
                let keyed = |hit: Hit| ((hit.document, hit.passage), hit);
                let mut hits: HashMap<_, Hit> = vectors(vector, depth)?.map(keyed).collect();
                hits.extend(words(depth)?.into_iter().map(keyed));
                let mut hits: Vec<Hit> = hits.into_values().collect();
                fusion::fuse(&mut hits);
                hits
            }
        };
        let mode = if query.vector.is_none() { Mode::Lexical } else { query.mode };
        fusion::to_unit(mode, &mut hits);
        hits.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.passage.cmp(&b.passage)));
        hits.truncate(query.limit);
        Ok(hits)
    }

    fn lexical_hits(
        &self,
        found: Vec<(Row, f32)>,
        vector: Option<&[f32]>,
        visible: &Visible,
    ) -> Result<Vec<Hit>, IndexError> {
        found
            .into_iter()
            // The query was filtered already. This holds even if the two ever disagreed: then nothing is shown.
            .filter(|(row, _)| self.catalogue.slot(row.document).is_some_and(|slot| visible.contains(slot)))
            .map(|(row, bm25)| {
                let cosine = vector.zip(row.vector).map(|(vector, number)| self.dense.cosine(number, vector));
                let cosine = cosine.transpose()?.flatten();
                Ok(Hit { passage: row.passage, document: row.document, score: bm25, bm25: Some(bm25), cosine })
            })
            .collect()
    }

    fn dense_hit(&self, near: Near) -> Option<Hit> {
        let Near { passage, document, cosine } = near;
        let document = self.catalogue.id(document)?;
        Some(Hit { passage, document, score: cosine, bm25: None, cosine: Some(cosine) })
    }
}
