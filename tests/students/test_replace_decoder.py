"""A vocoder trained on latents takes the place of the decoder; the rest is unchanged."""

import shutil

import numpy as np
import pytest
import torch
import yaml

from espnet_distill import replace_decoder
from espnet_distill.bin import dump_f0, dump_speech
from espnet_distill.cli.main import main
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.profiling.text2speech import load as load_system
from espnet_distill.tasks.mel2wav import DistillGANTTSTask
from espnet_distill.teachers.text_to_wave import decoder_of, synthesize
from espnet_distill.utils.files import read_table
from espnet_distill.vocoders import build_vocoder
from espnet_distill.vocoders.latents import LatentSpec

from ..conftest import HOP, assert_equal, load, make_experiment
from ..tasks.test_vocoder import write_config
from ..teachers.test_text_to_wave import IDS, conditions
from ..teachers.text_to_wave_models import SEVERAL, jets, vits

MODELS = {
    "vits": vits(),
    "several": vits(**SEVERAL),
    "jets": jets(),
}
STILL = {"noise_scale": 0.0, "noise_scale_dur": 0.0}


class Replaced:
    """A teacher, the dump of its speech, a vocoder of its latents, and the result."""

    def __init__(self, root, corpus, teacher, kind):
        self.teacher, self.dump = Experiment(teacher), root / "speech"
        for name in ("train", "valid"):
            self.dump_set(corpus, root, name)
        config = write_config(
            None,
            root / "train.yaml",
            self.dump,
            tts_conf={"vocoder_type": kind, "vocoder_params": SMALL[kind]},
            distill_conf={"objectives": OBJECTIVES[kind]},
            text2mel=None,
            max_epoch=1,
            best_model_criterion=[["train", "total_count", "max"]],
        )
        self.vocoder = root / "vocoder"
        command = ["--config", str(config), "--output_dir", str(self.vocoder)]
        DistillGANTTSTask.main(cmd=command)
        self.out = root / "out"
        self.status = main(
            ["replace-decoder", *map(str, (teacher, self.vocoder, self.out))]
        )
        self.result = Experiment(self.out)

    def dump_set(self, corpus, root, name):
        """Dump the speech of a set, with F0."""
        text = corpus.root / name / "text"
        data = [(text, "text", "text")]
        if "padding" in self.teacher.config["tts_conf"]:
            tokens = root / f"{name}.text"
            rows = (f"{key} a b c" for key in read_table(text))
            tokens.write_text("\n".join(rows) + "\n")
            data = [(tokens, "text", "text")]
        if self.teacher.model.tts.spks:
            for kind in ("sids", "lids"):
                ids = root / f"{name}.{kind}"
                ids.write_text("".join(f"{key} 1\n" for key in read_table(text)))
                data.append((ids, kind, "text_int"))
            scp = root / f"{name}.scp"
            np.save(root / "x.npy", np.ones(5, np.float32))
            scp.write_text("".join(f"{key} {root}/x.npy\n" for key in read_table(text)))
            data.append((scp, "spembs", "npy"))
        options = ["--teacher", str(self.teacher.checkpoint), "--latents"]
        options += ["--output_dir", str(self.dump / name)]
        for triple in data:
            options += ["--data_path_and_name_and_type", ",".join(map(str, triple))]
        dump_speech.main(options)
        dump_speech.main([*options, "--finish"])
        dump_f0.main(["--speech", str(self.dump / name)])
        dump_f0.main(["--speech", str(self.dump / name), "--finish"])


SMALL = {
    "harmonic_istft_generator": {"channels": 8, "hidden_channels": 16, "layers": 1},
    "istft_generator": {"channels": 8, "hidden_channels": 16, "layers": 1},
}

SPECTRA = {"type": "stft", "sizes": [64, 256]}
OBJECTIVES = {
    "harmonic_istft_generator": [SPECTRA | {"complex": 0.0}, {"type": "f0"}],
    "istft_generator": [SPECTRA],
}


@pytest.fixture(scope="module")
def replaced(request, corpus, piper_experiment, tmp_path_factory):
    made = {}

    def make(name, kind="harmonic_istft_generator"):
        if name not in made:
            root = tmp_path_factory.mktemp("replaced")
            if name == "piper":
                folder = piper_experiment.config_file.parent
            else:
                folder = make_experiment(root / "teacher", **MODELS[name])
            made[name] = Replaced(root, corpus, folder, kind)
        return made[name]

    return make


@pytest.mark.parametrize("name", ["vits", "several", "jets", "piper"])
def test_only_the_decoder_is_another(replaced, name):
    """Durations and latents stay, and the waveform is that of the vocoder."""
    kind = "istft_generator" if name == "jets" else "harmonic_istft_generator"
    made = replaced(name, kind)
    assert made.status == 0
    model, teacher = made.result.model, made.teacher.model
    given = conditions(teacher)
    outputs = []
    for one in (model, teacher):
        torch.manual_seed(0)
        outputs.append(synthesize(one, IDS[:5], 0.667, 0.8, **given))
    before, after = outputs
    assert torch.equal(before.durations, after.durations)
    torch.testing.assert_close(before.latents, after.latents)
    assert len(before.waveform) == len(after.waveform)
    assert not torch.allclose(before.waveform, after.waveform, atol=1e-3)
    weights = load(made.vocoder / "train.total_count.ave.pth")
    weights = {k: v for k, v in weights.items() if k.startswith("tts.generator.")}
    decoder = decoder_of(model.tts)
    assert_equal(
        dict(sorted(decoder.generator.state_dict().items())),
        {k.removeprefix("tts.generator."): weights[k] for k in sorted(weights)},
    )
    parts = ("posterior", "discriminator", "alignment", "post_")
    assert not any(part in name for name in model.state_dict() for part in parts)


