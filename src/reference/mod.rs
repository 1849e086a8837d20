//! The API's description (OpenAPI 3.1): what stands above single operations, and what every operation
//! can answer whatever its handler does.
//!
//! Handlers describe their own answers. Those of the middleware in front of them are added here, by
//! rules over the whole description, so that no handler can forget one.

mod page;

use std::collections::BTreeSet;

use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, Content, ObjectBuilder, OpenApi as Description, Ref, RefOr, Required,
    ResponseBuilder, Server, Type,
};
use utoipa::{Modify, OpenApi};

pub use page::routes;

use crate::error::Problem;

/// What the description says before it comes to operations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tallylight",
        description = "Everything that a person can do on this server, for programs.\n\n\
            **Who asks.** Make a personal token in the settings and send it as \
            `Authorization: Bearer <token>`. Pages of the server use their cookie instead; unsafe \
            requests by cookie must carry the server's own `Origin`.\n\n\
            **Errors** are problems (RFC 9457, `application/problem+json`) with a stable `code`; where \
            fields are wrong, `errors` lists each with its `rule`. Unknown fields are refused.\n\n\
            **Lists** come in pages: give `next_cursor` as `cursor` to get the next one, until it is \
            null.\n\n\
            **Trying again.** A POST with an `Idempotency-Key` is done once, however often it is sent \
            within a day.\n\n\
            **Limits.** Every answer tells in `RateLimit` what is left; 429 says in `Retry-After` when \
            to come back."
    ),
    tags(
        (name = "session", description = "Signing in and out, and the first account."),
        (name = "account", description = "One's own account: name, picture, logins, tokens, data."),
        (name = "channels", description = "Where one goes live: names, looks, stream keys."),
        (name = "chat", description = "Talking on channels, and keeping that in order (docs/CHAT.md)."),
        (name = "images", description = "Pictures of accounts and channels."),
        (name = "streams", description = "What is live, was live or will be."),
        (name = "instance", description = "How the server introduces itself."),
        (name = "recordings", description = "What is kept of streams."),
        (name = "discovery", description = "Finding channels, streams and recordings."),
        (name = "events", description = "What happens on channels, as it happens."),
        (name = "payments", description = "Memberships, gifts, tips and tickets, by Stripe."),
        (name = "webhooks", description = "What happens on channels, posted to an address."),
        (name = "notifications", description = "What people are told of, and how."),
        (name = "admin", description = "Running the server."),
        (name = "sharing", description = "How others show channels and recordings."),
        (name = "whip", description = "Publishing by WebRTC (RFC 9725)."),
        (name = "whep", description = "Watching by WebRTC."),
        (name = "hls", description = "Watching by HLS, live and recorded."),
    ),
    components(schemas(Problem)),
    modifiers(&Schemes),
)]
struct Frame;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, description: &mut Description) {
        description.servers = Some(vec![Server::new("/")]);
        let components = description.components.get_or_insert_with(Components::new);
        let cookie = ApiKeyValue::with_description(
            "__Host-tallylight",
            "The login of the server's own pages; `tallylight` without TLS.",
        );
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A personal token, made in the settings."))
            .build();
        components.add_security_scheme(COOKIE, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        components.add_security_scheme(TOKEN, SecurityScheme::Http(token));
    }
}

const COOKIE: &str = "cookie";
const TOKEN: &str = "token";

/// The description without operations.
#[must_use]
pub fn frame() -> Description {
    Frame::openapi()
}

/// Adds to each operation what stands in front of its handler; told which paths take an
/// `Idempotency-Key`.
pub fn complete(description: &mut Description, takes_key: fn(&str) -> bool) {
    let mut used = BTreeSet::new();
    for (path, item) in &mut description.paths.paths {
        for (is_safe, is_post, operation) in operations(item) {
            if path.starts_with("/api/") {
                if is_post && takes_key(path) {
                    add_idempotency(operation);
                }
                add_security(operation);
                add_answers(path, is_safe, operation);
            }
            mend(operation);
            used.extend(operation.tags.iter().flatten().cloned());
        }
    }
    let tags = description.tags.iter_mut();
    tags.for_each(|tags| tags.retain(|tag| used.contains(&tag.name)));
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, bool, &mut Operation)> {
    [
        (true, false, item.get.as_mut()),
        (true, false, item.head.as_mut()),
        (false, false, item.put.as_mut()),
        (false, true, item.post.as_mut()),
        (false, false, item.patch.as_mut()),
        (false, false, item.delete.as_mut()),
    ]
    .into_iter()
    .filter_map(|(is_safe, is_post, operation)| Some((is_safe, is_post, operation?)))
}

