//! F10: Redis is killed, hangs or loses all that it knew while a stream is live.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::AsyncCommands as _;

use crate::api::{OwnRedis, new_postgres};
use crate::fault::{Fault, now};
use crate::site::Site;
use crate::stage::{Stage, until_timed};
use crate::support::until;

/// What happens to Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Killed,
    Hangs,
    Emptied,
}

/// How long it is away in what `cargo test` runs.
const MOMENT: Duration = Duration::from_secs(4);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_without_redis() {
    let mut stage = Shared::start("moment").await;
    stage.goes_through(Trouble::Killed, MOMENT).await;
    stage.goes_through(Trouble::Hangs, MOMENT).await;
    stage.goes_through(Trouble::Emptied, MOMENT).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "Redis is away for a minute, twice"]
async fn a_stream_goes_on_without_redis_for_a_minute() {
    let mut stage = Shared::start("minute").await;
    stage.goes_through(Trouble::Killed, MINUTE).await;
    stage.goes_through(Trouble::Hangs, MINUTE).await;
    stage.end().await;
}

/// A stream of a server that shares a database with others.
struct Shared {
    fault: Fault,
    redis: OwnRedis,
    stage: Stage,
    /// What it follows, as Redis tells.
    topics: BTreeSet<String>,
}

impl Shared {
    async fn start(case: &'static str) -> Self {
        let fault = Fault::of("F10", case).await;
        let redis = OwnRedis::start().await;
        let database = tokio::task::spawn_blocking(new_postgres).await.unwrap();
        let settings = [
            ("TALLYLIGHT_DATABASE_URL", database.as_str()),
            ("TALLYLIGHT_BUS_URL", &redis.url()),
        ];
        let site = tokio::task::block_in_place(|| Site::with(&settings));
        let mut stage = Stage::at(site).await;
        stage.assert_goes_on("before").await;
        let topics = topics(&redis).await;
        assert!(!topics.is_empty(), "it follows something");
        Self {
            fault,
            redis,
            stage,
            topics,
        }
    }

    async fn goes_through(&mut self, trouble: Trouble, away: Duration) {
        let began = now();
        match trouble {
            Trouble::Killed => self.redis.kill(),
            Trouble::Hangs => self.redis.hang(),
            Trouble::Emptied => {
                let mut connection = connect(&self.redis).await;
                let () = redis::cmd("FLUSHALL")
                    .query_async(&mut connection)
                    .await
                    .unwrap();
            }
        }
        while began.elapsed() < away {
            self.stage.assert_goes_on(&format!("{trouble:?}")).await;
        }
        match trouble {
            Trouble::Killed => self.redis.up().await,
            Trouble::Hangs => self.redis.go_on(),
            Trouble::Emptied => {}
        }
        let (redis, before, site) = (&self.redis, &self.topics, &self.stage.site);
        let back = until_timed("the server to be back at Redis", || async {
            before.is_subset(&topics(redis).await) && site.metric("tallylight_bus_up").await == 1
        })
        .await;
        self.stage
            .assert_goes_on(&format!("after {trouble:?}"))
            .await;
        // What is said is kept for other servers again.
        let mut connection = connect(&self.redis).await;
        until("something to be kept", || {
            let mut connection = connection.clone();
            async move {
                let kept: Vec<String> = connection.keys("tallylight:kept:*").await.unwrap();
                !kept.is_empty()
            }
        })
        .await;
        let _: () = redis::cmd("PING")
            .query_async(&mut connection)
            .await
            .unwrap();
        self.fault
            .took(&format!("back_after_{trouble:?}").to_lowercase(), back);
    }

    async fn end(mut self) {
        self.stage.assert_undisturbed().await;
        self.stage.assert_nothing_said_is_lost().await;
        let lost = self.stage.site.metric("tallylight_bus_lost_total").await;
        assert_eq!(lost, 0);
        self.fault.saw("said", self.stage.said.len());
        self.fault.saw("bus_lost", lost);
        self.stage.server.terminate();
    }
}

async fn connect(redis: &OwnRedis) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(redis.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

async fn topics(redis: &OwnRedis) -> BTreeSet<String> {
    let mut connection = connect(redis).await;
    let asked = redis::cmd("PUBSUB")
        .arg("CHANNELS")
        .arg("tallylight:*")
        .query_async(&mut connection)
        .await;
    asked.unwrap()
}
