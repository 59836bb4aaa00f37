//! The relay with members on a loopback without delay.

use super::*;
use lockstep_shared::midi::message::Message;
use lockstep_shared::session::{Client, ClientEvent, ClientSettings, MemberKey};
use lockstep_shared::time::Span;
use lockstep_shared::wire::midi;
use lockstep_shared::wire::{
    Audio, AudioHead, Channels, ChunksPerDatagram, DATAGRAM_BYTES_MAX, Format, PlayMode, ProfileStrip,
    StripId, WireChunk, Writer,
};

const SECRETS: [[u8; 16]; 2] = [[1; 16], [2; 16]];

fn relay() -> Relay {
    let rooms = SECRETS.map(|secret| RoomSettings {
        name: format!("room-{}", secret[0]),
        secret,
        members_max: 4,
        midi: BridgeSettings::default(),
    });
    Relay::new(RelaySettings { private_key: [3; 32], rooms: rooms.to_vec(), seed: [4; 32] }, LocalTime::ZERO)
}

/// A member that joins with one strip and notes what it is sent.
struct Member {
    client: Client,
    from: SocketAddr,
    events: Vec<ClientEvent>,
    /// First sample and strip of each audio element.
    heard: Vec<(StripId, f32)>,
}

impl Member {
    fn new(number: u8, secret: [u8; 16]) -> Self {
        Self::playing(number, secret, PlayMode::Nothing)
    }

    fn playing(number: u8, secret: [u8; 16], play: PlayMode) -> Self {
        let settings = ClientSettings {
            relay_key: RelayKey::from_private([3; 32]).public(),
            secret: RoomSecret(secret),
            member_key: MemberKey([number; 16]),
        };
        let mut client = Client::new(settings, &[number; 32], LocalTime::ZERO);
        let strips = vec![ProfileStrip { number: 0, channels: Channels::Mono, name: "strip".into() }];
        let mut bytes = [0; 256];
        let mut out = Writer::new(&mut bytes);
        Profile { strips, play, ..Profile::default() }.encode(&mut out).unwrap();
        client.publish(LocalTime::ZERO, Slot::PROFILE, out.written());
        Self {
            client,
            from: ([127, 0, 0, 1], u16::from(number)).into(),
            events: Vec::new(),
            heard: Vec::new(),
        }
    }
}

fn run(relay: &mut Relay, members: &mut [Member], now: LocalTime) {
    let mut out = [0; DATAGRAM_BYTES_MAX];
    for number in 0..members.len() {
        while let Some(length) = members[number].client.poll_transmit(now, &mut out) {
            let from = members[number].from;
            relay.handle_datagram(now, from, &mut out[..length]);
            drain(relay, members, now);
        }
    }
    relay.handle_timeout(now);
    drain(relay, members, now);
}

fn drain(relay: &mut Relay, members: &mut [Member], now: LocalTime) {
    let mut out = [0; DATAGRAM_BYTES_MAX];
    while let Some((to, length)) = relay.poll_transmit(now, &mut out) {
        if let Some(member) = members.iter_mut().find(|member| member.from == to) {
            for element in member.client.handle_datagram(now, &mut out[..length]).into_iter().flatten() {
                if let Ok(Element::Audio(audio)) = element {
                    let mut frames = lockstep_shared::dsp::SILENT_CHUNK;
                    audio.chunk_into(0, &mut frames).unwrap();
                    member.heard.push((audio.head.strip, frames[0][0]));
                }
            }
            member.events.extend(core::iter::from_fn(|| member.client.poll_event()));
        }
    }
}

/// Sends a chunk of a constant, placed on the grid's now.
fn say(relay: &mut Relay, member: &mut Member, now: LocalTime, value: i16) {
    let mut out = [0; DATAGRAM_BYTES_MAX];
    let samples: Vec<u8> = (0..64).flat_map(|_| value.to_le_bytes()).collect();
    let head = AudioHead {
        strip: StripId(0),
        first: WireChunk::new(relay.grid().position(now).floor().chunk().plus(-1)),
        format: Format::Pcm16,
        channels: Channels::Mono,
        chunks: ChunksPerDatagram::One,
        stamp: None,
    };
    let audio = Element::Audio(Audio { head, samples: &samples });
    let length = member.client.seal(now, &mut out, |plain| audio.encode(plain).unwrap()).unwrap();
    relay.handle_datagram(now, member.from, &mut out[..length]);
}

