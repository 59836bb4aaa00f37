//! What DAWs make of ticks: three ways from arrivals to a position.

use std::collections::VecDeque;
use std::f64::consts::{SQRT_2, TAU};

use lockstep_shared::time::GRID_RATE;
use lockstep_shared::time::convert::f64_from_usize;

/// Position from ticks. Positions are in ticks, times in frames.
#[derive(Clone, Debug)]
pub(super) struct Smoother {
    way: Way,
    /// Where the position was `position`.
    at: f64,
    position: f64,
    /// Frames from tick to tick as this DAW has it.
    period: f64,
    last_arrival: Option<f64>,
    /// The tick that arrived last, counted.
    counted: f64,
}

#[derive(Clone, Debug)]
enum Way {
    /// On each tick the position is that tick, and the tempo its distance from the one before.
    LastInterval,
    /// A second-order loop on the arrivals.
    SecondOrder,
    /// The mean of 24 intervals is the tempo, and the position its integral.
    MeanOf24(VecDeque<f64>),
}

/// Until two ticks have come: 120 quarter notes a minute.
const PERIOD_AT_FIRST: f64 = 1_000.0;
/// The second-order loop's bandwidth: between the twitchy and the slow of what is in use.
const BANDWIDTH_HZ: f64 = 1.0;
/// From this part of a period on, the second-order loop locks anew.
const ANOTHER_TEMPO: f64 = 0.3;

impl Smoother {
    pub(super) const fn last_interval() -> Self {
        Self::of(Way::LastInterval)
    }

    pub(super) const fn second_order() -> Self {
        Self::of(Way::SecondOrder)
    }

    pub(super) const fn mean_of_24() -> Self {
        Self::of(Way::MeanOf24(VecDeque::new()))
    }

    const fn of(way: Way) -> Self {
        Self { way, at: 0.0, position: 0.0, period: PERIOD_AT_FIRST, last_arrival: None, counted: 0.0 }
    }

    /// The position at `now`.
    pub(super) fn ticks_at(&self, now: f64) -> f64 {
        self.position + (now - self.at) / self.period
    }

    /// Frames of a quarter note as this DAW has it.
    pub(super) fn quarter_frames(&self) -> f64 {
        24.0 * self.period
    }

    /// The tick that has just arrived is number `tick`.
    pub(super) fn place(&mut self, tick: f64, now: f64) {
        let within = match self.way {
            // The loop is locked to the ticks: what it was off by when this one came stays.
            Way::SecondOrder => self.ticks_at(now) - self.counted,
            Way::LastInterval | Way::MeanOf24(_) => 0.0,
        };
        self.at = now;
        self.position = tick + within;
        self.counted = tick;
    }

    pub(super) fn tick(&mut self, now: f64) {
        let Some(interval) = self.last_arrival.replace(now).map(|last| now - last) else {
            self.at = now;
            return;
        };
        let reached = self.ticks_at(now);
        self.counted += 1.0;
        match &mut self.way {
            Way::LastInterval => {
                self.period = interval;
                self.position = self.counted;
            }
            Way::SecondOrder if (interval / self.period - 1.0).abs() > ANOTHER_TEMPO => {
                self.period = interval;
                self.position = self.counted;
            }
            Way::SecondOrder => {
                let omega = TAU * BANDWIDTH_HZ * self.period / f64::from(GRID_RATE);
                let early = reached - self.counted;
                self.position = reached - SQRT_2 * omega * early;
                self.period *= 1.0 + omega * omega * early;
            }
            Way::MeanOf24(intervals) => {
                intervals.push_back(interval);
                if intervals.len() > 24 {
                    intervals.pop_front();
                }
                self.position = reached;
                self.period = intervals.iter().sum::<f64>() / f64_from_usize(intervals.len());
            }
        }
        self.at = now;
    }
}
