"""Signing in, where the lab asks for it: Streamlit's ``st.login`` (OpenID Connect), and a list of who may come in.

Whoever runs the lab asks for it by ``[auth]`` in .streamlit/secrets.toml, and keeps the list there; docs/hosting.md
shows the file. Without that file nothing here costs or shows anything. Whatever is wrong with the file keeps everybody
out: a lab that was meant to be closed must not stand open because of a typing error.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAuthError

from app.plain_words import plain
from recam_core.errors import UserError

#: The sections of the file.
_SECTIONS = ("auth", "recam")
#: Ends the sentences for whoever runs the lab.
_SEE = "docs/hosting.md of the lab shows how it is set up."


@dataclass(frozen=True)
class Rules:
    """Who may come in.

    Attributes:
        providers: names of the providers to sign in with; "" is the one that has no name. Empty: nobody is asked.
        allowed: addresses and domains in small letters; ``None``: everybody whom a provider knows.
    """

    providers: tuple[str, ...]
    allowed: tuple[str, ...] | None


def is_admitted() -> bool:
    """Whether this visitor may see the pages."""
    try:
        rules = _rules()
        return not rules.providers or (_is_signed_in() and not _refusal(rules))
    except UserError:
        return False


def ask() -> None:
    """The page of those who may not see the others: a sentence, and a button where one helps."""
    st.title("ReCAM Lab")
    try:
        rules = _rules()
        if _is_signed_in():
            raise UserError(_refusal(rules) or "This page has changed meanwhile: reload it.")
    except UserError as error:
        st.error(plain(error), icon=":material/lock:")
        if _is_signed_in():
            st.button("Sign out", on_click=st.logout)
        return
    st.markdown("This lab is for those who sign in.")
    if len(st.query_params):
        st.caption("Signing in leads to the first page. Open your link once more after that.")
    for provider in rules.providers:
        label = f"Sign in with {plain(provider)}" if provider else "Sign in"
        if st.button(label, type="primary", icon=":material/login:"):
            try:
                st.login(provider or None)
            except StreamlitAuthError as error:
                st.error(plain(f"Nobody can sign in: {error}"), icon=":material/error:")


def sign_out() -> None:
    """Below a page: who is signed in, and the way out. Nothing where nobody is asked."""
    if not _is_signed_in():
        return
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        user = _user()
        st.caption(f"Signed in as {plain(user.get('name') or user.get('email') or 'a visitor')}", width="content")
        st.button("Sign out", type="tertiary", icon=":material/logout:", on_click=st.logout)


def _user() -> Mapping[str, Any]:
    return st.user.to_dict()


def _is_signed_in() -> bool:
    return _user().get("is_logged_in") is True


def _rules() -> Rules:
    """What .streamlit/secrets.toml says.

    Raises:
        UserError: it cannot be read, or says half of what it must.
    """
    secrets: Mapping[str, Any] = {}
    try:
        if st.secrets.load_if_toml_exists():
            secrets = st.secrets.to_dict()
        elif any(os.path.lexists(file) for file in st.get_option("secrets.files")):
            raise ValueError
    except (OSError, ValueError) as error:
        raise UserError(f"The lab's file of secrets cannot be read, so nobody is let in. {_SEE}") from error
    # The file may be the user's, with sections for other apps: only what resembles ours was meant for us.
    for name in secrets:
        if meant := get_close_matches(name.lower(), set(_SECTIONS) - {name}, 1, 0.75):
            raise UserError(
                f"The lab's file of secrets has [{name}]. If that is to be [{meant[0]}], write it so, else give it "
                f"another name; until then nobody is let in. {_SEE}"
            )
    auth, allowed = secrets.get("auth"), _allowed(secrets.get("recam"))
    if auth is None and allowed is None:
        return Rules((), None)
    if not isinstance(auth, Mapping) or not (providers := _providers(auth)):
        raise UserError(
            f"The lab's file of secrets names nobody to sign in with in [auth], so nobody is let in. {_SEE}"
        )
    if find_spec("authlib") is None or find_spec("httpx") is None:
        raise UserError(f"Nobody can sign in: the lab lacks the packages of requirements-sign-in.txt. {_SEE}")
    return Rules(providers, allowed)


def _providers(auth: Mapping[str, Any]) -> tuple[str, ...]:
    named = [name for name, value in auth.items() if isinstance(value, Mapping) and name != "client_kwargs"]
    return tuple([""] * ("client_id" in auth) + named)


def _allowed(settings: object) -> tuple[str, ...] | None:
    """The list of ``[recam] allowed``; ``None`` where there is none."""
    if settings is None or settings == {}:
        return None
    if isinstance(settings, Mapping) and set(settings) != {"allowed"}:
        raise UserError(
            f"[recam] in the lab's file of secrets holds something else than 'allowed', so nobody is let in. {_SEE}"
        )
    names = settings["allowed"] if isinstance(settings, Mapping) else None
    if not isinstance(names, Sequence) or isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise UserError(
            f"[recam] allowed in the lab's file of secrets is no list of texts, so nobody is let in. {_SEE}"
        )
    for name in names:
        if not re.fullmatch(r"[^@\s*]*@?[^@\s*]+\.[^@\s*]+", name.strip()):
            raise UserError(
                "[recam] allowed in the lab's file of secrets has an entry that is no address and no domain, so nobody "
                f"is let in. {_SEE}"
            )
    return tuple(_folded(name.strip()).removeprefix("@") for name in names)


def _refusal(rules: Rules) -> str:
    """Why whoever is signed in may not come in, or nothing."""
    if rules.allowed is None:
        return ""
    user = _user()
    email = user.get("email")
    if not isinstance(email, str) or email.count("@") != 1:
        return "You are signed in, but the provider tells no e-mail address of yours, and this lab goes by those."
    # Some providers write the word. One that says nothing is trusted with whom it knows.
    if "email_verified" in user and user["email_verified"] not in (True, "true"):
        return f"You are signed in as {email}, but that address is not verified. Verify it with the provider first."
    if {_folded(email), _folded(email).partition("@")[2]} & set(rules.allowed):
        return ""
    return f"You are signed in as {email}, who is not on this lab's list. Ask whoever runs the lab to add you."


def _folded(text: str) -> str:
    """Small letters; letters beyond ASCII stay, since some of them become one of ASCII, and so another's address."""
    return text.lower() if text.isascii() else text
