//! `cargo xtask bundle`: the plugin as the files that a DAW scans.
//!
//! A CLAP is the library itself under another name (a folder on macOS); a VST3 is a folder whose inner path
//! names the platform. Both hold the same bytes: the library exports both formats.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::install::{Need, ensure, shown};
use crate::shell::{cargo, root, stream, target};

/// Build the plugin and lay out `bundles/out`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Build without optimisation, with assertions
    #[arg(long)]
    debug: bool,
    /// Features of the plugin to switch on, such as `assert_process_allocs` (with --debug only)
    #[arg(long, value_name = "NAME")]
    features: Vec<String>,
}

/// How the plugin is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

/// Where the two bundles lie.
#[derive(Clone, Debug)]
pub(crate) struct Bundles {
    pub(crate) clap: PathBuf,
    pub(crate) vst3: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let profile = if options.debug { Profile::Debug } else { Profile::Release };
    let features: Vec<&str> = options.features.iter().map(String::as_str).collect();
    let bundles = build(profile, &features)?;
    println!("{}\n{}", shown(&bundles.clap), shown(&bundles.vst3));
    Ok(ExitCode::SUCCESS)
}

/// Builds the plugin and lays out both bundles in `bundles/out`; a debug build goes to `bundles/out/debug`, so
/// that it never takes the place of the one that a DAW uses.
pub(crate) fn build(profile: Profile, features: &[&str]) -> Result<Bundles> {
    ensure(&[Need::Build])?;
    let mut build = cargo(["build", "--package", "lockstep-plugin", "--lib"]);
    let (folder, out) = match profile {
        Profile::Debug => ("debug", "bundles/out/debug"),
        Profile::Release => {
            build.arg("--release");
            ("release", "bundles/out")
        }
    };
    for feature in features {
        build.args(["--features", feature]);
    }
    stream(&mut build)?;
    let library = target().join(folder).join(format!(
        "{}lockstep_plugin{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    ));
    lay_out(&library, &root().join(out))
}

fn lay_out(library: &Path, out: &Path) -> Result<Bundles> {
    if !library.is_file() {
        bail!("the build left no {}", shown(library));
    }
    let bundles = Bundles { clap: out.join("Lockstep.clap"), vst3: out.join("Lockstep.vst3") };
    for bundle in [&bundles.clap, &bundles.vst3] {
        remove(bundle)?;
    }
    if cfg!(target_os = "macos") {
        for (bundle, kind) in [(&bundles.clap, "clap"), (&bundles.vst3, "vst3")] {
            place(library, &bundle.join("Contents/MacOS/Lockstep"))?;
            std::fs::write(bundle.join("Contents/Info.plist"), information_list(kind))?;
            std::fs::write(bundle.join("Contents/PkgInfo"), "BNDL????")?;
        }
    } else {
        place(library, &bundles.clap)?;
        place(library, &bundles.vst3.join("Contents").join(vst3_inner_path()))?;
    }
    Ok(bundles)
}

/// The VST3 format's own names of the platforms.
fn vst3_inner_path() -> PathBuf {
    let machine = std::env::consts::ARCH;
    if cfg!(target_os = "windows") {
        let machine = if machine == "aarch64" { "arm64" } else { machine };
        PathBuf::from(format!("{machine}-win/Lockstep.vst3"))
    } else {
        PathBuf::from(format!("{machine}-linux/Lockstep.so"))
    }
}

fn information_list(kind: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>CFBundleExecutable</key><string>Lockstep</string>
<key>CFBundleIdentifier</key><string>org.lockstep.{kind}</string>
<key>CFBundleName</key><string>Lockstep</string>
<key>CFBundlePackageType</key><string>BNDL</string>
<key>CFBundleShortVersionString</key><string>{version}</string>
<key>CFBundleVersion</key><string>{version}</string>
</dict></plist>
"#
    )
}

fn remove(bundle: &Path) -> Result<()> {
    let removed = if bundle.is_dir() {
        std::fs::remove_dir_all(bundle)
    } else if bundle.exists() {
        std::fs::remove_file(bundle)
    } else {
        Ok(())
    };
    removed.with_context(|| format!("cannot replace {}", shown(bundle)))
}

fn place(library: &Path, bundled: &Path) -> Result<()> {
    if let Some(folder) = bundled.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", shown(folder)))?;
    }
    std::fs::copy(library, bundled).with_context(|| format!("cannot write {}", shown(bundled)))?;
    Ok(())
}
