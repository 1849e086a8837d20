//! What kind of thing somebody watches on, as far as its `User-Agent` tells.

/// A class, never a model: enough to know what to test on, too little to know who it is.
pub(super) fn class(agent: &str) -> &'static str {
    let agent = agent.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| agent.contains(word));
    if has(&[
        "smart-tv", "smarttv", "appletv", "hbbtv", "bravia", "crkey", "aftt",
    ]) {
        return "tv";
    }
    if has(&["ipad", "tablet"]) || (has(&["android"]) && !has(&["mobile"])) {
        return "tablet";
    }
    if has(&["iphone", "ipod", "mobile"]) {
        return "phone";
    }
    match has(&["mozilla/"]) {
        true => "desktop",
        // VLC, ffmpeg, OBS, GStreamer and what else is no browser.
        false => "player",
    }
}

#[cfg(test)]
mod tests {
    use super::class;

    #[test]
    fn common_agents_are_told() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 Safari";
        let pad = "Mozilla/5.0 (Linux; Android 14; SM-X200) AppleWebKit/537.36 Chrome/140 Safari";
        let android = "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/140.0 Mobile Safari/537.36";
        let tv = "Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) AppleWebKit/537.36 TV Safari/537.36";
        let told = [
            firefox,
            phone,
            pad,
            android,
            tv,
            "VLC/3.0.20 LibVLC/3.0.20",
            "",
        ]
        .map(class);
        let right = [
            "desktop", "phone", "tablet", "phone", "tv", "player", "player",
        ];
        assert_eq!(told, right);
    }
}
