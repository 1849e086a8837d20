//! Parameters in Stripe's bracket notation (`line_items.at("0")[price_data][currency]=eur`, `expand[]=x`),
//! read into one tree; the control API's JSON is read through the same words.

use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// The parameters of a request. Paths have dots: `line_items.0.price`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form(Value);

impl Form {
    /// Reads a body or query; pairs nested too deep are left out.
    pub(crate) fn parse(encoded: &str) -> Self {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(encoded).unwrap_or_default();
        let mut root = Value::Object(Map::new());
        for (name, value) in pairs {
            insert(&mut root, &name, value);
        }
        let Value::Object(fields) = root else {
            return Self::default();
        };
        Self(fields.into_iter().map(|(k, v)| (k, listed(v))).collect())
    }

    /// Takes JSON as parameters.
    pub(crate) fn json(body: &[u8]) -> Self {
        Self(serde_json::from_slice(body).unwrap_or_default())
    }

    pub(crate) fn value(&self) -> &Value {
        &self.0
    }

    pub(crate) fn at(&self, path: &str) -> Option<&Value> {
        let mut value = &self.0;
        for part in path.split('.') {
            value = match value {
                Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
                other => other.get(part)?,
            };
        }
        Some(value)
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.at(path).is_some()
    }

    /// The text at a path; an empty one is none.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.at(path)?.as_str().filter(|text| !text.is_empty())
    }

    pub(crate) fn required(&self, path: &str) -> Result<&str, Refusal> {
        self.text(path).ok_or_else(|| Refusal::missing(path))
    }

    /// The text at a path, which has to be one of `allowed`.
    pub(crate) fn one_of(&self, path: &str, allowed: &[&str]) -> Result<Option<&str>, Refusal> {
        match self.text(path) {
            Some(text) if !allowed.contains(&text) => Err(Refusal::invalid(
                path,
                format!("Invalid {path}: must be one of {}", allowed.join(", ")),
            )),
            text => Ok(text),
        }
    }

    pub(crate) fn integer(&self, path: &str) -> Result<Option<i64>, Refusal> {
        let read = |value: &Value| match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        };
        self.read(path, read, "integer")
    }

    pub(crate) fn number(&self, path: &str) -> Result<Option<f64>, Refusal> {
        let read = |value: &Value| match value {
            Value::String(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
            other => other.as_f64(),
        };
        self.read(path, read, "number")
    }

    pub(crate) fn flag(&self, path: &str) -> Result<Option<bool>, Refusal> {
        let read = |value: &Value| match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_bool(),
        };
        self.read(path, read, "boolean")
    }

    /// How many items the list at a path has.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.at(path).and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// The texts of the list at a path.
    pub(crate) fn texts(&self, path: &str) -> Vec<String> {
        let items = self.at(path).and_then(Value::as_array);
        let texts = items.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    /// What `metadata` becomes with the entries at a path laid over it; empty values take entries away.
    pub(crate) fn metadata(&self, path: &str, before: &Value) -> Value {
        let mut entries = before.as_object().cloned().unwrap_or_default();
        for (key, value) in self
            .at(path)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            match value.as_str() {
                Some("") => drop(entries.remove(key)),
                _ => drop(entries.insert(key.clone(), value.clone())),
            }
        }
        Value::Object(entries)
    }

    fn read<T>(
        &self,
        path: &str,
        read: impl Fn(&Value) -> Option<T>,
        what: &str,
    ) -> Result<Option<T>, Refusal> {
        match self.at(path) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(value) => match read(value) {
                Some(value) => Ok(Some(value)),
                None => Err(Refusal::invalid(path, format!("Invalid {what}: {value}"))),
            },
        }
    }
}

fn insert(root: &mut Value, name: &str, value: String) {
    let parts: Vec<&str> = name
        .split('[')
        .map(|part| part.trim_end_matches(']'))
        .collect();
    if parts.len() > DEEPEST {
        return;
    }
    let mut place = root;
    for part in parts {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(fields) = place else {
            return;
        };
        let key = if part.is_empty() {
            fields.len().to_string()
        } else {
            part.to_owned()
        };
        place = fields.entry(key).or_insert(Value::Null);
    }
    *place = Value::String(value);
}

/// Fields whose names are all numbers are a list, in the order of the numbers.
fn listed(value: Value) -> Value {
    let Value::Object(fields) = value else {
        return value;
    };
    let fields: Vec<_> = fields.into_iter().map(|(k, v)| (k, listed(v))).collect();
    let numbers = fields.iter().map(|(key, _)| key.parse().ok());
    let Some(numbers) = numbers.collect::<Option<Vec<u32>>>() else {
        return fields.into_iter().collect();
    };
    let values = fields.into_iter().map(|(_, value)| value);
    let mut items: Vec<_> = numbers.into_iter().zip(values).collect();
    items.sort_by_key(|(number, _)| *number);
    items.into_iter().map(|(_, value)| value).collect()
}

/// Stripe's own parameters nest no deeper than this.
const DEEPEST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn brackets_become_a_tree() {
        let form = Form::parse(
            "line_items[0][price_data][currency]=eur&line_items%5B0%5D%5Bquantity%5D=2&expand[]=a&expand[]=b",
        );
        let expected = json!({
            "line_items": [{ "price_data": { "currency": "eur" }, "quantity": "2" }],
            "expand": ["a", "b"],
        });
        assert_eq!(form.value(), &expected);
        assert_eq!(form.text("line_items.0.price_data.currency"), Some("eur"));
        assert_eq!(form.integer("line_items.0.quantity"), Ok(Some(2)));
    }

    #[test]
    fn more_than_ten_items_keep_their_order() {
        let encoded: Vec<_> = (0..12).map(|n| format!("x[{n}]={n}")).collect();
        let form = Form::parse(&encoded.join("&"));
        assert_eq!(form.texts("x").last().map(String::as_str), Some("11"));
    }

    #[test]
    fn what_is_no_number_names_its_parameter() {
        let refusal = Form::parse("recurring[count]=two").integer("recurring.count");
        assert_eq!(
            refusal.unwrap_err().param.as_deref(),
            Some("recurring[count]")
        );
    }

    #[test]
    fn metadata_is_laid_over_and_taken_away() {
        let form = Form::parse("metadata[a]=&metadata[b]=2");
        let merged = form.metadata("metadata", &json!({ "a": "1", "c": "3" }));
        assert_eq!(merged, json!({ "b": "2", "c": "3" }));
    }

    #[test]
    fn a_text_that_gets_fields_and_depth_without_end_do_no_harm() {
        let deep = format!("a=1&a[b]=2&x{}=1", "[y]".repeat(10_000));
        assert_eq!(Form::parse(&deep).value(), &json!({ "a": { "b": "2" } }));
    }
}
