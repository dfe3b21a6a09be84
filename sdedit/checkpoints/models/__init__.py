"""The models that come along, a file NAME.safetensors each; and a table NAME.toml for each published one."""

from pathlib import Path

BUILT_IN = "landscapes-256"
FOLDER = Path(__file__).parent
