"""Try the front end and the recognizer of each language in docs/languages.md.

    python benchmarks/languages.py [--tokens]

prepares three sentences a language as a recipe of ``espnet-distill new-recipe`` does,
makes tokens of them, and prints a table of what is lost, of digits that reach the tokens,
and of the recognizer of ``evaluate``. With ``--tokens`` the tokens follow. A line that
cannot be tried gives the reason.
"""

import sys
from dataclasses import replace

from espnet_distill.data.front_end import FrontEnd
from espnet_distill.data.text_report import ONCE, report_text, tokens_of
from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics import asr, wer
from espnet_distill.recipes.corpus_front_end import choose_front_end
from espnet_distill.utils.markdown import aligned
from espnet_distill.utils.quiet import stderr_suppressed

LINES = {  # language: (g2p, tag if it is not the g2p's, sentences)
    "US English": (
        "espeak_ng_english_us_vits",
        None,
        [
            "It costs $5.20, doesn't it?",
            "Dr. Smith was born in 1999.",
            "Twenty trains left at 7:45!",
        ],
    ),
    "German": (
        "espeak_ng_german",
        None,
        [
            "Schöne Mädchen mögen süße Äpfel.",
            "Am 3. Mai 1999 kostete es 5,20 €.",
            "Fährt der Zug um 7:45 Uhr?",
        ],
    ),
    "French": (
        "espeak_ng_french",
        None,
        [
            "Où est la forêt de mon père ?",
            "En 1999, le café coûtait 5,20 €.",
            "J'ai acheté 12 œufs.",
        ],
    ),
    "Spanish": (
        "espeak_ng_spanish",
        None,
        [
            "¿Dónde está el niño pequeño?",
            "En 1999 costaba 5,20 €.",
            "Compré 12 manzanas.",
        ],
    ),
    "Italian": (
        "espeak_ng_italian",
        None,
        ["Perché la città è così bella?", "Nel 1999 costava 5,20 €.", "Ho 12 libri."],
    ),
    "Dutch": (
        "espeak_ng_dutch",
        None,
        ["Hoe gaat het met je zus?", "In 1999 kostte het 5,20 €.", "Ik heb 12 boeken."],
    ),
    "Polish": (
        "espeak_ng_polish",
        None,
        ["Gdzie jest żółta łódź?", "W 1999 kosztowało 5,20 €.", "Mam 12 książek."],
    ),
    "Russian": (
        "espeak_ng_russian",
        None,
        ["Где моя жёлтая лодка?", "В 1999 это стоило 5,20 €.", "У меня 12 книг."],
    ),
    "Hindi": (
        "espeak_ng_hindi",
        None,
        ["मेरा घर कहाँ है?", "1999 में इसकी कीमत 520 रुपये थी।", "मेरे पास 12 किताबें हैं।"],
    ),
    "Turkish": (
        "espeak_ng",
        "tr",
        ["Güzel çiçekler nerede?", "1999'da 5,20 € idi.", "12 kitabım var."],
    ),
    "Ukrainian": (
        "espeak_ng_ukrainian",
        None,
        ["Де мій жовтий човен?", "У 1999 це коштувало 5,20 €.", "У мене є 12 книг."],
    ),
    "Portuguese (Brazil)": (
        "espeak_ng",
        "pt-br",
        ["Onde está a maçã do João?", "Em 1999 custava 5,20 €.", "Tenho 12 livros."],
    ),
    "Portuguese": (
        "espeak_ng",
        "pt",
        ["Onde está a maçã do João?", "Em 1999 custava 5,20 €.", "Tenho 12 livros."],
    ),
    "Japanese": (
        "pyopenjtalk_prosody",
        None,
        [
            "今日は良い天気ですね。",
            "1999年に520円でした。",
            "本を12冊買いました、昨日。",
        ],
    ),
    "Mandarin": (
        "pypinyin_g2p_phone",
        None,
        ["今天天气很好。", "一九九九年五月三日,他来了。", "我有12本书。"],
    ),
    "Korean": (
        "korean_jaso",
        None,
        ["오늘 날씨가 좋습니다.", "천구백구십구년에 샀어요!", "책이 12권 있습니다."],
    ),
}


def try_line(g2p: str, tag: str | None, sentences: list[str]) -> tuple[list, dict]:
    """Return the cells of a line after the language, and the tokens of each sentence."""
    front_end = choose_front_end(g2p, tag)
    prepared = _prepared(front_end, sentences)
    with stderr_suppressed():
        findings = report_text(prepared, front_end)
        tokens = tokens_of(prepared, front_end)
    lost = [
        f"{finding.title}: {', '.join(finding.examples)}"
        for finding in findings
        if finding.title != ONCE
    ]
    digits = {token for text in tokens.values() for token in text if token.isdecimal()}
    return [
        f"`--g2p {g2p}{f' --language {tag}' if tag else ''}`",
        front_end.cleaner or "none",
        "; ".join(lost) or "nothing",
        " ".join(sorted(digits)) or "none",
        _recognizer(front_end.language, sentences),
    ], dict(zip(sentences, tokens.values()))


def _prepared(front_end: FrontEnd, sentences: list[str]) -> dict[str, str]:
    """Return what prepare-text makes of the sentences."""
    preparing = replace(front_end, cleaner=None)
    return {str(n): preparing.prepare(text) for n, text in enumerate(sentences)}


def _recognizer(language: str, sentences: list[str]) -> str:
    """Return the default recognizer and the measure, after comparing texts to themselves."""
    try:
        asr.require_recognizer(language)
    except ConfigError as error:
        return str(error)
    counts = [wer.character_errors(text, text, language) for text in sentences]
    assert all(count.errors == 0 < count.total for count in counts)
    model = "tiny.en" if language == asr.ENGLISH else "base"
    return f"{model}, {'CER' if language in wer.UNSPACED else 'WER'}"


def main(show_tokens: bool) -> None:
    """Print the table, and the tokens."""
    titles = ("front end of new-recipe", "cleaner", "lost", "digits in tokens")
    rows, shown = {}, []
    for language, (g2p, tag, sentences) in LINES.items():
        try:
            rows[language], tokens = try_line(g2p, tag, sentences)
        except ConfigError as error:
            rows[language], tokens = [f"`--g2p {g2p}`", "", str(error), "", ""], {}
        shown += [f"{text}\n    {' '.join(one)}" for text, one in tokens.items()]
    columns = dict(zip((*titles, "recognizer"), zip(*rows.values())))
    print(aligned({"language": list(rows), **{t: list(c) for t, c in columns.items()}}))
    if show_tokens:
        print("\n" + "\n".join(shown))


if __name__ == "__main__":
    main("--tokens" in sys.argv[1:])
