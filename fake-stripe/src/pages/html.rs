//! The frame around pages, their buttons, and texts made safe to stand in them.

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::response::{Html, IntoResponse, Response};

/// A page with the fake's heading.
pub(super) fn page(title: &str, body: &str) -> Response {
    let title = escaped(title);
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main><header>{title}</header>{body}</main></body></html>"
    );
    // Going back must not show a checkout as open that has been paid.
    ([(CACHE_CONTROL, "no-store")], Html(page)).into_response()
}

/// A page that says what is wrong.
pub(super) fn problem(status: u16, message: &str) -> Response {
    let body = format!(
        "<h1>That did not work</h1><p role=\"alert\">{}</p>",
        escaped(message)
    );
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    (status, page("Fake Stripe", &body)).into_response()
}

/// Sends the browser elsewhere, with GET.
pub(super) fn go(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, to.to_owned())]).into_response()
}

/// A form of one button, posted to `action` with hidden fields.
pub(super) fn button(action: &str, label: &str, class: &str, fields: &[(&str, &str)]) -> String {
    let hidden: String = fields
        .iter()
        .map(|(name, value)| {
            let (name, value) = (escaped(name), escaped(value));
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
        })
        .collect();
    let (action, label) = (escaped(action), escaped(label));
    format!(
        "<form method=\"post\" action=\"{action}\">{hidden}<button class=\"{class}\">{label}</button></form>"
    )
}

/// Text that shows as it is written.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// An amount as people write it: `4.99 EUR`, `500 JPY`.
pub(super) fn money(amount: i64, currency: &str) -> String {
    let code = escaped(&currency.to_uppercase());
    if ZERO_DECIMAL.contains(&currency) {
        return format!("{amount} {code}");
    }
    let sign = if amount < 0 { "-" } else { "" };
    let amount = amount.unsigned_abs();
    format!("{sign}{}.{:02} {code}", amount / 100, amount % 100)
}

/// Currencies without a smaller unit.
const ZERO_DECIMAL: [&str; 16] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv",
    "xaf", "xof", "xpf",
];

const STYLE: &str = "\
    *{box-sizing:border-box}\
    body{margin:0;background:#f2f4f8;color:#1d2433;font:16px/1.5 system-ui,sans-serif}\
    main{max-width:46rem;margin:2rem auto;padding:0 1rem 2rem;background:#fff;border-radius:12px;\
    box-shadow:0 2px 16px #0001;overflow:hidden}\
    header{margin:0 -1rem 1rem;padding:.7rem 1rem;background:#5b4fd6;color:#fff;font-weight:600}\
    h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}\
    table{width:100%;border-collapse:collapse}td,th{padding:.35rem .5rem .35rem 0;text-align:left;\
    border-bottom:1px solid #e6e8ef;vertical-align:top}td.sum{text-align:right;font-weight:600}\
    .buttons{display:flex;flex-wrap:wrap;gap:.6rem;margin:1.2rem 0}\
    td form,.row form{display:inline-block;margin:0 .3rem .3rem 0}form{margin:0}\
    button,a.button{display:inline-block;padding:.45rem .9rem;border:1px solid #c5cad8;border-radius:8px;background:#fff;\
    color:#1d2433;font:inherit;text-decoration:none;cursor:pointer}\
    button.main{background:#1a7f4b;border-color:#1a7f4b;color:#fff;font-weight:600}\
    button.bad{background:#fff;border-color:#b3261e;color:#b3261e}\
    button:focus-visible,a:focus-visible{outline:3px solid #8f86f0;outline-offset:2px}\
    [role=alert]{background:#fdecea;color:#8c1d18;padding:.6rem .8rem;border-radius:8px}\
    code{font-size:.85em;overflow-wrap:anywhere}small{color:#586074}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_follow_the_currency() {
        assert_eq!(money(499, "eur"), "4.99 EUR");
        assert_eq!(money(500, "jpy"), "500 JPY");
        assert_eq!(money(-5, "usd"), "-0.05 USD");
    }

    #[test]
    fn a_name_with_a_script_stays_a_name() {
        assert_eq!(escaped("<script>'\"&"), "&lt;script&gt;&#39;&quot;&amp;");
    }
}
