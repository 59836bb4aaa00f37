//! Rice codes: one parameter a channel, widened where less of the past was known.

use super::bits::{BitReader, BitWriter};
use super::codebook::{ORDER, PREDICTORS};
use super::predict;
use super::search::best_predictor;
use super::{Channel, Depth, LosslessError, is_silent};
use crate::time::CHUNK_FRAMES;
use crate::time::convert::usize_from_u32;

const PARAMETER_BITS: u32 = 5;
/// The parameter that stands for a channel of zeros.
const PARAMETER_SILENT: u32 = 31;
const PREDICTOR_BITS: u32 = 8;
/// So many zeros say that a number follows as it is. One more, and the longest code is 46 bits: a field.
const ZEROS_MAX: u32 = 20;

/// A channel, ready to be written.
pub(super) struct Plan {
    parameter: u32,
    predictor: usize,
    residual: [u32; CHUNK_FRAMES],
    bits: usize,
}

impl Plan {
    /// How a channel whose samples have so many `bits` is written best.
    pub(super) fn new(samples: &Channel, bits: u32, depth: Depth) -> Self {
        if is_silent(samples) {
            return Self {
                parameter: PARAMETER_SILENT,
                predictor: 0,
                residual: [0; CHUNK_FRAMES],
                bits: usize_from_u32(PARAMETER_BITS),
            };
        }
        let predictor = best_predictor(samples);
        let residual = predict::residual(&PREDICTORS[predictor], samples, bits);
        let widening = &PREDICTORS[predictor].widening;
        let (parameter, code_bits) = cheapest_parameter(&residual, widening, depth);
        let bits = usize_from_u32(PARAMETER_BITS + PREDICTOR_BITS + code_bits);
        Self { parameter, predictor, residual, bits }
    }

    /// The bits that it takes.
    pub(super) const fn bits(&self) -> usize {
        self.bits
    }

    pub(super) fn write(&self, depth: Depth, writer: &mut BitWriter) {
        writer.put(self.parameter.into(), PARAMETER_BITS);
        if self.parameter == PARAMETER_SILENT {
            return;
        }
        let [number, ..] = self.predictor.to_le_bytes();
        writer.put(number.into(), PREDICTOR_BITS);
        let width = plain_bits(depth);
        let (early, late) = self.residual.split_at(ORDER);
        for (folded, widening) in early.iter().zip(PREDICTORS[self.predictor].widening) {
            put_code(writer, *folded, (self.parameter + widening).min(width), width);
        }
        for folded in late {
            put_code(writer, *folded, self.parameter, width);
        }
    }
}

/// Reads a channel whose samples have so many `bits`.
pub(super) fn read_channel(
    reader: &mut BitReader,
    bits: u32,
    depth: Depth,
    samples: &mut Channel,
) -> Result<(), LosslessError> {
    const PARAMETER_MASK: u64 = (1 << PARAMETER_BITS) - 1;
    let head = reader.peek()?;
    let [parameter, predictor] = [head & PARAMETER_MASK, head >> PARAMETER_BITS].map(low_byte);
    reader.skip(usize_from_u32(PARAMETER_BITS));
    let parameter = u32::from(parameter);
    if parameter == PARAMETER_SILENT {
        *samples = [0; CHUNK_FRAMES];
        return Ok(());
    }
    reader.skip(usize_from_u32(PREDICTOR_BITS));
    let predictor = &PREDICTORS[usize::from(predictor)];
    let width = plain_bits(depth);
    let mut residual = [0; CHUNK_FRAMES];
    let (early, late) = residual.split_at_mut(ORDER);
    for (folded, widening) in early.iter_mut().zip(predictor.widening) {
        *folded = take_code(reader, (parameter + widening).min(width), width)?;
    }
    let parameter = parameter.min(width);
    for folded in late {
        *folded = take_code(reader, parameter, width)?;
    }
    predict::restore(predictor, &residual, bits, samples)
}

