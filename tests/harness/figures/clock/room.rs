//! Figures of the room clock.

use lockstep_shared::clock::{RoomClock, RoomMap};
use lockstep_shared::time::{LocalTime, Span};

use super::rivals::{ClockExchange, LinkLike, Rival};
use super::trace::{Family, Sample, Trace};
use super::{Length, at_least, at_most, percentile};
use crate::figures::Figure;

const SEEDS: core::ops::RangeInclusive<u64> = 1..=4;
/// Errors count from here on: locking has its own figure.
const SETTLED: Span = Span::from_millis(1_000);

/// What one trace showed: every error once settled, the skew errors at three instants, and when there was a map.
struct Run {
    errors_us: Vec<f64>,
    skew_errors_ppm: [f64; 3],
    locked_ms: f64,
}

const SKEW_AT: [Span; 3] = [Span::from_millis(10_000), Span::from_millis(20_000), Span::from_millis(60_000)];
const SKEW_GOALS_PPM: [f64; 3] = [5.0, 1.0, 0.3];

pub(super) fn figures(length: Length) -> Vec<Figure> {
    let run_length = match length {
        Length::Quick => Span::from_millis(600_000),
        Length::Full => Span::from_millis(1_800_000),
    };
    let mut figures = Vec::new();
    let clean = measure(&mut Trace::run(Family::Clean, 1, run_length));
    let largest = clean.errors_us.iter().copied().fold(0.0, f64::max);
    figures.push(at_most("clock.clean.largest".into(), "seed 1".into(), 0.1, largest, "us"));
    for family in Family::STATIONARY.into_iter().chain(Family::EVENTFUL) {
        figures.extend(of_family(family, run_length));
    }
    for (minutes, goal) in [(1, 20.0), (10, 200.0)] {
        for family in Family::STATIONARY {
            figures.push(holdover(family, minutes, goal));
        }
    }
    figures
}

fn of_family(family: Family, length: Span) -> Vec<Figure> {
    let is_stationary = Family::STATIONARY.contains(&family);
    let (goal, link_goal) = match (family, is_stationary) {
        (Family::Wifi, _) => (100.0, 10.0),
        (_, true) => (50.0, 10.0),
        (_, false) => (100.0, 100.0),
    };
    let mut figures = Vec::new();
    let mut worst_skews = [0.0_f64; 3];
    let mut worst_lock = 0.0_f64;
    for seed in SEEDS {
        let note = || format!("seed {seed}");
        let mut trace = Trace::run(family, seed, length);
        let mut run = measure(&mut trace);
        let ours = percentile(&mut run.errors_us, 0.99);
        let link = rival_p99(&trace, &mut LinkLike::default());
        let exchange = rival_p99(&trace, &mut ClockExchange::default());
        let name = |what: &str| format!("clock.{}.{what}", family.name());
        figures.push(at_most(name("p99"), note(), goal, ours, "us"));
        figures.push(at_least(
            name("link_like_ratio"),
            format!("seed {seed}, {link:.0} us"),
            link_goal,
            link / ours,
            "x",
        ));
        let exchange_note = format!("seed {seed}, {exchange:.0} us");
        figures.push(at_least(name("ck_10_s_ratio"), exchange_note, 10.0, exchange / ours, "x"));
        for (worst, skew) in worst_skews.iter_mut().zip(run.skew_errors_ppm) {
            *worst = worst.max(skew);
        }
        worst_lock = worst_lock.max(run.locked_ms);
    }
    if is_stationary {
        let note = || String::from("worst of seeds 1-4");
        figures.push(at_most(format!("clock.{}.locked", family.name()), note(), 300.0, worst_lock, "ms"));
        for ((at, goal), worst) in SKEW_AT.into_iter().zip(SKEW_GOALS_PPM).zip(worst_skews) {
            let name = format!("clock.{}.skew_at_{:.0}_s", family.name(), at.secs_f64());
            figures.push(at_most(name, note(), goal, worst, "ppm"));
        }
    }
    figures
}

fn measure(trace: &mut Trace) -> Run {
    let mut clock = RoomClock::new(LocalTime::ZERO);
    let mut run =
        Run { errors_us: Vec::new(), skew_errors_ppm: [f64::INFINITY; 3], locked_ms: f64::INFINITY };
    let Some(first) = trace.samples.first().map(|sample| sample.truth) else { return run };
    for index in 0..trace.samples.len() {
        let sample = trace.samples[index];
        clock.observe(&sample.exchange);
        let since = sample.truth - first;
        let Some(map) = clock.map(sample.exchange.received) else { continue };
        run.locked_ms = run.locked_ms.min(since.millis_f64());
        for (at, error) in SKEW_AT.into_iter().zip(&mut run.skew_errors_ppm) {
            if since >= at && error.is_infinite() {
                *error = (map.skew_ppm() + trace.host.ppm(sample.truth)).abs();
            }
        }
        if since >= SETTLED {
            run.errors_us.push(error_us(&map, &sample).abs());
        }
    }
    run
}

/// The relay falls silent after five minutes; the error at the end of the silence.
fn holdover(family: Family, minutes: i64, goal: f64) -> Figure {
    let silence = Span::from_millis(minutes * 60_000);
    let heard = Span::from_millis(300_000);
    let worst = SEEDS
        .map(|seed| {
            let trace = Trace::run(family, seed, heard + silence + Span::from_millis(1_000));
            let mut clock = RoomClock::new(LocalTime::ZERO);
            for sample in trace.samples.iter().filter(|sample| sample.truth - LocalTime::ZERO < heard) {
                clock.observe(&sample.exchange);
            }
            let back = trace.samples.iter().find(|sample| sample.truth - LocalTime::ZERO >= heard + silence);
            back.and_then(|sample| {
                clock.map(sample.exchange.received).map(|map| error_us(&map, sample).abs())
            })
            .unwrap_or(f64::INFINITY)
        })
        .fold(0.0, f64::max);
    let name = format!("clock.{}.after_{}_s_of_silence", family.name(), minutes * 60);
    at_most(name, "worst of seeds 1-4".into(), goal, worst, "us")
}

fn rival_p99(trace: &Trace, rival: &mut impl Rival) -> f64 {
    let mut errors_us = Vec::new();
    for sample in &trace.samples {
        rival.observe(&sample.exchange);
        if let Some(grid) = rival.grid(sample.exchange.received) {
            errors_us.push(Trace::error_us(grid, sample).abs());
        }
    }
    percentile(&mut errors_us, 0.99)
}

fn error_us(map: &RoomMap, sample: &Sample) -> f64 {
    Trace::error_us(map.grid(sample.exchange.received), sample)
}
