//! The room's grid, measured by exchanges with the relay.
//!
//! An exchange is four timestamps that ride on datagrams which are sent anyway, about a hundred a second:
//!
//! ```text
//!  member  ──sent (t1)──────────────────────received (t4)──>  LocalTime
//!                \                          /
//!  relay   ───relay_received (t2) ── relay_sent (t3) ──────>  grid
//! ```
//!
//! `t2 - t1` is the way up plus the clock's error, `t4 - t3` the way down minus it. Queues only ever add. So the
//! quickest datagram of a window, taken for each direction by itself, shows the bare path, and four unknowns explain
//! what is seen: the clock's offset and skew, and what each direction takes. The filter in `tracking.rs` follows all
//! four, and decides what a sudden change means.

use super::direction::{Direction, DirectionState};
use super::map::RoomMap;
use super::tracking::{Step, Tracking};
use crate::time::{GRID_RATE, GridPosition, LocalTime, Span};

/// Four timestamps of a question to the relay and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When the member sent.
    pub sent: LocalTime,
    /// Where the grid was when that reached the relay.
    pub relay_received: GridPosition,
    /// Where the grid was when the relay sent its next datagram.
    pub relay_sent: GridPosition,
    /// When that reached the member.
    pub received: LocalTime,
}

impl Exchange {
    /// No path takes longer, there and back.
    const ROUND_TRIP_MAX: Span = Span::from_millis(10_000);

    /// Time on the path, there and back, without the relay's pause. `None` when the four timestamps contradict each
    /// other.
    #[must_use]
    pub fn round_trip(&self) -> Option<Span> {
        let pause = self.relay_sent.frames_since(self.relay_received) / f64::from(GRID_RATE);
        let away = self.received - self.sent;
        let round_trip = away - Span::from_secs_f64(pause);
        (pause >= 0.0 && round_trip >= Span::ZERO && away <= Self::ROUND_TRIP_MAX).then_some(round_trip)
    }
}

/// What the clock found out with an exchange, apart from the small corrections of every second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RoomEvent {
    /// There is a map now.
    Locked,
    /// One direction became slower (positive) or quicker and stays so. The map did not move.
    PathMoved {
        /// Which one.
        direction: Direction,
        /// By how much.
        by: Span,
    },
    /// The grid and the local clock moved against each other by this much; the map followed.
    ClockMoved {
        /// How much later the grid is than the map had it.
        by: Span,
    },
    /// What arrives is impossible under the map: the local clock was stepped or suspended, or the relay began a new
    /// grid. The map is withdrawn until the clock locks again.
    Lost,
}

/// Measures the grid against the local clock.
#[derive(Clone, Debug)]
pub struct RoomClock {
    heard: LocalTime,
    tracking: Option<Tracking>,
    rejected: u64,
}

impl RoomClock {
    /// A clock that has heard nothing yet.
    #[must_use]
    pub const fn new(now: LocalTime) -> Self {
        Self { heard: now, tracking: None, rejected: 0 }
    }

