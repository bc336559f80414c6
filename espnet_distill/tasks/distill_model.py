"""The model of a training with teachers."""

import inspect
import logging

import torch
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill.errors import ConfigError
from espnet_distill.objectives.base import Objective, Taps
from espnet_distill.objectives.loss_monitor import mark_invalid
from espnet_distill.teachers.dumped import DumpedTeacher
from espnet_distill.teachers.fusion import teacher_weights
from espnet_distill.teachers.taps import TapRecorder, probe
from espnet_distill.teachers.text_encoder import LoadedTeacher
from espnet_distill.teachers.to_student import match_reduction_factor, normalize_like
from espnet_distill.utils.validation import is_finite

GIVEN = ("durations", "pitch", "energy")  # inputs of models without attention


Teacher = LoadedTeacher | DumpedTeacher


TEACHER_REMEDY = "name another teacher, or dump it again"


STUDENT_REMEDY = "lower optim_conf.lr or grad_clip"


class TeacherObjectives(torch.nn.Module):
    """One teacher and the objectives that compare the student with it."""

    def __init__(self, teacher: Teacher, objectives: list[Objective]):
        super().__init__()
        self.teacher = teacher
        self.objectives = torch.nn.ModuleList(objectives)

    def forward(
        self, student: Taps, teacher: Taps, utterance_weights: torch.Tensor | None
    ) -> dict[str, torch.Tensor]:
        """Return the value of each objective by its label."""
        return {
            item.label: item(student, teacher, utterance_weights)
            for item in self.objectives
        }

    def get_extra_state(self) -> dict:
        """Return the settings that a resumed run must share with its checkpoint."""
        kinds = ("config_sha256", "model_sha256")
        return {
            "objectives": [item.label for item in self.objectives],
            "teacher": {kind: self.teacher.identity[kind] for kind in kinds},
        }

    def set_extra_state(self, state: dict | list[str]) -> None:
        """Raise a ConfigError if the state is of other objectives or another teacher.

        The states of versions before 0.1.0 are the objectives' labels alone.
        """
        current = self.get_extra_state()
        if isinstance(state, list):
            logging.warning(
                "checkpoint.pth: has no checksums of its teacher, as an earlier "
                f"version wrote it; continuing with {self.teacher.checkpoint}"
            )
            state = current | {"objectives": state}
        if state["objectives"] != current["objectives"]:
            raise ConfigError(f"objectives {', '.join(state['objectives'])}")
        for kind, value in current["teacher"].items():
            if state["teacher"][kind] != value:
                raise ConfigError(
                    f"{self.teacher.checkpoint}: the teacher's "
                    f"{kind.removesuffix('_sha256')} was another"
                )


class ObjectivesByTeacher(torch.nn.ModuleList):
    """The objectives of each teacher."""

    def require_same(self, state: dict | None) -> None:
        """Raise a ConfigError if a state is of other objectives or teachers."""
        current = self.state_dict()
        if state is None or state.keys() != current.keys():
            raise ConfigError("other projections" if state else "none")
        for index, item in enumerate(self):
            item.set_extra_state(state[f"{index}._extra_state"])
        for name, value in current.items():
            if torch.is_tensor(value) and value.shape != state[name].shape:
                raise ConfigError(f"{name} of another shape")


