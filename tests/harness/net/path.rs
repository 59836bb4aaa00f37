//! What a path does to each datagram.

use lockstep_shared::time::convert::f64_from_usize;
use lockstep_shared::time::{LocalTime, Span};

use super::{Detour, Jitter, Order, PathPlan, Spikes};
use crate::rng::Rng;

/// When a datagram arrives: never, once or twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// The datagram.
    pub first: Option<LocalTime>,
    /// Its duplicate.
    pub second: Option<LocalTime>,
}

impl IntoIterator for Deliveries {
    type Item = LocalTime;
    type IntoIter = core::iter::Flatten<core::array::IntoIter<Option<LocalTime>, 2>>;

    fn into_iter(self) -> Self::IntoIter {
        [self.first, self.second].into_iter().flatten()
    }
}

/// What became of the datagrams of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sent into it.
    pub received: u64,
    /// Lost: to chance, or to an outage.
    pub lost: u64,
    /// Dropped, for the bottleneck's queue was full.
    pub queue_dropped: u64,
    /// Delivered twice.
    pub duplicated: u64,
    /// Delivered before one that was sent earlier.
    pub overtook: u64,
}

/// One direction of a path.
#[derive(Clone, Debug)]
pub struct Path {
    plan: PathPlan,
    rng: Rng,
    now: LocalTime,
    queued_seconds: f64,
    next_burst: LocalTime,
    next_spike: LocalTime,
    loss_burst: LossBurst,
    /// The latest delivery so far.
    latest: LocalTime,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LossBurst {
    Outside,
    Inside,
}

impl core::ops::Add for Counts {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            lost: self.lost + other.lost,
            queue_dropped: self.queue_dropped + other.queue_dropped,
            duplicated: self.duplicated + other.duplicated,
            overtook: self.overtook + other.overtook,
        }
    }
}

impl Path {
    const SPIKE_SHAPE: f64 = 1.6;

    /// A path that behaves as planned, with the accidents of `rng`.
    #[must_use]
    pub fn new(plan: PathPlan, mut rng: Rng) -> Self {
        let next_burst = arrival(&mut rng, LocalTime::ZERO, plan.bursts.per_second);
        let next_spike = arrival(&mut rng, LocalTime::ZERO, plan.spikes.per_second);
        Self {
            plan,
            rng,
            now: LocalTime::ZERO,
            queued_seconds: 0.0,
            next_burst,
            next_spike,
            loss_burst: LossBurst::Outside,
            latest: LocalTime::ZERO,
            counts: Counts::default(),
        }
    }

    /// Sends a packet of `bytes`, headers and all, at `now` and returns when they arrive. Calls come in order of time; an earlier `now` counts as
    /// the latest one.
    pub fn send(&mut self, now: LocalTime, bytes: usize) -> Deliveries {
        self.advance(now);
        let now = self.now;
        self.counts.received += 1;
        // Each datagram draws the same numbers whatever becomes of it, so that losses do not reshuffle the rest.
        let is_lost = self.draw_loss();
        let is_twice = self.rng.chance(self.plan.duplication);
        let jitter = self.draw_jitter();
        if self.plan.outages.iter().any(|outage| outage.contains(now)) || is_lost {
            self.counts.lost += 1;
            return Deliveries::default();
        }
        if let Some(bottleneck) = self.plan.bottleneck {
            let work = f64_from_usize(bytes) / bottleneck.bytes_per_second;
            if self.queued_seconds + work > bottleneck.queue.secs_f64() {
                self.counts.queue_dropped += 1;
                return Deliveries::default();
            }
            self.queued_seconds += work;
        }
        let latest = self.latest;
        let first = self.deliver(now, jitter);
        self.counts.overtook += u64::from(first < latest);
        let second = is_twice.then(|| {
            self.counts.duplicated += 1;
            let jitter = self.draw_jitter();
            self.deliver(now, jitter)
        });
        Deliveries { first: Some(first), second }
    }

    /// What became of all that was sent so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    fn deliver(&mut self, now: LocalTime, jitter: Span) -> LocalTime {
        let detours = self.plan.detours.iter().filter(|detour| detour.during.contains(now));
        let detour = detours.fold(Span::ZERO, |sum, detour| sum + detour.by + sway(detour, now));
        let arrives = now + self.plan.base + detour + Span::from_secs_f64(self.queued_seconds) + jitter;
        let arrives = match self.plan.order {
            Order::Free => arrives.max(now),
            Order::Kept => arrives.max(now).max(self.latest),
        };
        self.latest = self.latest.max(arrives);
        arrives
    }

    fn draw_jitter(&mut self) -> Span {
        match self.plan.jitter {
            Jitter::Exponential(mean) => self.rng.exponential_span(mean),
            Jitter::Normal(deviation) => Span::from_secs_f64(deviation.secs_f64() * self.rng.normal()),
        }
    }

    fn draw_loss(&mut self) -> bool {
        let loss = self.plan.loss;
        let (change, independent) = (self.rng.unit(), self.rng.chance(loss.independent));
        self.loss_burst = match self.loss_burst {
            LossBurst::Outside if change < loss.burst_begins => LossBurst::Inside,
            LossBurst::Inside if change < loss.burst_ends => LossBurst::Outside,
            unchanged @ (LossBurst::Outside | LossBurst::Inside) => unchanged,
        };
        independent || self.loss_burst == LossBurst::Inside
    }

    /// Lets other traffic arrive and the queue empty until `now`.
    fn advance(&mut self, now: LocalTime) {
        loop {
            let next = self.next_burst.min(self.next_spike);
            if next > now {
                break;
            }
            self.drain_until(next);
            if next == self.next_burst {
                self.queued_seconds += self.rng.exponential(self.plan.bursts.mean.secs_f64());
                self.next_burst = arrival(&mut self.rng, next, self.plan.bursts.per_second);
            } else {
                let Spikes { least, most, per_second } = self.plan.spikes;
                self.queued_seconds += self.rng.pareto(Self::SPIKE_SHAPE, least.secs_f64(), most.secs_f64());
                self.next_spike = arrival(&mut self.rng, next, per_second);
            }
        }
        self.drain_until(now);
    }

    fn drain_until(&mut self, now: LocalTime) {
        let passed = (now - self.now).secs_f64().max(0.0);
        self.queued_seconds = (self.queued_seconds - passed).max(0.0);
        self.now = self.now.max(now);
    }
}

fn arrival(rng: &mut Rng, after: LocalTime, per_second: f64) -> LocalTime {
    if per_second <= 0.0 {
        LocalTime::NEVER
    } else {
        after + Span::from_secs_f64(rng.exponential(1.0 / per_second))
    }
}

/// A triangle between nothing and the detour's sway.
fn sway(detour: &Detour, now: LocalTime) -> Span {
    const CYCLE_SECONDS: f64 = 1.7;
    let phase = ((now - detour.during.from).secs_f64() / CYCLE_SECONDS).fract();
    Span::from_secs_f64(detour.sway.secs_f64() * (1.0 - (2.0 * phase - 1.0).abs()))
}
