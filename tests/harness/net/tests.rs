//! Paths by themselves.

use lockstep_shared::time::convert::{f64_from_u64, f64_from_usize};
use lockstep_shared::time::{LocalTime, Span};

use super::*;
use crate::rng::Rng;

const DATAGRAMS: i64 = 60_000;

fn delays_ms(plan: PathPlan, seed: u64) -> Vec<f64> {
    let mut path = Path::new(plan, Rng::new(seed));
    let sent = (0..DATAGRAMS).map(|index| LocalTime::ZERO + Span::from_millis(index * 10));
    sent.flat_map(|at| path.send(at, 300).into_iter().map(move |arrives| (arrives - at).millis_f64()))
        .collect()
}

fn lost_share(plan: PathPlan) -> f64 {
    let arrived: usize = (1..=4).map(|seed| delays_ms(plan.clone(), seed).len()).sum();
    1.0 - f64_from_usize(arrived) / f64_from_usize(4 * 60_000)
}

/// Beyond the base, which shares of all datagrams stay below, in milliseconds.
fn quantiles_ms<const N: usize>(plan: PathPlan, shares: [f64; N]) -> [f64; N] {
    let base = plan.base.millis_f64();
    let mut delays: Vec<f64> = (1..=4).flat_map(|seed| delays_ms(plan.clone(), seed)).collect();
    delays.sort_by(f64::total_cmp);
    let count = f64_from_usize(delays.len());
    shares.map(|share| delays[lockstep_shared::time::convert::usize_trunc(share * count)] - base)
}

#[test]
fn a_clean_path_is_a_constant() {
    assert!(delays_ms(PathPlan::clean(), 1).iter().all(|delay| (delay - 15.0).abs() < 1e-9));
}

#[test]
fn a_seed_repeats_itself() {
    assert_eq!(delays_ms(PathPlan::wifi(), 3), delays_ms(PathPlan::wifi(), 3));
    assert_ne!(delays_ms(PathPlan::wifi(), 3), delays_ms(PathPlan::wifi(), 4));
}

#[test]
fn families_repeat_the_accidents_that_figures_stand_on() {
    let digest = |plan: PathPlan, seed| {
        let mut path = Path::new(plan, Rng::new(seed));
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for index in 0..20_000 {
            let Deliveries { first, second } =
                path.send(LocalTime::ZERO + Span::from_micros(index * 1_333), 300);
            for time in [first, second] {
                let nanos = time.map_or(-1, LocalTime::nanos);
                hash = (hash ^ nanos.unsigned_abs()).wrapping_mul(0x0100_0000_01b3);
            }
        }
        hash
    };
    let digests = |plan: PathPlan| [1, 42].map(|seed| digest(plan.clone(), seed));
    assert_eq!(digests(PathPlan::wired()), [0x78dc_9117_a24d_e34c, 0xcd52_1edf_396f_abbd]);
    assert_eq!(digests(PathPlan::cable()), [0x497a_c691_be47_a3c6, 0x9203_0b63_cac7_4406]);
    assert_eq!(digests(PathPlan::wifi()), [0xdf63_4fce_d319_3e95, 0xd5f8_7b15_b081_2ec4]);
    let free = PathPlan { order: Order::Free, duplication: 0.1, ..PathPlan::wifi() };
    assert_eq!(digest(free, 7), 0xa812_b3e8_6ced_89aa);
}

#[test]
fn families_lose_what_they_are_said_to_lose() {
    assert!((lost_share(PathPlan::wired()) - 0.000_2).abs() < 0.000_1);
    assert!((lost_share(PathPlan::cable()) - 0.002_2).abs() < 0.000_6);
    assert!((lost_share(PathPlan::wifi()) - 0.007).abs() < 0.001_2);
    assert!((lost_share(PathPlan::lte()) - 0.001).abs() < 0.000_4);
    assert!((lost_share(PathPlan::hotel()) - 0.02).abs() < 0.002);
}

#[test]
fn the_roughest_families_delay_as_they_are_said_to() {
    let near = |measured: f64, said: f64| (measured / said - 1.0).abs() < 0.15;
    let [half, nine_tenths, most] = quantiles_ms(PathPlan::hotel(), [0.5, 0.9, 0.99]);
    assert!(near(half, 1.4) && near(nine_tenths, 6.5) && near(most, 48.0), "{half} {nine_tenths} {most}");
    let [half, nine_tenths, most] = quantiles_ms(PathPlan::lte(), [0.5, 0.9, 0.99]);
    assert!(near(half, 1.4) && near(nine_tenths, 4.1) && near(most, 9.0), "{half} {nine_tenths} {most}");
}

