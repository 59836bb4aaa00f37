//! A member in its room, and a wire on which somebody else is quicker, louder and remembers everything.
//!
//! The adversary sees every datagram and sends what it likes from where it likes; it cannot open or seal, and it does
//! not keep anything from arriving. So the member stays in its room, nothing happens that the two ends did not do, and
//! whoever has not proven an address is sent no more bytes than came from there.

use std::collections::{BTreeMap, BTreeSet};

use core::net::SocketAddr;

use lockstep_shared::session::{
    Client, ClientEvent, ClientSettings, MemberKey, RelayKey, RoomAccess, RoomSecret, Server, ServerEvent,
    SessionId,
};
use lockstep_shared::time::convert::f64_from_i64;
use lockstep_shared::time::{GridFrame, GridPosition, LocalTime, Span};
use lockstep_shared::wire::handshake::{HELLO_BYTES, Handshake};
use lockstep_shared::wire::{DATAGRAM_BYTES_MAX, Slot};

use super::input::Input;

/// The adversary against the relay's half.
pub fn server(bytes: &[u8]) {
    run(bytes, Side::Relay);
}

/// The adversary against the member's half.
pub fn client(bytes: &[u8]) {
    run(bytes, Side::Member);
}

const RELAY_PRIVATE: [u8; 32] = [5; 32];
const SECRET: RoomSecret = RoomSecret([3; 16]);
/// Things that happen in one run; an input that goes on is cut here.
const HAPPENINGS_MAX: usize = 300;
/// Datagrams of each direction that the adversary remembers.
const REMEMBERED: usize = 64;

/// Whom the adversary talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Relay,
    Member,
}

fn run(bytes: &[u8], side: Side) {
    let mut input = Input::new(bytes);
    let mut wire = Wire::new();
    // Half of all runs disturb the member as it joins.
    if input.below(2) == 0 {
        wire.pass(Span::from_millis(30));
        assert!(wire.client.is_joined());
    }
    for _ in 0..HAPPENINGS_MAX {
        if input.is_over() {
            break;
        }
        wire.happen(&mut input, side);
    }
    // Left alone: a hello that was refused in the relay's name is repeated after a second.
    wire.pass(Span::from_millis(if wire.client.is_joined() { 300 } else { 6_000 }));
    wire.check_end();
}

/// The two ends, what passed between them, and what they should have noticed.
struct Wire {
    now: LocalTime,
    server: Server,
    client: Client,
    member: SocketAddr,
    /// What each direction carried lately.
    to_relay: Memory,
    to_member: Memory,
    /// The adversary has a copy of the next datagram to this side there first, from this address.
    race: Option<(Side, SocketAddr)>,
    /// Bytes that came from each address the member never had, less those that went there.
    allowance: BTreeMap<SocketAddr, usize>,
    /// Addresses of the member, from the first.
    addresses: Vec<SocketAddr>,
    session: Option<SessionId>,
    /// When the member asked for the clock, and has not had an answer.
    asked: BTreeSet<LocalTime>,
    published: Documents,
    retained: Documents,
    /// How many entries each side has said, and how many of them the other has heard, in order.
    to_relay_flow: Flow,
    to_member_flow: Flow,
}

/// Entries are numbers, so that order and loss show.
#[derive(Default)]
struct Flow {
    said: u32,
    heard: u32,
}

impl Flow {
    fn say(&mut self) -> [u8; 4] {
        self.said += 1;
        (self.said - 1).to_le_bytes()
    }

    fn hear(&mut self, entry: &[u8]) {
        assert_eq!(entry, self.heard.to_le_bytes(), "an entry twice, lost or out of order");
        self.heard += 1;
    }
}

/// What was published in each slot.
type Documents = BTreeSet<(u8, Vec<u8>)>;

#[derive(Default)]
struct Memory {
    datagrams: Vec<Vec<u8>>,
    next: usize,
}

impl Memory {
    fn keep(&mut self, datagram: &[u8]) {
        if self.datagrams.len() < REMEMBERED {
            self.datagrams.push(datagram.to_vec());
        } else {
            datagram.clone_into(&mut self.datagrams[self.next % REMEMBERED]);
            self.next += 1;
        }
    }

    fn pick(&self, input: &mut Input<'_>) -> Vec<u8> {
        let number = usize::from(input.u8());
        if self.datagrams.is_empty() {
            Vec::new()
        } else {
            self.datagrams[number % self.datagrams.len()].clone()
        }
    }
}

