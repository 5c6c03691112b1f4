//! Conversations and the record of each answer. Every read names the owner: nobody reads another's questions here.

use crate::act::found;
use crate::error::naming;
use crate::rows::{Columns, count, json};
use crate::{Act, Result, Store};
use domain::{AnswerId, ContentHash, ConversationId, DocumentId, Label, PassageId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::sqlite::SqliteRow;

/// Questions and answers that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Identity.
    pub id: ConversationId,
    /// Whose it is.
    pub owner: UserId,
    /// What lists show.
    pub title: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When the last question was asked or answered.
    pub updated_at: Timestamp,
}

/// Where an answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerState {
    /// Passages are looked for.
    Searching,
    /// The text is being written.
    Writing,
    /// Complete.
    Finished,
    /// Nothing good enough was found, and the answer says so.
    Refused,
    /// Its reader stopped it or left.
    Stopped,
    /// A fault ended it.
    Failed,
}

impl AnswerState {
    /// All states.
    pub const ALL: [Self; 6] =
        [Self::Searching, Self::Writing, Self::Finished, Self::Refused, Self::Stopped, Self::Failed];

    /// The state's stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Searching => "searching",
            Self::Writing => "writing",
            Self::Finished => "finished",
            Self::Refused => "refused",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// A question and its answer, with all that is needed to write the same answer again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// Identity, which a reader can quote.
    pub id: AnswerId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The question as asked.
    pub question: String,
    /// Where it stands.
    pub state: AnswerState,
    /// The answer so far.
    pub text: String,
    /// The answer's sentences with what each rests on.
    pub sentences: Value,
    /// The highest label of its sources.
    pub label: Option<Label>,
    /// The model that wrote it; empty before one is chosen.
    pub model: String,
    /// SHA-256 of the model's weights, hexadecimal.
    pub model_hash: String,
    /// The prompt as given to the model.
    pub prompt: String,
    /// Durations, token counts, sampling and seed.
    pub timings: Value,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// A passage that an answer was given, as it stood then. It outlives the document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// 1-based number that citations use.
    pub rank: u32,
    /// The passage.
    pub passage: PassageId,
    /// Its document.
    pub document: DocumentId,
    /// The document's version.
    pub version: u32,
    /// The document's title then.
    pub title: String,
    /// 1-based page.
    pub page: Option<u32>,
    /// BLAKE3 of the passage's text.
    pub hash: ContentHash,
    /// The score that ranked it.
    pub score: f32,
}

impl Act {
    /// Adds a conversation.
    ///
    /// # Errors
    /// `NotFound` if the owner does not exist.
    pub async fn insert_conversation(&mut self, conversation: &Conversation) -> Result<()> {
        sqlx::query("INSERT INTO conversations (id, owner, title, created_at, updated_at) VALUES (?, ?, ?, ?, ?)")
            .bind(conversation.id.uuid())
            .bind(conversation.owner.uuid())
            .bind(&conversation.title)
            .bind(conversation.created_at.as_millisecond())
            .bind(conversation.updated_at.as_millisecond())
            .execute(self.connection())
            .await
            .map_err(naming("user"))?;
        Ok(())
    }

