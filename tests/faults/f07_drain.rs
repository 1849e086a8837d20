//! F7: SIGTERM with a publisher, 50 viewers by WebRTC and 200 by HLS, and a restart.

use std::time::Duration;

use loadtest::{Driver, Sent, ViewerSpec};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::crowd::{Players, Viewers};
use crate::fault::{Fault, now};
use crate::process::Process;
use crate::site::{Player, Site, playlist_uri, seams};
use crate::support::until_within;

const BY_WEBRTC: usize = 50;
const BY_HLS: usize = 200;
/// All of them come and come back within this, on a machine that does other things, too.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a service manager gives the program.
const LONGEST_END: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn an_audience_comes_back_to_a_server_that_is_restarted() {
    let mut fault = Fault::of("F7", "restart").await;
    let site = Site::new();
    let mut server = site.start();
    let _publishing = site.publish();
    let uri = playlist_uri(&site).await;
    let drivers = [(); 2].map(|()| Driver::start("viewers").unwrap());
    let viewers = Viewers::start(&drivers, &site.whep(), BY_WEBRTC);
    let players = Players::start(&site.http, &format!("/hls/ada/{uri}"), BY_HLS);
    let player = Player::start(format!("{}/hls/ada/{uri}", site.base()));
    player
        .until("three segments", |seen| seen.segments.len() >= 3)
        .await;
    until_within(PATIENCE, "all to watch", || async {
        viewers.with_pictures(1) == BY_WEBRTC && players.seen().segments >= BY_HLS
    })
    .await;
    let before = site.items("/api/streams?channel=ada").await;

    // Its offer is on its way when the signal comes.
    let late = Late::begin(&site).await;
    let told = now();
    let joining = tokio::spawn(late.end_when(&viewers));
    let ended = tokio::task::block_in_place(|| {
        server.terminate();
        told.elapsed()
    });
    assert!(ended < LONGEST_END, "{ended:?}");
    let refusal = joining.await.unwrap();
    assert!(refusal.starts_with("HTTP/1.1 503"), "{refusal}");
    assert!(
        refusal.to_lowercase().contains("\r\nretry-after: "),
        "{refusal}"
    );
    let _server: Process = site.start();
    let up = told.elapsed();

    until_within(PATIENCE, "all to see again", || async {
        viewers.with_pictures(2) == BY_WEBRTC
    })
    .await;
    player
        .until("two segments more", |seen| {
            let seam = seams(seen).first().copied();
            seam.is_some_and(|seam| seen.end() >= seam + 2)
        })
        .await;
    let after = site.items("/api/streams?channel=ada").await;
    assert_eq!((after.len(), &after[0]["id"]), (1, &before[0]["id"]));
    let played = players.seen();
    assert!(played.wrong.is_empty(), "{played:?}");
    let refused = viewers.refused();
    let expected = |status: &u16| [0, 409, 503].contains(status);
    assert!(refused.keys().all(expected), "{refused:?}");
    fault.took("ended", ended);
    fault.took("up_again", up);
    fault.spread("webrtc_dark", viewers.dark());
    fault.took("hls_unanswered", played.away);
    fault.took("hls_nothing_new", player.1.lock().unwrap().stood);
    fault.saw("hls_wrong", played.wrong.len());
    fault.saw("hls_playlists", played.playlists);
    fault.saw("refused", serde_json::to_value(refused).unwrap());
}

/// Somebody whose offer is half sent.
struct Late {
    socket: TcpStream,
    rest: Vec<u8>,
}

impl Late {
    async fn begin(site: &Site) -> Self {
        let offer = ViewerSpec::default().prepare(&Sent::default()).unwrap().sdp;
        let head = format!(
            "POST /whep/ada HTTP/1.1\r\nHost: {}\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            site.http,
            offer.len()
        );
        let (first, rest) = offer.as_bytes().split_at(10);
        let mut socket = TcpStream::connect(&site.http).await.unwrap();
        let begin = [head.as_bytes(), first].concat();
        socket.write_all(&begin).await.unwrap();
        Self {
            socket,
            rest: rest.to_vec(),
        }
    }

    /// Sends the rest when the first viewer has been let go; gives the answer.
    fn end_when(self, viewers: &Viewers) -> impl Future<Output = String> + Send + 'static {
        let Self { mut socket, rest } = self;
        let cut = viewers.cut();
        async move {
            cut.await;
            socket.write_all(&rest).await.unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.unwrap();
            answer
        }
    }
}
