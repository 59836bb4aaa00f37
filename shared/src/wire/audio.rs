//! The audio element.

use super::{DecodeError, Format, Full, Reader, Writer};
use crate::codec::lossless;
use crate::time::{Beats, CHUNK_FRAMES, ChunkIndex, MusicalStamp, Tempo};

/// A strip as the wire names it: a member's own number on the way up, the room's on the way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StripId(pub u16);

impl StripId {
    /// The relay's mix of the others.
    pub const MIX: Self = Self(u16::MAX);
}

/// The low 32 bits of a chunk index: it wraps after 66 days, and is unwrapped by its neighbourhood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WireChunk(pub u32);

impl WireChunk {
    /// The bits of `index` that cross the wire.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "keeps the low bits by intent"
    )]
    pub const fn new(index: ChunkIndex) -> Self {
        Self(index.0 as u32)
    }

    /// The chunk nearest to `near` that has these low bits.
    #[must_use]
    #[expect(clippy::cast_possible_wrap, reason = "the wrapped difference is the signed distance")]
    pub const fn unwrap_near(self, near: ChunkIndex) -> ChunkIndex {
        let distance = self.0.wrapping_sub(Self::new(near).0) as i32;
        near.plus(distance as i64)
    }
}

/// How many channels a strip has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channels {
    /// One.
    Mono,
    /// Two.
    Stereo,
}

/// How many consecutive chunks one Audio element carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChunksPerDatagram {
    /// 64 frames: the lowest latency.
    #[default]
    One,
    /// 128 frames.
    Two,
    /// 256 frames: the fewest datagrams.
    Four,
}

/// Everything of an audio element but its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioHead {
    /// Whose audio.
    pub strip: StripId,
    /// The place of the first chunk on the grid.
    pub first: WireChunk,
    /// How samples are written.
    pub format: Format,
    /// How many channels.
    pub channels: Channels,
    /// How many consecutive chunks follow.
    pub chunks: ChunksPerDatagram,
    /// Where the sender's DAW was at the first frame, if its transport ran.
    pub stamp: Option<MusicalStamp>,
}

/// A decoded audio element; the samples still lie in the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audio<'a> {
    /// Everything but the samples.
    pub head: AudioHead,
    /// Chunk by chunk, channel by channel.
    pub samples: &'a [u8],
}

impl Channels {
    /// The number of channels.
    #[must_use]
    pub const fn count(self) -> usize {
        match self {
            Self::Mono => 1,
            Self::Stereo => 2,
        }
    }

    /// The byte that names this number in documents.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Mono => 1,
            Self::Stereo => 2,
        }
    }

    /// The number that `code` names.
    pub const fn from_code(code: u8) -> Result<Self, DecodeError> {
        match code {
            1 => Ok(Self::Mono),
            2 => Ok(Self::Stereo),
            _ => Err(DecodeError::Range { field: "channels", value: code as u64 }),
        }
    }
}

impl ChunksPerDatagram {
    /// The number of chunks.
    #[must_use]
    pub const fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// The number of chunks, for index arithmetic.
    #[must_use]
    pub const fn count_i64(self) -> i64 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// The byte that names this number in documents.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::One => 0,
            Self::Two => 1,
            Self::Four => 2,
        }
    }

    /// The number that `code` names.
    pub const fn from_code(code: u8) -> Result<Self, DecodeError> {
        match code {
            0 => Ok(Self::One),
            1 => Ok(Self::Two),
            2 => Ok(Self::Four),
            _ => Err(DecodeError::Range { field: "chunks", value: code as u64 }),
        }
    }

    /// The most chunks, up to this many, of which one datagram can carry so many `copies` beside them, and an allowance
    /// for other elements.
    #[must_use]
    pub fn fitting(self, format: Format, channels: Channels, copies: usize) -> Self {
        let mut chunks = self;
        let bytes = |chunks| {
            let copy = AudioHead::BYTES + AudioHead::sample_bytes(format, channels, chunks);
            copies * copy + AudioHead::sample_bytes(format, channels, chunks)
        };
        while bytes(chunks) + BESIDE_BYTES > super::PLAIN_BYTES_MAX {
            chunks = match chunks {
                Self::Four => Self::Two,
                Self::Two | Self::One => Self::One,
            };
            if chunks == Self::One {
                break;
            }
        }
        chunks
    }
}

