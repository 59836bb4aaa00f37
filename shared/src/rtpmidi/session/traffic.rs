//! What participants send once they are here, and what their silence means.

use core::net::SocketAddr;

use super::event::{Event, LeaveReason, Refused, Return};
use super::incoming::Stage;
use super::link::{Likeness, Link, Moved};
use super::{ParticipantId, Port, Session, Trace};
use crate::rtpmidi::control::{ClockStep, Control, Ssrc, Token};
use crate::time::LocalTime;

/// The shortest RTP packet, and the version in its first byte.
const RTP_HEADER_BYTES: usize = 12;
const RTP_VERSION_MASK: u8 = 0xC0;
const RTP_VERSION: u8 = 0x80;
/// A goodbye is sent this often, for it is not acknowledged.
pub(super) const GOODBYES: u32 = 2;

impl Session {
    pub(super) fn take_media(
        &mut self,
        now: LocalTime,
        port: Port,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), Refused> {
        let header = datagram.first_chunk::<RTP_HEADER_BYTES>().ok_or(Refused::Unreadable)?;
        let [first, _, _, _, _, _, _, _, a, b, c, d] = *header;
        if port == Port::Control || first & RTP_VERSION_MASK != RTP_VERSION {
            return Err(Refused::Unreadable);
        }
        let ssrc = Ssrc(u32::from_be_bytes([a, b, c, d]));
        match self.find(from, ssrc) {
            Some((Likeness::Exact, id)) => {
                self.hear(now, id);
                self.events.push_back(Event::Media { id, bytes: datagram.to_vec() });
                Ok(())
            }
            Some((Likeness::Host | Likeness::Ssrc, _)) | None => Err(Refused::Stranger),
        }
    }

    pub(super) fn take_clock(
        &mut self,
        now: LocalTime,
        port: Port,
        from: SocketAddr,
        ssrc: Ssrc,
        step: ClockStep,
    ) -> Result<(), Refused> {
        let (likeness, id) = self.find(from, ssrc).ok_or(Refused::Stranger)?;
        let Some(link) = self.link_mut(id) else { return Err(Refused::Stranger) };
        let (next, moved) = if likeness == Likeness::Exact {
            // Also an answer to no question is a sign of life: one library begins with it.
            let next = link.step(now, step);
            self.hear(now, id);
            (next?, Moved::No)
        } else {
            link.step_elsewhere(now, from, step)?
        };
        let Some(link) = self.link_mut(id) else { return Ok(()) };
        let ours = link.ours;
        if moved == Moved::Yes {
            if link.data.ip() != from.ip() {
                // Where its control port is now is unknown until something comes from it; the number is likely the same.
                link.control.set_ip(from.ip());
            }
            match port {
                Port::Control => link.control = from,
                Port::Data => link.data = from,
            }
            let (address, trace) =
                (link.data, Trace { theirs: link.theirs, control: link.control, left: now });
            // It is here: that it was quiet needs no second event.
            link.hear(now);
            if let Some(place) = self.places.get_mut(&id) {
                place.last = Some(trace);
            }
            self.settle_call(id);
            self.events.push_back(Event::Returned { id, address, how: Return::Same });
        }
        if let Some(step) = next {
            self.say(port, from, &Control::Clock { ssrc: ours, step });
        }
        Ok(())
    }

    /// Whose receipt or rate limit this is. Its address alone will do, whatever it calls itself; and its SSRC and host
    /// will, for networks translate the control port apart from the data port.
    pub(super) fn sender(
        &mut self,
        now: LocalTime,
        port: Port,
        from: SocketAddr,
        ssrc: Ssrc,
    ) -> Result<ParticipantId, Refused> {
        let id = match self.find(from, ssrc) {
            Some((Likeness::Exact, id)) => id,
            Some((Likeness::Host, id)) => {
                if port == Port::Control
                    && let Some(link) = self.link_mut(id)
                {
                    link.control = from;
                }
                id
            }
            Some((Likeness::Ssrc, _)) | None => {
                let is_there = |link: &Link| link.control == from || link.data == from;
                let mut there = self
                    .places
                    .iter()
                    .filter(|(_, place)| place.link.as_ref().is_some_and(is_there))
                    .map(|(&id, _)| id);
                there.next().ok_or(Refused::Stranger)?
            }
        };
        self.hear(now, id);
        Ok(id)
    }

