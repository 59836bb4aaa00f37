//! The network side of a process: one member with one strip for each instance.
//!
//! A [`Link`] is the session's member half, the room's clock, and a [`Port`] for every instance: the rings to its
//! audio thread. It has five verbs and no operating system; `shell/` runs it on a thread, the simulator on virtual
//! time.
//!
//! What the others play is heard in one instance of the process, the *listener*: the first one whose Mute Receive is
//! off. Otherwise four tracks with Lockstep on them would play everybody four times.

mod conduct;
mod cue;
mod midi;
mod musical;
mod port;
mod protection;
mod report;
mod room_delay;

use std::collections::BTreeMap;

use lockstep_shared::clock::{Exchange, RoomClock};
use lockstep_shared::dsp::SILENT_CHUNK;
use lockstep_shared::redundancy::{Asked, Protection};
use lockstep_shared::session::{Client, ClientCounters, ClientEvent, ClientSettings};
use lockstep_shared::time::{ChunkIndex, LocalTime, Span};
use lockstep_shared::wire::handshake::RefuseReason;
use lockstep_shared::wire::{
    Audio, AudioHead, Channels, ChunksPerDatagram, DOCUMENT_BYTES_MAX, Element, Format, LeaveReason,
    PlayMode, Profile, ProfileStrip, RoomDelay, RoomTimeline, Roster, STRIPS_PER_MEMBER_MAX, Slot, StripId,
    WireChunk, Writer,
};

use crate::engine::RoomMode;
use crate::wiring::{ClockGuide, MIX_LANE, STRIP_LANES};
pub use cue::Cue;
use musical::GuideNumber;
pub use musical::{MusicalTime, Standpoint};
pub use port::Port;
use port::Resync;
pub use report::Played;
use room_delay::OwnDelay;

/// The longest wait between two looks at the rings while an instance is active: what a chunk waits at most for its
/// datagram.
const PUMP_EVERY: Span = Span::from_micros(400);

/// How long the host's blocks must ask for another size of the mix's datagrams until it is asked for: a host whose
/// blocks change all the time keeps the size it has, for each change costs a gap.
const MIX_CHUNKS_STEADY: Span = Span::from_millis(2_000);

/// Whom to join, and as whom.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// The session's part.
    pub client: ClientSettings,
    /// The member's name as the others see it.
    pub member_name: String,
}

/// An instance as the link knows it; also the number of its strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortId(u16);

/// How the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Never joined yet.
    Connecting,
    /// In the room.
    Joined,
    /// The relay said no; knocking on.
    Refused(RefuseReason, u16),
    /// Silent since it was joined; knocking.
    Lost,
    /// The relay ended the session; knocking.
    Ended(LeaveReason),
}

/// The network side of a process. After every `handle_*` or command, drain `poll_transmit`.
#[derive(Debug)]
pub struct Link {
    client: Client,
    settings: LinkSettings,
    clock: RoomClock,
    epoch: Option<u64>,
    standing: Standing,
    since: LocalTime,
    roster: Roster,
    ports: BTreeMap<PortId, Port>,
    pumped: LocalTime,
    musical: MusicalTime,
    /// The instance whose host was asked to follow last.
    moved_through: Option<PortId>,
    own_delay: OwnDelay,
    room_delay: Option<RoomDelay>,
    wishes: Wishes,
    /// The size of the mix's datagrams that the blocks ask for, and since when they have.
    block_asks: (ChunksPerDatagram, LocalTime),
    unplaceable: u64,
    undecodable: u64,
    midi: midi::Decoder,
    redundancy: protection::Redundancy,
}

/// What the instances want of the relay, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wishes {
    listener: Option<PortId>,
    play: PlayMode,
    mix_format: Format,
    mix_chunks: ChunksPerDatagram,
}

/// No more instances fit into one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a process can hold {STRIPS_PER_MEMBER_MAX} active Lockstep instances in one room, and no more")]
pub struct TooManyPorts;

impl Link {
    /// A link that starts knocking at once. `seed` must be fresh entropy, or a constant in a simulation.
    #[must_use]
    pub fn new(settings: LinkSettings, seed: &[u8; 32], now: LocalTime) -> Self {
        Self {
            client: Client::new(settings.client, seed, now),
            settings,
            clock: RoomClock::new(now),
            epoch: None,
            standing: Standing::Connecting,
            since: now,
            roster: Roster::default(),
            ports: BTreeMap::new(),
            pumped: now,
            musical: MusicalTime::new(),
            moved_through: None,
            own_delay: OwnDelay::new(now),
            room_delay: None,
            wishes: Wishes::default(),
            block_asks: (ChunksPerDatagram::One, now),
            unplaceable: 0,
            undecodable: 0,
            midi: midi::Decoder::default(),
            redundancy: protection::Redundancy::new(now),
        }
    }

