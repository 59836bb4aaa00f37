//! Which room, and under which names.

use std::sync::Mutex;

use egui::{Button, Grid, RichText, TextEdit, Ui};

use super::theme;
use crate::instance::{Instance, Settings};
use crate::params::lock;

/// Whether something was changed that the project saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edited {
    Nothing,
    Settings,
}

/// What is being typed.
#[derive(Debug, Default)]
pub(super) struct Room {
    invite: String,
    member_name: Field,
    strip_name: Field,
    /// Why the last invite was not taken.
    refusal: Option<String>,
}

/// A text field that shows a setting until somebody types, and gives the text back when they are done.
#[derive(Debug, Default)]
struct Field {
    text: String,
    typing: bool,
}

impl Room {
    /// Shows the fields; what is entered goes to `instance`.
    pub(super) fn show(&mut self, ui: &mut Ui, settings: &Settings, instance: &Mutex<Instance>) -> Edited {
        let mut edited = Edited::Nothing;
        if settings.room.is_empty() {
            if self.invite_field(ui, instance) {
                edited = Edited::Settings;
            }
        } else {
            ui.horizontal(|ui| {
                ui.label(RichText::new("Room").color(theme::FAINT));
                ui.label(RichText::new(&settings.room).strong());
                if ui.button("Leave").clicked() {
                    lock(instance).set_settings(Settings { room: String::new(), ..settings.clone() });
                    edited = Edited::Settings;
                }
            });
        }
        if let Some(refusal) = &self.refusal {
            ui.label(RichText::new(refusal).color(theme::BAD));
        }
        Grid::new("names").num_columns(2).show(ui, |ui| {
            let label = |ui: &mut Ui, text| ui.label(RichText::new(text).color(theme::FAINT));
            label(ui, "Your name");
            if let Some(member_name) =
                self.member_name.show(ui, &settings.member_name, "as the others see you")
            {
                lock(instance).set_settings(Settings { member_name, ..settings.clone() });
                edited = Edited::Settings;
            }
            ui.end_row();
            label(ui, "This track");
            if let Some(strip_name) =
                self.strip_name.show(ui, &settings.strip_name, "guitar, voice, drums ...")
            {
                lock(instance).set_settings(Settings { strip_name, ..settings.clone() });
                edited = Edited::Settings;
            }
            ui.end_row();
        });
        edited
    }

    /// Whether an invite was taken.
    fn invite_field(&mut self, ui: &mut Ui, instance: &Mutex<Instance>) -> bool {
        let join = ui
            .horizontal(|ui| {
                // The secret is not shown: screens are shared and filmed.
                let field = TextEdit::singleline(&mut self.invite)
                    .password(true)
                    .hint_text("Paste an invite: lockstep://...")
                    .desired_width(220.0);
                let entered =
                    ui.add(field).lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
                let clicked = ui.add_enabled(!self.invite.trim().is_empty(), Button::new("Join")).clicked();
                entered || clicked
            })
            .inner;
        if !join || self.invite.trim().is_empty() {
            return false;
        }
        let outcome = lock(instance).accept_invite(self.invite.trim());
        let taken = outcome.is_ok();
        self.refusal = outcome.err();
        if taken {
            self.invite.clear();
        }
        taken
    }
}

impl Field {
    /// The text, once somebody has changed it and left the field.
    fn show(&mut self, ui: &mut Ui, setting: &str, hint: &str) -> Option<String> {
        if !self.typing && self.text != setting {
            setting.clone_into(&mut self.text);
        }
        let response = ui.add(TextEdit::singleline(&mut self.text).hint_text(hint).desired_width(204.0));
        self.typing = response.has_focus();
        (response.lost_focus() && self.text.trim() != setting).then(|| self.text.trim().to_owned())
    }
}
