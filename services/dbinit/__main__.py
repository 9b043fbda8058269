"""
The database service and the commands around it.

    python -m services.dbinit             the service, on dbinit.sock
    python -m services.dbinit bootstrap   ask it to make the cluster, once; with --here make it as the user we are
    python -m services.dbinit postgres    become the PostgreSQL server
    python -m services.dbinit provision   ask it to make roles and databases, once; with --here make them without it,
                                          which is for a server that is not ours
"""

import argparse
import gc
import sys


def main() -> None:
    """Do what the command line says. Each command imports only its own, which the server's start is the faster for."""
    parser = argparse.ArgumentParser("python -m services.dbinit", description="PostgreSQL 17 and the nodes' databases.")
    parser.add_argument("command", nargs="?", choices=("bootstrap", "postgres", "provision"))
    parser.add_argument("--here", action="store_true", help="with bootstrap or provision: do it in this process")
    arguments = parser.parse_args()
    command = arguments.command
    if arguments.here and command not in ("bootstrap", "provision"):
        parser.error(f"--here: found with {command or 'the service'}, allowed with bootstrap and provision")
    if command is None:
        # What imports make stays; looking through it again and again takes a tenth of a start. `runtime.run` begins.
        gc.disable()
        from services.dbinit import app

        app.run()
    elif command == "postgres":
        from services.dbinit.cluster import server_launch

        server_launch.run()
    else:
        from services.dbinit import oneshot

        sys.exit(oneshot.run_here(command) if arguments.here else oneshot.run(command))


if __name__ == "__main__":
    main()
