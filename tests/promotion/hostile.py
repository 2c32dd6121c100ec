"""Kustomizations in every style that people and programs write, with the place of two scalars known to the byte.

A template holds the marks :data:`TAG`, :data:`DIGEST` and, where the edit must be refused, :data:`HERE` in the line
that the refusal has to name. What the editor is to do follows from how the text was made, not from reading it.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

__all__ = ["DIGEST", "HERE", "TAG", "TAGS", "Document", "Tally", "documents"]

TAG, DIGEST, HERE = "\ue000", "\ue001", "\ue002"
"""Marks from the private use area, which no generated text holds otherwise."""
TAGS = (
    *("1.2.3", "1.10", "on", "0777", "2026-01-02", "1e3", "v1", "null", "main-3f2a1b0", "y", "0x1f", "0o17", "1_000"),
    *("012", "1.", "No", "NaN", ".5", "_1", "2026-01-02T03", "0b11", "1.4.0-rc.1", "sha-0e1", "7", "latest"),
)
"""Tags that a registry takes; a reader of YAML takes half of them for something else."""
_COMMENTS = (
    *(
        "",
        "",
        "",
        "  # why",
        "\t# a tab",
        " #\tand\ttabs\t",
        ' # it\'s "quoted": {x: &y *z}',
        " # größer → 日本 🚀",
        " #",
    ),
    *(" # - name: x", " # newTag: 0.0.0", "   ", " # \\ %YAML --- ... | > ? : -", " # ends in a colon:"),
)
_BETWEEN = (
    *("", "", "", "", "\n", "\n\n", "# at the margin\n", "        # far to the right\n"),
    *("#\n#\n", "   \n", "# images:\n#   - {name: app-0, newTag: old}\n"),
)


@dataclass(frozen=True)
class Document:
    """One generated text."""

    template: str
    """Complete but for the marks."""
    tag: str
    """How the tag is written in it, with quotes if it has any."""
    digest: str
    index: int
    """Position of the entry that is edited."""
    position: int
    """Position of the kustomization among the documents."""
    refusal: str | None
    """What the refusal says; None where the edit has to succeed."""
    alone: bool
    """Whether there is one document only, as kustomize wants it."""

    @property
    def text(self) -> str:
        """As it stands in the file."""
        return self.template.replace(TAG, self.tag).replace(DIGEST, self.digest).replace(HERE, "")

    @property
    def line(self) -> int:
        """One-based line that the refusal names."""
        return self.template.count("\n", 0, self.template.index(HERE)) + 1

    def fits(self, after: str) -> dict[str, str] | None:
        """What stands at the two marks of another text; None where it differs anywhere else by a byte."""
        order = sorted((TAG, DIGEST), key=self.template.index)
        head, rest = self.template.split(order[0])
        middle, tail = rest.split(order[1])
        if not (after.startswith(head) and after.endswith(tail)) or len(after) < len(head) + len(tail):
            return None
        inner = after[len(head) : len(after) - len(tail)].split(middle)
        return dict(zip(order, inner, strict=True)) if len(inner) == 2 else None


class Tally:
    """Counts of verdicts."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def note(self, verdict: str) -> None:
        """One more."""
        self.counts[verdict] += 1

    def sentence(self) -> str:
        """The figures that the documentation gives."""
        count = self.counts
        return (
            f"{count['edited'] + count['refused']} generated kustomizations: {count['edited']} edited, all of them "
            f"byte for byte as meant; {count['refused']} refused with file, line and reason; {count['ruamel']} more "
            f"read alike by ruamel.yaml, {count['kustomize']} more built alike by kustomize"
        )

    def keep(self) -> None:
        """Write it where ``CARTWRIGHT_REPORTS`` says."""
        reports = os.environ.get("CARTWRIGHT_REPORTS")
        if reports:
            Path(reports, "hostile-yaml.txt").write_text(self.sentence() + "\n", encoding="utf-8")


def _written(draw: st.DrawFn, value: str, *, plain: bool = True) -> str:
    styles = ["'{}'", '"{}"', *(["{}", "{}", "!!str {}"] if plain else []), "!!str '{}'", "&alone '{}'"]
    return draw(st.sampled_from(styles)).format(value)


_REFUSALS = (
    *("alias", "shared anchor", "shared entry", "alias entry", "merge", "literal", "folded", "empty"),
    *("missing", "twice", "list", "shared list"),
)


