//! What a receiver asks for.

use super::LossMeter;
use crate::time::convert::f64_from_usize;
use crate::wire::{DecodeError, Full, Reader, Writer};

/// Copies of each datagram at most: two bring 5 % of loss down to one in 8,000.
pub const COPIES_MAX: u8 = 2;
/// The furthest that a copy follows what it copies, in datagrams.
pub const OFFSET_MAX: u8 = 8;

/// Loss from which copies are asked for, and below which they no longer are.
const ON_SHARE: f64 = 0.000_5;
const OFF_SHARE: f64 = 0.000_2;
/// The same of a second copy.
const TWO_ON_SHARE: f64 = 0.03;
const TWO_OFF_SHARE: f64 = 0.02;

/// What a gap costs whoever has not said, in frames of delay for all: [`crate::jitter::JitterPreset::Default`].
const USUAL_LATE_COST_FRAMES: f64 = 19_200.0;
/// What the bytes of a copy cost, in frames of delay.
const COPY_COST_FRAMES: f64 = 4.0;
/// What is better by less is not worth a change.
const KEPT_WITHIN_FRAMES: f64 = 24.0;

/// How what is sent to somebody is to be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protection {
    /// How many copies of each datagram's audio, [`COPIES_MAX`] at most.
    pub copies: u8,
    /// By how many datagrams each copy follows, 1 to [`OFFSET_MAX`].
    pub offset: u8,
}

/// How long a receiver can wait for a copy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patience {
    /// How much longer it waits for every chunk already than the earliest arrival, in grid frames.
    pub spare_frames: f64,
    /// What a missing chunk costs, in frames of delay for all ([`crate::jitter::JitterPreset`]); nothing where the delay is
    /// fixed.
    pub late_cost_frames: f64,
    /// What one datagram covers, in frames.
    pub datagram_frames: f64,
}

impl Protection {
    /// No copies.
    pub const NONE: Self = Self { copies: 0, offset: 1 };

    /// What to ask for, given what is lost, how long one waits anyway, and what was asked for before.
    ///
    /// Copies are worth the loss that they take away, at the price that it has, less the delay that has to be waited for
    /// beyond what is waited for anyway, and less the bytes. The jitter target goes by the same price, and sees what came as
    /// a copy come late: it waits for what is asked for here. What is hardly better than what was asked for before changes
    /// nothing.
    #[must_use]
    pub fn wanted(loss: &LossMeter, patience: &Patience, before: Self) -> Self {
        let share = loss.share();
        let is_over = |on: f64, off: f64, was_on: bool| share >= if was_on { off } else { on };
        let most = if is_over(TWO_ON_SHARE, TWO_OFF_SHARE, before.copies > 1) {
            COPIES_MAX
        } else {
            u8::from(is_over(ON_SHARE, OFF_SHARE, before.copies > 0))
        };
        let all = (1..=most).flat_map(|copies| (1..=OFFSET_MAX).map(move |offset| Self { copies, offset }));
        let worth = |asked: Self| asked.worth_frames(loss, patience);
        // Of what is worth the same, what is waited for least.
        let best = all.rev().max_by(|one, other| worth(*one).total_cmp(&worth(*other)));
        let Some(best) = best.filter(|best| worth(*best) > 0.0) else { return Self::NONE };
        let is_kept = (1..=most).contains(&before.copies) && worth(before) > worth(best) - KEPT_WITHIN_FRAMES;
        if is_kept { before } else { best }
    }

    /// What it is worth, in frames of delay.
    fn worth_frames(self, loss: &LossMeter, patience: &Patience) -> f64 {
        let (copies, offset) = (usize::from(self.copies), usize::from(self.offset));
        // Lost in the same row, or by itself.
        let once = (loss.lost_again(offset) + loss.share()).min(1.0);
        let still_lost = match self.copies {
            0 => 1.0,
            1 => once,
            _ => (loss.lost_again(copies * offset) + once * loss.share()).min(once),
        };
        let waited = f64_from_usize(copies * offset) * patience.datagram_frames;
        let extra_frames = (waited - patience.spare_frames.max(0.0)).max(0.0);
        let is_fixed = patience.late_cost_frames <= 0.0;
        if is_fixed && extra_frames > 0.0 {
            return f64::NEG_INFINITY;
        }
        let late_cost = if is_fixed { USUAL_LATE_COST_FRAMES } else { patience.late_cost_frames };
        late_cost * loss.share() * (1.0 - still_lost)
            - extra_frames
            - COPY_COST_FRAMES * f64::from(self.copies)
    }
}

/// What a receiver says of how it is sent to: a document, either way.
///
/// ```text
/// copies u8 | offset u8 | spare u16
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// How what it is sent is to be protected.
    pub protection: Protection,
    /// How much longer it waits for every chunk than the earliest arrival, in grid frames: what a sender further up may
    /// count on.
    pub spare_frames: u16,
}

