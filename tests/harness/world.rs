//! The world: one relay, some members with their hosts, and the paths between them, on virtual time.
//!
//! One heap of happenings, ordered by true time and then by insertion; one seed. The relay, the links, the engines and
//! the rings between them are the production types; only the shells are ours.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use core::net::SocketAddr;

use lockstep_plugin::engine::{Block, Engine, HostTransport, Rendering, STRIP_OUTPUTS, Setup};
use lockstep_plugin::link::{Link, LinkSettings, Port, PortId};
use lockstep_plugin::wiring::{Gauges, wire};
use lockstep_relay::bridge::BridgeSettings;
use lockstep_relay::relay::{Relay, RelaySettings, RoomSettings};
use lockstep_shared::midi::Realtime;
use lockstep_shared::session::{ClientSettings, MemberKey, RelayKey, RoomSecret};
use lockstep_shared::time::convert::{i64_from_usize, usize_from_i64};
use lockstep_shared::time::{DeviceFrame, Frames, GRID_RATE, GridPosition, LocalTime, Span};
use lockstep_shared::timeline::Motion;
use lockstep_shared::wire::{DATAGRAM_BYTES_MAX, Format};

use crate::clock::{AudioClock, Crystal, HostClock, timestamp_lateness};
use crate::daw::{Daw, Punctuality};
use crate::followers::Follower;
use crate::net::{HEADER_BYTES, Path, PathPlan};
use crate::rng::Rng;
use crate::song::Song;

/// What the relay's and the members' invites agree on.
const SECRET: RoomSecret = RoomSecret([7; 16]);
const RELAY_PRIVATE: [u8; 32] = [9; 32];

/// One member as it is put into the world.
#[derive(Clone, Debug)]
pub struct MemberPlan {
    /// Its host.
    pub daw: Daw,
    /// What its computer's clock does.
    pub crystal: Crystal,
    /// The way to the relay.
    pub up: PathPlan,
    /// The way back.
    pub down: PathPlan,
    /// How it sends samples.
    pub format: Format,
    /// When it comes.
    pub starts: LocalTime,
}

/// Hears every block of every member.
pub trait Audience {
    /// A member's block: its outputs (main, then strips), from its device frame on, played at this true time.
    fn hear(&mut self, heard: &Heard<'_>);
}

/// One block as a member hears it.
#[derive(Debug)]
pub struct Heard<'a> {
    /// Which member.
    pub member: usize,
    /// The block's first frame of the member's device.
    pub first: DeviceFrame,
    /// True time at which the device passes that frame.
    pub at: LocalTime,
    /// The main output.
    pub main: [&'a [f32]; 2],
    /// The strip outputs.
    pub strips: &'a [[Vec<f32>; 2]],
    /// What the engine shows.
    pub gauges: &'a Gauges,
}

/// One member in the world.
#[derive(Debug)]
pub struct Member {
    /// As it was planned.
    pub plan: MemberPlan,
    /// Its network side.
    pub link: Link,
    /// Its port there.
    pub port: PortId,
    /// What its engine shows.
    pub gauges: std::sync::Arc<Gauges>,
    /// Its audio interface.
    pub audio: AudioClock,
    /// What its clock showed when its link was last called.
    pub link_time: LocalTime,
    engine: Engine,
    clock: HostClock,
    up: Path,
    down: Path,
    address: SocketAddr,
    next: DeviceFrame,
    block: usize,
    wake_at: LocalTime,
    /// The DAW, where a MIDI clock drives it.
    follower: Option<Follower>,
    /// Where its host's song was at the first frame of the last block, in quarter notes, and at which true time.
    pub last_position: Option<(LocalTime, f64)>,
    /// Every event of the MIDI clock that its link emitted, at true time.
    pub clock_events: Vec<(LocalTime, Realtime)>,
    /// The MIDI that its host has yet to play into the plugin, by device frames, in order.
    pub midi_to_play: VecDeque<(DeviceFrame, Vec<u8>)>,
    /// The MIDI that its host was given, at the true time of its frame.
    pub midi_given: Vec<(LocalTime, Vec<u8>)>,
    main: [Vec<f32>; 2],
    strips: Vec<[Vec<f32>; 2]>,
}

/// The world.
#[derive(Debug)]
pub struct World {
    now: LocalTime,
    heap: BinaryHeap<Reverse<Happening>>,
    inserted: u64,
    rng: Rng,
    /// The relay; none while it is down.
    pub relay: Option<Relay>,
    relay_clock: HostClock,
    relay_wake: LocalTime,
    relay_starts: u8,
    room_max: usize,
    /// The members.
    pub members: Vec<Member>,
    /// The longest datagram seen.
    pub datagram_bytes_longest: usize,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Happening {
    at: LocalTime,
    order: u64,
    what: What,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Callback(usize),
    WakeLink(usize),
    WakeRelay,
    ToRelay(SocketAddr, Vec<u8>),
    ToMember(usize, Vec<u8>),
}

impl World {
    /// A world with a running relay and nobody in it.
    #[must_use]
    pub fn new(seed: u64, relay_crystal: Crystal, room_max: usize) -> Self {
        let mut rng = Rng::new(seed);
        let relay_clock =
            HostClock::new(relay_crystal, LocalTime::from_nanos(1_000_000_007), Vec::new(), rng.fork());
        let mut world = Self {
            now: LocalTime::ZERO,
            heap: BinaryHeap::new(),
            inserted: 0,
            rng,
            relay: None,
            relay_clock,
            relay_wake: LocalTime::NEVER,
            relay_starts: 0,
            room_max,
            members: Vec::new(),
            datagram_bytes_longest: 0,
        };
        world.start_relay();
        world
    }

