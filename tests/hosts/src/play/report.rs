//! What one run came to.

use std::path::PathBuf;

use lockstep_shared::time::Span;
use serde::Serialize;

/// The report of a run; times of the machine's monotonic clock are comparable between processes.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The plugin's name.
    pub(crate) plugin: String,
    /// Its version.
    pub(crate) plugin_version: String,
    /// What ended the run: `finished` or `interrupted`.
    pub(crate) ended: &'static str,
    /// The host's nominal rate.
    pub(crate) sample_rate: u32,
    /// Frames in a block.
    pub(crate) block: u64,
    /// How fast the simulated interface runs, in parts in a million.
    pub(crate) ppm: f64,
    /// The frames a second that this makes, by the machine's clock.
    pub(crate) device_rate_hz: f64,
    /// What chose the phase of the first block.
    pub(crate) seed: u64,
    /// Nanoseconds of `CLOCK_MONOTONIC` at which frame 0 of every file falls: frame `n` is at
    /// `anchor + n / device_rate_hz`, the instant at which its block's process call is due if it is the block's first.
    pub(crate) anchor_monotonic_ns: i64,
    /// Frames in each file.
    pub(crate) frames: u64,
    /// Blocks processed.
    pub(crate) blocks: u64,
    /// Blocks left out because the plugin was being restarted; silence stands for them in the files.
    pub(crate) blocks_skipped: u64,
    /// Restarts that the plugin asked for, and got.
    pub(crate) restarts: u32,
    /// Process calls that reported an error.
    pub(crate) process_errors: u64,
    /// Time inside the plugin's process call, median, in microseconds.
    pub(crate) process_us_p50: f64,
    /// The same, 99th percentile.
    pub(crate) process_us_p99: f64,
    /// The same, longest.
    pub(crate) process_us_max: f64,
    /// The median as a share of the block's time.
    pub(crate) process_share_p50: f64,
    /// How late the thread woke for a block, median, in microseconds.
    pub(crate) wake_late_us_p50: f64,
    /// The same, 99th percentile.
    pub(crate) wake_late_us_p99: f64,
    /// The same, longest.
    pub(crate) wake_late_us_max: f64,
    /// Blocks whose wake-up was late by more than half a block's time.
    pub(crate) wakes_late: u64,
    /// Blocks whose processing ended after the next block was due: an audio interface would have clicked.
    pub(crate) deadlines_missed: u64,
    /// Memory taken inside process after the first block.
    pub(crate) allocations_in_process: u64,
    /// Memory given back inside process after the first block.
    pub(crate) frees_in_process: u64,
    /// Memory taken inside process in the first block.
    pub(crate) allocations_in_first_block: u64,
    /// What the counts cover.
    pub(crate) allocations_counted: &'static str,
    /// How the audio thread was scheduled.
    pub(crate) priority: String,
    /// Frames that could not be written because the main thread was held up.
    pub(crate) recording_lost_frames: u64,
    /// Largest sample that went in.
    pub(crate) input_peak: f32,
    /// The recorded outputs, main first.
    pub(crate) outputs: Vec<OutputReport>,
}

/// One recorded output.
#[derive(Debug, Serialize)]
pub(crate) struct OutputReport {
    /// The port's name.
    pub(crate) name: String,
    /// Where it was written.
    pub(crate) file: PathBuf,
    /// Its largest sample.
    pub(crate) peak: f32,
}

/// Durations, kept to be ranked at the end. Holds room for a fixed number and counts no more than that.
#[derive(Debug)]
pub(crate) struct Durations {
    micros: Vec<f32>,
}

impl Durations {
    /// Room for `count`.
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self { micros: Vec::with_capacity(count) }
    }

    /// Keeps one.
    ///
    /// Real-time: yes, as long as there is room. Bound: constant.
    pub(crate) fn keep(&mut self, span: Span) {
        if self.micros.len() < self.micros.capacity() {
            self.micros.push(lockstep_shared::time::convert::f32_from_f64(span.secs_f64() * 1e6));
        }
    }

    /// The value below which `share` of them lie, in microseconds; 0 if there are none.
    pub(crate) fn percentile(&mut self, share: f64) -> f64 {
        self.micros.sort_unstable_by(f32::total_cmp);
        let last = self.micros.len().saturating_sub(1);
        let rank = share * lockstep_shared::time::convert::f64_from_usize(last);
        let index = lockstep_shared::time::convert::usize_trunc(rank.round());
        self.micros.get(index).copied().map(f64::from).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_rank_what_was_kept() {
        let mut durations = Durations::with_capacity(101);
        for micros in (0..=100).rev() {
            durations.keep(Span::from_micros(micros));
        }
        durations.keep(Span::from_micros(5_000));
        assert_eq!(
            [0.0, 0.5, 0.99, 1.0].map(|share| durations.percentile(share).round()),
            [0.0, 50.0, 99.0, 100.0]
        );
    }
}