    /// Adds an instance.
    pub fn add_port(&mut self, now: LocalTime, mut port: Port) -> Result<PortId, TooManyPorts> {
        let free = (0..).map(PortId).find(|id| !self.ports.contains_key(id));
        let id = free.filter(|id| usize::from(id.0) < STRIPS_PER_MEMBER_MAX).ok_or(TooManyPorts)?;
        port.set_clock(self.clock.map(now));
        if let Some(delay) = self.room_delay {
            port.set_room_delay(room_delay::frames(delay));
        }
        self.ports.insert(id, port);
        self.refresh(now);
        Ok(id)
    }

    /// Takes an instance out. It is silent from here on, and may be added to another link.
    pub fn remove_port(&mut self, now: LocalTime, id: PortId) -> Option<Port> {
        let mut port = self.ports.remove(&id)?;
        self.end_midi_of(now, &mut port);
        port.resync();
        port.guide(GuideNumber::UNTOLD, ClockGuide::default);
        if self.moved_through == Some(id) {
            self.moved_through = None;
            if let Some(command) = self.musical.let_go() {
                port.remote.send(now, command);
            }
        }
        self.refresh(now);
        Some(port)
    }

    /// Changes the names that the others see.
    pub fn rename(&mut self, now: LocalTime, id: PortId, member_name: String, strip_name: String) {
        self.settings.member_name = member_name;
        if let Some(port) = self.ports.get_mut(&id) {
            port.rename(strip_name);
        }
        self.refresh(now);
    }

    /// Takes a datagram from the relay, decrypting in place.
    pub fn handle_datagram(&mut self, now: LocalTime, datagram: &mut [u8]) {
        let elements = self.client.handle_datagram(now, datagram);
        if let Some(elements) = elements {
            for element in elements {
                if let Ok(Element::Audio(audio)) = element {
                    self.redundancy.chunks = audio.head.chunks;
                    let (placed, undecodable) = Self::play(now, &self.clock, &mut self.ports, &audio);
                    self.unplaceable += u64::from(!placed);
                    self.undecodable += undecodable;
                }
            }
        }
        self.drain_events(now);
    }

    /// Hands the chunks of an audio element to the lane that plays its strip; whether there is one, and how many chunks
    /// are no code of what they should be.
    fn play(
        now: LocalTime,
        clock: &RoomClock,
        ports: &mut BTreeMap<PortId, Port>,
        audio: &Audio<'_>,
    ) -> (bool, u64) {
        let lane =
            ports.values_mut().find_map(|port| port.lane_of(audio.head.strip).map(|lane| (port, lane)));
        let (Some((port, lane)), Some(map)) = (lane, clock.map(now)) else {
            return (false, 0);
        };
        let first = audio.head.first.unwrap_near(map.grid(now).floor().chunk());
        let (mut frames, mut undecodable) = (SILENT_CHUNK, 0);
        for (number, index) in (0..audio.head.chunks.count()).zip(first.0..) {
            if audio.chunk_into(number, &mut frames).is_err() {
                undecodable += 1;
                continue;
            }
            let stamp = audio.head.stamp.filter(|_| number == 0);
            port.push(lane, ChunkIndex(index), &frames, now, stamp);
        }
        (true, undecodable)
    }

    /// Does what is due: the session's timers, and a look at the rings.
    pub fn handle_timeout(&mut self, now: LocalTime) {
        self.client.handle_timeout(now);
        self.drain_events(now);
        self.pumped = now;
        let asked = self.block_chunks(self.listener());
        if asked != self.block_asks.0 {
            self.block_asks = (asked, now);
        }
        let mut is_settled = self.wishes == self.wishes_now(now);
        for port in self.ports.values_mut() {
            port.tell_room_delay();
            port.tell_midi_end();
            is_settled &= !port.collect_retired() && port.resync_state(None) == Resync::Done;
        }
        // One lane's share at a time, so that what is due meanwhile waits for no more than that.
        if let Some(port) = self.ports.values_mut().find(|port| port.has_to_foresee()) {
            port.foresee();
        }
        if !is_settled {
            self.refresh(now);
        }
        self.send_midi(now);
        self.conduct(now);
        self.weigh_protection(now);
    }

