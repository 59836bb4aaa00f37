//! Traces of exchanges between a member and a relay whose clock is true time.

use lockstep_shared::clock::Exchange;
use lockstep_shared::time::{GRID_RATE, GridPosition, LocalTime, Span};

use crate::clock::{Crystal, HostClock, Upset, timestamp_lateness};
use crate::net::{Interval, Path, PathPlan};
use crate::rng::Rng;

/// The paths that the clock is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Constant delay, no lateness, no drift.
    Clean,
    /// Ethernet and fibre.
    Wired,
    /// A shared cable network.
    Cable,
    /// A home's wireless network.
    Wifi,
    /// Wired, with a route up that gets 3 ms longer, comes back, and gets 3 ms shorter, and one down that gets longer.
    WiredRoutes,
    /// Cable, with the same.
    CableRoutes,
    /// Wifi, with the same.
    WifiRoutes,
    /// Cable, with two minutes of 22 ms bufferbloat up.
    CableBloat,
    /// Wifi, with the same.
    WifiBloat,
}

impl Family {
    /// Nothing changes in these.
    pub const STATIONARY: [Self; 3] = [Self::Wired, Self::Cable, Self::Wifi];
    /// These have events.
    pub const EVENTFUL: [Self; 5] =
        [Self::WiredRoutes, Self::CableRoutes, Self::WifiRoutes, Self::CableBloat, Self::WifiBloat];

    /// As in a figure's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Wired => "wired",
            Self::Cable => "cable",
            Self::Wifi => "wifi",
            Self::WiredRoutes => "wired_routes",
            Self::CableRoutes => "cable_routes",
            Self::WifiRoutes => "wifi_routes",
            Self::CableBloat => "cable_bloat",
            Self::WifiBloat => "wifi_bloat",
        }
    }

    /// The path up and the path down for a run of `length`.
    fn plans(self, length: Span) -> Plans {
        let part = |share: f64| LocalTime::ZERO + Span::from_secs_f64(length.secs_f64() * share);
        let between = |from: f64, until: f64| Interval { from: part(from), until: part(until) };
        let both = |plan: PathPlan| Plans { up: plan.clone(), down: plan };
        let routes = |plan: PathPlan| Plans {
            up: plan
                .clone()
                .route_change(between(0.2, 0.4), Span::from_millis(3))
                .route_change(between(0.5, 0.6), Span::from_millis(-3)),
            down: plan.route_change(between(0.7, 0.85), Span::from_millis(3)),
        };
        let bloat = |plan: PathPlan| Plans {
            up: plan.clone().bloat(Interval::new(part(0.4), Span::from_millis(120_000))),
            down: plan,
        };
        match self {
            Self::Clean => both(PathPlan::clean()),
            Self::Wired => both(PathPlan::wired()),
            Self::Cable => both(PathPlan::cable()),
            Self::Wifi => both(PathPlan::wifi()),
            Self::WiredRoutes => routes(PathPlan::wired()),
            Self::CableRoutes => routes(PathPlan::cable()),
            Self::WifiRoutes => routes(PathPlan::wifi()),
            Self::CableBloat => bloat(PathPlan::cable()),
            Self::WifiBloat => bloat(PathPlan::wifi()),
        }
    }

    const fn is_clean(self) -> bool {
        matches!(self, Self::Clean)
    }
}

#[derive(Clone, Debug)]
struct Plans {
    up: PathPlan,
    down: PathPlan,
}

/// Whether computers have real crystals and take timestamps late.
#[derive(Clone, Copy, Debug)]
enum Computers {
    Ideal,
    Real,
}

/// An exchange, and when it was complete in truth.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// What the member knows.
    pub exchange: Exchange,
    /// True time at the member's last timestamp.
    pub truth: LocalTime,
}

/// A run: exchanges in the order of completion, and the member's clock.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The exchanges.
    pub samples: Vec<Sample>,
    /// The clock that the member reads.
    pub host: HostClock,
}

