//! Readers who do not read, and a database that is away.

use std::time::Duration;

use serde_json::{Value, json};
use tallylight::accounts::Role;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::support::{Backend, OwnPostgres, Server, Talker};

/// A client that comes in and then reads no more.
async fn deaf(server: &Server) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(server.app.http).await.unwrap();
    let request = format!(
        "GET /api/channels/ada/chat/ws HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.app.http
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{head:?}");
    // Masked with zeros (RFC 6455 §5.3).
    let join = br#"{"type":"join","v":1}"#;
    let length = u8::try_from(join.len()).unwrap();
    stream
        .write_all(&[0x81, 0x80 | length, 0, 0, 0, 0])
        .await
        .unwrap();
    stream.write_all(join).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_let_go_and_holds_up_nobody() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let mut talks = Talker::of(&ada, "ada").await;
    let deaf = deaf(&server).await;
    let chat = &server.app.services.chat;
    server
        .wait_for("two readers", || async {
            (chat.readers() == 2).then_some(())
        })
        .await;
    let long = "😀".repeat(480);
    let mut burst = 0;
    while chat.readers() == 2 {
        assert!(burst < 1_000, "it is still there");
        server.clock.advance(Duration::from_secs(5));
        for n in 0..20 {
            talks.say(&format!("{burst} {n} {long}")).await;
        }
        let last = format!("{burst} 19 ");
        let is_last = |event: &Value| {
            event["message"]["text"]
                .as_str()
                .unwrap()
                .starts_with(&last)
        };
        talks.next_where("message", is_last).await;
        burst += 1;
    }
    server.clock.advance(Duration::from_secs(5));
    talks.said("still here").await;
    drop(deaf);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_room_goes_on_without_its_database_and_loses_nothing() {
    let mut postgres = tokio::task::spawn_blocking(OwnPostgres::start)
        .await
        .unwrap();
    let url = postgres.url();
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.database.url = url;
        config.database.connections = 3;
    })
    .await;
    let ada = server.creator().await;
    let vic = server.account("vic", Role::Viewer).await;
    let (mut talks, mut reads) = (Talker::of(&ada, "ada").await, Talker::of(&vic, "ada").await);
    talks.said("before").await;
    tokio::task::block_in_place(|| postgres.down());
    for text in ["while", "it", "is", "away"] {
        let spoken = reads.spoken(text).await;
        talks
            .next_where("message", |event| event["message"]["id"] == spoken["id"])
            .await;
    }
    // What needs it says so at once.
    let body = json!({ "kind": "ban" }).to_string();
    let json_type = [("content-type", "application/json")];
    let path = "/api/channels/ada/chat/restraints/vic";
    let refused = ada.send_body("PUT", path, &json_type, body).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    tokio::task::block_in_place(|| postgres.up());
    let kept = server
        .wait_for("all to be written", || async {
            let page = ada.get("/api/channels/ada/chat/messages").await;
            let items = page.json()["items"].as_array().cloned().unwrap_or_default();
            (page.status == 200 && items.len() == 5).then_some(items)
        })
        .await;
    let texts: Vec<&str> = kept
        .iter()
        .map(|message| message["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["before", "while", "it", "is", "away"]);
    assert!(
        reads
            .settled()
            .await
            .iter()
            .all(|event| event["type"] != "closed")
    );
}
