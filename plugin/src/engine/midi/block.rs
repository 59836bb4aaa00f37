//! The messages of one block: a list that never grows.

use crate::wiring::MidiFull;
use lockstep_shared::midi::message::Exclusive;

/// Messages in a block at most, and their bytes: the longest exclusive message twice, and what comes with it.
const MESSAGES_MAX: usize = 4_096;
const BYTES_MAX: usize = 2 * (Exclusive::MAX + 2) + 3 * MESSAGES_MAX;

/// Messages of MIDI and the frames of a block at which they lie.
#[derive(Debug)]
pub struct MidiBlock {
    marks: Vec<Mark>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    frame: usize,
    end: usize,
}

impl MidiBlock {
    /// A block without messages. Allocates 200 kB.
    #[must_use]
    pub fn new() -> Self {
        Self { marks: Vec::with_capacity(MESSAGES_MAX), bytes: Vec::with_capacity(BYTES_MAX) }
    }

    /// Adds a message at a frame.
    ///
    /// Real-time: yes. Bound: a copy of its bytes.
    ///
    /// # Errors
    /// The block is full.
    pub fn push(&mut self, frame: usize, bytes: &[u8]) -> Result<(), MidiFull> {
        self.push_parts(frame, bytes, &[])
    }

    /// Adds a message whose bytes lie in two places.
    ///
    /// Real-time: yes. Bound: a copy of its bytes.
    ///
    /// # Errors
    /// The block is full.
    pub fn push_parts(&mut self, frame: usize, front: &[u8], back: &[u8]) -> Result<(), MidiFull> {
        if !self.has_room(front.len() + back.len()) {
            return Err(MidiFull);
        }
        self.bytes.extend_from_slice(front);
        self.bytes.extend_from_slice(back);
        self.marks.push(Mark { frame, end: self.bytes.len() });
        Ok(())
    }

    /// Whether a message of so many bytes finds room.
    #[must_use]
    pub const fn has_room(&self, length: usize) -> bool {
        self.marks.len() < MESSAGES_MAX && self.bytes.len() + length <= BYTES_MAX
    }

    /// The messages in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[u8])> {
        (0..self.marks.len()).filter_map(|number| self.get(number))
    }

    /// The message of this number, from 0.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<(usize, &[u8])> {
        let Mark { frame, end } = *self.marks.get(number)?;
        let start =
            number.checked_sub(1).and_then(|before| self.marks.get(before)).map_or(0, |mark| mark.end);
        Some((frame, &self.bytes[start..end]))
    }

    /// Forgets them.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn clear(&mut self) {
        self.marks.clear();
        self.bytes.clear();
    }
}

impl Default for MidiBlock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in_and_memory_stays_what_it_was() {
        let mut block = MidiBlock::new();
        let capacities = (block.marks.capacity(), block.bytes.capacity());
        let long = vec![1; 65_538];
        for _ in 0..2 {
            block.push(3, &[0x90, 60, 1]).expect("room");
            block.push_parts(4, &long, &[0xF7]).expect("room");
            block.push(4, &[0xC0, 5]).expect("room");
            let heard: Vec<_> = block.iter().map(|(frame, bytes)| (frame, bytes.len())).collect();
            assert_eq!(heard, [(3, 3), (4, 65_539), (4, 2)]);
            assert_eq!(block.get(2), Some((4, &[0xC0, 5][..])));
            while block.push(5, &long).is_ok() {}
            while block.push(5, &[0xF6]).is_ok() {}
            assert!(!block.has_room(1));
            block.clear();
            assert_eq!(block.iter().count(), 0);
        }
        assert_eq!((block.marks.capacity(), block.bytes.capacity()), capacities);
    }
}
