use crate::midi::Realtime;
use crate::midi::message::{Channel, Exclusive, Message, U7, Voice};
use crate::rtpmidi::journal::Chapter;
use crate::rtpmidi::packet::{Beginning, End, Header, Journal, List, Segment, encode_header};
use crate::rtpmidi::time::{ClockMap, Ticks, Timestamp};
use crate::time::{LocalTime, Span};

use super::*;

const SSRC: u32 = 0xE448_A90A;

fn millis(millis: i64) -> LocalTime {
    LocalTime::ZERO + Span::from_millis(millis)
}

fn voice(voice: Voice) -> Message {
    Message::Voice(Channel::of_status(1), voice)
}

fn strike(note: u8) -> Message {
    voice(Voice::NoteOn { note: U7::low_bits(note), velocity: U7::low_bits(100) })
}

fn release(note: u8) -> Message {
    voice(Voice::NoteOff { note: U7::low_bits(note), velocity: U7::MIDDLE })
}

/// A packet of `messages`, stamped `at`, with this journal if it has any.
fn packet(sequence: u16, at: LocalTime, messages: &[Message], journal: &[u8]) -> Vec<u8> {
    let (mut bytes, mut list) = (Vec::new(), List::default());
    messages.iter().for_each(|message| list.push(0, message, 1_000).expect("room"));
    encode_header(Header { sequence, timestamp: Timestamp::at(at), ssrc: SSRC }, &mut bytes);
    list.encode(if journal.is_empty() { Journal::Absent } else { Journal::Follows }, &mut bytes);
    bytes.extend_from_slice(journal);
    bytes
}

fn segment(sequence: u16, beginning: Beginning, content: &[u8], end: End) -> Vec<u8> {
    let (mut bytes, mut list) = (Vec::new(), List::default());
    list.push_segment(0, Segment { beginning, content, end }, 4_000).expect("room");
    encode_header(Header { sequence, timestamp: Timestamp::default(), ssrc: SSRC }, &mut bytes);
    list.encode(Journal::Absent, &mut bytes);
    bytes
}

fn receiver(delay: Delay) -> Receiver {
    Receiver::new(ReceiverSettings { delay, ..ReceiverSettings::default() })
}

fn adaptive() -> Receiver {
    Receiver::new(ReceiverSettings::default())
}

/// Hands over a packet and gives what is played then.
fn take(receiver: &mut Receiver, now: LocalTime, packet: &[u8]) -> Vec<Played> {
    receiver.handle_packet(now, packet, None).expect("a packet");
    played(receiver, now)
}

fn played(receiver: &mut Receiver, now: LocalTime) -> Vec<Played> {
    core::iter::from_fn(|| receiver.poll_event(now)).collect()
}

fn messages(played: Vec<Played>) -> Vec<Message> {
    played.into_iter().map(|played| played.message).collect()
}

/// Same clock on both sides.
fn shared_clock() -> Option<ClockMap> {
    Some(ClockMap::new(Ticks::at(millis(0)), millis(0), 0.0))
}

/// A journal as macOS writes it: key 67 of channel 2 was released, or struck.
const RELEASED_67: [u8; 9] = [0x20, 0, 1, 0x08, 0x06, 0x08, 0x00, 0x88, 0x10];

#[test]
fn a_release_that_was_lost_comes_from_the_journal_before_the_packets_own_messages() {
    let mut receiver = adaptive();
    take(&mut receiver, millis(0), &packet(7, millis(0), &[strike(67)], &[]));
    // 8 is lost: the release. 9 waits for it until its own time, which is now.
    let heard = take(&mut receiver, millis(20), &packet(9, millis(20), &[strike(68)], &RELEASED_67));
    assert_eq!(heard[0].origin, Origin::Repaired(Chapter::Notes));
    assert!(matches!(&heard[0].message, Message::Voice(_, voice) if voice.is_release()));
    assert_eq!((heard[1].origin, &heard[1].message, heard.len()), (Origin::Sent, &strike(68), 2));
    let counters = *receiver.counters();
    assert_eq!((counters.lost, counters.unrepaired, counters.repaired_by(Chapter::Notes)), (1, 0, 1));
    // It comes after all: dropped.
    assert_eq!(take(&mut receiver, millis(21), &packet(8, millis(10), &[release(67)], &[])), []);
    assert_eq!(receiver.counters().late, 1);
}

