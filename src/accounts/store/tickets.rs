//! All SQL about tickets.

use jiff::Timestamp;

use super::uuid;
use crate::accounts::AccountId;
use crate::accounts::email::Ticket;
use crate::db::{Db, StoreError, Tx, change, first, on, tx_change, tx_first};

#[derive(sqlx::FromRow)]
struct TicketRow {
    account_id: String,
    about: String,
    tries: i64,
}

impl TicketRow {
    fn into_ticket(self) -> Result<Ticket, StoreError> {
        Ok(Ticket {
            account: AccountId(uuid("ticket", &self.account_id)?),
            about: self.about,
            tries: self.tries,
        })
    }
}

pub(in crate::accounts) async fn insert_ticket(
    tx: &mut Tx,
    token_hash: &str,
    purpose: &str,
    account: AccountId,
    about: &str,
    expires: Timestamp,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO ticket (token_hash, purpose, account_id, about, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
        token_hash,
        purpose,
        account.to_string(),
        about,
        expires.as_millisecond(),
    )
    .map_err(on("ticket"))?;
    Ok(())
}

/// Counts a try on a ticket, and gives it.
pub(in crate::accounts) async fn try_ticket(
    db: &Db,
    token_hash: &str,
    purpose: &str,
    now: Timestamp,
) -> Result<Option<Ticket>, StoreError> {
    let mut tx = db.begin().await?;
    let row: Option<TicketRow> = tx_first!(
        &mut tx,
        "UPDATE ticket SET tries = tries + 1
         WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3
         RETURNING account_id, about, tries",
        token_hash,
        purpose,
        now.as_millisecond(),
    )
    .map_err(on("ticket"))?;
    tx.commit().await?;
    row.map(TicketRow::into_ticket).transpose()
}

/// What the newest ticket of an account for a purpose is about.
pub(in crate::accounts) async fn about_ticket(
    db: &Db,
    account: AccountId,
    purpose: &str,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let row: Option<(String,)> = first!(
        db,
        "SELECT about FROM ticket WHERE account_id = $1 AND purpose = $2 AND expires_at > $3
         ORDER BY expires_at DESC LIMIT 1",
        account.to_string(),
        purpose,
        now.as_millisecond(),
    )
    .map_err(on("ticket"))?;
    Ok(row.map(|row| row.0))
}

/// Uses a ticket up.
pub(in crate::accounts) async fn take_ticket(
    tx: &mut Tx,
    token_hash: &str,
    purpose: &str,
    now: Timestamp,
) -> Result<Option<Ticket>, StoreError> {
    let row: Option<TicketRow> = tx_first!(
        tx,
        "DELETE FROM ticket WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3
         RETURNING account_id, about, tries",
        token_hash,
        purpose,
        now.as_millisecond(),
    )
    .map_err(on("ticket"))?;
    row.map(TicketRow::into_ticket).transpose()
}

pub(in crate::accounts) async fn delete_ticket(
    db: &Db,
    token_hash: &str,
) -> Result<(), StoreError> {
    change!(db, "DELETE FROM ticket WHERE token_hash = $1", token_hash).map_err(on("ticket"))?;
    Ok(())
}

pub(in crate::accounts) async fn delete_tickets_for(
    tx: &mut Tx,
    account: AccountId,
    purpose: &str,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "DELETE FROM ticket WHERE account_id = $1 AND purpose = $2",
        account.to_string(),
        purpose,
    )
    .map_err(on("ticket"))?;
    Ok(())
}

pub(in crate::accounts) async fn delete_tickets(
    tx: &mut Tx,
    account: AccountId,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "DELETE FROM ticket WHERE account_id = $1",
        account.to_string(),
    )
    .map_err(on("ticket"))?;
    Ok(())
}
