//! The editor: what the room does, in words and figures, and every parameter that the host has.
//!
//! It reads [`Instance::status`] once a frame and owns nothing that matters: closing it changes nothing. It may run on
//! a thread of its own (on X11 it does), so it meets the rest behind the instance's lock, which the audio thread never
//! takes.

mod controls;
mod meter;
mod musical;
mod people;
mod readings;
mod room;
mod theme;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use egui::{CentralPanel, Context, Frame as Space, Panel, Ui};
use nice_plug::context::gui::GuiContext;
use nice_plug::editor::dpi::LogicalSize;
use nice_plug_egui::baseview::HandlerError;
use nice_plug_egui::{
    EguiEditor, EguiEditorState, EguiNiceSettings, Frame, NiceEguiApp, RepaintNotifier, create_egui_editor,
};

use crate::host::Seam;
use crate::instance::Instance;
use crate::params::{Parameters, lock};

/// The editor as nice-plug sees it.
pub(crate) type Editor = EguiEditor<App>;

const SIZE: LogicalSize<f64> = LogicalSize::new(680.0, 560.0);
/// Width of the column with the controls; the people have the rest.
const CONTROLS_WIDTH: f32 = 352.0;
/// Meters move; 30 pictures a second are enough for that.
const FRAME_INTERVAL: Duration = Duration::from_millis(33);

/// An editor for one instance; opens nothing yet.
pub(crate) fn create(
    parameters: Arc<Parameters>,
    instance: Arc<Mutex<Instance>>,
    seam: Arc<Seam>,
) -> Option<Editor> {
    create_egui_editor(
        EguiEditorState::from_size(SIZE, 1.0),
        RepaintNotifier::new(),
        EguiNiceSettings::new().with_tile("Lockstep"),
        App {
            parameters,
            instance,
            seam,
            host: None,
            room: room::Room::default(),
            meters: meter::Meters::default(),
        },
    )
}

/// The editor of one instance.
pub(crate) struct App {
    parameters: Arc<Parameters>,
    instance: Arc<Mutex<Instance>>,
    seam: Arc<Seam>,
    /// How parameters are set; there while the window is open.
    host: Option<GuiContext>,
    room: room::Room,
    meters: meter::Meters,
}

impl NiceEguiApp for App {
    fn build(&mut self, egui: Context, host: GuiContext, _frame: &mut Frame) -> Result<(), HandlerError> {
        theme::apply(&egui);
        self.host = Some(host);
        Ok(())
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut Frame) {
        let (status, settings) = {
            let instance = lock(&self.instance);
            (instance.status(), instance.settings().clone())
        };
        let space = |fill| Space::new().fill(fill).inner_margin(12);

        Panel::top("link").frame(space(theme::RAISED)).show_separator_line(false).show(ui, |ui| {
            readings::link(ui, &status, &settings);
            musical::show(ui, &status, &self.instance);
        });
        Panel::bottom("notices").frame(space(theme::RAISED)).show_separator_line(false).show(ui, |ui| {
            readings::figures(ui, &status);
            readings::notices(ui, &status, self.seam.condition());
            readings::footer(ui, &self.seam.host_name());
        });
        Panel::left("controls")
            .frame(space(theme::GROUND))
            .exact_size(CONTROLS_WIDTH)
            .resizable(false)
            .show_separator_line(false)
            .show(ui, |ui| {
                if self.room.show(ui, &settings, &self.instance) == room::Edited::Settings {
                    self.seam.mark_project_changed();
                }
                ui.add_space(10.0);
                if let Some(host) = &self.host {
                    controls::show(ui, &self.parameters, &host.param_setter(), &status);
                }
            });
        CentralPanel::default().frame(space(theme::SUNKEN)).show(ui, |ui| {
            people::show(ui, &status, &mut self.meters);
        });
        ui.ctx().request_repaint_after(FRAME_INTERVAL);
    }

    fn editor_closed(&mut self) {
        self.host = None;
    }
}
