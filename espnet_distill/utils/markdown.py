"""Format Markdown tables."""


def aligned(columns: dict[str, list[str | None]]) -> str:
    """Format columns as an aligned Markdown table.

    The first column is left-aligned, the others right-aligned; None becomes a dash.
    """
    lines = [[cell or "–" for cell in line] for line in zip(*columns.values())]
    lines = [list(columns), *lines]
    widths = [max(map(len, column)) for column in zip(*lines)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(line, widths) for line in (lines[0], rule, *lines[1:]))


def _line(cells: list[str], widths: list[int]) -> str:
    figures = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
    return f"| {' | '.join([cells[0].ljust(widths[0]), *figures])} |"
