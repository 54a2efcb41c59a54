# SPDX-License-Identifier: MIT
# complete.zsh SCRIPTS LINE: types LINE and a tab into a zsh of its own and shows what it has made of it.
zmodload zsh/zpty
zpty z "PS1= TERM=dumb zsh -f -i"
zpty -w z "fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; unsetopt zle_bracketed_paste; echo rea''dy"
zpty -r -m z seen '*ready*'
zpty -w -n z "$2"$'\t'
zpty -w -n z $'\C-a: \C-e\n'"echo do''ne"$'\n'
zpty -r -m z seen '*done*'
print -r -- "$seen"
zpty -d z
