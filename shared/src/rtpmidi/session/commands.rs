//! What the application asks of a session, and what it can see.

use core::net::SocketAddr;

use thiserror::Error;

use super::estimate::Trips;
use super::event::{Counters, LeaveReason};
use super::incoming::{APPROVED_MAX, Stage};
use super::link::{Health, Role};
use super::outgoing::Call;
use super::policy::Policy;
use super::{ParticipantId, Place, Port, Session};
use crate::rtpmidi::control::{Control, Receipt, Ssrc};
use crate::rtpmidi::name::Name;
use crate::rtpmidi::time::ClockMap;
use crate::time::LocalTime;

/// Nobody is at this place now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("nobody is there")]
pub struct NotHere;

/// All places of the session are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the room is full")]
pub struct TooMany;

/// A participant who is here.
#[derive(Clone, Debug, PartialEq)]
pub struct Participant {
    /// Its place.
    pub id: ParticipantId,
    /// As it is called here.
    pub name: Name,
    /// Who invited whom.
    pub role: Role,
    /// Whether it shows signs of life.
    pub health: Health,
    /// Its control port.
    pub control: SocketAddr,
    /// Its data port.
    pub data: SocketAddr,
    /// When it was heard last.
    pub heard: LocalTime,
}

/// What a session keeps at a moment: bounded, whoever sends what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Places, with those of participants who are gone: [`PLACES_MAX`](super::PLACES_MAX) at most.
    pub places: usize,
    /// Invitations between their two ports or before somebody's answer: 288 at most.
    pub pending: usize,
    /// Approvals: 64 at most.
    pub approved: usize,
    /// Datagrams that wait to be sent.
    pub transmits: usize,
}

impl Session {
    /// Invites whoever is at the control port `control`, and whenever it is lost invites it again, until it is
    /// forgotten. `data` is its data port where that is not the next one. It is called `name` here; if that is empty, as
    /// it calls itself. Whoever is invited already keeps its place.
    ///
    /// # Errors
    /// When the session is full.
    pub fn invite(
        &mut self,
        now: LocalTime,
        control: SocketAddr,
        data: Option<SocketAddr>,
        name: Name,
    ) -> Result<ParticipantId, TooMany> {
        let is_there = |place: &Place| {
            place.call.as_ref().is_some_and(|call| call.control == control)
                || place.last.is_some_and(|trace| trace.control == control)
        };
        let known =
            self.places.iter().find(|(_, place)| is_there(place)).map(|(&id, place)| (id, place.has_seat()));
        if self.is_over
            || (!known.is_some_and(|(_, has_seat)| has_seat) && self.occupied() >= self.participants_max)
        {
            return Err(TooMany);
        }
        // Whoever invites us from there at this moment is the same.
        let pending =
            self.pending.iter().find(|pending| pending.control == control).map(|pending| pending.id);
        let id = known.map(|(id, _)| id).or(pending).unwrap_or_else(|| self.draw_id());
        if known.is_none() {
            self.trim_places();
        }
        let ours = self.ssrc;
        let place = self.places.entry(id).or_default();
        if !name.is_empty() {
            place.name = name;
        }
        let call = place.call.get_or_insert_with(|| Call::new(now, control, data, ours));
        (call.control, call.data) = (control, data);
        if place.link.is_some() {
            call.rest();
        }
        self.tend_call(now, id);
        Ok(id)
    }

    /// Lets in whoever asks: at once if it still does, and whenever it comes back until it is disconnected.
    ///
    /// # Errors
    /// When nobody asks there any more.
    pub fn accept(&mut self, now: LocalTime, id: ParticipantId) -> Result<(), NotHere> {
        let asked = self.pending.iter_mut().find(|pending| pending.id == id && pending.stage == Stage::Asked);
        let pending = asked.ok_or(NotHere)?;
        pending.stage = Stage::HalfOpen;
        pending.seen = now;
        let (to, token, ours, question) = (pending.control, pending.token, pending.ours, pending.question);
        if self.approved.len() >= APPROVED_MAX {
            self.approved.pop_front();
        }
        self.approved.push_back((to.ip(), pending.name.clone()));
        self.say_accept(Port::Control, to, token, ours, question);
        Ok(())
    }

