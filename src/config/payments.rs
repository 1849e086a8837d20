//! Section `[payments]`: Stripe, by which creators are paid.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{ConfigError, HIDDEN, invalid};

/// Whether and how creators are paid. Without a key nothing of it is there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Payments {
    /// Stripe's secret key, `sk_test_…` or `sk_live_…`; empty: there are no payments.
    pub secret_key: String,
    /// What signs Stripe's events, `whsec_…`; two while one replaces the other.
    pub webhook_secrets: Vec<String>,
    /// Whose money it is.
    pub payout: Payout,
    /// What the operator keeps of each payment, in per cent.
    pub fee_percent: u32,
    /// The currency that channels begin with, such as `eur`.
    pub currency: String,
    /// How long a membership goes on after a payment failed, in days.
    pub grace_days: u32,
    /// Where Stripe is.
    pub stripe_url: String,
}

/// Whose Stripe account takes the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Payout {
    /// The account of the key: a server of one creator, or of one house.
    Own,
    /// Each creator's own, connected to the account of the key (Stripe Connect, Express).
    Connect,
}

impl Default for Payments {
    fn default() -> Self {
        Self {
            secret_key: String::new(),
            webhook_secrets: Vec::new(),
            payout: Payout::Own,
            fee_percent: 0,
            currency: "eur".to_owned(),
            grace_days: 7,
            stripe_url: STRIPE.to_owned(),
        }
    }
}

const STRIPE: &str = "https://api.stripe.com/";
/// Keys of Stripe, and restricted ones.
const KEYS: [&str; 4] = ["sk_test_", "sk_live_", "rk_test_", "rk_live_"];
/// Two endpoints with Connect, and two more while those replace them.
const MOST_SECRETS: usize = 4;
const MOST_FEE: u32 = 50;
const MOST_GRACE: u32 = 30;

impl Payments {
    /// Whether there are payments.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.secret_key.is_empty()
    }

    /// Whether money moves, or Stripe only plays.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.secret_key.contains("_live_")
    }

    /// How long a membership goes on after a payment failed.
    #[must_use]
    pub fn grace(&self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.grace_days))
    }

    pub(super) fn hide_secrets(&mut self) {
        if self.is_on() {
            HIDDEN.clone_into(&mut self.secret_key);
        }
        for secret in &mut self.webhook_secrets {
            HIDDEN.clone_into(secret);
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !self.is_on() {
            return Ok(());
        }
        if !KEYS.iter().any(|start| self.secret_key.starts_with(start)) {
            return Err(invalid(
                "payments.secret_key",
                "it must be a secret key of Stripe, sk_test_… or sk_live_… (not pk_…)",
            ));
        }
        self.check_webhook_secrets()?;
        self.check_bounds()?;
        let is_loopback = self.stripe_url.starts_with("http://127.0.0.1")
            || self.stripe_url.starts_with("http://localhost");
        if !self.stripe_url.starts_with("https://") && !is_loopback {
            return Err(invalid(
                "payments.stripe_url",
                "it must begin with https://; only a fake of Stripe on this machine may do without",
            ));
        }
        Ok(())
    }

    fn check_webhook_secrets(&self) -> Result<(), ConfigError> {
        let key = "payments.webhook_secrets";
        if self.webhook_secrets.is_empty() || self.webhook_secrets.len() > MOST_SECRETS {
            let words = "give the secret of the webhook endpoint, whsec_…; several while one \
                         replaces the other, and with Connect";
            return Err(invalid(key, words));
        }
        match self.webhook_secrets.iter().all(|s| s.starts_with("whsec_")) {
            true => Ok(()),
            false => Err(invalid(key, "each begins with whsec_")),
        }
    }

    fn check_bounds(&self) -> Result<(), ConfigError> {
        if self.fee_percent > MOST_FEE {
            let words = format!("at most {MOST_FEE}");
            return Err(invalid("payments.fee_percent", words));
        }
        if self.fee_percent > 0 && self.payout == Payout::Own {
            let words =
                "there is nobody to take a fee from: set payments.payout = \"connect\", or 0";
            return Err(invalid("payments.fee_percent", words));
        }
        if self.grace_days > MOST_GRACE {
            let words = format!("at most {MOST_GRACE}");
            return Err(invalid("payments.grace_days", words));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on() -> Payments {
        Payments {
            secret_key: "sk_test_1".to_owned(),
            webhook_secrets: vec!["whsec_1".to_owned()],
            ..Payments::default()
        }
    }

    #[test]
    fn what_cannot_work_is_named() {
        assert!(Payments::default().check().is_ok());
        assert!(on().check().is_ok());
        let wrong = [
            Payments {
                secret_key: "pk_test_1".to_owned(),
                ..on()
            },
            Payments {
                webhook_secrets: Vec::new(),
                ..on()
            },
            Payments {
                webhook_secrets: vec!["secret".to_owned()],
                ..on()
            },
            Payments {
                fee_percent: 5,
                ..on()
            },
            Payments {
                fee_percent: 90,
                payout: Payout::Connect,
                ..on()
            },
            Payments {
                stripe_url: "http://stripe.example/".to_owned(),
                ..on()
            },
        ];
        for payments in wrong {
            assert!(payments.check().is_err(), "{payments:?}");
        }
    }
}
