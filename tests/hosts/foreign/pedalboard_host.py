"""Lockstep's VST3 classes in pedalboard (a JUCE host): process, automate, save and restore.

Usage: python pedalboard_host.py Lockstep.vst3
Needs: pip install pedalboard==0.9.26 numpy

pedalboard renders offline and switches every output but the main one off. Without a room the plugin passes its track
through, so that what comes out can be compared with what went in, sample by sample.
"""

import sys

import numpy
import pedalboard

CLASSES = ["Lockstep", "Lockstep Multi-Out"]
GLIDE_FRAMES = 24_000


def check(holds, sentence):
    """Prints `ok` and the sentence, or ends the program with it."""
    if not holds:
        sys.exit(f"FAILED: {sentence}")
    print(f"ok - {sentence}", flush=True)


def noise(frames, seed):
    """White stereo noise, the same in every run."""
    generator = numpy.random.default_rng(seed)
    return generator.uniform(-0.5, 0.5, (2, frames)).astype(numpy.float32)


def load(bundle, name):
    return pedalboard.load_plugin(bundle, plugin_name=name)


def check_audio(bundle, name):
    for rate in (44_100, 48_000, 96_000, 192_000):
        plugin = load(bundle, name)
        for size in (16, 64, 333, 512, 4_096):
            piece = noise(rate // 4, size)
            heard = plugin.process(piece, rate, buffer_size=size, reset=False)
            check(
                heard.shape == piece.shape and numpy.array_equal(heard, piece),
                f"{name} passes its track through exactly at {rate} Hz in blocks of {size}",
            )
    check(plugin.reported_latency_samples == 0, f"{name} reports no latency")


def check_parameters(bundle, name):
    plugin = load(bundle, name)
    check(len(plugin.parameters) < 32, f"{name} has {len(plugin.parameters)} parameters")
    plugin.sync_delay_ms = 120.0
    check(abs(plugin.sync_delay_ms - 120.0) < 0.01, f"{name} takes a sync delay of 120 ms")
    plugin.room_mode = "Mix"
    check(plugin.room_mode == "Mix", f"{name} takes a room mode by its name")
    constant = numpy.ones((2, 2 * GLIDE_FRAMES), numpy.float32)
    plugin.process(constant, 48_000, buffer_size=512, reset=False)
    plugin.parameters["monitor_db"].raw_value = 0.0
    heard = plugin.process(constant, 48_000, buffer_size=512, reset=False)
    check(abs(heard[:, GLIDE_FRAMES:]).max() < 1e-6, f"{name} silences the track with Monitor at its least")
    plugin.bypass = True
    heard = plugin.process(constant, 48_000, buffer_size=512, reset=False)
    check(abs(heard[:, GLIDE_FRAMES:] - 1.0).max() < 1e-6, f"{name} passes the track when bypassed")


def same_values(one, other):
    """Whether two instances' parameters are equal, within what a 32-bit float holds."""
    return all(
        abs(parameter.raw_value - other.parameters[key].raw_value) < 1e-6
        for key, parameter in one.parameters.items()
    )


def check_state(bundle, name):
    source = load(bundle, name)
    source.sync_delay_ms = 123.0
    source.mute_send = True
    source.room_mode = "Stems"
    source.parameters["monitor_db"].raw_value = 0.25
    # JUCE hands changes of parameters over with the next block; before it the state is the old one.
    source.process(noise(4_800, 1), 48_000, reset=False)
    target = load(bundle, name)
    check(not same_values(target, source), f"{name} starts at its defaults in another instance")
    target.raw_state = source.raw_state
    check(same_values(target, source), f"{name} restores a saved state")
    try:
        target.raw_state = source.raw_state[: len(source.raw_state) // 2]
    except Exception as refusal:  # pedalboard names no class for it; a refusal is as good as being ignored.
        print(f"   (a cut state was refused: {refusal})")
    piece = noise(4_800, 1)
    check(target.process(piece, 48_000, reset=False).shape == piece.shape, f"{name} survives half a state")


def main():
    bundle = sys.argv[1]
    names = list(pedalboard.VST3Plugin.get_plugin_names_for_file(bundle))
    check(names == CLASSES, f"the bundle holds {names}")
    for name in CLASSES:
        check_audio(bundle, name)
        check_parameters(bundle, name)
        check_state(bundle, name)
    instances = [load(bundle, name) for name in CLASSES * 2]
    piece = noise(48_000, 2)
    heard = [instance.process(piece, 48_000, reset=False) for instance in instances]
    check(all(numpy.array_equal(one, piece) for one in heard), "four instances live in one process")


main()
