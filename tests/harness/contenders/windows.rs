//! A buffer whose depth is chosen by simulated ones, as Jamulus' automatic jitter buffer is described.
//!
//! A window of consecutive blocks moves on by one at each tick of the reader. A block that comes before its place is in the
//! window pushes the window ahead; one that comes after its tick is lost. Ten such windows of 2 to 11 blocks run beside each
//! other on the real arrivals. The smallest whose reads failed rarely enough over the last quarter of a minute is the goal;
//! what is used follows it slowly, faster while it is far too small.

use lockstep_shared::time::convert::{f64_from_usize, usize_trunc};

use super::{Hop, Outcome, Tally};
use crate::rng::Rng;

const DEPTHS: core::ops::RangeInclusive<usize> = 2..=11;
const DEPTH_START: f64 = 6.0;
/// Failed reads that are allowed, of blocks of 128 frames; half of that of 64. The upper bound makes haste.
const FAILED_SHARE: f64 = 0.000_5;
const FAILED_SHARE_UPPER: f64 = 0.01;
const STATISTICS_SECONDS: f64 = 15.0;
/// Time constants: up, down, and both in haste.
const UP_SECONDS: f64 = 533.0;
const DOWN_SECONDS: f64 = 26.7;
const UP_FAST_SECONDS: f64 = 5.3;
const DOWN_FAST_SECONDS: f64 = 2.7;
const HYSTERESIS_BLOCKS: f64 = 0.1;

/// A window of `depth` blocks.
#[derive(Clone, Debug)]
struct Window {
    depth: usize,
    /// The block that is read at the next tick.
    next: i64,
    /// Blocks in the window, by number modulo its length.
    held: Vec<i64>,
    failed_share: f64,
}

const ROOM: usize = 32;

impl Window {
    fn new(depth: usize) -> Self {
        // A share that starts at zero would choose the smallest at once, whatever comes.
        Self { depth, next: i64::MIN, held: vec![i64::MIN; ROOM], failed_share: FAILED_SHARE }
    }

    fn put(&mut self, block: i64) {
        let depth = i64::try_from(self.depth).unwrap_or(0);
        if self.next == i64::MIN || block >= self.next + depth {
            self.next = block + 1 - depth;
        }
        if block >= self.next {
            self.held[place(block)] = block;
        }
    }

    /// The block of this tick, and whether it is there.
    fn read(&mut self, share: f64) -> Option<(i64, bool)> {
        if self.next == i64::MIN {
            return None;
        }
        let block = self.next;
        let is_there = self.held[place(block)] == block;
        self.next += 1;
        self.failed_share += (f64::from(u8::from(!is_there)) - self.failed_share) * share;
        Some((block, is_there))
    }

    /// More blocks wait longer, fewer less, at once.
    fn resize(&mut self, depth: usize) {
        let [old, new] = [self.depth, depth].map(|depth| i64::try_from(depth).unwrap_or(0));
        if self.next != i64::MIN {
            self.next += old - new;
        }
        self.depth = depth;
    }
}

fn place(block: i64) -> usize {
    usize::try_from(block.rem_euclid(32)).unwrap_or(0)
}

/// A block as the reader of a buffer has it: when it was read, and whether it was there.
#[derive(Clone, Copy, Debug)]
struct Read {
    block: i64,
    at_frames: f64,
    is_there: bool,
}

