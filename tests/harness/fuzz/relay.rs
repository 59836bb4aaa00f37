//! A relay with two members, one of which says whatever it likes, properly sealed.
//!
//! A member can harm itself, never its room: the other one stays, has a roster that names it, and its mix runs on.

use std::collections::BTreeSet;

use core::net::SocketAddr;

use lockstep_relay::bridge::BridgeSettings;
use lockstep_relay::relay::{Relay, RelayEvent, RelaySettings, RelayStats, RoomSettings};
use lockstep_shared::session::{Client, ClientEvent, ClientSettings, MemberKey, RelayKey, RoomSecret};
use lockstep_shared::time::{Beats, Tempo};
use lockstep_shared::time::{CHUNK_FRAMES, ChunkIndex, GridPosition, LocalTime, MusicalStamp};
use lockstep_shared::wire::midi;
use lockstep_shared::wire::{
    Audio, AudioHead, Channels, ChunksPerDatagram, DATAGRAM_BYTES_MAX, DocumentPart, Element, Format, Gains,
    LeaveReason, PLAIN_BYTES_MAX, PlayMode, Profile, ProfileStrip, RoomDelay, RoomTimeline, Roster, Slot,
    StripId, WireChunk, Writer,
};

use super::input::Input;

/// The input is what the first member does; the second one plays and listens.
pub fn relay(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let play = if input.below(4) == 0 { PlayMode::Stems } else { PlayMode::Mix };
    let mut room = Stage::new(play);
    room.pass(CHUNKS_TO_JOIN);
    assert!(room.members.iter().all(|member| member.client.is_joined()));
    for _ in 0..HAPPENINGS_MAX {
        if input.is_over() {
            break;
        }
        room.happen(&mut input);
    }
    // The longest that a mix may wait for a strip, and then enough to see it run.
    room.pass(CHUNKS_TO_SETTLE);
    room.members[HONEST].heard.clear();
    room.pass(CHUNKS_TO_HEAR);
    room.check_end(play);
}

const RELAY_PRIVATE: [u8; 32] = [9; 32];
const SECRET: [u8; 16] = [7; 16];
const HAPPENINGS_MAX: usize = 120;
/// 20 ms.
const CHUNKS_TO_JOIN: i64 = 15;
/// 200 ms: a mix waits for 150 ms at most.
const CHUNKS_TO_SETTLE: i64 = 150;
const CHUNKS_TO_HEAR: i64 = 30;
/// Which of the two is which.
const LIAR: usize = 0;
const HONEST: usize = 1;
/// The name of the honest one, and of its strip.
const HONEST_NAME: &str = "honest";

struct Stage {
    now: LocalTime,
    relay: Relay,
    members: [Member; 2],
    /// The chunk that ends next.
    chunk: ChunkIndex,
    stats: RelayStats,
}

struct Member {
    client: Client,
    address: SocketAddr,
    /// Strips and chunks heard.
    heard: BTreeSet<(u16, u32)>,
    roster: Option<Roster>,
}

impl Member {
    fn new(number: u8, profile: &Profile) -> Self {
        let now = LocalTime::ZERO;
        let settings = ClientSettings {
            relay_key: RelayKey::from_private(RELAY_PRIVATE).public(),
            secret: RoomSecret(SECRET),
            member_key: MemberKey([number; 16]),
        };
        let mut client = Client::new(settings, &[number; 32], now);
        client.publish(now, Slot::PROFILE, &encoded(|out| profile.encode(out).is_ok()));
        Self { client, address: ([10, 0, 0, number], 1_000).into(), heard: BTreeSet::new(), roster: None }
    }

    fn receive(&mut self, now: LocalTime, datagram: &mut [u8]) {
        let Some(elements) = self.client.handle_datagram(now, datagram) else { return };
        for element in elements {
            if let Element::Audio(audio) = element.expect("the relay writes what can be read") {
                let count = u32::try_from(audio.head.chunks.count()).unwrap_or(0);
                for number in 0..count {
                    self.heard.insert((audio.head.strip.0, audio.head.first.0.wrapping_add(number)));
                }
            }
        }
    }
}

