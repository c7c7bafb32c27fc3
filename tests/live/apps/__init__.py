"""Applications of generated skeletons; test_skeleton generates, type-checks and runs each."""
