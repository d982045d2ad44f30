"""Completion scripts for bash, zsh and fish, from tables of verbs, options and values.

bash and zsh share one function with a ``case`` over "VERB OPTION"; each shell has a short
driver that finds the verb and the last option on the line.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

FILES = "<files>"
"""Among values: files and folders are possible too."""
NOTHING = "<nothing>"
"""As the only value: one that cannot be listed, such as a number."""


@dataclass(frozen=True)
class Words:
    """What may follow a verb.

    Attributes:
        positional: values without an option.
        options: {flag: values}; none for a switch.
    """

    positional: tuple[str, ...]
    options: dict[str, tuple[str, ...]]


def plain_words(names: Iterable[str]) -> tuple[str, ...]:
    """The names that no shell expands: a file of experiments may have any name."""
    return tuple(name for name in names if re.fullmatch(r"[\w./:+-]+", name, re.ASCII))


def bash(verbs: Mapping[str, str], words: Mapping[str, Words]) -> str:
    """The script for bash."""
    return _table(verbs, words) + BASH


def zsh(verbs: Mapping[str, str], words: Mapping[str, Words]) -> str:
    """The script for zsh."""
    return _table(verbs, words) + ZSH


def _table(verbs: Mapping[str, str], words: Mapping[str, Words]) -> str:
    """The function ``_proxylab_values VERB OPTION``, in the syntax that both shells know."""
    lines = ["_proxylab_values() {", '    case "$1 $2" in']
    for verb, known in words.items():
        lines += [
            f'        "{verb} {flag}") echo "{" ".join(values)}" ;;'
            for flag, values in known.options.items()
            if values
        ]
        lines.append(
            f'        "{verb} -") echo "{" ".join([*known.positional, *known.options])}" ;;'
        )
    lines += [f'        " -") echo "{" ".join(verbs)} --help --version" ;;', "    esac", "}"]
    return "\n".join(lines) + "\n"


BASH = r"""
_proxylab() {
    local line="${COMP_LINE:0:COMP_POINT}" words word verb="" option="" values kept=""
    local current="${line##* }" names
    read -ra words <<< "${line% *}"
    for word in "${words[@]:1}"; do
        if [ -z "$verb" ]; then verb="$word"; elif [[ $word == --* ]]; then option="$word"; fi
    done
    values="$(_proxylab_values "$verb" "$option")"
    if [[ -z $values || $current == -* || ${words[-1]} != "$option" ]]; then
        values+=" $(_proxylab_values "$verb" -)"
    fi
    names="${values//<files>/}"
    COMPREPLY=($(compgen -W "${names//<nothing>/}" -- "$current"))
    [[ $values == *"<files>"* ]] && COMPREPLY+=($(compgen -f -- "$current"))
    [[ $COMP_WORDBREAKS == *:* ]] && kept="${current%"${current##*:}"}"
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
}
complete -o filenames -F _proxylab proxylab
"""

ZSH = r"""
_proxylab() {
    local word verb="" option="" values
    for word in "${(@)words[2,CURRENT-1]}"; do
        if [[ -z $verb ]]; then verb=$word; elif [[ $word == --* ]]; then option=$word; fi
    done
    values="$(_proxylab_values "$verb" "$option")"
    if [[ -z $values || $PREFIX == -* || ${words[CURRENT-1]} != "$option" ]]; then
        values+=" $(_proxylab_values "$verb" -)"
    fi
    [[ $values == *"<files>"* ]] && _files
    compadd -- ${=${values//<files>/}//<nothing>/}
}
compdef _proxylab proxylab
"""


def fish(verbs: Mapping[str, str], words: Mapping[str, Words]) -> str:
    """The script for fish."""
    lines = ["complete -c proxylab -f"]
    for verb, summary in verbs.items():
        lines.append(_fish("__fish_use_subcommand", f"-a {verb} -d {_quoted(summary)}"))
    for verb, known in words.items():
        seen = f"__fish_seen_subcommand_from {verb}"
        names = _listed(known.positional)
        lines += [_fish(seen, f"-a {_quoted(names)}")] if names else []
        lines += [_fish(seen, "-F")] if FILES in known.positional else []
        for flag, values in known.options.items():
            lines.append(_fish(seen, f"-l {flag.removeprefix('--')}{_fish_values(values)}"))
    return "\n".join(lines) + "\n"


def _fish_values(values: tuple[str, ...]) -> str:
    """The part of a line that says what follows an option."""
    if not values:
        return ""
    names = _listed(values)
    kind = " -r -F" if FILES in values else " -x"
    return f"{kind} -a {_quoted(names)}" if names else kind


def _fish(condition: str, rest: str) -> str:
    return f"complete -c proxylab -n {_quoted(condition)} {rest}"


def _listed(values: tuple[str, ...]) -> str:
    return " ".join(value for value in values if value not in (FILES, NOTHING))


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SCRIPTS: dict[str, Callable[[Mapping[str, str], Mapping[str, Words]], str]] = {
    "bash": bash,
    "zsh": zsh,
    "fish": fish,
}
"""shell: function (verbs, words) -> script."""
