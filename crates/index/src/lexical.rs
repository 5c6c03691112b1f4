//! The lexical leg: BM25 over a field of analysed terms and one of their pairs, in tantivy. Its last commit is the truth
//! about which passages exist and who may read them.

use crate::analysis::{Analysis, Language, figures, word_pairs};
use crate::catalogue::{Access, Extent};
use crate::statistics::Statistics;
use crate::{DocumentEntry, IndexError, PassageEntry};
use domain::{AccessScope, CollectionId, DocumentId, Label, PassageId, PrincipalId};
use std::collections::BTreeSet;
use std::io::ErrorKind::{InvalidData, UnexpectedEof};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tantivy::collector::TopDocs;
use tantivy::columnar::Column;
use tantivy::query::{AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, Occur, Query, TermQuery, TermSetQuery};
use tantivy::schema::{BytesOptions, FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{PreTokenizedString, Token};
use tantivy::{IndexReader, IndexWriter, ReloadPolicy, Searcher, SegmentReader, TantivyDocument, TantivyError, Term};
use uuid::Uuid;

/// Memory for documents not yet on disk.
const WRITER_BYTES: usize = 50_000_000;
/// A query's further terms in each language are ignored: nobody asks with so many, and each costs time.
const MAX_QUERY_TERMS: usize = 64;
/// What the BM25 of a pair of words counts against that of a word (docs/adr/0027).
const PAIR_WEIGHT: f32 = 0.2;
/// How often a title counts (docs/adr/0027).
const TITLE_WEIGHT: usize = 2;
/// The reader token of documents that are not narrowed. No principal's: those are 16 bytes.
const EVERYONE: &[u8] = b"*";

/// A passage as the lexical leg stores it.
pub(crate) struct Row {
    pub(crate) passage: PassageId,
    pub(crate) document: DocumentId,
    /// The number of its vector in the vector file.
    pub(crate) vector: Option<u64>,
}

struct Fields {
    terms: Field,
    pairs: Field,
    document: Field,
    access: Field,
    reader: Field,
    ids: [Field; 4],
    vector: Field,
    language: Field,
    counts: [Field; 2],
}

/// How many terms and pairs a passage has, exactly: lengths that BM25 keeps are rounded.
const COUNTS: [&str; 2] = ["terms_count", "pairs_count"];
const IDS: [&str; 4] = ["passage_high", "passage_low", "document_high", "document_low"];

pub(crate) struct Lexical {
    fields: Fields,
    writer: Mutex<IndexWriter>,
    reader: IndexReader,
    directory: PathBuf,
}

fn schema() -> Schema {
    let mut schema = Schema::builder();
    let indexing = TextFieldIndexing::default().set_index_option(IndexRecordOption::WithFreqs).set_tokenizer("raw");
    for name in ["terms", "pairs"] {
        schema.add_text_field(name, TextOptions::default().set_indexing_options(indexing.clone()));
    }
    schema.add_bytes_field("document", BytesOptions::default().set_indexed());
    schema.add_bytes_field("access", BytesOptions::default().set_indexed().set_fast());
    schema.add_bytes_field("reader", BytesOptions::default().set_indexed().set_fast());
    for number in IDS.into_iter().chain(COUNTS) {
        schema.add_u64_field(number, FAST);
    }
    schema.add_u64_field("vector", FAST);
    schema.add_u64_field("language", FAST | INDEXED);
    schema.build()
}

impl Lexical {
    /// Opens or creates it in `directory`.
    pub(crate) fn open(directory: &Path) -> Result<Self, IndexError> {
        std::fs::create_dir_all(directory).map_err(IndexError::file(directory))?;
        let damaged = |error: TantivyError| match error {
            TantivyError::LockFailure(..) => IndexError::InUse { directory: directory.to_path_buf() },
            TantivyError::IoError(error) if !matches!(error.kind(), UnexpectedEof | InvalidData) => {
                IndexError::Text(TantivyError::IoError(error))
            }
            error => IndexError::damaged(directory, error.to_string()),
        };
        let files = tantivy::directory::MmapDirectory::open(directory).map_err(TantivyError::from)?;
        let index = tantivy::Index::open_or_create(files, schema()).map_err(damaged)?;
        let field = |name: &str| index.schema().get_field(name).map_err(damaged);
        let [a, b, c, d] = IDS;
        let fields = Fields {
            terms: field("terms")?,
            pairs: field("pairs")?,
            document: field("document")?,
            access: field("access")?,
            reader: field("reader")?,
            ids: [field(a)?, field(b)?, field(c)?, field(d)?],
            vector: field("vector")?,
            language: field("language")?,
            counts: [field(COUNTS[0])?, field(COUNTS[1])?],
        };
        // The writer comes first: its lock keeps other processes away from everything else.
        let writer = index.writer_with_num_threads(1, WRITER_BYTES).map_err(damaged)?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().map_err(damaged)?;
        Ok(Self { fields, writer: Mutex::new(writer), reader, directory: directory.to_path_buf() })
    }

    /// Whether every file of the last commit holds what was written.
    pub(crate) fn verify(&self) -> Result<(), IndexError> {
        let index = self.reader.searcher().index().clone();
        let damaged = |what: String| IndexError::damaged(&self.directory, what);
        let files: BTreeSet<PathBuf> =
            index.validate_checksum().map_err(|error| damaged(error.to_string()))?.into_iter().collect();
        let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        if names.is_empty() { Ok(()) } else { Err(damaged(format!("{} was altered", names.join(", ")))) }
    }

    /// What the last commit holds, as far as [`Lexical::reload`] knows.
    pub(crate) fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    /// Makes the last commit visible.
    pub(crate) fn reload(&self) -> Result<(), IndexError> {
        Ok(self.reader.reload()?)
    }

    /// Starts a change; nothing of it holds before [`Writing::commit`].
    pub(crate) fn write(&self) -> Writing<'_> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        Writing { fields: &self.fields, writer, committed: false }
    }

    /// Every passage with its document's rights and its length.
    pub(crate) fn rows(&self, mut visit: impl FnMut(Row, &Access, Extent)) -> Result<(), IndexError> {
        let damaged = |reason: &str| IndexError::damaged(&self.directory, reason);
        for segment in self.searcher().segment_readers() {
            let columns = Columns::of(segment)?;
            let language = segment.fast_fields().u64("language")?;
            let [terms, pairs] = COUNTS.map(|name| segment.fast_fields().u64(name));
            let (terms, pairs) = (terms?, pairs?);
            let (access, reader) = (segment.fast_fields().bytes("access")?, segment.fast_fields().bytes("reader")?);
            let mut bytes = Vec::new();
            for doc in segment.doc_ids_alive() {
                let row = columns.row(doc).ok_or_else(|| damaged("a passage has no id"))?;
                let access = access.as_ref().ok_or_else(|| damaged("passages have no rights"))?;
                let ord = access.term_ords(doc).next().ok_or_else(|| damaged("a passage has no rights"))?;
                bytes.clear();
                access.ord_to_bytes(ord, &mut bytes).map_err(TantivyError::from)?;
                let (collection, label) = rights(&bytes).ok_or_else(|| damaged("a passage's rights cannot be read"))?;
                let mut readers = Some(Vec::new());
                if let Some(reader) = &reader {
                    for ord in reader.term_ords(doc) {
                        bytes.clear();
                        reader.ord_to_bytes(ord, &mut bytes).map_err(TantivyError::from)?;
                        match Uuid::from_slice(&bytes) {
                            Ok(id) => readers.iter_mut().for_each(|list| list.push(PrincipalId::from(id))),
                            Err(_) if bytes == EVERYONE => readers = None,
                            Err(_) => return Err(damaged("a passage's readers cannot be read")),
                        }
                    }
                }
                let language =
                    Language::of_code(language.first(doc).and_then(|code| code.try_into().ok()).unwrap_or(0));
                let count = |column: &Column<u64>| column.first(doc).ok_or_else(|| damaged("a passage has no length"));
                let extent = Extent { passages: 1, terms: count(&terms)?, pairs: count(&pairs)? };
                visit(row, &Access { collection, label, readers, language }, extent);
            }
        }
        Ok(())
    }

    /// The `limit` best passages for the words of `text` with their BM25 scores, best first. Only what `scope` allows
    /// is looked at and counted; without one, everything: for those who may see all there is, whom a filter would only slow
    /// down. `within` narrows what is looked at to some documents.
    pub(crate) fn search(
        &self,
        searcher: &Searcher,
        analysis: &Analysis,
        (text, languages): (&str, &[Language]),
        scope: Option<(&AccessScope, Extent)>,
        within: Option<&BTreeSet<DocumentId>>,
        limit: usize,
    ) -> Result<Vec<(Row, f32)>, IndexError> {
        let text = crate::analysis::both_ends(text, 64 * MAX_QUERY_TERMS);
        let wanted = analysis.query_terms(&text, languages, MAX_QUERY_TERMS);
        let query = |field: Field, term: &String| {
            TermQuery::new(Term::from_field_text(field, term), IndexRecordOption::WithFreqs)
        };
        let pair = |term| -> Box<dyn Query> {
            Box::new(BoostQuery::new(Box::new(query(self.fields.pairs, term)), PAIR_WEIGHT))
        };
        let words = wanted.words.iter().map(|term| -> Box<dyn Query> { Box::new(query(self.fields.terms, term)) });
        let words: Vec<Box<dyn Query>> = words.chain(wanted.pairs.iter().map(pair)).collect();
        let limit = limit.min(searcher.num_docs() as usize);
        if words.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let mut query: Box<dyn Query> = Box::new(BooleanQuery::union(words));
        let mut statistics = None;
        if let Some((scope, extent)) = scope {
            let filters = self.filters(scope);
            statistics = Some(Statistics::new(searcher, &filters, self.fields.pairs, extent)?);
            let mut clauses = vec![(Occur::Must, query)];
            clauses.extend(filters.into_iter().map(|filter| (Occur::Must, only(filter))));
            query = Box::new(BooleanQuery::new(clauses));
        }
        if let Some(within) = within {
            let terms = within.iter().map(|id| Term::from_field_bytes(self.fields.document, id.uuid().as_bytes()));
            query = Box::new(BooleanQuery::new(vec![(Occur::Must, query), (Occur::Must, only(terms.collect()))]));
        }
        let best = TopDocs::with_limit(limit).order_by_score();
        let found = match &statistics {
            Some(statistics) => searcher.search_with_statistics_provider(&query, &best, statistics),
            None => searcher.search(&query, &best),
        }?;
        let columns: Vec<Columns> = searcher.segment_readers().iter().map(Columns::of).collect::<Result<_, _>>()?;
        found
            .into_iter()
            .map(|(score, address)| {
                let row = columns.get(address.segment_ord as usize).and_then(|columns| columns.row(address.doc_id));
                row.map(|row| (row, score))
                    .ok_or_else(|| IndexError::damaged(&self.directory, "a passage that was found has no id"))
            })
            .collect()
    }

    /// Terms of which a passage must have one of each list to be in `scope`.
    fn filters(&self, scope: &AccessScope) -> [Vec<Term>; 2] {
        let labels = || Label::ALL.into_iter().filter(|label| scope.clearance().covers(*label));
        let access = scope.collections().flat_map(|collection| labels().map(move |label| token(collection, label)));
        let access: Vec<Term> = access.map(|token| Term::from_field_bytes(self.fields.access, &token)).collect();
        let mut readers = vec![Term::from_field_bytes(self.fields.reader, EVERYONE)];
        readers.extend(scope.principals().map(|id| Term::from_field_bytes(self.fields.reader, id.uuid().as_bytes())));
        [access, readers]
    }
}

