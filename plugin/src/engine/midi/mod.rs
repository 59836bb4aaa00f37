//! MIDI of the room on the audio thread: what the host plays, placed on the grid, and what the others play, at its time.
//!
//! ```text
//! host --frame, bytes--> inbox --its place on the grid--> ring --> link
//! link --> ring --> queue, by place --> outbox --frame, bytes--> host
//!                   place + delay = frame
//! ```
//!
//! A message is played at its place plus a delay that is the same for all, so its distance to the one before is what it
//! was where it was played: the network's jitter is gone as long as it is shorter than the delay. The delay is the longest
//! at which a remote strip plays, so that what a member plays and what it sounds like meet; the Sync Delay is in it.
//! What comes after its time is played at once, in order, and counted.
//!
//! The clock, the song position, time code and active sensing are left out in both directions: everybody's clock is
//! derived from the timeline, and the others speak of one cable.

mod block;
mod queue;
#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering;

use lockstep_shared::clock::Segment;
use lockstep_shared::midi::message::{Exclusive, Held, Message, System};
use lockstep_shared::time::convert::{f64_from_usize, i64_round, usize_from_i64};
use lockstep_shared::time::{GRID_RATE, GridPosition};

pub use self::block::MidiBlock;
use self::queue::Queue;
use crate::wiring::{Gauges, MidiConsumer, MidiEntry, MidiForm, MidiFull, MidiProducer};

/// Beyond the block and the Sync Delay, where no strip plays whose delay could be taken: 20 ms.
const DELAY_ALONE_FRAMES: f64 = 0.020 * GRID_RATE as f64;
/// Messages that are taken from the ring in a block at least: each may have to find its place among those that wait.
const TAKEN_MIN: usize = 256;

#[derive(Debug)]
pub(super) struct Midi {
    inbox: MidiBlock,
    /// Where the last message was placed that was sent: a place never steps back, so that the order stays.
    sent_at: Option<GridPosition>,
    queue: Queue,
    outbox: MidiBlock,
    /// What the host was given and holds.
    held: Held,
    is_ending: bool,
    /// The longest block so far, in grid frames.
    block_frames: f64,
}

impl Midi {
    pub(super) fn new() -> Self {
        Self {
            inbox: MidiBlock::new(),
            sent_at: None,
            queue: Queue::new(),
            outbox: MidiBlock::new(),
            held: Held::default(),
            is_ending: false,
            block_frames: 0.0,
        }
    }

    /// Takes a message of the host at a frame of the block that is processed next.
    pub(super) fn hear(&mut self, frame: usize, bytes: &[u8], gauges: &Gauges) {
        if self.inbox.push(frame, bytes).is_err() {
            gauges.midi.dropped.fetch_add(1, Ordering::Relaxed);
            gauges.owe_endings();
        }
    }

    /// Sends what the host played in the block, which lies on the grid where `segment` says; none where nobody is to hear
    /// it.
    ///
    /// Real-time: yes. Bound: the block's messages.
    pub(super) fn send(&mut self, segment: Option<&Segment>, out: &mut MidiProducer, gauges: &Gauges) {
        let Some(segment) = segment else {
            self.inbox.clear();
            gauges.owe_endings();
            return;
        };
        for (frame, bytes) in self.inbox.iter() {
            let place = segment.position(f64_from_usize(frame));
            let at = self.sent_at.map_or(place, |before| place.max(before));
            self.sent_at = Some(at);
            match send(at, bytes, out) {
                Ok(Sending::Sent) => {
                    gauges.midi.sent.fetch_add(1, Ordering::Relaxed);
                }
                Ok(Sending::LeftOut) => {}
                Err(MidiFull) => {
                    gauges.midi.dropped.fetch_add(1, Ordering::Relaxed);
                    gauges.owe_endings();
                }
            }
        }
        self.inbox.clear();
    }

