//! Acts: what is done with a model that is here. Each is recorded in the transaction that it changes something in;
//! engines are swapped after that, when nothing can fail any more.

use crate::engines::NamedGenerator;
use crate::open::{Opened, generates};
use crate::speed::{Speed, measure};
use crate::{By, Models, ModelsError};
use audit::{Action, Event, Outcome};
use inference::ModelKind;
use serde_json::{Value, json};
use storage::{Act, Model, ModelFinding};

const GENERATE: &str = ModelKind::Generate.as_str();

impl Models {
    /// Compares a model's file with the hash of its import and lets it write a few tokens; `false` if there was not
    /// enough memory for the latter.
    ///
    /// # Errors
    /// [`ModelsError`]: the file is damaged or another one, or the model does not run. Recorded.
    pub async fn verify(&self, name: &str, by: &By) -> Result<bool, ModelsError> {
        let model = self.find(name).await?;
        let outcome = self.check(&model, by).await;
        self.settled(Action::ModelVerified, &model, by, outcome).await
    }

    async fn check(&self, model: &Model, by: &By) -> Result<bool, ModelsError> {
        self.sound(model).await?;
        let (ran, resident) = self.run_once(model).await?;
        let mut act = self.store.begin().await?;
        found_sound(&mut act, model, resident).await?;
        let detail = json!({ "sha256": model.sha256, "self_test": ran });
        act.record(event(Action::ModelVerified, model, by).detail(detail)).await?;
        act.commit().await?;
        Ok(ran)
    }

    /// Loads a generation model beside the one in use, in place of one that is tried already.
    ///
    /// # Errors
    /// [`ModelsError`]: it is in use, does not fit into memory, or does not run. Recorded.
    pub async fn load(&self, name: &str, by: &By) -> Result<(), ModelsError> {
        let model = self.find(name).await?;
        generates(&model)?;
        if model.active {
            return Err(ModelsError::Refused(format!(
                "'{name}' is in use already; choose another model to try beside it"
            )));
        }
        if model.beside && (self.engines.is_none() || self.engines().named(name).is_some()) {
            return Err(ModelsError::Refused(format!("'{name}' is loaded already")));
        }
        let outcome = self.load_beside(&model, by).await;
        self.settled(Action::ModelLoaded, &model, by, outcome).await
    }

    async fn load_beside(&self, model: &Model, by: &By) -> Result<(), ModelsError> {
        let opened = self.ready(model, by).await?;
        let mut act = self.store.begin().await?;
        let before = act.set_model_beside(GENERATE, Some(&model.name)).await?;
        let resident = opened.as_ref().and_then(|opened| opened.resident);
        if opened.is_some() {
            found_sound(&mut act, model, resident).await?;
        }
        let detail =
            json!({ "place": "experimental", "before": before, "after": model.name, "resident_bytes": resident });
        act.record(event(Action::ModelLoaded, model, by).detail(detail)).await?;
        act.commit().await?;
        if let (Some(engines), Some(opened)) = (&self.engines, opened) {
            engines.try_beside(Some(opened.named));
        }
        Ok(())
    }

    /// Takes the model that is tried beside the one in use out of memory, and gives its name.
    ///
    /// # Errors
    /// [`ModelsError::Refused`] if there is none; a failing database.
    pub async fn unload(&self, by: &By) -> Result<String, ModelsError> {
        let mut act = self.store.begin().await?;
        let none = || ModelsError::Refused("no model is loaded beside the one in use".to_owned());
        let before = act.set_model_beside(GENERATE, None).await?.ok_or_else(none)?;
        let unloaded = Event::new(Action::ModelUnloaded, &by.actor, by.operation).on("model", &before, &before);
        act.record(unloaded.detail(json!({ "place": "experimental", "before": before, "after": null }))).await?;
        act.commit().await?;
        if let Some(engines) = &self.engines {
            engines.try_beside(None);
        }
        Ok(before)
    }

    /// Takes a model into use, and gives the name of the one that was. A generation model is loaded and run before;
    /// answers that are being written are finished by the old one.
    ///
    /// # Errors
    /// [`ModelsError`]; the model in use stays, and the refusal is recorded.
    pub async fn promote(&self, name: &str, by: &By) -> Result<Option<String>, ModelsError> {
        let model = self.find(name).await?;
        if model.active {
            return Ok(Some(model.name));
        }
        let outcome = self.put_into_use(&model, Action::ModelPromoted, by).await;
        self.settled(Action::ModelPromoted, &model, by, outcome).await
    }

    /// Goes back to the model that was in use before, and gives its name.
    ///
    /// # Errors
    /// As [`Models::promote`]; [`ModelsError::Refused`] if there was none.
    pub async fn rollback(&self, kind: &str, by: &By) -> Result<String, ModelsError> {
        let none = || {
            ModelsError::Refused(format!("no other {kind} model was in use before; promote one by its name instead"))
        };
        let models = self.list().await?;
        let model = models.into_iter().find(|model| model.kind == kind && model.previous).ok_or_else(none)?;
        let outcome = self.put_into_use(&model, Action::ModelRolledBack, by).await;
        self.settled(Action::ModelRolledBack, &model, by, outcome).await?;
        Ok(model.name)
    }

