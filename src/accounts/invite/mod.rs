//! Invites: links by which people sign up where not everybody may.

mod store;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::registration::denied;
use super::{Account, Accounts, Role};
use crate::db::Tx;
use crate::error::ApiError;
use crate::form::{self, Form};
use crate::page::Cursor;
use crate::secret::Secret;

/// A link by which people sign up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// Its id.
    pub id: Uuid,
    /// For whom, in the words of who made it.
    pub note: String,
    /// What the accounts may do.
    pub role: Role,
    /// Who made it, if that account is still there.
    pub created_by: Option<Uuid>,
    /// When it was made.
    pub created_at: Timestamp,
    /// It works until then.
    pub expires_at: Timestamp,
    /// How many may use it.
    pub most_uses: u32,
    /// How many did.
    pub uses: u32,
}

/// What an admin gives to make one.
#[derive(Debug, Clone)]
pub struct NewInvite {
    /// For whom.
    pub note: String,
    /// What the accounts may do.
    pub role: Role,
    /// How many may use it.
    pub most_uses: u32,
    /// How long it works.
    pub days: u32,
}

/// How many may use one invite.
const MOST_USES: u32 = 1_000;
/// How long one works.
const MOST_DAYS: u32 = 365;

impl Accounts {
    /// Makes an invite. This is the only time that its code is known.
    ///
    /// # Errors
    /// When something does not fit the rules.
    pub async fn create_invite(
        &self,
        by: &Account,
        wish: NewInvite,
    ) -> Result<(Invite, Secret), ApiError> {
        let mut form = Form::new();
        let note = form.take("note", form::line("note_invalid", &wish.note, 0, 200));
        if !(1..=MOST_USES).contains(&wish.most_uses) {
            form.add("max_uses", "max_uses_invalid", format!("1 to {MOST_USES}"));
        }
        if !(1..=MOST_DAYS).contains(&wish.days) {
            form.add("days", "days_invalid", format!("1 to {MOST_DAYS}"));
        }
        form.done()?;
        let (code, now) = (Secret::random::<20>(), self.clock.now());
        let invite = Invite {
            id: Uuid::now_v7(),
            note,
            role: wish.role,
            created_by: Some(by.id.0),
            created_at: now,
            expires_at: now + Duration::from_secs(24 * 3600) * wish.days,
            most_uses: wish.most_uses,
            uses: 0,
        };
        let mut tx = self.db.begin().await?;
        store::insert_invite(&mut tx, &invite, &code.hash()).await?;
        let detail = json!({ "role": invite.role, "max_uses": invite.most_uses });
        let (actor, target) = (Some(by.id.0), invite.id.to_string());
        self.audit
            .note(&mut tx, actor, "invite.created", &target, &detail)
            .await?;
        tx.commit().await?;
        Ok((invite, code))
    }

    /// Invites, newest first: at most so many behind the cursor.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invites(&self, behind: &Cursor, most: u16) -> Result<Vec<Invite>, ApiError> {
        Ok(store::invites(&self.db, behind, most).await?)
    }

    /// Takes an invite back.
    ///
    /// # Errors
    /// When there is none of that id.
    pub async fn delete_invite(&self, by: &Account, id: Uuid) -> Result<(), ApiError> {
        let mut tx = self.db.begin().await?;
        if !store::delete_invite(&mut tx, id).await? {
            return Err(ApiError::NotFound {
                code: "invite_not_found",
                detail: "there is no such invite",
            });
        }
        let (actor, target) = (Some(by.id.0), id.to_string());
        self.audit
            .note(&mut tx, actor, "invite.deleted", &target, &json!({}))
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Uses an invite once; gives what the new account may do.
    pub(super) async fn spend_invite(&self, tx: &mut Tx, code: &Secret) -> Result<Role, ApiError> {
        let spent = store::spend_invite(tx, &code.hash(), self.clock.now()).await?;
        spent.ok_or_else(|| {
            denied(
                "invite_invalid",
                "this invite is wrong, used or too old; ask for a new one",
            )
        })
    }
}
