//! MIDI between the instances of this process and the room.
//!
//! Every instance sends what its own host plays into it. What the others play goes to the listener, the instance in which
//! the others are heard.
//!
//! The link keeps account of what the room believes each instance to hold. Where a message may have been dropped that
//! ends something, as in a flood, in an outage, or when the instance goes, it ends exactly that.

use lockstep_shared::clock::RoomMap;
use lockstep_shared::midi::message::{Exclusive, Held, Message};
use lockstep_shared::session::{Client, FlowFull};
use lockstep_shared::time::{GRID_RATE, GridPosition, LocalTime};
use lockstep_shared::wire::midi;
pub(super) use lockstep_shared::wire::midi::Decoder;
use std::sync::atomic::Ordering;

use super::{Link, Port};
use crate::wiring::{MidiEntry, MidiForm};

/// How far from now a message may claim to count: the relay allows a second, and the network may take a while.
const REACH_FRAMES: f64 = 10.0 * GRID_RATE as f64;

impl Link {
    /// Sends what the hosts have played.
    pub(super) fn send_midi(&mut self, now: LocalTime) {
        let map = self.clock.map(now).filter(|_| self.client.is_joined());
        for port in self.ports.values_mut() {
            match map {
                Some(map) => port.send_midi(&mut self.client, now, &map),
                None => port.discard_midi(),
            }
        }
    }

    /// Takes an entry of the room's flow.
    pub(super) fn hear_midi(&mut self, now: LocalTime, entry: &[u8]) {
        let listener = self.listener().and_then(|id| self.ports.get_mut(&id));
        let (Some(port), Some(map)) = (listener, self.clock.map(now)) else { return };
        let here = map.grid(now);
        let (first, last) = (here.plus_f64(-REACH_FRAMES), here.plus_f64(REACH_FRAMES));
        // An entry that cannot be read is the relay's fault, and nothing hangs by it.
        let _ = self.midi.decode(entry, |at, message| port.push_midi(at.clamp(first, last), &message));
    }

    /// The others are out of reach, and so is what would end what they play.
    pub(super) fn lose_midi(&mut self) {
        self.midi = Decoder::default();
        for port in self.ports.values_mut() {
            port.end_midi();
        }
    }

    /// The instance goes: the room is told what it lets go.
    pub(super) fn end_midi_of(&mut self, now: LocalTime, port: &mut Port) {
        if let Some(map) = self.clock.map(now) {
            port.send_midi(&mut self.client, now, &map);
            // What is left the relay ends itself once the member is gone.
            let _ = port.send_endings(&mut self.client, now, map.grid(now));
            port.midi_told = Held::default();
        }
    }
}

impl Port {
    /// Sends what the host has played, and what ends it where something may have been dropped.
    fn send_midi(&mut self, client: &mut Client, now: LocalTime, map: &RoomMap) {
        // First: what came before the message that was dropped is in the ring by now.
        let owes_endings = self.end.gauges.take_owed_endings();
        while let Some(MidiEntry { at, form }) = self.end.midi_sent.pop() {
            let message = match form {
                MidiForm::Short(bytes) => Message::from_short(bytes.as_slice()),
                MidiForm::Exclusive(length) => self.take_exclusive(length),
            };
            let Some(message) = message else { continue };
            match midi::encode(at, &message, |entry| client.send_entry(now, entry)) {
                Ok(()) => self.midi_told.note(&message),
                Err(FlowFull) => {
                    self.end.gauges.midi.dropped.fetch_add(1, Ordering::Relaxed);
                    self.end.gauges.owe_endings();
                }
            }
        }
        if owes_endings && self.send_endings(client, now, map.grid(now)).is_err() {
            self.end.gauges.owe_endings();
        }
    }

    /// Ends at the others what they believe this instance to hold.
    fn send_endings(
        &mut self,
        client: &mut Client,
        now: LocalTime,
        at: GridPosition,
    ) -> Result<(), FlowFull> {
        while let Some(ending) = self.midi_told.next_ending() {
            midi::encode(at, &ending, |entry| client.send_entry(now, entry))?;
            self.midi_told.note(&ending);
        }
        Ok(())
    }

    /// Throws away what the host has played: there is nobody to send it to.
    fn discard_midi(&mut self) {
        while let Some(entry) = self.end.midi_sent.pop() {
            if let MidiForm::Exclusive(length) = entry.form {
                self.end.midi_sent.skip_exclusive(length);
            }
            self.end.gauges.owe_endings();
        }
    }

    fn take_exclusive(&mut self, length: usize) -> Option<Message> {
        let bytes = self.end.midi_sent.read_exclusive(length, |front, back| [front, back].concat())?;
        Exclusive::new(bytes.strip_prefix(&[0xF0])?.strip_suffix(&[0xF7])?).map(Message::Exclusive)
    }
}
