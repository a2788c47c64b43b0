"""What a check-up found: findings, and how they are read, printed and passed on."""

import html
import json
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

import pandas as pd

__all__ = ["AFTERWARDS", "HEAD", "MARKS", "NOTHING", "Finding", "Report", "Status"]

Status = Literal["passed", "note", "skipped", "warning", "fault"]

NOTHING = "Nothing to do."
AFTERWARDS = "Mend that first, then ask again."
MARKS: Mapping[Status, str] = {
    "passed": "✓",
    "note": "·",
    "skipped": "–",
    "warning": "!",
    "fault": "✗",
}
_COLOURS = {"passed": "#2a7f3f", "warning": "#b26a00", "fault": "#b3261e"}
_NAME = 12  # columns of a check's name
HEAD = _NAME + 4  # and of its mark, with the blanks around both


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Arguments:
        check: Which check it was, such as `lengths`.
        status: `passed`; `note`, good to know; `skipped`, not checked; `warning` or `fault`.
        measured: What was measured, in words, with the numbers.
        advice: What to do.
        where: The layer, parameter or part it was measured in; the whole model if empty.
        numbers: What was measured, for a program to read.
    """

    check: str
    status: Status
    measured: str
    advice: str = NOTHING
    where: str = ""
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What `doctor` found in a model. Prints as a page of text; a notebook shows a table.

    Arguments:
        model: What was examined.
        inputs: What it read meanwhile.
        findings: In the order of the checks.
    """

    model: str
    inputs: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no fault; warnings are allowed."""
        return not self.of("fault")

    def of(self, *statuses: Status) -> tuple[Finding, ...]:
        """The findings of some statuses, such as `report.of("fault", "warning")`."""
        return tuple(finding for finding in self.findings if finding.status in statuses)

    def wrong(self) -> "Report":
        """The report with faults and warnings only."""
        return Report(self.model, self.inputs, self.of("fault", "warning"))

    @property
    def summary(self) -> str:
        """How many checks ended how, in a sentence."""
        words: dict[Status, str] = {
            "fault": "fault{s}",
            "warning": "warning{s}",
            "passed": "passed",
            "note": "note{s}",
            "skipped": "not checked",
        }
        parts = []
        for status, word in words.items():
            found = self.of(status)
            if found or status in ("fault", "warning"):
                told = f"{len(found)} {word.format(s='' if len(found) == 1 else 's')}"
                if found and status in ("fault", "warning"):
                    told += f" ({', '.join(dict.fromkeys(one.check for one in found))})"
                parts.append(told)
        return ", ".join(parts) + "."

    def to_frame(self) -> pd.DataFrame:
        """The findings as a table, one row each."""
        columns = ["check", "status", "where", "measured", "advice"]
        rows = [[getattr(finding, name) for name in columns] for finding in self.findings]
        return pd.DataFrame(rows, columns=columns)

    def to_json(self) -> str:
        """Everything as JSON; numbers that JSON lacks, NaN and infinity, as words."""
        findings = [
            {
                **asdict(finding),
                "numbers": {name: _plain(value) for name, value in finding.numbers.items()},
            }
            for finding in self.findings
        ]
        described = {"model": self.model, "inputs": self.inputs, "ok": self.ok}
        return json.dumps({**described, "findings": findings}, indent=2, ensure_ascii=False)

    def lines(self, width: int = 100) -> list[tuple[Status | None, str]]:
        """The lines of the printed report, each with the status that colours it.

        Arguments:
            width: In characters.
        """
        found: list[tuple[Status | None, str]] = [
            (None, line) for line in _folded(self.model, width) + _folded(self.inputs, width)
        ]
        found.append((None, ""))
        for finding in self.findings:
            found += [(finding.status, line) for line in _printed(finding, width)]
        return [*found, (None, ""), (None, self.summary)]

    def __str__(self) -> str:
        return "\n".join(line for _, line in self.lines())

    def _repr_html_(self) -> str:
        """The report as a notebook shows it."""
        rows = "".join(_row(finding) for finding in self.findings)
        names = ("", "check", "measured", "what to do")
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in names)
        return (
            f"<p><b>{html.escape(self.model)}</b><br>{html.escape(self.inputs)}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table><p>{html.escape(self.summary)}</p>"
        )


def _plain(value: float | int | str) -> float | int | str:
    finite = not isinstance(value, float) or value - value == 0
    return value if finite else str(value)


def _folded(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 40)) or [""]


def _printed(finding: Finding, width: int) -> list[str]:
    head = f"  {MARKS[finding.status]} {finding.check:<{_NAME}} "
    blank = " " * len(head)
    said = f"{finding.where}: {finding.measured}" if finding.where else finding.measured
    lines = textwrap.wrap(said, max(width - len(head), 40)) or [""]
    if finding.advice not in (NOTHING, AFTERWARDS):
        arrow = textwrap.wrap(finding.advice, max(width - len(head) - 2, 40))
        lines += [f"{'→' if not place else ' '} {line}" for place, line in enumerate(arrow)]
    return [(head if not place else blank) + line for place, line in enumerate(lines)]


def _row(finding: Finding) -> str:
    style = f"color:{_COLOURS[finding.status]}" if finding.status in _COLOURS else ""
    where = f"<b>{html.escape(finding.where)}</b>: " if finding.where else ""
    cells = (
        f"<b style='{style}'>{MARKS[finding.status]}</b>",
        html.escape(finding.check),
        where + html.escape(finding.measured),
        html.escape("" if finding.advice == NOTHING else finding.advice),
    )
    return "<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in cells) + "</tr>"
