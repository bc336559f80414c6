"""A pretend GPU: finds tensors on the wrong device where there is no GPU.

All values are computed on the CPU. Within :func:`pretend_cuda` a tensor that is moved
to `cuda`, or made there, is labelled, and so is what is computed from it; `device`,
`is_cuda` and `is_cpu` follow its label. An operation that mixes devices where
CUDA would refuse to raises the RuntimeError that CUDA raises.
"""

import contextlib

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CUDA = torch.device("cuda", 0)
aten = torch.ops.aten

MOVES = (torch.Tensor.to, torch.Tensor.cuda, torch.Tensor.cpu)
BY_NO_OPERATION = tuple(
    getattr(torch.Tensor, name) for name in ("__deepcopy__", "new", "new_tensor")
)
FACTORIES = _device_constructors() - {torch.tensor, torch.as_tensor, torch.asarray}
TO_NUMPY = (torch.Tensor.numpy, torch.Tensor.__array__)
GETTERS = {
    name: getattr(torch.Tensor, name).__get__
    for name in ("device", "is_cuda", "is_cpu")
}
BETWEEN_DEVICES = (
    aten.copy_,
    aten._to_copy,
    aten._pad_packed_sequence,
    aten.set_,
    aten._ctc_loss,  # PyTorch moves its targets and lengths
    aten._ctc_loss_backward,
)
BY_INDICES = (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_)


class Labels:
    """Which storages are the GPU's."""

    def __init__(self):
        self._known = {}

    def __contains__(self, tensor):
        return tensor.untyped_storage()._cdata in self._known

    def set(self, tensor, on_gpu=True):
        storage = tensor.untyped_storage()
        if not on_gpu:
            self._known.pop(storage._cdata, None)
        elif storage._cdata not in self._known:
            # the reference keeps the address from being given to another storage
            self._known[storage._cdata] = StorageWeakRef(storage)
            if len(self._known) % 20000 == 0:
                self._forget_freed()

    def _forget_freed(self):
        known = self._known.items()
        self._known = {key: ref for key, ref in known if not ref.expired()}

    def __len__(self):
        return len(self._known)

    def any(self, values):
        return any(
            x in self for x in tree_leaves(values) if isinstance(x, torch.Tensor)
        )


class Move(torch.autograd.Function):
    """Copy a tensor to the other device, and its gradient back."""

    @staticmethod
    def forward(ctx, tensor, labels, on_gpu):
        ctx.labels, ctx.on_gpu = labels, on_gpu
        moved = tensor.clone()
        labels.set(moved, on_gpu)
        return moved

    @staticmethod
    def backward(ctx, gradient):
        with torch._C.DisableTorchFunction():
            moved = gradient.clone()
            ctx.labels.set(moved, not ctx.on_gpu)
        return moved, None, None


class PropagateLabels(TorchDispatchMode):
    """Labels what operations return, and refuses those that mix devices."""

    def __init__(self, labels):
        super().__init__()
        self.labels = labels
        self.computes_on_gpu = False  # unless an argument sets it

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        with torch._C.DisableTorchFunction():
            given = [x for x in tree_leaves((args, kwargs)) if _has_storage(x)]
            on_gpu = [x in self.labels for x in given]
            self._require_one_device(func, args, given, on_gpu)
            result = func(*args, **kwargs)
            if any(on_gpu) or (not given and self.computes_on_gpu):
                own = {x.untyped_storage()._cdata for x in given}
                made = result
                if func.overloadpacket is aten._pack_padded_sequence:
                    made, _ = result  # the sizes of batches stay on the CPU
                for x in tree_leaves(made):
                    if _has_storage(x) and x.untyped_storage()._cdata not in own:
                        self.labels.set(x)
        return result

    def _require_one_device(self, func, args, given, on_gpu):
        packet = func.overloadpacket
        if packet is aten._pack_padded_sequence:
            if args[1] in self.labels:
                raise RuntimeError("lengths should be a CPU tensor, but got cuda:0")
        elif not any(on_gpu) or all(on_gpu) or packet in BETWEEN_DEVICES:
            return
        elif packet in BY_INDICES:
            if (
                args[0] not in self.labels
                or len(args) > 2
                and _mixes([args[2]], [args[2] in self.labels])
            ):
                _refuse(func)
        elif packet.__name__.startswith("_foreach"):
            for together in zip(*(x for x in args if isinstance(x, (list, tuple)))):
                tensors = [x for x in together if _has_storage(x)]
                if _mixes(tensors, [x in self.labels for x in tensors]):
                    _refuse(func)
        elif torch.Tag.pointwise not in func.tags or _mixes(given, on_gpu):
            _refuse(func)
        elif func._schema.arguments[0].alias_info and not on_gpu[0]:
            _refuse(func)  # a scalar of the CPU is no place for a result


