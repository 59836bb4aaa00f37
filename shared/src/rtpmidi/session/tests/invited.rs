//! Being invited: who may, how often, and who it is when it comes back.

use super::script::{PEER, Script, TOKEN, address, control, data, greeting};
use crate::rtpmidi::control::{Control, Ssrc, Token};
use crate::rtpmidi::name::Name;
use crate::rtpmidi::session::{
    Entry, Event, LeaveReason, NotHere, Policy, Port, Refused, Return, Session, Settings,
};
use crate::time::Span;

fn is_accept(answer: &(Port, core::net::SocketAddr, Control)) -> bool {
    matches!(answer.2, Control::Accept(_))
}

fn is_refuse(answer: &(Port, core::net::SocketAddr, Control)) -> bool {
    matches!(answer.2, Control::Refuse(_))
}

#[test]
fn answers_go_where_the_question_came_from_port_by_port() {
    let mut script = Script::new(Policy::anyone());
    script.invite(Port::Control, control(), TOKEN, PEER, "Keys").unwrap();
    let (port, to, answer) = script.answer();
    let Control::Accept(accept) = answer else { panic!("{answer:?}") };
    assert_eq!((port, to), (Port::Control, control()));
    assert_eq!((accept.token, accept.name.as_str()), (TOKEN, "Lockstep Jam"));
    assert_eq!(script.events(), []);
    script.invite(Port::Data, data(), TOKEN, PEER, "Keys").unwrap();
    let answer = script.answer();
    assert!(is_accept(&answer) && (answer.0, answer.1) == (Port::Data, data()));
    let events = script.events();
    assert!(matches!(&events[..], [Event::Joined { address, .. }] if *address == data()), "{events:?}");
}

#[test]
fn a_repeated_invitation_gets_the_same_answer_and_makes_no_second_participant() {
    let mut script = Script::new(Policy::anyone());
    let invite = |script: &mut Script, port, from| {
        script.invite(port, from, TOKEN, PEER, "Keys").unwrap();
        script.answer().2
    };
    let first = invite(&mut script, Port::Control, control());
    assert_eq!(invite(&mut script, Port::Control, control()), first);
    let second = invite(&mut script, Port::Data, data());
    assert_eq!(invite(&mut script, Port::Data, data()), second);
    assert_eq!(invite(&mut script, Port::Control, control()), first);
    assert_eq!(script.events().len(), 1);
    assert_eq!(script.session.participants().count(), 1);
}

/// Two participants join; the first leaves, and comes back where approval is needed.
fn asks_again(script: &mut Script) -> Event {
    script.join(control(), data(), PEER, "Keys");
    script.say(Port::Control, control(), &Control::Goodbye { token: TOKEN, ssrc: PEER }).unwrap();
    script.session.set_policy(Policy::approval(Vec::new()));
    script.events();
    script.invite(Port::Control, control(), Token(2), PEER, "Keys").unwrap();
    script.events().remove(0)
}

#[test]
fn who_is_asked_about_can_be_let_in_though_it_invites_from_elsewhere_when_the_room_is_full() {
    let mut script = Script::new(Policy::anyone());
    let settings = Settings { name: Name::default(), policy: Policy::anyone(), participants_max: 1 };
    script.session = Session::new(settings, &[1; 32]);
    let Event::Asked { id, .. } = asks_again(&mut script) else { panic!("nobody is asked") };
    script.session.invite(script.now, address("10.0.0.1:5004"), None, Name::default()).unwrap();
    let elsewhere = address("192.168.1.30:5004");
    assert_eq!(script.invite(Port::Control, elsewhere, Token(3), PEER, "Keys"), Err(Refused::Full));
    assert_eq!(script.events(), []);
    assert_eq!(script.session.accept(script.now, id), Ok(()));
}

#[test]
fn whoever_was_asked_about_somebody_hears_that_it_needs_no_answer_any_more() {
    let mut script = Script::new(Policy::anyone());
    let Event::Asked { id, .. } = asks_again(&mut script) else { panic!("nobody is asked") };
    script.session.set_policy(Policy::anyone());
    script.invite(Port::Control, address("192.168.1.30:5004"), Token(3), PEER, "Keys").unwrap();
    assert_eq!(script.events(), [Event::Left { id, reason: LeaveReason::GaveUp }]);
    assert_eq!(script.session.accept(script.now, id), Err(NotHere));
}

#[test]
fn another_version_is_refused_in_words() {
    let mut script = Script::new(Policy::anyone());
    let mut strange = greeting(TOKEN, PEER, "Keys");
    strange.version = 3;
    assert_eq!(script.say(Port::Control, control(), &Control::Invite(strange)), Err(Refused::Version(3)));
    assert!(is_refuse(&script.answer()));
    assert_eq!(script.session.counters().versions, 1);
}

