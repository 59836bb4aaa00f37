//! Every ring and atomic between threads, in one place.
//!
//! | what | from -> to | kind | capacity | when full / empty |
//! |---|---|---|---|---|
//! | captured chunks | audio -> link | `rtrb` of fixed arrays | [`CAPTURED_CHUNKS`] | drop newest, count |
//! | transport readings | audio -> link | `rtrb` | [`READINGS`] | drop newest: the next says it again |
//! | received chunks, and what is foreseen for missing ones | link -> audio | `rtrb` of fixed arrays | [`RECEIVED_CHUNKS`] | drop newest, count; leave out what is foreseen / conceal |
//! | orders (maps, lanes) | link -> audio | `rtrb` | [`ORDERS`] | link keeps it and tries again |
//! | the line to follow | link -> audio | `rtrb` | [`GUIDES`] | link tries again; the latest counts |
//! | MIDI of the host | audio -> link | two `rtrb`, [`MidiProducer`] | 2,048 messages | drop newest but what ends notes, count; [`Gauges::owe_endings`] |
//! | MIDI of the room | link -> audio | two `rtrb`, [`MidiProducer`] | 2,048 messages | drop newest but what ends notes, count; [`Order::EndMidi`] |
//! | retired lanes | audio -> link | `rtrb` | [`RETIRED`] | audio keeps the lane, silent |
//! | levels, counters, wishes | both ways | atomics, [`Gauges`] | latest | - |
//! | status | link -> editor | `Mutex`, neither end is real-time | latest | - |
//! | commands | instance -> link | channel, neither end is real-time | unbounded | - |
//! | commands to the host's transport | link -> main | `Mutex`, neither end is real-time, [`Remote`] | [`COMMANDS`] | drop oldest |
//! | the MIDI clock's port | links of the process | `shell/clock_output`: one speaks, an atomic says who | - | wait |
//!
//! The audio thread only pushes and pops; whoever allocates or frees is at the other end.

mod lane;
mod midi;
mod received;

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atomic_float::{AtomicF32, AtomicF64};
use lockstep_shared::clock::{HostPace, RoomMap};
use lockstep_shared::dsp::ChunkFrames;
use lockstep_shared::time::{ChunkIndex, LocalTime, MusicalStamp, Span};
use lockstep_shared::timeline::Timeline;
use lockstep_shared::timeline::author::Reading;
use lockstep_shared::transport::{Abilities, Command};
use rtrb::{Consumer, Producer, RingBuffer};

use crate::engine::{Format, Lane, Role, RoomMode};
pub use lane::LaneGauges;
pub use midi::{MidiConsumer, MidiEntry, MidiForm, MidiFull, MidiProducer};
pub use received::{Received, ReceivedChunk};

/// Chunks on the way out: the longest block of 4,096 frames at 44.1 kHz is 70 chunks, three times over.
const CAPTURED_CHUNKS: usize = 256;
/// Chunks on the way in: 16 strips through a block of 4,096 frames, and a continuation for each datagram.
const RECEIVED_CHUNKS: usize = 3_072;
/// What is foreseen is left out when less room than this is left for what arrives.
pub const FORESEEN_LEAVES: usize = RECEIVED_CHUNKS / 4;
/// Readings of the transport: 50 ms of the shortest blocks.
const READINGS: usize = 256;
/// Orders: two for every lane and a second of clock maps.
const ORDERS: usize = 160;
const RETIRED: usize = 2 * LANES;
/// Lines: a few revisions in one block, 2.5 kB each.
const GUIDES: usize = 4;
/// Commands to a host's transport: what the main thread is asked in a second at most.
const COMMANDS: usize = 32;
/// A place in the song that was meant for a moment so long ago is the wrong one: shorter than a mover waits before it
/// asks again.
const COMMAND_STALE: Span = Span::from_millis(700);

/// Remote strips that one instance can play, and the mix.
pub const LANES: usize = STRIP_LANES + 1;
/// Remote strips that one instance can play.
pub const STRIP_LANES: usize = 16;
/// The lane of the relay's mix.
pub const MIX_LANE: LaneNumber = LaneNumber(STRIP_LANES);

/// Which lane; lanes 0 to 7 have an output of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneNumber(pub usize);

