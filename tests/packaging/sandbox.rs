//! What a media-worker may do while it works.

use std::fs;

use crate::stage::{ALL, LARGE, Stage, ms};

/// A field of `/proc/PID/status`.
fn field(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_default().trim().to_owned()
}

#[tokio::test]
async fn every_thread_of_the_child_works_under_a_filter_and_behind_all_others() {
    let stage = Stage::new(&ALL).await;
    stage.feed(stage.clip.at(&ALL, ms(5_000))).await;
    stage.reached(LARGE, 2, 0).await;
    let child = stage.packager.worker().borrow().expect("a child");
    let mut threads = 0;
    for thread in fs::read_dir(format!("/proc/{child}/task")).unwrap() {
        let thread = thread.unwrap().path();
        let status = fs::read_to_string(thread.join("status")).unwrap();
        assert_eq!(field(&status, "Seccomp:"), "2", "{status}");
        assert_eq!(field(&status, "NoNewPrivs:"), "1", "{status}");
        let stat = fs::read_to_string(thread.join("stat")).unwrap();
        // The fields begin behind the name in brackets; nice is the 19th of all (proc(5)).
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        assert_eq!(fields.split(' ').nth(16), Some("5"), "{stat}");
        threads += 1;
    }
    assert!(threads > 3, "one a muxer, at least: {threads}");
    stage.finish().await;
}
