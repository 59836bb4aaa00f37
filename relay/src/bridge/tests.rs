//! Bridges that talk to each other.

use core::net::SocketAddr;

use lockstep_shared::midi::Realtime;
use lockstep_shared::midi::message::Message;
use lockstep_shared::rtpmidi::name::Name;
use lockstep_shared::rtpmidi::session::{Policy, Port};
use lockstep_shared::time::{Beats, GridFrame, LocalTime, Span};
use lockstep_shared::timeline::{AuthorId, Intent, Timeline};

use super::*;
use crate::grid::Grid;

/// A room and two others that call it, on a network without delay.
struct Studio {
    now: LocalTime,
    ends: Vec<(Bridge, u16)>,
    /// Which ends the network has cut off.
    cut: Vec<bool>,
    heard: Vec<Vec<Message>>,
    events: Vec<Vec<BridgeEvent>>,
}

const ROOM: u16 = 5_004;

impl Studio {
    fn new(policy: Policy) -> Self {
        let now = LocalTime::from_nanos(1_000_000_000);
        let grid = Grid::starting_at(LocalTime::ZERO);
        let end = |name: &str, policy: Policy, seed: u8| {
            let session = Some((Name::new(name), policy));
            Bridge::new(BridgeSettings { session, ..BridgeSettings::default() }, grid, &[seed; 32], now)
        };
        let mut ends = vec![(end("room", policy, 1), ROOM)];
        for (name, port, seed) in [("keys", 6_004, 2), ("pads", 6_006, 3)] {
            let mut bridge = end(name, Policy::nobody(), seed);
            bridge.invite(now, address(ROOM), Name::default());
            ends.push((bridge, port));
        }
        Self { now, ends, cut: vec![false; 3], heard: vec![Vec::new(); 3], events: vec![Vec::new(); 3] }
    }

    fn pass(&mut self, milliseconds: i64) {
        for _ in 0..milliseconds {
            self.now += Span::from_millis(1);
            for end in 0..self.ends.len() {
                self.ends[end].0.handle_timeout(self.now);
            }
            self.settle();
        }
    }

    fn settle(&mut self) {
        let mut out = Vec::new();
        for _ in 0..1_000 {
            let mut is_silent = true;
            for end in 0..self.ends.len() {
                while let Some(passed) = self.ends[end].0.poll_passed(self.now) {
                    self.heard[end].push(passed.message);
                }
                while let Some(event) = self.ends[end].0.poll_event() {
                    self.events[end].push(event);
                }
                let Some((port, to)) = self.ends[end].0.poll_transmit(self.now, &mut out) else { continue };
                is_silent = false;
                let from = address(self.ends[end].1 + u16::from(port == Port::Data));
                let target = self.ends.iter().position(|(_, port)| *port == to.port() & !1);
                let Some(target) = target.filter(|target| !self.cut[*target] && !self.cut[end]) else {
                    continue;
                };
                let port = if to.port() & 1 == 1 { Port::Data } else { Port::Control };
                self.ends[target].0.handle_datagram(self.now, port, from, &out);
            }
            if is_silent {
                return;
            }
        }
        panic!("they talk without end");
    }

    fn play(&mut self, end: usize, bytes: &[u8]) {
        let at = Grid::starting_at(LocalTime::ZERO).position(self.now);
        let message = Message::from_short(bytes).unwrap();
        self.ends[end].0.take(self.now, Source::RoomPort, at, message);
        self.settle();
    }
}

fn address(port: u16) -> SocketAddr {
    ([192, 168, 1, 7], port).into()
}

fn messages(all: &[&[u8]]) -> Vec<Message> {
    all.iter().map(|bytes| Message::from_short(bytes).unwrap()).collect()
}

#[test]
fn what_one_plays_reaches_the_room_and_the_other_but_never_itself() {
    let mut studio = Studio::new(Policy::anyone());
    studio.pass(500);
    studio.play(1, &[0x90, 60, 100]);
    studio.play(1, &[0xB0, 1, 64]);
    studio.pass(100);
    let played = messages(&[&[0x90, 60, 100], &[0xB0, 1, 64]]);
    // The end that plays passes it on too: to its own participants, of which the room is one.
    assert_eq!(studio.heard, [played.clone(), played.clone(), played]);
    let status = studio.ends[0].0.status(studio.now);
    let names: Vec<_> =
        status.participants.iter().map(|one| (one.name.as_str(), one.state.as_str())).collect();
    assert_eq!(names, [("keys", "here"), ("pads", "here")]);
    assert_eq!(status.participants[0].notes_held, 1);
}

