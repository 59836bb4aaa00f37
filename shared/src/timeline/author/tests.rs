use super::*;
use crate::time::convert::f64_from_i64;
use crate::timeline::{Segment, TimeSignature};

const ME: AuthorId = AuthorId(2);
const BLOCKS: [i32; 5] = [16, 64, 441, 1_024, 4_096];

/// A DAW that plays `tempo`, a function of its own seconds, frame by frame.
struct Daw<T> {
    tempo: T,
    /// How much faster than the grid its device runs.
    drift: f64,
    block: i32,
    frame: i64,
    position: f64,
    motion: Motion,
    cycle: Option<Cycle>,
    signature: TimeSignature,
}

impl<T: Fn(f64) -> f64> Daw<T> {
    fn new(block: i32, tempo: T) -> Self {
        Self {
            tempo,
            drift: 83e-6,
            block,
            frame: 48_000,
            position: 0.0,
            motion: Motion::Playing,
            cycle: None,
            signature: TimeSignature::COMMON,
        }
    }

    fn bpm(&self) -> f64 {
        (self.tempo)(self.seconds())
    }

    fn seconds(&self) -> f64 {
        f64_from_i64(self.frame) / SECOND
    }

    fn at(&self) -> GridPosition {
        GridPosition::default().plus_f64(f64_from_i64(self.frame) / (1.0 + self.drift))
    }

    fn reading(&self) -> Reading {
        let bar = self.signature.bar_beats().quarters();
        Reading {
            start: self.at(),
            frames: f64::from(self.block) / (1.0 + self.drift),
            quarters: Some(self.position),
            bpm: self.bpm(),
            motion: self.motion,
            signature: Some(self.signature),
            bar_start: Some((self.position / bar).floor() * bar),
            cycle: self.cycle,
        }
    }

    fn play(&mut self) {
        for _ in 0..self.block {
            if self.motion == Motion::Playing {
                let before = self.position;
                self.position += self.bpm() * PER_FRAME;
                if let Some(cycle) = self.cycle
                    && before < cycle.end()
                    && self.position >= cycle.end()
                {
                    self.position -= cycle.length();
                }
            }
            self.frame += 1;
        }
    }
}

/// What came of some blocks.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    published: usize,
    /// The largest error of the line that held before a block was known, and of the one after, in microseconds.
    before_us: f64,
    after_us: f64,
    /// How many blocks were wrong by more than 0.1 ms once they were known.
    wrong_blocks: usize,
}

struct Room {
    author: Author,
    line: Timeline,
}

impl Room {
    fn new() -> Self {
        let line = Timeline::default();
        Self { author: Author::new(ME, &line), line }
    }

    fn run<T: Fn(f64) -> f64>(&mut self, daw: &mut Daw<T>, seconds: f64) -> Outcome {
        self.run_with(daw, seconds, |_, reading| reading)
    }

    fn run_with<T: Fn(f64) -> f64>(
        &mut self,
        daw: &mut Daw<T>,
        seconds: f64,
        mut distort: impl FnMut(i64, Reading) -> Reading,
    ) -> Outcome {
        let end = daw.seconds() + seconds;
        let mut outcome = Outcome::default();
        while daw.seconds() < end {
            let reading = distort(daw.frame, daw.reading());
            outcome.before_us = outcome.before_us.max(self.error_us(daw));
            if let Some(line) = self.author.observe(&reading) {
                assert!(line.supersedes(&self.line));
                self.line = line;
                outcome.published += 1;
            }
            let after = self.error_us(daw);
            outcome.after_us = outcome.after_us.max(after);
            outcome.wrong_blocks += usize::from(after > 100.0);
            daw.play();
        }
        outcome
    }

    fn error_us<T: Fn(f64) -> f64>(&self, daw: &Daw<T>) -> f64 {
        let place = self.line.place(daw.at());
        (place.beats.quarters() - daw.position).abs() * 60e6 / daw.bpm()
    }
}

#[test]
fn constant_play_is_measured_once_and_then_rarely_told() {
    for block in BLOCKS {
        for drift in [100e-6, -100e-6] {
            let (mut room, mut daw) = (Room::new(), Daw::new(block, |_| 120.0));
            daw.drift = drift;
            let learning = room.run(&mut daw, 10.0);
            assert!(learning.published <= 10, "{block} {learning:?}");
            assert!(learning.before_us <= 100.0, "{block} {learning:?}");
            let steady = room.run(&mut daw, 600.0);
            assert!(steady.published <= 1 && steady.before_us <= 100.0, "{block} {steady:?}");
            let truth = drift;
            assert!((room.author.drift() - truth).abs() < 0.5e-6, "{}", room.author.drift());
            assert_eq!(room.line.place(daw.at()).tempo, Tempo::DEFAULT);
        }
    }
}

