# Where the corpus is: a folder with LJSpeech-1.1 in it. If none is named, ESPnet's
# local/data_download.sh fetches it into downloads (2.6 GB).
if [ -n "${LJSPEECH:-}" ] && [ ! -f "${LJSPEECH}/LJSpeech-1.1/metadata.csv" ]; then
    echo "db.sh: error: LJSPEECH=${LJSPEECH}: no LJSpeech-1.1/metadata.csv in it" >&2
    exit 2
fi
LJSPEECH=${LJSPEECH:-downloads}