impl Wire {
    fn new() -> Self {
        let now = LocalTime::ZERO;
        let access = [RoomAccess { secret: SECRET, members_max: 4 }];
        let relay_key = RelayKey::from_private(RELAY_PRIVATE);
        let settings =
            ClientSettings { relay_key: relay_key.public(), secret: SECRET, member_key: MemberKey([1; 16]) };
        let member = SocketAddr::from(([10, 0, 0, 1], 1_000));
        Self {
            now,
            server: Server::new(relay_key, &access, &[1; 32]),
            client: Client::new(settings, &[2; 32], now),
            member,
            to_relay: Memory::default(),
            to_member: Memory::default(),
            race: None,
            allowance: BTreeMap::new(),
            addresses: vec![member],
            session: None,
            asked: BTreeSet::new(),
            published: Documents::new(),
            retained: Documents::new(),
            to_relay_flow: Flow::default(),
            to_member_flow: Flow::default(),
        }
    }

    fn happen(&mut self, input: &mut Input<'_>, side: Side) {
        match input.below(14) {
            0 => self.pass(Span::from_millis(1 + i64::from(input.u8() % 64))),
            1 => self.pass(Span::from_micros(1 + i64::from(input.u8()))),
            2 => {
                let from = self.address(input);
                let invented = input.bytes().to_vec();
                self.intrude(side, from, invented);
            }
            3 => {
                // Invented, with the beginning of something that was seen.
                let from = self.address(input);
                let mut datagram = self.seen(input);
                let kept = usize::from(input.u8());
                datagram.truncate(kept);
                datagram.extend(input.bytes());
                self.intrude(side, from, datagram);
            }
            4 | 5 => {
                let from = self.address(input);
                let copy = self.seen(input);
                self.intrude(side, from, copy);
            }
            6 | 7 => {
                let from = self.address(input);
                let mut datagram = self.seen(input);
                let (place, flip) = (usize::from(input.u8()), input.u8());
                if let Some(byte) = datagram.get_mut(place) {
                    *byte ^= flip;
                }
                self.intrude(side, from, datagram);
            }
            8 => self.race = Some((side, self.address(input))),
            9 => {
                let slot = input.u8() % 2;
                let bytes = input.bytes().repeat(1 + input.below(8));
                self.published.insert((slot, bytes.clone()));
                self.client.publish(self.now, Slot(slot), &bytes);
            }
            10 => {
                let bytes = input.bytes().repeat(1 + input.below(8));
                if let Some(session) = self.session {
                    self.retained.insert((Slot::ROSTER.0, bytes.clone()));
                    self.server.publish(self.now, session, Slot::ROSTER, &bytes);
                }
            }
            11 => {
                let entry = self.to_relay_flow.say();
                self.client.send_entry(self.now, &entry).expect("little waits");
            }
            12 => {
                if let Some(session) = self.session {
                    let entry = self.to_member_flow.say();
                    self.server.send_entry(self.now, session, &entry).expect("little waits");
                }
            }
            _ => self.move_member(),
        }
    }

    /// One of the adversary's addresses, or the member's own in its name.
    fn address(&self, input: &mut Input<'_>) -> SocketAddr {
        match input.below(4) {
            0 => self.member,
            other => ([192, 0, 2, 1], 9 + u16::try_from(other).unwrap_or(0)).into(),
        }
    }

    /// Something that passed, in either direction.
    fn seen(&self, input: &mut Input<'_>) -> Vec<u8> {
        if input.below(4) == 0 { self.to_member.pick(input) } else { self.to_relay.pick(input) }
    }

    fn intrude(&mut self, side: Side, from: SocketAddr, datagram: Vec<u8>) {
        match side {
            Side::Relay => self.relay_receives(from, datagram),
            Side::Member => self.member_receives(datagram),
        }
        self.settle();
    }

    /// The member's address changes, and nobody interferes while the new one proves itself.
    fn move_member(&mut self) {
        if !self.client.is_joined() || self.session.is_none() {
            return;
        }
        self.race = None;
        self.member.set_port(self.member.port() + 1);
        self.addresses.push(self.member);
        self.pass(Span::from_millis(60));
        assert!(self.client.is_joined());
    }

    /// Time passes, from one thing that is due to the next.
    fn pass(&mut self, span: Span) {
        let end = self.now + span;
        self.settle();
        while self.now < end {
            let due = self.client.poll_timeout().min(self.server.poll_timeout());
            assert!(due > self.now, "something is due after everything was drained");
            self.now = due.min(end);
            self.settle();
        }
    }

