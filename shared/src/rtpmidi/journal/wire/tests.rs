use proptest::prelude::*;

use super::super::draw::Draw;
use super::super::{Chapter, JournalError};
use super::*;
use crate::midi::message::{Channel, U7, U14};

fn decoded(bytes: &[u8]) -> Journal {
    let decoded = Journal::decode(bytes).expect("a header");
    assert_eq!(decoded.fault, None, "{bytes:02x?}");
    decoded.journal
}

fn encoded(journal: &Journal) -> Vec<u8> {
    let mut bytes = Vec::new();
    journal.encode(&mut bytes);
    bytes
}

fn with_notes(notes: Notes) -> Journal {
    Journal {
        checkpoint: 1,
        channels: vec![ChannelJournal {
            freshness: Freshness::News,
            channel: Channel::of_status(1),
            notes: Some(notes),
            ..ChannelJournal::default()
        }],
        freshness: Freshness::News,
        ..Journal::default()
    }
}

#[test]
fn two_packets_of_macos() {
    let first = [0x20, 0x00, 0x01, 0x08, 0x08, 0x08, 0x01, 0x88, 0x43, 0x64, 0xCA];
    let released = 1 << 64 | 1 << 65 | 1 << 68 | 1 << 70;
    let log = NoteLog {
        freshness: Freshness::News,
        note: U7::low_bits(67),
        rendering: Rendering::Skip,
        velocity: U7::low_bits(100),
    };
    let notes = Notes { freshness: Freshness::News, logs: vec![log], released };
    assert_eq!(decoded(&first), with_notes(notes));
    assert_eq!(encoded(&decoded(&first)), first);

    let second = [0x20, 0x00, 0x01, 0x08, 0x06, 0x08, 0x00, 0x88, 0xDA];
    let notes = Notes { freshness: Freshness::News, logs: vec![], released: released | 1 << 67 };
    assert_eq!(decoded(&second), with_notes(notes));
    assert_eq!(encoded(&decoded(&second)), second);
}

#[test]
fn the_empty_journal_of_a_yamaha_piano() {
    let bytes = [0x10, 0x00, 0x00];
    let journal = decoded(&bytes);
    assert_eq!((journal.encoding, journal.checkpoint), (Encoding::Enhanced, 0));
    assert_eq!((journal.system.is_none(), journal.channels.len()), (true, 0));
    assert_eq!(encoded(&journal), bytes);
}

#[test]
fn as_many_notes_as_there_are() {
    for (logs, released) in
        [(127, 0), (127, 1 << 127), (128, 0), (0, u128::MAX), (0, 0), (0, 1), (1, 1 << 127)]
    {
        let log = |note| NoteLog {
            freshness: Freshness::Known,
            note: U7::low_bits(note),
            rendering: Rendering::Play,
            velocity: U7::MAX,
        };
        let notes = Notes { freshness: Freshness::Known, logs: (0..logs).map(log).collect(), released };
        let journal = with_notes(notes);
        assert_eq!(decoded(&encoded(&journal)), journal, "{logs} {released:x}");
    }
}

#[test]
fn parameters_of_one_family_and_page_are_short() {
    let log = |family, msb, lsb| ParameterLog {
        family,
        msb: U7::low_bits(msb),
        lsb: U7::low_bits(lsb),
        values: true,
        entry_msb: Some(Entry { side: Side::Since, value: U7::MIDDLE }),
        ..ParameterLog::default()
    };
    for (logs, bytes) in [
        (vec![log(Family::Registered, 0, 1), log(Family::Registered, 0, 2)], 2 + 2 * 3),
        (vec![log(Family::NonRegistered, 0, 1)], 2 + 3),
        (vec![log(Family::NonRegistered, 0, 1), log(Family::Registered, 0, 1)], 2 + 2 * 4),
        (vec![log(Family::NonRegistered, 1, 1)], 2 + 4),
    ] {
        let chapter = ParameterLogs { transaction: Transaction::Open, logs, ..ParameterLogs::default() };
        let journal = Journal {
            channels: vec![ChannelJournal { parameters: Some(chapter), ..ChannelJournal::default() }],
            ..Journal::default()
        };
        assert_eq!(encoded(&journal).len(), 3 + 3 + bytes);
        assert_eq!(decoded(&encoded(&journal)), journal);
    }
}

