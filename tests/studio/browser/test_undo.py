"""Undo, redo and what is kept: whatever was done, the pixels are those of doing it all again from nothing."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.helpers.browser import Studio

SIZE = 64
SAME = (
    "const again = studio.painting.replayed(); const { state } = studio.painting;"
    "const same = (a, b) => a.length === b.length && a.every((value, n) => value === b[n]);"
    "return same(again.strokes, state.strokes) && same(again.mask, state.mask) && again.t0 === state.t0"
    " && again.paper === state.paper && again.width === state.width;"
)


def random_step(generator: random.Random) -> dict[str, Any]:
    """A random thing to do: an action, undo, redo, or a stroke that is drawn point by point."""
    colour = f"#{generator.randrange(1 << 24):06x}"
    layer = generator.choice(["strokes", "strokes", "strokes", "mask"])
    place = {"x": generator.uniform(-8, SIZE + 8), "y": generator.uniform(-8, SIZE + 8)}
    common = {"layer": layer, "colour": colour, "opacity": generator.choice([1, 0.4])}
    match generator.randrange(12):
        case 0 | 1:
            return {"undo": generator.choice([1, 1, 1, 2, 2, 20])}
        case 2:
            return {"redo": generator.choice([1, 18])}
        case 3:
            return {"do": {"kind": "fill", "erases": False, "tolerance": generator.randrange(60), **place, **common}}
        case 4:
            return {"do": {"kind": generator.choice(["clear", "clear", "paper"]), "layer": layer, "colour": colour}}
        case 5:
            return {"do": {"kind": "t0", "value": generator.random()}}
    brush = {
        "size": generator.uniform(1, 30),
        "hardness": generator.choice([1, 0.1]),
        "pressureSize": generator.random() < 0.5,
        "pressureOpacity": generator.random() < 0.5,
        "symmetry": generator.choice(["none", "vertical", "horizontal"]),
    }
    points = [
        value for _ in range(5) for value in (*(generator.uniform(-8, SIZE + 8) for _ in "xy"), generator.random())
    ]
    stroke = {"kind": "stroke", "erases": generator.random() < 0.3, "brush": brush, "points": points[:3], **common}
    return {"draw": stroke, "points": points[3:], "straight": generator.random() < 0.2}


@pytest.mark.parametrize("seed", range(2))
def test_the_pixels_are_those_of_doing_everything_again(studio_page: Studio, seed: int) -> None:
    page = studio_page
    page.still()
    page.sheet(SIZE, SIZE)
    page.ask("studio.painting.states.clear(); studio.painting.states.set(0, studio.painting.replayed())")
    page.ask("studio.painting.restore([studio.painting.actions[1]], 1)")  # without the guide, which takes long
    generator = random.Random(seed)
    steps = [random_step(generator) for _ in range(300)]
    wrong, longest = page.ask(
        f"const same = () => {{ {SAME} }};"
        "const { painting } = studio; let longest = 0;"
        "for (const [n, step] of it.entries()) {"
        "  if (step.undo) for (let k = 0; k < step.undo; k++) painting.undo();"
        "  else if (step.redo) for (let k = 0; k < step.redo; k++) painting.redo();"
        "  else if (step.do) painting.do(step.do);"
        "  else {"
        "    painting.begin(step.draw);"
        "    if (step.straight) for (let k = 0; k < 12; k += 3) painting.straighten(step.points.slice(k, k + 3));"
        "    else { painting.extend(step.points.slice(0, 3)); painting.extend(step.points.slice(3)); }"
        "    painting.end();"
        "  }"
        "  if (!same()) return [n, 0];"
        "  longest = Math.max(longest, painting.actions.length);"
        "}"
        "return [null, longest];",
        steps,
    )
    assert wrong is None, f"seed {seed}: after step {wrong}, {steps[wrong]}"
    assert longest > 32  # more than a few of the states that undo keeps


def test_everything_can_be_undone_back_to_the_beginning_and_redone(studio_page: Studio) -> None:
    page = studio_page
    page.still()
    page.set(size=20)
    for n in range(40):
        page.ask(
            "studio.painting.do({ kind: 'stroke', layer: 'strokes', erases: false, colour: '#c83214', opacity: 1,"
            " brush: { size: 9, hardness: 1, symmetry: 'none' }, points: [it, it, 1] })",
            10 * n,
        )
    last = page.pixels()
    page.page.locator("#undo").click()
    for _ in range(60):
        page.page.keyboard.press("z")
    assert page.ask("return studio.painting.cursor") == 1
    assert page.page.locator("#undo").is_disabled()
    for _ in range(60):
        page.page.keyboard.press("y")
    assert (page.pixels() == last).all()


def test_a_new_painting_and_a_cleared_one_can_be_undone(studio_page: Studio) -> None:
    page = studio_page
    page.still()
    guide = page.pixels()
    page.page.locator("#clear").click()
    page.page.locator("#new").click()
    page.page.get_by_role("button", name="Panorama").click()
    page.wait_until("studio.view.width === 1024")
    for _ in range(2):
        page.page.keyboard.press("Control+z")
    assert (page.pixels() == guide).all()
