//! Mail by SMTP. A letter is a job, written in the transaction of what causes it, and goes out when the
//! mail server takes it; for two days it is tried again.
//!
//! Without a host in section `[mail]` nothing is queued, and whoever would send asks
//! [`Mail::is_configured`] first. No address reaches the log.

mod letter;

use std::time::Duration;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::Tls;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

pub use letter::Letter;

use crate::config::{self, MailTls};
use crate::db::{StoreError, Tx};
use crate::error::ApiError;
use crate::form;
use crate::jobs::{JobError, Jobs, Worker};

/// The way to the mail server: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Mail {
    jobs: Jobs,
    /// Scheme and host that links begin with.
    origin: String,
    post: Option<Post>,
}

#[derive(Debug, Clone)]
struct Post {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// The sender is no address.
    #[error("mail.from: {0}")]
    From(#[from] lettre::address::AddressError),
    /// The host cannot be asked over TLS.
    #[error("mail.host: {0}")]
    Host(#[from] lettre::transport::smtp::Error),
}

/// The kind of its jobs.
const KIND: &str = "mail";
/// A letter that cannot be delivered for so long is given up.
const PATIENCE: Duration = Duration::from_secs(2 * 24 * 3600);
/// The mail server answers within this time, or it is away.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
/// Longest address (RFC 5321 §4.5.3.1.3, without the brackets).
const LONGEST_ADDRESS: usize = 254;

impl Mail {
    /// By section `[mail]`; links begin with `http.public_url`.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn new(mail: &config::Mail, http: &config::Http, jobs: Jobs) -> Result<Self, MailError> {
        Ok(Self {
            jobs,
            origin: http.public_origin().unwrap_or_default().to_owned(),
            post: mail.is_configured().then(|| Post::new(mail)).transpose()?,
        })
    }

    /// Whether mail can be sent.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.post.is_some()
    }

    /// A link for a letter: a path, with its slash, on the server's public address.
    #[must_use]
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Queues a letter in the caller's transaction; drops it where no mail is configured.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn send(&self, tx: &mut Tx, letter: &Letter) -> Result<(), StoreError> {
        match self.is_configured() {
            true => self.jobs.enqueue(tx, KIND, letter).await,
            false => Ok(()),
        }
    }

    /// Makes a worker deliver letters.
    #[must_use]
    pub fn deliver_by(&self, worker: Worker) -> Worker {
        let mail = self.clone();
        worker.on(KIND, PATIENCE, move |letter: Letter, _| {
            let mail = mail.clone();
            async move { mail.deliver(&letter).await }
        })
    }

    async fn deliver(&self, letter: &Letter) -> Result<(), JobError> {
        let Some(post) = &self.post else {
            return Err(JobError::GiveUp(
                "no mail is configured any more".to_owned(),
            ));
        };
        let message = post.message(letter).map_err(JobError::GiveUp)?;
        let sent = post.transport.send(message).await;
        sent.map(drop).map_err(|error| refusal(&error))
    }
}

impl Post {
    fn new(mail: &config::Mail) -> Result<Self, MailError> {
        type Smtp = AsyncSmtpTransport<Tokio1Executor>;
        let builder = match mail.tls {
            MailTls::Starttls => Smtp::starttls_relay(&mail.host)?,
            MailTls::Tls => Smtp::relay(&mail.host)?,
            MailTls::None => Smtp::builder_dangerous(&mail.host).tls(Tls::None),
        };
        let mut builder = builder.port(mail.port()).timeout(Some(ANSWERS_WITHIN));
        if !mail.user.is_empty() {
            let credentials = Credentials::new(mail.user.clone(), mail.password.clone());
            builder = builder.credentials(credentials);
        }
        Ok(Self {
            transport: builder.build(),
            from: mail.from.parse()?,
        })
    }

    /// What does not fit is told without the address.
    fn message(&self, letter: &Letter) -> Result<Message, String> {
        let to: Mailbox = letter.to.parse().map_err(|_| "no address".to_owned())?;
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(&letter.subject);
        if let Some(link) = &letter.unsubscribe {
            // RFC 8058: mail programs show a button, which posts there.
            message = message
                .raw_header(header("List-Unsubscribe", format!("<{link}>"))?)
                .raw_header(header(
                    "List-Unsubscribe-Post",
                    "List-Unsubscribe=One-Click".to_owned(),
                )?);
        }
        let parts = MultiPart::alternative_plain_html(letter.text(), letter.html());
        let message = message.multipart(parts);
        message.map_err(|error| format!("the letter cannot be built: {error}"))
    }
}

/// Whether the mail server takes us, in words where not; nothing where none is configured.
pub async fn look(mail: &config::Mail) -> Option<Result<(), String>> {
    if !mail.is_configured() {
        return None;
    }
    let post = match Post::new(mail) {
        Ok(post) => post,
        Err(error) => return Some(Err(error.to_string())),
    };
    let words = |error| match refusal(&error) {
        JobError::GiveUp(words) | JobError::Retry(words) => words,
    };
    Some(match post.transport.test_connection().await {
        Ok(true) => Ok(()),
        Ok(false) => Err("the mail server does not answer as it should".to_owned()),
        Err(error) => Err(words(error)),
    })
}

fn header(name: &'static str, value: String) -> Result<HeaderValue, String> {
    let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|error| error.to_string())?;
    Ok(HeaderValue::new(name, value))
}

/// Only the code of the mail server's answer: its words mostly repeat the address.
fn refusal(error: &lettre::transport::smtp::Error) -> JobError {
    let words = match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None if error.is_timeout() => "the mail server did not answer in time".to_owned(),
        None if error.is_tls() => "there is no TLS with the mail server".to_owned(),
        None => "the mail server cannot be reached".to_owned(),
    };
    match error.is_permanent() {
        true => JobError::GiveUp(words),
        false => JobError::Retry(words),
    }
}

/// An address as somebody writes it, or what would be right.
///
/// # Errors
/// When it is none.
pub fn checked_address(text: &str) -> Result<String, ApiError> {
    let address = form::line("email_invalid", text, 3, LONGEST_ADDRESS)?;
    match address.parse::<lettre::Address>() {
        Ok(_) if address.is_ascii() => Ok(address),
        _ => Err(ApiError::Invalid {
            code: "email_invalid",
            detail: "an address such as ada@example.org".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_texts() {
        assert_eq!(
            checked_address(" Ada@Example.org ").unwrap(),
            "Ada@Example.org"
        );
        for text in [
            "",
            "ada",
            "@example.org",
            "a b@example.org",
            "a@b@c",
            "ada@ex\nample.org",
        ] {
            assert!(checked_address(text).is_err(), "{text:?}");
        }
    }
}
