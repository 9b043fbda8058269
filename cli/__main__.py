"""`python -m cli` is the `feedmesh` command."""

from cli.app import main

if __name__ == "__main__":
    main()
