//! What a follower is sent, for lines of every kind.

use super::*;
use crate::midi::SongPosition;
use crate::time::convert::{f64_from_i64, f64_from_usize, i64_round};
use crate::time::{GridFrame, Tempo};
use crate::timeline::{AuthorId, Intent, Motion, Ramp, Segment};

const ME: AuthorId = AuthorId(1);

fn frame(frame: i64) -> GridPosition {
    GridFrame(frame).position()
}

fn quarters(quarters: f64) -> Beats {
    Beats::from_quarters(quarters)
}

fn start(beats: f64, at: i64) -> Timeline {
    Timeline::default().with_intent(ME, &Intent::Start { beats: quarters(beats), at: frame(at) })
}

/// A ticker and what it has emitted: frames and events.
struct Bench {
    ticker: Ticker,
    now: i64,
    emitted: Vec<(f64, Realtime)>,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        Self { ticker: Ticker::new(settings), now: 0, emitted: Vec::new() }
    }

    /// Polls every 5 ms up to `to`.
    fn run(&mut self, line: Option<&Timeline>, to: i64) {
        while self.now < to {
            let next = (self.now + 240).min(to);
            let window = Window { from: frame(self.now), to: frame(next) };
            let emitted = &mut self.emitted;
            self.ticker.poll(line, window, &mut |at, event| {
                assert!(at >= window.from && at < window.to);
                emitted.push((at.frames_since(frame(0)), event));
            });
            self.now = next;
        }
    }

    /// All but ticks.
    fn transport(&self) -> Vec<(i64, Realtime)> {
        let events = self.emitted.iter().filter(|(_, event)| *event != Realtime::Clock);
        events.map(|(at, event)| (i64_round(*at), *event)).collect()
    }

    /// The ticks between the first Start or Continue and the Stop after it, or the end.
    fn counted(&self) -> Vec<f64> {
        let begins = |event: &Realtime| matches!(event, Realtime::Start | Realtime::Continue);
        let first = self.emitted.iter().position(|(_, event)| begins(event)).unwrap();
        let rest = self.emitted[first + 1..].iter();
        rest.take_while(|(_, event)| *event == Realtime::Clock).map(|(at, _)| *at).collect()
    }

    fn clocks(&self) -> Vec<f64> {
        self.emitted.iter().filter(|(_, event)| *event == Realtime::Clock).map(|(at, _)| *at).collect()
    }

    /// Order, the millisecond before a downbeat, and no tick between.
    fn check(&self) {
        let mut before: Option<(f64, Realtime)> = None;
        for (at, event) in self.emitted.iter().copied() {
            if let Some((at_before, event_before)) = before {
                assert!(at >= at_before, "{event:?} at {at} after {event_before:?} at {at_before}");
                if matches!(event_before, Realtime::Start | Realtime::Continue) {
                    assert!(event != Realtime::Clock || at - at_before >= 48.0, "{}", at - at_before);
                }
                if event == Realtime::Clock && event_before == Realtime::Clock {
                    assert!(at - at_before >= 48.0, "ticks {} frames apart at {at}", at - at_before);
                }
            }
            before = Some((at, event));
        }
    }
}

fn position(sixteenths: u16) -> Realtime {
    Realtime::SongPosition(SongPosition::new(sixteenths).unwrap())
}

#[test]
fn a_line_from_beat_zero_is_started_and_its_first_tick_is_the_downbeat() {
    let mut bench = Bench::new(Settings::default());
    let line = start(0.0, 48_000);
    bench.run(Some(&line), 144_000);
    bench.check();
    assert_eq!(bench.transport(), [(47_940, Realtime::Start)]);
    let counted = bench.counted();
    assert_eq!(counted.len(), 96);
    for (index, at) in counted.iter().enumerate() {
        let due = 48_000.0 + 1_000.0 * f64_from_usize(index);
        assert!((at - due).abs() < 0.02, "{index}: {at}");
    }
}

