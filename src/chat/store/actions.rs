//! What moderators did, and what they note of people.

use jiff::Timestamp;
use uuid::Uuid;

use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change};
use crate::page::Cursor;

/// What a moderator did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::chat) struct Action {
    pub(in crate::chat) id: String,
    pub(in crate::chat) at: Timestamp,
    pub(in crate::chat) by: String,
    pub(in crate::chat) kind: String,
    /// Whom it was about, and by what name.
    pub(in crate::chat) subject: Option<String>,
    pub(in crate::chat) subject_name: Option<String>,
    pub(in crate::chat) message: Option<i64>,
    /// What it said.
    pub(in crate::chat) text: Option<String>,
    pub(in crate::chat) reason: String,
    pub(in crate::chat) until: Option<Timestamp>,
}

/// What a moderator does.
#[derive(Debug, Clone, Default)]
pub(in crate::chat) struct NewAction<'a> {
    pub(in crate::chat) kind: &'static str,
    pub(in crate::chat) subject: Option<&'a str>,
    pub(in crate::chat) subject_name: Option<&'a str>,
    pub(in crate::chat) message: Option<i64>,
    pub(in crate::chat) reason: &'a str,
    pub(in crate::chat) until: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    at: i64,
    by_name: String,
    kind: String,
    subject: Option<String>,
    subject_name: Option<String>,
    message_id: Option<i64>,
    text: Option<String>,
    reason: String,
    until: Option<i64>,
}

/// An action's columns, with what the message said that it was about.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.at, c.by_name, c.kind, c.subject, c.subject_name, c.message_id, m.text,
                 c.reason, c.until
             FROM chat_action c
             LEFT JOIN chat_message m ON m.channel_id = c.channel_id AND m.id = c.message_id ",
            $rest
        )
    };
}

impl From<Row> for Action {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: from_millis(row.at),
            by: row.by_name,
            kind: row.kind,
            subject: row.subject,
            subject_name: row.subject_name,
            message: row.message_id,
            text: row.text,
            reason: row.reason,
            until: row.until.map(from_millis),
        }
    }
}

pub(in crate::chat) async fn insert_action(
    tx: &mut Tx,
    channel: ChannelId,
    by: &str,
    at: Timestamp,
    action: &NewAction<'_>,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO chat_action
             (id, channel_id, at, by_name, kind, subject, subject_name, message_id, reason, until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        Uuid::now_v7().to_string(),
        channel.to_string(),
        at.as_millisecond(),
        by,
        action.kind,
        action.subject,
        action.subject_name,
        action.message,
        action.reason,
        action.until,
    )
    .map_err(on("chat_action"))?;
    Ok(())
}

/// The newest first.
pub(in crate::chat) async fn page_of_actions(
    db: &Db,
    channel: ChannelId,
    after: &Cursor,
    most: i64,
) -> Result<Vec<Action>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        select!(
            "WHERE c.channel_id = $1 AND (c.at < $2 OR (c.at = $2 AND c.id < $3))
             ORDER BY c.at DESC, c.id DESC LIMIT $4"
        ),
        channel.to_string(),
        after.at_ms(),
        after.id(),
        most,
    )
    .map_err(on("chat_action"))?;
    Ok(rows.into_iter().map(Action::from).collect())
}

/// What was done about somebody, the newest first.
pub(in crate::chat) async fn actions_of(
    db: &Db,
    channel: ChannelId,
    subject: &str,
    most: i64,
) -> Result<Vec<Action>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        select!(
            "WHERE c.channel_id = $1 AND c.subject = $2 ORDER BY c.at DESC, c.id DESC LIMIT $3"
        ),
        channel.to_string(),
        subject,
        most,
    )
    .map_err(on("chat_action"))?;
    Ok(rows.into_iter().map(Action::from).collect())
}

pub(in crate::chat) async fn note_of(
    db: &Db,
    channel: ChannelId,
    subject: &str,
) -> Result<String, StoreError> {
    let row: Option<(String,)> = first!(
        db,
        "SELECT text FROM chat_note WHERE channel_id = $1 AND subject = $2",
        channel.to_string(),
        subject,
    )
    .map_err(on("chat_note"))?;
    Ok(row.map(|row| row.0).unwrap_or_default())
}

pub(in crate::chat) async fn set_note(
    db: &Db,
    channel: ChannelId,
    subject: &str,
    text: &str,
) -> Result<(), StoreError> {
    change!(
        db,
        "INSERT INTO chat_note (channel_id, subject, text) VALUES ($1, $2, $3)
         ON CONFLICT (channel_id, subject) DO UPDATE SET text = EXCLUDED.text",
        channel.to_string(),
        subject,
        text,
    )
    .map_err(on("chat_note"))?;
    Ok(())
}
