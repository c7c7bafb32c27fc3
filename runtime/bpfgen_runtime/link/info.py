"""What the kernel says about a link, by type. Imported when asked for: off the start-up path."""

from __future__ import annotations

import os
from ctypes import addressof, create_string_buffer
from dataclasses import dataclass

from ..errors import BpfError
from ..sys import bpf
from ..uapi import attr_more as attr
from ..uapi.enums import AttachType, LinkType, PerfEventType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import IntEnum
    from typing import TypeVar

    from .base import Link

    _Enum = TypeVar("_Enum", bound=IntEnum)
    _Common = tuple[int, LinkType | int, int]  # the fields of LinkInfo

__all__ = [
    "CgroupInfo",
    "IterInfo",
    "LinkInfo",
    "RawTracepointInfo",
    "TracepointInfo",
    "TracingInfo",
    "XdpInfo",
]

#: Room for a tracepoint's, function's or iterator's name: KSYM_NAME_LEN.
_NAME_SIZE = 512


@dataclass(frozen=True)
class LinkInfo:
    """Any link.

    Attributes:
        id: the kernel's number of the link.
        type: `LinkType`, or the plain number where this version does not know it.
        prog_id: the kernel's number of the attached program.
    """

    id: int
    type: LinkType | int
    prog_id: int


@dataclass(frozen=True)
class RawTracepointInfo(LinkInfo):
    """A raw tracepoint.

    Attributes:
        tp_name: the tracepoint.
    """

    tp_name: str


@dataclass(frozen=True)
class TracingInfo(LinkInfo):
    """fentry, LSM hooks and the like (a tp_btf program has `RawTracepointInfo`).

    Attributes:
        attach_type: how it is attached, e.g. `AttachType.TRACE_FENTRY`.
        target_obj_id: the id of the BTF that the target is in (the kernel's own is usually 1), or
            of the program that is the target.
        target_btf_id: the target's type in that BTF; 0 where the kernel does not tell.
    """

    attach_type: AttachType | int
    target_obj_id: int
    target_btf_id: int


@dataclass(frozen=True)
class CgroupInfo(LinkInfo):
    """A cgroup.

    Attributes:
        cgroup_id: the cgroup, as in `bpf_get_current_cgroup_id()` and as inode number of its
            directory; 0 once detached.
        attach_type: e.g. `AttachType.CGROUP_INET_INGRESS`.
    """

    cgroup_id: int
    attach_type: AttachType | int


@dataclass(frozen=True)
class IterInfo(LinkInfo):
    """An iterator.

    Attributes:
        target_name: what it iterates over, e.g. `"task"`.
        map_id: the map of an iterator over a map's entries, else 0.
    """

    target_name: str
    map_id: int


@dataclass(frozen=True)
class XdpInfo(LinkInfo):
    """XDP.

    Attributes:
        ifindex: the device, in its own network namespace; 0 once detached or the device is gone.
    """

    ifindex: int


@dataclass(frozen=True)
class TracepointInfo(LinkInfo):
    """A perf event.

    Attributes:
        event_type: what the event is of, e.g. `PerfEventType.TRACEPOINT`; `UNSPEC` where the kernel
            does not tell (before v6.6).
        tp_name: the tracepoint's name without the category, "" for other events.
    """

    event_type: PerfEventType | int
    tp_name: str


def link_info(number: int, what: str) -> LinkInfo:
    """Ask the kernel for the info of a link's descriptor."""
    raw = bpf.link_get_info_by_fd(number, what=what)
    common = (raw.id, _known(LinkType, raw.type), raw.prog_id)
    describe = _DESCRIBE.get(raw.type)
    return LinkInfo(*common) if describe is None else describe(common, raw, number, what)


def link_type(number: int, what: str) -> int:
    """Ask for the `BPF_LINK_TYPE_*` of a descriptor.

    Raises:
        BpfError: the descriptor is of no link.
    """
    # The kernel gives info of maps and programs by the same call; only the name tells them apart.
    target = os.readlink(f"/proc/self/fd/{number}")
    if "link" not in target:
        raise BpfError(f"{what}: it is no link ({target})")
    return bpf.link_get_info_by_fd(number, what=what).type


