//! Opening, changing and searching the index.

use crate::analysis::{Analysis, Language, Marks};
use crate::catalogue::{Access, Catalogue, Extent};
use crate::dense::Dense;
use crate::lexical::Lexical;
use crate::state::State;
use crate::vectors::Log;
use crate::{Change, DocumentEntry, Hit, IndexError, PassageEntry, Query, VectorOptions};
use domain::{AccessScope, DocumentId, PassageId};
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Which terms a text becomes, and in which fields. A change of either needs the next number: an index of another one is
/// [`IndexError::Damaged`] and made anew.
const VERSION: &str = "3";

/// Squared length of a vector may differ so much from 1; half-precision models round.
const UNIT_TOLERANCE: f32 = 0.01;

/// The index of all passages. Searches run side by side; changes one after the other.
pub struct Index {
    directory: PathBuf,
    dimension: usize,
    analysis: Analysis,
    lexical: Lexical,
    /// Held through a whole change: who has it, changes.
    log: Mutex<Log>,
    state: RwLock<State>,
    #[cfg(test)]
    fails: Mutex<Option<Failing>>,
}

/// Where the disk fails next.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failing {
    Commit,
    Reload,
}

/// A change with what only the index knows about it.
enum Step<'a> {
    Put { document: &'a DocumentEntry, language: Language, passages: Vec<Numbered<'a>> },
    Remove(DocumentId),
}

struct Numbered<'a> {
    passage: &'a PassageEntry,
    vector: Option<Placed<'a>>,
}

/// Where a passage's vector stands in the vector file.
enum Placed<'a> {
    /// It stood there before: only the rights of its document change.
    Stored(u64),
    Appended(u64, &'a [f32]),
}

impl Placed<'_> {
    fn number(&self) -> u64 {
        match self {
            Self::Stored(number) | Self::Appended(number, _) => *number,
        }
    }
}

impl Index {
    /// Whether an index was begun in `directory`, whole or damaged. Where it was not, [`Index::open`] makes an empty one.
    #[must_use]
    pub fn exists(directory: &Path) -> bool {
        ["terms/meta.json", "vectors"].into_iter().any(|part| directory.join(part).exists())
    }

    /// Opens the index in `directory`, or creates it there, for vectors of `dimension` values. One process at a time.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] when the files cannot be trusted or are for another dimension: delete the directory
    /// and put all documents again. [`IndexError::InUse`] when another process has it open.
    pub fn open(directory: &Path, dimension: usize) -> Result<Self, IndexError> {
        Self::open_with(directory, dimension, VectorOptions::default())
    }

    /// Opens it with other options of how vectors are kept, for tests and measurements.
    ///
    /// # Errors
    /// As for [`Index::open`].
    pub fn open_with(directory: &Path, dimension: usize, options: VectorOptions) -> Result<Self, IndexError> {
        unless_it_panics(directory, || Self::open_files(directory, dimension, options))
    }

    fn open_files(directory: &Path, dimension: usize, options: VectorOptions) -> Result<Self, IndexError> {
        let damaged = |reason: &str| IndexError::damaged(directory, reason);
        let (terms, vectors) = (directory.join("terms"), directory.join("vectors"));
        if vectors.exists() && !terms.join("meta.json").exists() {
            return Err(damaged("its full-text part is missing"));
        }
        if terms.join("meta.json").exists() {
            match read_version(directory)?.as_deref() {
                Some(VERSION) => {}
                _ => return Err(damaged("another version of Carrel wrote it, which cut texts into words otherwise")),
            }
        } else {
            write_version(directory)?;
        }
        let lexical = Lexical::open(&terms)?;
        let unreadable = |error| match error {
            IndexError::Text(error) => damaged(&error.to_string()),
            error => error,
        };
        let mut catalogue = Catalogue::default();
        let mut owners = HashMap::new();
        let mut twice = false;
        let remember = |row: crate::lexical::Row, access: &Access, extent: Extent| {
            let slot = catalogue.slot(row.document).unwrap_or_else(|| catalogue.put(row.document, access.clone()));
            catalogue.count(slot, extent);
            if let Some(number) = row.vector {
                twice |= owners.insert(number, (row.passage, slot)).is_some();
            }
        };
        lexical.rows(remember).map_err(unreadable)?;

        if twice {
            return Err(damaged("two passages share a vector"));
        }
        if vectors.is_file() {
            return Err(damaged("its vectors were written by another version"));
        }
        let (dense, log) = Dense::open(&vectors, dimension, options, owners)?;
        let state = State { searcher: lexical.searcher(), catalogue, dense, stale: false };
        Ok(Self {
            directory: directory.to_path_buf(),
            dimension,
            analysis: Analysis::new(),
            lexical,
            log: Mutex::new(log),
            state: RwLock::new(state),
            #[cfg(test)]
            fails: Mutex::default(),
        })
    }

    /// Reads every file of the full-text part and compares its checksum. Those of the vectors were compared when the index was
    /// opened.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] with the names of files that hold something else than was written.
    pub fn verify(&self) -> Result<(), IndexError> {
        unless_it_panics(&self.directory, || self.lexical.verify())
    }

