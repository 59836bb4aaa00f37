//! The piece that the jam plays, written to be read: 24 bars in A minor, three times eight (theme, bridge, theme
//! with another ending), at 112 quarter notes a minute, for eight players who all play all the time.
//!
//! A bar is sixteen steps. Harmony is one or two chord names a bar. What repeats is written as a pattern of
//! sixteen signs a bar, what does not (the flute) as notes with lengths. A little deterministic unevenness in
//! time and touch keeps two equal bars from being equal sounds, so that a measurement can tell them apart.

use super::midi::{Note, Part};

/// Quarter notes a minute.
pub(crate) const TEMPO: u32 = 112;
/// Bars of four quarter notes in the piece.
pub(crate) const BARS: u32 = 24;
/// MIDI ticks in a quarter note.
pub(crate) const TICKS_PER_QUARTER: u32 = 480;

const STEPS_PER_BAR: usize = 16;
const TICKS_PER_STEP: u32 = TICKS_PER_QUARTER / 4;

/// Two names in a bar share it.
const THEME: [&str; 8] = ["Am9", "D13", "Fmaj7", "E7", "Am9", "D13", "Fmaj7", "G6"];
const BRIDGE: [&str; 8] = ["Dm9", "G13", "Cmaj7", "Fmaj7", "Bm7b5", "E7", "Am9", "A7"];
const ENDING: [&str; 8] = ["Am9", "D13", "Fmaj7", "E7", "Am9", "D13", "Fmaj7 G6", "Am9"];

/// `x` plays, `X` accents, `o` is a ghost note.
const KICK: [&str; 3] = ["X.....x...X..x..", "X..x....X.x.....", "X.....x...X..x.x"];
const SNARE: [&str; 3] = ["....X..o.o..X...", "....X.....o.X..o", "....X..o.o..X.oo"];
const HAT: [&str; 3] = ["x.xox.xox.xox.xo", "X.x.X.x.X.x.X.xx", "xoxox.xoxoxox.xX"];
const OPEN_HAT: [&str; 3] = ["..............x.", "......x.......x.", "..............x."];
const FILL: &str = "..........x.xxXX";

/// `1 3 5 7 8` are degrees of the chord, `-` holds, `.` rests.
const BASS: [&str; 3] = ["1--1..8.1-5-.7.8", "1---5-8-1--5-.7-", "1--1..8.1-57.8.5"];
/// `c` strikes the chord, `t` its top notes, `-` holds, `.` rests.
const PIANO: [&str; 3] = ["c--.t.c---.t--..", "c-------t--c----", "c--.t.c---.tc-t."];
const GUITAR: [&str; 3] = ["t.tt.t..t.tt.tt.", "..t...t...t...tt", "t.tt.t.tt.tt.tt."];
const ORGAN: [&str; 3] = ["c---------------", "c-------c-------", "c-----c-----c---"];
const STRINGS: &str = "c---------------";
/// Which note of the chord, counted from below.
const MARIMBA: [&str; 3] = ["1.3.2.4.3.5.4.2.", "1.2.3.4.5.4.3.2.", "123.2.4.345.4.2."];

/// Notes with their length in steps; `r` rests. Three lines of eight bars.
const FLUTE: [&str; 3] = [
    "e5:6 g5:2 a5:8  b5:3 a5:3 f#5:2 e5:8  c5:4 e5:4 a5:6 g5:2  g#5:8 b5:4 e5:4 \
     c6:6 b5:2 a5:4 e5:4  f#5:6 a5:2 d6:8  c6:3 a5:3 f5:2 e5:4 c5:4  d5:8 g5:4 b5:4",
    "a5:12 f5:4  b5:6 d6:2 e6:8  e6:4 d6:4 b5:4 g5:4  a5:12 c6:4 \
     d6:6 c6:2 b5:4 a5:4  g#5:4 b5:4 e6:8  c6:6 b5:2 a5:4 g5:4  c#6:8 e6:4 g5:4",
    "e6:6 d6:2 c6:8  b5:3 a5:3 f#5:2 d6:8  c6:4 a5:4 e6:6 f6:2  e6:8 d6:4 b5:4 \
     a5:2 b5:2 c6:4 e6:8  d6:6 c6:2 b5:4 a5:4  a5:4 c6:4 b5:4 d6:4  e6:4 c6:4 a5:8",
];

/// The eight parts, in the order in which players get them.
pub(crate) fn piece() -> Vec<Part> {
    let mut unevenness = Unevenness(2_463_534_242);
    let part = |name, channel, program, notes| Part { name, channel, program, notes };
    vec![
        part("drums", 9, 0, drums(&mut unevenness)),
        part("bass", 0, 33, bass(&mut unevenness)),
        part("piano", 1, 4, chords(&PIANO, Register { low: 57, notes: 4 }, 78, &mut unevenness)),
        part("guitar", 2, 27, chords(&GUITAR, Register { low: 64, notes: 3 }, 82, &mut unevenness)),
        part("strings", 3, 48, chords(&[STRINGS; 3], Register { low: 60, notes: 4 }, 80, &mut unevenness)),
        part("flute", 4, 73, flute(&mut unevenness)),
        part("organ", 5, 16, chords(&ORGAN, Register { low: 55, notes: 3 }, 70, &mut unevenness)),
        part("marimba", 6, 12, marimba(&mut unevenness)),
    ]
}

