//! Where a participant's clock is on ours, and how long its rounds take.
//!
//! A round is a question and its answer: the peer's clock was read somewhere between the two, at worst half the round
//! trip from the middle. The quickest quarter of the last [`ROUNDS_MAX`] rounds is fitted with a line, the quicker ones
//! counting more. A tick is 100 us, so a single round is some 30 us unsure however quick it was; the slope is held
//! towards zero as far as that leaves it open, or a second of rounds would tell drifts of 100 ppm that are not there.

use std::collections::VecDeque;

use crate::rtpmidi::time::{ClockMap, Ticks};
use crate::time::convert::{f64_from_i64, f64_from_usize, i64_from_usize, i64_round};
use crate::time::{LocalTime, Span};

/// Rounds that the line is drawn through: nearly three minutes of them.
const ROUNDS_MAX: usize = 128;
/// Fewer than this are all used.
const ROUNDS_LEAST: usize = 4;
/// Round trips that the figures are of: five minutes.
const TRIPS_MAX: usize = 256;
/// How unsure a reading of whole ticks is, in seconds: 100 us over the square root of 12.
const QUANTUM_SECONDS: f64 = 29e-6;
/// How much faster or slower clocks are found to run.
const SKEW_USUAL: f64 = 50e-6;
/// A reading this far off what its round trip explains is of a clock that was set.
const STEP: Span = Span::from_millis(20);
/// And this much more for each second since the last one.
const STEP_SKEW: f64 = 300e-6;
const TICKS_PER_SECOND: f64 = 1e4;

/// The round trips of the last few minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Trips {
    /// How many have been made since the participant came.
    pub rounds: u64,
    /// The last one.
    pub last: Span,
    /// Their average.
    pub average: Span,
    /// The shortest.
    pub least: Span,
    /// The longest.
    pub most: Span,
    /// All but one in a hundred are at most this.
    pub p99: Span,
    /// How much one differs from the one before, smoothed over 16 (as RFC 3550, section 6.4.1, does for packets).
    pub jitter: Span,
    /// How much faster than ours the participant's clock runs, in millionths.
    pub skew_ppm: f64,
}

/// See the module's page.
#[derive(Clone, Debug, Default)]
pub(super) struct Estimate {
    rounds: VecDeque<Round>,
    /// What the ticks of the rounds are counted from.
    base: Ticks,
    line: Option<Line>,
    map: Option<ClockMap>,
    /// A reading that contradicted the line was the last one.
    was_strange: bool,
    trips: VecDeque<Span>,
    count: u64,
    jitter_seconds: f64,
}

#[derive(Clone, Copy, Debug)]
struct Round {
    middle: LocalTime,
    trip: Span,
    /// Since the base.
    ticks: i64,
}

/// The peer's clock in seconds since the base is `seconds` at `at`, and gains `skew` a second.
#[derive(Clone, Copy, Debug)]
struct Line {
    at: LocalTime,
    seconds: f64,
    skew: f64,
}

impl Estimate {
    /// A round that began at `sent`, ended at `received` and read `ticks` between.
    pub(super) fn observe(&mut self, sent: LocalTime, received: LocalTime, ticks: Ticks) {
        let trip = received - sent;
        self.count_trip(trip);
        let middle = sent + Span::from_nanos(trip.nanos() / 2);
        let mut round = Round { middle, trip, ticks: self.since_base(ticks) };
        if self.line.is_some_and(|line| line.contradicts(round)) {
            if !core::mem::replace(&mut self.was_strange, true) {
                return;
            }
            self.rounds.clear();
        }
        self.was_strange = false;
        if self.rounds.is_empty() {
            self.base = ticks;
            round.ticks = 0;
        }
        if self.rounds.len() >= ROUNDS_MAX {
            self.rounds.pop_front();
        }
        self.rounds.push_back(round);
        let line = fit(&self.quickest(), middle);
        self.map = Some(self.map_of(line));
        self.line = Some(line);
    }

    /// Where the clock is, once a round was made.
    pub(super) const fn map(&self) -> Option<&ClockMap> {
        self.map.as_ref()
    }

