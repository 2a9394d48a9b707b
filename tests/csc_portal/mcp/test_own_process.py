"""manage.py mcp: a process of its own, over standard input and output; where its key comes from."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from csc_portal.api.keys import NewKey, create_key, revoke_key
from csc_portal.mcp.own_process import BadKeyFile, read_key
from tenants.models import ApiKey, Grant, User

SECRET_NAME = "key-of-an-assistant"


@pytest.fixture
def kept(committed, simulator) -> Iterator[ApiKey]:
    """A committed key, in the vault under SECRET_NAME."""
    owner = User.objects.create_user(f"keeper-{uuid.uuid4().hex[:6]}")
    Grant.objects.create(user=owner, role="viewer")
    new = NewKey("Assistant", ["cases:read"])
    key, whole = create_key(owner, new, actor="test", now=timezone.now())
    simulator.control.set_secret(SECRET_NAME, whole)
    yield key
    simulator.control.delete_secret(SECRET_NAME)
    owner.delete()


def test_an_assistant_talks_to_a_process(kept: ApiKey) -> None:
    words = [str(Path("manage.py").resolve()), "mcp", "--key-secret", SECRET_NAME]
    process = StdioServerParameters(command=sys.executable, args=words, env=dict(os.environ))

    async def talk() -> tuple[str, str, str]:
        async with Client(process) as client:
            first = await client.call_tool("get_key", {})
            wrong = await client.call_tool("list_tenants", {})
            await asyncio.to_thread(revoke_key, kept, actor="test", now=timezone.now())
            last = await client.call_tool("get_key", {})
        return first.content[0].text, wrong.content[0].text, last.content[0].text

    first, wrong, last = asyncio.run(talk())
    assert json.loads(first)["answer"]["prefix"] == kept.prefix
    assert "It takes the scope tenants:read" in wrong
    assert "No valid key" in last


def test_the_file_of_a_key_is_for_its_owner_alone(tmp_path: Path, db, simulator) -> None:
    file = tmp_path / "key"
    with pytest.raises(BadKeyFile, match="FileNotFoundError"):
        read_key(file)
    file.write_text("csc_12345678_x\n")
    file.chmod(0o640)
    with pytest.raises(BadKeyFile, match="chmod 600"):
        read_key(file)
    file.chmod(0o600)
    assert read_key(file) == "csc_12345678_x"
    with pytest.raises(CommandError, match="opens nothing"):
        call_command("mcp", "--key-file", str(file))
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(CommandError, match="UnicodeDecodeError"):
        call_command("mcp", "--key-file", str(file))
