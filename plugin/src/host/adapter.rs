//! The plugin as nice-plug sees it: translation, no logic of its own.

use std::marker::PhantomData;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use lockstep_shared::midi::message::Held;
use lockstep_shared::time::convert::{f64_from_usize, usize_trunc};
use lockstep_shared::time::{LocalTime, SampleRate, Span};
use nice_plug::prelude::{
    ActivateContext, AsyncExecutor, AudioIOLayout, AuxiliaryBuffers, Buffer, BufferConfig, ClapFeature,
    ClapPlugin, Params, Plugin, ProcessContext, ProcessMode, ProcessStatus, Transport, Vst3Plugin,
    Vst3SubCategory,
};

use super::edition::Edition;
use super::seam::{Callback, Condition, Outputs, Seam};
use crate::editor::{self, Editor};
use crate::engine::{
    BLOCK_FRAMES_MAX, Block, Controls, Engine, HostTransport, Rendering, STRIP_OUTPUTS, Setup,
};
use crate::instance::Instance;
use crate::params::{Parameters, lock};
use crate::shell::clock;

/// One plugin instance, as one of the editions.
pub(super) struct Lockstep<E> {
    parameters: Arc<Parameters>,
    instance: Arc<Mutex<Instance>>,
    seam: Arc<Seam>,
    running: Running,
    progress: Progress,
    /// What the last engine left sounding in the host.
    held: Held,
    edition: PhantomData<E>,
}

/// What `process` does with a block.
enum Running {
    /// Not active, or at a rate that the engine does not run at: the track passes through.
    PassThrough,
    /// The engine does it.
    Engine { engine: Engine, rate: SampleRate },
    /// The engine panicked: silence. It is kept, unused, until deactivation frees it off the audio thread.
    Stopped { engine: Engine },
}

/// How much of the host's callback has been processed. nice-plug cuts a block at every automation point and calls
/// `process` for each piece, and a block may be longer than the engine takes; all pieces belong to one callback.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    callback: u32,
    frames: usize,
}

impl<E: Edition> Default for Lockstep<E> {
    fn default() -> Self {
        let seam = Seam::adopt();
        let instance = Arc::new(Mutex::new(Instance::new().reaching(Arc::clone(seam.remote()))));
        Self {
            parameters: Arc::new(Parameters::new(Arc::clone(&instance))),
            instance,
            seam,
            running: Running::PassThrough,
            progress: Progress::default(),
            held: Held::default(),
            edition: PhantomData,
        }
    }
}

impl<E: Edition> Plugin for Lockstep<E> {
    const NAME: &'static str = E::NAME;
    const VENDOR: &'static str = "Lockstep";
    const URL: &'static str = "";
    const EMAIL: &'static str = "";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const AUDIO_IO_LAYOUTS: &'static [AudioIOLayout] = E::LAYOUTS;
    const SAMPLE_ACCURATE_AUTOMATION: bool = true;
    const HARD_REALTIME_ONLY: bool = true;

    type Editor = Editor;
    type SysExMessage = ();
    type BackgroundTask = ();

    fn params(&self) -> Arc<dyn Params> {
        Arc::clone(&self.parameters) as Arc<dyn Params>
    }

    fn editor(&mut self, _executor: AsyncExecutor<Self>) -> Option<Self::Editor> {
        editor::create(Arc::clone(&self.parameters), Arc::clone(&self.instance), Arc::clone(&self.seam))
    }

    fn activate(
        &mut self,
        _layout: &AudioIOLayout,
        config: &BufferConfig,
        _context: &mut impl ActivateContext<Self>,
    ) -> bool {
        self.leave();
        // The first call fixes the clock's epoch, which the audio thread must not do.
        let _ = clock::now();
        match SampleRate::new(nearest_hz(config.sample_rate)) {
            Some(rate) => {
                let setup = Setup {
                    sample_rate: rate,
                    block_frames_max: usize::try_from(config.max_buffer_size)
                        .unwrap_or(BLOCK_FRAMES_MAX)
                        .clamp(1, BLOCK_FRAMES_MAX),
                    rendering: match config.process_mode {
                        // Ahead-of-time processing still runs at a block's time on average; the engine detects and
                        // names it.
                        ProcessMode::Realtime | ProcessMode::Buffered => Rendering::Realtime,
                        ProcessMode::Offline => Rendering::Offline,
                    },
                };
                let engine = lock(&self.instance).activate(setup);
                let engine = engine.ending_midi(std::mem::take(&mut self.held));
                self.running = Running::Engine { engine, rate };
                self.seam.set_condition(Condition::Sound);
            }
            None => self.seam.set_condition(Condition::RateUnsupported),
        }
        true
    }

