//! Two estimators from the field, written from descriptions of what they do, for comparison on the same traces.

use lockstep_shared::clock::Exchange;
use lockstep_shared::time::{GRID_RATE, GridPosition, LocalTime, Span};

/// An estimator of the grid that takes the same exchanges.
pub(super) trait Rival {
    fn observe(&mut self, exchange: &Exchange);
    fn grid(&self, now: LocalTime) -> Option<GridPosition>;
}

/// Like Ableton Link's measurement: every 30 s, rounds of ping and pong until there are a hundred data points, two for
/// each round; their median is the offset, at slope one, until the next measurement.
#[derive(Debug, Default)]
pub(super) struct LinkLike {
    began: Option<LocalTime>,
    previous: Option<Exchange>,
    points: Vec<f64>,
    offset: Option<f64>,
}

impl LinkLike {
    const EVERY: Span = Span::from_millis(30_000);
    const POINTS: usize = 100;
}

impl Rival for LinkLike {
    fn observe(&mut self, exchange: &Exchange) {
        let previous = self.previous.replace(*exchange);
        let began = *self.began.get_or_insert(exchange.received);
        if exchange.received - began >= Self::EVERY {
            self.began = Some(exchange.received);
            self.points.clear();
        } else if self.points.len() >= Self::POINTS {
            return;
        }
        self.points.push(midpoint_offset(exchange));
        // The second point: the relay's pause between two answers against the member's timestamps around it.
        if let Some(previous) = previous.filter(|previous| previous.received < exchange.received) {
            let back = Exchange { relay_sent: previous.relay_sent, received: previous.received, ..*exchange };
            self.points.push(midpoint_offset(&back));
        }
        if self.points.len() >= Self::POINTS {
            let mut sorted = self.points.clone();
            sorted.sort_by(f64::total_cmp);
            self.offset = Some(sorted[sorted.len() / 2]);
        }
    }

    fn grid(&self, now: LocalTime) -> Option<GridPosition> {
        self.offset.map(|offset| nominal(now, offset))
    }
}

/// Like the clock exchange of an RTP-MIDI session: one exchange every 10 s in steps of 100 us, the last one kept.
#[derive(Debug, Default)]
pub(super) struct ClockExchange {
    last: Option<LocalTime>,
    offset: Option<f64>,
}

impl ClockExchange {
    const EVERY: Span = Span::from_millis(10_000);
    const STEP_SECONDS: f64 = 100e-6;
}

impl Rival for ClockExchange {
    fn observe(&mut self, exchange: &Exchange) {
        if self.last.is_some_and(|last| exchange.received - last < Self::EVERY) {
            return;
        }
        self.last = Some(exchange.received);
        let offset = midpoint_offset(exchange);
        self.offset = Some((offset / Self::STEP_SECONDS).round() * Self::STEP_SECONDS);
    }

    fn grid(&self, now: LocalTime) -> Option<GridPosition> {
        self.offset.map(|offset| nominal(now, offset))
    }
}

/// Seconds that the grid is ahead of the local clock by the midpoint of an exchange.
fn midpoint_offset(exchange: &Exchange) -> f64 {
    let zero = GridPosition::from_raw(0);
    let up = exchange.relay_received.frames_since(zero) / f64::from(GRID_RATE)
        - (exchange.sent - LocalTime::ZERO).secs_f64();
    let down = exchange.relay_sent.frames_since(zero) / f64::from(GRID_RATE)
        - (exchange.received - LocalTime::ZERO).secs_f64();
    f64::midpoint(up, down)
}

fn nominal(now: LocalTime, offset: f64) -> GridPosition {
    let seconds = (now - LocalTime::ZERO).secs_f64() + offset;
    GridPosition::from_raw(0).plus_f64(seconds * f64::from(GRID_RATE))
}
