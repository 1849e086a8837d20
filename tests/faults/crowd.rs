//! Audiences that stay through an outage: by WebRTC they come back as the page does, by HLS they reload.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use loadtest::http::Connection;
use loadtest::signalling::Endpoint;
use loadtest::{Driver, JoinError, Leave, Sent, ViewerSpec, Watching};
use str0m::net::Protocol;
use tokio::task::JoinSet;

use crate::fault::now;

/// How often a viewer looks whether it still sees, and asks again when it is let in no more.
const LOOK: Duration = Duration::from_millis(100);
const AGAIN: Duration = Duration::from_millis(500);
/// How often a player of plain HLS reloads.
const RELOAD: Duration = Duration::from_secs(1);

/// Those who watch by WHEP; they leave when it is dropped.
pub(crate) struct Viewers {
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: JoinSet<()>,
}

/// What one of them saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Sessions in which there was a picture.
    pub(crate) pictures: usize,
    /// When the last session ended.
    pub(crate) cut_at: Option<Instant>,
    /// From there to the next picture.
    pub(crate) dark: Vec<Duration>,
    /// Refusals by their status; 0: nobody answered.
    pub(crate) refused: BTreeMap<u16, usize>,
}

impl Viewers {
    pub(crate) fn start(drivers: &[Driver], whep: &Endpoint, count: usize) -> Self {
        let seen = Arc::new(Mutex::new(vec![Seen::default(); count]));
        let mut tasks = JoinSet::new();
        for (number, driver) in (0..count).zip(drivers.iter().cycle()) {
            let (driver, whep, seen) = (driver.clone(), whep.clone(), Arc::clone(&seen));
            tasks.spawn(async move {
                loop {
                    watch_once(&driver, &whep, &seen, number).await;
                    tokio::time::sleep(AGAIN).await;
                }
            });
        }
        Self {
            seen,
            _tasks: tasks,
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many have had a picture in so many sessions.
    pub(crate) fn with_pictures(&self, sessions: usize) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|one| one.pictures >= sessions).count()
    }

    /// Waits until the session of one of them is over.
    pub(crate) fn cut(&self) -> impl Future<Output = ()> + Send + 'static {
        let seen = Arc::clone(&self.seen);
        async move {
            let is_cut = || seen.lock().unwrap().iter().any(|one| one.cut_at.is_some());
            while !is_cut() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    pub(crate) fn dark(&self) -> Vec<Duration> {
        self.seen().into_iter().flat_map(|one| one.dark).collect()
    }

    /// All refusals.
    pub(crate) fn refused(&self) -> BTreeMap<u16, usize> {
        let mut all = BTreeMap::new();
        for (status, count) in self.seen().into_iter().flat_map(|one| one.refused) {
            *all.entry(status).or_default() += count;
        }
        all
    }
}

async fn watch_once(driver: &Driver, whep: &Endpoint, seen: &Mutex<Vec<Seen>>, number: usize) {
    let note = |what: &dyn Fn(&mut Seen)| what(&mut seen.lock().unwrap()[number]);
    let viewer = match watch(driver, whep).await {
        Ok(viewer) => viewer,
        Err(JoinError::Http(error)) => {
            let status = error.status().unwrap_or(0);
            return note(&|seen| *seen.refused.entry(status).or_default() += 1);
        }
        Err(error) => panic!("{error}"),
    };
    let mut sees = false;
    loop {
        tokio::time::sleep(LOOK).await;
        let (milestones, is_closed) = viewer.progress().await.unwrap();
        if !sees && milestones.first_key_frame.is_some() {
            sees = true;
            note(&|seen| {
                seen.pictures += 1;
                let dark = seen.cut_at.map(|cut| cut.elapsed());
                seen.dark.extend(dark);
            });
        }
        if is_closed {
            break;
        }
    }
    if sees {
        note(&|seen| seen.cut_at = Some(now()));
    }
    viewer.leave(Leave::Vanish).await.unwrap();
}

pub(crate) async fn watch(driver: &Driver, whep: &Endpoint) -> Result<Watching, JoinError> {
    let (spec, sent) = (ViewerSpec::default(), Sent::default());
    loadtest::watch(driver, whep, &spec, Protocol::Udp, &sent).await
}

/// Those who play by HLS: playlist, and the newest segment whenever there is another.
pub(crate) struct Players {
    seen: Arc<Mutex<Played>>,
    _tasks: JoinSet<()>,
}

/// What all of them saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct Played {
    pub(crate) playlists: usize,
    pub(crate) segments: usize,
    /// Answers other than 200, by their status.
    pub(crate) wrong: BTreeMap<u16, usize>,
    /// Connections that broke or were refused.
    pub(crate) broken: usize,
    /// Longest time without an answer to anybody who asked again and again.
    pub(crate) away: Duration,
}

impl Played {
    fn was_away(&mut self, time: Duration) {
        self.away = self.away.max(time);
    }
}

impl Players {
    /// `path` is that of a media playlist.
    pub(crate) fn start(host: &str, path: &str, count: usize) -> Self {
        let seen = Arc::<Mutex<Played>>::default();
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            let (host, path, seen) = (host.to_owned(), path.to_owned(), Arc::clone(&seen));
            tasks.spawn(async move { play(&host, &path, &seen).await });
        }
        Self {
            seen,
            _tasks: tasks,
        }
    }

    pub(crate) fn seen(&self) -> Played {
        self.seen.lock().unwrap().clone()
    }
}

async fn play(host: &str, path: &str, seen: &Mutex<Played>) {
    let mut answered = now();
    let mut newest = String::new();
    loop {
        if let Ok(mut connection) = Connection::open(host).await {
            while let Some(next) = reload(&mut connection, path, &newest, seen).await {
                // The pause between two questions is its own.
                let away = answered.elapsed().saturating_sub(RELOAD);
                seen.lock().unwrap().was_away(away);
                answered = now();
                newest = next;
                tokio::time::sleep(RELOAD).await;
            }
        }
        seen.lock().unwrap().broken += 1;
        tokio::time::sleep(LOOK).await;
    }
}

/// The newest segment, which has been fetched if it is another one. None: the connection broke.
async fn reload(
    connection: &mut Connection,
    path: &str,
    newest: &str,
    seen: &Mutex<Played>,
) -> Option<String> {
    let answer = connection.get(path).await.ok()?;
    if answer.status != 200 {
        *seen.lock().unwrap().wrong.entry(answer.status).or_default() += 1;
        return Some(newest.to_owned());
    }
    seen.lock().unwrap().playlists += 1;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let segment = text.lines().rev().find(|line| !line.starts_with('#'));
    let Some(segment) = segment.filter(|segment| *segment != newest) else {
        return Some(newest.to_owned());
    };
    let folder = path.rsplit_once('/').unwrap().0;
    let answer = connection.get(&format!("{folder}/{segment}")).await.ok()?;
    let mut seen = seen.lock().unwrap();
    match answer.status {
        200 => seen.segments += 1,
        status => *seen.wrong.entry(status).or_default() += 1,
    }
    Some(segment.to_owned())
}