    /// Works out what the host is given in the block, which lies on the grid where `segment` says; none where nothing is
    /// to sound, and then what sounds is ended.
    ///
    /// Real-time: yes. Bound: the messages that the ring and the queue hold.
    pub(super) fn play(
        &mut self,
        segment: Option<&Segment>,
        delay: Delay,
        from: &mut MidiConsumer,
        gauges: &Gauges,
    ) {
        self.outbox.clear();
        let Some(segment) = segment else {
            self.end(from);
            self.give_endings();
            return;
        };
        self.give_endings();
        self.block_frames = self.block_frames.max(segment.frames.f64() * segment.step);
        // What comes during a block is heard in the next.
        let alone_frames = DELAY_ALONE_FRAMES + self.block_frames + delay.user_frames;
        let delay_frames = delay.strips_frames.unwrap_or(alone_frames);
        let frame_of = |at: GridPosition| i64_round(segment.device_frames(at.plus_f64(delay_frames)));
        let frames = segment.frames.0;
        for _ in 0..from.waiting().min(TAKEN_MIN.max(usize_from_i64(frames))) {
            let Some(entry) = self.queue.has_room().then(|| from.pop()).flatten() else { break };
            if frame_of(entry.at) < 0 {
                gauges.midi.late.fetch_add(1, Ordering::Relaxed);
            }
            self.queue.insert(entry);
        }
        while let Some(entry) = self.queue.first().filter(|_| !self.is_ending) {
            let frame = frame_of(entry.at);
            if frame >= frames || self.give(usize_from_i64(frame.max(0)), entry, from).is_err() {
                break;
            }
            self.queue.pop();
            gauges.midi.played.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What the host is given in this block, in the order of their frames.
    pub(super) const fn given(&self) -> &MidiBlock {
        &self.outbox
    }

    /// Forgets what waits, and ends what sounds with the next block.
    ///
    /// Real-time: yes. Bound: what waits.
    pub(super) fn end(&mut self, from: &mut MidiConsumer) {
        while let Some(entry) = self.queue.pop().or_else(|| from.pop()) {
            if let MidiForm::Exclusive(length) = entry.form {
                from.skip_exclusive(length);
            }
        }
        self.is_ending = true;
    }

    /// The grid is another.
    pub(super) const fn forget_grid(&mut self) {
        self.sent_at = None;
    }

    /// What the host holds.
    pub(super) const fn held(&self) -> &Held {
        &self.held
    }

    /// What the host holds from an engine before this one is ended with the first block.
    pub(super) fn end_those(&mut self, held: Held) {
        self.held = held;
        self.is_ending = true;
    }

    /// Ends what the host holds, as much as fits into the block.
    fn give_endings(&mut self) {
        while self.is_ending {
            let Some(ending) = self.held.next_ending() else {
                self.is_ending = false;
                break;
            };
            let given = ending.short().is_ok_and(|short| self.outbox.push(0, short.as_slice()).is_ok());
            if !given {
                break;
            }
            self.held.note(&ending);
        }
    }

    fn give(&mut self, frame: usize, entry: MidiEntry, from: &mut MidiConsumer) -> Result<(), MidiFull> {
        match entry.form {
            MidiForm::Short(bytes) => {
                self.outbox.push(frame, bytes.as_slice())?;
                if let Some(message) = Message::from_short(bytes.as_slice()) {
                    self.held.note(&message);
                }
                Ok(())
            }
            MidiForm::Exclusive(length) => {
                if !self.outbox.has_room(length) {
                    return Err(MidiFull);
                }
                let outbox = &mut self.outbox;
                from.read_exclusive(length, |front, back| outbox.push_parts(frame, front, back))
                    .unwrap_or(Ok(()))
            }
        }
    }
}

/// At what delay MIDI is played.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delay {
    /// The longest delay at which a strip plays, in grid frames, the user's part in it; none where none plays.
    pub(super) strips_frames: Option<f64>,
    /// The user's part, in grid frames.
    pub(super) user_frames: f64,
}

enum Sending {
    Sent,
    /// It does not cross the network.
    LeftOut,
}

fn send(at: GridPosition, bytes: &[u8], out: &mut MidiProducer) -> Result<Sending, MidiFull> {
    if let Some(content) = exclusive(bytes) {
        let is_whole = content.len() <= Exclusive::MAX && content.iter().all(|byte| *byte < 0x80);
        return if is_whole {
            out.push_exclusive(at, content).map(|()| Sending::Sent)
        } else {
            Ok(Sending::LeftOut)
        };
    }
    // A host may say more bytes than the message has.
    let message = (1..=bytes.len().min(3)).find_map(|length| Message::from_short(&bytes[..length]));
    let Some(message) = message.filter(crosses) else { return Ok(Sending::LeftOut) };
    out.push(at, &message).map(|()| Sending::Sent)
}

/// The content of an exclusive message, whether it ends as it should or not.
fn exclusive(bytes: &[u8]) -> Option<&[u8]> {
    let content = bytes.strip_prefix(&[0xF0])?;
    Some(content.strip_suffix(&[0xF7]).unwrap_or(content))
}

fn crosses(message: &Message) -> bool {
    !matches!(
        message,
        Message::Realtime(_) | Message::System(System::ActiveSensing | System::QuarterFrame(_))
    )
}