    /// Starts the relay, or starts it anew: it remembers nothing.
    pub fn start_relay(&mut self) {
        self.relay_starts += 1;
        let settings = RelaySettings {
            private_key: RELAY_PRIVATE,
            rooms: vec![RoomSettings {
                name: "studio".into(),
                secret: SECRET.0,
                members_max: self.room_max,
                midi: BridgeSettings::default(),
            }],
            seed: [self.relay_starts; 32],
        };
        self.relay = Some(Relay::new(settings, self.relay_clock.local(self.now)));
    }

    /// The relay is gone without a word.
    pub fn kill_relay(&mut self) {
        self.relay = None;
    }

    /// Puts a member into the world; returns its number.
    pub fn add(&mut self, mut plan: MemberPlan) -> usize {
        plan.daw.controls.format = Some(plan.format);
        let number = self.members.len();
        let octet = u8::try_from(number + 1).expect("a world of fewer than 255 members");
        let start = LocalTime::from_nanos(i64::from(octet) * 3_000_000_017);
        let mut clock = HostClock::new(plan.crystal, start, Vec::new(), self.rng.fork());
        let begins = plan.starts.max(self.now);
        let audio = AudioClock::new(plan.daw.rate, plan.daw.crystal, begins, self.rng.fork());
        let (audio_end, link_end) = wire();
        let gauges = std::sync::Arc::clone(&link_end.gauges);
        let now = clock.local(begins);
        let client = ClientSettings {
            relay_key: RelayKey::from_private(RELAY_PRIVATE).public(),
            secret: SECRET,
            member_key: MemberKey([octet; 16]),
        };
        let settings = LinkSettings { client, member_name: format!("member {number}") };
        let mut link = Link::new(settings, &[octet; 32], now);
        let port = link
            .add_port(now, Port::new(link_end, format!("strip {number}"), plan.daw.rate))
            .expect("the first port of a link");
        let setup = Setup {
            sample_rate: plan.daw.rate,
            block_frames_max: lockstep_plugin::engine::BLOCK_FRAMES_MAX,
            rendering: Rendering::Realtime,
        };
        let block = plan.daw.next_block(&mut self.rng);
        let follower = match &plan.daw.song {
            Song::Follows(kind) => Some(Follower::new(*kind, self.rng.next_u64())),
            Song::Constant(_) | Song::Own(_) => None,
        };
        let member = Member {
            engine: Engine::new(setup, audio_end),
            up: Path::new(plan.up.clone(), self.rng.fork()),
            down: Path::new(plan.down.clone(), self.rng.fork()),
            plan,
            link,
            port,
            gauges,
            audio,
            link_time: now,
            clock,
            address: SocketAddr::from(([10, 0, 0, octet], 40_000)),
            next: DeviceFrame(0),
            block,
            wake_at: LocalTime::NEVER,
            follower,
            last_position: None,
            clock_events: Vec::new(),
            midi_to_play: VecDeque::new(),
            midi_given: Vec::new(),
            main: [Vec::new(), Vec::new()],
            strips: vec![[Vec::new(), Vec::new()]; STRIP_OUTPUTS],
        };
        self.members.push(member);
        self.schedule_callback(number);
        self.schedule(begins, What::WakeLink(number));
        number
    }

