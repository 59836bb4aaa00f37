//! The member's half.

use std::collections::VecDeque;

use super::channel::{Channel, receiver_index};
use super::flow::{FlowFull, Receiving, Sending};
use super::mailbox::{Incoming, Outgoing};
use super::noise::{Noise, Payload};
use super::{Entropy, MemberKey, OpenError, RelayPublicKey, RoomSecret, STALE_AFTER};
use crate::redundancy::LossMeter;
use crate::time::{GridPosition, LocalTime, Span};
use crate::wire::handshake::{
    COOKIE_BYTES, Handshake, Hello, NOISE_PAYLOAD_BYTES, ROOM_TAG_BYTES, RefuseReason,
};
use crate::wire::{
    DecodeError, Element, Elements, LeaveReason, PLAIN_BYTES_MAX, SEALED_HEADER_BYTES, Slot, WIRE_VERSION,
    Writer,
};

/// Silence after which a member knocks again, while it still listens: a relay that restarted takes it back well
/// within two seconds.
const RECONNECT_AFTER: Span = Span::from_millis(500);
/// How often the clock is asked for while audio flows.
const ASK_EVERY: Span = Span::from_millis(10);
/// How much rarer it is asked for in packets of its own, once the first second is over.
const IDLE_ASK_EXTRA: Span = Span::from_millis(40);
/// How long a new session asks at the full rate even without audio, so that the room clock locks at once.
const EAGER_FOR: Span = Span::from_millis(1_000);
/// Waits between hellos: quick at first, then once a second, then every five seconds.
const WAIT_FIRST: Span = Span::from_millis(250);
const WAIT_USUAL: Span = Span::from_millis(1_000);
const WAIT_LONG: Span = Span::from_millis(5_000);
const TRIES_USUAL: u32 = 32;
/// Hellos sent with one key agreement before a new one is made.
const HELLOS_PER_AGREEMENT: u32 = 4;
/// A goodbye is sent this often, for it is not acknowledged.
const GOODBYES: u32 = 3;

/// What a member joins with.
#[derive(Clone, Copy, Debug)]
pub struct ClientSettings {
    /// From the invite.
    pub relay_key: RelayPublicKey,
    /// From the invite.
    pub secret: RoomSecret,
    /// Drawn once a process.
    pub member_key: MemberKey,
}

/// What happened to the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// In the room. A new `epoch` means a new grid: the relay has started anew.
    Joined {
        /// Drawn by the relay at its start.
        epoch: u64,
    },
    /// A reading of the grid: one exchange of four timestamps.
    Clock {
        /// The local clock as the question left.
        sent: LocalTime,
        /// The grid as it arrived.
        relay_received: GridPosition,
        /// The grid as the answer left.
        relay_sent: GridPosition,
        /// The local clock as the answer arrived.
        received: LocalTime,
    },
    /// A retained document of the relay, whole and new.
    Document(Slot, Vec<u8>),
    /// The next entry of the relay's flow.
    Entry(Vec<u8>),
    /// No word from the relay for [`STALE_AFTER`]; the client knocks until it is back.
    Lost,
    /// The relay does not take the member in; the client knocks on, ever more rarely.
    Refused {
        /// Why.
        reason: RefuseReason,
        /// The version that the relay speaks.
        version: u16,
    },
    /// The relay ended the session; the client knocks again unless it left by itself.
    Ended(LeaveReason),
}

/// Datagrams that were not what they should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCounters {
    /// Could not be read as a handshake or as elements.
    pub malformed: u64,
    /// Of no session of ours, or answers to no hello of ours.
    pub stray: u64,
    /// Not sealed by the relay.
    pub forged: u64,
    /// Replayed, or too old to tell.
    pub replayed: u64,
}

/// The member's half of a session.
#[derive(Debug)]
pub struct Client {
    settings: ClientSettings,
    psk: [u8; 32],
    room_tag: [u8; ROOM_TAG_BYTES],
    entropy: Entropy,
    session: Option<Session>,
    attempt: Option<Attempt>,
    /// Hellos since the last word from the relay.
    tries: u32,
    goodbyes_left: u32,
    has_left: bool,
    outgoing: Outgoing,
    sending: Sending,
    events: VecDeque<ClientEvent>,
    counters: ClientCounters,
}

struct Attempt {
    noise: Noise,
    hello: Hello,
    /// The index by which the relay is to address us.
    index: u32,
    sent: u32,
    due: LocalTime,
}

