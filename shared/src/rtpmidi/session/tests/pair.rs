//! Two sessions against each other.

use super::network::Network;
use crate::rtpmidi::name::Name;
use crate::rtpmidi::session::{Event, Health, LeaveReason, Return, Role};
use crate::time::Span;

fn returned(network: &Network, which: usize) -> usize {
    let is_return = |event: &Event| matches!(event, Event::Returned { .. });
    network.ends[which].events.iter().filter(|(_, event)| is_return(event)).count()
}

#[test]
fn an_invitation_takes_two_round_trips_and_the_clock_locks_within_a_second() {
    let mut network = Network::new(1);
    let id = network.invite();
    let took = network.run_until(100, |network| !network.ends[0].ids().is_empty());
    assert_eq!(took, Span::from_millis(40));
    network.run(1_000);
    let [first, second] = &network.ends;
    let events: Vec<_> = first.events.iter().map(|(_, event)| event.clone()).collect();
    assert_eq!(events, [Event::Joined { id, name: Name::new("Far"), address: second.data }]);
    let participants: Vec<_> = second.session.participants().collect();
    assert_eq!(participants.len(), 1);
    assert_eq!((participants[0].role, participants[0].name.as_str()), (Role::Invited, "Lockstep Jam"));
    for which in 0..2 {
        let error = network.clock_error(which);
        assert!(error.abs() < Span::from_micros(100), "{which}: {error}");
        let trips = network.ends[which].trips();
        assert!(trips.rounds >= 8 && (trips.least.millis_f64() - 20.0).abs() < 0.1, "{trips:?}");
    }
}

#[test]
fn an_uneven_path_costs_half_of_its_unevenness_and_no_more() {
    let mut network = Network::new(2);
    network.delays = [Span::from_millis(30), Span::from_millis(10)];
    network.invite();
    network.run(120_000);
    for (which, sign) in [(0, 1), (1, -1)] {
        let error = network.clock_error(which) + Span::from_millis(10 * sign);
        assert!(error.abs() < Span::from_micros(100), "{which}: {error}");
    }
}

#[test]
fn jitter_and_loss_move_the_clock_by_a_tenth_of_the_jitter_at_most() {
    let mut network = Network::new(3);
    network.jitter = Span::from_millis(15);
    network.loss_percent = 5;
    network.invite();
    network.run(180_000);
    for (which, ppm) in [(0, 60.0), (1, -60.0)] {
        let error = network.clock_error(which);
        assert!(error.abs() < Span::from_micros(1_500), "{which}: {error}");
        let skew = network.ends[which].trips().skew_ppm;
        assert!((skew - ppm).abs() < 25.0, "{which}: {skew}");
    }
}

#[test]
fn a_calm_path_tells_drift_to_a_millionth_or_two() {
    let mut network = Network::new(4);
    network.invite();
    network.run(180_000);
    for (which, ppm) in [(0, 60.0), (1, -60.0)] {
        let skew = network.ends[which].trips().skew_ppm;
        assert!((skew - ppm).abs() < 2.0, "{which}: {skew}");
    }
}

#[test]
fn after_an_outage_of_five_seconds_both_have_each_other_back_within_two() {
    for seed in 0..20 {
        let mut network = Network::new(seed);
        network.loss_percent = 2;
        let id = network.invite();
        network.run(10_000 + i64::try_from(seed).unwrap() * 137);
        let theirs = network.ends[1].ids();
        network.is_cut = true;
        network.run(5_000);
        for end in &network.ends {
            let participant = end.session.participants().next().unwrap();
            assert_eq!(participant.health, Health::Quiet);
        }
        network.is_cut = false;
        let before = [returned(&network, 0), returned(&network, 1)];
        network.run_until(2_000, |network| (0..2).all(|which| returned(network, which) > before[which]));
        assert_eq!(network.ends[0].ids(), [id]);
        assert_eq!(network.ends[1].ids(), theirs);
    }
}

#[test]
fn silence_is_noticed_within_three_seconds_on_both_sides() {
    let mut network = Network::new(5);
    network.invite();
    network.run(10_000);
    network.is_cut = true;
    network.run(3_000);
    for end in &network.ends {
        assert!(end.events.iter().any(|(_, event)| matches!(event, Event::Quiet { .. })), "{:?}", end.events);
    }
}

