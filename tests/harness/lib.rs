//! The deterministic simulator: a shell around the production types, on virtual time and one seed.
