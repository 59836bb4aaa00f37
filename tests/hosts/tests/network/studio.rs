//! One musician's computer: invites, and instances whose projects name a room.

use std::fs;
use std::path::Path;

use lockstep_hosts::clap::{Activation, ClapHost, Plugin, Processor};
use lockstep_hosts::vst3::{BusDirection, BusSwitch, Plugin as Vst3Plugin, Setup};
use lockstep_shared::session::Invite;
use serde_json::Value;

use super::{Outlets, Piece, Player};
use crate::support::{OUTPUTS, plugin_file, vst3_plugin};

/// Frames in a block of every player here.
pub(super) const BLOCK: usize = 256;
/// The same, as hosts announce it.
pub(super) const FRAMES_MAX: u32 = 256;

/// The host, and the folder with the invites.
pub(super) struct Studio {
    host: ClapHost,
}

impl Studio {
    /// A computer that has the invites of `lines`, one each.
    pub(super) fn with_invites(folder: &Path, lines: &[String]) -> Self {
        let settings = folder.join("settings/lockstep");
        fs::create_dir_all(&settings).unwrap();
        fs::write(settings.join("invites"), lines.join("\n") + "\n").unwrap();
        Self { host: ClapHost::load(&plugin_file()).unwrap() }
    }

    /// A computer that has one invite.
    pub(super) fn with_invite(folder: &Path, invite: &Invite) -> Self {
        Self::with_invites(folder, &[invite.to_string()])
    }

    /// A CLAP instance of a project that names a room and calls its strip `name`.
    pub(super) fn clap(&self, place: &str, name: &str) -> Plugin {
        let mut plugin = self.host.instantiate_first().unwrap();
        let state = project(&plugin.save_state().unwrap(), place, name);
        plugin.load_state(&mut state.as_slice()).unwrap();
        plugin
    }

    /// The same of a VST3 class.
    pub(super) fn vst3(class: &str, place: &str, name: &str) -> Vst3Plugin {
        let mut plugin = vst3_plugin(class);
        let state = project(&plugin.save_state().unwrap(), place, name);
        plugin.load_state(&state).unwrap();
        plugin
    }
}

/// Activates a CLAP instance at a rate and has it play.
pub(super) fn clap_player(plugin: &mut Plugin, sample_rate: f64, piece: &Piece) -> Player<Processor> {
    let processor =
        plugin.activate(Activation { sample_rate, frames_min: 1, frames_max: FRAMES_MAX }).unwrap();
    Player::new(processor, Outlets::All, BLOCK, piece)
}

/// Starts a VST3 instance, with every bus that it has, and has it play.
pub(super) fn vst3_player(mut plugin: Vst3Plugin, setup: Setup, piece: &Piece) -> Player<Vst3Plugin> {
    let outputs = plugin.buses(BusDirection::Output).unwrap().len();
    plugin.set_bus(BusDirection::Input, 0, BusSwitch::On).unwrap();
    for index in 0..outputs {
        plugin.set_bus(BusDirection::Output, i32::try_from(index).unwrap(), BusSwitch::On).unwrap();
    }
    plugin.set_up(setup).unwrap();
    plugin.start().unwrap();
    let outlets = if outputs == OUTPUTS { Outlets::All } else { Outlets::Main };
    Player::new(plugin, outlets, BLOCK, piece)
}

/// A saved state with its settings changed. The state is JSON, in CLAP behind eight bytes with its length, and each
/// setting in it is JSON once more.
fn project(state: &[u8], place: &str, name: &str) -> Vec<u8> {
    let (header, text) = state.split_at(state.iter().position(|byte| *byte == b'{').unwrap());
    let mut saved: Value = serde_json::from_slice(text).unwrap();
    let settings = saved["fields"]["settings"].as_str().unwrap();
    let mut settings: Value = serde_json::from_str(settings).unwrap();
    settings["room"] = place.into();
    settings["member_name"] = "studio".into();
    settings["strip_name"] = name.into();
    saved["fields"]["settings"] = settings.to_string().into();
    let text = saved.to_string();
    let length = u64::try_from(text.len()).unwrap().to_le_bytes();
    length[..header.len()].iter().copied().chain(text.bytes()).collect()
}
