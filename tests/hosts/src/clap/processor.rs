//! One active instance, seen from the audio thread.
#![expect(unsafe_code, reason = "ports without memory can only be written down as raw CLAP buffers")]

use std::ptr;

use clack_host::events::event_types::{
    MidiEvent, MidiSysExEvent, NoteOffEvent, NoteOnEvent, ParamValueEvent, TransportEvent, TransportFlags,
};
use clack_host::events::io::{OutputEventBuffer, TryPushError};
use clack_host::events::{EventFlags, Match};
use clack_host::prelude::*;
use clack_host::utils::{BeatTime, SecondsTime};
use clap_sys::audio_buffer::clap_audio_buffer;

use super::ClapError;
use super::handlers::{Handlers, Shared};
use crate::block::{Automation, Block, Input, Motion, Output, ParameterId, Sent, Stroke, Transport};

/// Events that a block may carry in and out without allocating.
const EVENTS_MAX: usize = 1_024;

/// An active instance; it may move to another thread.
pub struct Processor {
    started: StartedPluginAudioProcessor<Handlers>,
    events: EventBuffer,
    log: EventLog,
    outputs: Vec<RawPort>,
    steady_frames: u64,
}

impl Processor {
    pub(super) fn new(started: StartedPluginAudioProcessor<Handlers>) -> Self {
        Self {
            started,
            events: EventBuffer::with_capacity(EVENTS_MAX),
            log: EventLog::default(),
            outputs: Vec::with_capacity(PORTS_MAX),
            steady_frames: 0,
        }
    }

    /// Has the plugin process one block.
    ///
    /// Real-time: yes, for at most 1,024 events and 32 outputs. Bound: the plugin's.
    ///
    /// # Errors
    /// If the plugin reports an error.
    ///
    /// # Panics
    /// If the block is not well formed; see [`Block::frames`].
    pub fn process(&mut self, block: &mut Block<'_>) -> Result<ProcessStatus, ClapError> {
        let frames = block.frames();
        let frames_count = u32::try_from(frames).expect("a block fits 32 bits");
        self.events.clear();
        input_events(&mut self.events, block.inputs);
        self.log.clear();
        self.outputs.clear();
        self.outputs.extend(block.outputs.iter_mut().map(RawPort::new));

        let mut input_channels = block.place_input(frames);
        let input_ports = [clap_audio_buffer { data32: input_channels.as_mut_ptr(), ..EMPTY_BUFFER }];
        let transport = block.transport.map(|transport| transport_event(&transport, 0));
        let steady_frames = self.steady_frames;
        self.steady_frames += u64::from(frames_count);

        self.started.access_shared_handler(Shared::enter_audio_call);
        let status = with_raw_outputs(&mut self.outputs, |output_ports| {
            // SAFETY: the pointers come from slices that outlive the call and hold `frames` frames each; CLAP plugins
            // do not write to inputs.
            let input = unsafe { InputAudioBuffers::from_raw_buffers(&input_ports, frames_count) };
            // SAFETY: as above; null pointers are what this host is made to test.
            let mut output = unsafe { OutputAudioBuffers::from_raw_buffers(output_ports, frames_count) };
            self.started.process(
                &input,
                &mut output,
                &InputEvents::from_buffer(&self.events),
                &mut OutputEvents::from_buffer(&mut self.log),
                Some(steady_frames),
                transport.as_ref(),
            )
        });
        self.started.access_shared_handler(Shared::leave_audio_call);
        status.map_err(|error| ClapError::Refused { action: "processing", reason: error.to_string() })
    }

    /// Clears what the plugin has heard so far.
    ///
    /// Real-time: yes. Bound: the plugin's.
    pub fn reset(&mut self) {
        self.started.reset();
    }

    /// What the plugin sent during the last block, in its order.
    #[must_use]
    pub fn sent(&self) -> &[Sent] {
        &self.log.sent
    }

    pub(super) fn into_stopped(self) -> StoppedPluginAudioProcessor<Handlers> {
        self.started.stop_processing()
    }
}

/// A port as raw pointers.
enum RawPort {
    List([*mut f32; 2]),
    NoList,
    NoChannels,
}

// SAFETY: the pointers are made and used inside one call of `Processor::process`; between calls they are cleared or
// stale, and never followed.
unsafe impl Send for RawPort {}

impl RawPort {
    fn new(output: &mut Output) -> Self {
        match output {
            Output::Connected(stereo) => Self::List([stereo.left.as_mut_ptr(), stereo.right.as_mut_ptr()]),
            Output::NoMemory => Self::List([ptr::null_mut(); 2]),
            Output::NoList => Self::NoList,
            Output::NoChannels => Self::NoChannels,
        }
    }
}

/// Most outputs that a plugin under test declares.
const PORTS_MAX: usize = 32;

fn with_raw_outputs<T>(ports: &mut [RawPort], call: impl FnOnce(&mut [clap_audio_buffer]) -> T) -> T {
    assert!(ports.len() <= PORTS_MAX, "at most {PORTS_MAX} outputs");
    let mut buffers = [EMPTY_BUFFER; PORTS_MAX];
    for (buffer, port) in buffers.iter_mut().zip(ports.iter_mut()) {
        *buffer = match port {
            RawPort::List(channels) => clap_audio_buffer { data32: channels.as_mut_ptr(), ..EMPTY_BUFFER },
            RawPort::NoList => EMPTY_BUFFER,
            RawPort::NoChannels => clap_audio_buffer { channel_count: 0, ..EMPTY_BUFFER },
        };
    }
    let (connected, _) = buffers.split_at_mut(ports.len());
    call(connected)
}

