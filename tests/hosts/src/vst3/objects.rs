//! The host's own COM objects: context, component handler, parameter changes, stream.
#![expect(unsafe_code, reason = "VST3 is a COM interface: the plugin hands and takes raw pointers")]

use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

use vst3::Steinberg::Vst::{
    IComponentHandler, IComponentHandlerTrait, IHostApplication, IHostApplicationTrait, IParamValueQueue,
    IParamValueQueueTrait, IParameterChanges, IParameterChangesTrait, ParamID, ParamValue, String128,
};
use vst3::Steinberg::{
    IBStream, IBStream_::IStreamSeekMode_, IBStreamTrait, TUID, int32, int64, kInvalidArgument,
    kNotImplemented, kResultOk, tresult,
};
use vst3::{Class, ComPtr, ComWrapper};

use crate::block::{Automation, ParameterId};

/// The context that a plugin gets at its start: the host's name, and nothing to create.
pub(super) struct HostApplication;

impl Class for HostApplication {
    type Interfaces = (IHostApplication,);
}

impl IHostApplicationTrait for HostApplication {
    unsafe fn getName(&self, name: *mut String128) -> tresult {
        let mut text = [0; 128];
        for (target, source) in text.iter_mut().zip("Lockstep test host".encode_utf16()) {
            *target = source;
        }
        // SAFETY: the plugin passes a place for a name, as the interface has it.
        unsafe { *name = text };
        kResultOk
    }

    unsafe fn createInstance(
        &self,
        _class: *mut TUID,
        _interface: *mut TUID,
        _object: *mut *mut c_void,
    ) -> tresult {
        kNotImplemented
    }
}

/// A change that the plugin's own editor made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edit {
    /// A gesture began.
    Begin(ParameterId),
    /// A normalized value in a gesture.
    Perform(ParameterId, f64),
    /// A gesture ended.
    End(ParameterId),
}

/// What the plugin has told the component handler.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HandlerLog {
    /// Changes from its editor.
    pub edits: Vec<Edit>,
    /// The flags of each restart that it asked for.
    pub restarts: Vec<i32>,
}

/// Remembers what the plugin tells its host.
#[derive(Default)]
pub(super) struct ComponentHandler {
    log: Mutex<HandlerLog>,
}

impl ComponentHandler {
    pub(super) fn take_log(&self) -> HandlerLog {
        std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn edit(&self, edit: Edit) -> tresult {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).edits.push(edit);
        kResultOk
    }
}

impl Class for ComponentHandler {
    type Interfaces = (IComponentHandler,);
}

impl IComponentHandlerTrait for ComponentHandler {
    unsafe fn beginEdit(&self, id: ParamID) -> tresult {
        self.edit(Edit::Begin(ParameterId(id)))
    }

    unsafe fn performEdit(&self, id: ParamID, value: ParamValue) -> tresult {
        self.edit(Edit::Perform(ParameterId(id), value))
    }

    unsafe fn endEdit(&self, id: ParamID) -> tresult {
        self.edit(Edit::End(ParameterId(id)))
    }

    unsafe fn restartComponent(&self, flags: int32) -> tresult {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).restarts.push(flags);
        kResultOk
    }
}

/// One block's automation, one queue a parameter.
pub(super) struct ParameterChanges {
    queues: Vec<ComPtr<IParamValueQueue>>,
}

impl ParameterChanges {
    /// Sorts the points into queues, in the order in which the parameters first appear.
    pub(super) fn new(points: impl Iterator<Item = Automation>) -> Self {
        let mut queues: Vec<ParameterQueue> = Vec::new();
        for point in points {
            match queues.iter_mut().find(|queue| queue.parameter == point.parameter) {
                Some(queue) => queue.points.push(point),
                None => queues.push(ParameterQueue { parameter: point.parameter, points: vec![point] }),
            }
        }
        let queues = queues
            .into_iter()
            .filter_map(|queue| ComWrapper::new(queue).to_com_ptr::<IParamValueQueue>())
            .collect();
        Self { queues }
    }
}

impl Class for ParameterChanges {
    type Interfaces = (IParameterChanges,);
}

impl IParameterChangesTrait for ParameterChanges {
    unsafe fn getParameterCount(&self) -> int32 {
        int32::try_from(self.queues.len()).unwrap_or(int32::MAX)
    }

