//! What the pages that everybody opens cost, with many rows in the database: 10,000 channels, 100,000
//! recordings, a million rows of who watched.
//!
//! `cargo bench --bench pages` runs it on SQLite; with `DATABASE_URL=postgres://…`, the address of an
//! empty database, on PostgreSQL. Prints p50 and p95 of each answer over loopback, in milliseconds: the
//! store's part and a little more.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a benchmark stops by panicking, prints, and reads the clock"
)]

use std::time::Instant;

use sqlx::AssertSqlSafe;
use tallylight::app::{self, App, Parts};
use tallylight::config::Config;
use tallylight::db::Db;

const CHANNELS: u32 = 10_000;
const RECORDINGS: u32 = 100_000;
const VIEWINGS: u32 = 1_000_000;
/// Rows of one statement.
const BATCH: u32 = 500;
/// Questions of each kind.
const TIMES: u32 = 200;
const WORDS: [&str; 8] = [
    "river", "lantern", "copper", "harbour", "orchard", "signal", "winter", "atlas",
];

#[tokio::main]
async fn main() {
    let data = tempfile::tempdir().unwrap();
    let mut config = Config {
        data: data.path().to_owned(),
        ..Config::default()
    };
    config.http.listen = "127.0.0.1:0".parse().unwrap();
    config.http.admin = false;
    config.rtmp.listen = "off".to_owned();
    config.turn.listen = "off".to_owned();
    config.media.port = 0;
    config.limits.loopback_factor = 1_000_000;
    config.database.url = std::env::var("DATABASE_URL").unwrap_or_default();
    let public = app::listen("the HTTP port", config.http.listen, "--http");
    let parts = Parts {
        // The server starts itself as its media-workers: this program must not be what it finds.
        program: env!("CARGO_BIN_EXE_tallylight").into(),
        ..Parts::real(&config).unwrap()
    };
    let app = App::assemble(config, parts, public.await.unwrap());
    let app = app.await.unwrap();
    println!("{}", app.services.db.describe());
    fill(&app.services.db).await;
    let base = format!("http://{}", app.http);
    let http = reqwest::Client::new();
    println!("{:<40} {:>8} {:>8}", "answer", "p50 ms", "p95 ms");
    for (name, path) in [
        ("home", "/api/home"),
        ("browse by category", "/api/browse?category=music"),
        ("search, a rare word", "/api/search?q=c4711"),
        ("search, a common word", "/api/search?q=river"),
        ("search, two words", "/api/search?q=river+lan"),
        ("channel", "/api/channels/c4711"),
        ("recordings of a channel", "/api/channels/c4711/recordings"),
        ("schedule of a channel", "/api/channels/c4711/schedule"),
    ] {
        let mut took = Vec::new();
        for _ in 0..TIMES {
            let began = Instant::now();
            let answer = http.get(format!("{base}{path}")).send().await.unwrap();
            assert!(answer.status().is_success(), "{path}: {}", answer.status());
            answer.bytes().await.unwrap();
            took.push(began.elapsed().as_secs_f64() * 1e3);
        }
        took.sort_by(f64::total_cmp);
        let (p50, p95) = (took[took.len() / 2], took[took.len() * 95 / 100]);
        println!("{name:<40} {p50:>8.1} {p95:>8.1}");
    }
    app.shut_down().await;
}

async fn fill(db: &Db) {
    insert(
        db,
        "account (id, name, name_folded, role, level, password_hash, created_at)",
        1,
        |_| format!("('{}', 'Ada', 'ada', 'admin', 'admin', '-', 0)", id(0, 0)),
    )
    .await;
    let channel = "channel (id, handle, name, owner_id, created_at, description, category)";
    insert(db, channel, CHANNELS, |n| {
        let category = ["music", "gaming", "coding", "talks"][(n % 4) as usize];
        let (id, owner, words) = (id(1, n), id(0, 0), words(n));
        format!("('{id}', 'c{n}', '{words} {n}', '{owner}', {n}, 'About {words}', '{category}')")
    })
    .await;
    insert(
        db,
        "follow (channel_id, account_id, created_at)",
        CHANNELS / 2,
        |n| format!("('{}', '{}', {n})", id(1, n * 2), id(0, 0)),
    )
    .await;
    let stream = "stream (id, channel_id, source, started_at, ended_at, state, title)";
    insert(db, stream, RECORDINGS, |n| {
        let (id, channel, at) = (id(2, n), id(1, n % CHANNELS), time(n));
        format!(
            "('{id}', '{channel}', 'whip', {at}, {at}, 'ended', '{}')",
            words(n)
        )
    })
    .await;
    let recording = "recording (id, stream_id, channel_id, title, visibility, state, started_at, \
                     ended_at, duration_ms)";
    insert(db, recording, RECORDINGS, |n| {
        let (id, stream, channel, at) = (id(3, n), id(2, n), id(1, n % CHANNELS), time(n));
        let title = words(n);
        format!(
            "('{id}', '{stream}', '{channel}', '{title}', 'public', 'ready', {at}, {at}, 60000)"
        )
    })
    .await;
    let viewing =
        "viewing (id, stream_id, viewer, transport, device, started_at, last_seen_at, watch_ms)";
    insert(db, viewing, VIEWINGS, |n| {
        let (id, stream, at) = (id(4, n), id(2, n % RECORDINGS), time(n % RECORDINGS));
        format!("('{id}', '{stream}', 'v{n}', 'webrtc', 'desktop', {at}, {at}, 1000)")
    })
    .await;
}

async fn insert(db: &Db, into: &str, rows: u32, row: impl Fn(u32) -> String) {
    for first in (0..rows).step_by(BATCH as usize) {
        let values: Vec<String> = (first..rows.min(first + BATCH)).map(&row).collect();
        let statement = AssertSqlSafe(format!("INSERT INTO {into} VALUES {}", values.join(", ")));
        match db {
            Db::Sqlite { writer, .. } => {
                sqlx::query(statement).execute(writer).await.unwrap();
            }
            Db::Postgres(pool) => {
                sqlx::query(statement).execute(pool).await.unwrap();
            }
        }
    }
}

/// The same for the same kind and number.
fn id(kind: u32, n: u32) -> String {
    format!("00000000-0000-7000-8000-{kind:04}{n:08}")
}

fn time(n: u32) -> i64 {
    1_700_000_000_000 + i64::from(n) * 60_000
}

fn words(n: u32) -> String {
    let word = |n: u32| WORDS[(n % 8) as usize];
    format!("{} {} {}", word(n), word(n / 8), word(n / 64))
}
