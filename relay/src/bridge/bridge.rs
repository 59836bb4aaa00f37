//! A room's MIDI as one value: the RTP-MIDI session, the hub, and the clocks that leave.

use std::collections::{BTreeMap, VecDeque};

use core::net::SocketAddr;

use lockstep_shared::midi::message::Message;
use lockstep_shared::midi::{ClockOffset, Realtime};
use lockstep_shared::rtpmidi::name::Name;
use lockstep_shared::rtpmidi::session::{
    Event, LeaveReason, PARTICIPANTS_MAX, PLACES_MAX, ParticipantId, Policy, Port, Return, Session, Settings,
};
use lockstep_shared::rtpmidi::stream::Origin;
use lockstep_shared::session::Entropy;
use lockstep_shared::time::{GridPosition, LocalTime, Span};
use lockstep_shared::timeline::Timeline;

use super::clock::ClockOut;
use super::hub::{Hub, Passed, Source};
use super::lead::{ClockLead, Proposal};
use super::peer::{Peer, Presence};
use crate::grid::Grid;

/// The name in the settings that means the sequencer's port of the room, and no participant.
pub const CLOCK_FROM_SEQUENCER: &str = "sequencer";
/// How often clocks are worked out.
const STEP: Span = Span::from_millis(10);

/// What a room's MIDI does.
#[derive(Clone, Debug, Default)]
pub struct BridgeSettings {
    /// The RTP-MIDI session's name, and who may connect; none for no session.
    pub session: Option<(Name, Policy)>,
    /// Whom it invites: a control address and a name.
    pub invite: Vec<(SocketAddr, Name)>,
    /// How much later than the beat its clocks leave.
    pub clock_offset: ClockOffset,
    /// The same for participants of these names, and for [`CLOCK_FROM_SEQUENCER`].
    pub clock_offsets: BTreeMap<String, ClockOffset>,
    /// Whose clock leads the room.
    pub clock_from: Option<String>,
    /// Whether there are ports outside of RTP-MIDI: the sequencer's, or a multicast group.
    pub has_ports: bool,
}

/// Something for the log, or for the sequencer's ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BridgeEvent {
    /// Somebody waits to be let in.
    Asked {
        /// As it calls itself.
        name: String,
        /// Where it is.
        address: SocketAddr,
    },
    /// Somebody is here, for the first time or again.
    Here {
        /// Who.
        id: ParticipantId,
        /// Its name here.
        name: String,
        /// Where it is.
        address: SocketAddr,
    },
    /// Somebody does not answer; what it held has been ended.
    Quiet {
        /// Its name here.
        name: String,
    },
    /// Somebody is gone.
    Gone {
        /// Who.
        id: ParticipantId,
        /// Its name here.
        name: String,
        /// Why.
        reason: &'static str,
    },
}

/// See the module's page.
#[derive(Debug)]
pub struct Bridge {
    settings: BridgeSettings,
    grid: Grid,
    session: Option<Session>,
    peers: BTreeMap<ParticipantId, Peer>,
    hub: Hub,
    lead: ClockLead,
    /// The room's line, once there is one.
    line: Option<Timeline>,
    /// The clock at the sequencer's port of the room.
    port_clock: ClockOut,
    port_events: VecDeque<(GridPosition, Message)>,
    step_due: LocalTime,
    entropy: Entropy,
    events: VecDeque<BridgeEvent>,
    packet: Vec<u8>,
}

impl BridgeSettings {
    fn offset_of(&self, name: &str) -> ClockOffset {
        self.clock_offsets.get(name).copied().unwrap_or(self.clock_offset)
    }
}

impl Bridge {
    /// A room's MIDI with nobody in it. `seed` is fresh entropy, or a constant in a simulation.
    #[must_use]
    pub fn new(settings: BridgeSettings, grid: Grid, seed: &[u8; 32], now: LocalTime) -> Self {
        let mut entropy = Entropy::new(seed);
        let session = settings.session.clone().map(|(name, policy)| {
            let settings = Settings { name, policy, participants_max: PARTICIPANTS_MAX };
            Session::new(settings, &entropy.bytes32())
        });
        let mut bridge = Self {
            port_clock: ClockOut::new(settings.offset_of(CLOCK_FROM_SEQUENCER)),
            settings,
            grid,
            session,
            peers: BTreeMap::new(),
            hub: Hub::default(),
            lead: ClockLead::default(),
            line: None,
            port_events: VecDeque::new(),
            step_due: now,
            entropy,
            events: VecDeque::new(),
            packet: Vec::new(),
        };
        for (address, name) in bridge.settings.invite.clone() {
            bridge.invite(now, address, name);
        }
        bridge
    }

