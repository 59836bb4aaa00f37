//! What a project saves while its instance is in a room.

use super::studio::{BLOCK, clap_player};
use super::{Other, Pace, Piece, Relay, Studio, alone};

/// Letters of the secret that may stand in a project by chance.
const CHANCE: usize = 6;

#[test]
fn a_project_saved_in_a_room_finds_the_room_again_and_holds_no_secret() {
    alone("network::project::a_project_saved_in_a_room_finds_the_room_again_and_holds_no_secret", |folder| {
        let relay = Relay::start(folder, 8);
        let studio = Studio::with_invite(folder, &relay.invite);
        let theirs = Piece::noise(2);
        let _other = Other::join(folder, &relay.invite, "other", &theirs);
        let mut pace = Pace::new(48_000.0, BLOCK);
        let mut plugin = studio.clap(&relay.invite.place(), "ours");
        let mut player = clap_player(&mut plugin, 48_000.0, &Piece::noise(1));
        pace.play_until_heard(5.0, &mut [&mut player]);
        let state = plugin.save_state().unwrap();
        plugin.deactivate(player.instance);
        drop(plugin);

        let holds = |bytes: &[u8]| state.windows(bytes.len()).any(|window| window == bytes);
        assert!(holds(relay.invite.place().as_bytes()), "the state names the room");
        let invite = relay.invite.to_string();
        let (_, fragment) = invite.split_once('#').unwrap();
        let secret = relay.invite.secret.0;
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!holds(b"#") && !holds(b"lockstep://"), "the state has an invite");
        for part in secret.windows(CHANCE) {
            assert!(!holds(part), "the state has a part of the secret");
        }
        for text in [fragment, &hex, &hex.to_uppercase()] {
            for part in text.as_bytes().windows(CHANCE) {
                let shown = String::from_utf8_lossy(part);
                assert!(!holds(part), "the state has a part of the secret, {shown}");
            }
        }

        let mut plugin = studio.clap("", "");
        plugin.load_state(&mut state.as_slice()).unwrap();
        let mut player = clap_player(&mut plugin, 48_000.0, &Piece::noise(1));
        pace.play_until_heard(5.0, &mut [&mut player]);
        pace.play(0.5, &mut [&mut player]);
        assert!(theirs.find(player.heard(0)).is_some(), "the restored instance is in the room");
        plugin.deactivate(player.instance);
    });
}
