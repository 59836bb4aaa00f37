//! Randomness from a seed: the only randomness in this crate.

use ring::hmac;

/// An endless string of bytes that a seed determines: HMAC-SHA256 over a counter. With a seed from the operating
/// system it is fit for keys; with a fixed seed a simulation repeats itself.
#[derive(Clone)]
pub struct Entropy {
    key: hmac::Key,
    counter: u64,
}

impl Entropy {
    /// The string that `seed` determines.
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, seed), counter: 0 }
    }

    /// The next 32 bytes.
    pub fn bytes32(&mut self) -> [u8; 32] {
        self.counter += 1;
        let tag = hmac::sign(&self.key, &self.counter.to_le_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }

    /// The next number.
    pub fn u64(&mut self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.bytes32();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// The next number of 24 bits.
    pub fn u24(&mut self) -> u32 {
        let [a, b, c, ..] = self.bytes32();
        u32::from_le_bytes([a, b, c, 0])
    }
}

impl core::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Entropy")
    }
}
