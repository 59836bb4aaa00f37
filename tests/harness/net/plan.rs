//! How a path behaves.

use lockstep_shared::time::{LocalTime, Span};

/// How a path behaves. Times are true times.
#[derive(Clone, Debug)]
pub struct PathPlan {
    /// Delay of an empty path.
    pub base: Span,
    /// What each datagram meets by itself.
    pub jitter: Jitter,
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

/// How the delay of a datagram differs from that of the one before it, whatever is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Longer by an exponential span of this mean.
    Exponential(Span),
    /// Longer or shorter by a normal span of this deviation; nothing arrives before it was sent.
    Normal(Span),
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
#[derive(Clone, Copy, Debug, PartialEq)]
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

impl Loss {
    /// Nothing.
    pub const NONE: Self = Self { independent: 0.0, burst_begins: 0.0, burst_ends: 1.0 };

    /// This share of all datagrams, in bursts of `mean` in a row. A mean of one is independent loss.
    ///
    /// In the stationary state the share inside a burst is `begins / (begins + ends)`, and a burst is geometric with the
    /// mean `1 / ends` (Gilbert 1960, with every datagram of the bad state lost).
    #[must_use]
    pub fn in_bursts(share: f64, mean: f64) -> Self {
        if mean <= 1.0 {
            return Self { independent: share, ..Self::NONE };
        }
        let burst_ends = 1.0 / mean;
        Self { independent: 0.0, burst_begins: (burst_ends * share / (1.0 - share)).min(1.0), burst_ends }
    }
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
