"""The rows of the table, a module each: `rows(work, stack)` gives them ready to be measured."""