class DistillTTSModel(ESPnetTTSModel):
    """An ESPnetTTSModel whose loss includes distillation objectives.

    It shares the parts of a stock model, so its keys are the stock ones. Projections
    are in `parameters()`, so that they train and DDP synchronizes them, but not in
    `state_dict()`, which holds the student alone.
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
        """Wrap a stock model.

        Args:
            student: The model to train.
            teachers: At least one.
            objectives: Instances of the same objectives for each teacher.
            ground_truth_weight: Weight of the student's own loss.
            fusion: How several teachers are weighed, see `teacher_weights`.
            temperature: Temperature of the fusion.

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
        self.fault: str | None = None  # of the last batch, read by the LossMonitor
        taps = tuple(tap for objective in objectives[0] for tap in objective.taps)
        self._input_names = inspect.signature(self.tts.forward).parameters
        self.recorder = TapRecorder(self.tts, taps)
        student_taps = probe(self.tts, self.recorder)
        for teacher, terms in zip(teachers, objectives):
            teacher_taps = teacher.probe()
            for term in terms:
                term.attach(student_taps, teacher_taps)
        self.teacher_objectives = ObjectivesByTeacher(
            map(TeacherObjectives, teachers, objectives)
        )
        self.register_state_dict_post_hook(_drop_objectives)
        self.register_load_state_dict_post_hook(_ignore_missing_objectives)

    def forward(self, **batch):
        """Return loss, statistics and weight, as the base class does.

        `loss` is the weighted sum of the student's own loss, reported as
        `ground_truth_loss`, and of the objectives, reported as `distill_<label>` and
        summed over the teachers.
        """
        # The student runs last, because it normalizes the batch in place.
        raw_taps = [item.teacher(batch) for item in self.teacher_objectives]
        ground_truth_loss, stats, weight = super().forward(
            **{name: x for name, x in batch.items() if self._is_input(name)}
        )
        student_taps = self.recorder.taps
        teacher_taps = [
            match_reduction_factor(student_taps, normalize_like(self, taps))
            for taps in raw_taps
        ]
        weights = self._teacher_weights(student_taps, teacher_taps)
        terms = [
            item(student_taps, taps, utterance_weights)
            for item, taps, utterance_weights in zip(
                self.teacher_objectives, teacher_taps, weights
            )
        ]
        loss = self.ground_truth_weight * ground_truth_loss
        stats = dict(stats, ground_truth_loss=ground_truth_loss.detach())
        for objective in self.teacher_objectives[0].objectives:
            value = torch.stack([term[objective.label] for term in terms]).sum()
            loss = loss + objective.weight * value
            stats[f"distill_{objective.label}"] = value.detach()
        if len(teacher_taps) > 1:
            stats |= {
                f"teacher_weight{number}": utterance_weights.mean()
                for number, utterance_weights in enumerate(weights, 1)
            }
        stats["loss"] = loss.detach()
        self.fault = self._find_fault(
            stats, teacher_taps, student_taps, batch.get("utt_id")
        )
        if self.fault:
            stats = mark_invalid(stats)
        return force_gatherable((loss, stats, weight), loss.device)

    def _find_fault(
        self,
        stats: dict,
        teacher_taps: list[Taps],
        student_taps: Taps,
        utterances: list | None,
    ) -> str | None:
        """Describe in a line why objectives are not finite; None if all are finite."""
        objectives = self.teacher_objectives[0].objectives
        labels = [objective.label for objective in objectives]
        values = {label: stats[f"distill_{label}"] for label in labels}
        if is_finite(torch.stack(list(values.values()))):
            return None
        invalid = ", ".join(label for label in labels if not is_finite(values[label]))
        where = f"distill_conf.objectives: {invalid}: NaN or infinite"
        models = [
            (f"teacher {item.teacher.checkpoint}", taps, TEACHER_REMEDY)
            for item, taps in zip(self.teacher_objectives, teacher_taps)
        ]
        models.append(("the student", student_taps, STUDENT_REMEDY))
        for whose, taps, remedy in models:
            invalid_taps = _describe_invalid(taps, utterances)
            if invalid_taps:
                return f"{where}: {whose} computes non-finite {invalid_taps}; {remedy}"
        return f"{where}, although its taps are finite; leave it out"

    def _is_input(self, name: str) -> bool:
        """Return False for data that only the teachers use, such as durations."""
        if name.startswith("teacher"):
            return False
        return name in self._input_names or not name.startswith(GIVEN)

    def _teacher_weights(
        self, student: Taps, teachers: list[Taps]
    ) -> list[torch.Tensor | None]:
        if len(teachers) == 1:
            return [None]
        truth = self.recorder.truth[:, : student["mel_after"].size(1)]
        lengths = student.lengths["mel_after"]
        return list(
            teacher_weights(self.fusion, teachers, truth, lengths, self.temperature)
        )


def _describe_invalid(taps: Taps, utterances: list | None) -> str:
    """Name the taps that are not finite, and their utterances of a batch."""
    invalid = {name: x for name, x in taps.tensors.items() if not is_finite(x)}
    rows = sorted(
        {
            row
            for tensor in invalid.values()
            for row, values in enumerate(tensor)
            if not is_finite(values)
        }
    )
    if not invalid:
        return ""
    named = ", ".join(utterances[row] for row in rows[:5]) if utterances else "a batch"
    return f"{', '.join(invalid)} for {named}"


def _drop_objectives(module, state_dict, prefix, local_metadata):
    prefix = f"{prefix}teacher_objectives."
    for key in [key for key in state_dict if key.startswith(prefix)]:
        del state_dict[key]


def _ignore_missing_objectives(module, incompatible_keys):
    missing = incompatible_keys.missing_keys
    missing[:] = [key for key in missing if not key.startswith("teacher_objectives.")]