/// Lets through what has one of these terms, and adds nothing to a score.
fn only(terms: Vec<Term>) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(Box::new(TermSetQuery::new(terms)), 0.0))
}

/// A change under way. Dropped without a commit it is undone.
pub(crate) struct Writing<'a> {
    fields: &'a Fields,
    writer: MutexGuard<'a, IndexWriter>,
    committed: bool,
}

impl Writing<'_> {
    /// Adds a passage and tells its length.
    pub(crate) fn add(
        &self,
        analysis: &Analysis,
        document: &DocumentEntry,
        language: Language,
        passage: &PassageEntry,
        vector: Option<u64>,
    ) -> Result<Extent, IndexError> {
        let fields = self.fields;
        let mut doc = TantivyDocument::new();
        let [title, heading, text] =
            [&document.title, &passage.heading, &passage.text].map(|text| analysis.terms(text, language));
        let pairs: Vec<String> = [&title, &heading, &text].into_iter().flat_map(|terms| word_pairs(terms)).collect();
        let mut terms: Vec<String> =
            std::iter::repeat_n(title, TITLE_WEIGHT).chain([heading, text]).flatten().collect();
        terms.extend(figures(&terms).collect::<Vec<_>>());
        let extent = Extent { passages: 1, terms: terms.len() as u64, pairs: pairs.len() as u64 };
        for (field, count) in fields.counts.into_iter().zip([extent.terms, extent.pairs]) {
            doc.add_u64(field, count);
        }
        doc.add_pre_tokenized_text(fields.pairs, tokens(pairs));
        doc.add_pre_tokenized_text(fields.terms, tokens(terms));
        doc.add_bytes(fields.document, document.id.uuid().as_bytes());
        doc.add_bytes(fields.access, &token(document.collection, document.label));
        match &document.readers {
            None => doc.add_bytes(fields.reader, EVERYONE),
            Some(readers) => readers.iter().for_each(|id| doc.add_bytes(fields.reader, id.uuid().as_bytes())),
        }
        let ((a, b), (c, d)) = (passage.id.uuid().as_u64_pair(), document.id.uuid().as_u64_pair());
        for (field, half) in fields.ids.into_iter().zip([a, b, c, d]) {
            doc.add_u64(field, half);
        }
        if let Some(vector) = vector {
            doc.add_u64(fields.vector, vector);
        }
        doc.add_u64(fields.language, u64::from(language.code()));
        self.writer.add_document(doc)?;
        Ok(extent)
    }

    pub(crate) fn remove(&self, document: DocumentId) {
        self.writer.delete_term(Term::from_field_bytes(self.fields.document, document.uuid().as_bytes()));
    }

    pub(crate) fn remove_all(&self) -> Result<(), IndexError> {
        // Not `delete_all_documents`: it sets the writer's clock back, and removals from before then take away what is
        // added afterwards.
        self.writer.delete_query(Box::new(AllQuery))?;
        Ok(())
    }

    /// Makes the change durable.
    pub(crate) fn commit(mut self) -> Result<(), IndexError> {
        self.writer.commit()?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.committed
            && let Err(error) = self.writer.rollback()
        {
            tracing::error!(%error, "an index change could not be undone; restart to use the index again");
        }
    }
}