#[test]
fn ticks_run_before_the_start_and_lead_up_to_it() {
    let mut bench = Bench::new(Settings::default());
    bench.run(Some(&Timeline::default()), 10_300);
    bench.run(Some(&start(0.0, 48_460)), 60_000);
    let clocks = bench.clocks();
    for pair in clocks.windows(2) {
        assert!((950.0..1_050.0).contains(&(pair[1] - pair[0])), "{pair:?}");
    }
}

#[test]
fn a_line_from_elsewhere_is_located_while_stopped_and_continued() {
    let mut bench = Bench::new(Settings::default());
    bench.run(Some(&start(8.0, 48_000)), 60_000);
    bench.check();
    assert_eq!(bench.transport(), [(45_600, position(32)), (47_940, Realtime::Continue)]);
    assert!((bench.counted()[0] - 48_000.0).abs() < 0.02);
}

#[test]
fn a_pre_roll_is_waited_for() {
    let mut bench = Bench::new(Settings::default());
    bench.run(Some(&start(-4.0, 48_000)), 150_000);
    bench.check();
    assert_eq!(bench.transport(), [(143_940, Realtime::Start)]);
    assert_eq!(bench.counted().len(), 6);
}

#[test]
fn a_late_joiner_enters_where_the_setting_says() {
    let line = start(0.0, 0);
    for (joins, at, sixteenth) in [(Joins::AtBarLine, 288_000, 48), (Joins::AtSixteenth, 204_000, 34)] {
        let mut bench = Bench::new(Settings { joins, ..Settings::default() });
        bench.now = 200_000;
        bench.run(Some(&line), 300_000);
        bench.check();
        assert_eq!(
            bench.transport(),
            [(at - 2_400, position(sixteenth)), (at - 60, Realtime::Continue)],
            "{joins:?}"
        );
        assert!((bench.counted()[0] - f64_from_i64(at)).abs() < 0.1);
    }
}

#[test]
fn a_follower_without_continue_is_started_on_a_bar_line() {
    let mut bench = Bench::new(Settings { starts: Starts::OnBarLine, ..Settings::default() });
    bench.now = 200_000;
    bench.run(Some(&start(0.0, 0)), 300_000);
    bench.check();
    assert_eq!(bench.transport(), [(287_940, Realtime::Start)]);
    assert_eq!(bench.ticker.follower_origin(), Some(quarters(12.0)));
}

#[test]
fn a_line_that_begins_within_a_hair_of_a_sixteenth_begins_on_it() {
    for hair in [-0.0002, -0.000_001, 0.000_001, 0.0002] {
        let mut bench = Bench::new(Settings::default());
        bench.run(Some(&start(8.0 + hair, 48_000)), 60_000);
        bench.check();
        assert_eq!(bench.transport().len(), 2);
        assert_eq!(bench.transport()[0].1, position(32));
        assert!((bench.counted()[0] - 48_000.0).abs() < 6.0, "{}", bench.counted()[0]);
        let mut bench = Bench::new(Settings::default());
        bench.run(Some(&start(hair, 48_000)), 60_000);
        assert_eq!(bench.transport().len(), 1, "{hair}");
        assert_eq!(bench.transport()[0].1, Realtime::Start);
    }
}

#[test]
fn beyond_the_reach_of_song_position_the_follower_counts_other_bars() {
    let mut bench = Bench::new(Settings::default());
    bench.run(Some(&start(5_000.0, 48_000)), 60_000);
    bench.check();
    // 16,384 sixteenths less: 1,024 bars.
    assert_eq!(bench.transport()[0], (45_600, position(3_616)));
    assert_eq!(bench.ticker.follower_origin(), Some(quarters(4_096.0)));
}

