//! Hosts as they are: which block comes next, what is in it, and when it comes.

use lockstep_plugin::engine::{ClockOffset, Controls, HostTransport, JitterPreset, Role, RoomMode, SyncMode};
use lockstep_shared::time::{DeviceFrame, SampleRate, Span};

use crate::clock::Crystal;
use crate::oracle::Source;
use crate::rng::Rng;
use crate::song::Song;
use lockstep_shared::time::convert::usize_from_i64;

/// The lengths of a host's blocks.
#[derive(Clone, Debug)]
pub enum Blocks {
    /// Always the same.
    Fixed(usize),
    /// Any of these, drawn anew for each block.
    Changing(Vec<usize>),
}

/// How punctual the host's callbacks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Punctuality {
    /// To the nanosecond.
    Exact,
    /// As an operating system wakes a thread.
    Usual,
}

/// One simulated host with one instance of the plugin.
#[derive(Clone, Debug)]
pub struct Daw {
    /// The nominal sample rate.
    pub rate: SampleRate,
    /// The lengths of its blocks.
    pub blocks: Blocks,
    /// What its audio interface's crystal does.
    pub crystal: Crystal,
    /// How punctual it is.
    pub punctuality: Punctuality,
    /// What its track plays.
    pub source: Source,
    /// The parameters.
    pub controls: Controls,
    /// What its transport does.
    pub song: Song,
    /// From this frame on, for so long, the host does not call; then it catches up at once.
    pub stall: Option<(DeviceFrame, Span)>,
}

impl Daw {
    /// A host at 48 kHz with a perfect crystal and perfect punctuality, playing `source`.
    #[must_use]
    pub fn perfect(source: Source, block_frames: usize) -> Self {
        Self {
            rate: SampleRate::GRID,
            blocks: Blocks::Fixed(block_frames),
            crystal: Crystal::PERFECT,
            punctuality: Punctuality::Exact,
            source,
            controls: open_controls(RoomMode::Stems),
            song: Song::Constant(HostTransport::default()),
            stall: None,
        }
    }

    /// The length of the next block.
    pub fn next_block(&self, rng: &mut Rng) -> usize {
        match &self.blocks {
            Blocks::Fixed(frames) => *frames,
            Blocks::Changing(lengths) => {
                lengths[usize_from_i64(i64::try_from(rng.next_u64() >> 32).unwrap_or(0)) % lengths.len()]
            }
        }
    }
}

/// Everything open, nothing dry.
#[must_use]
pub const fn open_controls(room_mode: RoomMode) -> Controls {
    Controls {
        sync_delay_ms: 0.0,
        send_gain: 1.0,
        receive_gain: 1.0,
        monitor_gain: 0.0,
        mute_send: false,
        mute_receive: false,
        room_mode,
        sync_mode: SyncMode::Tight,
        role: Role::Off,
        clock_offset: ClockOffset::NONE,
        jitter: JitterPreset::Default,
        format: None,
    }
}
