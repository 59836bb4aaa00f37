//! Floods and rubbish: nothing grows, nothing is amplified, nothing panics.

use core::net::{IpAddr, SocketAddr};

use super::script::{PEER, Script, TOKEN, control, data, greeting};
use crate::rtpmidi::control::{Control, Ssrc, Token};
use crate::rtpmidi::name::Name;
use crate::rtpmidi::session::{PLACES_MAX, Policy, Port};
use crate::time::Span;

struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn u32(&mut self) -> u32 {
        u32::try_from(self.draw() & 0xFFFF_FFFF).unwrap()
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw()).unwrap() % end
    }
}

/// 10,000 invitations a second from everywhere, for `millis`; returns bytes in, bytes out and answers.
fn flood(script: &mut Script, random: &mut Random, millis: i64) -> (usize, usize, usize) {
    let (mut bytes_in, mut bytes_out, mut answers) = (0, 0, 0);
    let mut question = Vec::new();
    for _ in 0..millis * 10 {
        let from = SocketAddr::new(IpAddr::from(random.u32().to_be_bytes()), 5004);
        question.clear();
        Control::Invite(greeting(Token(random.u32()), Ssrc(random.u32()), "")).encode(&mut question);
        bytes_in += question.len();
        script.sent.clear();
        let _ = script.bytes(Port::Control, from, &question);
        answers += script.sent.len();
        bytes_out += script.sent.iter().map(|(_, _, bytes)| bytes.len()).sum::<usize>();
        assert!(script.sent.len() <= 1);
        script.events();
        script.now += Span::from_micros(100);
        script.session.handle_timeout(script.now);
        script.drain();
    }
    (bytes_in, bytes_out, answers)
}

#[test]
fn a_flood_of_invitations_gets_few_answers_and_keeps_nobody_out() {
    for policy in [Policy::anyone(), Policy::default(), Policy::approval(Vec::new())] {
        let mut script = Script::new(Policy::anyone());
        script.join(control(), data(), PEER, "Keys");
        script.session.set_policy(policy.clone());
        let mut random = Random(1);
        let (bytes_in, bytes_out, answers) = flood(&mut script, &mut random, 10_000);
        // The rate in all is 200 a second, and 256 at once.
        assert!(answers <= 2_256, "{answers}");
        assert!(bytes_out < bytes_in / 10, "{bytes_out} of {bytes_in}");
        assert!(script.session.pending.len() <= 256 + 32, "{}", script.session.pending.len());
        assert!(script.session.invite_limit.addresses() <= 1_025);
        assert_eq!(script.session.participants().count(), 1);
        // Meanwhile one that is known comes back, between two of the flood.
        script.sent.clear();
        script.invite(Port::Control, control(), Token(77), PEER, "Keys").unwrap();
        flood(&mut script, &mut random, 200);
        script.events();
        script.invite(Port::Data, data(), Token(77), PEER, "Keys").unwrap();
        assert_eq!(script.events().len(), 1, "{policy:?}");
    }
}

#[test]
fn one_address_gets_ten_answers_a_second() {
    let mut script = Script::new(Policy::anyone());
    let mut answers = 0;
    for number in 0..10_000 {
        let _ = script.invite(Port::Control, control(), TOKEN, Ssrc(number), "Keys");
        answers += script.sent.drain(..).count();
        script.now += Span::from_millis(1);
        script.session.handle_timeout(script.now);
    }
    assert!(answers <= 124, "{answers}");
    assert!(script.session.pending.len() <= 8);
}

#[test]
fn those_who_join_and_are_silent_make_room_and_their_places_are_bounded() {
    let mut script = Script::new(Policy::anyone());
    for number in 0..2_000_u32 {
        let host = IpAddr::from((0x0A00_0000 + number).to_be_bytes());
        let [control, data] = [5004, 5005].map(|port| SocketAddr::new(host, port));
        let _ = script.invite(Port::Control, control, TOKEN, Ssrc(number), "Ghost");
        let _ = script.invite(Port::Data, data, TOKEN, Ssrc(number), "Ghost");
        script.wait(100);
        script.sent.clear();
        script.events();
        assert!(script.session.participants().count() <= 64);
        assert!(script.session.places.len() <= PLACES_MAX);
    }
    assert!(script.session.places.len() > 100);
    script.wait(10_000);
    assert_eq!(script.session.participants().count(), 0);
}

/// A datagram that is near enough to a real one to get somewhere.
fn rubbish(random: &mut Random, heard: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = match random.below(4) {
        0 => (0..random.below(100)).map(|_| random.draw().to_le_bytes()[0]).collect(),
        1 if !heard.is_empty() => heard[random.below(heard.len())].clone(),
        2 => {
            let mut media = vec![0x80, 0x61, 0, 1, 0, 0, 0, 1];
            media.extend(PEER.0.to_be_bytes());
            media
        }
        _ => {
            let command = [b"IN", b"OK", b"NO", b"BY", b"CK", b"RS", b"RL"][random.below(7)];
            let mut bytes = vec![0xFF, 0xFF];
            bytes.extend(command);
            if command != b"CK" && random.below(4) > 0 && command.len() == 2 {
                bytes.extend([0, 0, 0, 2]);
            }
            let ids = [PEER.0, TOKEN.0, 0, random.u32()];
            bytes.extend(ids[random.below(4)].to_be_bytes());
            bytes.extend(ids[random.below(4)].to_be_bytes());
            bytes.extend((0..random.below(40)).map(|_| random.draw().to_le_bytes()[0]));
            bytes
        }
    };
    for _ in 0..random.below(3) {
        if !bytes.is_empty() {
            let place = random.below(bytes.len());
            bytes[place] = random.draw().to_le_bytes()[0];
        }
    }
    bytes
}

#[test]
fn rubbish_breaks_nothing() {
    let mut script = Script::new(Policy::anyone());
    let mut random = Random(2);
    let mut heard: Vec<Vec<u8>> = Vec::new();
    script.session.invite(script.now, "192.168.1.77:5004".parse().unwrap(), None, Name::new("Kept")).unwrap();
    for step in 0..100_000_u32 {
        let host = [192, 168, 1, [20, 77, 3][random.below(3)]];
        let from = SocketAddr::from((host, [5004, 5005, 61_005][random.below(3)]));
        let port = if random.below(2) == 0 { Port::Control } else { Port::Data };
        let bytes = rubbish(&mut random, &heard);
        let _ = script.bytes(port, from, &bytes);
        // What the session says comes back to it at times, as from a peer that mirrors.
        if step % 64 == 0 {
            heard = script.sent.iter().map(|(_, _, bytes)| bytes.clone()).collect();
        }
        script.sent.clear();
        script.events();
        script.wait(i64::try_from(random.below(20)).unwrap());
        assert!(script.session.pending.len() <= 256 + 32 && script.session.places.len() <= PLACES_MAX);
        assert!(script.session.poll_timeout() >= script.now);
    }
    let counters = script.session.counters();
    assert!(
        counters.malformed > 1_000 && counters.unknown_commands > 100 && counters.unasked > 100,
        "{counters:?}"
    );
}
