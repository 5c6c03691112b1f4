//! Board: acts that take a while are done in the background, one at a time, and a page can see how they go.

use crate::{By, Models, ModelsError};
use inference::ModelKind;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::{MutexGuard, PoisonError};

/// What is in work and how the last act ended.
#[derive(Debug, Clone, Default)]
pub struct Board {
    /// In work now.
    pub work: Option<Work>,
    /// The last that ended.
    pub done: Option<Done>,
}

/// An act in work.
#[derive(Debug, Clone)]
pub struct Work {
    /// What it is, such as `Loading 'qwen' beside the model in use`.
    pub title: String,
    /// What it is at, such as `copying, 41 %`.
    pub stage: String,
    /// Since when.
    pub since: Timestamp,
}

/// How an act ended.
#[derive(Debug, Clone)]
pub struct Done {
    /// What it was.
    pub title: String,
    /// What came of it, or why it was refused; a clause without a full stop.
    pub sentence: String,
    /// Whether it was done.
    pub good: bool,
    /// When it ended.
    pub at: Timestamp,
}

/// An act for the background.
#[derive(Debug, Clone)]
pub enum Task {
    /// [`Models::import`].
    Import {
        /// The file or folder.
        path: PathBuf,
        /// Its name here.
        name: Option<String>,
    },
    /// [`Models::verify`].
    Verify(String),
    /// [`Models::load`].
    Load(String),
    /// [`Models::unload`].
    Unload,
    /// [`Models::promote`].
    Promote(String),
    /// [`Models::rollback`] of the generation model.
    Rollback,
    /// [`Models::measure`].
    Measure(String),
    /// [`Models::remove`].
    Remove(String),
}

impl Task {
    fn title(&self) -> String {
        match self {
            Self::Import { path, .. } => {
                format!("Importing {}", path.file_name().unwrap_or_default().to_string_lossy())
            }
            Self::Verify(name) => format!("Verifying {name}"),
            Self::Load(name) => format!("Loading {name} as experimental"),
            Self::Unload => "Unloading the experimental model".to_owned(),
            Self::Promote(name) => format!("Promoting {name}"),
            Self::Rollback => "Rolling back".to_owned(),
            Self::Measure(name) => format!("Measuring {name}"),
            Self::Remove(name) => format!("Removing {name}"),
        }
    }
}

/// Takes the act off the board, whatever happens to its task.
struct OnBoard(Models);

impl Drop for OnBoard {
    fn drop(&mut self) {
        let mut board = self.0.locked_board();
        if let Some(work) = board.work.take() {
            let (sentence, at) = (ModelsError::Interrupted.to_string(), self.0.store.environment().now());
            board.done = Some(Done { title: work.title, sentence, good: false, at });
        }
    }
}

impl Models {
    /// What is in work and how the last act ended.
    #[must_use]
    pub fn board(&self) -> Board {
        self.locked_board().clone()
    }

    /// Begins an act in the background.
    ///
    /// # Errors
    /// [`ModelsError::Busy`].
    pub fn begin(&self, task: Task, by: By) -> Result<(), ModelsError> {
        {
            let mut board = self.locked_board();
            if let Some(work) = &board.work {
                return Err(ModelsError::Busy(work.title.clone()));
            }
            let since = self.store.environment().now();
            board.work = Some(Work { title: task.title(), stage: "waiting its turn".to_owned(), since });
        }
        let entry = OnBoard(self.clone());
        tokio::spawn(async move {
            let models = &entry.0;
            let _one_at_a_time = models.gate.lock().await;
            let outcome = models.perform(&task, &by).await;
            if let Err(error) = &outcome {
                tracing::warn!(%error, task = task.title(), "an act with a model was refused");
            }
            let good = outcome.is_ok();
            let sentence = outcome.unwrap_or_else(|error| error.to_string());
            let mut board = models.locked_board();
            board.work = None;
            board.done = Some(Done { title: task.title(), sentence, good, at: models.store.environment().now() });
        });
        Ok(())
    }

    /// Does it, and says what came of it.
    async fn perform(&self, task: &Task, by: &By) -> Result<String, ModelsError> {
        Ok(match task {
            Task::Import { path, name } => {
                let model = self.import(path, name.as_deref(), by).await?;
                let next = match (model.active, model.kind.parse()) {
                    (true, _) => "it is in use, as the first of its kind",
                    (false, Ok(ModelKind::Rerank)) => "rerank.model in the configuration takes it into use",
                    (false, _) => "verify it, or try it beside",
                };
                format!("'{}' was taken in; {next}", model.name)
            }
            Task::Verify(name) => match self.verify(name, by).await? {
                true => format!("'{name}' is as it was imported, and it runs"),
                false => format!("'{name}' is as it was imported; there was no memory to run it"),
            },
            Task::Load(name) => {
                self.load(name, by).await?;
                format!("'{name}' is loaded beside the model in use; compare the two on a question of yours")
            }
            Task::Unload => format!("'{}' left memory", self.unload(by).await?),
            Task::Promote(name) => {
                self.promote(name, by).await?;
                format!("'{name}' answers from now on")
            }
            Task::Rollback => format!("'{}' answers again", self.rollback("generate", by).await?),
            Task::Remove(name) => {
                self.remove(name, by).await?;
                format!("'{name}' is gone, and its files with it")
            }
            Task::Measure(name) => {
                let speed = self.measure(name, by).await?;
                let (reads, writes) = (speed.prefill_tokens_per_s, speed.decode_tokens_per_s);
                format!("'{name}' reads {reads:.0} and writes {writes:.1} tokens a second")
            }
        })
    }

    /// Says what the act in work is at.
    pub(crate) fn stage(&self, stage: &str) {
        if let Some(work) = &mut self.locked_board().work {
            stage.clone_into(&mut work.stage);
        }
    }

    fn locked_board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
