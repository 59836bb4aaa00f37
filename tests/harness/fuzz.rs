//! The bodies of the fuzz targets. They assert what must hold for every input, and compile on the stable toolchain:
//! `tests/fuzz` hands them to libFuzzer for discovery, `tests/corpora` replays what it kept.

use lockstep_relay::config::{Config, FileConfig, Overrides};
use lockstep_relay::relay::{Relay, RelaySettings, RoomSettings};
use lockstep_shared::dsp::SILENT_CHUNK;
use lockstep_shared::jitter::{ChunkWindow, Insertion};
use lockstep_shared::session::{Client, ClientSettings, Invite, MemberKey, RelayKey, RoomSecret};
use lockstep_shared::time::{ChunkIndex, GridFrame, LocalTime, Span};
use lockstep_shared::wire::handshake::{HELLO_BYTES, Handshake};
use lockstep_shared::wire::{
    DATAGRAM_BYTES_MAX, DOCUMENT_BYTES_MAX, Element, Elements, Gains, PLAIN_BYTES_MAX, PlayMode, Profile,
    ProfileStrip, Roster, Slot, Writer,
};

/// A target: its name, which names its corpus too, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 8] = [
    ("elements", elements),
    ("handshake", handshake),
    ("documents", documents),
    ("invite", invite),
    ("config", config),
    ("window", window),
    ("sessions", sessions),
    ("member", member),
];

/// What decodes encodes to the same bytes, and every sample of it is finite.
pub fn elements(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(PLAIN_BYTES_MAX)];
    let mut buffer = [0; PLAIN_BYTES_MAX];
    let mut out = Writer::new(&mut buffer);
    for element in Elements::new(bytes).map_while(Result::ok) {
        if let Element::Audio(audio) = &element {
            let mut frames = SILENT_CHUNK;
            for number in 0..audio.head.chunks.count() {
                audio.chunk_into(number, &mut frames);
                assert!(frames.iter().flatten().all(|sample| sample.is_finite()));
            }
        }
        element.encode(&mut out).expect("what came in one packet fits into one");
    }
    assert_eq!(out.written(), &bytes[..out.length()]);
}

/// What decodes decodes to itself once encoded, and is never longer than a hello.
pub fn handshake(bytes: &[u8]) {
    let Ok(packet) = Handshake::decode(bytes) else { return };
    let mut buffer = [0; HELLO_BYTES];
    let mut out = Writer::new(&mut buffer);
    packet.encode(&mut out).expect("every packet in the clear fits a hello's length");
    assert_eq!(Handshake::decode(out.written()), Ok(packet));
}

/// A document that decodes is the same after another round trip.
pub fn documents(bytes: &[u8]) {
    let mut buffer = vec![0; DOCUMENT_BYTES_MAX];
    if let Ok(profile) = Profile::decode(bytes) {
        let mut out = Writer::new(&mut buffer);
        profile.encode(&mut out).expect("a profile fits");
        assert_eq!(Profile::decode(out.written()), Ok(profile));
    }
    if let Ok(gains) = Gains::decode(bytes) {
        let mut out = Writer::new(&mut buffer);
        gains.encode(&mut out).expect("gains fit");
        assert_eq!(Gains::decode(out.written()), Ok(gains));
    }
    if bytes.len() <= DOCUMENT_BYTES_MAX
        && let Ok(roster) = Roster::decode(bytes)
    {
        let mut out = Writer::new(&mut buffer);
        roster.encode(&mut out).expect("a roster that came in a document fits one");
        assert_eq!(Roster::decode(out.written()), Ok(roster));
    }
}

/// An invite that reads is the same once printed and read again.
pub fn invite(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Ok(invite) = Invite::parse(text) {
        assert_eq!(Invite::parse(&invite.to_string()), Ok(invite));
    }
}

