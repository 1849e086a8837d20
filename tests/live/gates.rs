//! A gate that changes at one server holds at all, at once.

use std::time::Duration;

use serde_json::json;

use crate::cluster::fleet::Fleet;
use crate::support::until_within;

/// Without word of it, streams are looked at every five seconds: three times in a row that is hardly so soon.
const AT_ONCE: Duration = Duration::from_secs(2);

#[test]
fn who_may_watch_no_more_is_shown_out_at_another_server_at_once() {
    Fleet::run(2, async |fleet| {
        let [a, b] = [0, 1];
        let _publishing = fleet.publish(a);
        fleet.until_live(&[a, b]).await;
        let stream = fleet.stream(b).await;
        let path = format!("/api/streams/{}", stream.as_str().unwrap());
        // Changed where it is, and where it is not: who watches is at the other.
        for (change_at, watch_at) in [(a, b), (b, a), (a, b)] {
            let open = json!({ "gate": { "who": "everyone" } });
            assert_eq!(fleet.patch_as_owner(change_at, &path, open).await, 200);
            let lets_in = || async { fleet.lets_in(watch_at).await };
            until_within(AT_ONCE, "all to be let in", lets_in).await;
            let viewer = fleet.watch(watch_at).await;
            viewer.sees_more(30, "pictures").await;
            let closed = json!({ "gate": { "who": "followers" } });
            assert_eq!(fleet.patch_as_owner(change_at, &path, closed).await, 200);
            until_within(AT_ONCE, "the viewer to be shown out", || async {
                viewer.report().await.closed
            })
            .await;
        }
    });
}
