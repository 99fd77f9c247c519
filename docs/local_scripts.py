"""A hook of MkDocs: pages load the script for the search from disk from the site itself, not from the network.

Material for MkDocs refers to a copy of `iframe-worker` on unpkg.com, so that searching a site that was opened from disk
would need a network.
"""

from __future__ import annotations

from typing import Any

from mkdocs.utils import get_relative_url

REMOTE = "https://unpkg.com/iframe-worker/shim"
LOCAL = "javascripts/iframe-worker.js"


def on_post_page(output: str, *, page: Any, config: Any) -> str:
    """Replace the address in a page."""
    return output.replace(REMOTE, get_relative_url(LOCAL, page.url))


def on_post_template(output: str, *, template_name: str, config: Any) -> str:
    """Replace the address in the page for addresses that are not found."""
    return output.replace(REMOTE, LOCAL)
