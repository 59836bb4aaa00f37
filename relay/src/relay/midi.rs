//! The relay's MIDI: rooms' bridges, and what leaves for the sequencer and the multicast group.

use core::net::SocketAddr;

use lockstep_shared::midi::message::Message;
use lockstep_shared::rtpmidi::name::Name;
use lockstep_shared::rtpmidi::session::Port;
use lockstep_shared::time::{GridPosition, LocalTime};
use lockstep_shared::wire::{Slot, midi};

use super::command::{Answer, Command, CommandRefused};
use super::{Relay, RelayEvent};
use crate::bridge::{Passed, Proposal, Source};
use crate::config::midi::offset;
use crate::room::{Room, Told};

/// Something for a room's ports outside of RTP-MIDI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outward {
    /// A message, for all ports but its source's.
    Passed(Passed),
    /// An event of the room's clock, for the room's own.
    Clock(GridPosition, Message),
}

impl Relay {
    /// Takes a datagram that came to a port of a room's RTP-MIDI session.
    pub fn handle_midi_datagram(
        &mut self,
        now: LocalTime,
        room: usize,
        port: Port,
        from: SocketAddr,
        bytes: &[u8],
    ) {
        self.guard(now, room, |room| room.midi.handle_datagram(now, port, from, bytes));
        self.drain_midi(now);
    }

    /// Writes the next datagram of a room's RTP-MIDI session to `out`; says whose it is, by which port it leaves, and
    /// where it goes.
    pub fn poll_midi_transmit(
        &mut self,
        now: LocalTime,
        out: &mut Vec<u8>,
    ) -> Option<(usize, Port, SocketAddr)> {
        let mut rooms = self.rooms.iter_mut().enumerate();
        rooms.find_map(|(number, (_, room))| {
            room.midi.poll_transmit(now, out).map(|(port, to)| (number, port, to))
        })
    }

    /// Takes a message that came to a room otherwise than by a session, and counts at `at`.
    pub fn handle_message(
        &mut self,
        now: LocalTime,
        room: usize,
        from: Source,
        at: LocalTime,
        message: Message,
    ) {
        let grid = self.grid.position(at);
        self.guard(now, room, |room| room.midi.take(now, from, grid, message));
        self.drain_midi(now);
    }

    /// The next thing for ports outside of RTP-MIDI, and its room.
    pub fn poll_outward(&mut self) -> Option<(usize, Outward)> {
        self.outward.pop_front()
    }

    /// Whether what passes is to be told as [`RelayEvent::Passed`].
    pub const fn set_monitored(&mut self, is_monitored: bool) {
        self.is_monitored = is_monitored;
    }

    /// Does what an admin asks; drain the polls afterwards.
    ///
    /// # Errors
    /// A room or participant that there is not.
    pub fn handle_command(&mut self, now: LocalTime, command: Command) -> Result<Answer, CommandRefused> {
        let answer = match command {
            Command::Status => {
                Answer::Status(self.rooms.iter().map(|(name, room)| room.status(name, now)).collect())
            }
            Command::Monitor { room } => {
                self.room_named(&room)?;
                Answer::Done
            }
            Command::Panic { room, participant } => {
                self.room_named(&room)?.panic(now, &room, participant.as_deref())?;
                Answer::Done
            }
            Command::Call { room, address } => {
                self.room_named(&room)?.midi.invite(now, address, Name::default());
                Answer::Done
            }
            Command::ClockOffset { room, participant, milliseconds } => {
                let offset = offset(milliseconds).map_err(|_| CommandRefused::Offset { milliseconds })?;
                self.room_named(&room)?.midi.set_clock_offset(&participant, offset);
                Answer::Done
            }
            Command::Admit { room, participant } => {
                self.room_named(&room)?.midi.admit(now, &room, &participant)?;
                Answer::Done
            }
            Command::Refuse { room, participant } => {
                self.room_named(&room)?.midi.refuse(now, &room, &participant)?;
                Answer::Done
            }
        };
        self.drain_midi(now);
        Ok(answer)
    }

    fn room_named(&mut self, name: &str) -> Result<&mut Room, CommandRefused> {
        let names = || self.rooms.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let refused = CommandRefused::NoRoom { room: name.to_owned(), rooms: names() };
        self.rooms.iter_mut().find(|(known, _)| known == name).map(|(_, room)| room).ok_or(refused)
    }

    /// Hands on what was played, and what a clock from outside has made of the line.
    pub(super) fn drain_midi(&mut self, now: LocalTime) {
        let grid = self.grid.position(now);
        let Self { server, rooms, stats, events, is_monitored, outward, .. } = self;
        for (number, (name, room)) in rooms.iter_mut().enumerate() {
            while let Some(passed) = room.midi.poll_passed(now) {
                if *is_monitored {
                    let line = format!("{:<24} {}", room.name_of_source(passed.from), passed.message);
                    events.push_back(RelayEvent::Passed { room: name.clone(), line });
                }
                for session in room.midi_listeners(passed.from) {
                    let send = |entry: &[u8]| server.send_entry(now, session, entry);
                    stats.midi_unheard += u64::from(midi::encode(passed.at, &passed.message, send).is_err());
                }
                if room.midi.has_ports() {
                    outward.push_back((number, Outward::Passed(passed)));
                }
            }
            while let Some((at, message)) = room.midi.poll_port_clock() {
                if room.midi.has_ports() {
                    outward.push_back((number, Outward::Clock(at, message)));
                }
            }
            while let Some(event) = room.midi.poll_event() {
                events.push_back(RelayEvent::Midi { number, room: name.clone(), event });
            }
            let told = match room.midi.poll_proposal() {
                Some(Proposal::Line(line)) => room.lead_by_clock(grid, *line),
                Some(Proposal::Gone) => room.clock_gone(),
                None => Told::Nobody,
            };
            if told == Told::Everybody {
                room.sync_line();
                let timeline = room.timeline();
                for session in room.sessions() {
                    server.publish(now, session, Slot::TIMELINE, &timeline);
                }
            }
        }
    }
}
