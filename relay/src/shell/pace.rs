//! When to let datagrams gather.
//!
//! Waking up costs more than a datagram does. A few players are served the moment their datagrams arrive. A crowd
//! sends so many that somebody's always arrives: then the media thread looks now and then and takes what has come
//! together. That saves a crowd most of the wake-ups. Datagrams that come in heaps anyway, with long silences between,
//! are better waited for.
//!
//! | datagrams a second, spread evenly | as of | waits | added latency, at most |
//! |---|---|---|---|
//! | fewer than 5,000 | 13 members, 128 frames | for each | none |
//! | from 5,000 | 14 members, or 7 with 64 frames | 250 us | a fifth of a chunk |
//! | from 10,000 | 27 members, or 14 with 64 frames | 500 us | three eighths of a chunk |

use lockstep_shared::time::{LocalTime, Span};

/// How long the datagrams of a crowd gather.
const GATHER_CROWD: Span = Span::from_micros(250);
/// How long the datagrams of a multitude gather.
const GATHER_MULTITUDE: Span = Span::from_micros(500);
/// What is counted over.
const WINDOW: Span = Span::from_millis(20);
/// Turns of a window that found something, from which on datagrams gather.
const CROWD: u32 = 100;
/// Datagrams of a window below which they no longer gather: fewer, so that a rate in between does not flutter.
const CROWD_LEFT: u32 = 80;
/// Datagrams of a window from which they gather longer.
const MULTITUDE: u32 = 200;
/// And below which they do no more.
const MULTITUDE_LEFT: u32 = 160;
/// How long it waits for datagrams after it gathered in vain, before it tries again.
const REST: Span = Span::from_millis(1_000);

/// How the media thread waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For the next datagram.
    Datagram,
    /// For this long, whatever arrives.
    Gather(Span),
}

/// Watches how datagrams come and says how to wait for more.
#[derive(Clone, Debug)]
pub struct Pace {
    wait: Wait,
    rest_until: LocalTime,
    window_ends: LocalTime,
    datagrams: u32,
    turns: u32,
    turns_with_datagrams: u32,
}

impl Pace {
    /// Nothing has arrived.
    #[must_use]
    pub fn new(now: LocalTime) -> Self {
        Self {
            wait: Wait::Datagram,
            rest_until: now,
            window_ends: now + WINDOW,
            datagrams: 0,
            turns: 0,
            turns_with_datagrams: 0,
        }
    }

    /// Counts what was received in one turn that ended at `now`; says how to wait for more.
    pub fn wait(&mut self, now: LocalTime, received: u32) -> Wait {
        self.datagrams = self.datagrams.saturating_add(received);
        self.turns = self.turns.saturating_add(1);
        self.turns_with_datagrams += u32::from(received > 0);
        if now >= self.window_ends {
            self.decide(now);
            self.datagrams = 0;
            self.turns = 0;
            self.turns_with_datagrams = 0;
            self.window_ends = now + WINDOW;
        }
        self.wait
    }

    fn decide(&mut self, now: LocalTime) {
        match self.wait {
            Wait::Datagram => {
                if self.turns_with_datagrams >= CROWD && now >= self.rest_until {
                    self.wait = Wait::Gather(GATHER_CROWD);
                }
            }
            Wait::Gather(_) if 2 * self.turns_with_datagrams < self.turns => {
                self.rest_until = now + REST;
                self.wait = Wait::Datagram;
            }
            Wait::Gather(_) => {
                self.wait = match self.datagrams {
                    ..CROWD_LEFT => Wait::Datagram,
                    CROWD_LEFT..MULTITUDE_LEFT => Wait::Gather(GATHER_CROWD),
                    MULTITUDE_LEFT..MULTITUDE => self.wait,
                    MULTITUDE.. => Wait::Gather(GATHER_MULTITUDE),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CROWD_WAIT: Wait = Wait::Gather(GATHER_CROWD);
    const MULTITUDE_WAIT: Wait = Wait::Gather(GATHER_MULTITUDE);

    /// Heaps of `heap` datagrams come `per_second` times a second for `millis`; the thread takes what has come
    /// whenever it wakes. Returns how it waits then.
    fn after(pace: &mut Pace, start_ms: i64, millis: i64, per_second: i64, heap: u32) -> Wait {
        let start = LocalTime::ZERO + Span::from_millis(start_ms);
        let mut now = start;
        let mut taken = 0;
        let mut wait = pace.wait(now, 0);
        while now - start < Span::from_millis(millis) {
            let heap_at = |number: i64| start + Span::from_micros(number * 1_000_000 / per_second);
            now = match wait {
                Wait::Datagram => heap_at(taken + 1),
                Wait::Gather(gather) => now + gather,
            };
            let mut received = 0;
            while heap_at(taken + 1) <= now {
                taken += 1;
                received += heap;
            }
            wait = pace.wait(now, received);
        }
        wait
    }

    #[test]
    fn a_crowd_gathers_a_band_does_not_and_between_it_stays_as_it_was() {
        let mut pace = Pace::new(LocalTime::ZERO);
        for (step, (per_second, wait)) in (0..).zip([
            (3_750, Wait::Datagram),
            (4_500, Wait::Datagram),
            (7_500, CROWD_WAIT),
            (15_000, MULTITUDE_WAIT),
            (9_000, MULTITUDE_WAIT),
            (7_500, CROWD_WAIT),
            (9_000, CROWD_WAIT),
            (4_500, CROWD_WAIT),
            (1_000, Wait::Datagram),
        ]) {
            assert_eq!(after(&mut pace, step * 200, 200, per_second, 1), wait, "{step}: {per_second}");
        }
    }

    #[test]
    fn heaps_are_waited_for() {
        let mut pace = Pace::new(LocalTime::ZERO);
        assert_eq!(after(&mut pace, 0, 200, 375, 40), Wait::Datagram);
        assert_eq!(after(&mut pace, 200, 200, 15_000, 1), MULTITUDE_WAIT);
        assert_eq!(after(&mut pace, 400, 200, 375, 40), Wait::Datagram);
        // It has just gathered in vain: it rests before it tries again.
        assert_eq!(after(&mut pace, 600, 200, 15_000, 1), Wait::Datagram);
        assert_eq!(after(&mut pace, 800, 1_000, 15_000, 1), MULTITUDE_WAIT);
    }
}