impl Asked {
    /// Writes the document.
    ///
    /// # Errors
    /// The buffer is shorter than four bytes.
    pub fn encode(self, out: &mut Writer<'_>) -> Result<(), Full> {
        out.u8(self.protection.copies)?;
        out.u8(self.protection.offset)?;
        out.u16(self.spare_frames)
    }

    /// Reads the document.
    ///
    /// # Errors
    /// It is shorter or longer, or asks for more than [`COPIES_MAX`] or [`OFFSET_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut bytes = Reader::new(bytes);
        let (copies, offset) = (bytes.u8()?, bytes.u8()?);
        if copies > COPIES_MAX {
            return Err(DecodeError::Range { field: "copies", value: copies.into() });
        }
        if !(1..=OFFSET_MAX).contains(&offset) {
            return Err(DecodeError::Range { field: "copy offset", value: offset.into() });
        }
        let spare_frames = bytes.u16()?;
        bytes.finish()?;
        Ok(Self { protection: Protection { copies, offset }, spare_frames })
    }
}

impl Default for Protection {
    fn default() -> Self {
        Self::NONE
    }
}

impl Patience {
    /// Of a receiver that waits for `spare_frames` and for whom a gap costs as usual, of datagrams of `chunks`.
    #[must_use]
    pub fn usual(spare_frames: f64, chunks: usize) -> Self {
        Self {
            spare_frames,
            late_cost_frames: USUAL_LATE_COST_FRAMES,
            datagram_frames: 64.0 * f64_from_usize(chunks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A meter that has seen every `every`th datagram lost with the `row - 1` after it.
    fn losing(every: u64, row: u64) -> LossMeter {
        let mut meter = LossMeter::default();
        (0..60_000).filter(|n| n % every >= row).for_each(|n| meter.observe(n));
        meter
    }

    #[test]
    fn clean_links_pay_nothing_and_lossy_ones_get_what_they_can_wait_for() {
        let patient = Patience::usual(600.0, 1);
        let wanted =
            |loss: &LossMeter, patience: &Patience| Protection::wanted(loss, patience, Protection::NONE);
        assert_eq!(wanted(&losing(1_000_000, 0), &patient), Protection::NONE);
        assert_eq!(wanted(&losing(100, 1), &patient), Protection { copies: 1, offset: 1 });
        assert_eq!(wanted(&losing(20, 1), &patient), Protection { copies: 2, offset: 1 });
        assert_eq!(wanted(&losing(400, 4), &patient), Protection { copies: 1, offset: 4 });
        // Loss of 0.1 % does not pay for a delay of its own.
        let hurried = Patience::usual(10.0, 1);
        assert_eq!(wanted(&losing(1_000, 1), &hurried), Protection::NONE);
        assert_eq!(wanted(&losing(1_000, 1), &Patience::usual(64.0, 1)), Protection { copies: 1, offset: 1 });
        // Of 2 % in rows of four, one copy that outlasts them is worth waiting for.
        let rows = losing(200, 4);
        assert_eq!(wanted(&rows, &hurried).offset, 4);
        // A delay that is fixed waits for what comes in time, and for nothing else.
        let fixed = |spare| Patience { late_cost_frames: 0.0, ..Patience::usual(spare, 1) };
        assert_eq!(wanted(&rows, &fixed(63.0)), Protection::NONE);
        assert_eq!(wanted(&losing(100, 1), &fixed(64.0)), Protection { copies: 1, offset: 1 });
    }

    #[test]
    fn what_lies_between_two_thresholds_stays_as_it_was() {
        let patient = Patience::usual(600.0, 1);
        let between = losing(3_000, 1);
        let one = Protection { copies: 1, offset: 1 };
        assert_eq!(Protection::wanted(&between, &patient, Protection::NONE), Protection::NONE);
        assert_eq!(Protection::wanted(&between, &patient, one), one);
    }

    #[test]
    fn the_document_reads_back_and_strange_ones_are_refused() {
        let mut buffer = [0; 4];
        for copies in 0..=COPIES_MAX {
            for offset in 1..=OFFSET_MAX {
                let asked = Asked { protection: Protection { copies, offset }, spare_frames: 777 };
                asked.encode(&mut Writer::new(&mut buffer)).unwrap();
                assert_eq!(Asked::decode(&buffer), Ok(asked));
            }
        }
        for bytes in [&[3, 1, 0, 0][..], &[1, 0, 0, 0], &[1, 9, 0, 0], &[1, 1, 0], &[1, 1, 0, 0, 0], &[]] {
            assert!(Asked::decode(bytes).is_err());
        }
    }
}
