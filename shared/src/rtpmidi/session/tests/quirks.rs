//! What peers do that the protocol does not say. Each of them is a library or a product in use.

use core::net::SocketAddr;

use super::script::{PEER, Script, TOKEN, address, control, data, greeting};
use crate::rtpmidi::control::{ClockStep, Control, ControlError, Receipt, Ssrc, Token};
use crate::rtpmidi::name::Name;
use crate::rtpmidi::session::{Event, LeaveReason, ParticipantId, Policy, Port, Refused, Role};
use crate::rtpmidi::time::Ticks;
use crate::time::Span;

fn joined(script: &mut Script) -> ParticipantId {
    let events = script.events();
    let [Event::Joined { id, .. }] = events[..] else { panic!("{events:?}") };
    id
}

fn media(ssrc: Ssrc) -> Vec<u8> {
    let mut bytes = vec![0x80, 0x61, 0x43, 0x49, 0, 0, 0, 1];
    bytes.extend(ssrc.0.to_be_bytes());
    bytes.extend([0x03, 0x91, 0x44, 0x64]);
    bytes
}

/// What the session sends as inviter until the peer has it: its tokens and its SSRC, seen from the control port.
fn answer_invitation(script: &mut Script, from: [SocketAddr; 2], theirs: [Ssrc; 2]) -> (ParticipantId, Ssrc) {
    let id = script.session.invite(script.now, control(), None, Name::default()).unwrap();
    let mut ours = Ssrc(0);
    for (port, from, theirs) in [(Port::Control, from[0], theirs[0]), (Port::Data, from[1], theirs[1])] {
        let (sent_to, _, packet) = script.answer();
        let Control::Invite(invite) = packet else { panic!("{packet:?}") };
        assert_eq!(sent_to, port);
        ours = invite.ssrc;
        script.say(port, from, &Control::Accept(greeting(invite.token, theirs, "Answers"))).unwrap();
    }
    assert_eq!(joined(script), id);
    (id, ours)
}

#[test]
fn another_token_for_the_data_port_and_a_clock_that_begins_with_an_answer() {
    let mut script = Script::new(Policy::anyone());
    script.invite(Port::Control, control(), Token(1), PEER, "Crate").unwrap();
    script.invite(Port::Data, data(), Token(2), PEER, "Crate").unwrap();
    let id = joined(&mut script);
    // The answer was lost.
    script.heard();
    script.invite(Port::Data, data(), Token(2), PEER, "Crate").unwrap();
    let (_, _, answer) = script.answer();
    assert!(matches!(answer, Control::Accept(accept) if accept.token == Token(2)));
    let step = ClockStep::Answer(Ticks::from_count(1), Ticks::from_count(2));
    script.now += Span::from_millis(50);
    assert_eq!(script.say(Port::Data, data(), &Control::Clock { ssrc: PEER, step }), Err(Refused::Unasked));
    assert_eq!(script.session.participant(id).unwrap().heard, script.now);
    // Either token says goodbye.
    script.say(Port::Control, control(), &Control::Goodbye { token: Token(2), ssrc: Ssrc(0) }).unwrap();
    assert_eq!(script.events(), [Event::Left { id, reason: LeaveReason::Goodbye }]);
}

#[test]
fn two_ssrcs_of_one_peer_that_answers() {
    let mut script = Script::new(Policy::nobody());
    let theirs = [Ssrc(0xAAAA_0001), Ssrc(0xBBBB_0002)];
    let (id, _) = answer_invitation(&mut script, [control(), data()], theirs);
    for ssrc in theirs {
        script.bytes(Port::Data, data(), &media(ssrc)).unwrap();
        assert_eq!(script.events(), [Event::Media { id, bytes: media(ssrc) }]);
    }
    assert_eq!(script.bytes(Port::Data, data(), &media(Ssrc(3))), Err(Refused::Stranger));
}

#[test]
fn two_ssrcs_of_one_peer_that_invites() {
    let mut script = Script::new(Policy::anyone());
    script.invite(Port::Control, control(), TOKEN, Ssrc(0xAAAA_0001), "Two").unwrap();
    script.invite(Port::Data, data(), TOKEN, Ssrc(0xBBBB_0002), "Two").unwrap();
    let id = joined(&mut script);
    let receipt = Receipt::of(7);
    script.say(Port::Control, control(), &Control::Receipt { ssrc: Ssrc(0xAAAA_0001), receipt }).unwrap();
    script.bytes(Port::Data, data(), &media(Ssrc(0xBBBB_0002))).unwrap();
    assert_eq!(script.events().len(), 2);
    assert_eq!(script.session.participants().next().unwrap().id, id);
}

