use proptest::prelude::*;

use super::super::time::Timestamp;
use super::*;
use crate::midi::message::{Exclusive, Message};

/// Two packets that macOS 10.14 sent: a release and a strike of key 67, each with a journal.
const APPLE: [&[u8]; 2] = [
    &[
        0x80, 0x61, 0x43, 0x49, 0x3B, 0x5C, 0xF2, 0x15, 0xE4, 0x48, 0xA9, 0x0A, 0x43, 0x81, 0x43, 0x40, 0x20,
        0x00, 0x01, 0x08, 0x08, 0x08, 0x01, 0x88, 0x43, 0x64, 0xCA,
    ],
    &[
        0x80, 0x61, 0x43, 0x4A, 0x3B, 0x5D, 0x03, 0x2C, 0xE4, 0x48, 0xA9, 0x0A, 0x43, 0x91, 0x44, 0x64, 0x20,
        0x00, 0x01, 0x08, 0x06, 0x08, 0x00, 0x88, 0xDA,
    ],
];

fn header(sequence: u16) -> Header {
    Header { sequence, timestamp: Timestamp::from_bits(0x0102_0304), ssrc: 0xAABB_CCDD }
}

fn message(bytes: &[u8]) -> Message {
    Message::from_short(bytes).expect("a whole message")
}

/// A packet with this section after the header.
fn packet(section: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_header(header(1), &mut bytes);
    bytes.extend_from_slice(section);
    bytes
}

/// The commands of a list without a first delta.
fn commands(list: &[u8]) -> Vec<Result<Timed<'_>, ListError>> {
    Commands::new(list, false).collect()
}

fn at<'a>(after_ticks: u32, bytes: &[u8]) -> Result<Timed<'a>, ListError> {
    Ok(Timed { after_ticks, command: Command::Message(message(bytes)) })
}

fn part(beginning: Beginning, content: &[u8], end: End) -> Command<'_> {
    Command::Segment(Segment { beginning, content, end })
}

#[test]
fn the_packets_of_macos_read_field_by_field_and_are_written_the_same() {
    let commands = [[0x81, 67, 64], [0x91, 68, 100]];
    for ((bytes, command), (sequence, stamp)) in
        APPLE.iter().zip(commands).zip([(0x4349, 0x3B5C_F215), (0x434A, 0x3B5D_032C)])
    {
        let packet = Packet::decode(bytes).expect("a packet");
        let header = Header { sequence, timestamp: Timestamp::from_bits(stamp), ssrc: 0xE448_A90A };
        assert_eq!(packet.header, header);
        assert_eq!(packet.commands.clone().collect::<Vec<_>>(), [at(0, &command)]);
        assert_eq!(packet.journal, Some(&bytes[16..]));

        let (mut list, mut written) = (List::default(), Vec::new());
        list.push(0, &message(&command), LIST_BYTES_MAX).expect("room");
        encode_header(header, &mut written);
        list.encode(Journal::Follows, &mut written);
        written.extend_from_slice(&bytes[16..]);
        assert_eq!(&written, bytes);
    }
}

#[test]
fn deltas_add_up_and_may_have_four_octets_and_stand_first_or_last() {
    let list = [
        0x90, 60, 1, 0x00, 62, 1, 0x7F, 64, 1, 0x81, 0x00, 65, 1, 0x81, 0x80, 0x00, 66, 1, 0x81, 0x80, 0x80,
        0,
    ];
    let expected =
        [(0, 60), (0, 62), (127, 64), (255, 65), (255 + 16_384, 66)].map(|(t, n)| at(t, &[0x90, n, 1]));
    assert_eq!(commands(&list), expected);

    let bytes = packet(&[0x25, 0x05, 0x80, 1, 2, 0x09]);
    let read: Vec<_> = Packet::decode(&bytes).expect("a packet").commands.collect();
    assert_eq!(read, [at(5, &[0x80, 1, 2])]);
    assert_eq!(commands(&[0xF8, 0x80, 0x80, 0x80, 0x80, 0x00]), [at(0, &[0xF8]), Err(ListError::Delta)]);
}

#[test]
fn running_status_passes_the_clock_and_ends_with_the_system() {
    let list = [0xB3, 1, 2, 0, 0xF8, 0, 3, 4, 0, 0xF6, 0, 5, 6];
    let expected = [at(0, &[0xB3, 1, 2]), at(0, &[0xF8]), at(0, &[0xB3, 3, 4]), at(0, &[0xF6])];
    let read = commands(&list);
    assert_eq!(read[..4], expected);
    assert_eq!(read[4..], [Err(ListError::NoStatus(5))]);
}

