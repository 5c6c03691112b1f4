//! Members: the files found in a mail or archive, documents of their own that follow it from version to version.

use crate::job::title_of;
use crate::stage::{Kept, Origin, take_in};
use audit::{Action, Actor, Event};
use domain::{ContentHash, Document, DocumentId, Environment, OperationId};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use storage::{Act, Job, StorageError};

/// Name, stored bytes and size of a file that was found.
type Found = (String, ContentHash, u64);

/// Makes documents of the files found in a file, and deletes those of an earlier version that are no longer in it.
pub(crate) async fn take_in_members(
    act: &mut Act,
    environment: &Environment,
    job: &Job,
    found: &[Found],
    parent: &Document,
    operation: OperationId,
) -> Result<usize, StorageError> {
    let before = act.children(parent.id).await?;
    if before.is_empty() && found.is_empty() {
        return Ok(0);
    }
    let Some(collection) = act.collection(job.collection).await? else { return Ok(0) };
    let mut paths = Paths { parent, taken: HashSet::new(), next: HashMap::new() };
    let mut sources = Vec::with_capacity(found.len());
    for (name, ..) in found {
        sources.push(paths.free(act, name).await?);
    }

    let same = of_same_bytes(&before, found, &sources);
    for member in gone(&before, &same, &sources) {
        act.supersede(member.id).await?;
        act.delete_document(member.id).await?;
        let event = Event::new(Action::DocumentDeleted, &Actor::system(), operation);
        let detail = json!({ "reason": "no longer in the file that it was taken out of" });
        act.record(event.on("document", member.id, &member.source).detail(detail)).await?;
    }
    follow(act, &mut paths, found, &mut sources, &same, operation).await?;

    let origin = Origin { label: Some(parent.label), batch: job.batch, ..Origin::of(&collection) };
    let submitter = Actor { user: job.submitted_by, name: job.submitted_by_name.clone(), ..Actor::system() };
    for ((_, content, size_bytes), source) in found.iter().zip(&sources) {
        let file = Kept {
            source,
            content: *content,
            size_bytes: *size_bytes,
            seen: None,
            sidecar: None,
            parent: Some(parent.id),
            depth: job.depth + 1,
        };
        take_in(act, environment, &origin, &file, &submitter, operation).await?;
    }
    Ok(sources.len())
}

/// For each file the document of before that has its bytes, whatever it was called: mailboxes number their mails, and
/// one that is deleted gives all behind it other names.
fn of_same_bytes<'a>(before: &'a [Document], found: &[Found], sources: &[String]) -> Vec<Option<&'a Document>> {
    let stood: HashMap<&str, &Document> = before.iter().map(|member| (member.source.as_str(), member)).collect();
    let unmoved = |((_, content, _), source): (&Found, &String)| {
        stood.get(source.as_str()).copied().filter(|member| member.content == *content)
    };
    let mut same: Vec<Option<&Document>> = found.iter().zip(sources).map(unmoved).collect();
    let stay: HashSet<DocumentId> = same.iter().flatten().map(|member| member.id).collect();
    let mut others: HashMap<ContentHash, Vec<&Document>> = HashMap::new();
    for member in before.iter().filter(|member| !stay.contains(&member.id)) {
        others.entry(member.content).or_default().push(member);
    }
    // Of equal ones that with the highest label comes first: what was secret does not become readable by this.
    for equal in others.values_mut() {
        equal.sort_by(|a, b| a.label.cmp(&b.label).then_with(|| b.source.cmp(&a.source)));
    }
    for (member, (_, content, _)) in same.iter_mut().zip(found) {
        if member.is_none() {
            *member = others.get_mut(content).and_then(Vec::pop);
        }
    }
    same
}

/// The documents of before that no file is any more, neither by its bytes nor, with new ones, by its name.
fn gone<'a>(before: &'a [Document], same: &[Option<&Document>], sources: &[String]) -> Vec<&'a Document> {
    let kept: HashSet<DocumentId> = same.iter().flatten().map(|member| member.id).collect();
    let new = same.iter().zip(sources).filter(|(member, _)| member.is_none());
    let new: HashSet<&str> = new.map(|(_, source)| source.as_str()).collect();
    let is_gone = |member: &&Document| !kept.contains(&member.id) && !new.contains(member.source.as_str());
    before.iter().filter(is_gone).collect()
}

/// Gives the documents whose files have other names now their new paths, which stand in `sources` afterwards.
async fn follow(
    act: &mut Act,
    paths: &mut Paths<'_>,
    found: &[Found],
    sources: &mut [String],
    same: &[Option<&Document>],
    operation: OperationId,
) -> Result<(), StorageError> {
    let mut aside = Vec::new();
    for (at, member) in same.iter().enumerate() {
        let Some(member) = *member else { continue };
        if member.source == sources[at] || moved(act, member, &member.source, &sources[at], operation).await? {
            continue;
        }
        // Another one may stand there that has yet to move itself.
        let place = format!("{}/{}", paths.parent.source, member.id);
        if act.rename_source(member.collection, member.id, &member.source, &place).await? {
            aside.push((at, member, place));
        }
    }
    for (at, member, place) in aside {
        while !moved(act, member, &place, &sources[at], operation).await? {
            sources[at] = paths.free(act, &found[at].0).await?;
        }
    }
    Ok(())
}

/// Gives a document, which is at `from` now, its new path; `false` if something stands there or below.
async fn moved(
    act: &mut Act,
    member: &Document,
    from: &str,
    to: &str,
    operation: OperationId,
) -> Result<bool, StorageError> {
    if act.stands_below(member.collection, to).await?
        || !act.rename_source(member.collection, member.id, from, to).await?
    {
        return Ok(false);
    }
    act.retitle(member.id, &title_of(&member.source), &title_of(to)).await?;
    let event = Event::new(Action::DocumentMoved, &Actor::system(), operation).on("document", member.id, to);
    act.record(event.detail(json!({ "from": member.source, "to": to }))).await?;
    Ok(true)
}

/// The paths of the files in `parent`: such as no other file of it has, nor any document from elsewhere. Whoever put that
/// there has not been given this file.
struct Paths<'a> {
    parent: &'a Document,
    taken: HashSet<String>,
    /// The number that the next file of a name gets: a thousand of one name are not counted through a thousand times.
    next: HashMap<String, u32>,
}

impl Paths<'_> {
    async fn free(&mut self, act: &mut Act, name: &str) -> Result<String, StorageError> {
        let plain = format!("{}/{name}", self.parent.source);
        let next = self.next.entry(plain.clone()).or_insert(1);
        loop {
            let source = if *next == 1 { plain.clone() } else { format!("{plain} ({next})") };
            *next += 1;
            if self.taken.contains(&source) {
                continue;
            }
            let elsewhere = match act.document_at(self.parent.collection, &source).await? {
                Some(document) => document.parent != Some(self.parent.id),
                None => false,
            };
            if !elsewhere {
                self.taken.insert(source.clone());
                return Ok(source);
            }
        }
    }
}
