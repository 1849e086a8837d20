//! Section `[oidc]`: providers of OpenID Connect that people may sign in with.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{ConfigError, HIDDEN, invalid};

/// Providers of OpenID Connect that people may sign in with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Oidc {
    /// The providers.
    pub providers: Vec<OidcProvider>,
}

/// One provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OidcProvider {
    /// Its name in addresses; it stays as it is once somebody signed in with it.
    pub name: String,
    /// What its button says.
    pub label: String,
    /// Its issuer identifier, below which `/.well-known/openid-configuration` lies.
    pub issuer: String,
    /// Who we are to it.
    pub client_id: String,
    /// By this; empty for a public client.
    pub client_secret: String,
    /// What we ask for, beside `openid`.
    pub scopes: Vec<String>,
    /// Whether who signs in for the first time gets an account, where everybody may sign up.
    pub allow_sign_up: bool,
}

impl Default for OidcProvider {
    fn default() -> Self {
        Self {
            name: String::new(),
            label: String::new(),
            issuer: String::new(),
            client_id: String::new(),
            client_secret: String::new(),
            scopes: vec!["profile".to_owned(), "email".to_owned()],
            allow_sign_up: true,
        }
    }
}

impl OidcProvider {
    /// What its button says: its label, or its name where it has none.
    #[must_use]
    pub fn label(&self) -> &str {
        match self.label.trim() {
            "" => &self.name,
            label => label,
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || self.name.len() > 32 || !self.name.chars().all(fits) {
            let words = "each needs a name of lower-case letters, digits and -, such as \"work\"";
            return Err(invalid("oidc.providers.name", words));
        }
        let is_web = ["https://", "http://"]
            .iter()
            .any(|scheme| self.issuer.starts_with(scheme));
        if !is_web {
            let words = "it must be an address, such as \"https://id.example.org\"";
            return Err(invalid("oidc.providers.issuer", words));
        }
        match self.client_id.is_empty() {
            true => Err(invalid("oidc.providers.client_id", "it must be set")),
            false => Ok(()),
        }
    }
}

impl Oidc {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let mut names = HashSet::new();
        for provider in &self.providers {
            provider.check()?;
            if !names.insert(&provider.name) {
                let words = format!("two providers are named `{}`", provider.name);
                return Err(invalid("oidc.providers.name", words));
            }
        }
        Ok(())
    }

    pub(super) fn hide_secrets(&mut self) {
        for provider in &mut self.providers {
            if !provider.client_secret.is_empty() {
                HIDDEN.clone_into(&mut provider.client_secret);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_need_a_name_of_their_own_an_issuer_and_a_client() {
        let right = OidcProvider {
            name: "work".to_owned(),
            issuer: "https://id.example".to_owned(),
            client_id: "live".to_owned(),
            ..OidcProvider::default()
        };
        let check = |providers: &[OidcProvider]| {
            let providers = providers.to_vec();
            Oidc { providers }.check()
        };
        assert!(check(std::slice::from_ref(&right)).is_ok());
        assert_eq!(right.label(), "work");
        assert!(check(&[right.clone(), right.clone()]).is_err(), "one name");
        let wrong = [
            OidcProvider {
                name: "a/b".to_owned(),
                ..right.clone()
            },
            OidcProvider {
                issuer: "id.example".to_owned(),
                ..right.clone()
            },
            OidcProvider {
                client_id: String::new(),
                ..right
            },
        ];
        for provider in wrong {
            assert!(
                check(std::slice::from_ref(&provider)).is_err(),
                "{provider:?}"
            );
        }
    }
}
