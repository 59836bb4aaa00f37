//! When to let datagrams gather.
//!
//! Waking up costs more than a datagram does. A few players are served the moment their datagrams arrive. A crowd
//! sends so many that somebody's always arrives: then the media thread looks every [`GATHER`] instead and takes what
//! has come together. That costs a crowd at most this much latency, and saves it most of the wake-ups.

use lockstep_shared::time::{LocalTime, Span};

/// How long datagrams gather: a quarter of a chunk. The mix waits half a millisecond longer than its slowest strip usually
/// takes, so that nothing is late for it by this.
const GATHER: Span = Span::from_micros(333);
/// What the rate is counted over.
const WINDOW: Span = Span::from_millis(20);
/// Datagrams in a window from which they gather: 5,000 a second, nearly two each [`GATHER`]; 14 members with
/// 128-frame datagrams.
const CROWD: u32 = 100;
/// Datagrams in a window below which they no longer gather; less, so that a rate in between does not flutter.
const FEW: u32 = 80;

/// How the media thread waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For the next datagram.
    Datagram,
    /// For this long, whatever arrives.
    Gather(Span),
}

/// Counts datagrams and says how to wait.
#[derive(Clone, Debug)]
pub struct Pace {
    window_ends: LocalTime,
    arrived: u32,
    wait: Wait,
}

impl Pace {
    /// Nothing has arrived.
    #[must_use]
    pub fn new(now: LocalTime) -> Self {
        Self { window_ends: now + WINDOW, arrived: 0, wait: Wait::Datagram }
    }

    /// Counts what was received in one turn that ended at `now`; says how to wait for more.
    pub fn wait(&mut self, now: LocalTime, received: u32) -> Wait {
        self.arrived = self.arrived.saturating_add(received);
        if now >= self.window_ends {
            // A window that was slept over holds less than it should: the rate has dropped, and that is what it says.
            self.wait = match self.wait {
                Wait::Datagram if self.arrived >= CROWD => Wait::Gather(GATHER),
                Wait::Gather(_) if self.arrived < FEW => Wait::Datagram,
                Wait::Datagram | Wait::Gather(_) => self.wait,
            };
            self.arrived = 0;
            self.window_ends = now + WINDOW;
        }
        self.wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets datagrams come evenly for `millis`; returns how it waits then.
    fn after(pace: &mut Pace, start_ms: i64, millis: i64, per_second: i64) -> Wait {
        let at = |micros| LocalTime::ZERO + Span::from_millis(start_ms) + Span::from_micros(micros);
        let count = millis * per_second / 1_000;
        let mut wait = pace.wait(at(0), 0);
        for number in 1..=count {
            wait = pace.wait(at(number * 1_000_000 / per_second), 1);
        }
        wait
    }

    #[test]
    fn a_crowd_gathers_a_band_does_not_and_between_it_stays_as_it_was() {
        let mut pace = Pace::new(LocalTime::ZERO);
        assert_eq!(after(&mut pace, 0, 200, 3_750), Wait::Datagram);
        assert_eq!(after(&mut pace, 200, 200, 4_500), Wait::Datagram);
        assert_eq!(after(&mut pace, 400, 200, 15_000), Wait::Gather(GATHER));
        assert_eq!(after(&mut pace, 600, 200, 4_500), Wait::Gather(GATHER));
        assert_eq!(after(&mut pace, 800, 200, 1_000), Wait::Datagram);
    }

    #[test]
    fn silence_ends_the_gathering_with_the_first_look() {
        let mut pace = Pace::new(LocalTime::ZERO);
        after(&mut pace, 0, 200, 15_000);
        assert_eq!(pace.wait(LocalTime::ZERO + Span::from_millis(5_000), 0), Wait::Datagram);
    }
}
