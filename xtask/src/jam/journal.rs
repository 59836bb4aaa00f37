//! What a plugin said of itself while it played: its delays, what it concealed, how far its clock is off.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::install::shown;

/// One line: one strip at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    /// Of the machine's monotonic clock.
    pub(super) nanos: i64,
    pub(super) strip: String,
    /// Commanded, from the sender's input to this output.
    pub(super) delay_ms: f64,
    /// Chunks since the strip was opened.
    present: u64,
    concealed: u64,
    /// The interface against the relay's clock.
    pub(super) drift_ppm: f64,
    /// How late the beats are that meet, by the plugin's own measure; NaN while it compares none.
    beat_error_ms: f64,
    /// The delay that the room had agreed on; NaN before.
    room_delay_ms: f64,
}

/// A plugin's journal.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal(Vec<Line>);

impl Journal {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("no journal in {}", shown(path)))?;
        // A process that was ended may have left half a line.
        Ok(Self(text.lines().filter_map(parse).collect()))
    }

    /// The lines of one strip, in order.
    pub(super) fn of<'a>(&'a self, strip: &'a str) -> impl Iterator<Item = &'a Line> {
        self.0.iter().filter(move |line| line.strip == strip)
    }

    /// Chunks of a strip that were concealed after `from_nanos`, in a million.
    pub(super) fn concealed_ppm(&self, strip: &str, from_nanos: i64) -> Option<f64> {
        let first = self.of(strip).find(|line| line.nanos >= from_nanos)?;
        let last = self.of(strip).last()?;
        let (present, concealed) = (last.present - first.present, last.concealed - first.concealed);
        let (present, concealed) = (u32::try_from(present).ok()?, u32::try_from(concealed).ok()?);
        Some(f64::from(concealed) / f64::from((present + concealed).max(1)) * 1e6)
    }

    /// The delay that was commanded at a moment, between the lines around it.
    pub(super) fn delay_ms_at(&self, strip: &str, nanos: i64) -> Option<f64> {
        let before = self.of(strip).filter(|line| line.nanos <= nanos).last()?;
        let after = self.of(strip).find(|line| line.nanos > nanos)?;
        let span = crate::numbers::f64_from_i64(after.nanos - before.nanos);
        let share = crate::numbers::f64_from_i64(nanos - before.nanos) / span;
        Some(before.delay_ms + share * (after.delay_ms - before.delay_ms)).filter(|delay| delay.is_finite())
    }

    /// The delay that the room had agreed on at a moment.
    pub(super) fn room_delay_ms_at(&self, strip: &str, nanos: i64) -> Option<f64> {
        let line = self.of(strip).filter(|line| line.nanos <= nanos).last()?;
        Some(line.room_delay_ms).filter(|delay| delay.is_finite())
    }

    /// The magnitudes of the beat error from `from_nanos` on, in microseconds, wherever the plugin saw one.
    pub(super) fn beat_errors_us(&self, strip: &str, from_nanos: i64) -> Vec<f64> {
        let lines = self.of(strip).filter(|line| line.nanos >= from_nanos && line.beat_error_ms.is_finite());
        lines.map(|line| line.beat_error_ms.abs() * 1e3).collect()
    }

    /// The drift as the plugin saw it in the end.
    pub(super) fn drift_ppm(&self) -> Option<f64> {
        self.0.last().map(|line| line.drift_ppm)
    }
}

fn parse(line: &str) -> Option<Line> {
    let (nanos, rest) = line.split_once(',')?;
    // A strip's name may hold commas; the six numbers behind it do not.
    let mut fields = rest.rsplitn(7, ',');
    let room_delay_ms = fields.next()?.parse().ok()?;
    let beat_error_ms = fields.next()?.parse().ok()?;
    let drift_ppm = fields.next()?.parse().ok()?;
    let concealed = fields.next()?.parse().ok()?;
    let present = fields.next()?.parse().ok()?;
    let delay_ms = fields.next()?.parse().ok()?;
    Some(Line {
        nanos: nanos.parse().ok()?,
        strip: fields.next()?.to_owned(),
        delay_ms,
        present,
        concealed,
        drift_ppm,
        beat_error_ms,
        room_delay_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_tells_delays_and_what_was_concealed() {
        let text = "100,a, b,5.0,10,0,1.5,NaN,NaN\n200,a, b,6.0,110,1,1.25,-0.5,9.0\n300,a, b,6.0,209,2,1.0,0.25,9.5\n400,a";
        let journal = Journal(text.lines().filter_map(parse).collect());
        assert_eq!(journal.delay_ms_at("a, b", 150), Some(5.5));
        assert_eq!(journal.delay_ms_at("a, b", 999), None);
        assert_eq!(journal.concealed_ppm("a, b", 200), Some(10_000.0));
        assert_eq!(journal.drift_ppm(), Some(1.0));
        assert_eq!(journal.room_delay_ms_at("a, b", 150), None);
        assert_eq!(journal.room_delay_ms_at("a, b", 350), Some(9.5));
        assert_eq!(journal.beat_errors_us("a, b", 0), [500.0, 250.0]);
    }
}
