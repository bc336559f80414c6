"""Generate the page docs/reliability.md from the tests.

`python -m tests.reliability > docs/reliability.md` writes it.
"""

from . import bad_input, configurations, test_reuse

PAGE = """\
# Reliability

Bad input is refused with exit status 2 and a line on stderr that names the file, the key
and the remedy, without a traceback; nothing is left under a final name.
`espnet-distill check` finds all that is wrong with a training at once, a line each.
`python -m tests.reliability > docs/reliability.md` generates this page from the tests.

## Untrusted input

- **Shells.** Of a teacher's configuration, only ESPnet's own choices (token types,
  cleaners, g2p names) and finite numbers reach a shell. Options of a recipe are checked
  before `parse_options.sh` evaluates them: characters that a shell would expand are
  refused, and spaces where tts.sh cannot take them.
- **Archives.** Files of a packed model are written under fixed names (`config.yaml`,
  `model.pth`, …), whatever the archive calls them. Members outside the folder, links, and
  archives that unpack to more than 16 GiB, or to 200 times their size, are refused.
- **Checkpoints** are loaded as weights alone: code in one is not run.
- **YAML** is read without tags, up to a size, a depth and a number of aliases.
- **The hub** is asked only for `hub:owner/name`, with `@revision` if one is pinned, or for
  a name in espnet_model_zoo's table; `fetched.yaml` records the revision and the SHA-256.
  ESPnet's source distribution is checked by its SHA-256 before anything in it is run.
- **Utterance ids** that are no file names are refused wherever they would become one.
- **NaN and infinity** are refused in weights, statistics, dumps, audio and calibration
  losses. A comparison that is not finite is an error. A training whose distillation loss
  is not finite ends with one line and exit status 2.

## Kills and concurrent runs

A process that is killed at any of its renames leaves either the old or the complete new
file under a final name; `derive`, `prune`, `compact`, `unpack`, the teacher dump and
trainings with callbacks were killed at each. Files are flushed to the disk before they are
renamed. A folder that is being written is locked, by a lock that ends with its process; a
second process is refused with the host and process id of the first. Ctrl-C ends a command
with one line and exit status 130. The next run of a command removes what dead processes
have left.

## Reuse of earlier results

A result is reused only for the content that it was made from. A test changes one input at
a time ([tests/test_reuse.py](../tests/test_reuse.py)).

{reuse}
## Fuzzing

[tests/fuzz](../tests/fuzz) mutates the input of every command (values of another type, cut
and flipped bytes, missing keys, pipes, dangling links) by a seed. Each case has to end with
exit status 0 or 2, without a traceback, in time, and without leftover files.
`make test` runs 320 cases, `make test-all` 4,000.
{fuzz}

## ESPnet's own configurations

Every text-to-mel configuration of ESPnet's recipes, at its real size and with random
weights: parameters that are left, the pressure reached, and the largest difference to the
masked model where there is one. `derive` was asked for a pressure of 0.8, the others for
0.5. Results of `derive` and `prune` are stock configurations; those of low rank need the
plugin ([tests/configurations.py](../tests/configurations.py)).

{configurations}

## Input that is refused

Each line is a test ([tests/test_bad_input.py](../tests/test_bad_input.py)).

{bad_input}"""
FUZZ = (
    "Before there were these checks, 42 of the first 800 cases failed: 31 tracebacks, 9\n"
    "hangs, and 2 that left files."
)


def page() -> str:
    """Return the page as Markdown."""
    return PAGE.format(
        reuse=test_reuse.table(),
        fuzz=FUZZ,
        configurations=configurations.table(),
        bad_input=bad_input.table(),
    )


if __name__ == "__main__":
    print(page(), end="")
