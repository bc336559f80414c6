"""Ways to spoil a file or an option, drawn from a seeded generator.

Each returns what it did, in words; the file keeps its name.
"""

import io
import json
import math
import os
import random
import zipfile
from pathlib import Path

import numpy as np
import soundfile
import torch
import yaml

HUGE = 10**30
NUMBERS = (-1, 0, 0.5, HUGE, math.inf, -math.inf, math.nan, 1e308, True)
ODD_VALUES = (
    *(None, [], {}, "x", "", [[1]], [None], {"type": None}, {"a": {"b": 1}}),
    *("a b", "1e-3", "../x", "\x07\u2028", "\ufeff", "[", "%s", "none"),
    *NUMBERS,
)
ODD_WORDS = ("", " ", "-1", "0", "nan", "inf", "x", "a b", "1e308", "\u2028", ".", "[")
TABLES = ("text", "wav.scp", "durations", "focus_rates", "utt2spk", "utt2sid", "tokens")


def spoil(path: Path, rng: random.Random) -> str:
    """Mutate a file by its kind, or its path; return a description."""
    ways = KINDS.get(path.suffix, (spoil_table,)) if path.name not in TABLES else None
    ways = ways or (spoil_table,)
    way = rng.choices([rng.choice(ways), spoil_bytes, spoil_place], (6, 2, 1))[0]
    return f"{path}: {way(path, rng)}"


def spoil_option(arguments: list[str], rng: random.Random) -> str:
    """Put an odd word in the place of an argument."""
    index = rng.randrange(len(arguments))
    old, arguments[index] = arguments[index], rng.choice(ODD_WORDS)
    return f"{arguments[index]!r} for {old!r}"


def spoil_yaml(path: Path, rng: random.Random) -> str:
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    tree, done = _spoil_tree(tree, rng)
    path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    return done


def spoil_json(path: Path, rng: random.Random) -> str:
    tree, done = _spoil_tree(json.loads(path.read_text(encoding="utf-8")), rng)
    path.write_text(json.dumps(tree), encoding="utf-8")
    return done


def _spoil_tree(tree, rng: random.Random) -> tuple[object, str]:
    """Change one value or key at a random depth; the shallow ones are likelier."""
    if not tree or not isinstance(tree, (dict, list)) or rng.random() < 0.02:
        value = rng.choice(ODD_VALUES)
        return value, f"all is {value!r}"
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    key = rng.choice(keys)
    if isinstance(tree[key], (dict, list)) and tree[key] and rng.random() < 0.6:
        tree[key], done = _spoil_tree(tree[key], rng)
        return tree, f"{key}: {done}"
    kind = rng.choices(("replace", "drop", "rename", "nest"), (12, 2, 1, 1))[0]
    if kind == "drop":
        del tree[key]
        return tree, f"no {key!r}"
    if kind == "rename" and isinstance(tree, dict):
        name = rng.choice((f"{key}x", 7, None, ""))
        tree[name] = tree.pop(key)
        return tree, f"{key!r} is called {name!r}"
    value = [tree[key]] if kind == "nest" else _odd_value(tree[key], rng)
    tree[key] = value
    return tree, f"{key} is {value!r}"[:120]


def _odd_value(old, rng: random.Random):
    """A value of the wrong type; no size of a model that would take minutes."""
    value = rng.choice(ODD_VALUES)
    is_size = isinstance(old, int) and not isinstance(old, bool)
    return -7 if is_size and value == HUGE else value


def spoil_table(path: Path, rng: random.Random) -> str:
    """Spoil a line of a text file, or the end of one."""
    lines = path.read_text(encoding="utf-8").split("\n")
    index = rng.randrange(len(lines))
    words = lines[index].split(" ")
    place = rng.randrange(len(words))
    word = rng.choice((*ODD_WORDS, str(HUGE), "-3", "0.5", "1e5", "no/such.wav"))
    changes = {
        "no line {}": lambda: lines.pop(index),
        "line {} twice": lambda: lines.insert(index, lines[index]),
        "a blank line {}": lambda: lines.insert(index, ""),
        "line {} is its first word": lambda: lines.__setitem__(index, words[0]),
        "line {} has spaces before": lambda: lines.__setitem__(
            index, f"  {lines[index]}"
        ),
        "line {} has U+2028 in it": lambda: lines.__setitem__(
            index, f"{lines[index]}\u2028x"
        ),
        "a byte order mark": lambda: lines.__setitem__(0, f"\ufeff{lines[0]}"),
        f"a word of line {{}} is {word!r}": lambda: lines.__setitem__(
            index, " ".join([*words[:place], word, *words[place + 1 :]])
        ),
    }
    words_of_it, change = rng.choice(list(changes.items()))
    change()
    path.write_text("\n".join(lines), encoding="utf-8")
    return words_of_it.format(index + 1)


def spoil_bytes(path: Path, rng: random.Random) -> str:
    """Cut, flip or replace what is in a file."""
    data = path.read_bytes()
    cut = rng.randrange(len(data) + 1)
    flipped = bytearray(data)
    for _ in range(rng.choice((1, 8))):
        if flipped:
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    found = {
        f"its first {cut} of {len(data)} bytes": data[:cut],
        "empty": b"",
        "bits flipped": bytes(flipped),
        "zeros": bytes(len(data)),
        "garbage": rng.randbytes(100),
        "more at its end": data + rng.randbytes(20),
        "twice": data + data,
        "Latin-1": "Stra\xdfe \xfc\n".encode("latin-1"),
    }
    done, content = rng.choice(list(found.items()))
    path.write_bytes(content)
    return done


