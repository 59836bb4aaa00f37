//! Integer samples of one chunk, bit for bit, in fewer bytes: linear prediction and Rice codes.
//!
//! A chunk is coded by itself. 64 frames are too few to send a predictor's coefficients along, so both sides know
//! 256 predictors of order 8 and one byte names the best; the first eight frames are predicted by the same
//! spectrum's predictors of order 0 to 7. What prediction leaves is coded with one Rice parameter a channel, widened over
//! the first eight frames by what the shorter predictors are expected to miss. Two channels are coded as they are or as sum
//! and difference. What does not get shorter is sent as it is.
//!
//! ```text
//! chunk     head u8 | body
//! head      bits 0-2 kind, bit 3 the ninth bit of the length, bits 4-7 zero
//! kind      0 silent       every sample is zero; no body
//!           1 plain        body: the samples, little-endian, one channel after the other, as wire::pcm has them
//!           2 separate     body: length u8 | bits    one channel, or left | right
//!           3 mid-side                               (left + right) >> 1 | left - right
//!           4 left-side                              left | left - right
//!           5 side-right                             left - right | right
//! bits      a channel after the other, least significant bit first, zeros up to the byte
//! channel   parameter 5 bits (31: all zero, nothing follows) | predictor 8 bits | 64 Rice codes
//! Rice code of z (0, -1, 1, -2 ... as 0, 1, 2, 3 ...) with parameter k: z >> k zeros, a one, the low k bits;
//!           from 20 zeros on: exactly 20, and z itself in as many bits as the depth plus two
//! ```
//!
//! Each chunk tells its own length ([`coded_bytes`]) and has to end exactly there, so that several may follow each other and
//! a relay passes them on unread. A chunk is never longer than its PCM plus one byte. Decoding is integer arithmetic with one
//! result on every machine; encoding chooses with floats, which may choose differently but is never wrong.
//!
//! Sources: Rice, "Some practical universal noiseless coding techniques" (JPL 79-22, 1979) for the codes; Robinson,
//! "SHORTEN" (CUED/F-INFENG/TR.156, 1994) and RFC 9639 for prediction with a residual in Rice codes and for the pairs of
//! channels; Markel and Gray, "Linear Prediction of Speech" (1976) for the recursion from reflection coefficients;
//! Linde, Buzo and Gray, "An algorithm for vector quantizer design" (1980) for the codebook.
//! `cargo xtask bench codec` prints what it saves and costs.

mod bits;
mod codebook;
mod predict;
mod rice;
mod samples;
mod search;
mod stereo;
mod trained;

#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::time::CHUNK_FRAMES;
use bits::{BitReader, BitWriter};
use rice::Plan;
use stereo::Pair;

pub use samples::Depth;

/// The most bytes that a coded chunk takes: two channels of 24 bits as they are, and the head.
pub const CODED_BYTES_MAX: usize = 2 * 3 * CHUNK_FRAMES + 1;

/// Integer samples of one channel of a chunk.
type Channel = [i32; CHUNK_FRAMES];

/// Why bytes are no coded chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LosslessError {
    /// The bytes end before the chunk does.
    #[error("a coded chunk ends {missing} bytes early")]
    Short {
        /// Bytes that it still needed.
        missing: usize,
    },
    /// The head names no kind that a chunk of so many channels has, or sets a bit that has no meaning.
    #[error("no coded chunk begins with {0:#04x}")]
    Head(u8),
    /// The length is that of no coded chunk: its samples as they are would be as short.
    #[error("no coded chunk has {bits} bytes of bits")]
    Long {
        /// Bytes of bits that it says.
        bits: usize,
    },
    /// The samples do not end where the length says.
    #[error("a coded chunk says {said} bytes of bits and takes {taken}")]
    Length {
        /// What the length says.
        said: usize,
        /// Where the bits end, or where it was seen that they do not end in time.
        taken: usize,
    },
    /// Bits behind the last sample, in its byte, are not zero.
    #[error("a coded chunk goes on behind its last sample")]
    Padding,
    /// A sample is larger than its depth.
    #[error("a coded sample is beyond its depth")]
    Range,
}

