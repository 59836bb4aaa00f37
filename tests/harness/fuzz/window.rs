//! The chunk window against a model that keeps everything in a map and decides by search.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_shared::dsp::{ChunkFrames, SILENT_CHUNK};
use lockstep_shared::jitter::{ChunkWindow, Insertion, Presence};
use lockstep_shared::time::convert::{f32_from_f64, f64_from_usize, i64_from_usize, usize_from_i64};
use lockstep_shared::time::{CHUNK_FRAMES, ChunkIndex, GridFrame};

use super::input::Input;

const CAPACITY: usize = 8;
/// More than the window holds, and not a multiple of a chunk.
const FRAMES_MAX: usize = 700;
/// Frames over which audio falls into a gap and rises out of it.
const EDGE_FRAMES: i64 = 32;

/// Chunks arrive around a place that moves on and leaps, and is read in pieces that overlap: what the window says of
/// each, what it counts and every sample that it gives are the model's.
pub fn window(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (mut window, mut model) = (ChunkWindow::new(CAPACITY), Model::default());
    let mut place = 0_i64;
    while !input.is_over() {
        match input.below(8) {
            0..=2 => {
                let chunk = place.div_euclid(64) + i64::from(input.u8() % 32) - 12;
                let version = input.u8();
                let inserted = window.insert(ChunkIndex(chunk), &audio(chunk, version));
                assert_eq!(inserted, model.insert(chunk, version));
            }
            3 | 4 => {
                let from = place + i64::from(input.u16() % 512) - 256;
                read(&mut window, &mut model, from, usize::from(input.u16()) % FRAMES_MAX);
            }
            5 => place += i64::from(input.u8()),
            6 => {
                // Chunk indices of the wire reach this far; a lie may be anything within.
                place = match input.below(4) {
                    0 => place + (input.i64() >> 52),
                    1 => place + (input.i64() >> 40),
                    2 => input.i64() >> 8,
                    _ => 0,
                };
            }
            _ => {
                window.reset();
                model = Model::default();
            }
        }
        assert_eq!(window.cursor().map(|cursor| cursor.0), model.cursor);
    }
}

fn read(window: &mut ChunkWindow, model: &mut Model, from: i64, count: usize) {
    let mut peeked = [vec![f32::NAN; count], vec![f32::NAN; count]];
    let mut gathered = peeked.clone();
    let [left, right] = &mut gathered;
    let presence = window.gather(GridFrame(from), [left, right]);
    assert_eq!(presence, model.pass(from, count));
    let [left, right] = &mut peeked;
    window.peek(GridFrame(from), [left, right]);
    for (channel, (gathered, peeked)) in gathered.iter().zip(&peeked).enumerate() {
        for ((frame, gathered), peeked) in (from..).zip(gathered).zip(peeked) {
            let expected = model.sample(channel, frame);
            assert_eq!(gathered.to_bits(), expected.to_bits(), "channel {channel}, frame {frame}");
            assert_eq!(peeked.to_bits(), expected.to_bits(), "a look is what is heard");
        }
    }
}

/// Every frame has its own value, never zero; a chunk that is sent twice differs.
fn audio(chunk: i64, version: u8) -> ChunkFrames {
    let mut frames = SILENT_CHUNK;
    for (channel, samples) in frames.iter_mut().enumerate() {
        for (n, sample) in samples.iter_mut().enumerate() {
            let number =
                (chunk.wrapping_mul(64) + i64_from_usize(n)).rem_euclid(9_973) * 2 + i64_from_usize(channel);
            let place = f64_from_usize(usize_from_i64(number)) / 65_536.0;
            *sample = f32_from_f64(0.5 + place + f64::from(version));
        }
    }
    frames
}

/// The specification, without slots: all that was stored, and all that was passed.
#[derive(Default)]
struct Model {
    stored: BTreeMap<i64, ChunkFrames>,
    cursor: Option<i64>,
    counted: BTreeSet<i64>,
}

impl Model {
    fn insert(&mut self, chunk: i64, version: u8) -> Insertion {
        let capacity = i64_from_usize(CAPACITY);
        if self.stored.contains_key(&chunk) {
            return Insertion::Duplicate;
        }
        match self.cursor {
            Some(cursor) if chunk < cursor => Insertion::Late,
            Some(cursor) if chunk >= cursor + capacity => Insertion::TooEarly,
            Some(_) | None => {
                self.stored.retain(|other, _| (chunk - other).rem_euclid(capacity) != 0);
                self.stored.insert(chunk, audio(chunk, version));
                Insertion::Stored
            }
        }
    }

    fn sample(&self, channel: usize, frame: i64) -> f32 {
        let (chunk, offset) = (frame.div_euclid(64), frame.rem_euclid(64));
        let place = usize_from_i64(offset);
        match (self.stored.get(&chunk), self.stored.get(&(chunk - 1))) {
            (Some(here), None) if offset < EDGE_FRAMES - 1 => here[channel][place] * edge(offset + 1),
            (Some(here), _) => here[channel][place],
            (None, Some(before)) if offset < EDGE_FRAMES - 1 => {
                before[channel][CHUNK_FRAMES - 1] * edge(EDGE_FRAMES - 1 - offset)
            }
            (None, _) => 0.0,
        }
    }

    fn pass(&mut self, from: i64, count: usize) -> Presence {
        if count == 0 {
            return Presence::default();
        }
        let (first, last) = (from.div_euclid(64), (from + i64_from_usize(count) - 1).div_euclid(64));
        if self.cursor.is_some_and(|cursor| cursor - last > i64_from_usize(CAPACITY)) {
            self.cursor = None;
            self.counted.clear();
        }
        let mut presence = Presence::default();
        for chunk in first..=last {
            if self.cursor.is_none_or(|cursor| chunk >= cursor) && self.counted.insert(chunk) {
                if self.stored.contains_key(&chunk) {
                    presence.present += 1;
                } else {
                    presence.concealed += 1;
                }
            }
        }
        self.cursor = Some(self.cursor.map_or(last + 1, |cursor| cursor.max(last + 1)));
        presence
    }
}

fn edge(place: i64) -> f32 {
    f32_from_f64(f64_from_usize(usize_from_i64(place)) / f64_from_usize(usize_from_i64(EDGE_FRAMES)))
}
