"""Drafts as Atlassian Document Format, version 1.

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
"""

from collections.abc import Iterator, Mapping

import orjson

from ticketing.adapters.plain_text import Line, Run, read_lines

LARGEST = 28_000  # bytes as JSON without spaces; Jira takes 32,767 characters
_CUT = "This text was cut for its size; the portal shows everything."

Node = dict[str, object]


def document(html: str, end: str = "") -> Node:
    """The draft's lines that fit, and then the line `end` if there is one."""
    last = [_node(Line((Run(end),)))] if end else []
    content: list[Node] = []
    size = len(orjson.dumps(last)) + 200
    for line in read_lines(html):
        node = _node(line)
        size += len(orjson.dumps(node)) + 1
        if size > LARGEST:
            content.append(_node(Line((Run(_CUT),))))
            break
        content.append(node)
    return {"type": "doc", "version": 1, "content": [*content, *last]}


def text_of(node: object) -> str:
    """All text of a document, without its structure."""
    return "".join(_texts(node))


def _texts(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("text"), str):
            yield str(node["text"])
        yield from _texts(node.get("content"))
    elif isinstance(node, list):
        for inner in node:
            yield from _texts(inner)


def _node(line: Line) -> Node:
    texts = [_text(run) for run in line.runs if run.text]
    if line.is_heading:
        return {"type": "heading", "attrs": {"level": 3}, "content": texts}
    return {"type": "paragraph", "content": texts}


def _text(run: Run) -> Node:
    marks: list[Node] = []
    if run.is_bold:
        marks.append({"type": "strong"})
    if run.link:
        marks.append({"type": "link", "attrs": {"href": run.link}})
    node: Node = {"type": "text", "text": run.text}
    return {**node, "marks": marks} if marks else node
