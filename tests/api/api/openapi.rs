//! `/api/openapi.json` and its snapshot in `docs/`.

use std::path::Path;

use serde_json::Value;

use crate::support::Server;

const SNAPSHOT: &str = "docs/openapi.json";

/// Run it with `UPDATE=1` to write the snapshot anew (`make openapi`).
#[tokio::test]
async fn the_snapshot_in_docs_is_current() {
    let server = Server::plain().await;
    let served = server.anonymous().get("/api/openapi.json").await.json();
    let mut text = serde_json::to_string_pretty(&served).unwrap();
    text.push('\n');
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SNAPSHOT);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let snapshot = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        snapshot == text,
        "{SNAPSHOT} is stale: run `make openapi` and commit it"
    );
}

/// Of two types of one name, the description would hold one for both.
#[test]
fn no_two_types_of_the_description_have_one_name() {
    let mut names: Vec<String> = Vec::new();
    for file in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let text = std::fs::read_to_string(file).unwrap();
        for described in text.split("ToSchema)]").skip(1) {
            let (attributes, rest) = ["struct ", "enum "]
                .into_iter()
                .filter_map(|word| described.split_once(word))
                .min_by_key(|(before, _)| before.len())
                .unwrap();
            let renamed = attributes.split_once("schema(as = ").map(|(_, name)| name);
            let name = renamed.unwrap_or(rest);
            let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            names.push(name.to_owned());
        }
    }
    assert!(names.len() > 100, "{names:?}");
    names.sort();
    let twice = names.windows(2).filter(|pair| pair[0] == pair[1]);
    let twice: Vec<&String> = twice.map(|pair| &pair[0]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => files.extend(sources(&path)),
            false if path.extension().is_some_and(|kind| kind == "rs") => files.push(path),
            false => {}
        }
    }
    files
}

#[tokio::test]
async fn it_is_3_1_and_lists_what_there_is() {
    let server = Server::plain().await;
    let served = server.anonymous().get("/api/openapi.json").await.json();
    assert!(served["openapi"].as_str().unwrap().starts_with("3.1"));
    for (path, method) in [
        ("/api/setup", "post"),
        ("/api/auth/login", "post"),
        ("/api/channels", "get"),
        ("/api/channels", "post"),
        ("/api/channels/{handle}/stream_keys/{id}/rotate", "post"),
        ("/api/channels/{handle}", "patch"),
        ("/api/channels/{handle}/recordings", "get"),
        ("/api/recordings/{id}", "patch"),
        ("/api/recordings/{id}/mp4", "post"),
        ("/vod/{id}/index.m3u8", "get"),
        ("/whip", "post"),
        ("/whip/sessions/{session}", "patch"),
        ("/whep/{handle}", "post"),
        ("/whep/sessions/{session}/events", "get"),
        ("/whep/sessions/{session}/layer", "post"),
    ] {
        assert_ne!(
            served["paths"][path][method],
            Value::Null,
            "{method} {path}"
        );
    }
}
