"""Traces on disk: planned, written block by block, resumed, read lazily, packed, exported."""

from attnviz.store.digest import trace_digest
from attnviz.store.effects import (
    EFFECTS,
    INFLUENCE,
    PATHS,
    open_effects,
    open_result,
    save_effects,
    save_result,
)
from attnviz.store.export import EXPORTED, Part, export_trace
from attnviz.store.netcdf import read_netcdf
from attnviz.store.pack import pack_trace
from attnviz.store.plan import (
    Block,
    Plan,
    Truncation,
    make_plan,
    plan_digest,
    plan_from_json,
    plan_to_json,
)
from attnviz.store.probes import PROBES, is_probes, open_probes
from attnviz.store.reader import open_trace
from attnviz.store.saving import save_trace
from attnviz.store.writer import TraceWriter

__all__ = [
    "EFFECTS",
    "EXPORTED",
    "INFLUENCE",
    "PATHS",
    "PROBES",
    "Block",
    "Part",
    "Plan",
    "TraceWriter",
    "Truncation",
    "export_trace",
    "is_probes",
    "make_plan",
    "open_effects",
    "open_probes",
    "open_result",
    "open_trace",
    "pack_trace",
    "plan_digest",
    "plan_from_json",
    "plan_to_json",
    "read_netcdf",
    "save_effects",
    "save_result",
    "save_trace",
    "trace_digest",
]