#[test]
fn the_first_exclusive_log_takes_its_freshness_from_two() {
    use Freshness::{Known, News};
    let log = |freshness| ExclusiveLog {
        freshness,
        type_count: None,
        count: None,
        first: None,
        data: None,
        listing: Listing::All,
        status: ExclusiveStatus::Finished,
    };
    for (coded, expected) in
        [(vec![News], News), (vec![News, Known], Known), (vec![News, News], News), (vec![Known], Known)]
    {
        let exclusives = Exclusives { logs: coded.iter().copied().map(log).collect() };
        assert_eq!(exclusives.freshness_of(0), expected, "{coded:?}");
    }
}

#[test]
fn what_cannot_be_read_hides_its_own_journal_alone() {
    // Channel 0 claims chapter C with 128 logs in 5 bytes; channel 1 has a program.
    let bytes = [0x21, 0, 9, 0x00, 0x05, 0x40, 0x7F, 1, 0x08, 0x06, 0x80, 5, 0, 0];
    let Decoded { journal, fault } = Journal::decode(&bytes).expect("a header");
    assert!(matches!(fault, Some(JournalError::Unreadable { chapter: Chapter::Controllers, .. })));
    assert_eq!(journal.channels.len(), 2);
    assert_eq!(journal.channels[1].program.map(|program| program.program.get()), Some(5));
}

#[test]
fn lies_are_named() {
    let fault = |bytes: &[u8]| Journal::decode(bytes).map(|decoded| decoded.fault);
    assert_eq!(fault(&[0x20, 0]), Err(JournalError::NoHeader(2)));
    assert_eq!(fault(&[0x20, 0, 0, 0x03, 0xFF, 0]), Ok(Some(JournalError::ChannelLength(0x3FF))));
    assert_eq!(fault(&[0x20, 0, 0, 0x00, 0x02, 0]), Ok(Some(JournalError::ChannelLength(2))));
    assert_eq!(fault(&[0x40, 0, 0, 0x20, 0x01]), Ok(Some(JournalError::SystemLength(1))));
    assert_eq!(fault(&[0x00, 0, 0, 7]), Ok(Some(JournalError::Trailing(1))));
    let twice = [0x21, 0, 0, 0, 3, 0, 0, 3, 0];
    assert_eq!(fault(&twice), Ok(Some(JournalError::Twice(Channel::of_status(0)))));
}

proptest! {
    #[test]
    fn every_journal_comes_back(seed in any::<u64>()) {
        let journal = any_journal(&mut Draw::new(seed));
        let bytes = encoded(&journal);
        prop_assert_eq!(Journal::decode(&bytes), Ok(Decoded { journal, fault: None }));
    }

    #[test]
    fn whatever_decodes_is_encoded_the_same(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Decoded { journal, fault: None }) = Journal::decode(&bytes) {
            prop_assert_eq!(decoded(&encoded(&journal)), journal);
        }
    }
}

#[test]
fn no_bytes_upset_the_decoder() {
    let mut draw = Draw::new(6295);
    for round in 0..200_000 {
        let mut bytes = if round % 2 == 0 {
            (0..draw.below(80)).map(|_| draw.byte()).collect()
        } else {
            encoded(&any_journal(&mut draw))
        };
        for _ in 0..draw.below(4) {
            if !bytes.is_empty() {
                let place =
                    usize::try_from(draw.below(u32::try_from(bytes.len()).expect("small"))).expect("small");
                bytes[place] = draw.byte();
            }
        }
        if let Ok(Decoded { journal, .. }) = Journal::decode(&bytes) {
            assert!(journal.channels.len() <= Channel::COUNT);
            encoded(&journal);
        }
    }
}