#[test]
fn packets_out_of_order_wait_and_duplicates_are_dropped() {
    let mut receiver = adaptive();
    let sent: Vec<_> = (0..4)
        .map(|n| packet(65_534_u16.wrapping_add(n), millis(0), &[strike(n.to_le_bytes()[0])], &[]))
        .collect();
    take(&mut receiver, millis(0), &sent[0]);
    assert_eq!(take(&mut receiver, millis(1), &sent[3]), []);
    assert_eq!(take(&mut receiver, millis(1), &sent[2]), []);
    assert_eq!(take(&mut receiver, millis(1), &sent[2]), []);
    assert_eq!(messages(take(&mut receiver, millis(2), &sent[1])), [strike(1), strike(2), strike(3)]);
    assert_eq!(take(&mut receiver, millis(2), &sent[1]), []);
    let counters = *receiver.counters();
    assert_eq!((counters.received, counters.duplicate, counters.reordered), (6, 2, 1));
    assert_eq!((counters.lost, counters.late), (0, 0));
}

#[test]
fn without_a_journal_a_gap_is_waited_for_and_of_what_is_late_only_releases_are_played() {
    let mut receiver = adaptive();
    take(&mut receiver, millis(0), &packet(1, millis(0), &[strike(60)], &[]));
    assert_eq!(take(&mut receiver, millis(10), &packet(3, millis(10), &[strike(62)], &[])), []);
    assert_eq!(receiver.poll_timeout(), Some(millis(13)));
    assert_eq!(messages(played(&mut receiver, millis(13))), [strike(62)]);
    assert_eq!((receiver.counters().lost, receiver.counters().unrepaired), (1, 1));
    let late = packet(2, millis(5), &[strike(61), release(60)], &[]);
    assert_eq!(messages(take(&mut receiver, millis(14), &late)), [release(60)]);
    assert_eq!(receiver.counters().late, 1);
}

#[test]
fn a_sender_that_begins_anew_leaves_nothing_sounding() {
    // Another SSRC, numbers far off with newer stamps, and numbers a little back with newer stamps.
    let mut other = packet(9, millis(50), &[strike(1)], &[]);
    other[11] ^= 1;
    for (sequence, restart, taken) in
        [(5_000, other, 1), (5_000, packet(60_000, millis(50), &[strike(1)], &[]), 1)]
    {
        let mut receiver = adaptive();
        take(&mut receiver, millis(0), &packet(sequence, millis(0), &[strike(60), strike(61)], &[]));
        let heard = take(&mut receiver, millis(50), &restart);
        assert_eq!(heard.len(), 2 + taken);
        assert!(heard[..2].iter().all(|played| played.origin == Origin::Released), "{heard:?}");
        assert_eq!((receiver.counters().restarts, receiver.counters().silenced), (1, 2));
    }
    let mut receiver = adaptive();
    for n in 0..50 {
        take(&mut receiver, millis(n.into()), &packet(n, millis(n.into()), &[strike(60)], &[]));
    }
    let mut heard = Vec::new();
    for n in 20..30 {
        let again = packet(n, millis(i64::from(n) * 30), &[strike(61)], &[]);
        heard.extend(take(&mut receiver, millis(1_000), &again));
    }
    heard.extend(played(&mut receiver, millis(2_000)));
    assert_eq!((heard.len(), receiver.counters().restarts, receiver.counters().duplicate), (1 + 7, 1, 3));
    // A stray of long ago is none.
    let stray = packet(40_000, millis(0), &[strike(1)], &[]);
    assert_eq!(take(&mut receiver, millis(2_001), &stray), []);
    assert_eq!(receiver.counters().restarts, 1);
}

