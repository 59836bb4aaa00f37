//! The audio thread's MIDI alone, the link's ends of its rings in the test's hands.

use lockstep_shared::clock::AlignmentEvent;
use lockstep_shared::session::Entropy;
use lockstep_shared::time::{DeviceFrame, Frames, GridFrame};

use super::*;
use crate::wiring::{AudioEnd, LinkEnd, wire};

const BLOCK: i64 = 64;
const START: i64 = 1_000_000;

struct Rig {
    midi: Midi,
    audio: AudioEnd,
    link: LinkEnd,
    block: i64,
    delay: Delay,
}

impl Rig {
    fn new(delay_frames: f64) -> Self {
        let (audio, link) = wire();
        let delay = Delay { strips_frames: Some(delay_frames), user_frames: 0.0 };
        Self { midi: Midi::new(), audio, link, block: 0, delay }
    }

    /// The grid frame at which the next block begins.
    fn now(&self) -> i64 {
        START + self.block * BLOCK
    }

    fn segment(&mut self) -> Segment {
        let first = GridFrame(self.now()).position();
        let start = DeviceFrame(self.block * BLOCK);
        self.block += 1;
        Segment { start, frames: Frames(BLOCK), first, step: 1.0, event: AlignmentEvent::Continue }
    }

    /// One block; what the host is given, by grid frames.
    fn play(&mut self) -> Vec<(i64, Vec<u8>)> {
        let first = self.now();
        let segment = self.segment();
        self.give(Some(segment), first)
    }

    /// One block in which nothing is to sound.
    fn be_still(&mut self) -> Vec<(i64, Vec<u8>)> {
        let first = self.now();
        self.segment();
        self.give(None, first)
    }

    fn give(&mut self, segment: Option<Segment>, first: i64) -> Vec<(i64, Vec<u8>)> {
        let Self { midi, audio, delay, .. } = self;
        midi.play(segment.as_ref(), *delay, &mut audio.midi_heard, &audio.gauges);
        let given = midi.given().iter();
        given.map(|(frame, bytes)| (first + i64::try_from(frame).unwrap(), bytes.to_vec())).collect()
    }

    fn arrives(&mut self, at: i64, bytes: &[u8]) {
        let at = GridFrame(at).position();
        let pushed = match Message::from_short(bytes) {
            Some(message) => self.link.midi_heard.push(at, &message),
            None => self.link.midi_heard.push_exclusive(at, exclusive(bytes).unwrap()),
        };
        pushed.unwrap();
    }

    fn sent(&mut self) -> Vec<(i64, Vec<u8>)> {
        let ring = &mut self.link.midi_sent;
        let entries = core::iter::from_fn(|| {
            let MidiEntry { at, form } = ring.pop()?;
            let bytes = match form {
                MidiForm::Short(bytes) => bytes.as_slice().to_vec(),
                MidiForm::Exclusive(length) => {
                    ring.read_exclusive(length, |front, back| [front, back].concat())?
                }
            };
            Some((at.round().0, bytes))
        });
        entries.collect()
    }

    fn host_plays(&mut self, messages: &[(usize, &[u8])]) {
        for (frame, bytes) in messages {
            self.midi.hear(*frame, bytes, &self.audio.gauges);
        }
        let segment = self.segment();
        self.midi.send(Some(&segment), &mut self.audio.midi_sent, &self.audio.gauges);
    }

    fn late(&self) -> u64 {
        self.audio.gauges.midi.late.load(Ordering::Relaxed)
    }
}

fn bytes(given: &[(i64, Vec<u8>)]) -> Vec<&[u8]> {
    given.iter().map(|(_, bytes)| bytes.as_slice()).collect()
}

