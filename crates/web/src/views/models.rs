//! Model packs: what there is, what runs, and what can be done with each.

use super::Chrome;
use askama::Template;

/// The models page of admins.
#[derive(Debug, Clone, Template)]
#[template(path = "models.html")]
pub struct ModelsPage {
    /// The frame.
    pub chrome: Chrome,
    /// What is in work.
    pub work: Option<ModelWork>,
    /// How the last act ended.
    pub done: Option<ModelDone>,
    /// All models, those that write first.
    pub models: Vec<ModelView>,
    /// The engine elsewhere that writes the answers, if one does.
    pub elsewhere: Option<ElsewhereView>,
    /// What a rollback would go back to.
    pub rollback: Option<String>,
    /// The machine's memory.
    pub memory: Option<MemoryView>,
    /// What lies in the inbox.
    pub inbox: Vec<InboxRow>,
    /// The inbox's folder.
    pub inbox_folder: String,
    /// Other folders from which the page imports.
    pub places: Vec<String>,
}

impl ModelsPage {
    /// The model that answers.
    #[must_use]
    pub fn stable(&self) -> Option<&ModelView> {
        self.models.iter().find(|model| model.generates && model.standing == ModelStanding::Stable)
    }

    /// The model that is tried beside it.
    #[must_use]
    pub fn experimental(&self) -> Option<&ModelView> {
        self.models.iter().find(|model| model.standing == ModelStanding::Experimental)
    }
}

/// Where a model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelStanding {
    /// Its file is here.
    Imported,
    /// It was found sound and runs.
    Verified,
    /// It is tried beside the one in use.
    Experimental,
    /// It is in use.
    Stable,
    /// It was in use before.
    Previous,
}

impl ModelStanding {
    /// Its word; also the style's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::Verified => "verified",
            Self::Experimental => "experimental",
            Self::Stable => "stable",
            Self::Previous => "previous",
        }
    }

    /// Its symbol in `icons.svg`.
    #[must_use]
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Imported => "minus",
            Self::Verified => "shield",
            Self::Experimental => "clock",
            Self::Stable => "check",
            Self::Previous => "retry",
        }
    }
}

/// A model.
#[derive(Debug, Clone)]
pub struct ModelView {
    /// Its name.
    pub name: String,
    /// Whether it writes answers; else it reads passages.
    pub generates: bool,
    /// Family, number format, weights and the like.
    pub facts: Vec<String>,
    /// Where it stands.
    pub standing: ModelStanding,
    /// Since when.
    pub since: String,
    /// Whether it is in memory, so that it can be measured.
    pub loaded: bool,
    /// When it was last verified.
    pub verified: Option<String>,
    /// Size of its file.
    pub size: String,
    /// The memory that it is expected to take.
    pub need: Option<String>,
    /// The memory that it took.
    pub resident: Option<String>,
    /// Tokens that it reads in a second.
    pub reads: Option<String>,
    /// Tokens that it writes in a second.
    pub writes: Option<String>,
    /// When and on what that was measured.
    pub measured: Option<String>,
    /// How it answered the site's own questions, beside the one in use.
    pub evaluated: Option<String>,
    /// Its licence, if it says so.
    pub license: Option<String>,
    /// Where the licence stands, for reading only.
    pub link: Option<String>,
    /// Who made it, if it says so.
    pub author: Option<String>,
    /// SHA-256 of its weights, hexadecimal.
    pub sha256: String,
    /// Why the last thing that was tried with it did not work.
    pub problem: Option<String>,
}

impl ModelView {
    /// Whether it can be loaded beside the one in use.
    #[must_use]
    pub fn may_load(&self) -> bool {
        self.generates && !matches!(self.standing, ModelStanding::Stable | ModelStanding::Experimental)
    }

    /// Whether it can be taken into use; of models that write only one of this machine, if those do.
    #[must_use]
    pub fn may_promote(&self, elsewhere: bool) -> bool {
        self.standing != ModelStanding::Stable && !(self.generates && elsewhere)
    }

    /// Whether it can be removed.
    #[must_use]
    pub fn may_remove(&self) -> bool {
        matches!(self.standing, ModelStanding::Imported | ModelStanding::Verified)
    }
}

/// An engine elsewhere.
#[derive(Debug, Clone)]
pub struct ElsewhereView {
    /// The model's name there.
    pub model: String,
    /// Its address.
    pub address: String,
}

/// The machine's memory.
#[derive(Debug, Clone)]
pub struct MemoryView {
    /// What is free, such as `9.1 GB`.
    pub free: String,
    /// All of it.
    pub total: String,
    /// How much is taken, in percent.
    pub share: u8,
}

/// An act in work.
#[derive(Debug, Clone)]
pub struct ModelWork {
    /// What it is.
    pub title: String,
    /// What it is at.
    pub stage: String,
    /// For how long, such as `12 s`.
    pub elapsed: String,
}

/// How an act ended.
#[derive(Debug, Clone)]
pub struct ModelDone {
    /// What it was.
    pub title: String,
    /// What came of it, or why it was refused.
    pub sentence: String,
    /// Whether it was done.
    pub good: bool,
    /// When.
    pub at: String,
}

