//! One room: its members, their strips, and what each of them is sent.
//!
//! Audio that arrives is *forwarded* at once, as it was written, to every member that asked for stems, and put
//! into the strip's window for the *mix* of those that asked for one ([`mixer`]). Both are pulled: the room notes
//! what there is to send, and [`Room::next_send`] yields it listener by listener, so that nothing is queued.

mod forward;
mod lead;
mod member;
mod mixer;
mod protection;
mod roster;
mod strip;

use std::collections::BTreeMap;

use lockstep_shared::redundancy::{Asked, Protection};
use lockstep_shared::session::SessionId;
use lockstep_shared::time::convert::f64_from_i64;
use lockstep_shared::time::{Frames, GridPosition, LocalTime};
use lockstep_shared::timeline::Timeline;
use lockstep_shared::wire::{
    Audio, AudioHead, DOCUMENT_BYTES_MAX, DecodeError, Element, Gains, Lead, MemberId, PLAIN_BYTES_MAX,
    PlayMode, Profile, Role, RoomDelay, StripId, Writer,
};

use crate::bridge::{Bridge, Source};
use crate::relay::command::{CommandRefused, RoomStatus};
use forward::{FRESH_MAX, Forward};
use lead::RoomLead;
pub use lead::Told;
use member::Member;
pub use mixer::Mix;
use mixer::Mixer;
use strip::{ROOM_WINDOW_CHUNKS, Strip};

/// How far ahead of the grid a chunk may be named: a member whose clock has not settled, not more.
const AHEAD_MAX: Frames = Frames(4_800);
/// How far from the grid's now MIDI may claim to count; beyond, it counts at the nearer end.
const MIDI_REACH: Frames = Frames(48_000);

/// What a room counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoomCounters {
    /// Audio of a strip that its member has not announced.
    pub unknown_strip: u64,
    /// Audio named so far from the grid's now that it could not be played.
    pub off_grid: u64,
    /// Chunks whose samples are coded, and no code.
    pub undecodable: u64,
    /// Chunks that came after their mix had left.
    pub late_for_mix: u64,
    /// Copies of what had come already.
    pub copies_spare: u64,
    /// Copies of what had not.
    pub copies_used: u64,
    /// Chunks mixed without one of the strips that play.
    pub absent_from_mix: u64,
}

/// One room.
#[derive(Debug)]
pub struct Room {
    members: BTreeMap<MemberId, Member>,
    by_session: BTreeMap<SessionId, MemberId>,
    strips: BTreeMap<StripId, Strip>,
    next_member: u16,
    next_strip: u16,
    lead: RoomLead,
    /// Its MIDI: what members, RTP-MIDI participants and ports play.
    pub(crate) midi: Bridge,
    /// What the clock from outside that leads last wanted of the room's time.
    clock_lead: Option<Lead>,
    forward: Forward,
    mixer: Mixer,
    counters: RoomCounters,
    #[cfg(test)]
    is_poisoned: bool,
}

