"""Who is at this page: whose folders are shown where the app is hosted, and whom bounds are counted for.

Somebody who signed in is known by that. Anybody else is known by a secret that the app gives their browser in a cookie:
whoever has it has the things that were made with it, as with the key of a locker. The
secret itself is written nowhere.
"""

import hashlib
import ipaddress
import re
import secrets

import streamlit as st

from app.hosted import is_hosted
from app.shared_state import VISITOR

#: Of the cookie, which the browser sends when a page is loaded, and not before.
COOKIE = "recam_visitor"
_FORM = "[A-Za-z0-9_-]{43}"
_SECRET = re.compile(_FORM)
#: Days for which the browser keeps it.
_DAYS = 30
#: Where another tab was quicker, this one is loaded again to be the same visitor. A cookie of another form is replaced.
_GIVE = """<script>
(() => {
  const name = "%(name)s=";
  const has = document.cookie.split("; ").some((one) => /^%(name)s=%(form)s$/.test(one));
  if (has && %(fresh)s) {
    if (!sessionStorage.getItem(name)) {
      sessionStorage.setItem(name, "1");
      location.reload();
    }
    return;
  }
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}%(secret)s; Max-Age=%(seconds)d; Path=/; SameSite=Strict${secure}`;
})();
</script>"""


def visitor() -> str:
    """Stands for the visitor, on the own machine: the address that they come from, or else the session. Where the app
    is hosted it is :func:`visitor_name`.
    """
    if is_hosted():
        return visitor_name()
    address = st.context.ip_address  # none on the own machine, and no text where no server is
    return address if isinstance(address, str) and address else VISITOR.setdefault(secrets.token_urlsafe(8))


def visitor_name() -> str:
    """16 hexadecimal digits that stand for a visitor of a hosted app: from their account, or their browser's secret."""
    return hashlib.sha256(f"recam visitor\0{_account() or _secret()}".encode()).hexdigest()[:16]


def visitor_address() -> str:
    """Stands for the network address of a visitor of a hosted app; "" where that is not known, or that of a proxy on
    this computer, which all would share.
    """
    address = st.context.ip_address if is_hosted() else None
    try:
        if not isinstance(address, str) or ipaddress.ip_address(address).is_loopback:
            return ""
    except ValueError:
        return ""
    return hashlib.sha256(f"recam address\0{address}".encode()).hexdigest()[:16]


def give_cookie() -> None:
    """Have the browser keep the secret, so that a reload finds the same things; drawn below every page, and only where
    the app is hosted and nobody signed in.
    """
    if not is_hosted() or _account():
        return
    secret = _secret()
    values = {
        "name": COOKIE,
        "form": _FORM,
        "secret": secret,
        "seconds": _DAYS * 86_400,
        "fresh": str(_sent() is None).lower(),
    }
    st.html(_GIVE % values, unsafe_allow_javascript=True)


def _account() -> str:
    """Issuer and subject of who signed in; "" for others, and where nobody can."""
    try:
        if not st.user.is_logged_in:
            return ""
        return f"{st.user['iss']}\0{st.user['sub']}"
    except (AttributeError, KeyError):
        return ""


def _secret() -> str:
    """The browser's secret; a new one, for this session, where it has sent none."""
    return VISITOR.get("") or VISITOR.setdefault(_sent() or secrets.token_urlsafe(32))


def _sent() -> str | None:
    sent = st.context.cookies.get(COOKIE)
    return sent if isinstance(sent, str) and _SECRET.fullmatch(sent) else None
