//! How rooms are set: modes, terms, who may not write, emotes.

use uuid::Uuid;

use super::super::emotes::Emote;
use super::super::terms::TermKind;
use crate::channels::ChannelId;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change};

/// A room's settings: modes and those before the shield, as JSON, and what is pinned.
pub(in crate::chat) async fn settings(
    db: &Db,
    channel: ChannelId,
) -> Result<Option<(String, Option<String>, Option<i64>)>, StoreError> {
    first!(
        db,
        "SELECT modes, before_shield, pinned FROM chat_settings WHERE channel_id = $1",
        channel.to_string(),
    )
    .map_err(on("chat_settings"))
}

pub(in crate::chat) async fn set_settings(
    tx: &mut Tx,
    channel: ChannelId,
    modes: &str,
    before_shield: Option<&str>,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO chat_settings (channel_id, modes, before_shield) VALUES ($1, $2, $3)
         ON CONFLICT (channel_id)
         DO UPDATE SET modes = EXCLUDED.modes, before_shield = EXCLUDED.before_shield",
        channel.to_string(),
        modes,
        before_shield,
    )
    .map_err(on("chat_settings"))?;
    Ok(())
}

pub(in crate::chat) async fn set_pinned(
    tx: &mut Tx,
    channel: ChannelId,
    pinned: Option<i64>,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO chat_settings (channel_id, modes, pinned) VALUES ($1, '{}', $2)
         ON CONFLICT (channel_id) DO UPDATE SET pinned = EXCLUDED.pinned",
        channel.to_string(),
        pinned,
    )
    .map_err(on("chat_settings"))?;
    Ok(())
}

/// A term of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::chat) struct Term {
    pub(in crate::chat) id: Uuid,
    pub(in crate::chat) term: String,
    pub(in crate::chat) kind: TermKind,
}

pub(in crate::chat) async fn terms(db: &Db, channel: ChannelId) -> Result<Vec<Term>, StoreError> {
    let rows: Vec<(String, String, String)> = all!(
        db,
        "SELECT id, term, kind FROM chat_term WHERE channel_id = $1 ORDER BY term",
        channel.to_string(),
    )
    .map_err(on("chat_term"))?;
    let read = rows.into_iter().filter_map(|(id, term, kind)| {
        Some(Term {
            id: Uuid::parse_str(&id).ok()?,
            term,
            kind: TermKind::parse(&kind)?,
        })
    });
    Ok(read.collect())
}

pub(in crate::chat) async fn count_terms(db: &Db, channel: ChannelId) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = first!(
        db,
        "SELECT COUNT(*) FROM chat_term WHERE channel_id = $1",
        channel.to_string(),
    )
    .map_err(on("chat_term"))?;
    Ok(row.map_or(0, |row| row.0))
}

/// Adds a term; one that is there gets another kind.
pub(in crate::chat) async fn insert_term(
    db: &Db,
    channel: ChannelId,
    term: &Term,
) -> Result<(), StoreError> {
    change!(
        db,
        "INSERT INTO chat_term (id, channel_id, term, kind) VALUES ($1, $2, $3, $4)
         ON CONFLICT (channel_id, term) DO UPDATE SET id = EXCLUDED.id, kind = EXCLUDED.kind",
        term.id.to_string(),
        channel.to_string(),
        term.term.as_str(),
        term.kind.as_str(),
    )
    .map_err(on("chat_term"))?;
    Ok(())
}

pub(in crate::chat) async fn delete_term(
    db: &Db,
    channel: ChannelId,
    id: Uuid,
) -> Result<bool, StoreError> {
    let deleted = change!(
        db,
        "DELETE FROM chat_term WHERE channel_id = $1 AND id = $2",
        channel.to_string(),
        id.to_string(),
    )
    .map_err(on("chat_term"))?;
    Ok(deleted == 1)
}

/// Somebody who may not write.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(in crate::chat) struct RestraintRow {
    pub(in crate::chat) subject: String,
    pub(in crate::chat) name: String,
    /// None: for good.
    pub(in crate::chat) until: Option<i64>,
    pub(in crate::chat) reason: String,
    pub(in crate::chat) by_name: String,
    pub(in crate::chat) at: i64,
    pub(in crate::chat) network: Option<String>,
}