#[test]
fn a_stop_ends_the_count_at_its_beat_and_the_line_goes_on_from_there() {
    let mut bench = Bench::new(Settings::default());
    let line = start(0.0, 48_000).with_intent(ME, &Intent::Stop { at: frame(96_000) });
    let beats = line.place(frame(100_000)).beats;
    let line = line.with_intent(ME, &Intent::Start { beats, at: frame(144_000) });
    bench.run(Some(&line), 200_000);
    bench.check();
    let begins = [(47_940, Realtime::Start), (96_000, Realtime::Stop)];
    let again = [(141_600, position(8)), (143_940, Realtime::Continue)];
    assert_eq!(bench.transport(), [begins, again].concat());
    assert_eq!(bench.counted().len(), 48);
    assert!(bench.clocks().windows(2).all(|pair| pair[1] - pair[0] < 1_500.0), "ticks go on while stopped");
}

#[test]
fn a_known_jump_is_prepared_and_a_sudden_one_is_entered_late() {
    let mut bench = Bench::new(Settings::default());
    let plays = start(0.0, 48_000);
    let jump = Intent::Locate { beats: quarters(32.0), at: frame(144_000) };
    let line = plays.with_intent(ME, &jump);
    bench.run(Some(&line), 200_000);
    bench.check();
    // Stopped early, and exact at the jump.
    let jumped = [(141_552, Realtime::Stop), (141_600, position(128)), (143_940, Realtime::Continue)];
    assert_eq!(bench.transport()[1..], jumped);
    let sudden = Intent::Locate { beats: quarters(64.0), at: frame(200_000) };
    bench.run(Some(&line.with_intent(ME, &sudden)), 350_000);
    bench.check();
    let late =
        [(200_000, Realtime::Stop), (296_000 - 2_400, position(272)), (296_000 - 60, Realtime::Continue)];
    assert_eq!(bench.transport()[4..], late);
}

#[test]
fn tempo_steps_and_ramps_keep_the_count() {
    let mut line = start(0.0, 48_000);
    for (bpm, at) in [(97.3, 100_000), (180.0, 200_000), (20.0, 300_000), (999.0, 500_000)] {
        line = line.with_intent(ME, &Intent::Tempo { tempo: Tempo::from_bpm(bpm).unwrap(), at: frame(at) });
    }
    let mut segments = line.segments().to_vec();
    let mut last = segments.last().unwrap().cut_at(frame(600_000));
    last.ramp = Ramp::new(Pace::from_bpm(60.0).unwrap(), 480_000);
    segments.push(last);
    let line = Timeline::from_segments(9, ME, &segments).unwrap();
    let mut bench = Bench::new(Settings::default());
    bench.run(Some(&line), 1_200_000);
    bench.check();
    let counted = bench.counted();
    let end = Tick::from(line.place(frame(1_200_000)).beats);
    assert_eq!(counted.len(), usize::try_from(end.0).unwrap());
    for (number, at) in (0..).zip(counted) {
        let due = line.when(Tick(number).beats(), frame(0)).unwrap().frames_since(frame(0));
        assert!((at - due).abs() < 1e-3, "tick {number}");
    }
}

#[test]
fn an_offset_shifts_the_clock_both_ways_and_glides_when_it_changes() {
    let line = start(0.0, 96_000);
    for (milliseconds, frames) in [(-250.0, -12_000.0), (-0.1, -4.8), (12.5, 600.0), (250.0, 12_000.0)] {
        let mut bench = Bench::new(Settings::default());
        bench.ticker.set_offset(ClockOffset::from_millis(milliseconds));
        bench.run(Some(&line), 200_000);
        bench.check();
        assert!((bench.counted()[0] - 96_000.0 - frames).abs() < 0.02);
    }
    let mut bench = Bench::new(Settings::default());
    bench.run(Some(&line), 200_000);
    bench.ticker.set_offset(ClockOffset::from_millis(-40.0));
    bench.run(Some(&line), 500_000);
    bench.ticker.set_offset(ClockOffset::from_millis(25.0));
    bench.run(Some(&line), 1_000_000);
    bench.check();
    let counted = bench.counted();
    assert_eq!(counted.len(), (1_000_000 - 1_200 - 96_000) / 1_000 + 1);
    for pair in counted.windows(2) {
        assert!((990.0..1_010.2).contains(&(pair[1] - pair[0])), "{}", pair[1] - pair[0]);
    }
    assert!((counted.last().unwrap() - 999_200.0).abs() < 0.02, "{:?}", counted.last());
}

