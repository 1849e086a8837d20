//! The child: access units in from the socket, initialisations and parts out.
//!
//! One thread reads the socket and owns all state. Each muxer has one of its own, and one writes.
//! Each of them waits for the next only, and the last for the server, which reads whatever it is
//! busy writing: nobody ever waits in a circle.

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::encoders::Encoder;
use crate::frame::{self, Frame as _, FrameError};
use crate::ladder::Rungs;
use crate::message::{FromWorker, ToWorker};
use crate::opus::ToOpus;
use crate::package::Package;
use crate::plugins;
use crate::problems::Problems;
use crate::sandbox;

/// Runs the child on the socket that is its standard input, until the server closes it. With the name
/// of an encoder it can transcode.
///
/// # Errors
/// In words, when GStreamer, the encoder or the socket cannot be used.
pub fn run_worker(encoder: Option<&str>) -> Result<(), String> {
    let encoder = encoder.map(|name| {
        Encoder::named(name).ok_or_else(|| format!("{name} is no encoder that is known"))
    });
    let encoder = encoder.transpose()?;
    let socket = io::stdin().as_fd().try_clone_to_owned();
    let socket = socket.map_err(|error| format!("the media-worker has no socket: {error}"))?;
    // First, because all that is loaded later may do less.
    plugins::start()?;
    plugins::load();
    if let Some(encoder) = encoder {
        plugins::load_transcoding(encoder.name);
    }
    let problems = sandbox::enter(encoder.is_some_and(|encoder| encoder.is_hardware));
    run(UnixStream::from(socket), encoder, problems)
        .map_err(|error| format!("the media-worker ends: {error}"))
}

/// What waits between the threads.
const QUEUE: usize = 64;

fn run(
    socket: UnixStream,
    encoder: Option<Encoder>,
    problems: Vec<String>,
) -> Result<(), FrameError> {
    let (out, outgoing) = sync_channel(QUEUE);
    if !problems.is_empty() {
        let problems = problems.join("; ");
        let _ = out.send(FromWorker::Problem(format!(
            "its sandbox is incomplete: {problems}"
        )));
    }
    let reading = io::BufReader::with_capacity(256 * 1024, socket.try_clone()?);
    let writer = thread::Builder::new().name("write".to_owned());
    let writer = writer.spawn(move || write(socket, &outgoing))?;
    let read = read(reading, encoder, out);
    let _ = writer.join();
    read
}

/// Works on all that comes, and finishes it at the end.
fn read(
    mut socket: impl io::Read,
    encoder: Option<Encoder>,
    out: SyncSender<FromWorker>,
) -> Result<(), FrameError> {
    let mut package = Package::new(out.clone());
    let mut problems = Problems::new(out.clone());
    let mut rungs: Option<Rungs> = None;
    let mut to_opus: Option<ToOpus> = None;
    while let Some(frame) = frame::read(&mut socket)? {
        match frame {
            ToWorker::Settings(settings) => package.set(settings),
            ToWorker::Track(track) => package.add(track),
            ToWorker::Ladder(ladder) => {
                let out = out.clone();
                rungs = encoder.map(|encoder| Rungs::new(ladder, encoder, out));
            }
            ToWorker::ToOpus(job) => to_opus = Some(ToOpus::new(job, out.clone())),
            ToWorker::Unit(unit) => match (&mut rungs, &mut to_opus) {
                (Some(rungs), _) => problems.note(rungs.take(unit)),
                (None, Some(to_opus)) => problems.note(to_opus.take(unit)),
                (None, None) => package.take(unit),
            },
            ToWorker::Ping => {
                let _ = out.send(FromWorker::Alive);
            }
        }
    }
    package.end_run();
    if let Some(mut to_opus) = to_opus {
        to_opus.finish();
    }
    Ok(())
}

fn write(mut socket: UnixStream, outgoing: &Receiver<FromWorker>) {
    while let Ok(frame) = outgoing.recv() {
        if socket.write_all(&frame.to_bytes()).is_err() {
            // The server is gone: nobody is left to work for.
            std::process::exit(1);
        }
    }
}
