# Where the corpus is: the folder jsut_ver1.1, whose subfolders have transcript_utf8.txt
# (lines "id:text") and wav/. If it does not exist, it is downloaded there (2.7 GB).
JSUT=${JSUT:-downloads/jsut_ver1.1}
