"""Make a recipe's sentencepiece model and its token list, in place of tts.sh 5."""

import argparse
from pathlib import Path

from espnet_distill.recipes.sentencepieces import (
    copy_bpemodel,
    pieces_of_text,
    read_pieces,
    train_bpemodel,
    write_tokens,
)


def get_parser() -> argparse.ArgumentParser:
    """Return the parser of the program's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--text", type=Path, required=True, help="<utterance> <words> lines")
    add("--cleaner", required=True, help="ESPnet's cleaner of the text, or none")
    add("--nbpe", type=int, required=True, help="size of a model that is trained")
    add("--given", type=Path, help="sentencepiece model to copy instead of training")
    add("--tokens-of-text", action="store_true", help="list the text's pieces only")
    add("--bpemodel", type=Path, required=True, help="model to write")
    add("--token-list", type=Path, required=True, help="token list to write")
    return parser


def main(cmd=None) -> None:
    """Write the model and the token list."""
    args = get_parser().parse_args(cmd)
    if args.given:
        copy_bpemodel(args.given, args.bpemodel)
    if args.tokens_of_text:
        write_tokens(
            pieces_of_text(args.text, args.cleaner, args.bpemodel), args.token_list
        )
        return
    if args.given:
        pieces = read_pieces(args.given.with_suffix(".vocab"))
    else:
        pieces = train_bpemodel(args.text, args.cleaner, args.nbpe, args.bpemodel)
    write_tokens(["<blank>", "<unk>", *pieces, "<sos/eos>"], args.token_list)


if __name__ == "__main__":
    main()
