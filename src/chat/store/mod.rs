//! All SQL about chat.

/// That something is not of a stream with a gate, but the one whose id is bound there, which is on air: what was
/// said while not everybody could watch is the replay's to tell, which looks at who asks.
macro_rules! of_the_room {
    ($table:literal, $on_air:literal) => {
        concat!(
            "(",
            $table,
            ".stream_id IS NULL OR ",
            $table,
            ".stream_id = ",
            $on_air,
            " OR NOT EXISTS (SELECT 1 FROM stream s WHERE s.id = ",
            $table,
            ".stream_id
                AND s.gate IS NOT NULL AND s.gate <> 'everyone'))"
        )
    };
}

mod actions;
mod messages;
mod polls;
mod questions;
mod room;

pub(super) use actions::{
    Action, NewAction, actions_of, insert_action, note_of, page_of_actions, set_note,
};
pub(super) use messages::{
    Known, add_reactions, author_of, before, by_id, clear, count_of, delete, delete_all_of,
    exported, forget_all_of, held, insert_message, latest_of, of_stream, of_the_room,
    page_of_stream, reactions_of, recent, rooms_of, set_state, taken_away,
};
pub(super) use polls::{
    end_poll, exported_votes, hide_poll, hide_polls, insert_poll, insert_vote, poll, polls,
    shown_poll,
};
pub(super) use questions::{
    count_open_of, delete_upvote, exported_questions, insert_question, insert_upvote, question,
    questions, set_question, take_off_screen,
};
pub(super) use room::{
    RestraintRow, Term, count_emotes, count_terms, delete_emote, delete_restraint, delete_term,
    emote_images, emotes, insert_restraint, insert_term, put_emote, restraints, set_pinned,
    set_settings, settings, terms,
};

use uuid::Uuid;

/// What stands for the stream on air in [`of_the_room`].
fn id_of(on_air: Option<Uuid>) -> String {
    on_air.map(|id| id.to_string()).unwrap_or_default()
}
