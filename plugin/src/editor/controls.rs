//! The parameters, as the host automates them, and the two delays.

use egui::{Button, Grid, RichText, Ui};
use nice_plug::prelude::{BoolParam, Enum, EnumParam, FloatParam, Param, ParamSetter};
use nice_plug_egui::widgets::ParamSlider;

use super::theme;
use crate::params::{Parameters, RoomModeChoice};
use crate::status::Status;

/// Shows every parameter; a change goes through the host, which records it as automation.
pub(super) fn show(ui: &mut Ui, parameters: &Parameters, host: &ParamSetter<'_>, status: &Status) {
    Grid::new("parameters").num_columns(2).spacing([10.0, 6.0]).show(ui, |ui| {
        label(ui, "Delay, automatic");
        ui.label(
            status
                .automatic_delay_ms
                .map_or_else(|| "not measured yet".to_owned(), |ms| format!("{ms:.2} ms")),
        )
        .on_hover_text("The smallest delay at which everybody's sound arrives in time. It sets itself.");
        ui.end_row();
        for parameter in [
            &parameters.sync_delay,
            &parameters.send_gain,
            &parameters.receive_gain,
            &parameters.monitor_gain,
        ] {
            slider(ui, parameter, host);
        }
        label(ui, "Room Mode");
        ui.horizontal(|ui| choices(ui, &parameters.room_mode, host));
        ui.end_row();
    });
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        for parameter in [&parameters.mute_send, &parameters.mute_receive, &parameters.bypass] {
            switch(ui, parameter, host);
        }
    });
}

fn slider(ui: &mut Ui, parameter: &FloatParam, host: &ParamSetter<'_>) {
    label(ui, parameter.name());
    ui.add(ParamSlider::for_param(parameter, host)).on_hover_text(
        "Drag; with Shift for fine steps; double-click to reset; click the value to type one.",
    );
    ui.end_row();
}

fn switch(ui: &mut Ui, parameter: &BoolParam, host: &ParamSetter<'_>) {
    let on = parameter.value();
    if ui.add(Button::selectable(on, parameter.name())).clicked() {
        set(parameter, !on, host);
    }
}

fn choices(ui: &mut Ui, parameter: &EnumParam<RoomModeChoice>, host: &ParamSetter<'_>) {
    for (index, name) in RoomModeChoice::variants().iter().enumerate() {
        let choice = RoomModeChoice::from_index(index);
        let response = ui.add(Button::selectable(parameter.value() == choice, *name));
        if response.on_hover_text(explanation(choice)).clicked() {
            set(parameter, choice, host);
        }
    }
}

const fn explanation(choice: RoomModeChoice) -> &'static str {
    match choice {
        RoomModeChoice::Auto => "Stems while there is an output for every strip, else the mix.",
        RoomModeChoice::Stems => "Every strip by itself: the lowest latency, an output for each player.",
        RoomModeChoice::Mix => "One mix of everybody else, made by the relay: the least network traffic.",
    }
}

fn set<P: Param>(parameter: &P, value: P::Plain, host: &ParamSetter<'_>) {
    host.begin_set_parameter(parameter);
    host.set_parameter(parameter, value);
    host.end_set_parameter(parameter);
}

fn label(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).color(theme::FAINT));
}
