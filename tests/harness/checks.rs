//! What must hold in every run, whatever was drawn.
//!
//! Each member plays a tone of its own, so that a window of what another hears tells who is in it, how loud, and how
//! far from where the plugin says it puts it.

use core::f64::consts::TAU;
use core::sync::atomic::Ordering;

use lockstep_plugin::engine::RoomMode;
use lockstep_plugin::wiring::{Gauges, MIX_LANE};
use lockstep_shared::time::convert::{f64_from_i64, f64_from_usize, i64_from_usize, usize_trunc};
use lockstep_shared::time::{DeviceFrame, Frames, LocalTime, Span};

use crate::clock::AudioClock;
use crate::figures::clock::percentile;
use crate::oracle::Source;
use crate::plan::{Plan, SEND_GAIN};
use crate::rng::Rng;
use crate::world::{Audience, Heard};

/// What is looked at together: long enough to tell the tones apart.
const WINDOW_SECONDS: f64 = 0.085;
/// Strip outputs that are listened to.
const STRIPS: usize = 5;
/// A tone as it is sent.
const SENT: f64 = 0.5 * SEND_GAIN as f64;
/// More of one's own tone than this, of what was sent, is hearing oneself, whatever is going on.
const SELF_MAX: f64 = 0.3;
/// Less of another's tone than this is not hearing it.
const OTHER_LEAST: f64 = 0.6;
/// Fewer looks tell nothing.
const LOOKS_LEAST: usize = 12;
/// Beyond the sum of all that was sent.
const LOUDER: f64 = 1.1;

/// Something that must not be.
#[derive(Clone, Debug)]
pub struct Violation {
    /// When it was seen.
    pub at: LocalTime,
    /// What it is.
    pub what: String,
}

impl core::fmt::Display for Violation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {}", Stamp(self.at), self.what)
    }
}

/// A true time, for people.
#[derive(Clone, Copy, Debug)]
pub struct Stamp(pub LocalTime);

impl core::fmt::Display for Stamp {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:10.4} s", (self.0 - LocalTime::ZERO).secs_f64())
    }
}

/// Listens to a run and collects what is wrong with it.
#[derive(Debug)]
pub struct Checks {
    plan: Plan,
    ears: Vec<Ear>,
    /// Clocks equal to the members' own, for the truth about each frame.
    audio: Vec<AudioClock>,
    /// What is wrong.
    pub violations: Vec<Violation>,
}

/// What one member hears, and what was found in it.
#[derive(Debug)]
struct Ear {
    window: usize,
    first: DeviceFrame,
    main: Vec<f32>,
    strips: [Vec<f32>; STRIPS],
    /// Of every calm look since the last disturbance: each other member's error in microseconds, infinite when it
    /// was not heard.
    looks: Vec<Vec<f64>>,
    /// Of the same looks: how much of its own tone is in what it hears.
    own: Vec<f64>,
    /// The strip output in which each other member was heard last.
    place: Vec<usize>,
    dropped: [u64; 2],
    was_calm: bool,
}

/// A tone within a window.
#[derive(Clone, Copy, Debug)]
struct Found {
    amplitude: f64,
    /// Its phase at the window's first frame, as a sine.
    turns: f64,
}

