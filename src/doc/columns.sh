#!/bin/sh
# Writes the columns of PROGRAM's records into the manual page wirelap-records.5, between its lines
# '.\" columns of ...: begin' and '... end'. With 'check' it changes nothing and fails where the page is not up to date.
# usage: src/doc/columns.sh PROGRAM [check]
set -eu
page=$(dirname "$0")/wirelap-records.5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" --columns > "$work/columns"

awk -F '\t' '
  function put(text,   words, count, i, line) {  # in lines of at most 79 characters
    count = split(text, words, " ")
    line = words[1]
    for (i = 2; i <= count; ++i) {
      if (length(line) + length(words[i]) > 78) { print line; line = words[i] } else line = line " " words[i]
    }
    print line
  }
  function list(type,   i) {
    print ".Bl -tag -compact -width retransmitted_packets"
    for (i = 1; i <= count; ++i) {
      if (records[i] !~ type) continue
      print ".It Va " names[i]
      put(kinds[i] ": " descriptions[i])
    }
    print ".El"
  }
  function shared(   i, last, comma) {
    for (i = 1; i <= count; ++i) if (records[i] ~ /,/) last = i
    print "It has these columns of an exchange, of the whole connection:"
    for (i = 1; i <= last; ++i) {
      if (records[i] !~ /,/) continue
      if (i == last) print "and"
      print ".Va " names[i] " " (i == last ? "." : ",")
    }
    print ".Pp"
    print "It also has these:"
  }
  FILENAME == ARGV[1] {
    if (FNR == 1) next
    names[++count] = $1; records[count] = $2; descriptions[count] = $6
    kinds[count] = ($5 == "s" ? "seconds" : $5 != "" ? $5 : $3) ($4 == "yes" ? " or null" : "")
    next
  }
  / columns of .*: end$/ { skip = 0 }
  !skip { print }
  / columns of an exchange: begin$/ { list("exchange"); skip = 1; ++lists }
  / columns of a connection: begin$/ { shared(); list("^connection$"); skip = 1; ++lists }
  END { if (lists != 2) { print "doc: the page lacks the lines around the columns" > "/dev/stderr"; exit 1 } }
' "$work/columns" "$page" > "$work/page"

if [ "${2:-}" = check ]; then
  diff -u "$page" "$work/page" || { echo "doc: $page is not up to date: make doc-update" >&2; exit 1; }
else
  cp "$work/page" "$page"
fi
