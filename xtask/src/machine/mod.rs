//! `cargo xtask machine COMMAND`: runs a command beside a real ALSA sequencer, in a virtual machine that lives as long as
//! the command.
//!
//! ```text
//!  Debian's packages --packages--> QEMU, busybox, alsa-utils      kept in target/machine
//!  Debian's kernel   --kernel----> vmlinux + image                kept in target/machine
//!  the command, its libraries --job--> a second image
//!  kernel + both images --emulator--> output, exit code
//! ```
//!
//! It needs neither root nor a virtual processor (`/dev/kvm`): QEMU emulates it all. Nothing is installed. The kernel is
//! Debian's own, so what is tested against is what runs on servers. It boots in 2 to 3 s. Inside, the machine has no
//! network but this host: `--forward` lets UDP datagrams in, and the host is 10.0.2.2.
//!
//! Arithmetic is ten times slower inside, and the clock is not a real machine's: what happens and in which order can be
//! tested there, and latency only loosely.
//!
//! Reading order: [`Machine`] and [`Job`]; `packages`, `kernel`, `image` make what is kept; `archive` writes images;
//! `job` and `emulator` run one command.

mod archive;
mod emulator;
mod image;
mod job;
mod kernel;
mod packages;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::install::{Need, ensure};
use crate::shell::{is_on_path, target};

/// Debian's kernel of the ordinary kind.
pub(crate) const KERNEL: &str = "linux-image-amd64";
/// This host, as the machine sees it.
pub(crate) const HOST_INSIDE: &str = "10.0.2.2";
/// What is loaded when nothing else is asked for: the sequencer, its fine timer, Midi Through, and raw MIDI devices.
const MODULES: [&str; 4] = ["snd-hrtimer", "snd-seq", "snd-seq-dummy", "snd-virmidi"];

/// Run a command in a virtual machine that has an ALSA sequencer (aconnect, aseqdump, aplaymidi and a shell are there).
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Debian's kernel package: linux-image-amd64, linux-image-6.12-amd64
    #[arg(long, value_name = "PACKAGE", default_value = KERNEL)]
    kernel: String,
    /// UDP port of this host's loopback that is the machine's port, as in 15004:5004; may be repeated
    #[arg(long, value_name = "HOST:MACHINE")]
    forward: Vec<Forward>,
    /// Another file to take along, to lie beside the command; may be repeated
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Kernel module to load, with its options, as in "snd-seq seq_default_timer_resolution=4000"; may be repeated
    #[arg(long, value_name = "MODULE")]
    module: Vec<String>,
    /// Seconds that the command may take
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    limit: u64,
    /// A program of this machine, or of the virtual one, and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// A UDP port of this host's loopback and the port inside that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forward {
    pub(crate) host: u16,
    pub(crate) machine: u16,
}

/// What is kept between runs, ready.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    programs: packages::Programs,
    kernel: kernel::Kernel,
}

/// One command to run inside.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The program and its arguments. A path is a file of this host, which is taken along.
    pub(crate) command: Vec<String>,
    /// Files that lie beside it.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) forwards: Vec<Forward>,
    /// Kernel modules, each with its options.
    pub(crate) modules: Vec<String>,
    pub(crate) limit: Duration,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let machine = Machine::prepare(&options.kernel)?;
    let mut job = Job::new(options.command.clone());
    job.files.clone_from(&options.file);
    job.forwards.clone_from(&options.forward);
    job.limit = Duration::from_secs(options.limit);
    if !options.module.is_empty() {
        job.modules.clone_from(&options.module);
    }
    Ok(machine.run(&job)?.into())
}

impl Machine {
    /// Fetches and unpacks what is not there yet: some 100 MB of packages the first time.
    pub(crate) fn prepare(kernel: &str) -> Result<Self> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            bail!("the virtual machine is for Linux on x86-64");
        }
        if !is_on_path("apt-get") || !is_on_path("dpkg-deb") {
            bail!("the virtual machine is made of Debian's packages, and this system has no apt-get");
        }
        ensure(&[Need::Machine])?;
        let folder = std::path::absolute(target().join("machine"))?;
        std::fs::create_dir_all(&folder)?;
        let programs = packages::prepare(&folder).context("the virtual machine's programs")?;
        let kernel = kernel::prepare(&folder, kernel, &programs).context("the virtual machine's kernel")?;
        Ok(Self { programs, kernel })
    }

    /// Runs the job with its output on ours; returns its exit code.
    pub(crate) fn run(&self, job: &Job) -> Result<u8> {
        emulator::run(&self.programs, &self.kernel, job)
    }
}

impl Job {
    /// This command, and all else as usual.
    pub(crate) fn new(command: Vec<String>) -> Self {
        Self {
            command,
            files: Vec::new(),
            forwards: Vec::new(),
            modules: MODULES.map(str::to_owned).to_vec(),
            limit: Duration::from_secs(120),
        }
    }
}

impl std::str::FromStr for Forward {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ports = text
            .split_once(':')
            .and_then(|(host, machine)| Some((host.parse().ok()?, machine.parse().ok()?)));
        let (host, machine) = ports.ok_or_else(|| "write two port numbers, as in 15004:5004".to_owned())?;
        Ok(Self { host, machine })
    }
}
