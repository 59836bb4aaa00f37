//! When a rise of the delay cannot wait for a glide.

/// Chunks over which the share of late ones is taken, and the share from which a rise is urgent.
const MEMORY_CHUNKS: f64 = 32.0;
const URGENT_SHARE: f64 = 0.1;
/// A rise of so much is urgent by itself: 2 ms, for which a glide would take two seconds.
const URGENT_RISE_FRAMES: f64 = 96.0;

/// The part of the last chunks that came too late to be played.
///
/// A glide takes a second for each millisecond: too long where every tenth chunk until then is a gap.
#[derive(Clone, Copy, Debug, Default)]
pub struct Urgency {
    late_share: f64,
}

impl Urgency {
    /// Notes a chunk that arrived.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn observe(&mut self, is_late: bool) {
        self.late_share += (f64::from(u8::from(is_late)) - self.late_share) / MEMORY_CHUNKS;
    }

    /// Whether a rise by so much is to be heard at once, by a fade; a fall never is.
    #[must_use]
    pub fn is_urgent(&self, rise_frames: f64) -> bool {
        rise_frames >= URGENT_RISE_FRAMES || (rise_frames > 0.0 && self.late_share > URGENT_SHARE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_of_the_last_chunks_are_urgent_and_one_in_twenty_is_not() {
        let mut urgency = Urgency::default();
        (0..4).for_each(|_| urgency.observe(true));
        assert!(urgency.is_urgent(1.0) && !urgency.is_urgent(-1.0));
        (0..10_000).for_each(|n| {
            urgency.observe(n % 20 == 0);
            assert!(n < 100 || !urgency.is_urgent(95.0));
        });
        assert!(urgency.is_urgent(96.0));
    }
}
