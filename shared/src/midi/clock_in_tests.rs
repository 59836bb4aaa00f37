//! A clock is measured through jitter, lost and doubled ticks, and changes of tempo.

use super::{ClockIn, Realtime, SongPosition};
use crate::time::convert::{f64_from_i64, f64_from_u64, i64_round};
use crate::time::{LocalTime, Span};

/// A sender whose ticks come late by chance.
struct Sender {
    clock: ClockIn,
    /// Undisturbed nanoseconds.
    now: f64,
    bpm: f64,
    jitter_nanos: f64,
    chance: u64,
    sent: i64,
}

impl Sender {
    fn started(bpm: f64, jitter_ms: f64) -> Self {
        let mut sender = Self {
            clock: ClockIn::default(),
            now: 1e9,
            bpm,
            jitter_nanos: jitter_ms * 1e6,
            chance: 7,
            sent: 0,
        };
        sender.clock.handle(sender.time(), Realtime::Start);
        sender
    }

    fn time(&self) -> LocalTime {
        LocalTime::from_nanos(i64_round(self.now))
    }

    fn unit(&mut self) -> f64 {
        self.chance =
            self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64_from_u64(self.chance >> 40) / f64_from_u64(1 << 24)
    }

    fn late(&mut self) -> LocalTime {
        let by = self.unit() * self.jitter_nanos;
        self.time() + Span::from_nanos(i64_round(by))
    }

    /// `ticks` ticks, of which every `copies` entry says how often it arrives.
    fn tick(&mut self, copies: usize) {
        self.now += if self.sent == 0 { 2e6 } else { 60e9 / (self.bpm * 24.0) };
        self.sent += 1;
        for _ in 0..copies {
            let at = self.late();
            self.clock.handle(at, Realtime::Clock);
        }
    }

    fn ticks(&mut self, count: u32) {
        for _ in 0..count {
            self.tick(1);
        }
    }

    /// How far the reading at the last tick is from the truth, in milliseconds.
    fn error_ms(&self) -> f64 {
        let reading = self.clock.reading(self.time()).unwrap();
        let truth = f64_from_i64(self.sent - 1) / 24.0;
        (reading.quarters - truth) * 60_000.0 / self.bpm
    }

    fn bpm_read(&self) -> f64 {
        self.clock.reading(self.time()).unwrap().bpm
    }
}

#[test]
fn an_even_clock_is_read_at_once_and_exactly() {
    let mut sender = Sender::started(132.0, 0.0);
    sender.ticks(6);
    assert!((sender.bpm_read() - 132.0).abs() < 0.001);
    assert!(sender.error_ms().abs() < 0.001);
    let between = sender.time() + Span::from_millis(7);
    let reading = sender.clock.reading(between).unwrap();
    assert!((reading.quarters - (5.0 / 24.0 + 0.007 * 132.0 / 60.0)).abs() < 1e-6);
    assert!(reading.playing);
}

#[test]
fn jitter_of_several_milliseconds_is_averaged_away() {
    let mut sender = Sender::started(120.0, 6.0);
    sender.ticks(24 * 16);
    let mut worst = 0.0_f64;
    for _ in 0..24 * 200 {
        sender.tick(1);
        // Ticks come 0 to 6 ms late, 3 on average, which no estimator can know.
        worst = worst.max((sender.error_ms() + 3.0).abs());
        assert!((sender.bpm_read() - 120.0).abs() < 0.5, "{}", sender.bpm_read());
    }
    assert!(worst < 1.5, "{worst} ms");
    let counters = sender.clock.counters();
    assert_eq!((counters.lost, counters.doubled), (0, 0));
    assert!(counters.restarts <= 1, "{counters:?}");
}

#[test]
fn lost_and_doubled_ticks_are_counted_and_the_position_holds() {
    let mut sender = Sender::started(120.0, 3.0);
    sender.ticks(100);
    for round in 0..40 {
        sender.tick(if round % 2 == 0 { 0 } else { 2 });
        sender.ticks(24);
    }
    // Two neighbours lost.
    sender.tick(0);
    sender.tick(0);
    sender.ticks(24);
    assert!((sender.error_ms() + 1.5).abs() < 1.5, "{} ms", sender.error_ms());
    let counters = sender.clock.counters();
    assert_eq!((counters.lost, counters.doubled), (22, 20));
}

