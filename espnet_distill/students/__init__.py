"""Students: variants of ESPnet's models, and such as are cut out of their teacher."""

# Choices of ESPnet's ``--tts`` that this package adds, and where their classes are.
VARIANTS = {
    "fastspeech2_rnn": "fastspeech2_rnn.FastSpeech2RNN",
    "fastspeech2_sepconv": "fastspeech2_sepconv.FastSpeech2SepConv",
    "fastspeech2_convnext": "fastspeech2_convnext.FastSpeech2ConvNeXt",
    "fastspeech2_sized": "sized.FastSpeech2Sized",
    "fastspeech_sized": "sized.FastSpeechSized",
    "transformer_sized": "sized.TransformerSized",
    "fastspeech2_rnn_sized": "sized.FastSpeech2RNNSized",
    "fastspeech2_sepconv_sized": "sized.FastSpeech2SepConvSized",
    "fastspeech2_convnext_sized": "sized.FastSpeech2ConvNeXtSized",
}
