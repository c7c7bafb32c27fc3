"""The subcommands of `bpfgen`, one module each; `cli.COMMANDS` lists them."""
