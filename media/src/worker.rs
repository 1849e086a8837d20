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

use nix::sys::resource::{Resource, setrlimit};

use crate::frame::{self, Frame as _, FrameError, FromWorker, ToWorker};
use crate::package::Package;
use crate::plugins;

/// Runs the child on the socket that is its standard input, until the server closes it.
///
/// # Errors
/// In words, when GStreamer or the socket cannot be used.
pub fn run_worker() -> Result<(), String> {
    let socket = io::stdin().as_fd().try_clone_to_owned();
    let socket = socket.map_err(|error| format!("the media-worker has no socket: {error}"))?;
    // First, because it writes down which plugins there are.
    plugins::start()?;
    bound_resources();
    run(UnixStream::from(socket)).map_err(|error| format!("the media-worker ends: {error}"))
}

/// What waits between the threads.
const QUEUE: usize = 64;
/// Address space; a decoder that runs wild takes the child down and not the machine.
const MOST_MEMORY: u64 = 4 * 1024 * 1024 * 1024;
const MOST_FILES: u64 = 256;
const MOST_FILE_BYTES: u64 = 4 * 1024 * 1024;

fn bound_resources() {
    for (resource, most) in [
        (Resource::RLIMIT_AS, MOST_MEMORY),
        (Resource::RLIMIT_NOFILE, MOST_FILES),
        (Resource::RLIMIT_CORE, 0),
        // It writes no files but those that ORC maps its code from.
        (Resource::RLIMIT_FSIZE, MOST_FILE_BYTES),
    ] {
        let _ = setrlimit(resource, most, most);
    }
}

fn run(socket: UnixStream) -> Result<(), FrameError> {
    let (out, outgoing) = sync_channel(QUEUE);
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
