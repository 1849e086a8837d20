//! What no operation takes.

use serde_json::{Value, json};

use super::description::{Operation, operations};
use crate::support::{Anonymous, Server};

/// Where the first such thing of [`Server::creator`] is; ids that are none reach no body, since a
/// thing is looked for first.
fn at(path: &str) -> String {
    let nobody = "00000000-0000-0000-0000-000000000000";
    path.replace("{handle}", "ada").replace("{id}", nobody)
}

fn takes_json(operation: &Operation) -> bool {
    operation.body["requestBody"]["content"]["application/json"] != Value::Null
}

#[tokio::test]
async fn an_unknown_field_is_refused_by_every_operation() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let description = ada.get("/api/openapi.json").await.json();
    let mut asked = 0;
    for operation in operations(&description).iter().filter(|it| takes_json(it)) {
        let name = operation.name();
        let headers = [("content-type", "application/json")];
        let body = json!({ "no_such_field": 1 }).to_string();
        let answer = ada
            .send_body(&operation.method, &at(&operation.path), &headers, body)
            .await;
        assert_eq!(answer.status, 422, "{name}: {answer:?}");
        let errors = &answer.json()["errors"];
        assert_eq!(errors[0]["field"], "no_such_field", "{name}: {answer:?}");
        assert_eq!(errors[0]["rule"], "unknown_field", "{name}");
        asked += 1;
    }
    assert!(asked > 5, "{asked}");
}

async fn refused(person: &Anonymous, operation: &Operation, kind: &str, body: String) -> String {
    let headers = [("content-type", kind)];
    let answer = person
        .send_body(&operation.method, &at(&operation.path), &headers, body)
        .await;
    format!("{} {}", answer.status.as_u16(), answer.code())
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_in_words_by_every_operation() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let description = ada.get("/api/openapi.json").await.json();
    for operation in operations(&description).iter().filter(|it| takes_json(it)) {
        let name = operation.name();
        let of = |kind: &'static str, body: String| refused(&ada, operation, kind, body);
        let json = "application/json";
        let form = of("application/x-www-form-urlencoded", "a=b".to_owned()).await;
        assert_eq!(form, "415 content_type_unsupported", "{name}");
        assert_eq!(
            of(json, "{".to_owned()).await,
            "400 body_malformed",
            "{name}"
        );
        let long = format!("\"{}\"", "x".repeat(2 * 1024 * 1024));
        assert_eq!(of(json, long).await, "413 body_too_large", "{name}");
        let deep = "[".repeat(100_000);
        let deep = of(json, deep).await;
        assert!(deep.starts_with('4'), "{name}: {deep}");
    }
}

#[tokio::test]
async fn a_method_that_an_address_does_not_take_is_refused_in_words() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let answer = ada.send("PUT", "/api/channels", &[]).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.code(), "method_not_allowed");
    let allow = answer.header("allow");
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    let answer = ada.send("PUT", "/dashboard", &[]).await;
    assert_eq!(answer.code(), "method_not_allowed");
}
