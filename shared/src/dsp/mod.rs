//! Kernels over planar `f32`: interpolation, mixing, metering.
