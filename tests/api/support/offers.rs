//! SDP offers as clients make them; no media follows.

const FINGERPRINT: &str = "a=fingerprint:sha-256 \
    1F:2E:3D:4C:5B:6A:79:88:97:A6:B5:C4:D3:E2:F1:00:1F:2E:3D:4C:5B:6A:79:88:97:A6:B5:C4:D3:E2:F1:00";

/// One audio and one video track, H264 and VP8, as a browser sends them.
pub(crate) fn publish_offer() -> String {
    offer("sendonly", &[])
}

/// The same with three layers, as OBS sends them: the largest first, by the name 0.
pub(crate) fn simulcast_offer() -> String {
    offer(
        "sendonly",
        &[
            "a=rid:0 send",
            "a=rid:1 send",
            "a=rid:2 send",
            "a=simulcast:send 0;1;2",
        ],
    )
}

/// A player's offer.
pub(crate) fn view_offer() -> String {
    offer("recvonly", &[])
}

fn offer(direction: &str, of_video: &[&str]) -> String {
    let msid = if direction == "sendonly" {
        "a=msid:s t"
    } else {
        "a=ice-options:trickle"
    };
    let transport = [
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:wxyz",
        "a=ice-pwd:0123456789abcdefghijklmn",
        FINGERPRINT,
        "a=setup:actpass",
        "a=rtcp-mux",
    ];
    let mut lines = vec![
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    ];
    lines.extend(transport);
    let direction = format!("a={direction}");
    lines.extend([
        "a=mid:0",
        &direction,
        msid,
        "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
    ]);
    lines.extend(transport);
    lines.extend([
        "a=mid:1",
        &direction,
        msid,
        "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
        "a=rtpmap:96 H264/90000",
        "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        "a=rtcp-fb:96 nack",
        "a=rtcp-fb:96 nack pli",
        "a=rtpmap:97 VP8/90000",
        "a=rtcp-fb:97 nack",
        "a=rtcp-fb:97 nack pli",
    ]);
    lines.extend(of_video);
    let mut text = lines.join("\r\n");
    text.push_str("\r\n");
    text
}
