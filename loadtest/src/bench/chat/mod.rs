//! `tallylight bench chat`: a room full of people who read, and some who write (RELIABILITY F18).
//!
//! Each message carries the time when it was sent, and each reader counts what comes: nothing may be
//! missing, come twice or in another order, however many there are.

mod crowd;
mod flood;
mod report;

pub(super) use report::Report;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use tokio::time::{interval, sleep, sleep_until};

use super::crowd::Crowd as Stream;
use super::limit::Ourselves;
use super::stop::Stop;
use super::webrtc::until_live;
use super::{Chat, advice::advised, print, progress};
use crate::chat::frames::{Hello, Mark};
use crate::chat::rota::Rota;
use crate::chat::socket::Room;
use crate::process::{Group, Process, Usage, allow_files};
use crate::signalling::Endpoint;
use crate::source::Source;
use crate::{ViewerSpec, clock};
use crowd::{Crowd, Order};
use flood::{Bots, Flood};

/// After people came, or media began, what they cost settles.
const SETTLE: Duration = Duration::from_secs(2);
/// How long the server is looked at while nobody says anything.
const QUIET: Duration = Duration::from_secs(4);
/// What was said last has reached everybody in this time, or is lost.
const DRAIN: Duration = Duration::from_secs(5);
/// Reactions are counted over this time (docs/CHAT.md).
const TICK: Duration = Duration::from_millis(250);
/// Files that we have open beside one for each connection.
const OTHER_FILES: u64 = 256;
/// Messages a second of a moderator (20 in 5 s), of somebody else and of a guest (5 in 5 s), with some
/// room, because what is sent evenly does not arrive so.
const PACE_OF_MODERATORS: f64 = 20.0 / 5.1;
const PACE: f64 = 5.0 / 5.1;
/// Reactions a second of one: one in 100 ms, with room.
const PACE_OF_REACTIONS: f64 = 8.0;
/// Guests of one network, who may say 10 messages in 5 s together.
const GUESTS: usize = 2;

/// A look at everything that is compared with a later one.
struct Look {
    at: Instant,
    server: Option<Usage>,
    client: Usage,
    ourselves: Ourselves,
}

/// What was measured, to be made a report of.
struct Measured {
    /// Before the readers came, when they had come by WebSocket, before they watched, and when they did.
    memory: [Option<Usage>; 4],
    /// CPU seconds a second of a server in which nobody says anything.
    idle_share: f64,
    from: Look,
    to: Look,
    /// Orders that could not be given because those before them had not been done.
    unsaid: u64,
    speakers: usize,
    flood: Option<Flood>,
}

/// Runs the benchmark and prints what it found.
pub(super) async fn run(options: &Chat) -> anyhow::Result<()> {
    let connections = u64::from(options.sockets) + u64::from(options.flood);
    allow_files(connections + 2 * u64::from(options.data_channels) + OTHER_FILES)?;
    let room = Room::of(&options.server, &options.channel).ok_or_else(|| {
        let server = &options.server;
        anyhow!("`{server}` is no http address of a server, such as http://127.0.0.1:8080")
    })?;
    let tokens = tokens(options)?;
    let server: Group = options.server_pid.iter().copied().collect();
    server.usage().context("--server-pid")?;
    let stop = Stop::listen()?;
    let mark = Mark(u32::try_from(
        clock::since_1970().as_millis() & 0xffff_ffff,
    )?);
    let mut crowd = Crowd::new(room, mark);
    let mut stream = None;
    let measured = measure(options, &tokens, &server, &mut crowd, &mut stream, &stop).await;
    let report = measured.map(|measured| report::of(options, &crowd, measured));
    progress("leaving");
    crowd.leave().await;
    if let Some(stream) = stream {
        stream.leave().await;
    }
    let report = report?;
    print(&report, options.json)?;
    report.verdict()
}

/// One of each account.
fn tokens(options: &Chat) -> anyhow::Result<Vec<String>> {
    let Some(file) = &options.tokens_file else {
        return Ok(Vec::new());
    };
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the tokens in {shown}"))?;
    let tokens = tokens_in(&text);
    if tokens.is_empty() {
        bail!(
            "{shown} holds no token; make some with `tallylight token create ACCOUNT --scopes \
             chat:read,chat:write`"
        );
    }
    Ok(tokens)
}

