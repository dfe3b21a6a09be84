"""The models that come along: a file NAME.safetensors each."""

BUILT_IN = "landscapes-128"