    /// Whether there are ports outside of RTP-MIDI that want what passes.
    #[must_use]
    pub const fn has_ports(&self) -> bool {
        self.settings.has_ports
    }

    /// How much later than the beat the clock leaves of a participant, or of the sequencer's port: it glides there.
    pub fn set_clock_offset(&mut self, name: &str, offset: ClockOffset) {
        self.settings.clock_offsets.insert(name.to_owned(), offset);
        for peer in self.peers.values_mut().filter(|peer| peer.name == name) {
            peer.clock.set_offset(offset);
        }
        if name == CLOCK_FROM_SEQUENCER {
            self.port_clock.set_offset(offset);
        }
    }

    /// Invites a peer, now and whenever it is lost.
    pub fn invite(&mut self, now: LocalTime, control: SocketAddr, name: Name) {
        if let Some(session) = &mut self.session {
            // A full session invites nobody more; the configuration names far fewer.
            let _ = session.invite(now, control, None, name);
        }
    }

    /// Ends everything that may still sound, of one source or of all.
    pub fn panic(&mut self, now: LocalTime, source: Option<Source>) {
        self.hub.panic(self.grid.position(now), source);
    }

    pub(super) const fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(super) const fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    pub(super) const fn session_mut(&mut self) -> Option<&mut Session> {
        self.session.as_mut()
    }

    /// Somebody asks no more: it was sent away.
    pub(super) fn forget_asking(&mut self, id: ParticipantId) {
        if self.peers.get(&id).is_some_and(|peer| peer.presence == Presence::Asking) {
            self.peers.remove(&id);
        }
    }

    /// Forgets those that are gone longest, beyond as many as the session remembers.
    fn forget_beyond(&mut self) {
        while self.peers.len() > PLACES_MAX {
            let gone = self.peers.iter().find(|(_, peer)| peer.presence == Presence::Away).map(|(id, _)| *id);
            let Some(id) = gone else { return };
            self.peers.remove(&id);
        }
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = (ParticipantId, &Peer)> {
        self.peers.iter().map(|(id, peer)| (*id, peer))
    }

    /// Takes a datagram that came to a port of the session.
    pub fn handle_datagram(&mut self, now: LocalTime, port: Port, from: SocketAddr, bytes: &[u8]) {
        if let Some(session) = &mut self.session {
            // What is of no use has been counted.
            let _ = session.handle_datagram(now, port, from, bytes);
            self.drain_session(now);
        }
    }

    /// Takes a message of a member, of the sequencer or of the multicast group, which counts at `at`.
    pub fn take(&mut self, now: LocalTime, from: Source, at: GridPosition, message: Message) {
        if let Message::Realtime(event) = &message
            && from == Source::RoomPort
            && self.settings.clock_from.as_deref() == Some(CLOCK_FROM_SEQUENCER)
        {
            self.lead.handle(self.grid.instant(at), at, *event, self.line.as_ref());
        }
        self.hub.take(now, from, at, message);
    }

    /// A source has gone: ends what it holds.
    pub fn drop_source(&mut self, now: LocalTime, source: Source) {
        self.hub.drop_source(self.grid.position(now), source);
    }

    /// The room's line, as everybody has it from now on.
    pub fn set_line(&mut self, line: Timeline) {
        self.line = Some(line);
        self.hub.set_line();
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: LocalTime) {
        if let Some(session) = &mut self.session {
            session.handle_timeout(now);
            self.drain_session(now);
        }
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            self.drain_receiver(now, id);
        }
        self.tick(now);
    }

    /// When `handle_timeout` or `poll_transmit` has something to do without a datagram arriving.
    #[must_use]
    pub fn poll_timeout(&self) -> LocalTime {
        if self.session.is_none() && !self.settings.has_ports {
            return LocalTime::NEVER;
        }
        let clocks = self.peers.values().map(|peer| &peer.clock).chain([&self.port_clock]);
        // The first nanosecond at which the grid is there: the nearest one may lie before.
        let instant = |at| self.grid.instant(at) + Span::from_nanos(1);
        let ticks = clocks.filter_map(ClockOut::due).map(instant).min();
        let streams =
            self.peers.values().flat_map(|peer| [peer.sender.poll_timeout(), peer.receiver.poll_timeout()]);
        let streams = streams.flatten();
        let step = if self.line.is_some() { self.step_due } else { LocalTime::NEVER };
        let due = streams.chain(ticks).min().unwrap_or(LocalTime::NEVER);
        due.min(step).min(self.session.as_ref().map_or(LocalTime::NEVER, Session::poll_timeout))
    }

