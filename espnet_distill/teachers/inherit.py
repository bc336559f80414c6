"""`espnet-distill inherit`: data get the tokens, statistics or ids of a teacher."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.files import read_text, write_text, written_whole
from espnet_distill.teachers.checkpoint import find_experiment, read_config
from espnet_distill.teachers.ids import LANGUAGES, SPEAKERS, ids_of, inherit_ids

STATISTICS = {
    "normalize_conf": "feats",
    "pitch_normalize_conf": "pitch",
    "energy_normalize_conf": "energy",
}


def inherit_tokens(conf: Mapping, token_list: Path) -> list[str]:
    """Put a teacher's tokens into the place of those that a text has.

    Args:
        conf: The configuration of a trained experiment.
        token_list: What stage 5 of tts.sh made, a token a line.

    Returns:
        The tokens of the text that the teacher does not know; it takes them for
        ``<unk>``.

    Raises:
        ConfigError: The teacher has no tokens, or the file cannot be read.
    """
    known = conf.get("token_list")
    if not isinstance(known, list):
        raise ConfigError("token_list: the teacher has none; is it an experiment?")
    found = read_text(token_list).split("\n")[:-1]
    if found != known:
        write_text(token_list, "".join(f"{token}\n" for token in known))
    return [token for token in found if token not in set(known)]


def inherit_statistics(conf: Mapping, folder: Path) -> list[str]:
    """Copy the statistics that a teacher normalises with; return their names.

    Args:
        conf: The configuration of a trained experiment.
        folder: Where stage 6 of tts.sh puts ``feats_stats.npz`` and others.

    Raises:
        ConfigError: A file that the configuration names is not there.
    """
    copied = []
    for key, kind in STATISTICS.items():
        source = (conf.get(key) or {}).get("stats_file")
        target = folder / f"{kind}_stats.npz"
        if not source or not target.exists():  # the teacher or the student has none
            continue
        if not Path(source).is_file():
            raise ConfigError(f"{key}.stats_file: {source}: no such file")
        with written_whole(target) as beside:
            shutil.copyfile(source, beside)
        copied.append(target.name)
    return copied


def add_arguments(parser) -> None:
    parser.add_argument("teacher", help="an ESPnet experiment folder, or a .pth in one")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--token_list", metavar="FILE", type=Path, help="tokens.txt of the data"
    )
    what.add_argument(
        "--statistics", metavar="DIR", type=Path, help="train/ of the data's statistics"
    )
    what.add_argument(
        "--speakers",
        metavar="DIR",
        type=Path,
        nargs="+",
        help="data folders with utt2spk and utt2sid",
    )
    what.add_argument(
        "--languages",
        metavar="DIR",
        type=Path,
        nargs="+",
        help="data folders with utt2lang and utt2lid",
    )


def main(args) -> None:
    """Say what the data have got."""
    config, checkpoint = find_experiment(args.teacher)
    conf = read_config(config)
    if args.token_list:
        unknown = inherit_tokens(conf, args.token_list)
        print(f"{args.token_list}: the {len(conf['token_list'])} tokens of {config}")
        _say_unknown(unknown)
    elif args.statistics:
        copied = inherit_statistics(conf, args.statistics)
        print(f"{args.statistics}: {', '.join(copied) or 'nothing'} of {config}")
    else:
        kind = SPEAKERS if args.speakers else LANGUAGES
        folders = args.speakers or args.languages
        ids = ids_of(kind, conf, config, checkpoint)
        unknown = inherit_ids(kind, ids, folders)
        print(f"{' '.join(map(str, folders))}: the {kind.data} of {config}")
        _say_unknown(unknown)


def _say_unknown(unknown: list[str]) -> None:
    if unknown:
        print(f"unknown to the teacher, so <unk>: {' '.join(unknown)}")