#[test]
fn exclusive_messages_come_whole_in_parts_cancelled_and_unended() {
    let list = [
        0xF0, 1, 2, 0xF7, 0, 0xF0, 3, 0xF0, 0, 0xF8, 0, 0xF7, 4, 0xF0, 0, 0xF7, 0xF7, 0, 0xF7, 0xF4, 0, 0xF0,
        5, 0xF5, 0, 0xF7, 6, 0xF5,
    ];
    let expected = [
        part(Beginning::First, &[1, 2], End::Last),
        part(Beginning::First, &[3], End::Continues),
        Command::Message(message(&[0xF8])),
        part(Beginning::Continued, &[4], End::Continues),
        part(Beginning::Continued, &[], End::Last),
        part(Beginning::Continued, &[], End::Cancelled),
        part(Beginning::First, &[5], End::LastUnsaid),
        part(Beginning::Continued, &[6], End::LastUnsaid),
    ];
    let read: Vec<_> = commands(&list).into_iter().map(|timed| timed.expect("read").command).collect();
    assert_eq!(read, expected);
}

#[test]
fn undefined_commands_are_passed_over_to_what_follows() {
    let undefined = |status| Ok(Timed { after_ticks: 0, command: Command::Undefined(status) });
    let clock = at(0, &[0xF8]);
    for list in [
        &[0xF9, 0, 0xF8][..],
        &[0xFD, 0, 0xF8],
        &[0xF4, 0, 0xF8],
        &[0xF4, 1, 2, 3, 0, 0xF8],
        &[0xF4, 1, 2, 0xF7, 0, 0xF8],
        &[0xF5, 0xF7, 0, 0xF8],
    ] {
        assert_eq!(commands(list), [undefined(list[0]), clock.clone()], "{list:x?}");
    }
    assert_eq!(commands(&[0xF4, 1, 2, 3]), [undefined(0xF4)]);
    // A delta of two octets is no status.
    let later = Ok(Timed { after_ticks: 128, command: Command::Message(message(&[0xF8])) });
    assert_eq!(commands(&[0xF4, 0x81, 0x00, 0xF8]), [undefined(0xF4), later]);
}

#[test]
fn what_other_stacks_do_with_the_header_is_taken() {
    // M set; another dynamic type; contributors, an extension and padding; the P bit; no list and no journal.
    let mut frames = vec![packet(&[0x01, 0xF8]); 5];
    frames[1][1] = 0x80 | 96;
    frames[2][1] = 127;
    frames[3][0] = 0x80 | 0x20 | 0x10 | 2;
    frames[3].splice(12..12, [0; 8].into_iter().chain([0, 0, 0, 1, 9, 9, 9, 9]));
    frames[3].extend_from_slice(&[0, 0, 3]);
    frames[4][12] = 0x11;
    for frame in &frames {
        let read: Vec<_> = Packet::decode(frame).expect("a packet").commands.collect();
        assert_eq!(read, [at(0, &[0xF8])], "{frame:x?}");
    }
    let empty = packet(&[0x00]);
    let empty = Packet::decode(&empty).expect("a packet");
    assert!(empty.commands.is_empty() && empty.journal.is_none());
    let journal_only = packet(&[0x40, 0x10, 0, 0]);
    assert_eq!(Packet::decode(&journal_only).expect("a packet").journal, Some(&[0x10, 0, 0][..]));
}

#[test]
fn lengths_that_lie_are_named() {
    let error = |bytes: &[u8]| Packet::decode(bytes).map(|packet| packet.header).expect_err("refused");
    assert_eq!(error(&[0x80; 11]), PacketError::Header(11));
    assert_eq!(error(&packet(&[])), PacketError::Section);
    assert_eq!(error(&packet(&[0x83])), PacketError::Section);
    assert_eq!(error(&packet(&[0x03, 0x90, 60])), PacketError::ListLength { said: 3, present: 2 });
    assert_eq!(error(&packet(&[0x8F, 0xFF, 1])), PacketError::ListLength { said: 4095, present: 1 });
    let with = |place: usize, value: u8| {
        let mut bytes = packet(&[0x01, 0xF8]);
        bytes[place] = value;
        error(&bytes)
    };
    assert_eq!(with(0, 0x40), PacketError::Version(1));
    assert_eq!(with(1, 33), PacketError::PayloadType(33));
    assert_eq!(with(0, 0x81), PacketError::Header(14));
    assert_eq!(with(0, 0x90), PacketError::Header(14));
    assert_eq!(with(0, 0xA0), PacketError::Padding { said: 0xF8, present: 2 });
    assert_eq!(commands(&[0x90, 60]), [Err(ListError::Short)]);
    assert_eq!(commands(&[0x90, 60, 0x90]), [Err(ListError::Status { status: 0x90, inside: 0x90 })]);
    assert_eq!(commands(&[0xF0, 1, 2]), [Err(ListError::Short)]);
    assert_eq!(commands(&[0xF0, 1, 0x90]), [Err(ListError::Status { status: 0x90, inside: 0xF0 })]);
}