    /// Writes the next datagram of the session to `out` and says by which port it leaves and where it goes.
    pub fn poll_transmit(&mut self, now: LocalTime, out: &mut Vec<u8>) -> Option<(Port, SocketAddr)> {
        let session = self.session.as_mut()?;
        for (id, peer) in &mut self.peers {
            while peer.sender.poll_transmit(now, &mut self.packet) {
                // Whoever has gone in this moment misses nothing that its journal would not tell.
                let _ = session.send_media(*id, &self.packet);
            }
            if let Some(sequence) = peer.receiver.feedback(now) {
                let _ = session.send_receipt(*id, sequence);
            }
        }
        session.poll_transmit(out)
    }

    /// The next message for everybody but its source; RTP-MIDI participants have it already.
    pub fn poll_passed(&mut self, now: LocalTime) -> Option<Passed> {
        let passed = self.hub.poll_passed()?;
        let at = self.grid.instant(passed.at);
        for (id, peer) in &mut self.peers {
            if passed.from != Some(Source::Peer(*id)) && peer.presence.is_told() {
                peer.tell(now, at, &passed.message);
            }
        }
        Some(passed)
    }

    /// The next event of the clock at the sequencer's port of the room, and when it counts.
    pub fn poll_port_clock(&mut self) -> Option<(GridPosition, Message)> {
        self.port_events.pop_front()
    }

    /// What the clock of the participant that leads has made of the line, when that is something new.
    pub fn poll_proposal(&mut self) -> Option<Proposal> {
        self.lead.poll_proposal()
    }

    /// What happened, oldest first.
    pub fn poll_event(&mut self) -> Option<BridgeEvent> {
        self.events.pop_front()
    }

    /// Says goodbye to all; drain `poll_transmit` afterwards.
    pub fn end(&mut self, now: LocalTime) {
        if let Some(session) = &mut self.session {
            session.end(now);
        }
    }

    /// The name of a source that is no member, for people.
    #[must_use]
    pub fn name_of(&self, source: Source) -> &str {
        match source {
            Source::Member(_) => "",
            Source::Peer(id) | Source::PeerPort(id) => self.peers.get(&id).map_or("", |peer| &peer.name),
            Source::RoomPort => "(sequencer)",
            Source::Multicast => "(multicast)",
        }
    }

    pub(super) fn drain_session(&mut self, now: LocalTime) {
        while let Some(event) = self.session.as_mut().and_then(Session::poll_event) {
            match event {
                Event::Asked { id, name, address } => {
                    let mut peer = self.new_peer(id, name.to_string(), address);
                    peer.presence = Presence::Asking;
                    self.peers.insert(id, peer);
                    self.forget_beyond();
                    self.events.push_back(BridgeEvent::Asked { name: name.to_string(), address });
                }
                Event::Joined { id, name, address } => {
                    let peer = self.new_peer(id, name.to_string(), address);
                    self.peers.insert(id, peer);
                    self.forget_beyond();
                    self.events.push_back(BridgeEvent::Here { id, name: name.to_string(), address });
                }
                Event::Returned { id, address, how } => self.returned(now, id, address, how),
                Event::Quiet { id } => {
                    self.silence(now, id);
                    if let Some(peer) = self.peers.get_mut(&id) {
                        peer.presence = Presence::Quiet;
                        self.events.push_back(BridgeEvent::Quiet { name: peer.name.clone() });
                    }
                }
                Event::Left { id, reason } => {
                    self.silence(now, id);
                    if let Some(peer) = self.peers.get_mut(&id) {
                        peer.presence = Presence::Away;
                        if self.settings.clock_from.as_ref() == Some(&peer.name) {
                            self.lead.leave();
                        }
                        let name = peer.name.clone();
                        self.events.push_back(BridgeEvent::Gone { id, name, reason: word(reason) });
                    }
                    if reason == LeaveReason::GaveUp {
                        self.peers.remove(&id);
                    }
                }
                Event::Media { id, bytes } => {
                    let clock = self.session.as_ref().and_then(|session| session.clock(id)).copied();
                    if let Some(peer) = self.peers.get_mut(&id) {
                        // What cannot be read has been counted.
                        let _ = peer.receiver.handle_packet(now, &bytes, clock);
                        self.drain_receiver(now, id);
                    }
                }
                Event::Receipt { id, receipt } => {
                    if let Some(peer) = self.peers.get_mut(&id) {
                        peer.take_receipt(now, receipt);
                    }
                }
                // A limit in bits a second is far above what a cable of MIDI carries.
                Event::RateLimit { .. } => {}
            }
        }
    }