/// A journal of any shape, small enough for its LENGTH fields.
fn any_journal(draw: &mut Draw) -> Journal {
    let count = draw.of(&[0, 1, 1, 2, 16]);
    let channels = (0..count).map(|channel| any_channel(draw, channel)).collect();
    Journal {
        freshness: freshness(draw),
        encoding: draw.of(&[Encoding::Plain, Encoding::Enhanced]),
        checkpoint: u16::from_le_bytes([draw.byte(), draw.byte()]),
        system: maybe(draw, any_system),
        channels,
    }
}

fn any_channel(draw: &mut Draw, channel: u8) -> ChannelJournal {
    ChannelJournal {
        freshness: freshness(draw),
        channel: Channel::of_status(channel),
        encoding: draw.of(&[Encoding::Plain, Encoding::Enhanced]),
        program: maybe(draw, |draw| Program {
            freshness: freshness(draw),
            program: septet(draw),
            bank: maybe(draw, |draw| Bank { msb: septet(draw), lsb: septet(draw), side: side(draw) }),
        }),
        controllers: maybe(draw, |draw| Controllers {
            freshness: freshness(draw),
            logs: list(draw, 1, |draw| ControllerLog {
                freshness: freshness(draw),
                number: septet(draw),
                tool: match draw.below(3) {
                    0 => Tool::Value(septet(draw)),
                    1 => Tool::Toggle(draw.byte() & 63),
                    _ => Tool::Count(draw.byte() & 63),
                },
            }),
        }),
        parameters: maybe(draw, any_parameters),
        wheel: maybe(draw, |draw| Wheel {
            freshness: freshness(draw),
            bend: U14::from_halves(septet(draw), septet(draw)),
        }),
        notes: maybe(draw, |draw| Notes {
            freshness: freshness(draw),
            logs: list(draw, 0, |draw| NoteLog {
                freshness: freshness(draw),
                note: septet(draw),
                rendering: draw.of(&[Rendering::Play, Rendering::Skip]),
                velocity: septet(draw),
            }),
            released: draw.of(&[0, 1, 1 << 127, 0x0FF0 << 40]) ^ (1 << draw.below(128)),
        }),
        extras: maybe(draw, |draw| NoteExtras {
            freshness: freshness(draw),
            logs: list(draw, 1, |draw| ExtraLog {
                freshness: freshness(draw),
                note: septet(draw),
                extra: if draw.happens(500) {
                    Extra::Count(septet(draw))
                } else {
                    Extra::Release(septet(draw))
                },
            }),
        }),
        pressing: maybe(draw, |draw| Pressing { freshness: freshness(draw), pressure: septet(draw) }),
        poly_pressures: maybe(draw, |draw| PolyPressures {
            freshness: freshness(draw),
            logs: list(draw, 1, |draw| PressureLog {
                freshness: freshness(draw),
                note: septet(draw),
                side: side(draw),
                pressure: septet(draw),
            }),
        }),
    }
}

fn any_parameters(draw: &mut Draw) -> ParameterLogs {
    let zero = draw.happens(500);
    let one = draw.happens(500);
    let family = family(draw);
    let pending = Transaction::Pending(self::family(draw), septet(draw));
    ParameterLogs {
        freshness: freshness(draw),
        transaction: draw.of(&[Transaction::Closed, Transaction::Open, pending]),
        logs: list(draw, 0, |draw| ParameterLog {
            freshness: freshness(draw),
            family: if one { family } else { self::family(draw) },
            msb: if zero { U7::ZERO } else { septet(draw) },
            lsb: septet(draw),
            counts: draw.happens(500),
            values: draw.happens(500),
            entry_msb: maybe(draw, entry),
            entry_lsb: maybe(draw, entry),
            all_steps: maybe(draw, |draw| (side(draw), button(draw))),
            steps_since_reset: maybe(draw, button),
            count: maybe(draw, entry),
        }),
    }
}

