import json
from dataclasses import replace

from espnet_distill.evaluation.metrics.fidelity import Fidelity
from espnet_distill.evaluation.metrics.wer import Errors
from espnet_distill.evaluation.score import ForcedErrors, Score
from espnet_distill.evaluation.table import environment, markdown, row, write

FORCED = ForcedErrors(mel=0.4, duration=12.5)
UNVOICED = Fidelity(7.0, float("nan"), 30)
VOICED = Fidelity(5.0, 0.2, 10)
SCORES = [
    Score(*score, characters=Errors(errors, 50))
    for errors, score in {
        0: ("a", "reference", Errors(0, 4), 3.5, None, "one, two"),
        2: ("b", "reference", Errors(1, 6), 3.0, None, "three"),
        4: ("a", "student", Errors(2, 4), 3.0, VOICED, "one", FORCED),
        8: ("b", "student", Errors(2, 6), 2.0, UNVOICED, 'say "two"', FORCED),
    }.items()
]
COSTS = {
    "params": 1234567,
    "size_mb": 4.94,
    "rtf_text2mel": 0.00321,
    "rtf_mel2wav": 0.0424,
    "rtf_text2wav": 0.0456,
    "model": "/exp/train.loss.ave.pth",
    "config": "/exp/config.yaml",
}


def make():
    rows = [row("reference", SCORES), row("student", SCORES, "reference", **COSTS)]
    return rows, environment("dump/raw/eval", 2, "tiny.en", "Griffin-Lim")


def test_a_row_sums_up_its_own_scores():
    reference, student = make()[0]
    assert (reference.wer, reference.dnsmos, reference.mcd) == (10.0, 3.25, None)
    assert (student.wer, student.dnsmos, student.mcd) == (40.0, 2.5, 6.0)
    assert (student.log_f0_rmse, student.voicing_error) == (0.2, 20)
    assert (student.mel_error, student.duration_error) == (0.4, 12.5)
    assert (reference.cer, student.cer, student.cer_difference.value) == (2, 12, 10)
    assert student.wer_difference.value == 30 and reference.wer_difference is None
    assert student.dnsmos_difference.value == -0.75


def test_a_single_sentence_has_no_interval():
    """A point would count as a decided difference."""
    scores = [score for score in SCORES if score.utt == "a"]
    alone = row("student", scores, "reference")
    assert (alone.wer, alone.wer_difference, alone.dnsmos_difference) == (
        50,
        None,
        None,
    )


def test_markdown_is_aligned_and_has_a_caption():
    table, further, caption = markdown(*make()).split("\n\n", 2)
    header, rule, reference, student = table.splitlines()
    assert len({len(line) for line in (header, rule, reference, student)}) == 1
    assert {line.count("|") for line in (header, rule, reference, student)} == {16}
    assert " 1,234,567 |" in student and "0.0032" in student and "40.0" in student
    assert reference.count("–") == 12
    assert "+30.0 [+16.7, +50.0]" in student and "−0.75 [−1.00, −0.50]" in student
    assert "12.0 | +10.0 [+8.0, +12.0]" in further.splitlines()[3]
    assert "2 held-out sentences" in caption and "token ids" in caption
    assert "Mel L1" in caption and "bootstrap" in caption


def test_further_mos_columns():
    scores = [replace(one, utmos=one.dnsmos + 1, nisqa=one.dnsmos) for one in SCORES]
    rows = [row("reference", scores), row("student", scores, "reference", **COSTS)]
    _, further, caption = markdown(rows, make()[1]).split("\n\n", 2)
    header, _, reference, student = further.splitlines()
    assert "ΔUTMOS [95 %] | NISQA |" in header and " ΔNISQA [95 %] |" in header
    assert "|  4.25 |" in reference and "|  3.50 | −0.75 [−1.00, −0.50] |" in student
    assert "utmos-pytorch" in caption and "torchmetrics" in caption


def test_the_second_opinions_are_further_columns():
    scores = [replace(one, dnsmos_p808=3.5, distillmos=one.dnsmos) for one in SCORES]
    rows = [row("reference", scores), row("student", scores, "reference", **COSTS)]
    _, further, caption = markdown(rows, make()[1]).split("\n\n", 2)
    header, _, _, student = further.splitlines()
    assert "DNSMOS P.808 |" in header and " ΔP.808 [95 %] | DistillMOS |" in header
    assert "+0.00 [+0.00, +0.00]" in student and "−0.75 [−1.00, −0.50]" in student
    assert "- DNSMOS P.808: " in caption and "by distillmos" in caption