#[test]
fn a_grid_that_wavers_is_smoothed() {
    let (mut room, mut daw) = (Room::new(), Daw::new(128, |_| 120.0));
    let waver = |frame: i64, reading: Reading| {
        let noise = f64_from_i64((frame / 128 * 7_919) % 41 - 20) / 20.0;
        let sway = (f64_from_i64(frame) / SECOND / 3.0).sin();
        // 10 us of noise and 5 us of sway.
        Reading { start: reading.start.plus_f64(noise * 0.48 + sway * 0.24), ..reading }
    };
    room.run_with(&mut daw, 30.0, waver);
    let steady = room.run_with(&mut daw, 60.0, waver);
    assert!(steady.published <= 1 && steady.before_us <= 100.0, "{steady:?}");
}

#[test]
fn a_restart_knows_the_device_already() {
    let (mut room, mut daw) = (Room::new(), Daw::new(256, |_| 120.0));
    room.run(&mut daw, 20.0);
    daw.motion = Motion::Stopped;
    assert_eq!(room.run(&mut daw, 2.0).published, 1);
    assert_eq!(room.line.place(daw.at()).motion, Motion::Stopped);
    let stopped = room.line.place(daw.at());
    assert!((stopped.beats.quarters() - daw.position).abs() < 2e-6);
    daw.motion = Motion::Playing;
    let on = room.run(&mut daw, 20.0);
    assert!(on.published == 1 && on.after_us <= 50.0, "{on:?}");
    assert!(room.line.place(daw.at()).epoch > stopped.epoch);
}

#[test]
fn a_tempo_step_inside_a_block_is_put_where_it_was() {
    for block in BLOCKS {
        let (mut room, mut daw) =
            (Room::new(), Daw::new(block, |seconds| if seconds < 21.003 { 120.0 } else { 137.5 }));
        room.run(&mut daw, 19.0);
        let step = room.run(&mut daw, 5.0);
        assert!(step.wrong_blocks <= 1_600 / usize::try_from(block).unwrap(), "{block} {step:?}");
        let place = room.line.place(daw.at());
        assert_eq!(place.tempo, Tempo::from_bpm(137.5).unwrap());
        let turn = room.line.segments().iter().rev().find(|segment| segment.tempo == Tempo::DEFAULT);
        assert_eq!(turn.map(|segment| segment.epoch), Some(place.epoch), "a tempo is no jump");
        assert!(room.error_us(&daw) <= 50.0, "{block} {}", room.error_us(&daw));
        assert!(step.published <= 3, "{block} {step:?}");
    }
}

#[test]
fn a_ramp_is_followed_within_a_tenth_of_a_millisecond() {
    for block in BLOCKS {
        for rate in [0.5, 10.0, -8.0] {
            let ramp = move |seconds: f64| 120.0 + rate * (seconds - 10.0).clamp(0.0, 4.0);
            let (mut room, mut daw) = (Room::new(), Daw::new(block, ramp));
            room.run(&mut daw, 10.5);
            let ramping = room.run(&mut daw, 2.2);
            assert!(ramping.before_us <= 100.0, "{block} {rate} {ramping:?}");
            assert!(ramping.published <= 40, "{block} {rate} {ramping:?}");
            let ending = room.run(&mut daw, 3.0);
            let known = 2 * 4_096 / usize::try_from(block).unwrap();
            assert!(ending.wrong_blocks <= known, "{block} {rate} {ending:?}");
            assert!(room.error_us(&daw) <= 50.0);
            assert_eq!(room.line.place(daw.at()).epoch, 1, "a ramp is no jump");
        }
    }
}

#[test]
fn loop_wraps_are_known_before_they_happen() {
    for block in BLOCKS {
        for (start, end) in [(4.0, 8.0), (0.0, 0.5), (3.0, 19.0)] {
            let (mut room, mut daw) = (Room::new(), Daw::new(block, |_| 120.0));
            daw.cycle = Cycle::new(start, end);
            room.run(&mut daw, 1.0);
            let looping = room.run(&mut daw, 30.0);
            // `before`: the line that held before the block was known had the wrap on its place.
            assert!(looping.before_us <= 100.0, "{block} {start} {looping:?}");
            let wraps = 60.0 / (end - start);
            assert!(
                f64_from_i64(i64::try_from(looping.published).unwrap()) <= wraps.min(15.0) + 6.0,
                "{looping:?}"
            );
        }
    }
}

