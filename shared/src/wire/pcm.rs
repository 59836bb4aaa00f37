//! Samples as bytes: 16- and 24-bit integers and 32-bit floats, little-endian, one channel after the other.
//!
//! Full scale is 2^15 or 2^23; values are rounded to the nearest step and saturate. An integer sample decodes to a
//! float that encodes to the same integer, so audio that was quantised once passes any number of relays unchanged.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the one place where samples change representation; each cast is bounded by the scale beside it"
)]

const SCALE_16: f32 = 32_768.0;
const SCALE_24: f32 = 8_388_608.0;

/// Adds and takes away 1.5 x 2^23, which rounds a float below 2^22 to the nearest integer, ties to even.
const ROUND_BIAS: f32 = 12_582_912.0;

/// Writes `samples` as 16-bit integers; `bytes` holds two bytes a sample.
///
/// Real-time: yes. Bound: linear.
pub fn encode_16(samples: &[f32], bytes: &mut [u8]) {
    for (sample, bytes) in samples.iter().zip(bytes.as_chunks_mut::<2>().0) {
        let scaled = (sample * SCALE_16).clamp(-SCALE_16, SCALE_16 - 1.0);
        *bytes = (((scaled + ROUND_BIAS) - ROUND_BIAS) as i16).to_le_bytes();
    }
}

/// Reads 16-bit integers.
///
/// Real-time: yes. Bound: linear.
pub fn decode_16(bytes: &[u8], samples: &mut [f32]) {
    for (sample, bytes) in samples.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *sample = f32::from(i16::from_le_bytes(*bytes)) / SCALE_16;
    }
}

/// Writes `samples` as 24-bit integers; `bytes` holds three bytes a sample.
///
/// Real-time: yes. Bound: linear.
pub fn encode_24(samples: &[f32], bytes: &mut [u8]) {
    for (sample, bytes) in samples.iter().zip(bytes.as_chunks_mut::<3>().0) {
        let scaled = (sample * SCALE_24).clamp(-SCALE_24, SCALE_24 - 1.0);
        let [low, middle, high, _] = (scaled.round_ties_even() as i32).to_le_bytes();
        *bytes = [low, middle, high];
    }
}

/// Reads 24-bit integers.
///
/// Real-time: yes. Bound: linear.
pub fn decode_24(bytes: &[u8], samples: &mut [f32]) {
    for (sample, [low, middle, high]) in samples.iter_mut().zip(bytes.as_chunks::<3>().0) {
        // The three bytes sit at the top, so that the shift back extends the sign; 24 bits are exact in an f32.
        let value = i32::from_le_bytes([0, *low, *middle, *high]) >> 8;
        *sample = value as f32 / SCALE_24;
    }
}

/// Writes `samples` as 32-bit floats; `bytes` holds four bytes a sample.
///
/// Real-time: yes. Bound: linear.
pub fn encode_float(samples: &[f32], bytes: &mut [u8]) {
    for (sample, bytes) in samples.iter().zip(bytes.as_chunks_mut::<4>().0) {
        *bytes = sample.to_le_bytes();
    }
}

/// Reads 32-bit floats; what is not finite becomes silence.
///
/// Real-time: yes. Bound: linear.
pub fn decode_float(bytes: &[u8], samples: &mut [f32]) {
    for (sample, bytes) in samples.iter_mut().zip(bytes.as_chunks::<4>().0) {
        let value = f32::from_le_bytes(*bytes);
        *sample = if value.is_finite() { value } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_16_bit_integer_survives_the_round_trip() {
        for value in i16::MIN..=i16::MAX {
            let mut samples = [0.0];
            decode_16(&value.to_le_bytes(), &mut samples);
            let mut bytes = [0; 2];
            encode_16(&samples, &mut bytes);
            assert_eq!(bytes, value.to_le_bytes());
        }
    }

    #[test]
    fn every_24_bit_integer_survives_the_round_trip() {
        for value in (-(1 << 23)..(1 << 23)).step_by(7).chain([(1 << 23) - 1]) {
            let [low, middle, high, _] = i32::to_le_bytes(value);
            let mut samples = [0.0];
            decode_24(&[low, middle, high], &mut samples);
            let mut bytes = [0; 3];
            encode_24(&samples, &mut bytes);
            assert_eq!(bytes, [low, middle, high]);
        }
    }

    #[test]
    fn overs_saturate_and_nan_is_silent() {
        let mut bytes = [0; 6];
        encode_16(&[2.0, -2.0, f32::NAN], &mut bytes);
        assert_eq!(bytes, [0xff, 0x7f, 0x00, 0x80, 0, 0]);
        let mut samples = [1.0];
        decode_float(&f32::INFINITY.to_le_bytes(), &mut samples);
        assert_eq!(samples, [0.0]);
    }
}
