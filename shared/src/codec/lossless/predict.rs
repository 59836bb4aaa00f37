//! Prediction: samples to what is left of them, and back.

use super::codebook::{ORDER, Predictor, TAP_BITS};
use super::{Channel, LosslessError};
use crate::time::CHUNK_FRAMES;
use crate::time::convert::i32_clamped;

/// A chunk with as many zeros before it as a predictor looks back.
const PADDED: usize = ORDER + CHUNK_FRAMES;

/// The range of a channel's samples.
#[derive(Clone, Copy, Debug)]
struct Range {
    lowest: i32,
    highest: i32,
}

impl Range {
    const fn of(bits: u32) -> Self {
        let half = 1 << (bits - 1);
        Self { lowest: -half, highest: half - 1 }
    }
}

/// What `predictor` leaves of samples of so many `bits`, folded to numbers without a sign: less than 2^(`bits` + 1).
pub(super) fn residual(predictor: &Predictor, samples: &Channel, bits: u32) -> [u32; CHUNK_FRAMES] {
    let range = Range::of(bits);
    let mut padded = [0; PADDED];
    padded[ORDER..].copy_from_slice(samples);
    let mut residual = [0; CHUNK_FRAMES];
    for number in 0..ORDER {
        let earlier = earlier(&padded, number);
        residual[number] = fold(samples[number] - predict(&predictor.taps[number], &earlier, range));
    }
    let taps = &predictor.taps[ORDER];
    for number in ORDER..CHUNK_FRAMES {
        residual[number] = fold(samples[number] - predict(taps, &earlier(&padded, number), range));
    }
    residual
}

/// The samples of which `predictor` leaves `residual`; fails if one is not of so many `bits`.
pub(super) fn restore(
    predictor: &Predictor,
    residual: &[u32; CHUNK_FRAMES],
    bits: u32,
    samples: &mut Channel,
) -> Result<(), LosslessError> {
    let range = Range::of(bits);
    let mut padded = [0; PADDED];
    let mut beyond = 0;
    let taps = &predictor.taps[ORDER];
    for number in 0..CHUNK_FRAMES {
        let taps = if number < ORDER { &predictor.taps[number] } else { taps };
        // A prediction is clamped and a residual has fewer than 30 bits, so nothing overflows before it is found.
        let sample = predict(taps, &earlier(&padded, number), range) + unfold(residual[number]);
        padded[ORDER + number] = sample;
        beyond |= sample - range.lowest;
    }
    samples.copy_from_slice(&padded[ORDER..]);
    // Whatever is negative or reaches 2^bits has left a bit there.
    if beyond >> bits == 0 { Ok(()) } else { Err(LosslessError::Range) }
}

/// The samples before `number`, the oldest first.
#[inline]
fn earlier(padded: &[i32; PADDED], number: usize) -> [i32; ORDER] {
    padded[number..].first_chunk().copied().unwrap_or([0; ORDER])
}

#[inline]
fn predict(taps: &[i32; ORDER], earlier: &[i32; ORDER], range: Range) -> i32 {
    let mut sum = 1_i64 << (TAP_BITS - 1);
    // The newest sample comes last, so that the sum of the others need not wait for it.
    for (tap, sample) in taps.iter().rev().zip(earlier) {
        sum += i64::from(*tap) * i64::from(*sample);
    }
    i32_clamped(sum >> TAP_BITS, range.lowest, range.highest)
}

/// 0, -1, 1, -2 ... as 0, 1, 2, 3 ...
#[inline]
const fn fold(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)).cast_unsigned()
}

#[inline]
const fn unfold(folded: u32) -> i32 {
    (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::super::codebook::PREDICTORS;
    use super::*;

    #[test]
    fn signs_fold_and_unfold() {
        for value in [0, -1, 1, -2, 2, 1 << 25, -(1 << 25), (1 << 25) - 1] {
            assert_eq!(unfold(fold(value)), value);
        }
        assert_eq!([0, -1, 1, -2].map(fold), [0, 1, 2, 3]);
    }

    #[test]
    fn every_predictor_gives_extremes_back() {
        let bits = 25;
        let Range { lowest, highest } = Range::of(bits);
        let extremes: Channel = core::array::from_fn(|n| if n * n % 7 < 3 { lowest } else { highest });
        for predictor in &PREDICTORS {
            let residual = residual(predictor, &extremes, bits);
            assert!(residual.iter().all(|folded| *folded < 1 << (bits + 1)));
            let mut back = [0; CHUNK_FRAMES];
            assert_eq!(restore(predictor, &residual, bits, &mut back), Ok(()));
            assert_eq!(back, extremes);
        }
    }

    #[test]
    fn a_sample_beyond_its_depth_is_found() {
        let mut residual = [0; CHUNK_FRAMES];
        for (folded, outcome) in [
            (fold(32_767), Ok(())),
            (fold(32_768), Err(LosslessError::Range)),
            (fold(-32_769), Err(LosslessError::Range)),
            ((1 << 30) - 1, Err(LosslessError::Range)),
        ] {
            residual[0] = folded;
            assert_eq!(restore(&PREDICTORS[0], &residual, 16, &mut [0; CHUNK_FRAMES]), outcome);
        }
    }
}