#[test]
fn a_room_that_fails_tells_its_members_and_the_others_play_on() {
    let (mut relay, mut now) = (relay(), LocalTime::ZERO);
    let mut members = [Member::new(1, SECRETS[0]), Member::new(2, SECRETS[1])];
    for _ in 0..20 {
        now += Span::from_millis(1);
        run(&mut relay, &mut members, now);
    }
    assert_eq!(relay.stats().members_now, 2);
    relay.rooms[0].1.poison();
    say(&mut relay, &mut members[0], now, 0);
    drain(&mut relay, &mut members, now);
    say(&mut relay, &mut members[1], now, 0);
    drain(&mut relay, &mut members, now);
    assert!(members[0].events.contains(&ClientEvent::Ended(LeaveReason::RoomFailed)));
    assert!(!members[1].events.iter().any(|event| matches!(event, ClientEvent::Ended(_))));
    assert_eq!((relay.stats().room_failures, relay.stats().members_now), (1, 1));
    let failed = RelayEvent::RoomFailed { room: "room-1".into(), failure: "a test broke this room".into() };
    assert!(core::iter::from_fn(|| relay.poll_event()).any(|event| event == failed));
    // The room is open again, and the member comes back by itself.
    for _ in 0..400 {
        now += Span::from_millis(1);
        members.iter_mut().for_each(|member| member.client.handle_timeout(now));
        run(&mut relay, &mut members, now);
    }
    assert_eq!(relay.stats().members_now, 2);
}

#[test]
fn a_relay_that_stops_says_goodbye_to_everybody() {
    let (mut relay, mut now) = (relay(), LocalTime::ZERO);
    let mut members = [Member::new(1, SECRETS[0]), Member::new(2, SECRETS[0])];
    for _ in 0..20 {
        now += Span::from_millis(1);
        run(&mut relay, &mut members, now);
    }
    relay.stop(now);
    drain(&mut relay, &mut members, now);
    for member in &members {
        assert!(member.events.contains(&ClientEvent::Ended(LeaveReason::RelayStops)));
    }
}

#[test]
fn each_is_sent_what_it_asked_for_with_its_own_gains_and_without_itself() {
    let (mut relay, mut now) = (relay(), LocalTime::ZERO);
    let mut members = [
        Member::playing(1, SECRETS[0], PlayMode::Mix),
        Member::playing(2, SECRETS[0], PlayMode::Stems),
        Member::playing(3, SECRETS[0], PlayMode::Mix),
    ];
    for _ in 0..20 {
        now += Span::from_millis(1);
        run(&mut relay, &mut members, now);
    }
    // The first turns the second down by half; strips are numbered in the order in which they came.
    let gains = Gains { gains: vec![(StripId(1), 0.5)] };
    let mut bytes = [0; 64];
    let mut out = Writer::new(&mut bytes);
    gains.encode(&mut out).unwrap();
    members[0].client.publish(now, Slot::GAINS, out.written());
    for _ in 0..200 {
        now = relay.grid().local(relay.grid().position(now).floor().chunk().end());
        for (number, value) in [1_024, 4_096, 16_384].into_iter().enumerate() {
            say(&mut relay, &mut members[number], now, value);
            drain(&mut relay, &mut members, now);
        }
        run(&mut relay, &mut members, now);
    }
    let last = |member: &Member| member.heard.iter().rev().take(20).copied().collect::<Vec<_>>();
    let value = |steps: f32| steps / 32_768.0;
    let heard = last(&members[0]);
    assert!(heard.iter().all(|heard| *heard == (StripId::MIX, value(2_048.0 + 16_384.0))));
    assert!(last(&members[2]).iter().all(|heard| *heard == (StripId::MIX, value(1_024.0 + 4_096.0))));
    let stems = last(&members[1]);
    assert!(stems.contains(&(StripId(0), value(1_024.0))) && stems.contains(&(StripId(2), value(16_384.0))));
    assert!(!stems.iter().any(|(strip, _)| *strip == StripId(1) || *strip == StripId::MIX));
}

#[test]
fn what_one_member_plays_the_others_hear_and_nothing_hangs_when_it_leaves() {
    let (mut relay, mut now) = (relay(), LocalTime::ZERO);
    let mut members = [1, 2, 3].map(|number| Member::new(number, SECRETS[0]));
    let mut pass = |relay: &mut Relay, members: &mut [Member], milliseconds: i64| {
        for _ in 0..milliseconds {
            now += Span::from_millis(1);
            run(relay, members, now);
        }
        now
    };
    let now = pass(&mut relay, &mut members, 20);
    let grid = relay.grid().position(now);
    let on = Message::from_short(&[0x92, 60, 100]).unwrap();
    midi::encode(grid, &on, |entry| members[0].client.send_entry(now, entry)).unwrap();
    pass(&mut relay, &mut members, 20);
    members[0].client.leave();
    pass(&mut relay, &mut members, 20);
    let off = Message::from_short(&[0x82, 60, 64]).unwrap();
    for (member, expected) in members.iter().zip([&[][..], &[on.clone(), off.clone()], &[on, off]]) {
        let mut heard = Vec::new();
        let mut decoder = midi::Decoder::default();
        for event in &member.events {
            if let ClientEvent::Entry(bytes) = event {
                decoder.decode(bytes, |_, message| heard.push(message)).unwrap();
            }
        }
        assert_eq!(heard, expected);
    }
}
