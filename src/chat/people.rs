//! Who somebody is in a room.

use std::net::IpAddr;
use std::sync::Arc;

use super::Chat;
use super::message::{GUEST, Person, Subject};
use super::protocol::Join;
use super::refusal::Refusal;
use crate::accounts::{Account, Face};
use crate::channels::Channel;
use crate::db::StoreError;
use crate::error::ApiError;
use crate::form;
use crate::rate::household;

/// Characters of the secret by which a guest stays the same.
const GUEST_SECRET: std::ops::RangeInclusive<usize> = 16..=64;
/// Hexadecimal digits of a guest's id, and of a network's.
const DIGITS: usize = 16;

impl Chat {
    /// Somebody with an account, in a channel's room.
    pub(super) async fn member(
        &self,
        channel: &Channel,
        account: &Account,
        address: IpAddr,
    ) -> Result<Person, StoreError> {
        let channels = &self.0.channels;
        let rights = channels.rights(channel, Some(account)).await?;
        let follows = channels.follows_since(channel.id, account.id).await?;
        let reader = self.reader(address);
        let tier = channels.membership(channel.id, account.id).await?;
        let person = Person::of_account(account, rights, follows, reader);
        Ok(Person { tier, ..person })
    }

    /// Somebody who only reads.
    pub(super) fn reader(&self, address: IpAddr) -> Person {
        let network = format!("chat network {}", household(address));
        let network: Arc<str> = self.digits(&network).into();
        Person::reader(address, network)
    }

    /// Somebody without an account, who may want to write.
    pub(super) async fn stranger(&self, join: &Join, address: IpAddr) -> Result<Person, Refusal> {
        let reader = self.reader(address);
        let Some(secret) = join.guest.as_deref() else {
            return Ok(reader);
        };
        if !GUEST_SECRET.contains(&secret.chars().count()) {
            let words = "`guest` has 16 to 64 characters";
            return Err(Refusal::new("malformed", words));
        }
        let digits = self.digits(&format!("chat guest {secret}"));
        let name = self.guest_name(join.name.as_deref(), &digits).await?;
        Ok(Person::guest(format!("{GUEST}{digits}"), name, reader))
    }

    /// What a guest is called: what it wants, unless an account is called so.
    async fn guest_name(&self, wanted: Option<&str>, digits: &str) -> Result<String, Refusal> {
        let number = u32::from_str_radix(digits.get(..4).unwrap_or("0"), 16).unwrap_or_default();
        let plain = format!("Guest {}", number % 10_000);
        let Some(wanted) = wanted.filter(|wanted| !wanted.trim().is_empty()) else {
            return Ok(plain);
        };
        let Ok(name) = form::line("name_invalid", wanted, 2, 30) else {
            return Ok(plain);
        };
        let taken = self.0.accounts.by_name(&name).await;
        match taken.map_err(|error| Refusal::from(ApiError::from(error)))? {
            Some(_) => Ok(plain),
            None => Ok(name),
        }
    }

    fn digits(&self, text: &str) -> String {
        let mac = self.0.pepper.mac(text);
        mac.get(..DIGITS).unwrap_or_default().to_owned()
    }

    /// Whom moderators mean: an account by its name or id, or a guest by its id.
    pub(super) async fn find(
        &self,
        channel: &Channel,
        text: &str,
    ) -> Result<(Subject, String), ApiError> {
        if text.starts_with(GUEST) && text.len() == GUEST.len() + DIGITS {
            let subject = Subject::Guest(text.to_owned());
            let hall = self.hall(channel).await?;
            let name = hall.lock().name_of(&subject);
            return Ok((subject, name.unwrap_or_else(|| text.to_owned())));
        }
        let found = match Subject::parse(text) {
            Some(Subject::Account(id)) => self.0.accounts.by_id(id).await?,
            _ => self.0.accounts.by_name(text).await?,
        };
        let account = found.ok_or(ApiError::NotFound {
            code: "account_not_found",
            detail: "nobody of that name is known here",
        })?;
        Ok((Subject::Account(account.id), Face::from(&account).name))
    }
}
