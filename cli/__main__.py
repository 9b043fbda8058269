"""`python -m cli` is the `feedmesh` command."""

from cli.app import main

main()
