"""Project files."""


def write(folder, text, name="xplain.toml"):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
