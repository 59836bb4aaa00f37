//! Small real hosts that load the built plugin: one for the .clap, one for the .vst3.
