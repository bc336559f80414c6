# Where the corpus is: a folder with VCTK-Corpus-0.92's wav48_silence_trimmed/ and txt/.
# Edinburgh DataShare has it (11 GB, CC BY 4.0): https://doi.org/10.7488/ds/2645
VCTK=${VCTK:-downloads}