const EMPTY_BUFFER: clap_audio_buffer = clap_audio_buffer {
    data32: ptr::null_mut(),
    data64: ptr::null_mut(),
    channel_count: 2,
    latency: 0,
    constant_mask: 0,
};

pub(super) fn input_events(events: &mut EventBuffer, inputs: &[Input]) {
    for input in inputs {
        match *input {
            Input::SystemExclusive { offset, ref bytes } => {
                // SAFETY: the inputs outlive the call that the events are for.
                events.push(&unsafe { MidiSysExEvent::new(offset, 0, bytes) });
            }
            Input::Note { offset, stroke, channel, key, velocity } => {
                let place = Pckn::new(0_u16, u16::from(channel), u16::from(key), Match::All);
                match stroke {
                    Stroke::Struck => events.push(&NoteOnEvent::new(offset, place, velocity)),
                    Stroke::Released => events.push(&NoteOffEvent::new(offset, place, velocity)),
                }
            }
            Input::Automation(Automation { offset, parameter, value }) => {
                events.push(&ParamValueEvent::new(
                    offset,
                    ClapId::new(parameter.0),
                    Pckn::match_all(),
                    value,
                ));
            }
            Input::Midi { offset, bytes } => events.push(&MidiEvent::new(offset, 0, bytes)),
            Input::Transport { offset, transport } => events.push(&transport_event(&transport, offset)),
        }
    }
}

fn transport_event(transport: &Transport, offset: u32) -> TransportEvent {
    let mut flags = TransportFlags::HAS_TEMPO
        | TransportFlags::HAS_BEATS_TIMELINE
        | TransportFlags::HAS_SECONDS_TIMELINE
        | TransportFlags::HAS_TIME_SIGNATURE;
    match transport.motion {
        Motion::Stopped => {}
        Motion::Playing => flags |= TransportFlags::IS_PLAYING,
        Motion::Recording => flags |= TransportFlags::IS_PLAYING | TransportFlags::IS_RECORDING,
    }
    let mut loop_quarters = [0.0; 2];
    if let Some(range) = transport.loop_range {
        flags |= TransportFlags::IS_LOOP_ACTIVE;
        loop_quarters = [range.start_quarters, range.end_quarters];
    }
    let loop_seconds = loop_quarters.map(|quarters| quarters * 60.0 / transport.tempo_bpm);
    let numerator = transport.time_signature.numerator;
    let denominator = transport.time_signature.denominator;
    let bar_quarters = 4.0 * f64::from(numerator) / f64::from(denominator);
    let bar = (transport.position_quarters / bar_quarters).floor();
    TransportEvent {
        header: EventHeader::new_core(offset, EventFlags::empty()),
        flags,
        song_pos_beats: BeatTime::from_float(transport.position_quarters),
        song_pos_seconds: SecondsTime::from_float(transport.position_seconds),
        tempo: transport.tempo_bpm,
        tempo_inc: 0.0,
        loop_start_beats: BeatTime::from_float(loop_quarters[0]),
        loop_end_beats: BeatTime::from_float(loop_quarters[1]),
        loop_start_seconds: SecondsTime::from_float(loop_seconds[0]),
        loop_end_seconds: SecondsTime::from_float(loop_seconds[1]),
        bar_start: BeatTime::from_float(bar * bar_quarters),
        bar_number: i32::try_from(lockstep_shared::time::convert::i64_floor(bar)).unwrap_or(i32::MAX),
        time_signature_numerator: numerator,
        time_signature_denominator: denominator,
    }
}

/// Where the plugin's events go. Copies what a system-exclusive event points to, which is gone after the call.
pub(super) struct EventLog {
    sent: Vec<Sent>,
}

impl Default for EventLog {
    fn default() -> Self {
        Self { sent: Vec::with_capacity(EVENTS_MAX) }
    }
}

impl EventLog {
    pub(super) fn into_sent(self) -> Vec<Sent> {
        self.sent
    }

    fn clear(&mut self) {
        self.sent.clear();
    }
}

impl OutputEventBuffer for EventLog {
    fn try_push(&mut self, event: &UnknownEvent) -> Result<(), TryPushError> {
        if self.sent.len() == EVENTS_MAX {
            return Err(TryPushError::new());
        }
        self.sent.push(sent(event));
        Ok(())
    }
}

fn sent(event: &UnknownEvent) -> Sent {
    let offset = event.header().time();
    if let Some(value) = event.as_event::<ParamValueEvent>()
        && let Some(id) = value.param_id()
    {
        return Sent::Parameter(Automation {
            offset,
            parameter: ParameterId(id.get()),
            value: value.value(),
        });
    }
    if let Some(midi) = event.as_event::<MidiEvent>() {
        return Sent::Midi { offset, bytes: midi.data() };
    }
    if let Some(exclusive) = event.as_event::<MidiSysExEvent>() {
        let length = usize::try_from(exclusive.buffer_size()).unwrap_or_default();
        if exclusive.buffer_ptr().is_null() {
            return Sent::SystemExclusive { offset, bytes: Vec::new() };
        }
        // SAFETY: CLAP has the plugin keep the bytes valid until `try_push` returns.
        let bytes = unsafe { std::slice::from_raw_parts(exclusive.buffer_ptr(), length) };
        return Sent::SystemExclusive { offset, bytes: bytes.to_vec() };
    }
    Sent::Other { offset, kind: event.header().type_id() }
}