/// A configuration is refused in words, or names at least one room and nothing twice.
pub fn config(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let Ok(file) = toml::from_str::<FileConfig>(text) else { return };
    if let Ok(config) = Config::resolve(Some(file), Overrides::default()) {
        assert!(!config.rooms.is_empty());
        for (number, room) in config.rooms.iter().enumerate() {
            assert!(Invite::is_room_name(&room.name));
            assert!(config.rooms[..number].iter().all(|other| other.name != room.name));
        }
    }
}

/// The window agrees with a list of what was inserted before it was read past.
pub fn window(bytes: &[u8]) {
    const CAPACITY: i64 = 16;
    let mut window = ChunkWindow::new(16);
    let mut held = std::collections::BTreeMap::new();
    let mut at = 0_i64;
    for step in bytes.as_chunks::<2>().0 {
        let [what, value] = *step;
        let index = ChunkIndex(at + i64::from(value % 40) - 10);
        if what % 3 == 0 {
            let frames = [[f32::from(value) / 256.0; 64]; 2];
            let cursor = window.cursor();
            match window.insert(index, &frames) {
                Insertion::Stored => {
                    held.retain(|kept: &i64, _| (kept - index.0) % CAPACITY != 0);
                    held.insert(index.0, value);
                    assert!(cursor.is_none_or(|cursor| index >= cursor));
                }
                Insertion::Duplicate => assert!(held.contains_key(&index.0)),
                Insertion::Late => assert!(cursor.is_some_and(|cursor| index < cursor)),
                Insertion::TooEarly => assert!(cursor.is_some_and(|cursor| index - cursor >= CAPACITY)),
            }
        } else {
            at += i64::from(value % 3);
            let (mut left, mut right) = ([9.0; 64], [9.0; 64]);
            window.gather(GridFrame(at * 64), [&mut left, &mut right]);
            assert_eq!(left, right);
            let is_held = held.contains_key(&at);
            assert_eq!(window.holds(ChunkIndex(at)), is_held);
            if let Some(value) = held.get(&at) {
                // The end of a chunk is never faded.
                assert_eq!(left[63], f32::from(*value) / 256.0);
            } else {
                assert_eq!(left[63], 0.0);
            }
        }
    }
}

/// A room with two members on a wire that the input owns: it loses, doubles, bends and invents datagrams. Nothing of
/// that moves a member out of its room, and what is answered to a stranger is never longer than what it sent.
pub fn sessions(bytes: &[u8]) {
    let mut scene = Scene::new();
    for step in bytes.as_chunks::<3>().0.iter().take(400) {
        scene.now += Span::from_micros(700);
        scene.step(*step);
    }
    // Left alone, both are in their room within the longest wait between hellos.
    for _ in 0..9_000 {
        scene.now += Span::from_millis(1);
        scene.step([0, 0, 0]);
    }
    assert!(scene.members.iter().all(|member| member.client.is_joined()));
    assert_eq!(scene.relay.stats().room_failures, 0);
}

/// A member that says anything at all, sealed as it should be, harms itself at most: the other stays in the room.
pub fn member(bytes: &[u8]) {
    let mut scene = Scene::new();
    for _ in 0..40 {
        scene.now += Span::from_millis(1);
        scene.step([0, 0, 0]);
    }
    for plain in bytes.chunks(PLAIN_BYTES_MAX).take(16) {
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let (now, from) = (scene.now, scene.members[0].address);
        let sealed = scene.members[0].client.seal(now, &mut out, |packet| {
            packet.bytes(plain).expect("a packet's worth fits a packet");
        });
        if let Some(length) = sealed {
            scene.deliver(from, out[..length].to_vec());
        }
        scene.now += Span::from_millis(1);
        scene.step([0, 0, 0]);
    }
    assert!(scene.members[1].client.is_joined());
    assert_eq!(scene.relay.stats().room_failures, 0);
}

struct SceneMember {
    client: Client,
    address: core::net::SocketAddr,
    inbox: Vec<Vec<u8>>,
}

struct Scene {
    now: LocalTime,
    relay: Relay,
    members: Vec<SceneMember>,
    sent: Vec<Vec<u8>>,
}