    /// The member's address changes, as behind a router that forgot it.
    pub fn rebind(&mut self, member: usize) {
        let address = &mut self.members[member].address;
        address.set_port(address.port() + 1);
    }

    /// The true time at which a member's clock has a place of the grid pass; none before it has a clock.
    pub fn passes(&mut self, member: usize, at: GridPosition) -> Option<LocalTime> {
        let member = &mut self.members[member];
        let map = member.link.clock().map(member.link_time)?;
        Some(member.clock.truth(map.local(at)))
    }

    /// True time.
    #[must_use]
    pub const fn now(&self) -> LocalTime {
        self.now
    }

    /// Something arrives at the relay that no member sent.
    pub fn inject(&mut self, from: SocketAddr, bytes: Vec<u8>) {
        self.schedule(self.now, What::ToRelay(from, bytes));
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Span, audience: &mut impl Audience) {
        let end = self.now + span;
        while let Some(Reverse(next)) = self.heap.peek() {
            if next.at > end {
                break;
            }
            let Some(Reverse(happening)) = self.heap.pop() else { break };
            self.now = happening.at;
            match happening.what {
                What::Callback(member) => self.callback(member, audience),
                What::WakeLink(member) => {
                    if self.members[member].wake_at <= self.now {
                        self.wake_link(member);
                    }
                }
                What::WakeRelay => {
                    if self.relay_wake <= self.now {
                        self.wake_relay();
                    }
                }
                What::ToRelay(from, bytes) => self.relay_receives(from, bytes),
                What::ToMember(member, bytes) => self.member_receives(member, bytes),
            }
        }
        self.now = end;
    }

    fn schedule(&mut self, at: LocalTime, what: What) {
        self.inserted += 1;
        if let What::WakeLink(member) = what {
            self.members[member].wake_at = at;
        }
        self.heap.push(Reverse(Happening { at: at.max(self.now), order: self.inserted, what }));
    }

    fn schedule_callback(&mut self, number: usize) {
        let member = &mut self.members[number];
        let delivered = member.next + Frames(i64_from_usize(member.block));
        let mut at = member.audio.truth(delivered);
        if member.plan.daw.punctuality == Punctuality::Usual {
            at += timestamp_lateness(&mut self.rng);
        }
        if let Some((from, span)) = member.plan.daw.stall {
            let begins = member.audio.truth(from);
            if at >= begins && at < begins + span {
                at = begins + span;
            }
        }
        self.schedule(at, What::Callback(number));
    }

    fn callback(&mut self, number: usize, audience: &mut impl Audience) {
        let now = self.now;
        let member = &mut self.members[number];
        let (first, frames) = (member.next, member.block);
        member.plan.daw.source.play(first, frames, &mut member.main);
        let strips = member.strips.iter_mut().map(|[left, right]| {
            left.resize(frames, 0.0);
            right.resize(frames, 0.0);
            Some([left.as_mut_slice(), right.as_mut_slice()])
        });
        let mut views: [Option<[&mut [f32]; 2]>; STRIP_OUTPUTS] = Default::default();
        for (view, strip) in views.iter_mut().zip(strips) {
            *view = strip;
        }
        let [left, right] = &mut member.main;
        let mut block = Block { main: [left.as_mut_slice(), right.as_mut_slice()], strips: views };
        let transport = transport(&member.plan.daw, member.follower.as_mut(), &mut member.audio, first);
        let position = transport.position_quarters.filter(|_| transport.playing);
        member.last_position = position.map(|quarters| (member.audio.truth(first), quarters));
        let controls = &member.plan.daw.controls;
        let end = first + Frames(i64_from_usize(frames));
        while member.midi_to_play.front().is_some_and(|(at, _)| *at < end) {
            let Some((at, bytes)) = member.midi_to_play.pop_front() else { break };
            member.engine.hear_midi(usize_from_i64((at - first).0), &bytes);
        }
        member.engine.process(member.clock.local(now), &mut block, &transport, controls);
        for (frame, bytes) in member.engine.midi().iter() {
            let at = member.audio.truth(first + Frames(i64_from_usize(frame)));
            member.midi_given.push((at, bytes.to_vec()));
        }
        audience.hear(&Heard {
            member: number,
            first,
            at: member.audio.truth(first),
            main: [&member.main[0], &member.main[1]],
            strips: &member.strips,
            gauges: &member.gauges,
        });
        member.next += Frames(i64_from_usize(frames));
        member.block = member.plan.daw.next_block(&mut self.rng);
        self.schedule_callback(number);
    }