fn drums(unevenness: &mut Unevenness) -> Vec<Note> {
    let mut notes = Vec::new();
    for bar in 0..bars() {
        let section = bar / 8;
        let ends_section = bar % 8 == 7;
        let lanes = [
            (36, KICK[section]),
            (38, if ends_section { FILL } else { SNARE[section] }),
            (42, HAT[section]),
            (46, OPEN_HAT[section]),
        ];
        for (key, pattern) in lanes {
            for (step, sign) in pattern.chars().enumerate() {
                let velocity = match sign {
                    'X' => 112,
                    'x' => 88,
                    'o' => 48,
                    _ => continue,
                };
                notes.push(unevenness.touch(bar * STEPS_PER_BAR + step, 1, key, velocity));
            }
        }
        if bar % 8 == 0 {
            notes.push(unevenness.touch(bar * STEPS_PER_BAR, 8, 49, 100));
        }
    }
    notes
}

fn bass(unevenness: &mut Unevenness) -> Vec<Note> {
    let mut notes = Vec::new();
    for bar in 0..bars() {
        for Stroke { step, steps, sign } in strokes(BASS[bar / 8]) {
            let chord = chord_at(bar, step);
            let degree = match sign {
                '3' => chord.intervals[1],
                '5' => chord.intervals[2],
                '7' => chord.intervals[3],
                '8' => 12,
                _ => 0,
            };
            // From E1, the lowest string, upwards.
            let key = 28 + (chord.root + 8) % 12 + degree;
            notes.push(unevenness.touch(bar * STEPS_PER_BAR + step, steps, key, 96));
        }
    }
    notes
}

/// Where a chord is laid out: `notes` of it, the lowest at or above `low`.
#[derive(Clone, Copy)]
struct Register {
    low: u8,
    notes: usize,
}

fn chords(patterns: &[&str; 3], register: Register, velocity: u8, unevenness: &mut Unevenness) -> Vec<Note> {
    let mut notes = Vec::new();
    for bar in 0..bars() {
        for Stroke { step, steps, sign } in strokes(patterns[bar / 8]) {
            // A chord that is held over a change of harmony is struck again at the change.
            for (step, steps) in split_at_changes(bar, step, steps) {
                let mut keys = chord_at(bar, step).voicing(register);
                if sign == 't' && keys.len() > 2 {
                    keys.remove(0);
                }
                for key in keys {
                    notes.push(unevenness.touch(bar * STEPS_PER_BAR + step, steps, key, velocity));
                }
            }
        }
    }
    notes
}

fn marimba(unevenness: &mut Unevenness) -> Vec<Note> {
    let register = Register { low: 64, notes: 5 };
    let mut notes = Vec::new();
    for bar in 0..bars() {
        for Stroke { step, steps, sign } in strokes(MARIMBA[bar / 8]) {
            let keys = chord_at(bar, step).voicing(register);
            let which = sign.to_digit(10).and_then(|digit| usize::try_from(digit).ok()).unwrap_or(1);
            let key = keys[(which - 1).min(keys.len() - 1)];
            notes.push(unevenness.touch(bar * STEPS_PER_BAR + step, steps, key, 92));
        }
    }
    notes
}

fn flute(unevenness: &mut Unevenness) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut step = 0;
    for word in FLUTE.iter().flat_map(|line| line.split_whitespace()) {
        let (name, steps) = word.split_once(':').unwrap_or((word, "4"));
        let steps: usize = steps.parse().unwrap_or(4);
        if let Some(key) = key_named(name) {
            notes.push(unevenness.touch(step, steps, key, 86));
        }
        step += steps;
    }
    notes
}

fn bars() -> usize {
    usize::try_from(BARS).unwrap_or(0)
}

struct Stroke {
    step: usize,
    steps: usize,
    sign: char,
}

/// The signs of a pattern that play, each with the length that the `-` after it give it.
fn strokes(pattern: &str) -> Vec<Stroke> {
    let mut strokes: Vec<Stroke> = Vec::new();
    let mut holding = false;
    for (step, sign) in pattern.chars().enumerate() {
        match sign {
            '.' => holding = false,
            '-' => {
                if let Some(stroke) = strokes.last_mut().filter(|_| holding) {
                    stroke.steps += 1;
                }
            }
            sign => {
                strokes.push(Stroke { step, steps: 1, sign });
                holding = true;
            }
        }
    }
    strokes
}