    unsafe fn getParameterData(&self, index: int32) -> *mut IParamValueQueue {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.queues.get(index))
            .map_or(std::ptr::null_mut(), ComPtr::as_ptr)
    }

    unsafe fn addParameterData(&self, _id: *const ParamID, _index: *mut int32) -> *mut IParamValueQueue {
        std::ptr::null_mut()
    }
}

struct ParameterQueue {
    parameter: ParameterId,
    points: Vec<Automation>,
}

impl Class for ParameterQueue {
    type Interfaces = (IParamValueQueue,);
}

impl IParamValueQueueTrait for ParameterQueue {
    unsafe fn getParameterId(&self) -> ParamID {
        self.parameter.0
    }

    unsafe fn getPointCount(&self) -> int32 {
        int32::try_from(self.points.len()).unwrap_or(int32::MAX)
    }

    unsafe fn getPoint(&self, index: int32, offset: *mut int32, value: *mut ParamValue) -> tresult {
        let Some(point) = usize::try_from(index).ok().and_then(|index| self.points.get(index)) else {
            return kInvalidArgument;
        };
        // SAFETY: the plugin passes places for both, as the interface has it.
        unsafe {
            *offset = int32::try_from(point.offset).unwrap_or(int32::MAX);
            *value = point.value;
        }
        kResultOk
    }

    unsafe fn addPoint(&self, _offset: int32, _value: ParamValue, _index: *mut int32) -> tresult {
        kNotImplemented
    }
}

/// A file in memory.
#[derive(Default)]
pub(super) struct Stream {
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    position: usize,
}

impl Stream {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self { content: Mutex::new(Content { bytes: bytes.to_vec(), position: 0 }) }
    }

    pub(super) fn take_bytes(&self) -> Vec<u8> {
        std::mem::take(&mut self.content.lock().unwrap_or_else(PoisonError::into_inner).bytes)
    }
}

impl Class for Stream {
    type Interfaces = (IBStream,);
}

impl IBStreamTrait for Stream {
    unsafe fn read(&self, buffer: *mut c_void, count: int32, read: *mut int32) -> tresult {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(count) = usize::try_from(count) else {
            return kInvalidArgument;
        };
        let position = content.position.min(content.bytes.len());
        let source = &content.bytes[position..];
        let source = &source[..count.min(source.len())];
        // SAFETY: the plugin passes a buffer of `count` bytes, and maybe a place for the number read.
        unsafe {
            std::ptr::copy_nonoverlapping(source.as_ptr(), buffer.cast(), source.len());
            if !read.is_null() {
                *read = int32::try_from(source.len()).unwrap_or(int32::MAX);
            }
        }
        content.position = position + source.len();
        kResultOk
    }

    unsafe fn write(&self, buffer: *mut c_void, count: int32, written: *mut int32) -> tresult {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(length) = usize::try_from(count) else {
            return kInvalidArgument;
        };
        // SAFETY: the plugin passes `count` bytes, and maybe a place for the number written.
        let source = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), length) };
        let position = content.position.min(content.bytes.len());
        content.bytes.truncate(position);
        content.bytes.extend_from_slice(source);
        content.position = content.bytes.len();
        if !written.is_null() {
            // SAFETY: as above.
            unsafe { *written = count };
        }
        kResultOk
    }

    unsafe fn seek(&self, offset: int64, mode: int32, result: *mut int64) -> tresult {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let base = match u32::try_from(mode) {
            Ok(IStreamSeekMode_::kIBSeekSet) => 0,
            Ok(IStreamSeekMode_::kIBSeekCur) => content.position,
            Ok(IStreamSeekMode_::kIBSeekEnd) => content.bytes.len(),
            _ => return kInvalidArgument,
        };
        let target = int64::try_from(base).unwrap_or(int64::MAX).saturating_add(offset);
        let Ok(position) = usize::try_from(target) else {
            return kInvalidArgument;
        };
        content.position = position.min(content.bytes.len());
        if !result.is_null() {
            // SAFETY: the plugin passes a place for the new position.
            unsafe { *result = int64::try_from(content.position).unwrap_or(int64::MAX) };
        }
        kResultOk
    }

    unsafe fn tell(&self, position: *mut int64) -> tresult {
        let content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the plugin passes a place for the position.
        unsafe { *position = int64::try_from(content.position).unwrap_or(int64::MAX) };
        kResultOk
    }
}
