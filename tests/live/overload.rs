//! Twice as many want to watch as may: those above are refused in words, and those who watch notice nothing
//! (RELIABILITY P9).

use std::time::Duration;

use futures_util::future::join_all;
use loadtest::{JoinError, ViewerSpec, Watching};
use str0m::net::Protocol;

use crate::support::{Server, single, until};

/// As many may watch.
const MOST: usize = 20;

#[tokio::test]
async fn at_twice_the_load_half_is_refused_and_nobody_else_notices() {
    let server = Server::with(|config| {
        config.limits.viewers = MOST;
        config.limits.viewers_reserved_percent = 0;
        config.limits.views_per_minute = 100_000;
    })
    .await;
    let _publishing = server.on_air(&single(60)).await;
    let admitted: Vec<Watching> = join_all((0..MOST).map(|_| server.watch())).await;
    until("all to watch", || async { seen(&admitted).await.1 >= 30 }).await;
    let (_, before) = seen(&admitted).await;

    // They ask again and again, as players do that find no place.
    let mut refused = 0;
    while seen(&admitted).await.1 < before + 90 {
        let asked = join_all((0..MOST).map(|_| want(&server))).await;
        for answer in asked {
            let status = match answer {
                Err(JoinError::Http(error)) => error.status(),
                _ => None,
            };
            assert_eq!(status, Some(503), "whoever is above the bound is refused");
            refused += 1;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(refused >= MOST, "{refused}");
    let (lost, _) = seen(&admitted).await;
    assert_eq!(lost, 0, "packets of those who watch");
    let totals = server.sfu.totals();
    assert_eq!(usize::try_from(totals.viewers).unwrap(), MOST);

    // A place that somebody leaves is another's.
    admitted[0].session.delete().await.unwrap();
    until("a place", || async { want(&server).await.is_ok() }).await;
}

/// Packets that were lost, in all, and whole frames of whoever has the fewest.
async fn seen(viewers: &[Watching]) -> (u64, u64) {
    let reports = join_all(viewers.iter().map(Watching::report)).await;
    let reports: Vec<_> = reports.into_iter().map(Result::unwrap).collect();
    assert!(reports.iter().all(|report| !report.closed));
    let lost = reports.iter().map(|report| report.lost).sum();
    let frames = reports.iter().map(|report| report.whole_frames).min();
    (lost, frames.unwrap_or_default())
}

async fn want(server: &Server) -> Result<Watching, JoinError> {
    let (whep, spec) = (server.whep(), ViewerSpec::default());
    loadtest::watch(&server.clients, &whep, &spec, Protocol::Udp, &server.sent).await
}
