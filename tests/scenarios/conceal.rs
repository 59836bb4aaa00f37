//! What is heard of a strip whose datagrams are lost: nearly what was sent, without a step.

use core::f32::consts::TAU;
use core::sync::atomic::Ordering;

use lockstep_plugin::engine::JitterPreset;
use lockstep_shared::time::{DeviceFrame, LocalTime, Span};
use lockstep_shared::wire::Format;
use lockstep_tests::clock::Crystal;
use lockstep_tests::daw::Daw;
use lockstep_tests::net::{Loss, PathPlan};
use lockstep_tests::oracle::Source;
use lockstep_tests::world::{Audience, Heard, MemberPlan, World};

const HZ: f64 = 440.0;
const TONE: Source = Source::Tone { cycles: HZ / 48_000.0 };
/// The steepest that the tone itself gets, and a third more for what passes into it.
const STEEPEST: f32 = 0.5 * TAU * 440.0 / 48_000.0 * 1.35;
/// The tone is itself again after so many frames.
const REPEATS: i64 = 1_200;

/// What member 0 hears of the other, from a device frame on.
#[derive(Default)]
struct Ear {
    first: DeviceFrame,
    heard: Vec<f32>,
    concealed: u64,
}

impl Audience for Ear {
    fn hear(&mut self, heard: &Heard<'_>) {
        if heard.member == 0 {
            if self.heard.is_empty() {
                self.first = heard.first;
            }
            self.heard.extend_from_slice(heard.main[0]);
            self.concealed = heard.gauges.lanes[0].concealed.load(Ordering::Relaxed);
        }
    }
}

/// What was heard over half a minute through a path that loses datagrams.
struct Outcome {
    /// The power of the difference from what was sent, over that of what was concealed.
    error_db: f64,
    steepest: f32,
    concealed: u64,
}

fn listen(down: &PathPlan) -> Outcome {
    let mut world = World::new(21, Crystal::PERFECT, 2);
    for (source, down) in [(Source::Silence, down.clone()), (TONE, PathPlan::clean())] {
        world.add(MemberPlan {
            daw: Daw::perfect(source, 64),
            crystal: Crystal::PERFECT,
            up: PathPlan::clean(),
            down,
            format: Format::Float32,
            starts: LocalTime::ZERO,
        });
    }
    let mut ear = Ear::default();
    world.run(Span::from_millis(20_000), &mut ear);
    // So tight that no copy would come in time, and none is asked for.
    world.members[0].plan.daw.controls.jitter = JitterPreset::Fixed(40.0);
    world.run(Span::from_millis(40_000), &mut ear);
    let before = ear.concealed;
    ear.heard.clear();
    world.run(Span::from_millis(30_000), &mut ear);

    let error_at = |offset: i64, frames: usize| -> f64 {
        let sent = (ear.first.0..).map(|frame| TONE.at(DeviceFrame(frame - offset), 0));
        ear.heard.iter().zip(sent).take(frames).map(|(heard, sent)| f64::from(heard - sent).powi(2)).sum()
    };
    let offset = (0..REPEATS)
        .min_by(|a, b| error_at(*a, 4_800).total_cmp(&error_at(*b, 4_800)))
        .expect("some offset is the best");
    let steps = ear.heard.windows(2).map(|pair| (pair[1] - pair[0]).abs());
    let concealed = ear.concealed - before;
    let lost = 64.0 * f64::from(u32::try_from(concealed).unwrap()) * 0.5 * 0.5 / 2.0;
    Outcome {
        error_db: 10.0 * (error_at(offset, usize::MAX) / lost).log10(),
        steepest: steps.fold(0.0, f32::max),
        concealed,
    }
}

#[test]
fn single_losses_are_hardly_a_difference() {
    let loss = Loss { independent: 0.01, burst_begins: 0.0, burst_ends: 1.0 };
    let Outcome { error_db, steepest, concealed } = listen(&PathPlan { loss, ..PathPlan::clean() });
    assert!(concealed > 150, "{concealed} chunks were lost");
    // A fade to silence is at 0 dB: it leaves out what was lost.
    assert!(error_db < -20.0, "{error_db} dB after {concealed} losses");
    assert!(steepest < STEEPEST, "a step of {steepest}");
}

#[test]
fn bursts_fade_away_and_come_back_without_a_step() {
    let loss = Loss { independent: 0.0, burst_begins: 0.002, burst_ends: 0.2 };
    let Outcome { error_db, steepest, concealed } = listen(&PathPlan { loss, ..PathPlan::clean() });
    assert!(concealed > 150, "{concealed} chunks were lost");
    assert!(error_db < 0.0, "{error_db} dB after {concealed} losses");
    assert!(steepest < STEEPEST, "a step of {steepest}");
}