#[test]
fn revisions_move_the_remaining_ticks_and_lose_or_double_none() {
    let mut bench = Bench::new(Settings::default());
    let base = start(0.0, 48_000);
    let mut chance = 5_u32;
    let mut line = base;
    bench.run(Some(&line), 60_000);
    for _ in 0..200 {
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // The line as somebody says it who was up to 40 ms off.
        let off = i64::from(chance >> 16) % 3_840 - 1_920;
        let segment = Segment { at: frame(48_000 + off), ..*base.segments().last().unwrap() };
        line = Timeline::from_segments(2, ME, &[base.segments()[0], segment]).unwrap();
        bench.run(Some(&line), bench.now + 12_000);
    }
    bench.check();
    assert_eq!(bench.transport().len(), 1, "one Start and nothing else");
    let counted = bench.counted();
    let due = Tick::from(line.place(frame(bench.now)).beats).0;
    let sent = i64::try_from(counted.len()).unwrap();
    assert!((sent - due).abs() <= 4, "sent {sent} of {due}: what remains of the last revision");
    for pair in counted.windows(2) {
        assert!(pair[1] - pair[0] >= 499.9, "caught up with at twice the tempo: {pair:?}");
    }
    bench.run(Some(&line), bench.now + 12_000);
    let due = Tick::from(line.place(frame(bench.now)).beats).0;
    assert_eq!(i64::try_from(bench.counted().len()).unwrap(), due);
}

#[test]
fn a_lost_link_stops_once_and_only_a_fresh_line_resumes() {
    let mut bench = Bench::new(Settings::default());
    let line = start(0.0, 48_000);
    bench.run(Some(&line), 100_000);
    bench.ticker.lost();
    bench.run(Some(&line), 300_000);
    assert_eq!(bench.transport()[1..], [(100_000, Realtime::Stop)]);
    let clocks = bench.clocks();
    assert!(clocks.windows(2).all(|pair| (pair[1] - pair[0] - 1_000.0).abs() < 0.1), "ticks go on");
    bench.ticker.regained();
    bench.run(Some(&line), 400_000);
    bench.check();
    let again = [(336_000 - 2_400, position(48)), (336_000 - 60, Realtime::Continue)];
    assert_eq!(bench.transport()[2..], again);
}

#[test]
fn a_line_that_goes_away_stops_a_running_follower() {
    let mut bench = Bench::new(Settings::default());
    let line = start(0.0, 48_000);
    bench.run(Some(&line), 100_000);
    bench.run(None, 120_000);
    bench.run(None, 140_000);
    assert_eq!(bench.transport()[1..], [(100_000, Realtime::Stop)]);
    // Without ever having had a line there is nothing to say.
    let mut bench = Bench::new(Settings::default());
    bench.run(None, 48_000);
    assert_eq!(bench.emitted, []);
}

#[test]
fn a_start_that_is_heard_of_too_late_is_a_late_join() {
    let mut bench = Bench::new(Settings::default());
    bench.run(Some(&Timeline::default()), 48_000);
    bench.run(Some(&start(4.0, 47_000)), 200_000);
    bench.check();
    assert_eq!(bench.transport(), [(143_000 - 2_400, position(32)), (143_000 - 60, Realtime::Continue)]);
}

