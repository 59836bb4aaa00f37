//! The documents of musical time: the room's timeline, and what a member wants of it.
//!
//! ```text
//! RoomTimeline  leader u16 | timeline
//! Lead          role u8 | take u32 | has proposal u8 [| timeline]
//! RoomDelay     frames u32
//! timeline      revision u32 | author u16 | count u8 | segments
//! segment       flags u8 | at | beats | pace | tempo | bar origin | epoch
//!               [| numerator u8 | denominator u8] [| ramp end | ramp frames]
//! ```
//!
//! A segment's numbers are varints and say how they differ from the segment before (the first one: from all
//! zeros and 4/4), so that a full timeline of a tempo map fits into one part.

use super::{DecodeError, Full, MemberId, Reader, Writer};
use crate::time::{Beats, GridPosition, Tempo};
use crate::timeline::{AuthorId, Motion, Pace, Ramp, SEGMENTS_MAX, Segment, TimeSignature, Timeline};

/// The room's musical time; relay to member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomTimeline {
    /// Whose transport drives it. A member that wants to lead and reads another's number here was refused.
    pub leader: Option<MemberId>,
    /// The line, which runs on when nobody leads.
    pub timeline: Timeline,
}

/// What a member wants to be to the room's musical time; member to relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lead {
    /// What it wants to be.
    pub role: Role,
    /// Grows each time that its user takes the lead: the same wish, repeated, is not a second attempt.
    pub take: u32,
    /// The line that it proposes as the leader, or for an intent.
    pub proposal: Option<Timeline>,
}

/// The delay at which strips are played in the sync mode Room; from a member the least that it can, from the relay the
/// largest of the room's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoomDelay {
    /// Grid frames; zero from a member that plays in another mode.
    pub frames: u32,
}

impl RoomDelay {
    /// The longest that is agreed on: 5 s. A member that needs more does not hold up the room.
    pub const FRAMES_MAX: u32 = 240_000;

    /// Writes the document.
    pub fn encode(self, out: &mut Writer<'_>) -> Result<(), Full> {
        out.u32(self.frames)
    }

    /// Reads the document.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut bytes = Reader::new(bytes);
        let frames = bytes.u32()?;
        bytes.finish()?;
        if frames > Self::FRAMES_MAX {
            return Err(DecodeError::Range { field: "room delay", value: frames.into() });
        }
        Ok(Self { frames })
    }
}

/// A member's part in the room's musical time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// None.
    #[default]
    Off,
    /// Its transport drives the room.
    Lead,
    /// Its transport follows the room.
    Follow,
}

impl Role {
    const fn code(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::Lead => 1,
            Self::Follow => 2,
        }
    }

    const fn from_code(code: u8) -> Result<Self, DecodeError> {
        match code {
            0 => Ok(Self::Off),
            1 => Ok(Self::Lead),
            2 => Ok(Self::Follow),
            _ => Err(DecodeError::Range { field: "role", value: code as u64 }),
        }
    }
}

impl RoomTimeline {
    const NOBODY: u16 = u16::MAX;

    /// Writes the document.
    pub fn encode(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        out.u16(self.leader.map_or(Self::NOBODY, |MemberId(id)| id))?;
        encode_timeline(&self.timeline, out)
    }

    /// Reads the document.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut bytes = Reader::new(bytes);
        let leader = match bytes.u16()? {
            Self::NOBODY => None,
            id => Some(MemberId(id)),
        };
        let timeline = decode_timeline(&mut bytes)?;
        bytes.finish()?;
        Ok(Self { leader, timeline })
    }
}

impl Lead {
    /// Writes the document.
    pub fn encode(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        out.u8(self.role.code())?;
        out.u32(self.take)?;
        match &self.proposal {
            None => out.u8(0),
            Some(timeline) => {
                out.u8(1)?;
                encode_timeline(timeline, out)
            }
        }
    }

    /// Reads the document.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut bytes = Reader::new(bytes);
        let role = Role::from_code(bytes.u8()?)?;
        let take = bytes.u32()?;
        let proposal = match bytes.u8()? {
            0 => None,
            1 => Some(decode_timeline(&mut bytes)?),
            other => return Err(DecodeError::Range { field: "proposal", value: other.into() }),
        };
        bytes.finish()?;
        Ok(Self { role, take, proposal })
    }
}

/// Beats on the wire lie within a thousand million quarter notes of zero: 15 years at 120 BPM.
const MICRO_BEATS_MAX: i64 = 1_000_000_000_000_000;

const PLAYING: u8 = 0b001;
const SIGNATURE: u8 = 0b010;
const RAMP: u8 = 0b100;

