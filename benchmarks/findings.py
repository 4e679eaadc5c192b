"""What was measured against its target: a row of the table of growth."""

from dataclasses import dataclass

from benchmarks.summary import Ratio


@dataclass(frozen=True)
class Finding:
    """A ratio, the most that it may be, and the figures behind it."""

    what: str
    measured: Ratio
    figures: str
    target: float | None = None

    @property
    def verdict(self) -> str:
        """Tell whether the target is met: only when the whole interval lies on one side of it."""
        if self.target is None:
            return ""
        if self.measured.high <= self.target:
            return "yes"
        return "**no**" if self.measured.low > self.target else "open"


def table(findings: list[Finding]) -> str:
    """Return the findings as a table in Markdown."""
    lines = ["| What | Target | Measured | Met | From, to |", "|---|---:|---:|---|---|"]
    return "\n".join([*lines, *map(_row, findings)])


def _row(one: Finding) -> str:
    ratio = one.measured
    interval = f"**{ratio.value:.2f}** ({ratio.low:.2f} to {ratio.high:.2f})"
    most = "" if one.target is None else f"≤ {one.target:g}"
    return f"| {one.what} | {most} | {interval} | {one.verdict} | {one.figures} |"
