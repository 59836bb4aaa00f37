//! What admins are told of a room's RTP-MIDI participants, and what they may do to them.

use lockstep_shared::rtpmidi::journal::Chapter;
use lockstep_shared::rtpmidi::session::ParticipantId;
use lockstep_shared::time::LocalTime;

use super::bridge::Bridge;
use super::hub::Source;
use super::peer::Peer;
use crate::relay::command::{CommandRefused, ParticipantStatus, RoomStatus};

impl Bridge {
    /// The room's MIDI, but for its name and members.
    #[must_use]
    pub fn status(&self, now: LocalTime) -> RoomStatus {
        let counted = self.hub().counters();
        RoomStatus {
            room: String::new(),
            members: Vec::new(),
            has_session: self.session().is_some(),
            participants: self.peers().map(|(id, peer)| self.participant(now, id, peer)).collect(),
            messages: counted.passed,
            limited: counted.limited,
            silenced: counted.silenced,
        }
    }

    /// Lets in somebody that asks.
    ///
    /// # Errors
    /// Nobody of that name or address.
    pub fn admit(&mut self, now: LocalTime, room: &str, participant: &str) -> Result<(), CommandRefused> {
        let id = self.id_named(room, participant)?;
        if let Some(session) = self.session_mut() {
            session.accept(now, id).map_err(|_| refused(room, participant))?;
        }
        self.drain_session(now);
        Ok(())
    }

    /// Sends away somebody that asks, or is in.
    ///
    /// # Errors
    /// Nobody of that name or address.
    pub fn refuse(&mut self, now: LocalTime, room: &str, participant: &str) -> Result<(), CommandRefused> {
        let id = self.id_named(room, participant)?;
        if let Some(session) = self.session_mut()
            && session.refuse(now, id).is_err()
        {
            session.disconnect(now, id);
        }
        self.forget_asking(id);
        self.drain_session(now);
        Ok(())
    }

    /// The participant of that name or address, as a source.
    ///
    /// # Errors
    /// There is none.
    pub fn source_named(&self, room: &str, participant: &str) -> Result<Source, CommandRefused> {
        self.id_named(room, participant).map(Source::Peer)
    }

    fn id_named(&self, room: &str, participant: &str) -> Result<ParticipantId, CommandRefused> {
        let is_meant = |peer: &Peer| peer.name == participant || peer.address == participant;
        self.peers()
            .find(|(_, peer)| is_meant(peer))
            .map(|(id, _)| id)
            .ok_or_else(|| refused(room, participant))
    }

    fn participant(&self, now: LocalTime, id: ParticipantId, peer: &Peer) -> ParticipantStatus {
        let counted = peer.receiver.counters();
        let jitter = peer.receiver.jitter();
        let trips = self.session().and_then(|session| session.trips(id)).filter(|trips| trips.rounds > 0);
        let repaired = Chapter::ALL.into_iter().map(|chapter| (chapter, counted.repaired_by(chapter)));
        let repaired = repaired.filter(|(_, count)| *count > 0);
        ParticipantStatus {
            name: peer.name.clone(),
            address: peer.address.clone(),
            state: peer.presence.word().to_owned(),
            round_trip_ms: trips.map(|trips| trips.last.millis_f64()),
            round_trip_p99_ms: trips.map(|trips| trips.p99.millis_f64()),
            skew_ppm: trips.map(|trips| trips.skew_ppm),
            received: counted.received,
            lost: counted.lost,
            late: counted.late,
            duplicate: counted.duplicate,
            jitter_p50_ms: Some(jitter.p50.millis_f64()),
            jitter_p99_ms: Some(jitter.p99.millis_f64()),
            playout_ms: Some(peer.receiver.delay().millis_f64()),
            repaired: counted.repaired(),
            repaired_by_chapter: repaired.map(|(chapter, count)| (format!("{chapter:?}"), count)).collect(),
            silenced: counted.silenced,
            notes_held: self.hub().notes_held(Source::Peer(id)),
            acknowledged_seconds_ago: peer.acknowledged.map(|at| (now - at).secs_f64()),
        }
    }
}

fn refused(room: &str, participant: &str) -> CommandRefused {
    CommandRefused::NoParticipant { room: room.to_owned(), participant: participant.to_owned() }
}
