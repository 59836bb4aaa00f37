//! Network paths: what one direction does to datagrams, on true time.
//!
//! ```text
//!  delay = base + detours that are open + what is queued + exponential jitter
//! ```
//!
//! Other traffic fills the queue in bursts (Poisson arrivals of exponential work) and spikes (Pareto work), and it
//! empties in real time. Loss is independent plus two-state bursts (Gilbert-Elliott). The presets are the families on
//! which the project's figures stand.

use lockstep_shared::time::convert::f64_from_usize;
use lockstep_shared::time::{LocalTime, Span};

use crate::rng::Rng;

/// How a path behaves. Times are true times.
#[derive(Clone, Debug)]
pub struct PathPlan {
    /// Delay of an empty path.
    pub base: Span,
    /// Mean of the exponential jitter that each datagram meets by itself.
    pub jitter: Span,
    /// Whether jitter may let datagrams overtake each other.
    pub order: Order,
    /// Bursts of other traffic.
    pub bursts: Bursts,
    /// Rare, heavy-tailed bursts.
    pub spikes: Spikes,
    /// Which datagrams vanish.
    pub loss: Loss,
    /// The probability that a datagram arrives twice.
    pub duplication: f64,
    /// The bottleneck, if the path has one.
    pub bottleneck: Option<Bottleneck>,
    /// When nothing passes.
    pub outages: Vec<Interval>,
    /// When the path is longer or shorter.
    pub detours: Vec<Detour>,
}

/// Whether datagrams arrive as they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// First in, first out.
    Kept,
    /// Jitter reorders.
    Free,
}

/// Other traffic: so many bursts a second, each of exponential work.
#[derive(Clone, Copy, Debug)]
pub struct Bursts {
    /// Mean arrivals a second.
    pub per_second: f64,
    /// Mean work.
    pub mean: Span,
}

/// Heavy-tailed traffic: Pareto(1.6) work between two limits.
#[derive(Clone, Copy, Debug)]
pub struct Spikes {
    /// Mean arrivals a second.
    pub per_second: f64,
    /// The least work.
    pub least: Span,
    /// Work is cut to this.
    pub most: Span,
}

/// Independent loss, and bursts in which everything is lost.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// Probability for each datagram.
    pub independent: f64,
    /// Probability, at each datagram, that a burst begins.
    pub burst_begins: f64,
    /// Probability, at each datagram of a burst, that it ends there.
    pub burst_ends: f64,
}

/// A link of finite rate before which datagrams queue.
#[derive(Clone, Copy, Debug)]
pub struct Bottleneck {
    /// Bytes a second.
    pub bytes_per_second: f64,
    /// What does not fit into the queue is dropped.
    pub queue: Span,
}

/// From one instant until another.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    /// The first instant.
    pub from: LocalTime,
    /// The instant after the last.
    pub until: LocalTime,
}

/// A change of the path's length: a route when `sway` is zero, else a standing queue that rises and falls.
#[derive(Clone, Copy, Debug)]
pub struct Detour {
    /// When.
    pub during: Interval,
    /// How much longer; negative when shorter.
    pub by: Span,
    /// How much more at the peak of each cycle of 1.7 s.
    pub sway: Span,
}

impl Interval {
    /// From `from` for `length`.
    #[must_use]
    pub fn new(from: LocalTime, length: Span) -> Self {
        Self { from, until: from + length }
    }

    /// Whether `at` lies inside.
    #[must_use]
    pub fn contains(&self, at: LocalTime) -> bool {
        self.from <= at && at < self.until
    }
}

impl PathPlan {
    /// A constant delay and nothing else.
    #[must_use]
    pub fn clean() -> Self {
        Self {
            base: Span::from_millis(15),
            jitter: Span::ZERO,
            order: Order::Kept,
            bursts: Bursts { per_second: 0.0, mean: Span::ZERO },
            spikes: Spikes { per_second: 0.0, least: Span::ZERO, most: Span::ZERO },
            loss: Loss { independent: 0.0, burst_begins: 0.0, burst_ends: 1.0 },
            duplication: 0.0,
            bottleneck: None,
            outages: Vec::new(),
            detours: Vec::new(),
        }
    }

    /// Ethernet and fibre.
    #[must_use]
    pub fn wired() -> Self {
        Self {
            jitter: Span::from_micros(80),
            bursts: Bursts { per_second: 5.0, mean: Span::from_micros(300) },
            spikes: Spikes { per_second: 0.02, least: Span::from_millis(2), most: Span::from_millis(6) },
            loss: Loss { independent: 0.000_2, burst_begins: 0.0, burst_ends: 1.0 },
            ..Self::clean()
        }
    }

