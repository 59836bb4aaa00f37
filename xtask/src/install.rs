//! THE list of what has to be installed, by what it is for. Rust's toolchain and a C compiler are there
//! already, or this program would not run; the rest is installed here from Debian's packages, where that is
//! possible without asking, and otherwise named so that one line does it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Result, bail};

use crate::shell::{capture, command, is_on_path, root, stream, target};

/// Something that a task cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Building the plugin and the relay. Everything graphical is opened when it runs, so no header is needed for it;
    /// the MIDI clock goes through ALSA's library, which is linked: its header, and the program that finds it.
    Build,
    /// The synthesiser and the General MIDI sounds that play the jam's piece.
    Music,
    /// Ardour with its Lua console, a VST3 host that runs without a screen.
    Ardour,
    /// Python hosts for VST3 (JUCE inside), in a virtual environment of their own.
    PythonHosts,
    /// The virtual machine with an ALSA sequencer: what unpacks a kernel. What it is made of is fetched and unpacked
    /// ([`MACHINE_EMULATOR`], [`MACHINE_PROGRAMS`]), not installed.
    Machine,
    /// Wireshark's dissectors, which read our RTP-MIDI.
    Tshark,
    /// pymidi, an RTP-MIDI participant.
    Pymidi,
    /// `QmidiNet`, which speaks MIDI by multicast, and the JACK server that it needs.
    QmidiNet,
}

/// The emulator of the virtual machine and its firmware.
pub(crate) const MACHINE_EMULATOR: &[&str] =
    &["qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios", "libslirp0"];
/// What runs in the virtual machine, beside the kernel: [`crate::machine::KERNEL`].
pub(crate) const MACHINE_PROGRAMS: &[&str] =
    &["busybox-static", "alsa-utils", "libasound2", "libasound2-data"];

impl Need {
    /// Debian's packages.
    const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Build => &["gcc", "libc6-dev", "libasound2-dev", "pkg-config"],
            Self::Music => &["fluidsynth", "fluid-soundfont-gm"],
            Self::Ardour => &["ardour"],
            // DawDreamer links the library of OpenGL, though it draws nothing.
            Self::PythonHosts => &["python3", "python3-venv", "libgl1"],
            Self::Machine => &["xz-utils"],
            Self::Tshark => &["tshark"],
            Self::Pymidi => &["python3", "python3-venv"],
            Self::QmidiNet => &["qmidinet", "jackd2"],
        }
    }

    /// Packages of Python's index, pinned, and the virtual environment that they are for: [`python`] names it.
    const fn python_packages(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::PythonHosts => ("venv", &["pedalboard==0.9.26", "dawdreamer==0.9.0", "numpy"]),
            Self::Pymidi => ("venv-pymidi", &["pymidi==0.5.0"]),
            Self::Build | Self::Music | Self::Ardour | Self::Machine | Self::Tshark | Self::QmidiNet => {
                ("", &[])
            }
        }
    }

    /// What to install where Debian's packages are not.
    const fn elsewhere(self) -> &'static str {
        match self {
            Self::Build => "a C compiler (Xcode's command line tools, or Visual Studio's build tools)",
            Self::Music => "FluidSynth 2 on the search path, and FluidR3_GM.sf2 named by LOCKSTEP_SOUNDFONT",
            Self::Ardour => "Ardour 7 with its ardour7-lua",
            Self::PythonHosts => "Python 3.11 with venv",
            Self::Machine => "xz",
            Self::Tshark => "tshark, of Wireshark",
            Self::Pymidi => "Python 3.11 with venv",
            Self::QmidiNet => "QmidiNet, and JACK 2 with its example programs",
        }
    }

    /// Whether the need is met on a system that has no Debian packages to ask for.
    fn is_met_elsewhere(self) -> bool {
        match self {
            // Cargo has just linked this very program.
            Self::Build => true,
            Self::Music => is_on_path("fluidsynth") && soundfont().is_file(),
            Self::Ardour => is_on_path("ardour7-lua"),
            Self::PythonHosts | Self::Pymidi => is_on_path("python3"),
            Self::Machine => is_on_path("xz"),
            Self::Tshark => is_on_path("tshark"),
            Self::QmidiNet => is_on_path("qmidinet") && is_on_path("jackd"),
        }
    }
}

