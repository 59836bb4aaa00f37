//! The window against a model that keeps everything in a map and decides by search.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const CAPACITY: usize = 16;

/// Every frame of every chunk has its own value, never zero.
fn audio(chunk: i64) -> ChunkFrames {
    let mut frames = SILENT_CHUNK;
    for (channel, samples) in frames.iter_mut().enumerate() {
        for (n, sample) in samples.iter_mut().enumerate() {
            let number = (chunk * 64 + i64_from_usize(n)) * 2 + i64_from_usize(channel);
            *sample =
                f32_from_f64(0.5 + f64_from_usize(usize_from_i64(number.rem_euclid(99_991))) / 262_144.0);
        }
    }
    frames
}

fn read(window: &mut ChunkWindow, from: i64, count: usize) -> (Vec<f32>, Vec<f32>, Presence) {
    let (mut left, mut right) = (vec![9.0; count], vec![9.0; count]);
    let presence = window.gather(GridFrame(from), [&mut left, &mut right]);
    (left, right, presence)
}

#[test]
fn a_gap_is_left_and_entered_again_without_a_step() {
    let mut window = ChunkWindow::new(CAPACITY);
    let loud = [[1.0; CHUNK_FRAMES], [-1.0; CHUNK_FRAMES]];
    for chunk in [10, 11, 14, 15] {
        assert_eq!(window.insert(ChunkIndex(chunk), &loud), Insertion::Stored);
    }
    let (left, right, presence) = read(&mut window, 9 * 64, 8 * 64);
    assert_eq!(presence, Presence { present: 4, concealed: 4 });
    assert!(left.windows(2).all(|pair| (pair[1] - pair[0]).abs() <= 1.0 / 32.0));
    assert!(left.iter().zip(&right).all(|(left, right)| *left == -*right));
    assert_eq!(left[3 * 64 + 31..5 * 64], [0.0; 97]);
    assert_eq!(left[64 + 31..3 * 64], [1.0; 97]);
}

#[test]
fn what_was_read_as_absent_stays_absent_and_is_counted_once() {
    let mut window = ChunkWindow::new(CAPACITY);
    window.insert(ChunkIndex(0), &audio(0));
    window.insert(ChunkIndex(2), &audio(2));
    let before = read(&mut window, 0, 130);
    assert_eq!(before.2, Presence { present: 2, concealed: 1 });
    assert_eq!(window.insert(ChunkIndex(1), &audio(1)), Insertion::Late);
    assert_eq!(window.insert(ChunkIndex(2), &audio(7)), Insertion::Duplicate);
    let again = read(&mut window, 0, 130);
    assert_eq!((&again.0, &again.1), (&before.0, &before.1));
    assert_eq!(again.2, Presence::default());
}

#[test]
fn a_chunk_too_early_never_displaces_what_is_still_to_be_read() {
    let mut window = ChunkWindow::new(CAPACITY);
    read(&mut window, 0, 1);
    assert_eq!(window.cursor(), Some(ChunkIndex(1)));
    assert_eq!(window.insert(ChunkIndex(16), &audio(16)), Insertion::Stored);
    assert_eq!(window.insert(ChunkIndex(17), &audio(17)), Insertion::TooEarly);
    for strange in [i64::MAX, i64::MAX - 63, i64::MIN, i64::MIN + 1] {
        assert_ne!(window.insert(ChunkIndex(strange), &audio(1)), Insertion::Stored);
    }
}

#[test]
fn a_place_that_was_wrong_by_hours_is_left_again() {
    let mut window = ChunkWindow::new(CAPACITY);
    read(&mut window, 0, 64);
    read(&mut window, 1_000_000_000, 64);
    assert_eq!(window.insert(ChunkIndex(3), &audio(3)), Insertion::Late);
    read(&mut window, 64, 64);
    assert_eq!(window.insert(ChunkIndex(3), &audio(3)), Insertion::Stored);
}

#[test]
fn after_a_reset_it_is_new() {
    let mut window = ChunkWindow::new(CAPACITY);
    window.insert(ChunkIndex(5), &audio(5));
    read(&mut window, 5 * 64, 64);
    window.reset();
    assert_eq!(window.cursor(), None);
    assert_eq!(read(&mut window, 5 * 64, 64).0, vec![0.0; 64]);
}

/// The specification, without slots: all that was stored, and all that was passed.
#[derive(Default)]
struct Model {
    stored: BTreeMap<i64, ChunkFrames>,
    cursor: Option<i64>,
    counted: BTreeSet<i64>,
}

impl Model {
    fn insert(&mut self, chunk: i64) -> Insertion {
        let capacity = i64_from_usize(CAPACITY);
        if self.stored.contains_key(&chunk) {
            return Insertion::Duplicate;
        }
        match self.cursor {
            Some(cursor) if chunk < cursor => Insertion::Late,
            Some(cursor) if chunk >= cursor + capacity => Insertion::TooEarly,
            Some(_) | None => {
                self.stored.retain(|other, _| (chunk - other).rem_euclid(capacity) != 0);
                self.stored.insert(chunk, audio(chunk));
                Insertion::Stored
            }
        }
    }

    fn sample(&self, channel: usize, frame: i64) -> f32 {
        let (chunk, offset) = (frame.div_euclid(64), usize_from_i64(frame.rem_euclid(64)));
        match (self.stored.get(&chunk), self.stored.get(&(chunk - 1))) {
            (Some(here), None) if offset < 31 => here[channel][offset] * edge(offset + 1),
            (Some(here), _) => here[channel][offset],
            (None, Some(before)) if offset < 31 => before[channel][63] * edge(31 - offset),
            (None, _) => 0.0,
        }
    }

    fn pass(&mut self, from: i64, count: usize) -> Presence {
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

#[derive(Clone, Debug)]
enum Step {
    Insert(i64),
    Gather(i64, usize),
    Leap(i64),
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (-6_i64..22).prop_map(Step::Insert),
        6 => (-200_i64..150, 1_usize..300).prop_map(|(from, count)| Step::Gather(from, count)),
        1 => (-3_000_i64..3_000).prop_map(Step::Leap),
        1 => Just(Step::Reset),
    ]
}

proptest! {
    /// Chunks arrive around a place that moves on, leaps, and is read in overlapping pieces.
    #[test]
    fn it_is_its_model(steps in prop::collection::vec(step(), 1..200), start in -5_000_i64..5_000) {
        let (mut window, mut model) = (ChunkWindow::new(CAPACITY), Model::default());
        let mut place = start;
        for step in steps {
            match step {
                Step::Insert(ahead) => {
                    let chunk = place.div_euclid(64) + ahead;
                    prop_assert_eq!(window.insert(ChunkIndex(chunk), &audio(chunk)), model.insert(chunk));
                }
                Step::Gather(ahead, count) => {
                    let from = place + ahead;
                    let (left, right, presence) = read(&mut window, from, count);
                    prop_assert_eq!(presence, model.pass(from, count));
                    prop_assert_eq!(window.cursor().map(|cursor| cursor.0), model.cursor);
                    for n in 0..count {
                        let frame = from + i64_from_usize(n);
                        prop_assert_eq!(left[n].to_bits(), model.sample(0, frame).to_bits());
                        prop_assert_eq!(right[n].to_bits(), model.sample(1, frame).to_bits());
                    }
                    place += 40;
                }
                Step::Leap(frames) => place += frames,
                Step::Reset => {
                    window.reset();
                    model = Model::default();
                }
            }
        }
    }
}
