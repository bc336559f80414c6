"""The model that trains when there is a teacher."""

import torch
from espnet2.layers.abs_normalize import AbsNormalize
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill.objectives.base import Objective, Taps
from espnet_distill.taps import TapRecorder, probe
from espnet_distill.teachers.online import OnlineTeacher


class Lesson(torch.nn.Module):
    """One teacher and the objectives that hold the student against it."""

    def __init__(self, teacher: OnlineTeacher, objectives: list[Objective]):
        super().__init__()
        self.teacher = teacher
        self.objectives = torch.nn.ModuleList(objectives)

    def forward(
        self, student: ESPnetTTSModel, ours: Taps, theirs: Taps
    ) -> dict[str, torch.Tensor]:
        """Return each objective's scalar under its label."""
        theirs = into_student_space(theirs, self.teacher.model, student)
        return {item.label: item(ours, theirs) for item in self.objectives}

    def get_extra_state(self) -> list[str]:
        """Return the labels: a run resumes with the objectives that it began with."""
        return [item.label for item in self.objectives]

    def set_extra_state(self, labels: list[str]) -> None:
        if labels != self.get_extra_state():
            raise RuntimeError(f"objectives {labels}, not {self.get_extra_state()}")


class DistillTTSModel(ESPnetTTSModel):
    """An ESPnetTTSModel whose loss also holds it against its teachers.

    It takes over the parts of a stock model, so its keys are the stock ones.
    Projections are among `parameters()`, so that they train and that DDP keeps them
    equal, but not in `state_dict()`: what is saved is the student alone.
    """

    def __init__(
        self,
        student: ESPnetTTSModel,
        teachers: list[OnlineTeacher],
        objectives: list[list[Objective]],
        ground_truth_weight: float = 1.0,
    ):
        """Take over a stock model.

        Args:
            student: The model to train.
            teachers: At least one.
            objectives: For each teacher, its own instances of the same objectives.
            ground_truth_weight: Weight of the student's own loss.

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
        self.recorder = TapRecorder(self.tts, hidden_taps(objectives[0]))
        ours = probe(self.tts, self.recorder)
        for teacher, terms in zip(teachers, objectives):
            theirs = probe(teacher.model.tts, teacher.recorder)
            for term in terms:
                term.attach(ours, theirs)
        self.lessons = torch.nn.ModuleList(map(Lesson, teachers, objectives))
        self.register_state_dict_post_hook(_leave_out_lessons)
        self.register_load_state_dict_post_hook(_do_not_miss_lessons)

    def forward(self, **batch):
        """Return loss, statistics and weight, as the base class does.

        `loss` is the weighted sum of the student's own loss, reported as
        `ground_truth_loss`, and of the objectives, each reported as `distill_<label>`
        and, where there are several teachers, averaged over them.
        """
        # The student goes last: its normalisation changes the batch in place.
        taught = [lesson.teacher(batch) for lesson in self.lessons]
        own_loss, stats, weight = super().forward(**batch)
        ours = self.recorder.taps
        terms = [
            lesson(self, ours, theirs) for lesson, theirs in zip(self.lessons, taught)
        ]
        loss = self.ground_truth_weight * own_loss
        stats = dict(stats, ground_truth_loss=own_loss.detach())
        for objective in self.lessons[0].objectives:
            value = torch.stack([term[objective.label] for term in terms]).mean()
            loss = loss + objective.weight * value
            stats[f"distill_{objective.label}"] = value.detach()
        stats["loss"] = loss.detach()
        return force_gatherable((loss, stats, weight), loss.device)


def hidden_taps(objectives: list[Objective]) -> tuple[str, ...]:
    """Return the taps that need a hook: those of the objectives that name their own."""
    return tuple(
        tap
        for objective in objectives
        for tap in objective.taps
        if tap not in type(objective).taps
    )


def into_student_space(
    taps: Taps, teacher: ESPnetTTSModel, student: ESPnetTTSModel
) -> Taps:
    """Undo the teacher's normalisation of mel, pitch and energy and do the student's."""
    spaces = {
        "mel_before": (teacher.normalize, student.normalize),
        "mel_after": (teacher.normalize, student.normalize),
        "pitch": (teacher.pitch_normalize, student.pitch_normalize),
        "energy": (teacher.energy_normalize, student.energy_normalize),
    }
    tensors = {
        name: renormalize(tensor, *spaces[name]) if name in spaces else tensor
        for name, tensor in taps.tensors.items()
    }
    return Taps(tensors, taps.lengths)


def renormalize(
    x: torch.Tensor, source: AbsNormalize | None, target: AbsNormalize | None
) -> torch.Tensor:
    """Map features (B, T, C) from one normalisation to another; `x` stays as it is."""
    x = x.clone()  # GlobalMVN works in place
    if source is not None:
        x, _ = source.inverse(x)
    if target is not None:
        x, _ = target(x)
    return x


def _leave_out_lessons(module, state_dict, prefix, local_metadata):
    for key in [key for key in state_dict if key.startswith(f"{prefix}lessons.")]:
        del state_dict[key]


def _do_not_miss_lessons(module, incompatible_keys):
    missing = incompatible_keys.missing_keys
    missing[:] = [key for key in missing if not key.startswith("lessons.")]