def test_errors_of_a_second_recognizer_have_intervals_of_their_own():
    scores = [
        replace(
            one,
            second_words=Errors(int(one.row == "student"), 4),
            second_characters=Errors(int(one.row == "student"), 20),
        )
        for one in SCORES
    ]
    rows = [row("reference", scores), row("student", scores, "reference", **COSTS)]
    text = markdown(rows, make()[1] | {"second_asr_model": "Moonshine"})
    _, further, caption = text.split("\n\n", 2)
    header, _, reference, student = further.splitlines()
    cells = dict(zip(*(line.split(" | ") for line in (header, student))))
    assert {title.strip(): cell.strip() for title, cell in cells.items()}.items() >= {
        "WER 2 (%)": "25.0",
        "ΔWER 2 [95 %]": "+25.0 [+25.0, +25.0]",
        "CER 2 (%)": "5.0",
    }.items()
    assert "- WER 2, CER 2: of transcripts by Moonshine." in caption


def test_phoneme_errors_are_a_rate_over_all_sentences():
    scores = [
        replace(one, phonemes=Errors(2 * (one.row == "student"), 20 + 20 * place))
        for place, one in enumerate(SCORES)
    ]
    rows = [row("reference", scores), row("student", scores)]
    assert [one.per for one in rows] == [0, 100 * 4 / (60 + 80)]
    table, further, caption = markdown(rows, make()[1]).split("\n\n", 2)
    assert "| PER (%) |" in further and "- PER: phoneme error rate" in caption


def test_columns_without_a_value_are_left_out():
    score = replace(SCORES[0], characters=None)
    table, caption = markdown([row("reference", [score])], make()[1]).split("\n\n", 1)
    assert table.splitlines()[0].split() == ["|", "|", "WER", "(%)", "|", "DNSMOS", "|"]
    assert "Mel L1" not in caption and "bootstrap" not in caption


def test_files(tmp_path):
    write(tmp_path, *make(), SCORES)
    table = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    assert list(table) == ["environment", "rows"]
    keys = "date espnet torch python cpu asr_model vocoder data sentences"
    assert set(table["environment"]) >= set(keys.split())
    reference, student = table["rows"]
    assert list(reference) == list(student)
    assert reference["params"] is reference["mcd"] is reference["model"] is None
    assert student.items() >= COSTS.items()
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    assert lines[0] == (
        "utt,row,errors,words,character_errors,characters,dnsmos,"
        "dnsmos_p808,distillmos,utmos,nisqa,"
        "similarity,mcd,log_f0_rmse,voicing_error,duration_error,mel_error,hypothesis,"
        "second_errors,second_character_errors,second_hypothesis,"
        "phoneme_errors,phonemes"
    )
    assert lines[1] == 'a,reference,0,4,0,50,3.5000,,,,,,,,,,,"one, two",,,,,'
    assert (
        lines[3]
        == "a,student,2,4,4,50,3.0000,,,,,,5.0000,0.2000,10.0000,12.5000,0.4000,one,,,,,"
    )
    assert not list(tmp_path.glob("*.tmp"))


def test_without_words_the_character_errors_are_in_the_main_table():
    scores = [replace(score, words=None) for score in SCORES]
    rows = [row("reference", scores), row("student", scores, "reference", **COSTS)]
    table, caption = markdown(rows, make()[1]).split("\n\n", 1)
    assert "CER (%)" in table and "ΔCER [95 %]" in table and "WER" not in table
    assert "+10.0 [+8.0, +12.0]" in table and "| CER" not in caption


def test_the_caption_names_the_normalizer():
    rows, surroundings = make()
    assert "Whisper's English normalizer" in markdown(rows, surroundings)
    surroundings |= environment("data", 2, "base", "Griffin-Lim", "de")
    assert "Whisper's basic normalizer" in markdown(rows, surroundings)
    assert "spaces count as characters" in markdown(rows, surroundings)
    surroundings |= environment("data", 2, "base", "Griffin-Lim", "ja")
    assert "basic normalizer, as katakana readings" in markdown(rows, surroundings)
    assert "spaces are left out" in markdown(rows, surroundings)
    del surroundings["normalizer"], surroundings["readings"]
    assert "Whisper's English normalizer" in markdown(rows, surroundings)


def test_recordings_that_the_recognizer_cannot_transcribe_are_announced():
    rows, surroundings = make()
    assert "RECORDINGS THEMSELVES" not in markdown(rows, surroundings)
    rows[0] = replace(rows[0], wer=136.2)
    caption = markdown(rows, surroundings).split("\n\n", 2)[2]
    assert "THE RECORDINGS THEMSELVES HAVE WER 136 %" in caption.split("\n\n")[0]


def test_the_caption_names_language_and_g2p():
    rows, surroundings = make()
    surroundings |= {"language": "de", "g2p": "espeak-ng de"}
    caption = markdown(rows, surroundings).split("\n\n", 2)[2]
    assert "of `dump/raw/eval` (language `de`, g2p `espeak-ng de`), " in caption
    del surroundings["language"], surroundings["g2p"]
    assert "of `dump/raw/eval`, " in markdown(rows, surroundings)
