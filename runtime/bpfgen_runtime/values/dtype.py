"""C types as NumPy dtypes of the same layout, for those who have NumPy."""

from __future__ import annotations

from ..errors import NotSupportedError
from .ctype import Array, Chars, Scalar, StructType, as_ctype

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from numpy import dtype as DType
    from typing_extensions import Buffer

    from .ctype import CType

__all__ = ["array_of", "dtype_of", "numpy_module"]


def numpy_module() -> Any:
    """Import NumPy.

    Raises:
        NotSupportedError: it is not installed.
    """
    try:
        import numpy
    except ImportError as error:
        raise NotSupportedError(
            "columns without NumPy", "pip install bpfgen-runtime[numpy]"
        ) from error
    return numpy


def dtype_of(ctype: CType[Any] | type[Any], order: str = "<") -> DType[Any]:
    """Return the dtype whose elements have the bytes of a type.

    Numbers, enums and pointers are numbers; `char[N]` is `S`; an array is a subarray; a struct is a
    structured dtype of its size, with its padding. All else, and what would overlap within a
    struct, is void bytes.

    Args:
        order: `">"` or `"<"`, for what has no byte order of its own.

    Raises:
        NotSupportedError: NumPy is not installed.
    """
    numpy = numpy_module()
    ctype = as_ctype(ctype)
    order = ctype.order or order
    dtype: DType[Any]
    if isinstance(ctype, Scalar):
        dtype = numpy.dtype(_CODES[ctype.code]).newbyteorder(order)
    elif isinstance(ctype, Chars):
        dtype = numpy.dtype(f"S{ctype.size}")
    elif isinstance(ctype, Array) and ctype.size:
        dtype = numpy.dtype((dtype_of(ctype.element, order), (ctype.length,)))
    elif isinstance(ctype, StructType):
        dtype = _struct(numpy, ctype, order)
    else:
        dtype = numpy.dtype(f"V{ctype.size}")
    return dtype


#: `struct`'s format characters in NumPy's words, which are of C's types here and fixed there.
_CODES = {
    "?": "?",
    "b": "i1",
    "B": "u1",
    "h": "i2",
    "H": "u2",
    "i": "i4",
    "I": "u4",
    "q": "i8",
    "Q": "u8",
    "f": "f4",
    "d": "f8",
}


def _struct(numpy: Any, ctype: StructType[Any], order: str) -> Any:
    fields = []
    for name, offset, field in ctype.struct.LAYOUT:
        field = as_ctype(field)
        if name in ctype.struct._fields and field.size:  # else padding, or nothing
            fields.append((offset, name, field))
    fields.sort(key=lambda one: one[0])
    end = 0
    for offset, _, field in fields:
        if offset < end:
            return numpy.dtype(f"V{ctype.size}")
        end = offset + field.size
    return numpy.dtype(
        {
            "names": [name for _, name, _ in fields],
            "formats": [dtype_of(field, order) for _, _, field in fields],
            "offsets": [offset for offset, _, _ in fields],
            "itemsize": ctype.size,
        }
    )


def array_of(
    ctype: CType[Any], buffer: Buffer, shape: tuple[int, ...], strides: tuple[int, ...]
) -> Any:
    """Return values in a buffer as an array over the same memory.

    Args:
        shape: how many values there are; a type that is an array adds dimensions of its own.
        strides: bytes from one value to the next, for each dimension of `shape`.

    Raises:
        NotSupportedError: NumPy is not installed.
    """
    numpy = numpy_module()
    dtype = dtype_of(ctype)
    inner = numpy.empty((0, *dtype.shape), dtype.base).strides[1:]
    return numpy.ndarray((*shape, *dtype.shape), dtype.base, buffer, 0, (*strides, *inner))
