"""What a test needs to know about a Streamlit page: when it has finished, and whether it shows an error."""

from playwright.sync_api import Page, expect

#: Streamlit writes the state of the script on its outermost element.
FINISHED = '[data-testid="stApp"][data-test-script-state="notRunning"][data-test-connection-state="CONNECTED"]'


def wait_until_finished(page: Page, seconds: float = 60) -> None:
    """Wait until the script has run and the page shows its result."""
    # A click starts its run only after a round trip: without a pause the state before it would be read.
    page.wait_for_timeout(300)
    expect(page.locator(FINISHED)).to_be_attached(timeout=seconds * 1000)
    expect(page.locator('[data-stale="true"]')).to_have_count(0, timeout=seconds * 1000)


def open_app(page: Page, url: str, seconds: float = 90) -> None:
    """Open ``url`` and wait until it shows what it has to show."""
    page.goto(url)
    expect(
        page.locator('[data-testid="stMainBlockContainer"] [data-testid="stElementContainer"]').first
    ).to_be_attached(timeout=seconds * 1000)
    wait_until_finished(page, seconds)


def no_exception(page: Page) -> None:
    """Assert that the page shows no exception box."""
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)


def wait_until_quiet(page: Page, seconds: float = 3) -> None:
    """Wait until no run has been seen for some time: what is made on pressing a download goes with the next run."""
    page.evaluate("window.quietSince = performance.now()")
    page.wait_for_function(
        """([finished, least]) => {
          if (!document.querySelector(finished)) window.quietSince = performance.now();
          return performance.now() - window.quietSince > least;
        }""",
        arg=[FINISHED, 1000 * seconds],
    )
