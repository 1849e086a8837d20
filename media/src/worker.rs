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

use crate::frame::{self, Frame as _, FrameError, FromWorker, ToWorker};
use crate::package::Package;
use crate::plugins;
use crate::sandbox;

/// Runs the child on the socket that is its standard input, until the server closes it.
///
/// # Errors
/// In words, when GStreamer or the socket cannot be used.
pub fn run_worker() -> Result<(), String> {
    let socket = io::stdin().as_fd().try_clone_to_owned();
    let socket = socket.map_err(|error| format!("the media-worker has no socket: {error}"))?;
    // First, because all that is loaded later may do less.
    plugins::start()?;
    plugins::load();
    let problems = sandbox::enter();
    run(UnixStream::from(socket), problems)
        .map_err(|error| format!("the media-worker ends: {error}"))
}

/// What waits between the threads.
const QUEUE: usize = 64;

fn run(socket: UnixStream, problems: Vec<String>) -> Result<(), FrameError> {
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
    let read = read(reading, out);
    let _ = writer.join();
    read
}

/// Works on all that comes, and finishes it at the end.
fn read(mut socket: impl io::Read, out: SyncSender<FromWorker>) -> Result<(), FrameError> {
    let mut package = Package::new(out.clone());
    while let Some(frame) = frame::read(&mut socket)? {
        match frame {
            ToWorker::Settings(settings) => package.set(settings),
            ToWorker::Track(track) => package.add(track),
            ToWorker::Unit(unit) => package.take(unit),
            ToWorker::Ping => {
                let _ = out.send(FromWorker::Alive);
            }
        }
    }
    package.end_run();
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
