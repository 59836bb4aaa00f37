//! Members against a relay, on virtual time, datagram by datagram.

use core::net::SocketAddr;

use super::*;
use crate::time::{GridFrame, GridPosition, LocalTime};
use crate::wire::handshake::{HELLO_BYTES, Handshake, RefuseReason};
use crate::wire::{DATAGRAM_BYTES_MAX, LeaveReason, Slot, WIRE_VERSION};

const STEP: Span = Span::from_millis(1);

/// One relay and some members; everything sent arrives a millisecond later unless `loses` says otherwise.
struct World {
    now: LocalTime,
    server: Server,
    members: Vec<Member>,
    server_events: Vec<ServerEvent>,
    /// Bytes that went to an address beyond those that came from it while it was unproven.
    is_deaf: bool,
    room_max: usize,
}

struct Member {
    client: Client,
    address: SocketAddr,
    events: Vec<ClientEvent>,
    inbox: Vec<Vec<u8>>,
    sends_audio: bool,
    log: Vec<Vec<u8>>,
}

fn secret() -> RoomSecret {
    RoomSecret([3; 16])
}

fn relay_key() -> RelayKey {
    RelayKey::from_private([5; 32])
}

fn settings(number: u8) -> ClientSettings {
    ClientSettings { relay_key: relay_key().public(), secret: secret(), member_key: MemberKey([number; 16]) }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

impl World {
    fn new(room_max: usize) -> Self {
        let access = [RoomAccess { secret: secret(), members_max: room_max }];
        let server = Server::new(relay_key(), &access, &[1; 32]);
        Self {
            now: LocalTime::ZERO,
            server,
            members: Vec::new(),
            server_events: Vec::new(),
            is_deaf: false,
            room_max,
        }
    }

    fn add(&mut self, settings: ClientSettings) -> usize {
        let number = self.members.len();
        let port = 1_000 + u16::try_from(number).unwrap();
        self.members.push(Member {
            client: Client::new(settings, &[port.to_le_bytes()[0]; 32], self.now),
            address: address(port),
            events: Vec::new(),
            inbox: Vec::new(),
            sends_audio: false,
            log: Vec::new(),
        });
        number
    }

    fn restart_relay(&mut self) {
        let access = [RoomAccess { secret: secret(), members_max: self.room_max }];
        self.server = Server::new(relay_key(), &access, &[2; 32]);
    }

    fn grid(&self) -> GridPosition {
        GridFrame(0).position().plus_f64(crate::time::convert::f64_from_i64(self.now.nanos()) * 48e-6)
    }

    fn run(&mut self, span: Span) {
        let end = self.now + span;
        while self.now < end {
            self.now += STEP;
            self.step();
        }
    }

    fn step(&mut self) {
        let (now, grid) = (self.now, self.grid());
        for number in 0..self.members.len() {
            let member = &mut self.members[number];
            for mut datagram in std::mem::take(&mut member.inbox) {
                member.client.handle_datagram(now, &mut datagram);
            }
            member.client.handle_timeout(now);
            let mut sent = Vec::new();
            let mut out = [0; DATAGRAM_BYTES_MAX];
            if member.sends_audio
                && let Some(length) = member.client.seal(now, &mut out, |_| {})
            {
                sent.push(out[..length].to_vec());
            }
            while let Some(length) = member.client.poll_transmit(now, &mut out) {
                sent.push(out[..length].to_vec());
                assert!(sent.len() < 50, "a member talks without end");
            }
            while let Some(event) = member.client.poll_event() {
                member.events.push(event);
            }
            assert!(member.client.poll_timeout() > now, "a member is due after it was drained");
            let from = member.address;
            if self.is_deaf {
                continue;
            }
            member.log.extend(sent.iter().cloned());
            for datagram in sent {
                self.deliver(from, datagram);
            }
        }
        self.server.handle_timeout(now);
        self.drain_server(now, grid);
    }

    fn deliver(&mut self, from: SocketAddr, mut datagram: Vec<u8>) {
        let (now, grid) = (self.now, self.grid());
        self.server.handle_datagram(now, grid, from, &mut datagram);
        self.drain_server(now, grid);
    }

    fn drain_server(&mut self, now: LocalTime, grid: GridPosition) {
        let mut out = [0; DATAGRAM_BYTES_MAX];
        while let Some((to, length)) = self.server.poll_transmit(now, grid, &mut out) {
            if let Some(member) = self.members.iter_mut().find(|member| member.address == to) {
                member.inbox.push(out[..length].to_vec());
            }
        }
        while let Some(event) = self.server.poll_event() {
            self.server_events.push(event);
        }
    }

    fn joined(&self) -> Vec<SessionId> {
        self.server_events
            .iter()
            .filter_map(
                |event| if let ServerEvent::Joined { session, .. } = event { Some(*session) } else { None },
            )
            .collect()
    }
}

fn refusals(member: &Member) -> Vec<RefuseReason> {
    member
        .events
        .iter()
        .filter_map(
            |event| if let ClientEvent::Refused { reason, .. } = event { Some(*reason) } else { None },
        )
        .collect()
}

#[test]
fn a_member_joins_in_two_round_trips_and_reads_the_grid() {
    let mut world = World::new(8);
    let member = world.add(settings(1));
    world.run(Span::from_millis(10));
    assert!(world.members[member].client.is_joined());
    assert_eq!(world.joined().len(), 1);
    world.run(Span::from_millis(300));
    let readings =
        world.members[member].events.iter().filter(|event| matches!(event, ClientEvent::Clock { .. }));
    assert!(readings.count() > 15, "the first second asks at the full rate");
}

#[test]
fn documents_reach_both_ends() {
    let mut world = World::new(8);
    let member = world.add(settings(1));
    world.members[member].client.publish(world.now, Slot::PROFILE, b"profile");
    world.run(Span::from_millis(20));
    let session = world.joined()[0];
    world.server.publish(world.now, session, Slot::ROSTER, &[9; 3_000]);
    world.run(Span::from_millis(20));
    assert!(world.server_events.contains(&ServerEvent::Document {
        session,
        slot: Slot::PROFILE,
        bytes: b"profile".to_vec()
    }));
    assert!(world.members[member].events.contains(&ClientEvent::Document(Slot::ROSTER, vec![9; 3_000])));
    assert_eq!(world.server.counters().malformed, 0);
}

#[test]
fn a_member_that_publishes_without_end_is_heard_now_and_then_and_at_last() {
    let mut world = World::new(8);
    let member = world.add(settings(1));
    world.run(Span::from_millis(20));
    for number in 0..5_000_u32 {
        world.members[member].client.publish(world.now, Slot::PROFILE, &number.to_be_bytes());
        world.run(Span::from_millis(1));
    }
    world.run(Span::from_millis(500));
    let heard = |event: &&ServerEvent| matches!(event, ServerEvent::Document { .. });
    let count = world.server_events.iter().filter(heard).count();
    assert!((100..400).contains(&count), "{count} in five seconds");
    let last = world.server_events.iter().rfind(heard);
    assert!(
        matches!(last, Some(ServerEvent::Document { bytes, .. }) if *bytes == 4_999_u32.to_be_bytes()),
        "{last:?}"
    );
    assert!(world.server.counters().documents_limited > 0);
}

#[test]
fn each_wrong_invite_gets_its_own_refusal() {
    let mut world = World::new(8);
    let wrong_secret = world.add(ClientSettings { secret: RoomSecret([4; 16]), ..settings(1) });
    let other_key = RelayKey::from_private([6; 32]).public();
    let wrong_key = world.add(ClientSettings { relay_key: other_key, ..settings(2) });
    world.run(Span::from_millis(100));
    assert_eq!(refusals(&world.members[wrong_secret])[0], RefuseReason::UnknownRoom);
    assert_eq!(refusals(&world.members[wrong_key])[0], RefuseReason::WrongKey);
    assert!(world.joined().is_empty());
}

#[test]
fn another_version_is_refused_with_ours() {
    let mut world = World::new(8);
    let member = world.add(settings(1));
    world.run(STEP);
    let mut hello = world.members[member].log[0].clone();
    hello[1..3].copy_from_slice(&(WIRE_VERSION + 1).to_le_bytes());
    let from = address(9);
    world.server.handle_datagram(world.now, world.grid(), from, &mut hello);
    let mut out = [0; DATAGRAM_BYTES_MAX];
    let (to, length) = world.server.poll_transmit(world.now, world.grid(), &mut out).unwrap();
    assert_eq!(to, from);
    let Ok(Handshake::Refused { version, reason, .. }) = Handshake::decode(&out[..length]) else { panic!() };
    assert_eq!((version, reason), (WIRE_VERSION, RefuseReason::Version));
}

#[test]
fn a_full_room_refuses_strangers_and_takes_its_own_back() {
    let mut world = World::new(1);
    let first = world.add(settings(1));
    world.run(Span::from_millis(50));
    let second = world.add(settings(2));
    world.run(Span::from_millis(50));
    assert_eq!(refusals(&world.members[second])[0], RefuseReason::RoomFull);
    // The first one's program dies and comes back within ten seconds: same member, new session.
    world.members[first].client = Client::new(settings(1), &[77; 32], world.now);
    world.run(Span::from_millis(50));
    assert!(world.members[first].client.is_joined());
    assert!(world.server_events.iter().any(|event| matches!(event, ServerEvent::Returned { .. })));
}

#[test]
fn nothing_is_answered_at_greater_length_than_asked_before_the_address_is_proven() {
    let mut world = World::new(8);
    let member = world.add(settings(1));
    world.run(Span::from_millis(5));
    let hello = world.members[member].log[0].clone();
    let mut out = [0; DATAGRAM_BYTES_MAX];
    for (port, length) in [(1, 1), (2, 24), (3, HELLO_BYTES - 1), (4, HELLO_BYTES)] {
        let mut datagram = hello.clone();
        datagram.truncate(length);
        world.server.handle_datagram(world.now, world.grid(), address(port), &mut datagram);
        let mut answered = 0;
        while let Some((to, sent)) = world.server.poll_transmit(world.now, world.grid(), &mut out) {
            answered += if to == address(port) { sent } else { 0 };
        }
        assert!(answered <= length, "{answered} bytes for {length}");
    }
}

#[test]
fn silence_makes_a_member_stale_then_frees_its_place() {
    let mut world = World::new(8);
    world.add(settings(1));
    world.run(Span::from_millis(50));
    world.is_deaf = true;
    world.run(Span::from_millis(1_600));
    assert!(matches!(world.server_events.last(), Some(ServerEvent::Stale { .. })));
    world.is_deaf = false;
    world.run(Span::from_millis(300));
    assert!(
        world
            .server_events
            .iter()
            .any(|event| { matches!(event, ServerEvent::Heard { .. } | ServerEvent::Returned { .. }) })
    );
    world.is_deaf = true;
    world.run(Span::from_millis(10_100));
    assert!(matches!(world.server_events.last(), Some(ServerEvent::Ended { reason: None, .. })));
}

#[test]
fn a_member_is_back_within_two_seconds_of_a_relay_restart() {
    let mut world = World::new(8);
    let member = world.add(settings(1));
    world.members[member].client.publish(world.now, Slot::PROFILE, b"profile");
    world.members[member].sends_audio = true;
    world.run(Span::from_millis(1_000));
    world.restart_relay();
    let before = world.now;
    let sessions = world.joined().len();
    while world.joined().len() == sessions {
        world.run(STEP);
        assert!(world.now - before < Span::from_millis(2_000));
    }
    world.run(Span::from_millis(50));
    let again = ServerEvent::Document {
        session: *world.joined().last().unwrap(),
        slot: Slot::PROFILE,
        bytes: b"profile".to_vec(),
    };
    assert!(world.server_events.contains(&again), "what the member retains is told again");
}

#[test]
fn an_unreachable_relay_is_tried_ever_more_rarely_and_never_given_up() {
    let mut world = World::new(8);
    let member = world.add(settings(1));
    world.is_deaf = true;
    world.run(Span::from_millis(60_000));
    let tries = world.members[member].client.tries();
    assert!((20..50).contains(&tries), "{tries} tries in a minute");
    world.is_deaf = false;
    world.run(Span::from_millis(6_000));
    assert!(world.members[member].client.is_joined());
}

#[test]
fn an_address_moves_only_after_it_has_proven_itself() {
    let mut world = World::new(8);
    let member = world.add(settings(1));
    world.members[member].sends_audio = true;
    world.run(Span::from_millis(100));
    world.members[member].address = address(7_777);
    world.run(Span::from_millis(20));
    assert!(
        world
            .server_events
            .iter()
            .any(|event| matches!(event, ServerEvent::Moved { to, .. } if *to == address(7_777)))
    );
    world.run(Span::from_millis(2_000));
    assert!(world.members[member].client.is_joined());
    assert_eq!(world.joined().len(), 1, "the session survived the move");
}

#[test]
fn a_copied_packet_from_elsewhere_moves_nothing() {
    let mut world = World::new(8);
    let member = world.add(settings(1));
    world.members[member].sends_audio = true;
    world.run(Span::from_millis(100));
    let copied = world.members[member].log.last().unwrap().clone();
    world.deliver(address(6_666), copied.clone());
    world.deliver(address(6_666), copied);
    world.run(Span::from_millis(100));
    assert!(!world.server_events.iter().any(|event| matches!(event, ServerEvent::Moved { .. })));
    assert_eq!(world.server.counters().replayed, 2);
}

#[test]
fn a_replayed_hello_does_not_push_the_member_out() {
    let mut world = World::new(8);
    let member = world.add(settings(1));
    world.run(Span::from_millis(100));
    let hellos: Vec<_> =
        world.members[member].log.iter().filter(|sent| sent.len() == HELLO_BYTES).cloned().collect();
    for hello in hellos {
        world.deliver(world.members[member].address, hello);
    }
    world.run(Span::from_millis(6_000));
    assert_eq!(world.joined().len(), 1);
    assert!(!world.server_events.iter().any(|event| matches!(event, ServerEvent::Returned { .. })));
}

#[test]
fn leaving_is_told_at_once_in_both_directions() {
    let mut world = World::new(8);
    let (stays, leaves) = (world.add(settings(1)), world.add(settings(2)));
    world.run(Span::from_millis(50));
    world.members[leaves].client.leave();
    world.run(Span::from_millis(5));
    assert!(
        world
            .server_events
            .iter()
            .any(|event| matches!(event, ServerEvent::Ended { reason: Some(LeaveReason::Left), .. }))
    );
    let session = world.joined()[0];
    world.server.end(world.now, session, LeaveReason::RelayStops);
    world.run(Span::from_millis(5));
    assert!(world.members[stays].events.contains(&ClientEvent::Ended(LeaveReason::RelayStops)));
}

#[test]
fn a_flood_costs_its_sender_the_place_and_nobody_else_anything() {
    let mut world = World::new(8);
    let (calm, floods) = (world.add(settings(1)), world.add(settings(2)));
    world.members[calm].sends_audio = true;
    world.run(Span::from_millis(50));
    let mut out = [0; DATAGRAM_BYTES_MAX];
    for _ in 0..30_000 {
        let now = world.now;
        let Some(length) = world.members[floods].client.seal(now, &mut out, |_| {}) else { break };
        let from = world.members[floods].address;
        world.deliver(from, out[..length].to_vec());
    }
    assert!(world.server.counters().flooded > 0);
    assert!(
        world
            .server_events
            .iter()
            .any(|event| matches!(event, ServerEvent::Ended { reason: Some(LeaveReason::Flooding), .. }))
    );
    world.run(Span::from_millis(100));
    assert!(world.members[calm].client.is_joined());
}

#[test]
fn garbage_is_counted_and_changes_nothing() {
    let mut world = World::new(8);
    let member = world.add(settings(1));
    world.run(Span::from_millis(50));
    let mut entropy = Entropy::new(&[8; 32]);
    for round in 0..2_000_usize {
        let mut garbage: Vec<u8> = (0..6).flat_map(|_| entropy.bytes32()).collect();
        garbage.truncate(round % 190);
        if let Some(kind) = garbage.first_mut() {
            *kind = [0x01, 0x02, 0x03, 0x04, 0x10, *kind][round % 6];
        }
        world.members[member].inbox.push(garbage.clone());
        world.deliver(address(5), garbage);
    }
    world.run(Span::from_millis(50));
    let counted = world.server.counters();
    assert!(counted.malformed > 0 && counted.stray > 0 && counted.refused > 0);
    let counted = world.members[member].client.counters();
    assert!(counted.malformed > 0 && counted.stray > 0);
    assert!(world.members[member].client.is_joined());
    assert_eq!(world.joined().len(), 1);
}
