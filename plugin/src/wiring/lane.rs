//! What a lane shows of what it plays.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use atomic_float::{AtomicF32, AtomicF64};
use lockstep_shared::jitter::Reason;

/// What a lane shows.
#[derive(Debug, Default)]
pub struct LaneGauges {
    /// Peak since it was last taken.
    pub peak: AtomicF32,
    /// From the sender's input to this output; NaN while it does not play.
    pub delay_ms: AtomicF64,
    /// The least delay that the network and the blocks allow; NaN while it does not play.
    pub least_ms: AtomicF64,
    /// How far the beats that meet here are from where they should be, late above zero; NaN while none are compared.
    pub beat_error_ms: AtomicF64,
    /// Chunks played.
    pub present: AtomicU64,
    /// Chunks concealed.
    pub concealed: AtomicU64,
    /// Chunks refused because they came after their time.
    pub late: AtomicU64,
    /// The delay that the network asks for by the preset.
    pub jitter_ms: AtomicF64,
    /// The share of the last minute's chunks that came later than that.
    pub late_share: AtomicF64,
    /// How much longer a chunk is waited for than the earliest arrival, in grid frames.
    pub spare_frames: AtomicF64,
    /// What a missing chunk costs by the preset, in frames of delay for all.
    pub late_cost_frames: AtomicF64,
    reason: AtomicU8,
}

impl LaneGauges {
    /// Why the delay that the network asks for is what it is.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn set_reason(&self, reason: Reason) {
        let code = match reason {
            Reason::Starting => 0,
            Reason::Worse => 1,
            Reason::Better => 2,
            Reason::Preset => 3,
        };
        self.reason.store(code, Ordering::Relaxed);
    }

    /// Why the delay that the network asks for is what it is.
    pub fn reason(&self) -> Reason {
        match self.reason.load(Ordering::Relaxed) {
            1 => Reason::Worse,
            2 => Reason::Better,
            3 => Reason::Preset,
            _ => Reason::Starting,
        }
    }
}
