//! The relay's half: every session of every room.

mod event;
mod limits;
mod room;
mod session;

use std::collections::{BTreeMap, VecDeque};

use core::net::SocketAddr;

use super::channel::{Channel, receiver_index};
use super::cookie::CookieJar;
use super::flow::FlowFull;
use super::limit::HelloLimit;
use super::noise::{Noise, Payload};
use super::{Entropy, KEEP_PLACE, MemberKey, RelayKey, STALE_AFTER};
use crate::redundancy::LossMeter;
use crate::time::{GridPosition, LocalTime, Span};
use crate::wire::handshake::{Handshake, Hello, NOISE_PAYLOAD_BYTES, RefuseReason};
use crate::wire::{
    Element, Elements, LeaveReason, PLAIN_BYTES_MAX, SEALED_HEADER_BYTES, SEALED_TAG_BYTES, Slot,
    WIRE_VERSION, Writer,
};
pub use event::{ServerCounters, ServerEvent, SessionId};
use limits::{
    ANSWERS_MAX, CONFIRM_WITHIN, DOCUMENT_PARTS_PER_SECOND, FLOOD_PACKETS, GOODBYES, PACKETS_PER_SECOND,
    PATH_ASK_BYTES, REPLY_WITHIN, UNCONFIRMED_MAX,
};
use room::Room;
pub use room::RoomAccess;
use session::{Candidate, ClockQuestion, DuePacket, Session};

/// All sessions of a relay.
#[derive(Debug)]
pub struct Server {
    key: RelayKey,
    rooms: Vec<Room>,
    epoch: u64,
    entropy: Entropy,
    cookies: CookieJar,
    hello_limit: HelloLimit,
    next_id: u64,
    sessions: BTreeMap<SessionId, Session>,
    by_index: BTreeMap<u32, SessionId>,
    answers: VecDeque<(SocketAddr, Handshake)>,
    events: VecDeque<ServerEvent>,
    /// The earliest time at which any session may have something to do.
    due: LocalTime,
    counters: ServerCounters,
}

impl Server {
    /// A server with its rooms open. `seed` must be fresh entropy, or a constant in a simulation.
    #[must_use]
    pub fn new(key: RelayKey, rooms: &[RoomAccess], seed: &[u8; 32]) -> Self {
        let mut entropy = Entropy::new(seed);
        let rooms = rooms.iter().map(Room::new).collect();
        Self {
            key,
            rooms,
            epoch: entropy.u64(),
            cookies: CookieJar::new(&entropy.bytes32()),
            entropy,
            hello_limit: HelloLimit::default(),
            next_id: 0,
            sessions: BTreeMap::new(),
            by_index: BTreeMap::new(),
            answers: VecDeque::new(),
            events: VecDeque::new(),
            due: LocalTime::NEVER,
            counters: ServerCounters::default(),
        }
    }

