//! Polls and votes.

use jiff::Timestamp;
use uuid::Uuid;

use super::super::polls::{Poll, PollOption, PollState};
use super::id_of;
use crate::accounts::AccountId;
use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    stream_id: Option<String>,
    question: String,
    options: String,
    opened_at: i64,
    closes_at: i64,
    opened_ms: Option<i64>,
    closes_ms: Option<i64>,
    ended_at: Option<i64>,
}

impl Row {
    fn into_poll(self, votes: &[(i64, i64)]) -> Result<Poll, StoreError> {
        let corrupt = |expected| StoreError::Corrupt {
            table: "chat_poll",
            key: self.id.clone(),
            expected,
            found: self.options.clone(),
        };
        let texts: Vec<String> =
            serde_json::from_str(&self.options).map_err(|_| corrupt("a list of texts"))?;
        let of = |at: usize| {
            let mut all = votes.iter();
            let found = all.find(|(choice, _)| usize::try_from(*choice).is_ok_and(|c| c == at));
            found.map_or(0, |(_, amount)| u64::try_from(*amount).unwrap_or_default())
        };
        let options = texts.into_iter().enumerate().map(|(at, text)| PollOption {
            text,
            votes: of(at),
        });
        Ok(Poll {
            id: Uuid::parse_str(&self.id).map_err(|_| corrupt("a UUID"))?,
            question: self.question,
            options: options.collect(),
            opened_at: from_millis(self.opened_at),
            closes_at: from_millis(self.closes_at),
            stream: self.stream_id.and_then(|id| Uuid::parse_str(&id).ok()),
            opened_ms: self.opened_ms,
            closes_ms: self.closes_ms,
            state: match self.ended_at {
                None => PollState::Open,
                Some(_) => PollState::Ended,
            },
        })
    }
}

async fn with_votes(db: &Db, row: Row) -> Result<Poll, StoreError> {
    let votes: Vec<(i64, i64)> = all!(
        db,
        "SELECT choice, COUNT(*) FROM chat_vote WHERE poll_id = $1 GROUP BY choice",
        row.id.as_str(),
    )
    .map_err(on("chat_vote"))?;
    row.into_poll(&votes)
}

pub(in crate::chat) async fn insert_poll(
    tx: &mut Tx,
    channel: ChannelId,
    poll: &Poll,
) -> Result<(), StoreError> {
    let texts: Vec<&str> = poll.options.iter().map(|o| o.text.as_str()).collect();
    tx_change!(
        tx,
        "INSERT INTO chat_poll (id, channel_id, stream_id, question, options, opened_at, closes_at,
             opened_ms, closes_ms, is_shown)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, TRUE)",
        poll.id.to_string(),
        channel.to_string(),
        poll.stream.map(|stream| stream.to_string()),
        poll.question.as_str(),
        serde_json::json!(texts).to_string(),
        poll.opened_at.as_millisecond(),
        poll.closes_at.as_millisecond(),
        poll.opened_ms,
        poll.closes_ms,
    )
    .map_err(on("chat_poll"))?;
    Ok(())
}

/// The one that the room shows.
pub(in crate::chat) async fn shown_poll(
    db: &Db,
    channel: ChannelId,
    on_air: Option<Uuid>,
) -> Result<Option<Poll>, StoreError> {
    let row: Option<Row> = first!(
        db,
        concat!(
            "SELECT id, stream_id, question, options, opened_at, closes_at, opened_ms, closes_ms, ended_at
             FROM chat_poll WHERE channel_id = $1 AND is_shown AND ",
            of_the_room!("chat_poll", "$2"),
            " ORDER BY opened_at DESC LIMIT 1"
        ),
        channel.to_string(),
        id_of(on_air),
    )
    .map_err(on("chat_poll"))?;
    match row {
        Some(row) => with_votes(db, row).await.map(Some),
        None => Ok(None),
    }
}

