//! Two devices whose crystals disagree, for hours: what is heard stays where it was commanded.

use lockstep_plugin::engine::{Controls, RoomMode};
use lockstep_shared::time::convert::{f64_from_i64, usize_trunc};
use lockstep_shared::time::{LocalTime, Span};
use lockstep_shared::wire::Format;

use super::{Figure, Holds, Length};
use crate::alignment::AlignmentEars;
use crate::clock::{AudioClock, Crystal};
use crate::daw::{Blocks, Daw, Punctuality, open_controls};
use crate::net::{Loss, PathPlan};
use crate::oracle::Source;
use crate::rng::Rng;
use crate::world::{MemberPlan, World};

/// 997 Hz: no divisor of a block, and unambiguous within half a millisecond.
const CYCLES: f64 = 997.0 / 48_000.0;
const SEED: u64 = 42;
const PPM: [f64; 2] = [100.0, -100.0];
/// The delays settle in the first minute.
const SETTLE: Span = Span::from_millis(60_000);
/// Beyond the network's spikes, so that a gap can only come from a slip.
const SYNC_DELAY_MS: f32 = 20.0;
const BLOCK: usize = 512;

/// Alignment through eight hours (or ten minutes) of drift of 100 ppm each way.
#[must_use]
pub fn drift_figures(length: Length) -> Vec<Figure> {
    let span = match length {
        Length::Quick => Span::from_millis(600_000),
        Length::Full => Span::from_millis(8 * 3_600_000),
    };
    let mut world = World::new(SEED, Crystal::thermal(15.0), 8);
    let path =
        PathPlan { loss: Loss { independent: 0.0, burst_begins: 0.0, burst_ends: 1.0 }, ..PathPlan::wired() };
    let mut audio = Vec::new();
    for ppm in PPM {
        let crystal = Crystal { ppm, ..Crystal::PERFECT };
        let controls = Controls { sync_delay_ms: SYNC_DELAY_MS, ..open_controls(RoomMode::Stems) };
        let daw = Daw {
            controls,
            blocks: Blocks::Fixed(BLOCK),
            crystal,
            punctuality: Punctuality::Usual,
            ..Daw::perfect(Source::Tone { cycles: CYCLES }, BLOCK)
        };
        audio.push(AudioClock::new(daw.rate, crystal, LocalTime::ZERO, Rng::new(0)));
        world.add(MemberPlan {
            daw,
            crystal: Crystal::thermal(-ppm / 4.0),
            up: path.clone(),
            down: path.clone(),
            format: Format::Float32,
            starts: LocalTime::ZERO,
        });
    }
    let mut ears = AlignmentEars::new(audio, vec![CYCLES; 2], 101);
    world.run(SETTLE, &mut ears);
    ears.errors.clear();
    let before: Vec<u64> = world.members.iter().map(|member| concealed(&member.gauges)).collect();
    world.run(span, &mut ears);
    let gaps: u64 =
        world.members.iter().zip(before).map(|(member, before)| concealed(&member.gauges) - before).sum();
    let mut errors: Vec<f64> = ears.errors.iter().map(|look| look.frames.abs()).collect();
    errors.sort_by(f64::total_cmp);
    let rank = usize_trunc(0.99 * f64_from_i64(i64::try_from(errors.len()).unwrap_or(0)));
    let (p99, worst) = (errors.get(rank).copied(), errors.last().copied());
    let note = format!("seed {SEED}, +-100 ppm, {:.0} min", span.secs_f64() / 60.0);
    let row = |name: &str, goal, measured, unit| Figure {
        name: name.into(),
        note: note.clone(),
        goal,
        measured,
        holds: Holds::AtMost,
        unit,
    };
    vec![
        row("drift.alignment_p99", 1.0, p99.unwrap_or(f64::INFINITY), "frames"),
        row("drift.alignment_worst", 2.0, worst.unwrap_or(f64::INFINITY), "frames"),
        row("drift.gaps", 0.0, f64_from_i64(i64::try_from(gaps).unwrap_or(i64::MAX)), "chunks"),
    ]
}

fn concealed(gauges: &lockstep_plugin::wiring::Gauges) -> u64 {
    gauges.lanes[0].concealed.load(core::sync::atomic::Ordering::Relaxed)
}
