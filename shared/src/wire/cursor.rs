//! Reading and writing little-endian fields, with no way past the end.

use super::{DecodeError, Full};

/// Reads fields off the front of a byte string.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(DecodeError::Short { missing: count - self.rest.len() });
        };
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(DecodeError::Short { missing: N - self.rest.len() });
        };
        self.rest = rest;
        Ok(*taken)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next eight bytes.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next eight bytes, signed.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_le_bytes)
    }

    /// A finite number.
    pub fn f32(&mut self) -> Result<f32, DecodeError> {
        let bits = self.u32()?;
        let value = f32::from_bits(bits);
        if value.is_finite() {
            Ok(value)
        } else {
            Err(DecodeError::Range { field: "number", value: bits.into() })
        }
    }

    /// A length byte and that many bytes of UTF-8, at most `bytes_max`.
    pub fn text(&mut self, bytes_max: usize) -> Result<&'a str, DecodeError> {
        let length = self.u8()?;
        if usize::from(length) > bytes_max {
            return Err(DecodeError::Range { field: "name length", value: length.into() });
        }
        core::str::from_utf8(self.bytes(length.into())?).map_err(|_| DecodeError::Text)
    }

    /// An integer of 1 to 10 bytes: seven bits a byte from the lowest, the top bit says that more follow. Every
    /// value has one spelling, the shortest.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7F);
            if (bits << shift) >> shift != bits || (byte == 0 && shift > 0) {
                return Err(DecodeError::Range { field: "varint", value: byte.into() });
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Range { field: "varint", value })
    }

    /// A signed integer, small on either side of zero: 0, -1, 1, -2 are 0, 1, 2, 3.
    pub fn signed_varint(&mut self) -> Result<i64, DecodeError> {
        let folded = self.varint()?;
        Ok((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
    }

    /// What has not been read.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Succeeds only when everything has been read.
    pub const fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing(self.rest.len())) }
    }
}

/// Writes fields into a fixed buffer. A field that does not fit leaves the buffer as it was.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl<'a> Writer<'a> {
    /// Writes from the start of `buffer`.
    #[must_use]
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// Bytes written.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }

    /// Bytes that still fit.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.buffer.len() - self.length
    }

    /// What has been written.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    /// Forgets everything after the first `length` bytes.
    pub const fn truncate(&mut self, length: usize) {
        if length < self.length {
            self.length = length;
        }
    }

    /// The next `count` bytes, to be filled by the caller.
    pub fn reserve(&mut self, count: usize) -> Result<&mut [u8], Full> {
        if count > self.room() {
            return Err(Full { needed: count - self.room() });
        }
        let start = self.length;
        self.length += count;
        Ok(&mut self.buffer[start..self.length])
    }

    /// Appends `bytes`.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.reserve(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Appends a byte.
    pub fn u8(&mut self, value: u8) -> Result<(), Full> {
        self.bytes(&[value])
    }

    /// Appends two bytes.
    pub fn u16(&mut self, value: u16) -> Result<(), Full> {
        self.bytes(&value.to_le_bytes())
    }

    /// Appends four bytes.
    pub fn u32(&mut self, value: u32) -> Result<(), Full> {
        self.bytes(&value.to_le_bytes())
    }

    /// Appends eight bytes.
    pub fn u64(&mut self, value: u64) -> Result<(), Full> {
        self.bytes(&value.to_le_bytes())
    }

    /// Appends eight bytes, signed.
    pub fn i64(&mut self, value: i64) -> Result<(), Full> {
        self.bytes(&value.to_le_bytes())
    }

    /// Appends an integer of 1 to 10 bytes.
    pub fn varint(&mut self, value: u64) -> Result<(), Full> {
        let mut bytes = [0; 10];
        let mut count = 0;
        let mut rest = value;
        loop {
            let [low, ..] = rest.to_le_bytes();
            rest >>= 7;
            bytes[count] = if rest == 0 { low } else { low | 0x80 };
            count += 1;
            if rest == 0 {
                return self.bytes(&bytes[..count]);
            }
        }
    }

    /// Appends a signed integer, small on either side of zero.
    pub fn signed_varint(&mut self, value: i64) -> Result<(), Full> {
        self.varint(((value << 1) ^ (value >> 63)).cast_unsigned())
    }

    /// Appends a length byte and `text`, cut at a character boundary within `bytes_max` (at most 255).
    pub fn text(&mut self, text: &str, bytes_max: usize) -> Result<(), Full> {
        let mut end = text.len().min(bytes_max).min(usize::from(u8::MAX));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        if end + 1 > self.room() {
            return Err(Full { needed: end + 1 - self.room() });
        }
        self.u8(u8::try_from(end).unwrap_or(u8::MAX))?;
        self.bytes(&text.as_bytes()[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_read_back(value in any::<i64>(), shift in 0..64_u32) {
            let value = value >> shift;
            let mut buffer = [0; 10];
            let mut out = Writer::new(&mut buffer);
            out.signed_varint(value).unwrap();
            prop_assert_eq!(Reader::new(out.written()).signed_varint(), Ok(value));
        }

        #[test]
        fn a_varint_has_one_spelling(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut reader = Reader::new(&bytes);
            if let Ok(value) = reader.varint() {
                let mut buffer = [0; 10];
                let mut out = Writer::new(&mut buffer);
                out.varint(value).unwrap();
                prop_assert_eq!(out.written(), &bytes[..bytes.len() - reader.rest().len()]);
            }
        }
    }

    #[test]
    fn overlong_varints_are_refused() {
        let read = |bytes| Reader::new(bytes).varint();
        assert_eq!(read(&[0]), Ok(0));
        assert_eq!(read(&[0xFF; 10][..9]), Err(DecodeError::Short { missing: 1 }));
        assert!(matches!(read(&[0x80, 0]), Err(DecodeError::Range { .. })));
        assert!(matches!(read(&[0xFF; 10]), Err(DecodeError::Range { .. })));
        let mut largest = [0xFF; 10];
        largest[9] = 1;
        assert_eq!(read(&largest), Ok(u64::MAX));
    }
}