    /// Gives a conversation of `owner` another title; `false` if there is none.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn rename_conversation(&mut self, id: ConversationId, owner: UserId, title: &str) -> Result<bool> {
        let done = sqlx::query("UPDATE conversations SET title = ? WHERE id = ? AND owner = ?")
            .bind(title)
            .bind(id.uuid())
            .bind(owner.uuid())
            .execute(self.connection())
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Deletes a conversation of `owner` with its answers; `false` if there is none. The audit log keeps its events.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn delete_conversation(&mut self, id: ConversationId, owner: UserId) -> Result<bool> {
        let done = sqlx::query("DELETE FROM conversations WHERE id = ? AND owner = ?")
            .bind(id.uuid())
            .bind(owner.uuid())
            .execute(self.connection())
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Adds a question, and brings its conversation to the top of the list.
    ///
    /// # Errors
    /// `NotFound` if the conversation does not exist.
    pub async fn insert_answer(&mut self, answer: &AnswerRecord) -> Result<()> {
        sqlx::query(
            "INSERT INTO answers (state, text, sentences, label, model, model_hash, prompt, timings, finished_at, id, \
             conversation, question, asked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(answer.state.as_str())
        .bind(&answer.text)
        .bind(json(&answer.sentences)?)
        .bind(answer.label.map(Label::rank))
        .bind(&answer.model)
        .bind(&answer.model_hash)
        .bind(&answer.prompt)
        .bind(json(&answer.timings)?)
        .bind(answer.finished_at.map(Timestamp::as_millisecond))
        .bind(answer.id.uuid())
        .bind(answer.conversation.uuid())
        .bind(&answer.question)
        .bind(answer.asked_at.as_millisecond())
        .execute(self.connection())
        .await
        .map_err(naming("conversation"))?;
        self.touch_conversation(answer.conversation, answer.asked_at).await
    }

    /// Replaces the passages that an answer was given.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn set_sources(&mut self, answer: AnswerId, sources: &[Source]) -> Result<()> {
        sqlx::query("DELETE FROM answer_sources WHERE answer = ?")
            .bind(answer.uuid())
            .execute(self.connection())
            .await?;
        for source in sources {
            sqlx::query(
                "INSERT INTO answer_sources (answer, rank, passage, document, version, title, page, hash, score) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(answer.uuid())
            .bind(source.rank)
            .bind(source.passage.uuid())
            .bind(source.document.uuid())
            .bind(source.version)
            .bind(&source.title)
            .bind(source.page)
            .bind(&source.hash.as_bytes()[..])
            .bind(source.score)
            .execute(self.connection())
            .await
            .map_err(naming("answer"))?;
        }
        Ok(())
    }

    /// Replaces everything but the question and when it was asked.
    ///
    /// # Errors
    /// `NotFound`, also if its conversation was deleted meanwhile.
    pub async fn finish_answer(&mut self, answer: &AnswerRecord) -> Result<()> {
        let done = sqlx::query(
            "UPDATE answers SET state = ?, text = ?, sentences = ?, label = ?, model = ?, model_hash = ?, prompt = ?, \
             timings = ?, finished_at = ? WHERE id = ? AND conversation = ?",
        )
        .bind(answer.state.as_str())
        .bind(&answer.text)
        .bind(json(&answer.sentences)?)
        .bind(answer.label.map(Label::rank))
        .bind(&answer.model)
        .bind(&answer.model_hash)
        .bind(&answer.prompt)
        .bind(json(&answer.timings)?)
        .bind(answer.finished_at.map(Timestamp::as_millisecond))
        .bind(answer.id.uuid())
        .bind(answer.conversation.uuid())
        .execute(self.connection())
        .await?;
        found(&done, "answer")?;
        self.touch_conversation(answer.conversation, answer.finished_at.unwrap_or(answer.asked_at)).await
    }

    /// Marks answers that a stop of the server cut short as failed, and says how many there were. For the start.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn fail_unfinished_answers(&mut self) -> Result<u64> {
        let done =
            sqlx::query("UPDATE answers SET state = 'failed', finished_at = ? WHERE state IN ('searching', 'writing')")
                .bind(self.now().as_millisecond())
                .execute(self.connection())
                .await?;
        Ok(done.rows_affected())
    }
}

impl Act {
    async fn touch_conversation(&mut self, id: ConversationId, at: Timestamp) -> Result<()> {
        sqlx::query("UPDATE conversations SET updated_at = max(updated_at, ?) WHERE id = ?")
            .bind(at.as_millisecond())
            .bind(id.uuid())
            .execute(self.connection())
            .await?;
        Ok(())
    }
}

fn conversation_of(row: &SqliteRow) -> Result<Conversation> {
    Ok(Conversation {
        id: row.id("id")?,
        owner: row.id("owner")?,
        title: row.plain("title")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

pub(crate) fn answer_of(row: &SqliteRow) -> Result<AnswerRecord> {
    Ok(AnswerRecord {
        id: row.id("id")?,
        conversation: row.id("conversation")?,
        question: row.plain("question")?,
        state: row.one_of("state", &AnswerState::ALL, AnswerState::as_str)?,
        text: row.plain("text")?,
        sentences: row.json("sentences")?,
        label: row.number_if_any("label")?.map(Label::of_rank),
        model: row.plain("model")?,
        model_hash: row.plain("model_hash")?,
        prompt: row.plain("prompt")?,
        timings: row.json("timings")?,
        asked_at: row.time("asked_at")?,
        finished_at: row.time_if_any("finished_at")?,
    })
}

impl Store {
    /// Someone's conversations, the latest first.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn conversations(&self, owner: UserId, limit: u32) -> Result<Vec<Conversation>> {
        let rows = sqlx::query("SELECT * FROM conversations WHERE owner = ? ORDER BY updated_at DESC, id DESC LIMIT ?")
            .bind(owner.uuid())
            .bind(limit)
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(conversation_of).collect()
    }

    /// One of someone's conversations.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn conversation(&self, id: ConversationId, owner: UserId) -> Result<Option<Conversation>> {
        let row = sqlx::query("SELECT * FROM conversations WHERE id = ? AND owner = ?")
            .bind(id.uuid())
            .bind(owner.uuid())
            .fetch_optional(&self.reader)
            .await?;
        row.as_ref().map(conversation_of).transpose()
    }

    /// A conversation's questions and answers, oldest first. Resolve the conversation for its owner before.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn answers(&self, conversation: ConversationId) -> Result<Vec<AnswerRecord>> {
        let rows = sqlx::query("SELECT * FROM answers WHERE conversation = ? ORDER BY asked_at, id")
            .bind(conversation.uuid())
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(answer_of).collect()
    }

    /// One answer in one of someone's conversations.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn answer(&self, id: AnswerId, owner: UserId) -> Result<Option<AnswerRecord>> {
        let row = sqlx::query(
            "SELECT a.* FROM answers AS a JOIN conversations AS c ON c.id = a.conversation WHERE a.id = ? AND c.owner = ?",
        )
        .bind(id.uuid())
        .bind(owner.uuid())
        .fetch_optional(&self.reader)
        .await?;
        row.as_ref().map(answer_of).transpose()
    }

    /// The passages that an answer was given, by rank. Resolve the answer for its owner before.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn sources(&self, answer: AnswerId) -> Result<Vec<Source>> {
        let rows = sqlx::query("SELECT * FROM answer_sources WHERE answer = ? ORDER BY rank")
            .bind(answer.uuid())
            .fetch_all(&self.reader)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Source {
                    rank: row.number("rank")?,
                    passage: row.id("passage")?,
                    document: row.id("document")?,
                    version: row.number("version")?,
                    title: row.plain("title")?,
                    page: row.number_if_any("page")?,
                    hash: row.bytes("hash")?,
                    score: row.plain::<f64>("score")? as f32,
                })
            })
            .collect()
    }

    /// How long the last `limit` finished answers took, in milliseconds, the latest first; whose they are is not said.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn answer_times(&self, limit: u32) -> Result<Vec<u64>> {
        let times: Vec<i64> = sqlx::query_scalar(
            "SELECT finished_at - asked_at FROM answers WHERE state = 'finished' ORDER BY asked_at DESC LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok(times.into_iter().map(count).collect())
    }
}
