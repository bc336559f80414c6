"""Registry of student models: choice of ``--tts`` → class."""

# Classes are relative to ``students.models``.
VARIANTS = {
    "fastspeech2_rnn": "fastspeech2_rnn.FastSpeech2RNN",
    "fastspeech2_sepconv": "fastspeech2_sepconv.FastSpeech2SepConv",
    "fastspeech2_convnext": "fastspeech2_convnext.FastSpeech2ConvNeXt",
    "fastspeech2_sized": "per_layer.FastSpeech2Sized",
    "fastspeech_sized": "per_layer.FastSpeechSized",
    "transformer_sized": "per_layer.TransformerSized",
    "fastspeech2_rnn_sized": "per_layer.FastSpeech2RNNSized",
    "fastspeech2_sepconv_sized": "per_layer.FastSpeech2SepConvSized",
    "fastspeech2_convnext_sized": "per_layer.FastSpeech2ConvNeXtSized",
}


# Models that only synthesize; they are no students, which a task would train.
SYNTHESIZERS = {
    "vits_synthesizer": "synthesizers.VITSSynthesizer",
    "jets_synthesizer": "synthesizers.JETSSynthesizer",
}
