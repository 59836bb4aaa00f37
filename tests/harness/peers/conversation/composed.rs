//! Packets of the types beneath a sender: all that the format can say.

use core::net::SocketAddr;

use anyhow::{Context as _, Result};
use lockstep_shared::midi::message::{Channel, Message, U7, U14};
use lockstep_shared::rtpmidi::control::{Control, Greeting, Ssrc, Token};
use lockstep_shared::rtpmidi::journal::wire::Direction;
use lockstep_shared::rtpmidi::journal::wire::{
    ActiveSensing, Bank, Button, ChannelJournal, ControllerLog, Controllers, Encoding, Entry, ExclusiveLog,
    ExclusiveStatus, Exclusives, Extra, ExtraLog, Family, Frame, Freshness, Journal, Listing, NoteExtras,
    NoteLog, Notes, ParameterLog, ParameterLogs, Partial, PolyPressures, Pressing, PressureLog, Program,
    Rendering, Sequencing, Side, Simple, SystemJournal, TimeCode, Tool, Transaction, Undefined,
    UndefinedRealtime, Wheel,
};
use lockstep_shared::rtpmidi::name::Name;
use lockstep_shared::rtpmidi::packet::Journal as Follows;
use lockstep_shared::rtpmidi::packet::{Beginning, End, Header, List, Segment, encode_header};
use lockstep_shared::rtpmidi::time::Timestamp;
use lockstep_shared::time::LocalTime;

use crate::midi::Datagram;

const LIST_BYTES: usize = 1_000;

/// An invitation, so that whoever listens knows what follows it, and the packets.
pub(super) fn packets(now: LocalTime) -> Result<Vec<Datagram>> {
    let (from, to) = ([10, 0, 3, 1], [10, 0, 3, 2]);
    let data = |bytes| Datagram {
        left: now,
        from: SocketAddr::from((from, 5_005)),
        to: SocketAddr::from((to, 5_005)),
        bytes,
    };
    let mut bytes = Vec::new();
    Control::Invite(Greeting { name: Name::new("composer"), ..Greeting::nameless(Token(1), Ssrc(2)) })
        .encode(&mut bytes);
    let mut said = vec![data(bytes)];
    let lists = lists()?;
    let journals = journals();
    for (number, place) in (0_u16..).zip(0..lists.len().max(journals.len())) {
        let mut bytes = Vec::new();
        let timestamp = Timestamp::from_bits(0xFFFF_FFF0).plus(u32::from(number) * 7);
        encode_header(Header { sequence: 0xFFFB_u16.wrapping_add(number), timestamp, ssrc: 2 }, &mut bytes);
        let list = lists.get(place).cloned().unwrap_or_default();
        match journals.get(place) {
            Some(journal) => {
                list.encode(Follows::Follows, &mut bytes);
                journal.encode(&mut bytes);
            }
            None => list.encode(Follows::Absent, &mut bytes),
        }
        said.push(data(bytes));
    }
    Ok(said)
}

/// Deltas of each length, each kind of segment, and everything else that is short.
fn lists() -> Result<Vec<List>> {
    let mut deltas = List::default();
    for (delta, bytes) in [
        (0, [0x90, 1, 2]),
        (5, [0x90, 3, 4]),
        (300, [0x90, 5, 6]),
        (20_000, [0x95, 7, 8]),
        (500_000, [0xB5, 9, 10]),
    ] {
        push(&mut deltas, delta, &bytes)?;
    }
    // Running status goes on through the clock, and not through what is common to the system.
    let mut running = List::default();
    for bytes in [
        &[0xE1, 1, 2][..],
        &[0xF8],
        &[0xE1, 3, 4],
        &[0xF2, 5, 6],
        &[0xE1, 7, 8],
        &[0xFE],
        &[0xC2, 9],
        &[0xC2, 10],
        &[0xD3, 11],
        &[0xA4, 12, 13],
        &[0x82, 14, 15],
        &[0xF1, 0x35],
        &[0xF3, 16],
        &[0xF6],
        &[0xFA],
        &[0xFB],
        &[0xFC],
        &[0xFF],
    ] {
        push(&mut running, 1, bytes)?;
    }
    let mut segments = Vec::new();
    for (beginning, end) in [
        (Beginning::First, End::Last),
        (Beginning::First, End::Continues),
        (Beginning::Continued, End::Continues),
        (Beginning::Continued, End::Last),
        (Beginning::Continued, End::Cancelled),
        (Beginning::First, End::LastUnsaid),
        (Beginning::Continued, End::LastUnsaid),
    ] {
        let mut list = List::default();
        push(&mut list, 0, &[0x90, 60, 1])?;
        list.push_segment(2, Segment { beginning, content: &[0x43, 1, 2, 3, 4], end }, LIST_BYTES)?;
        push(&mut list, 3, &[0x90, 60, 0])?;
        segments.push(list);
    }
    Ok([deltas, running].into_iter().chain(segments).collect())
}

