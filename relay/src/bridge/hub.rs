//! Messages in, messages out, and what each source still holds.
//!
//! The clock and the transport are not passed on: everybody's clock is derived from the timeline. A song position is, as
//! long as the room has no timeline that it would contradict. Active sensing is not, which says something of one cable. When a source drops, exactly what it holds is ended; a source that
//! pauses holds what it holds.

use std::collections::{BTreeMap, VecDeque};

use lockstep_shared::midi::Realtime;
use lockstep_shared::midi::message::{Channel, Held, Message, System, U7, U14, Voice};
use lockstep_shared::rtpmidi::session::ParticipantId;
use lockstep_shared::session::Bucket;
use lockstep_shared::time::{GridPosition, LocalTime};
use lockstep_shared::wire::MemberId;

/// Messages of one source a second, and at once: a cable of MIDI 1.0 carries a thousand.
const MESSAGES_PER_SECOND: f64 = 4_000.0;
const MESSAGES_BURST: f64 = 8_000.0;
const ALL_SOUND_OFF: u8 = 120;
const RESET_CONTROLLERS: u8 = 121;
const ALL_NOTES_OFF: u8 = 123;

/// Where a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A member's plugin.
    Member(MemberId),
    /// An RTP-MIDI participant.
    Peer(ParticipantId),
    /// Software at the room's port of the sequencer.
    RoomPort,
    /// Software at a participant's port of the sequencer.
    PeerPort(ParticipantId),
    /// The multicast group.
    Multicast,
}

/// A message on its way to everybody but its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Who is not to get it back; none when it is for all.
    pub from: Option<Source>,
    /// When it counts.
    pub at: GridPosition,
    /// What it is.
    pub message: Message,
}

/// What a hub counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HubCounters {
    /// Messages passed on.
    pub passed: u64,
    /// Beyond a source's rate.
    pub limited: u64,
    /// Notes, pedals and wheels ended for sources that dropped.
    pub silenced: u64,
}

/// The meeting place of a room's MIDI.
#[derive(Debug, Default)]
pub struct Hub {
    sources: BTreeMap<Source, Heard>,
    passed: VecDeque<Passed>,
    /// Whether the room has a line, which says where the song is.
    has_line: bool,
    counters: HubCounters,
}

#[derive(Debug)]
struct Heard {
    held: Held,
    bucket: Bucket,
}

impl Hub {
    /// Takes a message of `from` that counts at `at`.
    pub fn take(&mut self, now: LocalTime, from: Source, at: GridPosition, message: Message) {
        let is_passed = match message {
            Message::Realtime(Realtime::SongPosition(_)) => !self.has_line,
            Message::Realtime(Realtime::Clock | Realtime::Start | Realtime::Continue | Realtime::Stop)
            | Message::System(System::ActiveSensing) => false,
            Message::Voice(..) | Message::System(_) | Message::Exclusive(_) | _ => true,
        };
        if !is_passed {
            return;
        }
        let heard = self
            .sources
            .entry(from)
            .or_insert_with(|| Heard { held: Held::default(), bucket: Bucket::full(now, MESSAGES_BURST) });
        let is_release = matches!(message, Message::Voice(_, voice) if voice.is_release());
        // What ends a note is never what is too much.
        if !heard.bucket.take(now, MESSAGES_PER_SECOND) && !is_release {
            self.counters.limited += 1;
            return;
        }
        heard.held.note(&message);
        self.pass(Some(from), at, message);
    }

    /// The room has a line from now on.
    pub const fn set_line(&mut self) {
        self.has_line = true;
    }

    /// The source has dropped: ends what it holds.
    pub fn drop_source(&mut self, at: GridPosition, source: Source) {
        if let Some(mut heard) = self.sources.remove(&source) {
            for message in heard.held.release() {
                self.counters.silenced += 1;
                self.pass(Some(source), at, message);
            }
        }
    }

