//! What creators earned: the book, figures by day, money that is given back.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::SignedIn;
use crate::channels::Channel;
use crate::clock::from_millis;
use crate::error::{ApiError, Problem};
use crate::page::{Cursor, Page};
use crate::payments::store::{BookRow, DayRow};
use crate::payments::{Payments, store};
use crate::request::{ApiPath, ApiQuery};

const PAGE: usize = 50;
/// Lines of a file, and members that are counted.
const MOST: i64 = 10_000;

pub(super) fn routes() -> OpenApiRouter<Payments> {
    OpenApiRouter::new()
        .routes(routes!(show_ledger))
        .routes(routes!(download_ledger))
        .routes(routes!(show_revenue))
        .routes(routes!(refund_payment))
}

/// A line of the book.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LedgerEntry)]
pub(super) struct EntryBody {
    id: String,
    at: Timestamp,
    /// `payment`, `refund`, `dispute` or `dispute_won`.
    entry: String,
    /// `membership`, `gift`, `tip` or `ticket`.
    kind: String,
    /// The payment that it is about.
    payment: String,
    /// Handle; null: the channel is no more.
    channel: Option<String>,
    /// Who paid; null: the account is no more.
    from: Option<String>,
    /// Below zero where money went back.
    amount: i64,
    /// What of it is the operator's.
    fee: i64,
    currency: String,
    /// The event of Stripe's that it came by.
    event: Option<String>,
    /// What came with a tip.
    message: String,
}

