"""A benchmark run replaces one section of the results and keeps the others."""

from pathlib import Path

from bench import record


def test_section_is_replaced_and_other_text_kept(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    path.write_text("# Measured\n\nby hand\n\n<!-- begin a -->\nold\n<!-- end a -->\n\nlast\n")
    record.write("a", "python -m a", [r"ok split: 1 of 2 \1"], path)
    text = path.read_text()
    assert text.startswith("# Measured\n\nby hand\n\n<!-- begin a -->\n`python -m a`, ")
    assert text.endswith("\n- ok split: 1 of 2 \\1\n<!-- end a -->\n\nlast\n")
    assert "old" not in text


def test_first_run_appends_section(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    path.write_text("# Measured\n")
    record.write("b", "python -m b", ["ok x: 1"], path)
    record.write("b", "python -m b", ["FAIL x: 2"], path)
    text = path.read_text()
    assert text.startswith("# Measured\n\n### b\n\n<!-- begin b -->")
    assert text.count("begin b") == 1
    assert "- FAIL x: 2\n<!-- end b -->" in text