/// One datagram's worth for one member.
#[derive(Debug)]
pub enum Send<'a> {
    /// Elements, ready to be sealed.
    Stems(&'a [u8]),
    /// A mix, to be written.
    Mix(Mix<'a>),
}

impl Room {
    /// An empty room.
    #[must_use]
    pub fn new(midi: Bridge) -> Self {
        Self {
            members: BTreeMap::new(),
            by_session: BTreeMap::new(),
            strips: BTreeMap::new(),
            next_member: 0,
            next_strip: 0,
            lead: RoomLead::default(),
            midi,
            clock_lead: None,
            forward: Forward {
                bytes: Box::new([0; PLAIN_BYTES_MAX]),
                length: 0,
                strips: [None; FRESH_MAX],
                with_copies: Box::new([0; PLAIN_BYTES_MAX]),
                from: MemberId(0),
                next: None,
            },
            mixer: Mixer::new(),
            counters: RoomCounters::default(),
            #[cfg(test)]
            is_poisoned: false,
        }
    }

    /// A member came in with this session.
    pub fn join(&mut self, session: SessionId) {
        while self.members.contains_key(&MemberId(self.next_member))
            || MemberId(self.next_member) == MemberId::CLOCK
        {
            self.next_member = self.next_member.wrapping_add(1);
        }
        let id = MemberId(self.next_member);
        self.next_member = self.next_member.wrapping_add(1);
        self.members.insert(id, Member::new(session));
        self.by_session.insert(session, id);
    }

    /// A member has a new session; it stays the same member with the same strips.
    pub fn returned(&mut self, old: SessionId, new: SessionId) {
        if let Some(id) = self.by_session.remove(&old)
            && let Some(member) = self.members.get_mut(&id)
        {
            member.session = new;
            member.is_present = true;
            member.told = Asked::default();
            member.set_asked(Asked::default());
            self.by_session.insert(new, id);
        }
    }

    /// A member is heard, or not for a while: nothing is sent to one that is absent, and nothing it holds sounds on.
    pub fn set_present(&mut self, session: SessionId, now: LocalTime, presence: Presence) {
        if presence == Presence::Awaited
            && let Some(id) = self.by_session.get(&session)
        {
            self.midi.drop_source(now, Source::Member(*id));
        }
        if let Some(member) = self.by_session.get(&session).and_then(|id| self.members.get_mut(id)) {
            member.is_present = presence == Presence::Present;
        }
    }

    /// The member's place is free.
    pub fn leave(&mut self, session: SessionId, now: LocalTime) {
        if let Some(id) = self.by_session.remove(&session) {
            self.midi.drop_source(now, Source::Member(id));
            self.members.remove(&id);
            let _ = self.lead.leave(id);
            self.strips.retain(|_, strip| strip.member != id);
        }
    }

    /// What the member is and wants. Strips it had before keep their numbers.
    pub fn set_profile(&mut self, session: SessionId, profile: Profile) {
        let Some(&id) = self.by_session.get(&session) else { return };
        self.strips.retain(|_, strip| {
            strip.member != id || profile.strips.iter().any(|kept| kept.number == strip.number)
        });
        for wanted in &profile.strips {
            let known =
                self.strips.values_mut().find(|strip| strip.member == id && strip.number == wanted.number);
            if let Some(strip) = known {
                wanted.name.clone_into(&mut strip.name);
                strip.channels = wanted.channels;
            } else {
                let free = self.free_strip();
                self.strips.insert(free, Strip::new(id, wanted));
            }
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.profile = profile;
        }
    }

    fn free_strip(&mut self) -> StripId {
        while self.strips.contains_key(&StripId(self.next_strip)) || StripId(self.next_strip) == StripId::MIX
        {
            self.next_strip = self.next_strip.wrapping_add(1);
        }
        let id = StripId(self.next_strip);
        self.next_strip = self.next_strip.wrapping_add(1);
        id
    }

    /// The member's own gains in its mix.
    pub fn set_gains(&mut self, session: SessionId, gains: &Gains) {
        if let Some(member) = self.by_session.get(&session).and_then(|id| self.members.get_mut(id)) {
            member.set_gains(gains);
            // A gain of no strip never walks back to one: what a later document does not repeat is forgotten.
            let strips = &self.strips;
            member.gains.retain(|strip, gain| gain.target() != 1.0 || strips.contains_key(strip));
        }
    }

    /// What the member wants of the room's musical time.
    pub fn set_lead(&mut self, session: SessionId, grid: GridPosition, wish: Lead) -> Told {
        let Some(&id) = self.by_session.get(&session) else { return Told::Nobody };
        let Some(member) = self.members.get_mut(&id) else { return Told::Nobody };
        let told = self.lead.wish(id, member.lead.as_ref(), &wish, grid);
        member.lead = Some(wish);
        told
    }

    /// Takes MIDI of a member: an entry of its flow.
    ///
    /// # Errors
    /// An entry that is none.
    pub fn take_midi(
        &mut self,
        session: SessionId,
        now: LocalTime,
        grid: GridPosition,
        entry: &[u8],
    ) -> Result<(), DecodeError> {
        let Some(&id) = self.by_session.get(&session) else { return Ok(()) };
        let Some(member) = self.members.get_mut(&id) else { return Ok(()) };
        let bridge = &mut self.midi;
        let reach = |frames: i64| grid.plus_f64(f64_from_i64(frames));
        let (first, last) = (reach(-MIDI_REACH.0), reach(MIDI_REACH.0));
        member
            .midi
            .decode(entry, |at, message| bridge.take(now, Source::Member(id), at.clamp(first, last), message))
    }

    /// The line that the clock from outside has made; it leads as a member would that has taken the lead.
    pub fn lead_by_clock(&mut self, grid: GridPosition, line: Timeline) -> Told {
        let wish = Lead { role: Role::Lead, take: 1, proposal: Some(line) };
        let told = self.lead.wish(MemberId::CLOCK, self.clock_lead.as_ref(), &wish, grid);
        self.clock_lead = Some(wish);
        told
    }

    /// The clock from outside has gone; the line runs on, as when a member goes.
    pub fn clock_gone(&mut self) -> Told {
        self.clock_lead = None;
        self.lead.leave(MemberId::CLOCK)
    }

    /// Gives the clocks of the room's MIDI its line.
    pub fn sync_line(&mut self) {
        if let Some(line) = self.lead.line() {
            self.midi.set_line(line);
        }
    }

    /// Ends all that may still sound, of one participant or of all.
    ///
    /// # Errors
    /// Nobody of that name.
    pub fn panic(
        &mut self,
        now: LocalTime,
        room: &str,
        participant: Option<&str>,
    ) -> Result<(), CommandRefused> {
        let Some(name) = participant else {
            self.midi.panic(now, None);
            return Ok(());
        };
        let named = self.members.iter().find(|(_, member)| member.profile.name == name);
        let source = match named {
            Some((id, _)) => Source::Member(*id),
            None => self.midi.source_named(room, name)?,
        };
        self.midi.panic(now, Some(source));
        Ok(())
    }

    /// What an admin is told.
    #[must_use]
    pub fn status(&self, name: &str, now: LocalTime) -> RoomStatus {
        let members = self.members.values().map(|member| member.profile.name.clone());
        RoomStatus { room: name.to_owned(), members: members.collect(), ..self.midi.status(now) }
    }

    /// The name of a source, for people.
    #[must_use]
    pub fn name_of_source(&self, source: Option<Source>) -> &str {
        match source {
            None => "(panic)",
            Some(Source::Member(id)) => self.members.get(&id).map_or("", |member| &member.profile.name),
            Some(other) => self.midi.name_of(other),
        }
    }

    /// The members that a message of `from` goes to.
    pub fn midi_listeners(&self, from: Option<Source>) -> impl Iterator<Item = SessionId> + '_ {
        let others = self
            .members
            .iter()
            .filter(move |(id, member)| member.is_present && from != Some(Source::Member(**id)));
        others.map(|(_, member)| member.session)
    }

    /// The least delay at which the member can play everybody's beats together.
    pub fn set_delay(&mut self, session: SessionId, delay: RoomDelay) {
        if let Some(member) = self.by_session.get(&session).and_then(|id| self.members.get_mut(id)) {
            member.delay = delay;
        }
    }

    /// The largest of these, which everybody can keep.
    #[must_use]
    pub fn delay(&self) -> RoomDelay {
        let frames =
            self.members.values().filter(|member| member.is_present).map(|member| member.delay.frames);
        RoomDelay { frames: frames.max().unwrap_or(0) }
    }

    /// The room's musical time, as everybody is to have it.
    #[must_use]
    pub fn timeline(&self) -> Vec<u8> {
        let mut buffer = vec![0; DOCUMENT_BYTES_MAX];
        let mut out = Writer::new(&mut buffer);
        // A full one is a fraction of the largest document.
        let length = self.lead.document().encode(&mut out).map_or(0, |()| out.length());
        buffer.truncate(length);
        buffer
    }

    /// Takes the audio of one opened datagram: forwards it, and keeps it for the mix.
    ///
    /// Bound: one datagram.
    pub fn take_audio<'a>(
        &mut self,
        session: SessionId,
        grid: GridPosition,
        audio: impl Iterator<Item = Audio<'a>>,
    ) {
        #[cfg(test)]
        assert!(!self.is_poisoned, "a test broke this room");
        debug_assert!(
            self.forward.next.is_none(),
            "what a datagram gave to send is sent before the next one"
        );
        let Some(&from) = self.by_session.get(&session) else { return };
        let (mut stems, mut mix) = (false, false);
        for member in self.members.values().filter(|member| member.is_present) {
            match member.profile.play {
                PlayMode::Stems => stems = true,
                PlayMode::Mix => mix = true,
                PlayMode::Nothing => {}
            }
        }
        let mut out = Writer::new(&mut *self.forward.bytes);
        let mut fresh = [None; FRESH_MAX];
        let mut fresh_count = 0;
        for (place, audio) in audio.enumerate() {
            let number = audio.head.strip.0;
            let Some((&id, strip)) =
                self.strips.iter_mut().find(|(_, strip)| strip.member == from && strip.number == number)
            else {
                self.counters.unknown_strip += 1;
                continue;
            };
            let first = audio.head.first.unwrap_near(grid.floor().chunk());
            let age = grid.floor() - first.start();
            if age < Frames(-AHEAD_MAX.0) || age.0 > ROOM_WINDOW_CHUNKS * 64 {
                self.counters.off_grid += 1;
                continue;
            }
            let (mut is_new, chunks) = (false, audio.head.chunks.count_i64());
            (0..chunks).for_each(|number| is_new |= strip.seen.note(first.plus(number)));
            let is_copy = place > 0;
            self.counters.copies_used += u64::from(is_copy && is_new);
            self.counters.copies_spare += u64::from(is_copy && !is_new);
            if !is_new {
                continue;
            }
            if stems {
                let head = AudioHead { strip: id, ..audio.head };
                // What came in one datagram fits into one.
                let _ = Element::Audio(Audio { head, samples: audio.samples }).encode(&mut out);
                if let Some(place) = fresh.get_mut(fresh_count) {
                    *place = Some((head, audio.samples));
                    fresh_count += 1;
                }
            }
            if mix {
                let [late, undecodable] = strip.take(grid, first, &audio);
                self.counters.late_for_mix += late;
                self.counters.undecodable += undecodable;
            }
        }
        // Copies follow what they copy; what is kept goes by age.
        self.forward.strips = fresh.map(|element| element.map(|(head, _)| head.strip));
        for (head, samples) in fresh.iter().rev().flatten() {
            if let Some(strip) = self.strips.get_mut(&head.strip) {
                strip.sent.keep(head, samples);
            }
        }
        if let Some(member) = self.members.get_mut(&from) {
            member.chunks = fresh[0].map_or(member.chunks, |(head, _)| head.chunks);
        }
        self.forward.length = out.length();
        self.forward.from = from;
        self.forward.next = (out.length() > 0).then_some(MemberId(0));
    }

    /// The next thing to send, and to whom. Call until it yields none, after every change.
    pub fn next_send(&mut self, grid: GridPosition) -> Option<(SessionId, Send<'_>)> {
        if let Some((session, protection)) = self.next_stems_listener() {
            return Some((session, Send::Stems(self.forward.protected(&self.strips, protection))));
        }
        let (session, mix) =
            self.mixer.next_send(grid, &mut self.members, &mut self.strips, &mut self.counters)?;
        Some((session, Send::Mix(mix)))
    }

    fn next_stems_listener(&mut self) -> Option<(SessionId, Protection)> {
        let start = self.forward.next?;
        for (&id, member) in self.members.range(start..) {
            if id != self.forward.from && member.is_present && member.profile.play == PlayMode::Stems {
                self.forward.next = Some(MemberId(id.0.saturating_add(1)));
                return Some((member.session, member.asked.protection));
            }
        }
        self.forward.next = None;
        None
    }

    /// The grid position at which the next mix leaves even if it is not complete; none while nobody wants one.
    #[must_use]
    pub fn mix_due(&self) -> Option<lockstep_shared::time::GridFrame> {
        self.members
            .values()
            .any(|member| member.is_present && member.profile.play == PlayMode::Mix)
            .then(|| self.mixer.due())
            .flatten()
    }

    /// Everybody's session.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.members.values().map(|member| member.session)
    }

    /// The member's name, as far as it has told it.
    #[must_use]
    pub fn name_of(&self, session: SessionId) -> &str {
        self.by_session
            .get(&session)
            .and_then(|id| self.members.get(id))
            .map_or("", |member| &member.profile.name)
    }

    /// Members, present or awaited back.
    #[must_use]
    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    /// What the room counted.
    #[must_use]
    pub const fn counters(&self) -> RoomCounters {
        self.counters
    }

    #[cfg(test)]
    pub(crate) const fn poison(&mut self) {
        self.is_poisoned = true;
    }
}

/// Whether a member is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Heard lately.
    Present,
    /// Silent for longer than [`lockstep_shared::session::STALE_AFTER`]; its place is kept.
    Awaited,
}

#[cfg(test)]
mod tests;
