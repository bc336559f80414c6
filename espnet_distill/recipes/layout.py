"""Layout, the files and folders of a run of distill.sh."""

from functools import cached_property
from pathlib import Path

from espnet_distill.experiments.text_to_wave import is_text_to_wave
from espnet_distill.recipes.run_options import RunOptions
from espnet_distill.utils.files import read_yaml


class Layout:
    """The files and folders of a run, from its options with the teacher's settings.

    Paths are relative to the recipe, as tts.sh writes them into configurations.

    Attributes:
        options: The run's options, without empty ones that a default replaces.
    """

    def __init__(self, options: RunOptions):
        self.options = options

    # Data

    def raw(self, name: str) -> Path:
        """Return the data folder of a set."""
        return Path(self.options.dumpdir, "raw", name)

    def embeddings(self, name: str) -> Path:
        """Return the folder of a set's speaker embeddings."""
        return Path(self.options.dumpdir, self.spk_embed_tag, name)

    def of_speaker(self, name: str) -> str:
        """Return the name of a set, tag or folder for ``speaker``, if one is named."""
        speaker = self.options.speaker
        return f"{name}_{speaker}" if speaker else name

    @property
    def token_list(self) -> Path:
        """The token list that stage 5 of tts.sh writes."""
        options = self.options
        name = options.token_type
        if options.cleaner != "none":
            name += f"_{options.cleaner}"
        if options.token_type == "phn":
            name += f"_{options.g2p}"
        return Path(options.dumpdir, "token_list", name, "tokens.txt")

    @property
    def bpemodel(self) -> Path | None:
        """The recipe's sentencepiece model; None for other token types."""
        if self.options.token_type != "bpe":
            return None
        return self.token_list.with_name("bpe.model")

    @property
    def front_end(self) -> str:
        """The options of the front end that tts.sh does not pass to a training."""
        return f"--bpemodel {self.bpemodel}" if self.bpemodel else ""

    @property
    def spk_embed_tag(self) -> str:
        """The value of tts.sh's option ``--spk_embed_tag``."""
        words = self.options.tts_opts.split()
        if "--spk_embed_tag" in words[:-1]:
            return words[words.index("--spk_embed_tag") + 1]
        return "espnet_spk"

    # Sets of the training

    @property
    def aligned_sets(self) -> tuple[str, str]:
        """The training and validation sets of ``speaker``'s utterances with durations."""
        train, valid = self.sets_with_durations
        return self.of_speaker(train), self.of_speaker(valid)

    @property
    def test_sets(self) -> list[str]:
        """The test sets of ``speaker``'s utterances."""
        return [self.of_speaker(name) for name in self.options.test_sets.split()]

    @property
    def dumped_sets(self) -> tuple[str, str]:
        """The training and validation sets whose texts a teacher of waveforms synthesizes."""
        options = self.options
        return self.of_speaker(options.train_set), self.of_speaker(options.valid_set)

    @cached_property
    def sets_with_durations(self) -> tuple[str, str]:
        """The training and validation sets of all utterances with durations."""
        options = self.options
        if self.is_synthesized:
            return (
                f"{options.train_set}_synthesized",
                f"{options.valid_set}_synthesized",
            )
        if options.durations_from == "teacher":
            return f"{options.train_set}_focused", f"{options.valid_set}_focused"
        return tuple(
            f"{name}_aligned" if (self.align_dir / f"{name}_aligned").exists() else name
            for name in (options.train_set, options.valid_set)
        )

    @property
    def text_set(self) -> str:
        """The set of the pseudo-labels, named like their text; empty without them."""
        text = self.options.pseudo_label_text
        return self.of_speaker(Path(text).name) if text else ""

    @property
    def training_sets(self) -> tuple[str, str]:
        """The sets of the student's training and validation."""
        train, valid = self.aligned_sets
        return (f"{train}_{self.text_set}" if self.text_set else train), valid

    # Speech of the teacher

    @cached_property
    def is_synthesized(self) -> bool:
        """Whether the student is trained on speech that a model synthesizes."""
        if self.options.speech_script:
            return True
        if self.options.train_teacher or not self.options.teacher:
            return False
        config = self.given_teacher.with_name("config.yaml")
        conf = read_yaml(config) if config.is_file() else None
        return isinstance(conf, dict) and is_text_to_wave(conf)

    @property
    def is_latent(self) -> bool:
        """Whether the student predicts the input of its teacher's waveform decoder."""
        return self.options.student_features == "latents"

    @property
    def speech_dir(self) -> Path:
        """The folder of the dump of the teacher's speech."""
        return Path(self.options.expdir, "teacher_speech")

    # Experiments

    @property
    def align_dir(self) -> Path:
        """The folder of the durations."""
        return Path(self.options.expdir, "alignment")

    @property
    def stats_dir(self) -> Path:
        """The folder of the statistics."""
        return self._folder(self.options.stats_dir, "tts_stats")

    @property
    def dump_dir(self) -> Path:
        """The folder of the teacher dump."""
        return self._folder(self.options.dump_dir, "teacher_dump")

    def _folder(self, given: str, name: str) -> Path:
        text = f"_{self.text_set}" if self.text_set else ""
        name = name + text if text else self.of_speaker(name)
        return Path(given or f"{self.options.expdir}/{name}")

    @property
    def given_teacher(self) -> Path:
        """The checkpoint of the teacher that is trained or given."""
        if self.options.train_teacher:
            return Path(self.options.expdir, "teacher", self.options.inference_model)
        return Path(self.options.teacher)

    @property
    def folded_teacher(self) -> Path:
        """The teacher's model of ``speaker`` alone."""
        return Path(self.options.expdir, self.of_speaker("teacher"), "model.pth")

    @property
    def teacher_model(self) -> Path:
        """The teacher's checkpoint, that of ``speaker`` alone if there is one."""
        is_folded = self.options.speaker and self.folded_teacher.is_file()
        return self.folded_teacher if is_folded else self.given_teacher

    @property
    def teacher_config(self) -> Path:
        """The teacher's configuration, or that of its training."""
        if self.options.train_teacher:
            return Path(self.options.teacher_config)
        return self.teacher_model.with_name("config.yaml")

    @property
    def student_exp(self) -> Path:
        """The student's experiment."""
        return Path(self.options.expdir, self.of_speaker(self.options.student_tag))

    @property
    def student_config(self) -> Path:
        """The stock part of the student's training configuration."""
        return self.student_exp / "student.yaml"

    @property
    def distill_config(self) -> Path:
        """The student's training configuration."""
        return self.student_exp / "train.yaml"

    @property
    def compact_exp(self) -> Path:
        """The compacted experiment of a pruned student."""
        return self.student_exp.with_name(f"{self.student_exp.name}_compact")

    @property
    def preset(self) -> Path:
        """The preset of the student model."""
        return self.options.shared / "students" / f"{self.options.student}.yaml"

    @property
    def vocoder_exp(self) -> Path:
        """The small vocoder's experiment."""
        return Path(self.options.expdir, self.of_speaker(self.options.vocoder_tag))

    @property
    def vocoder_model(self) -> Path:
        """The small vocoder's checkpoint."""
        return self.vocoder_exp / self.options.vocoder_model

    @property
    def vocoder_preset(self) -> Path:
        """The preset of the small vocoder."""
        return self.options.shared / "vocoders" / f"{self.options.vocoder_preset}.yaml"

    @property
    def waves_dir(self) -> Path:
        """The folder of the small vocoder's targets."""
        return self.vocoder_exp.with_name(f"{self.vocoder_exp.name}_waves")

    @property
    def vocoder_speech(self) -> str:
        """The speech that the small vocoder is trained on; empty is a vocoder's."""
        given = self.options.vocoder_speech
        return given or (str(self.speech_dir) if self.is_synthesized else "")

    def speech_of(self, name: str) -> list[Path]:
        """Return the dumps of speech of a set of the student's training."""
        train, valid = self.dumped_sets
        if name == self.training_sets[1]:
            return [self.speech_dir / valid]
        names = [train] + [self.text_set] * bool(self.text_set)
        return [self.speech_dir / one for one in names]

    def wave_list(self, name: str) -> Path:
        """Return the list of waveforms of a set that the small vocoder learns from."""
        speech = self.vocoder_speech
        if speech in ("", "recordings"):
            return self.raw(self.of_speaker(name)) / "wav.scp"
        if speech == str(self.speech_dir):
            name = self.of_speaker(name)
        return Path(speech, name, "wav", "wav.scp")
