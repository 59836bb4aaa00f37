//! Queues of whole blocks: of a fixed depth, and of one that is adapted by the drops that it sees.

use super::{Hop, Outcome, Tally};

/// A queue that plays every block so many blocks after the first one came, for ever.
#[must_use]
pub fn fixed(hop: &Hop, depth_blocks: f64, skip: usize) -> Outcome {
    let first = hop.delays_frames.iter().flatten().next().copied().unwrap_or(0.0);
    let due = first + depth_blocks * hop.block_frames;
    let mut tally = Tally::default();
    for delay in hop.delays_frames.iter().skip(skip) {
        tally.count(due, delay.is_none_or(|delay| delay > due));
    }
    tally.outcome()
}

/// Drops in a second that make the queue longer, the least time between two steps, and how long it must have been without a
/// drop to become shorter.
const DROPS_A_SECOND: f64 = 0.5;
const RAISE_AFTER_SECONDS: f64 = 0.5;
const LOWER_AFTER_SECONDS: f64 = 10.0;
/// Seconds over which drops are counted.
const WINDOW_SECONDS: f64 = 2.0;

/// A queue that starts at one block, takes another when more than one block in two seconds was missing, and gives one back
/// after ten seconds without.
#[must_use]
pub fn adaptive(hop: &Hop, skip: usize) -> Outcome {
    let block_seconds = hop.block_frames / super::RATE;
    let first = hop.delays_frames.iter().flatten().next().copied().unwrap_or(0.0);
    let (mut depth, mut drops_a_second) = (1.0_f64, 0.0_f64);
    let (mut since_step, mut since_drop) = (0.0_f64, 0.0_f64);
    let mut tally = Tally::default();
    for (number, delay) in hop.delays_frames.iter().enumerate() {
        let due = first + depth * hop.block_frames;
        let is_missing = delay.is_none_or(|delay| delay > due);
        drops_a_second *= 1.0 - block_seconds / WINDOW_SECONDS;
        (since_step, since_drop) = (since_step + block_seconds, since_drop + block_seconds);
        // What is lost is asked for again, and says nothing of the depth.
        if delay.is_some_and(|delay| delay > due) {
            drops_a_second += 1.0 / WINDOW_SECONDS;
            since_drop = 0.0;
        }
        if drops_a_second > DROPS_A_SECOND && since_step >= RAISE_AFTER_SECONDS {
            (depth, since_step, drops_a_second) = (depth + 1.0, 0.0, 0.0);
        } else if since_drop >= LOWER_AFTER_SECONDS && depth > 1.0 {
            (depth, since_step, since_drop) = (depth - 1.0, 0.0, 0.0);
        }
        if number >= skip {
            tally.count(due, is_missing);
        }
    }
    tally.outcome()
}
