//! The description itself.

use serde_json::Value;

use super::super::support::Server;

/// An operation as the description has it.
pub(super) struct Operation {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Value,
}

impl Operation {
    /// Such as `post /api/channels`.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// The operations under `/api`.
pub(super) fn operations(description: &Value) -> Vec<Operation> {
    let paths = description["paths"].as_object().unwrap().iter();
    let under_api = paths.filter(|(path, _)| path.starts_with("/api/"));
    let all = under_api.flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(|(method, body)| Operation {
            method: method.to_uppercase(),
            path: path.clone(),
            body: body.clone(),
        })
    });
    all.collect()
}

#[tokio::test]
async fn every_operation_has_words_a_tag_and_a_name_of_its_own() {
    let server = Server::plain().await;
    let description = server.anonymous().get("/api/openapi.json").await.json();
    let tags = description["tags"].as_array().unwrap();
    let mut names = std::collections::BTreeSet::new();
    for operation in operations(&description) {
        let name = operation.name();
        let body = &operation.body;
        let words = body["summary"].as_str().unwrap_or_default();
        assert!(words.len() > 6, "{name} has no words");
        let tag = &body["tags"][0];
        assert!(
            tags.iter().any(|known| known["name"] == *tag),
            "{name}: the tag {tag} has no words"
        );
        let id = body["operationId"].as_str().unwrap_or_default().to_owned();
        assert!(
            names.insert(id.clone()),
            "{name}: {id} is the name of another one, too"
        );
    }
}

#[tokio::test]
async fn refusals_are_problems_and_all_answers_have_words() {
    let server = Server::plain().await;
    let description = server.anonymous().get("/api/openapi.json").await.json();
    for operation in operations(&description) {
        let name = operation.name();
        for (status, answer) in operation.body["responses"].as_object().unwrap() {
            assert_ne!(answer["description"], "", "{name} {status}");
            if status.starts_with('4') || status.starts_with('5') {
                let problem = &answer["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(problem, "#/components/schemas/Problem", "{name} {status}");
            }
        }
    }
}
