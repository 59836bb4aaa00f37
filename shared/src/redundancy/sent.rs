//! What was sent lately of one strip, to send it again.

use super::{COPIES_MAX, OFFSET_MAX, Protection};
use crate::dsp::ChunkFrames;
use crate::wire::{Audio, AudioHead, BESIDE_BYTES, Element, Full, PLAIN_BYTES_MAX, Writer};

/// Datagrams that are kept: the furthest copy, and the one just sent.
const KEPT: usize = COPIES_MAX as usize * OFFSET_MAX as usize + 1;

/// The audio elements of one strip that were sent last, as bytes.
#[derive(Debug)]
pub struct Sent {
    /// A ring; `newest` is the place of the last one.
    kept: Box<[Kept; KEPT]>,
    newest: usize,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    head: Option<AudioHead>,
    length: usize,
    samples: [u8; PLAIN_BYTES_MAX],
}

impl Default for Sent {
    fn default() -> Self {
        let empty = Kept { head: None, length: 0, samples: [0; PLAIN_BYTES_MAX] };
        Self { kept: Box::new([empty; KEPT]), newest: 0 }
    }
}

impl Sent {
    /// Keeps an element that is being sent: its head and its samples as they are written. What is longer than a datagram
    /// cannot have been sent, and is not kept.
    ///
    /// Real-time: no. Bound: a copy of a datagram.
    pub fn keep(&mut self, head: &AudioHead, samples: &[u8]) {
        self.newest = (self.newest + 1) % KEPT;
        let kept = &mut self.kept[self.newest];
        kept.head = None;
        if let Some(place) = kept.samples.get_mut(..samples.len()) {
            place.copy_from_slice(samples);
            // Where the song was is said once.
            (kept.head, kept.length) = (Some(AudioHead { stamp: None, ..*head }), samples.len());
        }
    }

    /// Writes an audio element from samples, planar stereo chunk by chunk, keeps it, and appends the copies that belong
    /// into its datagram.
    ///
    /// # Errors
    /// The element does not fit.
    pub fn encode(
        &mut self,
        head: &AudioHead,
        chunks: &[ChunkFrames],
        protection: Protection,
        out: &mut Writer<'_>,
    ) -> Result<(), Full> {
        let start = out.length() + head.bytes();
        Element::encode_audio(head, chunks, out)?;
        self.keep(head, &out.written()[start..]);
        self.append(protection, out);
        Ok(())
    }

    /// Appends the copies that belong into the datagram of the element kept last, the nearest first, as far as there is
    /// room beside what a session owes now and then; returns how many there are.
    pub fn append(&self, protection: Protection, out: &mut Writer<'_>) -> usize {
        (1..=usize::from(protection.copies.min(COPIES_MAX)))
            .filter(|number| {
                self.append_one(number * usize::from(protection.offset.min(OFFSET_MAX)), out).is_ok()
            })
            .count()
    }

    fn append_one(&self, age: usize, out: &mut Writer<'_>) -> Result<(), Full> {
        let kept = &self.kept[(self.newest + KEPT - age) % KEPT];
        let Some(head) = kept.head else { return Err(Full { needed: 0 }) };
        let needed = AudioHead::BYTES + kept.length + BESIDE_BYTES;
        if needed > out.room() {
            return Err(Full { needed: needed - out.room() });
        }
        Element::Audio(Audio { head, samples: &kept.samples[..kept.length] }).encode(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Channels, ChunksPerDatagram, Elements, Format, StripId, WireChunk};

    fn element(number: u32, chunks: ChunksPerDatagram) -> (AudioHead, Vec<u8>) {
        let (format, channels) = (Format::Pcm16, Channels::Stereo);
        let head =
            AudioHead { strip: StripId(1), first: WireChunk(number), format, channels, chunks, stamp: None };
        let length = AudioHead::sample_bytes(format, channels, chunks);
        (head, vec![u8::try_from(number).unwrap(); length])
    }

    fn copies(sent: &Sent, protection: Protection, room: usize) -> Vec<u32> {
        let mut buffer = vec![0; room];
        let mut out = Writer::new(&mut buffer);
        let count = sent.append(protection, &mut out);
        let firsts: Vec<_> = Elements::new(out.written())
            .map(|element| match element {
                Ok(Element::Audio(audio)) => {
                    assert!(audio.samples.iter().all(|byte| u32::from(*byte) == audio.head.first.0));
                    audio.head.first.0
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(firsts.len(), count);
        firsts
    }

    #[test]
    fn copies_are_those_that_were_sent_so_many_before() {
        let mut sent = Sent::default();
        let both = Protection { copies: 2, offset: 8 };
        for number in 0..40 {
            let (head, samples) = element(number, ChunksPerDatagram::One);
            sent.keep(&head, &samples);
            let expected: Vec<u32> = [8, 16].iter().filter_map(|age| number.checked_sub(*age)).collect();
            assert_eq!(copies(&sent, both, 1_176), expected);
        }
        assert_eq!(copies(&sent, Protection { copies: 1, offset: 2 }, 1_176), [37]);
        assert_eq!(copies(&sent, Protection::NONE, 1_176), [0; 0]);
        assert_eq!(copies(&sent, both, 400), [31], "what does not fit is left out");
    }

    #[test]
    fn what_no_datagram_can_hold_is_not_kept() {
        let mut sent = Sent::default();
        let (head, _) = element(1, ChunksPerDatagram::Four);
        sent.keep(&head, &[0; PLAIN_BYTES_MAX + 1]);
        let (head, samples) = element(2, ChunksPerDatagram::Four);
        sent.keep(&head, &samples);
        assert_eq!(copies(&sent, Protection { copies: 1, offset: 1 }, 2_000), [0; 0]);
    }
}
