//! MIDI of one callback, between a shim and its adapter.
//!
//! Each shim turns its format's events into bytes of MIDI 1.0 and back; the adapter hands them to the engine and takes
//! what it gives. Both sides count frames from the callback's first.

use crate::engine::{Engine, MidiBlock};
use crate::wiring::MidiFull;

/// What the host has played, and what it is given, in one callback.
#[derive(Default)]
pub(super) struct MidiExchange {
    heard: MidiBlock,
    heard_taken: usize,
    given: MidiBlock,
    given_taken: usize,
    overflow: Overflow,
}

/// Whether something found no room that may have ended a note.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Overflow {
    #[default]
    None,
    /// What the host has played is incomplete.
    Heard,
    /// What the host was given is incomplete.
    Given,
}

impl MidiExchange {
    /// A new callback.
    ///
    /// Real-time: yes. Bound: constant.
    pub(super) fn begin(&mut self) {
        self.heard.clear();
        self.given.clear();
        (self.heard_taken, self.given_taken) = (0, 0);
    }

    /// Takes a message of the host.
    ///
    /// Real-time: yes. Bound: a copy of its bytes.
    pub(super) fn hear(&mut self, frame: usize, bytes: &[u8]) {
        if self.heard.push(frame, bytes).is_err() {
            self.overflow = Overflow::Heard;
        }
    }

    /// Hands the engine what the host has for the piece that begins `start` frames into the callback and ends before
    /// `end`.
    ///
    /// Real-time: yes. Bound: a copy of the messages.
    pub(super) fn hand_over(&mut self, start: usize, end: usize, engine: &mut Engine) {
        while let Some((frame, bytes)) = self.heard.get(self.heard_taken).filter(|(frame, _)| *frame < end) {
            engine.hear_midi(frame.saturating_sub(start), bytes);
            self.heard_taken += 1;
        }
        match core::mem::take(&mut self.overflow) {
            Overflow::None => {}
            Overflow::Heard => engine.end_sent_midi(),
            Overflow::Given => engine.end_midi(),
        }
    }

    /// Takes what the engine gives the host in that piece.
    ///
    /// Real-time: yes. Bound: a copy of the messages.
    pub(super) fn take_over(&mut self, start: usize, engine: &Engine) {
        for (frame, bytes) in engine.midi().iter() {
            if let Err(MidiFull) = self.given.push(start + frame, bytes) {
                self.overflow = Overflow::Given;
            }
        }
    }

    /// What the host has played, in order.
    #[cfg(test)]
    pub(super) fn heard(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.heard.iter()
    }

    /// The next message for the host, which stays until [`MidiExchange::pass`].
    ///
    /// Real-time: yes. Bound: constant.
    pub(super) fn next(&self) -> Option<(usize, &[u8])> {
        self.given.get(self.given_taken)
    }

    /// The next message was handed to the host, or has no place in its format.
    pub(super) const fn pass(&mut self) {
        self.given_taken += 1;
    }

    /// The host did not take the next message.
    pub(super) const fn refuse(&mut self) {
        self.given_taken += 1;
        self.overflow = Overflow::Given;
    }
}

/// Seven bits of what formats say between 0 and 1.
pub(super) fn seven_bits(value: f64) -> u8 {
    let scaled = lockstep_shared::time::convert::usize_trunc((value.clamp(0.0, 1.0) * 127.0).round());
    u8::try_from(scaled).unwrap_or(127).min(127)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_velocity_comes_back() {
        for velocity in 0..=127_u8 {
            assert_eq!(seven_bits(f64::from(velocity) / 127.0), velocity);
            assert_eq!(seven_bits(f64::from(f32::from(velocity) / 127.0)), velocity);
        }
        assert_eq!((seven_bits(f64::NAN), seven_bits(-1.0), seven_bits(7.0)), (0, 0, 127));
    }
}
