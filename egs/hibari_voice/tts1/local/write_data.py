#!/usr/bin/env python3
"""Write the data folder of lines `<id> <sentence>`, before they are synthesized.

tts.sh requires recordings, for which a quarter of a second of noise stands.
"""

import sys
from pathlib import Path

import numpy as np
from hibari import SAMPLE_RATE

from espnet_distill.data.list_clips import write_data_folder
from espnet_distill.data.metadata import read_prompts
from espnet_distill.utils.files import write_wav

PLACEHOLDER = Path("downloads/placeholder.wav")


def main(prompts: Path, out: Path):
    noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE // 4)
    write_wav(PLACEHOLDER, 1e-3 * noise, SAMPLE_RATE)
    lines = read_prompts(prompts)
    write_data_folder(
        out, [(x.utterance, PLACEHOLDER, x.text, "hibari") for x in lines]
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
