//! Inviting, and inviting again whenever a participant is lost: once a second, until it is forgotten.

use core::net::SocketAddr;

use super::event::Refused;
use super::link::{Health, Link, Role};
use super::{ParticipantId, Place, Port, Session};
use crate::rtpmidi::control::{Control, Greeting, Ssrc, Token};
use crate::rtpmidi::name::Name;
use crate::time::{LocalTime, Span};

/// How often an invitation is repeated.
const REPEAT_EVERY: Span = Span::from_millis(1_000);
/// Repetitions with one token, after which peers may have given it up.
const TRIES_MAX: u32 = 12;
/// Repetitions to the data port, after which peers have forgotten those to the control port.
const DATA_TRIES_MAX: u32 = 4;
/// The wait after the first refusal or goodbye; it doubles with each in a row.
const REFUSED_WAIT: Span = Span::from_millis(1_000);
const REFUSED_DOUBLINGS_MAX: u32 = 3;
/// A participant that stayed this long counts as one that wants to be here.
const STAYED: Span = Span::from_millis(30_000);

/// An invitation that stands.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) control: SocketAddr,
    /// None: the port after the one that the answer came from.
    pub(super) data: Option<SocketAddr>,
    pub(super) ours: Ssrc,
    stage: Stage,
    refusals: u32,
}

#[derive(Clone, Debug)]
enum Stage {
    /// The participant is here.
    Resting,
    /// It is not, and not invited before then.
    Waiting(LocalTime),
    /// Invited on the control port.
    Control(Attempt),
    /// Accepted there, invited on the data port.
    Data { attempt: Attempt, control: SocketAddr, to: SocketAddr, theirs: Ssrc, told: Name },
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    token: Token,
    tries: u32,
    due: LocalTime,
}

impl Call {
    pub(super) const fn new(
        now: LocalTime,
        control: SocketAddr,
        data: Option<SocketAddr>,
        ours: Ssrc,
    ) -> Self {
        Self { control, data, ours, stage: Stage::Waiting(now), refusals: 0 }
    }

    pub(super) const fn timeout(&self) -> LocalTime {
        match &self.stage {
            Stage::Resting => LocalTime::NEVER,
            Stage::Waiting(until) => *until,
            Stage::Control(attempt) | Stage::Data { attempt, .. } => attempt.due,
        }
    }

    /// The token of the invitation that is under way.
    pub(super) const fn token(&self) -> Option<Token> {
        match &self.stage {
            Stage::Resting | Stage::Waiting(_) => None,
            Stage::Control(attempt) | Stage::Data { attempt, .. } => Some(attempt.token),
        }
    }

    /// The participant is here.
    pub(super) fn rest(&mut self) {
        self.stage = Stage::Resting;
    }

    /// The participant seems to be lost: invites it unless that is under way.
    pub(super) fn wake(&mut self, now: LocalTime) {
        if matches!(self.stage, Stage::Resting) {
            self.stage = Stage::Waiting(now);
        }
    }

    /// The participant does not want to; it is invited again after a while.
    pub(super) fn back_off(&mut self, now: LocalTime) {
        let doublings = self.refusals.min(REFUSED_DOUBLINGS_MAX);
        self.refusals += 1;
        self.stage = Stage::Waiting(now + Span::from_nanos(REFUSED_WAIT.nanos() << doublings));
    }

    /// The participant was here from `joined` on.
    pub(super) fn stayed(&mut self, now: LocalTime, joined: LocalTime) {
        if now - joined >= STAYED {
            self.refusals = 0;
        }
    }
}

impl Session {
    /// Sends the invitation that is due.
    pub(super) fn tend_call(&mut self, now: LocalTime, id: ParticipantId) {
        let due = |place: &Place| place.call.as_ref().map(Call::timeout);
        if self.places.get(&id).and_then(due).is_none_or(|due| now < due) {
            return;
        }
        let (fresh, ssrc) = (self.draw_token(), self.ssrc);
        let Some(call) = self.places.get_mut(&id).and_then(|place| place.call.as_mut()) else { return };
        let (port, to, token) = match &mut call.stage {
            Stage::Resting => return,
            Stage::Data { attempt, to, .. } if attempt.tries < DATA_TRIES_MAX => {
                attempt.repeat(now);
                (Port::Data, *to, attempt.token)
            }
            Stage::Control(attempt) if attempt.tries < TRIES_MAX => {
                attempt.repeat(now);
                (Port::Control, call.control, attempt.token)
            }
            Stage::Waiting(_) | Stage::Control(_) | Stage::Data { .. } => {
                let mut attempt = Attempt { token: fresh, tries: 0, due: now };
                attempt.repeat(now);
                call.ours = ssrc;
                call.stage = Stage::Control(attempt);
                (Port::Control, call.control, fresh)
            }
        };
        let greeting = Greeting { name: self.name.clone(), ..Greeting::nameless(token, call.ours) };
        self.say(port, to, &Control::Invite(greeting));
    }

    pub(super) fn take_accept(
        &mut self,
        now: LocalTime,
        port: Port,
        from: SocketAddr,
        greeting: &Greeting,
    ) -> Result<(), Refused> {
        let (id, call) = self.call_of(greeting.token).ok_or(Refused::Unasked)?;
        if greeting.ssrc == call.ours {
            // The peer cannot tell us from itself: try as somebody else.
            call.stage = Stage::Waiting(now + REPEAT_EVERY);
            self.avoid(greeting.ssrc);
            return Ok(());
        }
        match (port, core::mem::replace(&mut call.stage, Stage::Resting)) {
            (Port::Control, Stage::Control(attempt)) => {
                let to =
                    call.data.unwrap_or_else(|| SocketAddr::new(from.ip(), from.port().saturating_add(1)));
                let attempt = Attempt { tries: 0, due: now, ..attempt };
                let (theirs, told) = (greeting.ssrc, greeting.name.clone());
                call.stage = Stage::Data { attempt, control: from, to, theirs, told };
                self.tend_call(now, id);
                Ok(())
            }
            (Port::Data, Stage::Data { attempt, control, theirs, told, .. }) => {
                let told = if told.is_empty() { greeting.name.clone() } else { told };
                let link = Link::new(
                    now,
                    Role::Inviter,
                    [control, from],
                    [attempt.token; 2],
                    call.ours,
                    [theirs, greeting.ssrc],
                );
                self.join(id, link, told);
                self.tend_link(now, id);
                Ok(())
            }
            (Port::Control | Port::Data, stage) => {
                // A repeated answer.
                call.stage = stage;
                Err(Refused::Unasked)
            }
        }
    }

    pub(super) fn take_refuse(&mut self, now: LocalTime, token: Token) -> Result<(), Refused> {
        let (_, call) = self.call_of(token).ok_or(Refused::Unasked)?;
        call.back_off(now);
        Ok(())
    }

    /// The invitation that is under way with this token.
    pub(super) fn call_of(&mut self, token: Token) -> Option<(ParticipantId, &mut Call)> {
        self.places.iter_mut().find_map(|(&id, place)| {
            place.call.as_mut().filter(|call| call.token() == Some(token)).map(|call| (id, call))
        })
    }

    /// The participant is heard: no need to invite it.
    pub(super) fn settle_call(&mut self, id: ParticipantId) {
        if let Some(place) = self.places.get_mut(&id)
            && place.link.as_ref().is_some_and(|link| link.health == Health::Well)
            && let Some(call) = &mut place.call
        {
            call.rest();
        }
    }
}

impl Attempt {
    fn repeat(&mut self, now: LocalTime) {
        self.tries += 1;
        self.due = now + REPEAT_EVERY;
    }
}
