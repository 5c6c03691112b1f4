//! Opening, sealing and merging segments.

use super::VectorOptions;
use super::log::Log;
use super::segment::{Loaded, Segment, codes_path};
use crate::IndexError;
use crate::catalogue::DocumentSlot;
use domain::PassageId;
use rayon::prelude::*;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A segment is written anew once this share of it is dead, and once this share of a full segment's rows is.
const DEAD: (f64, f64) = (0.3, 1.0 / 64.0);

/// Segments that take the place of others.
pub(crate) struct Replacement {
    pub(crate) old: Range<usize>,
    pub(crate) new: Vec<Segment>,
}

/// The log whose numbers begin with `first`.
pub(crate) fn log_path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:016x}.log"))
}

/// Removes a segment's files. What stays for a failure is found again by the next start.
pub(crate) fn remove_files(log: &Path) {
    for path in [codes_path(log), log.to_path_buf()] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, path = %path.display(), "a vector file that is needed no more could not be removed");
            }
            _ => {}
        }
    }
}

/// The logs in `directory` with the numbers that they begin with, ascending.
fn logs(directory: &Path) -> Result<Vec<(u64, PathBuf)>, IndexError> {
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(IndexError::file(directory))? {
        let path = entry.map_err(IndexError::file(directory))?.path();
        let number = |path: &Path| u64::from_str_radix(path.file_stem()?.to_str()?, 16).ok();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("log") => logs.extend(number(&path).map(|first| (first, path))),
            Some("new") => std::fs::remove_file(&path).map_err(IndexError::file(&path))?,
            _ => {}
        }
    }
    logs.sort_unstable();
    Ok(logs)
}

/// All segments of `directory`, the last one growing, and its log. `owners` says whose the vectors are, by their numbers;
/// it keeps those whose vectors are missing.
pub(crate) fn open(
    directory: &Path,
    dimension: usize,
    owners: &mut HashMap<u64, (PassageId, DocumentSlot)>,
) -> Result<(Vec<Segment>, Log), IndexError> {
    std::fs::create_dir_all(directory).map_err(IndexError::file(directory))?;
    let loaded: Vec<Loaded> = logs(directory)?
        .par_iter()
        .map(|(first, path)| Segment::load(path, dimension, *first))
        .collect::<Result<_, _>>()?;
    let mut segments: Vec<Segment> = Vec::new();
    let mut last = None;
    let mut next = 0;
    for Loaded { mut segment, log, damaged } in loaded {
        if segment.numbers().first().is_some_and(|first| *first < next) {
            // It was merged into the one before it, and the machine stopped before it was removed.
            remove_files(segment.path());
            continue;
        }
        for number in segment.numbers().to_vec() {
            if !damaged.contains(&number)
                && let Some((passage, document)) = owners.remove(&number)
            {
                segment.own(number, passage, document);
            }
        }
        next = next.max(log.next());
        last = Some(log);
        segments.push(segment);
    }
    let (growing, sealed) = match segments.split_last_mut() {
        Some((last, sealed)) => (last.is_growing(), sealed),
        None => (false, &mut [][..]),
    };
    for segment in sealed.iter_mut().filter(|segment| segment.is_growing()) {
        tracing::warn!(path = %segment.path().display(), "codes of vectors are missing or damaged and are computed anew");
        *segment = segment.sealed()?;
    }
    if let Some(log) = last.filter(|_| growing) {
        return Ok((segments, log));
    }
    let log = Log::create(&log_path(directory, next), dimension, next)?;
    segments.push(Segment::growing(&log, dimension));
    Ok((segments, log))
}

impl VectorOptions {
    fn is_wasteful(&self, segment: &Segment) -> bool {
        let dead = (segment.rows() - segment.alive()) as f64;
        dead >= DEAD.1 * self.segment as f64 && dead > DEAD.0 * segment.rows() as f64
            || !segment.is_growing() && segment.alive() == 0
    }

    /// The next thing to do for `segments`, done on disk; `None` when all is well. `log` is the last segment's.
    pub(crate) fn upkeep(
        &self,
        directory: &Path,
        dimension: usize,
        segments: &[Segment],
        log: &mut Log,
    ) -> Result<Option<Replacement>, IndexError> {
        let Some((last, sealed)) = segments.split_last() else { return Ok(None) };
        if self.is_wasteful(last) {
            let rewritten = merge(last.path(), dimension, std::slice::from_ref(last))?;
            *log = rewritten.log.going_on_from(log.next());
            return Ok(Some(Replacement { old: sealed.len()..segments.len(), new: vec![rewritten.segment] }));
        }
        if last.rows() >= self.segment.max(1) {
            let full = last.sealed()?;
            *log = Log::create(&log_path(directory, log.next()), dimension, log.next())?;
            let new = vec![full, Segment::growing(log, dimension)];
            return Ok(Some(Replacement { old: sealed.len()..segments.len(), new }));
        }
        let Some(wasteful) = sealed.iter().position(|segment| self.is_wasteful(segment)) else { return Ok(None) };
        let old = self.neighbourhood(sealed, wasteful);
        let merged = &sealed[old.clone()];
        let mut new = Vec::new();
        if merged.iter().any(|segment| segment.alive() > 0) {
            new.push(merge(merged[0].path(), dimension, merged)?.segment.sealed()?);
        }
        merged.iter().skip(new.len()).for_each(|segment| remove_files(segment.path()));
        Ok(Some(Replacement { old, new }))
    }

    /// The sealed segments around one that together fit into one.
    fn neighbourhood(&self, sealed: &[Segment], of: usize) -> Range<usize> {
        let mut rows = sealed[of].alive();
        let mut around = of..of + 1;
        let fits = |rows: &mut usize, other: &Segment| {
            let fits = *rows + other.alive() <= self.segment;
            *rows += if fits { other.alive() } else { 0 };
            fits
        };
        while around.start > 0 && fits(&mut rows, &sealed[around.start - 1]) {
            around.start -= 1;
        }
        while around.end < sealed.len() && fits(&mut rows, &sealed[around.end]) {
            around.end += 1;
        }
        around
    }
}

/// Writes the living rows of neighbouring segments into one log at `path`.
fn merge(path: &Path, dimension: usize, segments: &[Segment]) -> Result<Loaded, IndexError> {
    let owned: Vec<_> =
        segments.iter().flat_map(|segment| segment.owned().into_iter().map(move |row| (segment, row))).collect();
    let mut bytes = Vec::new();
    let vectors = owned.iter().map(|(segment, (number, ..))| {
        let missing = || IndexError::damaged(path, "a vector has no place in its segment");
        let place = segment.place(*number).ok_or_else(missing)?;
        let mut vector = Vec::with_capacity(dimension);
        segment.read(place, &mut bytes, &mut vector)?;
        Ok((*number, vector))
    });
    Log::replace(path, dimension, vectors)?;
    // Read again: what counts is what is on the disk.
    let first = owned.first().map_or(0, |(_, (number, ..))| *number);
    let mut loaded = Segment::load(path, dimension, first)?;
    for (_, (number, passage, document)) in owned.iter().filter(|(_, (number, ..))| !loaded.damaged.contains(number)) {
        loaded.segment.own(*number, *passage, *document);
    }
    Ok(loaded)
}