    fn wake_link(&mut self, number: usize) {
        let now = self.now;
        let member = &mut self.members[number];
        let local = member.clock.local(now);
        member.link_time = local;
        member.link.handle_timeout(local);
        self.drain_link(number);
    }

    fn member_receives(&mut self, number: usize, mut bytes: Vec<u8>) {
        let member = &mut self.members[number];
        let local = member.clock.local(self.now);
        member.link.handle_datagram(local, &mut bytes);
        self.drain_link(number);
    }

    fn drain_link(&mut self, number: usize) {
        let now = self.now;
        let mut out = [0; DATAGRAM_BYTES_MAX];
        loop {
            let member = &mut self.members[number];
            let local = member.clock.local(now);
            let Some(length) = member.link.poll_transmit(local, &mut out) else { break };
            self.datagram_bytes_longest = self.datagram_bytes_longest.max(length);
            let arrivals = member.up.send(now, length + HEADER_BYTES);
            let from = member.address;
            for at in [arrivals.first, arrivals.second].into_iter().flatten() {
                self.schedule(at, What::ToRelay(from, out[..length].to_vec()));
            }
        }
        let member = &mut self.members[number];
        while let Some(event) = member.link.poll_clock(member.clock.local(now)) {
            member.clock_events.push((now, event));
            if let Some(follower) = &mut member.follower {
                follower.receive(place(now), event.encode().as_slice());
            }
        }
        let due = member.link.poll_timeout();
        let at = member.clock.truth(due).max(now + Span::from_micros(1));
        if member.wake_at <= now || at < member.wake_at {
            self.schedule(at, What::WakeLink(number));
        }
    }

    fn relay_receives(&mut self, from: SocketAddr, mut bytes: Vec<u8>) {
        let local = self.relay_clock.local(self.now);
        if let Some(relay) = &mut self.relay {
            relay.handle_datagram(local, from, &mut bytes);
            self.drain_relay(local);
        }
    }

    fn wake_relay(&mut self) {
        let local = self.relay_clock.local(self.now);
        self.relay_wake = LocalTime::NEVER;
        if let Some(relay) = &mut self.relay {
            relay.handle_timeout(local);
            self.drain_relay(local);
        }
    }

    fn drain_relay(&mut self, local: LocalTime) {
        let now = self.now;
        let mut out = [0; DATAGRAM_BYTES_MAX];
        while let Some((to, length)) =
            self.relay.as_mut().and_then(|relay| relay.poll_transmit(local, &mut out))
        {
            self.datagram_bytes_longest = self.datagram_bytes_longest.max(length);
            let Some(number) = self.members.iter().position(|member| member.address == to) else { continue };
            let arrivals = self.members[number].down.send(now, length + HEADER_BYTES);
            for at in [arrivals.first, arrivals.second].into_iter().flatten() {
                self.schedule(at, What::ToMember(number, out[..length].to_vec()));
            }
        }
        let Some(relay) = &mut self.relay else { return };
        while relay.poll_event().is_some() {}
        let due = relay.poll_timeout();
        if due == LocalTime::NEVER {
            return;
        }
        let at = self.relay_clock.truth(due).max(now + Span::from_micros(1));
        if at < self.relay_wake {
            self.relay_wake = at;
            self.schedule(at, What::WakeRelay);
        }
    }
}

/// What a host says of a block that begins at `first`.
fn transport(
    daw: &Daw,
    follower: Option<&mut Follower>,
    audio: &mut AudioClock,
    first: DeviceFrame,
) -> HostTransport {
    match (&daw.song, follower) {
        (Song::Own(song), _) => song.transport(first, daw.rate),
        (Song::Follows(_), Some(follower)) => {
            let at = place(audio.truth(first));
            let seen = follower.transport(at);
            HostTransport {
                playing: seen.motion == Motion::Playing,
                tempo_bpm: Some(follower.tempo_bpm()),
                position_quarters: Some(seen.quarters),
                time_signature: Some((4, 4)),
                ..HostTransport::default()
            }
        }
        (Song::Constant(transport), _) => *transport,
        (Song::Follows(_), None) => HostTransport::default(),
    }
}

/// True time as simulated DAWs count it.
fn place(at: LocalTime) -> GridPosition {
    GridPosition::from_raw(0).plus_f64((at - LocalTime::ZERO).secs_f64() * f64::from(GRID_RATE))
}

/// Nobody listens.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Audience for Nobody {
    fn hear(&mut self, _heard: &Heard<'_>) {}
}