impl Checks {
    /// Checks for members that play as planned.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let ear = |rate: f64| Ear {
            window: usize_trunc(rate * WINDOW_SECONDS),
            first: DeviceFrame(0),
            main: Vec::new(),
            strips: Default::default(),
            looks: vec![Vec::new(); plan.members.len()],
            own: Vec::new(),
            place: vec![0; plan.members.len()],
            dropped: [0; 2],
            was_calm: false,
        };
        Self {
            plan: plan.clone(),
            ears: plan.members.iter().map(|member| ear(member.daw.rate.hz_f64())).collect(),
            audio: plan
                .members
                .iter()
                .map(|member| {
                    AudioClock::new(member.daw.rate, member.daw.crystal, member.starts, Rng::new(0))
                })
                .collect(),
            violations: Vec::new(),
        }
    }

    /// Ends the run: the last calm time is judged too.
    pub fn finish(&mut self, at: LocalTime) {
        for listener in 0..self.ears.len() {
            self.judge(listener, at);
        }
    }

    /// Notes something that must not be.
    pub fn violated(&mut self, at: LocalTime, what: String) {
        self.violations.push(Violation { at, what });
    }

    fn cycles(&self, member: usize) -> f64 {
        match self.plan.members[member].daw.source {
            Source::Tone { cycles } => cycles,
            Source::Silence | Source::Noise { .. } | Source::Music(_) => 0.0,
        }
    }

    /// Looks at a whole window.
    fn look(&mut self, listener: usize, at: LocalTime, gauges: &Gauges) {
        let is_calm = self.plan.is_calm(at) && self.plan.is_calm(at - Span::from_secs_f64(WINDOW_SECONDS));
        if self.ears[listener].was_calm && !is_calm {
            self.judge(listener, at);
        }
        let own = self.find(listener, listener, None, 0.0);
        if own.amplitude > SELF_MAX * SENT {
            self.violated(at, format!("member {listener} hears itself at {:.3}", own.amplitude / SENT));
        }
        let dropped =
            [&gauges.captured_dropped, &gauges.received_dropped].map(|count| count.load(Ordering::Relaxed));
        if is_calm && self.ears[listener].was_calm && dropped != self.ears[listener].dropped {
            self.violated(at, format!("member {listener}'s rings overflow in a calm time: {dropped:?}"));
        }
        self.ears[listener].dropped = dropped;
        self.ears[listener].was_calm = is_calm;
        if is_calm {
            self.ears[listener].own.push(own.amplitude / SENT);
            for sender in (0..self.ears.len()).filter(|sender| *sender != listener) {
                let error = self.error_us(listener, sender, gauges);
                self.ears[listener].looks[sender].push(error);
            }
        }
    }

    /// How far a sender's tone lies from where it was commanded; infinite if it is not heard.
    fn error_us(&mut self, listener: usize, sender: usize, gauges: &Gauges) -> f64 {
        let places = match self.plan.members[listener].daw.controls.room_mode {
            RoomMode::Mix => vec![(None, MIX_LANE.0)],
            RoomMode::Stems | RoomMode::Auto => {
                // Where it was last, before anywhere else.
                let last = self.ears[listener].place[sender];
                let others = (0..STRIPS).filter(move |strip| *strip != last);
                core::iter::once(last).chain(others).map(|strip| (Some(strip), strip)).collect()
            }
        };
        for (strip, lane) in places {
            let delay_ms = gauges.lanes[lane].delay_ms.load(Ordering::Relaxed);
            if !delay_ms.is_finite() {
                continue;
            }
            let (from, step) = self.commanded(listener, sender, delay_ms);
            let found = self.find(listener, sender, strip, step);
            if found.amplitude >= OTHER_LEAST * SENT {
                self.ears[listener].place[sender] = lane.min(STRIPS - 1);
                let cycles = self.cycles(sender);
                let away = from * cycles - found.turns;
                let late_frames = (away - away.round()) / cycles;
                return 1e6 * late_frames / self.plan.members[sender].daw.rate.hz_f64();
            }
        }
        f64::INFINITY
    }

    /// The sender's frame that should be heard at the window's first, and how far it moves in one of the listener's.
    fn commanded(&mut self, listener: usize, sender: usize, delay_ms: f64) -> (f64, f64) {
        let delay = Span::from_secs_f64(delay_ms / 1_000.0);
        let (first, window) = (self.ears[listener].first, self.ears[listener].window);
        let last = first + Frames(i64_from_usize(window));
        let mut expected = |frame| {
            let at = self.audio[listener].truth(frame) - delay;
            frame_at(&mut self.audio[sender], at)
        };
        let (from, to) = (expected(first), expected(last));
        (from, (to - from) / f64_from_usize(window))
    }

    /// A sender's tone in the main output, or in a strip's; `step` is how far the sender's frames move in one of the
    /// listener's, zero for their nominal ratio.
    fn find(&self, listener: usize, sender: usize, strip: Option<usize>, step: f64) -> Found {
        let [here, there] = [listener, sender].map(|member| self.plan.members[member].daw.rate.hz_f64());
        let step = if step > 0.0 { step } else { there / here };
        let ear = &self.ears[listener];
        let samples = strip.map_or(&ear.main, |strip| &ear.strips[strip]);
        tone(&samples[..ear.window.min(samples.len())], self.cycles(sender) * step)
    }

    /// Judges a calm time that ends.
    fn judge(&mut self, listener: usize, at: LocalTime) {
        let mut own = std::mem::take(&mut self.ears[listener].own);
        if own.len() < LOOKS_LEAST {
            self.ears[listener].looks.iter_mut().for_each(Vec::clear);
            return;
        }
        let own = percentile(&mut own, 0.5);
        if own > self.plan.network.spread() {
            self.violated(at, format!("member {listener} hears itself at {own:.3} all the time"));
        }
        let bound = self.plan.network.alignment_us();
        for sender in (0..self.ears.len()).filter(|sender| *sender != listener) {
            let mut looks = std::mem::take(&mut self.ears[listener].looks[sender]);
            looks.iter_mut().for_each(|error| *error = error.abs());
            let error = percentile(&mut looks, self.plan.network.looks_good());
            if error > bound {
                let what = if error.is_finite() {
                    format!("member {listener} hears member {sender} {error:.0} us from where it should")
                } else {
                    format!("member {listener} does not hear member {sender}")
                };
                self.violated(at, what);
            }
        }
    }
}

