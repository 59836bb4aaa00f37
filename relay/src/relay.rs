//! The root machine: sessions and rooms behind five verbs.
//!
//! A datagram goes to the session server, which opens it and sees to everything but the audio; the audio goes to
//! the sender's room. What rooms have to send is pulled out again by [`Relay::poll_transmit`], sealed one listener
//! at a time straight into the caller's buffer.
//!
//! A room runs inside a guard: if it fails, its members are told and it starts anew, empty; the others play on.

pub mod command;
mod event;
mod midi;

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use core::net::SocketAddr;

use lockstep_shared::redundancy::Asked;
use lockstep_shared::session::{
    Entropy, RelayKey, RoomAccess, RoomSecret, Server, ServerCounters, ServerEvent, SessionId,
};
use lockstep_shared::time::{GridPosition, LocalTime, Span};
use lockstep_shared::wire::{Element, Elements, Gains, Lead, LeaveReason, Profile, RoomDelay, Slot, Writer};

pub use self::event::RelayEvent;
pub use self::midi::Outward;
use crate::bridge::{Bridge, BridgeSettings};
use crate::grid::Grid;
use crate::room::{Presence, Room, RoomCounters, Send, Told};

/// How often the loss on every member's way here is weighed.
const WEIGH_EVERY: Span = Span::from_millis(500);

/// What one room allows.
#[derive(Clone, Debug)]
pub struct RoomSettings {
    /// The room's name, as in its invite.
    pub name: String,
    /// The room's secret, as in its invite.
    pub secret: [u8; 16],
    /// Members at a time.
    pub members_max: usize,
    /// Its MIDI beside the members.
    pub midi: BridgeSettings,
}

/// What a relay starts with.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// The relay's static X25519 private key.
    pub private_key: [u8; 32],
    /// The rooms.
    pub rooms: Vec<RoomSettings>,
    /// Fresh entropy: cookies, session indices and ephemeral keys come from it.
    pub seed: [u8; 32],
}

/// Counters since the start; all only grow, except those named `_now`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayStats {
    /// Datagrams handed in.
    pub datagrams_in: u64,
    /// Datagrams handed out.
    pub datagrams_out: u64,
    /// Members in all rooms, present or awaited back.
    pub members_now: u64,
    /// Rooms that failed and were started anew.
    pub room_failures: u64,
    /// Documents that could not be read.
    pub documents_malformed: u64,
    /// MIDI of members that could not be read.
    pub midi_malformed: u64,
    /// MIDI that was not kept for a member, since it acknowledges nothing.
    pub midi_unheard: u64,
    /// What the sessions counted.
    pub sessions: ServerCounters,
    /// What the rooms counted, summed.
    pub rooms: RoomCounters,
}

/// The relay as one value. After every `handle_*` or command, drain `poll_transmit` and `poll_event` before the
/// next; `poll_timeout` says when `handle_timeout` is due.
#[derive(Debug)]
pub struct Relay {
    grid: Grid,
    server: Server,
    rooms: Vec<(String, Room)>,
    /// What each room was opened with: one that fails is opened with it again.
    settings: Vec<RoomSettings>,
    entropy: Entropy,
    outward: VecDeque<(usize, Outward)>,
    /// Which room a session is in.
    room_of: BTreeMap<SessionId, usize>,
    events: VecDeque<RelayEvent>,
    is_monitored: bool,
    /// When loss is weighed next.
    weigh_due: LocalTime,
    stats: RelayStats,
}

impl Relay {
    /// A relay with its rooms open and nobody in them. The grid starts at `now`.
    #[must_use]
    pub fn new(settings: RelaySettings, now: LocalTime) -> Self {
        let access: Vec<_> = settings
            .rooms
            .iter()
            .map(|room| RoomAccess { secret: RoomSecret(room.secret), members_max: room.members_max })
            .collect();
        let grid = Grid::starting_at(now);
        let mut entropy = Entropy::new(&settings.seed);
        let mut open = |room: &RoomSettings| open_room(room, grid, &mut entropy, now);
        Self {
            grid,
            server: Server::new(RelayKey::from_private(settings.private_key), &access, &settings.seed),
            rooms: settings.rooms.iter().map(|room| (room.name.clone(), open(room))).collect(),
            settings: settings.rooms,
            entropy,
            outward: VecDeque::new(),
            room_of: BTreeMap::new(),
            events: VecDeque::new(),
            is_monitored: false,
            weigh_due: now,
            stats: RelayStats::default(),
        }
    }