#[test]
fn an_invitation_to_the_data_port_alone_is_refused() {
    let mut script = Script::new(Policy::anyone());
    assert_eq!(script.invite(Port::Data, data(), TOKEN, PEER, "Keys"), Err(Refused::DataAlone));
    assert!(is_refuse(&script.answer()));
}

#[test]
fn half_done_invitations_are_forgotten_after_five_seconds() {
    let mut script = Script::new(Policy::anyone());
    script.invite(Port::Control, control(), TOKEN, PEER, "Keys").unwrap();
    script.wait(5_000);
    assert_eq!(script.session.counters().half_open_expired, 1);
    assert_eq!(script.invite(Port::Data, data(), TOKEN, PEER, "Keys"), Err(Refused::DataAlone));
}

#[test]
fn who_may_not_is_refused_and_nobody_is_asked() {
    let far = address("203.0.113.5:5004");
    let mut script = Script::new(Policy::default());
    assert_eq!(script.invite(Port::Control, far, TOKEN, PEER, "Keys"), Err(Refused::NotAllowed));
    assert!(is_refuse(&script.answer()));
    assert_eq!(script.events(), []);
    let entry = Entry { name: Some(Name::new("Keys")), network: None };
    script.session.set_policy(Policy::listed(vec![entry]));
    script.invite(Port::Control, far, TOKEN, PEER, "Keys").unwrap();
    assert!(is_accept(&script.answer()));
}

#[test]
fn while_somebody_is_asked_repetitions_are_not_answered_and_the_answer_comes_at_once() {
    let mut script = Script::new(Policy::default());
    for _ in 0..5 {
        script.invite(Port::Control, control(), TOKEN, PEER, "Keys").unwrap();
        script.wait(1_000);
    }
    assert_eq!(script.heard(), []);
    let events = script.events();
    let [Event::Asked { id, .. }] = events[..] else { panic!("{events:?}") };
    script.session.accept(script.now, id).unwrap();
    assert!(is_accept(&script.answer()));
    // Had that been lost, the next repetition would be answered.
    script.invite(Port::Control, control(), TOKEN, PEER, "Keys").unwrap();
    assert!(is_accept(&script.answer()));
    script.invite(Port::Data, data(), TOKEN, PEER, "Keys").unwrap();
    assert!(matches!(script.events()[..], [Event::Joined { id: joined, .. }] if joined == id));
    // It comes back unasked, until it is sent away.
    script.session.disconnect(script.now, id);
    script.heard();
    script.events();
    script.invite(Port::Control, control(), Token(7), PEER, "Keys").unwrap();
    assert!(matches!(script.events()[..], [Event::Asked { id: again, .. }] if again == id));
}

#[test]
fn an_accepted_one_that_had_given_up_is_let_in_at_its_next_try() {
    let mut script = Script::new(Policy::default());
    script.invite(Port::Control, control(), TOKEN, PEER, "Keys").unwrap();
    let events = script.events();
    let [Event::Asked { id, .. }] = events[..] else { panic!("{events:?}") };
    script.wait(30_000);
    script.session.accept(script.now, id).unwrap();
    script.wait(30_000);
    script.heard();
    script.invite(Port::Control, control(), Token(9), Ssrc(77), "Keys").unwrap();
    assert!(is_accept(&script.answer()));
    assert_eq!(script.events(), []);
}

#[test]
fn a_refused_one_hears_so_and_is_not_asked_about_again_for_a_while() {
    let mut script = Script::new(Policy::default());
    script.invite(Port::Control, control(), TOKEN, PEER, "Keys").unwrap();
    let events = script.events();
    let [Event::Asked { id, .. }] = events[..] else { panic!("{events:?}") };
    script.session.refuse(script.now, id).unwrap();
    assert!(is_refuse(&script.answer()));
    assert_eq!(script.invite(Port::Control, control(), Token(3), PEER, "Keys"), Err(Refused::NotAllowed));
    assert!(is_refuse(&script.answer()));
    assert_eq!(script.session.accept(script.now, id), Err(NotHere));
    script.wait(30_000);
    script.invite(Port::Control, control(), TOKEN, PEER, "Keys").unwrap();
    assert!(matches!(script.events()[..], [Event::Asked { .. }]));
    script.wait(60_000);
    assert!(matches!(script.events()[..], [Event::Left { reason: LeaveReason::GaveUp, .. }]));
}