impl Scene {
    fn new() -> Self {
        const SECRET: [u8; 16] = [7; 16];
        let room = RoomSettings { name: "studio".into(), secret: SECRET, members_max: 4 };
        let settings = RelaySettings { private_key: [9; 32], rooms: vec![room], seed: [1; 32] };
        let now = LocalTime::ZERO;
        let members = [(1, PlayMode::Mix), (2, PlayMode::Stems)].map(|(number, play)| {
            let settings = ClientSettings {
                relay_key: RelayKey::from_private([9; 32]).public(),
                secret: RoomSecret(SECRET),
                member_key: MemberKey([number; 16]),
            };
            let mut client = Client::new(settings, &[number; 32], now);
            let channels = lockstep_shared::wire::Channels::Stereo;
            let strips = vec![ProfileStrip { number: 0, channels, name: "strip".into() }];
            let mut buffer = [0; 256];
            let mut out = Writer::new(&mut buffer);
            Profile { play, strips, ..Profile::default() }.encode(&mut out).expect("it fits");
            client.publish(now, Slot::PROFILE, out.written());
            SceneMember { client, address: ([10, 0, 0, number], 1).into(), inbox: Vec::new() }
        });
        Self { now, relay: Relay::new(settings, now), members: members.into(), sent: Vec::new() }
    }

    /// One turn of everything; `what` is what the wire does to one datagram of it.
    fn step(&mut self, [what, place, value]: [u8; 3]) {
        let mut out = [0; DATAGRAM_BYTES_MAX];
        for number in 0..self.members.len() {
            let member = &mut self.members[number];
            for mut datagram in std::mem::take(&mut member.inbox) {
                member.client.handle_datagram(self.now, &mut datagram);
            }
            member.client.handle_timeout(self.now);
            while member.client.poll_event().is_some() {}
            let mut datagrams = Vec::new();
            while let Some(length) = member.client.poll_transmit(self.now, &mut out) {
                datagrams.push(out[..length].to_vec());
            }
            let from = member.address;
            for mut datagram in datagrams {
                self.sent.push(datagram.clone());
                match what % 8 {
                    // Lost.
                    1 => continue,
                    // Doubled.
                    2 => self.deliver(from, datagram.clone()),
                    // Bent.
                    3 => {
                        let place = usize::from(place) % datagram.len();
                        datagram[place] ^= value | 1;
                    }
                    // Cut.
                    4 => datagram.truncate(usize::from(place) % (datagram.len() + 1)),
                    _ => {}
                }
                self.deliver(from, datagram);
            }
        }
        // A copy from before, from a stranger; and something invented.
        if what % 8 == 5 && !self.sent.is_empty() {
            let copy = self.sent[usize::from(place) % self.sent.len()].clone();
            self.deliver(([192, 0, 2, 1], u16::from(value)).into(), copy);
        }
        if what % 8 == 6 {
            self.deliver(([192, 0, 2, 2], 7).into(), vec![value; usize::from(place) + 1]);
        }
        self.relay.handle_timeout(self.now);
        self.drain(None);
    }

    fn deliver(&mut self, from: core::net::SocketAddr, mut datagram: Vec<u8>) {
        let length = datagram.len();
        self.relay.handle_datagram(self.now, from, &mut datagram);
        let is_stranger = self.members.iter().all(|member| member.address != from);
        self.drain(is_stranger.then_some((from, length)));
    }

    fn drain(&mut self, stranger: Option<(core::net::SocketAddr, usize)>) {
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let mut answered = 0;
        while let Some((to, length)) = self.relay.poll_transmit(self.now, &mut out) {
            if stranger.is_some_and(|(stranger, _)| stranger == to) {
                answered += length;
            }
            if let Some(member) = self.members.iter_mut().find(|member| member.address == to) {
                member.inbox.push(out[..length].to_vec());
            }
        }
        assert!(stranger.is_none_or(|(_, length)| answered <= length), "more was answered than asked");
        while self.relay.poll_event().is_some() {}
    }
}
