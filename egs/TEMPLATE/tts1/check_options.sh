# Refuse option values that utils/parse_options.sh or run.pl would interpret: the former
# evaluates values, the latter passes words to a shell unquoted.

_refuse() {  # _refuse OPTION VALUE REASON: print one line, exit with status 2
    echo "$0: error: $1${2:+ ${2//[[:cntrl:]]/?}}: $3" >&2
    exit 2
}

check_options() {  # check_options SPACED PATTERNS "$@": options that allow spaces; also * and []
    local spaced=" $1 $2 " patterns=" $2 " option value name special char i
    shift 2
    while [[ ${1:-} == --* && $1 != --help ]]; do
        option=$1
        [[ ${option} =~ ^--[A-Za-z][A-Za-z0-9_-]*$ ]] \
            || _refuse "${option//[[:cntrl:]]/?}" "" "no option; write --name value"
        [ $# -ge 2 ] || _refuse "${option}" "" "has no value"
        value=$2 name=${option#--}
        name=${name//-/_} special="'\"\$\`\\;&|<>()#{}!"
        if [[ ${patterns} != *" ${name} "* ]]; then
            special+="*?[]"
            [[ ${value} != --* ]] || _refuse "${option}" "${value}" "is an option, not a value"
        fi
        [[ ${value} != *[[:cntrl:]]* ]] \
            || _refuse "${option}" "${value}" "has a control character, such as a line break"
        for ((i = 0; i < ${#special}; i++)); do
            char=${special:i:1}
            [[ ${value} != *"${char}"* ]] \
                || _refuse "${option}" "${value}" "has ${char}, which a shell reads; rename it"
        done
        [[ ${spaced} == *" ${name} "* || ${value} != *" "* ]] \
            || _refuse "${option}" "${value}" "has a space, which tts.sh cannot take; rename it"
        shift 2
    done
}
