use super::*;
use crate::time::GridFrame;
use crate::timeline::Ramp;
use proptest::prelude::*;

fn playing(at: i64, beats: i64, pace: Pace, ramp: Option<Ramp>, epoch: u32) -> Segment {
    Segment {
        beats: Beats::from_micro(beats),
        motion: Motion::Playing,
        pace,
        ramp,
        epoch,
        ..Segment::stopped(GridPosition::from_raw(at))
    }
}

fn pace() -> impl Strategy<Value = Pace> {
    (Pace::MIN.femto()..=Pace::MAX.femto()).prop_map(|femto| Pace::from_femto(femto).unwrap())
}

fn ramp() -> impl Strategy<Value = Option<Ramp>> {
    proptest::option::of(
        (pace(), 1..=Ramp::FRAMES_MAX).prop_map(|(end, frames)| Ramp::new(end, frames).unwrap()),
    )
}

proptest! {
    #[test]
    fn beats_and_grid_are_each_others_inverse(
        at in -(1_i64 << 60)..1 << 60, beats in -(1_i64 << 50)..1 << 50, pace in pace(), ramp in ramp(),
        further in prop_oneof![0..10_i64, 0..10_000_000_000_i64],
    ) {
        let line = Timeline::new(playing(at, beats, pace, ramp, 0));
        let wanted = Beats::from_micro(beats + further);
        let there = line.when(wanted, GridPosition::from_raw(at)).unwrap();
        prop_assert_eq!(line.place(there).beats, wanted);
        // It is the first such position, and the function of grid positions finds back to it.
        let before = GridPosition::from_raw(there.raw() - 1);
        prop_assert!(there.raw() == at || line.place(before).beats < wanted);
        prop_assert_eq!(line.when(line.place(there).beats, GridPosition::from_raw(at)), Some(there));
    }

    #[test]
    fn the_line_never_turns_back(
        pace in pace(), ramp in ramp(), from in 0..1_i64 << 43, step in 1..1_i64 << 30,
    ) {
        let line = Timeline::new(playing(0, 0, pace, ramp, 0));
        let [early, late] = [from, from + step].map(|at| line.place(GridPosition::from_raw(at)));
        prop_assert!(early.beats <= late.beats);
    }

    #[test]
    fn a_cut_line_is_the_same_line(pace in pace(), end in pace(), at in 0..1_i64 << 42, further in 0..1_i64 << 40) {
        let segment = playing(0, 7, pace, None, 0);
        let cut = segment.cut_at(GridPosition::from_raw(at));
        let there = GridPosition::from_raw(at + further);
        prop_assert!((cut.beats_at(there).micro() - segment.beats_at(there).micro()).abs() <= 1);
        // Along a ramp, whose rest is rounded to a frame, a hundredth of a frame's beats at most.
        let ramped = playing(0, 7, pace, Ramp::new(end, Ramp::FRAMES_MAX), 0);
        let cut = ramped.cut_at(GridPosition::from_raw(at));
        let bound = i64::try_from(pace.max(end).femto() / 1_000_000_000).unwrap() + 2;
        prop_assert!((cut.beats_at(there).micro() - ramped.beats_at(there).micro()).abs() <= bound);
    }

    #[test]
    fn merging_does_not_depend_on_order(
        states in prop::collection::vec((0..3_u32, 0..3_u16, 0..3_i64), 3),
    ) {
        let state = |index: usize| {
            let (revision, author, at) = states[index];
            Timeline::new(Segment::stopped(GridPosition::from_raw(at))).stamped(revision, AuthorId(author))
        };
        let [a, b, c] = [state(0), state(1), state(2)];
        prop_assert_eq!(a.merge(&b), b.merge(&a));
        prop_assert_eq!(a.merge(&b).merge(&c), a.merge(&b.merge(&c)));
        prop_assert_eq!(a.merge(&a), a);
        prop_assert_eq!(a.merge(&b).merge(&b), a.merge(&b));
    }
}

fn frame(frame: i64) -> GridPosition {
    GridFrame(frame).position()
}

fn at_120() -> Pace {
    Pace::from_tempo(Tempo::DEFAULT)
}

/// Plays 4 beats from 0, twice, as a loop does.
fn looped() -> Timeline {
    let length = playing(0, 0, at_120(), None, 0).reaches(Beats::from_quarters(4.0)).unwrap().raw();
    let segments = [playing(0, 0, at_120(), None, 1), playing(length, 0, at_120(), None, 2)];
    Timeline::from_segments(1, AuthorId(0), &segments).unwrap()
}