    fn deactivate(&mut self) {
        self.leave();
    }

    fn reset(&mut self) {
        if let Running::Engine { engine, .. } = &mut self.running {
            engine.reset();
        }
    }

    fn process(
        &mut self,
        buffer: &mut Buffer<'_>,
        aux: &mut AuxiliaryBuffers<'_>,
        context: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        let frames = buffer.samples();
        let callback = self.seam.callback();
        let offset = self.progress.advance(callback, frames);
        let controls = self.parameters.controls();
        if let Running::Engine { rate, .. } = self.running {
            let position = Position { callback, offset, rate };
            self.run_engine(buffer, aux, context.transport(), position, &controls);
        } else {
            self.pass_through(buffer, &controls);
        }
        ProcessStatus::KeepAlive
    }
}

impl<E: Edition> ClapPlugin for Lockstep<E> {
    const CLAP_ID: &'static str = "org.lockstep.lockstep";
    const CLAP_DESCRIPTION: Option<&'static str> = Some("Play together across the internet, in time");
    const CLAP_MANUAL_URL: Option<&'static str> = None;
    const CLAP_SUPPORT_URL: Option<&'static str> = None;
    const CLAP_FEATURES: &'static [ClapFeature] =
        &[ClapFeature::AudioEffect, ClapFeature::Utility, ClapFeature::Mixing, ClapFeature::Stereo];
}

impl<E: Edition> Vst3Plugin for Lockstep<E> {
    const VST3_CLASS_ID: [u8; 16] = E::CLASS_ID;
    const VST3_SUBCATEGORIES: &'static [Vst3SubCategory] =
        &[Vst3SubCategory::Fx, Vst3SubCategory::Network, Vst3SubCategory::Tools];
}

impl<E> Drop for Lockstep<E> {
    /// A host may destroy what it never deactivated.
    fn drop(&mut self) {
        self.leave();
    }
}

impl<E> Lockstep<E> {
    /// Drops the engine and leaves the link, if active.
    fn leave(&mut self) {
        match std::mem::replace(&mut self.running, Running::PassThrough) {
            Running::PassThrough => {}
            Running::Engine { engine, .. } | Running::Stopped { engine } => {
                // The host makes no sound now; it is told with the first block that it makes again.
                self.held = engine.midi_held();
                drop(engine);
                lock(&self.instance).deactivate();
            }
        }
    }

    /// Real-time: yes, unless the engine panics. Bound: the engine's.
    fn run_engine(
        &mut self,
        buffer: &mut Buffer<'_>,
        aux: &mut AuxiliaryBuffers<'_>,
        transport: &Transport,
        position: Position,
        controls: &Controls,
    ) {
        let frames = buffer.samples();
        for start in (0..frames).step_by(BLOCK_FRAMES_MAX) {
            let piece_end = frames.min(start + BLOCK_FRAMES_MAX);
            let piece = start..piece_end;
            let Running::Engine { engine, .. } = &mut self.running else { break };
            let Some(mut block) = block(buffer, aux, position.callback.outputs, piece) else { return };
            let now = position.time(start);
            let frame = position.offset + start;
            if let Some(mut midi) = self.seam.midi() {
                midi.hand_over(frame, position.offset + piece_end, engine);
            }
            let transport = position.transport(transport, start);
            // The engine is not used again after a panic, so what it left half-done is not seen.
            let outcome =
                catch_unwind(AssertUnwindSafe(|| engine.process(now, &mut block, &transport, controls)));
            if outcome.is_ok() {
                silence_what_is_not_finite(&mut block);
                self.seam.send_clock(frame, engine.clock_events());
                if let Some(mut midi) = self.seam.midi() {
                    midi.take_over(frame, engine);
                }
            } else {
                self.stop();
            }
        }
        if matches!(self.running, Running::Stopped { .. }) {
            silence(buffer, aux);
        }
    }

