//! Clocks as they are: each runs at its own rate, wanders, and may be stepped or suspended. True time is the simulator's
//! own `LocalTime`.

use lockstep_shared::time::convert::{f64_from_i64, f64_from_usize, i64_floor, i64_round, usize_from_i64};
use lockstep_shared::time::{DeviceFrame, LocalTime, SampleRate, Span};

use crate::arithmetic::sin;
use crate::rng::Rng;

/// How a crystal runs.
#[derive(Clone, Copy, Debug)]
pub struct Crystal {
    /// How much faster than true time, in parts in a million.
    pub ppm: f64,
    /// Whether temperature moves it.
    pub wander: Wander,
}

/// How a crystal's rate moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wander {
    /// It does not.
    None,
    /// 0.15 ppm of sinusoid over 1,200 s, and a random walk of 0.004 ppm in a second's square root.
    Thermal,
}

impl Crystal {
    /// True time itself.
    pub const PERFECT: Self = Self { ppm: 0.0, wander: Wander::None };

    /// A real one: this far off, and wandering.
    #[must_use]
    pub const fn thermal(ppm: f64) -> Self {
        Self { ppm, wander: Wander::Thermal }
    }
}

/// What a crystal has gained on true time, second by second.
#[derive(Clone, Debug)]
struct Drift {
    crystal: Crystal,
    rng: Rng,
    phase: f64,
    walk_ppm: f64,
    seconds: Vec<Second>,
}

#[derive(Clone, Copy, Debug)]
struct Second {
    gained_nanos: f64,
    ppm: f64,
}

impl Drift {
    const NANOS: i64 = 1_000_000_000;

    fn new(crystal: Crystal, mut rng: Rng) -> Self {
        let phase = rng.between(0.0, core::f64::consts::TAU);
        Self { crystal, rng, phase, walk_ppm: 0.0, seconds: Vec::new() }
    }

    /// Nanoseconds gained since true time zero, at `truth`.
    fn gained(&mut self, truth: Span) -> f64 {
        let index = usize_from_i64(truth.nanos().div_euclid(Self::NANOS));
        let second = self.second(index);
        let start = i64::try_from(index).unwrap_or(i64::MAX).saturating_mul(Self::NANOS);
        second.gained_nanos + f64_from_i64(truth.nanos() - start) * second.ppm * 1e-6
    }

    fn ppm(&mut self, truth: Span) -> f64 {
        self.second(usize_from_i64(truth.nanos().div_euclid(Self::NANOS))).ppm
    }

    /// The true time at which the crystal shows `reading`: as the gain changes slowly, a few rounds settle it.
    fn invert(&mut self, reading: f64) -> Span {
        let mut truth = reading;
        for _ in 0..4 {
            truth = reading - self.gained(Span::from_nanos(i64_round(truth)));
        }
        Span::from_nanos(i64_round(truth))
    }

    fn second(&mut self, index: usize) -> Second {
        const SINUSOID_PPM: f64 = 0.15;
        const SINUSOID_SECONDS: f64 = 1_200.0;
        const WALK_PPM: f64 = 0.004;
        while self.seconds.len() <= index {
            let gained_nanos =
                self.seconds.last().map_or(0.0, |second| second.gained_nanos + second.ppm * 1e-6 * 1e9);
            let at = f64_from_usize(self.seconds.len());
            let moved_ppm = match self.crystal.wander {
                Wander::None => 0.0,
                Wander::Thermal => {
                    self.walk_ppm += WALK_PPM * self.rng.normal();
                    let turn = core::f64::consts::TAU * at / SINUSOID_SECONDS + self.phase;
                    SINUSOID_PPM * sin(turn) + self.walk_ppm
                }
            };
            self.seconds.push(Second { gained_nanos, ppm: self.crystal.ppm + moved_ppm });
        }
        self.seconds[index]
    }
}

/// Something that happens to a computer's clock.
#[derive(Clone, Copy, Debug)]
pub enum Upset {
    /// At this true time it is set forward, or back.
    Step(LocalTime, Span),
    /// From this true time it stands still for so long.
    Suspend(LocalTime, Span),
}

impl Upset {
    const fn at(&self) -> LocalTime {
        match self {
            Self::Step(at, _) | Self::Suspend(at, _) => *at,
        }
    }
}

/// A computer's monotonic clock.
#[derive(Clone, Debug)]
pub struct HostClock {
    drift: Drift,
    start: LocalTime,
    upsets: Vec<Upset>,
}

impl HostClock {
    /// A clock that shows `start` at true time zero, with `upsets` in order of time.
    #[must_use]
    pub fn new(crystal: Crystal, start: LocalTime, upsets: Vec<Upset>, rng: Rng) -> Self {
        assert!(upsets.is_sorted_by_key(Upset::at), "upsets come in order of time");
        Self { drift: Drift::new(crystal, rng), start, upsets }
    }

    /// What the clock shows at `truth`.
    pub fn local(&mut self, truth: LocalTime) -> LocalTime {
        let mut moved = Span::ZERO;
        for index in 0..self.upsets.len() {
            moved = moved
                + match self.upsets[index] {
                    Upset::Step(at, by) if at <= truth => by,
                    Upset::Suspend(at, length) if at <= truth => {
                        let resumed = truth.min(at + length);
                        self.running(at) - self.running(resumed)
                    }
                    Upset::Step(..) | Upset::Suspend(..) => break,
                };
        }
        self.running(truth) + moved
    }

