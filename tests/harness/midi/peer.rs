//! One participant: the protocol's types put together as a computer of its own has them.

use core::net::SocketAddr;

use lockstep_shared::midi::Realtime;
use lockstep_shared::midi::message::Message;
use lockstep_shared::rtpmidi::control::Ssrc;
use lockstep_shared::rtpmidi::name::Name;
use lockstep_shared::rtpmidi::packet::{Command, Packet};
use lockstep_shared::rtpmidi::session::{Event, ParticipantId, Policy, Port, Session, Settings};
use lockstep_shared::rtpmidi::stream::{Origin, Receiver, ReceiverSettings, Sender, SenderSettings};
use lockstep_shared::rtpmidi::time::Timestamp;
use lockstep_shared::time::{LocalTime, Span};

/// See the module's page. It invites a room and plays with nobody else.
#[derive(Debug)]
pub struct MidiPeer {
    session: Session,
    room: Option<Room>,
    /// What came, in the order of its time.
    pub heard: Vec<Heard>,
    /// The clock's ticks that came, as their packets were stamped.
    pub ticks: Vec<Timestamp>,
    packet: Vec<u8>,
}

#[derive(Debug)]
struct Room {
    id: ParticipantId,
    is_here: bool,
    sender: Sender,
    receiver: Receiver,
}

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// When its packet came, or it was made good.
    pub came: LocalTime,
    /// When it counts.
    pub at: LocalTime,
    /// What it is.
    pub message: Message,
    /// Whether it was sent so or repaired.
    pub origin: Origin,
}

impl MidiPeer {
    /// A peer called `name` that invites the room at the control port `room`.
    ///
    /// # Panics
    /// Never: a session has a place for one.
    #[must_use]
    pub fn new(now: LocalTime, name: &str, room: SocketAddr, seed: u8) -> Self {
        let settings = Settings { name: Name::new(name), policy: Policy::nobody(), participants_max: 1 };
        let mut session = Session::new(settings, &[seed; 32]);
        session.invite(now, room, None, Name::default()).expect("there is a place");
        Self { session, room: None, heard: Vec::new(), ticks: Vec::new(), packet: Vec::new() }
    }

    /// Whether the room has taken it in and answers.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.room.as_ref().is_some_and(|room| room.is_here)
    }

    /// Plays a message now; false outside of the room.
    pub fn play(&mut self, now: LocalTime, message: &Message) -> bool {
        let Some(room) = self.room.as_mut().filter(|room| room.is_here) else { return false };
        room.sender.push(now, Timestamp::at(now), message).is_ok()
    }

    /// What the room has told it, as state.
    #[must_use]
    pub fn receiver(&self) -> Option<&Receiver> {
        self.room.as_ref().map(|room| &room.receiver)
    }

    /// Takes a datagram.
    pub fn handle_datagram(&mut self, now: LocalTime, port: Port, from: SocketAddr, bytes: &[u8]) {
        let _ = self.session.handle_datagram(now, port, from, bytes);
        self.drain(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: LocalTime) {
        self.session.handle_timeout(now);
        self.drain(now);
    }

    /// When something is due.
    #[must_use]
    pub fn poll_timeout(&self) -> LocalTime {
        let streams =
            self.room.iter().flat_map(|room| [room.sender.poll_timeout(), room.receiver.poll_timeout()]);
        streams.flatten().min().unwrap_or(LocalTime::NEVER).min(self.session.poll_timeout())
    }

    /// Writes the next datagram; says by which port it leaves and where it goes.
    pub fn poll_transmit(&mut self, now: LocalTime, out: &mut Vec<u8>) -> Option<(Port, SocketAddr)> {
        if let Some(room) = self.room.as_mut().filter(|room| room.is_here) {
            while room.sender.poll_transmit(now, &mut self.packet) {
                let _ = self.session.send_media(room.id, &self.packet);
            }
            if let Some(sequence) = room.receiver.feedback(now) {
                let _ = self.session.send_receipt(room.id, sequence);
            }
        }
        self.session.poll_transmit(out)
    }

    fn drain(&mut self, now: LocalTime) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Joined { id, .. } => {
                    let ssrc = self.session.ssrc(id).unwrap_or(Ssrc(0));
                    let ahead =
                        ReceiverSettings { ahead: Span::from_millis(200), ..ReceiverSettings::default() };
                    self.room = Some(Room {
                        id,
                        is_here: true,
                        sender: Sender::new(SenderSettings::default(), ssrc.0, 100),
                        receiver: Receiver::new(ahead),
                    });
                }
                Event::Returned { .. } => self.set_here(true),
                Event::Quiet { .. } | Event::Left { .. } => {
                    self.set_here(false);
                    if let Some(room) = &mut self.room {
                        room.receiver.release(now);
                    }
                }
                Event::Media { bytes, id } => {
                    self.note_ticks(&bytes);
                    let clock = self.session.clock(id).copied();
                    if let Some(room) = &mut self.room {
                        let _ = room.receiver.handle_packet(now, &bytes, clock);
                    }
                }
                Event::Receipt { receipt, .. } => {
                    if let Some(room) = &mut self.room {
                        let candidates: Vec<u16> = receipt.candidates().collect();
                        room.sender.handle_feedback(&candidates);
                    }
                }
                Event::Asked { .. } | Event::RateLimit { .. } => {}
            }
        }
        if let Some(room) = &mut self.room {
            while let Some(played) = room.receiver.poll_event(now) {
                let (at, message, origin) = (played.at, played.message, played.origin);
                self.heard.push(Heard { came: now, at, message, origin });
            }
        }
    }

    fn note_ticks(&mut self, bytes: &[u8]) {
        let Ok(packet) = Packet::decode(bytes) else { return };
        let stamp = packet.header.timestamp;
        for timed in packet.commands.map_while(Result::ok) {
            if timed.command == Command::Message(Message::Realtime(Realtime::Clock)) {
                self.ticks.push(stamp.plus(timed.after_ticks));
            }
        }
    }

    fn set_here(&mut self, is_here: bool) {
        if let Some(room) = &mut self.room {
            room.is_here = is_here;
        }
    }
}