    /// Sends away whoever asks, and does not ask about it again for a while.
    ///
    /// # Errors
    /// When nobody asks there any more.
    pub fn refuse(&mut self, now: LocalTime, id: ParticipantId) -> Result<(), NotHere> {
        let asked = self.pending.iter_mut().find(|pending| pending.id == id && pending.stage == Stage::Asked);
        let pending = asked.ok_or(NotHere)?;
        pending.stage = Stage::Declined;
        pending.seen = now;
        let (to, token) = (pending.control, pending.token);
        self.say_refuse(Port::Control, to, token);
        Ok(())
    }

    /// Says goodbye to a participant, invites it no more, and asks again should it come back where approval is needed.
    /// Its place is kept.
    pub fn disconnect(&mut self, now: LocalTime, id: ParticipantId) {
        self.say_goodbye(id);
        self.part(now, id, LeaveReason::Disconnected);
        if let Some(place) = self.places.get_mut(&id) {
            place.call = None;
            let ip = place.last.map(|trace| trace.control.ip());
            let told = &place.told;
            self.approved.retain(|(approved, name)| Some(*approved) != ip || name != told);
        }
    }

    /// Disconnects a participant and gives up its place.
    pub fn forget(&mut self, now: LocalTime, id: ParticipantId) {
        self.disconnect(now, id);
        self.places.remove(&id);
    }

    /// Says goodbye to everybody. Nothing is heard or sent any more afterwards.
    pub fn end(&mut self, now: LocalTime) {
        let ids: Vec<ParticipantId> = self.places.keys().copied().collect();
        for id in ids {
            self.disconnect(now, id);
        }
        let waiting: Vec<_> = self.pending.drain(..).collect();
        for pending in waiting {
            self.say_refuse(Port::Control, pending.control, pending.token);
        }
        self.is_over = true;
    }

    /// Changes who may connect from now on. Whoever is here stays.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Sends a participant an RTP packet, which must carry [`Session::ssrc`].
    ///
    /// # Errors
    /// When it is not here.
    pub fn send_media(&mut self, id: ParticipantId, datagram: &[u8]) -> Result<(), NotHere> {
        let to = self.link_mut(id).ok_or(NotHere)?.data;
        self.transmits.push_back((Port::Data, to, datagram.to_vec()));
        Ok(())
    }

    /// Tells a participant the highest sequence number received from it.
    ///
    /// # Errors
    /// When it is not here.
    pub fn send_receipt(&mut self, id: ParticipantId, sequence: u16) -> Result<(), NotHere> {
        let link = self.link_mut(id).ok_or(NotHere)?;
        let (to, ssrc) = (link.control, link.ours);
        self.say(Port::Control, to, &Control::Receipt { ssrc, receipt: Receipt::of(sequence) });
        Ok(())
    }

    /// How we call ourselves to this participant: the same for all, but where it collided with a peer's own.
    #[must_use]
    pub fn ssrc(&self, id: ParticipantId) -> Option<Ssrc> {
        self.places.get(&id)?.link.as_ref().map(|link| link.ours)
    }

    /// Where the participant's clock is on ours, once a round was made.
    #[must_use]
    pub fn clock(&self, id: ParticipantId) -> Option<&ClockMap> {
        self.places.get(&id)?.link.as_ref()?.estimate.map()
    }

    /// The participant's rounds of the clock. Sorts a few hundred of them.
    #[must_use]
    pub fn trips(&self, id: ParticipantId) -> Option<Trips> {
        self.places.get(&id)?.link.as_ref().map(|link| link.estimate.trips())
    }

    /// A participant who is here.
    #[must_use]
    pub fn participant(&self, id: ParticipantId) -> Option<Participant> {
        self.places.get(&id).and_then(|place| place.participant(id))
    }

    /// Everybody who is here.
    pub fn participants(&self) -> impl Iterator<Item = Participant> {
        self.places.iter().filter_map(|(&id, place)| place.participant(id))
    }

    /// What it keeps at the moment.
    #[must_use]
    pub fn remembered(&self) -> Remembered {
        Remembered {
            places: self.places.len(),
            pending: self.pending.len(),
            approved: self.approved.len(),
            transmits: self.transmits.len(),
        }
    }

    /// Datagrams by what became of them.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl Place {
    fn participant(&self, id: ParticipantId) -> Option<Participant> {
        let link = self.link.as_ref()?;
        Some(Participant {
            id,
            name: self.name.clone(),
            role: link.role,
            health: link.health,
            control: link.control,
            data: link.data,
            heard: link.heard,
        })
    }
}
