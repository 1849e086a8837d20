//! Tells many, a batch a job, and one, at once.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::store::{New, Recipient};
use super::{Kind, News, Notifications, Way, channel_of, push, store, unsubscribe};
use crate::accounts::AccountId;
use crate::db::{StoreError, Tx};
use crate::jobs::{JobError, Worker};
use crate::mail::Letter;

/// The kind of the jobs.
const KIND: &str = "notify_followers";
/// Followers of one job: a transaction of this size ends before anybody waits for it.
const BATCH: i64 = 200;
/// News that could not be told for so long is none any more.
const PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// A batch of followers.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Batch {
    news: News,
    /// Whom the batch before ended with.
    after: String,
}

pub(super) fn tell_by(notifications: &Notifications, worker: Worker) -> Worker {
    let notifications = notifications.clone();
    worker.on(KIND, PATIENCE, move |batch: Batch, _| {
        let notifications = notifications.clone();
        async move {
            let told = notifications.tell_batch(batch).await;
            told.map_err(|error| JobError::Retry(error.to_string()))
        }
    })
}

impl Notifications {
    pub(super) async fn tell_followers(&self, news: News) -> Result<(), StoreError> {
        let after = String::new();
        self.0
            .grounds
            .jobs
            .enqueue_now(KIND, &Batch { news, after })
            .await
    }

    /// Tells a batch and asks for the next, in one transaction.
    async fn tell_batch(&self, batch: Batch) -> Result<(), StoreError> {
        let grounds = &self.0.grounds;
        let Batch { news, after } = batch;
        let Some(channel) = channel_of(&news) else {
            return Ok(());
        };
        let all = store::followers_after(&grounds.db, channel, news.kind, &after, BATCH).await?;
        let Some(last) = all.last() else {
            return Ok(());
        };
        let is_full = i64::try_from(all.len()).is_ok_and(|found| found == BATCH);
        let mut tx = grounds.db.begin().await?;
        let mut told = Vec::new();
        for recipient in &all {
            if self.tell_one(&mut tx, recipient, &news).await? {
                told.push(recipient.account()?);
            }
        }
        if is_full {
            let after = last.account_id.clone();
            let next = Batch { news, after };
            grounds.jobs.enqueue(&mut tx, KIND, &next).await?;
        }
        tx.commit().await?;
        grounds.jobs.wake();
        self.say_changed(told);
        Ok(())
    }

    /// Tells one account. New followers are counted in one notification until it is read.
    pub(super) async fn tell(&self, account: AccountId, news: &News) -> Result<(), StoreError> {
        let grounds = &self.0.grounds;
        let Some(recipient) = store::recipient(&grounds.db, account, news.kind).await? else {
            return Ok(());
        };
        let mut tx = grounds.db.begin().await?;
        let is_added = match (news.kind, channel_of(news)) {
            (Kind::NewFollower, Some(channel)) => {
                let now = grounds.clock.now();
                store::add_to_unread(&mut tx, account, news.kind, channel, now).await?
            }
            _ => false,
        };
        if !is_added {
            self.tell_one(&mut tx, &recipient, news).await?;
        }
        tx.commit().await?;
        grounds.jobs.wake();
        self.say_changed(vec![account]);
        Ok(())
    }

    /// True: it was news to them.
    async fn tell_one(
        &self,
        tx: &mut Tx,
        recipient: &Recipient,
        news: &News,
    ) -> Result<bool, StoreError> {
        let grounds = &self.0.grounds;
        let account = recipient.account()?;
        let wants = |way| wants(recipient, news.kind, way);
        let new = New {
            account,
            kind: news.kind,
            channel: channel_of(news),
            subject: &news.subject,
            title: &news.title,
            body: &news.body,
            link: &news.link,
            is_shown: wants(Way::InApp),
            at: grounds.clock.now(),
        };
        if !store::insert(tx, &new).await? {
            return Ok(false);
        }
        if wants(Way::Push) {
            push::send(self, tx, account, news).await?;
        }
        if let (true, Some(address)) = (wants(Way::Email), &recipient.address) {
            let letter = self.letter(account, address, news);
            grounds.mail.send(tx, &letter).await?;
        }
        Ok(true)
    }

    fn letter(&self, account: AccountId, address: &str, news: &News) -> Letter {
        let grounds = &self.0.grounds;
        let token = unsubscribe::token(&grounds.pepper, account, news.kind);
        let body = match news.body.is_empty() {
            true => news.title.clone(),
            false => news.body.clone(),
        };
        Letter {
            to: address.to_owned(),
            subject: news.title.clone(),
            paragraphs: vec![body],
            act: Some((act_of(news.kind).to_owned(), grounds.mail.link(&news.link))),
            foot: format!(
                "You get mails about {}. Others are chosen under {}.",
                news.kind.in_words(),
                grounds.mail.link("/settings/notifications"),
            ),
            unsubscribe: Some(grounds.mail.link(&unsubscribe::path(&token))),
        }
    }

    pub(super) fn say_changed(&self, accounts: Vec<AccountId>) {
        if !accounts.is_empty() {
            // Nobody may have a page open.
            let _ = self.0.changed.send(Arc::from(accounts));
        }
    }
}

fn wants(recipient: &Recipient, kind: Kind, way: Way) -> bool {
    let chosen = match way {
        Way::InApp => recipient.in_app,
        Way::Email => recipient.email,
        Way::Push => recipient.push,
    };
    chosen.unwrap_or_else(|| kind.is_wanted_by_default(way))
}

fn act_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Live | Kind::RecordingReady => "Watch",
        Kind::Scheduled | Kind::NewFollower | Kind::Test => "Open the channel",
    }
}
