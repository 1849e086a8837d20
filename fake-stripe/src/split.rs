//! How a payment is divided between the platform and a connected account.

use serde_json::{Value, json};

use crate::fields::Fields;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::world::{World, text};

/// How a payment is divided between the platform and a connected account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Split {
    /// What the platform keeps, in minor units or percent; `null` without.
    pub(crate) fee: Value,
    /// The account that the rest goes to; `null` where all stays with the platform.
    pub(crate) destination: Value,
    pub(crate) on_behalf_of: Value,
}

impl Split {
    /// Reads `transfer_data`, `on_behalf_of` and the fee under `payment_intent_data` or `subscription_data`.
    pub(crate) fn read(world: &World, form: &Form, path: &str) -> Result<Self, Refusal> {
        let amount = format!("{path}.application_fee_amount");
        let percent = format!("{path}.application_fee_percent");
        let destination = format!("{path}.transfer_data.destination");
        let split = Self {
            fee: match form.integer(&amount)? {
                Some(amount) => json!(amount),
                None => json!(form.number(&percent)?),
            },
            destination: json!(form.text(&destination)),
            on_behalf_of: json!(form.text(&format!("{path}.on_behalf_of"))),
        };
        if split.destination.is_null() && !split.fee.is_null() {
            let message = "Can only apply an application fee to a destination payment (using transfer_data[destination]).";
            return Err(Refusal::invalid(&amount, message));
        }
        can_be_paid(world, &split.destination, &destination)?;
        Ok(split)
    }

    /// The same with the fee in minor units, of a payment whose fee is in percent.
    pub(crate) fn of_percent(&self, total: i64) -> Self {
        let fee = self.fee.as_f64().map(|percent| share(total, percent));
        Self {
            fee: json!(fee),
            ..self.clone()
        }
    }

    /// The field `transfer_data` of payments.
    pub(crate) fn transfer_data(&self) -> Value {
        match &self.destination {
            Value::Null => Value::Null,
            destination => json!({ "destination": destination }),
        }
    }
}

/// An account gets money only once it is set up.
fn can_be_paid(world: &World, destination: &Value, path: &str) -> Result<(), Refusal> {
    if destination.is_null() {
        return Ok(());
    }
    let account = world.find(destination);
    if account.at("object") != "account" {
        let message = format!("No such destination: '{}'", text(destination));
        return Err(Refusal::invalid(path, message).code("resource_missing"));
    }
    if account.at("capabilities.transfers") != "active" {
        let message = "Your destination account needs to have at least one of the following capabilities enabled: \
                       transfers, crypto_transfers, legacy_payments";
        return Err(Refusal::invalid(path, message).code("insufficient_capabilities_for_transfer"));
    }
    Ok(())
}

/// So many percent of an amount, to the nearest minor unit.
#[expect(
    clippy::cast_possible_truncation,
    reason = "floats are clamped to what fits when they become integers"
)]
fn share(total: i64, percent: f64) -> i64 {
    // Hundredths of a percent, the finest that Stripe takes, keep sums of money out of floats.
    let hundredths = i128::from((percent * 100.0).round() as i64);
    let share = (i128::from(total) * hundredths + 5_000) / 10_000;
    i64::try_from(share).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_to_the_nearest_cent() {
        assert_eq!(share(499, 10.0), 50);
        assert_eq!(share(499, 2.25), 11);
        assert_eq!(share(494, 10.0), 49);
    }
}