    pub(super) fn trips(&self) -> Trips {
        let mut sorted: Vec<Span> = self.trips.iter().copied().collect();
        sorted.sort_unstable();
        let (Some(&least), Some(&most), Some(&last)) = (sorted.first(), sorted.last(), self.trips.back())
        else {
            return Trips::default();
        };
        let sum: i64 = sorted.iter().map(|trip| trip.nanos()).sum();
        let p99 = sorted[(sorted.len() * 99).div_ceil(100) - 1];
        Trips {
            rounds: self.count,
            last,
            average: Span::from_nanos(sum / i64_from_usize(sorted.len())),
            least,
            most,
            p99,
            jitter: Span::from_secs_f64(self.jitter_seconds),
            skew_ppm: self.line.map_or(0.0, |line| line.skew * 1e6),
        }
    }

    fn count_trip(&mut self, trip: Span) {
        if let Some(&before) = self.trips.back() {
            self.jitter_seconds += ((trip - before).abs().secs_f64() - self.jitter_seconds) / 16.0;
        }
        if self.trips.len() >= TRIPS_MAX {
            self.trips.pop_front();
        }
        self.trips.push_back(trip);
        self.count += 1;
    }

    const fn since_base(&self, ticks: Ticks) -> i64 {
        ticks.count().wrapping_sub(self.base.count()).cast_signed()
    }

    fn quickest(&self) -> Vec<Round> {
        let mut rounds: Vec<Round> = self.rounds.iter().copied().collect();
        rounds.sort_by_key(|round| round.trip);
        let least = rounds.first().map_or(0.0, |round| round.trip.secs_f64());
        // Those that took hardly longer than the quickest are as good.
        let good = rounds.partition_point(|round| round.trip.secs_f64() - least <= 2.0 * QUANTUM_SECONDS);
        rounds.truncate((rounds.len() / 4).max(ROUNDS_LEAST).max(good));
        rounds
    }

    /// The line as a map, whose instant of the peer is a whole tick.
    fn map_of(&self, line: Line) -> ClockMap {
        let exact = line.seconds * TICKS_PER_SECOND;
        let whole = i64_round(exact);
        let seconds = (f64_from_i64(whole) - exact) / TICKS_PER_SECOND / (1.0 + line.skew);
        let ticks = Ticks::from_count(self.base.count().wrapping_add(whole.cast_unsigned()));
        ClockMap::new(ticks, line.at + Span::from_secs_f64(seconds), line.skew)
    }
}

impl Line {
    fn contradicts(self, round: Round) -> bool {
        let passed = (round.middle - self.at).secs_f64();
        let expected = self.seconds + passed * (1.0 + self.skew);
        let off = (round.seconds() - expected).abs();
        off > round.trip.secs_f64() + STEP.secs_f64() + passed.abs() * STEP_SKEW
    }
}

impl Round {
    fn seconds(self) -> f64 {
        f64_from_i64(self.ticks) / TICKS_PER_SECOND
    }
}

