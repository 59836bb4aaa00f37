//! Ours: the production target, loss meter and protection, on the bare arrivals of a path.
//!
//! The audio itself is left out, and the delay moves as a lane moves it: it glides by 0.1 %, and fades at once where a
//! tenth of what comes is late or the way is ten milliseconds.

use std::collections::VecDeque;

use lockstep_shared::jitter::{GLIDE_SLOPE, JitterPreset, JitterTarget, Urgency};
use lockstep_shared::redundancy::{LossMeter, Patience, Protection};
use lockstep_shared::time::convert::f64_from_usize;

use super::{Hop, Outcome, Tally};

/// A way of 10 ms is faded.
const FADED_FRAMES: f64 = 480.0;
/// Datagrams between two looks at the loss: half a second.
const WEIGH_EVERY: usize = 375;
/// A chunk is judged once no copy of it can come any more.
const JUDGED_AFTER: usize = 32;

/// The receiver at the end of one path or of two.
#[derive(Debug)]
pub struct Receiver {
    target: JitterTarget,
    urgency: Urgency,
    price_frames: f64,
    delay_frames: f64,
}

impl Receiver {
    /// One for whom a missing chunk costs so much.
    #[must_use]
    pub fn new(preset: JitterPreset, price_frames: f64) -> Self {
        let mut target = JitterTarget::new(0.0);
        target.set_preset(preset);
        Self { target, urgency: Urgency::default(), price_frames, delay_frames: 0.0 }
    }

    /// The delay in force.
    #[must_use]
    pub const fn delay_frames(&self) -> f64 {
        self.delay_frames
    }

    /// A chunk came so long after it was sent.
    pub fn observe(&mut self, lateness_frames: f64) {
        self.target.observe(lateness_frames);
        self.urgency.observe(lateness_frames > self.delay_frames);
    }

    /// The time of a chunk passes.
    pub fn step(&mut self, frames: f64) {
        let way = self.target.target_frames() - self.delay_frames;
        let most = GLIDE_SLOPE * frames;
        let is_faded = way >= FADED_FRAMES || way <= -FADED_FRAMES || self.urgency.is_urgent(way);
        self.delay_frames += if is_faded { way } else { way.clamp(-most, most) };
    }

    fn patience(&self, frames: f64) -> Patience {
        let spare = self.target.earliest_frames().map_or(0.0, |earliest| self.delay_frames - earliest);
        Patience { spare_frames: spare, late_cost_frames: self.price_frames, datagram_frames: frames }
    }
}

/// Plays what comes over `hops` (one path, or one to the relay and one from it), for somebody to whom a missing chunk costs
/// `price_frames` of delay; each hop is protected as it asks for.
#[must_use]
pub fn play(hops: &[&Hop], price_frames: f64, skip: usize) -> Outcome {
    let mut receiver = Receiver::new(JitterPreset::Priced(price_frames), price_frames);
    let mut tally = Tally::default();
    run(hops, &mut receiver, &mut |number, delay, is_concealed| {
        if number >= skip {
            tally.count(delay, is_concealed);
        }
    });
    tally.outcome()
}

/// Runs `receiver` along the hops; `judge` is told of each chunk the delay at which it was due, and whether it was missing.
pub fn run(hops: &[&Hop], receiver: &mut Receiver, judge: &mut dyn FnMut(usize, f64, bool)) {
    let block_frames = hops[0].block_frames;
    let mut links: Vec<Link> = hops.iter().map(|_| Link::default()).collect();
    // The delay at which each of the last chunks was due, and whether it has come in time.
    let mut due: VecDeque<(f64, bool)> = VecDeque::new();
    let count = hops.iter().map(|hop| hop.delays_frames.len()).min().unwrap_or(0);
    for number in 0..count {
        receiver.step(block_frames);
        due.push_back((receiver.delay_frames(), false));
        if due.len() > JUDGED_AFTER
            && let Some((delay, is_in_time)) = due.pop_front()
        {
            judge(number - JUDGED_AFTER, delay, !is_in_time);
        }
        // What this datagram brings, by how many datagrams ago each chunk was sent, and how long after that it came.
        let mut carried = vec![(0, 0.0)];
        for (hop, link) in hops.iter().zip(&mut links) {
            carried = link.pass(number, hop, &carried);
        }
        for (age, lateness) in carried {
            receiver.observe(lateness);
            let place = due.len().checked_sub(1 + age).and_then(|place| due.get_mut(place));
            if let Some((delay, is_in_time)) = place {
                *is_in_time |= lateness <= *delay;
            }
        }
        if number % WEIGH_EVERY == 0 {
            let patience = receiver.patience(block_frames);
            for link in &mut links {
                link.protection = Protection::wanted(&link.loss, &patience, link.protection);
            }
        }
    }
}