/// The kinds of chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Silent,
    Plain,
    Coded(Pair),
}

const KIND_SILENT: u8 = 0;
const KIND_PLAIN: u8 = 1;
const KIND_SEPARATE: u8 = 2;
const KIND_MID_SIDE: u8 = 3;
const KIND_LEFT_SIDE: u8 = 4;
const KIND_SIDE_RIGHT: u8 = 5;

const HEAD_KIND: u8 = 0b0000_0111;
const HEAD_LONG: u8 = 0b0000_1000;
const HEAD_UNUSED: u8 = 0b1111_0000;

/// Head and length of a chunk whose samples are coded.
const CODED_HEAD_BYTES: usize = 2;

/// Writes one channel to the front of `out`; returns how many bytes it took, at most one more than as PCM.
///
/// Samples must lie within `depth`; [`Depth::quantise`] makes such.
///
/// Real-time: yes. Bound: one chunk.
pub fn encode_mono(samples: &Channel, depth: Depth, out: &mut [u8; CODED_BYTES_MAX]) -> usize {
    if is_silent(samples) {
        out[0] = KIND_SILENT;
        return 1;
    }
    let plan = Plan::new(samples, depth.bits(), depth);
    encode_plans(Pair::Separate, &[plan], depth, out).unwrap_or_else(|| encode_plain(&[*samples], depth, out))
}

/// Writes two channels to the front of `out`; returns how many bytes they took, at most one more than as PCM.
///
/// Samples must lie within `depth`; [`Depth::quantise`] makes such.
///
/// Real-time: yes. Bound: one chunk.
pub fn encode_stereo(samples: &[Channel; 2], depth: Depth, out: &mut [u8; CODED_BYTES_MAX]) -> usize {
    if samples.iter().all(is_silent) {
        out[0] = KIND_SILENT;
        return 1;
    }
    let (pair, [first, second]) = stereo::choose(samples);
    let [first_bits, second_bits] = pair.bits(depth);
    let plans = [Plan::new(&first, first_bits, depth), Plan::new(&second, second_bits, depth)];
    encode_plans(pair, &plans, depth, out).unwrap_or_else(|| encode_plain(samples, depth, out))
}

/// Reads one channel from the front of `bytes`; returns how many bytes it took. After an error, `samples` may hold anything.
///
/// Real-time: yes. Bound: one chunk.
pub fn decode_mono(bytes: &[u8], depth: Depth, samples: &mut Channel) -> Result<usize, LosslessError> {
    let pcm_bytes = CHUNK_FRAMES * depth.bytes();
    let (kind, body, end) = open(bytes, pcm_bytes)?;
    match kind {
        Kind::Silent => *samples = [0; CHUNK_FRAMES],
        Kind::Plain => depth.read(body, samples),
        Kind::Coded(Pair::Separate) => {
            let mut reader = BitReader::new(body);
            rice::read_channel(&mut reader, depth.bits(), depth, samples)?;
            reader.finish()?;
        }
        Kind::Coded(Pair::MidSide | Pair::LeftSide | Pair::SideRight) => {
            return Err(LosslessError::Head(bytes[0]));
        }
    }
    Ok(end)
}

/// Reads two channels from the front of `bytes`; returns how many bytes they took. After an error, `samples` may hold
/// anything.
///
/// Real-time: yes. Bound: one chunk.
pub fn decode_stereo(bytes: &[u8], depth: Depth, samples: &mut [Channel; 2]) -> Result<usize, LosslessError> {
    let pcm_bytes = 2 * CHUNK_FRAMES * depth.bytes();
    let (kind, body, end) = open(bytes, pcm_bytes)?;
    match kind {
        Kind::Silent => *samples = [[0; CHUNK_FRAMES]; 2],
        Kind::Plain => {
            let (left, right) = body.split_at(pcm_bytes / 2);
            depth.read(left, &mut samples[0]);
            depth.read(right, &mut samples[1]);
        }
        Kind::Coded(pair) => {
            let mut reader = BitReader::new(body);
            for (channel, bits) in samples.iter_mut().zip(pair.bits(depth)) {
                rice::read_channel(&mut reader, bits, depth, channel)?;
            }
            reader.finish()?;
            pair.separate(samples, depth)?;
        }
    }
    Ok(end)
}