impl Stage {
    fn new(play: PlayMode) -> Self {
        let rooms = vec![RoomSettings {
            name: "studio".into(),
            secret: SECRET,
            members_max: 4,
            midi: BridgeSettings::default(),
        }];
        let settings = RelaySettings { private_key: RELAY_PRIVATE, rooms, seed: [1; 32] };
        let strip = |name: &str| ProfileStrip { number: 0, channels: Channels::Mono, name: name.into() };
        let profile = |name: &str, play: PlayMode| Profile {
            name: name.into(),
            play,
            strips: vec![strip(name)],
            ..Profile::default()
        };
        let relay = Relay::new(settings, LocalTime::ZERO);
        Self {
            now: LocalTime::ZERO,
            stats: relay.stats(),
            relay,
            members: [
                Member::new(1, &profile("liar", PlayMode::Mix)),
                Member::new(2, &profile(HONEST_NAME, play)),
            ],
            chunk: ChunkIndex(0),
        }
    }

    fn happen(&mut self, input: &mut Input<'_>) {
        match input.below(12) {
            0 => self.pass(1 + i64::from(input.u8() % 16)),
            1 => {
                let plain = input.long_bytes(PLAIN_BYTES_MAX);
                self.say(|out| out.bytes(plain).is_ok());
            }
            2..=4 => {
                let head = self.head(input);
                let pattern = input.bytes();
                let length = AudioHead::sample_bytes(head.format, head.channels, head.chunks);
                let samples: Vec<u8> = if pattern.is_empty() {
                    vec![0; length]
                } else {
                    pattern.iter().copied().cycle().take(length).collect()
                };
                self.say(|out| Element::Audio(Audio { head, samples: &samples }).encode(out).is_ok());
            }
            5 => {
                let profile = profile(input);
                self.publish(Slot::PROFILE, &encoded(|out| profile.encode(out).is_ok()));
            }
            6 => {
                let count = usize::from(input.u8());
                let base = input.u16();
                let strips = (0..).map(|number| StripId(base.wrapping_add(number)));
                let gains = Gains {
                    gains: strips.take(count).map(|strip| (strip, f32::from(input.u8()) / 16.0)).collect(),
                };
                self.publish(Slot::GAINS, &encoded(|out| gains.encode(out).is_ok()));
            }
            7 => {
                let (slot, bytes) = (Slot(input.u8() % 6), input.bytes().repeat(1 + input.below(8)));
                self.publish(slot, &bytes);
            }
            8 => {
                let (offset, total) = (input.u16(), input.u16());
                let (slot, version, bytes) = (Slot(input.u8()), input.u32(), input.bytes());
                let part = DocumentPart { slot, version, offset, total, bytes };
                self.say(|out| Element::Document(part).encode(out).is_ok());
            }
            9 => {
                let element = small_element(input);
                self.say(|out| element.encode(out).is_ok());
            }
            10 => {
                let mut datagram = input.long_bytes(DATAGRAM_BYTES_MAX).to_vec();
                let from = self.members[LIAR].address;
                self.relay.handle_datagram(self.now, from, &mut datagram);
                self.drain();
            }
            _ => {
                let address = &mut self.members[LIAR].address;
                address.set_port(address.port() ^ 1);
            }
        }
    }

    /// Where the liar says that its audio belongs: around now, or anywhere.
    fn head(&self, input: &mut Input<'_>) -> AudioHead {
        let shape = input.u8();
        let first = match input.below(4) {
            0 => WireChunk(input.u32()),
            _ => WireChunk::new(self.chunk.plus(i64::from(input.u8()) - 128)),
        };
        AudioHead {
            strip: StripId(u16::from(input.u8() % 18)),
            first,
            format: [Format::Pcm16, Format::Pcm24, Format::Float32][usize::from(shape & 0xf) % 3],
            channels: if shape & 0x10 == 0 { Channels::Mono } else { Channels::Stereo },
            chunks: chunks(shape >> 5),
            stamp: (shape & 0x80 != 0)
                .then(|| MusicalStamp { beats: Beats::from_micro(input.i64()), tempo: Tempo::MAX }),
        }
    }

