//! The piece as a Standard MIDI File: one track for the tempo, one for each part.

use anyhow::{Context as _, Result};
use midly::num::{u4, u7, u15, u24, u28};
use midly::{Format, Header, MetaMessage, MidiMessage, Smf, Timing, Track, TrackEvent, TrackEventKind};

use super::score::{TEMPO, TICKS_PER_QUARTER};

/// One note. Times are MIDI ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) start: u32,
    pub(crate) length: u32,
    pub(crate) key: u8,
    pub(crate) velocity: u8,
}

/// What one player plays.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// 0 to 15; General MIDI's drums are on 9.
    pub(crate) channel: u8,
    /// General MIDI's sound, from 0.
    pub(crate) program: u8,
    pub(crate) notes: Vec<Note>,
}

/// The file of all parts.
pub(crate) fn write(parts: &[Part]) -> Result<Vec<u8>> {
    let mut tracks = vec![tempo_track()];
    tracks.extend(parts.iter().map(part_track));
    save(tracks)
}

/// The names of the parts in a file, in order.
pub(crate) fn part_names(file: &[u8]) -> Result<Vec<String>> {
    let parsed = Smf::parse(file).context("not a MIDI file")?;
    let name_of = |track: &Track<'_>| {
        track.iter().find_map(|event| {
            let TrackEventKind::Meta(MetaMessage::TrackName(name)) = event.kind else { return None };
            Some(String::from_utf8_lossy(name).into_owned())
        })
    };
    Ok(parsed.tracks.iter().skip(1).filter_map(name_of).collect())
}

/// A file with the tempo and the part at `index` alone.
pub(crate) fn only_part(file: &[u8], index: usize) -> Result<Vec<u8>> {
    let parsed = Smf::parse(file).context("not a MIDI file")?;
    let part = parsed.tracks.get(index + 1).with_context(|| format!("the piece has no part {index}"))?;
    save(vec![parsed.tracks[0].clone(), part.clone()])
}

/// The same file with the notes of one key alone: of a drum part, one drum.
pub(crate) fn only_key(file: &[u8], key: u8) -> Result<Vec<u8>> {
    let parsed = Smf::parse(file).context("not a MIDI file")?;
    let other_key = |event: &TrackEvent<'_>| {
        let TrackEventKind::Midi { message, .. } = event.kind else { return false };
        let (MidiMessage::NoteOn { key: struck, .. } | MidiMessage::NoteOff { key: struck, .. }) = message
        else {
            return false;
        };
        struck != key
    };
    let keep = |track: Track<'static>| {
        let (mut kept, mut skipped) = (Track::new(), 0);
        for event in track {
            if other_key(&event) {
                skipped += event.delta.as_int();
            } else {
                kept.push(TrackEvent { delta: u28::new(event.delta.as_int() + skipped), ..event });
                skipped = 0;
            }
        }
        kept
    };
    save(
        parsed
            .tracks
            .into_iter()
            .map(|track| keep(track.into_iter().map(|event| event.to_static()).collect()))
            .collect(),
    )
}

fn save(tracks: Vec<Track<'_>>) -> Result<Vec<u8>> {
    let ticks = u15::new(u16::try_from(TICKS_PER_QUARTER)?);
    let mut bytes = Vec::new();
    Smf { header: Header::new(Format::Parallel, Timing::Metrical(ticks)), tracks }.write_std(&mut bytes)?;
    Ok(bytes)
}

fn tempo_track() -> Track<'static> {
    vec![
        event(0, TrackEventKind::Meta(MetaMessage::TrackName(b"Lockstep jam"))),
        event(0, TrackEventKind::Meta(MetaMessage::TimeSignature(4, 2, 24, 8))),
        event(0, TrackEventKind::Meta(MetaMessage::Tempo(u24::new(micros_per_quarter())))),
        event(0, TrackEventKind::Meta(MetaMessage::EndOfTrack)),
    ]
}

/// What the tempo is to a MIDI file.
pub(crate) const fn micros_per_quarter() -> u32 {
    60_000_000 / TEMPO
}

fn part_track(part: &Part) -> Track<'static> {
    let channel = u4::new(part.channel);
    let midi = |message| TrackEventKind::Midi { channel, message };
    // Ends sort before beginnings at the same tick, so that a repeated key is struck again.
    let mut moments: Vec<(u32, u8, MidiMessage)> = Vec::new();
    for note in &part.notes {
        let key = u7::new(note.key);
        moments.push((note.start, 1, MidiMessage::NoteOn { key, vel: u7::new(note.velocity) }));
        moments.push((note.start + note.length, 0, MidiMessage::NoteOff { key, vel: u7::new(0) }));
    }
    moments.sort_by_key(|(tick, order, _)| (*tick, *order));
    let mut track = vec![
        event(0, TrackEventKind::Meta(MetaMessage::TrackName(part.name.as_bytes()))),
        event(0, midi(MidiMessage::ProgramChange { program: u7::new(part.program) })),
    ];
    let mut last = 0;
    for (tick, _, message) in moments {
        track.push(event(tick - last, midi(message)));
        last = tick;
    }
    track.push(event(0, TrackEventKind::Meta(MetaMessage::EndOfTrack)));
    track
}

const fn event(delta: u32, kind: TrackEventKind<'_>) -> TrackEvent<'_> {
    TrackEvent { delta: u28::new(delta), kind }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jam::score::piece;

    #[test]
    fn the_committed_file_is_the_score() {
        let committed: &[u8] = include_bytes!("../../music/lockstep-jam.mid");
        assert_eq!(write(&piece()).unwrap(), committed, "run `cargo xtask score` and listen to what changed");
    }

    #[test]
    fn one_drum_keeps_its_time() {
        let file = only_part(&write(&piece()).unwrap(), 0).unwrap();
        let starts = |file: &[u8], key: u8| {
            let parsed = Smf::parse(file).unwrap();
            let mut tick = 0;
            let mut starts = Vec::new();
            for event in &parsed.tracks[1] {
                tick += event.delta.as_int();
                if let TrackEventKind::Midi { message: MidiMessage::NoteOn { key: struck, .. }, .. } =
                    event.kind
                    && struck == key
                {
                    starts.push(tick);
                }
            }
            starts
        };
        let kick = only_key(&file, 36).unwrap();
        assert!(starts(&file, 36).len() > 50);
        assert_eq!(starts(&kick, 36), starts(&file, 36));
        assert_eq!(starts(&kick, 38), [0; 0]);
    }

    #[test]
    fn a_part_can_be_taken_out() {
        let file = write(&piece()).unwrap();
        let names = part_names(&file).unwrap();
        assert_eq!(names.len(), 8);
        let bass = only_part(&file, 1).unwrap();
        assert_eq!(part_names(&bass).unwrap(), ["bass"]);
        assert!(only_part(&file, 8).is_err());
    }
}
