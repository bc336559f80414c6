"""Load YAML of untrusted origin within limits of size and depth."""

import yaml

MAX_BYTES = 64 * 2**20
MAX_DEPTH = 100
MAX_NODES = 2_000_000  # with aliases expanded


class LimitedLoader(yaml.SafeLoader):
    """Load plain data as ``yaml.safe_load`` does, of limited depth and size.

    An alias counts with the size of its anchor's value, since a traversal of the loaded
    configuration visits that value each time.

    Raises:
        yaml.composer.ComposerError: The document exceeds the limits, a mapping has a key
            twice, or an alias is inside the value of its own anchor.
    """

    def __init__(self, stream):
        super().__init__(stream)
        self._depth = 0
        self._nodes = 0
        self._sizes: dict[str, int] = {}

    def compose_node(self, parent, index):
        """Compose a node, and count the nodes in it."""
        event = self.peek_event()
        before = self._nodes
        self._nodes += self._size_of(event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(event, f"nested more than {MAX_DEPTH} levels deep")
        if self._nodes > MAX_NODES:
            self._refuse(event, f"more than {MAX_NODES} values, aliases written out")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if not isinstance(event, yaml.AliasEvent) and event.anchor is not None:
            self._sizes[event.anchor] = self._nodes - before
        return node

    def compose_mapping_node(self, anchor):
        """Compose a mapping, whose keys differ."""
        node = super().compose_mapping_node(anchor)
        keys = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in keys:
                    self._refuse(key, f"key {key.value!r} is given twice")
                keys.add((key.tag, key.value))
        return node

    def _size_of(self, event) -> int:
        if not isinstance(event, yaml.AliasEvent) or event.anchor not in self.anchors:
            return 1
        if event.anchor not in self._sizes:
            self._refuse(event, f"alias {event.anchor!r} inside its own anchor")
        return self._sizes[event.anchor]

    def _refuse(self, part, problem: str):
        """Raise the error of an event or a node."""
        raise yaml.composer.ComposerError(None, None, problem, part.start_mark)


def load_limited(text: str):
    """Return the content of a YAML document.

    Raises:
        yaml.YAMLError: It does not parse, or exceeds the limits.
    """
    if len(text) > MAX_BYTES:
        raise yaml.YAMLError(f"{len(text)} characters, more than {MAX_BYTES}")
    return yaml.load(text, Loader=LimitedLoader)
