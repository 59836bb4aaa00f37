//! What real networks cost: our delay against others' on the same traces, and what is missing where much is lost.
//!
//! The contenders' rows are about receivers alone ([`crate::contenders`]): the same datagrams, the same seeds. The rest is
//! the whole chain in the simulator, from plugin in to plugin out.

use core::sync::atomic::Ordering;

use lockstep_plugin::engine::{Controls, RoomMode};
use lockstep_shared::jitter::JitterPreset;
use lockstep_shared::time::convert::{f64_from_i64, f64_from_u64, f64_from_usize, usize_trunc};
use lockstep_shared::time::{GRID_RATE, LocalTime, Span};
use lockstep_shared::wire::Format;

use super::{Figure, Holds, Length};
use crate::clock::Crystal;
use crate::contenders::lockstep::{self, Receiver};
use crate::contenders::{Hop, Outcome, queue, windows};
use crate::daw::{Blocks, Daw, Punctuality, open_controls};
use crate::net::{Interval, Jitter, Loss, PathPlan};
use crate::oracle::Source;
use crate::rng::Rng;
use crate::world::{Audience, Heard, MemberPlan, World};

const CHUNK: i64 = 64;
/// Blocks of 64 frames a second.
const CHUNKS_A_SECOND: usize = 750;
/// What everybody has to find its depth; the slowest takes most of it.
const WARM_UP_SECONDS: usize = 60;
/// Where the search for a price ends: from 0.01 s to 1,000 s a missing chunk.
const PRICES_FRAMES: [f64; 2] = [480.0, 48_000_000.0];

/// A network and the goals on it.
struct Family {
    name: &'static str,
    plan: fn() -> PathPlan,
    one_hop: f64,
    end_to_end: [f64; 2],
    through_ms: f64,
}

const FAMILIES: [Family; 3] = [
    Family { name: "wired", plan: PathPlan::wired, one_hop: 1.3, end_to_end: [2.6, 4.3], through_ms: 5.0 },
    Family { name: "cable", plan: PathPlan::cable, one_hop: 2.4, end_to_end: [5.0, 9.0], through_ms: 8.5 },
    Family { name: "wifi", plan: PathPlan::wifi, one_hop: 2.0, end_to_end: [3.3, 6.0], through_ms: 12.0 },
];

/// All rows.
#[must_use]
pub fn network_figures(length: Length) -> Vec<Figure> {
    let mut rows = Vec::new();
    for family in &FAMILIES {
        rows.extend(one_hop(family, length));
        rows.extend(end_to_end(family, length));
        rows.extend(through(family, length));
    }
    rows.extend(adaptation());
    rows.extend(loss(length));
    rows
}

fn seeds(length: Length) -> core::ops::RangeInclusive<u64> {
    match length {
        Length::Quick => 1..=2,
        Length::Full => 1..=8,
    }
}

const fn chunks(length: Length) -> usize {
    match length {
        Length::Quick => 240 * CHUNKS_A_SECOND,
        Length::Full => 600 * CHUNKS_A_SECOND,
    }
}

fn mean(outcomes: &[Outcome]) -> Outcome {
    let count = f64_from_usize(outcomes.len());
    let sum = |of: fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / count;
    Outcome { delay_frames: sum(|outcome| outcome.delay_frames), concealed: sum(|outcome| outcome.concealed) }
}

/// Our least delay at which no more is missing than in `rival`.
fn as_whole_as(hops: &[&Hop], rival: &Outcome, skip: usize) -> Outcome {
    let [mut low, mut high] = PRICES_FRAMES.map(f64::ln);
    let mut best = lockstep::play(hops, high.exp(), skip);
    for _ in 0..9 {
        let middle = f64::midpoint(low, high);
        let outcome = lockstep::play(hops, middle.exp(), skip);
        if outcome.concealed <= rival.concealed {
            (best, high) = (outcome, middle);
        } else {
            low = middle;
        }
    }
    best
}

/// A row of how many times lower our delay is, and what both were.
fn ratio(name: String, goal: f64, rival: &[Outcome], ours: &[Outcome], seeds: &str) -> Figure {
    let (rival, ours) = (mean(rival), mean(ours));
    let ms = |outcome: &Outcome| outcome.delay_frames * 1_000.0 / f64::from(GRID_RATE);
    Figure {
        name,
        note: format!("{:.2}/{:.2} ms {:.3} % {seeds}", ms(&rival), ms(&ours), 100.0 * ours.concealed),
        goal,
        measured: rival.delay_frames / ours.delay_frames,
        holds: Holds::AtLeast,
        unit: "x",
    }
}

