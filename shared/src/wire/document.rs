//! Retained documents: what a member wants, who is in the room.

use super::{Channels, ChunksPerDatagram, DecodeError, Format, Full, Reader, StripId, Writer};

/// The longest document.
pub const DOCUMENT_BYTES_MAX: usize = 16_384;
/// The longest name, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 64;
/// Strips of one member.
pub const STRIPS_PER_MEMBER_MAX: usize = 16;
/// Personal gains of one member: one for every strip it could hear.
const GAINS_MAX: usize = 1_024;

/// Which retained document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u8);

impl Slot {
    /// A member's [`Profile`].
    pub const PROFILE: Self = Self(0);
    /// A member's [`Gains`].
    pub const GAINS: Self = Self(1);
    /// The room's [`Roster`].
    pub const ROSTER: Self = Self(2);
    /// The room's [`super::RoomTimeline`].
    pub const TIMELINE: Self = Self(3);
    /// A member's [`super::Lead`].
    pub const LEAD: Self = Self(4);
    /// A [`super::RoomDelay`]: member to relay its own, relay to member the room's.
    pub const DELAY: Self = Self(5);
    /// A [`crate::redundancy::Asked`]: how the writer wants what it is sent to be protected.
    pub const PROTECTION: Self = Self(6);
    /// How many slots there are.
    pub const COUNT: usize = 7;
}

/// A member as the room names it, from 0; kept for a member that returns in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u16);

impl MemberId {
    /// No member: a clock from outside that leads the room.
    pub const CLOCK: Self = Self(u16::MAX);
}

/// Which sound of the others a member wants to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PlayMode {
    /// Nothing: it only sends.
    #[default]
    Nothing,
    /// Every other strip as it was sent.
    Stems,
    /// The sum of the others.
    Mix,
}

/// What a member is and wants; member to relay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The member's name as the others see it.
    pub name: String,
    /// What it wants to hear.
    pub play: PlayMode,
    /// How the mix is to be written for it.
    pub mix_format: Format,
    /// How many chunks of the mix one datagram carries.
    pub mix_chunks: ChunksPerDatagram,
    /// Its strips.
    pub strips: Vec<ProfileStrip>,
}

/// One strip of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileStrip {
    /// The member's own number for it, below [`STRIPS_PER_MEMBER_MAX`]; its audio carries this number.
    pub number: u16,
    /// How many channels it has.
    pub channels: Channels,
    /// Its name as the others see it.
    pub name: String,
}

/// A member's own gains in its mix, where they differ from 1; member to relay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gains {
    /// Strip and linear gain.
    pub gains: Vec<(StripId, f32)>,
}

/// Who is in the room; relay to member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// The member that reads this.
    pub you: Option<MemberId>,
    /// All members, present or awaited back.
    pub members: Vec<RosterMember>,
    /// All strips.
    pub strips: Vec<RosterStrip>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterMember {
    /// The room's number for it.
    pub id: MemberId,
    /// Its name.
    pub name: String,
}

/// One strip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterStrip {
    /// The room's number for it; its audio carries this number on the way down.
    pub id: StripId,
    /// Whose it is.
    pub member: MemberId,
    /// How many channels it has.
    pub channels: Channels,
    /// Its name.
    pub name: String,
}

impl PlayMode {
    const fn code(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Stems => 1,
            Self::Mix => 2,
        }
    }

    const fn from_code(code: u8) -> Result<Self, DecodeError> {
        match code {
            0 => Ok(Self::Nothing),
            1 => Ok(Self::Stems),
            2 => Ok(Self::Mix),
            _ => Err(DecodeError::Range { field: "play mode", value: code as u64 }),
        }
    }
}

impl Profile {
    /// Writes the document.
    pub fn encode(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        out.text(&self.name, NAME_BYTES_MAX)?;
        out.u8(self.play.code())?;
        out.u8(self.mix_format.code())?;
        out.u8(self.mix_chunks.code())?;
        let strips = &self.strips[..self.strips.len().min(STRIPS_PER_MEMBER_MAX)];
        out.u8(u8::try_from(strips.len()).unwrap_or(u8::MAX))?;
        for strip in strips {
            out.u16(strip.number)?;
            out.u8(strip.channels.code())?;
            out.text(&strip.name, NAME_BYTES_MAX)?;
        }
        Ok(())
    }

    /// Reads the document.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut bytes = Reader::new(bytes);
        let name = bytes.text(NAME_BYTES_MAX)?.to_owned();
        let play = PlayMode::from_code(bytes.u8()?)?;
        let mix_format = Format::from_code(bytes.u8()?)?;
        let mix_chunks = ChunksPerDatagram::from_code(bytes.u8()?)?;
        let count = bytes.u8()?;
        if usize::from(count) > STRIPS_PER_MEMBER_MAX {
            return Err(DecodeError::Range { field: "strips", value: count.into() });
        }
        let mut strips = Vec::with_capacity(count.into());
        for _ in 0..count {
            let number = bytes.u16()?;
            if usize::from(number) >= STRIPS_PER_MEMBER_MAX {
                return Err(DecodeError::Range { field: "strip number", value: number.into() });
            }
            let channels = Channels::from_code(bytes.u8()?)?;
            strips.push(ProfileStrip { number, channels, name: bytes.text(NAME_BYTES_MAX)?.to_owned() });
        }
        bytes.finish()?;
        Ok(Self { name, play, mix_format, mix_chunks, strips })
    }
}

