//! What a video payload tells about its frame: key frame, size.
