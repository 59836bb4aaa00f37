//! QEMU, for one job.
//!
//! The job's output goes through two virtual serial ports, which move it in blocks; its exit code and the kernel's
//! messages through two emulated ones, into files.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::Job;
use super::job;
use super::kernel::Kernel;
use super::packages::{LIBRARIES, Programs};
use crate::shell::{now, target, wait};

/// The kernel's words: no messages, no precautions against neighbours that are not there, no check of a clock that is
/// emulated, no self-tests, and random numbers at once.
const KERNEL_WORDS: &str = "console=ttyS0 quiet panic=-1 8250.nr_uarts=4 mitigations=off no_timer_check tsc=reliable \
                            cryptomgr.notests random.trust_cpu=on";
/// Memory: the images are unpacked into it.
const MEMORY_MIB: &str = "768";
/// How often the emulator is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Runs the job; returns its exit code.
pub(super) fn run(programs: &Programs, kernel: &Kernel, job: &Job) -> Result<u8> {
    let folder = Run::begin()?;
    let mut image = std::fs::read(&kernel.image)?;
    image.extend(job::image(job)?);
    std::fs::write(folder.file("image"), image)?;
    let mut emulator = command(programs, kernel, job, &folder);
    let mut emulator = emulator.spawn().context("QEMU does not start")?;
    let output = emulator.stdout.take().map(|pipe| std::thread::spawn(|| pass(pipe, std::io::stdout())));
    let errors = emulator.stderr.take().map(|pipe| std::thread::spawn(|| pass(pipe, std::io::stderr())));
    let ended = end_within(&mut emulator, job.limit);
    for thread in [output, errors].into_iter().flatten() {
        let _ = thread.join();
    }
    let status = std::fs::read_to_string(folder.file("status")).unwrap_or_default();
    let code = status.lines().rev().find_map(|line| line.trim().strip_prefix("exit ")?.parse().ok());
    match (code, ended?) {
        (Some(code), _) => Ok(code),
        (None, Ended::Late) => {
            bail!("the command has not ended within {} s{}", job.limit.as_secs(), folder.console())
        }
        (None, Ended::ByItself) => bail!("the virtual machine ended without a result{}", folder.console()),
    }
}

fn command(programs: &Programs, kernel: &Kernel, job: &Job, folder: &Run) -> Command {
    let tree = &programs.emulator;
    let libraries = tree.join(LIBRARIES);
    let mut network = String::from("user,id=network,ipv6=off");
    for forward in &job.forwards {
        network += &format!(",hostfwd=udp:127.0.0.1:{}-10.0.2.15:{}", forward.host, forward.machine);
    }
    let mut command = Command::new(tree.join("usr/bin/qemu-system-x86_64"));
    command.env("QEMU_MODULE_DIR", libraries.join("qemu"));
    command.env(
        "LD_LIBRARY_PATH",
        std::env::join_paths([&libraries, &tree.join("lib/x86_64-linux-gnu")]).unwrap_or_default(),
    );
    command.arg("-L").arg(tree.join("usr/share/qemu")).arg("-L").arg(tree.join("usr/share/seabios"));
    command.args(["-M", "q35,hpet=off,vmport=off,smbus=off,sata=off,usb=off", "-accel", "tcg,thread=multi"]);
    command.args(["-cpu", "max,la57=off", "-smp", "1", "-m", MEMORY_MIB, "-display", "none"]);
    command.args(["-nodefaults", "-no-user-config", "-no-reboot", "-device", "isa-debug-exit,iobase=0x501"]);
    command.arg("-kernel").arg(&kernel.program).arg("-initrd").arg(folder.file("image"));
    command.args(["-append", KERNEL_WORDS]);
    command.args(["-netdev", &network, "-device", "virtio-net-pci,netdev=network,romfile="]);
    for file in ["console", "status"] {
        command.arg("-chardev").arg(format!("file,id={file},path={}", folder.file(file).display()));
        command.arg("-serial").arg(format!("chardev:{file}"));
    }
    command.args(["-device", "virtio-serial-pci"]);
    for (name, path) in [("out", "/dev/stdout"), ("err", "/dev/stderr")] {
        command.arg("-chardev").arg(format!("file,id={name},path={path}"));
        command.arg("-device").arg(format!("virtserialport,chardev={name},name={name}"));
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

enum Ended {
    ByItself,
    Late,
}

fn end_within(emulator: &mut Child, limit: Duration) -> Result<Ended> {
    let begin = now();
    while emulator.try_wait()?.is_none() {
        if begin.elapsed() > limit {
            emulator.kill()?;
            emulator.wait()?;
            return Ok(Ended::Late);
        }
        wait(LOOK_EVERY);
    }
    Ok(Ended::ByItself)
}

/// Hands on what comes, as it comes.
fn pass(mut from: impl Read, mut to: impl Write) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}

/// The folder of one run, gone with it.
struct Run(PathBuf);

impl Run {
    fn begin() -> Result<Self> {
        let folder =
            std::path::absolute(target().join("machine"))?.join(format!("run-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The last of the kernel's messages.
    fn console(&self) -> String {
        let text = std::fs::read(self.file("console")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.iter().skip(lines.len().saturating_sub(20)).map(|line| format!("\n    {line}"));
        last.fold(String::from("; its console:"), |all, line| all + &line)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all::<&Path>(&self.0);
    }
}