/// The numbers of a segment as they stand in the document, whatever their units.
#[derive(Clone, Copy)]
struct Numbers {
    at: i64,
    beats: i64,
    pace: i64,
    tempo: i64,
    bar_origin: i64,
    epoch: i64,
    signature: TimeSignature,
}

impl Numbers {
    const ZERO: Self = Self {
        at: 0,
        beats: 0,
        pace: 0,
        tempo: 0,
        bar_origin: 0,
        epoch: 0,
        signature: TimeSignature::COMMON,
    };

    fn of(segment: &Segment) -> Self {
        Self {
            at: segment.at.raw(),
            beats: segment.beats.micro(),
            pace: segment.pace.femto().cast_signed(),
            tempo: segment.tempo.milli().into(),
            bar_origin: segment.bar_origin.micro(),
            epoch: segment.epoch.into(),
            signature: segment.signature,
        }
    }
}

fn encode_timeline(timeline: &Timeline, out: &mut Writer<'_>) -> Result<(), Full> {
    out.u32(timeline.revision())?;
    out.u16(timeline.author().0)?;
    let segments = timeline.segments();
    out.u8(u8::try_from(segments.len()).unwrap_or(u8::MAX))?;
    let mut before = Numbers::ZERO;
    for segment in segments {
        encode_segment(segment, &before, out)?;
        before = Numbers::of(segment);
    }
    Ok(())
}

fn decode_timeline(bytes: &mut Reader<'_>) -> Result<Timeline, DecodeError> {
    let revision = bytes.u32()?;
    let author = AuthorId(bytes.u16()?);
    let count = bytes.u8()?;
    if usize::from(count) > SEGMENTS_MAX {
        return Err(DecodeError::Range { field: "segments", value: count.into() });
    }
    let mut segments = [Segment::stopped(GridPosition::default()); SEGMENTS_MAX];
    let mut before = Numbers::ZERO;
    for segment in &mut segments[..count.into()] {
        *segment = decode_segment(&before, bytes)?;
        before = Numbers::of(segment);
    }
    Timeline::from_segments(revision, author, &segments[..count.into()])
        .ok_or_else(|| DecodeError::Range { field: "order of segments", value: count.into() })
}

fn encode_segment(segment: &Segment, before: &Numbers, out: &mut Writer<'_>) -> Result<(), Full> {
    let numbers = Numbers::of(segment);
    let playing = match segment.motion {
        Motion::Stopped => 0,
        Motion::Playing => PLAYING,
    };
    let signature = if numbers.signature == before.signature { 0 } else { SIGNATURE };
    let ramp = if segment.ramp.is_some() { RAMP } else { 0 };
    out.u8(playing | signature | ramp)?;
    // Differences wrap, and wrap back in the reader.
    out.signed_varint(numbers.at.wrapping_sub(before.at))?;
    out.signed_varint(numbers.beats.wrapping_sub(before.beats))?;
    out.signed_varint(numbers.pace.wrapping_sub(before.pace))?;
    out.signed_varint(numbers.tempo.wrapping_sub(before.tempo))?;
    out.signed_varint(numbers.bar_origin.wrapping_sub(before.bar_origin))?;
    out.signed_varint(numbers.epoch.wrapping_sub(before.epoch))?;
    if signature != 0 {
        out.u8(numbers.signature.numerator())?;
        out.u8(numbers.signature.denominator())?;
    }
    if let Some(ramp) = segment.ramp {
        out.signed_varint(ramp.end().femto().cast_signed().wrapping_sub(numbers.pace))?;
        out.varint(ramp.frames().into())?;
    }
    Ok(())
}

fn decode_segment(before: &Numbers, bytes: &mut Reader<'_>) -> Result<Segment, DecodeError> {
    let flags = bytes.u8()?;
    if flags & !(PLAYING | SIGNATURE | RAMP) != 0 {
        return Err(DecodeError::Range { field: "segment flags", value: flags.into() });
    }
    let at = GridPosition::from_raw(before.at.wrapping_add(bytes.signed_varint()?));
    let beats = beats(before.beats, bytes)?;
    let pace_femto = before.pace.wrapping_add(bytes.signed_varint()?);
    let pace = pace(pace_femto)?;
    let tempo = before.tempo.wrapping_add(bytes.signed_varint()?);
    let tempo = u32::try_from(tempo)
        .ok()
        .and_then(Tempo::from_milli)
        .ok_or_else(|| DecodeError::Range { field: "tempo", value: tempo.cast_unsigned() })?;
    let bar_origin = self::beats(before.bar_origin, bytes)?;
    let epoch = before.epoch.wrapping_add(bytes.signed_varint()?);
    let epoch = u32::try_from(epoch)
        .map_err(|_| DecodeError::Range { field: "epoch", value: epoch.cast_unsigned() })?;
    let signature = if flags & SIGNATURE == 0 { before.signature } else { signature(before, bytes)? };
    let ramp = if flags & RAMP == 0 { None } else { Some(ramp(pace_femto, bytes)?) };
    let motion = if flags & PLAYING == 0 { Motion::Stopped } else { Motion::Playing };
    Ok(Segment { at, beats, motion, pace, tempo, ramp, signature, bar_origin, epoch })
}

