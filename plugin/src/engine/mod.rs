//! Everything that runs on the audio thread. It owns what it touches: no lock, allocation, free, system call or
//! log, and a bound on its work.

mod capture;
mod clock;
mod lane;
mod midi;
mod playback;
#[cfg(test)]
mod tests;
mod transport;

use std::sync::atomic::Ordering;

use lockstep_shared::clock::{Alignment, Callback, DeviceClock, RoomMap, Segment};
use lockstep_shared::dsp::{Gain, Sinc};
pub use lockstep_shared::jitter::JitterPreset;
pub use lockstep_shared::midi::ClockOffset;
use lockstep_shared::midi::message::Held;
pub use lockstep_shared::sync::{GridUnit, SyncMode};
use lockstep_shared::time::convert::{i64_from_usize, i64_round};
use lockstep_shared::time::{DeviceFrame, Frames, GRID_RATE, LocalTime, SampleRate};
pub use lockstep_shared::wire::Format;

use self::capture::Capture;
use self::clock::Clock;
pub use self::clock::ClockEvent;
pub use self::lane::Lane;
pub use self::midi::MidiBlock;
use self::midi::{Delay, Midi};
use self::playback::Playback;
use crate::wiring::{AudioEnd, Order};

/// Outputs that carry one remote strip each, beside the main output.
pub const STRIP_OUTPUTS: usize = 8;
/// The longest block that a host may hand over.
pub const BLOCK_FRAMES_MAX: usize = 4_096;

/// What `activate` learned from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The host's nominal sample rate.
    pub sample_rate: SampleRate,
    /// The longest block the host will hand over.
    pub block_frames_max: usize,
    /// Whether the host renders in real time.
    pub rendering: Rendering,
}

/// How the host drives the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rendering {
    /// One block a block's time: live audio is on.
    Realtime,
    /// As fast as it can (a bounce): live audio is off, and the status says so.
    Offline,
}

/// The host's transport at the first frame of a block, as it reported it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostTransport {
    /// Whether the host plays.
    pub playing: bool,
    /// Whether the host records.
    pub recording: bool,
    /// Tempo in quarter notes a minute.
    pub tempo_bpm: Option<f64>,
    /// Position in quarter notes.
    pub position_quarters: Option<f64>,
    /// Time signature, numerator and denominator.
    pub time_signature: Option<(u16, u16)>,
    /// Position of the last bar line in quarter notes.
    pub bar_start_quarters: Option<f64>,
    /// The loop in quarter notes, while it is on.
    pub loop_quarters: Option<(f64, f64)>,
}

/// What the host's transport is to the room's musical time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Leads if the member is alone and nobody leads, and goes on with it; nothing otherwise.
    #[default]
    Auto,
    /// Nothing: the host keeps its own time.
    Off,
    /// Drives the room's line.
    Lead,
    /// Follows it.
    Follow,
}

/// Which sound of the others a member asks the relay for (D5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoomMode {
    /// Every other strip as it was sent: the lowest latency, separate outputs.
    Stems,
    /// The relay's sum of the others: the smallest downlink.
    Mix,
    /// Stems while the room has no more strips than the plugin can play, else the mix.
    #[default]
    Auto,
}

/// The parameters' values at the first frame of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Controls {
    /// Playout delay beyond the automatic minimum, 0 to 5,000 ms.
    pub sync_delay_ms: f32,
    /// Gain of what is sent, linear.
    pub send_gain: f32,
    /// Gain of what is received, linear.
    pub receive_gain: f32,
    /// Gain of the dry input in the main output, linear.
    pub monitor_gain: f32,
    /// Sends silence instead of the input.
    pub mute_send: bool,
    /// Plays nothing of the others here.
    pub mute_receive: bool,
    /// What to ask the relay for.
    pub room_mode: RoomMode,
    /// How remote strips lie against the host's beats.
    pub sync_mode: SyncMode,
    /// What the host's transport is to the room's musical time.
    pub role: Role,
    /// How much later than the room's beats the MIDI clock leaves that the host follows.
    pub clock_offset: ClockOffset,
    /// How delay is weighed against gaps.
    pub jitter: JitterPreset,
    /// How samples are sent; none where that is left to the link.
    pub format: Option<Format>,
}

impl Controls {
    /// The user's part of the delay, in grid frames.
    fn sync_delay_frames(&self) -> f64 {
        f64::from(self.sync_delay_ms.clamp(0.0, 5_000.0)) * f64::from(GRID_RATE) / 1_000.0
    }
}

