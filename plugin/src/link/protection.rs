//! Copies on both ways: what this member asks of the relay, and what the relay asks of it.

use std::sync::atomic::Ordering;

use lockstep_shared::redundancy::{Asked, Patience, Protection};
use lockstep_shared::time::convert::{f64_from_i64, i64_from_usize, i64_round};
use lockstep_shared::time::{CHUNK_FRAMES, LocalTime, Span};
use lockstep_shared::wire::{ChunksPerDatagram, Format, Slot, Writer};

use super::{Link, Port};

/// How often loss is weighed.
const WEIGH_EVERY: Span = Span::from_millis(500);
/// What is spare is told in steps of so many frames: it is no news that it moves by a little.
const SPARE_STEP_FRAMES: f64 = 32.0;

/// What is asked for and what has been.
#[derive(Debug)]
pub(super) struct Redundancy {
    /// What the relay asks for what is sent to it.
    pub(super) of_uplink: Protection,
    /// What was asked of the relay last.
    pub(super) of_downlink: Asked,
    /// The size of the element that came last.
    pub(super) chunks: ChunksPerDatagram,
    weighed: LocalTime,
}

impl Redundancy {
    pub(super) fn new(now: LocalTime) -> Self {
        Self {
            of_uplink: Protection::NONE,
            of_downlink: Asked::default(),
            chunks: ChunksPerDatagram::One,
            weighed: now,
        }
    }
}

impl Link {
    /// Asks the relay for copies if the way down loses what they would bring in time.
    pub(super) fn weigh_protection(&mut self, now: LocalTime) {
        if now - self.redundancy.weighed < WEIGH_EVERY {
            return;
        }
        self.redundancy.weighed = now;
        let Some(loss) = self.client.loss() else { return };
        let lanes = self.playing_lanes().map(|(_, _, lane)| {
            [lane.spare_frames.load(Ordering::Relaxed), lane.late_cost_frames.load(Ordering::Relaxed)]
        });
        // Whoever waits longest has something of a copy; whoever waits less loses nothing by it.
        let longest = lanes.reduce(|a, b| [a[0].max(b[0]), a[1].max(b[1])]);
        let before = self.redundancy.of_downlink;
        let asked = longest.map_or_else(Asked::default, |[spare_frames, late_cost_frames]| {
            let frames = i64_from_usize(self.redundancy.chunks.count() * CHUNK_FRAMES);
            let patience = Patience { spare_frames, late_cost_frames, datagram_frames: f64_from_i64(frames) };
            let spare = i64_round((spare_frames / SPARE_STEP_FRAMES).floor().max(0.0) * SPARE_STEP_FRAMES);
            Asked {
                protection: Protection::wanted(loss, &patience, before.protection),
                spare_frames: u16::try_from(spare).unwrap_or(u16::MAX),
            }
        });
        if asked != before {
            self.redundancy.of_downlink = asked;
            let mut buffer = [0; 4];
            let mut out = Writer::new(&mut buffer);
            if asked.encode(&mut out).is_ok() {
                self.client.publish(now, Slot::PROTECTION, out.written());
            }
        }
    }
}

/// How an instance's samples travel when each datagram brings so many copies. Left to us, they are plain as long as each
/// travels once, and coded as soon as it does not: with a copy, that is about the rate of one.
pub(super) fn format_of(port: &Port, copies: u8) -> Format {
    let left_to_us = if copies == 0 { Format::Pcm16 } else { Format::Lossless16 };
    port.end.gauges.format().unwrap_or(left_to_us)
}