def test_text2speech_has_noise_and_speed(replaced):
    system = load_system(replaced("vits").result)
    text = "some words"
    decode = {**STILL, "use_teacher_forcing": False}
    fast, again, slow = (
        system(text, decode_conf=decode | {"alpha": alpha})["wav"]
        for alpha in (1.0, 1.0, 3.0)
    )
    assert torch.equal(fast, again) and len(slow) > 2 * len(fast)
    torch.manual_seed(0)
    noisy = system(text, decode_conf=decode | {"noise_scale": 0.9, "alpha": 1.0})["wav"]
    assert len(noisy) == len(fast) and not torch.equal(noisy, fast)
    several = load_system(replaced("several").result)
    assert several.use_sids and several.use_lids and several.use_spembs


def test_speakers_change_the_waveform_by_the_decoder_too(replaced):
    """The projection of the global conditioning is trained with the vocoder."""
    model = replaced("several").result.model
    decoder = decoder_of(model.tts)
    latents = torch.randn(1, 8, 9, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        one, other = (decoder(latents, g=torch.full((1, 4, 1), x)) for x in (0.1, 3.0))
    assert one.shape == (1, 1, 9 * HOP) and not torch.allclose(one, other)
    config = yaml.safe_load((replaced("several").vocoder / "config.yaml").read_text())
    assert config["tts_conf"]["latents"]["condition_channels"] == 4


def test_the_files_of_an_imported_voice_are_kept(replaced):
    made = replaced("piper")
    assert made.result.config["tts_conf"]["padding"] == [1, 0, 2]
    assert (made.out / "decode.yaml").is_file()
    record = yaml.safe_load((made.out / "distill.yaml").read_text())
    assert record["teacher"]["model"] == str(made.teacher.checkpoint)
    assert not (made.out / "train.yaml").exists()  # it cannot train


def test_a_resumed_dump_writes_what_is_missing(replaced):
    dump = replaced("vits").dump / "train"
    path = next((dump / "f0").iterdir())
    before, content = path.stat().st_mtime_ns, path.read_bytes()
    others = {one: one.stat().st_mtime_ns for one in (dump / "f0").iterdir()}
    path.unlink()
    with pytest.raises(ConfigError, match="1 of 4 utterances are not dumped"):
        dump_f0.main(["--speech", str(dump), "--finish"])
    dump_f0.main(["--speech", str(dump)])
    dump_f0.main(["--speech", str(dump), "--finish"])
    assert path.read_bytes() == content and path.stat().st_mtime_ns > before
    del others[path]
    assert all(one.stat().st_mtime_ns == time for one, time in others.items())
    with pytest.raises(ConfigError, match="F0 of other speech or in another range"):
        dump_f0.main(["--speech", str(dump), "--f0min", "60"])


def test_the_statistics_are_those_of_the_latents(replaced):
    dump = replaced("vits").dump / "train"
    paths = read_table(dump / "latents.scp").values()
    latents = np.concatenate([np.load(path) for path in paths])
    state = load(replaced("vits").vocoder / "train.total_count.ave.pth")
    np.testing.assert_allclose(state["normalize.mean"], latents.mean(0), atol=1e-4)
    np.testing.assert_allclose(state["normalize.std"], latents.std(0), rtol=1e-3)


def test_a_vocoder_of_latents_is_none_of_mels(replaced, teacher):
    vocoder = replaced("vits").vocoder / "train.total_count.ave.pth"
    with pytest.raises(ConfigError, match="takes the latents of a model, not mels"):
        build_vocoder(vocoder, model=Experiment(teacher).model)


def test_the_vocoder_of_another_model_is_refused(replaced, tmp_path):
    other = make_experiment(tmp_path / "other", seed=1, **MODELS["vits"])
    with pytest.raises(ConfigError, match="latents of another model than"):
        replace_decoder(other, replaced("vits").vocoder)


def test_other_experiments_are_refused(replaced, teacher, tmp_path):
    with pytest.raises(ConfigError, match="fastspeech2: has no waveform decoder"):
        replace_decoder(teacher, replaced("vits").vocoder)
    with pytest.raises(ConfigError, match=r"is no vocoder's \(tts: fastspeech2\)"):
        replace_decoder(replaced("vits").teacher, teacher)


def test_a_vocoder_of_a_student_of_latents_is_refused(replaced, tmp_path):
    made = replaced("several")
    vocoder = tmp_path / "vocoder"
    shutil.copytree(made.vocoder, vocoder, symlinks=True)
    conf = yaml.safe_load((vocoder / "config.yaml").read_text())
    conf["tts_conf"]["latents"]["condition_channels"] = 0
    (vocoder / "config.yaml").write_text(yaml.safe_dump(conf))
    with pytest.raises(ConfigError, match="trained without the global conditioning of"):
        replace_decoder(made.teacher, vocoder)


def test_latents_without_conditioning_are_of_one_speaker(replaced, tmp_path):
    speech = tmp_path / "speech"
    shutil.copytree(replaced("several").dump / "train", speech)
    options = ["--speech", str(speech), "--unconditioned"]
    dump_f0.main([*options, "--finish"])
    spec = LatentSpec.of_set(speech)
    assert spec.condition_channels == 0 and "condition" not in spec.lists
    table = read_table(speech / "condition.scp")
    *_, last = table
    np.save(tmp_path / "other.npy", np.load(table[last]) + 0.1)
    rows = (table | {last: str(tmp_path / "other.npy")}).items()
    (speech / "condition.scp").write_text("".join(f"{k} {v}\n" for k, v in rows))
    with pytest.raises(ConfigError, match=f"speech: {last}: another speaker or langu"):
        dump_f0.main([*options, "--finish"])
