//! The plugins that this library exports: one type, three shapes.
//!
//! A VST3 host may only choose layouts with the same number of buses, and some hosts leave the extra buses of an
//! effect unusable, so on VST3 the plain stereo shape is a class of its own and comes first. A CLAP host may leave
//! ports unconnected, so one shape serves.

use std::num::NonZeroU32;

use nice_plug::prelude::{AudioIOLayout, PortNames, new_nonzero_u32};

use crate::engine::STRIP_OUTPUTS;

/// One exported plugin.
pub(super) trait Edition: Send + 'static {
    /// What the host's plugin list shows.
    const NAME: &'static str;
    /// The only layout offered.
    const LAYOUTS: &'static [AudioIOLayout];
    /// The VST3 class; fixed for ever, projects name it.
    const CLASS_ID: [u8; 16];
}

/// The CLAP plugin.
pub(super) struct Clap;
/// The VST3 class for any track.
pub(super) struct Vst3Stereo;
/// The VST3 class with an output for each player.
pub(super) struct Vst3MultiOut;

impl Edition for Clap {
    const NAME: &'static str = "Lockstep";
    const LAYOUTS: &'static [AudioIOLayout] = &[MULTI_OUT];
    const CLASS_ID: [u8; 16] = *b"LockstepClapOnly";
}

impl Edition for Vst3Stereo {
    const NAME: &'static str = "Lockstep";
    const LAYOUTS: &'static [AudioIOLayout] = &[STEREO];
    const CLASS_ID: [u8; 16] = *b"LockstepStereoFx";
}

impl Edition for Vst3MultiOut {
    const NAME: &'static str = "Lockstep Multi-Out";
    const LAYOUTS: &'static [AudioIOLayout] = &[MULTI_OUT];
    const CLASS_ID: [u8; 16] = *b"LockstepMultiOut";
}

/// Main ports stay unnamed: nice-plug shows the input's name on the output too.
const STEREO: AudioIOLayout = AudioIOLayout {
    main_input_channels: NonZeroU32::new(2),
    main_output_channels: NonZeroU32::new(2),
    ..AudioIOLayout::const_default()
};

const MULTI_OUT: AudioIOLayout = AudioIOLayout {
    aux_output_ports: &[new_nonzero_u32(2); STRIP_OUTPUTS],
    names: PortNames {
        layout: Some("Stereo and one output a player"),
        aux_outputs: &[
            "Player 1", "Player 2", "Player 3", "Player 4", "Player 5", "Player 6", "Player 7", "Player 8",
        ],
        ..PortNames::const_default()
    },
    ..STEREO
};