#[test]
fn eight_hours_at_120_are_57600_beats() {
    let line = Timeline::new(playing(0, 0, at_120(), None, 0));
    let beats = line.place(frame(8 * 3_600 * 48_000)).beats.quarters();
    assert!((beats - 57_600.0).abs() < 1e-6, "{beats}");
}

#[test]
fn nothing_moves_before_the_first_segment() {
    let line = Timeline::new(playing(48_000 << 20, 5, at_120(), None, 1));
    let before = line.place(GridPosition::from_raw(i64::MIN));
    assert_eq!((before.beats.micro(), before.motion, before.epoch), (5, Motion::Stopped, 0));
    assert_eq!(line.place(frame(48_000)).epoch, 1);
    assert!(line.place(GridPosition::from_raw(i64::MAX)).beats.micro() > 0);
}

#[test]
fn a_beat_of_a_loop_comes_again() {
    let line = looped();
    let beat = Beats::from_quarters(1.0);
    let first = line.when(beat, frame(0)).unwrap();
    let again = line.when(beat, GridPosition::from_raw(first.raw() + 1)).unwrap();
    assert_eq!(line.when(beat, first), Some(first));
    assert_eq!([first, again].map(|at| line.place(at).epoch), [1, 2]);
    assert_eq!([first, again].map(|at| line.place(at).beats), [beat; 2]);
    // The end of the loop is its beginning, so beat 4 comes only when the second pass goes on.
    assert_eq!(line.place(line.when(Beats::from_quarters(4.0), frame(0)).unwrap()).epoch, 2);
}

#[test]
fn bars_are_found_across_segments() {
    let line = looped();
    let bar = |at| line.next_bar(at).unwrap();
    assert_eq!(bar(frame(0)), frame(0));
    assert_eq!(bar(frame(1)), line.segments()[1].at);
    assert_eq!(line.place(bar(frame(100_000))).beats, Beats::from_quarters(4.0));
    assert_eq!(Timeline::default().next_bar(frame(0)), None);
    for start in [-1_i64, 0, 1, 5, 48_000 << 20] {
        let at = bar(GridPosition::from_raw(start));
        assert!(at.raw() >= start);
        assert_eq!(bar(at), at);
    }
}

#[test]
fn where_segments_of_an_epoch_leave_a_gap_the_beat_is_passed_there() {
    let segments = [playing(0, 0, at_120(), None, 1), playing(1_000 << 20, 50_000, at_120(), None, 1)];
    let line = Timeline::from_segments(1, AuthorId(0), &segments).unwrap();
    assert_eq!(line.when(Beats::from_micro(45_000), frame(0)), Some(frame(1_000)));
    let jump = [segments[0], Segment { epoch: 2, ..segments[1] }];
    let line = Timeline::from_segments(1, AuthorId(0), &jump).unwrap();
    assert_eq!(line.when(Beats::from_micro(45_000), frame(0)), None);
}

#[test]
fn pruning_keeps_what_holds() {
    let mut line = looped();
    let now = line.place(frame(100_000));
    line.prune(frame(100_000));
    assert_eq!(line.segments().len(), 1);
    assert_eq!(line.place(frame(100_000)), now);
    line.prune(frame(200_000));
    assert_eq!(line.segments().len(), 1);
}

#[test]
fn segments_out_of_order_are_no_timeline() {
    let [first, second] = [looped().segments()[0], looped().segments()[1]];
    assert_eq!(Timeline::from_segments(1, AuthorId(0), &[]), None);
    assert_eq!(Timeline::from_segments(1, AuthorId(0), &[second, first]), None);
    assert_eq!(Timeline::from_segments(1, AuthorId(0), &[first, first]), None);
    let many: Vec<_> = (0..=32).map(|at| playing(at, 0, at_120(), None, 0)).collect();
    assert_eq!(Timeline::from_segments(1, AuthorId(0), &many), None);
    assert!(Timeline::from_segments(1, AuthorId(0), &many[1..]).is_some());
}

#[test]
fn a_ramp_shows_the_tempo_between() {
    let end = Pace::from_tempo(Tempo::from_bpm(140.0).unwrap());
    let line = Timeline::new(playing(0, 0, at_120(), Ramp::new(end, 96_000), 0));
    let tempo = |at| line.place(frame(at)).tempo.bpm();
    assert!((tempo(48_000) - 130.0).abs() < 0.01);
    assert!((tempo(500_000) - 140.0).abs() < 0.01);
    // Two seconds from 120 to 140 are 4 1/3 beats.
    assert!((line.place(frame(96_000)).beats.quarters() - 13.0 / 3.0).abs() < 2e-6);
}
