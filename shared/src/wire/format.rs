//! How samples are written.

use super::{Channels, DecodeError, Full, Writer, pcm};
use crate::codec::lossless::{self, Depth};
use crate::time::CHUNK_FRAMES;

/// How samples are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// 16-bit integers.
    #[default]
    Pcm16,
    /// 24-bit integers.
    Pcm24,
    /// 32-bit floats.
    Float32,
    /// 16-bit integers, bit for bit, in fewer bytes ([`crate::codec::lossless`]).
    Lossless16,
    /// 24-bit integers, the same way.
    Lossless24,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Pcm16, Self::Pcm24, Self::Float32, Self::Lossless16, Self::Lossless24];

    /// Bytes of one sample, before it is coded.
    #[must_use]
    pub const fn sample_bytes(self) -> usize {
        match self {
            Self::Pcm16 | Self::Lossless16 => 2,
            Self::Pcm24 | Self::Lossless24 => 3,
            Self::Float32 => 4,
        }
    }

    /// The depth of a coded format; none of a plain one.
    pub(super) const fn coded_depth(self) -> Option<Depth> {
        match self {
            Self::Pcm16 | Self::Pcm24 | Self::Float32 => None,
            Self::Lossless16 => Some(Depth::Bits16),
            Self::Lossless24 => Some(Depth::Bits24),
        }
    }

    /// The byte that names this format in documents.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Pcm16 => 0,
            Self::Pcm24 => 1,
            Self::Float32 => 2,
            Self::Lossless16 => 3,
            Self::Lossless24 => 4,
        }
    }

    /// The format that `code` names.
    pub const fn from_code(code: u8) -> Result<Self, DecodeError> {
        match code {
            0 => Ok(Self::Pcm16),
            1 => Ok(Self::Pcm24),
            2 => Ok(Self::Float32),
            3 => Ok(Self::Lossless16),
            4 => Ok(Self::Lossless24),
            _ => Err(DecodeError::Range { field: "format", value: code as u64 }),
        }
    }

    /// Writes one chunk, channel by channel; a mono strip is its first.
    pub(super) fn encode(
        self,
        chunk: &[[f32; CHUNK_FRAMES]; 2],
        channels: Channels,
        out: &mut Writer<'_>,
    ) -> Result<(), Full> {
        let write = match self {
            Self::Pcm16 => pcm::encode_16,
            Self::Pcm24 => pcm::encode_24,
            Self::Float32 => pcm::encode_float,
            Self::Lossless16 => return encode_lossless(Depth::Bits16, chunk, channels, out),
            Self::Lossless24 => return encode_lossless(Depth::Bits24, chunk, channels, out),
        };
        for channel in &chunk[..channels.count()] {
            write(channel, out.reserve(CHUNK_FRAMES * self.sample_bytes())?);
        }
        Ok(())
    }

    /// Reads one chunk from the front of `bytes`; a mono strip fills both channels.
    pub(super) fn decode(
        self,
        bytes: &[u8],
        channels: Channels,
        frames: &mut [[f32; CHUNK_FRAMES]; 2],
    ) -> Result<(), DecodeError> {
        let read = match self {
            Self::Pcm16 => pcm::decode_16,
            Self::Pcm24 => pcm::decode_24,
            Self::Float32 => pcm::decode_float,
            Self::Lossless16 => return decode_lossless(Depth::Bits16, bytes, channels, frames),
            Self::Lossless24 => return decode_lossless(Depth::Bits24, bytes, channels, frames),
        };
        let channel_bytes = CHUNK_FRAMES * self.sample_bytes();
        for (channel, bytes) in
            frames.iter_mut().zip(bytes.chunks_exact(channel_bytes)).take(channels.count())
        {
            read(bytes, channel);
        }
        if channels == Channels::Mono {
            frames[1] = frames[0];
        }
        Ok(())
    }
}

fn encode_lossless(
    depth: Depth,
    chunk: &[[f32; CHUNK_FRAMES]; 2],
    channels: Channels,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    let mut coded = [0; lossless::CODED_BYTES_MAX];
    let samples = chunk.each_ref().map(|channel| depth.quantise(channel));
    let length = match channels {
        Channels::Mono => lossless::encode_mono(&samples[0], depth, &mut coded),
        Channels::Stereo => lossless::encode_stereo(&samples, depth, &mut coded),
    };
    out.bytes(&coded[..length])
}

fn decode_lossless(
    depth: Depth,
    bytes: &[u8],
    channels: Channels,
    frames: &mut [[f32; CHUNK_FRAMES]; 2],
) -> Result<(), DecodeError> {
    let mut samples = [[0; CHUNK_FRAMES]; 2];
    match channels {
        Channels::Mono => {
            lossless::decode_mono(bytes, depth, &mut samples[0])?;
            samples[1] = samples[0];
        }
        Channels::Stereo => {
            lossless::decode_stereo(bytes, depth, &mut samples)?;
        }
    }
    *frames = samples.each_ref().map(|channel| depth.restore(channel));
    Ok(())
}
