//! What a request holds, read strictly: path, query and JSON body, each refused as a problem that names
//! the field and the rule.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::{ApiError, FieldProblem};

/// What stands in the path, of the API's shape: an id that is none names nothing, which is answered
/// as a problem like any other.
#[derive(Debug)]
pub struct ApiPath<T>(pub T);

impl<S, T> FromRequestParts<S> for ApiPath<T>
where
    S: Send + Sync,
    Path<T>: FromRequestParts<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(ApiError::NotFound {
                code: "not_found",
                detail: "there is nothing at this address: an id in it is malformed",
            }),
        }
    }
}

/// The query of an address; a refusal is a problem like all others.
#[derive(Debug)]
pub struct ApiQuery<T>(pub T);

impl<S, T> FromRequestParts<S> for ApiQuery<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => {
                let text = rejection.body_text();
                let text = text.strip_prefix(QUERY_PREFIX).unwrap_or(&text);
                // The path of the field stands before its problem, but for those that have none.
                let (path, problem) = match text.split_once(": ") {
                    Some((path, problem)) if !path.contains(' ') => (path, problem),
                    _ => ("", text),
                };
                Err(ApiError::Fields(vec![field_problem(path, problem)]))
            }
        }
    }
}

/// A JSON body; a refusal is a problem like all others.
#[derive(Debug)]
pub struct ApiJson<T>(pub T);

impl<S, T> FromRequest<S> for ApiJson<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        if !is_json(request.headers()) {
            return Err(body(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content_type_unsupported",
                "send JSON, with the header Content-Type: application/json",
            ));
        }
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => body(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "the body is too long: JSON may have 1 MiB",
            ),
            status => body(
                status,
                "body_incomplete",
                "the body did not arrive as a whole",
            ),
        })?;
        read(&bytes).map(Self)
    }
}

/// Reads JSON that must be of that shape to its end. Nesting is bounded by the reader (128 levels).
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match inner.is_data() {
            true => ApiError::Fields(vec![field_problem(&path, &inner.to_string())]),
            false => malformed(&inner),
        }
    })?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> ApiError {
    let detail = format!("the body is no JSON: {error}");
    body(StatusCode::BAD_REQUEST, "body_malformed", detail)
}

fn body(status: StatusCode, code: &'static str, detail: impl Into<String>) -> ApiError {
    ApiError::Body {
        status,
        code,
        detail: detail.into(),
    }
}

/// What the reader says of a field, in the form that all problems of fields have.
fn field_problem(path: &str, message: &str) -> FieldProblem {
    // The place in the text is of no use to whoever sent a form.
    let message = message.split(" at line ").next().unwrap_or(message);
    let path = if path == "." { "" } else { path };
    let named = message.split('`').nth(1).unwrap_or_default();
    let (rule, name) = if message.starts_with("unknown field") {
        ("unknown_field", named)
    } else if message.starts_with("missing field") {
        ("missing_field", named)
    } else if message.starts_with("duplicate field") {
        ("duplicate_field", named)
    } else if message.starts_with("unknown variant") {
        ("unknown_value", "")
    } else {
        ("wrong_type", "")
    };
    // The path of an unknown field names it already, that of a missing one what it lies in.
    let field = match (path, name) {
        ("", name) => name.to_owned(),
        (path, "") => path.to_owned(),
        (path, name) if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        (path, name) => format!("{path}.{name}"),
    };
    FieldProblem {
        field,
        rule,
        detail: message.to_owned(),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

const QUERY_PREFIX: &str = "Failed to deserialize query string: ";

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        #[expect(dead_code, reason = "only read from JSON")]
        name: String,
        #[expect(dead_code, reason = "only read from JSON")]
        links: Vec<Link>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Link {
        #[expect(dead_code, reason = "only read from JSON")]
        url: String,
    }

    fn problem(text: &str) -> (String, &'static str) {
        match read::<Form>(text.as_bytes()).unwrap_err() {
            ApiError::Fields(problems) => (problems[0].field.clone(), problems[0].rule),
            ApiError::Body { code, .. } => (String::new(), code),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_field_and_the_rule_are_named() {
        for (text, field, rule) in [
            (r#"{"name":"a","links":[],"x":1}"#, "x", "unknown_field"),
            (r#"{"links":[]}"#, "name", "missing_field"),
            (r#"{"name":1,"links":[]}"#, "name", "wrong_type"),
            (
                r#"{"name":"a","links":[{"x":1}]}"#,
                "links[0].x",
                "unknown_field",
            ),
            (
                r#"{"name":"a","links":[{}]}"#,
                "links[0].url",
                "missing_field",
            ),
            ("[]", "", "wrong_type"),
        ] {
            let (found, broken) = problem(text);
            assert_eq!((found.as_str(), broken), (field, rule), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_or_goes_on_behind_it_is_malformed() {
        let deep = "[".repeat(10_000);
        for text in ["", "{", "nothing", r#"{"name":"a","links":[]} x"#, &deep] {
            assert!(
                ["body_malformed", "wrong_type"].contains(&problem(text).1),
                "{text}"
            );
        }
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        #[expect(dead_code, reason = "only read from a query")]
        limit: Option<u32>,
    }

    #[tokio::test]
    async fn the_field_of_a_query_is_named_too() {
        for (query, field, rule) in [
            ("limit=x", "limit", "wrong_type"),
            ("limits=1", "limits", "unknown_field"),
        ] {
            let request = Request::builder().uri(format!("/?{query}")).body(());
            let (mut parts, ()) = request.unwrap().into_parts();
            let refused = ApiQuery::<Asked>::from_request_parts(&mut parts, &()).await;
            let Err(ApiError::Fields(problems)) = refused else {
                panic!("{query} was taken");
            };
            assert_eq!(
                (problems[0].field.as_str(), problems[0].rule),
                (field, rule)
            );
        }
    }
}