#[test]
fn a_participant_that_vanishes_holds_nothing_and_comes_back_with_its_place() {
    let mut studio = Studio::new(Policy::anyone());
    studio.pass(5_000);
    studio.play(1, &[0x90, 60, 100]);
    studio.pass(100);
    studio.cut[1] = true;
    let mut waited = 0;
    while studio.heard[2].len() < 2 && waited < 20_000 {
        studio.pass(100);
        waited += 100;
    }
    assert!(waited <= 4_500, "{waited} ms: {:?} {:?}", studio.events[0], studio.heard);
    let off = messages(&[&[0x80, 60, 64]]);
    assert_eq!(studio.heard[2].last(), off.last(), "its note has ended everywhere");
    studio.cut[1] = false;
    studio.pass(2_000);
    studio.play(1, &[0x90, 64, 100]);
    studio.pass(100);
    assert_eq!(
        studio.heard[2].last(),
        messages(&[&[0x90, 64, 100]]).last(),
        "within two seconds it plays again"
    );
    assert_eq!(studio.ends[0].0.status(studio.now).participants.len(), 2);
}

#[test]
fn who_is_not_on_the_list_waits_for_approval() {
    let mut studio = Studio::new(Policy::default());
    studio.pass(1_500);
    let asked: Vec<_> =
        studio.events[0].iter().filter(|event| matches!(event, BridgeEvent::Asked { .. })).collect();
    assert_eq!(asked.len(), 2);
    let now = studio.now;
    studio.ends[0].0.admit(now, "room", "keys").unwrap();
    assert!(studio.ends[0].0.admit(now, "room", "bass").is_err());
    studio.ends[0].0.refuse(now, "room", "pads").unwrap();
    studio.pass(1_500);
    let status = studio.ends[0].0.status(studio.now);
    let states: Vec<_> =
        status.participants.iter().map(|one| (one.name.as_str(), one.state.as_str())).collect();
    assert_eq!(states, [("keys", "here")]);
}

#[test]
fn everybody_gets_the_clock_of_the_rooms_line_and_nobody_anothers() {
    let mut studio = Studio::new(Policy::anyone());
    studio.pass(500);
    let start = Intent::Start { beats: Beats::default(), at: GridFrame(96_000).position() };
    studio.ends[0].0.set_line(Timeline::default().with_intent(AuthorId(1), &start));
    studio.play(1, &[0xFA]);
    studio.pass(4_000);
    assert_eq!(studio.heard, [vec![], vec![], vec![]]);
    let mut port = Vec::new();
    while let Some((_, message)) = studio.ends[0].0.poll_port_clock() {
        port.push(message);
    }
    let starts = port.iter().filter(|message| **message == Message::Realtime(Realtime::Start)).count();
    assert_eq!(starts, 1);
    // Two and a half seconds at 120 BPM and as long as it stood before.
    for end in 1..3 {
        let received = studio.ends[end].0.status(studio.now).participants[0].received;
        assert!(received > 150, "{received}");
    }
}

#[test]
fn a_room_without_a_session_says_when_the_clock_of_its_port_is_due() {
    let mut now = LocalTime::from_nanos(1_000_000_000);
    let grid = Grid::starting_at(LocalTime::ZERO);
    let settings = BridgeSettings { has_ports: true, ..BridgeSettings::default() };
    let mut room = Bridge::new(settings, grid, &[1; 32], now);
    assert_eq!(room.poll_timeout(), LocalTime::NEVER);
    let at = GridFrame(96_000).position();
    room.set_line(
        Timeline::default().with_intent(AuthorId(1), &Intent::Start { beats: Beats::default(), at }),
    );
    let settled = now + Span::from_millis(50);
    let mut ticks = 0;
    while now < LocalTime::from_nanos(4_000_000_000) {
        now = now.max(room.poll_timeout());
        room.handle_timeout(now);
        while let Some((at, message)) = room.poll_port_clock() {
            let is_ahead = grid.instant(at) > now + Span::from_millis(9);
            assert!(is_ahead || now < settled, "{message} is late at {now:?}");
            ticks += u32::from(message == Message::Realtime(Realtime::Clock));
        }
    }
    // Two seconds at 120 BPM, and the ticks before the start.
    assert!(ticks >= 96, "{ticks}");
}

#[test]
fn who_asks_and_gives_up_ever_again_is_not_kept() {
    let mut studio = Studio::new(Policy::default());
    studio.pass(1_500);
    for round in 0..300_u32 {
        // Each with a token and an SSRC of its own, from one address.
        let greeting = |letters: [u8; 2]| {
            let mut bytes = vec![0xFF, 0xFF, letters[0], letters[1], 0, 0, 0, 2];
            bytes.extend(round.to_be_bytes());
            bytes.extend((round + 77).to_be_bytes());
            bytes.extend(b"stranger\0");
            bytes
        };
        let from = SocketAddr::from(([192, 168, 1, 99], 9_000));
        for letters in [*b"IN", *b"BY"] {
            let now = studio.now;
            studio.ends[0].0.handle_datagram(now, Port::Control, from, &greeting(letters));
            studio.pass(101);
        }
    }
    assert!(studio.ends[0].0.status(studio.now).participants.len() <= 4);
}