/// What a datagram of audio has room for besides: a clock reply, an acknowledgement and the audio's own header.
pub(crate) const BESIDE_BYTES: usize = 64;

const SHAPE_STEREO: u8 = 0b0000_1000;
const SHAPE_STAMPED: u8 = 0b0100_0000;
const SHAPE_UNUSED: u8 = 0b1000_0000;

impl AudioHead {
    /// Bytes of the kind and of a head without a stamp.
    pub const BYTES: usize = 8;

    /// Bytes of all samples of an element of this shape: just as many of a plain format, at most of a coded one.
    #[must_use]
    pub const fn sample_bytes(format: Format, channels: Channels, chunks: ChunksPerDatagram) -> usize {
        let head_bytes = if format.coded_depth().is_some() { 1 } else { 0 };
        (CHUNK_FRAMES * format.sample_bytes() * channels.count() + head_bytes) * chunks.count()
    }

    /// Bytes of the kind and of this head.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        if self.stamp.is_some() { Self::BYTES + 12 } else { Self::BYTES }
    }

    /// How many bytes the chunk at the front of `samples` takes.
    fn chunk_bytes(&self, samples: &[u8]) -> Result<usize, DecodeError> {
        let plain_bytes = CHUNK_FRAMES * self.format.sample_bytes() * self.channels.count();
        match self.format.coded_depth() {
            None => Ok(plain_bytes),
            Some(_) => Ok(lossless::coded_bytes(samples, plain_bytes)?),
        }
    }

    fn shape(&self) -> u8 {
        let stereo = match self.channels {
            Channels::Mono => 0,
            Channels::Stereo => SHAPE_STEREO,
        };
        let stamped = if self.stamp.is_some() { SHAPE_STAMPED } else { 0 };
        self.format.code() | stereo | (self.chunks.code() << 4) | stamped
    }

    /// Writes the head; the samples follow by the caller.
    fn encode(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        out.u16(self.strip.0)?;
        out.u32(self.first.0)?;
        out.u8(self.shape())?;
        if let Some(stamp) = self.stamp {
            out.i64(stamp.beats.micro())?;
            out.u32(stamp.tempo.milli())?;
        }
        Ok(())
    }

    fn decode(bytes: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let strip = StripId(bytes.u16()?);
        let first = WireChunk(bytes.u32()?);
        let shape = bytes.u8()?;
        if shape & SHAPE_UNUSED != 0 {
            return Err(DecodeError::Range { field: "shape", value: shape.into() });
        }
        let format = Format::from_code(shape & 0b111)?;
        let channels = if shape & SHAPE_STEREO == 0 { Channels::Mono } else { Channels::Stereo };
        let chunks = ChunksPerDatagram::from_code((shape >> 4) & 0b11)?;
        let stamp = if shape & SHAPE_STAMPED == 0 {
            None
        } else {
            let beats = Beats::from_micro(bytes.i64()?);
            let milli = bytes.u32()?;
            let tempo = Tempo::from_milli(milli)
                .ok_or_else(|| DecodeError::Range { field: "tempo", value: milli.into() })?;
            Some(MusicalStamp { beats, tempo })
        };
        Ok(Self { strip, first, format, channels, chunks, stamp })
    }
}

impl<'a> Audio<'a> {
    /// Writes head and samples; `chunks` are planar stereo, of which a mono strip sends the first channel.
    pub(super) fn encode(
        head: &AudioHead,
        chunks: &[[[f32; CHUNK_FRAMES]; 2]],
        out: &mut Writer<'_>,
    ) -> Result<(), Full> {
        debug_assert_eq!(chunks.len(), head.chunks.count());
        head.encode(out)?;
        for chunk in chunks {
            head.format.encode(chunk, head.channels, out)?;
        }
        Ok(())
    }

    /// Writes head and samples that are already bytes, as a relay does that forwards them.
    pub(super) fn encode_bytes(head: &AudioHead, samples: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
        debug_assert!(samples.len() <= AudioHead::sample_bytes(head.format, head.channels, head.chunks));
        head.encode(out)?;
        out.bytes(samples)
    }

