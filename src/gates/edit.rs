//! How gates are written and shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Gates, Lock};
use crate::error::ApiError;
use crate::form::Form;
use crate::payments::Gate;
use crate::secret::Secret;

/// Who may watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum GateKind {
    /// Whom the channel lets in.
    Everyone,
    /// Of those, who follow it.
    Followers,
    /// Its members.
    Members,
    /// Who has a ticket.
    Ticket,
    /// Who knows the password.
    Password,
}

/// Who may watch a stream or a recording, of those whom its channel lets in.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct StreamGate {
    who: GateKind,
    /// Of members: from which tier on, 1 to 3.
    tier: Option<u8>,
}

impl From<Gate> for StreamGate {
    fn from(gate: Gate) -> Self {
        let (who, tier) = match gate {
            Gate::Everyone => (GateKind::Everyone, None),
            Gate::Followers => (GateKind::Followers, None),
            Gate::Members { tier } => (GateKind::Members, Some(tier)),
            Gate::Ticket => (GateKind::Ticket, None),
            Gate::Password => (GateKind::Password, None),
        };
        Self { who, tier }
    }
}

/// Who is to watch from now on.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamGateEdit {
    who: GateKind,
    /// Of members: from which tier on, 1 to 3; 1 where it is left out.
    tier: Option<u8>,
    /// For `password`: 4 to 200 characters. Left out, the password stays that there is.
    #[schema(value_type = Option<String>)]
    password: Option<Secret>,
    #[serde(skip)]
    password_hash: Option<String>,
}

const TIERS: std::ops::RangeInclusive<u8> = 1..=3;
const LENGTH: std::ops::RangeInclusive<usize> = 4..=200;

impl StreamGateEdit {
    /// Holds it against what this server has, and hashes the password.
    ///
    /// # Errors
    /// With what is wrong.
    pub async fn prepare(&mut self, gates: &Gates) -> Result<(), ApiError> {
        let mut form = Form::new();
        let gate = self.gate();
        if gate.is_sold() && !gates.payments().is_on() {
            let words = "nothing is sold on this server: its operator can switch payments on";
            form.add("gate.who", "payments_off", words);
        }
        if self.tier.is_some_and(|tier| !TIERS.contains(&tier)) {
            form.add("gate.tier", "out_of_range", "1 to 3");
        }
        if let Some(password) = &self.password {
            if gate != Gate::Password {
                let words = "a password is for the gate that asks for one";
                form.add("gate.password", "password_unfit", words);
            } else if !LENGTH.contains(&password.reveal().chars().count()) {
                form.add("gate.password", "password_invalid", "4 to 200 characters");
            }
        }
        form.done()?;
        if let Some(password) = self.password.take() {
            self.password_hash = Some(gates.0.channels.hash_of_password(&password).await?);
        }
        Ok(())
    }

    /// Puts it in the place of a lock's gate.
    pub fn apply(self, lock: &mut Lock, form: &mut Form) {
        let gate = self.gate();
        let password_hash = match gate {
            Gate::Password => self.password_hash.or_else(|| lock.password_hash.take()),
            _ => None,
        };
        if gate == Gate::Password && password_hash.is_none() {
            let words = "choose the password that viewers shall give";
            form.add("gate.password", "password_missing", words);
        }
        lock.gate = gate;
        lock.password_hash = password_hash;
    }

    fn gate(&self) -> Gate {
        match self.who {
            GateKind::Everyone => Gate::Everyone,
            GateKind::Followers => Gate::Followers,
            GateKind::Members => Gate::Members {
                tier: self.tier.unwrap_or(1),
            },
            GateKind::Ticket => Gate::Ticket,
            GateKind::Password => Gate::Password,
        }
    }
}
