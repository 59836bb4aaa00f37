//! Which chunks of a strip have come already.

use crate::time::ChunkIndex;

/// How far behind the newest a chunk is still known: 171 ms.
const SPAN_CHUNKS: u32 = 128;

/// The last 128 chunks of a strip, each seen or not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    newest: Option<ChunkIndex>,
    /// Bit 0 is the newest.
    bits: u128,
}

impl Seen {
    /// Notes a chunk; true if it is new. One that is too far behind to know counts as seen, unless it is so far that the
    /// strip must have begun anew.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn note(&mut self, chunk: ChunkIndex) -> bool {
        let distance = self.newest.map(|newest| chunk - newest);
        match distance {
            Some(behind) if (-10 * i64::from(SPAN_CHUNKS)..=0).contains(&behind) => {
                let age = u32::try_from(-behind).unwrap_or(SPAN_CHUNKS);
                if age >= SPAN_CHUNKS {
                    return false;
                }
                let is_new = self.bits >> age & 1 == 0;
                self.bits |= 1 << age;
                is_new
            }
            Some(ahead @ 1..) => {
                self.bits =
                    u32::try_from(ahead).ok().and_then(|by| self.bits.checked_shl(by)).unwrap_or(0) | 1;
                self.newest = Some(chunk);
                true
            }
            Some(_) | None => {
                *self = Self { newest: Some(chunk), bits: 1 };
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_strip_that_begins_anew_is_new() {
        let mut seen = Seen::default();
        assert!(seen.note(ChunkIndex(1 << 40)));
        assert!(seen.note(ChunkIndex(5)));
        assert!(!seen.note(ChunkIndex(5)));
        assert!(seen.note(ChunkIndex(1 << 50)));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_set(steps in prop::collection::vec(-100_i64..110, 1..500)) {
            let (mut seen, mut set, mut newest) = (Seen::default(), BTreeSet::new(), 0_i64);
            for step in steps {
                let chunk = newest + step;
                newest = newest.max(chunk);
                let is_new = set.insert(chunk);
                prop_assert_eq!(seen.note(ChunkIndex(chunk)), is_new);
            }
        }
    }
}