#[test]
fn an_answer_from_other_ports_than_asked_is_followed() {
    let mut script = Script::new(Policy::nobody());
    let from = ["192.168.1.20:40001", "192.168.1.20:40009"].map(address);
    let (id, _) = answer_invitation(&mut script, from, [PEER; 2]);
    let participant = script.session.participant(id).unwrap();
    assert_eq!((participant.control, participant.data), (from[0], from[1]));
    let heard = script.heard();
    assert!(matches!(heard[..], [(Port::Data, to, Control::Clock { .. })] if to == from[1]), "{heard:?}");
}

#[test]
fn an_ssrc_of_sixteen_bits_that_another_packet_fills_up() {
    let mut script = Script::new(Policy::anyone());
    script.join(control(), data(), Ssrc(0x0000_BEEF), "Half");
    let id = joined(&mut script);
    script.bytes(Port::Data, data(), &media(Ssrc(0xFFFF_BEEF))).unwrap();
    assert!(matches!(script.events()[..], [Event::Media { id: whose, .. }] if whose == id));
    let elsewhere = address("192.168.1.21:5005");
    assert_eq!(script.bytes(Port::Data, elsewhere, &media(Ssrc(0xFFFF_BEEF))), Err(Refused::Stranger));
}

#[test]
fn no_name() {
    let mut script = Script::new(Policy::anyone());
    for (port, from) in [(Port::Control, control()), (Port::Data, data())] {
        script.bytes(port, from, b"\xFF\xFFIN\0\0\0\x02\x12\x34\x56\x78\0\0\0\x07").unwrap();
    }
    let id = joined(&mut script);
    assert!(script.session.participant(id).unwrap().name.is_empty());
}

#[test]
fn goodbye_on_either_port_and_of_one_that_asks() {
    for (port, from) in [(Port::Control, control()), (Port::Data, data())] {
        let mut script = Script::new(Policy::anyone());
        script.join(control(), data(), PEER, "Keys");
        let id = joined(&mut script);
        script.say(port, from, &Control::Goodbye { token: Token(99), ssrc: PEER }).unwrap();
        assert_eq!(script.events(), [Event::Left { id, reason: LeaveReason::Goodbye }]);
        // And nobody else says it.
        let again = script.say(port, from, &Control::Goodbye { token: Token(99), ssrc: PEER });
        assert_eq!(again, Err(Refused::Stranger));
    }
    let mut script = Script::new(Policy::approval(Vec::new()));
    script.invite(Port::Control, control(), TOKEN, PEER, "Keys").unwrap();
    script.events();
    script.say(Port::Control, control(), &Control::Goodbye { token: TOKEN, ssrc: PEER }).unwrap();
    assert!(matches!(script.events()[..], [Event::Left { reason: LeaveReason::GaveUp, .. }]));
}

#[test]
fn clock_on_the_control_port_is_answered_there() {
    let mut script = Script::new(Policy::anyone());
    script.join(control(), data(), PEER, "Keys");
    let step = ClockStep::Ask(Ticks::from_count(5));
    script.say(Port::Control, control(), &Control::Clock { ssrc: PEER, step }).unwrap();
    let (port, to, answer) = script.answer();
    assert_eq!((port, to), (Port::Control, control()));
    assert!(matches!(answer, Control::Clock { step: ClockStep::Answer(first, _), .. } if first.count() == 5));
}

#[test]
fn receipts_in_the_wrong_half_of_zero_and_from_a_translated_port() {
    let mut script = Script::new(Policy::anyone());
    script.join(control(), data(), PEER, "Keys");
    let id = joined(&mut script);
    let translated = address("192.168.1.20:50123");
    for (from, ssrc) in [(control(), PEER), (translated, PEER), (translated, Ssrc(0)), (control(), PEER)] {
        for receipt in [Receipt { upper: 0, lower: 9 }, Receipt::of(0), Receipt::of(9)] {
            script.say(Port::Control, from, &Control::Receipt { ssrc, receipt }).unwrap();
            assert_eq!(script.events(), [Event::Receipt { id, receipt }]);
        }
        assert_eq!(script.session.participant(id).unwrap().control, from);
    }
    script
        .say(Port::Control, control(), &Control::RateLimit { ssrc: PEER, bits_per_second: 31_250 })
        .unwrap();
    assert_eq!(script.events(), [Event::RateLimit { id, bits_per_second: 31_250 }]);
    let receipt = Receipt::of(1);
    let stranger =
        script.say(Port::Control, address("10.1.1.1:1"), &Control::Receipt { ssrc: Ssrc(1), receipt });
    assert_eq!(stranger, Err(Refused::Stranger));
}

