//! Questions: asked, voted up, answered, shown over the picture.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::hall::Hall;
use super::message::{Person, Sender};
use super::moderation::Desk;
use super::protocol::Event;
use super::refusal::Refusal;
use super::store::NewAction;
use super::text;
use super::words::{Part, Word};
use super::{Chat, store};
use crate::accounts::AccountId;
use crate::error::ApiError;

/// A question as all see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ChatQuestion)]
pub(crate) struct Question {
    pub(crate) id: Uuid,
    pub(crate) at: Timestamp,
    /// The stream that was on air.
    pub(crate) stream: Option<Uuid>,
    pub(crate) stream_time_ms: Option<i64>,
    pub(crate) from: Sender,
    pub(crate) text: String,
    pub(crate) votes: u64,
    pub(crate) state: QuestionState,
    /// Whether it is shown over the picture.
    pub(crate) on_screen: bool,
}

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChatQuestionState)]
pub(crate) enum QuestionState {
    Open,
    Answered,
    Dismissed,
}

impl QuestionState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Answered => "answered",
            Self::Dismissed => "dismissed",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let all = [Self::Open, Self::Answered, Self::Dismissed];
        all.into_iter().find(|state| state.as_str() == text)
    }
}

/// Open questions of a channel, and those of one account among them.
const MOST_OPEN: i64 = 200;
const MOST_OPEN_OF_ONE: i64 = 3;

impl Chat {
    /// Asks the channel something.
    pub(super) async fn ask(
        &self,
        hall: &Arc<Hall>,
        who: &Person,
        account: AccountId,
        words: &str,
        seen_ms: Option<i64>,
    ) -> Result<Question, Refusal> {
        let failed = |error| Refusal::from(ApiError::from(error));
        let text = text::clean(words)?;
        let now = self.0.clock.now();
        let (time, stream) = {
            let mut floor = hall.lock();
            floor.room.may_ask(hall.now(), who, &text)?;
            let stream = floor.room.on_air.map(|on_air| on_air.id);
            (floor.room.stream_time(now, seen_ms), stream)
        };
        let open = store::count_open_of(&self.0.db, hall.channel, account).await;
        let (open, own) = open.map_err(failed)?;
        if own >= MOST_OPEN_OF_ONE {
            let words = "three questions of yours are open; wait until one is answered";
            return Err(Refusal::new("too_many_questions", words));
        }
        if open >= MOST_OPEN {
            let words = "too many questions are open; wait until some are answered";
            return Err(Refusal::new("too_many_questions", words));
        }
        let not_signed_in = || Refusal::new("not_signed_in", "sign in to ask");
        let question = Question {
            id: Uuid::now_v7(),
            at: now,
            stream,
            stream_time_ms: time,
            from: Sender {
                badges: Vec::new(),
                ..who.as_sender().ok_or_else(not_signed_in)?
            },
            text,
            votes: 0,
            state: QuestionState::Open,
            on_screen: false,
        };
        let inserted = store::insert_question(&self.0.db, hall.channel, &question).await;
        inserted.map_err(failed)?;
        hall.show_question(question.clone());
        hall.tell_of_questions();
        Ok(question)
    }

    /// Votes a question up, or takes that back.
    pub(super) async fn upvote(
        &self,
        hall: &Arc<Hall>,
        account: AccountId,
        id: Uuid,
        up: bool,
    ) -> Result<(), ApiError> {
        let db = &self.0.db;
        let _turn = hall.turn().await;
        let found = store::question(db, hall.channel, id).await?;
        let question = found.ok_or(no_such_question())?;
        if question.state != QuestionState::Open {
            return Err(ApiError::Conflict {
                code: "question_settled",
                detail: "this question is not open any more".to_owned(),
            });
        }
        match up {
            true => store::insert_upvote(db, id, account).await?,
            false => store::delete_upvote(db, id, account).await?,
        }
        self.renew_question(hall, id).await.map(|_| ())
    }

    /// Settles a question, or shows it over the picture.
    pub(super) async fn settle_question(
        &self,
        desk: Desk<'_>,
        id: Uuid,
        state: Option<QuestionState>,
        on_screen: Option<bool>,
    ) -> Result<Question, ApiError> {
        let hall = self.hall(desk.channel).await?;
        let _turn = hall.turn().await;
        let found = store::question(&self.0.db, desk.channel.id, id).await?;
        let question = found.ok_or(no_such_question())?;
        let state = state.unwrap_or(question.state);
        let on_screen = on_screen.unwrap_or(question.on_screen);
        let on_screen = on_screen && state != QuestionState::Dismissed;
        let mut tx = self.0.db.begin().await?;
        if on_screen {
            store::take_off_screen(&mut tx, desk.channel.id).await?;
        }
        store::set_question(&mut tx, desk.channel.id, id, state, on_screen).await?;
        let action = NewAction {
            kind: match (state, on_screen) {
                (_, true) => "question_shown",
                (QuestionState::Open, false) => "question_open",
                (QuestionState::Answered, false) => "question_answered",
                (QuestionState::Dismissed, false) => "question_dismissed",
            },
            subject: Some(&question.from.id),
            subject_name: Some(&question.from.name),
            reason: &question.text,
            ..NewAction::default()
        };
        self.commit(tx, desk, action).await?;
        if on_screen {
            hall.take_others_off_screen(id);
        }
        self.renew_question(&hall, id).await
    }

    async fn renew_question(&self, hall: &Arc<Hall>, id: Uuid) -> Result<Question, ApiError> {
        let found = store::question(&self.0.db, hall.channel, id).await?;
        let question = found.ok_or(no_such_question())?;
        hall.show_question(question.clone());
        hall.tell_of_questions();
        Ok(question)
    }
}

impl Question {
    /// As it is when nobody sees it any more.
    pub(super) fn dismissed(self) -> Self {
        Self {
            state: QuestionState::Dismissed,
            on_screen: false,
            ..self
        }
    }
}

impl Hall {
    /// Takes away what an account asked: it leaves.
    pub(super) fn drop_questions_of(self: &Arc<Self>, from: &str) {
        let asked: Vec<Question> = {
            let floor = self.lock();
            let all = floor.room.questions.values();
            all.filter(|question| question.from.id == from)
                .cloned()
                .collect()
        };
        for question in asked {
            self.show_question(question.dismissed());
        }
    }

    fn tell_of_questions(&self) {
        self.tell(&Word::Reset {
            part: Part::Questions,
        });
    }

    pub(super) fn show_question(self: &Arc<Self>, question: Question) {
        self.change(|floor| {
            let event = Event::Question {
                question: &question,
            };
            floor.queue(event.encode());
            let is_shown = question.state == QuestionState::Open || question.on_screen;
            match is_shown {
                true => floor.room.questions.insert(question.id, question),
                false => floor.room.questions.remove(&question.id),
            };
        });
    }

    fn take_others_off_screen(self: &Arc<Self>, id: Uuid) {
        let others: Vec<Question> = {
            let floor = self.lock();
            let all = floor.room.questions.values();
            all.filter(|other| other.on_screen && other.id != id)
                .cloned()
                .collect()
        };
        for other in others {
            self.show_question(Question {
                on_screen: false,
                ..other
            });
        }
    }
}

fn no_such_question() -> ApiError {
    ApiError::NotFound {
        code: "question_not_found",
        detail: "the channel has no such question",
    }
}
