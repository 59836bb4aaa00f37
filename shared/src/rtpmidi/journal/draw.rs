//! Numbers drawn from a seed, for the models and the figures.

/// A sequence of numbers that a seed determines (`SplitMix64`).
#[derive(Clone, Debug)]
pub(super) struct Draw(u64);

impl Draw {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub(super) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A number below `end`, which is not 0.
    pub(super) const fn below(&mut self, end: u32) -> u32 {
        let [a, b, c, d, ..] = (self.bits() % end as u64).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// Any byte.
    pub(super) const fn byte(&mut self) -> u8 {
        self.bits().to_le_bytes()[3]
    }

    /// Whether something happens that does so this many times in a thousand.
    pub(super) const fn happens(&mut self, per_mille: u32) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of `choices`.
    pub(super) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        let end = u32::try_from(choices.len()).unwrap_or(1);
        let place = usize::try_from(self.below(end)).unwrap_or(0);
        choices[place]
    }
}
