//! The bytes of a message.

use super::super::Realtime;
use super::{Channel, Exclusive, Message, System, U7, U14, Voice};

/// The bytes of a message that is not exclusive: one to three, the status first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bytes {
    bytes: [u8; 3],
    len: u8,
}

impl Bytes {
    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    const fn one(status: u8) -> Self {
        Self { bytes: [status, 0, 0], len: 1 }
    }

    const fn two(status: u8, first: U7) -> Self {
        Self { bytes: [status, first.get(), 0], len: 2 }
    }

    const fn three(status: u8, first: U7, second: U7) -> Self {
        Self { bytes: [status, first.get(), second.get()], len: 3 }
    }
}

impl Message {
    /// Appends the message's bytes, exclusive ones between F0 and F7.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        match self.short() {
            Ok(short) => bytes.extend_from_slice(short.as_slice()),
            Err(exclusive) => {
                bytes.push(0xF0);
                bytes.extend_from_slice(exclusive.content());
                bytes.push(0xF7);
            }
        }
    }

    /// The bytes of a message that has at most three.
    ///
    /// # Errors
    /// The exclusive message, which has more.
    pub fn short(&self) -> Result<Bytes, &Exclusive> {
        Ok(match self {
            Self::Voice(channel, voice) => voice.bytes(*channel),
            Self::Realtime(realtime) => realtime_bytes(*realtime),
            Self::System(system) => system.bytes(),
            Self::Exclusive(exclusive) => return Err(exclusive),
        })
    }

    /// The message that `bytes` are, with their status, one message and nothing more; exclusive ones go through the
    /// [`Parser`](super::Parser).
    #[must_use]
    pub fn from_short(bytes: &[u8]) -> Option<Self> {
        let data = |place: usize| bytes.get(place).copied().and_then(U7::new);
        let status = *bytes.first()?;
        let message = match data_bytes_of(status)? {
            0 => single(status)?,
            1 => with_one(status, data(1)?)?,
            _ => with_two(status, data(1)?, data(2)?)?,
        };
        (bytes.len() == 1 + data_bytes_of(status)?).then_some(message)
    }
}

impl Voice {
    /// The bytes of this on `channel`.
    #[must_use]
    pub fn bytes(self, channel: Channel) -> Bytes {
        let status = |kind: u8| kind | channel.index();
        match self {
            Self::NoteOff { note, velocity } => Bytes::three(status(0x80), note, velocity),
            Self::NoteOn { note, velocity } => Bytes::three(status(0x90), note, velocity),
            Self::PolyPressure { note, pressure } => Bytes::three(status(0xA0), note, pressure),
            Self::Control { number, value } => Bytes::three(status(0xB0), number, value),
            Self::Program(program) => Bytes::two(status(0xC0), program),
            Self::Pressure(pressure) => Bytes::two(status(0xD0), pressure),
            Self::Bend(bend) => {
                let (low, high) = bend.halves();
                Bytes::three(status(0xE0), low, high)
            }
        }
    }
}

impl System {
    /// The bytes of this.
    #[must_use]
    pub const fn bytes(self) -> Bytes {
        match self {
            Self::QuarterFrame(piece) => Bytes::two(0xF1, piece),
            Self::SongSelect(song) => Bytes::two(0xF3, song),
            Self::TuneRequest => Bytes::one(0xF6),
            Self::ActiveSensing => Bytes::one(0xFE),
            Self::Reset => Bytes::one(0xFF),
        }
    }
}

/// How many data bytes follow `status`; nothing for data, for F0 and F7, and for the undefined F4, F5, F9 and FD.
pub(super) const fn data_bytes_of(status: u8) -> Option<usize> {
    match status {
        0x80..=0xBF | 0xE0..=0xEF | 0xF2 => Some(2),
        0xC0..=0xDF | 0xF1 | 0xF3 => Some(1),
        0xF6 | 0xF8 | 0xFA..=0xFC | 0xFE | 0xFF => Some(0),
        _ => None,
    }
}

fn realtime_bytes(realtime: Realtime) -> Bytes {
    let encoded = realtime.encode();
    let mut bytes = [0; 3];
    let slice = encoded.as_slice();
    bytes[..slice.len()].copy_from_slice(slice);
    Bytes { bytes, len: if slice.len() == 1 { 1 } else { 3 } }
}

pub(super) fn single(status: u8) -> Option<Message> {
    Some(match status {
        0xF6 => Message::System(System::TuneRequest),
        0xF8 => Message::Realtime(Realtime::Clock),
        0xFA => Message::Realtime(Realtime::Start),
        0xFB => Message::Realtime(Realtime::Continue),
        0xFC => Message::Realtime(Realtime::Stop),
        0xFE => Message::System(System::ActiveSensing),
        0xFF => Message::System(System::Reset),
        _ => return None,
    })
}

pub(super) fn with_one(status: u8, data: U7) -> Option<Message> {
    let voice = |voice| Message::Voice(Channel::of_status(status), voice);
    Some(match status {
        0xC0..=0xCF => voice(Voice::Program(data)),
        0xD0..=0xDF => voice(Voice::Pressure(data)),
        0xF1 => Message::System(System::QuarterFrame(data)),
        0xF3 => Message::System(System::SongSelect(data)),
        _ => return None,
    })
}

pub(super) fn with_two(status: u8, first: U7, second: U7) -> Option<Message> {
    let voice = match status {
        0x80..=0x8F => Voice::NoteOff { note: first, velocity: second },
        0x90..=0x9F => Voice::NoteOn { note: first, velocity: second },
        0xA0..=0xAF => Voice::PolyPressure { note: first, pressure: second },
        0xB0..=0xBF => Voice::Control { number: first, value: second },
        0xE0..=0xEF => Voice::Bend(U14::from_halves(first, second)),
        0xF2 => {
            return Some(Message::Realtime(Realtime::SongPosition(U14::from_halves(first, second).into())));
        }
        _ => return None,
    };
    Some(Message::Voice(Channel::of_status(status), voice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_short_message_comes_back_from_its_bytes() {
        let mut seen = 0;
        for status in 0x80..=0xFF {
            let Some(data) = data_bytes_of(status) else { continue };
            for (first, second) in [(0, 0), (1, 127), (64, 5), (127, 127)] {
                let bytes = [status, first, second];
                let message = Message::from_short(&bytes[..=data]).expect("a whole message");
                assert_eq!(message.short().expect("not exclusive").as_slice(), &bytes[..=data]);
                seen += 1;
            }
        }
        assert_eq!(seen, (7 * 16 + 10) * 4);
    }

    #[test]
    fn what_is_not_one_whole_message_is_refused() {
        for bytes in
            [&[][..], &[0x90], &[0x90, 60], &[0x90, 60, 0x80], &[0x90, 60, 1, 1], &[60], &[0xF0], &[0xF4]]
        {
            assert_eq!(Message::from_short(bytes), None, "{bytes:x?}");
        }
    }
}
