//! The arrows between our crates, as DESIGN.md draws them. Change the drawing and this test
//! together, on purpose.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// What each crate of ours may stand on, tests included.
const ARROWS: [(&str, &[&str]); 8] = [
    (
        "tallylight",
        &[
            "tallylight-sfu",
            "tallylight-hls",
            "tallylight-media",
            "tallylight-rtmp",
            "tallylight-turn",
            // For `tallylight bench`, in src/bin alone.
            "tallylight-loadtest",
        ],
    ),
    // In the place of Stripe, for tests and development.
    ("tallylight-fake-stripe", &[]),
    ("tallylight-rtmp", &[]),
    ("tallylight-sfu", &[]),
    ("tallylight-hls", &[]),
    ("tallylight-turn", &[]),
    ("tallylight-media", &["tallylight-hls"]),
    // It sees only HTTP and UDP, so that it measures what a client would.
    ("tallylight-loadtest", &[]),
];

/// What no crate below `src/` may know: the platform's world.
const PLATFORM_ONLY: [&str; 5] = ["axum", "sqlx", "clap", "toml", "config"];

fn packages() -> BTreeMap<String, Vec<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo tells JSON");
    let packages = metadata["packages"].as_array().expect("a list");
    packages
        .iter()
        .map(|package| {
            let names = package["dependencies"].as_array().expect("a list").iter();
            let names = names.filter(|dependency| dependency["kind"] != "dev");
            let names = names.filter_map(|dependency| dependency["name"].as_str());
            let name = package["name"].as_str().expect("a name").to_owned();
            (name, names.map(str::to_owned).collect())
        })
        .collect()
}

#[test]
fn our_crates_stand_on_each_other_as_drawn() {
    let packages = packages();
    for (name, dependencies) in &packages {
        let drawn = ARROWS.iter().find(|(drawn, _)| drawn == name);
        let allowed = drawn.map(|(_, allowed)| *allowed);
        let allowed = allowed.expect("every crate of ours is drawn here");
        for dependency in dependencies.iter().filter(|d| packages.contains_key(*d)) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} must not stand on {dependency}"
            );
        }
    }
}

#[test]
fn crates_below_know_nothing_of_the_platform() {
    for (name, dependencies) in packages() {
        let speaks_http = [
            "tallylight",
            "tallylight-loadtest",
            "tallylight-fake-stripe",
        ];
        if speaks_http.contains(&name.as_str()) {
            continue;
        }
        for dependency in dependencies {
            assert!(
                !PLATFORM_ONLY.contains(&dependency.as_str()),
                "{name} must not know {dependency}"
            );
        }
    }
}