#[test]
fn the_last_quarter_note_before_a_downbeat_is_at_the_lines_tempo() {
    let mut bench = Bench::new(Settings::default());
    bench.run(Some(&Timeline::default()), 47_960);
    // The downbeat at 143,400 lies between two of the ticks that have run so far.
    bench.run(Some(&start(4.0, 47_400)), 150_000);
    bench.check();
    let downbeat = 143_400.0;
    let before: Vec<f64> = bench.clocks().into_iter().filter(|at| *at <= downbeat + 0.5).collect();
    for pair in before[before.len() - 25..].windows(2) {
        assert!((pair[1] - pair[0] - 1_000.0).abs() < 0.1, "{pair:?}");
    }
    for pair in before.windows(2) {
        assert!((949.0..1_051.0).contains(&(pair[1] - pair[0])), "{pair:?}");
    }
}

#[test]
fn a_start_that_is_taken_back_after_it_was_announced_does_not_run() {
    let mut bench = Bench::new(Settings::default());
    bench.run(Some(&start(8.0, 48_000)), 47_040);
    bench.run(Some(&Timeline::default()), 100_000);
    assert_eq!(bench.transport(), [(45_600, position(32))]);
    // Or between its Start and its downbeat.
    let mut bench = Bench::new(Settings::default());
    bench.run(Some(&start(0.0, 48_000)), 47_970);
    bench.run(Some(&Timeline::default()), 100_000);
    assert_eq!(bench.transport(), [(47_940, Realtime::Start), (47_970, Realtime::Stop)]);
}

#[test]
fn a_wrong_place_is_told_again() {
    let mut bench = Bench::new(Settings { joins: Joins::AtSixteenth, ..Settings::default() });
    let line = start(0.0, 48_000);
    bench.run(Some(&line), 100_000);
    bench.ticker.relocate();
    bench.run(Some(&line), 120_000);
    bench.check();
    let again =
        [(100_000, Realtime::Stop), (108_000 - 2_400, position(10)), (108_000 - 60, Realtime::Continue)];
    assert_eq!(bench.transport()[1..], again);
}

#[test]
fn any_line_polled_in_any_windows_keeps_the_rules() {
    let mut chance = 11_u64;
    let mut draw = move |below: i64| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(chance >> 33).unwrap() % below
    };
    for _ in 0..300 {
        let settings = Settings {
            joins: if draw(2) == 0 { Joins::AtBarLine } else { Joins::AtSixteenth },
            starts: if draw(4) == 0 { Starts::OnBarLine } else { Starts::Anywhere },
            ..Settings::default()
        };
        let mut bench = Bench::new(settings);
        let mut line = Timeline::default();
        for _ in 0..30 {
            let at = frame(bench.now + draw(20_000) - 4_000);
            let beats = Beats::from_micro(draw(80) * 250_000 - 2_000_000 + draw(2) * draw(1_000_000));
            let intent = match draw(6) {
                0 | 1 => Intent::Start { beats, at },
                2 => Intent::Stop { at },
                3 => Intent::Locate { beats, at },
                _ => Intent::Tempo {
                    tempo: Tempo::from_milli(20_000 + u32::try_from(draw(980_000)).unwrap()).unwrap(),
                    at,
                },
            };
            line = line.with_intent(ME, &intent);
            if draw(8) == 0 {
                bench
                    .ticker
                    .set_offset(ClockOffset::from_millis(f64::from(i16::try_from(draw(400) - 200).unwrap())));
            }
            bench.run(Some(&line), bench.now + draw(60_000));
            bench.check();
        }
        line = line.with_intent(ME, &Intent::Stop { at: frame(bench.now + 4_800) });
        bench.run(Some(&line), bench.now + 48_000);
        assert_eq!(line.place(frame(bench.now)).motion, Motion::Stopped);
        assert!(!bench.ticker.is_running());
        // Start or Continue and Stop take turns.
        let turns: Vec<_> = bench
            .transport()
            .into_iter()
            .filter(|(_, event)| !matches!(event, Realtime::SongPosition(_)))
            .map(|(_, event)| event == Realtime::Stop)
            .collect();
        assert!(turns.chunks(2).all(|turn| *turn == [false, true]), "{turns:?}");
    }
}
