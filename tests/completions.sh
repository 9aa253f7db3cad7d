#!/bin/sh
# Loads the completions in bash, zsh and fish and compares what they offer: after '-', every option of `wirelap --help`
# and no other; after -f, every format; elsewhere, files. A shell that is not installed is skipped, with a message.
# usage: tests/completions.sh PROGRAM
set -eu
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
completions=$PWD/src/completions
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/files"
cd "$folder/files"
touch one.pcap two.pcap

# offer_SHELL LINE prints what the shell offers for the last word of the command line, one a line.
offer_bash() {
  bash --norc -c '
    source "$1"
    compopt() { :; }  # it fails unless a line is being edited
    COMP_WORDS=(${2//=/ = })
    [[ $2 != *" " ]] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _wirelap wirelap "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    printf "%s\n" "${COMPREPLY[@]}"' bash "$completions/wirelap.bash" "$1"
}

# zsh completes only while a line is edited, so this types the line into a shell in a pseudo-terminal and replaces the
# builtin that adds what is offered.
offer_zsh() {
  rm -f "$folder/offers"
  timeout 20 zsh -f -c '
    zmodload zsh/zpty
    zpty shell zsh -f -i
    zpty -w shell "PS1=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -D -u
      compadd() { local -a all; builtin compadd -O all \"\$@\"; print -rl -- \$all >> $3; builtin compadd \"\$@\" }
      quit() { exit }; zle -N quit; bindkey \"^I\" complete-word; bindkey \"^X\" quit; print start\"\"ed"
    zpty -r -m shell line "*started*"
    zpty -w -n shell "$2"$'"'\t\x18'"'
    zpty -r -m shell line "*never*"' zsh "$completions" "$1" "$folder/offers" || true
  cat "$folder/offers"
}

offer_fish() { fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$completions/wirelap.fish" "$1" | cut -f 1; }

# expect SHELL LINE WORD... checks that exactly these words are offered.
expect() {
  shell=$1 line=$2
  shift 2
  "offer_$shell" "$line" | sed 's/^--[a-z]*=\(.\)/\1/' | grep . | sort -u > "$folder/offered"
  printf '%s\n' "$@" | sort -u | diff - "$folder/offered" > "$folder/difference" ||
    { echo "completions: $shell: '$line': expected (<), offered (>):" && cat "$folder/difference" && exit 1; }
}

# The options are in the first columns of the lines of the help; -r is in its usage line, -V and --version in that of --help.
options=$("$program" --help | sed -n 's/^ \{2,6\}\(-.*\)/\1/p' | cut -c 1-20 | grep -oE '(^|[ ,])--?[a-zA-Z0-9][a-z0-9-]*' | tr -d ' ,')
options="$options -r -V --version"
formats=$("$program" -f nothing 2>&1 | sed -n 's/.*expected one of //; s/,//g; 1p')
tried=
for shell in bash zsh fish; do
  command -v $shell > /dev/null || { echo "completions: skipped, $shell is not installed"; continue; }
  expect $shell 'wirelap -' $options
  expect $shell 'wirelap -f ' $formats
  expect $shell 'wirelap --format=' $formats
  expect $shell 'wirelap -q o' one.pcap
  expect $shell 'wirelap -o ' one.pcap two.pcap
  tried="$tried $shell"
done
echo "completions: $(echo $options | wc -w) options, $(echo $formats | wc -w) formats, in:$tried"
