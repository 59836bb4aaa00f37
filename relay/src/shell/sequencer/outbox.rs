//! What has to leave: in which order, when, and how much of it at once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;

use lockstep_shared::midi::Realtime;
use lockstep_shared::midi::message::{Exclusive, Message};
use lockstep_shared::time::{LocalTime, Span};

use super::{AHEAD, PortId};

/// Bytes of one piece of an exclusive message: what bridges to raw MIDI devices send too.
const PIECE_BYTES: usize = 256;
/// Between two pieces. A receiver's pool holds 18 of them unless it asks for more, so it may sleep for 18 ms.
const PIECE_EVERY: Span = Span::from_millis(1);
/// Bytes of a cell of the kernel's pools.
const CELL_BYTES: usize = 28;
/// Cells of our output pool that may be in use: nearly all of its 2,000 ([`super::worker`]) by short messages, half by
/// pieces, so that those never wait for these.
const CELLS_MAX: usize = 1_900;
const CELLS_OF_PIECES_MAX: usize = 1_000;
/// The kernel delivers at ticks of its timer, 1 ms unless the administrator makes them finer; one more for its lateness.
const TICKS: Span = Span::from_millis(2);
/// Bytes that may wait: some hundred of the longest exclusive messages.
const WAITING_BYTES_MAX: usize = 8 << 20;
/// What a waiting message costs beside its bytes.
const WAITING_EACH: usize = 96;

/// Messages that wait, in the order of their time.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    shorts: BTreeMap<Key, (PortId, Message)>,
    pieces: BTreeMap<Key, (PortId, Piece)>,
    sequence: u64,
    waiting_bytes: usize,
    ports: BTreeMap<PortId, Course>,
    /// The cells that the kernel holds for us, each with the time until which.
    in_kernel: BinaryHeap<Reverse<(LocalTime, usize)>>,
    cells: usize,
}

/// When something is due, and its place among what is due then.
type Key = (LocalTime, u64);

/// What a port has done so far.
#[derive(Clone, Debug, Default)]
struct Course {
    /// The end of its last exclusive message.
    exclusive_until: LocalTime,
    /// The latest time that the kernel has of it.
    last: LocalTime,
    /// Its pieces that wait.
    pieces: VecDeque<Key>,
}

/// A piece of an exclusive message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The message's bytes.
    whole: Arc<[u8]>,
    start: usize,
}

/// One event that has to be handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) port: PortId,
    pub(super) when: When,
    pub(super) content: Content,
}

/// What an event is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Short(Message),
    Piece(Piece),
}

/// When an event leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// At once.
    Now,
    /// By the kernel's queue.
    At(LocalTime),
}

/// Too much waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Piece {
    pub(super) fn bytes(&self) -> &[u8] {
        let end = self.whole.len().min(self.start + PIECE_BYTES);
        self.whole.get(self.start..end).unwrap_or_default()
    }

    fn cells(&self) -> usize {
        1 + self.bytes().len().div_ceil(CELL_BYTES)
    }
}

impl Outbox {
    /// Takes a message of `port` that leaves at `at`.
    pub(super) fn push(
        &mut self,
        now: LocalTime,
        port: PortId,
        at: LocalTime,
        message: &Message,
    ) -> Result<(), Full> {
        if let Message::Exclusive(exclusive) = message {
            return self.push_exclusive(now.max(at), port, exclusive);
        }
        if self.waiting_bytes + WAITING_EACH > WAITING_BYTES_MAX {
            return Err(Full);
        }
        let course = self.ports.entry(port).or_default();
        let due = if may_interrupt(message) { at } else { at.max(course.exclusive_until) };
        self.waiting_bytes += WAITING_EACH;
        self.shorts.insert(next_key(&mut self.sequence, due), (port, message.clone()));
        Ok(())
    }

    fn push_exclusive(&mut self, at: LocalTime, port: PortId, exclusive: &Exclusive) -> Result<(), Full> {
        let count = (exclusive.content().len() + 2).div_ceil(PIECE_BYTES);
        let bytes = count * (WAITING_EACH + PIECE_BYTES);
        if self.waiting_bytes + bytes > WAITING_BYTES_MAX {
            return Err(Full);
        }
        self.waiting_bytes += bytes;
        let mut whole = Vec::with_capacity(exclusive.content().len() + 2);
        Message::Exclusive(exclusive.clone()).encode(&mut whole);
        let whole: Arc<[u8]> = whole.into();
        let course = self.ports.entry(port).or_default();
        let begin = at.max(course.exclusive_until);
        let mut due = begin;
        for start in (0..whole.len()).step_by(PIECE_BYTES) {
            let key = next_key(&mut self.sequence, due);
            course.pieces.push_back(key);
            self.pieces.insert(key, (port, Piece { whole: Arc::clone(&whole), start }));
            due += PIECE_EVERY;
        }
        course.exclusive_until = due;
        // What would have stood inside of it follows it.
        let inside = self.shorts.range((begin, u64::MAX)..(due, 0));
        let moved =
            inside.filter(|(_, (of, message))| *of == port && !may_interrupt(message)).map(|(key, _)| *key);
        for key in moved.collect::<Vec<_>>() {
            if let Some(short) = self.shorts.remove(&key) {
                self.shorts.insert(next_key(&mut self.sequence, due), short);
            }
        }
        Ok(())
    }