#[test]
fn a_full_list_is_as_it_was() {
    let mut list = List::default();
    let note = message(&[0x90, 60, 1]);
    while list.push(300, &note, 20).is_ok() {}
    assert_eq!(list.len(), 19);
    let segment = Segment { beginning: Beginning::First, content: &[1; 30], end: End::Last };
    assert_eq!(list.push_segment(0, segment, 20), Err(Full));
    assert_eq!(list.push(0, &Exclusive::new(&[]).map(Message::Exclusive).expect("data"), 20), Err(Full));
    assert_eq!(list.len(), 19);
    list.clear();
    assert!(list.is_empty());
}

/// An owned command for the property: bytes of a message, or a segment.
#[derive(Clone, Debug)]
enum Sent {
    Message(Message),
    Segment(Beginning, Vec<u8>, End),
}

fn sent() -> impl Strategy<Value = Sent> {
    let short =
        (0x80..=0xFF_u8, 0..128_u8, 0..128_u8).prop_filter_map("defined", |(status, first, second)| {
            (1..=3)
                .find_map(|count| Message::from_short(&[status, first, second][..count]))
                .map(Sent::Message)
        });
    let beginning = prop_oneof![Just(Beginning::First), Just(Beginning::Continued)];
    let end = prop_oneof![Just(End::Last), Just(End::LastUnsaid), Just(End::Continues), Just(End::Cancelled)];
    let segment = (beginning, prop::collection::vec(0..128_u8, 0..60), end);
    prop_oneof![4 => short, 1 => segment.prop_map(|(b, content, e)| Sent::Segment(b, content, e))]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        sent in prop::collection::vec((0..1_000_000_u32, sent()), 0..40), journal in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let (mut list, mut bytes, mut elapsed, mut expected) = (List::default(), Vec::new(), 0, Vec::new());
        for (ticks, sent) in &sent {
            // The whole list stays below the minute that is believed.
            let ticks = *ticks >> 6;
            let command = match sent {
                Sent::Message(message) => {
                    list.push(ticks, message, LIST_BYTES_MAX).unwrap();
                    Command::Message(message.clone())
                }
                Sent::Segment(beginning, content, end) => {
                    let segment = Segment { beginning: *beginning, content, end: *end };
                    list.push_segment(ticks, segment, LIST_BYTES_MAX).unwrap();
                    Command::Segment(segment)
                }
            };
            elapsed += if expected.is_empty() { 0 } else { ticks };
            expected.push(Ok(Timed { after_ticks: elapsed.min(600_000), command }));
        }
        encode_header(header(7), &mut bytes);
        list.encode(if journal.is_empty() { Journal::Absent } else { Journal::Follows }, &mut bytes);
        bytes.extend_from_slice(&journal);
        let packet = Packet::decode(&bytes).unwrap();
        prop_assert_eq!(packet.header, header(7));
        prop_assert_eq!(packet.journal.unwrap_or_default(), &journal[..]);
        prop_assert_eq!(packet.commands.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn any_bytes_decode_to_something_without_a_panic() {
    let mut seed = 1_u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed.to_be_bytes()[0]
    };
    let (mut packets, mut messages, mut errors) = (0, 0, 0);
    for round in 0..200_000 {
        let mut bytes = if round % 2 == 0 { APPLE[0].to_vec() } else { packet(&[0x8F & random(), 30]) };
        bytes.truncate(usize::from(random() % 32));
        bytes.extend((0..random() % 64).map(|_| random()));
        for _ in 0..random() % 4 {
            let place = usize::from(random()) % bytes.len().max(1);
            bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= random());
        }
        let Ok(packet) = Packet::decode(&bytes) else { continue };
        packets += 1;
        for timed in packet.commands {
            match timed {
                Ok(timed) => {
                    assert!(timed.after_ticks <= 600_000);
                    messages += 1;
                }
                Err(_) => errors += 1,
            }
        }
    }
    assert!(packets > 10_000 && messages > 10_000 && errors > 1_000, "{packets} {messages} {errors}");
}
