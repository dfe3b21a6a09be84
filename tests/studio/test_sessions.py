"""Clients that come, go, ask again and ask at once, against a network that evaluates when the test says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from sdedit.studio.painter import MOST_SESSIONS
from sdedit.studio.serving import RunningStudio
from tests.helpers.studio import GatedModel, Stream, client

STEPS = 20


def paint(running: RunningStudio, body: bytes, session: str, **query: object) -> Stream:
    return Stream(running, "/api/paint", body, session=session, **{"steps": STEPS, "seed": 1, **query})


def until(condition: Callable[[], bool]) -> None:
    """Wait for what must come."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def wait_until_nothing_runs(running: RunningStudio) -> None:
    until(lambda: running.workshop.painter.queue() == {"running": 0, "waiting": 0})


def let_one_take_long(gate_model: GatedModel) -> None:
    """An evaluation that takes so long that what is left of its image takes more than 0.4 s."""
    gate_model.gate.wait_for(1)
    time.sleep(0.05)  # twenty of them are a second
    gate_model.gate.let(1)


def test_a_first_preview_comes_after_one_evaluation(
    slow_studio: RunningStudio, slow: GatedModel, strokes: bytes
) -> None:
    stream = paint(slow_studio, strokes, "artist")
    slow.gate.wait_for(1)
    assert [event["event"] for event in stream.events if event["event"] == "preview"] == []
    slow.gate.let(1)
    preview = stream.wait_for("preview")
    assert (preview["step"], preview["of"], preview["variant"]) == (1, STEPS, 0)
    slow.gate.let()
    assert stream.kinds()[-1] == "painted"
    assert slow.gate.begun == STEPS


def test_a_newer_request_takes_the_place_of_the_one_at_work(
    slow_studio: RunningStudio, slow: GatedModel, strokes: bytes
) -> None:
    first = paint(slow_studio, strokes, "artist")
    let_one_take_long(slow)
    first.wait_for("preview")
    second = paint(slow_studio, strokes, "artist", seed=2)
    second.wait_for("queued")
    slow.gate.let()
    assert first.kinds()[-1] == "superseded"
    assert second.kinds()[-1] == "painted"
    assert slow.gate.begun == 2 + STEPS  # the second evaluation had begun when the request came


def test_a_superseded_request_for_a_png_gets_409(slow_studio: RunningStudio, slow: GatedModel, strokes: bytes) -> None:
    with client(slow_studio) as session, ThreadPoolExecutor(1) as background:
        query = {"session": "artist", "steps": STEPS}
        first = background.submit(session.post, "/api/paint", params=query, content=strokes)
        let_one_take_long(slow)
        slow.gate.wait_for(2)
        second = paint(slow_studio, strokes, "artist")
        second.wait_for("queued")
        slow.gate.let()
        assert first.result().status_code == 409
        assert "newer request" in first.result().json()["error"]
        assert second.kinds()[-1] == "painted"


def test_a_client_that_hangs_up_is_not_painted_for(
    slow_studio: RunningStudio, slow: GatedModel, strokes: bytes
) -> None:
    painter = slow_studio.workshop.painter
    stream = paint(slow_studio, strokes, "artist")
    slow.gate.wait_for(1)
    stream.hang_up()
    until(lambda: all(order.gone for order in painter._running))
    slow.gate.let()
    wait_until_nothing_runs(slow_studio)
    assert slow.gate.begun == 1


def test_one_that_hangs_up_while_it_waits_is_not_begun(
    slow_studio: RunningStudio, slow: GatedModel, strokes: bytes
) -> None:
    first = paint(slow_studio, strokes, "artist")
    slow.gate.wait_for(1)
    paint(slow_studio, strokes, "another").hang_up()
    until(lambda: not slow_studio.workshop.painter.queue()["waiting"])
    slow.gate.let()
    assert first.kinds()[-1] == "painted"
    wait_until_nothing_runs(slow_studio)
    assert slow.gate.begun == STEPS


