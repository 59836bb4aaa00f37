//! What a source of messages has left sounding, and how to end exactly that.

use super::{Channel, Message, System, U7, U14, Voice};

/// The keys, pedals and wheels that a source holds: what must be ended when it drops, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    channels: [HeldChannel; Channel::COUNT],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct HeldChannel {
    /// A bit a key.
    notes: u128,
    /// A bit for each of [`PEDALS`].
    pedals: u8,
    bent: bool,
    pressed: bool,
}

/// Sustain, sostenuto, soft and hold 2: what a pedal holds down.
pub(super) const PEDALS: [u8; 4] = [64, 66, 67, 69];
/// The channel modes: controllers from here on.
pub(super) const MODES_FIRST: u8 = ALL_SOUND_OFF;
/// Controllers that end notes: all sound off, reset, all notes off, and the four mode changes, which imply it.
const ALL_SOUND_OFF: u8 = 120;
const RESET_CONTROLLERS: u8 = 121;
const ALL_NOTES_OFF: u8 = 123;

impl Held {
    /// Notes that `message` passed.
    pub fn note(&mut self, message: &Message) {
        match message {
            Message::Voice(channel, voice) => self.channels[usize::from(channel.index())].note(*voice),
            Message::System(System::Reset) => *self = Self::default(),
            Message::System(_) | Message::Realtime(_) | Message::Exclusive(_) => {}
        }
    }

    /// How many keys are down.
    #[must_use]
    pub fn notes(&self) -> u32 {
        self.channels.iter().map(|channel| channel.notes.count_ones()).sum()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What ends one of the things that are held: a release, a pedal up, the wheel at rest, the pressure gone. Once it
    /// has gone where it was meant to, [`Held::note`] it, and the next one ends the next.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn next_ending(&self) -> Option<Message> {
        let mut channels = Channel::all().zip(self.channels);
        channels.find_map(|(channel, held)| Some(Message::Voice(channel, held.next_ending()?)))
    }

    /// Ends what is held and gives the messages that say so, in the order of their channels.
    pub fn release(&mut self) -> Vec<Message> {
        let endings = core::iter::from_fn(|| self.next_ending().inspect(|ending| self.note(ending)));
        endings.collect()
    }
}

impl HeldChannel {
    fn note(&mut self, voice: Voice) {
        match voice {
            Voice::NoteOff { note, .. } | Voice::NoteOn { note, velocity: U7::ZERO } => {
                self.notes &= !(1 << note.get());
            }
            Voice::NoteOn { note, .. } => self.notes |= 1 << note.get(),
            Voice::Control { number, value } => self.control(number.get(), value.get()),
            Voice::Pressure(pressure) => self.pressed = pressure != U7::ZERO,
            Voice::Bend(bend) => self.bent = bend != U14::CENTRE,
            Voice::PolyPressure { .. } | Voice::Program(_) => {}
        }
    }

    fn control(&mut self, number: u8, value: u8) {
        if let Some(pedal) = PEDALS.iter().position(|pedal| *pedal == number) {
            let bit = 1 << pedal;
            // A pedal is down from 64 on.
            self.pedals = if value >= 64 { self.pedals | bit } else { self.pedals & !bit };
        }
        match number {
            ALL_SOUND_OFF | ALL_NOTES_OFF..=127 => self.notes = 0,
            RESET_CONTROLLERS => (self.pedals, self.bent, self.pressed) = (0, false, false),
            _ => {}
        }
    }

    fn next_ending(self) -> Option<Voice> {
        if self.notes != 0 {
            let [note, ..] = self.notes.trailing_zeros().to_le_bytes();
            return Some(Voice::NoteOff { note: U7::low_bits(note), velocity: U7::MIDDLE });
        }
        let down = PEDALS.into_iter().enumerate().find(|(pedal, _)| self.pedals >> pedal & 1 == 1);
        let pedal = down.map(|(_, number)| Voice::Control { number: U7::low_bits(number), value: U7::ZERO });
        let wheel = self.bent.then_some(Voice::Bend(U14::CENTRE));
        let pressure = self.pressed.then_some(Voice::Pressure(U7::ZERO));
        pedal.or(wheel).or(pressure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(voices: &[[u8; 3]]) -> Vec<Message> {
        voices.iter().map(|bytes| Message::from_short(bytes).expect("three bytes")).collect()
    }

    #[test]
    fn exactly_what_is_held_is_ended() {
        let mut held = Held::default();
        for message in messages(&[
            [0x90, 60, 100],
            [0x90, 64, 100],
            [0x90, 64, 0],
            [0x95, 10, 1],
            [0xB5, 64, 127],
            [0xB5, 66, 127],
            [0xB5, 66, 0],
            [0xE2, 0, 0],
            [0xE3, 0, 64],
        ]) {
            held.note(&message);
        }
        assert_eq!(held.notes(), 2);
        let endings = messages(&[[0x80, 60, 64], [0xE2, 0, 64], [0x85, 10, 64], [0xB5, 64, 0]]);
        assert_eq!(held.release(), endings);
        assert!(held.is_empty());
        assert_eq!(held.release(), []);
    }

    #[test]
    fn modes_and_reset_end_what_they_end() {
        for (ending, notes) in
            [([0xB0, 123, 0], 0), ([0xB0, 120, 0], 0), ([0xB0, 126, 1], 0), ([0xB0, 121, 0], 1)]
        {
            let mut held = Held::default();
            for message in messages(&[[0x90, 60, 100], ending]) {
                held.note(&message);
            }
            assert_eq!(held.notes(), notes, "{ending:x?}");
        }
        let mut held = Held::default();
        held.note(&messages(&[[0x90, 60, 100]])[0]);
        held.note(&Message::System(System::Reset));
        assert!(held.is_empty());
    }
}
