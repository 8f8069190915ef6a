"""The health check of the images."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from runtime import probe


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_probe_that_answers_well_is_success(address: str) -> None:
    assert probe.main([f"{address}/readyz"]) == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_another_answer_or_none_is_failure(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.main([f"{address}/closed"]) == 1
    assert probe.main(["http://127.0.0.1:1/readyz"]) == 1
    assert "503" in capsys.readouterr().err
