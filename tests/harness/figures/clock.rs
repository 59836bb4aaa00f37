//! The room clock, the device clock and the alignment over the families of paths, beside two estimators from the field.

mod device;
mod rivals;
mod room;
mod trace;

use super::{Figure, Holds, Length};

pub use device::AlignmentRun;
pub use trace::{Family, Sample, Trace, true_grid};

/// Everything that `cargo xtask bench clock` prints.
#[must_use]
pub fn clock_figures(length: Length) -> Vec<Figure> {
    let mut figures = room::figures(length);
    figures.extend(device::figures(length));
    figures
}

/// The value below which this share of `values` lies; sorts them.
#[must_use]
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    use lockstep_shared::time::convert::{f64_from_usize, usize_trunc};
    values.sort_by(f64::total_cmp);
    let index = usize_trunc(f64_from_usize(values.len()) * share);
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::INFINITY)
}

fn at_most(name: String, note: String, goal: f64, measured: f64, unit: &'static str) -> Figure {
    Figure { name, note, goal, measured, holds: Holds::AtMost, unit }
}

fn at_least(name: String, note: String, goal: f64, measured: f64, unit: &'static str) -> Figure {
    Figure { name, note, goal, measured, holds: Holds::AtLeast, unit }
}
