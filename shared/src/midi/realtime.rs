//! The five MIDI events that carry a clock and a transport, as values, as bytes and back.
//!
//! MIDI 1.0, "System Common" and "System Real Time". Song Position is the only one with data: 14 bits, low seven first,
//! in sixteenths of six ticks. The other four are one byte each and may stand *anywhere*, even between the status and
//! the data of another message, which is why [`Decoder`] keeps what it has of a Song Position while they pass.

use super::message::U14;

/// A position in sixteenths since the song's beginning, 14 bits: what MIDI can say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SongPosition(u16);

/// One event of a MIDI clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Realtime {
    /// F8, a tick: 24 of them a quarter note.
    Clock,
    /// FA: play from the beginning; the next tick is position 0.
    Start,
    /// FB: play from the present song position; the next tick is that position.
    Continue,
    /// FC: stop.
    Stop,
    /// F2: this is the song position; sent while stopped.
    SongPosition(SongPosition),
}

/// The bytes of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    bytes: [u8; 3],
    len: usize,
}

/// Finds the events in a stream of MIDI bytes that may be split anywhere. What is not one of the five is passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoder {
    awaited: Awaited,
}

/// What the decoder's next data byte would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Awaited {
    /// Part of a message that is not ours.
    #[default]
    Nothing,
    LowSeven,
    HighSeven {
        low: u8,
    },
}

const SONG_POSITION: u8 = 0xF2;
const CLOCK: u8 = 0xF8;
const START: u8 = 0xFA;
const CONTINUE: u8 = 0xFB;
const STOP: u8 = 0xFC;

impl SongPosition {
    /// The last sixteenth that 14 bits reach.
    pub const MAX: Self = Self(16_383);
    /// Ticks in the unit of a song position.
    pub const TICKS: i64 = 6;

    /// `sixteenths` if 14 bits hold it.
    #[must_use]
    pub const fn new(sixteenths: u16) -> Option<Self> {
        if sixteenths > Self::MAX.0 { None } else { Some(Self(sixteenths)) }
    }

    /// Sixteenths since the beginning.
    #[must_use]
    pub const fn sixteenths(self) -> u16 {
        self.0
    }

    /// Ticks since the beginning.
    #[must_use]
    pub fn ticks(self) -> i64 {
        i64::from(self.0) * Self::TICKS
    }
}

impl From<U14> for SongPosition {
    fn from(sixteenths: U14) -> Self {
        Self(sixteenths.get())
    }
}

impl Realtime {
    /// The bytes of this event.
    ///
    /// Real-time: yes. Bound: three bytes.
    #[must_use]
    pub fn encode(self) -> Encoded {
        let one = |status| Encoded { bytes: [status, 0, 0], len: 1 };
        match self {
            Self::Clock => one(CLOCK),
            Self::Start => one(START),
            Self::Continue => one(CONTINUE),
            Self::Stop => one(STOP),
            Self::SongPosition(SongPosition(sixteenths)) => {
                let [low, high] = [sixteenths & 0x7F, sixteenths >> 7].map(|seven| seven.to_le_bytes()[0]);
                Encoded { bytes: [SONG_POSITION, low, high], len: 3 }
            }
        }
    }
}

impl Encoded {
    /// The bytes, one or three.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Decoder {
    /// Takes the next byte of the stream and gives the event that it completes.
    ///
    /// Real-time: yes. Bound: one byte.
    pub fn push(&mut self, byte: u8) -> Option<Realtime> {
        match byte {
            CLOCK => Some(Realtime::Clock),
            START => Some(Realtime::Start),
            CONTINUE => Some(Realtime::Continue),
            STOP => Some(Realtime::Stop),
            // F9, FD, FE and FF are realtime too: they leave an unfinished message as it is.
            0xF9 | 0xFD..=0xFF => None,
            SONG_POSITION => {
                self.awaited = Awaited::LowSeven;
                None
            }
            0x80..=0xF1 | 0xF3..=0xF7 => {
                self.awaited = Awaited::Nothing;
                None
            }
            0x00..=0x7F => self.push_data(byte),
        }
    }

    fn push_data(&mut self, seven: u8) -> Option<Realtime> {
        match self.awaited {
            Awaited::Nothing => None,
            Awaited::LowSeven => {
                self.awaited = Awaited::HighSeven { low: seven };
                None
            }
            Awaited::HighSeven { low } => {
                // A system common message has no running status: more data belongs to nothing.
                self.awaited = Awaited::Nothing;
                Some(Realtime::SongPosition(SongPosition(u16::from(seven) << 7 | u16::from(low))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Vec<Realtime> {
        let mut decoder = Decoder::default();
        bytes.iter().filter_map(|byte| decoder.push(*byte)).collect()
    }

    #[test]
    fn every_event_comes_back_from_its_bytes() {
        let positions = [0, 1, 127, 128, 16_383].map(|sixteenths| SongPosition::new(sixteenths).unwrap());
        let events = [Realtime::Clock, Realtime::Start, Realtime::Continue, Realtime::Stop]
            .into_iter()
            .chain(positions.map(Realtime::SongPosition));
        for event in events {
            assert_eq!(decode(event.encode().as_slice()), [event]);
        }
        assert_eq!(SongPosition::new(16_384), None);
        assert_eq!(Realtime::SongPosition(positions[3]).encode().as_slice(), [0xF2, 0x00, 0x01]);
    }

    #[test]
    fn realtime_bytes_may_stand_inside_a_song_position() {
        let position = SongPosition::new(5 | 3 << 7).unwrap();
        let found = decode(&[0xF2, 0xF8, 5, 0xFE, 0xF8, 3, 0xFB]);
        let expected =
            [Realtime::Clock, Realtime::Clock, Realtime::SongPosition(position), Realtime::Continue];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_not_ours_is_passed_over() {
        // Notes, running status, a system exclusive with a tick inside, and a song position that a note cuts off.
        let bytes = [0x90, 60, 100, 61, 100, 0xF0, 1, 0xF8, 2, 0xF7, 0xF2, 9, 0x80, 60, 0, 7, 0xFC];
        assert_eq!(decode(&bytes), [Realtime::Clock, Realtime::Stop]);
    }

    #[test]
    fn any_bytes_decode_to_something_without_a_panic() {
        let mut decoder = Decoder::default();
        let mut seed = 1_u32;
        for _ in 0..100_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if let Some(Realtime::SongPosition(position)) = decoder.push(seed.to_be_bytes()[0]) {
                assert!(position <= SongPosition::MAX);
            }
        }
    }
}