def class_of(kind: int) -> type[Link]:
    """Tell which class stands for a type of link; `Link` itself for those without one."""
    from . import base, cgroup, iter, raw_tracepoint, struct_ops, tracepoint, tracing, xdp

    classes: dict[int, type[Link]] = {
        LinkType.CGROUP: cgroup.CgroupLink,
        LinkType.ITER: iter.IterLink,
        LinkType.PERF_EVENT: tracepoint.TracepointLink,
        LinkType.RAW_TRACEPOINT: raw_tracepoint.RawTracepointLink,
        LinkType.STRUCT_OPS: struct_ops.StructOpsLink,
        LinkType.TRACING: tracing.TracingLink,
        LinkType.XDP: xdp.XdpLink,
    }
    return classes.get(kind, base.Link)


def _raw_tracepoint(
    common: _Common, raw: attr.LinkInfo, number: int, what: str
) -> RawTracepointInfo:
    named, name = attr.LinkInfo(), create_string_buffer(_NAME_SIZE)
    named.raw_tracepoint.tp_name = addressof(name)
    named.raw_tracepoint.tp_name_len = _NAME_SIZE
    bpf.obj_get_info_by_fd(bpf_fd=number, info=named, what=what)
    return RawTracepointInfo(*common, os.fsdecode(name.value))


def _tracing(common: _Common, raw: attr.LinkInfo, number: int, what: str) -> TracingInfo:
    found = raw.tracing
    kind = _known(AttachType, found.attach_type)
    return TracingInfo(*common, kind, found.target_obj_id, found.target_btf_id)


def _cgroup(common: _Common, raw: attr.LinkInfo, number: int, what: str) -> CgroupInfo:
    return CgroupInfo(*common, raw.cgroup.cgroup_id, _known(AttachType, raw.cgroup.attach_type))


def _iter(common: _Common, raw: attr.LinkInfo, number: int, what: str) -> IterInfo:
    named, name = attr.LinkInfo(), create_string_buffer(_NAME_SIZE)
    named.iter.target_name = addressof(name)
    named.iter.target_name_len = _NAME_SIZE
    bpf.obj_get_info_by_fd(bpf_fd=number, info=named, what=what)
    target = os.fsdecode(name.value)
    # Iterators of other kinds have other things in these bytes.
    map_id = named.iter.map.map_id if target in _OF_ONE_MAP else 0
    return IterInfo(*common, target, map_id)


def _xdp(common: _Common, raw: attr.LinkInfo, number: int, what: str) -> XdpInfo:
    return XdpInfo(*common, raw.xdp.ifindex)


def _perf_event(common: _Common, raw: attr.LinkInfo, number: int, what: str) -> TracepointInfo:
    kind = _known(PerfEventType, raw.perf_event.type)
    if kind is not PerfEventType.TRACEPOINT:
        return TracepointInfo(*common, kind, "")
    named, name = attr.LinkInfo(), create_string_buffer(_NAME_SIZE)
    named.perf_event.tracepoint.tp_name = addressof(name)
    named.perf_event.tracepoint.name_len = _NAME_SIZE
    bpf.obj_get_info_by_fd(bpf_fd=number, info=named, what=what)
    return TracepointInfo(*common, kind, os.fsdecode(name.value))


_OF_ONE_MAP = ("bpf_map_elem", "bpf_sk_storage_map", "sockmap")

_DESCRIBE: dict[int, Callable[[_Common, attr.LinkInfo, int, str], LinkInfo]] = {
    LinkType.RAW_TRACEPOINT: _raw_tracepoint,
    LinkType.TRACING: _tracing,
    LinkType.CGROUP: _cgroup,
    LinkType.ITER: _iter,
    LinkType.XDP: _xdp,
    LinkType.PERF_EVENT: _perf_event,
}


def _known(enum: type[_Enum], number: int) -> _Enum | int:
    """Give the enumerator, or the plain number of a newer kernel's."""
    try:
        return enum(number)
    except ValueError:
        return number
