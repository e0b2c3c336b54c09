# SPDX-License-Identifier: BSD-3-Clause
# Completion of holdfast(8) in bash. Commands and options come from the tool's own help, names of
# devices from the daemon, so that this file cannot fall behind.

_holdfast_commands() {
	holdfast --help 2>/dev/null | sed -n 's/^  \([a-z][a-z -]*[a-z]\)\( [A-Z].*\|  .*\)$/\1/p' |
		sed 's/ *$//'
}

_holdfast() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local words=() w options
	for w in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $w == -* ]] || words+=("$w")
	done
	case $prev in
	--socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
	--layout) COMPREPLY=($(compgen -W 'linear stripe' -- "$cur")); return ;;
	--write-protect) COMPREPLY=($(compgen -W 'on off' -- "$cur")); return ;;
	--disk)
		COMPREPLY=($(compgen -W "$(holdfast disk list 2>/dev/null |
			awk 'NR > 1 { print $1 }')" -- "$cur"))
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		options=$(holdfast --help 2>/dev/null; holdfast "${words[@]:0:2}" --help 2>/dev/null)
		COMPREPLY=($(compgen -W "$(grep -o -- '^  --[a-z-]*' <<<"$options" | sort -u)" \
			-- "$cur"))
		return
	fi
	case ${words[*]} in
	'') options=$(_holdfast_commands | cut -d' ' -f1 | sort -u) ;;
	device | disk | reservation | session)
		options=$(_holdfast_commands | sed -n "s/^${words[0]} //p")
		;;
	'device grow' | 'device rename' | 'device set' | 'device delete' | 'reservation show' | \
		'reservation break' | 'reservation pick')
		options=$(holdfast device list 2>/dev/null | awk 'NR > 1 { print $1 }')
		;;
	'disk init' | 'disk show') COMPREPLY=($(compgen -f -- "$cur")); return ;;
	*) options= ;;
	esac
	COMPREPLY=($(compgen -W "$options" -- "$cur"))
}
complete -F _holdfast holdfast