    /// Both ends do what is due, and everything they say arrives at once, until they are silent.
    fn settle(&mut self) {
        let mut out = [0; DATAGRAM_BYTES_MAX];
        self.client.handle_timeout(self.now);
        self.server.handle_timeout(self.now);
        self.note_server_events();
        for datagrams in 0.. {
            assert!(datagrams < 2_000, "they talk without end");
            if let Some(length) = self.client.poll_transmit(self.now, &mut out) {
                self.asked.insert(self.now);
                self.to_relay.keep(&out[..length]);
                if let Some((_, from)) = self.race.take_if(|(side, _)| *side == Side::Relay) {
                    self.relay_receives(from, out[..length].to_vec());
                }
                self.relay_receives(self.member, out[..length].to_vec());
            } else if let Some((to, length)) = self.server.poll_transmit(self.now, self.grid(), &mut out) {
                self.relay_sends(to, &out[..length]);
            } else {
                break;
            }
        }
        self.note_client_events();
    }

    fn relay_sends(&mut self, to: SocketAddr, datagram: &[u8]) {
        if !self.addresses.contains(&to) {
            let left = self.allowance.entry(to).or_default();
            assert!(
                datagram.len() <= *left,
                "more than was asked goes to an address that has proven nothing"
            );
            *left -= datagram.len();
            return;
        }
        if Handshake::is_handshake(datagram) {
            assert!(datagram.len() < HELLO_BYTES);
        }
        self.to_member.keep(datagram);
        if to != self.member {
            // Sent to where the member was.
            return;
        }
        if self.race.take_if(|(side, _)| *side == Side::Member).is_some() {
            self.member_receives(datagram.to_vec());
        }
        self.member_receives(datagram.to_vec());
    }

    fn relay_receives(&mut self, from: SocketAddr, mut datagram: Vec<u8>) {
        let genuine = self.to_relay.datagrams.contains(&datagram);
        if !self.addresses.contains(&from) {
            *self.allowance.entry(from).or_default() += datagram.len();
        }
        let grid = self.grid();
        let opened = self.server.handle_datagram(self.now, grid, from, &mut datagram);
        assert!(opened.is_none() || genuine, "the relay opened what no member sealed");
        self.note_server_events();
    }

    fn member_receives(&mut self, mut datagram: Vec<u8>) {
        let genuine = self.to_member.datagrams.contains(&datagram);
        let opened = self.client.handle_datagram(self.now, &mut datagram);
        assert!(opened.is_none() || genuine, "the member opened what the relay did not seal");
        self.note_client_events();
    }

    fn note_server_events(&mut self) {
        while let Some(event) = self.server.poll_event() {
            match event {
                ServerEvent::Joined { session, room, from } => {
                    assert_eq!((self.session, room), (None, 0), "a member joins once");
                    assert!(self.addresses.contains(&from));
                    self.session = Some(session);
                }
                ServerEvent::Document { session, slot, bytes } => {
                    assert_eq!(Some(session), self.session);
                    assert!(self.published.contains(&(slot.0, bytes)), "a document that nobody published");
                }
                ServerEvent::Entry { session, bytes } => {
                    assert_eq!(Some(session), self.session);
                    self.to_relay_flow.hear(&bytes);
                }
                ServerEvent::Moved { session, to } => {
                    assert_eq!((Some(session), to), (self.session, self.member));
                }
                ServerEvent::Returned { .. }
                | ServerEvent::Stale { .. }
                | ServerEvent::Heard { .. }
                | ServerEvent::Ended { .. } => panic!("nothing of this kind happened: {event:?}"),
            }
        }
    }

    fn note_client_events(&mut self) {
        let mut was_refused = false;
        while let Some(event) = self.client.poll_event() {
            match event {
                ClientEvent::Joined { .. } => {}
                ClientEvent::Clock { sent, relay_received, relay_sent, received } => {
                    assert!(self.asked.remove(&sent), "an answer that was not asked for, or comes twice");
                    assert!(relay_received <= relay_sent && sent <= received);
                    assert_eq!(received, self.now);
                }
                ClientEvent::Document(slot, bytes) => {
                    assert!(self.retained.contains(&(slot.0, bytes)), "a document that nobody published");
                }
                ClientEvent::Entry(bytes) => self.to_member_flow.hear(&bytes),
                // In the clear: whoever sees the hello may say so, and delays the member by a second.
                ClientEvent::Refused { .. } => was_refused = true,
                ClientEvent::Lost | ClientEvent::Ended(_) => panic!("the relay was there: {event:?}"),
            }
        }
        assert!(!(was_refused && self.client.is_joined()), "a member in its room cannot be refused");
    }

    fn check_end(&self) {
        assert!(self.client.is_joined());
        let session = self.session.expect("the member joined");
        assert!(self.server.is_listening(session));
        assert_eq!(self.to_relay_flow.heard, self.to_relay_flow.said);
        assert_eq!(self.to_member_flow.heard, self.to_member_flow.said);
    }

    fn grid(&self) -> GridPosition {
        GridFrame(0).position().plus_f64(f64_from_i64(self.now.nanos()) * 48e-6)
    }
}