    /// Makes the changes, in their order, all or none. On return they are durable and hold for the next search.
    ///
    /// # Errors
    /// [`IndexError::Dimension`], [`IndexError::NotUnit`] and [`IndexError::DuplicatePassage`] for entries that
    /// cannot be taken; otherwise what the disk said. Nothing was changed then, unless only making it visible failed:
    /// then searches and changes fail until the index is opened again.
    pub fn apply(&self, changes: &[Change]) -> Result<(), IndexError> {
        changes.iter().try_for_each(|change| self.check(change))?;
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let steps = {
            let state = self.read();
            self.check_fresh(&state)?;
            plan(changes, &state, log.next())?
        };

        log.append(steps.iter().flat_map(Step::appended).map(|(_, vector)| vector))?;
        // The log has them, whatever comes of this change. Nobody owns them before it holds.
        {
            let mut state = self.write();
            steps.iter().flat_map(Step::appended).for_each(|(number, vector)| state.dense.push(number, vector));
        }
        let writing = self.lexical.write();
        let mut extents = Vec::with_capacity(steps.len());
        for step in &steps {
            let mut extent = Extent::default();
            writing.remove(step.document());
            if let Step::Put { document, language, passages } = step {
                for Numbered { passage, vector } in passages {
                    let number = vector.as_ref().map(Placed::number);
                    extent += writing.add(&self.analysis, document, *language, passage, number)?;
                }
            }
            extents.push(extent);
        }
        #[cfg(test)]
        self.failing(Failing::Commit)?;
        writing.commit()?;

        {
            let mut state = self.write();
            self.reload(&mut state)?;
            steps.iter().zip(extents).for_each(|(step, extent)| state.apply(step, extent));
        }
        self.upkeep(&mut log);
        Ok(())
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// As for [`Index::apply`].
    pub fn clear(&self) -> Result<(), IndexError> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let writing = self.lexical.write();
        writing.remove_all()?;
        writing.commit()?;
        {
            let mut state = self.write();
            self.reload(&mut state)?;
            state.catalogue = Catalogue::default();
            state.dense.clear();
        }
        self.upkeep(&mut log);
        Ok(())
    }

    /// The best passages for `query` that `scope` allows: at most `query.limit`, by score descending, then by id.
    /// Passages outside the scope are never ranked. An empty scope finds nothing.
    ///
    /// # Errors
    /// [`IndexError::NoVector`], [`IndexError::Dimension`] and [`IndexError::NotUnit`] for a query that cannot be
    /// answered; [`IndexError::Damaged`] when a change could not be made visible; otherwise what tantivy said.
    pub fn search(&self, query: &Query<'_>, scope: &AccessScope) -> Result<Vec<Hit>, IndexError> {
        if let Some(vector) = query.vector {
            self.check_vector(vector)?;
        }
        if scope.is_empty() {
            return Ok(Vec::new());
        }
        let state = self.read();
        self.check_fresh(&state)?;
        state.search(&self.lexical, &self.analysis, query, scope)
    }

    /// How many passages there are, whoever may read them. For health pages only.
    #[must_use]
    pub fn passages(&self) -> usize {
        self.read().searcher.num_docs() as usize
    }

    /// The terms under which `text` would be found, in reading order: stems in lower case without diacritics, no stop
    /// words. `language` is an ISO 639-1 code; without one it is detected.
    #[must_use]
    pub fn terms(&self, text: &str, language: Option<&str>) -> Vec<String> {
        self.analysis.terms(text, Language::of_document(language, text))
    }

    /// What marks the words of `query` in texts of `language`, an ISO 639-1 code; without one it is detected in each text.
    #[must_use]
    pub fn marks(&self, query: &str, language: Option<&str>) -> Marks<'_> {
        Marks::new(&self.analysis, query, language)
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the commit visible. If that fails, searches must fail too: they could show what was just taken away. So must
    /// changes, or rows would count as dead that the commit names.
    fn reload(&self, state: &mut State) -> Result<(), IndexError> {
        state.stale = true;
        #[cfg(test)]
        self.failing(Failing::Reload)?;
        self.lexical.reload()?;
        state.searcher = self.lexical.searcher();
        state.stale = false;
        Ok(())
    }