fn beats(before: i64, bytes: &mut Reader<'_>) -> Result<Beats, DecodeError> {
    let micro = before.wrapping_add(bytes.signed_varint()?);
    if (-MICRO_BEATS_MAX..=MICRO_BEATS_MAX).contains(&micro) {
        Ok(Beats::from_micro(micro))
    } else {
        Err(DecodeError::Range { field: "beats", value: micro.cast_unsigned() })
    }
}

fn pace(femto: i64) -> Result<Pace, DecodeError> {
    let femto = femto.cast_unsigned();
    Pace::from_femto(femto).ok_or(DecodeError::Range { field: "pace", value: femto })
}

fn signature(before: &Numbers, bytes: &mut Reader<'_>) -> Result<TimeSignature, DecodeError> {
    let (numerator, denominator) = (bytes.u8()?, bytes.u8()?);
    TimeSignature::new(numerator, denominator)
        // The same one again would be a second spelling.
        .filter(|signature| *signature != before.signature)
        .ok_or_else(|| DecodeError::Range { field: "time signature", value: numerator.into() })
}

fn ramp(pace_femto: i64, bytes: &mut Reader<'_>) -> Result<Ramp, DecodeError> {
    let end = pace(pace_femto.wrapping_add(bytes.signed_varint()?))?;
    let frames = bytes.varint()?;
    u32::try_from(frames)
        .ok()
        .and_then(|frames| Ramp::new(end, frames))
        .ok_or(DecodeError::Range { field: "ramp frames", value: frames })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::author::{Author, Cycle, Reading};
    use crate::wire::{DOCUMENT_BYTES_MAX, PLAIN_BYTES_MAX};
    use proptest::prelude::*;

    fn segment() -> impl Strategy<Value = Segment> {
        let pace =
            || (Pace::MIN.femto()..=Pace::MAX.femto()).prop_map(|femto| Pace::from_femto(femto).unwrap());
        let beats = || (-MICRO_BEATS_MAX..=MICRO_BEATS_MAX).prop_map(Beats::from_micro);
        let motion = prop_oneof![Just(Motion::Stopped), Just(Motion::Playing)];
        let ramp = (pace(), 1..=Ramp::FRAMES_MAX).prop_map(|(end, frames)| Ramp::new(end, frames).unwrap());
        let signature = (1..=64_u8, 0..=6_u8)
            .prop_map(|(numerator, power)| TimeSignature::new(numerator, 1 << power).unwrap());
        let tempo =
            (Tempo::MIN.milli()..=Tempo::MAX.milli()).prop_map(|milli| Tempo::from_milli(milli).unwrap());
        let head = (any::<i64>().prop_map(GridPosition::from_raw), beats(), motion, pace(), tempo);
        (head, proptest::option::of(ramp), signature, beats(), any::<u32>()).prop_map(
            |((at, beats, motion, pace, tempo), ramp, signature, bar_origin, epoch)| Segment {
                at,
                beats,
                motion,
                pace,
                tempo,
                ramp,
                signature,
                bar_origin,
                epoch,
            },
        )
    }

    fn timeline() -> impl Strategy<Value = Timeline> {
        (any::<u32>(), any::<u16>(), prop::collection::vec(segment(), 1..=SEGMENTS_MAX)).prop_map(
            |(revision, author, mut segments)| {
                segments.sort_by_key(|segment| segment.at);
                segments.dedup_by_key(|segment| segment.at);
                Timeline::from_segments(revision, AuthorId(author), &segments).unwrap()
            },
        )
    }

    proptest! {
        #[test]
        fn documents_read_back_as_they_were_written(
            timeline in timeline(), leader in proptest::option::of(0..u16::MAX), take in any::<u32>(),
        ) {
            let mut buffer = [0; DOCUMENT_BYTES_MAX];
            let document = RoomTimeline { leader: leader.map(MemberId), timeline };
            let mut out = Writer::new(&mut buffer);
            document.encode(&mut out).unwrap();
            prop_assert_eq!(RoomTimeline::decode(out.written()), Ok(document));

            for (role, proposal) in [(Role::Lead, Some(timeline)), (Role::Follow, None), (Role::Off, None)] {
                let document = Lead { role, take, proposal };
                let mut out = Writer::new(&mut buffer);
                document.encode(&mut out).unwrap();
                prop_assert_eq!(Lead::decode(out.written()), Ok(document));
            }
        }

        #[test]
        fn a_changed_byte_is_another_document_or_an_error(
            timeline in timeline(), place in any::<prop::sample::Index>(), byte in any::<u8>(), keep in any::<prop::sample::Index>(),
        ) {
            let mut buffer = [0; DOCUMENT_BYTES_MAX];
            let mut out = Writer::new(&mut buffer);
            RoomTimeline { leader: None, timeline }.encode(&mut out).unwrap();
            let mut bytes = out.written().to_vec();
            let length = bytes.len();
            prop_assert!(RoomTimeline::decode(&bytes[..keep.index(length)]).is_err());
            bytes[place.index(length)] = byte;
            if let Ok(document) = RoomTimeline::decode(&bytes) {
                let mut again = [0; DOCUMENT_BYTES_MAX];
                let mut out = Writer::new(&mut again);
                document.encode(&mut out).unwrap();
                prop_assert_eq!(out.written(), &bytes[..]);
                // Whatever it says, reading it returns.
                let place = document.timeline.place(GridPosition::from_raw(i64::MAX));
                let _ = document.timeline.when(place.beats, GridPosition::from_raw(i64::MIN));
                let _ = document.timeline.next_bar(GridPosition::default());
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_an_author_writes_is_sent_in_one_part_and_read(
            blocks in prop::collection::vec((0..5_000_u16, any::<bool>(), -9e8..9e8, 0.0..1_001.0, 0.0..9.0), 1..60),
        ) {
            let mut author = Author::new(AuthorId(1), &Timeline::default());
            let mut start = GridPosition::default();
            for (frames, plays, quarters, bpm, length) in blocks {
                start = start.plus_f64(frames.into());
                let reading = Reading {
                    start,
                    frames: frames.into(),
                    quarters: Some(quarters),
                    bpm,
                    motion: if plays { Motion::Playing } else { Motion::Stopped },
                    signature: TimeSignature::new(7, 8),
                    bar_start: Some(quarters),
                    cycle: Cycle::new(quarters - 1.0, quarters + length),
                };
                let Some(timeline) = author.observe(&reading) else { continue };
                let mut buffer = [0; PLAIN_BYTES_MAX];
                let document = RoomTimeline { leader: None, timeline };
                let mut out = Writer::new(&mut buffer);
                document.encode(&mut out).unwrap();
                prop_assert_eq!(RoomTimeline::decode(out.written()), Ok(document));
            }
        }
    }

    #[test]
    fn a_full_tempo_map_fits_into_one_part() {
        let mut line = Timeline::new(Segment {
            motion: Motion::Playing,
            ..Segment::stopped(GridPosition::from_raw(1 << 55))
        });
        for change in 1..40_i32 {
            let at = GridPosition::from_raw((1 << 55) + (i64::from(change) << 35));
            let place = line.place(at);
            let tempo = Tempo::from_bpm(120.0 + f64::from(change * 7 % 13)).unwrap();
            let pace = Pace::from_tempo(tempo);
            let next = Segment {
                at,
                beats: place.beats,
                tempo,
                pace,
                ramp: Ramp::new(pace.scaled(1.1), 96_000),
                epoch: place.epoch + 1,
                ..*line.segments().last().unwrap()
            };
            let segments = [line.segments(), &[next]].concat();
            let kept = segments.len().saturating_sub(SEGMENTS_MAX);
            line = Timeline::from_segments(u32::MAX, AuthorId(1), &segments[kept..]).unwrap();
        }
        let mut buffer = [0; DOCUMENT_BYTES_MAX];
        let mut out = Writer::new(&mut buffer);
        RoomTimeline { leader: None, timeline: line }.encode(&mut out).unwrap();
        assert!(out.length() < PLAIN_BYTES_MAX - 100, "{}", out.length());
    }

    #[test]
    fn what_is_malformed_is_named() {
        let error = |bytes: &[u8]| Lead::decode(bytes).unwrap_err();
        let range = |field, value| DecodeError::Range { field, value };
        assert_eq!(error(&[3, 0, 0, 0, 0, 0]), range("role", 3));
        assert_eq!(error(&[1, 0, 0, 0, 0, 2]), range("proposal", 2));
        assert_eq!(error(&[1, 0, 0, 0, 0, 0, 9]), DecodeError::Trailing(1));
        let segments = |count: u8, rest: &[u8]| {
            error(&[&[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, count][..], rest].concat())
        };
        assert_eq!(segments(0, &[]), range("order of segments", 0));
        assert_eq!(segments(33, &[]), range("segments", 33));
        assert_eq!(segments(1, &[8]), range("segment flags", 8));
        assert_eq!(segments(1, &[0, 0, 0, 0]), range("pace", 0));
    }
}
