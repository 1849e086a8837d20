//! Messages and reactions.

use std::ops::RangeInclusive;
use std::sync::Arc;

use uuid::Uuid;

use super::super::ledger::Reacted;
use super::super::message::{Badge, Message, MessageKind, QUOTED, Quote, Sender, Subject};
use super::id_of;
use crate::accounts::AccountId;
use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change};

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    at: i64,
    stream_id: Option<String>,
    stream_time_ms: Option<i64>,
    kind: String,
    subject: String,
    name: String,
    badges: String,
    text: String,
    reply_to: Option<i64>,
    avatar: Option<String>,
    reply_name: Option<String>,
    reply_text: Option<String>,
    support: Option<String>,
}

/// A message's columns, with what they are shown with.
macro_rules! select {
    ($($rest:expr),+ $(,)?) => {
        concat!(
            "SELECT m.id, m.at, m.stream_id, m.stream_time_ms, m.kind, m.subject, m.name, m.badges,
                 m.text, m.reply_to, a.avatar, p.name AS reply_name, p.text AS reply_text,
                 m.support
             FROM chat_message m
             LEFT JOIN account a ON a.id = m.account_id
             LEFT JOIN chat_message p
                 ON p.channel_id = m.channel_id AND p.id = m.reply_to AND p.state = 'shown' "
            $(, $rest)+
        )
    };
}

impl Row {
    fn into_message(self) -> Message {
        let badges = self.badges.split(' ').filter_map(Badge::parse).collect();
        let quoted = self.reply_name.zip(self.reply_text);
        Message {
            id: self.id,
            at: from_millis(self.at),
            kind: MessageKind::parse(&self.kind).unwrap_or_default(),
            stream: self.stream_id.and_then(|id| Uuid::parse_str(&id).ok()),
            stream_time_ms: self.stream_time_ms,
            from: Sender {
                id: self.subject,
                name: self.name,
                avatar: self.avatar,
                badges,
            },
            text: self.text,
            reply_to: self.reply_to.zip(quoted).map(|(id, (name, text))| Quote {
                id,
                name,
                text: text.chars().take(QUOTED).collect(),
            }),
            support: self
                .support
                .and_then(|support| serde_json::from_str(&support).ok()),
        }
    }
}

fn shared(rows: Vec<Row>) -> Vec<Arc<Message>> {
    rows.into_iter()
        .map(Row::into_message)
        .map(Arc::new)
        .collect()
}

pub(in crate::chat) async fn insert_message(
    tx: &mut Tx,
    channel: ChannelId,
    message: &Message,
    is_held: bool,
) -> Result<(), StoreError> {
    let subject = Subject::parse(&message.from.id);
    let account = subject.and_then(|subject| subject.account());
    let support = message.support.as_ref();
    let support = support.and_then(|support| serde_json::to_string(support).ok());
    let badges: Vec<&str> = message.from.badges.iter().map(|b| b.as_str()).collect();
    tx_change!(
        tx,
        "INSERT INTO chat_message (channel_id, id, at, stream_id, stream_time_ms, kind, state,
             account_id, subject, name, badges, text, reply_to, support)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT DO NOTHING",
        channel.to_string(),
        message.id,
        message.at.as_millisecond(),
        message.stream.map(|id| id.to_string()),
        message.stream_time_ms,
        message.kind.as_str(),
        if is_held { "held" } else { "shown" },
        account.map(|account| account.to_string()),
        message.from.id.as_str(),
        message.from.name.as_str(),
        badges.join(" "),
        message.text.as_str(),
        message.reply_to.as_ref().map(|quote| quote.id),
        support,
    )
    .map_err(on("chat_message"))?;
    Ok(())
}

pub(in crate::chat) async fn add_reactions(tx: &mut Tx, of: &Reacted) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO chat_reaction (stream_id, stream_time_ms, emoji, amount, channel_id)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (stream_id, stream_time_ms, emoji)
         DO UPDATE SET amount = chat_reaction.amount + EXCLUDED.amount",
        of.stream.to_string(),
        of.stream_time_ms,
        of.emoji,
        i64::from(of.amount),
        of.channel.to_string(),
    )
    .map_err(on("chat_reaction"))?;
    Ok(())
}

/// Of a stream: second, emoji, how many.
pub(in crate::chat) async fn reactions_of(
    db: &Db,
    stream: Uuid,
) -> Result<Vec<(i64, String, i64)>, StoreError> {
    all!(
        db,
        "SELECT stream_time_ms, emoji, amount FROM chat_reaction
         WHERE stream_id = $1 ORDER BY stream_time_ms, emoji LIMIT 100000",
        stream.to_string(),
    )
    .map_err(on("chat_reaction"))
}

