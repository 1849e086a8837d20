//! Fields of JSON by path, where each step may be missing: `items.data.0.price`.

use serde_json::{Map, Value};

/// Reads and writes fields of objects without a panic, whatever their shape.
pub(crate) trait Fields {
    /// What stands at a path of names and positions; `null` where it leads nowhere.
    fn at(&self, path: &str) -> &Value;

    /// What stands at a path, to be changed.
    fn at_mut(&mut self, path: &str) -> Option<&mut Value>;

    /// Puts a value at a path of names; steps that are not there are made.
    fn set(&mut self, path: &str, value: Value);
}

impl Fields for Value {
    fn at(&self, path: &str) -> &Value {
        let mut place = self;
        for step in path.split('.') {
            let next = match place {
                Self::Array(items) => step.parse::<usize>().ok().and_then(|n| items.get(n)),
                other => other.get(step),
            };
            let Some(next) = next else {
                return &NOTHING;
            };
            place = next;
        }
        place
    }

    fn at_mut(&mut self, path: &str) -> Option<&mut Value> {
        let mut place = self;
        for step in path.split('.') {
            place = match place {
                Self::Array(items) => items.get_mut(step.parse::<usize>().ok()?)?,
                other => other.get_mut(step)?,
            };
        }
        Some(place)
    }

    fn set(&mut self, path: &str, value: Value) {
        let mut place = self;
        for step in path.split('.') {
            if !place.is_object() {
                *place = Self::Object(Map::new());
            }
            let Self::Object(fields) = place else {
                return;
            };
            place = fields.entry(step).or_insert(Self::Null);
        }
        *place = value;
    }
}

static NOTHING: Value = Value::Null;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_through_lists_and_end_in_null() {
        let object = json!({ "items": { "data": [{ "price": 5 }] } });
        assert_eq!(object.at("items.data.0.price"), 5);
        assert_eq!(object.at("items.data.1.price"), &Value::Null);
        assert_eq!(object.at("items.data.x.y.z"), &Value::Null);
    }

    #[test]
    fn steps_are_made_where_they_are_missing() {
        let mut object = json!({ "a": null });
        object.set("a.b", json!(1));
        assert_eq!(object, json!({ "a": { "b": 1 } }));
    }
}