#[test]
fn what_the_host_plays_leaves_with_its_place_and_without_what_is_derived() {
    let mut rig = Rig::new(0.0);
    rig.host_plays(&[
        (0, &[0x90, 60, 100]),
        (1, &[0xF8, 0, 0]),
        (1, &[0xF2, 1, 1]),
        (2, &[0xFE]),
        (3, &[0xF1, 5, 0]),
        (3, &[0xC1, 7, 0]),
        (9, &[0xF0, 1, 2, 0xF7]),
        (9, &[0xF0, 1, 0x90, 0xF7]),
        (10, &[0x90, 60]),
        (11, &[]),
        (63, &[0xE0, 1, 2]),
    ]);
    assert_eq!(
        rig.sent(),
        [
            (START, vec![0x90, 60, 100]),
            (START + 3, vec![0xC1, 7]),
            (START + 9, vec![0xF0, 1, 2, 0xF7]),
            (START + 63, vec![0xE0, 1, 2]),
        ]
    );
    rig.host_plays(&[(5, &[0x80, 60, 0])]);
    assert_eq!(rig.sent(), [(START + 69, vec![0x80, 60, 0])]);
    assert!(!rig.link.gauges.take_owed_endings());
}

#[test]
fn a_place_never_steps_back_on_one_grid() {
    let mut rig = Rig::new(0.0);
    rig.block = 10;
    rig.host_plays(&[(60, &[0x90, 60, 100])]);
    rig.block = 9;
    rig.host_plays(&[(0, &[0x80, 60, 0])]);
    assert_eq!(rig.sent().iter().map(|(at, _)| *at - START).collect::<Vec<_>>(), [700, 700]);
    rig.midi.forget_grid();
    rig.block = 1;
    rig.host_plays(&[(0, &[0x90, 61, 100])]);
    assert_eq!(rig.sent(), [(START + 64, vec![0x90, 61, 100])]);
}

#[test]
fn what_is_sent_to_nobody_owes_what_would_have_ended() {
    let mut rig = Rig::new(0.0);
    rig.midi.hear(3, &[0x80, 60, 0], &rig.audio.gauges);
    rig.midi.send(None, &mut rig.audio.midi_sent, &rig.audio.gauges);
    assert!(rig.link.gauges.take_owed_endings());
    assert_eq!(rig.sent(), []);
}

#[test]
fn the_networks_jitter_is_gone() {
    // Messages every 101 frames that travel for up to 15 ms, through a delay of 20 ms.
    let mut rig = Rig::new(960.0);
    let mut entropy = Entropy::new(&[4; 32]);
    let mut coming: Vec<(i64, i64, [u8; 3])> = (0..1_000)
        .map(|number: i64| {
            let at = START + number * 101;
            let travel = i64::from(entropy.u24()) % 720;
            let key = u8::try_from(number % 128).unwrap();
            (at + travel, at, [0x90, key, u8::try_from(number / 128 + 1).unwrap()])
        })
        .collect();
    coming.sort_unstable();
    let expected: Vec<(i64, Vec<u8>)> = {
        let mut expected: Vec<_> = coming.iter().map(|(_, at, bytes)| (at + 960, bytes.to_vec())).collect();
        expected.sort_unstable();
        expected
    };
    let mut heard = Vec::new();
    let mut coming = coming.into_iter().peekable();
    for _ in 0..1_700 {
        let now = rig.now();
        while let Some((_, at, bytes)) = coming.next_if(|(arrival, ..)| *arrival <= now) {
            rig.arrives(at, &bytes);
        }
        heard.extend(rig.play());
    }
    assert_eq!(heard, expected);
    assert_eq!(rig.late(), 0);
}

#[test]
fn what_comes_late_is_played_at_once_in_order_and_counted() {
    let mut rig = Rig::new(960.0);
    rig.block = 100;
    let now = rig.now();
    for (at, key) in [(now - 2_000, 1), (now - 961, 2), (now - 960, 3), (now - 1_500, 4)] {
        rig.arrives(at, &[0x90, key, 1]);
    }
    let given = rig.play();
    assert_eq!(bytes(&given), [[0x90, 1, 1], [0x90, 4, 1], [0x90, 2, 1], [0x90, 3, 1]]);
    assert!(given.iter().all(|(at, _)| *at == now), "{given:?}");
    assert_eq!(rig.late(), 3);
}

#[test]
fn a_delay_that_shrinks_or_grows_keeps_the_order() {
    let mut rig = Rig::new(48_000.0);
    for key in 0..100 {
        rig.arrives(START + i64::from(key), &[0x90, key, 1]);
    }
    assert_eq!(rig.play(), []);
    rig.delay.strips_frames = Some(30.0);
    let mut given = rig.play();
    rig.delay.strips_frames = Some(400.0);
    for _ in 0..10 {
        given.extend(rig.play());
    }
    assert!(given.iter().map(|(_, bytes)| bytes[1]).eq(0..100));
}

