"""Settings of a student's data that are inherited from a teacher."""

import numpy as np
import pytest
import yaml

from espnet_distill.cli import main as cli
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.ids import LANGUAGES, SPEAKERS
from espnet_distill.recipes.teacher_settings import require_settings

FEATURES = {"fs": 22050, "n_fft": 1024, "hop_length": 256, "win_length": None}
FEATURES |= {"n_mels": 80, "fmin": 80, "fmax": 7600}
CONFIG = {
    "tts": "fastspeech2",
    "token_list": ["<blank>", "<unk>", "a", "b", "<sos/eos>"],
    "token_type": "phn",
    "cleaner": "tacotron",
    "g2p": "g2p_en_no_space",
    "feats_extract_conf": FEATURES,
    "pitch_extract_conf": {"f0min": 80, "f0max": 400},
}


@pytest.fixture
def experiment(tmp_path):
    def experiment(**changes):
        folder = tmp_path / "exp"
        folder.mkdir(exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | changes))
        (folder / "train.loss.ave.pth").touch()
        return str(folder)

    return experiment


def test_settings_are_shell_assignments(experiment, capsys):
    assert cli.main(["teacher-config", experiment(cleaner=None), "--fs", "22050"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert set(lines) == {
        *("fs=22050", "n_fft=1024", "n_shift=256", "win_length=null", "n_mels=80"),
        *("fmin=80", "fmax=7600", "f0min=80", "f0max=400"),
        *("token_type=phn", "cleaner=none", "g2p=g2p_en_no_space"),
    }


@pytest.mark.parametrize(
    "options, values",
    [
        ({"fs": "24000"}, "--fs 24000: the teacher was trained with 22050"),
        ({"fmin": "0"}, "--fmin 0: the teacher was trained with 80"),
        ({"win_length": "800"}, "--win_length 800: the teacher was trained with 1024"),
        ({"f0max": "500"}, "--f0max 500: the teacher was trained with 400"),
        ({"g2p": "g2p_en"}, "--g2p g2p_en: the teacher was trained with g2p_en_no_sp"),
        ({"cleaner": "none"}, "--cleaner none: the teacher was trained with tacotron"),
        ({"n_shift": "many"}, "--n_shift: 'many' is no finite number"),
    ],
)
def test_contradicting_option_is_refused_with_both_values(options, values, experiment):
    with pytest.raises(ConfigError) as caught:
        require_settings(options, experiment())
    assert values in str(caught.value) and "\n" not in str(caught.value)


def test_sentencepiece_models_are_compared_by_content(experiment, tmp_path, capsys):
    for name, content in {"its": "1", "copied": "1", "other": "2"}.items():
        (tmp_path / name).write_text(content)
    its = str(tmp_path / "its")
    teacher = experiment(token_type="bpe", bpemodel=its)
    assert cli.main(["teacher-config", teacher]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert {"token_type=bpe", f"bpemodel={its}"} <= set(printed)
    require_settings({"bpemodel": str(tmp_path / "copied")}, teacher)
    for other in ("other", "nowhere"):
        with pytest.raises(ConfigError, match=f"{other}: the teacher was trained with"):
            require_settings({"bpemodel": str(tmp_path / other)}, teacher)


@pytest.mark.parametrize(
    "option, kind", [("--speakers", SPEAKERS), ("--languages", LANGUAGES)]
)
def test_speaker_ids_are_inherited(experiment, tmp_path, capsys, option, kind):
    """From the table that tts.sh writes, or from a packed model."""
    data = [[f"dump/raw/tr/{kind.numbers}", kind.data, "text_int"]]
    teacher = experiment(train_data_path_and_name_and_type=data)
    (tmp_path / "exp/meta.yaml").touch()
    org = tmp_path / "exp/dump/raw/org/tr"
    org.mkdir(parents=True)
    (org / kind.table).write_text("<unk> 0\nann 1\nbob 2\ncid 3\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / kind.names).write_text("u1 cid\nu2 dan\n")
    for name in (kind.numbers, kind.table):
        (folder / name).write_text("u1 1\n")
    assert cli.main(["inherit", teacher, option, str(folder)]) == 0
    assert capsys.readouterr().out.endswith("so <unk>: dan\n")
    assert (folder / kind.numbers).read_text() == "u1 3\nu2 0\n"
    assert (folder / kind.table).read_bytes() == (org / kind.table).read_bytes()


def test_ids_of_an_unpacked_model_lie_beside_its_configuration(experiment, tmp_path):
    data = [["dump/raw/tr_focused/utt2sid", "sids", "text_int"]]
    teacher = experiment(train_data_path_and_name_and_type=data)
    (tmp_path / "exp/spk2sid").write_text("<unk> 0\nann 1\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "utt2spk").write_text("u1 ann\n")
    assert cli.main(["inherit", teacher, "--speakers", str(folder)]) == 0
    assert (folder / "utt2sid").read_text() == "u1 1\n"


def test_equal_values_in_other_notation_pass(experiment):
    require_settings({"fmin": "80.0", "win_length": "1024"}, experiment())
    require_settings({"g2p": "none"}, experiment(token_type="char"))


def test_tokens_are_the_teachers_and_those_it_lacks_are_named(
    experiment, tmp_path, capsys
):
    tokens = tmp_path / "tokens.txt"
    tokens.write_text("<blank>\n<unk>\nb\nc\n<sos/eos>\n")
    assert cli.main(["inherit", experiment(), "--token-list", str(tokens)]) == 0
    assert tokens.read_text() == "<blank>\n<unk>\na\nb\n<sos/eos>\n"
    assert capsys.readouterr().out.endswith("so <unk>: c\n")


def test_statistics_are_the_teachers_where_both_have_them(experiment, tmp_path):
    for name in ("feats", "pitch"):
        np.savez(tmp_path / f"{name}.npz", count=1)
    stats = tmp_path / "stats"
    stats.mkdir()
    for name in ("feats", "energy"):
        np.savez(stats / f"{name}_stats.npz", count=2)
    teacher = experiment(
        normalize_conf={"stats_file": str(tmp_path / "feats.npz")},
        pitch_normalize_conf={"stats_file": str(tmp_path / "pitch.npz")},
    )
    assert cli.main(["inherit", teacher, "--statistics", str(stats)]) == 0
    found = {path.name: int(np.load(path)["count"]) for path in stats.iterdir()}
    assert found == {"feats_stats.npz": 1, "energy_stats.npz": 2}
