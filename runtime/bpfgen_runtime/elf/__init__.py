"""ELF: what a BPF object file contains.

`image` holds the result and its packed form, and is all that a skeleton needs; `reader` makes an
image from a file, `dwarf` its debug information: the only users of pyelftools.
"""