/// Bits of any residual: a difference has one more than a sample, its prediction may be at the other end, and there is a
/// sign.
const fn plain_bits(depth: Depth) -> u32 {
    depth.bits() + 2
}

#[inline(always)]
fn put_code(writer: &mut BitWriter, folded: u32, parameter: u32, width: u32) {
    let zeros = folded >> parameter;
    if zeros < ZEROS_MAX {
        let low = u64::from(folded) & ((1 << parameter) - 1);
        writer.put(((low << 1) | 1) << zeros, zeros + 1 + parameter);
    } else {
        writer.put(u64::from(folded) << ZEROS_MAX, ZEROS_MAX + width);
    }
}

#[inline(always)]
fn take_code(reader: &mut BitReader, parameter: u32, width: u32) -> Result<u32, LosslessError> {
    let word = reader.peek()?;
    let zeros = word.trailing_zeros();
    if zeros < ZEROS_MAX {
        reader.skip(usize_from_u32(zeros + 1 + parameter));
        let low = (word >> (zeros + 1)) & ((1 << parameter) - 1);
        Ok((zeros << parameter) | low_word(low))
    } else {
        reader.skip(usize_from_u32(ZEROS_MAX + width));
        Ok(low_word((word >> ZEROS_MAX) & ((1 << width) - 1)))
    }
}

/// The parameter that gives the fewest bits, among those beside the mean's logarithm, and these bits.
fn cheapest_parameter(residual: &[u32; CHUNK_FRAMES], widening: &[u32; ORDER], depth: Depth) -> (u32, u32) {
    let width = plain_bits(depth);
    let (early, late) = residual.split_at(ORDER);
    let early_sum: u64 = early.iter().zip(widening).map(|(folded, bits)| u64::from(folded >> bits)).sum();
    let sum = early_sum + late.iter().map(|folded| u64::from(*folded)).sum::<u64>();
    let middle = (sum / 64).max(1).ilog2();
    let mut best = (0, u32::MAX);
    for parameter in middle.saturating_sub(1)..=(middle + 1).min(width) {
        let bits: u32 = late.iter().map(|folded| code_bits(*folded, parameter, width)).sum();
        let widened =
            |(folded, widening): (&u32, &u32)| code_bits(*folded, (parameter + widening).min(width), width);
        let bits = bits + early.iter().zip(widening).map(widened).sum::<u32>();
        if bits < best.1 {
            best = (parameter, bits);
        }
    }
    best
}

#[inline]
const fn code_bits(folded: u32, parameter: u32, width: u32) -> u32 {
    let zeros = folded >> parameter;
    if zeros < ZEROS_MAX { zeros + 1 + parameter } else { ZEROS_MAX + width }
}

#[inline]
const fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

#[inline]
const fn low_word(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back_and_take_the_bits_that_were_counted() {
        for depth in [Depth::Bits16, Depth::Bits24] {
            let width = plain_bits(depth);
            for parameter in 0..=width {
                for folded in [0, 1, 19, 20, 21, 1_000, (1 << (width - 1)) + 5, (1 << width) - 1] {
                    let mut writer = BitWriter::new();
                    put_code(&mut writer, folded, parameter, width);
                    let bits = usize_from_u32(code_bits(folded, parameter, width));
                    let mut reader = BitReader::new(writer.finish(bits.div_ceil(8)));
                    assert_eq!(take_code(&mut reader, parameter, width), Ok(folded));
                    assert_eq!(reader.finish(), Ok(()));
                }
            }
        }
    }

    #[test]
    fn the_cheapest_parameter_follows_the_size_and_survives_one_that_is_far_out() {
        let widening = [0; ORDER];
        let mut residual = [100; CHUNK_FRAMES];
        let (parameter, bits) = cheapest_parameter(&residual, &widening, Depth::Bits16);
        assert_eq!((parameter, bits), (6, 64 * 8));
        residual[20] = 60_000;
        let (parameter, bits) = cheapest_parameter(&residual, &widening, Depth::Bits16);
        assert!(parameter <= 10 && bits < 64 * 12);
    }
}