#[test]
fn a_drop_ends_what_was_handed_out_and_forgets_the_rest() {
    let mut receiver = receiver(Delay::Fixed(Span::from_millis(10)));
    let pedal = voice(Voice::Control { number: U7::low_bits(64), value: U7::MAX });
    take(&mut receiver, millis(0), &packet(1, millis(0), &[strike(60), strike(61), release(61), pedal], &[]));
    played(&mut receiver, millis(10));
    take(&mut receiver, millis(11), &packet(2, millis(11), &[strike(62)], &[]));
    receiver.release(millis(12));
    let up = voice(Voice::Control { number: U7::low_bits(64), value: U7::ZERO });
    assert_eq!(messages(played(&mut receiver, millis(12))), [release(60), up]);
    assert_eq!(receiver.counters().silenced, 1);
    assert_eq!(played(&mut receiver, millis(1_000)), []);
}

#[test]
fn stamps_are_played_without_the_networks_jitter_when_the_delay_covers_it() {
    for clock in [shared_clock(), None] {
        let mut receiver = receiver(Delay::Fixed(Span::from_millis(15)));
        let mut heard = Vec::new();
        for n in 0..500_u16 {
            let at = millis(20 * i64::from(n));
            // The first has the shortest way.
            let now = at + Span::from_micros(i64::from(n) * 7_919 % 14_000);
            let clock_tick = [Message::Realtime(Realtime::Clock)];
            receiver.handle_packet(now, &packet(n, at, &clock_tick, &[]), clock).expect("a packet");
            heard.extend(played(&mut receiver, at + Span::from_millis(15)));
        }
        let steps: Vec<_> = heard.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        let uneven = steps.iter().filter(|step| **step != Span::from_millis(20)).count();
        assert_eq!((heard.len(), uneven, receiver.counters().overdue), (500, 0, 0), "{clock:?} {steps:?}");
    }
}

#[test]
fn the_adaptive_delay_grows_to_what_is_needed_and_falls_slowly_when_it_is_not() {
    let mut receiver = adaptive();
    let run = |receiver: &mut Receiver, from: u16, to: u16, spread: i64| {
        let before = receiver.counters().overdue;
        for n in from..to {
            let at = millis(20 * i64::from(n));
            let now = at + Span::from_micros(40_000 + i64::from(n) * 7_919 % (spread + 1));
            receiver
                .handle_packet(now, &packet(n, at, &[strike(60)], &[]), shared_clock())
                .expect("a packet");
            while receiver.poll_event(now + Span::from_millis(60)).is_some() {}
        }
        receiver.counters().overdue - before
    };
    run(&mut receiver, 0, 1_000, 12_000);
    assert!((51.0..53.0).contains(&receiver.delay().millis_f64()), "{}", receiver.delay());
    let late = run(&mut receiver, 1_000, 3_000, 12_000);
    assert!(late <= 2_000 / 100, "{late}");
    let jitter = receiver.jitter();
    assert!((5.0..7.0).contains(&jitter.p50.millis_f64()) && (11.0..12.5).contains(&jitter.p99.millis_f64()));
    run(&mut receiver, 3_000, 20_000, 1_000);
    assert!((40.0..43.0).contains(&receiver.delay().millis_f64()), "{}", receiver.delay());
}

#[test]
fn stamps_ahead_are_kept_and_need_no_delay() {
    let mut receiver = adaptive();
    for n in 0..200_u16 {
        let now = millis(20 * i64::from(n)) + Span::from_micros(i64::from(n) * 7_919 % 14_000);
        let at = millis(20 * i64::from(n) + 30);
        receiver.handle_packet(now, &packet(n, at, &[strike(60)], &[]), shared_clock()).expect("a packet");
        assert_eq!(receiver.poll_event(at - Span::from_nanos(1)), None);
        assert_eq!(receiver.poll_event(at).map(|played| played.at), Some(at));
    }
    assert_eq!((receiver.delay(), receiver.counters().overdue), (Span::ZERO, 0));
}

#[test]
fn stamps_that_make_no_sense_are_played_at_once_and_then_measured_anew() {
    let mut receiver = adaptive();
    for n in 0..40_u16 {
        let now = millis(10_000 + 20 * i64::from(n));
        let stamp = millis(1_000_000 + 20 * i64::from(n));
        receiver.handle_packet(now, &packet(n, stamp, &[strike(60)], &[]), shared_clock()).expect("a packet");
        assert_eq!(receiver.poll_event(now).map(|played| played.at), Some(now));
    }
    assert_eq!(receiver.counters().clamped, 15, "after that the map is not believed");
}

