"""The sentencepiece model and the token list of a recipe; tts.sh has no ``bpe``."""

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from espnet_distill.utils.files import read_text, work_folder, write_text, written_whole


def copy_bpemodel(given: str | Path, bpemodel: Path) -> None:
    """Copy a sentencepiece model into a recipe."""
    with written_whole(bpemodel) as beside:
        shutil.copyfile(given, beside)


def train_bpemodel(text: Path, cleaner: str, size: int, bpemodel: Path) -> list[str]:
    """Train a sentencepiece model on a text, as ESPnet's ``asr.sh`` does.

    Args:
        text: A file of ``<utterance> <words>`` lines.
        cleaner: ESPnet's cleaner of the words; ``none`` for none.
        size: Number of pieces, special ones included.
        bpemodel: The file to write.

    Returns:
        The pieces, without the special ones.

    Raises:
        RuntimeError: sentencepiece refuses the size.
    """
    from sentencepiece import SentencePieceTrainer

    with work_folder(bpemodel) as folder:
        lines = (" ".join(line.split()) for line in _cleaned(text, cleaner))
        write_text(folder / "text", "".join(f"{line}\n" for line in lines))
        SentencePieceTrainer.Train(
            input=str(folder / "text"),
            vocab_size=size,
            model_type="unigram",
            model_prefix=str(folder / "trained"),
            character_coverage=1.0,
        )
        copy_bpemodel(folder / "trained.model", bpemodel)
        return read_pieces(folder / "trained.vocab")


def read_pieces(vocabulary: Path) -> list[str]:
    """Return the pieces that ``spm_train`` wrote, after <unk>, <s> and </s>."""
    lines = read_text(vocabulary).removesuffix("\n").split("\n")
    return [line.split("\t")[0] for line in lines[3:]]


def pieces_of_text(text: Path, cleaner: str, bpemodel: Path) -> list[str]:
    """Return the pieces that occur in a text, the most frequent first."""
    from sentencepiece import SentencePieceProcessor

    encode = SentencePieceProcessor(model_file=str(bpemodel)).encode
    counts = Counter(
        piece
        for line in _cleaned(text, cleaner)
        for piece in encode(line, out_type=str)
    )
    return [piece for piece, _ in counts.most_common()]


def write_tokens(tokens: Iterable[str], token_list: Path) -> None:
    """Write a token list, one token per line."""
    write_text(token_list, "".join(f"{token}\n" for token in tokens))


def _cleaned(text: Path, cleaner: str) -> list[str]:
    from espnet2.text.cleaner import TextCleaner

    clean = TextCleaner(None if cleaner == "none" else cleaner)
    lines = read_text(text).removesuffix("\n").split("\n")
    return [clean(" ".join(line.split()[1:])) for line in lines]