impl From<BookRow> for EntryBody {
    fn from(row: BookRow) -> Self {
        Self {
            id: row.id,
            at: from_millis(row.at),
            entry: row.entry,
            kind: row.kind,
            payment: row.payment_id,
            channel: row.handle,
            from: row.name,
            amount: row.amount,
            fee: row.fee,
            currency: row.currency,
            event: row.event_id,
            message: row.message.unwrap_or_default(),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// The `next_cursor` of the page before.
    #[serde(default)]
    pub(super) cursor: String,
}

/// What came in and went back on an own channel, newest first.
#[utoipa::path(
    get, path = "/api/channels/{handle}/ledger", tag = "payments",
    params(("handle" = String, Path), PageQuery),
    responses(
        (status = 200, body = inline(Page<EntryBody>)), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn show_ledger(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<EntryBody>>, ApiError> {
    let channel = payments.own(&handle, &account).await?;
    let cursor = Cursor::read(&query.cursor)?;
    let rows = lines(&payments, &channel, Timestamp::UNIX_EPOCH, &cursor, PAGE).await?;
    Ok(Json(Page::cut(rows, PAGE, behind, EntryBody::from)))
}

pub(super) fn behind(row: &BookRow) -> Cursor {
    Cursor::behind(from_millis(row.at), &row.id)
}

/// One more than `most`.
async fn lines(
    payments: &Payments,
    channel: &Channel,
    since: Timestamp,
    cursor: &Cursor,
    most: usize,
) -> Result<Vec<BookRow>, ApiError> {
    let most = i64::try_from(most + 1).unwrap_or(i64::MAX);
    let db = &payments.0.db;
    Ok(store::book_of_channel(db, channel.id, since, cursor, most).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DaysQuery {
    /// How many days back, 1 to 366.
    #[serde(default = "a_month")]
    days: u32,
}

fn a_month() -> u32 {
    30
}

impl DaysQuery {
    fn since(&self, now: Timestamp) -> Result<Timestamp, ApiError> {
        if !(1..=366).contains(&self.days) {
            return Err(ApiError::Invalid {
                code: "out_of_range",
                detail: "days: 1 to 366".to_owned(),
            });
        }
        Ok(now - SignedDuration::from_hours(24 * i64::from(self.days)))
    }
}

/// The same as a table for spreadsheets, at most 10000 lines.
#[utoipa::path(
    get, path = "/api/channels/{handle}/ledger.csv", tag = "payments",
    params(("handle" = String, Path), DaysQuery),
    responses(
        (status = 200, content_type = "text/csv", body = String), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn download_ledger(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiQuery(query): ApiQuery<DaysQuery>,
) -> Result<Response, ApiError> {
    let channel = payments.own(&handle, &account).await?;
    let since = query.since(payments.0.clock.now())?;
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    let rows = lines(&payments, &channel, since, &Cursor::start(), most).await?;
    let mut text = "at,entry,kind,amount,fee,currency,from,message,payment\r\n".to_owned();
    for row in rows.iter().take(most) {
        text += &csv_line(row);
    }
    let name = format!("attachment; filename=\"{}-ledger.csv\"", channel.handle);
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, name),
    ];
    Ok((headers, text).into_response())
}

fn csv_line(row: &BookRow) -> String {
    let cells = [
        from_millis(row.at).to_string(),
        row.entry.clone(),
        row.kind.clone(),
        row.amount.to_string(),
        row.fee.to_string(),
        row.currency.clone(),
        row.name.clone().unwrap_or_default(),
        row.message.clone().unwrap_or_default(),
        row.payment_id.clone(),
    ];
    let cells: Vec<String> = cells.iter().map(|cell| csv_cell(cell)).collect();
    cells.join(",") + "\r\n"
}

/// RFC 4180 §2; what a spreadsheet would take for a formula is told to be text.
fn csv_cell(text: &str) -> String {
    let is_number = text.parse::<i64>().is_ok();
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number;
    let guard = if is_formula { "'" } else { "" };
    match text.contains([',', '"', '\n', '\r']) || is_formula {
        true => format!("\"{guard}{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// What was earned on a day, of one kind.
#[derive(Debug, Serialize, ToSchema)]
struct RevenueDay {
    /// `2026-05-01`, UTC.
    day: String,
    kind: String,
    currency: String,
    /// What is left of it.
    amount: i64,
    fee: i64,
    payments: i64,
}

impl From<DayRow> for RevenueDay {
    fn from(row: DayRow) -> Self {
        let start = from_millis(row.day.saturating_mul(86_400_000));
        Self {
            day: start.strftime("%Y-%m-%d").to_string(),
            kind: row.kind,
            currency: row.currency,
            amount: row.amount,
            fee: row.fee,
            payments: row.payments,
        }
    }
}

/// What is to be paid out, of one currency.
#[derive(Debug, Serialize, ToSchema)]
struct BalancePart {
    currency: String,
    /// It can be paid out.
    available: i64,
    /// It comes within days.
    pending: i64,
}

#[derive(Debug, Serialize, ToSchema)]
struct Revenue {
    days: Vec<RevenueDay>,
    members: usize,
    /// Null: Stripe could not be asked, or there is no account yet.
    balance: Option<Vec<BalancePart>>,
}

/// What an own channel earned, day by day.
#[utoipa::path(
    get, path = "/api/channels/{handle}/revenue", tag = "payments",
    params(("handle" = String, Path), DaysQuery),
    responses(
        (status = 200, body = Revenue), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn show_revenue(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiQuery(query): ApiQuery<DaysQuery>,
) -> Result<Json<Revenue>, ApiError> {
    let channel = payments.own(&handle, &account).await?;
    let now = payments.0.clock.now();
    let since = query.since(now)?;
    let days = store::revenue(&payments.0.db, channel.id, since).await?;
    let members = store::members(&payments.0.db, channel.id, now, MOST).await?;
    // The figures are worth showing without it.
    let balance = payments.balance(&channel).await.ok().flatten();
    Ok(Json(Revenue {
        days: days.into_iter().map(RevenueDay::from).collect(),
        members: members.len(),
        balance: balance.map(|balance| {
            let mut parts: Vec<BalancePart> = Vec::new();
            let all = [(balance.available, true), (balance.pending, false)];
            for (part, is_available) in all
                .into_iter()
                .flat_map(|(list, available)| list.into_iter().map(move |p| (p, available)))
            {
                let at = parts
                    .iter()
                    .position(|known| known.currency == part.currency);
                let at = at.unwrap_or_else(|| {
                    parts.push(BalancePart {
                        currency: part.currency.clone(),
                        available: 0,
                        pending: 0,
                    });
                    parts.len() - 1
                });
                if let Some(known) = parts.get_mut(at) {
                    match is_available {
                        true => known.available += part.amount,
                        false => known.pending += part.amount,
                    }
                }
            }
            parts
        }),
    }))
}

/// Give a payment back, all of it. What it paid for ends at once; a membership with it.
#[utoipa::path(
    post, path = "/api/channels/{handle}/payments/{id}/refund", tag = "payments",
    params(("handle" = String, Path), ("id" = String, Path)),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem),
    ),
)]
async fn refund_payment(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    ApiPath((handle, id)): ApiPath<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let channel = payments.own(&handle, &account).await?;
    payments.refund(&channel, &id, account.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_hold_what_they_hold() {
        assert_eq!(csv_cell("-500"), "-500");
        assert_eq!(csv_cell("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert_eq!(csv_cell("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
    }
}
