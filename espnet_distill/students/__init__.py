"""Students: variants of ESPnet's models, and such as are cut out of their teacher."""

# Choices of ESPnet's ``--tts`` that this package adds, and where their classes are.
VARIANTS = {
    "fastspeech2_rnn": "fastspeech2_rnn.FastSpeech2RNN",
    "fastspeech2_sepconv": "fastspeech2_sepconv.FastSpeech2SepConv",
    "fastspeech2_convnext": "fastspeech2_convnext.FastSpeech2ConvNeXt",
}