fn tokens_in(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

async fn measure(
    options: &Chat,
    tokens: &[String],
    server: &Group,
    crowd: &mut Crowd,
    stream: &mut Option<Stream>,
    stop: &Stop,
) -> anyhow::Result<Measured> {
    let hello = stop.or(crowd.look_in()).await??;
    let guests = hello.room.modes.guests;
    let rota = stop.or(hire(options, tokens, guests, crowd)).await??;
    let as_guests = options.react > 0 && guests;
    stop.or(sleep(SETTLE)).await?;
    let before = look(server)?.server;
    progress(&format!("{} readers come in", options.sockets));
    let came = crowd.add_sockets(options.sockets, options.ramp, as_guests);
    stop.or(came).await??;
    stop.or(sleep(SETTLE)).await?;
    let seated = look(server)?.server;
    let [before_watching, watching] = add_watchers(options, server, crowd, stream, stop).await?;
    let reacting = reactors(options, guests, crowd)?;
    progress("looking at the server while nobody says anything");
    let quiet = look(server)?;
    stop.or(sleep(QUIET)).await?;
    let idle_share = share(&quiet, &look(server)?);
    progress(&format!("measuring for {} s", options.seconds));
    let bots =
        (options.flood > 0).then(|| Bots::start(options.flood, crowd.room(), &crowd.reading));
    let length = Duration::from_secs(options.seconds.into());
    let from = look(server)?;
    let unsaid = stop
        .or(speak(crowd, &rota, reacting.as_ref(), length))
        .await?;
    let to = look(server)?;
    let flood = match bots {
        Some(bots) => Some(bots.stop().await),
        None => None,
    };
    stop.or(drain(crowd)).await?;
    if options.react > 0 {
        // The reactions of the last tick, of which nobody waits for an answer.
        stop.or(sleep(2 * TICK)).await?;
    }
    Ok(Measured {
        memory: [before, seated, before_watching, watching],
        idle_share,
        from,
        to,
        unsaid,
        speakers: rota.speakers.len(),
        flood,
    })
}

/// Who says something when, by their place among the writers.
struct Speakers {
    speakers: Vec<usize>,
    rota: Rota,
}

/// Lets those in who write, and sees whether they may say as much as is wanted.
async fn hire(
    options: &Chat,
    tokens: &[String],
    guests: bool,
    crowd: &mut Crowd,
) -> anyhow::Result<Speakers> {
    match (tokens.is_empty(), guests) {
        (false, _) => crowd.add_writers(tokens).await?,
        (true, true) => {
            let few = u16::try_from(GUESTS).unwrap_or(1);
            crowd.add_sockets(few, few, true).await?;
        }
        (true, false) => bail!(
            "nobody may write: this channel lets no guests; give tokens with --tokens-file, made \
             by `tallylight token create ACCOUNT --scopes chat:read,chat:write`"
        ),
    }
    let hellos = crowd
        .writers
        .iter()
        .map(|writer| writer.ear.seen().hello.clone());
    let hellos: Vec<Hello> = hellos.flatten().map(|hello| *hello).collect();
    let paces = paces(&hellos);
    let (speakers, paces): (Vec<usize>, Vec<f64>) = paces.into_iter().unzip();
    let rate = f64::from(options.rate);
    let rota = Rota::of(&paces, rate).ok_or_else(|| {
        let all: f64 = paces.iter().sum();
        anyhow!(
            "{} accounts may say {all:.1} messages a second together, not {rate}: give more tokens, \
             of other accounts or of moderators, or a lower --rate",
            paces.len()
        )
    })?;
    Ok(Speakers { speakers, rota })
}

/// Whoever may write, by their place, and how often. An account that is there twice may not say more.
fn paces(hellos: &[Hello]) -> Vec<(usize, f64)> {
    let mut known = BTreeSet::new();
    let mut paces = Vec::new();
    for (place, hello) in hellos.iter().enumerate() {
        let Some(id) = hello.you.id.as_ref().filter(|_| hello.you.may_write) else {
            continue;
        };
        if !known.insert(id) {
            continue;
        }
        let pace = match (hello.you.may_moderate, hello.room.modes.slow_seconds) {
            (true, _) => PACE_OF_MODERATORS,
            (false, 0) => PACE,
            (false, slow) => PACE.min(1.0 / (f64::from(slow) + 0.1)),
        };
        paces.push((place, pace));
    }
    paces
}

/// When who of the writers reacts.
fn reactors(options: &Chat, guests: bool, crowd: &Crowd) -> anyhow::Result<Option<Rota>> {
    if options.react == 0 {
        return Ok(None);
    }
    let paces = vec![PACE_OF_REACTIONS; crowd.writers.len()];
    let rota = Rota::of(&paces, f64::from(options.react));
    let rota = rota.ok_or_else(|| {
        let advice = match guests {
            true => "more --sockets",
            false => "more tokens, let the channel have guests",
        };
        anyhow!(
            "{} who may write can react {:.0} times a second together: give {advice}, or a lower \
             --react",
            paces.len(),
            PACE_OF_REACTIONS * f64::from(u16::try_from(paces.len()).unwrap_or(u16::MAX))
        )
    })?;
    Ok(Some(rota))
}

/// Publishes and lets those in who read by data channel. Returns the server before and after them.
async fn add_watchers(
    options: &Chat,
    server: &Group,
    crowd: &mut Crowd,
    stream: &mut Option<Stream>,
    stop: &Stop,
) -> anyhow::Result<[Option<Usage>; 2]> {
    if options.data_channels == 0 {
        return Ok([None; 2]);
    }
    let Some(key) = &options.key else {
        progress("nobody reads by data channel, for which a stream is needed: give --key");
        return Ok([None; 2]);
    };
    let server_url = options.server.trim_end_matches('/');
    let whip = Endpoint::new(&format!("{server_url}/whip"), Some(key))?;
    let whep = Endpoint::new(&format!("{server_url}/whep/{}", options.channel), None)?;
    // The smallest: chat is measured, not video.
    let mut source = Source::clip(3)?;
    source.layers.truncate(1);
    source.layers.iter_mut().for_each(|layer| layer.rid = None);
    progress("publishing");
    let published = Stream::of_str0m(&whip, source, ViewerSpec::default(), 1).await;
    let stream = stream.insert(published.map_err(|error| advised("cannot publish", &error))?);
    until_live(stream, stop).await?;
    stop.or(sleep(SETTLE)).await?;
    let before = look(server)?.server;
    progress(&format!(
        "{} watch and read by data channel",
        options.data_channels
    ));
    let ramp = options.ramp.min(MOST_OFFERS);
    let came = crowd.add_watchers(&whep, options.data_channels, ramp, options.client_threads);
    stop.or(came).await??;
    stop.or(sleep(SETTLE)).await?;
    Ok([before, look(server)?.server])
}

/// Offers a second: handshakes of DTLS are dear for both sides.
const MOST_OFFERS: u16 = 50;

/// Lets people say things and react for so long. Returns how many orders could not be given.
async fn speak(
    crowd: &Crowd,
    speakers: &Speakers,
    reactors: Option<&Rota>,
    length: Duration,
) -> u64 {
    let says = speakers.rota.clone().zip(0..);
    let says = says.filter_map(|((at, turn), number)| {
        Some((at, *speakers.speakers.get(turn)?, Order::Say(number)))
    });
    let reacts = reactors.cloned().into_iter().flatten();
    let reacts = reacts.map(|(at, place)| (at, place, Order::React));
    let (mut says, mut reacts) = (says.peekable(), reacts.peekable());
    let began = tokio::time::Instant::now();
    let mut unsaid = 0;
    loop {
        let is_react = match (says.peek(), reacts.peek()) {
            (Some(say), Some(react)) => react.0 < say.0,
            (None, Some(_)) => true,
            _ => false,
        };
        let next = if is_react { reacts.next() } else { says.next() };
        let Some((at, place, order)) = next.filter(|(at, ..)| *at < length) else {
            break;
        };
        sleep_until(began + at).await;
        let given = crowd
            .writers
            .get(place)
            .is_some_and(|writer| writer.order(order));
        unsaid += u64::from(!given);
    }
    sleep_until(began + length).await;
    unsaid
}

/// Waits until everybody has everything.
async fn drain(crowd: &Crowd) {
    let deadline = clock::now() + DRAIN;
    let mut pause = interval(Duration::from_millis(100));
    while clock::now() < deadline {
        pause.tick().await;
        let (mut said, mut answered, mut accepted) = (0, 0, 0);
        for writer in &crowd.writers {
            let did = &writer.ear.seen().did;
            said += did.said;
            answered += did.answered();
            accepted += did.accepted;
        }
        let has_all = crowd.ears().all(|ear| {
            let seen = ear.seen();
            seen.closed.is_some() || seen.messages >= accepted
        });
        if answered >= said && has_all {
            return;
        }
    }
}

fn look(server: &Group) -> anyhow::Result<Look> {
    Ok(Look {
        server: server.usage().context("the server is gone")?,
        client: Process::current().usage()?,
        ourselves: Ourselves::look(),
        at: clock::now(),
    })
}

/// CPU seconds a second that the server used.
fn share(from: &Look, to: &Look) -> f64 {
    let used = from.server.zip(to.server);
    let used = used.map(|(from, to)| to.cpu.saturating_sub(from.cpu));
    let window = to.at.saturating_duration_since(from.at);
    used.unwrap_or_default().as_secs_f64() / window.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::frames::{Modes, Room, You};

    fn hello(id: Option<&str>, may_moderate: bool, slow_seconds: u32) -> Hello {
        Hello {
            you: You {
                id: id.map(str::to_owned),
                may_write: id.is_some(),
                may_moderate,
            },
            room: Room {
                modes: Modes {
                    guests: false,
                    slow_seconds,
                },
            },
            reactions: Vec::new(),
        }
    }

    #[test]
    fn tokens_are_lines() {
        assert_eq!(tokens_in("a\n\n  b \n"), ["a", "b"]);
        assert!(tokens_in("\n").is_empty());
    }

    #[test]
    fn an_account_has_one_pace_however_often_it_is_there() {
        let hellos = [
            hello(Some("a"), true, 0),
            hello(None, false, 0),
            hello(Some("b"), false, 0),
            hello(Some("a"), true, 0),
            hello(Some("c"), false, 10),
        ];
        let paces = paces(&hellos);
        let places: Vec<usize> = paces.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [0, 2, 4]);
        let per_five: Vec<f64> = paces.iter().map(|(_, pace)| pace * 5.0).collect();
        assert!(per_five[0] < 20.0 && per_five[0] > 19.0, "{per_five:?}");
        assert!(per_five[1] < 5.0 && per_five[1] > 4.8, "{per_five:?}");
        assert!(per_five[2] < 0.5, "{per_five:?}");
    }
}
