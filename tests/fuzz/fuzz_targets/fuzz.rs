//! One libFuzzer program for all targets: `FUZZ_TARGET` names the one to run.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lockstep_tests::fuzz::TARGETS;

static BODY: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    TARGETS.iter().find(|(target, _)| *target == name).expect("a target of that name").1
});

fuzz_target!(|bytes: &[u8]| BODY(bytes));