    fn drain_events(&mut self, now: LocalTime) {
        let mut changed = false;
        while let Some(event) = self.client.poll_event() {
            changed = true;
            match event {
                ClientEvent::Joined { epoch } => {
                    // What the relay asked for was of the session before.
                    self.redundancy.of_uplink = Protection::NONE;
                    if self.epoch != Some(epoch) {
                        self.epoch = Some(epoch);
                        self.clock = RoomClock::new(now);
                        self.roster = Roster::default();
                        self.musical.forget_room();
                        for port in self.ports.values_mut() {
                            port.resync();
                        }
                    }
                    self.set_standing(now, Standing::Joined);
                }
                ClientEvent::Clock { sent, relay_received, relay_sent, received } => {
                    self.clock.observe(&Exchange { sent, relay_received, relay_sent, received });
                    let map = self.clock.map(now);
                    for port in self.ports.values_mut() {
                        port.set_clock(map);
                    }
                    if self.client.is_joined() {
                        self.set_standing(now, Standing::Joined);
                    }
                }
                ClientEvent::Document(Slot::ROSTER, bytes) => {
                    // A roster that cannot be read leaves the one before; the client counts it as malformed.
                    if let Ok(roster) = Roster::decode(&bytes) {
                        self.roster = roster;
                    }
                }
                ClientEvent::Document(Slot::TIMELINE, bytes) => {
                    if let Ok(room) = RoomTimeline::decode(&bytes) {
                        self.musical.take_room(room);
                    }
                }
                ClientEvent::Document(Slot::DELAY, bytes) => {
                    if let Ok(delay) = RoomDelay::decode(&bytes) {
                        self.room_delay = Some(delay);
                        for port in self.ports.values_mut() {
                            port.set_room_delay(room_delay::frames(delay));
                        }
                    }
                }
                ClientEvent::Document(Slot::PROTECTION, bytes) => {
                    if let Ok(asked) = Asked::decode(&bytes) {
                        self.redundancy.of_uplink = asked.protection;
                    }
                }
                ClientEvent::Document(..) => {}
                ClientEvent::Entry(entry) => self.hear_midi(now, &entry),
                ClientEvent::Lost => {
                    self.musical.lost();
                    self.lose_midi();
                    self.set_standing(now, Standing::Lost);
                }
                ClientEvent::Refused { reason, version } => {
                    self.set_standing(now, Standing::Refused(reason, version));
                }
                ClientEvent::Ended(reason) => {
                    self.roster = Roster::default();
                    self.musical.lost();
                    self.lose_midi();
                    self.set_standing(now, Standing::Ended(reason));
                }
            }
        }
        if changed {
            self.refresh(now);
        }
    }

    fn set_standing(&mut self, now: LocalTime, standing: Standing) {
        if self.standing != standing {
            self.standing = standing;
            self.since = now;
        }
    }

    /// Brings lanes and profile in line with roster, ports and wishes.
    fn refresh(&mut self, now: LocalTime) {
        let before = self.wishes.listener;
        self.wishes = self.wishes_now(now);
        let Wishes { listener, play, .. } = self.wishes;
        if let Some(port) = before.filter(|_| before != listener).and_then(|id| self.ports.get_mut(&id)) {
            // What would end the notes goes elsewhere from here on.
            port.end_midi();
        }
        let mut strips: Vec<StripId> = self.other_strips().collect();
        strips.sort_unstable();
        let map = self.clock.map(now);
        for (&id, port) in &mut self.ports {
            port.collect_retired();
            if port.resync_state(map) != Resync::Done {
                continue;
            }
            let plays = |mode| Some(id) == listener && play == mode;
            port.assign(if plays(PlayMode::Stems) { &strips } else { &[] });
            port.set_mix(plays(PlayMode::Mix).then_some(StripId::MIX), MIX_LANE);
        }
        self.publish(now);
    }

    fn wishes_now(&self, now: LocalTime) -> Wishes {
        let listener = self.listener();
        let (asked, since) = self.block_asks;
        let is_steady = now - since >= MIX_CHUNKS_STEADY;
        let mix_chunks = if is_steady { asked } else { self.wishes.mix_chunks };
        let copies = self.redundancy.of_downlink.protection.copies;
        let mix_format =
            listener.and_then(|id| self.ports.get(&id)).map(|port| protection::format_of(port, copies));
        Wishes {
            listener,
            play: self.play_mode(listener),
            mix_format: mix_format.unwrap_or_default(),
            mix_chunks,
        }
    }