    /// Takes an exchange that was completed just now, at `exchange.received`.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn observe(&mut self, exchange: &Exchange) -> Option<RoomEvent> {
        let Some(round_trip) = exchange.round_trip() else {
            self.rejected += 1;
            return None;
        };
        self.heard = exchange.received;
        let Some(tracking) = &mut self.tracking else {
            self.tracking = Some(Tracking::begin(exchange, round_trip));
            return None;
        };
        match tracking.observe(exchange, round_trip) {
            Step::Nothing => None,
            Step::Event(event) => Some(event),
            Step::Lost => {
                self.tracking = Some(Tracking::begin(exchange, round_trip));
                Some(RoomEvent::Lost)
            }
        }
    }

    /// The best line at `now`, also through a silence of the relay; `None` until the clock is locked, which takes
    /// about 0.2 s.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn map(&self, now: LocalTime) -> Option<RoomMap> {
        self.locked().map(|tracking| tracking.line().corrected(now, 0.0, 0.0))
    }

    /// How much faster the grid runs than the local clock, in parts in a million; zero until locked.
    #[must_use]
    pub fn skew_ppm(&self) -> f64 {
        self.locked().map_or(0.0, |tracking| tracking.line().skew_ppm())
    }

    /// The standard deviation of the map's error at `now`, in microseconds, as the filter believes it; infinite until
    /// locked. A constant asymmetry of the path is not in it.
    #[must_use]
    pub fn error_us_at(&self, now: LocalTime) -> f64 {
        self.locked().map_or(f64::INFINITY, |tracking| tracking.error_us(now))
    }

    /// [`RoomClock::error_us_at`] the last exchange.
    #[must_use]
    pub fn error_us(&self) -> f64 {
        self.error_us_at(self.heard)
    }

    /// The shortest round trip of the last few seconds; zero before the first exchange.
    #[must_use]
    pub fn round_trip(&self) -> Span {
        self.tracking.as_ref().map_or(Span::ZERO, Tracking::round_trip)
    }

    /// What is known of one direction, once locked.
    #[must_use]
    pub fn direction(&self, direction: Direction) -> Option<DirectionState> {
        self.locked().map(|tracking| tracking.direction(direction))
    }

    /// How long the relay has been silent: the map is coasting if this is long.
    #[must_use]
    pub fn silence(&self, now: LocalTime) -> Span {
        now - self.heard
    }

    /// Exchanges whose timestamps contradicted each other.
    #[must_use]
    pub const fn exchanges_rejected(&self) -> u64 {
        self.rejected
    }

    fn locked(&self) -> Option<&Tracking> {
        self.tracking.as_ref().filter(|tracking| tracking.is_locked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::GridFrame;

    const PERIOD: Span = Span::from_millis(10);
    const ONE_WAY_FRAMES: f64 = 480.0;

    fn grid(frames: f64) -> GridPosition {
        GridFrame(0).position().plus_f64(frames)
    }

    /// An exchange over 10 ms each way, with a relay whose grid is at zero at local time zero.
    fn exchange(sent: LocalTime) -> Exchange {
        let sent_frames = (sent - LocalTime::ZERO).secs_f64() * f64::from(GRID_RATE);
        let relay_received = grid(sent_frames + ONE_WAY_FRAMES);
        let relay_sent = relay_received.plus_f64(144.0);
        Exchange { sent, relay_received, relay_sent, received: sent + Span::from_millis(23) }
    }

    #[test]
    fn a_constant_path_and_equal_clocks_leave_no_error() {
        let mut clock = RoomClock::new(LocalTime::ZERO);
        let mut sent = LocalTime::ZERO;
        let mut events = Vec::new();
        for _ in 0..6_000 {
            events.extend(clock.observe(&exchange(sent)));
            sent += PERIOD;
        }
        assert_eq!(events, [RoomEvent::Locked]);
        let map = clock.map(sent).unwrap();
        let frames = (sent - LocalTime::ZERO).secs_f64() * f64::from(GRID_RATE);
        assert!(map.grid(sent).frames_since(grid(frames)).abs() < 1e-4);
        assert!(clock.skew_ppm().abs() < 1e-4, "{}", clock.skew_ppm());
        assert!((clock.round_trip() - Span::from_millis(20)).abs() <= Span::from_nanos(1));
        assert!(clock.error_us() < 1.0);
        assert!(clock.error_us_at(sent + Span::from_millis(600_000)) > 2.0);
    }

    #[test]
    fn there_is_no_map_before_the_lock() {
        let mut clock = RoomClock::new(LocalTime::ZERO);
        assert_eq!(clock.map(LocalTime::ZERO), None);
        clock.observe(&exchange(LocalTime::ZERO));
        assert_eq!(clock.map(LocalTime::ZERO), None);
        assert!(clock.error_us().is_infinite());
    }

    #[test]
    fn a_slow_link_locks_too() {
        let mut clock = RoomClock::new(LocalTime::ZERO);
        let locked = (0..10).find(|second| {
            clock.observe(&exchange(LocalTime::ZERO + Span::from_millis(second * 1_000))).is_some()
        });
        assert_eq!(locked, Some(4));
    }

    #[test]
    fn contradictory_timestamps_are_counted_and_change_nothing() {
        let mut clock = RoomClock::new(LocalTime::ZERO);
        let good = exchange(LocalTime::ZERO);
        let answered_first = Exchange { relay_sent: grid(0.0), ..good };
        let paused_longer_than_away = Exchange { relay_sent: good.relay_sent.plus_f64(1e6), ..good };
        let received_first = Exchange { received: LocalTime::ZERO - Span::from_millis(1), ..good };
        let far_away = Exchange { received: LocalTime::NEVER, ..good };
        for bad in [answered_first, paused_longer_than_away, received_first, far_away] {
            assert_eq!(clock.observe(&bad), None);
        }
        assert_eq!(clock.exchanges_rejected(), 4);
        assert_eq!(clock.round_trip(), Span::ZERO);
    }
}