/// A chunk of this instance's input, placed on the grid.
#[derive(Clone, Copy, Debug)]
pub struct CapturedChunk {
    /// Where it is.
    pub index: ChunkIndex,
    /// What it holds.
    pub frames: ChunkFrames,
    /// Where the host's song was at its first frame.
    pub stamp: Option<MusicalStamp>,
}

/// What the link tells the engine.
#[derive(Debug)]
pub enum Order {
    /// The room's clock, as measured now.
    Clock(RoomMap),
    /// The room's clock means nothing any more: the grid is another, or there is none.
    NoClock,
    /// Play a strip through this lane.
    Open(LaneNumber, Box<Lane>),
    /// Fade the lane out and hand it back.
    Close(LaneNumber),
    /// The delay that everybody in the room plays at in the Room mode, in grid frames.
    RoomDelay(f64),
    /// Forget the MIDI that waits, and end what sounds of it: the link is lost, or could not hand everything over.
    EndMidi,
}

/// What the audio thread's MIDI clock goes by.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClockGuide {
    /// Whether the DAW is to follow.
    pub state: GuideState,
    /// Whether the clock corrects itself by where the DAW is.
    pub watch: Watch,
    /// The room's line, as last heard.
    pub line: Timeline,
}

/// Whether a MIDI clock goes by what the DAW around the plugin makes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watch {
    /// Yes: the DAW may be following it.
    #[default]
    Daw,
    /// No: the DAW is moved by its host's own functions, and whoever follows the clock is somebody else.
    Nobody,
}

/// Whether a DAW is to follow the room's line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GuideState {
    /// No: it leads, or does nothing, or there is no line.
    #[default]
    Off,
    /// Yes.
    Follow,
    /// The link is lost, so the line may have been changed: the DAW is stopped.
    Lost,
}

/// Values that are read and written by several threads, each meaningful by itself.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Peak of what was sent since it was last taken.
    pub send_peak: [AtomicF32; 2],
    /// Peak of what was played since it was last taken.
    pub receive_peak: [AtomicF32; 2],
    /// One set for each lane.
    pub lanes: [LaneGauges; LANES],
    /// The audio interface's rate against the grid; NaN while unknown.
    pub drift_ppm: AtomicF64,
    /// How far the last block was from where the clocks say, in grid frames.
    pub alignment_error_frames: AtomicF64,
    /// The user's part of the delay.
    pub sync_delay_ms: AtomicF32,
    /// How much later than the room's beats the MIDI clock leaves.
    pub clock_offset_ms: AtomicF64,
    /// The host's block in grid frames, of the last block.
    pub block_grid_frames: AtomicU32,
    /// Chunks that found the captured ring full.
    pub captured_dropped: AtomicU64,
    /// Chunks that found the received ring full.
    pub received_dropped: AtomicU64,
    /// Blocks processed.
    pub blocks: AtomicU64,
    /// What became of MIDI.
    pub midi: MidiGauges,
    wish: AtomicU8,
    format: AtomicU8,
    role: AtomicU8,
    mute_receive: AtomicBool,
    shares_delay: AtomicBool,
    runs_ahead: AtomicBool,
    owes_endings: AtomicBool,
}

/// Messages of MIDI.
#[derive(Debug, Default)]
pub struct MidiGauges {
    /// Of this instance's host, sent to the room.
    pub sent: AtomicU64,
    /// Of the room, given to this instance's host.
    pub played: AtomicU64,
    /// Of those, how many came after their time and were given at once.
    pub late: AtomicU64,
    /// That found no room, in either direction.
    pub dropped: AtomicU64,
}

