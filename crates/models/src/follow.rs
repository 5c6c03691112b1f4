//! Follow: a server's engines obey the database, so that what an admin does at the console, beside a running server,
//! takes effect there.

use crate::acts::{event, found_sound};
use crate::{By, Engines, Models, ModelsError};
use audit::{Action, Actor, Event, Outcome};
use domain::OperationId;
use inference::ModelKind;
use serde_json::json;
use std::time::Duration;
use storage::{Model, ModelFinding};
use tokio_util::sync::CancellationToken;

/// How often the database is asked. One small read.
const PERIOD: Duration = Duration::from_secs(2);

impl Models {
    /// Makes the engines follow the database until `stop`.
    pub async fn follow(&self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.follow_once().await {
                tracing::error!(%error, "the models in the database could not be followed");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }

    /// Compares the engines with the database once and loads, unloads or swaps what differs. While an act is in work
    /// nothing is done.
    ///
    /// # Errors
    /// A failing database. A model that cannot be loaded is no error: it is noted with the model, recorded, and what
    /// ran before is wanted again.
    pub async fn follow_once(&self) -> Result<(), ModelsError> {
        let (Some(engines), Ok(_one_at_a_time)) = (&self.engines, self.gate.try_lock()) else { return Ok(()) };
        let models = self.list().await?;
        let mut generation = models.iter().filter(|model| model.kind == ModelKind::Generate.as_str());
        self.follow_stable(engines, generation.clone().find(|model| model.active), &models).await?;
        self.follow_beside(engines, generation.find(|model| model.beside)).await
    }

    async fn follow_stable(
        &self,
        engines: &Engines,
        wanted: Option<&Model>,
        models: &[Model],
    ) -> Result<(), ModelsError> {
        // An engine elsewhere writes the answers, or would if its settings were right: nothing takes its place.
        let (Some(wanted), None) = (wanted, self.elsewhere()) else { return Ok(()) };
        let running = engines.stable().map(|named| named.name);
        match &running {
            Some(name) if *name == wanted.name => return Ok(()),
            // Not one of these models: nothing to follow.
            Some(name) if !models.iter().any(|model| model.name == *name) => return Ok(()),
            Some(_) => {}
            // It could not be loaded before; it is tried again when its problem is settled.
            None if wanted.problem.is_some() => return Ok(()),
            None => {}
        }
        if let Some(named) = engines.named(&wanted.name) {
            engines.promote(named);
            return Ok(());
        }
        let by = self.by_itself();
        match self.open(wanted).await {
            Ok(opened) => {
                let mut act = self.store.begin().await?;
                found_sound(&mut act, wanted, opened.resident).await?;
                let detail = json!({ "place": "stable", "before": running, "after": wanted.name });
                act.record(event(Action::ModelLoaded, wanted, &by).detail(detail)).await?;
                act.commit().await?;
                engines.promote(opened.named);
                Ok(())
            }
            Err(error) => self.withdraw(wanted, running.as_deref(), &error, &by).await,
        }
    }

    /// What was promoted cannot be loaded: what runs is in use again.
    async fn withdraw(
        &self,
        wanted: &Model,
        running: Option<&str>,
        error: &ModelsError,
        by: &By,
    ) -> Result<(), ModelsError> {
        tracing::error!(%error, model = wanted.name, "the promoted model cannot be loaded; the one before stays");
        let mut act = self.store.begin().await?;
        if let Some(running) = running {
            act.withdraw_model(&wanted.name, running).await?;
        }
        let finding = ModelFinding::Problem { reason: error.to_string(), unsound: error.unsound() };
        act.note_model(&wanted.name, &finding).await?;
        let failed = event(Action::ModelPromoted, wanted, by).outcome(Outcome::Failed);
        let detail = json!({ "before": wanted.name, "after": running, "reason": error.to_string() });
        act.record(failed.detail(detail)).await?;
        Ok(act.commit().await?)
    }

    async fn follow_beside(&self, engines: &Engines, wanted: Option<&Model>) -> Result<(), ModelsError> {
        let running = engines.experimental().map(|named| named.name);
        let Some(wanted) = wanted else {
            if running.is_some() {
                engines.try_beside(None);
            }
            return Ok(());
        };
        if running.as_deref() == Some(wanted.name.as_str()) {
            return Ok(());
        }
        let by = self.by_itself();
        match self.open(wanted).await {
            Ok(opened) => {
                let mut act = self.store.begin().await?;
                found_sound(&mut act, wanted, opened.resident).await?;
                let detail = json!({ "place": "experimental", "before": running, "after": wanted.name });
                act.record(event(Action::ModelLoaded, wanted, &by).detail(detail)).await?;
                act.commit().await?;
                engines.try_beside(Some(opened.named));
            }
            Err(error) => {
                tracing::error!(%error, model = wanted.name, "the model cannot be loaded beside the one in use");
                let mut act = self.store.begin().await?;
                let before = running.as_deref();
                act.set_model_beside(&wanted.kind, before).await?;
                let finding = ModelFinding::Problem { reason: error.to_string(), unsound: error.unsound() };
                act.note_model(&wanted.name, &finding).await?;
                let failed = event(Action::ModelLoaded, wanted, &by).outcome(Outcome::Failed);
                let detail = json!({ "before": wanted.name, "after": before, "reason": error.to_string() });
                act.record(failed.detail(detail)).await?;
                act.commit().await?;
            }
        }
        Ok(())
    }

    /// Notes that the model in use could not be loaded when the server started. The server runs without it, so that
    /// an admin can mend it from its pages.
    ///
    /// # Errors
    /// A failing database.
    pub async fn failed_at_start(&self, reason: &str) -> Result<(), ModelsError> {
        if self.elsewhere().is_some() {
            return Ok(());
        }
        let Some(model) = self.store.active_model(ModelKind::Generate.as_str()).await? else { return Ok(()) };
        let finding = ModelFinding::Problem { reason: reason.to_owned(), unsound: true };
        let failed: Event = event(Action::ModelLoaded, &model, &self.by_itself()).outcome(Outcome::Failed);
        let failed = failed.detail(json!({ "place": "stable", "before": null, "after": null, "reason": reason }));
        self.record_with(&model.name, &finding, failed).await
    }

    fn by_itself(&self) -> By {
        By { actor: Actor::system(), operation: OperationId::new(self.store.environment()) }
    }
}
