"""The model that trains when there is a teacher."""

import inspect
import logging

import torch
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill.errors import ConfigError
from espnet_distill.objectives.base import Objective, Taps
from espnet_distill.objectives.loss_monitor import mark_invalid
from espnet_distill.teachers.dumped import DumpedTeacher
from espnet_distill.teachers.fusion import shares_of
from espnet_distill.teachers.online import OnlineTeacher
from espnet_distill.teachers.taps import TapRecorder, probe
from espnet_distill.teachers.to_student import match_reduction_factor, normalize_like
from espnet_distill.utils.validation import is_finite

GIVEN = ("durations", "pitch", "energy")  # to models that do not attend


Teacher = OnlineTeacher | DumpedTeacher


TEACHER = "name another teacher, or dump it again"


STUDENT = "lower optim_conf.lr or grad_clip"


class TeacherObjectives(torch.nn.Module):
    """One teacher and the objectives that hold the student against it."""

    def __init__(self, teacher: Teacher, objectives: list[Objective]):
        super().__init__()
        self.teacher = teacher
        self.objectives = torch.nn.ModuleList(objectives)

    def forward(
        self, ours: Taps, theirs: Taps, shares: torch.Tensor | None
    ) -> dict[str, torch.Tensor]:
        """Return each objective's scalar under its label."""
        return {item.label: item(ours, theirs, shares) for item in self.objectives}

    def get_extra_state(self) -> dict:
        """Return what a run resumes with only if it has begun with it."""
        kinds = ("config_sha256", "model_sha256")
        return {
            "objectives": [item.label for item in self.objectives],
            "teacher": {kind: self.teacher.identity[kind] for kind in kinds},
        }

    def set_extra_state(self, state: dict | list[str]) -> None:
        """Raise a ConfigError if the state is of other objectives or another teacher.

        Until version 0.1.0 it was the objectives' labels alone.
        """
        own = self.get_extra_state()
        if isinstance(state, list):
            logging.warning(
                "checkpoint.pth: does not name its teacher's checksums, an earlier "
                f"version wrote it; going on with {self.teacher.checkpoint}"
            )
            state = own | {"objectives": state}
        if state["objectives"] != own["objectives"]:
            raise ConfigError(f"objectives {', '.join(state['objectives'])}")
        for kind, value in own["teacher"].items():
            if state["teacher"][kind] != value:
                raise ConfigError(
                    f"{self.teacher.checkpoint}: the teacher's "
                    f"{kind.removesuffix('_sha256')} was another"
                )


class ObjectivesByTeacher(torch.nn.ModuleList):
    """The objectives of each teacher."""

    def require_same(self, state: dict | None) -> None:
        """Raise a ConfigError if a state is of others; none is loaded."""
        own = self.state_dict()
        if state is None or state.keys() != own.keys():
            raise ConfigError("other projections" if state else "none")
        for index, item in enumerate(self):
            item.set_extra_state(state[f"{index}._extra_state"])
        for name, value in own.items():
            if torch.is_tensor(value) and value.shape != state[name].shape:
                raise ConfigError(f"{name} of another shape")


