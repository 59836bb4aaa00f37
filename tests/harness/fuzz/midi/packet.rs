//! Media packets, from bytes.

use lockstep_shared::rtpmidi::packet::{
    Command, Commands, HEADER_BYTES, Journal, LIST_BYTES_MAX, List, Packet, Timed, encode_header,
};

/// A packet decodes if its lengths are true, and its journal is what is left of it; what could be heard, written
/// again, is a packet in which the same is heard at the same time.
pub fn midi_packet(bytes: &[u8]) {
    let packet = Packet::decode(bytes);
    let measured = measure(bytes);
    assert_eq!(packet.is_ok(), measured.is_some(), "{packet:?}");
    let (Ok(packet), Some((list, journal))) = (packet, measured) else { return };
    assert_eq!(packet.journal, journal);
    assert_eq!(packet.commands.is_empty(), list.is_empty());
    let heard = readable(packet.commands.clone());
    assert!(heard.len() <= list.len(), "a command has a byte at least");
    assert!(heard.is_sorted_by_key(|timed| timed.after_ticks));
    let again = written(&packet, &heard, journal);
    let second = Packet::decode(&again).expect("what we wrote");
    let first_ticks = heard.first().map_or(0, |timed| timed.after_ticks);
    assert_eq!(second.header.timestamp, packet.header.timestamp.plus(first_ticks));
    assert_eq!((second.header.sequence, second.header.ssrc), (packet.header.sequence, packet.header.ssrc));
    assert_eq!(second.journal, journal);
    let mut told = heard;
    told.iter_mut().for_each(|timed| timed.after_ticks -= first_ticks);
    let commands: Vec<_> = second.commands.collect::<Result<_, _>>().expect("what we wrote");
    assert_eq!(commands, told);
}

/// What can be read and means something.
fn readable(mut commands: Commands<'_>) -> Vec<Timed<'_>> {
    let mut heard = Vec::new();
    for timed in commands.by_ref() {
        let Ok(timed) = timed else { break };
        match timed.command {
            Command::Message(_) | Command::Segment(_) => heard.push(timed),
            Command::Undefined(status) => assert!(matches!(status, 0xF4 | 0xF5 | 0xF9 | 0xFD)),
        }
    }
    assert!(commands.next().is_none(), "nothing follows what could not be read");
    heard
}

fn written(packet: &Packet<'_>, heard: &[Timed<'_>], journal: Option<&[u8]>) -> Vec<u8> {
    let mut list = List::default();
    let first_ticks = heard.first().map_or(0, |timed| timed.after_ticks);
    let mut last = first_ticks;
    for timed in heard {
        let delta = timed.after_ticks - last;
        last = timed.after_ticks;
        let pushed = match &timed.command {
            Command::Message(message) => list.push(delta, message, LIST_BYTES_MAX),
            Command::Segment(segment) => list.push_segment(delta, *segment, LIST_BYTES_MAX),
            Command::Undefined(_) => Ok(()),
        };
        pushed.expect("no list of ours is longer than the same of somebody else");
    }
    let mut header = packet.header;
    header.timestamp = header.timestamp.plus(first_ticks);
    let mut again = Vec::new();
    encode_header(header, &mut again);
    list.encode(if journal.is_some() { Journal::Follows } else { Journal::Absent }, &mut again);
    again.extend_from_slice(journal.unwrap_or_default());
    again
}

/// The list and the journal by RFC 3550 and RFC 6295, if every length is true.
fn measure(bytes: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let (first, kind) = (*bytes.first()?, *bytes.get(1)?);
    if first >> 6 != 2 || !(96..128).contains(&(kind & 0x7F)) {
        return None;
    }
    let mut start = HEADER_BYTES + 4 * usize::from(first & 0x0F);
    if first & 0x10 != 0 {
        let words = bytes.get(start + 2..start + 4)?;
        start += 4 + 4 * (usize::from(words[0]) * 256 + usize::from(words[1]));
    }
    let mut payload = bytes.get(start..)?;
    if first & 0x20 != 0 {
        let padding = usize::from(*payload.last()?);
        if padding == 0 || padding > payload.len() {
            return None;
        }
        payload = &payload[..payload.len() - padding];
    }
    let flags = *payload.first()?;
    let (length, begin) = if flags & 0x80 == 0 {
        (usize::from(flags & 0x0F), 1)
    } else {
        (usize::from(flags & 0x0F) * 256 + usize::from(*payload.get(1)?), 2)
    };
    let list = payload.get(begin..begin + length)?;
    Some((list, (flags & 0x40 != 0).then(|| &payload[begin + length..])))
}
