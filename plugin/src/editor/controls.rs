//! The parameters, as the host automates them, and the two delays.

use egui::{Align, Button, Layout, RichText, Ui};
use nice_plug::prelude::{BoolParam, Enum, EnumParam, FloatParam, Param, ParamSetter};
use nice_plug_egui::widgets::ParamSlider;

use super::theme;
use crate::params::{JitterChoice, Parameters, RoleChoice, RoomModeChoice, SyncModeChoice};
use crate::status::Status;

/// Width of the names before the values.
const LABEL_WIDTH: f32 = 108.0;
const SLIDER_WIDTH: f32 = 100.0;

/// Shows every parameter; a change goes through the host, which records it as automation.
pub(super) fn show(ui: &mut Ui, parameters: &Parameters, host: &ParamSetter<'_>, status: &Status) {
    row(ui, "Delay, automatic", |ui| {
        let delay = status
            .automatic_delay_ms
            .map_or_else(|| "not measured yet".to_owned(), |ms| format!("{ms:.2} ms"));
        ui.label(delay)
            .on_hover_text("The smallest delay at which everybody's sound arrives in time. It sets itself.");
    });
    for parameter in
        [&parameters.sync_delay, &parameters.send_gain, &parameters.receive_gain, &parameters.monitor_gain]
    {
        slider(ui, parameter, host);
    }
    row(ui, "Room Mode", |ui| choices(ui, &parameters.room_mode, explanation, host));
    row(ui, "Sync Mode", |ui| choices(ui, &parameters.sync_mode, sync, host));
    if parameters.sync_mode.value() == SyncModeChoice::Grid {
        row(ui, "Grid Unit", |ui| list(ui, &parameters.grid_unit, UNIT, host));
    }
    row(ui, "Jitter", |ui| choices(ui, &parameters.jitter, weighing, host));
    if parameters.jitter.value() == JitterChoice::Fixed {
        slider(ui, &parameters.jitter_fixed, host);
    }
    row(ui, "Format", |ui| list(ui, &parameters.format, FORMAT, host));
    row(ui, "Transport Role", |ui| choices(ui, &parameters.role, part, host));
    if parameters.role.value() == RoleChoice::Follow {
        slider(ui, &parameters.clock_offset, host);
    }
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        for parameter in [&parameters.mute_send, &parameters.mute_receive, &parameters.bypass] {
            switch(ui, parameter, host);
        }
    });
}

fn slider(ui: &mut Ui, parameter: &FloatParam, host: &ParamSetter<'_>) {
    row(ui, parameter.name(), |ui| {
        // The slider stacks padding above and below itself.
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.add(ParamSlider::for_param(parameter, host).with_width(SLIDER_WIDTH)).on_hover_text(
            "Drag; with Shift for fine steps; double-click to reset; click the value to type one.",
        );
    });
}

/// A list to choose from, for more choices than fit beside each other.
fn list<T: Enum + PartialEq + Copy + 'static>(
    ui: &mut Ui,
    parameter: &EnumParam<T>,
    explanation: &str,
    host: &ParamSetter<'_>,
) {
    let names = T::variants();
    let chosen = names.get(parameter.value().to_index()).copied().unwrap_or_default();
    let shown = egui::ComboBox::from_id_salt(parameter.name()).selected_text(chosen).show_ui(ui, |ui| {
        for (index, name) in names.iter().enumerate() {
            let choice = T::from_index(index);
            if ui.selectable_label(parameter.value() == choice, *name).clicked() {
                set(parameter, choice, host);
            }
        }
    });
    shown.response.on_hover_text(explanation);
}

fn row(ui: &mut Ui, name: &str, value: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.allocate_ui_with_layout(
            egui::vec2(LABEL_WIDTH, ui.spacing().interact_size.y),
            Layout::left_to_right(Align::Center),
            |ui| {
                ui.set_min_width(LABEL_WIDTH);
                ui.label(RichText::new(name).color(theme::FAINT));
            },
        );
        value(ui);
    });
}

fn switch(ui: &mut Ui, parameter: &BoolParam, host: &ParamSetter<'_>) {
    let on = parameter.value();
    if ui.add(Button::selectable(on, parameter.name()).frame_when_inactive(true)).clicked() {
        set(parameter, !on, host);
    }
}

fn choices<T: Enum + Copy + PartialEq + 'static>(
    ui: &mut Ui,
    parameter: &EnumParam<T>,
    explanation: fn(T) -> &'static str,
    host: &ParamSetter<'_>,
) {
    for (index, name) in T::variants().iter().enumerate() {
        let choice = T::from_index(index);
        let response =
            ui.add(Button::selectable(parameter.value() == choice, *name).frame_when_inactive(true));
        if response.on_hover_text(explanation(choice)).clicked() {
            set(parameter, choice, host);
        }
    }
}

const UNIT: &str = "The musical unit by which the others are late.";
const FORMAT: &str = "How sound travels. Auto: 16-bit samples, and losslessly coded ones where everything has to be sent twice.";

const fn explanation(choice: RoomModeChoice) -> &'static str {
    match choice {
        RoomModeChoice::Auto => "Stems while there is an output for every strip, else the mix.",
        RoomModeChoice::Stems => "Every strip by itself: the lowest latency, an output for each player.",
        RoomModeChoice::Mix => "One mix of everybody else, made by the relay: the least network traffic.",
    }
}

const fn sync(choice: SyncModeChoice) -> &'static str {
    match choice {
        SyncModeChoice::Tight => "Everybody as early as the network allows.",
        SyncModeChoice::Room => "Everybody hears the same beat at the same moment.",
        SyncModeChoice::Grid => "The others a whole musical unit late: their beats fall on yours.",
    }
}

const fn weighing(choice: JitterChoice) -> &'static str {
    match choice {
        JitterChoice::Tight => "The least delay; up to about 1 % of the sound has to be filled in.",
        JitterChoice::Default => "As little delay as sounds clean on this network.",
        JitterChoice::Recording => "More delay, so that next to nothing has to be filled in.",
        JitterChoice::Fixed => "So much more than the way itself takes, whatever the network does.",
    }
}

const fn part(choice: RoleChoice) -> &'static str {
    match choice {
        RoleChoice::Auto => "Leads if it is the first in the room; else this DAW keeps its own time.",
        RoleChoice::Off => "This DAW keeps its own time.",
        RoleChoice::Lead => "Everybody who follows goes by this DAW's transport.",
        RoleChoice::Follow => {
            "This DAW goes by the leader's transport: choose the MIDI input \"Lockstep Clock\" as its sync source."
        }
    }
}

fn set<P: Param>(parameter: &P, value: P::Plain, host: &ParamSetter<'_>) {
    host.begin_set_parameter(parameter);
    host.set_parameter(parameter, value);
    host.end_set_parameter(parameter);
}
