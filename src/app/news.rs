//! Tells of payments: programs by events, the picture by alerts, the room by thanks and gifts. It stands above the
//! domains that it joins.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::accounts::Account;
use crate::channels::Channel;
use crate::chat::{Support, SupportKind};
use crate::db::StoreError;
use crate::events::{Audience, Content, EventChannel, Kind};
use crate::jobs::{JobError, Worker};
use crate::payments::{Alert, AlertKind, NEWS, News, What};
use crate::router::Services;

/// What is older is no news.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Makes a worker tell.
pub(super) fn tell_by(worker: Worker, services: &Services) -> Worker {
    let services = services.clone();
    worker.on(NEWS, PATIENCE, move |news: News, _| {
        let services = services.clone();
        async move {
            let told = tell(&services, &news).await;
            told.map_err(|error| JobError::Retry(error.to_string()))
        }
    })
}

async fn tell(services: &Services, news: &News) -> Result<(), StoreError> {
    let Some(channel) = services.channels.by_id(news.channel()).await? else {
        return Ok(());
    };
    let account = match news.account {
        Some(account) => services.accounts.by_id(account).await?,
        None => None,
    };
    let mut left = 0;
    if let What::Gifts { purchase, .. } = &news.what {
        let present = services.chat.present(&channel).await?;
        left = services.payments.give(*purchase, &present).await?;
    }
    let message = match &news.what {
        What::Tip { message, .. } if services.chat.lets_pass(&channel, message).await? => {
            message.clone()
        }
        _ => String::new(),
    };
    let content = Content {
        channel: EventChannel::from(&channel),
        stream: None,
        data: data_of(news, account.as_ref(), &message),
    };
    let now = services.clock.now();
    let kind = kind_of(&news.what);
    services
        .events
        .append(kind, now, Audience::Owner, content)
        .await?;
    if let (Some(account), Some((support, reference))) = (&account, support_of(news, left)) {
        let chat = &services.chat;
        chat.thank(&channel, account, support, &message, reference)
            .await?;
    }
    alert(services, &channel, news, account.as_ref(), message);
    Ok(())
}

/// What the chat thanks for, and by what it knows that it did. So many of the gifts are left.
fn support_of(news: &News, left: i64) -> Option<(Support, String)> {
    let of = |what| Support {
        what,
        tier: None,
        quantity: None,
        amount: None,
        currency: None,
        claim: None,
    };
    match &news.what {
        What::Joined { tier } => {
            let support = Support {
                tier: Some(*tier),
                ..of(SupportKind::Membership)
            };
            Some((support, format!("membership {tier}")))
        }
        What::Gifts {
            purchase,
            tier,
            quantity,
        } => {
            let support = Support {
                tier: Some(*tier),
                quantity: Some(*quantity),
                claim: (left > 0).then_some(*purchase),
                ..of(SupportKind::Gift)
            };
            Some((support, purchase.to_string()))
        }
        What::Tip {
            purchase,
            amount,
            currency,
            ..
        } => {
            let support = Support {
                amount: Some(*amount),
                currency: Some(currency.clone()),
                ..of(SupportKind::Tip)
            };
            Some((support, purchase.to_string()))
        }
        What::Left | What::Ticket { .. } => None,
    }
}

fn kind_of(what: &What) -> Kind {
    match what {
        What::Joined { .. } => Kind::MemberJoined,
        What::Left => Kind::MemberLeft,
        What::Gifts { .. } => Kind::GiftSent,
        What::Tip { .. } => Kind::TipReceived,
        What::Ticket { .. } => Kind::TicketSold,
    }
}

fn data_of(news: &News, account: Option<&Account>, message: &str) -> Map<String, Value> {
    let account = account.map(|account| json!({ "id": account.id.0, "name": account.name }));
    let mut data = Map::new();
    data.insert("account".to_owned(), account.unwrap_or_default());
    let more = match &news.what {
        What::Joined { tier } => json!({ "tier": tier }),
        What::Left => json!({}),
        What::Gifts { tier, quantity, .. } => json!({ "tier": tier, "quantity": quantity }),
        What::Tip {
            amount, currency, ..
        } => json!({ "amount": amount, "currency": currency, "message": message }),
        What::Ticket { offer } => json!({ "ticket": offer }),
    };
    if let Value::Object(more) = more {
        data.extend(more);
    }
    data
}

fn alert(
    services: &Services,
    channel: &Channel,
    news: &News,
    account: Option<&Account>,
    message: String,
) {
    let name = account.map_or("Somebody", |account| &account.name);
    let plain = |kind, id| Alert {
        id,
        kind,
        name: name.to_owned(),
        tier: None,
        quantity: None,
        amount: None,
        currency: None,
        message: String::new(),
    };
    let alert = match &news.what {
        What::Joined { tier } => Alert {
            tier: Some(*tier),
            ..plain(AlertKind::Member, uuid::Uuid::now_v7())
        },
        What::Gifts {
            purchase,
            tier,
            quantity,
        } => Alert {
            tier: Some(*tier),
            quantity: Some(*quantity),
            ..plain(AlertKind::Gift, *purchase)
        },
        What::Tip {
            purchase,
            amount,
            currency,
            ..
        } => Alert {
            amount: Some(*amount),
            currency: Some(currency.clone()),
            message,
            ..plain(AlertKind::Tip, *purchase)
        },
        What::Left | What::Ticket { .. } => return,
    };
    services.payments.show_alert(channel.id, alert);
}
