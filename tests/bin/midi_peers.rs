//! `lockstep-midi-peers WHICH`: our RTP-MIDI against a program of somebody else, which must be installed.
//!
//! `tshark` reads a capture of all that we say, field by field. `pymidi` is invited by the relay, which must lie beside this
//! program, and hears what is played; `LOCKSTEP_PYTHON` is the Python that has it. `qmidinet` is on the relay's multicast
//! gateway, with a JACK server of its own that is started here.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use lockstep_tests::peers::{pymidi, qmidinet, tshark};

/// Our RTP-MIDI against programs of others.
#[derive(Clone, Debug, Parser)]
struct CommandLine {
    /// Which program
    which: Which,
}

/// Programs of others.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Which {
    /// Wireshark's dissectors
    Tshark,
    /// An RTP-MIDI participant in Python
    Pymidi,
    /// MIDI by multicast, between JACK and a room
    Qmidinet,
}

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let result = match line.which {
        Which::Tshark => with_tshark(),
        Which::Pymidi => with_pymidi(),
        Which::Qmidinet => with_qmidinet(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print(&format!("lockstep-midi-peers: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn with_tshark() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("lockstep-tshark-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let compared = tshark::compare(&folder);
    if compared.is_ok() {
        std::fs::remove_dir_all(&folder)?;
    } else {
        print(&format!("the capture is kept in {}", folder.display()));
    }
    let compared = compared?;
    let list = |counts: Vec<String>| counts.join(", ");
    print(&format!(
        "tshark read {} media packets and {} of the session ({}): all {} fields are as we mean them, no mark",
        compared.media,
        compared.session.values().sum::<usize>(),
        list(compared.session.iter().map(|(letters, count)| format!("{count} {letters}")).collect()),
        compared.fields,
    ));
    print(&format!(
        "chapters, in so many packets: {}",
        list(compared.chapters.iter().map(|(letter, count)| format!("{letter} {count}")).collect())
    ));
    print(&format!("{} messages to channels arrive in it as they were played", compared.played));
    for (why, count) in &compared.stopped {
        print(&format!("{count} packets were compared up to a defect of the dissector: {why}"));
    }
    Ok(())
}

fn with_pymidi() -> Result<()> {
    let python = std::env::var_os("LOCKSTEP_PYTHON").unwrap_or_else(|| "python3".into());
    let heard = pymidi::hear(&python)?;
    print(&format!(
        "pymidi was invited and heard {} messages in order, none twice; it saw us go",
        heard.messages
    ));
    print(heard.status.trim_end());
    Ok(())
}

fn with_qmidinet() -> Result<()> {
    let exchanged = qmidinet::exchange()?;
    print(&format!(
        "QmidiNet carried {} messages from JACK into the room and {} from the room to JACK, all in order",
        exchanged.from_jack, exchanged.to_jack
    ));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what was found is what this program is for")]
fn print(line: &str) {
    println!("{line}");
}