#[test]
fn either_side_may_move_and_is_followed_within_two_seconds() {
    for which in 0..2 {
        let mut network = Network::new(6);
        network.invite();
        network.run(10_000);
        let other = 1 - which;
        let ids = network.ends[other].ids();
        network.ends[which].control = "10.0.9.9:40000".parse().unwrap();
        network.ends[which].data = "10.0.9.9:40003".parse().unwrap();
        let to = network.ends[which].data;
        let is_followed = move |network: &Network| {
            network.ends[other].session.participants().any(|participant| participant.data == to)
        };
        network.run_until(2_000, is_followed);
        assert_eq!(network.ends[other].ids(), ids);
        assert!(
            network.ends[other].events.iter().any(|(_, event)| {
                *event == Event::Returned { id: ids[0], address: to, how: Return::Same }
            })
        );
        network.run(90_000);
        assert!(is_followed(&network));
        assert_eq!(network.ends[which].ids().len(), 1);
    }
}

#[test]
fn whoever_dies_is_gone_after_a_minute_and_its_place_is_kept() {
    for which in 0..2 {
        let mut network = Network::new(7);
        network.invite();
        network.run(10_000);
        let other = 1 - which;
        let ids = network.ends[other].ids();
        network.ends[which].is_dead = true;
        network.run(62_000);
        assert_eq!(network.ends[other].ids(), []);
        let events = &network.ends[other].events;
        assert!(
            events
                .iter()
                .any(|(_, event)| { *event == Event::Left { id: ids[0], reason: LeaveReason::Silence } })
        );
        // A new process at the same place.
        let fresh = Network::new(8);
        let [_, mut anew] = fresh.ends;
        anew.control = network.ends[which].control;
        anew.data = network.ends[which].data;
        network.ends[which] = anew;
        if which == 0 {
            network.invite();
        }
        network.run_until(2_000, |network| !network.ends[other].ids().is_empty());
        assert_eq!(network.ends[other].ids(), ids);
    }
}

#[test]
fn a_goodbye_is_heard_and_the_inviter_comes_back_by_itself() {
    let mut network = Network::new(9);
    let id = network.invite();
    network.run(5_000);
    let theirs = network.ends[1].ids();
    let now = network.ends[1].clock(network.now);
    network.ends[1].session.disconnect(now, theirs[0]);
    network.send(1);
    network.run_until(20, |network| network.ends[0].ids().is_empty());
    network.run_until(2_000, |network| network.ends[0].ids() == [id] && network.ends[1].ids() == theirs);
    // Ours stops it.
    let now = network.ends[0].clock(network.now);
    network.ends[0].session.forget(now, id);
    network.send(0);
    network.run(30_000);
    assert!(network.ends[0].ids().is_empty() && network.ends[1].ids().is_empty());
}

#[test]
fn two_that_invite_each_other_become_one_pair() {
    for offset in [0, 1, 10, 25, 40, 55] {
        let mut network = Network::new(10);
        network.invite();
        network.run(offset);
        let (now, to) = (network.ends[1].clock(network.now), network.ends[0].control);
        network.ends[1].session.invite(now, to, None, Name::default()).unwrap();
        network.send(1);
        network.run(60_000);
        for end in &network.ends {
            assert_eq!(end.ids().len(), 1, "{offset}: {:?}", end.events);
            let joins = end.events.iter().filter(|(_, event)| matches!(event, Event::Joined { .. })).count();
            assert_eq!(joins, 1, "{offset}");
            let quiet = end.events.iter().filter(|(_, event)| matches!(event, Event::Quiet { .. })).count();
            assert_eq!(quiet, 0, "{offset}");
        }
        network.is_cut = true;
        network.run(5_000);
        network.is_cut = false;
        network.run(2_000);
        for end in &network.ends {
            assert!(end.session.participants().all(|participant| participant.health == Health::Well));
        }
    }
}

#[test]
fn equal_ssrcs_are_told_apart() {
    let mut network = Network::new(11);
    let settings = |seed| super::script::session(crate::rtpmidi::session::Policy::anyone(), seed);
    network.ends[0].session = settings(9);
    network.ends[1].session = settings(9);
    network.invite();
    network.run(5_000);
    let [first, second] = &network.ends;
    let (id, theirs) = (first.ids()[0], second.ids()[0]);
    assert_ne!(first.session.ssrc(id), second.session.ssrc(theirs));
    assert_eq!(second.session.counters().collisions, 1);
}