/// The newest that are shown, oldest first.
pub(in crate::chat) async fn recent(
    db: &Db,
    channel: ChannelId,
    on_air: Option<Uuid>,
    most: i64,
) -> Result<Vec<Arc<Message>>, StoreError> {
    before(db, channel, on_air, i64::MAX, most).await
}

/// The newest before one that are shown and of the room, oldest first.
pub(in crate::chat) async fn before(
    db: &Db,
    channel: ChannelId,
    on_air: Option<Uuid>,
    before: i64,
    most: i64,
) -> Result<Vec<Arc<Message>>, StoreError> {
    let mut rows: Vec<Row> = all!(
        db,
        select!(
            "WHERE m.channel_id = $1 AND m.state = 'shown' AND m.id < $2 AND ",
            of_the_room!("m", "$4"),
            " ORDER BY m.id DESC LIMIT $3"
        ),
        channel.to_string(),
        before,
        most,
        id_of(on_air),
    )
    .map_err(on("chat_message"))?;
    rows.reverse();
    Ok(shared(rows))
}

/// What waits for a moderator, oldest first.
pub(in crate::chat) async fn held(
    db: &Db,
    channel: ChannelId,
    most: i64,
) -> Result<Vec<Arc<Message>>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        select!("WHERE m.channel_id = $1 AND m.state = 'held' ORDER BY m.id LIMIT $2"),
        channel.to_string(),
        most,
    )
    .map_err(on("chat_message"))?;
    Ok(shared(rows))
}

/// One that is shown and of the room.
pub(in crate::chat) async fn of_the_room(
    db: &Db,
    channel: ChannelId,
    on_air: Option<Uuid>,
    id: i64,
) -> Result<Option<Arc<Message>>, StoreError> {
    let row: Option<Row> = first!(
        db,
        select!(
            "WHERE m.channel_id = $1 AND m.id = $2 AND m.state = 'shown' AND ",
            of_the_room!("m", "$3")
        ),
        channel.to_string(),
        id,
        id_of(on_air),
    )
    .map_err(on("chat_message"))?;
    Ok(row.map(Row::into_message).map(Arc::new))
}

/// One that is shown.
pub(in crate::chat) async fn by_id(
    db: &Db,
    channel: ChannelId,
    id: i64,
) -> Result<Option<Arc<Message>>, StoreError> {
    let row: Option<Row> = first!(
        db,
        select!("WHERE m.channel_id = $1 AND m.id = $2 AND m.state = 'shown'"),
        channel.to_string(),
        id,
    )
    .map_err(on("chat_message"))?;
    Ok(row.map(Row::into_message).map(Arc::new))
}

/// Which part of what was said during a stream.
#[derive(Debug, Clone, Copy)]
pub(in crate::chat) struct Known {
    pub(in crate::chat) stream: Uuid,
    pub(in crate::chat) from_ms: i64,
    pub(in crate::chat) to_ms: i64,
    /// Behind the message of this time and id.
    pub(in crate::chat) after: (i64, i64),
}

/// What was said during a stream, in the order of its time.
pub(in crate::chat) async fn page_of_stream(
    db: &Db,
    known: Known,
    most: i64,
) -> Result<Vec<Arc<Message>>, StoreError> {
    let (after_time, after_id) = known.after;
    let rows: Vec<Row> = all!(
        db,
        select!(
            "WHERE m.stream_id = $1 AND m.state = 'shown'
             AND m.stream_time_ms >= $2 AND m.stream_time_ms < $3
             AND (m.stream_time_ms > $4 OR (m.stream_time_ms = $4 AND m.id > $5))
             ORDER BY m.stream_time_ms, m.id LIMIT $6"
        ),
        known.stream.to_string(),
        known.from_ms,
        known.to_ms,
        after_time,
        after_id,
        most,
    )
    .map_err(on("chat_message"))?;
    Ok(shared(rows))
}

/// Whether a message is of that stream.
pub(in crate::chat) async fn of_stream(db: &Db, stream: Uuid, id: i64) -> Result<bool, StoreError> {
    let row: Option<(i64,)> = first!(
        db,
        "SELECT id FROM chat_message WHERE stream_id = $1 AND id = $2",
        stream.to_string(),
        id,
    )
    .map_err(on("chat_message"))?;
    Ok(row.is_some())
}

/// Whose message it is, and by what name, while it is shown or held.
pub(in crate::chat) async fn author_of(
    db: &Db,
    channel: ChannelId,
    id: i64,
) -> Result<Option<(String, String)>, StoreError> {
    first!(
        db,
        "SELECT subject, name FROM chat_message
         WHERE channel_id = $1 AND id = $2 AND state IN ('shown', 'held')",
        channel.to_string(),
        id,
    )
    .map_err(on("chat_message"))
}

