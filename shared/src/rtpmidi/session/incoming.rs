//! Being invited.
//!
//! An invitation comes to the control port, is answered there, comes again to the data port, and is answered there too.
//! What lies between is *pending*: for five seconds, or for as long as somebody is asked.

use core::net::SocketAddr;

use super::event::{Event, LeaveReason, Refused, Return};
use super::limit::Standing;
use super::link::{Link, Role};
use super::policy::Answer;
use super::{PLACES_MAX, ParticipantId, Place, Port, Session, Trace};
use crate::rtpmidi::control::{CONTROL_VERSION, Greeting, Ssrc, Token};
use crate::rtpmidi::name::Name;
use crate::time::{LocalTime, Span};

/// Pending invitations of one host.
pub(super) const PENDING_EACH_MAX: usize = 8;
/// Half accepted ones. Beyond, the oldest gives way: at the most invitations that are heard a second, it had the second
/// that it takes to go on.
pub(super) const HALF_OPEN_MAX: usize = 256;
/// Those that somebody is asked about, or has refused.
pub(super) const ASKED_MAX: usize = 32;
/// The invitation to the data port has to come within this time.
const FINISH_WITHIN: Span = Span::from_millis(5_000);
/// Somebody is asked for this long after the last repetition: inviters give up after some 12 s, people think longer.
const ASK_FOR: Span = Span::from_millis(60_000);
/// Whom somebody refused is refused for this long without asking again.
const DECLINE_FOR: Span = Span::from_millis(30_000);
/// Approvals kept; beyond, the oldest are asked about again.
pub(super) const APPROVED_MAX: usize = 64;

/// An invitation between its two ports.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) id: ParticipantId,
    pub(super) control: SocketAddr,
    pub(super) token: Token,
    pub(super) theirs: Ssrc,
    pub(super) ours: Ssrc,
    pub(super) name: Name,
    pub(super) stage: Stage,
    /// The last repetition.
    pub(super) seen: LocalTime,
    /// How long that was.
    pub(super) question: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Somebody is asked.
    Asked,
    /// Accepted on the control port.
    HalfOpen,
    /// Somebody refused.
    Declined,
}

impl Pending {
    pub(super) fn timeout(&self) -> LocalTime {
        self.seen
            + match self.stage {
                Stage::Asked => ASK_FOR,
                Stage::HalfOpen => FINISH_WITHIN,
                Stage::Declined => DECLINE_FOR,
            }
    }
}

impl Session {
    pub(super) fn take_invite(
        &mut self,
        now: LocalTime,
        port: Port,
        from: SocketAddr,
        greeting: &Greeting,
        question: usize,
    ) -> Result<(), Refused> {
        let standing = if self.knows_host(from) { Standing::Known } else { Standing::Stranger };
        if !self.invite_limit.allows(now, from.ip(), standing) {
            return Err(Refused::Flood);
        }
        if self.is_own(greeting) {
            return Err(Refused::Ourselves);
        }
        if greeting.version != CONTROL_VERSION {
            self.say_refuse(port, from, greeting.token);
            return Err(Refused::Version(greeting.version));
        }
        match port {
            Port::Control => self.take_invite_to_control(now, from, greeting, question),
            Port::Data => self.take_invite_to_data(now, from, greeting, question),
        }
    }

    fn take_invite_to_control(
        &mut self,
        now: LocalTime,
        from: SocketAddr,
        greeting: &Greeting,
        question: usize,
    ) -> Result<(), Refused> {
        if let Some(link) = self.places.values().filter_map(|place| place.link.as_ref()).find(|link| {
            link.control == from
                && link.tokens.contains(&greeting.token)
                && link.theirs.contains(&greeting.ssrc)
        }) {
            // Our answer was lost, or is still on its way.
            let ours = link.ours;
            self.say_accept(Port::Control, from, greeting.token, ours, question);
            return Ok(());
        }
        let known = self
            .pending
            .iter_mut()
            .find(|pending| pending.control.ip() == from.ip() && pending.theirs == greeting.ssrc);
        if let Some(pending) = known {
            pending.control = from;
            pending.token = greeting.token;
            pending.question = question;
            let (stage, ours) = (pending.stage, pending.ours);
            return match stage {
                Stage::Asked => {
                    pending.seen = now;
                    Ok(())
                }
                Stage::HalfOpen => {
                    pending.seen = now;
                    self.say_accept(Port::Control, from, greeting.token, ours, question);
                    Ok(())
                }
                Stage::Declined => {
                    self.say_refuse(Port::Control, from, greeting.token);
                    Err(Refused::NotAllowed)
                }
            };
        }
        self.take_new_invite(now, from, greeting, question)
    }

    fn take_new_invite(
        &mut self,
        now: LocalTime,
        from: SocketAddr,
        greeting: &Greeting,
        question: usize,
    ) -> Result<(), Refused> {
        let place = self.place_of(now, from, greeting);
        let answer = self.answer_to(from, &greeting.name, place);
        if answer == Answer::Refuse {
            self.say_refuse(Port::Control, from, greeting.token);
            return Err(Refused::NotAllowed);
        }
        if !self.has_seat_for(place) {
            self.say_refuse(Port::Control, from, greeting.token);
            return Err(Refused::Full);
        }
        self.make_room(from, answer, place)?;
        self.replace_pending(place, answer);
        self.avoid(greeting.ssrc);
        let id = place.unwrap_or_else(|| self.draw_id());
        let stage = if answer == Answer::Ask {
            self.events.push_back(Event::Asked { id, name: greeting.name.clone(), address: from });
            Stage::Asked
        } else {
            self.say_accept(Port::Control, from, greeting.token, self.ssrc, question);
            Stage::HalfOpen
        };
        self.pending.push(Pending {
            id,
            control: from,
            token: greeting.token,
            theirs: greeting.ssrc,
            ours: self.ssrc,
            name: greeting.name.clone(),
            stage,
            seen: now,
            question,
        });
        Ok(())
    }

