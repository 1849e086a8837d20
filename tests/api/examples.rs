//! The examples of docs/API.md, run as they stand there.

use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

use crate::support::{Program, Server};

/// The commands of all blocks of shell, each in one line.
fn commands(text: &str) -> Vec<String> {
    let mut blocks = text.split("```sh\n").skip(1);
    let mut commands = Vec::new();
    for block in &mut blocks {
        let block = block.split("```").next().unwrap().replace("\\\n", " ");
        commands.extend(block.lines().map(str::to_owned));
    }
    commands
}

#[tokio::test]
async fn the_examples_of_the_documentation_do_what_they_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/API.md");
    let text = std::fs::read_to_string(path).unwrap();
    let server = Server::plain().await;
    let ada = server.creator().await;
    let scopes = ["account:read", "streams:read", "streams:write"];
    let program = Program::of(&server, &ada, &scopes).await;
    let mut id = String::new();
    let commands = commands(&text);
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        let filled = command
            .replace("https://live.example", &program.http.base)
            .replace("/ID/", &format!("/{id}/"))
            .replacen("curl ", "curl -sS --fail-with-body ", 1);
        let mut shell = Command::new("sh");
        let output = shell.arg("-c").arg(filled).env("TOKEN", &program.token);
        let output = output.output().await.unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        if let Some(made) = answer["id"].as_str() {
            made.clone_into(&mut id);
        }
    }
}