#[test]
fn messages_are_handed_out_ahead_of_their_time_if_asked() {
    let delay = Delay::Fixed(Span::from_millis(10));
    let ahead = Span::from_millis(4);
    let mut receiver = Receiver::new(ReceiverSettings { delay, ahead, ..ReceiverSettings::default() });
    receiver.handle_packet(millis(0), &packet(1, millis(0), &[strike(60)], &[]), None).expect("a packet");
    assert_eq!(receiver.poll_timeout(), Some(millis(6)));
    assert_eq!(receiver.poll_event(millis(6)).map(|played| played.at), Some(millis(10)));
    receiver.release(millis(7));
    assert_eq!(
        receiver.poll_event(millis(7)).map(|played| played.at),
        Some(millis(10)),
        "not before its strike"
    );
}

#[test]
fn feedback_comes_each_second_under_steady_traffic_and_soon_after_a_loss() {
    let mut receiver = adaptive();
    let mut given = Vec::new();
    for n in 0..400_u16 {
        let now = millis(10 * i64::from(n));
        if n != 250 {
            take(&mut receiver, now, &packet(n, now, &[strike(60)], &[0x80, 0, 0]));
        }
        given.extend(receiver.feedback(now).map(|number| (n, number)));
    }
    assert_eq!(given, [(100, 100), (201, 201), (251, 251), (352, 352)]);
    // After the last packet it is told once more, and then no more.
    let later: Vec<_> = (4_000..9_000).filter_map(|now| receiver.feedback(millis(now))).collect();
    assert_eq!(later, [399]);
}

#[test]
fn exclusive_messages_in_segments_are_whole_or_not_played() {
    let mut receiver = adaptive();
    let parts = |first: u16, skip: u16| {
        let ends = [End::Continues, End::Continues, End::LastUnsaid];
        (0..3).zip(ends).filter(move |(n, _)| *n != skip).map(move |(n, end)| {
            let beginning = if n == 0 { Beginning::First } else { Beginning::Continued };
            segment(first + n, beginning, &[n.to_le_bytes()[0]; 2], end)
        })
    };
    let mut heard = Vec::new();
    for bytes in parts(0, 9).chain(parts(3, 1)).chain(parts(6, 9)) {
        heard.extend(take(&mut receiver, millis(0), &bytes));
        heard.extend(played(&mut receiver, millis(4)));
    }
    let whole = Message::Exclusive(Exclusive::new(&[0, 0, 1, 1, 2, 2]).expect("data"));
    assert_eq!(messages(heard), [whole.clone(), whole]);
    assert_eq!(receiver.counters().truncated, 1);

    take(&mut receiver, millis(10), &segment(9, Beginning::First, &[1], End::Continues));
    assert_eq!(played(&mut receiver, millis(6_000)), []);
    assert_eq!(receiver.counters().truncated, 2, "given up after 5 s");
    take(&mut receiver, millis(6_000), &segment(10, Beginning::First, &[1], End::Continues));
    take(&mut receiver, millis(6_000), &segment(11, Beginning::Continued, &[], End::Cancelled));
    assert_eq!(receiver.counters().truncated, 2, "taken back");
}

#[test]
fn endless_and_endlessly_begun_exclusive_messages_keep_no_memory() {
    let mut receiver = adaptive();
    take(&mut receiver, millis(0), &segment(0, Beginning::First, &[1; 1_000], End::Continues));
    for n in 1..1_000 {
        take(&mut receiver, millis(0), &segment(n, Beginning::Continued, &[1; 1_000], End::Continues));
    }
    assert_eq!((receiver.counters().oversized, receiver.counters().played), (1, 0));
    for n in 1_000..3_000 {
        take(&mut receiver, millis(0), &segment(n, Beginning::First, &[1; 1_000], End::Continues));
    }
    assert_eq!(receiver.counters().truncated, 1_999);
    // Whole ones that nobody takes, 2 s ahead.
    for n in 3_000..10_000 {
        let bytes = segment(n, Beginning::First, &[1; 1_000], End::Last);
        receiver.handle_packet(millis(0), &bytes, None).expect("a packet");
    }
    assert!(played(&mut receiver, millis(0)).len() <= 524);
    assert!(receiver.counters().overflowed > 6_000);
}