def _has_storage(x):
    return isinstance(x, torch.Tensor) and x.layout == torch.strided


def _mixes(tensors, on_gpu):
    """Return True if the tensors besides the GPU's are more than scalars."""
    return not all(gpu or not x.dim() for x, gpu in zip(tensors, on_gpu))


def _refuse(func):
    raise RuntimeError(
        "Expected all tensors to be on the same device, but found at least two "
        f"devices, cuda:0 and cpu! (when checking argument in {func})"
    )


class MakeOnDevice(TorchFunctionMode):
    """Lets `device` arguments and attributes be those of the pretend GPU."""

    def __init__(self, labels, propagation):
        super().__init__()
        self.labels, self.propagation = labels, propagation

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func == GETTERS["device"]:
            return CUDA if args[0] in self.labels else torch.device("cpu")
        if func == GETTERS["is_cuda"]:
            return args[0] in self.labels
        if func == GETTERS["is_cpu"]:
            return args[0] not in self.labels
        if func is torch.Tensor.get_device:
            return 0 if args[0] in self.labels else -1
        if func in TO_NUMPY and args[0] in self.labels:
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        is_factory = func in FACTORIES  # a size read from the GPU moves nothing there
        with self._computing(not is_factory and self.labels.any((args, kwargs))):
            if func in MOVES:
                return self._move(func, *args, **kwargs)
            if func is torch.Tensor.backward:
                gradient = kwargs.pop("gradient", None)
                with self:  # hooks run within
                    return torch.autograd.backward(*args, gradient, **kwargs)
            result = self._make(func, args, kwargs)
        if func in BY_NO_OPERATION and kwargs.get("device") is None:
            self.labels.set(result, args[0] in self.labels)
        return result

    @contextlib.contextmanager
    def _computing(self, on_gpu):
        before = self.propagation.computes_on_gpu
        self.propagation.computes_on_gpu = on_gpu
        try:
            yield
        finally:
            self.propagation.computes_on_gpu = before

    def _make(self, func, args, kwargs):
        if kwargs.get("device") is None or func is torch._C._nn._parse_to:
            return func(*args, **kwargs)
        on_gpu = _is_gpu(kwargs["device"])
        generator = kwargs.get("generator")
        if on_gpu and generator is not None:
            raise RuntimeError(f"Expected a 'cuda' device type for generator in {func}")
        result = func(*args, **kwargs | {"device": "cpu"})
        return self._moved(result, on_gpu)

    def _move(self, func, tensor, *args, **kwargs):
        if func is not torch.Tensor.to:
            return self._moved(tensor, func is torch.Tensor.cuda)
        named = [("device", kwargs["device"])] if "device" in kwargs else []
        named += enumerate(args)
        for place, value in named:
            if isinstance(value, (str, torch.device)):
                on_gpu = _is_gpu(value)
                args = tuple(x for number, x in enumerate(args) if number != place)
                kwargs.pop("device", None)
                if args and args[0] is None:  # the dtype beside a device
                    args = args[1:] and (tensor.dtype, *args[1:])
                break
            if isinstance(value, torch.Tensor):
                on_gpu = value in self.labels
                break
        else:
            return func(tensor, *args, **kwargs)
        return self._moved(func(tensor, *args, **kwargs), on_gpu)

    def _moved(self, tensor, on_gpu):
        if (tensor in self.labels) == on_gpu:
            return tensor
        return Move.apply(tensor, self.labels, on_gpu)


def _is_gpu(device):
    return torch.device(device).type == "cuda"


@contextlib.contextmanager
def pretend_cuda(monkeypatch):
    """Let `cuda` be a device for the time being."""
    labels = Labels()
    propagation = PropagateLabels(labels)
    load = torch.load

    def load_to_device(*args, map_location=None, **kwargs):
        loaded = load(*args, map_location="cpu", **kwargs)
        if isinstance(map_location, str) and _is_gpu(map_location):
            with torch._C.DisableTorchFunction():
                for x in tree_leaves(loaded):
                    if isinstance(x, torch.Tensor):
                        labels.set(x)
        return loaded

    with monkeypatch.context() as patches:
        patches.setattr(torch, "load", load_to_device)
        patches.setattr(torch.cuda, "current_device", lambda: 0)
        patches.setattr(torch.nn.RNNBase, "flatten_parameters", lambda self: None)
        with propagation, MakeOnDevice(labels, propagation):
            yield labels
