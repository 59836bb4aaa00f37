//! Bits in a row, the least significant first.

use super::{CODED_BYTES_MAX, LosslessError};
use crate::time::convert::usize_from_u32;

/// A word beyond the longest body, so that eight bytes can be taken or put at its end.
const BUFFER_BYTES: usize = CODED_BYTES_MAX + 15;

/// The most bits of one field: 7 that wait and these fit into a word.
pub(super) const FIELD_BITS_MAX: u32 = 57;

/// Puts fields into a buffer of its own.
pub(super) struct BitWriter {
    bytes: [u8; BUFFER_BYTES],
    /// Whole bytes that are in the buffer.
    length: usize,
    /// Bits that are not: fewer than eight.
    waiting: u64,
    waiting_bits: u32,
}

impl BitWriter {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; BUFFER_BYTES], length: 0, waiting: 0, waiting_bits: 0 }
    }

    /// Appends the low `bits` of `field`, above which it is zero. The caller has counted that all of it fits.
    #[inline(always)]
    pub(super) fn put(&mut self, field: u64, bits: u32) {
        debug_assert!(bits <= FIELD_BITS_MAX && field >> bits == 0);
        self.waiting |= field << self.waiting_bits;
        self.waiting_bits += bits;
        self.bytes[self.length..self.length + 8].copy_from_slice(&self.waiting.to_le_bytes());
        self.length += usize_from_u32(self.waiting_bits / 8);
        self.waiting >>= self.waiting_bits / 8 * 8;
        self.waiting_bits %= 8;
    }

    /// What was put, zeros up to the last of `length` bytes.
    pub(super) fn finish(&self, length: usize) -> &[u8] {
        debug_assert_eq!(self.length + usize::from(self.waiting_bits != 0), length);
        &self.bytes[..length]
    }
}

/// Takes fields from a copy of a chunk's body.
pub(super) struct BitReader {
    bytes: [u8; BUFFER_BYTES],
    body_bytes: usize,
    place_bits: usize,
}

impl BitReader {
    /// `body` is no longer than the longest chunk.
    pub(super) fn new(body: &[u8]) -> Self {
        let mut bytes = [0; BUFFER_BYTES];
        bytes[..body.len()].copy_from_slice(body);
        Self { bytes, body_bytes: body.len(), place_bits: 0 }
    }

    /// What comes next, at least [`FIELD_BITS_MAX`] bits of it; zeros beyond the body.
    #[inline(always)]
    pub(super) fn peek(&self) -> Result<u64, LosslessError> {
        let word = self.bytes.get(self.place_bits / 8..).and_then(<[u8]>::first_chunk::<8>);
        let Some(word) = word else {
            return Err(self.wrong_length());
        };
        Ok(u64::from_le_bytes(*word) >> (self.place_bits % 8))
    }

    /// Goes on by `bits`.
    #[inline]
    pub(super) const fn skip(&mut self, bits: usize) {
        self.place_bits += bits;
    }

    /// Succeeds if the body ends here, with zeros up to its last byte.
    pub(super) fn finish(&self) -> Result<(), LosslessError> {
        let used_in_last = self.place_bits % 8;
        if self.place_bits.div_ceil(8) != self.body_bytes {
            Err(self.wrong_length())
        } else if used_in_last != 0 && self.bytes[self.place_bits / 8] >> used_in_last != 0 {
            Err(LosslessError::Padding)
        } else {
            Ok(())
        }
    }

    const fn wrong_length(&self) -> LosslessError {
        LosslessError::Length { said: self.body_bytes, taken: self.place_bits.div_ceil(8) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_length_come_back() {
        let fields: Vec<(u64, u32)> =
            (0..60).map(|n| (0x0123_4567_89ab_cdef >> (64 - (n * 7 % 50 + 1)), n * 7 % 50 + 1)).collect();
        let mut writer = BitWriter::new();
        fields.iter().for_each(|(field, bits)| writer.put(*field, *bits));
        let bits: u32 = fields.iter().map(|(_, bits)| bits).sum();
        let mut reader = BitReader::new(writer.finish(usize::try_from(bits).unwrap().div_ceil(8)));
        for (field, bits) in fields {
            assert_eq!(reader.peek().unwrap() & ((1 << bits) - 1), field);
            reader.skip(usize::try_from(bits).unwrap());
        }
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn a_body_ends_exactly_where_its_bits_do() {
        let mut reader = BitReader::new(&[0b0000_0111]);
        assert_eq!(reader.finish(), Err(LosslessError::Length { said: 1, taken: 0 }));
        reader.skip(2);
        assert_eq!(reader.finish(), Err(LosslessError::Padding));
        reader.skip(1);
        assert_eq!(reader.finish(), Ok(()));
        reader.skip(6);
        assert_eq!(reader.finish(), Err(LosslessError::Length { said: 1, taken: 2 }));
        reader.skip(8 * BUFFER_BYTES);
        assert!(reader.peek().is_err());
    }
}