impl Gauges {
    /// What the instance asks the relay for.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn set_wish(&self, mode: RoomMode) {
        let code = match mode {
            RoomMode::Auto => 0,
            RoomMode::Stems => 1,
            RoomMode::Mix => 2,
        };
        self.wish.store(code, Ordering::Relaxed);
    }

    /// What the instance asks the relay for.
    pub fn wish(&self) -> RoomMode {
        match self.wish.load(Ordering::Relaxed) {
            1 => RoomMode::Stems,
            2 => RoomMode::Mix,
            _ => RoomMode::Auto,
        }
    }

    /// How samples are to be sent; none where that is left to the link.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn set_format(&self, format: Option<Format>) {
        self.format.store(format.map_or(0, |format| 1 + format.code()), Ordering::Relaxed);
    }

    /// How samples are to be sent; none where that is left to the link.
    pub fn format(&self) -> Option<Format> {
        self.format.load(Ordering::Relaxed).checked_sub(1).and_then(|code| Format::from_code(code).ok())
    }

    /// What its DAW is to the room's musical time.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn set_role(&self, role: Role) {
        let code = match role {
            // Before the first block: an instance that has said nothing has no role, not even by itself.
            Role::Off => 0,
            Role::Auto => 1,
            Role::Lead => 2,
            Role::Follow => 3,
        };
        self.role.store(code, Ordering::Relaxed);
    }

    /// What its DAW is to the room's musical time.
    pub fn role(&self) -> Role {
        match self.role.load(Ordering::Relaxed) {
            1 => Role::Auto,
            2 => Role::Lead,
            3 => Role::Follow,
            _ => Role::Off,
        }
    }

    /// Whether the instance wants nothing of the others.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn set_mute_receive(&self, mute: bool) {
        self.mute_receive.store(mute, Ordering::Relaxed);
    }

    /// Whether the instance wants nothing of the others.
    pub fn mute_receive(&self) -> bool {
        self.mute_receive.load(Ordering::Relaxed)
    }

    /// Whether it plays at the room's common delay.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn set_shares_delay(&self, shares: bool) {
        self.shares_delay.store(shares, Ordering::Relaxed);
    }

    /// Whether it plays at the room's common delay.
    pub fn shares_delay(&self) -> bool {
        self.shares_delay.load(Ordering::Relaxed)
    }

    /// How the host calls.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn set_pace(&self, pace: HostPace) {
        self.runs_ahead.store(pace == HostPace::AheadOfTime, Ordering::Relaxed);
    }

    /// Says that something may have been dropped that ends a note: the link ends all that this instance holds.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn owe_endings(&self) {
        self.owes_endings.store(true, Ordering::Release);
    }

    /// Whether that was said since the last time.
    pub fn take_owed_endings(&self) -> bool {
        self.owes_endings.load(Ordering::Relaxed) && self.owes_endings.swap(false, Ordering::Acquire)
    }

    /// Whether the host computes ahead of time in bursts.
    pub fn runs_ahead(&self) -> bool {
        self.runs_ahead.load(Ordering::Relaxed)
    }
}

/// The way to the host's transport, for hosts that let a plugin work it: from the link's thread to the main thread of the
/// host, the only one that may.
#[derive(Default)]
pub struct Remote {
    abilities: AtomicU8,
    commands: Mutex<VecDeque<(LocalTime, Command)>>,
    waker: Mutex<Option<Waker>>,
}

/// Asks the host to call its main thread soon.
type Waker = Box<dyn Fn() + Send>;

impl Remote {
    /// Says what the host can do, and how its main thread is asked to look. On the main thread.
    pub fn offer(&self, abilities: Abilities, waker: Option<Waker>) {
        *unspoiled(&self.waker) = waker;
        self.abilities.store(abilities.bits(), Ordering::Release);
    }

    /// The host goes: it can do nothing any more, and is asked nothing after this call.
    pub fn withdraw(&self) {
        self.abilities.store(Abilities::NONE.bits(), Ordering::Release);
        *unspoiled(&self.waker) = None;
        unspoiled(&self.commands).clear();
    }

    /// What the host can do.
    pub fn abilities(&self) -> Abilities {
        Abilities::from_bits(self.abilities.load(Ordering::Acquire))
    }

    /// Asks the main thread to do this.
    pub fn send(&self, now: LocalTime, command: Command) {
        {
            let mut commands = unspoiled(&self.commands);
            if commands.len() == COMMANDS {
                commands.pop_front();
            }
            commands.push_back((now, command));
        }
        if let Some(wake) = unspoiled(&self.waker).as_ref() {
            wake();
        }
    }

