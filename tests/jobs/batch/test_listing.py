"""Which guides a job finds, where their pictures go, and their seeds; only names are looked at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sdedit.errors import SdeditError
from sdedit.io.walk import matches, told_left_out
from sdedit.jobs.batch.listing import list_guides, seed_of
from sdedit.jobs.batch.lists import parse_list


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        "g/b.png",
        "g/a.jpg",
        "g/night/z.PNG",
        "g/night/y.tiff",
        "g/.hidden/x.png",
        "g/.a.png.part",
        "g/n.txt",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    os.mkfifo("g/pipe.png")
    return tmp_path


def pairs(*inputs: str, lines: tuple[str, ...] = (), **options: object) -> list[tuple[str, str]]:
    listing = list_guides(inputs, lines, Path("out"), **options)  # type: ignore[arg-type]
    return [(Path(source.path).as_posix(), source.target) for source in listing.guides]


def test_a_folder_keeps_its_tree_and_leaves_out_what_is_no_guide(tree: Path) -> None:
    expected = [
        ("g/a.jpg", "a.png"), ("g/b.png", "b.png"), ("g/night/y.tiff", "night/y.png"), ("g/night/z.PNG", "night/z.png"),
    ]  # fmt: skip
    assert pairs("g") == expected
    assert pairs("./g/") == expected


def test_output_inside_the_folder_is_not_painted_again(tree: Path) -> None:
    listing = list_guides(["g"], [], Path("g/night"))
    assert [source.relative for source in listing.guides] == ["a.jpg", "b.png"]


def test_include_and_exclude(tree: Path) -> None:
    assert [target for _, target in pairs("g", include=("night",))] == ["night/y.png", "night/z.png"]
    assert [target for _, target in pairs("g", include=("*.txt", "b.*"))] == ["b.png", "n.png"]
    assert [target for _, target in pairs("g", exclude=("night/*", "a.*"))] == ["b.png"]
    assert matches("a/b/c.png", ["a/*.png"])
    assert not matches("a/b/c.png", ["x", "a/b"])


def test_several_inputs_and_lists(tree: Path) -> None:
    given = pairs("g/b.png", "g/night", lines=("g/a.jpg", str(tree / "g" / "n.txt"), "g/b.png"))
    assert given == [
        ("g/b.png", "b.png"), ("g/night/y.tiff", "night/y.png"), ("g/night/z.PNG", "night/z.png"),
        ("g/a.jpg", "g/a.png"), (str(tree / "g" / "n.txt"), "n.png"),
    ]  # fmt: skip
    assert parse_list(b"a b.png\r\n\nc.png\n") == ["a b.png", "c.png"]
    assert parse_list(b"a\nb.png\0c.png\0") == ["a\nb.png", "c.png"]


def test_lists_of_other_systems() -> None:
    text = "C/a ü.png\r\nb.png\r\n"
    expected = ["C/a ü.png", "b.png"]
    for data in (
        text.encode("utf-16"), b"\xfe\xff" + text.encode("utf-16-be"), text.encode("utf-16-le").replace(b"\xfc", b"u"),
        text.encode("utf-8-sig"), text.encode("utf-8"),
    ):  # fmt: skip
        assert [line.replace("u", "ü") for line in parse_list(data)] == expected
    assert parse_list(b"caf\xe9.png\n") == [os.fsdecode(b"caf\xe9.png")]
    for data in (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"PK\x03\x04", b"\x7fELF\x02\x01"):
        with pytest.raises(SdeditError, match=r"photo\.bin is no list but binary data"):
            parse_list(data, "photo.bin")


def test_home_is_where_a_list_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert parse_list(b"~/a.png\n~me/b.png\n./~/c.png\n") == ["/home/me/a.png", "~me/b.png", "./~/c.png"]
    monkeypatch.setattr(Path, "expanduser", lambda self: (_ for _ in ()).throw(RuntimeError))
    with pytest.raises(SdeditError, match=r"guides\.txt has ~/a\.png, but nothing says where home is"):
        parse_list(b"~/a.png", "guides.txt")


def test_links_that_cannot_be_followed_fail_in_their_turn(tree: Path) -> None:
    Path("g/gone.png").symlink_to(tree / "nowhere.png")
    Path("g/loop.png").symlink_to(tree / "g" / "loop.png")
    assert {"g/gone.png", "g/loop.png"} < {path for path, _ in pairs("g")}


def test_what_is_left_out_is_told(tree: Path) -> None:
    for name in ("g/phone.HEIC", "g/night/raw.dng", "g/layers.psd"):
        Path(name).touch()
    Path("elsewhere").mkdir()
    Path("g/linked").symlink_to(tree / "elsewhere")
    listing = list_guides(["g"], [], Path("out"))
    assert sorted(listing.left_out) == ["g/layers.psd", "g/linked", "g/night/raw.dng", "g/phone.HEIC"]
    assert len(listing) == 4
    assert "and 1 more" in told_left_out(listing.left_out)
    assert list_guides(["g"], [], Path("out"), include=("*.png",)).left_out == []


def test_names_that_meet_lose_none(tree: Path) -> None:
    for name in ("g/b.gif", "g/c.gif", "g/c.webp"):
        Path(name).touch()
    targets = dict(pairs("g"))
    assert targets["g/b.png"] == "b.png"  # the same with and without its neighbour
    assert targets["g/b.gif"] == "b.gif.png"
    assert {targets["g/c.gif"], targets["g/c.webp"]} == {"c.gif.png", "c.webp.png"}
    assert len(set(targets.values())) == len(targets)
    with pytest.raises(SdeditError, match=r"g/b\.png and .*h/b\.png would both"):
        pairs("g/b.png", str(tree / "h" / "b.png"))


def test_no_picture_replaces_a_guide(tree: Path) -> None:
    with pytest.raises(SdeditError, match="folder of the guides itself"):
        list_guides(["g"], [], Path("g"))
    with pytest.raises(SdeditError, match="is a guide itself"):
        list_guides(["g/b.png", "g/a.jpg"], [], Path("g"))
    Path("g/b-2.png").touch()
    with pytest.raises(SdeditError, match="is a guide itself"):
        list_guides(["g/b.png", "g/b-2.png"], [], Path("g"), variants=2)


def test_nothing_to_paint(tree: Path) -> None:
    Path("empty").mkdir()
    for inputs, lines in ((["empty"], []), ([], [])):
        with pytest.raises(SdeditError, match="no images"):
            list_guides(inputs, lines, Path("out"))


def test_seeds_depend_on_seed_path_and_variant_only(tree: Path) -> None:
    listing = list_guides(["g"], [], Path("out"), variants=2)
    items = listing.tasks(0, 100, 7)
    assert [item.output for item in items[:3]] == [Path("out/a-1.png"), Path("out/a-2.png"), Path("out/b-1.png")]
    assert len({item.seed for item in items}) == len(items) == 8
    alone = list_guides(["g"], [], Path("elsewhere"), variants=3, include=("b.png",)).tasks(0, 100, 7)
    assert [item.seed for item in alone[:2]] == [item.seed for item in items[2:4]]
    assert listing.tasks(2, 4, 8)[0].seed != items[2].seed
    # Written out: the first 48 bits of SHA-256("7/1/b.png").
    assert seed_of(7, "b.png", 1) == items[3].seed == 0xB04A21233986
    assert seed_of(7, "e\u0301.png", 0) == seed_of(7, "\u00e9.png", 0)
