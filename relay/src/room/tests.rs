//! A room by itself, with sessions from a real server.

use super::*;
use crate::bridge::BridgeSettings;
use crate::grid::Grid;
use lockstep_shared::session::{
    Client, ClientSettings, MemberKey, RelayKey, RoomAccess, RoomSecret, Server, ServerEvent,
};
use lockstep_shared::time::LocalTime;
use lockstep_shared::wire::{Channels, DATAGRAM_BYTES_MAX, ProfileStrip, Roster};

fn sessions(count: u8) -> Vec<SessionId> {
    let (now, grid, secret) = (LocalTime::ZERO, GridPosition::from_raw(0), RoomSecret([3; 16]));
    let key = RelayKey::from_private([5; 32]);
    let relay_key = key.public();
    let mut server = Server::new(key, &[RoomAccess { secret, members_max: 100 }], &[1; 32]);
    let mut out = [0; DATAGRAM_BYTES_MAX];
    for number in 0..count {
        let settings = ClientSettings { relay_key, secret, member_key: MemberKey([number; 16]) };
        let mut client = Client::new(settings, &[number; 32], now);
        let from = ([10, 0, number, 1], 1).into();
        while let Some(length) = client.poll_transmit(now, &mut out) {
            server.handle_datagram(now, grid, from, &mut out[..length]);
            while let Some((_, length)) = server.poll_transmit(now, grid, &mut out) {
                client.handle_datagram(now, &mut out[..length]);
            }
        }
    }
    core::iter::from_fn(|| server.poll_event())
        .filter_map(
            |event| if let ServerEvent::Joined { session, .. } = event { Some(session) } else { None },
        )
        .collect()
}

#[test]
fn a_roster_can_be_read_however_much_its_members_announce() {
    for count in [1, 13, 14, 100] {
        let mut room = Room::new(Bridge::new(
            BridgeSettings::default(),
            Grid::starting_at(LocalTime::ZERO),
            &[0; 32],
            LocalTime::ZERO,
        ));
        for session in sessions(count) {
            let strip = |number| ProfileStrip { number, channels: Channels::Mono, name: "s".repeat(64) };
            let strips = (0..16).map(strip).collect();
            room.join(session);
            room.set_profile(session, Profile { name: "n".repeat(64), strips, ..Profile::default() });
        }
        let rosters: Vec<_> = room.rosters().collect();
        assert_eq!(rosters.len(), usize::from(count));
        for (_, bytes) in rosters {
            let roster = Roster::decode(&bytes).unwrap();
            assert_eq!(roster.members.len(), usize::from(count));
            assert_eq!(roster.strips.len(), 16 * usize::from(count));
        }
    }
}

#[test]
fn gains_of_strips_that_are_not_there_do_not_pile_up() {
    let session = sessions(1)[0];
    let mut room = Room::new(Bridge::new(
        BridgeSettings::default(),
        Grid::starting_at(LocalTime::ZERO),
        &[0; 32],
        LocalTime::ZERO,
    ));
    room.join(session);
    for round in 0..60_u16 {
        let strips = (round * 1_000)..(round * 1_000 + 1_000);
        room.set_gains(session, &Gains { gains: strips.map(|strip| (StripId(strip), 0.5)).collect() });
    }
    assert_eq!(room.members.values().map(|member| member.gains.len()).sum::<usize>(), 1_000);
}