#[test]
fn a_loop_that_is_switched_late_or_off_is_corrected() {
    let (mut room, mut daw) = (Room::new(), Daw::new(512, |_| 120.0));
    room.run(&mut daw, 1.9);
    daw.cycle = Cycle::new(0.0, daw.position + 0.01);
    let late = room.run(&mut daw, 0.5);
    assert_eq!(late.wrong_blocks, 0, "{late:?}");
    daw.cycle = None;
    let off = room.run(&mut daw, 4.0);
    assert!(off.before_us <= 100.0, "{off:?}");
}

#[test]
fn a_jump_opens_an_epoch_at_its_block() {
    let (mut room, mut daw) = (Room::new(), Daw::new(512, |_| 120.0));
    room.run(&mut daw, 5.0);
    for to in [2.0, 64.0, -4.0] {
        let epoch = room.line.place(daw.at()).epoch;
        daw.position = to;
        let jump = room.run(&mut daw, 1.0);
        assert!(jump.wrong_blocks == 0 && jump.published <= 2, "{jump:?}");
        assert!(room.line.place(daw.at()).epoch > epoch);
    }
}

#[test]
fn a_small_step_is_bent_away_without_an_epoch() {
    let (mut room, mut daw) = (Room::new(), Daw::new(512, |_| 120.0));
    room.run(&mut daw, 10.0);
    let epoch = room.line.place(daw.at()).epoch;
    daw.position += 0.01;
    room.run(&mut daw, 0.5);
    let settled = room.run(&mut daw, 1.0);
    assert!(settled.before_us <= 100.0, "{settled:?}");
    assert_eq!(room.line.place(daw.at()).epoch, epoch);
}

#[test]
fn odd_meters_are_told_once() {
    let (mut room, mut daw) = (Room::new(), Daw::new(256, |_| 90.0));
    daw.signature = TimeSignature::new(7, 8).unwrap();
    daw.position = -3.5;
    room.run(&mut daw, 10.0);
    let steady = room.run(&mut daw, 20.0);
    assert_eq!(steady.published, 0);
    let place = room.line.place(daw.at());
    assert_eq!((place.signature, place.bar_origin), (daw.signature, Beats::default()));
    daw.signature = TimeSignature::COMMON;
    assert_eq!(room.run(&mut daw, 2.0).published, 1);
    assert_eq!(room.line.place(daw.at()).signature, TimeSignature::COMMON);
}

#[test]
fn tempos_that_cannot_be_are_passed_over() {
    for nonsense in [f64::NAN, 0.0, -120.0, f64::INFINITY, 1e9] {
        let (mut room, mut daw) = (Room::new(), Daw::new(512, |_| 120.0));
        let mut blocks = 0_i64;
        let outcome = room.run_with(&mut daw, 20.0, |_, reading| {
            blocks += 1;
            Reading { bpm: if blocks % 3 == 0 { nonsense } else { reading.bpm }, ..reading }
        });
        assert!(outcome.after_us <= 100.0 && outcome.published <= 10, "{nonsense} {outcome:?}");
    }
    let (mut room, mut daw) = (Room::new(), Daw::new(512, |_| 999.0));
    let fast = room.run(&mut daw, 20.0);
    assert!(fast.after_us <= 100.0, "{fast:?}");
    assert_eq!(room.line.place(daw.at()).tempo, Tempo::from_bpm(999.0).unwrap());
}

#[test]
fn positions_are_believed_before_tempos() {
    let (mut room, mut daw) = (Room::new(), Daw::new(512, |_| 133.0));
    let lie = |_, reading: Reading| Reading { bpm: f64::NAN, ..reading };
    room.run_with(&mut daw, 2.0, lie);
    let told = room.run_with(&mut daw, 20.0, lie);
    assert!(told.before_us <= 100.0, "{told:?}");
}

#[test]
fn without_positions_the_tempo_counts() {
    let (mut room, mut daw) = (Room::new(), Daw::new(512, |_| 120.0));
    let silent = |_, reading: Reading| Reading { quarters: None, bar_start: None, ..reading };
    let outcome = room.run_with(&mut daw, 10.0, silent);
    // Nothing shows the device's error then: 83 ppm of 10 s.
    assert!(outcome.published <= 2 && outcome.after_us <= 900.0, "{outcome:?}");
}

#[test]
fn a_stopped_daw_is_told_once_and_seeks_are_epochs() {
    let (mut room, mut daw) = (Room::new(), Daw::new(512, |_| 100.0));
    daw.motion = Motion::Stopped;
    assert_eq!(room.run(&mut daw, 5.0).published, 1);
    let epoch = room.line.place(daw.at()).epoch;
    daw.position = 12.0;
    assert_eq!(room.run(&mut daw, 5.0).published, 1);
    let place = room.line.place(daw.at());
    assert!(place.epoch > epoch);
    assert_eq!(place.beats, Beats::from_quarters(12.0));
}

