//! An `AppleMIDI` session: one room, many participants, both inviter and invited.
//!
//! ```text
//! inviter                              invited
//!   IN  control ------------------->     asks its policy; maybe somebody
//!               <-------------------  OK (or NO, or nothing while somebody is asked)
//!   IN  data    ------------------->     joined
//!   joined      <-------------------  OK
//!   CK  data    <------------------>  rounds of the clock: three packets each
//!   RTP data    <------------------>  music, opaque here
//!   RS  control <------------------>  receipts
//!   BY  control <------------------>  either says goodbye
//! ```
//!
//! A [`Session`] is a value with five verbs: [`handle_datagram`](Session::handle_datagram),
//! [`handle_timeout`](Session::handle_timeout), [`poll_transmit`](Session::poll_transmit),
//! [`poll_timeout`](Session::poll_timeout), [`poll_event`](Session::poll_event). After any of the first two and after a
//! command, drain the polls.
//!
//! **Addresses.** Answers go where a datagram came from, port by port, never to "control plus one": networks translate
//! ports. Only a first invitation guesses the data port. A participant that turns up elsewhere with its own SSRC has to
//! finish a round of the clock from there before music follows it; a new invitation moves it too.
//!
//! **Who is who.** A [`ParticipantId`] is a place that outlives its participant. Whoever comes back gets its place: the
//! same SSRC from the same host, the same control address, the same SSRC and name from anywhere, or the same name from
//! the same host unless that participant was heard within the last three seconds elsewhere on it (two devices of one
//! name behind one router).
//!
//! **Amplification.** Nothing here is authenticated, and senders can be forged. An answer to somebody unproven is never
//! longer than three times the question (as in RFC 9000, section 8.1), which only an OK with our name to an invitation
//! without one uses: the name is cut to that. Every other answer is at most as long as its question. There is never more
//! than one answer to a datagram, invitations are limited by address and in all, and those beyond are not answered.
//!
//! Reading order: `policy` who may connect, `incoming` being invited, `recognition` who that is, `outgoing` inviting,
//! `link` and `traffic` being here, `estimate` the clock, `commands` what the application does.

mod commands;
mod estimate;
mod event;
mod incoming;
mod limit;
mod link;
mod outgoing;
mod policy;
mod recognition;
mod traffic;

use std::collections::{BTreeMap, VecDeque};

use core::net::{IpAddr, SocketAddr};

pub use commands::{NotHere, Participant, Remembered, TooMany};
pub use estimate::Trips;
pub use event::{Counters, Event, LeaveReason, Refused, Return};
pub use link::{Health, Role};
pub use policy::{Answer, Entry, Network, Policy, is_local};

#[cfg(test)]
mod tests;

use super::control::{Control, GREETING_BYTES, Greeting, Ssrc, Token};
use super::name::Name;
use crate::session::Entropy;
use crate::time::LocalTime;
use incoming::Pending;
use limit::InviteLimit;
use link::Link;
use outgoing::Call;

/// Participants of a session, those that it invites included, wherever they are.
pub const PARTICIPANTS_MAX: usize = 64;
/// Places that are kept, with those of participants who are gone.
pub const PLACES_MAX: usize = 256;
/// Datagrams that wait to be sent because nobody polls; further answers are dropped.
const TRANSMITS_MAX: usize = 1_024;
/// An answer to somebody unproven is at most this many times as long as its question.
const ANSWER_FACTOR: usize = 3;

/// A participant's place in a session. Never used twice within one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParticipantId(u64);

/// Which of a session's two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// Even by custom: invitations, receipts, goodbyes.
    Control,
    /// The next one: invitations, clock, music.
    Data,
}

/// What a session begins with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// As peers see it.
    pub name: Name,
    /// Who may connect.
    pub policy: Policy,
    /// Participants at most, up to [`PARTICIPANTS_MAX`].
    pub participants_max: usize,
}

/// See the module's page.
#[derive(Debug)]
pub struct Session {
    name: Name,
    policy: Policy,
    participants_max: usize,
    entropy: Entropy,
    /// For whoever comes next; those who are here keep the one that they were told.
    ssrc: Ssrc,
    places: BTreeMap<ParticipantId, Place>,
    next_id: u64,
    pending: Vec<Pending>,
    /// Whom somebody has accepted: host and name.
    approved: VecDeque<(IpAddr, Name)>,
    invite_limit: InviteLimit,
    transmits: VecDeque<(Port, SocketAddr, Vec<u8>)>,
    events: VecDeque<Event>,
    counters: Counters,
    is_over: bool,
}

/// Where a participant is, was or should be.
#[derive(Clone, Debug, Default)]
struct Place {
    /// As it is called here.
    name: Name,
    /// As it called itself last.
    told: Name,
    call: Option<Call>,
    link: Option<Link>,
    last: Option<Trace>,
}

/// By what a participant is recognized when it comes back.
#[derive(Clone, Copy, Debug)]
struct Trace {
    theirs: [Ssrc; 2],
    control: SocketAddr,
    left: LocalTime,
}

