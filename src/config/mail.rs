//! Section `[mail]`: the server that takes our mail.

use serde::{Deserialize, Serialize};

use super::{ConfigError, HIDDEN, Http, invalid};

/// The server that takes our mail. Without a host, nothing is sent and all else works.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// Such as `smtp.example`; empty: no mail.
    pub host: String,
    /// 0: the usual one, which is 465 for `tls`, 587 for `starttls` and 25 for `none`.
    pub port: u16,
    /// How the connection is kept secret.
    pub tls: MailTls,
    /// Whom we sign in as; empty: nobody.
    pub user: String,
    /// With this.
    pub password: String,
    /// Whom mail comes from, such as `Tallylight <live@example.org>`.
    pub from: String,
}

/// How the connection to the mail server is kept secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// It begins in the clear and must change to TLS before anything is said.
    Starttls,
    /// It is TLS from the first byte.
    Tls,
    /// Not at all: only for a server on this machine or in its network.
    None,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 0,
            tls: MailTls::Starttls,
            user: String::new(),
            password: String::new(),
            from: String::new(),
        }
    }
}

impl Mail {
    /// Whether mail can be sent.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        !self.host.is_empty()
    }

    /// The port, the usual one where none is set.
    #[must_use]
    pub fn port(&self) -> u16 {
        match (self.port, self.tls) {
            (0, MailTls::Starttls) => 587,
            (0, MailTls::Tls) => 465,
            (0, MailTls::None) => 25,
            (port, _) => port,
        }
    }

    pub(super) fn hide_password(&mut self) {
        if !self.password.is_empty() {
            HIDDEN.clone_into(&mut self.password);
        }
    }

    pub(super) fn check(&self, http: &Http) -> Result<(), ConfigError> {
        if !self.is_configured() {
            return Ok(());
        }
        // The host that a request names is whatever its sender wants, and no ground for links in mails.
        if http.public_origin().is_none() {
            let words = "with mail.host it must be set: links in mails begin with it";
            return Err(invalid("http.public_url", words));
        }
        if self.host.contains(['/', ':', ' ', '@']) {
            let words = "it must be a name or an address alone, such as smtp.example";
            return Err(invalid("mail.host", words));
        }
        if self.from.parse::<lettre::message::Mailbox>().is_err() {
            let words = "it must be an address, such as \"Tallylight <live@example.org>\"";
            return Err(invalid("mail.from", words));
        }
        match self.user.is_empty() != self.password.is_empty() {
            true => Err(invalid(
                "mail.user",
                "mail.user and mail.password belong together",
            )),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_named() {
        let usable = Mail {
            host: "smtp.example".to_owned(),
            from: "Tallylight <live@example.org>".to_owned(),
            ..Mail::default()
        };
        let http = Http {
            public_url: "https://live.example".to_owned(),
            ..Http::default()
        };
        assert!(
            Mail::default().check(&Http::default()).is_ok(),
            "no host, no mail"
        );
        assert!(usable.check(&http).is_ok());
        assert!(
            usable.check(&Http::default()).is_err(),
            "links need an address"
        );
        assert_eq!(usable.port(), 587);
        let wrong = [
            Mail {
                host: "smtp://smtp.example".to_owned(),
                ..usable.clone()
            },
            Mail {
                from: "nobody".to_owned(),
                ..usable.clone()
            },
            Mail {
                user: "ada".to_owned(),
                ..usable
            },
        ];
        for mail in wrong {
            assert!(mail.check(&http).is_err(), "{mail:?}");
        }
    }
}