    /// The liar says this; it is sealed as it should be.
    fn say(&mut self, write: impl FnOnce(&mut Writer<'_>) -> bool) {
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let liar = &mut self.members[LIAR];
        let sealed = liar.client.seal(self.now, &mut out, |plain| {
            // What does not fit is not said.
            let _ = write(plain);
        });
        if let Some(length) = sealed {
            self.relay.handle_datagram(self.now, liar.address, &mut out[..length]);
            self.drain();
        }
    }

    fn publish(&mut self, slot: Slot, bytes: &[u8]) {
        self.members[LIAR].client.publish(self.now, slot, bytes);
        self.settle();
    }

    /// Time passes chunk by chunk; at the end of each the honest member sends it.
    fn pass(&mut self, chunks: i64) {
        self.settle();
        for _ in 0..chunks {
            let end = self.relay.grid().local(self.chunk.end());
            while self.now < end {
                let due = self.members.iter().map(|member| member.client.poll_timeout()).min();
                let due = due.unwrap_or(end).min(self.relay.poll_timeout());
                assert!(due > self.now, "something is due after everything was drained");
                self.now = due.min(end);
                self.settle();
            }
            self.play();
            self.settle();
            self.chunk = self.chunk.plus(1);
        }
    }

    fn play(&mut self) {
        let head = AudioHead {
            strip: StripId(0),
            first: WireChunk::new(self.chunk),
            format: Format::Pcm16,
            channels: Channels::Mono,
            chunks: ChunksPerDatagram::One,
            stamp: None,
        };
        let samples = [[0.5; CHUNK_FRAMES]; 2];
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let honest = &mut self.members[HONEST];
        let sealed = honest.client.seal(self.now, &mut out, |plain| {
            Element::encode_audio(&head, &[samples], plain).expect("one chunk fits");
        });
        if let Some(length) = sealed {
            self.relay.handle_datagram(self.now, honest.address, &mut out[..length]);
            self.drain();
        }
    }

    /// Everybody does what is due, until all are silent.
    fn settle(&mut self) {
        self.relay.handle_timeout(self.now);
        self.drain();
        self.members.iter_mut().for_each(|member| member.client.handle_timeout(self.now));
        let mut datagrams = 0;
        while self.anybody_speaks() {
            datagrams += 1;
            assert!(datagrams < 1_000, "the members talk without end");
        }
        self.note_events();
    }

    fn anybody_speaks(&mut self) -> bool {
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let now = self.now;
        let spoken = self.members.iter_mut().find_map(|member| {
            member.client.poll_transmit(now, &mut out).map(|length| (member.address, length))
        });
        if let Some((from, length)) = spoken {
            self.relay.handle_datagram(now, from, &mut out[..length]);
            self.drain();
        }
        spoken.is_some()
    }

    fn drain(&mut self) {
        let mut out = [0; DATAGRAM_BYTES_MAX];
        for datagrams in 0.. {
            assert!(datagrams < 10_000, "the relay talks without end");
            let Some((to, length)) = self.relay.poll_transmit(self.now, &mut out) else { break };
            if let Some(member) = self.members.iter_mut().find(|member| member.address == to) {
                member.receive(self.now, &mut out[..length]);
            }
        }
        while let Some(event) = self.relay.poll_event() {
            assert!(!matches!(event, RelayEvent::RoomFailed { .. }), "{event:?}");
        }
        let stats = self.relay.stats();
        assert!(only_grew(&self.stats, &stats), "{:?} became {stats:?}", self.stats);
        self.stats = stats;
    }

    fn note_events(&mut self) {
        for (number, member) in self.members.iter_mut().enumerate() {
            while let Some(event) = member.client.poll_event() {
                match event {
                    ClientEvent::Document(Slot::ROSTER, bytes) => {
                        member.roster = Some(Roster::decode(&bytes).expect("a roster can be read"));
                    }
                    ClientEvent::Document(Slot::DELAY, bytes) => {
                        RoomDelay::decode(&bytes).expect("the room's delay can be read");
                    }
                    ClientEvent::Document(slot, bytes) => {
                        assert_eq!(slot, Slot::TIMELINE);
                        RoomTimeline::decode(&bytes).expect("the room's time can be read");
                    }
                    ClientEvent::Entry(bytes) => {
                        midi::Decoder::default().decode(&bytes, |_, _| ()).expect("MIDI can be read");
                    }
                    ClientEvent::Joined { .. } | ClientEvent::Clock { .. } => {}
                    ClientEvent::Lost | ClientEvent::Refused { .. } | ClientEvent::Ended(_) => {
                        assert_eq!(number, LIAR, "the honest member suffers: {event:?}");
                    }
                }
            }
        }
    }

    fn check_end(&self, play: PlayMode) {
        let honest = &self.members[HONEST];
        assert!(honest.client.is_joined());
        assert_eq!(self.relay.stats().room_failures, 0);
        let roster = honest.roster.as_ref().expect("the honest member has a roster");
        let you = roster.you.expect("the roster says who reads it");
        let named = roster.members.iter().find(|member| member.id == you).map(|member| member.name.as_str());
        assert_eq!(named, Some(HONEST_NAME));
        let own = roster.strips.iter().filter(|strip| strip.member == you).collect::<Vec<_>>();
        assert_eq!(own.iter().map(|strip| strip.name.as_str()).collect::<Vec<_>>(), [HONEST_NAME]);
        let is_own = |&(strip, _): &(u16, u32)| own.iter().any(|own| own.id.0 == strip);
        assert!(!honest.heard.iter().any(is_own), "the honest member hears itself");
        let mixed = honest.heard.iter().filter(|(strip, _)| StripId(*strip) == StripId::MIX);
        let mixed: Vec<u32> = mixed.map(|(_, chunk)| *chunk).collect();
        match play {
            PlayMode::Mix => {
                // One chunk more or less at each end, as the wait moves.
                assert!(
                    i64::try_from(mixed.len()).is_ok_and(|count| count >= CHUNKS_TO_HEAR - 2),
                    "{mixed:?}"
                );
                assert!(mixed.windows(2).all(|pair| pair[1] - pair[0] == 1), "the mix has holes: {mixed:?}");
            }
            PlayMode::Stems | PlayMode::Nothing => assert!(mixed.is_empty()),
        }
    }
}

fn profile(input: &mut Input<'_>) -> Profile {
    let choice = input.u8();
    let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let count = input.below(20);
    Profile {
        name: name(input.bytes()),
        play: [PlayMode::Nothing, PlayMode::Stems, PlayMode::Mix][usize::from(choice & 0xf) % 3],
        mix_format: [Format::Pcm16, Format::Pcm24, Format::Float32, Format::Lossless16]
            [usize::from(choice >> 6)],
        mix_chunks: chunks(choice >> 4),
        strips: (0..count)
            .map(|_| ProfileStrip {
                number: u16::from(input.u8() % 17),
                channels: if input.below(2) == 0 { Channels::Mono } else { Channels::Stereo },
                name: name(input.bytes()),
            })
            .collect(),
    }
}

fn small_element(input: &mut Input<'_>) -> Element<'static> {
    match input.below(7) {
        0 => Element::ClockAsk { sent: LocalTime::from_nanos(input.i64()) },
        1 => Element::ClockReply {
            sent: LocalTime::from_nanos(input.i64()),
            relay_received: GridPosition::from_raw(input.i64()),
            relay_sent: GridPosition::from_raw(input.i64()),
        },
        2 | 3 => Element::Acknowledge { slot: Slot(input.u8()), version: input.u32() },
        4 => Element::PathAsk { token: u64::from(input.u32()) },
        5 => Element::PathReply { token: u64::from(input.u32()) },
        _ => Element::Leave([LeaveReason::Left, LeaveReason::RelayStops][input.below(2)]),
    }
}

const fn chunks(choice: u8) -> ChunksPerDatagram {
    match choice & 3 {
        0 | 1 => ChunksPerDatagram::One,
        2 => ChunksPerDatagram::Two,
        _ => ChunksPerDatagram::Four,
    }
}

/// The document that `write` writes, as much as it fits.
fn encoded(write: impl FnOnce(&mut Writer<'_>) -> bool) -> Vec<u8> {
    let mut buffer = vec![0; lockstep_shared::wire::DOCUMENT_BYTES_MAX];
    let mut out = Writer::new(&mut buffer);
    assert!(write(&mut out), "the documents made here fit");
    out.written().to_vec()
}

/// Every counter but those of the present only grows.
const fn only_grew(before: &RelayStats, after: &RelayStats) -> bool {
    let (sessions, rooms) = ((&before.sessions, &after.sessions), (&before.rooms, &after.rooms));
    before.datagrams_in <= after.datagrams_in
        && before.datagrams_out <= after.datagrams_out
        && before.documents_malformed <= after.documents_malformed
        && sessions.0.malformed <= sessions.1.malformed
        && sessions.0.stray <= sessions.1.stray
        && sessions.0.forged <= sessions.1.forged
        && sessions.0.replayed <= sessions.1.replayed
        && rooms.0.unknown_strip <= rooms.1.unknown_strip
        && rooms.0.off_grid <= rooms.1.off_grid
        && rooms.0.late_for_mix <= rooms.1.late_for_mix
        && rooms.0.absent_from_mix <= rooms.1.absent_from_mix
}