    fn new_peer(&mut self, id: ParticipantId, name: String, address: SocketAddr) -> Peer {
        let ssrc = self.session.as_ref().and_then(|session| session.ssrc(id)).unwrap_or_default();
        let offset = self.settings.offset_of(&name);
        Peer::new(name, address.to_string(), offset, ssrc, &mut self.entropy)
    }

    fn returned(&mut self, now: LocalTime, id: ParticipantId, address: SocketAddr, how: Return) {
        let ssrc = self.session.as_ref().and_then(|session| session.ssrc(id)).unwrap_or_default();
        if !self.peers.contains_key(&id) {
            // The session remembers it longer than the bridge did.
            let name =
                self.session.as_ref().and_then(|session| session.participant(id)).map(|here| here.name);
            let peer = self.new_peer(id, name.unwrap_or_default().to_string(), address);
            self.peers.insert(id, peer);
            self.forget_beyond();
        }
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.address = address.to_string();
        peer.presence = Presence::Here;
        match how {
            Return::Anew => peer.renew(now, ssrc, &mut self.entropy),
            Return::Same => peer.sender.remind(now),
        }
        self.events.push_back(BridgeEvent::Here { id, name: peer.name.clone(), address });
    }

    /// Ends what a participant holds.
    fn silence(&mut self, now: LocalTime, id: ParticipantId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.receiver.release(now);
        }
        self.drain_receiver(now, id);
        self.drop_source(now, Source::Peer(id));
    }

    /// Hands on what a participant has played up to now.
    fn drain_receiver(&mut self, now: LocalTime, id: ParticipantId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let leads = self.settings.clock_from.as_ref() == Some(&peer.name);
        while let Some(played) = peer.receiver.poll_event(now) {
            let at = self.grid.position(played.at);
            if let (Message::Realtime(event), true) = (&played.message, leads) {
                if *event == Realtime::Clock && played.origin != Origin::Sent {
                    // A journal tells that it was, not when.
                    self.lead.count_tick();
                } else {
                    // What is measured is when it was played, not when its buffer lets it be heard.
                    let at = played.at - peer.receiver.delay();
                    self.lead.handle(at, self.grid.position(at), *event, self.line.as_ref());
                }
            }
            self.hub.take(now, Source::Peer(id), at, played.message);
        }
    }

    /// Lets the clocks' events leave whose time has come.
    fn tick(&mut self, now: LocalTime) {
        let grid = self.grid.position(now);
        if self.step_due <= now {
            self.step_due = now + STEP;
            // Who leads gets no clock: it would chase itself.
            let leads = |name: &str| self.settings.clock_from.as_deref() == Some(name);
            for peer in self.peers.values_mut() {
                let line = self.line.as_ref().filter(|_| peer.presence.is_told() && !leads(&peer.name));
                peer.clock.advance(line, grid);
            }
            let line = self.line.as_ref().filter(|_| !leads(CLOCK_FROM_SEQUENCER));
            self.port_clock.advance(line, grid);
        }
        for peer in self.peers.values_mut() {
            while let Some((at, event)) = peer.clock.pop(grid) {
                if peer.presence.is_told() {
                    peer.tell(now, self.grid.instant(at), &Message::Realtime(event));
                }
            }
        }
        while let Some((at, event)) = self.port_clock.pop(grid) {
            self.port_events.push_back((at, Message::Realtime(event)));
        }
    }
}

/// Why somebody is gone, for people.
const fn word(reason: LeaveReason) -> &'static str {
    match reason {
        LeaveReason::Goodbye => "it said goodbye",
        LeaveReason::Silence => "it said nothing for a minute",
        LeaveReason::Disconnected => "it was sent away",
        LeaveReason::GaveUp => "it asked and gave up",
    }
}