fn any_system(draw: &mut Draw) -> SystemJournal {
    let marked = |draw: &mut Draw| (freshness(draw), septet(draw));
    let bytes = |draw: &mut Draw| list(draw, 0, |draw| draw.byte());
    let common = |draw: &mut Draw| Undefined {
        freshness: freshness(draw),
        count: maybe(draw, Draw::byte),
        size: draw.byte() & 3,
        value: maybe(draw, |draw| list(draw, 1, |draw| draw.byte() & 127)),
        legal: maybe(draw, bytes),
    };
    let realtime = |draw: &mut Draw| UndefinedRealtime {
        freshness: freshness(draw),
        count: maybe(draw, Draw::byte),
        legal: maybe(draw, |draw| list(draw, 0, Draw::byte)),
    };
    let quarters = |draw: &mut Draw| [0; 8].map(|_| draw.byte() & 15);
    SystemJournal {
        freshness: freshness(draw),
        simple: maybe(draw, |draw| Simple {
            freshness: freshness(draw),
            reset: maybe(draw, marked),
            tune: maybe(draw, marked),
            song: maybe(draw, marked),
            common: [maybe(draw, common), maybe(draw, common)],
            realtime: [maybe(draw, realtime), maybe(draw, realtime)],
        }),
        active_sensing: maybe(draw, |draw| ActiveSensing { freshness: freshness(draw), count: septet(draw) }),
        sequencing: maybe(draw, |draw| Sequencing {
            freshness: freshness(draw),
            running: draw.happens(500),
            played: draw.happens(500),
            position: draw.of(&[0, 1, 70_000, (1 << 19) - 1]),
            time: maybe(draw, |draw| draw.below(1 << 24)),
        }),
        time_code: maybe(draw, |draw| TimeCode {
            freshness: freshness(draw),
            complete: maybe(draw, |draw| {
                if draw.happens(500) {
                    Frame::Quarters(quarters(draw))
                } else {
                    Frame::Full([0; 4].map(|_| draw.byte()))
                }
            }),
            direction: draw.of(&[Direction::Forward, Direction::Reverse]),
            partial: maybe(draw, |draw| Partial { point: draw.byte() & 7, quarters: quarters(draw) }),
        }),
        exclusives: maybe(draw, |draw| Exclusives {
            logs: list(draw, 1, |draw| ExclusiveLog {
                freshness: freshness(draw),
                type_count: maybe(draw, Draw::byte),
                count: maybe(draw, Draw::byte),
                first: maybe(draw, |draw| draw.of(&[0, 127, 128, 20_000, (1 << 28) - 1])),
                data: maybe(draw, |draw| list(draw, 1, |draw| draw.byte() & 127)),
                listing: draw.of(&[Listing::Latest, Listing::All]),
                status: draw.of(&[
                    ExclusiveStatus::Unfinished,
                    ExclusiveStatus::Cancelled,
                    ExclusiveStatus::WithoutEnd,
                    ExclusiveStatus::Finished,
                ]),
            }),
        }),
    }
}

fn maybe<T>(draw: &mut Draw, make: impl FnOnce(&mut Draw) -> T) -> Option<T> {
    draw.happens(500).then(|| make(draw))
}

fn list<T>(draw: &mut Draw, least: u32, mut make: impl FnMut(&mut Draw) -> T) -> Vec<T> {
    (0..least + draw.below(6)).map(|_| make(draw)).collect()
}

fn septet(draw: &mut Draw) -> U7 {
    U7::low_bits(draw.byte())
}

fn freshness(draw: &mut Draw) -> Freshness {
    draw.of(&[Freshness::News, Freshness::Known])
}

fn side(draw: &mut Draw) -> Side {
    draw.of(&[Side::Since, Side::Before])
}

fn family(draw: &mut Draw) -> Family {
    draw.of(&[Family::Registered, Family::NonRegistered])
}

fn entry(draw: &mut Draw) -> Entry {
    Entry { side: side(draw), value: septet(draw) }
}

fn button(draw: &mut Draw) -> Button {
    Button::new(i16::from_le_bytes([draw.byte(), draw.byte()]))
}
