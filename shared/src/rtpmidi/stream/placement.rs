//! Where a peer's stamps are in our time, and how much later they are played.
//!
//! With a [`ClockMap`] a stamp has an instant on our clock; without one, only distances between stamps mean anything,
//! and the first one is taken to have come at once. Either way a stamp *comes* later than that by its transit. The
//! least transit of the last 8 s is the floor: what the path and the estimate of the clock take from everything, and no
//! delay of ours. Peers that stamp ahead have a floor below zero, which a map makes them keep.
//!
//! ```text
//! stamp ---- floor ---->|---- delay: what all but 1 % need above it, or fixed ---->  played
//! ```
//!
//! Floor and delay are one offset. It rises at once, because less than is needed costs jitter each time; it falls only
//! by what is worth it and slowly, because each fall shifts what is being played.

use crate::rtpmidi::time::{ClockMap, Timestamp};
use crate::time::convert::i64_round;
use crate::time::{LocalTime, Span};

use super::lateness::Lateness;

/// How much later than it could be a message is played, so that it can always be played that much later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// This much.
    Fixed(Span),
    /// As much as all but 1 % of the packets need.
    Adaptive {
        /// But at least this.
        least: Span,
        /// And at most this.
        most: Span,
    },
}

/// The placement of one sender's stamps.
#[derive(Clone, Debug)]
pub(super) struct Placement {
    delay: Delay,
    basis: Basis,
    floor: Floor,
    /// Above the floor that counts for playing.
    lateness: Lateness,
    /// Above the floor itself.
    jitter: Lateness,
    offset: Option<Offset>,
    /// Stamps in a row that made no sense.
    nonsense: u32,
}

/// What a stamp is measured by.
#[derive(Clone, Copy, Debug)]
enum Basis {
    Nothing,
    Clock(ClockMap),
    /// This stamp came then. Its peer's map, if there is one, has proved to be wrong.
    Arrival {
        stamp: Timestamp,
        local: LocalTime,
        map: MapTrust,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MapTrust {
    Awaited,
    Refused,
}

#[derive(Clone, Copy, Debug)]
struct Offset {
    span: Span,
    moved: LocalTime,
}

/// The least transit of each of the last seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Floor {
    seconds: [Option<(i64, Span)>; FLOOR_SECONDS],
}

/// Where a stamp is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Then.
    At(LocalTime),
    /// Then would be more than 2 s away: now.
    Nonsense,
}

const FLOOR_SECONDS: usize = 8;
const SENSE_MAX: Span = Span::from_millis(2_000);
/// Nonsense in a row after which a map, or the first stamp, is given up.
const NONSENSE_MAX: u32 = 16;
const LATE_SHARE: f64 = 0.01;
/// So that one outlier among the first hundred does not speak for the network.
const LEAST_OBSERVATIONS: u64 = 100;
/// A move of less does not make up for its shift, unless something would be late without it.
const WORTH_A_SHIFT: Span = Span::from_millis(1);
/// How fast it falls: 2 ms a second.
const FALL_PER_SECOND: f64 = 0.002;
const TICK_NANOS: i64 = 100_000;
/// From where on the first stamp is too long ago to be measured by: a day.
const FAR_TICKS: i32 = 864_000_000;

impl Placement {
    pub(super) fn new(delay: Delay) -> Self {
        Self {
            delay,
            basis: Basis::Nothing,
            floor: Floor::default(),
            lateness: Lateness::default(),
            jitter: Lateness::default(),
            offset: None,
            nonsense: 0,
        }
    }

    /// Takes what the session now knows of the peer's clock.
    pub(super) fn set_clock(&mut self, clock: Option<ClockMap>) {
        match (self.basis, clock) {
            (Basis::Arrival { map: MapTrust::Refused, .. }, _) | (_, None) => {}
            (Basis::Clock(_), Some(map)) => self.basis = Basis::Clock(map),
            (Basis::Nothing | Basis::Arrival { .. }, Some(map)) => self.begin(Basis::Clock(map)),
        }
    }