    fn pass_through(&self, buffer: &mut Buffer<'_>, controls: &Controls) {
        let gain = match self.running {
            Running::PassThrough | Running::Engine { .. } => controls.monitor_gain,
            Running::Stopped { .. } => 0.0,
        };
        for channel in buffer.as_slice() {
            for sample in channel.iter_mut() {
                *sample *= gain;
            }
        }
    }

    fn stop(&mut self) {
        if let Running::Engine { engine, .. } = std::mem::replace(&mut self.running, Running::PassThrough) {
            self.running = Running::Stopped { engine };
            self.seam.set_condition(Condition::Stopped);
        }
    }
}

impl Progress {
    /// How many frames of `callback` came before the piece of `frames` that is processed now.
    const fn advance(&mut self, callback: Callback, frames: usize) -> usize {
        if self.callback != callback.number {
            *self = Self { callback: callback.number, frames: 0 };
        }
        let offset = self.frames;
        self.frames += frames;
        offset
    }
}

/// Where a piece of a host's callback lies in time.
#[derive(Clone, Copy)]
struct Position {
    callback: Callback,
    offset: usize,
    rate: SampleRate,
}

impl Position {
    /// When the frame `start` frames into this piece would be due if its callback had begun with it. The device
    /// clock pairs frames with times, so a later piece must not carry the callback's own time.
    fn time(self, start: usize) -> LocalTime {
        self.callback.started + Span::from_secs_f64(self.seconds(self.offset + start))
    }

    /// The transport at the frame `start` frames into this piece.
    fn transport(self, transport: &Transport, start: usize) -> HostTransport {
        let quarters = |frames| transport.tempo.map_or(0.0, |tempo| self.seconds(frames) * tempo / 60.0);
        // nice-plug moves the position of a callback's later pieces on even while the host stands still.
        let correction = if transport.playing { quarters(start) } else { -quarters(self.offset) };
        HostTransport {
            playing: transport.playing,
            recording: transport.recording,
            tempo_bpm: transport.tempo,
            position_quarters: transport.pos_beats().map(|beats| beats + correction),
            time_signature: time_signature(transport),
            bar_start_quarters: transport.bar_start_pos_beats(),
            loop_quarters: transport.loop_range_beats(),
        }
    }

    fn seconds(self, frames: usize) -> f64 {
        f64_from_usize(frames) / self.rate.hz_f64()
    }
}

fn time_signature(transport: &Transport) -> Option<(u16, u16)> {
    let numerator = u16::try_from(transport.time_sig_numerator?).ok()?;
    let denominator = u16::try_from(transport.time_sig_denominator?).ok()?;
    (numerator > 0 && denominator > 0).then_some((numerator, denominator))
}

/// One piece of nice-plug's buffers, without what the shim padded; `None` if the main output is not stereo, which the
/// shims rule out.
fn block<'a>(
    buffer: &'a mut Buffer<'_>,
    aux: &'a mut AuxiliaryBuffers<'_>,
    outputs: Outputs,
    piece: Range<usize>,
) -> Option<Block<'a>> {
    let main = stereo(buffer, piece.clone())?;
    let mut strips: [Option<[&mut [f32]; 2]>; STRIP_OUTPUTS] = Default::default();
    for (index, (strip, output)) in strips.iter_mut().zip(aux.outputs.iter_mut()).enumerate() {
        if outputs.has(index + 1) {
            *strip = stereo(output, piece.clone());
        }
    }
    Some(Block { main, strips })
}

fn stereo<'a>(buffer: &'a mut Buffer<'_>, piece: Range<usize>) -> Option<[&'a mut [f32]; 2]> {
    let [left, right] = buffer.as_slice() else { return None };
    Some([left.get_mut(piece.clone())?, right.get_mut(piece)?])
}