    /// Takes a datagram, decrypting in place; returns whose sealed packet it was and its elements, for the sake of
    /// the audio. What concerns the session has been seen to. `grid` is the grid at `now`.
    pub fn handle_datagram<'a>(
        &mut self,
        now: LocalTime,
        grid: GridPosition,
        from: SocketAddr,
        datagram: &'a mut [u8],
    ) -> Option<(SessionId, Elements<'a>)> {
        if Handshake::is_handshake(datagram) {
            match Handshake::decode(datagram) {
                Ok(Handshake::Hello(hello)) => self.handle_hello(now, from, &hello),
                Ok(Handshake::Retry { .. } | Handshake::Welcome { .. } | Handshake::Refused { .. }) => {
                    self.counters.stray += 1;
                }
                Err(_) => self.counters.malformed += 1,
            }
            return None;
        }
        let index = receiver_index(datagram);
        if index.is_none() {
            self.counters.malformed += 1;
            return None;
        }
        let Some(&id) = index.and_then(|index| self.by_index.get(&index)) else {
            self.counters.stray += 1;
            return None;
        };
        let session = self.sessions.get_mut(&id)?;
        let length = datagram.len();
        let opened = match session.channel.open(datagram) {
            Ok(opened) => opened,
            Err(error) => {
                self.counters.count(error);
                return None;
            }
        };
        // Only what is authentic counts against a member: nobody else can use up its rate.
        if !session.bucket.take(now, PACKETS_PER_SECOND) {
            self.counters.flooded += 1;
            session.over_rate += 1;
            if session.over_rate >= FLOOD_PACKETS {
                self.end(now, id, LeaveReason::Flooding);
            }
            return None;
        }
        session.over_rate = 0;
        session.last_received = now;
        if from != session.address && opened.is_newest && length >= PATH_ASK_BYTES {
            session.consider(now, from, &mut self.entropy);
            self.due = now;
        }
        if session.is_stale {
            session.is_stale = false;
            self.events.push_back(ServerEvent::Heard { session: id });
        }
        if !session.is_confirmed {
            self.confirm(id);
        }
        let elements = Elements::new(opened.plain);
        for element in elements.clone() {
            match element {
                Ok(element) => self.handle_element(now, grid, from, id, &element),
                Err(_) => self.counters.malformed += 1,
            }
        }
        self.sessions.contains_key(&id).then_some((id, elements))
    }

    fn handle_hello(&mut self, now: LocalTime, from: SocketAddr, hello: &Hello) {
        if hello.version != WIRE_VERSION {
            self.refuse(from, hello, RefuseReason::Version);
            return;
        }
        if !self.cookies.is_good(now, from, &hello.cookie) {
            self.counters.cookies += 1;
            let cookie = self.cookies.bake(now, from);
            self.answer(from, Handshake::Retry { hello_id: hello.hello_id, cookie });
            return;
        }
        if !self.hello_limit.allows(now, from) {
            self.refuse(from, hello, RefuseReason::TooMany);
            return;
        }
        let Some(number) = self.rooms.iter().position(|room| room.tag == hello.room_tag) else {
            self.refuse(from, hello, RefuseReason::UnknownRoom);
            return;
        };
        match self.agree(now, from, number, hello) {
            Ok(answer) => self.answer(from, answer),
            Err(reason) => self.refuse(from, hello, reason),
        }
    }

    /// The key agreement; leaves a session that its first sealed packet will confirm.
    fn agree(
        &mut self,
        now: LocalTime,
        from: SocketAddr,
        number: usize,
        hello: &Hello,
    ) -> Result<Handshake, RefuseReason> {
        let room = self.rooms.get(number).ok_or(RefuseReason::UnknownRoom)?;
        let mut noise = Noise::relay(self.key.private(), &room.psk, &room.tag, &mut self.entropy)
            .map_err(|_| RefuseReason::WrongKey)?;
        let payload = noise.read(&hello.noise).map_err(|_| RefuseReason::WrongKey)?;
        let mut member_key = [0; 16];
        member_key.copy_from_slice(&payload[..16]);
        let member_key = MemberKey(member_key);
        let peer_index = u32::from_le_bytes([payload[16], payload[17], payload[18], 0]);
        let others = self
            .sessions
            .values()
            .filter(|session| {
                session.room == number && session.is_confirmed && session.member_key != member_key
            })
            .count();
        if others >= room.members_max {
            return Err(RefuseReason::RoomFull);
        }
        if self.sessions.values().filter(|session| !session.is_confirmed).count() >= UNCONFIRMED_MAX {
            return Err(RefuseReason::TooMany);
        }
        let index = self.free_index();
        let mut payload: Payload = [0; NOISE_PAYLOAD_BYTES];
        payload[..4].copy_from_slice(&index.to_le_bytes());
        payload[4..12].copy_from_slice(&self.epoch.to_le_bytes());
        let message = noise.write(&payload).map_err(|_| RefuseReason::WrongKey)?;
        let keys = noise.finish();
        let id = SessionId(self.next_id);
        self.next_id += 1;
        self.by_index.insert(index, id);
        let channel = Channel::new(&keys.to_member, &keys.to_relay, peer_index);
        self.sessions.insert(id, Session::new(now, number, member_key, index, from, channel));
        self.due = self.due.min(now + CONFIRM_WITHIN);
        Ok(Handshake::Welcome { hello_id: hello.hello_id, noise: message })
    }

    fn free_index(&mut self) -> u32 {
        loop {
            let index = self.entropy.u24();
            if !self.by_index.contains_key(&index) {
                return index;
            }
        }
    }

    fn answer(&mut self, to: SocketAddr, answer: Handshake) {
        if self.answers.len() < ANSWERS_MAX {
            self.answers.push_back((to, answer));
        } else {
            self.counters.answers_dropped += 1;
        }
    }

    fn refuse(&mut self, to: SocketAddr, hello: &Hello, reason: RefuseReason) {
        self.counters.refused += 1;
        self.answer(to, Handshake::Refused { hello_id: hello.hello_id, version: WIRE_VERSION, reason });
    }

    /// The session's first packet: from now on it is the member's, and its earlier session is over.
    fn confirm(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.is_confirmed = true;
        let (room, member_key, from) = (session.room, session.member_key, session.address);
        let earlier = self.sessions.iter().find_map(|(&other, session)| {
            let is_earlier = other != id && session.is_confirmed;
            (is_earlier && session.room == room && session.member_key == member_key).then_some(other)
        });
        match earlier {
            None => self.events.push_back(ServerEvent::Joined { session: id, room, from }),
            Some(old) => {
                // What the member had not acknowledged comes again through its new session.
                if let Some(mut sending) =
                    self.sessions.get_mut(&old).map(|old| core::mem::take(&mut old.sending))
                {
                    sending.restart(LocalTime::ZERO);
                    if let Some(session) = self.sessions.get_mut(&id) {
                        session.sending = sending;
                    }
                }
                self.forget(old);
                self.events.push_back(ServerEvent::Returned { old, new: id, from });
            }
        }
    }

    fn handle_element(
        &mut self,
        now: LocalTime,
        grid: GridPosition,
        from: SocketAddr,
        id: SessionId,
        element: &Element<'_>,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match element {
            Element::ClockAsk { sent } => {
                let reply_by = now + REPLY_WITHIN;
                session.clock_question = Some(ClockQuestion { sent: *sent, relay_received: grid, reply_by });
                self.due = self.due.min(reply_by);
            }
            Element::Document(part) => {
                if !session.documents.take(now, DOCUMENT_PARTS_PER_SECOND) {
                    self.counters.documents_limited += 1;
                } else if let Some((slot, bytes)) = session.incoming.take(part) {
                    self.events.push_back(ServerEvent::Document { session: id, slot, bytes });
                }
                self.due = now;
            }
            Element::Acknowledge { slot, version } => session.outgoing.acknowledge(*slot, *version),
            Element::Flow(part) => {
                let entries = session.receiving.take(part);
                self.events
                    .extend(entries.map(|entry| ServerEvent::Entry { session: id, bytes: entry.to_vec() }));
                self.due = now;
            }
            Element::FlowAcknowledge { awaited } => {
                session.sending.acknowledge(*awaited);
                self.due = self.due.min(session.sending.due());
            }
            Element::Leave(reason) => {
                self.forget(id);
                self.events.push_back(ServerEvent::Ended { session: id, reason: Some(*reason) });
            }
            Element::PathReply { token } => {
                if session.candidate.is_some_and(|to| to.token == *token && to.address == from) {
                    session.address = from;
                    session.candidate = None;
                    self.events.push_back(ServerEvent::Moved { session: id, to: from });
                }
            }
            // Audio is the caller's; the rest only relays say.
            Element::Audio(_) | Element::ClockReply { .. } | Element::PathAsk { .. } => {}
        }
    }

    /// Does what is due: gives up sessions that were not confirmed or are silent.
    pub fn handle_timeout(&mut self, now: LocalTime) {
        if now < self.due {
            return;
        }
        let mut over = Vec::new();
        for (&id, session) in &mut self.sessions {
            let silence = now - session.last_received;
            if !session.is_confirmed {
                if silence >= CONFIRM_WITHIN {
                    over.push((id, false));
                }
            } else if silence >= KEEP_PLACE {
                over.push((id, true));
            } else if silence >= STALE_AFTER && !session.is_stale {
                session.is_stale = true;
                self.events.push_back(ServerEvent::Stale { session: id });
            }
        }
        for (id, was_member) in over {
            self.forget(id);
            if was_member {
                self.events.push_back(ServerEvent::Ended { session: id, reason: None });
            }
        }
        self.due = self.earliest_due();
    }

    fn forget(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.remove(&id) {
            self.by_index.remove(&session.index);
        }
    }

    /// Writes the next datagram that is due and carries no audio; returns where it goes and its length.
    pub fn poll_transmit(
        &mut self,
        now: LocalTime,
        grid: GridPosition,
        out: &mut [u8],
    ) -> Option<(SocketAddr, usize)> {
        if let Some((to, answer)) = self.answers.pop_front() {
            let mut writer = Writer::new(out);
            answer.encode(&mut writer).ok()?;
            return Some((to, writer.length()));
        }
        if now < self.due {
            return None;
        }
        let due = self
            .sessions
            .iter()
            .find_map(|(&id, session)| session.due_packet(now).map(|packet| (id, packet)));
        let Some((id, packet)) = due else {
            // What was due has been done, as far as it could be.
            self.due = self.earliest_due().max(now + Span::from_micros(100));
            return None;
        };
        let session = self.sessions.get_mut(&id)?;
        match packet {
            DuePacket::PathAsk(candidate) => {
                session.candidate = Some(Candidate { owes_ask: false, asked: now, ..candidate });
                let length = session.seal_bare(out, &Element::PathAsk { token: candidate.token })?;
                Some((candidate.address, length))
            }
            DuePacket::Goodbye(reason, left) => {
                let length = session.seal_bare(out, &Element::Leave(reason))?;
                let to = session.address;
                if left > 1 {
                    session.goodbye = Some((reason, left - 1));
                } else {
                    self.forget(id);
                }
                Some((to, length))
            }
            DuePacket::Owed => self.seal(id, now, grid, out, |_| {}),
        }
    }

    fn earliest_due(&self) -> LocalTime {
        self.sessions.values().map(Session::due).min().unwrap_or(LocalTime::NEVER)
    }

    /// Seals a packet of what `write` adds (audio), then what the session owes as far as it fits; returns where it
    /// goes and its length. None when the session is over or its member silent.
    pub fn seal(
        &mut self,
        id: SessionId,
        now: LocalTime,
        grid: GridPosition,
        out: &mut [u8],
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Option<(SocketAddr, usize)> {
        let session = self.sessions.get_mut(&id)?;
        let plain_end =
            (SEALED_HEADER_BYTES + PLAIN_BYTES_MAX).min(out.len().saturating_sub(SEALED_TAG_BYTES));
        let mut plain = Writer::new(out.get_mut(SEALED_HEADER_BYTES..plain_end)?);
        write(&mut plain);
        if let Some(question) = session.clock_question {
            let reply = Element::ClockReply {
                sent: question.sent,
                relay_received: question.relay_received,
                relay_sent: grid,
            };
            if reply.encode(&mut plain).is_ok() {
                session.clock_question = None;
            }
        }
        session.incoming.write(&mut plain);
        session.outgoing.write(now, &mut plain);
        session.receiving.write(&mut plain);
        session.sending.write(now, &mut plain);
        let length = plain.length();
        Some((session.address, session.channel.seal(out, length)))
    }

    /// When `handle_timeout` or `poll_transmit` has something to do without a datagram arriving.
    #[must_use]
    pub fn poll_timeout(&self) -> LocalTime {
        if self.answers.is_empty() { self.due } else { LocalTime::ZERO }
    }

    /// What happened, oldest first.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// Retains a document for a member, through this session.
    pub fn publish(&mut self, now: LocalTime, id: SessionId, slot: Slot, bytes: &[u8]) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.outgoing.publish(now, slot, bytes);
            self.due = now;
        }
    }

    /// Sends an entry of at most [`FLOW_ENTRY_BYTES_MAX`](crate::wire::FLOW_ENTRY_BYTES_MAX) bytes in the flow to a member.
    ///
    /// # Errors
    /// So much waits already that the member cannot be there.
    pub fn send_entry(&mut self, now: LocalTime, id: SessionId, entry: &[u8]) -> Result<(), FlowFull> {
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        session.sending.push(now, entry)?;
        self.due = now;
        Ok(())
    }

    /// Ends a session: the member is told, and it is over at once.
    pub fn end(&mut self, now: LocalTime, id: SessionId, reason: LeaveReason) {
        if let Some(session) = self.sessions.get_mut(&id)
            && session.goodbye.is_none()
        {
            session.goodbye = Some((reason, GOODBYES));
            self.events.push_back(ServerEvent::Ended { session: id, reason: Some(reason) });
            self.due = now;
        }
    }

    /// Whether a packet for this session would reach anyone: confirmed, heard lately, not ended.
    #[must_use]
    pub fn is_listening(&self, id: SessionId) -> bool {
        self.sessions
            .get(&id)
            .is_some_and(|session| session.is_confirmed && !session.is_stale && session.goodbye.is_none())
    }

    /// What of a member's datagrams does not arrive; none when the session is over.
    #[must_use]
    pub fn loss(&self, id: SessionId) -> Option<&LossMeter> {
        self.sessions.get(&id).map(|session| session.channel.loss())
    }

    /// Datagrams by what became of them.
    #[must_use]
    pub const fn counters(&self) -> ServerCounters {
        self.counters
    }
}
