//! A drawn run to listen to: the same members, networks and faults, with music in place of tones.

use lockstep_shared::dsp::Sinc;
use lockstep_shared::time::convert::{f64_from_usize, i64_floor, i64_from_usize, i64_round, usize_from_i64};
use lockstep_shared::time::{LocalTime, SampleRate};

use crate::clock::Crystal;
use crate::net::PathPlan;
use crate::oracle::{Music, Source};
use crate::plan::Plan;
use crate::run::carry_out;
use crate::world::{Audience, Heard, World};

/// A piece's part, at the grid's rate, as long as the piece: it is played over and over.
pub type Part = [Vec<f32>; 2];

/// Whose network is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// What was drawn, with what goes wrong.
    AsDrawn,
    /// One of the same lengths on which nothing goes wrong: the truth to compare with.
    Faultless,
}

/// What member 0 hears of the others in its main output, at the rate of its device. Each of the others plays a part, from
/// the same true time on; without parts everybody plays as planned.
#[must_use]
pub fn listen(plan: &Plan, parts: &[Part], network: Network) -> [Vec<f32>; 2] {
    let mut plan = plan.clone();
    for (number, member) in plan.members.iter_mut().enumerate() {
        if let Some(part) = parts.get(number.checked_rem(parts.len()).unwrap_or(0)) {
            let begins = (member.starts - LocalTime::ZERO).secs_f64();
            let music = Box::new(Music { channels: resampled(part, member.daw.rate, begins) });
            // For as long as the program: there are as many as members, once.
            member.daw.source = Source::Music(Box::leak(music));
            // Parts are levelled so that all together stay below full scale.
            member.daw.controls.send_gain = 1.0;
        }
        if network == Network::Faultless {
            for path in [&mut member.up, &mut member.down] {
                *path = PathPlan { base: path.base, ..PathPlan::clean() };
            }
        }
    }
    if network == Network::Faultless {
        plan.faults.clear();
    }
    let mut world = World::new(plan.seed, Crystal::PERFECT, plan.members.len());
    for member in &plan.members {
        world.add(member.clone());
    }
    let mut recorder = Recorder::default();
    carry_out(&plan, &mut world, &mut recorder, &mut |_, _| {});
    recorder.channels
}

/// Keeps what member 0 hears.
#[derive(Debug, Default)]
struct Recorder {
    channels: [Vec<f32>; 2],
}

impl Audience for Recorder {
    fn hear(&mut self, heard: &Heard<'_>) {
        if heard.member == 0 {
            for (kept, channel) in self.channels.iter_mut().zip(heard.main) {
                kept.extend_from_slice(channel);
            }
        }
    }
}

/// A part as frames of a device of `rate` that begins `begins` seconds into it.
fn resampled(part: &Part, rate: SampleRate, begins: f64) -> Part {
    let step = SampleRate::GRID.hz_f64() / rate.hz_f64();
    let sinc = Sinc::for_ratio(step);
    let length = part[0].len();
    let frames = usize_from_i64(i64_round(f64_from_usize(length) / step));
    let mut window = [vec![0.0; sinc.taps()], vec![0.0; sinc.taps()]];
    let mut out = [Vec::with_capacity(frames), Vec::with_capacity(frames)];
    for frame in 0..frames {
        let place = begins * SampleRate::GRID.hz_f64() + f64_from_usize(frame) * step;
        let first = i64_floor(place) - i64_from_usize(sinc.before());
        for (window, channel) in window.iter_mut().zip(part) {
            for (tap, sample) in (0..).zip(window.iter_mut()) {
                let wrapped = (first + tap).rem_euclid(i64_from_usize(length).max(1));
                *sample = channel.get(usize_from_i64(wrapped)).copied().unwrap_or(0.0);
            }
        }
        let sample = sinc.read(&window[0], &window[1], place - place.floor());
        for (out, sample) in out.iter_mut().zip(sample) {
            out.push(sample);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use core::f64::consts::TAU;

    use lockstep_shared::time::Span;
    use lockstep_shared::time::convert::f32_from_f64;

    use super::*;
    use crate::plan;

    fn tone(hz: f64) -> Part {
        // A whole number of cycles, so that it closes.
        let channel: Vec<f32> = (0..48_000)
            .map(|n| f32_from_f64(0.2 * (TAU * hz * f64_from_usize(n) / 48_000.0).sin()))
            .collect();
        [channel.clone(), channel]
    }

    /// How much of a frequency is in it.
    fn amplitude(samples: &[f32], cycles: f64) -> f64 {
        let (mut sin, mut cos) = (0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let angle = TAU * cycles * f64_from_usize(n);
            sin += f64::from(*sample) * angle.sin();
            cos += f64::from(*sample) * angle.cos();
        }
        2.0 * sin.hypot(cos) / f64_from_usize(samples.len())
    }

    #[test]
    fn a_part_is_the_same_music_at_every_rate() {
        for hz in [44_100, 48_000, 96_000] {
            let rate = SampleRate::new(hz).unwrap();
            let [left, right] = resampled(&tone(440.0), rate, 0.5);
            assert_eq!((left.len(), &left), (usize::try_from(hz).unwrap(), &right));
            assert!((amplitude(&left, 440.0 / f64::from(hz)) - 0.2).abs() < 1e-4);
        }
    }

    #[test]
    fn a_listener_hears_the_parts_of_the_others_and_the_truth_has_no_gaps() {
        let plan = Plan::draw(3, plan::Network::Wifi, Span::from_millis(20_000));
        let parts: Vec<Part> = (0..6_u32).map(|n| tone(300.0 + 100.0 * f64::from(n))).collect();
        let rate = plan.members[0].daw.rate.hz_f64();
        let [drawn, truth] =
            [Network::AsDrawn, Network::Faultless].map(|network| listen(&plan, &parts, network));
        // The last second, in which nothing goes wrong beyond the network itself.
        let end = |heard: &Part| {
            heard[0][heard[0].len() - lockstep_shared::time::convert::usize_trunc(rate)..].to_vec()
        };
        let (drawn, truth) = (end(&drawn), end(&truth));
        for number in 1..plan.members.len() {
            let cycles = (300.0 + 100.0 * f64_from_usize(number)) / rate;
            for heard in [&drawn, &truth] {
                let found = amplitude(heard, cycles);
                assert!((found - 0.2).abs() < 0.05, "member {number}: {found}");
            }
        }
        assert!(amplitude(&truth, 300.0 / rate) < 0.01, "nobody hears itself");
        assert!(drawn != truth, "a wireless network is heard");
    }
}
