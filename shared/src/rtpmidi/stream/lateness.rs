//! How late stamps come, with a memory that fades.

use crate::time::Span;
use crate::time::convert::{f64_from_u64, i64_from_usize, usize_from_i64, usize_trunc};

/// A histogram in bins of 100 us, the protocol's own unit, up to 50 ms. The first bin holds what is not late at all, the
/// last one what is later than that. Newer
/// observations count more: from time to time all are halved.
#[derive(Clone, Debug)]
pub(super) struct Lateness {
    counts: Box<[u32]>,
    total: u64,
}

const BIN: Span = Span::from_micros(100);
const BINS: usize = 500;
/// Observations at which all are halved.
const FADES_AT: u64 = 4_096;

impl Default for Lateness {
    fn default() -> Self {
        Self { counts: vec![0; BINS + 1].into_boxed_slice(), total: 0 }
    }
}

impl Lateness {
    /// Counts one; what is early counts as nothing late.
    pub(super) fn observe(&mut self, late: Span) {
        let bin = usize_from_i64((late.nanos().max(0) + BIN.nanos() - 1) / BIN.nanos()).min(BINS);
        self.counts[bin] += 1;
        self.total += 1;
        if self.total >= FADES_AT {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().copied().map(u64::from).sum();
        }
    }

    /// What at most `share` of them exceed, as if there had been `least` at the least; nothing while there are none.
    pub(super) fn exceeded_by(&self, share: f64, least: u64) -> Span {
        let mut allowed = usize_trunc(f64_from_u64(self.total.max(least)) * share);
        for (bin, count) in self.counts.iter().enumerate().rev() {
            let count = usize::try_from(*count).unwrap_or(usize::MAX);
            if count > allowed {
                return Span::from_nanos(BIN.nanos() * i64_from_usize(bin));
            }
            allowed -= count;
        }
        Span::ZERO
    }
}