    /// Seals what is full and gives the space of dead vectors back. A failure costs only space and time. Searches go on
    /// meanwhile.
    fn upkeep(&self, log: &mut Log) {
        let directory = self.directory.join("vectors");
        loop {
            let next = self.read().dense.upkeep(&directory, log);
            match next {
                Ok(Some(replacement)) => self.write().dense.replace(replacement),
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "the vector files could not be tidied; the next change tries again");
                    return;
                }
            }
        }
    }

    fn check_fresh(&self, state: &State) -> Result<(), IndexError> {
        let reason = "a change could not be made visible, restart to use it again";
        if state.stale { Err(IndexError::damaged(&self.directory, reason)) } else { Ok(()) }
    }

    fn check(&self, change: &Change) -> Result<(), IndexError> {
        let Change::Put { passages, .. } = change else { return Ok(()) };
        let mut seen: HashSet<PassageId> = HashSet::with_capacity(passages.len());
        for passage in passages {
            if !seen.insert(passage.id) {
                return Err(IndexError::DuplicatePassage(passage.id));
            }
            passage.vector.as_deref().map_or(Ok(()), |vector| self.check_vector(vector))?;
        }
        Ok(())
    }

    fn check_vector(&self, vector: &[f32]) -> Result<(), IndexError> {
        if vector.len() != self.dimension {
            return Err(IndexError::Dimension { expected: self.dimension, found: vector.len() });
        }
        let length: f32 = vector.iter().map(|value| value * value).sum();
        // Written so that a sum that is no number fails.
        if (length - 1.0).abs() <= UNIT_TOLERANCE { Ok(()) } else { Err(IndexError::NotUnit) }
    }
}

/// tantivy trusts its files: where they hold something else than it wrote, reading them may break off.
fn unless_it_panics<T>(directory: &Path, read: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    // What was read until then is given up with the error.
    std::panic::catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(IndexError::damaged(directory, format!("reading it broke off ({})", said.unwrap_or("without a word"))))
    })
}

fn read_version(directory: &Path) -> Result<Option<String>, IndexError> {
    let file = directory.join("version");
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(IndexError::file(&file)(error)),
    }
}

/// Before the first commit: an index without a commit is made anew anyway.
fn write_version(directory: &Path) -> Result<(), IndexError> {
    let file = directory.join("version");
    let write = || {
        std::fs::create_dir_all(directory)?;
        let mut out = std::fs::File::create(&file)?;
        writeln!(out, "{VERSION}")?;
        out.sync_all()
    };
    write().map_err(IndexError::file(&file))
}

/// Gives every document its language and every vector its number.
fn plan<'a>(changes: &'a [Change], state: &State, mut next: u64) -> Result<Vec<Step<'a>>, IndexError> {
    let mut changed = HashSet::new();
    let mut plan_passage = |passage: &'a PassageEntry, rows: &HashMap<PassageId, u64>| {
        let mut place = |vector: &'a [f32]| {
            let row = rows.get(&passage.id).copied();
            let stored = row.map_or(Ok(false), |row| state.dense.holds(row, vector))?;
            Ok::<_, IndexError>(row.filter(|_| stored).map(Placed::Stored).unwrap_or_else(|| {
                next += 1;
                Placed::Appended(next - 1, vector)
            }))
        };
        Ok::<_, IndexError>(Numbered { passage, vector: passage.vector.as_deref().map(&mut place).transpose()? })
    };
    let steps = changes.iter().map(|change| match change {
        Change::Remove(id) => {
            changed.insert(*id);
            Ok(Step::Remove(*id))
        }
        Change::Put { document, passages } if passages.is_empty() => {
            changed.insert(document.id);
            Ok(Step::Remove(document.id))
        }
        Change::Put { document, passages } => {
            // What stands in the state is what comes before this change only for the first change of a document.
            let slot = if changed.insert(document.id) { state.catalogue.slot(document.id) } else { None };
            let text: String = passages.iter().take(8).flat_map(|passage| [passage.text.as_str(), "\n"]).collect();
            let language = Language::of_document(document.language.as_deref(), &text);
            let rows = slot.map(|slot| state.dense.rows_of(slot)).unwrap_or_default();
            let passages = passages.iter().map(|passage| plan_passage(passage, &rows)).collect::<Result<_, _>>()?;
            Ok(Step::Put { document, language, passages })
        }
    });
    steps.collect()
}

impl Step<'_> {
    fn document(&self) -> DocumentId {
        match self {
            Self::Put { document, .. } => document.id,
            Self::Remove(id) => *id,
        }
    }

    fn appended(&self) -> impl Iterator<Item = (u64, &[f32])> {
        let passages = match self {
            Self::Put { passages, .. } => passages.as_slice(),
            Self::Remove(_) => &[],
        };
        passages.iter().filter_map(|numbered| match numbered.vector {
            Some(Placed::Appended(number, vector)) => Some((number, vector)),
            _ => None,
        })
    }
}

impl State {
    fn apply(&mut self, step: &Step<'_>, extent: Extent) {
        if let Some(slot) = self.catalogue.slot(step.document()) {
            self.dense.remove(slot);
        }
        let Step::Put { document, language, passages } = step else {
            self.catalogue.remove(step.document());
            return;
        };
        let DocumentEntry { id, collection, label, readers, .. } = *document;
        let access = Access { collection: *collection, label: *label, readers: readers.clone(), language: *language };
        let slot = self.catalogue.put(*id, access);
        self.catalogue.count(slot, extent);
        for Numbered { passage, vector } in passages {
            if let Some(placed) = vector {
                self.dense.own(placed.number(), passage.id, slot);
            }
        }
    }
}

#[cfg(test)]
mod tests;