#[test]
fn bursts_of_loss_have_their_share_and_their_length() {
    for (share, mean) in [(0.005, 2.0), (0.02, 3.0), (0.01, 1.0)] {
        let plan = PathPlan { loss: Loss::in_bursts(share, mean), ..PathPlan::clean() };
        let (mut lost, mut bursts, mut inside) = (0_u64, 0_u64, false);
        let mut path = Path::new(plan, Rng::new(11));
        const COUNT: i64 = 1_000_000;
        for index in 0..COUNT {
            let is_lost = path.send(LocalTime::ZERO + Span::from_millis(index), 300).first.is_none();
            lost += u64::from(is_lost);
            bursts += u64::from(is_lost && !inside);
            inside = is_lost;
        }
        assert_eq!(path.counts().lost, lost);
        let measured = f64_from_u64(lost) / 1e6;
        assert!((measured / share - 1.0).abs() < 0.05, "{share}: {measured}");
        let length = f64_from_u64(lost) / f64_from_u64(bursts);
        assert!((length / mean - 1.0).abs() < 0.05, "{mean}: {length}");
    }
}

#[test]
fn jitter_has_its_distribution() {
    let around = PathPlan {
        base: Span::from_millis(20),
        jitter: Jitter::Normal(Span::from_millis(8)),
        order: Order::Free,
        ..PathPlan::clean()
    };
    let [low, half, high] = quantiles_ms(around, [0.158_7, 0.5, 0.841_3]);
    assert!((low + 8.0).abs() < 0.2 && half.abs() < 0.2 && (high - 8.0).abs() < 0.2, "{low} {half} {high}");
    let above = PathPlan {
        jitter: Jitter::Exponential(Span::from_millis(3)),
        order: Order::Free,
        ..PathPlan::clean()
    };
    let [half, most] = quantiles_ms(above, [0.5, 0.99]);
    assert!((half - 3.0 * 2.0_f64.ln()).abs() < 0.1 && (most - 3.0 * 100.0_f64.ln()).abs() < 0.3);
}

#[test]
fn a_detour_lasts_as_long_as_planned() {
    let during = Interval::new(LocalTime::from_nanos(1_000_000_000), Span::from_millis(2_000));
    let delays = delays_ms(PathPlan::clean().route_change(during, Span::from_millis(-3)), 1);
    let short = delays.iter().filter(|delay| (**delay - 12.0).abs() < 1e-9).count();
    assert_eq!(short, 200);
}

#[test]
fn a_bottleneck_queues_and_then_drops() {
    let bottleneck = Bottleneck { bytes_per_second: 20_000.0, queue: Span::from_millis(100) };
    let plan = PathPlan { bottleneck: Some(bottleneck), ..PathPlan::clean() };
    let delays = delays_ms(plan, 1);
    assert!(delays.iter().all(|delay| *delay <= 115.001));
    // 30,000 bytes a second meet a link of 20,000: a third is dropped.
    let share = f64_from_usize(delays.len()) / 60_000.0;
    assert!((share - 2.0 / 3.0).abs() < 0.01, "{share}");
}

#[test]
fn order_is_kept_or_not_as_planned() {
    let swaps = |order| {
        let jitter = Jitter::Exponential(Span::from_millis(20));
        let plan = PathPlan { order, jitter, duplication: 0.1, ..PathPlan::clean() };
        let mut path = Path::new(plan, Rng::new(5));
        let arrivals: Vec<_> = (0..2_000)
            .flat_map(|index| path.send(LocalTime::ZERO + Span::from_millis(index * 10), 300))
            .collect();
        assert!(arrivals.len() > 2_100);
        let swaps = arrivals.windows(2).filter(|pair| pair[1] < pair[0]).count();
        (swaps, path.counts())
    };
    let (kept, counts) = swaps(Order::Kept);
    assert_eq!((kept, counts.overtook, counts.received), (0, 0, 2_000));
    let (free, counts) = swaps(Order::Free);
    assert!(free > 100 && counts.overtook > 100 && counts.duplicated > 100, "{free} {counts:?}");
}
