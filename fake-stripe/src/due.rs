//! What happens by itself as time goes by: sessions run out, subscriptions renew, end or are tried again.

use serde_json::Value;

use crate::fields::Fields;
use crate::world::{World, number, text};
use crate::{checkout, subscriptions};

/// Moves the fake's clock ahead; what falls due meanwhile happens in order, each at its own time.
pub(crate) fn advance(world: &mut World, seconds: i64) {
    world.clock.advance(seconds);
    catch_up(world);
}

/// Does what fell due up to now.
pub(crate) fn catch_up(world: &mut World) {
    let present = world.clock.present();
    while let Some((when, id)) = next(world).filter(|(when, _)| *when <= present) {
        world.clock.pretend(Some(when));
        happen(world, &id);
    }
    world.clock.pretend(None);
}

/// What falls due first, and when.
fn next(world: &World) -> Option<(i64, String)> {
    let sessions = world.all("checkout.session");
    let open = sessions.filter(|session| session.at("status") == "open");
    let runs_out = open.map(|session| (number(session.at("expires_at")), text(session.at("id"))));
    let subscriptions = world.all("subscription").filter_map(subscription_due);
    runs_out.chain(subscriptions).min_by_key(|(when, _)| *when)
}

fn subscription_due(subscription: &Value) -> Option<(i64, String)> {
    let (_, end) = subscriptions::period(subscription);
    let when = match subscription.at("status").as_str()? {
        "active" => end,
        // With one invoice unpaid another is not written, but an end that was asked for comes.
        "past_due" if subscription.at("cancel_at_period_end") == true => {
            end.min(subscription.at("_fake.retry_at").as_i64().unwrap_or(end))
        }
        "past_due" => subscription.at("_fake.retry_at").as_i64()?,
        _ => return None,
    };
    Some((when, text(subscription.at("id"))))
}

fn happen(world: &mut World, id: &str) {
    let object = world.find(&Value::from(id));
    let retry_at = object.at("_fake.retry_at").as_i64();
    if object.at("object") == "checkout.session" {
        checkout::run_out(world, id);
    } else if retry_at.is_some_and(|at| at <= world.now()) {
        subscriptions::try_again(world, id);
    } else {
        subscriptions::turn(world, id);
    }
}
