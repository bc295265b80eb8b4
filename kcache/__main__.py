"""`python -m kcache`: the command line."""

from kcache.cli import main

main()
