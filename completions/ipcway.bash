# SPDX-License-Identifier: MIT
# Completion for bash. What can be said is known by `ipcway complete`; here is only how bash wants it.
#
# Bash cuts words at ':', '=' and the like. So the line is cut anew, at blanks, and of each candidate only what stands behind the last of bash's cuts is
# handed back, for the rest is on the line already. Quotes are not looked into.
_ipcway() {
	local line=${COMP_LINE:0:COMP_POINT} last= before= i
	local -a words
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	last=${words[-1]}
	for ((i = ${#last}; i > 0; i--)); do
		if [[ $COMP_WORDBREAKS == *"${last:i-1:1}"* ]]; then
			before=${last:0:i}
			break
		fi
	done
	mapfile -t COMPREPLY < <("${words[0]}" complete -- "${words[@]:1}" 2>/dev/null)
	if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[:/=] ]]; then
		compopt -o nospace 2>/dev/null # there is more to come
	fi
	COMPREPLY=("${COMPREPLY[@]#"$before"}")
}
complete -o default -F _ipcway ipcway
