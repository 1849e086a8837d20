//! F11: PostgreSQL stops, hangs, comes back or takes no changes while a stream is live.

use std::time::Duration;

use loadtest::signalling::Endpoint;
use loadtest::source::Source;
use loadtest::{Driver, JoinError, Leave, PublisherSpec, Publishing, Sent};
use serde_json::json;

use crate::api::{Anonymous, OwnPostgres};
use crate::crowd::watch;
use crate::fault::{Fault, now};
use crate::process::Process;
use crate::site::{PASSWORD, Site};
use crate::stage::{Stage, until_timed};
use crate::support::{until, until_more};

/// What happens to PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Stopped,
    Hangs,
    ReadOnly,
}

/// More than `limits.sign_ins_per_quarter_hour`.
const TRIES: usize = 6;
const MOMENT: Duration = Duration::from_secs(4);
const MINUTES: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_without_its_database() {
    let mut show = Show::start("moment").await;
    show.goes_through(Trouble::Stopped, MOMENT).await;
    show.goes_through(Trouble::Hangs, MOMENT).await;
    show.goes_through(Trouble::ReadOnly, MOMENT).await;
    show.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the database is away for two minutes, twice"]
async fn a_stream_goes_on_without_its_database_for_minutes() {
    let mut show = Show::start("minutes").await;
    show.goes_through(Trouble::Stopped, MINUTES).await;
    show.goes_through(Trouble::Hangs, MINUTES).await;
    show.end().await;
}

/// A stream, and one who wants to begin another.
struct Show {
    fault: Fault,
    postgres: OwnPostgres,
    stage: Stage,
    /// Stream keys: of a channel whose stream ends meanwhile, and of one whose stream would begin.
    brief: String,
    late: String,
    /// How many streams they have had.
    brief_streams: usize,
    late_streams: usize,
    clients: Driver,
}

impl Show {
    async fn start(case: &'static str) -> Self {
        let fault = Fault::of("F11", case).await;
        let (postgres, site) = tokio::task::block_in_place(|| {
            let postgres = OwnPostgres::start();
            let site = Site::with(&[
                ("TALLYLIGHT_DATABASE_URL", &postgres.url()),
                // It has much to say.
                ("TALLYLIGHT_LOG", "off"),
            ]);
            (postgres, site)
        });
        let (brief, late) =
            tokio::task::block_in_place(|| (site.channel("brief"), site.channel("late")));
        let mut stage = Stage::at(site).await;
        stage.assert_goes_on("before").await;
        Self {
            fault,
            postgres,
            stage,
            brief,
            late,
            brief_streams: 0,
            late_streams: 0,
            clients: Driver::start("clients").unwrap(),
        }
    }

    fn tell(&mut self, what: impl FnOnce(&mut OwnPostgres)) {
        tokio::task::block_in_place(|| what(&mut self.postgres));
    }

    async fn goes_through(&mut self, trouble: Trouble, away: Duration) {
        let brief = self.publish(&self.brief).await.unwrap();
        self.until_live("brief").await;
        self.tell(match trouble {
            Trouble::Stopped => OwnPostgres::down,
            Trouble::Hangs => OwnPostgres::hang,
            Trouble::ReadOnly => OwnPostgres::read_only,
        });
        // What ends meanwhile is in the books afterwards.
        brief.session.delete().await.unwrap();
        self.brief_streams += 1;
        let mut refusals = Vec::new();
        if trouble == Trouble::Stopped {
            // More often than one may be wrong: such tries do not count.
            for _ in 0..TRIES {
                refusals.push(self.assert_no_login().await);
            }
        }
        // Who was cut off comes back, and others come to what is on air.
        let back_on_air = self.stage.come_back().await;
        let late = watch(&self.clients, &self.stage.site.whep()).await.unwrap();
        until_more(&late, 30).await;
        late.leave(Leave::Delete).await.unwrap();
        assert!(self.stage.site.get("/hls/ada/index.m3u8").await.is_some());
        let began = now();
        while began.elapsed() < away {
            self.stage.assert_goes_on(&format!("{trouble:?}")).await;
            refusals.push(self.assert_no_login().await);
            match trouble {
                Trouble::Stopped | Trouble::Hangs => {
                    refusals.push(self.assert_no_new_stream().await);
                }
                Trouble::ReadOnly => self.begin_and_end_another().await,
            }
        }
        self.tell(match trouble {
            Trouble::Stopped => OwnPostgres::up,
            Trouble::Hangs => OwnPostgres::go_on,
            Trouble::ReadOnly => OwnPostgres::writable,
        });
        let site = &self.stage.site;
        let back = until_timed("logins to be taken", || async { login(site).await == 200 }).await;
        self.stage
            .assert_goes_on(&format!("after {trouble:?}"))
            .await;
        self.stage.assert_nothing_said_is_lost().await;
        self.until_in_the_books().await;
        let trouble = format!("{trouble:?}").to_lowercase();
        self.fault
            .spread(&format!("refused_when_{trouble}"), refusals);
        self.fault
            .took(&format!("publisher_back_when_{trouble}"), back_on_air);
        self.fault.took(&format!("back_after_{trouble}"), back);
    }

    /// Of both other channels, every stream that was on air, over, and its recording.
    async fn until_in_the_books(&self) {
        for (channel, count) in [("brief", self.brief_streams), ("late", self.late_streams)] {
            let site = &self.stage.site;
            until(
                &format!("{count} streams of {channel} to be over"),
                || async {
                    let streams = site.items(&format!("/api/streams?channel={channel}")).await;
                    streams.len() == count && streams.iter().all(|one| one["state"] == "ended")
                },
            )
            .await;
            until(&format!("{count} recordings of {channel}"), || async {
                let all = site
                    .items(&format!("/api/channels/{channel}/recordings"))
                    .await;
                all.len() == count && all.iter().all(|one| one["state"] == "ready")
            })
            .await;
        }
    }

    async fn until_live(&self, channel: &str) {
        until("the channel to be live", || async {
            // What is live is known without the database.
            let live = self.stage.site.items("/api/channels?live=true").await;
            let is_it = |one: &serde_json::Value| one["handle"] == *channel;
            live.iter().any(is_it)
                && self
                    .stage
                    .site
                    .get(&format!("/hls/{channel}/index.m3u8"))
                    .await
                    .is_some()
        })
        .await;
    }

    /// Nobody signs in; gives how long it takes to be told.
    async fn assert_no_login(&self) -> Duration {
        let began = now();
        assert_eq!(login(&self.stage.site).await, 503);
        began.elapsed()
    }

    /// Nobody goes live; gives how long it takes to be told.
    async fn assert_no_new_stream(&self) -> Duration {
        let began = now();
        let refused = self.publish(&self.late).await.unwrap_err();
        let JoinError::Http(refused) = refused else {
            panic!("{refused}");
        };
        assert_eq!(refused.status(), Some(503), "{refused}");
        began.elapsed()
    }

    /// A database that is only read lets others go live, and gets to know of it later.
    async fn begin_and_end_another(&mut self) {
        let publisher = self.publish(&self.late).await.unwrap();
        self.until_live("late").await;
        publisher.session.delete().await.unwrap();
        self.late_streams += 1;
    }

    async fn publish(&self, key: &str) -> Result<Publishing, JoinError> {
        let url = format!("{}/whip", self.stage.site.base());
        let whip = Endpoint::new(&url, Some(key)).unwrap();
        let spec = PublisherSpec::browser(Source::clip(1).unwrap());
        loadtest::publish(&self.clients, &whip, &spec, &Sent::default()).await
    }

    /// Nothing that was said is lost by the next start either.
    async fn end(mut self) {
        self.stage.assert_still_watched().await;
        self.begin_and_end_another().await;
        self.until_in_the_books().await;
        tokio::task::block_in_place(|| self.stage.server.terminate());
        let _again: Process = tokio::task::block_in_place(|| self.stage.site.start());
        self.stage.assert_nothing_said_is_lost().await;
        self.fault.saw("said", self.stage.said.len());
        self.fault.saw(
            "streams_in_the_books",
            self.brief_streams + self.late_streams,
        );
    }
}

async fn login(site: &Site) -> u16 {
    let body = json!({ "name": "ada", "password": PASSWORD });
    let person = Anonymous::at(&site.base());
    person.post("/api/auth/login", body).await.status.as_u16()
}
