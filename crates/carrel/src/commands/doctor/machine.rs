//! What this machine can do for us: hold the readers of documents, and compute.

use confine::Landlock;
use inference::Arithmetic;
use operations::doctor::Finding;
use std::path::Path;

/// Starts a reader of documents and asks it what holds it.
pub(super) async fn confinement(data: &Path) -> Finding {
    const CODE: &str = "confinement";
    let why = "a document that takes its reader over is held by fewer walls, or none";
    let advice = "use a kernel with Landlock and seccomp (Linux 5.13 or later), and no container that forbids them";
    match crate::reading::confinement(&data.join("recognition")).await {
        Ok(confinement) => {
            let detail = format!("readers of documents: {confinement}");
            match confinement.is_tight() {
                true if confinement.landlock == Landlock::Full => Finding::ok(CODE, detail),
                true => Finding::ok(CODE, format!("{detail}; an older kernel's Landlock, which seccomp makes up for")),
                false => Finding::warning(CODE, detail, why, advice),
            }
        }
        Err(error) => Finding::failed(CODE, error.to_string(), "no document can be read", advice),
    }
}

/// What models of this machine compute with.
pub(super) fn processor() -> Finding {
    const CODE: &str = "processor";
    let arithmetic = Arithmetic::of_this_machine();
    match arithmetic.warning() {
        None => Finding::ok(CODE, format!("models compute with {}", arithmetic.name())),
        Some(warning) => {
            let advice = "expect slow answers, or move to a processor of x86-64-v3 or later (any server since 2015)";
            Finding::warning(CODE, warning, "answers take many times longer", advice)
        }
    }
}
