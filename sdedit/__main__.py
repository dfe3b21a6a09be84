"""`python -m sdedit` is the command `sdedit`."""

from sdedit.cli import main

main()
