//! Errors as Stripe words them: a status and a body with `type`, `code`, `param` and `message`.

use serde_json::{Value, json};

/// Why Stripe would refuse a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {kind}: {message}")]
#[non_exhaustive]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// `error.type`.
    pub kind: &'static str,
    /// `error.code`, where Stripe has one.
    pub code: Option<&'static str>,
    /// `error.param`: the field of the form, with its brackets.
    pub param: Option<String>,
    /// `error.message`, for the developer.
    pub message: String,
}

impl Refusal {
    /// A parameter that cannot be meant.
    pub(crate) fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            kind: "invalid_request_error",
            code: None,
            param: Some(bracketed(param)),
            message: message.into(),
        }
    }

    /// A required parameter that is not there.
    pub(crate) fn missing(param: &str) -> Self {
        let param = bracketed(param);
        Self::invalid(&param, format!("Missing required param: {param}.")).code("parameter_missing")
    }

    /// An object named in the path that is not there.
    pub(crate) fn unknown(kind: &str, id: &str) -> Self {
        let message = format!("No such {kind}: '{id}'");
        let refusal = Self::invalid("id", message).code("resource_missing");
        Self {
            status: 404,
            ..refusal
        }
    }

    /// A state that does not allow what was asked.
    pub(crate) fn state(message: impl Into<String>) -> Self {
        Self {
            param: None,
            ..Self::invalid("", message)
        }
    }

    /// An error of other standing than a bad parameter.
    pub(crate) fn other(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            code: None,
            param: None,
            message: message.into(),
        }
    }

    pub(crate) fn code(self, code: &'static str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    pub(crate) fn body(&self) -> Value {
        json!({ "error": {
            "type": self.kind,
            "code": self.code,
            "param": self.param,
            "message": self.message,
        } })
    }
}

/// `recurring.interval` as it is written in a form: `recurring[interval]`.
fn bracketed(path: &str) -> String {
    let mut parts = path.split('.');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| format!("{name}[{part}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_named_as_in_forms() {
        let refusal = Refusal::missing("line_items.0.price");
        assert_eq!(refusal.param.as_deref(), Some("line_items[0][price]"));
        assert_eq!(
            refusal.message,
            "Missing required param: line_items[0][price]."
        );
    }
}