fn push(list: &mut List, delta: u32, bytes: &[u8]) -> Result<()> {
    Ok(list.push(delta, &Message::from_short(bytes).context("no message")?, LIST_BYTES)?)
}

fn journals() -> Vec<Journal> {
    let empty = Journal { freshness: Freshness::Known, checkpoint: 0xFFFA, ..Journal::default() };
    let of_channels = |channels| Journal { checkpoint: 0xFFFA, channels, ..Journal::default() };
    let of_system = |system| Journal { checkpoint: 0xFFFA, system: Some(system), ..Journal::default() };
    let enhanced = Journal { encoding: Encoding::Enhanced, ..of_channels(vec![enhanced()]) };
    vec![
        empty,
        enhanced,
        of_channels(vec![
            every_chapter(),
            parameters(3, Transaction::Open),
            parameters(4, Transaction::Pending(Family::NonRegistered, U7::MAX)),
        ]),
        of_channels(vec![registered(5), of_notes(6, 127, 0), of_notes(7, 128, 0)]),
        of_channels(vec![
            of_notes(8, 126, 1 << 127),
            of_notes(9, 0, 1),
            of_notes(10, 127, u128::MAX >> 1 & !1),
        ]),
        of_system(whole_system()),
        of_system(time_codes()),
        of_system(exclusives()),
        Journal { channels: (0..16).map(wheel).collect(), ..of_system(stopped()) },
    ]
}

fn seven(value: u8) -> U7 {
    U7::low_bits(value)
}

fn on(channel: u8) -> ChannelJournal {
    ChannelJournal { channel: Channel::of_status(channel), ..ChannelJournal::default() }
}

/// One controller several times, by value, toggle and count.
fn enhanced() -> ChannelJournal {
    let tools = [Tool::Value(seven(1)), Tool::Toggle(62), Tool::Count(63), Tool::Value(seven(2))];
    let logs = tools.map(|tool| ControllerLog { freshness: Freshness::Known, number: seven(64), tool });
    let controllers = Controllers { freshness: Freshness::Known, logs: logs.to_vec() };
    ChannelJournal {
        freshness: Freshness::Known,
        encoding: Encoding::Enhanced,
        controllers: Some(controllers),
        ..on(1)
    }
}

fn every_chapter() -> ChannelJournal {
    let freshness = Freshness::Known;
    let logs = (0..128).map(|number| ControllerLog {
        freshness,
        number: seven(number),
        tool: Tool::Value(seven(127 - number)),
    });
    let bank = Bank { msb: seven(3), lsb: seven(4), side: Side::Before };
    ChannelJournal {
        program: Some(Program { freshness, program: seven(2), bank: Some(bank) }),
        controllers: Some(Controllers { freshness: Freshness::News, logs: logs.collect() }),
        parameters: Some(ParameterLogs::default()),
        wheel: Some(Wheel { freshness, bend: U14::CENTRE }),
        notes: Some(Notes {
            freshness,
            logs: vec![NoteLog {
                freshness,
                note: seven(61),
                rendering: Rendering::Skip,
                velocity: seven(62),
            }],
            released: 1 << 60 | 1 << 3,
        }),
        extras: Some(NoteExtras {
            freshness,
            logs: vec![
                ExtraLog { freshness, note: seven(61), extra: Extra::Count(seven(2)) },
                ExtraLog { freshness: Freshness::News, note: seven(60), extra: Extra::Release(seven(9)) },
            ],
        }),
        pressing: Some(Pressing { freshness, pressure: seven(44) }),
        poly_pressures: Some(PolyPressures {
            freshness,
            logs: vec![
                PressureLog { freshness, note: seven(61), side: Side::Before, pressure: seven(1) },
                PressureLog { freshness, note: seven(62), side: Side::Since, pressure: seven(2) },
            ],
        }),
        ..on(2)
    }
}

/// Parameters with every field, of both families.
fn parameters(channel: u8, transaction: Transaction) -> ChannelJournal {
    let entry = |value| Some(Entry { side: Side::Before, value: seven(value) });
    let whole = ParameterLog {
        freshness: Freshness::Known,
        family: Family::NonRegistered,
        msb: seven(1),
        lsb: seven(2),
        counts: true,
        values: true,
        entry_msb: entry(3),
        entry_lsb: entry(4),
        all_steps: Some((Side::Before, Button::new(-5))),
        steps_since_reset: Some(Button::new(6)),
        count: entry(7),
    };
    let bare = ParameterLog { lsb: seven(8), msb: seven(9), values: true, ..ParameterLog::default() };
    let logs = vec![whole, bare];
    ChannelJournal {
        parameters: Some(ParameterLogs { freshness: Freshness::Known, transaction, logs }),
        ..on(channel)
    }
}

