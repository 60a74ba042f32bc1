"""The viewer: panes that are drawn in the browser, so that nothing that a hand moves waits for the server."""

from app.viewer.mount import viewer

__all__ = ["viewer"]