pub(in crate::chat) async fn poll(
    db: &Db,
    channel: ChannelId,
    id: Uuid,
) -> Result<Option<Poll>, StoreError> {
    let row: Option<Row> = first!(
        db,
        "SELECT id, stream_id, question, options, opened_at, closes_at, opened_ms, closes_ms, ended_at
         FROM chat_poll WHERE channel_id = $1 AND id = $2",
        channel.to_string(),
        id.to_string(),
    )
    .map_err(on("chat_poll"))?;
    match row {
        Some(row) => with_votes(db, row).await.map(Some),
        None => Ok(None),
    }
}

/// The newest first.
pub(in crate::chat) async fn polls(
    db: &Db,
    channel: ChannelId,
    on_air: Option<Uuid>,
    most: i64,
) -> Result<Vec<Poll>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        concat!(
            "SELECT id, stream_id, question, options, opened_at, closes_at, opened_ms, closes_ms, ended_at
             FROM chat_poll WHERE channel_id = $1 AND ",
            of_the_room!("chat_poll", "$3"),
            " ORDER BY opened_at DESC, id DESC LIMIT $2"
        ),
        channel.to_string(),
        most,
        id_of(on_air),
    )
    .map_err(on("chat_poll"))?;
    let mut polls = Vec::new();
    for row in rows {
        polls.push(with_votes(db, row).await?);
    }
    Ok(polls)
}

/// Ends a poll. False: it was over.
pub(in crate::chat) async fn end_poll(
    tx: &mut Tx,
    channel: ChannelId,
    poll: &Poll,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let ended = tx_change!(
        tx,
        "UPDATE chat_poll SET ended_at = $3, closes_at = $4, closes_ms = $5
         WHERE channel_id = $1 AND id = $2 AND ended_at IS NULL",
        channel.to_string(),
        poll.id.to_string(),
        now.as_millisecond(),
        poll.closes_at.as_millisecond(),
        poll.closes_ms,
    )
    .map_err(on("chat_poll"))?;
    Ok(ended == 1)
}

/// The room shows none any more.
pub(in crate::chat) async fn hide_polls(tx: &mut Tx, channel: ChannelId) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE chat_poll SET is_shown = FALSE WHERE channel_id = $1 AND is_shown",
        channel.to_string(),
    )
    .map_err(on("chat_poll"))?;
    Ok(())
}

/// The room shows that one no more.
pub(in crate::chat) async fn hide_poll(
    db: &Db,
    channel: ChannelId,
    poll: Uuid,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE chat_poll SET is_shown = FALSE WHERE channel_id = $1 AND id = $2",
        channel.to_string(),
        poll.to_string(),
    )
    .map_err(on("chat_poll"))?;
    Ok(())
}

/// Counts a vote, unless the account has voted. False: it has.
pub(in crate::chat) async fn insert_vote(
    db: &Db,
    poll: Uuid,
    account: AccountId,
    choice: usize,
    at: Timestamp,
    stream_time_ms: Option<i64>,
) -> Result<bool, StoreError> {
    let inserted = change!(
        db,
        "INSERT INTO chat_vote (poll_id, account_id, choice, at, stream_time_ms)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        poll.to_string(),
        account.to_string(),
        i64::try_from(choice).unwrap_or_default(),
        at.as_millisecond(),
        stream_time_ms,
    )
    .map_err(on("chat_vote"))?;
    Ok(inserted == 1)
}

/// All that an account voted for: the channel's handle, when, in which poll, and which option, from 0 on.
pub(in crate::chat) async fn exported_votes(
    db: &Db,
    account: AccountId,
) -> Result<Vec<(String, i64, String, i64)>, StoreError> {
    all!(
        db,
        "SELECT c.handle, v.at, p.question, v.choice FROM chat_vote v
         JOIN chat_poll p ON p.id = v.poll_id
         JOIN channel c ON c.id = p.channel_id
         WHERE v.account_id = $1 ORDER BY v.at",
        account.to_string(),
    )
    .map_err(on("chat_vote"))
}
