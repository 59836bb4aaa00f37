//! Retained documents in both directions: versioned, in parts, repeated until acknowledged.

use crate::time::{LocalTime, Span};
use crate::wire::{DOCUMENT_BYTES_MAX, DocumentPart, Element, Slot, Writer};

/// Bytes of a document in one element; offsets are multiples of it.
const PART_BYTES: usize = 960;
/// An unacknowledged document is sent again after this long.
const REPEAT: Span = Span::from_millis(100);
const PARTS_MAX: usize = DOCUMENT_BYTES_MAX.div_ceil(PART_BYTES);

/// What this end retains for the other.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    slots: [OutgoingSlot; Slot::COUNT],
}

#[derive(Debug, Default)]
struct OutgoingSlot {
    bytes: Vec<u8>,
    /// Zero while nothing was published.
    version: u32,
    acknowledged: bool,
    /// The next part to send in this round.
    part: usize,
    due: LocalTime,
}

impl Outgoing {
    /// Replaces a document. Publishing what is published already changes nothing.
    pub(super) fn publish(&mut self, now: LocalTime, slot: Slot, bytes: &[u8]) {
        debug_assert!(bytes.len() <= DOCUMENT_BYTES_MAX);
        let Some(kept) = self.slots.get_mut(usize::from(slot.0)) else { return };
        if kept.version > 0 && kept.bytes == bytes {
            return;
        }
        bytes.clone_into(&mut kept.bytes);
        kept.version += 1;
        (kept.acknowledged, kept.part, kept.due) = (false, 0, now);
    }

    /// A new session: the other end knows nothing yet.
    pub(super) fn restart(&mut self, now: LocalTime) {
        for kept in &mut self.slots {
            (kept.acknowledged, kept.part, kept.due) = (false, 0, now);
        }
    }

    pub(super) fn acknowledge(&mut self, slot: Slot, version: u32) {
        if let Some(kept) = self.slots.get_mut(usize::from(slot.0))
            && kept.version == version
        {
            kept.acknowledged = true;
        }
    }

    /// When something is to be sent.
    pub(super) fn due(&self) -> LocalTime {
        self.slots.iter().filter(|kept| kept.waits()).map(|kept| kept.due).min().unwrap_or(LocalTime::NEVER)
    }

    /// Writes what is due and fits.
    pub(super) fn write(&mut self, now: LocalTime, out: &mut Writer<'_>) {
        for (number, kept) in (0..).zip(&mut self.slots) {
            while kept.waits() && kept.due <= now {
                let start = kept.part * PART_BYTES;
                let end = kept.bytes.len().min(start + PART_BYTES);
                let part = DocumentPart {
                    slot: Slot(number),
                    version: kept.version,
                    offset: to_u16(start),
                    total: to_u16(kept.bytes.len()),
                    bytes: &kept.bytes[start..end],
                };
                if Element::Document(part).encode(out).is_err() {
                    return;
                }
                kept.part += 1;
                if end == kept.bytes.len() {
                    (kept.part, kept.due) = (0, now + REPEAT);
                }
            }
        }
    }
}

impl OutgoingSlot {
    const fn waits(&self) -> bool {
        self.version > 0 && !self.acknowledged
    }
}

fn to_u16(bytes: usize) -> u16 {
    u16::try_from(bytes).expect("documents are capped below 64 KiB")
}

/// What the other end retains for this one.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    slots: [IncomingSlot; Slot::COUNT],
}

#[derive(Debug, Default)]
struct IncomingSlot {
    bytes: Vec<u8>,
    /// The version being gathered, and which parts of it are here.
    version: u32,
    parts: u32,
    /// The newest version that was whole.
    delivered: u32,
    owes_acknowledgement: bool,
}

