//! Why there is no sequencer, in one sentence that says what to do.

use core::fmt;

use thiserror::Error;

/// There is no sequencer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Unavailable {
    /// Why.
    pub cause: Cause,
    /// Where: what the sentence depends on.
    place: Place,
}

/// Why there is no sequencer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Only Linux has it.
    OtherSystem,
    /// No `/dev/snd/seq`.
    NoDevice,
    /// `/dev/snd/seq`, and nothing behind it.
    NoModule,
    /// Not in the group that may.
    NotInGroup,
    /// The container or service may not.
    NotPermitted,
    /// The system refuses a thread or the like.
    System(i32),
}

/// The system as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The kernel's release, as `uname -r` prints it.
    pub(super) release: String,
    /// `ID` of `/etc/os-release`.
    pub(super) distribution: String,
    /// Whether the kernel's modules have snd-seq.
    pub(super) has_module: bool,
    /// Whether this is a container.
    pub(super) is_container: bool,
}

impl Unavailable {
    /// Why opening failed with `errno`, here.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "ALSA's numbers are Linux's"))]
    pub(super) fn of_errno(errno: i32, place: Place) -> Self {
        let cause = match errno {
            1 => Cause::NotPermitted,
            2 => Cause::NoDevice,
            6 | 19 => Cause::NoModule,
            13 => Cause::NotInGroup,
            other => Cause::System(other),
        };
        Self { cause, place }
    }

    /// There is none on this kind of system.
    #[cfg_attr(target_os = "linux", expect(dead_code, reason = "this is Linux"))]
    pub(super) fn other_system() -> Self {
        Self { cause: Cause::OtherSystem, place: Place::default() }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no ALSA sequencer: ")?;
        match self.cause {
            Cause::OtherSystem => f.write_str("only Linux has one"),
            Cause::NoDevice if self.place.is_container => f.write_str(
                "this container has no /dev/snd/seq; load snd-seq on its host and start it with \
                 --device /dev/snd/seq --group-add audio",
            ),
            Cause::NoDevice | Cause::NoModule if self.place.has_module => f.write_str(
                "the module snd-seq is not loaded; run modprobe snd-seq as root, and write snd-seq into \
                 /etc/modules-load.d/lockstep.conf so that it is loaded at every start",
            ),
            Cause::NoDevice | Cause::NoModule => self.place.write_package(f),
            Cause::NotInGroup => f.write_str(
                "/dev/snd/seq is for the group audio; add the user of the relay to it (usermod -aG audio USER, or \
                 SupplementaryGroups=audio in its service)",
            ),
            Cause::NotPermitted => f.write_str(
                "this container or service may not use /dev/snd/seq; pass the device (--device /dev/snd/seq, or \
                 DeviceAllow=char-alsa rw)",
            ),
            Cause::System(errno) => write!(f, "the system refuses it: {}", std::io::Error::from_raw_os_error(errno)),
        }
    }
}

impl Place {
    /// What brings the module. Which package has it was looked up for Debian 12 and is reported for the others.
    fn write_package(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let release = &self.release;
        let is = |word: &str| release.contains(word);
        match self.distribution.as_str() {
            "debian" if is("-cloud-") => write!(
                f,
                "the cloud kernel {release} has no sound; install linux-image-amd64, remove the cloud kernel, restart"
            ),
            "ubuntu" if is("-aws") || is("-azure") => {
                write!(f, "the kernel {release} has no sound; install linux-generic and start that kernel")
            }
            "ubuntu" if is("-gcp") => {
                write!(
                    f,
                    "the module snd-seq is not installed; install linux-modules-extra-gcp, then modprobe snd-seq"
                )
            }
            "ubuntu" => write!(
                f,
                "the module snd-seq is not installed; install linux-modules-extra-{release}, then modprobe snd-seq"
            ),
            "amzn" | "azurelinux" => write!(f, "the kernel {release} of this distribution has no sound"),
            _ => write!(
                f,
                "the kernel {release} has no module snd-seq; use one that has it (CONFIG_SND_SEQUENCER), on Debian \
                 linux-image-amd64"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(errno: i32, release: &str, distribution: &str) -> String {
        let (release, distribution) = (release.to_owned(), distribution.to_owned());
        Unavailable::of_errno(errno, Place { release, distribution, ..Place::default() }).to_string()
    }

    #[test]
    fn what_is_missing_and_what_brings_it() {
        assert!(said(2, "6.1.0-31-cloud-amd64", "debian").contains("install linux-image-amd64"));
        assert!(said(6, "5.15.0-91-generic", "ubuntu").contains("linux-modules-extra-5.15.0-91-generic"));
        assert!(said(2, "6.8.0-1009-aws", "ubuntu").contains("linux-generic"));
        assert!(said(2, "6.1.79", "amzn").ends_with("has no sound"));
        assert!(said(2, "6.6.1", "arch").contains("CONFIG_SND_SEQUENCER"));
        assert!(said(13, "6.1", "debian").contains("group audio"));
        assert!(said(1, "6.1", "debian").contains("DeviceAllow"));
        assert!(said(12, "6.1", "debian").contains("Cannot allocate memory"));
        let installed = Place { has_module: true, ..Place::default() };
        assert!(Unavailable::of_errno(2, installed).to_string().contains("modprobe snd-seq"));
        let container = Place { is_container: true, has_module: true, ..Place::default() };
        assert!(Unavailable::of_errno(2, container).to_string().contains("--device /dev/snd/seq"));
    }
}