    /// The first true time at which the clock shows `local` or more.
    pub fn truth(&mut self, local: LocalTime) -> LocalTime {
        let mut moved = Span::ZERO;
        for index in 0..self.upsets.len() {
            let upset = self.upsets[index];
            let shown = self.running(upset.at()) + moved;
            if local <= shown {
                break;
            }
            match upset {
                Upset::Step(at, by) if local <= shown + by => return at,
                Upset::Step(_, by) => moved = moved + by,
                Upset::Suspend(at, length) => moved = moved + (self.running(at) - self.running(at + length)),
            }
        }
        let reading = f64_from_i64((local - moved - self.start).nanos());
        LocalTime::ZERO + self.drift.invert(reading)
    }

    /// How much faster than true time it runs at `truth`, in parts in a million.
    pub fn ppm(&mut self, truth: LocalTime) -> f64 {
        self.drift.ppm(truth - LocalTime::ZERO)
    }

    fn running(&mut self, truth: LocalTime) -> LocalTime {
        let passed = truth - LocalTime::ZERO;
        self.start + passed + Span::from_nanos(i64_round(self.drift.gained(passed)))
    }
}

/// The clock of an audio interface: when it passes which frame.
#[derive(Clone, Debug)]
pub struct AudioClock {
    drift: Drift,
    rate: SampleRate,
    start: LocalTime,
}

impl AudioClock {
    /// An interface that passes frame zero at true time `start`.
    #[must_use]
    pub fn new(rate: SampleRate, crystal: Crystal, start: LocalTime, rng: Rng) -> Self {
        Self { drift: Drift::new(crystal, rng), rate, start }
    }

    /// The nominal rate.
    #[must_use]
    pub const fn rate(&self) -> SampleRate {
        self.rate
    }

    /// The true time at which the device passes `frame`.
    pub fn truth(&mut self, frame: DeviceFrame) -> LocalTime {
        let reading = f64_from_i64(frame.0) * 1e9 / self.rate.hz_f64();
        self.start + self.drift.invert(reading)
    }

    /// The frame that the device passed last at `truth`.
    pub fn frame(&mut self, truth: LocalTime) -> DeviceFrame {
        let passed = truth - self.start;
        let reading = f64_from_i64(passed.nanos()) + self.drift.gained(passed);
        // Half a nanosecond of rounding must not hide a frame that is just being passed.
        DeviceFrame(i64_floor((reading + 1.0) * 1e-9 * self.rate.hz_f64()))
    }

    /// How much faster than its nominal rate it runs at `truth`, in parts in a million of true time.
    pub fn ppm(&mut self, truth: LocalTime) -> f64 {
        self.drift.ppm(truth - self.start)
    }
}

/// How late an operating system takes a timestamp: exponential with a mean of 40 us, and sometimes half a millisecond to
/// three more. A datagram meets it at both ends.
#[must_use]
pub fn timestamp_lateness(rng: &mut Rng) -> Span {
    const MEAN_SECONDS: f64 = 40e-6;
    /// Half of one in two hundred, as there are two ends.
    const LATE_SHARE: f64 = 0.002_5;
    let usual = rng.exponential(MEAN_SECONDS);
    let (is_late, late) = (rng.chance(LATE_SHARE), rng.between(0.5e-3, 3e-3));
    Span::from_secs_f64(if is_late { usual + late } else { usual })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> LocalTime {
        LocalTime::ZERO + Span::from_millis(millis)
    }

    #[test]
    fn a_perfect_clock_is_true_time() {
        let mut clock = HostClock::new(Crystal::PERFECT, LocalTime::ZERO, Vec::new(), Rng::new(1));
        assert_eq!(clock.local(at(123_456)), at(123_456));
        let mut audio = AudioClock::new(SampleRate::GRID, Crystal::PERFECT, at(10), Rng::new(1));
        assert_eq!(audio.truth(DeviceFrame(48_000 * 3_600)), at(3_600_010));
    }

    #[test]
    fn clocks_invert_through_drift_steps_and_suspension() {
        let upsets = vec![
            Upset::Step(at(20_000), Span::from_millis(70)),
            Upset::Suspend(at(40_000), Span::from_millis(5_000)),
        ];
        let mut clock = HostClock::new(Crystal::thermal(-40.0), at(1_000_000), upsets, Rng::new(7));
        for second in (0..200).filter(|second| !(40..45).contains(second)) {
            let truth = at(second * 1_000 + 1);
            let local = clock.local(truth);
            assert!((clock.truth(local) - truth).abs() <= Span::from_nanos(2), "{second}");
        }
        let frozen = clock.local(at(42_000));
        assert_eq!(frozen, clock.local(at(44_000)));
        assert!((clock.truth(frozen) - at(40_000)).abs() <= Span::from_nanos(2));
    }

    #[test]
    fn an_audio_clock_passes_each_frame_when_it_says() {
        let rate = SampleRate::new(44_100).unwrap();
        let mut clock = AudioClock::new(rate, Crystal::thermal(100.0), at(5), Rng::new(2));
        for frame in (0..100_000_000).step_by(999_983) {
            let frame = DeviceFrame(frame);
            let truth = clock.truth(frame);
            assert_eq!(clock.frame(truth), frame);
        }
        let hour = clock.truth(DeviceFrame(44_100 * 3_600)) - at(5);
        assert!((hour.secs_f64() - 3_600.0 / 1.000_1).abs() < 0.002, "{hour}");
    }
}