#[test]
fn a_full_room_says_no_and_its_own_come_back() {
    let mut script = Script::new(Policy::anyone());
    let host = |number: u32, port| address(&format!("10.0.{}.{}:{port}", number / 200, number % 200 + 1));
    for number in 0..64 {
        script.join(host(number, 5004), host(number, 5005), Ssrc(1_000 + number), "Keys");
        script.wait(100);
    }
    script.heard();
    script.events();
    let one_more = script.invite(Port::Control, host(64, 5004), TOKEN, PEER, "Keys");
    assert_eq!(one_more, Err(Refused::Full));
    assert!(is_refuse(&script.answer()));
    script.join(host(3, 6004), host(3, 6005), Ssrc(1_003), "Keys");
    assert!(matches!(script.events()[..], [Event::Returned { .. }]));
    assert_eq!(script.session.participants().count(), 64);
}

#[test]
fn whoever_comes_back_gets_its_place() {
    let elsewhere = ["192.168.1.20:7004", "192.168.1.20:7005"].map(address);
    let far = ["192.168.7.7:5004", "192.168.7.7:5005"].map(address);
    let here = [control(), data()];
    // How long after it was heard last; where; its SSRC; its name; whether it is the same.
    let cases = [
        ("the same SSRC, another port", 0, elsewhere, PEER, "Keys", true),
        ("the same SSRC, another name", 0, elsewhere, PEER, "Renamed", true),
        ("the same address, another SSRC", 0, here, Ssrc(5), "Keys", true),
        ("the same name and host, after a while", 3_100, elsewhere, Ssrc(5), "Keys", true),
        ("the same name and host, at once", 0, elsewhere, Ssrc(5), "Keys", false),
        ("the same SSRC and name from elsewhere", 0, far, PEER, "Keys", true),
        ("the same SSRC from elsewhere, nameless", 0, far, PEER, "", true),
        ("the same SSRC from elsewhere, another name", 0, far, PEER, "Pads", false),
        ("the same name from elsewhere", 0, far, Ssrc(5), "Keys", false),
        ("the same name and host, after it was gone", 70_000, elsewhere, Ssrc(5), "Keys", true),
    ];
    for (case, pause, [control_to, data_to], ssrc, name, is_same) in cases {
        let mut script = Script::new(Policy::anyone());
        script.join(control(), data(), PEER, "Keys");
        let events = script.events();
        let [Event::Joined { id, .. }] = events[..] else { panic!("{case}: {events:?}") };
        script.wait(pause);
        script.events();
        script.join(control_to, data_to, ssrc, name);
        let events = script.events();
        if is_same {
            assert_eq!(events, [Event::Returned { id, address: data_to, how: Return::Anew }], "{case}");
            assert_eq!(script.session.participant(id).unwrap().name.as_str(), "Keys", "{case}");
        } else {
            assert!(
                matches!(events[..], [Event::Joined { id: other, .. }] if other != id),
                "{case}: {events:?}"
            );
        }
        script.session.send_media(id, b"music").unwrap();
        script.drain();
        let (_, to, _) = script.sent.pop().unwrap();
        assert_eq!(to, if is_same { data_to } else { data() }, "{case}");
    }
}

#[test]
fn an_answer_to_a_stranger_is_at_most_three_times_its_question() {
    let mut script = Script::new(Policy::anyone());
    let mut out = Vec::new();
    for name in ["", "a", "Pult", "A long name that somebody gave"] {
        let mut question = Vec::new();
        Control::Invite(greeting(TOKEN, PEER, name)).encode(&mut question);
        script.session.handle_datagram(script.now, Port::Control, control(), &question).unwrap();
        let mut answers = 0;
        while script.session.poll_transmit(&mut out).is_some() {
            answers += 1;
            assert!(out.len() <= 3 * question.len());
        }
        assert_eq!(answers, 1);
    }
}

#[test]
fn ending_says_goodbye_to_everybody_and_nothing_afterwards() {
    let mut script = Script::new(Policy::approval(Vec::new()));
    script.invite(Port::Control, address("10.0.0.9:5004"), TOKEN, Ssrc(9), "Asks").unwrap();
    script.session.set_policy(Policy::anyone());
    script.join(control(), data(), PEER, "Keys");
    script.session.end(script.now);
    let heard = script.heard();
    let goodbyes =
        heard.iter().filter(|(_, to, packet)| *to == control() && matches!(packet, Control::Goodbye { .. }));
    assert_eq!(goodbyes.count(), 2);
    assert!(heard.iter().any(is_refuse));
    script.now += Span::from_millis(1);
    assert_eq!(script.invite(Port::Control, control(), TOKEN, PEER, "Keys"), Err(Refused::Stranger));
    script.wait(100_000);
    assert_eq!(script.heard(), []);
}