    pub(super) fn decode(bytes: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let head = AudioHead::decode(bytes)?;
        let mut length = 0;
        for _ in 0..head.chunks.count() {
            length += head.chunk_bytes(bytes.rest().get(length..).unwrap_or_default())?;
        }
        Ok(Self { head, samples: bytes.bytes(length)? })
    }

    /// Decodes chunk `number` (0 to the head's count) to planar stereo; a mono strip fills both channels.
    ///
    /// Real-time: yes. Bound: one chunk.
    ///
    /// # Errors
    /// Its samples are coded, and no code. What `frames` holds then means nothing.
    pub fn chunk_into(
        &self,
        number: usize,
        frames: &mut [[f32; CHUNK_FRAMES]; 2],
    ) -> Result<(), DecodeError> {
        let mut start = 0;
        for _ in 0..number {
            start += self.head.chunk_bytes(self.samples.get(start..).unwrap_or_default())?;
        }
        let samples = self.samples.get(start..).unwrap_or_default();
        self.head.format.decode(samples, self.head.channels, frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_unwraps_across_the_wrap_in_both_directions() {
        for near in [0, 5, (1 << 32) - 2, (1 << 32) + 3, -7] {
            for distance in [-1_000, -1, 0, 1, 1_000] {
                let index = ChunkIndex(near + distance);
                assert_eq!(WireChunk::new(index).unwrap_near(ChunkIndex(near)), index);
            }
        }
    }

    #[test]
    fn every_format_reads_back_what_it_holds_exactly() {
        let tone = |n: u16, by: f32| (f32::from(n) * by).sin() * 0.5;
        let mut chunks = [[[0.0; CHUNK_FRAMES]; 2]; 2];
        for (n, place) in (0..256_u16).zip(chunks.iter_mut().flatten().flatten()) {
            *place = (tone(n, 0.05) * 32_768.0).round() / 32_768.0;
        }
        for format in Format::ALL {
            for channels in [Channels::Mono, Channels::Stereo] {
                let (strip, first) = (StripId(1), WireChunk(2));
                let head =
                    AudioHead { strip, first, format, channels, chunks: ChunksPerDatagram::Two, stamp: None };
                let mut buffer = [0; crate::wire::PLAIN_BYTES_MAX];
                let mut out = Writer::new(&mut buffer);
                Audio::encode(&head, &chunks, &mut out).unwrap();
                assert!(out.length() < head.bytes() + AudioHead::sample_bytes(format, channels, head.chunks));
                let audio = Audio::decode(&mut Reader::new(out.written())).unwrap();
                assert_eq!(audio.head, head);
                for (number, chunk) in chunks.iter().enumerate() {
                    let mut frames = [[1.0; CHUNK_FRAMES]; 2];
                    audio.chunk_into(number, &mut frames).unwrap();
                    let right = if channels == Channels::Mono { chunk[0] } else { chunk[1] };
                    assert_eq!(frames, [chunk[0], right], "{format:?}");
                }
            }
        }
    }

    #[test]
    fn only_shapes_that_fit_a_datagram_are_chosen() {
        assert_eq!(
            ChunksPerDatagram::Four.fitting(Format::Pcm16, Channels::Stereo, 0),
            ChunksPerDatagram::Four
        );
        assert_eq!(
            ChunksPerDatagram::Four.fitting(Format::Pcm24, Channels::Stereo, 0),
            ChunksPerDatagram::Two
        );
        assert_eq!(
            ChunksPerDatagram::Four.fitting(Format::Float32, Channels::Stereo, 0),
            ChunksPerDatagram::Two
        );
        assert_eq!(
            ChunksPerDatagram::Four.fitting(Format::Float32, Channels::Mono, 0),
            ChunksPerDatagram::Four
        );
        for (format, copies, chunks) in [
            (Format::Pcm16, 1, ChunksPerDatagram::Two),
            (Format::Pcm16, 2, ChunksPerDatagram::One),
            (Format::Pcm24, 1, ChunksPerDatagram::One),
            // Copies that find no room are left out.
            (Format::Float32, 2, ChunksPerDatagram::One),
        ] {
            assert_eq!(ChunksPerDatagram::Four.fitting(format, Channels::Stereo, copies), chunks);
        }
    }
}
