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
    structured dtype of its size, with its padding, and so is a union, whose fields overlap. All
    else, such as 128-bit integers and the bytes that hold a bitfield, is void bytes.

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
        element = dtype_of(ctype.element, order)
        dtype = numpy.dtype((element.base, (ctype.length, *element.shape)))
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
    cls = ctype.struct
    fields = [
        (name, dtype_of(field, order), offset)
        for name, offset, field in cls.LAYOUT
        if hasattr(cls, name) and as_ctype(field).size  # else padding, or nothing
    ]
    return numpy.dtype(
        {
            "names": [name for name, _, _ in fields],
            "formats": [dtype for _, dtype, _ in fields],
            "offsets": [offset for _, _, offset in fields],
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
    inner = numpy.empty(dtype.shape, dtype.base).strides
    return numpy.ndarray((*shape, *dtype.shape), dtype.base, buffer, 0, (*strides, *inner))