    /// The next command, in order. A place in the song that comes too late is left out.
    pub fn take(&self, now: LocalTime) -> Option<Command> {
        let mut commands = unspoiled(&self.commands);
        loop {
            let (sent, command) = commands.pop_front()?;
            match command {
                Command::Start(_) | Command::Jump(_) if now - sent > COMMAND_STALE => {}
                Command::Start(_)
                | Command::Jump(_)
                | Command::Stop
                | Command::Tempo(_)
                | Command::Nudge(_) => return Some(command),
            }
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("abilities", &self.abilities()).finish_non_exhaustive()
    }
}

/// What these locks guard cannot be left half-written, so a panic elsewhere does not spoil it.
fn unspoiled<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The audio thread's ends.
#[derive(Debug)]
pub struct AudioEnd {
    /// What was captured.
    pub captured: Producer<CapturedChunk>,
    /// What the host says of its transport.
    pub readings: Producer<Reading>,
    /// What arrived.
    pub received: Consumer<ReceivedChunk>,
    /// What the link says.
    pub orders: Consumer<Order>,
    /// The line that the DAW follows.
    pub guides: Consumer<ClockGuide>,
    /// MIDI of the host.
    pub midi_sent: MidiProducer,
    /// MIDI of the room.
    pub midi_heard: MidiConsumer,
    /// Lanes on their way to be freed.
    pub retired: Producer<(LaneNumber, Box<Lane>)>,
    /// Shown and wished.
    pub gauges: Arc<Gauges>,
}

/// The link thread's ends.
#[derive(Debug)]
pub struct LinkEnd {
    /// What was captured.
    pub captured: Consumer<CapturedChunk>,
    /// What the host says of its transport.
    pub readings: Consumer<Reading>,
    /// What arrived.
    pub received: Producer<ReceivedChunk>,
    /// What the link says.
    pub orders: Producer<Order>,
    /// The line that the DAW follows.
    pub guides: Producer<ClockGuide>,
    /// MIDI of the host.
    pub midi_sent: MidiConsumer,
    /// MIDI of the room.
    pub midi_heard: MidiProducer,
    /// Lanes to be freed.
    pub retired: Consumer<(LaneNumber, Box<Lane>)>,
    /// Shown and wished.
    pub gauges: Arc<Gauges>,
}

/// The rings of one instance. Allocates about 3 MB.
#[must_use]
pub fn wire() -> (AudioEnd, LinkEnd) {
    let (captured_in, captured_out) = RingBuffer::new(CAPTURED_CHUNKS);
    let (readings_in, readings_out) = RingBuffer::new(READINGS);
    let (received_in, received_out) = RingBuffer::new(RECEIVED_CHUNKS);
    let (orders_in, orders_out) = RingBuffer::new(ORDERS);
    let (guides_in, guides_out) = RingBuffer::new(GUIDES);
    let (retired_in, retired_out) = RingBuffer::new(RETIRED);
    let (midi_sent_in, midi_sent_out) = midi::ring();
    let (midi_heard_in, midi_heard_out) = midi::ring();
    let gauges = Arc::new(Gauges::default());
    gauges.drift_ppm.store(f64::NAN, Ordering::Relaxed);
    for lane in &gauges.lanes {
        for shown in [&lane.delay_ms, &lane.least_ms, &lane.beat_error_ms] {
            shown.store(f64::NAN, Ordering::Relaxed);
        }
    }
    let audio = AudioEnd {
        captured: captured_in,
        readings: readings_in,
        received: received_out,
        orders: orders_out,
        guides: guides_out,
        midi_sent: midi_sent_in,
        midi_heard: midi_heard_out,
        retired: retired_in,
        gauges: Arc::clone(&gauges),
    };
    let link = LinkEnd {
        captured: captured_out,
        readings: readings_out,
        received: received_in,
        orders: orders_in,
        guides: guides_in,
        midi_sent: midi_sent_out,
        midi_heard: midi_heard_in,
        retired: retired_out,
        gauges,
    };
    (audio, link)
}

#[cfg(test)]
mod tests {
    use lockstep_shared::time::Beats;

    use super::*;

    #[test]
    fn a_main_thread_that_was_busy_does_not_go_where_the_song_no_longer_is() {
        let remote = Remote::default();
        let wakes = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&wakes);
        let waker: Waker = Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        remote.offer(Abilities::from_bits(7), Some(waker));
        let (then, now) = (LocalTime::ZERO, LocalTime::ZERO + Span::from_millis(1_000));
        remote.send(then, Command::Start(Beats::default()));
        remote.send(then, Command::Stop);
        remote.send(now, Command::Jump(Beats::default()));
        assert_eq!(remote.take(now), Some(Command::Stop));
        assert_eq!(remote.take(now), Some(Command::Jump(Beats::default())));
        assert_eq!((remote.take(now), wakes.load(Ordering::Relaxed)), (None, 3));

        remote.send(now, Command::Stop);
        remote.withdraw();
        remote.send(now, Command::Stop);
        assert_eq!((remote.abilities(), wakes.load(Ordering::Relaxed)), (Abilities::NONE, 4));
    }
}
