//! Messages as a musician reads them.

use core::fmt;

use super::super::Realtime;
use super::{Message, System, U7, Voice};

/// The names of an octave.
const NAMES: [&str; 12] = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
/// Bytes of an exclusive message that are shown.
const SHOWN_BYTES: usize = 16;

/// A key, as its name with middle C as C4, and its number.
struct Key(U7);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.get();
        let name = NAMES[usize::from(number % 12)];
        write!(f, "{name}{} ({number})", i16::from(number / 12) - 1)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Voice(channel, voice) => write!(f, "channel {:>2}  {voice}", channel.index() + 1),
            Self::Realtime(realtime) => match realtime {
                Realtime::Clock => f.write_str("clock"),
                Realtime::Start => f.write_str("start"),
                Realtime::Continue => f.write_str("continue"),
                Realtime::Stop => f.write_str("stop"),
                Realtime::SongPosition(position) => write!(f, "song position {}", position.sixteenths()),
            },
            Self::System(system) => system.fmt(f),
            Self::Exclusive(exclusive) => {
                let content = exclusive.content();
                write!(f, "exclusive, {} bytes:", content.len())?;
                for byte in content.iter().take(SHOWN_BYTES) {
                    write!(f, " {byte:02X}")?;
                }
                f.write_str(if content.len() > SHOWN_BYTES { " ..." } else { "" })
            }
        }
    }
}

impl fmt::Display for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoteOff { note, .. } | Self::NoteOn { note, velocity: U7::ZERO } => {
                write!(f, "note off       {}", Key(*note))
            }
            Self::NoteOn { note, velocity } => {
                write!(f, "note on        {}  velocity {}", Key(*note), velocity.get())
            }
            Self::PolyPressure { note, pressure } => {
                write!(f, "key pressure   {}  {}", Key(*note), pressure.get())
            }
            Self::Control { number, value } => {
                write!(f, "controller     {}  {}", number.get(), value.get())
            }
            Self::Program(program) => write!(f, "program        {}", program.get()),
            Self::Pressure(pressure) => write!(f, "pressure       {}", pressure.get()),
            Self::Bend(bend) => write!(f, "bend           {:+}", i32::from(bend.get()) - 8_192),
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QuarterFrame(piece) => write!(f, "time code      {:02X}", piece.get()),
            Self::SongSelect(song) => write!(f, "song select    {}", song.get()),
            Self::TuneRequest => f.write_str("tune request"),
            Self::ActiveSensing => f.write_str("active sensing"),
            Self::Reset => f.write_str("reset"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_readable() {
        for (bytes, text) in [
            (&[0x90, 60, 100][..], "channel  1  note on        C4 (60)  velocity 100"),
            (&[0x9F, 61, 0], "channel 16  note off       C#4 (61)"),
            (&[0xE1, 0, 0], "channel  2  bend           -8192"),
            (&[0xF2, 4, 1], "song position 132"),
            (&[0xFF], "reset"),
        ] {
            assert_eq!(Message::from_short(bytes).expect("whole").to_string(), text);
        }
    }
}
