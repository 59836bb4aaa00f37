//! The engine alone, its link's end in the test's hands.

use super::*;
use crate::wiring::{ClockGuide, GuideState, LinkEnd, Watch, wire};
use lockstep_shared::midi::Realtime;
use lockstep_shared::time::{Beats, CHUNK_FRAMES, Frames, GridFrame, Span};
use lockstep_shared::timeline::{AuthorId, Intent, Timeline};

const BLOCK: usize = 64;

struct Rig {
    engine: Engine,
    link: LinkEnd,
    now: LocalTime,
    frame: i64,
    transport: HostTransport,
    controls: Controls,
}

impl Rig {
    fn new(rendering: Rendering) -> Self {
        let (audio, link) = wire();
        let setup = Setup { sample_rate: SampleRate::GRID, block_frames_max: BLOCK, rendering };
        Self {
            engine: Engine::new(setup, audio),
            link,
            now: LocalTime::from_nanos(5_000_000_000),
            frame: 0,
            transport: HostTransport::default(),
            controls: Controls {
                sync_delay_ms: 0.0,
                send_gain: 1.0,
                receive_gain: 1.0,
                monitor_gain: 1.0,
                mute_send: false,
                mute_receive: false,
                room_mode: RoomMode::Stems,
                sync_mode: SyncMode::Tight,
                role: Role::Off,
                clock_offset: ClockOffset::default(),
                jitter: JitterPreset::Default,
                format: None,
            },
        }
    }

    fn know_the_clock(&mut self) {
        let map = RoomMap::new(LocalTime::from_nanos(5_000_000_000), GridFrame(1_000_000).position(), 0.0);
        self.link.orders.push(Order::Clock(map)).unwrap();
    }

    /// One block of a constant, at the time a perfect device would call; returns the main output's left channel.
    fn block(&mut self, input: f32) -> [f32; BLOCK] {
        let (mut left, mut right) = ([input; BLOCK], [input; BLOCK]);
        let mut strip = [[f32::NAN; BLOCK]; 2];
        let [strip_left, strip_right] = &mut strip;
        let mut strips: [Option<[&mut [f32]; 2]>; STRIP_OUTPUTS] = Default::default();
        strips[0] = Some([strip_left, strip_right]);
        let mut block = Block { main: [&mut left, &mut right], strips };
        self.frame += i64::try_from(BLOCK).unwrap();
        self.now =
            LocalTime::from_nanos(5_000_000_000) + Span::from_secs_f64(Frames(self.frame).f64() / 48_000.0);
        self.engine.process(self.now, &mut block, &self.transport, &self.controls);
        assert_eq!(
            strip, [[0.0; BLOCK]; 2],
            "an output without a strip is silent, whatever the host left in it"
        );
        left
    }

    fn captured(&mut self) -> Vec<crate::wiring::CapturedChunk> {
        core::iter::from_fn(|| self.link.captured.pop().ok()).collect()
    }
}

#[test]
fn nothing_is_sent_before_the_clock_is_known_and_the_track_sounds_all_the_same() {
    let mut rig = Rig::new(Rendering::Realtime);
    for _ in 0..50 {
        assert_eq!(rig.block(0.5), [0.5; BLOCK]);
    }
    assert!(rig.captured().is_empty());
}

#[test]
fn with_the_monitor_off_not_even_the_first_block_sounds() {
    let mut rig = Rig::new(Rendering::Realtime);
    rig.controls.monitor_gain = 0.0;
    assert_eq!(rig.block(0.5), [0.0; BLOCK]);
}

#[test]
fn chunks_follow_each_other_and_hold_what_came_in() {
    let mut rig = Rig::new(Rendering::Realtime);
    rig.know_the_clock();
    for _ in 0..50 {
        rig.block(0.5);
    }
    let chunks = rig.captured();
    assert!(chunks.len() >= 45);
    for pair in chunks.windows(2) {
        assert_eq!(pair[1].index - pair[0].index, 1);
    }
    // The gain has opened within the first few chunks.
    assert!(chunks[8..].iter().all(|chunk| chunk.frames == [[0.5; CHUNK_FRAMES]; 2]));
}

