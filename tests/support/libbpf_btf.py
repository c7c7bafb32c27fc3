"""libbpf's view of BTF, by ctypes: the oracle of the BTF tests."""

from __future__ import annotations

import ctypes
import ctypes.util
import tempfile
from types import TracebackType

from tests.support.requirements import require


class _DataOptions(ctypes.Structure):
    """struct btf_dump_type_data_opts."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("indent_str", ctypes.c_char_p),
        ("indent_level", ctypes.c_int),
        ("compact", ctypes.c_bool),
        ("skip_names", ctypes.c_bool),
        ("emit_zeroes", ctypes.c_bool),
    )


_PRINTF = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)


class LibbpfBtf:
    """A `struct btf` of the system's libbpf; a context manager.

    Args:
        base: what a split BTF continues; has to live as long.

    Raises:
        ValueError: libbpf refuses the blob.
    """

    def __init__(self, data: bytes, base: LibbpfBtf | None = None) -> None:
        require("libbpf")
        path = ctypes.util.find_library("bpf")
        assert path is not None
        self._lib = lib = ctypes.CDLL(path, use_errno=True)
        # Its own messages about bad BTF would fill the test's output.
        lib.libbpf_set_print(None)
        for name, result, *arguments in (
            ("btf__new", ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32),
            ("btf__parse_raw_split", ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p),
            ("btf__free", None, ctypes.c_void_p),
            ("btf__dedup", ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p),
            (
                "btf__raw_data",
                ctypes.c_void_p,
                ctypes.c_void_p,
                ctypes.POINTER(ctypes.c_uint32),
            ),
            ("btf__type_cnt", ctypes.c_uint32, ctypes.c_void_p),
            (
                "btf__type_by_id",
                ctypes.POINTER(ctypes.c_uint32 * 3),
                ctypes.c_void_p,
                ctypes.c_uint32,
            ),
            ("btf__name_by_offset", ctypes.c_char_p, ctypes.c_void_p, ctypes.c_uint32),
            (
                "btf__find_by_name_kind",
                ctypes.c_int,
                ctypes.c_void_p,
                ctypes.c_char_p,
                ctypes.c_uint32,
            ),
            ("btf__resolve_size", ctypes.c_int64, ctypes.c_void_p, ctypes.c_uint32),
            ("btf__resolve_type", ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32),
            ("btf__align_of", ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32),
            ("btf__pointer_size", ctypes.c_size_t, ctypes.c_void_p),
        ):
            function = getattr(lib, name)
            function.restype = result
            function.argtypes = arguments
        if base is None:
            self._btf = lib.btf__new(data, len(data))
        else:
            # Version 1.1 does not export btf__new_split.
            with tempfile.NamedTemporaryFile() as file:
                file.write(data)
                file.flush()
                self._btf = lib.btf__parse_raw_split(file.name.encode(), base._btf)
        if not self._btf:
            raise ValueError(f"libbpf refuses this BTF: errno {ctypes.get_errno()}")

    def __enter__(self) -> LibbpfBtf:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lib.btf__free(self._btf)
        self._btf = None

    def __len__(self) -> int:
        return int(self._lib.btf__type_cnt(self._btf))

    def kind(self, type_id: int) -> int:
        """Give the kind."""
        return int(self._lib.btf__type_by_id(self._btf, type_id).contents[1]) >> 24 & 0x1F

    def name(self, type_id: int) -> str:
        """Give the name, "" if there is none."""
        offset = self._lib.btf__type_by_id(self._btf, type_id).contents[0]
        return bytes(self._lib.btf__name_by_offset(self._btf, offset)).decode()

    def find(self, name: str, kind: int) -> int:
        """Give the lowest id with that name and kind, negative if there is none."""
        return int(self._lib.btf__find_by_name_kind(self._btf, name.encode(), kind))

    def size(self, type_id: int) -> int | None:
        """Give the size in bytes, None where there is none."""
        size = int(self._lib.btf__resolve_size(self._btf, type_id))
        return None if size < 0 else size

    def resolve(self, type_id: int) -> int | None:
        """Give the id behind modifiers and typedefs, None for void and FWD."""
        found = int(self._lib.btf__resolve_type(self._btf, type_id))
        return None if found < 0 else found

    def align(self, type_id: int) -> int | None:
        """Give the alignment in bytes, None where there is none."""
        align = int(self._lib.btf__align_of(self._btf, type_id))
        return None if align <= 0 else align

    def pointer_size(self) -> int:
        """Give the size of pointers, 0 where it cannot be told."""
        return int(self._lib.btf__pointer_size(self._btf))

    def dedup(self) -> None:
        """Deduplicate in place.

        Raises:
            ValueError: libbpf cannot.
        """
        error = int(self._lib.btf__dedup(self._btf, None))
        if error:
            raise ValueError(f"libbpf cannot deduplicate this BTF: {error}")

    def to_bytes(self) -> bytes:
        """Give the blob."""
        size = ctypes.c_uint32()
        data = self._lib.btf__raw_data(self._btf, ctypes.byref(size))
        return ctypes.string_at(data, size.value)

    def dump_data(
        self,
        type_id: int,
        data: bytes,
        *,
        indent: str = "\t",
        level: int = 0,
        compact: bool = False,
        skip_names: bool = False,
        emit_zeroes: bool = False,
    ) -> str:
        """Give data as libbpf prints it.

        Raises:
            ValueError: libbpf cannot.
        """
        libc = ctypes.CDLL(None)
        parts: list[bytes] = []

        def write(_: object, form: bytes, arguments: int) -> None:
            text = ctypes.create_string_buffer(1 << 14)
            libc.vsnprintf(text, ctypes.c_size_t(len(text)), form, ctypes.c_void_p(arguments))
            parts.append(text.value)

        callback = _PRINTF(write)
        lib = self._lib
        lib.btf_dump__new.restype = ctypes.c_void_p
        lib.btf_dump__new.argtypes = [ctypes.c_void_p, _PRINTF, ctypes.c_void_p, ctypes.c_void_p]
        lib.btf_dump__free.argtypes = [ctypes.c_void_p]
        options = _DataOptions(
            ctypes.sizeof(_DataOptions), indent.encode(), level, compact, skip_names, emit_zeroes
        )
        # Aligned, as libbpf prints pointers and enums at odd places in another way.
        words = (ctypes.c_uint64 * (len(data) // 8 + 2))()
        ctypes.memmove(words, data, len(data))
        dump = lib.btf_dump__new(self._btf, callback, None, None)
        try:
            size = lib.btf_dump__dump_type_data(
                ctypes.c_void_p(dump),
                ctypes.c_uint32(type_id),
                words,
                ctypes.c_size_t(len(data)),
                ctypes.byref(options),
            )
        finally:
            lib.btf_dump__free(dump)
        if size < 0:
            raise ValueError(f"libbpf cannot print type [{type_id}]: {size}")
        return b"".join(parts).decode("latin-1")
