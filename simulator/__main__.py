"""python -m simulator --state DIR …: serve until a signal comes."""

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path

import uvicorn

from simulator import certificates, documents
from simulator.app import build
from simulator.world import World


def _arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="A stand-in for Microsoft's clouds and Freshservice, over TLS.",
    )
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps everything")
    parser.add_argument(
        "--port", type=int, default=0, help="0 (default): the one used last, else a free one"
    )
    parser.add_argument(
        "--directories", type=int, default=3, help="customers to begin with (default 3)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=None,
        help="same seed, same stories (default: the state's, else 1)",
    )
    parser.add_argument(
        "--pace",
        type=float,
        default=None,
        metavar="SECONDS",
        help="seconds between new stories; 0 = none (default 45 for a new state)",
    )
    parser.add_argument(
        "--documents",
        type=Path,
        metavar="DIR",
        help="folder of Graph alert documents, given to every directory",
    )
    parser.add_argument(
        "--empty", action="store_true", help="people and devices, but no alerts to begin with"
    )
    parser.add_argument(
        "--until-eof", action="store_true", help="stop when standard input ends: for parents"
    )
    parser.add_argument(
        "--json", action="store_true", help="tell address and files as one JSON line"
    )
    return parser.parse_args(given)


def _port(state: Path, wanted: int) -> socket.socket:
    """A listening socket; without a wish on the port of the last start, if that is free."""
    kept = state / "port"
    candidates = [wanted] if wanted else [int(kept.read_text()) if kept.exists() else 0, 0]
    for candidate in candidates:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", candidate))
        except OSError:
            listener.close()
            continue
        listener.listen(512)
        kept.write_text(str(listener.getsockname()[1]))
        return listener
    raise SystemExit(f"simulator: port {wanted} is in use")


def _world(options: argparse.Namespace, origin: str) -> World:
    kept = options.state / "seed"
    seed = (
        options.seed if options.seed is not None else int(kept.read_text()) if kept.exists() else 1
    )
    kept.write_text(str(seed))
    world = World(options.state, origin, seed)
    fresh = not world.vault
    world.fill_vault()
    if options.pace is not None or fresh:
        world.change_settings({"pace_s": 45 if options.pace is None else options.pace})
    return world


class _Server(uvicorn.Server):
    """Stops at once: clients that keep idle TLS connections open are not waited for."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0.05)
        await super().shutdown(sockets)


def _stop_with_parent() -> None:
    """Ends the process when standard input does: no orphan is left when a parent is killed."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def main() -> int:
    options = _arguments()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    options.state.mkdir(parents=True, exist_ok=True)
    options.state.chmod(0o700)
    if options.documents is not None and not options.documents.is_dir():
        print(f"simulator: no folder {options.documents}", file=sys.stderr)  # noqa: T201
        return 1
    _, server_file = certificates.prepare(options.state)
    listener = _port(options.state, options.port)
    origin = f"https://127.0.0.1:{listener.getsockname()[1]}"
    world = _world(options, origin)
    app = build(world)
    engine = app._app.state.engine  # type: ignore[attr-defined]
    while len(world.directories) < options.directories:
        engine.populate(world.add_directory(), stories=not options.empty)
    if options.documents is not None:
        for line in documents.load(options.documents, list(world.directories.values())):
            print(f"simulator: {line}", file=sys.stderr)  # noqa: T201
    engine.write_files()
    engine.write_truth()
    _tell(options, world)
    if options.until_eof:
        _stop_with_parent()
    server = _Server(
        uvicorn.Config(
            app,
            ssl_certfile=str(server_file),
            log_level="warning",
            access_log=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
            server_header=False,
            backlog=512,
        )
    )
    server.run(sockets=[listener])
    return 0


def _tell(options: argparse.Namespace, world: World) -> None:
    """Where it listens and which files say more: never a secret."""
    files = {
        name: str(options.state / f"{name}.json") for name in ("environment", "tenants", "truth")
    }
    if options.json:
        line = json.dumps({"url": world.origin, "ca": str(options.state / "ca.pem"), **files})
    else:
        line = (
            f"simulator: {world.origin}  (CA, environment.json, tenants.json, truth.json in "
            f"{options.state})"
        )
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