/// A host's mixer may be ruined until restart by one infinity.
fn silence_what_is_not_finite(block: &mut Block<'_>) {
    let strips = block.strips.iter_mut().flatten();
    for channel in strips.flat_map(|strip| strip.iter_mut()).chain(block.main.iter_mut()) {
        // No early exit: this form is vectorised.
        let finite = channel.iter().fold(true, |finite, sample| finite & sample.is_finite());
        if !finite {
            for sample in channel.iter_mut() {
                *sample = if sample.is_finite() { *sample } else { 0.0 };
            }
        }
    }
}

fn silence(buffer: &mut Buffer<'_>, aux: &mut AuxiliaryBuffers<'_>) {
    for channel in buffer.as_slice() {
        channel.fill(0.0);
    }
    for output in aux.outputs.iter_mut() {
        for channel in output.as_slice() {
            channel.fill(0.0);
        }
    }
}

/// Zero for what is no rate at all.
fn nearest_hz(rate: f32) -> u32 {
    u32::try_from(usize_trunc(f64::from(rate).round())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: SampleRate = SampleRate::GRID;

    fn callback(number: u32) -> Callback {
        Callback { number, started: LocalTime::from_nanos(1_000_000_000), outputs: Outputs::default() }
    }

    #[test]
    fn pieces_of_one_callback_lie_one_after_the_other() {
        let mut progress = Progress::default();
        assert_eq!(progress.advance(callback(1), 100), 0);
        assert_eq!(progress.advance(callback(1), 28), 100);
        assert_eq!(progress.advance(callback(1), 128), 128);
        assert_eq!(progress.advance(callback(2), 256), 0);
    }

    #[test]
    fn a_later_piece_carries_a_later_time() {
        let position = Position { callback: callback(1), offset: 480, rate: RATE };
        assert_eq!(position.time(0).nanos(), 1_010_000_000);
        assert_eq!(position.time(4_800).nanos(), 1_110_000_000);
    }

    #[test]
    fn the_position_moves_on_only_while_the_host_plays() {
        let mut transport = Transport::new(48_000.0);
        transport.tempo = Some(120.0);
        // As nice-plug reports the piece from frame 24,000 on, half a second or one beat into the callback.
        transport.pos_beats = Some(5.0);
        let position = Position { callback: callback(1), offset: 24_000, rate: RATE };

        transport.playing = true;
        assert_eq!(position.transport(&transport, 0).position_quarters, Some(5.0));
        assert_eq!(position.transport(&transport, 12_000).position_quarters, Some(5.5));

        transport.playing = false;
        assert_eq!(position.transport(&transport, 0).position_quarters, Some(4.0));
        assert_eq!(position.transport(&transport, 12_000).position_quarters, Some(4.0));
    }

    #[test]
    fn a_time_signature_that_cannot_be_is_none() {
        let mut transport = Transport::new(48_000.0);
        for (numerator, denominator, expected) in
            [(7, 8, Some((7, 8))), (0, 4, None), (4, 0, None), (-3, 4, None), (70_000, 4, None)]
        {
            transport.time_sig_numerator = Some(numerator);
            transport.time_sig_denominator = Some(denominator);
            assert_eq!(time_signature(&transport), expected);
        }
    }

    #[test]
    fn only_what_is_not_finite_is_silenced() {
        let mut left = [0.5, f32::NAN, -0.5];
        let mut right = [0.25; 3];
        let mut strip_left = [f32::INFINITY; 3];
        let mut strip_right = [1.0, f32::NEG_INFINITY, 1e30];
        let mut strips: [Option<[&mut [f32]; 2]>; STRIP_OUTPUTS] = Default::default();
        strips[3] = Some([&mut strip_left, &mut strip_right]);
        silence_what_is_not_finite(&mut Block { main: [&mut left, &mut right], strips });
        assert_eq!(left, [0.5, 0.0, -0.5]);
        assert_eq!(right, [0.25; 3]);
        assert_eq!(strip_left, [0.0; 3]);
        assert_eq!(strip_right, [1.0, 0.0, 1e30]);
    }

    #[test]
    fn no_rate_is_no_rate() {
        assert_eq!(nearest_hz(44_100.0), 44_100);
        for rate in [f32::NAN, -1.0, 0.0, f32::INFINITY] {
            assert_eq!(SampleRate::new(nearest_hz(rate)), None);
        }
    }
}
