//! All SQL about chat.

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
    exported, forget_all_of, held, insert_message, latest_of, of_stream, page_of_stream,
    reactions_of, recent, rooms_of, set_state, taken_away,
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