    /// Forgets what waits for `port`; returns how many events.
    pub(super) fn close(&mut self, port: PortId) -> usize {
        let before = self.shorts.len() + self.pieces.len();
        let pieces = self.ports.remove(&port).map(|course| course.pieces).unwrap_or_default();
        for key in pieces {
            self.pieces.remove(&key);
            self.waiting_bytes -= WAITING_EACH + PIECE_BYTES;
        }
        let shorts = self.shorts.len();
        self.shorts.retain(|_, (of, _)| *of != port);
        self.waiting_bytes -= (shorts - self.shorts.len()) * WAITING_EACH;
        before - self.shorts.len() - self.pieces.len()
    }

    /// The next event to hand over, if one is due and there is room for it.
    pub(super) fn poll(&mut self, now: LocalTime) -> Option<Outgoing> {
        self.free(now);
        let short = self.next_short().filter(|_| self.cells < CELLS_MAX);
        let piece = self.next_piece().filter(|(_, cells)| self.cells + cells <= CELLS_OF_PIECES_MAX);
        let piece = piece.map(|(key, _)| key);
        let key = short.into_iter().chain(piece).min().filter(|(due, _)| *due <= now + AHEAD)?;
        let (port, content, cells) = if let Some((port, message)) = self.shorts.remove(&key) {
            self.waiting_bytes -= WAITING_EACH;
            (port, Content::Short(message), 1)
        } else {
            let (port, piece) = self.pieces.remove(&key)?;
            self.waiting_bytes -= WAITING_EACH + PIECE_BYTES;
            let cells = piece.cells();
            (port, Content::Piece(piece), cells)
        };
        let course = self.ports.entry(port).or_default();
        if course.pieces.front() == Some(&key) {
            course.pieces.pop_front();
        }
        let (due, _) = key;
        // What the kernel still has of this port at such a time is not overtaken: equal times leave in their order.
        let when = if due <= now && course.last + TICKS < now { When::Now } else { When::At(due.max(now)) };
        if let When::At(at) = when {
            course.last = course.last.max(at);
            self.cells += cells;
            self.in_kernel.push(Reverse((at + TICKS, cells)));
        }
        Some(Outgoing { port, when, content })
    }

    /// When to call [`Self::poll`] again, at the latest, once it has given all.
    pub(super) fn next_time(&self) -> LocalTime {
        let room = self.in_kernel.peek().map_or(LocalTime::NEVER, |Reverse((until, _))| *until);
        let short = self.next_short().map(|(due, _)| if self.cells < CELLS_MAX { due - AHEAD } else { room });
        let piece =
            self.next_piece().map(
                |((due, _), cells)| {
                    if self.cells + cells <= CELLS_OF_PIECES_MAX { due - AHEAD } else { room }
                },
            );
        short.into_iter().chain(piece).min().unwrap_or(LocalTime::NEVER)
    }

    /// The first short message that waits for no piece of its port.
    fn next_short(&self) -> Option<Key> {
        let is_free = |key: &Key, port: &PortId, message: &Message| {
            let first = self.ports.get(port).and_then(|course| course.pieces.front());
            may_interrupt(message) || first.is_none_or(|piece| key < piece)
        };
        self.shorts.iter().find(|(key, (port, message))| is_free(key, port, message)).map(|(key, _)| *key)
    }

    /// The first piece and its cells.
    fn next_piece(&self) -> Option<(Key, usize)> {
        self.pieces.first_key_value().map(|(key, (_, piece))| (*key, piece.cells()))
    }

    fn free(&mut self, now: LocalTime) {
        while let Some(Reverse((until, cells))) = self.in_kernel.peek().copied() {
            if until > now {
                return;
            }
            self.in_kernel.pop();
            self.cells -= cells;
        }
    }
}

/// Whether this may stand inside of an exclusive message.
fn may_interrupt(message: &Message) -> bool {
    matches!(message, Message::Realtime(realtime) if !matches!(realtime, Realtime::SongPosition(_)))
}