@st.composite
def documents(draw: st.DrawFn, *, alone: bool = False, refused: bool | None = None) -> Document:
    """A kustomization, and what an edit of it must come to.

    Args:
        alone: one document only, which kustomize can build.
        refused: whether the edit has to be refused; either by default.
    """
    pick = st.sampled_from
    obstacle = draw(pick(_REFUSALS)) if (refused if refused is not None else draw(st.integers(0, 4)) == 0) else None
    count = draw(st.integers(1, 4))
    chosen = draw(st.integers(0, count - 1))
    lines = ["kind: Kustomization", "apiVersion: kustomize.config.k8s.io/v1beta1"]
    lines.append(draw(pick(['"namespace": shop', "namespace: 'shop'", "? namespace\n: shop", "namespace:   shop"])))
    lines.append(draw(pick(["resources: [base.yaml]", "resources:\n- base.yaml", "resources:\n    -   'base.yaml'"])))
    notes = 'commonAnnotations: &notes {a: \'1.0.0\', "b": "newTag: x", c: "two\n  lines"}'
    tag_like = "x.y/z: &other 1.0.0-other"
    lines.append(draw(pick([notes, f"commonAnnotations:\n  {tag_like}\n  again: *other"])))
    blocks = [_entries(draw, count, chosen, obstacle)]
    if draw(st.booleans()):
        blocks.append("patches:\n- target: {kind: Deployment}\n  patch: |\n    # not a comment\n    - op: add\n"
                      "      path: /metadata/labels/newTag\n      value: \"x\"\n\n")  # fmt: skip
    if draw(st.integers(0, 19)) == 0:
        blocks.append("labels:\n" + "".join(f"- pairs: {{l{n}: v{n}}} # {n}\n" for n in range(60)))
    parts = [line + draw(pick(_COMMENTS)) + "\n" + draw(pick(_BETWEEN)) for line in lines]
    at = draw(st.integers(0, len(parts)))
    if obstacle in {"alias", "merge", "alias entry"}:
        at = len(parts)  # what is used stands before its use
    parts[at:at] = [blocks[0]]
    text = "".join([*parts, *blocks[1:]])
    if obstacle == "alias":
        text = "metadata: {annotations: {tag: &tag v0}}\n" + text
    elif obstacle == "merge":
        text = "metadata: {annotations: &entry {newTag: v0}}\n" + text
    elif obstacle == "alias entry":
        text = "metadata: {annotations: &entry {name: the-same, newTag: v0, digest: x}}\n" + text
    elif obstacle == "shared anchor":
        text += "metadata: {annotations: {tag: *tag}}\n"
    elif obstacle == "shared list":
        text += "metadata: {annotations: *all}\n"
    text, position, before = _around(draw, text, alone=alone)
    newline = draw(pick(["\n", "\n", "\r\n", "mixed"]))
    if newline == "mixed":
        pieces = text.split("\n")
        text = "".join(piece + ("\r\n" if n % 3 == 0 else "\n") for n, piece in enumerate(pieces[:-1])) + pieces[-1]
    else:
        text = text.replace("\n", newline)
    reason = None if obstacle is None else _REASONS[obstacle].replace("[N]", f"[{chosen}]")
    return Document(
        template=draw(pick(["", "", "\ufeff"])) + text,
        tag=_written(draw, draw(pick(TAGS)), plain=obstacle is None),
        digest=_written(draw, "sha256:" + "cd" * 32).replace("&alone", "&lonely"),
        index=chosen,
        position=position,
        refusal=reason,
        alone=before,
    )


_REASONS = {
    "alias": "images[N].newTag is an alias of &tag",
    "shared anchor": "anchor &tag is used again",
    "shared entry": "anchor &entry is used again",
    "alias entry": "images[N] is an alias of &entry",
    "merge": "images[N].newTag comes from a merge key (<<)",
    "literal": "images[N].newTag is a block of text",
    "folded": "images[N].newTag is a block of text",
    "empty": "images[N].newTag is empty",
    "missing": "images[N].newTag is not there",
    "twice": "the key 'newTag' is already in line",
    "list": "images[N].newTag is not a single value",
    "shared list": "anchor &all is used again",
}


def _entries(draw: st.DrawFn, count: int, chosen: int, obstacle: str | None) -> str:
    """The block of ``images``."""
    pick = st.sampled_from
    entries = []
    for number in range(count):
        mine = number == chosen
        tag, digest = (TAG, DIGEST) if mine else ("1.0.0", '"sha256:' + "0" * 64 + '"')
        fields = [("name", f"'app-{number}'"), ("newTag", tag), ("digest", digest)]
        if draw(st.booleans()):
            fields.append(("newName", f"mirror.example.com/app-{number}"))
        entries.append(list(draw(st.permutations(fields))))
    style = draw(pick(["block", "block", "block", "flow entries", "flow", "json", "explicit"]))
    if obstacle in {"literal", "folded"}:
        style = "block"
    mine_at = entries[chosen]
    where = next(n for n, (key, _) in enumerate(mine_at) if key == "newTag")
    hit = HERE + mine_at[where][1]
    # The marks stay in the text, in a comment where the obstacle leaves no scalar to mark.
    keep = f" # {TAG}"
    if obstacle in {"alias", "shared anchor", "empty", "literal", "folded", "merge", "missing", "twice", "list"}:
        values = {
            "alias": f"{HERE}*tag",
            "shared anchor": f"&tag {hit}",
            "empty": HERE,
            "literal": f"{HERE}|-\n{' ' * 20}v0",
            "folded": f"{HERE}>\n{' ' * 20}v0\n",
            "list": f"{HERE}[v0]",
        }
        if obstacle in values:
            mine_at[where] = ("newTag", values[obstacle])
        elif obstacle == "merge":
            mine_at[where] = ("<<", "*entry")
            mine_at.insert(0, mine_at.pop(where))
        elif obstacle == "missing":
            mine_at.pop(where)
        else:
            mine_at.append((f"{HERE}newTag", "v2"))
    anchor = "&entry " if obstacle == "shared entry" else ""
    lead_here = HERE if obstacle in {"merge", "missing"} else ""
    return _layout(draw, entries, chosen, style, anchor=anchor, lead=lead_here, obstacle=obstacle, keep=keep)


