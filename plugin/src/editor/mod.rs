//! The editor.

use std::sync::{Arc, Mutex};

use nice_plug_egui::{
    EguiEditor, EguiEditorState, EguiNiceSettings, NiceEguiApp, RepaintNotifier, create_egui_editor,
};

use crate::host::Seam;
use crate::instance::Instance;
use crate::params::Parameters;

pub(crate) type Editor = EguiEditor<App>;

pub(crate) struct App;
impl NiceEguiApp for App {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut nice_plug_egui::Frame) {
        ui.label("x");
    }
}

pub(crate) fn create(_p: Arc<Parameters>, _i: Arc<Mutex<Instance>>, _s: Arc<Seam>) -> Option<Editor> {
    create_egui_editor(
        EguiEditorState::from_size(nice_plug::editor::dpi::LogicalSize::new(640.0, 520.0), 1.0),
        RepaintNotifier::default(),
        EguiNiceSettings::new(),
        App,
    )
}