impl Trace {
    /// The member asks a hundred times a second, and the relay answers with its next datagram.
    const PERIOD: Span = Span::from_millis(10);
    const DATAGRAM_BYTES: usize = 600;

    /// A run of `family` with a clock that is 40 ppm fast (odd seeds) or slow.
    #[must_use]
    pub fn run(family: Family, seed: u64, length: Span) -> Self {
        Self::run_upset(family, seed, length, Vec::new())
    }

    /// The same, with `upsets` of the member's clock.
    #[must_use]
    pub fn run_upset(family: Family, seed: u64, length: Span, upsets: Vec<Upset>) -> Self {
        let Plans { up, down } = family.plans(length);
        let computers = if family.is_clean() { Computers::Ideal } else { Computers::Real };
        Self::simulate([up, down], computers, seed, length, upsets)
    }

    /// A run over the given paths, up and down.
    #[must_use]
    pub fn over(paths: [PathPlan; 2], seed: u64, length: Span) -> Self {
        Self::simulate(paths, Computers::Real, seed, length, Vec::new())
    }

    fn simulate(
        paths: [PathPlan; 2],
        computers: Computers,
        seed: u64,
        length: Span,
        upsets: Vec<Upset>,
    ) -> Self {
        let mut rng = Rng::new(seed);
        let crystal = match computers {
            Computers::Ideal => Crystal::PERFECT,
            Computers::Real if seed % 2 == 1 => Crystal::thermal(40.0),
            Computers::Real => Crystal::thermal(-40.0),
        };
        let start = LocalTime::from_nanos(7_000_000_000_000);
        let mut host = HostClock::new(crystal, start, upsets, rng.fork());
        let [mut up, mut down] = paths.map(|plan| Path::new(plan, rng.fork()));
        let mut noise = rng.fork();
        let mut late = || match computers {
            Computers::Ideal => Span::ZERO,
            Computers::Real => timestamp_lateness(&mut noise),
        };

        let mut samples = Vec::new();
        let mut asked = LocalTime::ZERO;
        let mut answered = LocalTime::ZERO;
        while asked - LocalTime::ZERO < length {
            let sent = asked;
            asked += Self::PERIOD;
            let Some(at_relay) = up.send(sent + late(), Self::DATAGRAM_BYTES).first else { continue };
            let relay_received = at_relay + late();
            let relay_sent = next_tick(relay_received).max(answered + Self::PERIOD);
            answered = relay_sent;
            let Some(at_member) = down.send(relay_sent + late(), Self::DATAGRAM_BYTES).first else {
                continue;
            };
            let truth = at_member + late();
            let exchange = Exchange {
                sent: host.local(sent),
                relay_received: true_grid(relay_received),
                relay_sent: true_grid(relay_sent),
                received: host.local(truth),
            };
            samples.push(Sample { exchange, truth });
        }
        samples.sort_by_key(|sample| sample.truth);
        Self { samples, host }
    }

    /// How far `grid` is from the truth at `sample`, in microseconds.
    #[must_use]
    pub fn error_us(grid: GridPosition, sample: &Sample) -> f64 {
        grid.frames_since(true_grid(sample.truth)) / f64::from(GRID_RATE) * 1e6
    }
}

/// The grid's true position: the relay's clock is true time.
#[must_use]
pub fn true_grid(truth: LocalTime) -> GridPosition {
    let steps = i128::from(truth.nanos()) * i128::from(GRID_RATE) * (1 << 20) / 1_000_000_000;
    GridPosition::from_raw(i64::try_from(steps).unwrap_or(i64::MAX))
}

/// The relay sends on a schedule of its own, 3 ms off the member's.
fn next_tick(after: LocalTime) -> LocalTime {
    const OFFSET_NANOS: i64 = 3_000_000;
    let period = Trace::PERIOD.nanos();
    LocalTime::from_nanos(((after.nanos() - OFFSET_NANOS).div_euclid(period) + 1) * period + OFFSET_NANOS)
}