/// The line through `rounds`, which are sorted by their trips, as of `at`.
fn fit(rounds: &[Round], at: LocalTime) -> Line {
    let least = rounds.first().map_or(Span::ZERO, |round| round.trip);
    // Where on the way a reading was taken is unknown to half of what its trip took longer than the shortest possible
    // one. The shortest seen is not that: it is about as far above as the others are above it.
    let excess = |round: &Round| (round.trip - least).secs_f64() / 2.0;
    let common_doubt = rounds.iter().map(excess).sum::<f64>() / f64_from_usize(rounds.len().max(1));
    let certain = QUANTUM_SECONDS * QUANTUM_SECONDS + common_doubt * common_doubt;
    let weighted = rounds.iter().map(|round| {
        let doubt = excess(round);
        let weight = 1.0 / (certain + doubt * doubt);
        let time = (round.middle - at).secs_f64();
        (weight, time, round.seconds() - time)
    });
    let sums = weighted.clone().fold((0.0, 0.0, 0.0), |(sum, times, leads), (weight, time, lead)| {
        (sum + weight, times + weight * time, leads + weight * lead)
    });
    let (time_mean, lead_mean) = (sums.1 / sums.0, sums.2 / sums.0);
    let (power, common) = weighted.fold((0.0, 0.0), |(power, common), (weight, time, lead)| {
        let time = time - time_mean;
        (power + weight * time * time, common + weight * time * (lead - lead_mean))
    });
    let skew = common / (power + 1.0 / (SKEW_USUAL * SKEW_USUAL));
    Line { at, seconds: lead_mean - skew * time_mean, skew }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::convert::{f64_from_u64, usize_trunc};

    /// A peer's clock that starts anywhere and runs at its own speed.
    fn peer(origin: u64, skew: f64, at: LocalTime) -> Ticks {
        let ticks = usize_trunc(at.nanos_f64() * 1e-5 * (1.0 + skew));
        Ticks::from_count(origin.wrapping_add(u64::try_from(ticks).unwrap()))
    }

    impl LocalTime {
        fn nanos_f64(self) -> f64 {
            f64_from_i64(self.nanos())
        }
    }

    fn after(millis: i64) -> LocalTime {
        LocalTime::ZERO + Span::from_millis(millis)
    }

    /// Rounds of 20 ms and a random delay, like those of a session, for `seconds`.
    fn run(estimate: &mut Estimate, origin: u64, skew: f64, seconds: i64, noise_micros: u64) -> LocalTime {
        let mut random = 1_u64;
        let mut now = LocalTime::ZERO;
        let mut noise = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Span::from_micros(i64::try_from((random >> 33) % (noise_micros + 1)).unwrap())
        };
        let mut rounds = 0;
        while now < after(seconds * 1_000) {
            let middle = now + Span::from_millis(10) + noise();
            let end = middle + Span::from_millis(10) + noise();
            estimate.observe(now, end, peer(origin, skew, middle));
            rounds += 1;
            now += if rounds < 8 { Span::from_micros(125_007) } else { Span::from_micros(1_250_013) };
        }
        now
    }

    /// How far off the map is, in microseconds, for the middle of the tick at `at`.
    fn error_micros(estimate: &Estimate, origin: u64, skew: f64, at: LocalTime) -> f64 {
        let ticks = peer(origin, skew, at);
        let instant = (f64_from_u64(ticks.count().wrapping_sub(origin)) + 0.5) * 1e-4 / (1.0 + skew);
        let mapped = estimate.map().unwrap().local(ticks.timestamp());
        (mapped.nanos_f64() * 1e-9 - instant) * 1e6
    }

    #[test]
    fn a_clock_is_found_within_its_quantum_after_a_second() {
        for origin in [0, u64::from(u32::MAX) - 5_000, u64::MAX - 5_000] {
            let mut estimate = Estimate::default();
            let now = run(&mut estimate, origin, 80e-6, 1, 0);
            let error = error_micros(&estimate, origin, 80e-6, now);
            assert!(error.abs() < 100.0, "{error}");
        }
    }

    #[test]
    fn drift_is_found_within_minutes_under_jitter() {
        for skew in [-100e-6, 0.0, 100e-6] {
            let mut estimate = Estimate::default();
            let now = run(&mut estimate, 12_345, skew, 180, 15_000);
            let error = error_micros(&estimate, 12_345, skew, now);
            let ppm = estimate.trips().skew_ppm;
            assert!(error.abs() < 1_500.0, "{error}");
            assert!((ppm - skew * 1e6).abs() < 30.0, "{ppm}");
        }
    }

    #[test]
    fn a_clock_that_was_set_is_followed_at_the_second_reading() {
        let mut estimate = Estimate::default();
        let now = run(&mut estimate, 0, 0.0, 30, 100);
        let set = 1 << 40;
        for step in 1..=2 {
            let at = now + Span::from_millis(step * 1_000);
            estimate.observe(at, at + Span::from_millis(20), peer(set, 0.0, at + Span::from_millis(10)));
        }
        let error = error_micros(&estimate, set, 0.0, now + Span::from_millis(3_000));
        assert!(error.abs() < 200.0, "{error}");
    }

    #[test]
    fn figures_are_of_the_trips() {
        let mut estimate = Estimate::default();
        assert_eq!(estimate.trips(), Trips::default());
        for trip in 1..=200 {
            let sent = after(trip * 1_000);
            estimate.observe(sent, sent + Span::from_millis(trip), peer(0, 0.0, sent));
        }
        let trips = estimate.trips();
        assert_eq!(
            (trips.least, trips.most, trips.last),
            (Span::from_millis(1), Span::from_millis(200), trips.most)
        );
        assert_eq!((trips.p99, trips.rounds), (Span::from_millis(198), 200));
        assert_eq!(trips.average, Span::from_micros(100_500));
        assert!((trips.jitter.millis_f64() - 1.0).abs() < 0.01);
    }

    #[test]
    fn a_hostile_clock_breaks_nothing() {
        let mut estimate = Estimate::default();
        let mut random = 7_u64;
        for step in 0..10_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            estimate.observe(after(step), after(step + 3), Ticks::from_count(random));
            let _ = estimate.map().unwrap().local(Ticks::from_count(random).timestamp());
        }
        assert!(estimate.trips().skew_ppm.is_finite());
    }
}
