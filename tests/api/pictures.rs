//! Uploaded pictures at the object store, where each server finds what came to another.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use tallylight::config::Config;

use crate::storage::files;
use crate::support::{Account, Backend, Fault, S3, Server, new_postgres};

fn png(grey: u8) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let picture = image::GrayImage::from_pixel(64, 64, image::Luma([grey]));
    picture
        .write_to(&mut file, image::ImageFormat::Png)
        .unwrap();
    file.into_inner()
}

/// Gives the address of the channel's new picture.
async fn upload(by: &Account, grey: u8) -> String {
    let path = "/api/channels/ada/avatar?x=0&y=0&width=40&height=40";
    let answer = by.send_body("PUT", path, &[], png(grey)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["url"].as_str().unwrap().to_owned()
}

fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

fn is_stored(s3: &S3, url: &str) -> bool {
    s3.object("images", name(url)).exists()
}

fn forget(server: &Server) {
    fs::remove_dir_all(server.file("images")).unwrap();
}

#[tokio::test]
async fn what_is_uploaded_at_one_server_is_shown_at_the_other() {
    let s3 = S3::start().await;
    let database = tokio::task::spawn_blocking(new_postgres).await.unwrap();
    let shared = |config: &mut Config| {
        config.database.url.clone_from(&database);
        config.database.connections = 3;
        S3::configure(s3.address, config);
    };
    let one = Server::start_with(Backend::Sqlite, shared).await;
    let data = tempfile::tempdir().unwrap();
    fs::create_dir(data.path().join("data")).unwrap();
    fs::copy(one.file("pepper"), data.path().join("data/pepper")).unwrap();
    let two = Server::start_on(data, Backend::Sqlite, shared).await;

    let ada = one.creator().await;
    let url = upload(&ada, 120).await;
    let here = one.anonymous().get(&url).await;
    let there = two.anonymous().get(&url).await;
    assert!(here.status == 200 && there.status == 200, "{there:?}");
    assert!(here.bytes == there.bytes);
    assert_eq!(here.header("etag"), there.header("etag"));
    // It has its own from then on.
    s3.fail(Fault::Error);
    assert_eq!(two.anonymous().get(&url).await.status, 200);
}

#[tokio::test]
async fn a_store_that_fails_holds_up_no_upload_and_gets_the_picture_later() {
    let s3 = S3::start().await;
    let address = s3.address;
    let server = Server::start_with(Backend::Sqlite, |config| S3::configure(address, config)).await;
    let ada = server.creator().await;
    s3.fail(Fault::Hang);
    let url = upload(&ada, 90).await;
    assert_eq!(server.anonymous().get(&url).await.status, 200);
    let nowhere = format!("/images/{}.jpg", "0".repeat(40));
    let unsure = server.anonymous().get(&nowhere).await;
    assert_eq!(unsure.status, 503);
    assert_eq!(unsure.code(), "image_unavailable");
    assert_eq!(unsure.header("cache-control"), "no-store");

    s3.fail(Fault::None);
    assert!(!is_stored(&s3, &url));
    assert_eq!(server.anonymous().get(&nowhere).await.status, 404);
    let named = HashSet::from([name(&url).to_owned()]);
    let images = &server.app.services.images;
    images.sweep_store(&named).await.unwrap();
    assert!(is_stored(&s3, &url));
    // A server that lost its folder has it back.
    forget(&server);
    assert_eq!(server.anonymous().get(&url).await.status, 200);
}

#[tokio::test]
async fn what_nobody_shows_any_more_goes_from_the_store_after_a_day() {
    let s3 = S3::start().await;
    let address = s3.address;
    let server = Server::start_with(Backend::Sqlite, |config| S3::configure(address, config)).await;
    let ada = server.creator().await;
    let (old, new) = (upload(&ada, 60).await, upload(&ada, 70).await);
    let named = HashSet::from([name(&new).to_owned()]);
    let images = &server.app.services.images;
    images.sweep_store(&named).await.unwrap();
    assert!(is_stored(&s3, &old), "somebody may be about to name it");
    server.clock.advance(Duration::from_secs(24 * 3600 + 60));
    images.sweep_store(&named).await.unwrap();
    assert!(!is_stored(&s3, &old) && is_stored(&s3, &new));
}

#[tokio::test]
async fn of_another_content_nothing_is_shown() {
    let s3 = S3::start().await;
    let address = s3.address;
    let server = Server::start_with(Backend::Sqlite, |config| S3::configure(address, config)).await;
    let ada = server.creator().await;
    let url = upload(&ada, 50).await;
    forget(&server);
    fs::write(s3.object("images", name(&url)), "<svg onload=alert(1)>").unwrap();
    assert_eq!(server.anonymous().get(&url).await.status, 404);
    assert!(files(&server.file("images")).is_empty());
}