    /// The size of the mix's datagrams that fits the host's last block.
    fn block_chunks(&self, listener: Option<PortId>) -> ChunksPerDatagram {
        let block = listener.and_then(|id| self.ports.get(&id)).map_or(0, Port::block_grid_frames);
        let chunks = match block {
            0..128 => ChunksPerDatagram::One,
            128..256 => ChunksPerDatagram::Two,
            _ => ChunksPerDatagram::Four,
        };
        chunks.fitting(self.wishes.mix_format, Channels::Stereo, 0)
    }

    /// The strips of all other members.
    fn other_strips(&self) -> impl Iterator<Item = StripId> + '_ {
        let others = self.roster.strips.iter().filter(|strip| Some(strip.member) != self.roster.you);
        others.map(|strip| strip.id)
    }

    /// The instance in which the others are heard.
    fn listener(&self) -> Option<PortId> {
        self.ports.iter().find(|(_, port)| !port.end.gauges.mute_receive()).map(|(id, _)| *id)
    }

    fn play_mode(&self, listener: Option<PortId>) -> PlayMode {
        let Some(port) = listener.and_then(|id| self.ports.get(&id)) else { return PlayMode::Nothing };
        match port.end.gauges.wish() {
            RoomMode::Stems => PlayMode::Stems,
            RoomMode::Mix => PlayMode::Mix,
            RoomMode::Auto if self.other_strips().count() <= STRIP_LANES => PlayMode::Stems,
            RoomMode::Auto => PlayMode::Mix,
        }
    }

    fn publish(&mut self, now: LocalTime) {
        let strips = self.ports.iter().map(|(id, port)| ProfileStrip {
            number: id.0,
            channels: Channels::Stereo,
            name: port.strip_name.clone(),
        });
        let profile = Profile {
            name: self.settings.member_name.clone(),
            play: self.wishes.play,
            mix_format: self.wishes.mix_format,
            mix_chunks: self.wishes.mix_chunks,
            strips: strips.collect(),
        };
        let mut buffer = [0; DOCUMENT_BYTES_MAX];
        let mut out = Writer::new(&mut buffer);
        // Sixteen strips with names of 64 bytes fit many times over.
        if profile.encode(&mut out).is_ok() {
            self.client.publish(now, Slot::PROFILE, out.written());
        }
    }

    /// Writes the next datagram to send and returns its length.
    pub fn poll_transmit(&mut self, now: LocalTime, out: &mut [u8]) -> Option<usize> {
        let protection = self.redundancy.of_uplink;
        let is_joined = self.client.is_joined();
        for (&id, port) in &mut self.ports {
            if !is_joined || port.resync_state(None) != Resync::Done {
                port.discard_captured();
                continue;
            }
            let format = protection::format_of(port, protection.copies);
            let largest = ChunksPerDatagram::Four.fitting(format, Channels::Stereo, protection.copies.into());
            let Some((run, chunks, sent)) = port.captured_run(largest) else { continue };
            let head = AudioHead {
                strip: StripId(id.0),
                first: WireChunk::new(run.first),
                format,
                channels: Channels::Stereo,
                chunks: run.chunks,
                stamp: run.stamp,
            };
            return self.client.seal(now, out, |plain| {
                // The run was cut to what one datagram holds.
                let _ = sent.encode(&head, chunks, protection, plain);
            });
        }
        self.client.poll_transmit(now, out)
    }

    /// When `handle_timeout` is due.
    #[must_use]
    pub fn poll_timeout(&self) -> LocalTime {
        let pump = if self.ports.is_empty() {
            LocalTime::NEVER
        } else if self.ports.values().any(Port::has_to_foresee) {
            self.pumped
        } else {
            self.pumped + PUMP_EVERY
        };
        let map = self.clock.map(self.pumped);
        pump.min(self.client.poll_timeout()).min(self.musical.clock_due(map.as_ref()))
    }

    /// Says goodbye; drain `poll_transmit` afterwards.
    pub fn leave(&mut self) {
        self.client.leave();
    }

    /// Whether no instance is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// The room's clock.
    #[must_use]
    pub const fn clock(&self) -> &RoomClock {
        &self.clock
    }

    /// How the session stands, and since when.
    #[must_use]
    pub const fn standing(&self) -> (Standing, LocalTime) {
        (self.standing, self.since)
    }

    /// Datagrams that were not what they should be.
    #[must_use]
    pub const fn counters(&self) -> ClientCounters {
        self.client.counters()
    }
}