#[test]
fn one_that_never_answers_our_clock_is_asked_thrice_and_a_mere_pause_is_no_silence() {
    let mut script = Script::new(Policy::anyone());
    script.join(control(), data(), PEER, "Keys");
    script.events();
    let mut asked = 0;
    for _ in 0..20 {
        // As rtpmidid does after its first seconds.
        script.wait(25_000);
        let heard = script.heard();
        let is_question = |packet: &Control| matches!(packet, Control::Clock { step: ClockStep::Ask(_), .. });
        asked += heard.iter().filter(|(_, _, packet)| is_question(packet)).count();
        script.ask(data(), PEER).unwrap();
    }
    assert_eq!(asked, 3);
    assert_eq!(script.events(), []);
    script.wait(59_000);
    assert_eq!(script.events(), []);
    script.wait(1_000);
    assert!(matches!(script.events()[..], [Event::Left { reason: LeaveReason::Silence, .. }]));
}

#[test]
fn a_known_ssrc_at_a_new_address_must_finish_a_round_before_music_follows_it() {
    let mut script = Script::new(Policy::anyone());
    script.join(control(), data(), PEER, "Keys");
    let id = joined(&mut script);
    let moved = address("198.51.100.7:9005");
    assert_eq!(script.bytes(Port::Data, moved, &media(PEER)), Err(Refused::Stranger));
    let finish = |first, second| {
        let step = ClockStep::Finish(Ticks::from_count(first), second, Ticks::from_count(first + 200));
        Control::Clock { ssrc: PEER, step }
    };
    let question = ClockStep::Ask(Ticks::from_count(5));
    script.say(Port::Data, moved, &Control::Clock { ssrc: PEER, step: question }).unwrap();
    let (_, to, answer) = script.answer();
    assert_eq!(to, moved);
    let Control::Clock { step: ClockStep::Answer(_, second), .. } = answer else { panic!("{answer:?}") };
    let guessed = Ticks::from_count(second.count() + 1);
    assert_eq!(script.say(Port::Data, moved, &finish(5, guessed)), Err(Refused::Unasked));
    assert_eq!(script.session.participant(id).unwrap().data, data());
    script.say(Port::Data, moved, &finish(5, second)).unwrap();
    assert_eq!(script.session.participant(id).unwrap().data, moved);
    script.bytes(Port::Data, moved, &media(PEER)).unwrap();
}

#[test]
fn refusals_are_met_with_patience_and_never_with_giving_up() {
    let mut script = Script::new(Policy::nobody());
    script.session.invite(script.now, control(), None, Name::default()).unwrap();
    let mut invitations = 0;
    for _ in 0..6_000 {
        for (_, _, packet) in script.heard() {
            let Control::Invite(invite) = packet else { panic!("{packet:?}") };
            invitations += 1;
            script.say(Port::Control, control(), &Control::Refuse(greeting(invite.token, PEER, ""))).unwrap();
        }
        script.wait(100);
    }
    // Waits of 1, 2, 4 and then 8 seconds.
    assert!((75..=80).contains(&invitations), "{invitations}");
}

#[test]
fn nobody_there_is_invited_once_a_second_for_ever() {
    let mut script = Script::new(Policy::nobody());
    script.session.invite(script.now, control(), None, Name::default()).unwrap();
    script.wait(999_500);
    let heard = script.heard();
    assert_eq!(heard.len(), 1_000);
    assert!(heard.iter().all(|(port, to, _)| (*port, *to) == (Port::Control, control())));
}

#[test]
fn ourselves() {
    let mut script = Script::new(Policy::anyone());
    script.session.invite(script.now, control(), None, Name::default()).unwrap();
    let (_, _, invite) = script.answer();
    assert_eq!(script.say(Port::Control, control(), &invite), Err(Refused::Ourselves));
    assert_eq!(script.heard(), []);
}

#[test]
fn a_peer_with_our_own_ssrc() {
    let mut script = Script::new(Policy::anyone());
    script.join(control(), data(), PEER, "Keys");
    let id = joined(&mut script);
    let ours = script.session.ssrc(id).unwrap();
    let other = ["10.0.0.3:5004", "10.0.0.3:5005"].map(address);
    script.join(other[0], other[1], ours, "Twin");
    let twin = joined(&mut script);
    assert_eq!(script.session.ssrc(id), Some(ours));
    assert_ne!(script.session.ssrc(twin), Some(ours));
    assert_eq!(script.session.participant(twin).unwrap().role, Role::Invited);
}

#[test]
fn unknown_commands_and_what_is_no_midi_are_counted() {
    let mut script = Script::new(Policy::anyone());
    script.join(control(), data(), PEER, "Keys");
    let unknown = Refused::Control(ControlError::Command(*b"ZZ"));
    assert_eq!(script.bytes(Port::Control, control(), b"\xFF\xFFZZ\0\0\0\0"), Err(unknown));
    assert_eq!(script.bytes(Port::Data, data(), b""), Err(Refused::Unreadable));
    assert_eq!(script.bytes(Port::Data, data(), &[0x40; 20]), Err(Refused::Unreadable));
    assert_eq!(script.bytes(Port::Control, control(), &media(PEER)), Err(Refused::Unreadable));
    let counters = script.session.counters();
    assert_eq!((counters.unknown_commands, counters.unreadable), (1, 3));
}
