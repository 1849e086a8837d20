//! Money that goes back: refunds, and disputes of the card's holder.

use serde_json::{Value, json};

use crate::fields::Fields;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::world::{World, number, text};

/// `POST /v1/refunds`
pub(crate) fn create_refund(world: &mut World, form: &Form) -> Result<Value, Refusal> {
    let charge = match (form.text("charge"), form.text("payment_intent")) {
        (Some(charge), _) => text(&world.get("charge", charge)?["id"]),
        (None, Some(intent)) => {
            let intent = world.get("payment_intent", intent)?;
            let charge = intent.at("latest_charge").as_str();
            let message = "This PaymentIntent does not have a successful charge to refund.";
            charge
                .ok_or_else(|| Refusal::invalid("payment_intent", message))?
                .to_owned()
        }
        (None, None) => return Err(Refusal::missing("payment_intent")),
    };
    let wish = Wish {
        amount: form.integer("amount")?,
        reverses_transfer: form.flag("reverse_transfer")?.unwrap_or(false),
        refunds_fee: form.flag("refund_application_fee")?.unwrap_or(false),
        reason: json!(form.text("reason")),
        metadata: form.metadata("metadata", &Value::Null),
    };
    refund(world, &charge, &wish)
}

/// What a refund is to do.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    /// In minor units; all that is left without.
    pub(crate) amount: Option<i64>,
    pub(crate) reverses_transfer: bool,
    pub(crate) refunds_fee: bool,
    pub(crate) reason: Value,
    pub(crate) metadata: Value,
}

/// Refunds a charge, all or a part.
pub(crate) fn refund(world: &mut World, charge_id: &str, wish: &Wish) -> Result<Value, Refusal> {
    let charge = world.get("charge", charge_id)?.clone();
    let amount = refundable(&charge, wish)?;
    let id = world.id("re");
    let reversal = wish.reverses_transfer.then(|| world.id("trr"));
    let metadata = if wish.metadata.is_object() {
        wish.metadata.clone()
    } else {
        json!({})
    };
    let refund = json!({
        "id": id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": null,
        "charge": charge_id,
        "created": world.now(),
        "currency": charge.at("currency"),
        "destination_details": { "type": "card" },
        "metadata": metadata,
        "payment_intent": charge.at("payment_intent"),
        "reason": wish.reason,
        "receipt_number": null,
        "source_transfer_reversal": null,
        "status": "succeeded",
        "transfer_reversal": reversal,
    });
    world.add(refund);
    let before = world.change(charge_id, |charge| {
        let refunded = number(charge.at("amount_refunded")) + amount;
        charge.set("amount_refunded", json!(refunded));
        charge.set("refunded", json!(refunded == number(charge.at("amount"))));
        if wish.reverses_transfer {
            let reversed = number(charge.at("_fake.reversed")) + amount;
            charge.set("_fake", json!({ "reversed": reversed }));
        }
    });
    if wish.refunds_fee {
        refund_fee(world, &charge, amount);
    }
    world.emit_change("charge.refunded", charge_id, &before);
    world.emit("refund.created", &id);
    world.get("refund", &id).cloned()
}

/// A person disputes a charge with their bank.
pub(crate) fn dispute(world: &mut World, charge_id: &str) -> Result<Value, Refusal> {
    let charge = world.get("charge", charge_id)?.clone();
    if charge.at("disputed") == true {
        return Err(Refusal::state("This charge is disputed already."));
    }
    let id = world.id("du");
    let dispute = json!({
        "id": id,
        "object": "dispute",
        "amount": charge.at("amount"),
        "balance_transactions": [],
        "charge": charge_id,
        "created": world.now(),
        "currency": charge.at("currency"),
        "enhanced_eligibility_types": [],
        "evidence": { "enhanced_evidence": {} },
        "evidence_details": {
            "due_by": world.now() + EVIDENCE_DUE,
            "enhanced_eligibility": {},
            "has_evidence": false,
            "past_due": false,
            "submission_count": 0,
        },
        "is_charge_refundable": false,
        "livemode": false,
        "metadata": {},
        "payment_intent": charge.at("payment_intent"),
        "reason": "fraudulent",
        "status": "needs_response",
    });
    world.add(dispute);
    world.change(charge_id, |charge| charge.set("disputed", json!(true)));
    world.emit("charge.dispute.created", &id);
    world.get("dispute", &id).cloned()
}

/// The bank decides. A charge whose dispute was won stays marked as disputed, as with Stripe.
pub(crate) fn close_dispute(world: &mut World, id: &str, won: bool) -> Result<Value, Refusal> {
    let dispute = world.get("dispute", id)?;
    if dispute.at("status") != "needs_response" {
        return Err(Refusal::state("This dispute is closed already."));
    }
    let status = if won { "won" } else { "lost" };
    world.change(id, |dispute| dispute.set("status", json!(status)));
    world.emit("charge.dispute.closed", id);
    world.get("dispute", id).cloned()
}

/// How much of a charge may go back, and does as wished.
fn refundable(charge: &Value, wish: &Wish) -> Result<i64, Refusal> {
    let left = number(charge.at("amount")) - number(charge.at("amount_refunded"));
    let id = text(charge.at("id"));
    if charge.at("disputed") == true {
        let message = format!("Charge {id} has been charged back; cannot issue a refund.");
        return Err(Refusal::state(message).code("charge_disputed"));
    }
    if left == 0 {
        let message = format!("Charge {id} has already been refunded.");
        return Err(Refusal::state(message).code("charge_already_refunded"));
    }
    if wish.reverses_transfer && charge.at("transfer_data").is_null() {
        let message = "Cannot reverse the transfer of a charge that has none.";
        return Err(Refusal::invalid("reverse_transfer", message));
    }
    if wish.refunds_fee && charge.at("application_fee").is_null() {
        let message = "Cannot refund the application fee of a charge that has none.";
        return Err(Refusal::invalid("refund_application_fee", message));
    }
    let amount = wish.amount.unwrap_or(left);
    if !(1..=left).contains(&amount) {
        let message = format!(
            "Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
        );
        return Err(Refusal::invalid("amount", message));
    }
    Ok(amount)
}

/// Gives back the same part of the fee as of the charge.
fn refund_fee(world: &mut World, charge: &Value, amount: i64) {
    let whole = number(charge.at("amount")).max(1);
    world.change(&text(charge.at("application_fee")), |fee| {
        let all = number(fee.at("amount"));
        let part = i128::from(all) * i128::from(amount) / i128::from(whole);
        let part = i64::try_from(part).unwrap_or(all);
        let refunded = (number(fee.at("amount_refunded")) + part).min(all);
        fee.set("amount_refunded", json!(refunded));
        fee.set("refunded", json!(refunded == all));
    });
}

/// A week to answer a dispute.
const EVIDENCE_DUE: i64 = 7 * 24 * 3600;
