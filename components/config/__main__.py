"""`python -m components.config` writes the stack file's JSON Schema; run it from the project."""

from components.config.schema import SCHEMA_FILE, text

if __name__ == "__main__":
    SCHEMA_FILE.write_text(text(), encoding="utf-8")