/// One block's buffers. All slices have the block's length; `main` holds the input on entry and the output on
/// return. Strip outputs that the host left off are `None`.
#[derive(Debug)]
pub struct Block<'a> {
    /// The stereo input, replaced by the main output.
    pub main: [&'a mut [f32]; 2],
    /// One stereo output for each remote strip, in the order of its output number.
    pub strips: [Option<[&'a mut [f32]; 2]>; STRIP_OUTPUTS],
}

/// The audio thread's half of one plugin instance.
#[derive(Debug)]
pub struct Engine {
    setup: Setup,
    end: AudioEnd,
    device: DeviceClock,
    alignment: Alignment,
    room: Option<RoomMap>,
    /// Frames processed since activation.
    next: DeviceFrame,
    capture: Capture,
    playback: Playback,
    clock: Clock,
    midi: Midi,
    send_gain: Gain,
    /// None before the first block: what the monitor was set to before is no change.
    monitor_gain: Option<Gain>,
}

/// A gain moves over this many frames, so that it never clicks: 5 ms at 48 kHz.
const GAIN_FRAMES: usize = 240;

impl Engine {
    /// An engine that is silent until its link says what there is to play. Allocates.
    #[must_use]
    pub fn new(setup: Setup, end: AudioEnd) -> Self {
        let to_grid = Sinc::for_ratio(setup.sample_rate.hz_f64() / f64::from(GRID_RATE));
        Self {
            setup,
            end,
            device: DeviceClock::new(setup.sample_rate),
            alignment: Alignment::new(setup.sample_rate),
            room: None,
            next: DeviceFrame(0),
            capture: Capture::new(setup.sample_rate, to_grid),
            playback: Playback::new(),
            clock: Clock::new(),
            midi: Midi::new(),
            send_gain: Gain::new(0.0),
            monitor_gain: None,
        }
    }

    /// Turns one block's input into output. `now` is the local clock at the start of the callback.
    ///
    /// Real-time: yes. Bound: proportional to the block's frames times the strips playing.
    pub fn process(
        &mut self,
        now: LocalTime,
        block: &mut Block<'_>,
        transport: &HostTransport,
        controls: &Controls,
    ) {
        let frames = block.main[0].len();
        debug_assert!(frames <= BLOCK_FRAMES_MAX, "the adapter splits longer blocks");
        self.take_orders();
        let count = Frames(i64_from_usize(frames));
        let start = self.next;
        self.next += count;
        for strip in block.strips.iter_mut().flatten() {
            for channel in strip {
                channel.fill(0.0);
            }
        }
        let segment = match self.setup.rendering {
            Rendering::Realtime => self.place(now, start, count),
            Rendering::Offline => None,
        };
        self.send(start, block, transport, controls, segment);
        let monitor_gain = self.monitor_gain.get_or_insert_with(|| Gain::new(controls.monitor_gain));
        monitor_gain.set(controls.monitor_gain, GAIN_FRAMES);
        let [left, right] = &mut block.main;
        monitor_gain.apply([&mut **left, &mut **right]);
        self.playback.take(&mut self.end, segment.as_ref(), self.room.as_ref());
        if let Some(segment) = segment {
            let song = transport::song(transport, &segment, self.setup.sample_rate);
            self.playback.play(&segment, block, controls, &song, &self.end.gauges);
        }
        self.exchange_midi(controls, segment.as_ref());
        self.conduct(transport, controls, segment.as_ref());
        self.playback.retire(&mut self.end.retired);
        self.show(controls, segment.as_ref());
    }

    /// Tells the link where the host's song is, and the host's clock where it should be.
    fn conduct(&mut self, transport: &HostTransport, controls: &Controls, segment: Option<&Segment>) {
        let placed = segment.map(|segment| (segment, transport::reading(transport, segment)));
        if let Some((_, reading)) = placed {
            // A link that is behind misses readings, and the next one says the same.
            let _ = self.end.readings.push(reading);
        }
        match placed.filter(|_| controls.role == Role::Follow) {
            Some((segment, reading)) => self.clock.follow(segment, &reading, controls.clock_offset),
            None => self.clock.rest(),
        }
    }

    /// Sends what the host played, and works out what it is given.
    fn exchange_midi(&mut self, controls: &Controls, segment: Option<&Segment>) {
        let gauges = &self.end.gauges;
        let sends = segment.filter(|_| !controls.mute_send);
        self.midi.send(sends, &mut self.end.midi_sent, gauges);
        let delay = Delay {
            strips_frames: self.playback.longest_delay_frames(),
            user_frames: controls.sync_delay_frames(),
        };
        let plays = segment.filter(|_| !controls.mute_receive);
        self.midi.play(plays, delay, &mut self.end.midi_heard, gauges);
    }

    /// Takes a message of MIDI that the host has for the block that is processed next, at a frame of it, with its status
    /// and, if it is exclusive, from F0 to F7. In order.
    ///
    /// Real-time: yes. Bound: a copy of its bytes.
    pub fn hear_midi(&mut self, frame: usize, bytes: &[u8]) {
        self.midi.hear(frame, bytes, &self.end.gauges);
    }

    /// The MIDI of the room for the host: what lies in the last block, in order.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub const fn midi(&self) -> &MidiBlock {
        self.midi.given()
    }

    /// The host could not take all of it: what it holds is ended with the next block.
    ///
    /// Real-time: yes. Bound: what waits.
    pub fn end_midi(&mut self) {
        self.midi.end(&mut self.end.midi_heard);
    }

    /// Something that the host has played was lost on the way here: what the room believes it to hold is ended.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn end_sent_midi(&self) {
        self.end.gauges.owe_endings();
    }

    /// The keys, pedals and wheels that the host was given and holds.
    #[must_use]
    pub fn midi_held(&self) -> Held {
        self.midi.held().clone()
    }

    /// Ends with the first block what the host holds from an engine before this one.
    #[must_use]
    pub fn ending_midi(mut self, held: Held) -> Self {
        self.midi.end_those(held);
        self
    }

    /// The MIDI clock for the host, if it follows: the events of the last block, in order.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn clock_events(&self) -> &[ClockEvent] {
        self.clock.events()
    }

    /// Forgets what was heard so far, as after a host's reset; keeps the room.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn reset(&mut self) {
        self.capture.stop();
        self.end_midi();
    }

    fn take_orders(&mut self) {
        // Bounded by the ring: nothing is pushed faster than it is taken for a whole ring's length.
        for _ in 0..self.end.orders.slots() {
            let Ok(order) = self.end.orders.pop() else { break };
            match order {
                Order::Clock(map) => self.room = Some(map),
                Order::NoClock => {
                    self.room = None;
                    self.alignment = Alignment::new(self.setup.sample_rate);
                    self.capture.stop();
                    self.midi.forget_grid();
                    self.midi.end(&mut self.end.midi_heard);
                }
                Order::Open(number, lane) => self.playback.open(number, lane),
                Order::Close(number) => self.playback.close(number),
                Order::RoomDelay(frames) => self.playback.set_room_delay(frames),
                Order::EndMidi => self.midi.end(&mut self.end.midi_heard),
            }
        }
        for _ in 0..self.end.guides.slots() {
            let Ok(guide) = self.end.guides.pop() else { break };
            self.clock.take(guide);
        }
    }

    /// Where the block lies on the grid, once both clocks are known.
    fn place(&mut self, now: LocalTime, first: DeviceFrame, frames: Frames) -> Option<Segment> {
        self.device.observe(&Callback { first, frames, at: now });
        let (device, room) = (self.device.map()?, self.room?);
        Some(self.alignment.advance(first, frames, &device, &room))
    }

    fn send(
        &mut self,
        start: DeviceFrame,
        block: &Block<'_>,
        transport: &HostTransport,
        controls: &Controls,
        segment: Option<Segment>,
    ) {
        let gain = if controls.mute_send { 0.0 } else { controls.send_gain };
        self.send_gain.set(gain, GAIN_FRAMES);
        let [left, right] = &block.main;
        self.capture.take(start, [&**left, &**right], &mut self.send_gain, &self.end.gauges);
        match segment {
            Some(segment) => {
                self.capture.place(segment, transport, &mut self.end.captured, &self.end.gauges);
            }
            None => self.capture.stop(),
        }
    }

    fn show(&self, controls: &Controls, segment: Option<&Segment>) {
        let gauges = &self.end.gauges;
        gauges.blocks.fetch_add(1, Ordering::Relaxed);
        gauges.sync_delay_ms.store(controls.sync_delay_ms, Ordering::Relaxed);
        gauges.set_wish(controls.room_mode);
        gauges.set_format(controls.format);
        gauges.set_role(controls.role);
        gauges.clock_offset_ms.store(controls.clock_offset.millis(), Ordering::Relaxed);
        gauges.set_shares_delay(controls.sync_mode == SyncMode::Room);
        gauges.set_mute_receive(controls.mute_receive);
        gauges.set_pace(self.device.pace());
        if let (Some(segment), Some(room)) = (segment, &self.room) {
            // The device against the relay: its own error, less the local clock's.
            let drift = self.device.skew_ppm() - room.skew_ppm();
            gauges.drift_ppm.store(drift, Ordering::Relaxed);
            gauges.alignment_error_frames.store(self.alignment.error_frames(), Ordering::Relaxed);
            let grid_frames = segment.end().frames_since(segment.first);
            let grid_frames = u32::try_from(i64_round(grid_frames)).unwrap_or(0);
            gauges.block_grid_frames.store(grid_frames, Ordering::Relaxed);
        }
    }
}

/// The largest magnitude of a block.
fn peak_of(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0, |peak, sample| peak.max(sample.abs()))
}
