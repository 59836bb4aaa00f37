//! Everything between a plugin host and [`crate::engine::Engine`].
//!
//! ```text
//! host (DAW) --> clap.rs  --\
//!                            >--> nice-plug's wrapper --> adapter.rs --> engine
//! host (DAW) --> vst3.rs  --/                                |
//!                    \------------- seam.rs ----------------/ \--> instance, editor
//! ```
//!
//! [`adapter`] is the plugin as nice-plug sees it: translation only. The two shims stand between the host and
//! nice-plug and hand nice-plug what it can take: every output port that was declared, with memory behind it,
//! whatever the host connected; each shim's own page lists the defects that it cures. A shim and its adapter share
//! one [`seam::Seam`]: which outputs are real, when the host's callback began, and how to reach the host.
//!
//! [`edition`] names the three plugins that are exported from the one type.

mod adapter;
mod clap;
mod edition;
mod midi;
mod padding;
mod seam;
mod vst3;

pub use clap::clap_entry;
pub(crate) use seam::{Condition, Seam};
pub use vst3::GetPluginFactory;
