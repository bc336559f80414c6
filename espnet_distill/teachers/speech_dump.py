"""Dumps of a text-to-waveform teacher's synthesis, from which its student is trained.

A dump is a folder for one set of texts:

    manifest.yaml   the teacher, its noise, the texts; written last
    durations       utterance and frames of each token and of the end of sentence
    wav/wav.scp     utterance and path of a WAV file, of (sum of durations) * hop samples;
                    not of latents alone
    latents.scp     with latents: utterance and path of an array (T, C)
    condition.scp   with latents of a conditioned decoder: the same of an array (G,)

`durations` and `wav/wav.scp` are where stage 8 of tts.sh writes them.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from espnet_distill.errors import ConfigError
from espnet_distill.teachers.dump_writer import BEGUN
from espnet_distill.teachers.dumped import MANIFEST, begin
from espnet_distill.teachers.text_to_wave import Synthesis
from espnet_distill.utils.files import read_text, write_text
from espnet_distill.utils.locking import locked
from espnet_distill.utils.utterance_files import ARRAY, WAVE, UtteranceFiles

REMEDY = "remove the folder and run the dump again"
OTHERS = (
    "speech of another teacher, of other texts or other noise, or with other outputs; "
    f"{REMEDY}"
)
FRAMES = {"frames": ARRAY}
WAVEFORMS = {"wav": WAVE}
LATENTS = {"latents": ARRAY}
CONDITION = {"condition": ARRAY}


class SpeechFiles(UtteranceFiles):
    """Waveforms, durations and latents of one set.

    Args:
        folder: The folder.
        with_latents: Whether the input of the waveform decoder is written, too.
        with_condition: Whether it includes the decoder's global conditioning.
        with_waveforms: Whether waveforms are written.
    """

    def __init__(
        self,
        folder: Path,
        with_latents: bool = False,
        with_condition: bool = False,
        with_waveforms: bool = True,
    ):
        kinds = FRAMES | (WAVEFORMS if with_waveforms else {})
        kinds |= LATENTS if with_latents else {}
        kinds |= CONDITION if with_latents and with_condition else {}
        super().__init__(folder, kinds, "run the dump again")

    def begin(self, record: Mapping) -> None:
        """Write the record of a new dump, or compare it with that of a started one.

        Raises:
            ConfigError: The dump was started with another record.
        """
        begin(self.folder / BEGUN, dict(record), OTHERS)

    def add(self, utterance: str, speech: Synthesis, tokens: int, rate: int) -> None:
        """Write an utterance.

        Args:
            utterance: Its id.
            speech: Its synthesis.
            tokens: The number of tokens of its text.
            rate: Sampling rate in Hz.

        Raises:
            ConfigError: The synthesis has no frames, or a value is not finite.
        """
        frames = speech.durations.cpu().numpy()
        outputs = {
            "wav": speech.waveform,
            "latents": speech.latents,
            "condition": speech.condition,
        }
        arrays = {
            kind: outputs[kind].cpu().numpy() for kind in self.kinds if kind in outputs
        }
        arrays["frames"] = np.pad(frames, (0, tokens + 1 - len(frames)))
        remedy = "leave out the text, or name another teacher"
        if not frames.sum():
            raise ConfigError(f"{self.folder}: {utterance}: has no frames; {remedy}")
        self.write(utterance, arrays, rate, remedy)

    def list_of(self, kind: str) -> Path:
        """Return the list of a kind's files."""
        return self.folder / "wav/wav.scp" if kind == "wav" else super().list_of(kind)

    def finish(self, utterances: Iterable[str]) -> None:
        """Write the lists, the durations and, last, the manifest.

        Raises:
            ConfigError: Utterances are not dumped; the message names ten.
        """
        utterances = list(utterances)
        with locked(self.folder):
            self.write_lists(utterances)
            rows = (f"{one} {self._frames(one)}\n" for one in utterances)
            write_text(self.folder / "durations", "".join(rows))
            write_text(self.folder / MANIFEST, read_text(self.folder / BEGUN))

    def _frames(self, utterance: str) -> str:
        frames = np.load(self.path("frames", utterance), allow_pickle=False)
        return " ".join(map(str, frames))