def spoil_place(path: Path, rng: random.Random) -> str:
    """Put something that is no file, or none that can be read, in a file's place."""
    path.unlink()
    kind = rng.choice(("missing", "a folder", "a dangling link", "a loop", "a pipe"))
    if kind == "a folder":
        path.mkdir()
    elif kind == "a dangling link":
        path.symlink_to("no/such")
    elif kind == "a loop":
        path.symlink_to(path.name)
    elif kind == "a pipe":
        os.mkfifo(path)
    return kind


def spoil_arrays(path: Path, rng: random.Random) -> str:
    """Change an array of statistics."""
    with np.load(path) as file:
        arrays = dict(file)
    name = rng.choice(list(arrays))
    array, done = _spoil_array(arrays[name], rng)
    arrays[name] = array
    if rng.random() < 0.2:
        del arrays[name]
        done = "missing"
    with io.BytesIO() as file:
        np.savez(file, **arrays)
        path.write_bytes(file.getvalue())
    return f"{name} {done}"


def spoil_array(path: Path, rng: random.Random) -> str:
    array, done = _spoil_array(np.load(path), rng)
    with io.BytesIO() as file:
        np.save(file, array)
        path.write_bytes(file.getvalue())
    return done


def _spoil_array(array: np.ndarray, rng: random.Random) -> tuple[np.ndarray, str]:
    found = {
        "a scalar": np.array(1.0),
        "empty": array[:0] if array.ndim else np.zeros(0),
        "of text": np.array(["x"]),
        "of objects": np.array([{}], dtype=object),
        "NaN": np.full(array.shape, np.nan),
        "negative": -abs(array) - 1,
        "zero": np.zeros_like(array),
        "of three axes": np.zeros((2, 2, 2)),
        "of other length": np.zeros(7),
        "complex": array.astype(complex),
    }
    done, array = rng.choice(list(found.items()))
    return array, done


def spoil_checkpoint(path: Path, rng: random.Random) -> str:
    """Change one tensor of a checkpoint, or what it is in."""
    state = torch.load(path, weights_only=True)
    holder = state["model"]["generator"] if "model" in state else state
    name = rng.choice(list(holder))
    tensor = holder[name]
    found = {
        "of another shape": torch.zeros(3, 5, 2),
        "a scalar": torch.zeros(()),
        "empty": torch.zeros(0),
        "of integers": tensor.long(),
        "of doubles": tensor.double(),
        "complex": tensor.to(torch.complex64),
        "NaN": torch.full_like(tensor.float(), torch.nan),
        "a number": 7,
        "None": None,
        "a list": [1.0],
        "a mapping": {"a": tensor},
    }
    done, value = rng.choice(list(found.items()))
    way = rng.choice(("value", "value", "value", "drop", "rename", "number", "wrap"))
    if way == "value":
        holder[name] = value
    elif way == "drop":
        del holder[name]
        done = "missing"
    elif way in ("rename", "number"):
        key = f"x.{name}" if way == "rename" else 7
        holder[key] = holder.pop(name)
        done = f"called {key!r}"
    else:
        state, done = rng.choice(((state,), [state], {"model": state})), "wrapped"
    torch.save(state, path)
    return f"{name} {done}"


def spoil_wave(path: Path, rng: random.Random) -> str:
    """Write the samples in another way, or none."""
    wave, rate = soundfile.read(path, dtype="float32")
    found = {
        "no samples": (wave[:0], rate, "PCM_16"),
        "one sample": (wave[:1], rate, "PCM_16"),
        "another rate": (wave, rate // 2, "PCM_16"),
        "stereo": (np.stack([wave, wave], 1), rate, "PCM_16"),
        "float": (wave, rate, "FLOAT"),
        "NaN": (np.full_like(wave, np.nan), rate, "FLOAT"),
        "8 bits": (wave, rate, "PCM_U8"),
        "silence": (np.zeros_like(wave), rate, "PCM_16"),
        "short": (wave[:300], rate, "PCM_16"),
    }
    done, (wave, rate, subtype) = rng.choice(list(found.items()))
    soundfile.write(path, wave, rate, subtype)
    return done


def spoil_archive(path: Path, rng: random.Random) -> str:
    """Leave out, rename or spoil a member."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    way = rng.choice(("missing", "renamed", "mutated", "mutated"))
    content = members.pop(name)
    if way == "renamed":
        members[rng.choice(("../x", "/x", f"a/{name}", "", "x\n"))] = content
    elif way == "mutated":
        beside = path.with_name(Path(name).name)
        beside.write_bytes(content)
        ways = KINDS[beside.suffix]
        way = rng.choice((*ways, spoil_bytes))(beside, rng)
        members[name] = beside.read_bytes()
        beside.unlink()
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return f"{name} {way}"


KINDS = {
    ".onnx": (spoil_bytes,),
    ".yaml": (spoil_yaml,),
    ".yml": (spoil_yaml,),
    ".json": (spoil_json,),
    ".npz": (spoil_arrays,),
    ".npy": (spoil_array,),
    ".pth": (spoil_checkpoint,),
    ".pkl": (spoil_checkpoint,),
    ".wav": (spoil_wave,),
    ".zip": (spoil_archive,),
}