impl Gains {
    /// Writes the document.
    pub fn encode(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        let gains = &self.gains[..self.gains.len().min(GAINS_MAX)];
        out.u16(u16::try_from(gains.len()).unwrap_or(u16::MAX))?;
        for (strip, gain) in gains {
            out.u16(strip.0)?;
            out.u32(gain.to_bits())?;
        }
        Ok(())
    }

    /// Reads the document; every gain is finite and within 0 to 16 (+24 dB).
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut bytes = Reader::new(bytes);
        let count = bytes.u16()?;
        if usize::from(count) > GAINS_MAX {
            return Err(DecodeError::Range { field: "gains", value: count.into() });
        }
        let mut gains = Vec::with_capacity(count.into());
        for _ in 0..count {
            let strip = StripId(bytes.u16()?);
            let gain = bytes.f32()?;
            if !(0.0..=16.0).contains(&gain) {
                return Err(DecodeError::Range { field: "gain", value: gain.to_bits().into() });
            }
            gains.push((strip, gain));
        }
        bytes.finish()?;
        Ok(Self { gains })
    }
}

impl Roster {
    const NOBODY: u16 = u16::MAX;

    /// Writes the document.
    pub fn encode(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        out.u16(self.you.map_or(Self::NOBODY, |MemberId(id)| id))?;
        out.u16(u16::try_from(self.members.len()).unwrap_or(u16::MAX))?;
        for member in &self.members {
            out.u16(member.id.0)?;
            out.text(&member.name, NAME_BYTES_MAX)?;
        }
        out.u16(u16::try_from(self.strips.len()).unwrap_or(u16::MAX))?;
        for strip in &self.strips {
            out.u16(strip.id.0)?;
            out.u16(strip.member.0)?;
            out.u8(strip.channels.code())?;
            out.text(&strip.name, NAME_BYTES_MAX)?;
        }
        Ok(())
    }

    /// Reads the document.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut bytes = Reader::new(bytes);
        let you = match bytes.u16()? {
            Self::NOBODY => None,
            id => Some(MemberId(id)),
        };
        // The counts are foreign: vectors grow by what is really there, which the document's own cap bounds.
        let mut members = Vec::new();
        for _ in 0..bytes.u16()? {
            let id = MemberId(bytes.u16()?);
            members.push(RosterMember { id, name: bytes.text(NAME_BYTES_MAX)?.to_owned() });
        }
        let mut strips = Vec::new();
        for _ in 0..bytes.u16()? {
            let id = StripId(bytes.u16()?);
            let member = MemberId(bytes.u16()?);
            let channels = Channels::from_code(bytes.u8()?)?;
            strips.push(RosterStrip { id, member, channels, name: bytes.text(NAME_BYTES_MAX)?.to_owned() });
        }
        bytes.finish()?;
        Ok(Self { you, members, strips })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn documents_read_back_as_they_were_written() {
        let mut buffer = vec![0; DOCUMENT_BYTES_MAX];
        let profile = Profile {
            name: "Zoë".into(),
            play: PlayMode::Stems,
            mix_format: Format::Pcm24,
            mix_chunks: ChunksPerDatagram::Four,
            strips: vec![ProfileStrip { number: 3, channels: Channels::Mono, name: "Bass".into() }],
        };
        let mut out = Writer::new(&mut buffer);
        profile.encode(&mut out).unwrap();
        assert_eq!(Profile::decode(out.written()), Ok(profile));

        let gains = Gains { gains: vec![(StripId(4), 0.5), (StripId(9), 0.0)] };
        let mut out = Writer::new(&mut buffer);
        gains.encode(&mut out).unwrap();
        assert_eq!(Gains::decode(out.written()), Ok(gains));

        let roster = Roster {
            you: Some(MemberId(1)),
            members: vec![RosterMember { id: MemberId(1), name: "Zoë".into() }],
            strips: vec![RosterStrip {
                id: StripId(2),
                member: MemberId(1),
                channels: Channels::Stereo,
                name: String::new(),
            }],
        };
        let mut out = Writer::new(&mut buffer);
        roster.encode(&mut out).unwrap();
        assert_eq!(Roster::decode(out.written()), Ok(roster));
    }

    #[test]
    fn long_names_are_cut_at_a_character() {
        let mut buffer = vec![0; DOCUMENT_BYTES_MAX];
        let mut out = Writer::new(&mut buffer);
        Profile { name: "é".repeat(40), ..Profile::default() }.encode(&mut out).unwrap();
        assert_eq!(Profile::decode(out.written()).unwrap().name, "é".repeat(32));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_document_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (Profile::decode(&bytes), Gains::decode(&bytes), Roster::decode(&bytes));
        }
    }
}
