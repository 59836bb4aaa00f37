//! Saving and restoring an instance, as a DAW's project does.
#![expect(unsafe_code, reason = "VST3 is a COM interface")]

use vst3::ComWrapper;
use vst3::Steinberg::IBStream;
use vst3::Steinberg::Vst::{IComponentTrait, IEditControllerTrait};

use super::objects::Stream;
use super::plugin::Plugin;
use super::{Vst3Error, check};

impl Plugin {
    /// The state that a DAW would save with its project.
    ///
    /// # Errors
    /// If the plugin cannot save.
    pub fn save_state(&self) -> Result<Vec<u8>, Vst3Error> {
        let stream = ComWrapper::new(Stream::default());
        let pointer = stream.to_com_ptr::<IBStream>().ok_or(Vst3Error::Missing("stream"))?;
        // SAFETY: the stream lives for the call.
        check("saving the state", unsafe { self.component.getState(pointer.as_ptr()) })?;
        Ok(stream.take_bytes())
    }

    /// Restores what [`Self::save_state`] gave: first the component, then, from the start again, the controller.
    ///
    /// # Errors
    /// If the component refuses. What a controller answers says nothing: many leave the call out.
    pub fn load_state(&mut self, state: &[u8]) -> Result<(), Vst3Error> {
        let component = ComWrapper::new(Stream::new(state));
        let pointer = component.to_com_ptr::<IBStream>().ok_or(Vst3Error::Missing("stream"))?;
        // SAFETY: the stream lives for the call.
        check("loading the state", unsafe { self.component.setState(pointer.as_ptr()) })?;
        let controller = ComWrapper::new(Stream::new(state));
        let pointer = controller.to_com_ptr::<IBStream>().ok_or(Vst3Error::Missing("stream"))?;
        // SAFETY: the stream lives for the call.
        unsafe { self.controller.setComponentState(pointer.as_ptr()) };
        Ok(())
    }
}