    async fn put_into_use(&self, model: &Model, action: Action, by: &By) -> Result<Option<String>, ModelsError> {
        self.promotable(&model.kind)?;
        let opened = if model.kind == GENERATE {
            match self.engines().named(&model.name) {
                Some(named) => Some(Opened { named, resident: None }),
                None => self.ready(model, by).await?,
            }
        } else {
            self.sound(model).await?;
            None
        };
        let before = self.store.active_model(&model.kind).await?.map(|model| model.name);
        let mut act = self.store.begin().await?;
        act.promote_model(&model.name).await?;
        if let Some(opened) = &opened {
            found_sound(&mut act, model, opened.resident).await?;
        }
        let detail = json!({
            "kind": model.kind,
            "before": before,
            "after": model.name,
            "sha256": model.sha256,
        });
        act.record(event(action, model, by).detail(detail)).await?;
        act.commit().await?;
        if let (Some(engines), Some(opened)) = (&self.engines, opened) {
            engines.promote(opened.named);
        }
        Ok(before)
    }

    /// In a server: the model in memory, ready to be swapped in. At a console, where another process may hold the
    /// engines: only what can be known of the file; a model that was never run is run once.
    async fn ready(&self, model: &Model, by: &By) -> Result<Option<Opened>, ModelsError> {
        if self.engines.is_some() {
            return Ok(Some(self.open(model).await?));
        }
        if model.verified_at.is_none() {
            self.check(model, by).await?;
        } else {
            self.sound(model).await?;
        }
        Ok(None)
    }

    /// Measures a model's speed: the one in memory in a server, at a console one that is loaded for it.
    ///
    /// # Errors
    /// [`ModelsError`]: it does not generate, is not loaded, or does not run.
    pub async fn measure(&self, name: &str, by: &By) -> Result<Speed, ModelsError> {
        let model = self.find(name).await?;
        generates(&model)?;
        let outcome = self.measured(&model, by).await;
        self.settled(Action::ModelMeasured, &model, by, outcome).await
    }

    async fn measured(&self, model: &Model, by: &By) -> Result<Speed, ModelsError> {
        let NamedGenerator { generator, .. } = match &self.engines {
            Some(engines) => engines.named(&model.name).ok_or_else(|| {
                ModelsError::Refused(format!("'{}' is not in memory; load it beside the one in use first", model.name))
            })?,
            None => self.open(model).await?.named,
        };
        self.stage("reading 256 tokens and writing 32");
        let speed = measure(&generator, self.store.environment().now()).await?;
        let mut act = self.store.begin().await?;
        act.note_model(&model.name, &ModelFinding::Speed(json!(speed))).await?;
        let detail = json!({ "before": model.speed, "after": speed });
        act.record(event(Action::ModelMeasured, model, by).detail(detail)).await?;
        act.commit().await?;
        Ok(speed)
    }

    /// Records an act that did not work, and why, with the model. A refusal that concerns no file changes nothing and
    /// is only told.
    pub(crate) async fn settled<T>(
        &self,
        action: Action,
        model: &Model,
        by: &By,
        outcome: Result<T, ModelsError>,
    ) -> Result<T, ModelsError> {
        if let Err(error) = &outcome
            && !matches!(error, ModelsError::Refused(_))
        {
            let finding = ModelFinding::Problem { reason: error.to_string(), unsound: error.unsound() };
            let failed = event(action, model, by).outcome(Outcome::Failed);
            let failed = failed.detail(json!({ "reason": error.to_string(), "after": Value::Null }));
            if let Err(error) = self.record_with(&model.name, &finding, failed).await {
                tracing::error!(%error, model = model.name, "what went wrong with a model could not be recorded");
            }
        }
        outcome
    }

    pub(crate) async fn record_with(
        &self,
        name: &str,
        finding: &ModelFinding,
        event: Event,
    ) -> Result<(), ModelsError> {
        let mut act = self.store.begin().await?;
        act.note_model(name, finding).await?;
        act.record(event).await?;
        Ok(act.commit().await?)
    }

    /// Records an event about a file that became no model.
    pub(crate) async fn record_alone(&self, event: Event) {
        let recorded = async {
            let mut act = self.store.begin().await?;
            act.record(event).await?;
            act.commit().await
        };
        if let Err(error) = recorded.await {
            tracing::error!(%error, "a refused model could not be recorded");
        }
    }
}

pub(crate) fn event(action: Action, model: &Model, by: &By) -> Event {
    Event::new(action, &by.actor, by.operation).on("model", &model.name, &model.name)
}

/// Notes that a model runs, and what it took.
pub(crate) async fn found_sound(act: &mut Act, model: &Model, resident: Option<u64>) -> Result<(), ModelsError> {
    act.note_model(&model.name, &ModelFinding::Verified).await?;
    if let Some(bytes) = resident {
        act.note_model(&model.name, &ModelFinding::Resident(bytes)).await?;
    }
    Ok(())
}