    /// Takes a datagram; `bytes` is decrypted in place.
    pub fn handle_datagram(&mut self, now: LocalTime, from: SocketAddr, bytes: &mut [u8]) {
        self.stats.datagrams_in += 1;
        let grid = self.grid.position(now);
        let opened = self.server.handle_datagram(now, grid, from, bytes);
        if let Some((session, elements)) = opened {
            // A member's first packet may hold audio; it is in its room from here on.
            self.drain_events(now);
            if let Some(&number) = self.room_of.get(&session) {
                self.guard(now, number, |room| room.take_audio(session, grid, audio_of(elements)));
            }
        } else {
            self.drain_events(now);
        }
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: LocalTime) {
        self.server.handle_timeout(now);
        self.drain_events(now);
        for number in 0..self.rooms.len() {
            self.guard(now, number, |room| room.midi.handle_timeout(now));
        }
        self.drain_midi(now);
        if now >= self.weigh_due {
            self.weigh_due = now + WEIGH_EVERY;
            self.weigh_protection(now);
        }
    }

    /// Asks members for copies, or for none any more.
    fn weigh_protection(&mut self, now: LocalTime) {
        for (_, room) in &mut self.rooms {
            let server = &self.server;
            for (session, asked) in room.weigh_protection(|session| server.loss(session)) {
                let mut buffer = [0; 4];
                let mut out = Writer::new(&mut buffer);
                // Four bytes for a document of four bytes.
                let _ = asked.encode(&mut out);
                self.server.publish(now, session, Slot::PROTECTION, out.written());
            }
        }
    }

    /// Writes the next datagram to send into `out` and says where it goes.
    pub fn poll_transmit(&mut self, now: LocalTime, out: &mut [u8]) -> Option<(SocketAddr, usize)> {
        let grid = self.grid.position(now);
        for number in 0..self.rooms.len() {
            while let Some(sent) = self.poll_room(now, grid, number, out) {
                if let Some(datagram) = sent {
                    self.stats.datagrams_out += 1;
                    return Some(datagram);
                }
            }
        }
        let datagram = self.server.poll_transmit(now, grid, out);
        self.stats.datagrams_out += u64::from(datagram.is_some());
        datagram
    }

    /// The room's next datagram: none if it has none, none inside if its listener has just gone.
    #[expect(clippy::option_option, reason = "the two nones differ: nothing left, and nothing for this one")]
    fn poll_room(
        &mut self,
        now: LocalTime,
        grid: GridPosition,
        number: usize,
        out: &mut [u8],
    ) -> Option<Option<(SocketAddr, usize)>> {
        let server = &mut self.server;
        let (_, room) = self.rooms.get_mut(number)?;
        let sent = catch_unwind(AssertUnwindSafe(|| {
            let (session, send) = room.next_send(grid)?;
            Some(server.seal(session, now, grid, out, |plain| {
                // Either was sized to fit an empty packet.
                let _ = match send {
                    Send::Stems(elements) => plain.bytes(elements),
                    Send::Mix(mix) => mix.encode(plain),
                };
            }))
        }));
        sent.unwrap_or_else(|failure| {
            self.room_failed(now, number, failure.as_ref());
            None
        })
    }

    /// When `handle_timeout` is due.
    #[must_use]
    pub fn poll_timeout(&self) -> LocalTime {
        let mix = self.rooms.iter().filter_map(|(_, room)| room.mix_due()).min();
        let mix = mix.map_or(LocalTime::NEVER, |frame| self.grid.local(frame));
        let midi = self.rooms.iter().map(|(_, room)| room.midi.poll_timeout()).min();
        let weigh = if self.room_of.is_empty() { LocalTime::NEVER } else { self.weigh_due };
        mix.min(self.server.poll_timeout()).min(midi.unwrap_or(LocalTime::NEVER)).min(weigh)
    }

    /// What the shell should log.
    pub fn poll_event(&mut self) -> Option<RelayEvent> {
        self.events.pop_front()
    }

