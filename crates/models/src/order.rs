//! Orders: an evaluation that a console or a page wants and the running server makes, since it has the index and the models.
//! One at a time; what is wanted, how far it is and why it failed stand in the database, where everybody can see it.

use crate::{By, Models, ModelsError};
use audit::Actor;
use domain::{OperationId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The setting that holds the order.
const SETTING: &str = "models.evaluation_order";
/// Bytes of questions at most: a site's own set, and not its documents.
pub const LARGEST_SET: usize = 256 << 10;

/// An evaluation that somebody wants.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// Tells it from others.
    pub id: OperationId,
    /// Name of the model.
    pub model: String,
    /// Name of the file with the questions.
    pub set: String,
    /// What stands in it.
    pub questions: String,
    /// Whose eyes.
    pub user: UserId,
    /// Questions at most.
    pub limit: usize,
    /// Who wants it.
    pub actor: Actor,
    /// Since when.
    pub at: Timestamp,
    /// How far it is.
    pub standing: Standing,
}

/// How far an order is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// No server has begun with it.
    Waiting,
    /// A server is at it.
    Running {
        /// Answers so far, of both models together.
        done: usize,
        /// Answers in all.
        of: usize,
    },
    /// The figures are with the model.
    Done,
    /// Why there are none.
    Failed(String),
}

impl Order {
    /// Who wants it, for the audit log.
    #[must_use]
    pub fn by(&self) -> By {
        By { actor: self.actor.clone(), operation: self.id }
    }

    /// Whether it has not ended.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.standing, Standing::Waiting | Standing::Running { .. })
    }
}

impl Models {
    /// The last order, and how far it is.
    ///
    /// # Errors
    /// A failing database.
    pub async fn order(&self) -> Result<Option<Order>, ModelsError> {
        let stored = self.store.setting(SETTING).await?;
        // What another release wrote otherwise is no order any more.
        Ok(stored.and_then(|value| serde_json::from_value(value).ok()))
    }

    /// Wants an evaluation: a running server begins with it within a second or two.
    ///
    /// # Errors
    /// [`ModelsError::Busy`] while another one is in work; [`ModelsError::Unknown`]; a model that writes nothing, a set
    /// that is too large; a failing database.
    pub async fn place_order(&self, order: &Order) -> Result<(), ModelsError> {
        crate::open::generates(&self.find(&order.model).await?)?;
        if order.questions.len() > LARGEST_SET {
            let sentence = format!("{} is larger than {} kB; leave questions out", order.set, LARGEST_SET >> 10);
            return Err(ModelsError::Refused(sentence));
        }
        if let Some(other) = self.order().await?.filter(Order::is_open) {
            return Err(ModelsError::Busy(format!("'{}' is being evaluated on {}", other.model, other.set)));
        }
        self.write_order(order).await
    }

    /// Writes down how far an order is; `false` if it is no longer wanted.
    ///
    /// # Errors
    /// A failing database.
    pub async fn advance_order(&self, order: &Order, standing: Standing) -> Result<bool, ModelsError> {
        if self.order().await?.is_none_or(|kept| kept.id != order.id || !kept.is_open()) {
            return Ok(false);
        }
        let mut order = Order { standing, ..order.clone() };
        if !order.is_open() {
            // Questions of the site are nobody's business once they were answered.
            order.questions.clear();
        }
        self.write_order(&order).await.map(|()| true)
    }

    /// Wants it no longer: the server stops before its next question.
    ///
    /// # Errors
    /// A failing database.
    pub async fn withdraw_order(&self, reason: &str) -> Result<(), ModelsError> {
        if let Some(order) = self.order().await? {
            self.advance_order(&order, Standing::Failed(reason.to_owned())).await?;
        }
        Ok(())
    }

    async fn write_order(&self, order: &Order) -> Result<(), ModelsError> {
        let mut act = self.store.begin().await?;
        act.set_setting(SETTING, &json!(order)).await?;
        // Every question is an event of its own, and so are the figures.
        Ok(act.commit_housekeeping().await?)
    }
}
