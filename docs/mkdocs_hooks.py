"""Hooks of `make docs`.

They add pages from outside docs/, add one reference page per folder of `asr`, and rewrite links.
Links in the Markdown files are relative paths that work in the repository. The site lacks the
source files, so a link to one becomes plain text. A link to a file that does not exist is a
warning, which `--strict` turns into an error.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from posixpath import dirname, normpath, relpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
CARDS = sorted(path.parent.name for path in (ROOT / "asr" / "models").glob("*/README.md"))
FOLDERS = sorted(path.parent.name for path in (ROOT / "asr").glob("*/__init__.py"))
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "data/README.md": "data.md",
    "notebooks/README.md": "notebooks.md",
    **{f"asr/models/{name}/README.md": f"models/{name}.md" for name in CARDS},
}
"""Files of the repository that are pages of the site → their names there."""
SOURCES = {page: source for source, page in PAGES.items()}
LINK = re.compile(r"(?<!!)\[([^\]\n]+(?:\n[^\]\n]+)?)\]\(([^)\s]+)\)")
CODE = re.compile(r"^( *)(```|~~~)[\s\S]*?^\1\2|^(?: {4}.*\n)+|`[^`]+`", re.MULTILINE)

log = logging.getLogger("mkdocs.plugins.asr")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the model cards and the folders of `asr` to the navigation."""
    for section in config.nav or []:
        if "Models" in section:
            section["Models"] = [{name: f"models/{name}.md"} for name in CARDS]
        if "Python" in section:
            section["Python"] += [{f"asr.{name}": f"reference/{name}.md"} for name in FOLDERS]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that have no file in docs/."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    for name in FOLDERS:
        text = (
            f"# asr.{name}\n\n::: asr.{name}\n    options:\n"
            "      show_root_heading: false\n      show_root_toc_entry: false\n"
            "      show_submodules: true\n"
        )
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links at pages of the site; links to other files of the repository become text."""
    here = page.file.src_uri
    source = SOURCES.get(here, f"docs/{here}")

    def rewrite(match: re.Match[str]) -> str:
        text, target = match.groups()
        path, _, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return match[0]
        wanted = normpath(f"{dirname(source)}/{path}") if dirname(source) else normpath(path)
        in_site = PAGES.get(wanted, wanted.removeprefix("docs/"))
        if files.get_file_from_path(in_site) is not None:
            link = relpath(in_site, dirname(here) or ".")
            return f"[{text}]({link}{'#' + anchor if anchor else ''})"
        if not (ROOT / wanted).exists():
            log.warning("%s: the link to %s leads nowhere", source, target)
        return text

    parts: list[Any] = []
    position = 0
    for code in CODE.finditer(markdown):
        parts += [LINK.sub(rewrite, markdown[position : code.start()]), code[0]]
        position = code.end()
    return "".join([*parts, LINK.sub(rewrite, markdown[position:])])
