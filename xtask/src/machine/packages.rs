//! Debian's packages, fetched and unpacked into the target folder; nothing is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::install::{MACHINE_EMULATOR, MACHINE_PROGRAMS, shown};
use crate::shell::{capture, command, stream};

/// Raised when what is kept is laid out differently.
const REVISION: u32 = 1;

/// The unpacked programs.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    /// QEMU and those of its libraries that this system lacks.
    pub(super) emulator: PathBuf,
    /// What runs inside: busybox and alsa-utils.
    pub(super) inside: PathBuf,
}

/// Where Debian puts libraries.
pub(super) const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

pub(super) fn prepare(folder: &Path) -> Result<Programs> {
    let kept = folder.join(format!("programs-{REVISION}"));
    build_once(&kept, |building| {
        let downloads = building.join("downloads");
        std::fs::create_dir(&downloads)?;
        for (name, packages) in [("emulator", emulator_packages()?), ("inside", owned(MACHINE_PROGRAMS))] {
            let unpacked = building.join(name);
            std::fs::create_dir(&unpacked)?;
            for file in download(&downloads, &packages)? {
                capture(command("dpkg-deb").arg("-x").args([&file, &unpacked]))?;
            }
        }
        for needless in
            ["emulator/usr/share/doc", "emulator/usr/share/man", "inside/usr/share/doc", "downloads"]
        {
            let _ = std::fs::remove_dir_all(building.join(needless));
        }
        Ok(())
    })?;
    Ok(Programs { emulator: kept.join("emulator"), inside: kept.join("inside") })
}

impl Programs {
    /// busybox, which runs on the host too.
    pub(super) fn busybox(&self) -> Result<PathBuf> {
        let places = ["bin/busybox", "usr/bin/busybox"];
        places
            .map(|place| self.inside.join(place))
            .into_iter()
            .find(|file| file.is_file())
            .context("no busybox")
    }
}

/// Makes `kept` by `build`, unless it is there: all of it or nothing, even when two do it at once.
pub(super) fn build_once(kept: &Path, build: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if kept.is_dir() {
        return Ok(());
    }
    println!("preparing {}", shown(kept));
    let building = kept.with_extension(format!("building-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&building);
    std::fs::create_dir_all(&building)?;
    let built = build(&building);
    if built.is_ok() {
        // Somebody else may have been faster; theirs is as good.
        let _ = std::fs::rename(&building, kept);
    }
    let _ = std::fs::remove_dir_all(&building);
    built?;
    ensure!(kept.is_dir(), "cannot make {}", kept.display());
    Ok(())
}

/// Downloads the packages and returns their files. The lists of packages are fetched first if they know one of them not.
pub(super) fn download(folder: &Path, packages: &[String]) -> Result<Vec<PathBuf>> {
    let mut fetch = Command::new("apt-get");
    fetch.current_dir(folder).args(["-qq", "download"]).args(packages);
    if let Err(error) = capture(&mut fetch) {
        println!("{error:#}; fetching the lists of packages");
        stream(command("apt-get").args(["-qq", "update"]))?;
        capture(&mut fetch)?;
    }
    packages.iter().map(|package| downloaded(folder, package)).collect()
}

fn downloaded(folder: &Path, package: &str) -> Result<PathBuf> {
    let prefix = format!("{package}_");
    let listed = std::fs::read_dir(folder)?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let is_it =
        |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
    listed.into_iter().find(is_it).with_context(|| format!("{package} was not downloaded"))
}

/// QEMU's package and what it needs that is not installed, by apt's own reckoning. Installing it could remove packages
/// that are here.
fn emulator_packages() -> Result<Vec<String>> {
    let plan = capture(
        command("apt-get").args(["install", "-s", "--no-install-recommends"]).arg(MACHINE_EMULATOR[0]),
    );
    let plan = match plan {
        Ok(plan) => plan,
        Err(error) => bail!("{error:#}; apt-get update may help"),
    };
    let mut packages = owned(MACHINE_EMULATOR);
    packages.extend(new_packages(&plan));
    // Firmware of network cards, which start no machine here.
    packages.retain(|package| package != "ipxe-qemu");
    packages.sort();
    packages.dedup();
    Ok(packages)
}

/// The packages that a plan of `apt-get install -s` adds: "Inst NAME (VERSION ..."; one that is there already has its
/// version in brackets behind the name.
fn new_packages(plan: &str) -> Vec<String> {
    let added = plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split_once(" ("));
    added.map(|(name, _)| name).filter(|name| !name.contains('[')).map(str::to_owned).collect()
}

fn owned(packages: &[&str]) -> Vec<String> {
    packages.iter().map(|package| (*package).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_tells_what_is_new() {
        let plan = "Reading...\nInst a (1 Debian:12 [amd64])\nInst b [1] (2 Debian:12 [amd64])\nConf a (1)\n";
        assert_eq!(new_packages(plan), ["a"]);
    }
}
