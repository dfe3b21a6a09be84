"""Which order is at work when: played by scripts, in one thread and without a clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sdedit.studio.limits import RefusedError
from sdedit.studio.painter import MOST_SESSIONS, NEARLY_DONE, Order, Painter

LONG = 10.0  # seconds that an evaluation is said to take


class Stage:
    """A painter, orders whose evaluations are counted, and what happens after some of them.

    Attributes:
        log: (name, event) in the order in which things happened; an evaluation is the event "1", "2", …
        cues: what happens after an evaluation of an order.
    """

    def __init__(self) -> None:
        self.painter = Painter()
        self.log: list[tuple[str, str]] = []
        self.cues: dict[tuple[str, int], Callable[[], object]] = {}

    def order(
        self,
        name: str,
        session: str | None = None,
        kind: str = "live",
        evaluations: int = 3,
        seconds: float = LONG,
        failure: BaseException | None = None,
    ) -> Order:
        """An order, not submitted; it shows its first preview after evaluation 1, and fails after 2 if it is to."""

        def work(order: Order) -> None:
            for number in range(1, evaluations + 1):
                self.log.append((name, str(number)))
                if number == 1:
                    order.tell_once("preview")
                    order.shown = True
                self.cues.pop((name, number), lambda: None)()
                if number == 2 and failure is not None:
                    raise failure
                self.painter.give_way(order, seconds * (evaluations - number))
            order.tell("painted")

        return Order(work, lambda event: self.log.append((name, event["event"])), session or name, kind)

    def submit(self, *args: object, **options: object) -> Callable[[], None]:
        """A cue: an order comes in."""
        return lambda: self.painter.submit(self.order(*args, **options))  # type: ignore[arg-type]

    def play(self) -> None:
        """Do all there is, and what cues bring."""

        def end(order: Order) -> None:
            if self.painter.queue()["waiting"]:
                self.painter.submit(Order(end, lambda event: None, "end", "idle"))
            else:
                self.painter.stop()

        self.painter.submit(Order(end, lambda event: None, "end", "idle"))
        self.painter.run()

    def of(self, name: str) -> list[str]:
        return [event for other, event in self.log if other == name]

    def evaluations(self) -> list[str]:
        """The orders at work, evaluation by evaluation."""
        return [name for name, event in self.log if event.isdigit()]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_newer_request_stops_the_one_at_work_once_it_has_shown_a_preview(stage: Stage) -> None:
    stage.cues["first", 1] = stage.submit("second", "artist")
    stage.submit("first", "artist")()
    stage.play()
    assert stage.of("first") == ["queued", "1", "preview", "superseded"]
    assert stage.of("second") == ["queued", "1", "preview", "2", "3", "painted"]


def test_it_does_not_stop_it_before(stage: Stage) -> None:
    """As long as nothing has been shown, nothing is thrown away: painting on and on would never show anything."""

    def work(order: Order) -> None:
        for number in range(1, 4):
            stage.log.append(("blind", str(number)))
            if number == 1:
                stage.submit("second", "artist")()
            stage.painter.give_way(order, LONG)

    stage.painter.submit(Order(work, lambda event: stage.log.append(("blind", event["event"])), "artist"))
    stage.play()
    assert stage.of("blind") == ["queued", "1", "2", "3"]
    assert stage.of("second")[-1] == "painted"


@pytest.mark.parametrize(("seconds", "last"), [(NEARLY_DONE * 0.9, "painted"), (NEARLY_DONE * 1.1, "superseded")])
def test_what_is_nearly_done_is_finished(stage: Stage, seconds: float, last: str) -> None:
    stage.cues["first", 2] = stage.submit("second", "artist")
    stage.submit("first", "artist", seconds=seconds)()
    stage.play()
    assert stage.of("first")[-1] == last
    assert stage.of("second")[-1] == "painted"


def test_of_those_that_wait_only_the_newest_is_painted(stage: Stage) -> None:
    def many() -> None:
        for number in range(2, 6):
            stage.submit(f"stroke {number}", "artist")()

    stage.cues["stroke 1", 1] = many
    stage.submit("stroke 1", "artist")()
    stage.play()
    for number in range(2, 5):
        assert stage.of(f"stroke {number}") == ["queued", "superseded"]
    assert stage.of("stroke 5")[-1] == "painted"


def test_painting_on_and_on_shows_a_preview_of_every_order_that_begins(stage: Stage) -> None:
    for number in range(20):
        stage.cues[f"stroke {number}", 1] = stage.submit(f"stroke {number + 1}", "artist", evaluations=20)
    stage.submit("stroke 0", "artist", evaluations=20)()
    stage.play()
    assert all("preview" in stage.of(f"stroke {number}") for number in range(21))
    assert stage.of("stroke 20")[-1] == "painted"
    assert len(stage.evaluations()) == 20 + 20


def test_a_client_that_goes_is_not_painted_for_any_longer(stage: Stage) -> None:
    order = stage.order("gone", evaluations=20)
    stage.cues["gone", 2] = lambda: stage.painter.withdraw(order)
    stage.painter.submit(order)
    stage.play()
    assert stage.of("gone") == ["queued", "1", "preview", "2"]


def test_one_that_waits_and_goes_is_not_begun(stage: Stage) -> None:
    waiting = stage.order("waiting", "other")
    stage.cues["first", 1] = lambda: stage.painter.submit(waiting)
    stage.cues["first", 2] = lambda: stage.painter.withdraw(waiting)
    stage.submit("first", seconds=0.01)()  # too short for others' previews
    stage.play()
    assert stage.of("waiting") == ["queued"]


def test_each_of_three_sessions_sees_a_preview_within_three_evaluations(stage: Stage) -> None:
    for name in ("a", "b", "c"):
        stage.submit(name, evaluations=20)()
    stage.play()
    assert stage.evaluations()[:3] == ["a", "b", "c"]
    assert [name for name, event in stage.log if event == "preview"] == ["a", "b", "c"]
    assert [name for name, event in stage.log if event == "painted"] == ["a", "b", "c"]
    assert len(stage.evaluations()) == 3 * 20 + 2  # the two that were looked at begin again


def test_sessions_take_turns(stage: Stage) -> None:
    """One that asks again and again does not keep another waiting."""
    stage.submit("a", "greedy")()
    stage.submit("b", "patient")()
    stage.cues["a", 2] = stage.submit("a again", "greedy")
    stage.cues["b", 2] = stage.submit("a once more", "greedy")
    stage.play()
    assert [name for name, event in stage.log if event == "painted"] == ["b", "a once more"]


def test_a_preview_is_told_once(stage: Stage) -> None:
    stage.submit("a")()
    stage.submit("b")()
    stage.play()
    assert stage.of("b") == ["queued", "1", "preview", "1", "2", "3", "painted"]


def test_one_that_shows_nothing_at_its_first_evaluation_is_looked_at_once(stage: Stage) -> None:
    """As where the model chooses t0 first."""

    def work(order: Order) -> None:
        for number in range(1, 4):
            stage.log.append(("blind", str(number)))
            stage.painter.give_way(order, LONG)

    stage.submit("first")()
    stage.painter.submit(Order(work, lambda event: None, "other"))
    stage.play()
    assert stage.evaluations() == ["first", "blind", "first", "first", *["blind"] * 3]


def test_what_has_no_preview_is_begun_once(stage: Stage) -> None:
    stage.submit("image", "a")()
    stage.submit("suggestion", "b", "suggest")()
    stage.submit("other image", "c")()
    stage.play()
    assert stage.evaluations() == ["image", "other image", *["image"] * 2, *["suggestion"] * 3, *["other image"] * 3]


def test_idle_work_stands_still_while_there_is_live_work_and_goes_on_where_it_was(stage: Stage) -> None:
    stage.cues["variants", 3] = stage.submit("stroke", "artist")
    stage.submit("variants", "artist", "idle", evaluations=5)()
    stage.play()
    assert stage.evaluations() == ["variants"] * 3 + ["stroke"] * 3 + ["variants"] * 2
    assert stage.of("variants")[-1] == "painted"


def test_idle_work_waits_for_all_that_is_live(stage: Stage) -> None:
    stage.submit("idle", "x", "idle")()
    stage.submit("live", "y")()
    stage.cues["live", 3] = stage.submit("live again", "y")
    stage.play()
    assert [name for name, event in stage.log if event == "painted"] == ["live", "live again", "idle"]
    assert stage.evaluations() == [*["live"] * 3, *["live again"] * 3, *["idle"] * 3]


def test_idle_work_that_runs_is_not_replaced(stage: Stage) -> None:
    stage.cues["large", 1] = stage.submit("strip", "artist", "idle")
    stage.cues["large", 2] = stage.submit("strip again", "artist", "idle")
    stage.submit("large", "artist", "idle")()
    stage.play()
    assert stage.of("large")[-1] == "painted"
    assert stage.of("strip") == ["queued", "superseded"]
    assert stage.of("strip again")[-1] == "painted"


def test_idle_work_whose_client_went_while_it_stood_still_does_not_go_on(stage: Stage) -> None:
    order = stage.order("idle", "x", "idle", evaluations=20)
    stage.cues["idle", 1] = stage.submit("live", "y")
    stage.cues["live", 2] = lambda: stage.painter.withdraw(order)
    stage.painter.submit(order)
    stage.play()
    assert stage.of("idle") == ["queued", "1", "preview"]
    assert stage.of("live")[-1] == "painted"


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (RefusedError("no such model", 404), 404),
        (MemoryError(), 503),
        (RuntimeError("CUDA out of memory"), 503),
        (ZeroDivisionError(), 500),
    ],
)
def test_what_fails_is_told_and_the_others_go_on(
    stage: Stage, failure: Exception, status: int, capsys: pytest.CaptureFixture
) -> None:
    told = []
    order = stage.order("bad", failure=failure)
    order._tell = told.append
    stage.painter.submit(order)
    stage.submit("good")()
    stage.play()
    assert told[-1]["event"] == "error"
    assert told[-1]["status"] == status
    assert stage.of("good")[-1] == "painted"


def test_one_that_fails_at_its_first_look_is_told_once(stage: Stage) -> None:
    def work(order: Order) -> None:
        stage.log.append(("bad", "work"))
        raise RefusedError("cannot be done")

    stage.painter.submit(stage.order("good"))
    stage.painter.submit(Order(work, lambda event: stage.log.append(("bad", event["event"])), "other"))
    stage.play()
    assert stage.of("bad") == ["queued", "work", "error"]


def test_there_is_a_most_number_of_sessions(stage: Stage) -> None:
    for number in range(MOST_SESSIONS):
        stage.submit("order", f"session {number}")()
    with pytest.raises(RefusedError, match="32 others") as refused:
        stage.submit("order", "one more")()
    assert refused.value.status == 429
    stage.submit("order", "session 3")()  # one that is known may go on


def test_sessions_that_are_done_make_room(stage: Stage) -> None:
    orders = [stage.order("order", f"session {number}") for number in range(MOST_SESSIONS)]
    for order in orders:
        stage.painter.submit(order)
    stage.painter.withdraw(orders[5])
    stage.submit("order", "one more")()


def test_the_end_is_told_to_who_waits(stage: Stage) -> None:
    stage.cues["a", 2] = stage.painter.stop
    stage.submit("a")()
    stage.submit("b")()
    stage.painter.run()
    assert stage.of("a")[-1] == stage.of("b")[-1] == "error"
    with pytest.raises(RefusedError, match="stopped"):
        stage.submit("c")()


def test_it_is_said_how_many_come_first(stage: Stage) -> None:
    ahead = []
    for number in range(3):
        order = stage.order("order", f"session {number}")
        order._tell = ahead.append
        stage.painter.submit(order)
    assert [event["ahead"] for event in ahead] == [0, 1, 2]
