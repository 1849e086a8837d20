//! Lips: sound and picture of a session are one stream, so that players keep them together. Pure.

/// An answer whose tracks are all of the first one's stream.
///
/// str0m makes a stream for every track (`a=msid`, RFC 8830), and browsers show each as soon as they
/// can: only what is of one stream is held together (W3C WebRTC §5.3, "synchronised").
pub(crate) fn as_one_stream(answer: &str) -> String {
    let mut streams = answer.lines().filter_map(stream);
    let Some(first) = streams.next() else {
        return answer.to_owned();
    };
    let others: Vec<&str> = streams.filter(|stream| *stream != first).collect();
    let mut one = String::with_capacity(answer.len());
    for line in answer.lines() {
        if line.starts_with("a=msid-semantic:") {
            one.push_str("a=msid-semantic: WMS ");
            one.push_str(first);
        } else {
            let mut line = line.to_owned();
            for other in &others {
                line = line.replace(other, first);
            }
            one.push_str(&line);
        }
        one.push_str("\r\n");
    }
    one
}

/// The stream of a track.
fn stream(line: &str) -> Option<&str> {
    line.strip_prefix("a=msid:")?.split(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_tracks_are_of_the_first_stream() {
        let answer = "v=0\r\na=msid-semantic: WMS one two\r\nm=audio 9 X 111\r\na=msid:one a\r\n\
                      a=ssrc:1 msid:one a\r\nm=video 9 X 96\r\na=msid:two b\r\na=ssrc:2 msid:two b\r\n";
        let right = "v=0\r\na=msid-semantic: WMS one\r\nm=audio 9 X 111\r\na=msid:one a\r\n\
                     a=ssrc:1 msid:one a\r\nm=video 9 X 96\r\na=msid:one b\r\na=ssrc:2 msid:one b\r\n";
        assert_eq!(as_one_stream(answer), right);
        assert_eq!(as_one_stream(right), right);
    }

    #[test]
    fn what_sends_nothing_stays_as_it_is() {
        let answer = "v=0\r\na=msid-semantic: WMS\r\nm=audio 9 X 111\r\na=recvonly\r\n";
        assert_eq!(as_one_stream(answer), answer);
    }
}