class DistillTTSModel(ESPnetTTSModel):
    """An ESPnetTTSModel whose loss also holds it against its teachers.

    It takes over the parts of a stock model, so its keys are the stock ones.
    Projections are among `parameters()`, so that they train and that DDP keeps them
    equal, but not in `state_dict()`: what is saved is the student alone.
    """

    def __init__(
        self,
        student: ESPnetTTSModel,
        teachers: list[Teacher],
        objectives: list[list[Objective]],
        ground_truth_weight: float = 1.0,
        fusion: str = "mean",
        temperature: float = 1.0,
    ):
        """Take over a stock model.

        Args:
            student: The model to train.
            teachers: At least one.
            objectives: For each teacher, its own instances of the same objectives.
            ground_truth_weight: Weight of the student's own loss.
            fusion: How several teachers share an utterance, see `shares_of`.
            temperature: The fusion's.

        Raises:
            ConfigError: An objective needs a tap that student or teacher lacks.
        """
        super().__init__(
            feats_extract=student.feats_extract,
            pitch_extract=student.pitch_extract,
            energy_extract=student.energy_extract,
            normalize=student.normalize,
            pitch_normalize=student.pitch_normalize,
            energy_normalize=student.energy_normalize,
            tts=student.tts,
        )
        self.ground_truth_weight = ground_truth_weight
        self.fusion = fusion
        self.temperature = temperature
        self.fault: str | None = None  # of the last batch, for those who train it
        taps = tuple(tap for objective in objectives[0] for tap in objective.taps)
        self._takes = inspect.signature(self.tts.forward).parameters
        self.recorder = TapRecorder(self.tts, taps)
        ours = probe(self.tts, self.recorder)
        for teacher, terms in zip(teachers, objectives):
            theirs = teacher.probe()
            for term in terms:
                term.attach(ours, theirs)
        self.lessons = ObjectivesByTeacher(map(TeacherObjectives, teachers, objectives))
        self.register_state_dict_post_hook(_leave_out_lessons)
        self.register_load_state_dict_post_hook(_do_not_miss_lessons)

    def forward(self, **batch):
        """Return loss, statistics and weight, as the base class does.

        `loss` is the weighted sum of the student's own loss, reported as
        `ground_truth_loss`, and of the objectives, each reported as `distill_<label>`
        and, where there are several teachers, summed over their shares.
        """
        # The student goes last: its normalisation changes the batch in place.
        taught = [lesson.teacher(batch) for lesson in self.lessons]
        own_loss, stats, weight = super().forward(
            **{name: x for name, x in batch.items() if self._reads(name)}
        )
        ours = self.recorder.taps
        taught = [
            match_reduction_factor(ours, normalize_like(self, theirs))
            for theirs in taught
        ]
        shares = self._shares(ours, taught)
        terms = [
            lesson(ours, theirs, share)
            for lesson, theirs, share in zip(self.lessons, taught, shares)
        ]
        loss = self.ground_truth_weight * own_loss
        stats = dict(stats, ground_truth_loss=own_loss.detach())
        for objective in self.lessons[0].objectives:
            value = torch.stack([term[objective.label] for term in terms]).sum()
            loss = loss + objective.weight * value
            stats[f"distill_{objective.label}"] = value.detach()
        if len(taught) > 1:
            stats |= {f"share{i + 1}": share.mean() for i, share in enumerate(shares)}
        stats["loss"] = loss.detach()
        self.fault = self._find_fault(stats, taught, ours, batch.get("utt_id"))
        if self.fault:
            stats = mark_invalid(stats)
        return force_gatherable((loss, stats, weight), loss.device)

    def _find_fault(
        self, stats: dict, taught: list[Taps], ours: Taps, utterances: list | None
    ) -> str | None:
        """Return in a line what makes an objective NaN or infinite, None if none is."""
        labels = [objective.label for objective in self.lessons[0].objectives]
        values = {label: stats[f"distill_{label}"] for label in labels}
        if is_finite(torch.stack(list(values.values()))):
            return None
        wrong = ", ".join(label for label in labels if not is_finite(values[label]))
        where = f"distill_conf.objectives: {wrong}: NaN or infinite"
        paths = (lesson.teacher.checkpoint for lesson in self.lessons)
        models = [(f"teacher {p}", taps, TEACHER) for p, taps in zip(paths, taught)]
        for whose, taps, remedy in (*models, ("the student", ours, STUDENT)):
            found = _name_invalid(taps, utterances)
            if found:
                return f"{where}: {whose} computes {found}; {remedy}"
        return f"{where}, though all that it compares is finite; leave it out"

    def _reads(self, name: str) -> bool:
        """Tell a student's data from its teachers', such as durations."""
        if name.startswith("teacher"):
            return False
        return name in self._takes or not name.startswith(GIVEN)

    def _shares(self, ours: Taps, taught: list[Taps]) -> list[torch.Tensor | None]:
        if len(taught) == 1:
            return [None]
        truth = self.recorder.truth[:, : ours["mel_after"].size(1)]
        lengths = ours.lengths["mel_after"]
        return list(shares_of(self.fusion, taught, truth, lengths, self.temperature))


def _name_invalid(taps: Taps, utterances: list | None) -> str:
    """Say which taps are not finite, and of which utterances of a batch."""
    wrong = {name: x for name, x in taps.tensors.items() if not is_finite(x)}
    rows = sorted(
        {
            row
            for tensor in wrong.values()
            for row, values in enumerate(tensor)
            if not is_finite(values)
        }
    )
    if not wrong:
        return ""
    named = ", ".join(utterances[row] for row in rows[:5]) if utterances else "a batch"
    return f"such a {', '.join(wrong)} for {named}"


def _leave_out_lessons(module, state_dict, prefix, local_metadata):
    for key in [key for key in state_dict if key.startswith(f"{prefix}lessons.")]:
        del state_dict[key]


def _do_not_miss_lessons(module, incompatible_keys):
    missing = incompatible_keys.missing_keys
    missing[:] = [key for key in missing if not key.startswith("lessons.")]