#[test]
fn every_chunk_carries_the_beat_of_its_first_frame() {
    let mut rig = Rig::new(Rendering::Realtime);
    rig.know_the_clock();
    let bpm = 120.0;
    for _ in 0..50 {
        let quarters = Frames(rig.frame).f64() / 48_000.0 * bpm / 60.0;
        rig.transport = HostTransport {
            playing: true,
            tempo_bpm: Some(bpm),
            position_quarters: Some(quarters),
            ..HostTransport::default()
        };
        rig.block(0.5);
    }
    let chunks = rig.captured();
    for chunk in &chunks {
        let stamp = chunk.stamp.unwrap();
        // The device passed its frame zero when the grid was at 1,000,000, and the song began with it.
        let expected = (chunk.index.start() - GridFrame(1_000_000)).f64() / 48_000.0 * bpm / 60.0;
        assert!((stamp.beats.quarters() - expected).abs() < 1e-4, "{} {expected}", stamp.beats.quarters());
        assert_eq!(stamp.tempo.milli(), 120_000);
    }
    rig.transport = HostTransport::default();
    for _ in 0..5 {
        rig.block(0.5);
    }
    assert!(rig.captured().last().unwrap().stamp.is_none(), "a transport that stands has no beat to tell");
}

#[test]
fn mute_send_fades_and_then_sends_silence() {
    let mut rig = Rig::new(Rendering::Realtime);
    rig.know_the_clock();
    rig.controls.mute_send = true;
    for _ in 0..50 {
        assert_eq!(rig.block(0.5), [0.5; BLOCK], "the track itself is not muted");
    }
    assert!(rig.captured().iter().all(|chunk| chunk.frames == [[0.0; CHUNK_FRAMES]; 2]));
}

#[test]
fn offline_nothing_is_sent() {
    let mut rig = Rig::new(Rendering::Offline);
    rig.know_the_clock();
    for _ in 0..50 {
        assert_eq!(rig.block(0.5), [0.5; BLOCK]);
    }
    assert!(rig.captured().is_empty());
}

#[test]
fn a_link_that_does_not_take_its_chunks_costs_chunks_and_is_counted() {
    let mut rig = Rig::new(Rendering::Realtime);
    rig.know_the_clock();
    for _ in 0..400 {
        rig.block(0.5);
    }
    let dropped = rig.link.gauges.captured_dropped.load(Ordering::Relaxed);
    assert!(dropped > 100, "{dropped}");
    assert_eq!(rig.captured().len(), 256);
}

#[test]
fn midi_crosses_with_the_grid_and_ends_with_it() {
    let mut rig = Rig::new(Rendering::Realtime);
    let on = [0x90, 60, 100];
    rig.engine.hear_midi(0, &on);
    rig.block(0.0);
    assert!(rig.link.midi_sent.pop().is_none(), "there is no grid yet");
    assert!(rig.link.gauges.take_owed_endings());
    rig.know_the_clock();
    for _ in 0..10 {
        rig.block(0.0);
    }
    rig.engine.hear_midi(7, &on);
    rig.block(0.0);
    let sent = rig.link.midi_sent.pop().unwrap();
    let place = GridFrame(1_000_000 + rig.frame - 64 + 7).position();
    assert!((sent.at.frames_since(place)).abs() < 1.0, "{sent:?} {place:?}");

    let message = lockstep_shared::midi::message::Message::from_short(&on).unwrap();
    let given = |rig: &mut Rig, blocks: usize| -> Vec<(i64, Vec<u8>)> {
        let mut given = Vec::new();
        for _ in 0..blocks {
            let first = rig.frame;
            rig.block(0.0);
            let midi = rig.engine.midi().iter();
            given.extend(midi.map(|(frame, bytes)| (first + i64_from_usize(frame), bytes.to_vec())));
        }
        given
    };
    rig.controls.sync_delay_ms = 10.0;
    rig.link.midi_heard.push(place, &message).unwrap();
    let struck = given(&mut rig, 100);
    // Nobody plays here: 20 ms, a block and the user's 10 ms.
    let expected = rig.frame - 100 * 64 + 7 - 64 + 960 + 64 + 480;
    assert_eq!(struck, [(expected, on.to_vec())]);
    for how in 0..4 {
        rig.link.midi_heard.push(place, &message).unwrap();
        assert_eq!(given(&mut rig, 1).len(), 1);
        match how {
            0 => rig.controls.mute_receive = true,
            1 => rig.link.orders.push(Order::EndMidi).unwrap(),
            2 => rig.engine.reset(),
            _ => rig.link.orders.push(Order::NoClock).unwrap(),
        }
        let now = rig.frame;
        assert_eq!(given(&mut rig, 3), [(now, vec![0x80, 60, 64])], "{how}");
        rig.controls.mute_receive = false;
    }
}

