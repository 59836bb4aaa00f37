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

/// A tone that both channels play.
fn tone(chunk: i64) -> ChunkFrames {
    let sample = |n: usize| {
        let turns = f64_from_usize(usize_from_i64(chunk * 64) + n) * 300.0 / 48_000.0;
        f32_from_f64(0.5 * (core::f64::consts::TAU * turns).sin())
    };
    [core::array::from_fn(sample); 2]
}

/// What a tone's chunks foresee for the one after the last of them.
fn continuation_after(last: i64) -> Continuation {
    let history: Vec<f32> = (last - 7..=last).flat_map(|chunk| tone(chunk)[0]).collect();
    Continuation::of([&history, &history]).unwrap()
}

/// A window with the chunks 0 to 7 of a tone, and those from `from` on.
fn window_without(from: i64) -> ChunkWindow {
    let mut window = ChunkWindow::new(32);
    for chunk in (0..8).chain(from..20) {
        window.insert(ChunkIndex(chunk), &tone(chunk));
    }
    window
}

fn farthest(heard: &[f32], first: i64) -> f32 {
    let played = (first..first + i64_from_usize(heard.len() / 64)).flat_map(|chunk| tone(chunk)[0]);
    heard.iter().zip(played).fold(0.0, |most, (heard, played)| most.max((heard - played).abs()))
}

#[test]
fn a_continuation_is_heard_where_a_chunk_is_absent() {
    let mut window = window_without(9);
    window.foresee(ChunkIndex(8), &continuation_after(7));
    let (left, right, presence) = read(&mut window, 0, 20 * 64);
    assert_eq!(presence, Presence { present: 19, concealed: 1 });
    assert_eq!(left, right);
    assert!(farthest(&left[64..], 1) < 0.05, "{}", farthest(&left[64..], 1));
    let untouched = |chunk: i64| left[usize_from_i64(chunk * 64)..][..64] == tone(chunk)[0];
    assert!((1..8).chain(10..20).all(untouched));
    assert!(left[9 * 64 + 48..10 * 64] == tone(9)[0][48..], "1 ms passes into what arrived");
    assert_eq!(read(&mut window, 0, 20 * 64).0, left, "what was heard is heard again");
}

#[test]
fn it_does_not_matter_how_reads_are_cut() {
    let heard = |piece: usize| {
        let mut window = window_without(10);
        window.foresee(ChunkIndex(8), &continuation_after(7));
        let pieces = (0..20 * 64 / piece).map(|n| read(&mut window, i64_from_usize(n * piece), piece).0);
        pieces.flatten().collect::<Vec<f32>>()
    };
    assert_eq!(heard(1), heard(1_280));
    assert_eq!(heard(40), heard(64));
}

#[test]
fn a_long_gap_ends_in_silence_and_begins_again_without_a_step() {
    let mut window = window_without(17);
    window.foresee(ChunkIndex(8), &continuation_after(7));
    let (left, _, presence) = read(&mut window, 0, 20 * 64);
    assert_eq!(presence, Presence { present: 11, concealed: 9 });
    assert!(left[8 * 64 + 480..17 * 64].iter().all(|sample| *sample == 0.0));
    // The tone's own steepest step is 0.02, a rise over 32 frames adds half a 32nd.
    assert!(left.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.04));
}

#[test]
fn a_late_chunk_displaces_what_was_foreseen_until_it_is_passed() {
    let mut window = window_without(9);
    window.foresee(ChunkIndex(8), &continuation_after(7));
    window.foresee_bridge(ChunkIndex(8), &[[0.25; 64]; 2]);
    window.foresee(ChunkIndex(8), &continuation_after(7));
    assert!(!window.holds(ChunkIndex(8)));
    assert_eq!(window.insert(ChunkIndex(8), &tone(8)), Insertion::Stored);
    window.foresee_bridge(ChunkIndex(8), &[[0.25; 64]; 2]);
    let (left, _, presence) = read(&mut window, 0, 20 * 64);
    assert_eq!(presence, Presence { present: 20, concealed: 0 });
    assert_eq!(farthest(&left[64..], 1), 0.0, "what arrives whole is heard bit for bit");

    let mut window = window_without(9);
    window.foresee_bridge(ChunkIndex(8), &[[0.25; 64]; 2]);
    let before = read(&mut window, 0, 9 * 64).0;
    assert_eq!(before[8 * 64..], [0.25; 64]);
    assert_eq!(window.insert(ChunkIndex(8), &tone(8)), Insertion::Late);
    window.foresee_bridge(ChunkIndex(8), &tone(8));
    window.foresee(ChunkIndex(8), &continuation_after(7));
    assert_eq!(read(&mut window, 0, 9 * 64).0, before);
}

#[test]
fn a_continuation_passes_into_a_bridge_that_comes_while_it_is_heard() {
    let mut window = window_without(10);
    window.foresee(ChunkIndex(8), &continuation_after(7));
    read(&mut window, 0, 9 * 64);
    window.foresee_bridge(ChunkIndex(9), &tone(9));
    let (left, _, presence) = read(&mut window, 9 * 64, 11 * 64);
    assert_eq!(presence, Presence { present: 10, concealed: 1 });
    assert!(left[..48] != tone(9)[0][..48] && left[48..64] == tone(9)[0][48..]);
    assert_eq!(farthest(&left[64..], 10), 0.0);
    assert!(farthest(&left, 9) < 0.05);
}

#[test]
fn a_place_that_leaps_leaves_what_was_foreseen() {
    let mut window = window_without(12);
    window.foresee(ChunkIndex(8), &continuation_after(7));
    read(&mut window, 0, 9 * 64);
    let (left, _, presence) = read(&mut window, 11 * 64, 2 * 64);
    assert_eq!(presence, Presence { present: 1, concealed: 1 });
    assert_eq!(left[..64], [0.0; 64]);
    window.reset();
    assert_eq!(read(&mut window, 8 * 64, 64).0, vec![0.0; 64]);
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
