//! Changing a subscription's price within a period: what was not used is credited, the rest of the period is
//! charged by the new price.

use serde_json::{Value, json};

use crate::clock::after;
use crate::fields::Fields;
use crate::new_invoice::{self, Bill, Line};
use crate::new_subscription::plan;
use crate::subscriptions::{collect, lines, period, set_period};
use crate::world::{World, number, text};

/// Puts another price in place of the first item's. `behavior` is Stripe's `proration_behavior`. A price with
/// another interval begins a new period, which is charged at once.
pub(crate) fn replace_price(world: &mut World, id: &str, price: &Value, behavior: &str) {
    let before = world.find(&json!(id)).clone();
    let now = world.now();
    let old = &before.at("items.data.0.price");
    let is_same_interval = old.at("recurring.interval") == price.at("recurring.interval")
        && old.at("recurring.interval_count") == price.at("recurring.interval_count");
    set_price(world, id, price);
    let mut due = if behavior == "none" {
        Vec::new()
    } else {
        vec![credit(&before, now)]
    };
    if !is_same_interval {
        restart(world, id, price, now);
        due.extend(lines(world.find(&json!(id))));
        return bill(world, id, due);
    }
    let (_, end) = period(&before);
    if behavior != "none" {
        due.push(rest(world.find(&json!(id)), now, end));
    }
    match behavior {
        "always_invoice" => bill(world, id, due),
        _ => keep(world, id, &due),
    }
}

/// What earlier changes left for the next invoice, once.
pub(crate) fn take_pending(world: &mut World, id: &str) -> Vec<Line> {
    let pending = world.find(&json!(id)).at("_fake.pending").clone();
    world.change(id, |subscription| {
        subscription.set("_fake.pending", json!([]))
    });
    let line = |kept: &Value| Line {
        amount: number(kept.at("amount")),
        description: text(kept.at("description")),
        quantity: 1,
        price: kept.at("price").clone(),
        period: (number(kept.at("start")), number(kept.at("end"))),
    };
    pending.as_array().into_iter().flatten().map(line).collect()
}

fn set_price(world: &mut World, id: &str, price: &Value) {
    world.change(id, |subscription| {
        if let Some(item) = subscription.at_mut("items.data.0") {
            item.set("price", price.clone());
            item.set("plan", plan(price));
        }
    });
}

fn restart(world: &mut World, id: &str, price: &Value, now: i64) {
    let recurring = &price.at("recurring");
    let count = number(recurring.at("interval_count")).max(1);
    let end = after(now, &text(recurring.at("interval")), count);
    world.change(id, |subscription| {
        subscription.set("billing_cycle_anchor", json!(now))
    });
    set_period(world, id, (now, end));
}

fn credit(before: &Value, now: i64) -> Line {
    let (_, end) = period(before);
    let line = rest(before, now, end);
    Line {
        amount: -line.amount,
        description: "Unused time".to_owned(),
        ..line
    }
}

/// What the rest of the period costs by the present price.
fn rest(subscription: &Value, now: i64, end: i64) -> Line {
    let (start, _) = period(subscription);
    let item = &subscription.at("items.data.0");
    let full = number(item.at("price.unit_amount")).saturating_mul(number(item.at("quantity")));
    let left = i128::from(full) * i128::from((end - now).max(0));
    let whole = i128::from((end - start).max(1));
    Line {
        amount: i64::try_from((left + whole / 2) / whole).unwrap_or(i64::MAX),
        description: "Remaining time".to_owned(),
        quantity: 1,
        price: item.at("price").clone(),
        period: (now, end),
    }
}

fn bill(world: &mut World, id: &str, lines: Vec<Line>) {
    let now = world.now();
    let invoice = new_invoice::write(
        world,
        Bill {
            subscription: id,
            reason: "subscription_update",
            period: (now, now),
            lines,
        },
    );
    collect(world, id, &invoice);
}

fn keep(world: &mut World, id: &str, due: &[Line]) {
    let kept = due.iter().map(|line| {
        json!({
            "amount": line.amount,
            "description": line.description,
            "price": line.price,
            "start": line.period.0,
            "end": line.period.1,
        })
    });
    let kept: Vec<Value> = kept.collect();
    world.change(id, |subscription| {
        if let Some(pending) = subscription
            .at_mut("_fake.pending")
            .and_then(Value::as_array_mut)
        {
            pending.extend(kept);
        }
    });
}
