"""A browser session of a user at the forge."""

from __future__ import annotations

import re

import requests

from tests.support.forge import Forge

TIMEOUT = 60
TOKENS = "/images/-/tokens"


class Browser:
    """Reads pages and sends their forms, signed in as a user."""

    def __init__(self, forge: Forge, username: str, password: str) -> None:
        self._url = forge.url
        self._session = requests.Session()
        self.submit("/login", "/login", username=username, password=password)

    def read(self, page: str) -> str:
        """Return a page's HTML."""
        answer = self._session.get(self._url + page, timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.text

    def submit(self, page: str, target: str, **fields: str) -> None:
        """Send a form of a page with its CSRF token."""
        hidden = r'<input type="hidden" name="([^"]+)" value="([^"]+)">'
        sent = fields | dict(re.findall(hidden, self.read(page)))
        answer = self._session.post(self._url + target, data=sent, timeout=TIMEOUT)
        answer.raise_for_status()

    def revoke_everything(self) -> int:
        """Revoke all tokens of the user, among them those that clients store.

        :return: the number of tokens.
        """
        lists = self.read(TOKENS) + self.read(f"{TOKENS}?kind=refresh")
        forms = re.findall(rf'action="({TOKENS}/[^"]+)"', lists)
        for form in forms:
            self.submit(TOKENS, form)
        return len(forms)

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
