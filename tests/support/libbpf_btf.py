"""libbpf's view of BTF, by ctypes: the oracle of the BTF tests."""

from __future__ import annotations

import ctypes
import ctypes.util
import tempfile
from types import TracebackType

from tests.support.requirements import require


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