#[derive(Debug)]
struct Session {
    channel: Channel,
    index: u32,
    incoming: Incoming,
    receiving: Receiving,
    joined: LocalTime,
    last_received: LocalTime,
    ask_due: LocalTime,
    path_reply: Option<u64>,
    is_lost: bool,
}

impl core::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Attempt").field("sent", &self.sent).field("due", &self.due).finish_non_exhaustive()
    }
}

impl Client {
    /// A client that starts knocking at once. `seed` must be fresh entropy, or a constant in a simulation.
    #[must_use]
    pub fn new(settings: ClientSettings, seed: &[u8; 32], now: LocalTime) -> Self {
        let mut client = Self {
            settings,
            psk: settings.secret.psk(),
            room_tag: settings.secret.tag(),
            entropy: Entropy::new(seed),
            session: None,
            attempt: None,
            tries: 0,
            goodbyes_left: 0,
            has_left: false,
            outgoing: Outgoing::default(),
            sending: Sending::default(),
            events: VecDeque::new(),
            counters: ClientCounters::default(),
        };
        client.knock(now);
        client
    }

    /// Takes a datagram from the relay's address, decrypting in place; returns the elements of a sealed packet
    /// for the sake of its audio. What concerns the session has been seen to.
    pub fn handle_datagram<'a>(&mut self, now: LocalTime, datagram: &'a mut [u8]) -> Option<Elements<'a>> {
        if Handshake::is_handshake(datagram) {
            match Handshake::decode(datagram) {
                Ok(packet) => self.handle_handshake(now, packet),
                Err(_) => self.counters.malformed += 1,
            }
            return None;
        }
        let Some(session) =
            self.session.as_mut().filter(|session| receiver_index(datagram) == Some(session.index))
        else {
            self.counters.stray += 1;
            return None;
        };
        let opened = match session.channel.open(datagram) {
            Ok(opened) => opened,
            Err(error) => {
                self.counters.count(error);
                return None;
            }
        };
        session.last_received = now;
        session.is_lost = false;
        let elements = Elements::new(opened.plain);
        for element in elements.clone() {
            match element {
                Ok(element) => self.handle_element(now, &element),
                Err(error) => self.counters.malformed(error),
            }
        }
        self.session.is_some().then_some(elements)
    }

    fn handle_handshake(&mut self, now: LocalTime, packet: Handshake) {
        let Some(attempt) = &mut self.attempt else {
            self.counters.stray += 1;
            return;
        };
        match packet {
            Handshake::Retry { hello_id, cookie } if hello_id == attempt.hello.hello_id => {
                attempt.hello.cookie = cookie;
                attempt.due = now;
            }
            Handshake::Refused { hello_id, version, reason } if hello_id == attempt.hello.hello_id => {
                self.events.push_back(ClientEvent::Refused { reason, version });
                attempt.due = now + wait(self.tries).max(WAIT_USUAL);
            }
            Handshake::Welcome { hello_id, noise } if hello_id == attempt.hello.hello_id => {
                let Ok(payload) = attempt.noise.read(&noise) else {
                    self.counters.forged += 1;
                    return;
                };
                if let Some(attempt) = self.attempt.take() {
                    self.join(now, attempt, &payload);
                }
            }
            Handshake::Hello(_)
            | Handshake::Retry { .. }
            | Handshake::Welcome { .. }
            | Handshake::Refused { .. } => self.counters.stray += 1,
        }
    }

    fn join(&mut self, now: LocalTime, attempt: Attempt, payload: &Payload) {
        let [a, b, c, d, e0, e1, e2, e3, e4, e5, e6, e7, ..] = *payload;
        let keys = attempt.noise.finish();
        self.session = Some(Session {
            channel: Channel::new(&keys.to_relay, &keys.to_member, u32::from_le_bytes([a, b, c, d])),
            index: attempt.index,
            incoming: Incoming::default(),
            receiving: Receiving::default(),
            joined: now,
            last_received: now,
            ask_due: now,
            path_reply: None,
            is_lost: false,
        });
        self.tries = 0;
        self.outgoing.restart(now);
        self.sending.restart(now);
        self.events
            .push_back(ClientEvent::Joined { epoch: u64::from_le_bytes([e0, e1, e2, e3, e4, e5, e6, e7]) });
    }

    fn handle_element(&mut self, now: LocalTime, element: &Element<'_>) {
        let Some(session) = &mut self.session else { return };
        match element {
            Element::ClockReply { sent, relay_received, relay_sent } => {
                self.events.push_back(ClientEvent::Clock {
                    sent: *sent,
                    relay_received: *relay_received,
                    relay_sent: *relay_sent,
                    received: now,
                });
            }
            Element::Document(part) => {
                self.events.extend(
                    session.incoming.take(part).map(|(slot, bytes)| ClientEvent::Document(slot, bytes)),
                );
            }
            Element::Acknowledge { slot, version } => self.outgoing.acknowledge(*slot, *version),
            Element::Flow(part) => {
                self.events
                    .extend(session.receiving.take(part).map(|entry| ClientEvent::Entry(entry.to_vec())));
            }
            Element::FlowAcknowledge { awaited } => self.sending.acknowledge(*awaited),
            Element::Leave(reason) => {
                self.session = None;
                self.events.push_back(ClientEvent::Ended(*reason));
                self.knock(now + WAIT_FIRST);
            }
            Element::PathAsk { token } => session.path_reply = Some(*token),
            // Audio is the caller's; the rest only members say.
            Element::Audio(_) | Element::ClockAsk { .. } | Element::PathReply { .. } => {}
        }
    }

    /// Does what is due: notices silence, and knocks.
    pub fn handle_timeout(&mut self, now: LocalTime) {
        if self.has_left {
            return;
        }
        if let Some(session) = &mut self.session {
            let silence = now - session.last_received;
            if silence >= STALE_AFTER && !session.is_lost {
                session.is_lost = true;
                self.events.push_back(ClientEvent::Lost);
            }
            if silence < RECONNECT_AFTER {
                self.attempt = None;
            } else if self.attempt.is_none() {
                self.knock(now);
            }
        }
    }

    /// Starts a key agreement whose first hello leaves at `due`.
    fn knock(&mut self, due: LocalTime) {
        let Ok(mut noise) =
            Noise::member(&self.settings.relay_key.0, &self.psk, &self.room_tag, &mut self.entropy)
        else {
            return;
        };
        let index = self.entropy.u24();
        let mut payload: Payload = [0; NOISE_PAYLOAD_BYTES];
        payload[..16].copy_from_slice(&self.settings.member_key.0);
        payload[16..20].copy_from_slice(&index.to_le_bytes());
        // A public key of low order makes the agreement fail: such an invite can never join.
        let Ok(message) = noise.write(&payload) else { return };
        let hello = Hello {
            version: WIRE_VERSION,
            hello_id: self.entropy.u64(),
            room_tag: self.room_tag,
            cookie: [0; COOKIE_BYTES],
            noise: message,
        };
        self.attempt = Some(Attempt { noise, hello, index, sent: 0, due });
    }

    /// Writes the next datagram that is due and carries no audio, and returns its length.
    pub fn poll_transmit(&mut self, now: LocalTime, out: &mut [u8]) -> Option<usize> {
        if self.goodbyes_left > 0 {
            self.goodbyes_left -= 1;
            return self.seal(now, out, |plain| {
                // An empty packet has room for it.
                let _ = Element::Leave(LeaveReason::Left).encode(plain);
            });
        }
        if self.has_left {
            return None;
        }
        if let Some(length) = self.poll_hello(now, out) {
            return Some(length);
        }
        let session = self.session.as_ref()?;
        if session.wants_packet(now) || self.outgoing.due() <= now || self.sending.due() <= now {
            return self.seal(now, out, |_| {});
        }
        None
    }

    fn poll_hello(&mut self, now: LocalTime, out: &mut [u8]) -> Option<usize> {
        let attempt = self.attempt.as_ref().filter(|attempt| attempt.due <= now)?;
        if attempt.sent >= HELLOS_PER_AGREEMENT {
            self.knock(now);
        }
        let attempt = self.attempt.as_mut()?;
        let mut writer = Writer::new(out);
        Handshake::Hello(attempt.hello).encode(&mut writer).ok()?;
        attempt.sent += 1;
        attempt.due = now + wait(self.tries);
        self.tries = self.tries.saturating_add(1);
        Some(writer.length())
    }

    /// Seals a packet of what `write` adds (audio), then what the session owes as far as it fits. None outside
    /// of a session.
    ///
    /// Real-time: no (it belongs to the link's thread).
    pub fn seal(
        &mut self,
        now: LocalTime,
        out: &mut [u8],
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Option<usize> {
        let session = self.session.as_mut()?;
        let plain_end = (SEALED_HEADER_BYTES + PLAIN_BYTES_MAX).min(out.len().saturating_sub(16));
        let mut plain = Writer::new(out.get_mut(SEALED_HEADER_BYTES..plain_end)?);
        write(&mut plain);
        if session.ask_due <= now && (Element::ClockAsk { sent: now }).encode(&mut plain).is_ok() {
            session.ask_due = now + ASK_EVERY;
        }
        if let Some(token) = session.path_reply
            && (Element::PathReply { token }).encode(&mut plain).is_ok()
        {
            session.path_reply = None;
        }
        session.incoming.write(&mut plain);
        self.outgoing.write(now, &mut plain);
        session.receiving.write(&mut plain);
        self.sending.write(now, &mut plain);
        let length = plain.length();
        Some(session.channel.seal(out, length))
    }

    /// When `handle_timeout` or `poll_transmit` has something to do without a datagram arriving.
    #[must_use]
    pub fn poll_timeout(&self) -> LocalTime {
        if self.has_left {
            return LocalTime::NEVER;
        }
        let attempt = self.attempt.as_ref().map_or(LocalTime::NEVER, |attempt| attempt.due);
        let session = self.session.as_ref().map_or(LocalTime::NEVER, |session| {
            let knock = match &self.attempt {
                None => session.last_received + RECONNECT_AFTER,
                Some(_) if session.is_lost => LocalTime::NEVER,
                Some(_) => session.last_received + STALE_AFTER,
            };
            knock.min(session.packet_due()).min(self.outgoing.due()).min(self.sending.due())
        });
        attempt.min(session)
    }

    /// What happened, oldest first.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// Retains a document for the relay, through this and every later session.
    pub fn publish(&mut self, now: LocalTime, slot: Slot, bytes: &[u8]) {
        self.outgoing.publish(now, slot, bytes);
    }

    /// Sends an entry of at most [`FLOW_ENTRY_BYTES_MAX`](crate::wire::FLOW_ENTRY_BYTES_MAX) bytes in this member's flow.
    ///
    /// # Errors
    /// So much waits already that the relay cannot be there.
    pub fn send_entry(&mut self, now: LocalTime, entry: &[u8]) -> Result<(), FlowFull> {
        self.sending.push(now, entry)
    }

    /// Says goodbye; drain `poll_transmit` afterwards.
    pub fn leave(&mut self) {
        self.has_left = true;
        self.attempt = None;
        self.goodbyes_left = if self.session.is_some() { GOODBYES } else { 0 };
    }

    /// Whether a session stands and the relay was heard lately.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.session.as_ref().is_some_and(|session| !session.is_lost)
    }

    /// What of the relay's datagrams does not arrive; none outside of a session.
    #[must_use]
    pub fn loss(&self) -> Option<&LossMeter> {
        self.session.as_ref().map(|session| session.channel.loss())
    }

    /// Hellos sent since the relay was last heard.
    #[must_use]
    pub const fn tries(&self) -> u32 {
        self.tries
    }

    /// Datagrams that were not what they should be.
    #[must_use]
    pub const fn counters(&self) -> ClientCounters {
        self.counters
    }
}

impl Session {
    /// When the session needs a packet even if no audio flows.
    fn packet_due(&self) -> LocalTime {
        let owes = self.incoming.owes_acknowledgement() || self.receiving.owes_acknowledgement();
        if self.path_reply.is_some() || owes {
            return LocalTime::ZERO;
        }
        let is_eager = self.ask_due - self.joined < EAGER_FOR;
        if is_eager { self.ask_due } else { self.ask_due + IDLE_ASK_EXTRA }
    }

    fn wants_packet(&self, now: LocalTime) -> bool {
        self.packet_due() <= now
    }
}

impl ClientCounters {
    const fn count(&mut self, error: OpenError) {
        match error {
            OpenError::Short => self.malformed += 1,
            OpenError::Forged => self.forged += 1,
            OpenError::Replayed | OpenError::TooOld => self.replayed += 1,
        }
    }

    const fn malformed(&mut self, _error: DecodeError) {
        self.malformed += 1;
    }
}

fn wait(tries: u32) -> Span {
    match tries {
        0..=3 => WAIT_FIRST,
        4..TRIES_USUAL => WAIT_USUAL,
        _ => WAIT_LONG,
    }
}