    /// Learns from a packet that came at `arrived` and whose first command has `stamp`.
    pub(super) fn observe(&mut self, arrived: LocalTime, stamp: Timestamp) {
        self.anchor(arrived, stamp);
        let Some(base) = self.base(stamp) else { return };
        let transit = arrived - base;
        if (transit - self.offset()).abs() > SENSE_MAX {
            self.doubt(arrived, stamp);
            return;
        }
        self.nonsense = 0;
        self.floor.observe(arrived, transit);
        let floor = self.floor.least();
        let counted = match self.basis {
            Basis::Clock(_) => floor.max(Span::ZERO),
            Basis::Arrival { .. } | Basis::Nothing => floor,
        };
        self.lateness.observe(transit - counted);
        self.jitter.observe(transit - floor);
        match self.delay {
            Delay::Fixed(delay) => self.steer(arrived, counted + delay, WORTH_A_SHIFT),
            Delay::Adaptive { least, most } => {
                let needed = self.lateness.exceeded_by(LATE_SHARE, LEAST_OBSERVATIONS).min(most).max(least);
                self.steer(arrived, counted + needed, Span::ZERO);
            }
        }
    }

    /// Where `stamp` is played, if it is not past.
    pub(super) fn place(&self, now: LocalTime, stamp: Timestamp) -> Place {
        match self.base(stamp).map(|base| base + self.offset()) {
            Some(at) if (at - now).abs() <= SENSE_MAX => Place::At(at),
            Some(_) => Place::Nonsense,
            None => Place::At(now),
        }
    }

    /// How much later than its stamp a message is played, the path's share included if a map shows it.
    pub(super) fn offset(&self) -> Span {
        self.offset.map_or(Span::ZERO, |offset| offset.span)
    }

    /// What `share` of the packets exceed, in arrival above the earliest of late.
    pub(super) fn jitter_exceeded_by(&self, share: f64) -> Span {
        self.jitter.exceeded_by(share, 0)
    }

    fn begin(&mut self, basis: Basis) {
        *self = Self { basis, ..Self::new(self.delay) };
    }

    /// Takes the first stamp to measure by, and another one before it is too long ago.
    fn anchor(&mut self, arrived: LocalTime, stamp: Timestamp) {
        match self.basis {
            Basis::Nothing => {
                self.basis = Basis::Arrival { stamp, local: arrived, map: MapTrust::Awaited };
            }
            Basis::Arrival { stamp: first, map, .. } if stamp.since(first) > FAR_TICKS => {
                let local = self.base(stamp).unwrap_or(arrived);
                self.basis = Basis::Arrival { stamp, local, map };
            }
            Basis::Arrival { .. } | Basis::Clock(_) => {}
        }
    }

    fn base(&self, stamp: Timestamp) -> Option<LocalTime> {
        match self.basis {
            Basis::Nothing => None,
            Basis::Clock(map) => Some(map.local(stamp)),
            Basis::Arrival { stamp: first, local, .. } => {
                Some(local + Span::from_nanos(i64::from(stamp.since(first)) * TICK_NANOS))
            }
        }
    }

    fn doubt(&mut self, arrived: LocalTime, stamp: Timestamp) {
        self.nonsense += 1;
        if self.nonsense >= NONSENSE_MAX {
            let map = match self.basis {
                Basis::Clock(_) => MapTrust::Refused,
                Basis::Arrival { map, .. } => map,
                Basis::Nothing => MapTrust::Awaited,
            };
            self.begin(Basis::Arrival { stamp, local: arrived, map });
        }
    }

    /// Moves the offset to what is needed: up if `rise_least` is missing, down slowly.
    fn steer(&mut self, now: LocalTime, needed: Span, rise_least: Span) {
        let span = match self.offset {
            Some(offset) if needed >= offset.span && needed - offset.span < rise_least => offset.span,
            Some(offset) if needed < offset.span => {
                let elapsed = (now - offset.moved).secs_f64().max(0.0);
                let fall = Span::from_nanos(i64_round(elapsed * FALL_PER_SECOND * 1e9));
                if offset.span - needed < WORTH_A_SHIFT {
                    offset.span
                } else {
                    needed.max(offset.span - fall)
                }
            }
            Some(_) | None => needed,
        };
        self.offset = Some(Offset { span, moved: now });
    }
}

impl Floor {
    fn observe(&mut self, arrived: LocalTime, transit: Span) {
        let second = arrived.nanos().div_euclid(1_000_000_000);
        let place = usize::try_from(second.rem_euclid(8)).unwrap_or(0);
        self.seconds[place] = match self.seconds[place] {
            Some((known, least)) if known == second => Some((known, least.min(transit))),
            Some(_) | None => Some((second, transit)),
        };
        // A place that no packet came to renew is forgotten with its time.
        for place in &mut self.seconds {
            *place = place.filter(|(known, _)| second - known < 8);
        }
    }

    fn least(&self) -> Span {
        self.seconds.iter().flatten().map(|(_, least)| *least).min().unwrap_or(Span::ZERO)
    }
}
