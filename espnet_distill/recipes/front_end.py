"""The front end of a run of distill.sh: what its data record, and a report of it."""

import shutil
from dataclasses import replace
from pathlib import Path

from espnet_distill.data.front_end import RECORD, WORDS, FrontEnd, record_language
from espnet_distill.data.text_report import format_report, report_text
from espnet_distill.recipes.layout import Layout
from espnet_distill.recipes.run_options import RunOptions
from espnet_distill.utils.files import read_table, read_text
from espnet_distill.utils.quiet import stderr_suppressed
from espnet_distill.voice.languages import require_language


def front_end_of_run(options: RunOptions, data: Path | None = None) -> FrontEnd:
    """Return the front end that completed options name.

    Args:
        options: The options of a run.
        data: A data folder, whose language and voice are taken.
    """
    front_end = FrontEnd.of(vars(options), data)
    if options.language:
        front_end = replace(front_end, language=require_language(options.language))
    return front_end


def copy_records(layout: Layout) -> None:
    """Copy what `prepare-text` recorded beside the texts that tts.sh has copied.

    Without a record, a given language is recorded.
    """
    language = layout.options.language
    for name in layout.options.sets:
        for file in (RECORD, WORDS):
            source, target = Path("data", name, file), layout.raw(name) / file
            if source.is_file():
                shutil.copyfile(source, target)
            else:
                target.unlink(missing_ok=True)
        if language and not (layout.raw(name) / RECORD).exists():
            record_language(layout.raw(name), language)


def report_front_end(layout: Layout) -> str:
    """Return a table of what the front end loses, changes and makes of the texts."""
    options = layout.options
    front_end = front_end_of_run(options, layout.raw(options.train_set))
    lines = {
        f"{name}: {utterance}": text
        for name in options.sets
        for utterance, text in read_table(layout.raw(name) / "text").items()
    }
    bpemodel = str(layout.bpemodel) if layout.bpemodel else None
    tokens = read_text(layout.token_list).splitlines()
    with stderr_suppressed():
        findings = report_text(lines, front_end, bpemodel, tokens)
    return f"{format_report(findings, len(lines))}\n"