/// One hop: what it has lost, and what is sent again.
#[derive(Debug, Default)]
struct Link {
    loss: LossMeter,
    protection: Protection,
    /// What the last datagrams carried first, as (chunk, how long it had been under way).
    sent: VecDeque<Vec<(usize, f64)>>,
    /// Which of the last chunks have come.
    come: VecDeque<bool>,
}

impl Link {
    /// Sends chunks of these ages, each so long under way already, in one datagram with the copies that are asked for;
    /// returns what of it is new at the other end.
    fn pass(&mut self, number: usize, hop: &Hop, carried: &[(usize, f64)]) -> Vec<(usize, f64)> {
        self.come.push_front(false);
        self.come.truncate(2 * JUDGED_AFTER);
        let mut elements: Vec<(usize, f64)> = carried.to_vec();
        for copy in 1..=usize::from(self.protection.copies) {
            let age = copy * usize::from(self.protection.offset);
            let earlier = age.checked_sub(1).and_then(|place| self.sent.get(place));
            // It leaves with this datagram, whose own chunk says when that is.
            let leaves = carried.first().map_or(0.0, |(_, lateness)| *lateness);
            let waited = f64_from_usize(age) * hop.block_frames + leaves;
            elements.extend(earlier.into_iter().flatten().map(|(own, _)| (own + age, waited)));
        }
        self.sent.push_front(carried.to_vec());
        self.sent.truncate(JUDGED_AFTER);
        let Some(delay) = hop.delays_frames[number].filter(|_| !carried.is_empty()) else {
            return Vec::new();
        };
        self.loss.observe(u64::try_from(number).unwrap_or(u64::MAX));
        let mut fresh = Vec::new();
        for (age, lateness) in elements {
            if let Some(come) = self.come.get_mut(age)
                && !*come
            {
                *come = true;
                fresh.push((age, lateness + delay));
            }
        }
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Loss, PathPlan};

    fn losing(independent: f64) -> PathPlan {
        PathPlan { loss: Loss { independent, burst_begins: 0.0, burst_ends: 1.0 }, ..PathPlan::wired() }
    }

    #[test]
    fn one_lost_in_a_hundred_is_copied_and_the_rest_is_waited_for() {
        let hop = Hop::draw(&losing(0.01), 1, 64, 90_000);
        let outcome = play(&[&hop], 19_200.0, 20_000);
        assert!(outcome.concealed < 0.003, "{outcome:?}");
        assert!(outcome.delay_frames < 160.0, "{outcome:?}");
    }

    #[test]
    fn two_hops_take_as_long_as_both() {
        let hops = [1, 2].map(|seed| Hop::draw(&PathPlan::cable(), seed, 64, 90_000));
        let [one, other] = [0, 1].map(|hop| play(&[&hops[hop]], 19_200.0, 20_000));
        let both = play(&[&hops[0], &hops[1]], 19_200.0, 20_000);
        assert!(both.delay_frames < one.delay_frames + other.delay_frames, "{both:?} {one:?} {other:?}");
        assert!(both.delay_frames > one.delay_frames.max(other.delay_frames), "{both:?} {one:?} {other:?}");
    }
}
