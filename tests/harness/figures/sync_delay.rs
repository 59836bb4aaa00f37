//! The sync delay under automation: nothing is heard that the fades and glides do not explain.

use lockstep_shared::jitter::figures::{Curve, automation_residual};

use super::{Figure, Holds};

const SEED: u64 = 1;

/// For each curve, what is left after the model, and the steepest step against the signal's own.
#[must_use]
pub fn sync_delay_figures() -> Vec<Figure> {
    let mut figures = Vec::new();
    for (name, curve) in Curve::ALL {
        let residual = automation_residual(curve, SEED);
        for (what, goal, measured, unit) in [
            ("residual", -80.0, residual.peak_dbfs, "dBFS"),
            // Two uncorrelated taps at equal power reach the square root of two.
            ("step_ratio", 1.42, residual.step_ratio, "x"),
        ] {
            figures.push(Figure {
                name: format!("sync_delay.{name}.{what}"),
                note: format!("seed {SEED}"),
                goal,
                measured,
                holds: Holds::AtMost,
                unit,
            });
        }
    }
    figures
}