/// Something that can be imported.
#[derive(Debug, Clone)]
pub struct InboxRow {
    /// Its file name.
    pub name: String,
    /// Its size.
    pub size: String,
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl ModelView {
        pub(crate) fn sample(name: &str, standing: ModelStanding) -> Self {
            let generates = !name.contains("MiniLM");
            let some = |text: &str| Some(text.to_owned());
            let running = generates && matches!(standing, ModelStanding::Stable | ModelStanding::Experimental);
            let facts: &[&str] = if generates {
                &["qwen2", "Q4_K", "1.5 B weights", "context 32,768"]
            } else {
                &["bert", "F32", "23 M weights", "384 dimensions"]
            };
            Self {
                name: name.to_owned(),
                generates,
                facts: facts.iter().map(|fact| (*fact).to_owned()).collect(),
                standing,
                since: "14 March 2026, 09:41".to_owned(),
                loaded: running,
                verified: if standing == ModelStanding::Imported { None } else { some("14 March 2026, 09:38") },
                size: if generates { "1.1 GB" } else { "91 MB" }.to_owned(),
                need: some(if generates { "1.5 GB" } else { "105 MB" }),
                resident: if running { some("1.3 GB") } else { None },
                reads: if running { some("104") } else { None },
                writes: if running { some("18.6") } else { None },
                measured: if running { some("14 March 2026 on Xeon Platinum, 2 cores") } else { None },
                evaluated: (standing == ModelStanding::Experimental).then(|| {
                    "right answers 71 % (in use 64 %), supported sentences 96 % (93 %), 30 questions of site.jsonl, 14 March 2026"
                        .to_owned()
                }),
                license: if standing == ModelStanding::Imported { None } else { some("apache-2.0") },
                link: if standing == ModelStanding::Imported { None } else { some("the model’s page at its makers") },
                author: if standing == ModelStanding::Imported { None } else { some("Qwen") },
                sha256: "cc324af0".repeat(8),
                problem: None,
            }
        }
    }

    impl ModelsPage {
        pub(crate) fn sample() -> Self {
            use ModelStanding::{Experimental, Imported, Previous, Stable};
            let mut broken = ModelView::sample("Mistral-7B-Instruct-v0.3", Imported);
            broken.problem = Some(
                "'Mistral-7B-Instruct-v0.3' needs about 5.6 GB of memory and 3.1 GB are free; unload another model or choose a smaller one".to_owned(),
            );
            Self {
                chrome: Chrome { banner: None, ..Chrome::sample("Models", Nav::Models, Role::Admin) },
                work: None,
                done: Some(ModelDone {
                    title: "Loading Qwen2.5-3B-Instruct as experimental".to_owned(),
                    sentence: "'Qwen2.5-3B-Instruct' is loaded beside the model in use; compare the two on a question of yours".to_owned(),
                    good: true,
                    at: "09:41".to_owned(),
                }),
                models: vec![
                    ModelView::sample("Qwen2.5-Coder-1.5B-Instruct", Stable),
                    ModelView::sample("Qwen2.5-3B-Instruct", Experimental),
                    ModelView::sample("SmolLM2-135M-Instruct", Previous),
                    broken,
                    ModelView::sample("all-MiniLM-L6-v2", Stable),
                ],
                elsewhere: None,
                rollback: Some("SmolLM2-135M-Instruct".to_owned()),
                memory: Some(MemoryView { free: "3.1 GB".to_owned(), total: "16 GB".to_owned(), share: 81 }),
                inbox: vec![InboxRow { name: "phi-4-mini-instruct-q4_k_m.gguf".to_owned(), size: "2.5 GB".to_owned() }],
                inbox_folder: "/var/lib/carrel/models/inbox".to_owned(),
                places: vec!["/media".to_owned(), "/mnt".to_owned()],
            }
        }

        pub(crate) fn sample_elsewhere() -> Self {
            let engine =
                ElsewhereView { model: "qwen2.5-14b-instruct".to_owned(), address: "http://10.0.0.5:8000".to_owned() };
            Self { elsewhere: Some(engine), ..Self::sample() }
        }

        pub(crate) fn sample_in_work() -> Self {
            let work = ModelWork {
                title: "Importing phi-4-mini-instruct-q4_k_m.gguf".to_owned(),
                stage: "copying, 41 %".to_owned(),
                elapsed: "12 s".to_owned(),
            };
            let mut page = Self { work: Some(work), done: None, rollback: None, ..Self::sample() };
            page.models.retain(|model| model.standing != ModelStanding::Experimental);
            page
        }

        pub(crate) fn sample_empty() -> Self {
            let done = ModelDone {
                title: "Importing holiday.gguf".to_owned(),
                sentence: "holiday.gguf is damaged or no model: it does not begin like a GGUF file".to_owned(),
                good: false,
                at: "09:41".to_owned(),
            };
            let (models, inbox) = (Vec::new(), Vec::new());
            Self { models, inbox, rollback: None, memory: None, done: Some(done), ..Self::sample() }
        }
    }
}
