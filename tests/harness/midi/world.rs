//! A room and its participants on paths.

use std::collections::BTreeMap;

use core::net::SocketAddr;

use lockstep_relay::bridge::{Bridge, BridgeSettings, Passed, Source};
use lockstep_relay::grid::Grid;
use lockstep_shared::midi::message::Message;
use lockstep_shared::rtpmidi::name::Name;
use lockstep_shared::rtpmidi::session::{Policy, Port};
use lockstep_shared::time::{LocalTime, Span};

use super::MidiPeer;
use crate::net::{HEADER_BYTES, Path, PathPlan};
use crate::rng::Rng;

/// The room's control port; each peer has a host of its own.
const ROOM: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 1)), 5_004);
/// The control port of a peer at first.
const PEER_PORT: u16 = 5_004;

/// See the module's page.
#[derive(Debug)]
pub struct MidiWorld {
    /// The true time.
    pub now: LocalTime,
    /// The room's MIDI.
    pub room: Bridge,
    /// Its participants.
    pub seats: Vec<Seat>,
    /// What the room's members and ports were handed.
    pub passed: Vec<Passed>,
    /// The room's grid.
    pub grid: Grid,
    /// Every datagram that left, once somebody listens in.
    pub tapped: Option<Vec<Datagram>>,
    flying: BTreeMap<(LocalTime, u64), Datagram>,
    flights: u64,
}

/// A participant and its way to the room.
#[derive(Debug)]
pub struct Seat {
    /// The participant.
    pub peer: MidiPeer,
    /// Its control port, as the network shows it.
    pub address: SocketAddr,
    there: Path,
    back: Path,
}

/// A datagram on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// When it left.
    pub left: LocalTime,
    /// From where.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// What it says.
    pub bytes: Vec<u8>,
}

impl MidiWorld {
    /// A room that anyone may join, and a participant for each path; both ways of a path are alike.
    #[must_use]
    pub fn new(seed: u64, paths: &[PathPlan]) -> Self {
        Self::led_by(seed, paths, None)
    }

    /// The same, led by the clock of the participant of this name: they are called `peer 1` and so on.
    #[must_use]
    pub fn led_by(seed: u64, paths: &[PathPlan], clock_from: Option<&str>) -> Self {
        let now = LocalTime::from_nanos(1_000_000_000);
        let grid = Grid::starting_at(LocalTime::ZERO);
        let session = Some((Name::new("room"), Policy::anyone()));
        let clock_from = clock_from.map(str::to_owned);
        let settings = BridgeSettings { session, clock_from, ..BridgeSettings::default() };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let room = Bridge::new(settings, grid, &bytes, now);
        let mut rng = Rng::new(seed);
        let seats = (1_u8..).zip(paths).map(|(number, plan)| Seat {
            peer: MidiPeer::new(now, &format!("peer {number}"), ROOM, number),
            address: SocketAddr::from(([10, 0, 1, number], PEER_PORT)),
            there: Path::new(plan.clone(), rng.fork()),
            back: Path::new(plan.clone(), rng.fork()),
        });
        let seats = seats.collect();
        Self { now, room, seats, passed: Vec::new(), grid, tapped: None, flying: BTreeMap::new(), flights: 0 }
    }

    /// Lets time pass.
    pub fn pass(&mut self, span: Span) {
        let end = self.now + span;
        self.settle();
        while self.now < end {
            let peers =
                self.seats.iter().map(|seat| seat.peer.poll_timeout()).min().unwrap_or(LocalTime::NEVER);
            let flight = self.flying.first_key_value().map_or(LocalTime::NEVER, |((at, _), _)| *at);
            let due = peers.min(flight).min(self.room.poll_timeout());
            self.now = due.clamp(self.now + Span::from_nanos(1), end);
            self.step();
        }
    }

    /// Participant `seat` plays a message now.
    pub fn play(&mut self, seat: usize, message: &Message) -> bool {
        let played = self.seats[seat].peer.play(self.now, message);
        self.settle();
        played
    }

    /// Software at the room plays a message now.
    pub fn play_in_room(&mut self, message: Message) {
        self.room.take(self.now, Source::RoomPort, self.grid.position(self.now), message);
        self.settle();
    }

    /// A participant's address changes under it.
    pub fn move_seat(&mut self, seat: usize, address: SocketAddr) {
        self.seats[seat].address = address;
    }

    fn step(&mut self) {
        while let Some(entry) = self.flying.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let Datagram { from, to, bytes, .. } = entry.remove();
            let port = if to.port() % 2 == 0 { Port::Control } else { Port::Data };
            if to.ip() == ROOM.ip() {
                self.room.handle_datagram(self.now, port, from, &bytes);
            } else if let Some(seat) = self
                .seats
                .iter_mut()
                .find(|seat| seat.address.ip() == to.ip() && seat.address.port() == to.port() & !1)
            {
                seat.peer.handle_datagram(self.now, port, from, &bytes);
            }
        }
        self.room.handle_timeout(self.now);
        for seat in &mut self.seats {
            seat.peer.handle_timeout(self.now);
        }
        self.settle();
    }

    /// Everything that is to be sent leaves.
    fn settle(&mut self) {
        let mut out = Vec::new();
        while let Some(passed) = self.room.poll_passed(self.now) {
            self.passed.push(passed);
        }
        while self.room.poll_event().is_some() {}
        while let Some((port, to)) = self.room.poll_transmit(self.now, &mut out) {
            let from = with_port(ROOM, port);
            let seat = self.seats.iter_mut().find(|seat| seat.address.ip() == to.ip());
            let Some(seat) = seat else { continue };
            let datagram = Datagram { left: self.now, from, to, bytes: out.clone() };
            self.tapped.iter_mut().for_each(|tapped| tapped.push(datagram.clone()));
            for at in seat.back.send(self.now, out.len() + HEADER_BYTES) {
                self.flights += 1;
                self.flying.insert((at, self.flights), datagram.clone());
            }
        }
        for seat in &mut self.seats {
            while let Some((port, to)) = seat.peer.poll_transmit(self.now, &mut out) {
                let from = with_port(seat.address, port);
                let datagram = Datagram { left: self.now, from, to, bytes: out.clone() };
                self.tapped.iter_mut().for_each(|tapped| tapped.push(datagram.clone()));
                for at in seat.there.send(self.now, out.len() + HEADER_BYTES) {
                    self.flights += 1;
                    self.flying.insert((at, self.flights), datagram.clone());
                }
            }
        }
    }
}

fn with_port(control: SocketAddr, port: Port) -> SocketAddr {
    SocketAddr::new(control.ip(), control.port() + u16::from(port == Port::Data))
}
