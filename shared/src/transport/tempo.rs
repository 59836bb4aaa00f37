//! Whether the host has the line's tempo, and telling it.

use crate::time::{GRID_RATE, GridPosition, Tempo};

/// The tempo of one host: what it was told, and what it shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct TempoTask {
    told: Option<(Tempo, GridPosition)>,
    failures: u32,
    /// The last that it showed, whatever it is.
    shown: Option<f64>,
}

const SECOND: f64 = GRID_RATE as f64;
/// Between two tempos that the host is told, as in a ramp.
const EVERY: f64 = 0.1 * SECOND;
/// By when the transport must show the tempo that it was told.
const WITHIN: f64 = SECOND;
/// A tempo that is off by no more is the same: beyond the most that a nudge makes of it.
const SAME: f64 = 0.015;
/// So often in a row the host may show another tempo.
const TRIES: u32 = 3;

impl TempoTask {
    pub(super) const fn new() -> Self {
        Self { told: None, failures: 0, shown: None }
    }

    /// Whether the host is to be told this tempo now; it is taken as told.
    pub(super) fn tell(&mut self, tempo: Tempo, now: GridPosition) -> bool {
        let waits = self.told.is_some_and(|(told, at)| told == tempo || now.frames_since(at) < EVERY);
        if !waits {
            self.told = Some((tempo, now));
        }
        !waits
    }

    /// Takes the tempo that the host shows at `at`. False once it has shown another than it was told too often.
    pub(super) fn see(&mut self, bpm: f64, at: GridPosition) -> bool {
        self.shown = Some(bpm);
        if let Some((tempo, told)) = self.told
            && at.frames_since(told) >= WITHIN
        {
            if differs(bpm, tempo) {
                self.told = None;
                self.failures += 1;
            } else {
                self.failures = 0;
            }
        }
        self.failures < TRIES
    }

    /// Whether the host shows this tempo; none before it has shown any.
    pub(super) fn shows(&self, tempo: Tempo) -> Option<bool> {
        self.shown.map(|bpm| !differs(bpm, tempo))
    }

    /// Tells and counts from the beginning.
    pub(super) const fn begin(&mut self) {
        self.told = None;
        self.failures = 0;
    }
}

/// Whether a tempo that a host shows, if it shows any, is another one.
fn differs(bpm: f64, tempo: Tempo) -> bool {
    (bpm / tempo.bpm() - 1.0).abs() > SAME
}
