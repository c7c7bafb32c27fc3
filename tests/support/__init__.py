"""What the tests share: compilers, network namespaces, cgroups, leak checks, input writers."""
