//! Who asks, and until when.

use super::*;

#[test]
fn credentials_end_and_what_they_opened_goes_on_until_its_user_ends() {
    let mut world = World::new();
    let signer = world.signer_from(client(), "alice", HOUR);
    world.wait(3_000);
    let nonce = world.nonce(client());
    let signer = Signer { nonce, ..signer };
    assert_eq!(world.ask(&allocate().signed(&signer)).lifetime(), Some(600));
    world.wait(300);
    assert_eq!(world.refresh(&signer, Some(600)).lifetime(), Some(600));
    // Past their hour, and what clocks may be apart.
    world.wait(400);
    assert_eq!(world.refresh(&signer, Some(600)).lifetime(), Some(600));
    assert_eq!(world.permit(&signer, sfu()), None);
    assert_eq!(world.send_indication(sfu()), Some(local()));
    // They open nothing more.
    assert_eq!(world.refresh(&signer, Some(0)).lifetime(), Some(0));
    assert_eq!(world.ask(&allocate().signed(&signer)).code(), Some(401));
    assert_eq!(world.refresh(&signer, Some(600)).code(), Some(401));
    assert_eq!(world.counters().refused_credentials, 2);
}

#[test]
fn a_nonce_ends_and_another_comes_with_the_refusal() {
    let mut world = World::new();
    let old = world.nonce(client());
    world.wait(3_600);
    let Credentials { username, password } = world.credentials("alice", HOUR);
    let signer = Signer::new(&username, &password, REALM_NAME, &old);
    let reply = world.ask(&allocate().signed(&signer));
    assert_eq!(reply.code(), Some(438));
    let nonce = reply.text(NONCE);
    let signer = Signer { nonce, ..signer };
    assert!(world.ask(&allocate().signed(&signer)).is_success());
    // It is this client's alone.
    let other = address("198.51.100.2:40000");
    let reply = world.ask_from(other, &allocate().signed(&signer));
    assert_eq!(reply.code(), Some(438));
}

#[test]
fn credentials_that_are_not_ours_get_nothing() {
    let mut world = World::new();
    let Credentials { username, password } = world.credentials("alice", HOUR);
    let nonce = world.nonce(client());
    let later = username.replacen('1', "2", 1);
    let wrong = [
        (username.as_str(), "password", REALM_NAME),
        (username.as_str(), "", REALM_NAME),
        (later.as_str(), password.as_str(), REALM_NAME),
        ("alice", password.as_str(), REALM_NAME),
        ("", password.as_str(), REALM_NAME),
        (username.as_str(), password.as_str(), "elsewhere"),
    ];
    for (username, password, realm) in wrong {
        let signer = Signer::new(username, password, realm, &nonce);
        let reply = world.ask(&allocate().signed(&signer));
        assert_eq!(reply.code(), Some(401), "{username}");
        assert!(reply.get(NONCE).is_some() && !reply.is_signed_by(&signer));
    }
    assert_eq!(world.counters().refused_credentials, 6);
    let signer = Signer::new(&username, &password, REALM_NAME, &nonce);
    let unnamed = allocate().signed_alone(&signer);
    assert_eq!(world.ask(&unnamed).code(), Some(400));
    let mut signed = allocate().signed(&signer);
    for at in 24..signed.len() {
        signed[at] ^= 1;
        match world.send_from(client(), &signed) {
            Came::Nothing => {}
            Came::Answer(reply) => assert!(!reply.is_success(), "byte {at}"),
            Came::Relayed(..) => panic!("nothing is relayed"),
        }
        signed[at] ^= 1;
        world.wait(1);
    }
    assert_eq!(world.counters().allocations_made, 0);
    assert!(world.ask(&signed).is_success());
}

#[test]
fn what_stands_behind_the_signature_is_not_believed() {
    let mut world = World::new();
    let signer = world.allocated();
    let mut message = Draft::request(REFRESH).signed(&signer);
    message.extend([0, 0x0d, 0, 4, 0, 0, 0, 0]);
    let length = u16::try_from(message.len() - 20).unwrap();
    message[2..4].copy_from_slice(&length.to_be_bytes());
    assert!(matches!(world.send_from(client(), &message), Came::Nothing));
    assert_eq!(world.counters().allocations, 1);
}

#[test]
fn an_allocation_is_of_who_made_it() {
    let mut world = World::new();
    let alice = world.allocated();
    let bob = world.signer_from(client(), "bob", HOUR);
    assert_eq!(world.refresh(&bob, Some(0)).code(), Some(441));
    assert_eq!(world.permit(&bob, sfu()), Some(441));
    assert_eq!(world.bind(&bob, 0x4000, sfu()), Some(441));
    assert_eq!(world.refresh(&alice, Some(600)).code(), None);
    assert_eq!(world.counters().refused_credentials, 3);
}

#[test]
fn who_is_ended_loses_all_at_once() {
    let mut world = World::new();
    let signer = world.allocated();
    assert_eq!(world.permit(&signer, sfu()), None);
    let unix = world.now().unix;
    let ledger = Arc::clone(&world.relay.house.ledger);
    ledger.end_user("alice", unix + HOUR + Duration::from_secs(60), unix);
    assert_eq!(world.send_indication(sfu()), None);
    assert_eq!(world.refresh(&signer, None).code(), Some(401));
    assert_eq!(world.allocate_from(client(), "alice"), Some(401));
    assert_eq!(world.allocate_from(address("198.51.100.3:1"), "bob"), None);
}

#[test]
fn a_session_that_is_over_is_asked_about() {
    let mut config = config();
    config.is_alive = IsAlive::new(|id| id != "gone");
    let mut world = World::with(config);
    assert_eq!(world.allocate_from(client(), "gone"), Some(401));
    assert_eq!(world.allocate_from(client(), "here"), None);
}
