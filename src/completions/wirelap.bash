# bash completion for wirelap: options, the values of --format, and files.
_wirelap() {
  local current=$2 option=$3
  # bash splits `--format=csv` into three words: the option, '=' and the value.
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
    COMPREPLY=($(compgen -W '-r -o --output -f --format -p --port --join --memory --header --s3 --packets --connections
      --tcp -q --quiet --no-sandbox --columns -h --help -V --version' -- "$current"))
  else
    compopt -o filenames
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -F _wirelap wirelap
