//! Whether the index can be opened.

use crate::lock::IndexLock;
use ::index::{Index, IndexError};
use domain::Environment;
use inference::ModelKind;
use operations::doctor::{Finding, Subject};
use serde_json::Value;
use storage::{StorageError, Store};

const CODE: &str = "index";
const WHY: &str = "without it nothing is found; it is only a copy, so nothing is lost";

/// Opens the index, compares the checksums of its files and counts its passages. While a server has it, the server did.
pub(super) async fn looked_at(subject: &Subject) -> Finding {
    let directory = subject.data.join("index");
    if !directory.exists() {
        return Finding::ok(CODE, "there is none yet; the next start makes it");
    }
    if subject.server_running {
        return Finding::ok(CODE, "in use by the running server");
    }
    let (dimension, expected) = match told(subject).await {
        Ok((Some(dimension), expected)) => (dimension, expected),
        Ok((None, _)) => return Finding::ok(CODE, "cannot be opened without an embedding model"),
        Err(error) => return Finding::unknown(CODE, error),
    };
    let lock = match IndexLock::acquire(&subject.data) {
        Ok(Some(lock)) => lock,
        Ok(None) => return Finding::ok(CODE, "in use by the running server"),
        Err(error) => return Finding::unknown(CODE, error),
    };
    let opened = tokio::task::spawn_blocking(move || {
        let looked = Index::open(&directory, dimension).map(|index| (index.passages() as u64, index.verify()));
        drop(lock);
        looked
    });
    match opened.await {
        Ok(Ok((_, Err(error)))) => {
            // It opens, so the server would not notice before it reads just these bytes.
            let advice =
                "stop the server and run 'carrel index rebuild', which makes it anew; then look for a failing disk";
            Finding::warning(CODE, format!("damaged: {error}"), WHY, advice)
        }
        Ok(Ok((passages, Ok(())))) => {
            let finding = Finding::ok(CODE, format!("{passages} passages can be searched"));
            finding.with("passages", passages).with("passages_in_database", expected)
        }
        Ok(Err(IndexError::Damaged { .. })) => {
            let advice = "start the server: it sets the damaged one aside and makes it anew; this takes a while";
            Finding::warning(CODE, "damaged", WHY, advice)
        }
        Ok(Err(error)) => {
            let advice = "mend what the sentence names, or move the folder away and start the server";
            Finding::failed(CODE, error.to_string(), WHY, advice)
        }
        Err(_) => Finding::unknown(CODE, "it was interrupted"),
    }
}

/// The dimension of the embedding model in use, and how many passages the database has.
async fn told(subject: &Subject) -> Result<(Option<usize>, u64), StorageError> {
    let store = Store::examine(&subject.database(), Environment::system()).await?;
    let model = store.active_model(ModelKind::Embed.as_str()).await?;
    let counts = store.row_counts().await?;
    store.close().await;
    let dimension = model.and_then(|model| model.info.get("dimension").and_then(Value::as_u64));
    let passages = counts.into_iter().find(|(table, _)| *table == "passages").map_or(0, |(_, rows)| rows);
    Ok((dimension.and_then(|dimension| usize::try_from(dimension).ok()), passages))
}
