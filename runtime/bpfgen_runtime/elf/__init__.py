"""ELF: what a BPF object file contains.

`image` holds the result and its packed form, and is all that a skeleton needs; `reader` makes an
image from a file and is the only user of pyelftools.
"""