/// Runs the blocks that arrive at these times (in frames; none is lost) through a buffer and returns what each tick read.
fn buffer(arrivals: &[Option<f64>], block_frames: f64, rng: &mut Rng) -> Vec<Read> {
    let tick_seconds = block_frames / super::RATE;
    let allowed = if block_frames < 128.0 { 0.5 } else { 1.0 };
    let mut order: Vec<(f64, i64)> =
        (0_i64..).zip(arrivals).filter_map(|(block, at)| at.map(|at| (at, block))).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut simulated: Vec<Window> = DEPTHS.map(Window::new).collect();
    let (mut smooth, mut used) = (DEPTH_START, DEPTH_START);
    let mut window = Window::new(usize_trunc(DEPTH_START));
    let statistics = tick_seconds / STATISTICS_SECONDS;
    let phase = rng.unit() * block_frames;
    let (mut arrived, mut reads) = (0, Vec::new());
    for tick in 0..arrivals.len() {
        let now = phase + f64_from_usize(tick) * block_frames;
        while let Some((_, block)) = order.get(arrived).filter(|(at, _)| *at <= now) {
            simulated.iter_mut().for_each(|window| window.put(*block));
            window.put(*block);
            arrived += 1;
        }
        for window in &mut simulated {
            window.read(statistics);
        }
        if let Some((block, is_there)) = window.read(statistics) {
            reads.push(Read { block, at_frames: now, is_there });
        }
        let smallest = |share: f64| {
            let good = simulated.iter().find(|window| window.failed_share <= share * allowed);
            f64_from_usize(good.map_or(*DEPTHS.end(), |window| window.depth))
        };
        let (goal, urgent) = (smallest(FAILED_SHARE), smallest(FAILED_SHARE_UPPER));
        let starts = f64_from_usize(tick) * tick_seconds < STATISTICS_SECONDS;
        let is_fast = starts || smooth < urgent;
        let constant = match (goal > smooth, is_fast) {
            (true, true) => UP_FAST_SECONDS,
            (true, false) => UP_SECONDS,
            (false, true) => DOWN_FAST_SECONDS,
            (false, false) => DOWN_SECONDS,
        };
        smooth += (goal - smooth) * (tick_seconds / constant).min(1.0);
        if (smooth - used).abs() > 0.5 + HYSTERESIS_BLOCKS {
            used = smooth.round();
            window.resize(usize_trunc(used));
        }
    }
    reads
}

/// One buffer behind one path.
#[must_use]
pub fn one_hop(hop: &Hop, seed: u64, skip: usize) -> Outcome {
    let arrivals = arrivals(hop);
    let mut tally = Tally::default();
    for read in buffer(&arrivals, hop.block_frames, &mut Rng::new(seed)).iter().skip(skip) {
        tally.count(read.at_frames - sent(hop, read.block), !read.is_there);
    }
    tally.outcome()
}

/// A buffer at the server, which sends on at its own ticks, and one at the listener.
#[must_use]
pub fn two_hops(up: &Hop, down: &Hop, seed: u64, skip: usize) -> Outcome {
    let mut rng = Rng::new(seed);
    let at_server = buffer(&arrivals(up), up.block_frames, &mut rng);
    let onwards: Vec<Option<f64>> = at_server
        .iter()
        .zip(&down.delays_frames)
        .map(|(read, delay)| delay.map(|delay| read.at_frames + delay))
        .collect();
    let mut tally = Tally::default();
    for read in buffer(&onwards, up.block_frames, &mut rng).iter().skip(skip) {
        let Some(from_server) = usize::try_from(read.block).ok().and_then(|block| at_server.get(block))
        else {
            continue;
        };
        let is_there = read.is_there && from_server.is_there;
        tally.count(read.at_frames - sent(up, from_server.block), !is_there);
    }
    tally.outcome()
}

fn arrivals(hop: &Hop) -> Vec<Option<f64>> {
    let sent = |number| hop.sent_frames(number);
    hop.delays_frames
        .iter()
        .enumerate()
        .map(|(number, delay)| delay.map(|delay| sent(number) + delay))
        .collect()
}

fn sent(hop: &Hop, block: i64) -> f64 {
    lockstep_shared::time::convert::f64_from_i64(block) * hop.block_frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::PathPlan;

    #[test]
    fn a_clean_path_ends_at_the_smallest_window_and_a_bad_one_does_not() {
        let clean = Hop::draw(&PathPlan::clean(), 1, 64, 90_000);
        let outcome = one_hop(&clean, 1, 60_000);
        assert!(outcome.delay_frames < 128.0 && outcome.concealed < 0.001, "{outcome:?}");
        let wifi = one_hop(&Hop::draw(&PathPlan::wifi(), 1, 64, 90_000), 1, 60_000);
        assert!(wifi.delay_frames > 2.0 * outcome.delay_frames, "{wifi:?}");
    }
}
