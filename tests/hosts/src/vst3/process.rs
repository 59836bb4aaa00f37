//! One block through an instance.
#![expect(unsafe_code, reason = "VST3 is a COM interface whose buffers are raw pointers")]

use std::ptr;

use lockstep_shared::time::convert::i64_round;
use vst3::ComWrapper;
use vst3::Steinberg::Vst::{
    AudioBusBuffers, AudioBusBuffers__type0, IAudioProcessorTrait, IEventList, IParameterChanges,
    ProcessContext, ProcessContext_::StatesAndFlags_, ProcessData, SymbolicSampleSizes_,
};
use vst3::Steinberg::int32;

use super::events::{EventsIn, EventsOut};
use super::objects::ParameterChanges;
use super::plugin::Plugin;
use super::{Vst3Error, check};
use crate::block::{Automation, Block, Input, Motion, Output, Sent, Transport};

impl Plugin {
    /// Has the plugin process one block. Automation values are normalized; raw MIDI and transport changes inside
    /// the block have no place in VST3 and must not be given.
    ///
    /// Real-time: no (allocates).
    ///
    /// # Errors
    /// If the plugin reports an error.
    ///
    /// # Panics
    /// If the block is not well formed; see [`Block::frames`].
    pub fn process(&mut self, block: &mut Block<'_>) -> Result<(), Vst3Error> {
        let frames = block.frames();
        let mut input_channels = block.place_input(frames);
        let mut inputs = [buffers(2, input_channels.as_mut_ptr())];
        let mut lists: Vec<[*mut f32; 2]> = block.outputs.iter_mut().map(channel_pointers).collect();
        let mut outputs: Vec<AudioBusBuffers> = block
            .outputs
            .iter()
            .zip(&mut lists)
            .map(|(output, list)| match output {
                Output::Connected(_) | Output::NoMemory => buffers(2, list.as_mut_ptr()),
                Output::NoList => buffers(2, ptr::null_mut()),
                Output::NoChannels => buffers(0, ptr::null_mut()),
            })
            .collect();
        self.call(frames, &mut inputs, &mut outputs, block.inputs, block.transport)
    }

    /// Hands over automation without audio: a block of no frames and no buffers.
    ///
    /// # Errors
    /// If the plugin reports an error.
    pub fn flush(&mut self, inputs: &[Input]) -> Result<(), Vst3Error> {
        self.call(0, &mut [], &mut [], inputs, None)
    }

    fn call(
        &mut self,
        frames: usize,
        inputs: &mut [AudioBusBuffers],
        outputs: &mut [AudioBusBuffers],
        automation: &[Input],
        transport: Option<Transport>,
    ) -> Result<(), Vst3Error> {
        let events = ComWrapper::new(EventsIn::new(automation))
            .to_com_ptr::<IEventList>()
            .ok_or(Vst3Error::Missing("events"))?;
        let events_out = ComWrapper::new(EventsOut::default());
        let events_out_pointer = events_out.to_com_ptr::<IEventList>().ok_or(Vst3Error::Missing("events"))?;
        let changes = ComWrapper::new(ParameterChanges::new(automation.iter().filter_map(point)))
            .to_com_ptr::<IParameterChanges>()
            .ok_or(Vst3Error::Missing("parameter changes"))?;
        let mut context = transport.map(|transport| self.context(&transport));
        let mut data = ProcessData {
            processMode: self.setup.mode.code(),
            symbolicSampleSize: int32::try_from(SymbolicSampleSizes_::kSample32).unwrap_or_default(),
            numSamples: count(frames),
            numInputs: count(inputs.len()),
            numOutputs: count(outputs.len()),
            inputs: pointer(inputs),
            outputs: pointer(outputs),
            inputParameterChanges: changes.as_ptr(),
            outputParameterChanges: ptr::null_mut(),
            inputEvents: events.as_ptr(),
            outputEvents: events_out_pointer.as_ptr(),
            processContext: context.as_mut().map_or(ptr::null_mut(), ptr::from_mut),
        };
        self.frames_done += i64::from(data.numSamples);
        // SAFETY: every pointer is to something that outlives the call, or null where the standard lets a host leave
        // something out; what hosts leave out against the standard is what this host is made to test.
        let code = unsafe { self.processor.process(&raw mut data) };
        self.sent = events_out.take();
        check("processing", code)
    }

    /// What the plugin sent during the last block, in its order.
    #[must_use]
    pub fn sent(&self) -> &[Sent] {
        &self.sent
    }

    fn context(&self, transport: &Transport) -> ProcessContext {
        let mut flags = StatesAndFlags_::kTempoValid
            | StatesAndFlags_::kTimeSigValid
            | StatesAndFlags_::kProjectTimeMusicValid
            | StatesAndFlags_::kBarPositionValid
            | StatesAndFlags_::kContTimeValid;
        match transport.motion {
            Motion::Stopped => {}
            Motion::Playing => flags |= StatesAndFlags_::kPlaying,
            Motion::Recording => flags |= StatesAndFlags_::kPlaying | StatesAndFlags_::kRecording,
        }
        let signature = transport.time_signature;
        let bar_quarters = 4.0 * f64::from(signature.numerator) / f64::from(signature.denominator);
        // SAFETY: an all-zero context is valid, as it holds numbers only.
        let mut context: ProcessContext = unsafe { std::mem::zeroed() };
        if let Some(range) = transport.loop_range {
            flags |= StatesAndFlags_::kCycleActive | StatesAndFlags_::kCycleValid;
            context.cycleStartMusic = range.start_quarters;
            context.cycleEndMusic = range.end_quarters;
        }
        context.state = flags;
        context.sampleRate = self.setup.sample_rate;
        context.projectTimeSamples = i64_round(transport.position_seconds * self.setup.sample_rate);
        context.continousTimeSamples = self.frames_done;
        context.projectTimeMusic = transport.position_quarters;
        context.barPositionMusic = (transport.position_quarters / bar_quarters).floor() * bar_quarters;
        context.tempo = transport.tempo_bpm;
        context.timeSigNumerator = signature.numerator.into();
        context.timeSigDenominator = signature.denominator.into();
        context
    }
}

fn point(input: &Input) -> Option<Automation> {
    if let Input::Automation(automation) = input { Some(*automation) } else { None }
}

fn channel_pointers(output: &mut Output) -> [*mut f32; 2] {
    match output {
        Output::Connected(stereo) => [stereo.left.as_mut_ptr(), stereo.right.as_mut_ptr()],
        Output::NoList | Output::NoMemory | Output::NoChannels => [ptr::null_mut(); 2],
    }
}

fn buffers(channels: int32, list: *mut *mut f32) -> AudioBusBuffers {
    AudioBusBuffers {
        numChannels: channels,
        silenceFlags: 0,
        __field0: AudioBusBuffers__type0 { channelBuffers32: list },
    }
}

fn pointer(buffers: &mut [AudioBusBuffers]) -> *mut AudioBusBuffers {
    if buffers.is_empty() { ptr::null_mut() } else { buffers.as_mut_ptr() }
}

fn count(length: usize) -> int32 {
    int32::try_from(length).unwrap_or(int32::MAX)
}