impl Session {
    /// A session without participants. `seed` must be fresh entropy, or a constant in a simulation.
    #[must_use]
    pub fn new(settings: Settings, seed: &[u8; 32]) -> Self {
        let mut session = Self {
            name: settings.name,
            policy: settings.policy,
            participants_max: settings.participants_max.min(PARTICIPANTS_MAX),
            entropy: Entropy::new(seed),
            ssrc: Ssrc(0),
            places: BTreeMap::new(),
            next_id: 0,
            pending: Vec::new(),
            approved: VecDeque::new(),
            invite_limit: InviteLimit::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
            is_over: false,
        };
        session.ssrc = Ssrc(session.draw());
        session
    }

    /// Takes a datagram that came to `port`.
    ///
    /// # Errors
    /// When it was of no use; that is counted already.
    pub fn handle_datagram(
        &mut self,
        now: LocalTime,
        port: Port,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), Refused> {
        let taken = if self.is_over {
            Err(Refused::Stranger)
        } else if Control::is_control(datagram) {
            self.take_control(now, port, from, datagram)
        } else {
            self.take_media(now, port, from, datagram)
        };
        if let Err(refused) = taken {
            self.counters.count(refused);
        }
        taken
    }

    fn take_control(
        &mut self,
        now: LocalTime,
        port: Port,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), Refused> {
        match Control::decode(datagram)? {
            Control::Invite(greeting) => self.take_invite(now, port, from, &greeting, datagram.len()),
            Control::Accept(greeting) => self.take_accept(now, port, from, &greeting),
            Control::Refuse(greeting) => self.take_refuse(now, greeting.token),
            Control::Goodbye { token, ssrc } => self.take_goodbye(now, from, token, ssrc),
            Control::Clock { ssrc, step } => self.take_clock(now, port, from, ssrc, step),
            Control::Receipt { ssrc, receipt } => {
                let id = self.sender(now, port, from, ssrc)?;
                self.events.push_back(Event::Receipt { id, receipt });
                Ok(())
            }
            Control::RateLimit { ssrc, bits_per_second } => {
                let id = self.sender(now, port, from, ssrc)?;
                self.events.push_back(Event::RateLimit { id, bits_per_second });
                Ok(())
            }
        }
    }

    /// Does what is due: repeats invitations, makes rounds of the clock, notices silence.
    pub fn handle_timeout(&mut self, now: LocalTime) {
        if self.is_over {
            return;
        }
        self.expire_pending(now);
        let ids: Vec<ParticipantId> = self.places.keys().copied().collect();
        for id in ids {
            self.tend_link(now, id);
            self.tend_call(now, id);
        }
    }

    /// Puts the next datagram into `out`, in place of what is there, and returns from which port it goes where.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> Option<(Port, SocketAddr)> {
        let (port, to, datagram) = self.transmits.pop_front()?;
        *out = datagram;
        Some((port, to))
    }

    /// When `handle_timeout` has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> LocalTime {
        if self.is_over {
            return LocalTime::NEVER;
        }
        let pending = self.pending.iter().map(Pending::timeout);
        let links = self.places.values().filter_map(|place| place.link.as_ref().map(Link::timeout));
        let calls = self.places.values().filter_map(|place| place.call.as_ref().map(Call::timeout));
        pending.chain(links).chain(calls).min().unwrap_or(LocalTime::NEVER)
    }

    /// What happened, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn draw(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.entropy.bytes32();
        u32::from_le_bytes([a, b, c, d])
    }

    fn draw_token(&mut self) -> Token {
        Token(self.draw())
    }

    /// Whoever comes next is told another SSRC than `taken`, which is a peer's own.
    fn avoid(&mut self, taken: Ssrc) {
        if self.ssrc == taken {
            self.counters.collisions += 1;
            while self.ssrc == taken {
                self.ssrc = Ssrc(self.draw());
            }
        }
    }

    fn draw_id(&mut self) -> ParticipantId {
        self.next_id += 1;
        ParticipantId(self.next_id)
    }

    /// Queues a session packet.
    fn say(&mut self, port: Port, to: SocketAddr, packet: &Control) {
        if self.transmits.len() >= TRANSMITS_MAX {
            self.counters.answers_dropped += 1;
            return;
        }
        let mut datagram = Vec::new();
        packet.encode(&mut datagram);
        self.transmits.push_back((port, to, datagram));
    }

    /// Our name, as long as an answer to `question` bytes may carry.
    fn name_for(&self, question: usize) -> Name {
        self.name.cut((ANSWER_FACTOR * question).saturating_sub(GREETING_BYTES + 1))
    }

    /// OK to an invitation of `question` bytes.
    fn say_accept(&mut self, port: Port, to: SocketAddr, token: Token, ours: Ssrc, question: usize) {
        let name = self.name_for(question);
        self.say(port, to, &Control::Accept(Greeting { name, ..Greeting::nameless(token, ours) }));
    }

    /// NO to an invitation.
    fn say_refuse(&mut self, port: Port, to: SocketAddr, token: Token) {
        self.say(port, to, &Control::Refuse(Greeting::nameless(token, self.ssrc)));
    }

    /// Participants who are here or are being invited.
    fn occupied(&self) -> usize {
        self.places.values().filter(|place| place.link.is_some() || place.call.is_some()).count()
    }
}