def _layout(
    draw: st.DrawFn,
    entries: list[list[tuple[str, str]]],
    chosen: int,
    style: str,
    *,
    anchor: str,
    lead: str,
    obstacle: str | None,
    keep: str,
) -> str:
    pick = st.sampled_from
    indent = " " * draw(st.integers(0, 5))
    wide = draw(pick(["- ", "- ", "-   "]))
    listed = "&all " if obstacle == "shared list" else ""
    head = f"images:{' ' + listed.strip() if listed else ''}{HERE if obstacle == 'shared list' else ''}"
    out = []
    for number, fields in enumerate(entries):
        mine = number == chosen
        mark, anchored = (lead, anchor) if mine else ("", "")
        if mine and obstacle == "shared entry":
            anchored = HERE + anchor
        if mine and obstacle == "alias entry":
            out.append(f"{HERE}*entry")
        elif style in {"flow entries", "flow", "json"}:
            quote = '"' if style == "json" else ""
            gap = draw(pick([" ", "", "  "]))
            comma = draw(pick([", ", ",", " , ", ",\n          "]))
            # A plain scalar before a bracket or a comma ends there; an alias needs a blank.
            inner = comma.join(f"{quote}{key}{quote}: {value}" for key, value in fields)
            out.append(f"{mark}{anchored}{{{gap}{inner} {gap}}}")
        elif style == "explicit":
            pad = " " * (len(indent) + len(wide))
            body = f"\n{pad}".join(f"? {key}\n{pad}: {value}" for key, value in fields)
            out.append(f"{mark}{anchored}{chr(10) + pad if anchored else ''}{body}")
        else:
            pad = " " * (len(indent) + len(wide))
            body = ""
            for place, (key, value) in enumerate(fields):
                named = draw(pick([key, key, f'"{key}"', f"'{key}'"])) if key != "<<" else key
                comment = "" if "\n" in value else draw(pick(_COMMENTS))
                # A comment of its own after a value that is empty or an alias is no part of it.
                body += f"{pad if place or anchored else ''}{named}: {value}{comment}\n"
                if place + 1 < len(fields) and not value.endswith("\n"):
                    body += draw(pick(["", "", "", "\n", f"{pad}# inside\n", "# at the margin\n"]))
            out.append(f"{mark}{anchored}{chr(10) if anchored else ''}{body}".removesuffix("\n"))
    if style in {"flow", "json"}:
        joint = draw(pick([", ", ",\n  ", " ,\n\n    ", ",\t"]))
        body = f"{head} [{joint.join(out)}{draw(pick(['', ' ', chr(10) + '  ']))}]\n"
    else:
        between = draw(pick(["", "", "\n", f"{indent}# between\n", "# at the margin\n"]))
        body = f"{head}{draw(pick(_COMMENTS))}\n" + between.join(
            f"{indent}{wide}{one}{'' if style == 'block' else draw(pick(_COMMENTS))}\n" for one in out
        )
    body = _repeat_entry(body, obstacle)
    for mark in (TAG, DIGEST):
        if mark not in body:
            body += f"# {mark}\n"
    return body


def _repeat_entry(body: str, obstacle: str | None) -> str:
    """Another place that uses the whole entry."""
    return body + "metadata: {annotations: *entry}\n" if obstacle == "shared entry" else body


def _around(draw: st.DrawFn, text: str, *, alone: bool) -> tuple[str, int, bool]:
    """The text with other documents around it, its position, and whether it is the only one."""
    pick = st.sampled_from
    kind = "one" if alone else draw(pick(["one", "one", "one", "first", "last", "middle"]))
    other = "# another\na: &tag2 {newTag: 1.0.0}\nb: *tag2\nimages: [{name: app-0, newTag: 1.0.0, digest: x}]\n"
    begin = draw(pick(["", "", "---\n", "# head\n", "%YAML 1.1\n---\n", "\n\n", "--- # starts\n"]))
    if kind == "one":
        end = draw(pick(["", "", "\n\n", "# the end\n", "# the end, without a newline", "...\n", "...", "   "]))
        whole = begin + text + end
        cut = not end and draw(st.booleans()) and not text.endswith("|\n")
        return (whole.removesuffix("\n") if cut else whole), 0, True
    if kind == "first":
        return f"{begin}{text}---\n{other}", 0, False
    if kind == "last":
        return f"---\n{other}---\n{text}", 1, False
    return f"---\n{other}...\n---\n{text}---\n{other}", 1, False