/// How many bytes the chunk at the front of `bytes` takes, by its head alone; `pcm_bytes` is what its samples take as PCM.
///
/// Real-time: yes. Bound: constant.
pub fn coded_bytes(bytes: &[u8], pcm_bytes: usize) -> Result<usize, LosslessError> {
    open(bytes, pcm_bytes).map(|(_, _, end)| end)
}

/// The kind, the body and the end of the chunk at the front of `bytes`.
fn open(bytes: &[u8], pcm_bytes: usize) -> Result<(Kind, &[u8], usize), LosslessError> {
    let Some(head) = bytes.first().copied() else { return Err(LosslessError::Short { missing: 1 }) };
    let refused = Err(LosslessError::Head(head));
    if head & HEAD_UNUSED != 0 {
        return refused;
    }
    let is_long = head & HEAD_LONG != 0;
    let (kind, start, length) = match head & HEAD_KIND {
        KIND_SILENT | KIND_PLAIN if is_long => return refused,
        KIND_SILENT => (Kind::Silent, 1, 0),
        KIND_PLAIN => (Kind::Plain, 1, pcm_bytes),
        code => {
            let Some(pair) = Pair::from_code(code) else { return refused };
            let Some(low) = bytes.get(1) else { return Err(LosslessError::Short { missing: 1 }) };
            let length = usize::from(*low) + if is_long { 256 } else { 0 };
            // What would be no shorter than the samples themselves is sent as they are.
            if CODED_HEAD_BYTES + length > pcm_bytes {
                return Err(LosslessError::Long { bits: length });
            }
            (Kind::Coded(pair), CODED_HEAD_BYTES, length)
        }
    };
    let end = start + length;
    match bytes.get(start..end) {
        Some(body) => Ok((kind, body, end)),
        None => Err(LosslessError::Short { missing: end - bytes.len() }),
    }
}

fn is_silent(samples: &Channel) -> bool {
    samples.iter().fold(0, |all, sample| all | sample) == 0
}

/// Writes coded channels, unless their samples as they are would be as short.
fn encode_plans(pair: Pair, plans: &[Plan], depth: Depth, out: &mut [u8; CODED_BYTES_MAX]) -> Option<usize> {
    let length = plans.iter().map(Plan::bits).sum::<usize>().div_ceil(8);
    let end = CODED_HEAD_BYTES + length;
    let pcm_bytes = plans.len() * CHUNK_FRAMES * depth.bytes();
    if end > pcm_bytes {
        return None;
    }
    let [low, high, ..] = length.to_le_bytes();
    out[0] = pair.code() | if high == 0 { 0 } else { HEAD_LONG };
    out[1] = low;
    let mut writer = BitWriter::new();
    plans.iter().for_each(|plan| plan.write(depth, &mut writer));
    out[CODED_HEAD_BYTES..end].copy_from_slice(writer.finish(length));
    Some(end)
}

/// Writes the samples as they are.
fn encode_plain(samples: &[Channel], depth: Depth, out: &mut [u8; CODED_BYTES_MAX]) -> usize {
    let channel_bytes = CHUNK_FRAMES * depth.bytes();
    out[0] = KIND_PLAIN;
    for (channel, bytes) in samples.iter().zip(out[1..].chunks_exact_mut(channel_bytes)) {
        depth.write(channel, bytes);
    }
    1 + samples.len() * channel_bytes
}
