//! [`Money`]: whole numbers of a currency's smallest unit, never fractions. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::ApiError;

/// A currency that creators may sell in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Currency(&'static Known);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Known {
    code: &'static str,
    /// Decimals of its smallest unit.
    decimals: u32,
    /// The least that Stripe charges.
    least: i64,
}

/// Those with none or two decimals, of which Stripe tells a least charge.
const CURRENCIES: [Known; 20] = [
    known("aud", 2, 50),
    known("brl", 2, 50),
    known("cad", 2, 50),
    known("chf", 2, 50),
    known("czk", 2, 1_500),
    known("dkk", 2, 250),
    known("eur", 2, 50),
    known("gbp", 2, 30),
    known("hkd", 2, 400),
    known("huf", 2, 17_500),
    known("inr", 2, 50),
    known("jpy", 0, 50),
    known("mxn", 2, 1_000),
    known("nok", 2, 300),
    known("nzd", 2, 50),
    known("pln", 2, 200),
    known("ron", 2, 200),
    known("sek", 2, 300),
    known("sgd", 2, 50),
    known("usd", 2, 50),
];
/// Their smallest unit is a thousandth, and Stripe wants it rounded: a trap for sums that must be exact.
const WITH_THREE_DECIMALS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];
/// The largest amount, in whole units of a currency like the euro; others have that many times their least.
const MOST: i64 = 10_000;
/// Stripe takes eight digits.
const STRIPES_MOST: i64 = 99_999_999;

const fn known(code: &'static str, decimals: u32, least: i64) -> Known {
    Known {
        code,
        decimals,
        least,
    }
}

impl Currency {
    /// The currency of that code, however it is written.
    ///
    /// # Errors
    /// With why it cannot be used.
    pub(super) fn read(code: &str) -> Result<Self, ApiError> {
        let code = code.trim().to_lowercase();
        if let Some(found) = CURRENCIES.iter().find(|known| known.code == code) {
            return Ok(Self(found));
        }
        let detail = if WITH_THREE_DECIMALS.contains(&code.as_str()) {
            "currencies with three decimals cannot be used".to_owned()
        } else {
            let all: Vec<&str> = CURRENCIES.iter().map(|known| known.code).collect();
            format!("there are {}", all.join(", "))
        };
        Err(ApiError::Invalid {
            code: "currency_unknown",
            detail,
        })
    }

    /// Its code in small letters.
    #[must_use]
    pub(super) fn code(self) -> &'static str {
        self.0.code
    }

    /// The least that can be paid.
    #[must_use]
    pub(super) fn least(self) -> i64 {
        self.0.least
    }

    /// The most that can be paid at once.
    #[must_use]
    pub(super) fn most(self) -> i64 {
        // Fifty cents are the least of most: so this is 10,000 units of those.
        let like_euros = self.0.least.max(10_i64.pow(self.0.decimals) / 2) * 2 * MOST;
        like_euros.min(STRIPES_MOST)
    }

    /// An amount of it, if that can be paid.
    ///
    /// # Errors
    /// When it is too little or too much.
    pub(super) fn price(self, amount: i64) -> Result<Money, ApiError> {
        let money = |amount| Money {
            amount,
            currency: self.code(),
        };
        if (self.least()..=self.most()).contains(&amount) {
            return Ok(money(amount));
        }
        Err(ApiError::Invalid {
            code: "amount_out_of_range",
            detail: format!("{} to {}", money(self.least()), money(self.most())),
        })
    }
}

/// An amount of a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Money {
    /// In the currency's smallest unit, such as cents.
    pub(super) amount: i64,
    /// Such as `eur`.
    pub(super) currency: &'static str,
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = Currency::read(self.currency).map_or(2, |currency| currency.0.decimals);
        let unit = 10_i64.pow(decimals);
        let code = self.currency.to_uppercase();
        let (whole, rest) = (self.amount / unit, (self.amount % unit).abs());
        let sign = if self.amount < 0 && whole == 0 {
            "-"
        } else {
            ""
        };
        match decimals {
            0 => write!(f, "{} {code}", self.amount),
            _ => write!(f, "{sign}{whole}.{rest:02} {code}"),
        }
    }
}

/// How often a membership is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MembershipPeriod)]
pub(super) enum Period {
    /// Every month.
    Month,
    /// Every year.
    Year,
}

impl Period {
    /// As the database and Stripe have it.
    #[must_use]
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// From its text.
    #[must_use]
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Month, Self::Year]
            .into_iter()
            .find(|period| period.as_str() == text)
    }
}

/// What of an amount the operator keeps, rounded down.
#[must_use]
pub(super) fn fee_of(amount: i64, percent: u32) -> i64 {
    amount.saturating_mul(i64::from(percent)) / 100
}

/// The same of per cent as Stripe tells them, with up to two decimals.
#[must_use]
pub(super) fn fee_as_told(amount: i64, percent: &serde_json::Number) -> i64 {
    let text = percent.to_string();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let decimals: String = decimals.chars().chain("00".chars()).take(2).collect();
    let hundredths = format!("{whole}{decimals}").parse().unwrap_or_default();
    amount.saturating_mul(hundredths) / 10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_people_write_them() {
        for (amount, currency, text) in [
            (499, "eur", "4.99 EUR"),
            (5, "usd", "0.05 USD"),
            (-5, "usd", "-0.05 USD"),
            (-1_234, "usd", "-12.34 USD"),
            (500, "jpy", "500 JPY"),
        ] {
            assert_eq!(Money { amount, currency }.to_string(), text);
        }
    }

    #[test]
    fn what_stripe_would_not_charge_is_refused_first() {
        let euro = Currency::read("EUR").unwrap();
        for amount in [-500, 0, 49, 1_000_001, i64::MAX] {
            assert!(euro.price(amount).is_err(), "{amount}");
        }
        assert_eq!(euro.price(1_000_000).unwrap().amount, 1_000_000);
        let yen = Currency::read("jpy").unwrap();
        assert!(yen.price(49).is_err());
        assert!(yen.price(50).is_ok());
        for code in ["kwd", "", "euro", "xxx"] {
            assert!(Currency::read(code).is_err(), "{code}");
        }
    }

    #[test]
    fn fees_are_rounded_down() {
        for (percent, fee) in [("5", 24), ("5.0", 24), ("2.5", 12), ("12.34", 61), ("0", 0)] {
            let percent: serde_json::Number = percent.parse().unwrap();
            assert_eq!(fee_as_told(499, &percent), fee, "{percent}");
        }
        assert_eq!(fee_of(499, 5), 24);
        assert_eq!(fee_of(50, 1), 0);
        assert_eq!(fee_of(1_000_000, 50), 500_000);
    }
}