pub(in crate::chat) async fn delete(
    tx: &mut Tx,
    channel: ChannelId,
    id: i64,
) -> Result<bool, StoreError> {
    let deleted = tx_change!(
        tx,
        "UPDATE chat_message SET state = 'deleted'
         WHERE channel_id = $1 AND id = $2 AND state IN ('shown', 'held')",
        channel.to_string(),
        id,
    )
    .map_err(on("chat_message"))?;
    Ok(deleted == 1)
}

/// Takes all up to one away.
pub(in crate::chat) async fn clear(
    tx: &mut Tx,
    channel: ChannelId,
    up_to: i64,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE chat_message SET state = 'deleted'
         WHERE channel_id = $1 AND id <= $2 AND state IN ('shown', 'held')",
        channel.to_string(),
        up_to,
    )
    .map_err(on("chat_message"))?;
    Ok(())
}

pub(in crate::chat) async fn delete_all_of(
    tx: &mut Tx,
    channel: ChannelId,
    subject: &Subject,
    ids: RangeInclusive<i64>,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE chat_message SET state = 'deleted'
         WHERE channel_id = $1 AND subject = $2 AND id BETWEEN $3 AND $4
           AND state IN ('shown', 'held')",
        channel.to_string(),
        subject.to_string(),
        *ids.start(),
        *ids.end(),
    )
    .map_err(on("chat_message"))?;
    Ok(())
}

/// The newest of what was taken away, or denied, from one on.
pub(in crate::chat) async fn taken_away(
    db: &Db,
    channel: ChannelId,
    from: i64,
) -> Result<Vec<i64>, StoreError> {
    let rows: Vec<(i64,)> = all!(
        db,
        "SELECT id FROM chat_message
         WHERE channel_id = $1 AND id >= $2 AND state IN ('deleted', 'denied')
         ORDER BY id DESC LIMIT 2000",
        channel.to_string(),
        from,
    )
    .map_err(on("chat_message"))?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Settles a message that waits. False: it does not.
pub(in crate::chat) async fn set_state(
    tx: &mut Tx,
    channel: ChannelId,
    id: i64,
    state: &str,
) -> Result<bool, StoreError> {
    let changed = tx_change!(
        tx,
        "UPDATE chat_message SET state = $3
         WHERE channel_id = $1 AND id = $2 AND state = 'held'",
        channel.to_string(),
        id,
        state,
    )
    .map_err(on("chat_message"))?;
    Ok(changed == 1)
}

/// What somebody said last on a channel, newest first, with what was deleted.
pub(in crate::chat) async fn latest_of(
    db: &Db,
    channel: ChannelId,
    subject: &Subject,
    most: i64,
) -> Result<Vec<Arc<Message>>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        select!("WHERE m.channel_id = $1 AND m.subject = $2 ORDER BY m.id DESC LIMIT $3"),
        channel.to_string(),
        subject.to_string(),
        most,
    )
    .map_err(on("chat_message"))?;
    Ok(shared(rows))
}

pub(in crate::chat) async fn count_of(
    db: &Db,
    channel: ChannelId,
    subject: &Subject,
) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = first!(
        db,
        "SELECT COUNT(*) FROM chat_message WHERE channel_id = $1 AND subject = $2",
        channel.to_string(),
        subject.to_string(),
    )
    .map_err(on("chat_message"))?;
    Ok(row.map_or(0, |row| row.0))
}

/// All that an account said: the channel's handle, when, what.
pub(in crate::chat) async fn exported(
    db: &Db,
    account: AccountId,
) -> Result<Vec<(String, i64, String)>, StoreError> {
    all!(
        db,
        "SELECT c.handle, m.at, m.text FROM chat_message m
         JOIN channel c ON c.id = m.channel_id
         WHERE m.account_id = $1 ORDER BY m.at",
        account.to_string(),
    )
    .map_err(on("chat_message"))
}

/// Where an account said or asked something.
pub(in crate::chat) async fn rooms_of(
    db: &Db,
    account: AccountId,
) -> Result<Vec<ChannelId>, StoreError> {
    let rows: Vec<(String,)> = all!(
        db,
        "SELECT channel_id FROM chat_message WHERE account_id = $1
         UNION SELECT channel_id FROM chat_question WHERE account_id = $1",
        account.to_string(),
    )
    .map_err(on("chat_message"))?;
    let ids = rows
        .into_iter()
        .filter_map(|(id,)| Uuid::parse_str(&id).ok());
    Ok(ids.map(ChannelId).collect())
}

/// Deletes all that an account said, everywhere.
pub(in crate::chat) async fn forget_all_of(db: &Db, account: AccountId) -> Result<(), StoreError> {
    change!(
        db,
        "DELETE FROM chat_message WHERE account_id = $1",
        account.to_string(),
    )
    .map_err(on("chat_message"))?;
    Ok(())
}
