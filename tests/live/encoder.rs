//! [`Encoder`]: a program that publishes.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use crate::support::Server;

/// It runs until it is dropped.
pub(crate) struct Encoder(Child);

impl Encoder {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(Stdio::piped()).spawn();
        Self(child.expect("the encoder is installed"))
    }

    /// Debian's ffmpeg, by RTMP. Without words for a track there is none.
    pub(crate) fn ffmpeg(server: &Server, key: &str, video: &[&str], audio: &[&str]) -> Self {
        let url = format!("rtmp://{}/live/{key}", server.app.rtmp.unwrap());
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-re"]);
        if !video.is_empty() {
            command.args(["-f", "lavfi", "-i", "testsrc2=s=640x360:r=30"]);
        }
        if !audio.is_empty() {
            command.args(["-f", "lavfi", "-i", "sine=f=440:r=44100"]);
        }
        command.args(video).args(audio).args(["-f", "flv", &url]);
        Self::start(command)
    }

    /// What it said, once it has ended.
    pub(crate) async fn words(mut self) -> String {
        let mut errors = self.0.stderr.take().unwrap();
        let reading = tokio::task::spawn_blocking(move || {
            let mut words = String::new();
            let _ = errors.read_to_string(&mut words);
            words
        });
        reading.await.unwrap()
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