impl Audience for Checks {
    fn hear(&mut self, heard: &Heard<'_>) {
        let most = LOUDER * SENT * f64_from_usize(self.plan.members.len());
        let loudest = heard.main[0].iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let is_loud = f64::from(loudest) > most;
        if heard.main[0].iter().any(|sample| !sample.is_finite()) || is_loud {
            self.violated(heard.at, format!("member {} hears {loudest}, louder than all", heard.member));
        }
        let ear = &mut self.ears[heard.member];
        if ear.main.is_empty() {
            ear.first = heard.first;
        }
        ear.main.extend_from_slice(heard.main[0]);
        for (kept, [left, _]) in ear.strips.iter_mut().zip(heard.strips) {
            kept.extend_from_slice(left);
        }
        if ear.main.len() >= ear.window {
            self.look(heard.member, heard.at, heard.gauges);
            let ear = &mut self.ears[heard.member];
            ear.main.clear();
            ear.strips.iter_mut().for_each(Vec::clear);
        }
    }
}

/// How much of a tone of so many cycles a sample is in `samples`, under a Hann window, and its phase.
fn tone(samples: &[f32], cycles: f64) -> Found {
    let count = f64_from_usize(samples.len());
    // Two rotations instead of two sines a sample.
    let turn = |turns: f64| (TAU * turns).sin_cos();
    let ((step_sin, step_cos), (hann_sin, hann_cos)) = (turn(cycles), turn(1.0 / count));
    let (mut sin, mut cos) = (0.0_f64, 1.0_f64);
    let (mut window_sin, mut window_cos) = turn(0.5 / count);
    let (mut in_phase, mut ahead) = (0.0, 0.0);
    for sample in samples {
        let weighted = (0.5 - 0.5 * window_cos) * f64::from(*sample);
        in_phase += weighted * sin;
        ahead += weighted * cos;
        (sin, cos) = (sin * step_cos + cos * step_sin, cos * step_cos - sin * step_sin);
        (window_sin, window_cos) =
            (window_sin * hann_cos + window_cos * hann_sin, window_cos * hann_cos - window_sin * hann_sin);
    }
    // The window's mean is a half, a squared sine's another.
    let amplitude = in_phase.hypot(ahead) * 4.0 / count.max(1.0);
    Found { amplitude, turns: ahead.atan2(in_phase) / TAU }
}

/// The device's frame at a true time, with its fraction.
fn frame_at(audio: &mut AudioClock, at: LocalTime) -> f64 {
    let whole = audio.frame(at);
    let (before, after) = (audio.truth(whole), audio.truth(whole + Frames(1)));
    f64_from_i64(whole.0) + (at - before).secs_f64() / (after - before).secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lockstep_shared::time::convert::f32_from_f64;

    #[test]
    fn a_tone_is_found_with_its_loudness_and_phase_beside_another() {
        let sample = |n: f64| {
            0.5 * (TAU * (0.21 + n * 331.0 / 48_000.0)).sin() + 0.5 * (TAU * n * 547.0 / 48_000.0).sin()
        };
        let samples: Vec<f32> = (0..4_080).map(|n| f32_from_f64(sample(f64::from(n)))).collect();
        let found = tone(&samples, 331.0 / 48_000.0);
        assert!((found.amplitude - 0.5).abs() < 1e-3, "{found:?}");
        assert!((found.turns - 0.21).abs() < 1e-4, "{found:?}");
        assert!(tone(&samples, 769.0 / 48_000.0).amplitude < 1e-3);
    }
}