    /// A shared cable network. A burst loses four datagrams in the mean; 0.22 % are lost in all.
    #[must_use]
    pub fn cable() -> Self {
        Self {
            jitter: Span::from_micros(300),
            bursts: Bursts { per_second: 15.0, mean: Span::from_micros(1_200) },
            spikes: Spikes { per_second: 0.1, least: Span::from_millis(5), most: Span::from_millis(25) },
            loss: Loss { independent: 0.001, burst_begins: 0.000_3, burst_ends: 0.25 },
            ..Self::clean()
        }
    }

    /// A home's wireless network. A burst loses four datagrams in the mean; 0.7 % are lost in all.
    #[must_use]
    pub fn wifi() -> Self {
        Self {
            jitter: Span::from_micros(800),
            bursts: Bursts { per_second: 8.0, mean: Span::from_micros(2_000) },
            spikes: Spikes { per_second: 0.6, least: Span::from_millis(4), most: Span::from_millis(40) },
            loss: Loss { independent: 0.002, burst_begins: 0.001_26, burst_ends: 0.25 },
            ..Self::clean()
        }
    }

    /// This path with a route that is longer (or, negative, shorter) by `by` during `during`.
    #[must_use]
    pub fn route_change(mut self, during: Interval, by: Span) -> Self {
        self.detours.push(Detour { during, by, sway: Span::ZERO });
        self
    }

    /// This path with a standing queue of 22 ms that sways by 4 ms, as a long upload makes it.
    #[must_use]
    pub fn bloat(mut self, during: Interval) -> Self {
        let (by, sway) = (Span::from_millis(20), Span::from_millis(4));
        self.detours.push(Detour { during, by, sway });
        self
    }

    /// This path with nothing passing during `during`.
    #[must_use]
    pub fn outage(mut self, during: Interval) -> Self {
        self.outages.push(during);
        self
    }
}

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
    latest: LocalTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LossBurst {
    Outside,
    Inside,
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
        }
    }

    /// Sends `bytes` at `now` and returns when they arrive. Calls come in order of time; an earlier `now` counts as
    /// the latest one.
    pub fn send(&mut self, now: LocalTime, bytes: usize) -> Deliveries {
        self.advance(now);
        let now = self.now;
        // Each datagram draws the same numbers whatever becomes of it, so that losses do not reshuffle the rest.
        let is_lost = self.draw_loss();
        let is_twice = self.rng.chance(self.plan.duplication);
        let jitter = self.rng.exponential_span(self.plan.jitter);
        if self.plan.outages.iter().any(|outage| outage.contains(now)) || is_lost {
            return Deliveries::default();
        }
        if let Some(bottleneck) = self.plan.bottleneck {
            let work = f64_from_usize(bytes) / bottleneck.bytes_per_second;
            if self.queued_seconds + work > bottleneck.queue.secs_f64() {
                return Deliveries::default();
            }
            self.queued_seconds += work;
        }
        let first = Some(self.deliver(now, jitter));
        let second = is_twice.then(|| {
            let jitter = self.rng.exponential_span(self.plan.jitter);
            self.deliver(now, jitter)
        });
        Deliveries { first, second }
    }

    fn deliver(&mut self, now: LocalTime, jitter: Span) -> LocalTime {
        let detours = self.plan.detours.iter().filter(|detour| detour.during.contains(now));
        let detour = detours.fold(Span::ZERO, |sum, detour| sum + detour.by + sway(detour, now));
        let arrives = now + self.plan.base + detour + Span::from_secs_f64(self.queued_seconds) + jitter;
        match self.plan.order {
            Order::Free => arrives.max(now),
            Order::Kept => {
                self.latest = self.latest.max(arrives);
                self.latest
            }
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn families_lose_what_they_are_said_to_lose() {
        assert!((lost_share(PathPlan::wired()) - 0.000_2).abs() < 0.000_1);
        assert!((lost_share(PathPlan::cable()) - 0.002_2).abs() < 0.000_6);
        assert!((lost_share(PathPlan::wifi()) - 0.007).abs() < 0.001_2);
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
            let plan =
                PathPlan { order, jitter: Span::from_millis(20), duplication: 0.1, ..PathPlan::clean() };
            let mut path = Path::new(plan, Rng::new(5));
            let arrivals: Vec<_> = (0..2_000)
                .flat_map(|index| path.send(LocalTime::ZERO + Span::from_millis(index * 10), 300))
                .collect();
            assert!(arrivals.len() > 2_100);
            arrivals.windows(2).filter(|pair| pair[1] < pair[0]).count()
        };
        assert_eq!(swaps(Order::Kept), 0);
        assert!(swaps(Order::Free) > 100);
    }
}
