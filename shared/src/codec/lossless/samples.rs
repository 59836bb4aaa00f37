//! Samples as integers of a depth: from floats, to floats, and as bytes.

use crate::time::CHUNK_FRAMES;
use crate::time::convert::f32_from_f64;

/// How many bits a sample has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Depth {
    /// 16.
    Bits16,
    /// 24.
    Bits24,
}

/// Adds 1.5 x 2^52, which leaves the nearest integer, ties to even, in the low bits of an `f64` below 2^51.
const ROUND_BIAS: f64 = 6_755_399_441_055_744.0;

impl Depth {
    /// The number of bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Bits16 => 16,
            Self::Bits24 => 24,
        }
    }

    /// Bytes of one sample as PCM.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Bits16 => 2,
            Self::Bits24 => 3,
        }
    }

    const fn scale(self) -> f32 {
        match self {
            Self::Bits16 => 32_768.0,
            Self::Bits24 => 8_388_608.0,
        }
    }

    /// The integers nearest to `samples`, saturating, zero for what is not a number: those that
    /// [`wire::pcm`](crate::wire::pcm) writes.
    ///
    /// Real-time: yes. Bound: one chunk.
    #[must_use]
    pub fn quantise(self, samples: &[f32; CHUNK_FRAMES]) -> [i32; CHUNK_FRAMES] {
        let scale = self.scale();
        samples.map(|sample| {
            let scaled = (sample * scale).clamp(-scale, scale - 1.0);
            let number = if scaled.is_nan() { 0.0 } else { scaled };
            let [a, b, c, d, ..] = (f64::from(number) + ROUND_BIAS).to_bits().to_le_bytes();
            i32::from_le_bytes([a, b, c, d])
        })
    }

    /// The floats that `samples` stand for; [`Self::quantise`] makes the same integers of them.
    ///
    /// Real-time: yes. Bound: one chunk.
    #[must_use]
    pub fn restore(self, samples: &[i32; CHUNK_FRAMES]) -> [f32; CHUNK_FRAMES] {
        let scale = self.scale();
        samples.map(|sample| f32_from_f64(f64::from(sample)) / scale)
    }

    /// Writes samples as PCM; `bytes` has just the room.
    pub(super) fn write(self, samples: &[i32; CHUNK_FRAMES], bytes: &mut [u8]) {
        for (sample, bytes) in samples.iter().zip(bytes.chunks_exact_mut(self.bytes())) {
            bytes.copy_from_slice(&sample.to_le_bytes()[..self.bytes()]);
        }
    }

    /// Reads samples of PCM.
    pub(super) fn read(self, bytes: &[u8], samples: &mut [i32; CHUNK_FRAMES]) {
        match self {
            Self::Bits16 => {
                for (sample, bytes) in samples.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *sample = i16::from_le_bytes(*bytes).into();
                }
            }
            Self::Bits24 => {
                for (sample, [low, middle, high]) in samples.iter_mut().zip(bytes.as_chunks::<3>().0) {
                    *sample = i32::from_le_bytes([0, *low, *middle, *high]) >> 8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pcm;

    #[test]
    fn integers_are_those_of_the_wire() {
        let mut state = 1_u32;
        for round in 0..2_000 {
            let mut samples = [0.0; CHUNK_FRAMES];
            for sample in &mut samples {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Any float at first, then such as audio has, and on the border between two integers.
                *sample = match round % 3 {
                    0 => f32::from_bits(state),
                    1 => f32_from_f64(f64::from(state.cast_signed()) / 2_000_000_000.0),
                    _ => f32_from_f64((f64::from(state >> 16) + 0.5) / 32_768.0 - 1.0),
                };
            }
            let mut bytes = [0; 3 * CHUNK_FRAMES];
            let mut ours = [0; 3 * CHUNK_FRAMES];
            pcm::encode_16(&samples, &mut bytes[..2 * CHUNK_FRAMES]);
            Depth::Bits16.write(&Depth::Bits16.quantise(&samples), &mut ours[..2 * CHUNK_FRAMES]);
            assert_eq!(ours, bytes);
            let mut read = [0; CHUNK_FRAMES];
            Depth::Bits16.read(&bytes[..2 * CHUNK_FRAMES], &mut read);
            let mut decoded = [0.0; CHUNK_FRAMES];
            pcm::decode_16(&bytes[..2 * CHUNK_FRAMES], &mut decoded);
            assert_eq!(Depth::Bits16.restore(&read), decoded);

            pcm::encode_24(&samples, &mut bytes);
            Depth::Bits24.write(&Depth::Bits24.quantise(&samples), &mut ours);
            assert_eq!(ours, bytes);
            Depth::Bits24.read(&bytes, &mut read);
            pcm::decode_24(&bytes, &mut decoded);
            assert_eq!(Depth::Bits24.restore(&read), decoded);
        }
    }
}
