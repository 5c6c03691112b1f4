//! The models in use: there, as they were imported, and under a known licence.

use super::{Depth, Finding, Subject};
use inference::ModelKind;
use inference::pack::inspect;
use std::path::PathBuf;
use storage::{Model, Store};

const CODE: &str = "model";
const AGAIN: &str = "import it again from its medium with 'carrel model import', then take it into use";

pub(super) async fn models(subject: &Subject, store: &Store, depth: Depth) -> Vec<Finding> {
    let models = match store.models().await {
        Ok(models) => models,
        Err(error) => return vec![Finding::unknown(CODE, error)],
    };
    let mut findings = Vec::new();
    for model in models.iter().filter(|model| model.active) {
        findings.push(model_in_use(subject, model, depth).await.of(&model.name));
    }
    let active = |kind: ModelKind| models.iter().any(|model| model.active && model.kind == kind.as_str());
    if !active(ModelKind::Embed) {
        let (why, advice) = ("the server does not start without one", "'carrel model import DIRECTORY' adds one");
        findings.push(Finding::failed(CODE, "no embedding model is in use", why, advice).of("for search"));
    }
    if subject.generates && !active(ModelKind::Generate) {
        let (why, advice) = ("documents are found, questions are not answered", "'carrel model import FILE' adds one");
        findings.push(Finding::warning(CODE, "no generation model is in use", why, advice).of("for answers"));
    }
    findings
}

async fn model_in_use(subject: &Subject, model: &Model, depth: Depth) -> Finding {
    let path: PathBuf = subject.data.join(&model.file);
    if !path.exists() {
        return Finding::failed(CODE, format!("{} is gone", path.display()), "the next start cannot load it", AGAIN);
    }
    if depth >= Depth::Usual {
        let info = match tokio::task::spawn_blocking(move || inspect(&path)).await {
            Ok(Ok(info)) => info,
            Ok(Err(error)) => return Finding::failed(CODE, error.to_string(), "the next start cannot load it", AGAIN),
            Err(_) => return Finding::unknown(CODE, "it was interrupted"),
        };
        if info.sha256 != model.sha256 {
            let why = "what answers is not what was tried and approved";
            return Finding::failed(CODE, "its files were changed after the import", why, AGAIN);
        }
        let licence = model.card.get("license").and_then(|licence| licence.as_str());
        let detail =
            format!("as it was imported, sha256 {}…, licence {}", &info.sha256[..12], licence.unwrap_or("unknown"));
        if licence.is_none() && model.kind == ModelKind::Generate.as_str() {
            let why = "nobody can tell from the file whether it may be used here";
            return Finding::warning(
                CODE,
                detail,
                why,
                "ask the supplier under which terms it may be used, and write it down",
            );
        }
        return Finding::ok(CODE, detail);
    }
    Finding::ok(CODE, "is there")
}