fn split_at_changes(bar: usize, step: usize, steps: usize) -> Vec<(usize, usize)> {
    let half = STEPS_PER_BAR / 2;
    let changes = harmony(bar).contains(' ') && step < half && step + steps > half;
    if changes { vec![(step, half - step), (half, step + steps - half)] } else { vec![(step, steps)] }
}

fn harmony(bar: usize) -> &'static str {
    [THEME, BRIDGE, ENDING][bar / 8][bar % 8]
}

struct Chord {
    /// Semitones above C.
    root: u8,
    /// Semitones above the root; the first four are root, third, fifth and seventh (or sixth).
    intervals: &'static [u8],
}

fn chord_at(bar: usize, step: usize) -> Chord {
    let names: Vec<&str> = harmony(bar).split(' ').collect();
    let name = names[step * names.len() / STEPS_PER_BAR];
    let (root, kind) = name.split_at(1);
    let intervals: &[u8] = match kind {
        "m9" => &[0, 3, 7, 10, 14],
        "m7b5" => &[0, 3, 6, 10],
        "maj7" => &[0, 4, 7, 11],
        "6" => &[0, 4, 7, 9],
        "13" => &[0, 4, 7, 10, 21],
        _ => &[0, 4, 7, 10],
    };
    Chord { root: key_named(&format!("{root}0")).unwrap_or(0) % 12, intervals }
}

impl Chord {
    /// The chord's notes, packed upwards from the register's lowest: the hand moves little between chords.
    fn voicing(&self, register: Register) -> Vec<u8> {
        let lowest_octave = |interval: &u8| {
            let class = (self.root + interval) % 12;
            register.low + (class + 120 - register.low) % 12
        };
        // The colour of a chord is in its third, seventh and ninth; the root is the bass's.
        let order = if self.intervals.len() > 4 { vec![1, 3, 4, 2, 0] } else { vec![1, 3, 0, 2] };
        let mut keys: Vec<u8> =
            order.iter().take(register.notes).map(|index| lowest_octave(&self.intervals[*index])).collect();
        keys.sort_unstable();
        keys
    }
}

/// The MIDI key of a name such as `f#5`; nothing for a rest.
fn key_named(name: &str) -> Option<u8> {
    let mut letters = name.chars();
    let class = match letters.next()?.to_ascii_lowercase() {
        'c' => 0,
        'd' => 2,
        'e' => 4,
        'f' => 5,
        'g' => 7,
        'a' => 9,
        'b' => 11,
        _ => return None,
    };
    let rest = letters.as_str();
    let (sharp, octave) = rest.strip_prefix('#').map_or((0, rest), |octave| (1, octave));
    let octave: u8 = octave.parse().ok()?;
    Some(12 * (octave + 1) + class + sharp)
}

/// A small generator of small differences (xorshift): the same on every machine.
struct Unevenness(u32);

impl Unevenness {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % limit
    }

    /// A note on the grid of steps, up to 10 ms late, a little louder or softer, and let go a little early.
    fn touch(&mut self, step: usize, steps: usize, key: u8, velocity: u8) -> Note {
        let ticks = |steps: usize| u32::try_from(steps).unwrap_or(0) * TICKS_PER_STEP;
        let louder = u8::try_from(self.below(17)).unwrap_or(8);
        Note {
            start: ticks(step) + self.below(9),
            length: ticks(steps) - 14 - self.below(8),
            key,
            velocity: (velocity - 8 + louder).min(127),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_fills_its_bar() {
        let patterns = [KICK, SNARE, HAT, OPEN_HAT, BASS, PIANO, GUITAR, ORGAN, MARIMBA];
        for pattern in patterns.iter().flatten().chain([&FILL, &STRINGS]) {
            assert_eq!(pattern.len(), STEPS_PER_BAR, "{pattern}");
        }
    }

    #[test]
    fn the_melody_fills_its_lines() {
        for line in FLUTE {
            let steps = |word: &str| word.split_once(':').unwrap().1.parse::<usize>().unwrap();
            assert_eq!(line.split_whitespace().map(steps).sum::<usize>(), 8 * STEPS_PER_BAR, "{line}");
        }
    }

    #[test]
    fn chords_are_spelled_as_named() {
        let keys = chord_at(0, 0).voicing(Register { low: 57, notes: 4 });
        // A minor ninth without its root: C, G, B, E, from A3 upwards.
        assert_eq!(keys, [59, 60, 64, 67]);
        let last = chord_at(22, 12);
        assert_eq!((last.root, last.intervals[3]), (7, 9));
    }

    #[test]
    fn everybody_plays_in_every_bar() {
        for part in piece() {
            for bar in 0..BARS {
                let bar_of = |note: &Note| note.start / (TICKS_PER_QUARTER * 4);
                assert!(
                    part.notes.iter().any(|note| bar_of(note) == bar),
                    "{} rests in bar {bar}",
                    part.name
                );
            }
        }
    }
}
