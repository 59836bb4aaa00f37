//! One plugin instance's place in the process: created silent, joined to the process's link by activation.

use crate::engine::{Engine, Setup};
use crate::status::Status;

/// What the project saves and the editor edits; never a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `HOST[:PORT]/ROOM` of the room to join, without its secret; empty joins nothing.
    pub room: String,
    /// The member's name as the others see it.
    pub member_name: String,
    /// This instance's strip as the others see it.
    pub strip_name: String,
}

/// One plugin instance. Creating it opens no socket, thread or port; [`Instance::activate`] does.
#[derive(Debug, Default)]
pub struct Instance {
    settings: Settings,
}

impl Instance {
    /// An instance that has joined nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes what to join and under which name; takes effect at once when active.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The settings in force.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes a full invite (`lockstep://HOST[:PORT]/ROOM#SECRET`): its secret goes to the machine-local file,
    /// the rest into the settings. Errors are sentences for the editor.
    pub fn accept_invite(&mut self, invite: &str) -> Result<(), String> {
        Err(format!("not an invite: {invite}"))
    }

    /// Starts, or shares, the process's link and returns the audio thread's half.
    pub fn activate(&mut self, setup: Setup) -> Engine {
        Engine::new(setup)
    }

    /// Leaves the link; the last instance to leave ends its thread.
    pub fn deactivate(&mut self) {}

    /// What the editor shows. Takes a short lock; never called on the audio thread.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::default()
    }
}