    /// Ends everything that may still sound, of one source or of all: what they hold, and by the channel modes what
    /// they do not know of.
    pub fn panic(&mut self, at: GridPosition, source: Option<Source>) {
        for (_, heard) in self.sources.iter_mut().filter(|(key, _)| source.is_none_or(|only| only == **key)) {
            for message in heard.held.release() {
                self.counters.silenced += 1;
                self.passed.push_back(Passed { from: None, at, message });
            }
        }
        for channel in Channel::all() {
            let mode = |number| Voice::Control { number: U7::low_bits(number), value: U7::ZERO };
            for voice in
                [mode(ALL_SOUND_OFF), mode(RESET_CONTROLLERS), mode(ALL_NOTES_OFF), Voice::Bend(U14::CENTRE)]
            {
                self.pass(None, at, Message::Voice(channel, voice));
            }
        }
    }

    /// The next message to hand on.
    pub fn poll_passed(&mut self) -> Option<Passed> {
        self.passed.pop_front()
    }

    /// Keys that a source holds.
    #[must_use]
    pub fn notes_held(&self, source: Source) -> u32 {
        self.sources.get(&source).map_or(0, |heard| heard.held.notes())
    }

    /// What it counted.
    #[must_use]
    pub const fn counters(&self) -> HubCounters {
        self.counters
    }

    fn pass(&mut self, from: Option<Source>, at: GridPosition, message: Message) {
        self.counters.passed += 1;
        self.passed.push_back(Passed { from, at, message });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Source = Source::Member(MemberId(1));
    const AT: GridPosition = GridPosition::from_raw(9);

    fn note(status: u8, key: u8, velocity: u8) -> Message {
        Message::from_short(&[status, key, velocity]).expect("a note")
    }

    fn drain(hub: &mut Hub) -> Vec<Message> {
        core::iter::from_fn(|| hub.poll_passed()).map(|passed| passed.message).collect()
    }

    #[test]
    fn a_source_that_drops_leaves_nothing_sounding_and_the_clock_is_not_passed() {
        let mut hub = Hub::default();
        for message in
            [note(0x90, 60, 9), Message::Realtime(Realtime::Clock), note(0x90, 62, 9), note(0x80, 60, 9)]
        {
            hub.take(LocalTime::ZERO, ADA, AT, message);
        }
        assert_eq!(drain(&mut hub), [note(0x90, 60, 9), note(0x90, 62, 9), note(0x80, 60, 9)]);
        hub.drop_source(AT, ADA);
        assert_eq!(drain(&mut hub), [note(0x80, 62, 64)]);
        hub.drop_source(AT, ADA);
        assert_eq!(drain(&mut hub), []);
        assert_eq!(hub.counters().silenced, 1);
    }

    #[test]
    fn a_song_position_passes_while_the_room_has_none_of_its_own() {
        let mut hub = Hub::default();
        let position = Message::from_short(&[0xF2, 4, 1]).expect("a song position");
        hub.take(LocalTime::ZERO, ADA, AT, position.clone());
        assert_eq!(drain(&mut hub), core::slice::from_ref(&position));
        hub.set_line();
        hub.take(LocalTime::ZERO, ADA, AT, position);
        assert_eq!(drain(&mut hub), []);
    }

    #[test]
    fn a_flood_is_cut_but_no_note_hangs() {
        let mut hub = Hub::default();
        for _ in 0..20_000 {
            hub.take(LocalTime::ZERO, ADA, AT, note(0x90, 60, 9));
        }
        hub.take(LocalTime::ZERO, ADA, AT, note(0x90, 60, 0));
        assert_eq!(hub.counters().limited, 12_000);
        assert_eq!(drain(&mut hub).last(), Some(&note(0x90, 60, 0)));
        assert_eq!(hub.notes_held(ADA), 0);
    }

    #[test]
    fn a_panic_reaches_every_channel() {
        let mut hub = Hub::default();
        hub.take(LocalTime::ZERO, ADA, AT, note(0x93, 60, 9));
        let _ = drain(&mut hub);
        hub.panic(AT, None);
        let said = drain(&mut hub);
        assert_eq!(said.len(), 1 + 16 * 4);
        assert_eq!(said[0], note(0x83, 60, 64));
    }
}
