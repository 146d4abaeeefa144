"""`python -m flawscope` is the command `flawscope`."""

from flawscope.cli.app import main

main()
