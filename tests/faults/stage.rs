//! [`Stage`]: a stream on air with somebody who watches by WebRTC, a player of HLS and somebody who chats.

use std::collections::BTreeSet;
use std::time::Duration;

use loadtest::{Driver, Watching};

use crate::api::{Anonymous, Program, Talker};
use crate::crowd::watch;
use crate::fault::now;
use crate::process::Process;
use crate::site::{Player, Publishing, Site, playlist_uri, seams};
use crate::support::{until, until_more};

/// `@ada` on air.
pub(crate) struct Stage {
    pub(crate) site: Site,
    pub(crate) server: Process,
    pub(crate) viewer: Watching,
    pub(crate) player: Player,
    pub(crate) talker: Talker,
    /// What was said and accepted.
    pub(crate) said: BTreeSet<String>,
    publishing: Option<Publishing>,
    pub(crate) program: Program,
}

impl Stage {
    pub(crate) async fn at(site: Site) -> Self {
        let server = site.start();
        Self::on(site, server).await
    }

    /// The same with a server that runs already.
    pub(crate) async fn on(site: Site, server: Process) -> Self {
        let publishing = site.publish();
        let uri = playlist_uri(&site).await;
        let player = Player::start(format!("{}/hls/ada/{uri}", site.base()));
        player
            .until("two segments", |seen| seen.segments.len() >= 2)
            .await;
        let driver = Driver::start("viewer").unwrap();
        let viewer = watch(&driver, &site.whep()).await.unwrap();
        until_more(&viewer, 10).await;
        let program = Program {
            http: Anonymous::at(&site.base()).of_origin(None),
            token: site.token.clone(),
        };
        let talker = Talker::of_program(&program, "ada").await;
        Self {
            site,
            server,
            viewer,
            player,
            talker,
            said: BTreeSet::new(),
            publishing: Some(publishing),
            program,
        }
    }

    /// Picture and sound go on, there are new parts, and what is said is heard.
    pub(crate) async fn assert_goes_on(&mut self, when: &str) {
        let text = format!("{when} {}", self.said.len());
        self.talker.spoken(&text).await;
        self.said.insert(text);
        let told = self.parts();
        until_more(&self.viewer, 30).await;
        self.player
            .until("a segment more", |seen| seen.end() > told)
            .await;
    }

    /// The publisher is cut off and comes back to the same stream. Gives how long it takes until the viewer sees and hears it.
    pub(crate) async fn come_back(&mut self) -> Duration {
        let publishing =
            || (self.site).metric_of("tallylight_rtmp_connections", r#"state="publishing""#);
        drop(self.publishing.take());
        let cut = now();
        until("the publisher to be gone", || async {
            publishing().await == 0
        })
        .await;
        let told = self.parts();
        self.publishing = Some(self.site.publish());
        until_more(&self.viewer, 10).await;
        let dark = cut.elapsed();
        self.player
            .until("two segments of it", |seen| seen.end() >= told + 2)
            .await;
        dark
    }

    fn parts(&self) -> u64 {
        self.player.1.lock().unwrap().newest.end()
    }

    /// That all that was accepted is written in the end.
    pub(crate) async fn assert_nothing_said_is_lost(&self) {
        until("all to be written", || async {
            let path = "/api/channels/ada/chat/messages?limit=100";
            let page = self.program.get(path).await;
            if page.status != 200 {
                return false;
            }
            let page = page.json();
            let texts = page["items"].as_array().unwrap().iter();
            let texts = texts.map(|item| item["text"].as_str().unwrap().to_owned());
            self.said.is_subset(&texts.collect())
        })
        .await;
    }

    /// That the viewer had one session all the time, and no segment is missing.
    pub(crate) async fn assert_still_watched(&self) {
        let seen = self.player.1.lock().unwrap().newest.clone();
        assert!(!seen.segments.iter().any(|one| one.gap), "{seen:?}");
        assert!(!self.viewer.report().await.unwrap().closed);
    }

    /// The same, and that there is no seam.
    pub(crate) async fn assert_undisturbed(&self) {
        self.assert_still_watched().await;
        let seen = self.player.1.lock().unwrap().newest.clone();
        assert_eq!(seams(&seen), [0_u64; 0], "{seen:?}");
    }
}

/// How long until it is so.
pub(crate) async fn until_timed<F: Future<Output = bool>>(
    what: &str,
    is_so: impl FnMut() -> F,
) -> Duration {
    let began = now();
    until(what, is_so).await;
    began.elapsed()
}
