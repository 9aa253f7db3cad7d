# bash completion for wirelap: options, the values of --format, and files.
_wirelap() {
  local current=$2 option=$3
  # `--format=` is three words for bash: the option, '=' and the value.
  [[ $current == = ]] && current=
  [[ $option == = ]] && option=${COMP_WORDS[COMP_CWORD - 2]}
  [[ ${COMP_WORDS[COMP_CWORD]} == = ]] && option=${COMP_WORDS[COMP_CWORD - 1]}
  case $option in
    -f | --format)
      COMPREPLY=($(compgen -W 'table ndjson json csv classic' -- "$current"))
      return ;;
    -p | --port | --memory | --header)
      return ;;
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W '-r -f --format -o --output -p --port --memory --join --header --s3 --packets --connections
      --tcp -q --quiet --no-sandbox -h --help --version' -- "$current"))
  else
    compopt -o filenames
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -F _wirelap wirelap
