//! A site's own questions, put to a model and to the one in use: by a command that has the data directory to itself, or by
//! the running server for whoever orders it, a page or a console.

use crate::commands::eval::{AnswerSet, Tally, ask};
use crate::site::{Failure, Site};
use ::audit::{Action, ActorKind, Event};
use answer::{Answering, NamedGenerator};
use indicatif::ProgressBar;
use models::{By, Evaluation, Models, Order, Standing};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether somebody wants one.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who asks a set of questions, and with whose eyes.
pub(crate) struct Asker<'a> {
    pub(crate) site: &'a Site,
    pub(crate) eyes: &'a str,
    pub(crate) by: &'a By,
}

impl Asker<'_> {
    /// What a model makes of the questions. `progress` is told after each, and says whether to go on.
    pub(crate) async fn figures(
        &self,
        answering: &Answering,
        set: &AnswerSet,
        progress: &mut Progress<'_>,
    ) -> Result<Value, Failure> {
        let mut tally = Tally::default();
        for item in &set.questions {
            let (user, scope) = self.site.eyes_of(item.asker.as_deref().unwrap_or(self.eyes)).await?;
            let (conversation, answer) = ask(answering, self.by, &item.question, &user, &scope).await?;
            tally.answered(item, &answer);
            // The audit log keeps what was asked; among the person's conversations it would only be in the way.
            let mut act = self.site.store.begin().await?;
            if act.delete_conversation(conversation, user.id).await? {
                let event = Event::new(Action::ConversationDeleted, &self.by.actor, self.by.operation);
                act.record(event.on("conversation", conversation, &item.question)).await?;
            }
            act.commit().await?;
            if !progress.step().await? {
                return Err("it was stopped".into());
            }
        }
        Ok(tally.figures(false))
    }
}

/// Where it is told how many answers there are.
pub(crate) enum Progress<'a> {
    /// On this console.
    Bar(ProgressBar),
    /// In the database, to whoever ordered them.
    Order { models: &'a Models, order: &'a Order, done: usize, of: usize },
}

impl Progress<'_> {
    /// One more; whether to go on.
    async fn step(&mut self) -> Result<bool, Failure> {
        match self {
            Self::Bar(bar) => {
                bar.inc(1);
                Ok(true)
            }
            Self::Order { models, order, done, of } => {
                *done += 1;
                Ok(models.advance_order(order, Standing::Running { done: *done, of: *of }).await?)
            }
        }
    }
}

/// SHA-256 of a set, as evaluations name it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The server's part: makes what is ordered, one after the other, until `stop` is cancelled.
pub(crate) struct Evaluator {
    pub(crate) site: Site,
    pub(crate) answering: Answering,
    pub(crate) models: Models,
}

impl Evaluator {
    pub(crate) async fn run(self, stop: CancellationToken) {
        if let Ok(Some(order)) = self.models.order().await
            && matches!(order.standing, Standing::Running { .. })
        {
            self.end(&order, Standing::Failed("the server was started anew meanwhile; ask for it again".to_owned()))
                .await;
        }
        while !stop.is_cancelled() {
            if let Ok(Some(order)) = self.models.order().await
                && order.standing == Standing::Waiting
            {
                let made = tokio::select! {
                    made = self.make(&order) => made.map_err(|error| error.to_string()),
                    () = stop.cancelled() => return,
                };
                if let Err(error) = &made {
                    tracing::warn!(error, model = order.model, "an evaluation was not made");
                }
                self.end(&order, made.map_or_else(Standing::Failed, |()| Standing::Done)).await;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn end(&self, order: &Order, standing: Standing) {
        if let Err(error) = self.models.advance_order(order, standing).await {
            tracing::error!(%error, "how an evaluation ended could not be written down");
        }
    }

    async fn make(&self, order: &Order) -> Result<(), Failure> {
        let mut set = AnswerSet::of_text(&order.set, &order.questions)?;
        set.thin(order.limit);
        if order.actor.kind != ActorKind::Console && set.questions.iter().any(|question| question.asker.is_some()) {
            return Err("a page asks with your own rights alone; leave 'asker' out of the questions".into());
        }
        let asker = self.site.store.user(order.user).await?.ok_or("the account that asks is gone")?;
        let by = order.by();
        let asker = Asker { site: &self.site, eyes: &asker.name, by: &by };
        let model = self.models.find(&order.model).await?;
        let engines = self.answering.engines();
        let stable = engines.stable().filter(|stable| stable.name != model.name);
        let of = set.questions.len() * if stable.is_some() { 2 } else { 1 };
        let mut progress = Progress::Order { models: &self.models, order, done: 0, of };
        self.models.advance_order(order, Standing::Running { done: 0, of }).await?;
        let wanted: NamedGenerator = match engines.named(&model.name) {
            Some(running) => running,
            None => self.models.open_for_trial(&model.name).await?,
        };
        let beside = match stable {
            Some(stable) => {
                let name = stable.name.clone();
                Some((name, asker.figures(&self.answering.with_model(stable), &set, &mut progress).await?))
            }
            None => None,
        };
        let figures = asker.figures(&self.answering.with_model(wanted), &set, &mut progress).await?;
        let found = Evaluation {
            sha256: model.sha256.clone(),
            at: self.site.store.environment().now(),
            set: order.set.clone(),
            set_sha256: sha256(order.questions.as_bytes()),
            figures,
            beside,
        };
        Ok(self.models.note_evaluation(&model, found, &by).await?)
    }
}