impl Incoming {
    /// Takes a part; a document that becomes whole is returned once.
    pub(super) fn take(&mut self, part: &DocumentPart<'_>) -> Option<(Slot, Vec<u8>)> {
        let kept = self.slots.get_mut(usize::from(part.slot.0))?;
        let (offset, total) = (usize::from(part.offset), usize::from(part.total));
        let is_last = offset + part.bytes.len() == total;
        let is_aligned = offset % PART_BYTES == 0 && (is_last || part.bytes.len() == PART_BYTES);
        // An empty part says something only of an empty document; at another's end it would be one too many.
        let is_beyond = part.bytes.is_empty() && total > 0;
        if total > DOCUMENT_BYTES_MAX || !is_aligned || is_beyond || part.bytes.len() > PART_BYTES {
            return None;
        }
        if part.version <= kept.delivered {
            // The acknowledgement of the version that is here got lost: say it again.
            kept.owes_acknowledgement = true;
            return None;
        }
        if part.version != kept.version || total != kept.bytes.len() {
            if part.version < kept.version {
                return None;
            }
            kept.version = part.version;
            kept.parts = 0;
            kept.bytes.clear();
            kept.bytes.resize(total, 0);
        }
        kept.bytes[offset..offset + part.bytes.len()].copy_from_slice(part.bytes);
        kept.parts |= 1 << (offset / PART_BYTES);
        let whole = (1_u32 << total.div_ceil(PART_BYTES).clamp(1, PARTS_MAX)) - 1;
        if kept.parts != whole {
            return None;
        }
        kept.delivered = kept.version;
        kept.owes_acknowledgement = true;
        Some((part.slot, kept.bytes.clone()))
    }

    pub(super) fn owes_acknowledgement(&self) -> bool {
        self.slots.iter().any(|kept| kept.owes_acknowledgement)
    }

    /// Writes the acknowledgements that are owed and fit.
    pub(super) fn write(&mut self, out: &mut Writer<'_>) {
        for (number, kept) in (0..).zip(&mut self.slots) {
            if kept.owes_acknowledgement {
                let element = Element::Acknowledge { slot: Slot(number), version: kept.delivered };
                kept.owes_acknowledgement = element.encode(out).is_err();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Elements;

    /// Hands everything that is due at `now` over a link that loses the elements that `lost` names by number.
    fn exchange(
        now: LocalTime,
        from: &mut Outgoing,
        to: &mut Incoming,
        lost: impl Fn(usize) -> bool,
    ) -> Vec<Vec<u8>> {
        let mut whole = Vec::new();
        let mut number = 0;
        loop {
            let mut buffer = [0; 1_176];
            let mut out = Writer::new(&mut buffer);
            from.write(now, &mut out);
            if out.length() == 0 {
                return whole;
            }
            for element in Elements::new(out.written()) {
                let Ok(Element::Document(part)) = element else {
                    unreachable!("only documents were written")
                };
                if !lost(number) {
                    whole.extend(to.take(&part).map(|(_, bytes)| bytes));
                }
                number += 1;
            }
        }
    }

    #[test]
    fn a_document_arrives_whole_although_each_part_is_lost_once() {
        let document: Vec<u8> = (0..=255).cycle().take(5_000).collect();
        let (mut from, mut to) = (Outgoing::default(), Incoming::default());
        let mut now = LocalTime::ZERO;
        from.publish(now, Slot::ROSTER, &document);
        assert!(exchange(now, &mut from, &mut to, |number| number % 2 == 0).is_empty());
        now += REPEAT;
        let whole = exchange(now, &mut from, &mut to, |number| number % 2 == 1);
        assert_eq!(whole, [document]);
        assert!(to.owes_acknowledgement());
        from.acknowledge(Slot::ROSTER, 1);
        assert_eq!(from.due(), LocalTime::NEVER);
    }

    #[test]
    fn an_empty_part_at_the_end_does_not_keep_a_document_from_arriving() {
        let mut to = Incoming::default();
        let part =
            |offset, bytes| DocumentPart { slot: Slot::PROFILE, version: 1, offset, total: 960, bytes };
        assert_eq!(to.take(&part(960, &[])), None);
        assert_eq!(to.take(&part(0, &[7; 960])), Some((Slot::PROFILE, vec![7; 960])));
    }

    #[test]
    fn an_older_version_never_replaces_a_newer_one() {
        let (mut from, mut to) = (Outgoing::default(), Incoming::default());
        from.publish(LocalTime::ZERO, Slot::PROFILE, b"new");
        from.publish(LocalTime::ZERO, Slot::PROFILE, b"newer");
        assert_eq!(exchange(LocalTime::ZERO, &mut from, &mut to, |_| false), [b"newer"]);
        let old = DocumentPart { slot: Slot::PROFILE, version: 1, offset: 0, total: 3, bytes: b"new" };
        assert_eq!(to.take(&old), None);
    }
}
