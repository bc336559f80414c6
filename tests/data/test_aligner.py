"""Durations of the aligner, in ESPnet's format."""

import numpy as np
import pytest
import soundfile
import torch
from espnet2.gan_tts.jets.alignments import AlignmentModule
from espnet2.legacy.nets.pytorch_backend.nets_utils import make_pad_mask
from espnet2.tts.feats_extract.log_mel_fbank import LogMelFbank

from espnet_distill.data import aligner as align
from espnet_distill.data.alignments import AlignedSet, Alignment
from espnet_distill.errors import ConfigError

from ..conftest import HOP, RATE, TOKENS

WINDOW = 160  # short, so that the boundaries are sharp
LETTERS = "abcdefgh"
TONES = {letter: 300 * 1.4**index for index, letter in enumerate(LETTERS)}


def sing(rng, length):
    """Tones as long as phones are: letters, frames of each and of a pause, the wave."""
    word = [rng.choice(list(LETTERS))]
    while len(word) < length:
        word.append(rng.choice([letter for letter in LETTERS if letter != word[-1]]))
    durations = rng.integers(2, 8, len(word) + 1)
    frequencies = [*(TONES[letter] for letter in word), 0.0]
    phase = np.repeat(frequencies, durations * HOP).cumsum()
    noise = 0.03 * rng.standard_normal(len(phase))
    wave = 0.3 * np.sin(2 * np.pi * phase / RATE) + noise
    return "".join(word), durations, wave


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Data folders train and dev of tones, and the durations in them."""
    root, rng, truth = tmp_path_factory.mktemp("songs"), np.random.default_rng(0), {}
    (root / "tokens.txt").write_text("".join(f"{token}\n" for token in TOKENS))
    for name, count in (("train", 32), ("dev", 10)):
        folder = root / name
        folder.mkdir()
        text, scp = [], []
        for number in range(count):
            word, truth_of_it, wave = sing(rng, 10 + number % 5)
            utterance = f"{name}_{number}"
            truth[utterance] = truth_of_it
            soundfile.write(folder / f"{utterance}.wav", wave, RATE)
            text.append(f"{utterance} {word}\n")
            scp.append(f"{utterance} {folder}/{utterance}.wav\n")
        (folder / "text").write_text("".join(text))
        (folder / "wav.scp").write_text("".join(scp))
    return root, truth


def run(root, out, *options):
    stft = ["--fs", f"{RATE}", "--n_fft", "512", "--n_shift", f"{HOP}"]
    stft += ["--win_length", f"{WINDOW}"]
    tokens = ["--token_list", f"{root}/tokens.txt", "--token_type", "char"]
    tokens += ["--cleaner", "none", "--g2p", "none"]
    folders = ["--data", f"{root}/train", "--also", f"{root}/dev"]
    align.main([*stft, *tokens, *folders, "--output_dir", str(out), *options])


@pytest.fixture(scope="module")
def found(songs, tmp_path_factory):
    root, _ = songs
    out = tmp_path_factory.mktemp("alignment")
    run(root, out, "--steps", "60")
    durations = {}
    for name in ("train", "dev"):
        assert [path.name for path in (out / name).iterdir()] == ["durations"]
        for line in (out / name / "durations").read_text().splitlines():
            utterance, *values = line.split()
            durations[utterance] = np.array(list(map(int, values)))
    return durations


def test_every_utterance_has_a_duration_for_each_token_and_the_end(songs, found):
    root, truth = songs
    assert list(found) == list(truth)
    mel = LogMelFbank(fs=RATE, n_fft=512, win_length=WINDOW, hop_length=HOP)
    for utterance, durations in found.items():
        assert len(durations) == len(truth[utterance])
        assert durations.min() >= 1
        folder = root / utterance.split("_")[0]
        wave, _ = soundfile.read(folder / f"{utterance}.wav", dtype="float32")
        _, frames = mel(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))
        assert durations.sum() == frames.item()


def within_two_frames(durations, truth):
    """Return the fraction of boundaries within two frames of the true ones."""
    errors = [
        np.abs(np.cumsum(durations[utterance]) - np.cumsum(expected))[:-1]
        for utterance, expected in truth.items()
    ]
    return np.mean(np.concatenate(errors) <= 2)


@pytest.mark.parametrize("name", ["train", "dev"])  # dev is never trained on
def test_most_boundaries_between_tones_are_found(songs, found, name):
    truth = {key: value for key, value in songs[1].items() if key.startswith(name)}
    equal = {key: np.full(len(row), row.mean()) for key, row in truth.items()}
    told_by_counts_alone = within_two_frames(equal, truth)
    assert within_two_frames(found, truth) > max(0.7, told_by_counts_alone + 0.1)


def test_one_seed_gives_one_alignment(songs, tmp_path):
    root, _ = songs
    for name in ("one", "two"):
        run(root, tmp_path / name, "--steps", "2", "--seed", "3")
    for name in ("train", "dev"):
        one, two = (
            (tmp_path / run_ / name / "durations").read_text()
            for run_ in ("one", "two")
        )
        assert one == two


def test_the_matrix_product_is_espnets_alignment():
    torch.manual_seed(0)
    counts, frames = torch.tensor([5, 3]), torch.tensor([40, 31])
    text, feats = torch.randn(2, 5, 16), torch.randn(2, 40, 20)
    modules = AlignmentModule(16, 20), align.MatrixAlignment(16, 20)
    modules[1].load_state_dict(modules[0].state_dict())
    weight = torch.randn(2, 40, 5)
    results = []
    for module in modules:
        arguments = text.clone().requires_grad_(), feats.clone().requires_grad_()
        value = module(*arguments, counts, frames, make_pad_mask(counts))
        real = torch.zeros(2, 40, 5, dtype=torch.bool)
        for row, count, length in zip(real, counts, frames):
            row[:length, :count] = True
        (value[real] * weight[real]).sum().backward()
        gradients = [parameter.grad for parameter in module.parameters()]
        results.append([value[real], *(item.grad for item in arguments), *gradients])
        assert torch.isneginf(value[~real]).all()
    for stock, mine in zip(*results, strict=True):
        torch.testing.assert_close(mine, stock, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["text", "wav.scp"])
def test_a_folder_without_data_is_refused(songs, tmp_path, name):
    root, _ = songs
    folder = tmp_path / "train"
    folder.mkdir()
    for other in {"text", "wav.scp"} - {name}:
        (folder / other).touch()
    with pytest.raises(ConfigError) as caught:
        run(root, tmp_path / "out", "--data", str(folder))
    assert (
        str(caught.value) == f"{folder}/{name}: no such file; run the data stages first"
    )
    assert not (tmp_path / "out").exists()


def test_every_folder_is_checked_before_training(songs, tmp_path):
    root, _ = songs
    with pytest.raises(ConfigError, match="nowhere/text: no such file"):
        run(root, tmp_path / "out", "--also", f"{root}/dev", f"{tmp_path}/nowhere")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def spoilt(songs, tmp_path):
    """A copy of the training set with more utterances; a function adds them."""
    root, folder = songs[0], tmp_path / "train"
    folder.mkdir()
    for name in ("text", "wav.scp"):
        (folder / name).write_text((root / "train" / name).read_text())

    def add(utterance, word, wave, rate=RATE):
        soundfile.write(folder / f"{utterance}.wav", wave, rate)
        values = {"text": word, "wav.scp": folder / f"{utterance}.wav"}
        for name, value in values.items():
            with open(folder / name, "a") as file:
                file.write(f"{utterance} {value}\n")
        return folder

    return add


def run_on(folder, songs, out, *options):
    run(songs[0], out, "--steps", "2", "--data", str(folder), *options)


def durations_in(folder):
    lines = (folder / "durations").read_text().splitlines()
    return {key: list(map(int, row)) for key, *row in map(str.split, lines)}


def test_utterances_with_too_few_frames_are_left_out(songs, spoilt, tmp_path, caplog):
    out, noise = tmp_path / "out", 0.1 * np.random.default_rng(0).standard_normal(4000)
    spoilt("x_long", 20 * "abcd", noise)
    spoilt("x_text", "", noise)
    folder = spoilt("x_wave", "abcd", noise[:0])
    run_on(folder, songs, out)
    run_on(songs[0] / "train", songs, tmp_path / "without")
    expected = durations_in(tmp_path / "without/train")
    assert len(expected) == 32
    for name in ("train", "train_aligned"):
        assert durations_in(out / name) == expected
    listed = (out / "train_aligned/utterances").read_text().split()
    assert listed == list(expected)
    for utterance, why in {
        "x_long": "80 tokens and the end for 32 frames",
        "x_text": "its text has no tokens",
        "x_wave": "its recording has 0 samples",
    }.items():
        assert f"{folder}: {utterance} is not aligned: {why}" in caplog.messages
        assert f"{utterance},,,,,{why}" in (out / "train_alignment.csv").read_text()
    assert not (out / "dev_aligned").exists()


def test_longest_token_bounds_durations(songs, spoilt, tmp_path):
    out, time = tmp_path / "out", np.arange(8 * RATE) / RATE
    folder = spoilt("x_tone", "c", 0.3 * np.sin(2 * np.pi * TONES["c"] * time))
    run_on(folder, songs, out)
    assert "x_tone" not in (out / "train/durations").read_text()
    (line,) = (out / "train_alignment.csv").read_text().splitlines()[-1:]
    utterance, tokens, frames, longest, score, why = line.split(",", 5)
    assert (utterance, tokens, frames) == ("x_tone", "2", "1001")
    assert float(score) < 0 and int(longest) > 375 and "at most 375" in why
    run_on(folder, songs, out, "--longest_token", "8", "--score_margin", "50")
    assert "x_tone" in (out / "train/durations").read_text()
    assert not (out / "train_aligned").exists()


@pytest.mark.parametrize("score", [-7.5, float("nan")])
def test_score_far_below_the_median_is_left_out(score, tmp_path):
    alignments = {str(number): Alignment([3, 4], -3.0) for number in range(9)}
    alignments["bad"] = Alignment([3, 4], score)
    one = AlignedSet(tmp_path / "set", [*alignments], alignments=alignments)
    one.exclude_implausible(longest=100, margin=4.0)
    assert list(one.unaligned) == ["bad"]
    one.write(tmp_path / "out")
    assert "bad" not in (tmp_path / "out/set/durations").read_text()


def test_quality_of_the_alignment_is_written_and_logged(tmp_path, caplog):
    caplog.set_level("INFO")
    alignments = {f"utt{n}": Alignment([1, 3, 1], -1.0 - n) for n in range(12)}
    alignments["bad"] = Alignment([2, 2, 1], float("nan"))
    one = AlignedSet(tmp_path / "set", [*alignments], alignments=alignments)
    one.exclude_implausible(longest=100, margin=40.0)
    align.write_quality([one], tmp_path)
    report = (tmp_path / "alignment.txt").read_text()
    first, excluded, _, *lowest = report.splitlines()
    assert "12 of 13 utterances are aligned, mean score -6.50 nats a frame" in first
    assert "50.0% of the tokens have one frame" in first
    assert "1 of 13 utterances are not aligned and excluded" in excluded
    listed = [line.split() for line in lowest]
    assert listed[:2] == [["nan", "bad", "(excluded)"], ["-12.00", "utt11"]]
    assert len(listed) == 10 and listed[-1] == ["-4.00", "utt3"]
    assert report.rstrip() in caplog.text


def test_score_margin_grows_with_the_deviation(tmp_path):
    scores = (-2.0, -3.0, -4.0, -5.0, -8.5)
    alignments = {str(score): Alignment([3, 4], score) for score in scores}
    one = AlignedSet(tmp_path, [*alignments], alignments=alignments)
    one.exclude_implausible(longest=100, margin=4.0)
    assert not one.unaligned


def test_too_many_unaligned_utterances_are_refused(songs, spoilt, tmp_path):
    for number in range(3):
        folder = spoilt(f"x_{number}", "abcd" * 20, np.zeros(4000))
    with pytest.raises(ConfigError) as caught:
        run_on(folder, songs, tmp_path / "out", "--max_unaligned", "0.05")
    (fault,) = caught.value.faults
    assert "3 of 45 utterances cannot be aligned" in fault
    assert "--max_unaligned 0.05" in fault and f"{folder}: x_0: 80 tokens" in fault
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", align.BOUNDS)
@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_bounds_are_numbers(option, value, songs, tmp_path):
    with pytest.raises(ConfigError, match=f"--{option}: {float(value)}: give a number"):
        run(songs[0], tmp_path / "out", f"--{option}", value)


@pytest.mark.parametrize(
    "wave, rate, line",
    [
        (np.zeros(4000), 8000, "x_0: has 8000 Hz, expected 16000"),
        (np.zeros((4000, 2)), RATE, "x_0: has 2 channels, expected 1"),
    ],
)
def test_other_recordings_are_refused_before_training(
    wave, rate, line, songs, spoilt, tmp_path
):
    with pytest.raises(ConfigError, match=line):
        run_on(spoilt("x_0", "abcd", wave, rate), songs, tmp_path / "out")
    assert not (tmp_path / "out").exists()
