//! Drives the linked-in plugin through blocks of every kind.

use std::env;
use std::io::{self, Write};

use anyhow::Result;
use lockstep_hosts::block::{Automation, Block, Input, LoopRange, Output, Placement, Stereo, Transport};
use lockstep_hosts::clap::{Activation, ClapHost, Parameter, Plugin, PortDirection};
use lockstep_hosts::clock;
use lockstep_shared::time::Span;
use lockstep_shared::time::convert::f64_from_usize;
use rtsan_standalone::{realtime_enter, realtime_exit};

const SAMPLE_RATE: f64 = 48_000.0;
const FRAMES_MAX: usize = 512;
/// Block lengths in turn; mostly the one that players choose.
const FRAMES: [usize; 16] = [64, 64, 64, 64, 64, 64, 64, 64, 64, 128, 512, 1, 17, 333, 64, 64];
/// Outputs that the host passes, in turn.
const PORTS: [usize; 4] = [9, 9, 1, 5];

/// The variable that names the room to join.
const INVITE_VARIABLE: &str = "LOCKSTEP_INVITE";

/// Processes `blocks` blocks, all but the first as real-time code.
pub(crate) fn drive(blocks: u32) -> Result<()> {
    let host = ClapHost::in_process(&lockstep_plugin::clap_entry)?;
    let mut plugin = host.instantiate_first()?;
    let automated = automated(&mut plugin)?;
    let activation = Activation { sample_rate: SAMPLE_RATE, frames_min: 1, frames_max: 512 };
    let mut processor = plugin.activate(activation)?;
    let ports = plugin.ports(PortDirection::Output)?.len();
    let mut outputs = vec![Output::Connected(Stereo::silent(FRAMES_MAX)); ports];
    let input = tone();
    let mut transport = Transport::playing(120.0);
    transport.loop_range = Some(LoopRange { start_quarters: 0.0, end_quarters: 8.0 });
    let mut inputs = Vec::with_capacity(automated.len());
    let in_real_time = env::var_os(INVITE_VARIABLE).is_some();
    let mut due = clock::now();

    for index in 0..blocks {
        let turn = usize::try_from(index)?;
        let frames = FRAMES[turn % FRAMES.len()];
        let connected = PORTS[turn / 64 % PORTS.len()].min(ports);
        automate(&mut inputs, &automated, turn, frames);
        let mut block = Block::new([&input[..frames], &input[..frames]], &mut outputs[..connected]);
        block.inputs = &inputs;
        block.transport = Some(transport);
        block.placement = if turn % 7 == 3 { Placement::InPlace } else { Placement::Separate };
        if index == 0 {
            processor.process(&mut block)?;
        } else {
            realtime_enter();
            let processed = processor.process(&mut block);
            realtime_exit();
            processed?;
        }
        let _ = plugin.serve_requests();
        let seconds = f64_from_usize(frames) / SAMPLE_RATE;
        transport = transport.after_seconds(seconds);
        due += Span::from_secs_f64(seconds);
        if in_real_time {
            clock::sleep_until(due);
        }
    }
    plugin.deactivate(processor);
    let pace = if in_real_time { "in real time" } else { "as fast as they went" };
    writeln!(io::stdout(), "{blocks} blocks, {pace}")?;
    Ok(())
}

/// Allocates in what is declared to be real-time code.
pub(crate) fn offend() {
    realtime_enter();
    let offence = std::hint::black_box(Box::new(0_u8));
    realtime_exit();
    drop(offence);
}

/// The parameters to automate: all but bypass, which would hide the others.
fn automated(plugin: &mut Plugin) -> Result<Vec<Parameter>> {
    Ok(plugin.parameters()?.into_iter().filter(|parameter| !parameter.bypass).collect())
}

/// Every third block moves one parameter, at a frame inside the block.
fn automate(inputs: &mut Vec<Input>, automated: &[Parameter], turn: usize, frames: usize) {
    inputs.clear();
    if turn % 3 != 1 || automated.is_empty() {
        return;
    }
    let parameter = &automated[turn / 3 % automated.len()];
    let step = f64_from_usize(turn / 3 % 11) / 10.0;
    let mut value = parameter.min + (parameter.max - parameter.min) * step;
    if parameter.stepped {
        value = value.round();
    }
    let offset = u32::try_from(frames / 2).unwrap_or_default();
    inputs.push(Input::Automation(Automation { offset, parameter: parameter.id, value }));
}

fn tone() -> Vec<f32> {
    (0..FRAMES_MAX)
        .map(|frame| {
            let phase = f64_from_usize(frame) * 440.0 / SAMPLE_RATE * std::f64::consts::TAU;
            lockstep_shared::time::convert::f32_from_f64(phase.sin() * 0.25)
        })
        .collect()
}