fn next_key(sequence: &mut u64, due: LocalTime) -> Key {
    *sequence += 1;
    (due, *sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: PortId = PortId(1);
    const CLOCK: Message = Message::Realtime(Realtime::Clock);

    fn millis(millis: i64) -> LocalTime {
        LocalTime::ZERO + Span::from_millis(millis)
    }

    fn note(number: u8) -> Message {
        Message::from_short(&[0x90, number, 100]).expect("a note")
    }

    fn exclusive(length: usize) -> Message {
        Message::Exclusive(Exclusive::new(&vec![7; length]).expect("data bytes"))
    }

    fn drain(outbox: &mut Outbox, now: LocalTime) -> Vec<Outgoing> {
        std::iter::from_fn(|| outbox.poll(now)).collect()
    }

    #[test]
    fn what_is_due_leaves_at_once_and_the_rest_by_the_queue_in_its_order() {
        let mut outbox = Outbox::default();
        let now = millis(1_000);
        outbox.push(now, PORT, millis(1_020), &note(2)).expect("room");
        outbox.push(now, PORT, millis(1_020), &note(3)).expect("room");
        outbox.push(now, PORT, millis(990), &note(1)).expect("room");
        outbox.push(now, PORT, millis(2_000), &note(4)).expect("room");
        let whens: Vec<When> = drain(&mut outbox, now).into_iter().map(|out| out.when).collect();
        assert_eq!(whens, [When::Now, When::At(millis(1_020)), When::At(millis(1_020))]);
        assert_eq!(outbox.next_time(), millis(1_950));
        // Due now: by the queue, where nothing of this port that is due too is overtaken, and nothing later waited for.
        let now = millis(1_021);
        outbox.push(now, PORT, millis(1_000), &note(5)).expect("room");
        assert_eq!(drain(&mut outbox, now)[0].when, When::At(now));
        let now = millis(1_030);
        outbox.push(now, PORT, now, &note(6)).expect("room");
        assert_eq!(drain(&mut outbox, now)[0].when, When::Now);
    }

    #[test]
    fn an_exclusive_message_leaves_in_pieces_and_only_the_clock_passes_it() {
        let mut outbox = Outbox::default();
        let now = millis(1_000);
        outbox.push(now, PORT, millis(1_002), &note(0)).expect("room");
        outbox.push(now, PORT, now, &exclusive(600)).expect("room");
        outbox.push(now, PORT, now, &note(1)).expect("room");
        outbox.push(now, PORT, millis(1_001), &CLOCK).expect("room");
        let out = drain(&mut outbox, now);
        let whens: Vec<When> = out.iter().map(|out| out.when).collect();
        let at = |time| When::At(millis(time));
        assert_eq!(whens, [When::Now, at(1_001), at(1_001), at(1_002), at(1_003), at(1_003)]);
        assert_eq!(out[2].content, Content::Short(CLOCK));
        assert_eq!(out[4].content, Content::Short(note(0)));
        assert_eq!(out[5].content, Content::Short(note(1)));
        let bytes: usize = out
            .iter()
            .map(|out| match &out.content {
                Content::Piece(piece) => piece.bytes().len(),
                Content::Short(_) => 0,
            })
            .sum();
        assert_eq!(bytes, 602);
    }

    #[test]
    fn the_kernels_pool_never_overflows_and_pieces_leave_room() {
        let mut outbox = Outbox::default();
        let mut now = millis(1_000);
        for port in 0..30 {
            outbox.push(now, PortId(port), now, &exclusive(10_000)).expect("room");
        }
        let mut pieces = 0;
        let mut clocks = 0;
        while outbox.next_time() != LocalTime::NEVER {
            outbox.push(now, PortId(99), now + Span::from_millis(5), &CLOCK).expect("room");
            for out in drain(&mut outbox, now) {
                match out.content {
                    Content::Piece(_) => pieces += 1,
                    Content::Short(_) => clocks += 1,
                }
            }
            // None waits for the pieces.
            assert!(outbox.shorts.is_empty());
            assert!(outbox.cells <= 1_010 + 60, "{}", outbox.cells);
            if pieces == 30 * 40 {
                break;
            }
            now += Span::from_millis(1);
        }
        assert_eq!(pieces, 30 * 40);
        assert!(clocks > 0);
        drain(&mut outbox, now + AHEAD);
        assert_eq!(outbox.waiting_bytes, 0);
    }

    #[test]
    fn what_waits_is_bounded_and_goes_with_its_port() {
        let mut outbox = Outbox::default();
        let now = millis(0);
        let longest = exclusive(Exclusive::MAX);
        let taken =
            (0..1_000).take_while(|_| outbox.push(now, PORT, millis(9_999), &longest).is_ok()).count();
        assert!((90..=128).contains(&taken), "{taken}");
        assert!(outbox.close(PORT) > 10_000);
        assert_eq!(outbox.waiting_bytes, 0);
        assert_eq!(outbox.next_time(), LocalTime::NEVER);
    }
}