/// Those that hold at that time, the newest first.
pub(in crate::chat) async fn restraints(
    db: &Db,
    channel: ChannelId,
    now: i64,
) -> Result<Vec<RestraintRow>, StoreError> {
    all!(
        db,
        "SELECT subject, name, until, reason, by_name, at, network FROM chat_restraint
         WHERE channel_id = $1 AND (until IS NULL OR until > $2) ORDER BY at DESC LIMIT 20000",
        channel.to_string(),
        now,
    )
    .map_err(on("chat_restraint"))
}

/// Restrains somebody; another restraint takes the place of the one before.
pub(in crate::chat) async fn insert_restraint(
    tx: &mut Tx,
    channel: ChannelId,
    account: Option<String>,
    row: &RestraintRow,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO chat_restraint
             (channel_id, subject, account_id, name, until, reason, by_name, at, network)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (channel_id, subject) DO UPDATE SET
             name = EXCLUDED.name, until = EXCLUDED.until, reason = EXCLUDED.reason,
             by_name = EXCLUDED.by_name, at = EXCLUDED.at, network = EXCLUDED.network",
        channel.to_string(),
        row.subject.as_str(),
        account,
        row.name.as_str(),
        row.until,
        row.reason.as_str(),
        row.by_name.as_str(),
        row.at,
        row.network.as_deref(),
    )
    .map_err(on("chat_restraint"))?;
    Ok(())
}

pub(in crate::chat) async fn delete_restraint(
    tx: &mut Tx,
    channel: ChannelId,
    subject: &str,
) -> Result<bool, StoreError> {
    let deleted = tx_change!(
        tx,
        "DELETE FROM chat_restraint WHERE channel_id = $1 AND subject = $2",
        channel.to_string(),
        subject,
    )
    .map_err(on("chat_restraint"))?;
    Ok(deleted == 1)
}

pub(in crate::chat) async fn emotes(db: &Db, channel: ChannelId) -> Result<Vec<Emote>, StoreError> {
    let rows: Vec<(String, String, i64, i64, bool, i64)> = all!(
        db,
        "SELECT code, image, width, height, animated, tier FROM chat_emote
         WHERE channel_id = $1 ORDER BY code",
        channel.to_string(),
    )
    .map_err(on("chat_emote"))?;
    let read = rows
        .into_iter()
        .map(|(code, image, width, height, animated, tier)| Emote {
            code,
            url: format!("/images/{image}"),
            width: u32::try_from(width).unwrap_or_default(),
            height: u32::try_from(height).unwrap_or_default(),
            animated,
            tier: u8::try_from(tier).unwrap_or_default(),
        });
    Ok(read.collect())
}

pub(in crate::chat) async fn count_emotes(db: &Db, channel: ChannelId) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = first!(
        db,
        "SELECT COUNT(*) FROM chat_emote WHERE channel_id = $1",
        channel.to_string(),
    )
    .map_err(on("chat_emote"))?;
    Ok(row.map_or(0, |row| row.0))
}

/// Adds an emote, or gives it another picture.
pub(in crate::chat) async fn put_emote(
    db: &Db,
    channel: ChannelId,
    emote: &Emote,
    image: &str,
    now: i64,
) -> Result<(), StoreError> {
    change!(
        db,
        "INSERT INTO chat_emote (channel_id, code, image, width, height, animated, created_at, tier)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (channel_id, code) DO UPDATE SET
             image = EXCLUDED.image, width = EXCLUDED.width, height = EXCLUDED.height,
             animated = EXCLUDED.animated, tier = EXCLUDED.tier",
        channel.to_string(),
        emote.code.as_str(),
        image,
        i64::from(emote.width),
        i64::from(emote.height),
        emote.animated,
        now,
        i64::from(emote.tier),
    )
    .map_err(on("chat_emote"))?;
    Ok(())
}

pub(in crate::chat) async fn delete_emote(
    db: &Db,
    channel: ChannelId,
    code: &str,
) -> Result<bool, StoreError> {
    let deleted = change!(
        db,
        "DELETE FROM chat_emote WHERE channel_id = $1 AND code = $2",
        channel.to_string(),
        code,
    )
    .map_err(on("chat_emote"))?;
    Ok(deleted == 1)
}

/// The pictures of all emotes.
pub(in crate::chat) async fn emote_images(db: &Db) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> =
        all!(db, "SELECT image FROM chat_emote").map_err(on("chat_emote"))?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}
