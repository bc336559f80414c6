"""Select durations from the attention of an autoregressive teacher."""

from collections.abc import Iterable
from pathlib import Path
from statistics import median

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.utils.files import read_rows, read_table, require_folder, write_text

# "For phn taco2 around 0.65, phn transformer around 0.9": ESPnet 1's LJSpeech recipe.
LEAST_FOCUS_RATE = {"tacotron2": 0.65, "transformer": 0.9}


def least_focus_rate(experiment) -> float:
    """Return the default focus-rate threshold for a teacher's model class.

    Raises:
        ConfigError: The teacher has no attention over the text.
    """
    teacher = Experiment(experiment)
    tts = teacher.config["tts"]
    if tts not in LEAST_FOCUS_RATE:
        raise ConfigError(
            f"{teacher}: {tts} has no attention over the text; give a teacher of "
            f"{', '.join(LEAST_FOCUS_RATE)}, or take durations from the aligner"
        )
    return LEAST_FOCUS_RATE[tts]


def select(decoded: Path, out: Path, least: float) -> str:
    """Write the durations of the utterances whose attention is sharp enough.

    Args:
        decoded: The output folder of ESPnet's synthesis of one set, with `durations`
            and `focus_rates`.
        out: The folder in which `durations` and `utterances` are written.
        least: The minimum focus rate, between 0 and 1.

    Returns:
        A line with the number of utterances kept.

    Raises:
        ConfigError: A table is missing or invalid, or no utterance is kept.
    """
    require_folder(out)
    durations = read_table(decoded / "durations")
    rates = _read_rates(decoded / "focus_rates", durations)
    kept = [key for key in durations if rates[key] >= least]
    summary = (
        f"{decoded.name}: {len(kept)} of {len(rates)} utterances have a focus rate of "
        f"at least {least:g} (median {median(rates.values()):.2f})"
    )
    if not kept:
        raise ConfigError(f"{summary}; train the teacher longer, or lower the rate")
    write_text(out / "durations", "".join(f"{key} {durations[key]}\n" for key in kept))
    write_text(out / "utterances", "".join(f"{key}\n" for key in kept))
    return summary


def _read_rates(path: Path, utterances: Iterable[str]) -> dict[str, float]:
    table = read_rows(path, utterances, "decode again")
    try:
        return {key: float(rate) for key, rate in table.items()}
    except ValueError as error:
        raise ConfigError(f"{path}: {error}; decode again") from error