#[test]
fn where_no_strip_plays_the_delay_is_short_and_steady() {
    let mut rig = Rig::new(0.0);
    rig.delay = Delay { strips_frames: None, user_frames: 100.0 };
    rig.arrives(START, &[0x90, 1, 1]);
    let given: Vec<_> = (0..30).flat_map(|_| rig.play()).collect();
    assert_eq!(given, [(START + 960 + BLOCK + 100, vec![0x90, 1, 1])]);
}

#[test]
fn exactly_what_is_held_is_ended_and_what_waits_is_forgotten() {
    for still in [false, true] {
        let mut rig = Rig::new(64.0);
        let long = [&[0xF0][..], &[1; 40_000], &[0xF7]].concat();
        let sounding: [&[u8]; 5] =
            [&[0x90, 60, 9], &[0x90, 62, 9], &[0x80, 60, 9], &[0xB3, 64, 127], &[0xF0, 5, 0xF7]];
        for bytes in sounding {
            rig.arrives(START, bytes);
        }
        assert_eq!(rig.play(), []);
        assert_eq!(rig.play().len(), 5);
        for bytes in [&[0x90, 64, 9], &long[..], &[0xF0, 6, 0xF7]] {
            rig.arrives(START + 50_000, bytes);
        }
        rig.play();
        rig.arrives(START, &[0x90, 65, 9]);
        let (now, given) = if still {
            (rig.now(), rig.be_still())
        } else {
            rig.midi.end(&mut rig.audio.midi_heard);
            (rig.now(), rig.play())
        };
        assert_eq!(given, [(now, vec![0x80, 62, 64]), (now, vec![0xB3, 64, 0])], "{still}");
        assert!(rig.midi.held().is_empty());
        rig.arrives(START + 400, &[0xF0, 7, 0xF7]);
        let given: Vec<_> = (0..8).flat_map(|_| rig.play()).collect();
        assert_eq!(given, [(START + 464, vec![0xF0, 7, 0xF7])]);
    }
}

#[test]
fn what_an_engine_before_left_is_ended_first() {
    let mut held = Held::default();
    held.note(&Message::from_short(&[0x95, 3, 3]).unwrap());
    let mut rig = Rig::new(0.0);
    rig.midi.end_those(held);
    assert_eq!(bytes(&rig.be_still()), [[0x85, 3, 64]]);
    assert_eq!(rig.be_still(), []);
}

#[test]
fn more_than_a_block_holds_comes_with_the_next_ones() {
    let mut rig = Rig::new(10_000.0);
    let mut sent = 0_u16;
    let mut given = Vec::new();
    for _ in 0..300 {
        for _ in 0..100 {
            let [low, high] = (sent % 16_384).to_le_bytes();
            let bytes = [0xE0, low & 0x7F, high << 1 | low >> 7];
            let pushed =
                rig.link.midi_heard.push(GridFrame(START).position(), &Message::from_short(&bytes).unwrap());
            sent += u16::from(pushed.is_ok());
        }
        given.extend(rig.play());
    }
    given.extend((0..10).flat_map(|_| rig.play()));
    assert!(sent > 10_000, "{sent}");
    let values = given.iter().map(|(_, bytes)| u16::from(bytes[2]) << 7 | u16::from(bytes[1]));
    assert!(values.eq((0..sent).map(|number| number % 16_384)), "none is lost, doubled or moved");
}

#[test]
fn a_flood_of_endings_is_ended_over_several_blocks() {
    let mut rig = Rig::new(0.0);
    let mut struck = 0;
    for channel in 0..16 {
        for key in 0..128 {
            rig.arrives(START, &[0x90 | channel, key, 1]);
            struck += rig.play().len();
            rig.block = 0;
        }
    }
    assert_eq!(struck, 2_048);
    rig.midi.end(&mut rig.audio.midi_heard);
    let ended: usize = (0..3).map(|_| rig.play().len()).sum();
    assert_eq!(ended, 2_048);
    assert!(rig.midi.held().is_empty());
}