#[test]
fn a_feedback_that_has_nothing_to_tell_is_over_too() {
    let mut receiver = adaptive();
    // A journal of two octets has no header, and before the first packet anything may have been lost.
    take(&mut receiver, millis(0), &packet(1, millis(0), &[strike(60)], &[0x20, 0]));
    assert_eq!(receiver.poll_timeout(), Some(millis(1_000)));
    assert_eq!(receiver.feedback(millis(1_000)), None);
    assert_eq!(receiver.poll_timeout(), None);
}

#[test]
fn a_packet_that_waits_for_another_does_not_play_after_a_release() {
    let mut receiver = adaptive();
    take(&mut receiver, millis(0), &packet(1, millis(0), &[strike(60)], &[]));
    // 2 is on its way when the peer says goodbye.
    assert_eq!(take(&mut receiver, millis(1), &packet(3, millis(1), &[strike(61)], &[])), []);
    receiver.release(millis(2));
    assert_eq!(messages(played(&mut receiver, millis(100))), [release(60)]);
    // It returns, and what was forgotten counts as lost.
    let heard = take(&mut receiver, millis(200), &packet(4, millis(200), &[strike(62)], &RELEASED_67));
    assert_eq!((messages(heard), receiver.counters().lost), (vec![strike(62)], 2));
}

#[test]
fn a_release_before_another_was_played_ends_the_same() {
    let mut receiver = adaptive();
    take(&mut receiver, millis(0), &packet(1, millis(0), &[strike(60)], &[]));
    receiver.release(millis(1));
    receiver.release(millis(2));
    assert_eq!(messages(played(&mut receiver, millis(2))), [release(60)]);
}

#[test]
fn after_a_release_nothing_comes_before_what_was_handed_out_ahead() {
    let delay = Delay::Fixed(Span::from_millis(50));
    let ahead = Span::from_millis(100);
    let mut receiver = Receiver::new(ReceiverSettings { delay, ahead, ..ReceiverSettings::default() });
    let heard = take(&mut receiver, millis(0), &packet(1, millis(0), &[strike(60), release(60)], &[]));
    assert_eq!(heard.last().map(|last| last.at), Some(millis(50)));
    receiver.release(millis(1));
    // A stamp that makes no sense counts as now.
    let heard = take(&mut receiver, millis(10), &packet(2, millis(60_000), &[strike(61)], &[]));
    assert_eq!(heard.first().map(|first| first.at), Some(millis(50)));
}

#[test]
fn any_packets_are_taken_without_a_panic() {
    let mut seed = 1_u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed.to_be_bytes()[0]
    };
    let mut receiver = adaptive();
    let mut heard = 0;
    for round in 0..200_000_u32 {
        let [low, high, ..] = round.to_le_bytes();
        let sequence = u16::from_le_bytes([low, high]).wrapping_add(u16::from(random() % 4));
        let now = millis(i64::from(round / 4));
        let mut bytes =
            packet(sequence, now + Span::from_millis(i64::from(random())), &[strike(60)], &RELEASED_67);
        bytes.extend((0..random() % 16).map(|_| random()));
        let from = if random() == 0 { 0 } else { 12 };
        for _ in 0..random() % 4 {
            let place = from + usize::from(random()) % (bytes.len() - from);
            bytes[place] ^= random();
        }
        let _ = receiver.handle_packet(now, &bytes, if random() < 128 { shared_clock() } else { None });
        heard += played(&mut receiver, now).len();
        let _ = receiver.feedback(now);
    }
    let counters = *receiver.counters();
    assert!(
        heard > 30_000 && counters.repaired() > 100 && counters.broken_lists > 100,
        "{heard} {counters:?}"
    );
    assert!(
        counters.malformed > 100 && counters.restarts > 10 && counters.broken_journals > 100,
        "{counters:?}"
    );
}