fn add_idempotency(operation: &mut Operation) {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(255))
        .pattern(Some("^[!-~]+$"))
        .build();
    let header = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Names this request: sent again with the same key within a day, it gets the first answer \
             again and nothing is done twice.",
        ))
        .schema(Some(text))
        .build();
    let parameters = operation.parameters.get_or_insert_default();
    parameters.push(RefOr::T(header));
    refuse(operation, "409");
    refuse(operation, "422");
}

fn add_answers(path: &str, is_safe: bool, operation: &mut Operation) {
    for status in ["401", "429", "503"] {
        refuse(operation, status);
    }
    if !is_safe {
        refuse(operation, "403");
    }
    if path.contains('{') {
        refuse(operation, "404");
    }
    let has_query = operation.parameters.iter().flatten().any(
        |parameter| matches!(parameter, RefOr::T(it) if it.parameter_in == ParameterIn::Query),
    );
    if has_query {
        refuse(operation, "422");
    }
    let Some(RefOr::T(body)) = &operation.request_body else {
        return;
    };
    let is_json = body.content.contains_key(JSON);
    for status in ["400", "413", "415"] {
        refuse(operation, status);
    }
    if is_json {
        refuse(operation, "422");
    }
}

/// Adds a refusal, where the handler does not tell of it itself.
fn refuse(operation: &mut Operation, status: &str) {
    let answers = &mut operation.responses.responses;
    let answer = answers.entry(status.to_owned()).or_insert_with(|| {
        let problem = Ref::from_schema_name("Problem");
        let content = Content::new(Some(problem));
        RefOr::T(ResponseBuilder::new().content(PROBLEM, content).build())
    });
    if let RefOr::T(answer) = answer
        && status == "429"
    {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
        let mut header = Header::new(seconds);
        header.description = Some("Seconds to wait.".to_owned());
        answer
            .headers
            .insert("Retry-After".to_owned(), RefOr::T(header));
    }
}

/// Where nobody is signed in the handler says 401 itself: such operations need somebody, others take
/// anybody.
fn add_security(operation: &mut Operation) {
    if operation.security.is_some() {
        return;
    }
    let none: [&str; 0] = [];
    let mut ways = vec![
        SecurityRequirement::new(TOKEN, none),
        SecurityRequirement::new(COOKIE, none),
    ];
    if !operation.responses.responses.contains_key("401") {
        ways.push(SecurityRequirement::default());
    }
    operation.security = Some(ways);
}

/// Problems have their own content type, and every answer words.
fn mend(operation: &mut Operation) {
    for (status, answer) in &mut operation.responses.responses {
        let RefOr::T(answer) = answer else {
            continue;
        };
        let is_refusal = status.starts_with('4') || status.starts_with('5');
        if is_refusal && let Some(content) = answer.content.shift_remove(JSON) {
            answer.content.insert(PROBLEM.to_owned(), content);
        }
        if answer.description.is_empty() {
            answer.description = words(status).to_owned();
        }
    }
}

fn words(status: &str) -> &'static str {
    match status {
        "200" => "Here it is.",
        "201" => "Made.",
        "202" => "Begun; it is finished later.",
        "204" => "Done.",
        "206" => "The part that was asked for.",
        "304" => "It is as it was.",
        "400" => "The request cannot be read.",
        "401" => "Nobody is signed in, or the token is wrong or too old.",
        "403" => "Whoever asks may not do this.",
        "404" => "There is no such thing, or it is somebody else's.",
        "406" => "There is no answer of a kind that was asked for.",
        "409" => "The state of things does not allow it.",
        "410" => "It was there and is gone.",
        "412" => "It changed meanwhile.",
        "413" => "The body is too long.",
        "415" => "The body is of a kind that is not read here.",
        "422" => "The request does not hold what it must; `errors` has the fields.",
        "428" => "The request must name the state that it changes.",
        "429" => "Too many requests.",
        "503" => "The server cannot do it now.",
        _ => "See the status.",
    }
}

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
