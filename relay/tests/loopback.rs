//! The real binary on real sockets, with members that are just the session's client half.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockstep_relay::shell::clock;
use lockstep_shared::clock::{Exchange, RoomClock};
use lockstep_shared::dsp::SILENT_CHUNK;
use lockstep_shared::session::{Client, ClientEvent, ClientSettings, Invite, MemberKey};
use lockstep_shared::time::{LocalTime, Span};
use lockstep_shared::wire::{
    AudioHead, Channels, ChunksPerDatagram, DATAGRAM_BYTES_MAX, Element, Format, LeaveReason, PlayMode,
    Profile, ProfileStrip, RoomDelay, RoomTimeline, Roster, Slot, StripId, WireChunk, Writer,
};
use rustix::process::{Pid, Signal, kill_process};

/// A relay with a folder of its own; both go with the test.
struct Relay {
    child: Child,
    folder: PathBuf,
}

impl Relay {
    fn start(name: &str, listen: &str) -> (Self, Invite) {
        let folder = std::env::temp_dir().join(format!("lockstep-loopback-{name}-{}", std::process::id()));
        Self::start_in(&folder, listen)
    }

    fn start_in(folder: &Path, listen: &str) -> (Self, Invite) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lockstep-relay"))
            .args(["--listen", listen, "--midi-port", "0", "--log", "warn", "--state"])
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (Self { child, folder: folder.to_owned() }, Invite::parse(&line).unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A member on a real socket, stepped by the test.
struct Member {
    client: Client,
    socket: UdpSocket,
    relay: (String, u16),
    clock: RoomClock,
    value: f32,
    events: Vec<ClientEvent>,
    roster: Roster,
    /// Strip and first sample of the last audio elements.
    heard: Vec<(StripId, f32)>,
    said: Option<i64>,
}

impl Member {
    fn new(invite: &Invite, number: u8, play: PlayMode, value: f32) -> Self {
        let now = clock::now();
        let settings = ClientSettings {
            relay_key: invite.relay_key,
            secret: invite.secret,
            member_key: MemberKey([number; 16]),
        };
        let mut client = Client::new(settings, &[number; 32], now);
        let profile = Profile {
            name: format!("member {number}"),
            play,
            strips: vec![ProfileStrip { number: 0, channels: Channels::Stereo, name: String::new() }],
            ..Profile::default()
        };
        let mut bytes = [0; 256];
        let mut out = Writer::new(&mut bytes);
        profile.encode(&mut out).unwrap();
        client.publish(now, Slot::PROFILE, out.written());
        let relay = (invite.host.clone(), invite.port);
        Self {
            client,
            socket: connected(&relay),
            relay,
            clock: RoomClock::new(now),
            value,
            events: Vec::new(),
            roster: Roster::default(),
            heard: Vec::new(),
            said: None,
        }
    }

    /// The router forgets the member: from now on it has another address.
    fn rebind(&mut self) {
        self.socket = connected(&self.relay);
    }

    fn step(&mut self) {
        let now = clock::now();
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            for element in
                self.client.handle_datagram(clock::now(), &mut buffer[..length]).into_iter().flatten()
            {
                if let Ok(Element::Audio(audio)) = element {
                    let mut frames = SILENT_CHUNK;
                    audio.chunk_into(0, &mut frames).unwrap();
                    self.heard.push((audio.head.strip, frames[0][0]));
                }
            }
        }
        self.client.handle_timeout(now);
        while let Some(event) = self.client.poll_event() {
            match event {
                ClientEvent::Clock { sent, relay_received, relay_sent, received } => {
                    self.clock.observe(&Exchange { sent, relay_received, relay_sent, received });
                }
                ClientEvent::Document(Slot::ROSTER, bytes) => self.roster = Roster::decode(&bytes).unwrap(),
                ClientEvent::Document(Slot::DELAY, bytes) => {
                    assert_eq!(RoomDelay::decode(&bytes).unwrap(), RoomDelay::default(), "nobody needs any");
                }
                ClientEvent::Document(slot, bytes) => {
                    assert_eq!(slot, Slot::TIMELINE);
                    assert_eq!(RoomTimeline::decode(&bytes).unwrap().leader, None, "nobody asks to lead");
                }
                ClientEvent::Joined { epoch } => {
                    self.clock = RoomClock::new(now);
                    self.events.push(ClientEvent::Joined { epoch });
                }
                event @ (ClientEvent::Lost
                | ClientEvent::Entry(_)
                | ClientEvent::Refused { .. }
                | ClientEvent::Ended(_)) => {
                    self.events.push(event);
                }
            }
        }
        self.speak(now);
        while let Some(length) = self.client.poll_transmit(clock::now(), &mut buffer) {
            let _ = self.socket.send(&buffer[..length]);
        }
    }

    /// Sends every chunk that the grid has passed since the last step.
    fn speak(&mut self, now: LocalTime) {
        let Some(map) = self.clock.map(now) else { return };
        let newest = map.grid(now).floor().chunk().0 - 1;
        let next = self.said.filter(|said| newest - said < 100).map_or(newest, |said| said + 1);
        for index in next..=newest {
            let head = AudioHead {
                strip: StripId(0),
                first: WireChunk::new(lockstep_shared::time::ChunkIndex(index)),
                format: Format::Pcm16,
                channels: Channels::Stereo,
                chunks: ChunksPerDatagram::One,
                stamp: None,
            };
            let mut buffer = [0; DATAGRAM_BYTES_MAX];
            let frames = [[[self.value; 64]; 2]];
            let sealed = self.client.seal(now, &mut buffer, |plain| {
                Element::encode_audio(&head, &frames, plain).unwrap();
            });
            if let Some(length) = sealed {
                let _ = self.socket.send(&buffer[..length]);
            }
        }
        self.said = Some(newest);
    }
}

fn connected(relay: &(String, u16)) -> UdpSocket {
    let any = if relay.0.contains(':') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(any).unwrap();
    socket.connect((relay.0.as_str(), relay.1)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// Steps the members until `done`, for as long as `limit`; the time that it took.
fn run(members: &mut [Member], limit: Span, mut done: impl FnMut(&[Member]) -> bool) -> Span {
    let start = clock::now();
    while !done(members) {
        assert!(clock::now() - start < limit, "not within {limit}");
        members.iter_mut().for_each(Member::step);
        std::thread::park_timeout(Duration::from_micros(500));
    }
    clock::now() - start
}

fn hears(member: &Member, wanted: f32) -> bool {
    member.heard.iter().rev().take(50).filter(|(_, value)| *value == wanted).count() >= 40
}

const LIMIT: Span = Span::from_millis(10_000);

#[test]
fn members_on_both_protocols_hear_each_other_as_stems_and_as_a_mix() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let (_relay, invite) = Relay::start(&listen.replace(|c: char| !c.is_alphanumeric(), ""), listen);
        let mut members =
            [Member::new(&invite, 1, PlayMode::Stems, 0.25), Member::new(&invite, 2, PlayMode::Mix, 0.5)];
        run(&mut members, LIMIT, |members| hears(&members[0], 0.5) && hears(&members[1], 0.25));
        assert!(members[1].heard.iter().all(|(strip, _)| *strip == StripId::MIX));
        assert_eq!(members[0].roster.members.len(), 2);
    }
}

#[test]
fn a_stopped_relay_says_goodbye_and_a_restarted_one_has_its_members_back_within_two_seconds() {
    let (relay, invite) = Relay::start("restart", "127.0.0.1:0");
    let mut members =
        [Member::new(&invite, 1, PlayMode::Stems, 0.25), Member::new(&invite, 2, PlayMode::Stems, 0.5)];
    run(&mut members, LIMIT, |members| hears(&members[0], 0.5));
    relay.signal(Signal::TERM);
    run(&mut members, LIMIT, |members| {
        let goodbye = ClientEvent::Ended(LeaveReason::RelayStops);
        members.iter().all(|member| member.events.contains(&goodbye))
    });
    let folder = relay.folder.clone();
    let kept = folder.with_extension("kept");
    std::fs::rename(&folder, &kept).unwrap();
    drop(relay);
    std::fs::rename(&kept, &folder).unwrap();
    let (_relay, again) = Relay::start_in(&folder, &format!("127.0.0.1:{}", invite.port));
    assert_eq!(again, invite);
    members.iter_mut().for_each(|member| member.events.clear());
    let joined =
        |member: &Member| member.events.iter().any(|event| matches!(event, ClientEvent::Joined { .. }));
    run(&mut members, Span::from_millis(2_000), |members| members.iter().all(joined));
    members.iter_mut().for_each(|member| member.heard.clear());
    run(&mut members, LIMIT, |members| hears(&members[0], 0.5) && hears(&members[1], 0.25));
}

#[test]
fn a_changed_address_and_a_stream_of_garbage_cost_nothing_but_a_moment() {
    let (_relay, invite) = Relay::start("rebind", "127.0.0.1:0");
    let mut members =
        [Member::new(&invite, 1, PlayMode::Stems, 0.25), Member::new(&invite, 2, PlayMode::Stems, 0.5)];
    run(&mut members, LIMIT, |members| hears(&members[0], 0.5));
    members[0].rebind();
    members[0].heard.clear();
    run(&mut members, LIMIT, |members| hears(&members[0], 0.5));
    let stranger = connected(&members[0].relay);
    let mut garbage = [0x5a; 300];
    for number in 0..5_000_u16 {
        let [low, high] = number.to_le_bytes();
        (garbage[0], garbage[1], garbage[2]) = ([0x01, 0x10, 0x42][usize::from(number % 3)], low, high);
        let _ = stranger.send(&garbage[..usize::from(number % 300) + 1]);
    }
    members.iter_mut().for_each(|member| member.heard.clear());
    run(&mut members, LIMIT, |members| hears(&members[0], 0.5) && hears(&members[1], 0.25));
    for member in &members {
        let joins = member.events.iter().filter(|event| matches!(event, ClientEvent::Joined { .. })).count();
        assert_eq!(joins, 1, "the session survived: {:?}", member.events);
    }
}