#[test]
fn what_is_not_finite_is_not_sent() {
    let mut rig = Rig::new(Rendering::Realtime);
    rig.know_the_clock();
    for _ in 0..20 {
        rig.block(f32::NAN);
    }
    assert!(rig.captured().iter().flat_map(|chunk| chunk.frames[0]).all(|sample| sample == 0.0));
}

/// A rig whose host follows a line that starts at beat 0, half a second after the device did, at 120 BPM.
fn following() -> Rig {
    let mut rig = Rig::new(Rendering::Realtime);
    rig.know_the_clock();
    rig.controls.role = Role::Follow;
    rig.guide(GuideState::Follow);
    rig
}

impl Rig {
    fn guide(&mut self, state: GuideState) {
        let start = Intent::Start { beats: Beats::default(), at: GridFrame(1_024_000).position() };
        let line = Timeline::default().with_intent(AuthorId(1), &start);
        self.link.guides.push(ClockGuide { state, line, watch: Watch::Daw }).unwrap();
    }

    /// Some blocks, and what the clock said in them: device frames and events.
    fn clock(&mut self, blocks: usize) -> Vec<(i64, Realtime)> {
        let mut said = Vec::new();
        for _ in 0..blocks {
            let first = self.frame;
            self.block(0.0);
            let events = self.engine.clock_events().iter();
            said.extend(events.map(|clock| (first + i64_from_usize(clock.frame), clock.event)));
        }
        said
    }
}

#[test]
fn a_follower_is_sent_every_tick_at_its_frame() {
    let mut rig = following();
    let said = rig.clock(1_000);
    let begins: Vec<i64> =
        said.iter().filter(|(_, event)| *event != Realtime::Clock).map(|(frame, _)| *frame).collect();
    assert_eq!(begins, [24_000 - 60], "started 1.25 ms before its first tick, and not stopped: {said:?}");
    let ticks: Vec<i64> =
        said.iter().filter(|(frame, _)| *frame > 24_000 - 60).map(|(frame, _)| *frame).collect();
    assert_eq!(ticks.len(), 40);
    for (tick, frame) in (24..).zip(ticks) {
        // Just before a block is in the block before.
        assert!((frame - tick * 1_000).abs() <= 1, "{tick}: {frame}");
    }
    assert!(said.iter().filter(|(frame, _)| *frame < 23_000).count() > 20, "ticks lead up to the start");
}

#[test]
fn a_host_that_follows_no_more_is_stopped_once() {
    let mut rig = following();
    rig.clock(500);
    rig.controls.role = Role::Lead;
    assert_eq!(rig.clock(100), [(500 * 64, Realtime::Stop)]);
}

#[test]
fn a_lost_link_stops_the_host_once_and_it_goes_on_when_the_line_is_heard_again() {
    let mut rig = following();
    rig.clock(500);
    rig.guide(GuideState::Lost);
    let said = rig.clock(400);
    let ticks = said.iter().filter(|(_, event)| *event == Realtime::Clock).count();
    assert_eq!(said[0], (500 * 64, Realtime::Stop));
    assert_eq!(ticks, said.len() - 1, "no second stop, and nothing that starts: {said:?}");
    assert!(ticks > 20, "the tempo goes on");
    rig.guide(GuideState::Follow);
    let said = rig.clock(1_500);
    assert!(said.iter().any(|(_, event)| *event == Realtime::Continue), "{said:?}");
}
