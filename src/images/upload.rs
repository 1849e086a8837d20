//! Reads the body of an upload, up to a bound.

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use futures_util::stream::Stream as _;
use std::pin::pin;

use super::ImageError;

/// Most bytes of a picture.
pub(super) const MOST: usize = 10 * 1024 * 1024;
/// So much of a body that is too long is read and thrown away: who is still sending does not hear the
/// answer.
const DRAINED: usize = 4 * MOST;

pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, ImageError> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > DRAINED) {
        return Err(ImageError::TooLong);
    }
    let mut read = Vec::with_capacity(announced.unwrap_or_default().min(MOST));
    let mut length = 0_usize;
    let mut pieces = pin!(body.into_data_stream());
    while let Some(piece) = std::future::poll_fn(|context| pieces.as_mut().poll_next(context)).await
    {
        let piece = piece.map_err(|_| ImageError::Broken)?;
        length = length.saturating_add(piece.len());
        if length > DRAINED {
            return Err(ImageError::TooLong);
        }
        if length <= MOST {
            read.extend_from_slice(&piece);
        }
    }
    match length {
        0 => Err(ImageError::Empty),
        1..=MOST => Ok(read.into()),
        _ => Err(ImageError::TooLong),
    }
}
