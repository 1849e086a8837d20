//! The rows of `src/`, as DESIGN.md draws them: a module uses only modules of rows below its own.
//! Change the drawing and this test together, on purpose.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rows, lowest first. Modules of one row may use each other.
const ROWS: [&[&str]; 16] = [
    &[
        "clock",
        "config",
        "rate",
        "secret",
        "telemetry",
        "tls",
        "traces",
    ],
    &["bucket", "bus", "db", "ice"],
    &["answer", "error", "form", "page", "request", "storyboard"],
    &[
        "audit", "cluster", "images", "jobs", "mail", "nodes", "outgoing", "settings",
    ],
    &["accounts"],
    &["channels"],
    &["payments"],
    &["gates"],
    &["sign_in", "streams"],
    &["chat", "recordings"],
    &["analytics", "events"],
    &["discovery", "doctor", "feeds", "notifications", "webhooks"],
    &[
        "admin",
        "cards",
        "idempotency",
        "instance",
        "quota",
        "reference",
        "serve",
        "spa",
    ],
    &["router"],
    &["scrape", "to_https"],
    &["app", "backup"],
];

/// Only these may hold SQL.
const SQL_FILES: &str = "store.rs";

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(&src(), &mut found);
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// `src/streams/whip.rs` and `src/streams/mod.rs` are of `streams`, `src/app.rs` of `app`.
fn module_of(path: &Path) -> String {
    let inner = path.strip_prefix(src()).expect("it lies in src");
    let first = inner.components().next().expect("a name").as_os_str();
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

fn row_of(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// Modules named after `crate::`, also in lists such as `crate::{clock, db}`.
fn used(text: &str) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = text.get(at + "crate::".len()..).unwrap_or_default();
        let names = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => rest,
        };
        let lists = names.split(if rest.starts_with('{') { ',' } else { '\0' });
        for name in lists {
            let word = |c: char| c.is_ascii_lowercase() || c == '_';
            let name: String = name.trim().chars().take_while(|&c| word(c)).collect();
            if !name.is_empty() {
                modules.insert(name);
            }
        }
    }
    modules
}

#[test]
fn every_module_stands_in_a_row() {
    let modules: BTreeSet<String> = all_sources().iter().map(|path| module_of(path)).collect();
    for module in modules {
        let outside = ["lib", "bin"].contains(&module.as_str());
        assert!(
            outside || row_of(&module).is_some(),
            "{module} stands in no row"
        );
    }
}

#[test]
fn modules_use_only_rows_below() {
    for path in all_sources() {
        let module = module_of(&path);
        let Some(row) = row_of(&module) else {
            continue;
        };
        let text = fs::read_to_string(&path).expect("a source can be read");
        for other in used(&text) {
            let Some(below) = row_of(&other) else {
                continue;
            };
            assert!(
                below <= row,
                "{} (row {row}) uses {other} (row {below})",
                path.display()
            );
        }
    }
}

/// Rows whose modules are domains of their own.
const APART: [&[&str]; 4] = [
    &["sign_in", "streams"],
    &["chat", "recordings"],
    &["analytics", "events"],
    &["discovery", "doctor", "feeds", "notifications", "webhooks"],
];

#[test]
fn domains_of_one_row_do_not_use_each_other() {
    for path in all_sources() {
        let text = fs::read_to_string(&path).expect("a source can be read");
        let module = module_of(&path);
        let rows = APART.iter().filter(|row| row.contains(&module.as_str()));
        for other in rows.flat_map(|row| row.iter()) {
            let is_used = *other != module && used(&text).contains(*other);
            assert!(!is_used, "{} uses {other}", path.display());
        }
    }
}

#[test]
fn sql_stands_in_stores_alone() {
    for path in all_sources() {
        // A part of a store lies in its folder.
        let is_part = path
            .parent()
            .is_some_and(|folder| folder.ends_with("store"));
        let is_store = path.ends_with(SQL_FILES) || is_part || module_of(&path) == "db";
        let text = fs::read_to_string(&path).expect("a source can be read");
        let has_sql = ["\"SELECT ", "\"INSERT ", "\"UPDATE ", "\"DELETE FROM"]
            .iter()
            .any(|verb| text.contains(verb));
        assert!(is_store || !has_sql, "{} holds SQL", path.display());
    }
}

#[test]
fn uses_are_found_in_every_form() {
    let text = "use crate::db::Db; use crate::{clock::Clock, error}; crate::secret::same();";
    let found: Vec<String> = used(text).into_iter().collect();
    assert_eq!(found, ["clock", "db", "error", "secret"]);
}
