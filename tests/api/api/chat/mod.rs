//! `/api/channels/{handle}/chat` and `/api/streams/{id}/chat`: asked, and heard by WebSocket.

mod entering;
mod interaction;
mod moderation;
mod servers;
mod talking;
mod times;
mod trouble;
