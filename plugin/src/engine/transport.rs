//! What the host says of its transport, placed on the grid.

use lockstep_shared::clock::Segment;
use lockstep_shared::sync::BeatLine;
use lockstep_shared::time::SampleRate;
use lockstep_shared::timeline::author::{Cycle, Reading};
use lockstep_shared::timeline::{Motion, TimeSignature};

use super::HostTransport;

/// The host's song at the first frame of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Song {
    /// Where it is and how fast it goes; none while it stands, or says nothing.
    pub(super) line: Option<BeatLine>,
    /// Quarter notes of a bar; four where the host does not say.
    pub(super) bar_quarters: f64,
}

/// Tempos that a host may say.
const BPM_PLAUSIBLE: core::ops::RangeInclusive<f64> = 1.0..=1_000.0;
/// Positions beyond are nonsense: 15 years at 120 quarters a minute.
const QUARTERS_MAX: f64 = 1e9;

/// The song as the sync delay sees it. What cannot be is not said.
pub(super) fn song(transport: &HostTransport, block: &Segment, rate: SampleRate) -> Song {
    let line = || {
        let bpm = transport.tempo_bpm.filter(|bpm| BPM_PLAUSIBLE.contains(bpm))?;
        let quarters = transport.position_quarters.filter(|quarters| quarters.abs() < QUARTERS_MAX)?;
        let device_frames_per_minute = 60.0 * rate.hz_f64();
        let quarters_per_frame = bpm / device_frames_per_minute / block.step;
        Some(BeatLine { at: block.first, quarters, quarters_per_frame })
    };
    let bar = signature(transport).map(|signature| signature.bar_beats().quarters());
    Song { line: line().filter(|_| transport.playing), bar_quarters: bar.unwrap_or(4.0) }
}

/// The song as the timeline's author reads it: unchecked, for the author checks.
pub(super) fn reading(transport: &HostTransport, block: &Segment) -> Reading {
    Reading {
        start: block.first,
        frames: block.frames.f64() * block.step,
        quarters: transport.position_quarters,
        bpm: transport.tempo_bpm.unwrap_or(f64::NAN),
        motion: if transport.playing { Motion::Playing } else { Motion::Stopped },
        signature: signature(transport),
        bar_start: transport.bar_start_quarters,
        cycle: transport.loop_quarters.and_then(|(start, end)| Cycle::new(start, end)),
    }
}

fn signature(transport: &HostTransport) -> Option<TimeSignature> {
    let (numerator, denominator) = transport.time_signature?;
    TimeSignature::new(u8::try_from(numerator).ok()?, u8::try_from(denominator).ok()?)
}
