"""Lockstep's VST3 in DawDreamer (a JUCE host with a graph, a transport and audio-rate automation).

Usage: python dawdreamer_host.py Lockstep.vst3
Needs: pip install dawdreamer==0.9.0 numpy

Without a room the plugin passes its track through, so that what comes out can be compared with what went in.
"""

import os
import sys
import tempfile

import dawdreamer
import numpy

RATE = 48_000
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


class Rig:
    """An engine that plays `piece` through one plugin at 123 BPM."""

    def __init__(self, bundle, piece, block):
        self.engine = dawdreamer.RenderEngine(RATE, block)
        self.engine.set_bpm(123.0)
        source = self.engine.make_playback_processor("source", piece)
        self.plugin = self.engine.make_plugin_processor("lockstep", bundle)
        self.seconds = piece.shape[1] / RATE
        self.frames = piece.shape[1]
        self.engine.load_graph([(source, []), (self.plugin, ["source"])])

    def render(self):
        self.engine.render(self.seconds)
        return self.engine.get_audio()[:, : self.frames]

    def index(self, name):
        """A parameter's place in the plugin's list."""
        for described in self.plugin.get_parameters_description():
            if described["name"] == name:
                return described["index"]
        sys.exit(f"FAILED: no parameter called {name}")


def check_audio(bundle):
    for block in (16, 64, 333, 512, 2_048):
        piece = noise(RATE, block)
        heard = Rig(bundle, piece, block).render()
        check(
            heard.shape[0] >= 2 and numpy.array_equal(heard[:2], piece),
            f"it passes its track through exactly in blocks of {block}, with the transport at 123 BPM",
        )


def check_parameters(bundle):
    rig = Rig(bundle, noise(RATE, 1), 512)
    described = rig.plugin.get_parameters_description()
    check(len(described) < 32, f"it has {len(described)} parameters")
    check(rig.plugin.get_latency_samples() == 0, "it reports no latency")
    delay = rig.index("Sync Delay")
    rig.plugin.set_parameter(delay, 0.5)
    rig.render()
    text = rig.plugin.get_parameter_text(delay)
    check(text.startswith("2500"), f"half the range of Sync Delay reads {text} ms")


def check_automation(bundle):
    piece = numpy.ones((2, 2 * RATE), numpy.float32)
    rig = Rig(bundle, piece, 512)
    monitor = rig.index("Monitor")
    unity = rig.plugin.get_parameter(monitor)
    lane = numpy.full(2 * RATE, unity, numpy.float32)
    lane[RATE:] = 0.0
    rig.plugin.set_automation(monitor, lane)
    heard = rig.render()[:2]
    # The host passes a lane on as one value a block.
    check(abs(heard[:, : RATE - 512] - 1.0).max() < 1e-4, "before the automation's step the track is whole")
    check(abs(heard[:, RATE + GLIDE_FRAMES :]).max() < 1e-6, "after the step it is silent")


def check_state(bundle):
    source = Rig(bundle, noise(RATE // 2, 2), 512)
    source.plugin.set_parameter(source.index("Sync Delay"), 0.25)
    source.plugin.set_parameter(source.index("Room Mode"), 1.0)
    source.render()
    target = Rig(bundle, noise(RATE // 2, 3), 512)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        source.plugin.save_state(path)
        check(os.path.getsize(path) > 8, "it saves a state")
        target.plugin.load_state(path)
    for name in ("Sync Delay", "Room Mode", "Monitor"):
        index = source.index(name)
        expected, restored = (rig.plugin.get_parameter_text(index) for rig in (source, target))
        check(expected == restored, f"a restored {name} reads {restored}")
    target.render()


def main():
    bundle = sys.argv[1]
    check_audio(bundle)
    check_parameters(bundle)
    check_automation(bundle)
    check_state(bundle)


main()