/// The General MIDI sounds: the file that `LOCKSTEP_SOUNDFONT` names, else where Debian puts it.
pub(crate) fn soundfont() -> PathBuf {
    std::env::var_os("LOCKSTEP_SOUNDFONT")
        .map_or_else(|| PathBuf::from("/usr/share/sounds/sf2/FluidR3_GM.sf2"), PathBuf::from)
}

/// The Python that has what `need` asks of Python's index.
pub(crate) fn python(need: Need) -> PathBuf {
    let (environment, _) = need.python_packages();
    target().join(environment).join("bin/python3")
}

/// Returns when all `needs` are met, and installs what is missing if that is possible without asking: as root,
/// or through a `sudo` that wants no password. Otherwise the error is the line to run.
///
/// Costs one query when everything is there.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    if is_on_path("dpkg-query") && is_on_path("apt-get") {
        let wanted: Vec<&str> = needs.iter().flat_map(|need| need.packages()).copied().collect();
        let missing = missing_packages(&wanted);
        if !missing.is_empty() {
            install_packages(&missing)?;
        }
    } else if let Some(need) = needs.iter().find(|need| !need.is_met_elsewhere()) {
        bail!("this system has no apt-get; please install {}", need.elsewhere());
    }
    needs.iter().try_for_each(|need| match need.python_packages() {
        (_, []) => Ok(()),
        (environment, packages) => ensure_python(&target().join(environment), packages),
    })
}

fn missing_packages<'a>(wanted: &[&'a str]) -> Vec<&'a str> {
    // dpkg-query fails when it does not know one of the names, and still lists the others.
    let listed = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"])
        .args(wanted)
        .stderr(Stdio::null())
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let is_installed = |package: &str| listed.lines().any(|line| line == format!("{package} installed"));
    wanted.iter().copied().filter(|package| !is_installed(package)).collect()
}

/// How this process may install packages.
enum Privilege {
    Root,
    Sudo,
    None,
}

fn privilege() -> Privilege {
    if capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
        Privilege::Root
    } else if is_on_path("sudo") && capture(Command::new("sudo").args(["-n", "true"])).is_ok() {
        Privilege::Sudo
    } else {
        Privilege::None
    }
}

fn install_packages(packages: &[&str]) -> Result<()> {
    /// The package lists are fetched once a run.
    static UPDATED: OnceLock<()> = OnceLock::new();

    let by_hand = format!("apt-get install --no-install-recommends -y {}", packages.join(" "));
    let apt_get = || match privilege() {
        Privilege::Root => Some(command("apt-get")),
        Privilege::Sudo => {
            let mut sudo = command("sudo");
            sudo.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
            Some(sudo)
        }
        Privilege::None => None,
    };
    let Some(mut install) = apt_get() else {
        bail!(
            "some packages are missing, and installing them needs root; please run:\n\n    sudo {by_hand}\n"
        );
    };
    println!("installing {}", packages.join(" "));
    if UPDATED.set(()).is_ok()
        && let Some(mut update) = apt_get()
    {
        // An unreachable mirror is no reason to give up: the lists may be good enough.
        if let Err(error) = stream(update.args(["update", "-q"])) {
            println!("{error:#}; going on with the package lists that are here");
        }
    }
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install.args(["install", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]);
    if let Err(error) = stream(install.args(packages)) {
        bail!("{error:#}; please run:\n\n    sudo apt-get update && sudo {by_hand}\n");
    }
    Ok(())
}

fn ensure_python(environment: &Path, packages: &[&str]) -> Result<()> {
    let marker = environment.join("installed.txt");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("installing {} into {}", packages.join(" "), shown(environment));
    stream(command("python3").args(["-m", "venv"]).arg(environment))?;
    stream(
        command(environment.join("bin/python3")).args(["-m", "pip", "install", "--quiet"]).args(packages),
    )?;
    std::fs::write(marker, wanted)?;
    Ok(())
}

/// `path` from the root of the repository, as one would type it there.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_does_not_exist_is_missing() {
        if is_on_path("dpkg-query") {
            assert_eq!(missing_packages(&["dpkg", "lockstep-no-such-package"]), ["lockstep-no-such-package"]);
        }
    }
}