fn one_hop(family: &Family, length: Length) -> Vec<Figure> {
    let skip = WARM_UP_SECONDS * CHUNKS_A_SECOND;
    let mut pairs: [(Vec<Outcome>, Vec<Outcome>); 3] = Default::default();
    for seed in seeds(length) {
        let hop = Hop::draw(&(family.plan)(), seed, CHUNK, chunks(length));
        let by_windows = windows::one_hop(&hop, seed, skip);
        // The depth in whole blocks that comes nearest to what the windows conceal: somebody has found the best by hand.
        let fixed = (1_u8..=24)
            .map(|depth| queue::fixed(&hop, f64::from(depth), skip))
            .find(|outcome| outcome.concealed <= by_windows.concealed.max(0.003));
        let adaptive = queue::adaptive(&hop, skip);
        for (rival, (rivals, ours)) in [Some(by_windows), fixed, Some(adaptive)].into_iter().zip(&mut pairs) {
            if let Some(rival) = rival {
                ours.push(as_whole_as(&[&hop], &rival, skip));
                rivals.push(rival);
            }
        }
    }
    let seeds = format!("seeds 1-{}", seeds(length).end());
    let named = [("windows_64", family.one_hop), ("fixed_queue", 1.0), ("adaptive_queue", 1.0)];
    let rows = named.into_iter().zip(&pairs).filter(|(_, (rivals, _))| !rivals.is_empty());
    rows.map(|((what, goal), (rivals, ours))| {
        ratio(format!("network.one_hop.{}.{what}", family.name), goal, rivals, ours, &seeds)
    })
    .collect()
}

fn end_to_end(family: &Family, length: Length) -> Vec<Figure> {
    let blocks = [CHUNK, 2 * CHUNK];
    let rows = blocks.into_iter().zip(family.end_to_end).map(|(block, goal)| {
        let (mut rivals, mut ours) = (Vec::new(), Vec::new());
        for seed in seeds(length) {
            let draw = |block, way: u64| {
                let count =
                    chunks(length) * usize_trunc(f64_from_i64(CHUNK)) / usize_trunc(f64_from_i64(block));
                Hop::draw(&(family.plan)(), 100 * way + seed, block, count)
            };
            let skip = |block| {
                WARM_UP_SECONDS * CHUNKS_A_SECOND * usize_trunc(f64_from_i64(CHUNK))
                    / usize_trunc(f64_from_i64(block))
            };
            let rival = windows::two_hops(&draw(block, 1), &draw(block, 2), seed, skip(block));
            ours.push(as_whole_as(&[&draw(CHUNK, 1), &draw(CHUNK, 2)], &rival, skip(CHUNK)));
            rivals.push(rival);
        }
        let seeds = format!("seeds 1-{}", seeds(length).end());
        ratio(format!("network.end_to_end.{}.windows_{block}", family.name), goal, &rivals, &ours, &seeds)
    });
    rows.collect()
}

/// The delay that is shown while it plays, of member 1; how true it is, `bench sync` tells.
#[derive(Default)]
struct Shown {
    sum_ms: f64,
    blocks: f64,
}

impl Audience for Shown {
    fn hear(&mut self, heard: &Heard<'_>) {
        let shown = heard.gauges.lanes[0].delay_ms.load(Ordering::Relaxed);
        if heard.member == 1 && shown.is_finite() {
            self.sum_ms += shown;
            self.blocks += 1.0;
        }
    }
}

/// Two members with blocks of 64 frames, on crystals 80 ppm apart.
fn pair(seed: u64, paths: [PathPlan; 2], jitter: JitterPreset) -> World {
    let mut world = World::new(seed, Crystal::thermal(10.0), 4);
    for (player, ppm) in [(0_u64, 40.0), (1, -40.0)] {
        world.add(MemberPlan {
            daw: Daw {
                controls: Controls { jitter, ..open_controls(RoomMode::Stems) },
                blocks: Blocks::Fixed(64),
                crystal: Crystal { ppm, ..Crystal::PERFECT },
                punctuality: Punctuality::Usual,
                ..Daw::perfect(Source::Noise { player }, 64)
            },
            crystal: Crystal::thermal(-ppm),
            up: if player == 0 { paths[0].clone() } else { PathPlan::clean() },
            down: if player == 1 { paths[1].clone() } else { PathPlan::clean() },
            format: Format::Pcm16,
            starts: LocalTime::ZERO,
        });
    }
    world
}

/// From plugin in to plugin out beyond the length of both paths, and what that leaves missing.
fn through(family: &Family, length: Length) -> Vec<Figure> {
    let presets = [("", JitterPreset::Default), (".tight", JitterPreset::Tight)];
    presets.into_iter().map(|(name, preset)| through_by(family, name, preset, length)).collect()
}

fn through_by(family: &Family, name: &str, preset: JitterPreset, length: Length) -> Figure {
    let seconds = if length == Length::Quick { 120 } else { 600 };
    let plan = (family.plan)();
    let mut world = pair(1, [plan.clone(), plan.clone()], preset);
    world.run(Span::from_millis(30_000), &mut Shown::default());
    let (mut shown, before) = (Shown::default(), counted(&world));
    world.run(Span::from_millis(seconds * 1_000), &mut shown);
    Figure {
        name: format!("network.through.{}{name}", family.name),
        note: format!("seed 1, {seconds} s, {:.2} % filled in", 100.0 * concealed_since(before, &world)),
        goal: family.through_ms,
        measured: shown.sum_ms / shown.blocks - 2.0 * plan.base.millis_f64(),
        holds: Holds::AtMost,
        unit: "ms",
    }
}