    /// Tells every member that the relay stops; drain `poll_transmit` afterwards.
    pub fn stop(&mut self, now: LocalTime) {
        for session in self.room_of.keys() {
            self.server.end(now, *session, LeaveReason::RelayStops);
        }
        for (_, room) in &mut self.rooms {
            room.midi.end(now);
        }
        self.drain_events(now);
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> RelayStats {
        let mut rooms = RoomCounters::default();
        let mut members_now = 0;
        for (_, room) in &self.rooms {
            let counted = room.counters();
            rooms.unknown_strip += counted.unknown_strip;
            rooms.off_grid += counted.off_grid;
            rooms.undecodable += counted.undecodable;
            rooms.late_for_mix += counted.late_for_mix;
            rooms.copies_spare += counted.copies_spare;
            rooms.copies_used += counted.copies_used;
            rooms.absent_from_mix += counted.absent_from_mix;
            members_now += room.member_count() as u64;
        }
        RelayStats { members_now, rooms, sessions: self.server.counters(), ..self.stats }
    }

    /// The grid that all rooms count by.
    #[must_use]
    pub const fn grid(&self) -> Grid {
        self.grid
    }

    /// Carries what happened to sessions into the rooms.
    fn drain_events(&mut self, now: LocalTime) {
        let grid = self.grid.position(now);
        let Self { server, rooms, room_of, events, stats, .. } = self;
        while let Some(event) = server.poll_event() {
            let session = match event {
                ServerEvent::Joined { session, .. }
                | ServerEvent::Document { session, .. }
                | ServerEvent::Moved { session, .. }
                | ServerEvent::Entry { session, .. }
                | ServerEvent::Stale { session }
                | ServerEvent::Heard { session }
                | ServerEvent::Ended { session, .. } => session,
                ServerEvent::Returned { old, .. } => old,
            };
            if let ServerEvent::Joined { session, room, .. } = event {
                room_of.insert(session, room);
            }
            let Some(&number) = room_of.get(&session) else { continue };
            let Some((name, room)) = rooms.get_mut(number) else { continue };
            let name = name.clone();
            let member = room.name_of(session).to_owned();
            let mut time_changed = false;
            let roster_changed = match event {
                ServerEvent::Joined { session, from, .. } => {
                    room.join(session);
                    events.push_back(RelayEvent::Joined { room: name, from });
                    true
                }
                ServerEvent::Returned { old, new, from } => {
                    room_of.remove(&old);
                    room_of.insert(new, number);
                    room.returned(old, new);
                    events.push_back(RelayEvent::Returned { room: name, member, from });
                    true
                }
                ServerEvent::Document { session, slot, bytes } => {
                    match take_document(room, session, slot, &bytes, grid) {
                        Taken::Profile => {
                            if room.name_of(session) != member {
                                let member = room.name_of(session).to_owned();
                                events.push_back(RelayEvent::Named { room: name, member });
                            }
                            true
                        }
                        Taken::Gains | Taken::Protection => false,
                        Taken::Delay => {
                            time_changed = true;
                            false
                        }
                        Taken::Lead(told) => {
                            time_changed = told == Told::Everybody;
                            false
                        }
                        Taken::Malformed => {
                            stats.documents_malformed += 1;
                            false
                        }
                    }
                }
                ServerEvent::Entry { session, bytes } => {
                    stats.midi_malformed += u64::from(room.take_midi(session, now, grid, &bytes).is_err());
                    false
                }
                ServerEvent::Moved { to, .. } => {
                    events.push_back(RelayEvent::Moved { room: name, member, to });
                    false
                }
                ServerEvent::Stale { session } => {
                    room.set_present(session, now, Presence::Awaited);
                    events.push_back(RelayEvent::Silent { room: name, member });
                    false
                }
                ServerEvent::Heard { session } => {
                    room.set_present(session, now, Presence::Present);
                    false
                }
                ServerEvent::Ended { session, reason } => {
                    room_of.remove(&session);
                    room.leave(session, now);
                    events.push_back(RelayEvent::Left { room: name, member, reason });
                    true
                }
            };
            if time_changed {
                room.sync_line();
            }
            if time_changed || roster_changed {
                let timeline = room.timeline();
                let mut buffer = [0; 4];
                let mut delay = Writer::new(&mut buffer);
                // Four bytes for a number of four bytes.
                let _ = room.delay().encode(&mut delay);
                for session in room.sessions() {
                    server.publish(now, session, Slot::TIMELINE, &timeline);
                    server.publish(now, session, Slot::DELAY, delay.written());
                }
            }
            if roster_changed {
                for (session, roster) in room.rosters() {
                    server.publish(now, session, Slot::ROSTER, &roster);
                }
            }
        }
        self.drain_midi(now);
    }

    /// Runs `work` on a room; a panic in it ends the room's sessions and leaves an empty room.
    fn guard(&mut self, now: LocalTime, number: usize, work: impl FnOnce(&mut Room)) {
        let Some((_, room)) = self.rooms.get_mut(number) else { return };
        if let Err(failure) = catch_unwind(AssertUnwindSafe(|| work(room))) {
            self.room_failed(now, number, failure.as_ref());
        }
    }

    fn room_failed(
        &mut self,
        now: LocalTime,
        number: usize,
        failure: &(dyn core::any::Any + core::marker::Send),
    ) {
        let failure = failure
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| failure.downcast_ref::<&str>().map(|&text| text.to_owned()))
            .unwrap_or_default();
        let Some((name, room)) = self.rooms.get_mut(number) else { return };
        let Some(settings) = self.settings.get(number) else { return };
        *room = open_room(settings, self.grid, &mut self.entropy, now);
        self.events.push_back(RelayEvent::RoomFailed { room: name.clone(), failure });
        self.stats.room_failures += 1;
        let sessions = self.room_of.iter().filter(|(_, room)| **room == number).map(|(session, _)| *session);
        for session in sessions.collect::<Vec<_>>() {
            self.server.end(now, session, LeaveReason::RoomFailed);
        }
        self.drain_events(now);
    }
}