fn tokens(terms: Vec<String>) -> PreTokenizedString {
    let token = |(position, text)| Token { position, text, ..Token::default() };
    PreTokenizedString { text: String::new(), tokens: terms.into_iter().enumerate().map(token).collect() }
}

/// Where the ids of a segment's passages stand.
struct Columns {
    ids: [Column<u64>; 4],
    vector: Column<u64>,
}

impl Columns {
    fn of(segment: &SegmentReader) -> Result<Self, IndexError> {
        let fast = segment.fast_fields();
        let [a, b, c, d] = IDS;
        let ids = [fast.u64(a)?, fast.u64(b)?, fast.u64(c)?, fast.u64(d)?];
        Ok(Self { ids, vector: fast.u64("vector")? })
    }

    fn row(&self, doc: u32) -> Option<Row> {
        let [a, b, c, d] = &self.ids;
        let id = |high: &Column<u64>, low: &Column<u64>| Some(Uuid::from_u64_pair(high.first(doc)?, low.first(doc)?));
        Some(Row { passage: id(a, b)?.into(), document: id(c, d)?.into(), vector: self.vector.first(doc) })
    }
}

/// A collection and a label in one token, so that one clause checks both.
fn token(collection: CollectionId, label: Label) -> [u8; 17] {
    let mut token = [label.rank(); 17];
    token[..16].copy_from_slice(collection.uuid().as_bytes());
    token
}

fn rights(token: &[u8]) -> Option<(CollectionId, Label)> {
    let (label, collection) = token.split_last()?;
    Some((Uuid::from_slice(collection).ok()?.into(), Label::of_rank(*label)))
}