/// From wired to Wi-Fi and back, two minutes each.
fn adaptation() -> Vec<Figure> {
    let level = 120 * CHUNKS_A_SECOND;
    let parts = [PathPlan::wired(), PathPlan::wifi(), PathPlan::wired()];
    let mut hop = Hop { block_frames: f64_from_i64(CHUNK), delays_frames: Vec::new() };
    for (seed, plan) in (1..).zip(&parts) {
        hop.delays_frames.extend(Hop::draw(plan, seed, CHUNK, level).delays_frames);
    }
    let mut receiver = Receiver::new(JitterPreset::Default, 19_200.0);
    let (mut delays, mut missing) = (Vec::new(), Vec::new());
    lockstep::run(&[&hop], &mut receiver, &mut |_, delay, is_missing| {
        delays.push(delay);
        missing.push(is_missing);
    });
    let share =
        |of: &[bool]| f64_from_usize(of.iter().filter(|is| **is).count()) / f64_from_usize(of.len().max(1));
    let last = |number: usize| {
        let end = ((number + 1) * level).min(delays.len());
        end - level / 2..end
    };
    // Up: when no more is missing in the two seconds from then on than twice what that level costs in its last minute.
    let usual = share(&missing[last(1)]);
    let two_seconds = missing[level..2 * level].windows(2 * CHUNKS_A_SECOND);
    let up = two_seconds.map(share).position(|share| share <= 2.0 * usual);
    // Down: when the delay is what that level takes in its last minute, and a tenth more.
    let settled = delays[last(2)].iter().sum::<f64>() / f64_from_usize(last(2).len());
    let down = delays[2 * level..].iter().position(|delay| *delay <= 1.1 * settled);
    let seconds =
        |chunks: Option<usize>| chunks.map_or(f64::INFINITY, |chunks| f64_from_usize(chunks) / 750.0);
    let glides = delays.windows(2).map(|pair| (pair[1] - pair[0]).abs() / f64_from_i64(CHUNK));
    // What is faded leaps by a frame and more.
    let steepest = glides.filter(|slope| *slope < 1.0 / f64_from_i64(CHUNK)).fold(0.0, f64::max);
    let row = |what: &str, goal, measured, unit| Figure {
        name: format!("network.adapts.{what}"),
        note: "wired, wifi, wired; seed 1".into(),
        goal,
        measured,
        holds: Holds::AtMost,
        unit,
    };
    vec![
        row("up", 0.5, seconds(up), "s"),
        row("down", 10.0, seconds(down), "s"),
        row("glide", 0.4, 100.0 * steepest, "%"),
    ]
}

/// Chunks that member 1 has played, and filled in.
fn counted(world: &World) -> [f64; 2] {
    let lane = &world.members[1].gauges.lanes[0];
    [&lane.present, &lane.concealed].map(|count| f64_from_u64(count.load(Ordering::Relaxed)))
}

fn concealed_since(before: [f64; 2], world: &World) -> f64 {
    let after = counted(world);
    let [present, concealed] = [after[0] - before[0], after[1] - before[1]];
    concealed / (present + concealed)
}

/// What is missing of what member 1 hears, after loss has been noticed, where gaps are what must not be.
fn concealed_share(up: PathPlan, length: Length) -> (f64, f64) {
    let seconds = if length == Length::Quick { 60 } else { 570 };
    let mut world = pair(1, [up, PathPlan::clean()], JitterPreset::Recording);
    world.run(Span::from_millis(30_000), &mut Shown::default());
    let before = counted(&world);
    world.run(Span::from_millis(seconds * 1_000), &mut Shown::default());
    (concealed_since(before, &world), f64_from_i64(seconds))
}

fn loss(length: Length) -> Vec<Figure> {
    let losing = |independent| PathPlan {
        loss: Loss { independent, burst_begins: 0.0, burst_ends: 1.0 },
        jitter: Jitter::Exponential(Span::from_micros(80)),
        ..PathPlan::clean()
    };
    let row = |what: &str, goal, share: (f64, f64), of: f64| Figure {
        name: format!("network.concealed.{what}"),
        note: format!("seed 1, {:.0} s, Recording", share.1),
        goal,
        measured: 100.0 * share.0 / of,
        holds: Holds::AtMost,
        unit: "%",
    };
    // Four datagrams in a row, five times a second: an outage of four chunks' length, at a random time.
    let mut rng = Rng::new(1);
    let mut bursts = losing(0.0);
    let (mut at, row_of_four) = (0.0, 4.0 * 64.0 / f64::from(GRID_RATE));
    while at < 640.0 {
        at += rng.between(0.05, 0.35);
        let from = LocalTime::ZERO + Span::from_secs_f64(at);
        bursts.outages.push(Interval::new(from, Span::from_secs_f64(row_of_four)));
    }
    let unprotected = 5.0 * row_of_four;
    vec![
        row("one_in_100", 0.02, concealed_share(losing(0.01), length), 1.0),
        row("one_in_20", 0.03, concealed_share(losing(0.05), length), 1.0),
        row("four_in_a_row_of_what_is_lost", 10.0, concealed_share(bursts, length), unprotected),
    ]
}