    fn take_invite_to_data(
        &mut self,
        now: LocalTime,
        from: SocketAddr,
        greeting: &Greeting,
        question: usize,
    ) -> Result<(), Refused> {
        if let Some(place) = self.half_open_of(from, greeting) {
            let pending = self.pending.swap_remove(place);
            if !self.has_seat_for(Some(pending.id)) {
                self.say_refuse(Port::Data, from, greeting.token);
                return Err(Refused::Full);
            }
            self.say_accept(Port::Data, from, greeting.token, pending.ours, question);
            let link = Link::new(
                now,
                Role::Invited,
                [pending.control, from],
                [pending.token, greeting.token],
                pending.ours,
                [pending.theirs, greeting.ssrc],
            );
            self.join(pending.id, link, pending.name);
            return Ok(());
        }
        let here = self.places.values_mut().filter_map(|place| place.link.as_mut()).find(|link| {
            link.is_host(from.ip())
                && link.theirs.contains(&greeting.ssrc)
                && (link.data == from || link.tokens.contains(&greeting.token))
        });
        let Some(link) = here else {
            self.say_refuse(Port::Data, from, greeting.token);
            return Err(Refused::DataAlone);
        };
        // Our answer was lost, and the way to the peer may have changed since.
        link.data = from;
        let ours = link.ours;
        self.say_accept(Port::Data, from, greeting.token, ours, question);
        Ok(())
    }

    /// Whether there is a seat for whoever comes to `place`.
    fn has_seat_for(&self, place: Option<ParticipantId>) -> bool {
        place.and_then(|id| self.places.get(&id)).is_some_and(Place::has_seat)
            || self.occupied() < self.participants_max
    }

    /// A place has one invitation: the latest, which gets `answer`. Whoever was asked about an earlier one is told.
    fn replace_pending(&mut self, place: Option<ParticipantId>, answer: Answer) {
        let Self { pending, events, .. } = self;
        pending.retain(|pending| {
            let is_replaced = Some(pending.id) == place;
            if is_replaced && pending.stage == Stage::Asked && answer != Answer::Ask {
                events.push_back(Event::Left { id: pending.id, reason: LeaveReason::GaveUp });
            }
            !is_replaced
        });
    }

    /// Makes room for one more pending invitation by whoever is at `from`, which replaces that of `place`.
    fn make_room(
        &mut self,
        from: SocketAddr,
        answer: Answer,
        place: Option<ParticipantId>,
    ) -> Result<(), Refused> {
        let others = || self.pending.iter().filter(|pending| Some(pending.id) != place);
        if others().filter(|pending| pending.control.ip() == from.ip()).count() >= PENDING_EACH_MAX {
            return Err(Refused::Flood);
        }
        if answer == Answer::Ask {
            let asked = others().filter(|pending| pending.stage != Stage::HalfOpen).count();
            return if asked < ASKED_MAX { Ok(()) } else { Err(Refused::Flood) };
        }
        if others().filter(|pending| pending.stage == Stage::HalfOpen).count() >= HALF_OPEN_MAX {
            let places = self.pending.iter().enumerate();
            let oldest = places
                .filter(|(_, pending)| pending.stage == Stage::HalfOpen)
                .min_by_key(|(_, pending)| pending.seen)
                .map(|(place, _)| place);
            if let Some(place) = oldest {
                self.pending.swap_remove(place);
                self.counters.half_open_expired += 1;
            }
        }
        Ok(())
    }

    /// The participant of `id` is here from now on, by a new invitation of either side.
    pub(super) fn join(&mut self, id: ParticipantId, link: Link, told: Name) {
        if !self.places.contains_key(&id) {
            self.trim_places();
        }
        self.pending.retain(|pending| pending.id != id);
        let place = self.places.entry(id).or_default();
        if place.name.is_empty() {
            place.name.clone_from(&told);
        }
        let was_here = place.link.is_some() || place.last.is_some();
        let address = link.data;
        place.told = told;
        place.last = Some(Trace { theirs: link.theirs, control: link.control, left: link.joined });
        place.link = Some(link);
        if let Some(call) = &mut place.call {
            call.rest();
        }
        let name = place.name.clone();
        self.events.push_back(if was_here {
            Event::Returned { id, address, how: Return::Anew }
        } else {
            Event::Joined { id, name, address }
        });
    }

    /// Makes room for one more place at the expense of who has been gone the longest.
    pub(super) fn trim_places(&mut self) {
        if self.places.len() < PLACES_MAX {
            return;
        }
        let gone = self.places.iter().filter(|(_, place)| !place.has_seat());
        let longest = gone.min_by_key(|(_, place)| place.last.map(|trace| trace.left)).map(|(&id, _)| id);
        if let Some(id) = longest {
            self.places.remove(&id);
        }
    }

    /// Forgets invitations that nobody went on with.
    pub(super) fn expire_pending(&mut self, now: LocalTime) {
        let Self { pending, events, counters, .. } = self;
        pending.retain(|pending| {
            let is_over = now >= pending.timeout();
            if is_over {
                match pending.stage {
                    Stage::Asked => {
                        events.push_back(Event::Left { id: pending.id, reason: LeaveReason::GaveUp });
                    }
                    Stage::HalfOpen => counters.half_open_expired += 1,
                    Stage::Declined => {}
                }
            }
            !is_over
        });
    }
}

impl Place {
    /// Whether it counts among the participants.
    pub(super) const fn has_seat(&self) -> bool {
        self.link.is_some() || self.call.is_some()
    }
}
