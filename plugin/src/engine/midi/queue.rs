//! Messages of the room that wait for their time.
//!
//! They come from several members, each in order, and are played in the order of their places on the grid; of equal
//! places, in the order in which they came. One exception: a message never passes an earlier one that speaks of the same
//! thing (the key, the controller, the wheel), whatever their places say, so that a release cannot overtake its strike.

use lockstep_shared::time::GridPosition;

use crate::wiring::{MidiEntry, MidiForm};

/// Messages that wait at most; more stay in the ring. The longest sync delay at the rate of a cable of MIDI 1.0, nearly.
const WAITING_MAX: usize = 4_096;
const NOTHING: MidiEntry = MidiEntry { at: GridPosition::from_raw(0), form: MidiForm::Exclusive(0) };

/// A sorted run in an array of twice its greatest length: it moves to the array's beginning once in so many insertions.
#[derive(Debug)]
pub(super) struct Queue {
    entries: Box<[MidiEntry]>,
    first: usize,
    end: usize,
}

impl Queue {
    /// An empty queue. Allocates 260 kB.
    pub(super) fn new() -> Self {
        Self { entries: vec![NOTHING; 2 * WAITING_MAX].into_boxed_slice(), first: 0, end: 0 }
    }

    pub(super) const fn has_room(&self) -> bool {
        self.end - self.first < WAITING_MAX
    }

    /// Puts a message where it belongs. There must be room.
    ///
    /// Real-time: yes. Bound: what waits.
    pub(super) fn insert(&mut self, mut entry: MidiEntry) {
        debug_assert!(self.has_room(), "the caller asks first");
        if self.end == self.entries.len() {
            self.entries.copy_within(self.first..self.end, 0);
            (self.first, self.end) = (0, self.end - self.first);
        }
        let waiting = &self.entries[self.first..self.end];
        let sorted = waiting.partition_point(|before| before.at <= entry.at);
        let mut later = waiting.iter().enumerate().skip(sorted).rev();
        let place = match later.find(|(_, before)| speaks_of_the_same(before.form, entry.form)) {
            Some((number, before)) => {
                entry.at = before.at;
                number + 1
            }
            None => sorted,
        };
        let place = self.first + place;
        self.entries.copy_within(place..self.end, place + 1);
        self.entries[place] = entry;
        self.end += 1;
    }

    pub(super) fn first(&self) -> Option<MidiEntry> {
        self.entries[self.first..self.end].first().copied()
    }

    pub(super) fn pop(&mut self) -> Option<MidiEntry> {
        let entry = self.first()?;
        self.first += 1;
        Some(entry)
    }
}

/// Channel modes: controllers that speak of the whole channel.
const MODES_FIRST: u8 = 120;
const RESET: u8 = 0xFF;

fn speaks_of_the_same(one: MidiForm, other: MidiForm) -> bool {
    let (one, other) = match (&one, &other) {
        (MidiForm::Short(one), MidiForm::Short(other)) => (one.as_slice(), other.as_slice()),
        (MidiForm::Exclusive(_), MidiForm::Exclusive(_)) => return true,
        (MidiForm::Exclusive(_), MidiForm::Short(short))
        | (MidiForm::Short(short), MidiForm::Exclusive(_)) => {
            return short.as_slice().first().is_some_and(|status| *status >= 0xF0);
        }
    };
    let (&[first, ref one @ ..], &[second, ref other @ ..]) = (one, other) else { return false };
    if first == RESET || second == RESET {
        return true;
    }
    if first >= 0xF0 || second >= 0xF0 {
        return first >= 0xF0 && second >= 0xF0;
    }
    if first & 0x0F != second & 0x0F {
        return false;
    }
    let is_mode = |status: u8, data: &[u8]| {
        status & 0xF0 == 0xB0 && data.first().is_some_and(|number| *number >= MODES_FIRST)
    };
    if is_mode(first, one) || is_mode(second, other) {
        return true;
    }
    match (first & 0xF0, second & 0xF0) {
        (0x80..=0xA0, 0x80..=0xA0) | (0xB0, 0xB0) => one.first() == other.first(),
        (first, second) => first == second,
    }
}

#[cfg(test)]
mod tests {
    use lockstep_shared::midi::message::Message;

    use super::*;

    fn entry(at: i64, bytes: &[u8]) -> MidiEntry {
        let form = match Message::from_short(bytes) {
            Some(message) => MidiForm::Short(message.short().expect("short")),
            None => MidiForm::Exclusive(bytes.len()),
        };
        MidiEntry { at: GridPosition::from_raw(at), form }
    }

    fn order(entries: &[(i64, &[u8])]) -> Vec<usize> {
        let mut queue = Queue::new();
        let entries: Vec<_> = entries.iter().map(|(at, bytes)| entry(*at, bytes)).collect();
        for entry in &entries {
            queue.insert(*entry);
        }
        let popped = core::iter::from_fn(|| queue.pop());
        popped
            .map(|entry| entries.iter().position(|known| known.form == entry.form).expect("known"))
            .collect()
    }

    #[test]
    fn by_their_places_and_equal_ones_as_they_came() {
        assert_eq!(order(&[(5, &[0x90, 1, 1]), (3, &[0x90, 2, 1]), (5, &[0x90, 3, 1])]), [1, 0, 2]);
    }

    #[test]
    fn a_queue_that_is_full_and_moves_on_keeps_the_order() {
        let mut queue = Queue::new();
        let mut popped = 0;
        for at in 0..20_000 {
            if !queue.has_room() {
                for _ in 0..100 {
                    assert_eq!(queue.pop().map(|entry| entry.at.raw()), Some(popped));
                    popped += 1;
                }
            }
            // Even places come after the odd ones that follow them.
            queue.insert(entry(at ^ 1, &[0x90, u8::from(at % 2 == 0), 1]));
        }
        let rest = core::iter::from_fn(|| queue.pop()).count();
        assert_eq!(rest + usize::try_from(popped).expect("small"), 20_000);
    }

    #[test]
    fn nothing_passes_what_speaks_of_the_same() {
        for (one, other) in [
            ([0x90, 1, 1], [0x80, 1, 0]),
            ([0x90, 1, 1], [0xB0, 123, 0]),
            ([0xB0, 64, 127], [0xB0, 64, 0]),
            ([0xE5, 0, 0], [0xE5, 0, 64]),
            ([0xF0, 1, 0xF7], [0xF3, 1, 0]),
        ] {
            let other = if other[0] == 0xF3 { &other[..2] } else { &other };
            assert_eq!(order(&[(5, &one), (3, other), (4, &[0xC7, 1])]), [2, 0, 1], "{one:x?} {other:x?}");
        }
        for (one, other) in [([0x90, 1, 1], [0x80, 2, 0]), ([0x90, 1, 1], [0x81, 1, 0])] {
            assert_eq!(order(&[(5, &one), (3, &other)]), [1, 0], "{one:x?} {other:x?}");
        }
        assert_eq!(order(&[(5, &[0x93, 1, 1]), (3, &[0xFF])]), [0, 1]);
    }
}