    pub(super) fn take_goodbye(
        &mut self,
        now: LocalTime,
        from: SocketAddr,
        token: Token,
        ssrc: Ssrc,
    ) -> Result<(), Refused> {
        let pending = self.pending.iter().position(|pending| {
            let is_it = pending.theirs == ssrc || pending.token == token;
            pending.control.ip() == from.ip() && pending.stage != Stage::Declined && is_it
        });
        if let Some(pending) = pending.map(|place| self.pending.swap_remove(place)) {
            if pending.stage == Stage::Asked {
                self.events.push_back(Event::Left { id: pending.id, reason: LeaveReason::GaveUp });
            }
            return Ok(());
        }
        let here = self.places.iter().find(|(_, place)| {
            place.link.as_ref().is_some_and(|link| {
                link.is_host(from.ip()) && (link.tokens.contains(&token) || link.theirs.contains(&ssrc))
            })
        });
        if let Some((&id, _)) = here {
            self.part(now, id, LeaveReason::Goodbye);
            return Ok(());
        }
        let (_, call) = self.call_of(token).ok_or(Refused::Stranger)?;
        call.back_off(now);
        Ok(())
    }

    /// Who at `from` calls itself `ssrc`: the likeliest.
    fn find(&self, from: SocketAddr, ssrc: Ssrc) -> Option<(Likeness, ParticipantId)> {
        let links = self.places.iter().filter_map(|(&id, place)| place.link.as_ref().map(|link| (id, link)));
        let likely = links.filter_map(|(id, link)| link.likeness(from, ssrc).map(|likeness| (likeness, id)));
        likely.max_by_key(|&(likeness, _)| likeness)
    }

    pub(super) fn link_mut(&mut self, id: ParticipantId) -> Option<&mut Link> {
        self.places.get_mut(&id).and_then(|place| place.link.as_mut())
    }

    /// Notes a sign of life.
    fn hear(&mut self, now: LocalTime, id: ParticipantId) {
        let Some(link) = self.link_mut(id) else { return };
        let address = link.data;
        if link.hear(now) {
            self.settle_call(id);
            self.events.push_back(Event::Returned { id, address, how: Return::Same });
        }
    }

    /// Makes the round that is due, and notices silence.
    pub(super) fn tend_link(&mut self, now: LocalTime, id: ParticipantId) {
        let Some(link) = self.link_mut(id) else { return };
        if link.is_gone(now) {
            self.say_goodbye(id);
            self.part(now, id, LeaveReason::Silence);
            return;
        }
        if link.falls_quiet(now) {
            self.events.push_back(Event::Quiet { id });
            if let Some(call) = self.places.get_mut(&id).and_then(|place| place.call.as_mut()) {
                call.wake(now);
            }
        }
        let Some(link) = self.link_mut(id) else { return };
        if let Some(step) = link.ask(now) {
            let (to, ours) = (link.data, link.ours);
            self.say(Port::Data, to, &Control::Clock { ssrc: ours, step });
        }
    }

    pub(super) fn say_goodbye(&mut self, id: ParticipantId) {
        let Some(link) = self.link_mut(id) else { return };
        let goodbye = Control::Goodbye { token: link.tokens[0], ssrc: link.ours };
        let to = link.control;
        for _ in 0..GOODBYES {
            self.say(Port::Control, to, &goodbye);
        }
    }

    /// The participant is not here any more. Its place is kept.
    pub(super) fn part(&mut self, now: LocalTime, id: ParticipantId, reason: LeaveReason) {
        let Some(place) = self.places.get_mut(&id) else { return };
        let Some(link) = place.link.take() else { return };
        place.last = Some(Trace { theirs: link.theirs, control: link.control, left: now });
        if let Some(call) = &mut place.call {
            call.stayed(now, link.joined);
            match reason {
                LeaveReason::Goodbye => call.back_off(now),
                LeaveReason::Silence | LeaveReason::Disconnected | LeaveReason::GaveUp => call.wake(now),
            }
        }
        self.events.push_back(Event::Left { id, reason });
    }
}