#[test]
fn tempo_may_step_by_any_factor_without_losing_count() {
    for (from, to) in [(120.0, 121.0), (120.0, 150.0), (60.0, 180.0), (200.0, 70.0), (100.0, 200.0)] {
        let mut sender = Sender::started(from, 1.0);
        sender.ticks(24 * 8);
        sender.bpm = to;
        sender.ticks(24 * 4);
        assert!((sender.bpm_read() / to - 1.0).abs() < 0.005, "{from} to {to}: {}", sender.bpm_read());
        assert!((sender.error_ms() + 0.5).abs() < 1.5, "{from} to {to}: {} ms", sender.error_ms());
        assert_eq!(sender.clock.counters().lost + sender.clock.counters().doubled, 0, "{from} to {to}");
    }
}

#[test]
fn transport_moves_the_position_as_midi_says() {
    let mut sender = Sender::started(120.0, 0.0);
    sender.ticks(49);
    assert!((sender.clock.reading(sender.time()).unwrap().quarters - 2.0).abs() < 1e-9);
    sender.clock.handle(sender.time(), Realtime::Stop);
    let stopped = sender.clock.reading(sender.time() + Span::from_millis(400)).unwrap();
    assert!(!stopped.playing);
    // The clock runs on while stopped, and moves nothing.
    sender.ticks(24);
    let position = SongPosition::new(64).unwrap();
    sender.clock.handle(sender.time(), Realtime::SongPosition(position));
    sender.clock.handle(sender.time(), Realtime::Continue);
    assert!((sender.clock.reading(sender.time()).unwrap().quarters - 16.0).abs() < 1e-9);
    sender.tick(1);
    let downbeat = sender.clock.reading(sender.time()).unwrap();
    assert!(downbeat.playing && (downbeat.quarters - 16.0).abs() < 1e-6, "{downbeat:?}");
}

#[test]
fn a_clock_that_stays_away_stops_and_a_single_tick_says_nothing() {
    let mut sender = Sender::started(120.0, 0.0);
    assert_eq!(sender.clock.reading(sender.time()), None);
    sender.ticks(1);
    assert_eq!(sender.clock.reading(sender.time()), None);
    sender.ticks(48);
    let gone = sender.clock.reading(sender.time() + Span::from_millis(2_000)).unwrap();
    assert!(!gone.playing && gone.confidence.abs() < f64::EPSILON);
    assert!((gone.quarters - 3.0).abs() < 0.01, "held a quarter note after the last tick: {gone:?}");
}

#[test]
fn confidence_rises_with_ticks_and_falls_with_jitter() {
    let confidence = |ticks, jitter| {
        let mut sender = Sender::started(120.0, jitter);
        sender.ticks(ticks);
        sender.clock.reading(sender.time()).unwrap().confidence
    };
    assert!(confidence(4, 0.0) < 0.1);
    assert!(confidence(200, 0.0) > 0.98);
    assert!(confidence(200, 10.0) < 0.9);
}

#[test]
fn ticks_that_only_a_journal_tells_keep_the_position_even_the_downbeat() {
    let tick = Span::from_millis(20);
    let mut clock = ClockIn::default();
    let mut now = LocalTime::from_nanos(1_000_000_000);
    for _ in 0..48 {
        clock.handle(now, Realtime::Clock);
        now += tick;
    }
    clock.handle(now, Realtime::Start);
    // The downbeat and a run of four later on never arrive.
    for number in 0..200 {
        if number == 0 || (100..104).contains(&number) {
            clock.count_tick();
        } else {
            clock.handle(now, Realtime::Clock);
        }
        now += tick;
    }
    let reading = clock.reading(now - tick).expect("a line");
    assert!((reading.quarters - 199.0 / 24.0).abs() < 0.001, "{reading:?}");
    assert_eq!((clock.counters().lost, clock.counters().doubled, clock.counters().restarts), (0, 0, 0));
}
