"""A site as a folder: whole, the same as what is read, and without what an earlier one left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from atlas_fixtures import Shape, broken_copy, made_up_manifest, make_atlas

from phosphene.errors import StorageError
from phosphene.store.atlas import AtlasFolder
from phosphene.web.atlas_export import LIST, export_site, write_files
from phosphene.web.atlas_site import Site


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> AtlasFolder:
    manifest = made_up_manifest((Shape("features.3", 10), Shape("classifier", 4, None, True)), diversity=0)
    return make_atlas(tmp_path_factory.mktemp("atlas") / "a", manifest, side=8)


class Pages:
    """Files by their paths; ``fails`` is one that cannot be read."""

    def __init__(self, *paths: str, fails: str = "") -> None:
        self.paths, self.fails = paths, fails

    def files(self) -> Iterator[str]:
        return iter(self.paths)

    def read(self, path: str) -> bytes:
        if path == self.fails:
            raise StorageError("the disk is gone")
        if path.endswith("-gone.png"):
            raise KeyError(path)
        return path.encode()


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_an_export_is_what_the_site_reads(folder: AtlasFolder, tmp_path: Path) -> None:
    site, told = Site(folder, png=True), list[tuple[int, int]]()
    index = export_site(site, tmp_path / "site", progress=lambda *n: told.append(n))
    assert index == tmp_path / "site" / "index.html"
    paths = set(site.files())
    assert files_in(tmp_path / "site") == paths | {LIST}
    for path in paths:
        assert (tmp_path / "site" / path).read_bytes() == site.read(path)
    assert told == [(n + 1, len(paths)) for n in range(len(paths) - 1)]


def test_an_export_is_the_same_every_time(folder: AtlasFolder, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export_site(Site(folder), tmp_path / name)
    for path in files_in(tmp_path / "a"):
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_an_export_asks_nobody_for_anything(folder: AtlasFolder, tmp_path: Path) -> None:
    export_site(Site(folder), tmp_path)
    for path in tmp_path.rglob("*"):
        if path.suffix in (".html", ".css", ".js"):
            text = path.read_text().replace("http://www.w3.org/2000/svg", "")
            assert "http://" not in text, path
            assert "https://" not in text, path


def test_what_an_earlier_export_left_goes_and_what_others_left_stays(tmp_path: Path) -> None:
    write_files(Pages("data/old/layer.js", "data/a.js", "pictures/old/1.png", "index.html"), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "data" / "mine.js").write_text("mine")
    write_files(Pages("data/a.js", "index.html"), tmp_path)
    assert files_in(tmp_path) == {"data/a.js", "index.html", LIST, "notes.txt", "data/mine.js"}
    assert not (tmp_path / "pictures").exists()


def test_a_list_from_elsewhere_removes_nothing_outside(tmp_path: Path) -> None:
    (tmp_path / "secret.html").write_text("mine")
    (tmp_path / "site" / "page").mkdir(parents=True)
    (tmp_path / "site" / "mine").mkdir()
    (tmp_path / "site" / "mine" / "thesis.pdf").write_text("mine")
    lines = [
        "../secret.html",
        "data/../../secret.html",
        str(tmp_path / "secret.html"),
        "mine/thesis.pdf",
        "data\\..\\x",
        "",
    ]
    (tmp_path / "site" / LIST).write_text("\n".join(lines))
    write_files(Pages("index.html"), tmp_path / "site")
    assert (tmp_path / "secret.html").exists()
    assert (tmp_path / "site" / "mine" / "thesis.pdf").exists()


def test_an_export_that_was_cut_off_leaves_no_index_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the disk is gone"):
        write_files(Pages("data/a.js", "data/b.js", "index.html", fails="data/b.js"), tmp_path)
    assert files_in(tmp_path) == {"data/a.js", LIST}
    write_files(Pages("data/c.js", "index.html"), tmp_path)
    assert files_in(tmp_path) == {"data/c.js", "index.html", LIST}


def test_what_is_no_earlier_site_is_not_written_over(folder: AtlasFolder, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="holds an atlas; choose another folder"):
        export_site(Site(folder), folder.uri)
    (tmp_path / "index.html").write_text("my own page")
    with pytest.raises(StorageError, match=r"holds an index\.html that is not of a site"):
        export_site(Site(folder), tmp_path)
    assert (tmp_path / "index.html").read_text() == "my own page"
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_a_layer_that_is_called_like_a_script_has_pages(tmp_path: Path) -> None:
    shapes = (Shape("search.js", 3), Shape("atlas.JS", 3), Shape("search-js", 3))
    folder = make_atlas(tmp_path / "a", made_up_manifest(shapes), facts=False, side=8)
    assert list(folder.slugs.values()) == ["search-js", "atlas-js", "search-js-2"]
    assert export_site(Site(folder), tmp_path / "site").is_file()


def test_a_picture_that_turns_out_to_be_damaged_is_left_out(folder: AtlasFolder, tmp_path: Path) -> None:
    write_files(Pages("pictures/1-gone.png", "data/a.js", "index.html"), tmp_path / "few")
    assert files_in(tmp_path / "few") == {"data/a.js", "index.html", LIST}
    broken = Site(broken_copy(folder, "features.3", tmp_path / "b"), png=True)
    export_site(broken, tmp_path / "site")
    assert set(broken.files()) - files_in(tmp_path / "site")
    assert (tmp_path / "site" / "index.html").exists()


def test_a_folder_that_cannot_be_written_is_told(folder: AtlasFolder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="was not written"):
        export_site(Site(folder), tmp_path / "file")


def test_a_file_that_cannot_be_removed_is_told(tmp_path: Path) -> None:
    write_files(Pages("data/a.js", "index.html"), tmp_path)
    (tmp_path / "data" / "a.js").unlink()
    (tmp_path / "data" / "a.js").mkdir()
    with pytest.raises(StorageError, match="of an earlier site, was not removed"):
        write_files(Pages("index.html"), tmp_path)
