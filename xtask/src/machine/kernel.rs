//! Debian's kernel: its program as QEMU starts it fastest, and its modules for sound.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::image;
use super::packages::{Programs, build_once, download};
use crate::shell::{capture, command};

/// Raised when what is kept is laid out differently.
const REVISION: u32 = 1;

/// Of its package, what is unpacked: the kernel, and the modules for sound and for the virtual devices.
const UNPACKED: &[&str] = &[
    "./boot/vmlinuz*",
    "*/modules.builtin*",
    "*/modules.order",
    "*/kernel/sound/core/*",
    "*/kernel/sound/soundcore*",
    "*/kernel/sound/drivers/snd-dummy*",
    "*/kernel/sound/drivers/snd-virmidi*",
    "*/kernel/drivers/virtio/*",
    "*/kernel/drivers/char/virtio_console*",
    "*/kernel/drivers/net/virtio_net*",
    "*/kernel/drivers/net/net_failover*",
    "*/kernel/net/core/failover*",
];

/// A kernel, ready.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// What QEMU starts.
    pub(super) program: PathBuf,
    /// The first file system, with everything but the job.
    pub(super) image: PathBuf,
}

pub(super) fn prepare(folder: &Path, package: &str, programs: &Programs) -> Result<Kernel> {
    let kept = folder.join(format!("{package}-{REVISION}"));
    build_once(&kept, |building| {
        let unpacked = building.join("unpacked");
        std::fs::create_dir(&unpacked)?;
        let file = download(building, &[real_package(package)?])?.remove(0);
        unpack(&file, &unpacked)?;
        let packed =
            std::fs::read_dir(unpacked.join("boot"))?.next().context("the package has no kernel")??.path();
        let name = packed.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let version = name.strip_prefix("vmlinuz-").context("the package has no kernel")?;
        let program = std::fs::read(&packed)?;
        std::fs::write(building.join("kernel"), unwrapped(&program).unwrap_or(program))?;
        let modules = modules(&unpacked, version, &programs.busybox()?)?;
        std::fs::write(building.join("image"), image::base(programs, &modules, version)?)?;
        std::fs::remove_dir_all(&unpacked)?;
        std::fs::remove_file(&file)?;
        Ok(())
    })?;
    Ok(Kernel { program: kept.join("kernel"), image: kept.join("image") })
}

/// The package with the kernel in it, which `linux-image-amd64` and its like only depend on.
fn real_package(package: &str) -> Result<String> {
    let depends = capture(command("apt-cache").args(["depends", package]))?;
    let needed = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    let image =
        |name: &&str| name.starts_with("linux-image-") && name.bytes().any(|byte| byte.is_ascii_digit());
    Ok(needed.into_iter().find(image).unwrap_or(package).to_owned())
}

fn unpack(package: &Path, folder: &Path) -> Result<()> {
    let mut archive =
        command("dpkg-deb").arg("--fsys-tarfile").arg(package).stdout(Stdio::piped()).spawn()?;
    let bytes = archive.stdout.take().context("dpkg-deb has no output")?;
    let mut unpack = command("tar");
    unpack.args(["-x", "--wildcards", "-C"]).arg(folder).args(UNPACKED).stdin(bytes).stderr(Stdio::null());
    // tar fails where a pattern matches nothing, as kernels differ in what is built in; what is missing, depmod tells.
    unpack.status()?;
    ensure!(archive.wait()?.success(), "dpkg-deb cannot read {}", package.display());
    Ok(())
}

/// The program inside of a packed kernel ("The Linux/x86 Boot Protocol": `setup_sects`, `payload_offset`,
/// `payload_length`). QEMU starts it at once, where the packed one takes 3 s to unpack itself; so None is no failure.
fn unwrapped(packed: &[u8]) -> Option<Vec<u8>> {
    let number = |place: usize| {
        let bytes = packed.get(place..place + 4)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    let sectors = match *packed.get(0x1F1)? {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let start = (sectors + 1) * 512 + number(0x248)?;
    let payload = packed.get(start..start + number(0x24C)?)?.to_vec();
    payload.starts_with(&[0xFD, b'7', b'z', b'X', b'Z']).then_some(())?;
    let mut unpack = Command::new("xz");
    unpack
        .args(["-dc", "--single-stream"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut unpack = unpack.spawn().ok()?;
    let mut input = unpack.stdin.take()?;
    let writer = std::thread::spawn(move || input.write_all(&payload));
    let program = unpack.wait_with_output().ok()?.stdout;
    // What follows the compressed program is not read.
    let _ = writer.join();
    program.starts_with(b"\x7FELF").then_some(program)
}

/// The folder with the modules of this `version`, uncompressed and with their index.
fn modules(unpacked: &Path, version: &str, busybox: &Path) -> Result<PathBuf> {
    let root = unpacked.join("modules");
    let folder = root.join("lib/modules").join(version);
    std::fs::create_dir_all(root.join("lib/modules"))?;
    let places = ["lib/modules", "usr/lib/modules"].map(|place| unpacked.join(place).join(version));
    let found = places.iter().find(|place| place.is_dir()).context("the package has no modules")?;
    std::fs::rename(found, &folder)?;
    let packed = capture(command("find").arg(&folder).args(["-name", "*.ko.xz"]))?;
    for file in packed.lines() {
        capture(command("xz").args(["-d", file]))?;
    }
    capture(command(busybox).arg("depmod").arg("-b").arg(&root).arg(version))?;
    Ok(folder)
}
