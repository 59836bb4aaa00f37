//! Everything that runs on the audio thread. It owns what it touches: no lock, allocation, free, system call or
//! log, and a bound on its work.

use lockstep_shared::time::{LocalTime, SampleRate};

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
}

impl Engine {
    pub(crate) const fn new(setup: Setup) -> Self {
        Self { setup }
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
        let _ = (now, transport, self.setup);
        for channel in &mut block.main {
            for sample in channel.iter_mut() {
                *sample *= controls.monitor_gain;
            }
        }
    }

    /// Forgets what was heard so far, as after a host's reset; keeps the room.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn reset(&mut self) {}
}