#[test]
fn stalls_and_double_calls_are_survived() {
    let (mut room, mut daw) = (Room::new(), Daw::new(512, |_| 120.0));
    room.run(&mut daw, 5.0);
    let again = daw.reading();
    room.author.observe(&again);
    assert_eq!(room.author.observe(&again), None);
    // The device goes on for a second, the DAW does not.
    daw.frame += 48_000;
    let stalled = room.run(&mut daw, 1.0);
    assert!(stalled.wrong_blocks == 0 && stalled.published <= 2, "{stalled:?}");
    // Another grid: an hour earlier.
    daw.frame -= 3_600 * 48_000;
    let moved = room.run(&mut daw, 1.0);
    assert!(moved.wrong_blocks == 0 && moved.published <= 3, "{moved:?}");
}

#[test]
fn within_an_epoch_the_line_is_continuous_and_rises() {
    let wild = |seconds: f64| 120.0 + 40.0 * (seconds * 0.7).sin() + if seconds > 15.0 { 30.0 } else { 0.0 };
    let (mut room, mut daw) = (Room::new(), Daw::new(333, wild));
    for _ in 0..600 {
        room.run(&mut daw, 0.05);
        for pair in room.line.segments().windows(2) {
            let [before, after]: &[Segment; 2] = pair.try_into().unwrap();
            if before.epoch == after.epoch && before.motion == Motion::Playing {
                let last = GridPosition::from_raw(after.at.raw() - 1);
                let step = after.beats.micro() - before.beats_at(last).micro();
                assert!((0..=1).contains(&step), "{step}");
            }
        }
    }
}

#[test]
fn nothing_that_a_host_says_breaks_the_line() {
    let strange =
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e300, 1e300, -9e8, 9e8, 0.0, 0.03, 1.0, 999.0, 1e-9];
    let mut room = Room::new();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = |count: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % count
    };
    let mut at = GridPosition::default();
    for _ in 0..200_000 {
        at = at.plus_f64([16.0, 512.0, 4_096.0, 0.0, -100.0, 1e6, -1e7][draw(7)]);
        let reading = Reading {
            start: at,
            frames: strange[draw(12)],
            quarters: [None, Some(strange[draw(12)])][draw(2)],
            bpm: [120.0, strange[draw(12)]][draw(2)],
            motion: [Motion::Playing, Motion::Playing, Motion::Stopped][draw(3)],
            signature: TimeSignature::new(u8::try_from(draw(70)).unwrap(), [1, 3, 4, 8, 64][draw(5)]),
            bar_start: [None, Some(strange[draw(12)])][draw(2)],
            cycle: Cycle::new(strange[draw(12)], strange[draw(12)]),
        };
        if let Some(line) = room.author.observe(&reading) {
            assert!(line.segments().windows(2).all(|pair| pair[0].at < pair[1].at));
            assert_eq!(line.revision(), room.line.revision() + 1);
            room.line = line;
        }
    }
    assert!(room.line.revision() > 1_000);
}

#[test]
fn a_tempo_that_sways_is_followed() {
    let (mut room, mut daw) = (Room::new(), Daw::new(256, |seconds| 120.0 + 3.0 * (seconds * 3.0).sin()));
    let swaying = room.run(&mut daw, 30.0);
    assert!(swaying.before_us <= 60.0 && swaying.published <= 900, "{swaying:?}");
}

#[test]
fn a_tempo_that_is_said_late_does_not_matter_once_two_strides_have_shown_it() {
    let (mut room, mut daw) =
        (Room::new(), Daw::new(256, |seconds| if seconds < 10.003 { 120.0 } else { 90.0 }));
    let late = |frame: i64, reading: Reading| {
        let bpm = if frame < 10 * 48_000 + 700 { 120.0 } else { 90.0 };
        Reading { bpm, ..reading }
    };
    let outcome = room.run_with(&mut daw, 20.0, late);
    assert!(outcome.wrong_blocks <= 4 && outcome.published <= 6, "{outcome:?}");
}

#[test]
fn the_shortest_loops_are_told_a_few_times_a_second() {
    let (mut room, mut daw) = (Room::new(), Daw::new(64, |_| 120.0));
    daw.cycle = Cycle::new(0.0, 0.0625);
    let looping = room.run(&mut daw, 30.0);
    assert!(looping.published <= 8 * 30 && looping.wrong_blocks == 0, "{looping:?}");
}
