//! F12: the clock of the machine jumps by an hour, there and back, while a stream is live.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::checker::{Playlist, Segment};
use crate::fault::Fault;
use crate::site::Site;
use crate::stage::Stage;

/// What libfaketime adds, in the order in which it happens.
const JUMPS: [(&str, i64); 4] = [
    ("+3600", 3_600),
    ("-3600", -3_600),
    ("+3600", 3_600),
    ("+0", 0),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_is_not_seen_by_those_who_watch() {
    let mut fault = Fault::of("F12", "an hour").await;
    let site = tokio::task::block_in_place(Site::new);
    let jump = site.data.path().join("jump");
    set(&jump, "+0");
    let server = tokio::task::block_in_place(|| {
        site.start_with(&[
            ("LD_PRELOAD", libfaketime().to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", jump.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            // Only the time of day jumps.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
        ])
    });
    let mut stage = Stage::on(site, server).await;
    stage.assert_goes_on("before").await;
    let mut said = 0;
    for (word, seconds) in JUMPS {
        set(&jump, word);
        let (at, id) = server_time(&mut stage, word).await;
        let off = at.as_second() - Timestamp::now().as_second() - seconds;
        assert!(off.abs() < 60, "the server's clock is another: {off}");
        assert!(id > said, "who comes later comes later: {id} after {said}");
        said = id;
        stage.assert_goes_on(word).await;
    }
    stage.assert_undisturbed().await;
    let before = stage.player.1.lock().unwrap().newest.clone();
    assert_times_follow(&before);

    // A publisher who comes back while the clock is behind, and another while it is right again.
    for word in ["-3600", "+0"] {
        set(&jump, word);
        stage.come_back().await;
        let seen = stage.player.1.lock().unwrap().newest.clone();
        assert_times_follow(&seen);
    }
    stage.assert_nothing_said_is_lost().await;
    fault.saw("jumps", JUMPS.len());
    fault.saw("publishers_back", 2);
    fault.saw("times_back", 0);
    fault.saw("disturbed", 0);
    tokio::task::block_in_place(|| stage.server.terminate());
}

/// In one rename, so that it is never read half written.
fn set(file: &Path, word: &str) {
    let new = file.with_extension("new");
    fs::write(&new, format!("{word}\n")).unwrap();
    fs::rename(new, file).unwrap();
}

/// For programs of many threads.
fn libfaketime() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten();
    let paths = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    paths
        .into_iter()
        .find(|path| path.exists())
        .expect("libfaketime is installed; `make setup` installs it (Debian package faketime)")
}

/// When it takes a message, as it says, and the message's number.
async fn server_time(stage: &mut Stage, word: &str) -> (Timestamp, i64) {
    let text = format!("it is {word}, {}", stage.said.len());
    let message = stage.talker.spoken(&text).await;
    stage.said.insert(text);
    let at = message["at"].as_str().unwrap().parse().unwrap();
    (at, message["id"].as_i64().unwrap())
}

/// Times of day do not go back, nor do they jump ahead within a run: each segment begins where the one before it ends.
fn assert_times_follow(playlist: &Playlist) {
    let time = |segment: &Segment| -> Timestamp { segment.time.as_ref().unwrap().parse().unwrap() };
    for pair in playlist.segments.windows(2) {
        let step = time(&pair[1]).duration_since(time(&pair[0])).as_secs_f64();
        assert!(step > 0.0, "times of day go back by {step} s: {playlist:?}");
        let off = (step - pair[0].duration).abs();
        assert!(off < 1.0 || pair[1].discontinuity, "{off} s: {playlist:?}");
    }
}
