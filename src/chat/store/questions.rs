//! Questions and who wants them answered.

use uuid::Uuid;

use super::super::message::{Sender, Subject};
use super::super::questions::{Question, QuestionState};
use super::id_of;
use crate::accounts::AccountId;
use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    account_id: String,
    name: String,
    avatar: Option<String>,
    text: String,
    at: i64,
    stream_id: Option<String>,
    stream_time_ms: Option<i64>,
    state: String,
    on_screen: bool,
    votes: i64,
}

macro_rules! select {
    ($($rest:expr),+ $(,)?) => {
        concat!(
            "SELECT q.id, q.account_id, a.name, a.avatar, q.text, q.at, q.stream_id, q.stream_time_ms, q.state,
                 q.on_screen,
                 (SELECT COUNT(*) FROM chat_upvote v WHERE v.question_id = q.id) AS votes
             FROM chat_question q JOIN account a ON a.id = q.account_id "
            $(, $rest)+
        )
    };
}

impl Row {
    fn into_question(self) -> Result<Question, StoreError> {
        let corrupt = |expected, found: &str| StoreError::Corrupt {
            table: "chat_question",
            key: self.id.clone(),
            expected,
            found: found.to_owned(),
        };
        Ok(Question {
            id: Uuid::parse_str(&self.id).map_err(|_| corrupt("a UUID", &self.id))?,
            at: from_millis(self.at),
            stream: self.stream_id.and_then(|id| Uuid::parse_str(&id).ok()),
            stream_time_ms: self.stream_time_ms,
            state: QuestionState::parse(&self.state)
                .ok_or_else(|| corrupt("a state", &self.state))?,
            from: Sender {
                id: self.account_id,
                name: self.name,
                avatar: self.avatar,
                badges: Vec::new(),
            },
            text: self.text,
            votes: u64::try_from(self.votes).unwrap_or_default(),
            on_screen: self.on_screen,
        })
    }
}

/// Those that are open or on the screen, in the order of their votes.
pub(in crate::chat) async fn questions(
    db: &Db,
    channel: ChannelId,
    on_air: Option<Uuid>,
    most: i64,
) -> Result<Vec<Question>, StoreError> {
    let rows: Vec<Row> = all!(
        db,
        select!(
            "WHERE q.channel_id = $1 AND (q.state = 'open' OR q.on_screen) AND ",
            of_the_room!("q", "$3"),
            " ORDER BY votes DESC, q.at LIMIT $2"
        ),
        channel.to_string(),
        most,
        id_of(on_air),
    )
    .map_err(on("chat_question"))?;
    rows.into_iter().map(Row::into_question).collect()
}

pub(in crate::chat) async fn question(
    db: &Db,
    channel: ChannelId,
    id: Uuid,
) -> Result<Option<Question>, StoreError> {
    let row: Option<Row> = first!(
        db,
        select!("WHERE q.channel_id = $1 AND q.id = $2"),
        channel.to_string(),
        id.to_string(),
    )
    .map_err(on("chat_question"))?;
    row.map(Row::into_question).transpose()
}

/// How many open ones there are, and how many of them are this account's.
pub(in crate::chat) async fn count_open_of(
    db: &Db,
    channel: ChannelId,
    account: AccountId,
) -> Result<(i64, i64), StoreError> {
    let row: Option<(i64, i64)> = first!(
        db,
        "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN account_id = $2 THEN 1 ELSE 0 END), 0) AS BIGINT)
         FROM chat_question WHERE channel_id = $1 AND state = 'open'",
        channel.to_string(),
        account.to_string(),
    )
    .map_err(on("chat_question"))?;
    Ok(row.unwrap_or_default())
}

pub(in crate::chat) async fn insert_question(
    db: &Db,
    channel: ChannelId,
    question: &Question,
) -> Result<(), StoreError> {
    let account = Subject::parse(&question.from.id).and_then(|subject| subject.account());
    change!(
        db,
        "INSERT INTO chat_question
             (id, channel_id, stream_id, account_id, text, at, stream_time_ms, state, on_screen)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', FALSE)",
        question.id.to_string(),
        channel.to_string(),
        question.stream.map(|stream| stream.to_string()),
        account.map(|account| account.to_string()),
        question.text.as_str(),
        question.at.as_millisecond(),
        question.stream_time_ms,
    )
    .map_err(on("chat_question"))?;
    Ok(())
}

pub(in crate::chat) async fn set_question(
    tx: &mut Tx,
    channel: ChannelId,
    id: Uuid,
    state: QuestionState,
    on_screen: bool,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE chat_question SET state = $3, on_screen = $4 WHERE channel_id = $1 AND id = $2",
        channel.to_string(),
        id.to_string(),
        state.as_str(),
        on_screen,
    )
    .map_err(on("chat_question"))?;
    Ok(())
}

/// One is on the screen at most.
pub(in crate::chat) async fn take_off_screen(
    tx: &mut Tx,
    channel: ChannelId,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE chat_question SET on_screen = FALSE WHERE channel_id = $1 AND on_screen",
        channel.to_string(),
    )
    .map_err(on("chat_question"))?;
    Ok(())
}

pub(in crate::chat) async fn insert_upvote(
    db: &Db,
    question: Uuid,
    account: AccountId,
) -> Result<(), StoreError> {
    change!(
        db,
        "INSERT INTO chat_upvote (question_id, account_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        question.to_string(),
        account.to_string(),
    )
    .map_err(on("chat_upvote"))?;
    Ok(())
}

pub(in crate::chat) async fn delete_upvote(
    db: &Db,
    question: Uuid,
    account: AccountId,
) -> Result<(), StoreError> {
    change!(
        db,
        "DELETE FROM chat_upvote WHERE question_id = $1 AND account_id = $2",
        question.to_string(),
        account.to_string(),
    )
    .map_err(on("chat_upvote"))?;
    Ok(())
}

/// All that an account asked: the channel's handle, when, what.
pub(in crate::chat) async fn exported_questions(
    db: &Db,
    account: AccountId,
) -> Result<Vec<(String, i64, String)>, StoreError> {
    all!(
        db,
        "SELECT c.handle, q.at, q.text FROM chat_question q
         JOIN channel c ON c.id = q.channel_id
         WHERE q.account_id = $1 ORDER BY q.at",
        account.to_string(),
    )
    .map_err(on("chat_question"))
}