def test_after_a_cancelled_image_the_next_is_the_same_as_ever(
    slow_studio: RunningStudio, slow: GatedModel, strokes: bytes
) -> None:
    slow.gate.let()
    with client(slow_studio) as session:
        wanted = session.post("/api/paint", params={"seed": 7}, content=strokes).content
        slow.gate.close()
        stream = paint(slow_studio, strokes, "gone")
        slow.gate.wait_for(1)
        stream.hang_up()
        slow.gate.let()
        wait_until_nothing_runs(slow_studio)
        assert session.post("/api/paint", params={"seed": 7}, content=strokes).content == wanted


def test_three_tabs_each_see_something_within_three_evaluations(
    slow_studio: RunningStudio, slow: GatedModel, strokes: bytes
) -> None:
    streams = [paint(slow_studio, strokes, f"tab {number}") for number in range(3)]
    for stream in streams:
        stream.wait_for("queued")
    slow.gate.wait_for(1)
    time.sleep(0.05)
    slow.gate.let(3)
    for stream in streams:
        assert stream.wait_for("preview")["step"] == 1
    slow.gate.let()
    assert [stream.kinds()[-1] for stream in streams] == ["painted"] * 3


def test_variants_stand_still_while_somebody_paints(
    slow_studio: RunningStudio, slow: GatedModel, strokes: bytes
) -> None:
    idle = paint(slow_studio, strokes, "artist", priority="idle", variants=2)
    slow.gate.wait_for(1)
    live = paint(slow_studio, strokes, "artist", seed=3)
    live.wait_for("queued")
    slow.gate.let(1 + STEPS)
    assert live.kinds()[-1] == "painted"
    assert "painted" not in [event["event"] for event in idle.events]
    slow.gate.let()
    assert idle.kinds().count("painted") == 2
    assert slow.gate.begun == 3 * STEPS  # nothing was begun again


def test_too_many_at_once_are_asked_to_come_again(slow_studio: RunningStudio, slow: GatedModel, strokes: bytes) -> None:
    streams = [paint(slow_studio, strokes, f"session {number}", steps=2) for number in range(MOST_SESSIONS)]
    for stream in streams:
        stream.wait_for("queued")
    with client(slow_studio) as session:
        refused = session.post("/api/paint", content=strokes)
        assert refused.status_code == 429
        assert refused.headers["retry-after"]
        assert "32 others" in refused.json()["error"]
        assert session.get("/api/status").status_code == 200
        slow.gate.let()
        assert {stream.kinds()[-1] for stream in streams} == {"painted"}
        assert session.post("/api/paint", content=strokes).status_code == 200


def test_what_fails_in_the_network_is_a_sentence(
    slow_studio: RunningStudio, slow: GatedModel, strokes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow.gate.let()

    def fail() -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with client(slow_studio) as session:
        with monkeypatch.context() as patch:
            patch.setattr(slow.gate, "enter", fail)
            refused = session.post("/api/paint", content=strokes)
            stream = paint(slow_studio, strokes, "artist")
            assert stream.wait()[-1] == {"event": "error", "message": refused.json()["error"]}
        assert refused.status_code == 503
        assert "not enough memory" in refused.json()["error"]
        assert session.post("/api/paint", content=strokes).status_code == 200


def test_at_the_end_who_waits_is_told(slow_studio: RunningStudio, slow: GatedModel, strokes: bytes) -> None:
    streams = [paint(slow_studio, strokes, name) for name in ("at work", "waits")]
    for stream in streams:
        stream.wait_for("queued")
    slow.gate.wait_for(1)
    slow_studio.stop()
    for stream in streams:
        assert stream.wait()[-1] == {"event": "error", "message": "the studio has been stopped"}
    slow.gate.let()


def test_status_says_what_runs(slow_studio: RunningStudio, slow: GatedModel, strokes: bytes) -> None:
    streams = [paint(slow_studio, strokes, name) for name in ("a", "b")]
    slow.gate.wait_for(1)
    for stream in streams:
        stream.wait_for("queued")
    with client(slow_studio) as session:
        status = session.get("/api/status").json()
    assert status["queue"] == {"running": 1, "waiting": 1}
    assert status["state"] == "ready"
    (model,) = status["models"]
    assert (model["name"], model["px"], model["calibrated"], len(model["sigmas"])) == ("tiny", 16, False, 101)
    assert model["sigmas"][0] == 0
    assert model["sigmas"][100] == pytest.approx(model["sigma_max"], rel=1e-4)
    slow.gate.let()
