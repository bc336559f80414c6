# Where the corpus is: lines "id|text" or "id|text|normalized text", and the recordings.
METADATA=@metadata@
WAVS=@wavs@