/// Registered parameters below 128: their numbers are short.
fn registered(channel: u8) -> ChannelJournal {
    let log = |lsb| ParameterLog {
        lsb: seven(lsb),
        values: true,
        entry_msb: Some(Entry { side: Side::Since, value: seven(lsb + 1) }),
        ..ParameterLog::default()
    };
    let parameters = ParameterLogs {
        transaction: Transaction::Open,
        logs: vec![log(0), log(1), log(2)],
        ..ParameterLogs::default()
    };
    ChannelJournal { parameters: Some(parameters), ..on(channel) }
}

/// So many keys struck, and these released.
fn of_notes(channel: u8, count: u8, released: u128) -> ChannelJournal {
    let logs = (0..count).map(|note| NoteLog {
        freshness: Freshness::News,
        note: seven(note),
        rendering: Rendering::Play,
        velocity: seven(127 - note / 2),
    });
    ChannelJournal {
        notes: Some(Notes { freshness: Freshness::Known, logs: logs.collect(), released }),
        ..on(channel)
    }
}

fn wheel(channel: u8) -> ChannelJournal {
    let bend = U14::from_halves(seven(channel), seven(127 - channel));
    ChannelJournal { wheel: Some(Wheel { freshness: Freshness::News, bend }), ..on(channel) }
}

fn whole_system() -> SystemJournal {
    let marked = |value| Some((Freshness::Known, seven(value)));
    let undefined = |count, value: &[u8]| Undefined {
        freshness: Freshness::Known,
        count,
        size: 2,
        value: (!value.is_empty()).then(|| value.to_vec()),
        legal: None,
    };
    SystemJournal {
        freshness: Freshness::Known,
        simple: Some(Simple {
            freshness: Freshness::Known,
            reset: marked(1),
            tune: marked(2),
            song: marked(3),
            common: [Some(undefined(Some(4), &[5, 6])), Some(undefined(None, &[7]))],
            realtime: [8, 9].map(|count| {
                Some(UndefinedRealtime { freshness: Freshness::Known, count: Some(count), legal: None })
            }),
        }),
        active_sensing: Some(ActiveSensing { freshness: Freshness::Known, count: seven(100) }),
        sequencing: Some(Sequencing {
            freshness: Freshness::Known,
            running: true,
            played: true,
            position: 0x4_1234,
            time: Some(0x12_3456),
        }),
        time_code: Some(TimeCode {
            freshness: Freshness::Known,
            complete: Some(Frame::Quarters([1, 2, 3, 4, 5, 6, 7, 8])),
            direction: Direction::Reverse,
            partial: Some(Partial { point: 5, quarters: [0, 0, 0, 0, 0, 9, 10, 11] }),
        }),
        exclusives: Some(Exclusives { logs: vec![log(&[0x43, 1, 2])] }),
    }
}

fn time_codes() -> SystemJournal {
    let time_code = TimeCode {
        freshness: Freshness::News,
        complete: Some(Frame::Full([0x61, 2, 3, 4])),
        direction: Direction::Forward,
        partial: None,
    };
    SystemJournal { time_code: Some(time_code), ..SystemJournal::default() }
}

fn log(data: &[u8]) -> ExclusiveLog {
    ExclusiveLog {
        freshness: Freshness::News,
        type_count: Some(200),
        count: Some(201),
        first: None,
        data: Some(data.to_vec()),
        listing: Listing::All,
        status: ExclusiveStatus::Finished,
    }
}

/// FIRST of each length, each status, and one of which nothing but its number is told.
fn exclusives() -> SystemJournal {
    let statuses = [
        ExclusiveStatus::Unfinished,
        ExclusiveStatus::Cancelled,
        ExclusiveStatus::WithoutEnd,
        ExclusiveStatus::Finished,
    ];
    let with_first = [1_u32, 200, 20_000, 3_000_000].into_iter().zip(statuses);
    let logs =
        with_first.map(|(first, status)| ExclusiveLog { first: Some(first), status, ..log(&[0x43, 9]) });
    let bare = ExclusiveLog { type_count: None, data: None, listing: Listing::Latest, ..log(&[]) };
    SystemJournal {
        exclusives: Some(Exclusives { logs: logs.chain([bare]).collect() }),
        ..SystemJournal::default()
    }
}

fn stopped() -> SystemJournal {
    let sequencing =
        Sequencing { freshness: Freshness::News, running: false, played: false, position: 0, time: None };
    SystemJournal { sequencing: Some(sequencing), ..SystemJournal::default() }
}