/// An empty room.
fn open_room(settings: &RoomSettings, grid: Grid, entropy: &mut Entropy, now: LocalTime) -> Room {
    let mut seed = [0; 32];
    for part in seed.chunks_exact_mut(8) {
        part.copy_from_slice(&entropy.u64().to_le_bytes());
    }
    Room::new(Bridge::new(settings.midi.clone(), grid, &seed, now))
}

enum Taken {
    Profile,
    Gains,
    Protection,
    Lead(Told),
    Delay,
    Malformed,
}

fn take_document(room: &mut Room, session: SessionId, slot: Slot, bytes: &[u8], grid: GridPosition) -> Taken {
    match slot {
        Slot::PROFILE => match Profile::decode(bytes) {
            Ok(profile) => {
                room.set_profile(session, profile);
                Taken::Profile
            }
            Err(_) => Taken::Malformed,
        },
        Slot::GAINS => match Gains::decode(bytes) {
            Ok(gains) => {
                room.set_gains(session, &gains);
                Taken::Gains
            }
            Err(_) => Taken::Malformed,
        },
        Slot::DELAY => match RoomDelay::decode(bytes) {
            Ok(delay) => {
                room.set_delay(session, delay);
                Taken::Delay
            }
            Err(_) => Taken::Malformed,
        },
        Slot::PROTECTION => match Asked::decode(bytes) {
            Ok(asked) => {
                room.set_asked(session, asked);
                Taken::Protection
            }
            Err(_) => Taken::Malformed,
        },
        Slot::LEAD => match Lead::decode(bytes) {
            Ok(wish) => Taken::Lead(room.set_lead(session, grid, wish)),
            Err(_) => Taken::Malformed,
        },
        _ => Taken::Malformed,
    }
}

fn audio_of(elements: Elements<'_>) -> impl Iterator<Item = lockstep_shared::wire::Audio<'_>> {
    elements.filter_map(|element| match element {
        Ok(Element::Audio(audio)) => Some(audio),
        Ok(
            Element::ClockAsk { .. }
            | Element::ClockReply { .. }
            | Element::Document(_)
            | Element::Acknowledge { .. }
            | Element::Leave(_)
            | Element::PathAsk { .. }
            | Element::PathReply { .. }
            | Element::Flow(_)
            | Element::FlowAcknowledge { .. },
        )
        | Err(_) => None,
    })
}

#[cfg(test)]
mod tests;
