#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# ipcway advise: what it says is held against advise.cases, a table of answers that people have settled; then what stands around the answer.
load helper
bats_require_minimum_version 1.5.0

# The figures of whoever runs the tests are his own.
setup_file() { export XDG_CACHE_HOME=$BATS_FILE_TMPDIR/no-cache; }

# Without the blanks around it, in $trimmed: no process for it, as there are hundreds.
trim() {
	trimmed=${1#"${1%%[![:space:]]*}"}
	trimmed=${trimmed%"${trimmed##*[![:space:]]}"}
}

# The line of the ranking for one way begins with this, after blanks: its place, or "no"; and says this of it.
row() { # WAY PLACE [REASON]
	[[ $'\n'$output =~ $'\n'\ *"$2"\ +"$1"\ [^$'\n']*"${3:-}" ]] || { echo "no row \"$2 $1 ... ${3:-}\""; return 1; }
}

one_case() { # OPTIONS PLACES OUT
	local i=0 place part places parts way
	run ipcway advise $1
	IFS=, read -ra places <<<"$2"
	if [ "$2" = none ]; then
		[ "$status" = 1 ] && is_in "use       none" "$output" && [[ $output != *ipw_open* ]] || return 1
	else
		[ "$status" = 0 ] && is_in "use       ${places[0]} " "$output" || return 1
		for place in "${places[@]}"; do
			i=$((i + 1))
			trim "$place"
			row "$trimmed" $i || return 1
		done
	fi
	IFS=';' read -ra parts <<<"$3"
	for part in "${parts[@]}"; do
		trim "${part%%:*}"
		[ -n "$trimmed" ] || continue
		way=$trimmed
		trim "${part#*:}"
		row "$way" no "$trimmed" || return 1
	done
}

@test "advise: the cases that people have settled" {
	local cases=0 failed=0 options places out because
	while IFS='|' read -r options places out because; do
		[[ $options != '#'* && -n $places ]] || continue
		trim "$because"
		[ -n "$trimmed" ]
		cases=$((cases + 1))
		trim "$places"
		one_case "$options" "$trimmed" "$out" || { echo "*** $options: $output"; failed=$((failed + 1)); }
	done <"$BATS_TEST_DIRNAME/advise.cases"
	[ $failed = 0 ]
	[ $cases -ge 25 ]
}

@test "advise: what was not said stands in the answer, and the same options give the same answer" {
	run -0 ipcway advise
	is_in "asked     --size 256 --rate 1000 --fanout 1:1 --relation unrelated --persist no --machines one --wait block" "$output"
	first=$output
	run -0 ipcway advise $(sed -n 's/^asked *//p' <<<"$output")
	[ "$output" = "$first" ]
	run -0 ipcway advise --lossy --both-ways
	is_in "block --both-ways --lossy" "$output"
}

@test "advise: what it says would change the answer does" {
	run -0 ipcway advise
	is_in "pipe            if they were parent and child" "$output"
	[[ $output =~ shm\ +if\ .*there\ were\ ([0-9]+)\ messages\ a\ second ]]
	rate=${BASH_REMATCH[1]}
	run -0 ipcway advise --rate "$rate"
	is_in "use       shm " "$output"
	is_in "unix+seqpacket  if there were only $((rate / 10)) messages a second" "$output"
	run -0 ipcway advise --rate $((rate / 10))
	is_in "use       unix+seqpacket " "$output"
}

@test "advise: where nothing fits, what would have to give" {
	run -1 ipcway advise --machines many --fanout N:M
	is_in "shm             if all were on one machine" "$output"
	run -1 ipcway advise --machines many --persist power --both-ways --fanout 1:N
	is_in "and no single change would help" "$output"
}

@test "advise: the address, and what to give with it" {
	run -0 ipcway advise --rate 3M --name prices
	is_in 'ipw_open(&in, "shm:/prices?consumers=1&producers=1&keep=0&until=last", IPW_PULL, IPW_FOREVER, &why);' "$output"
	is_in "consumers=1: one receiver, which then needs no lock" "$output"
	run -0 ipcway advise --persist power --name /srv/prices
	is_in '"log:/srv/prices?ack=disk", IPW_PUSH' "$output"
	is_in '"log:/srv/prices", IPW_PULL' "$output"
	run -0 ipcway advise --relation parent-child
	is_in 'ipw_ends(a, b, "pipe:", IPW_PUSH, &why);' "$output"
	run -0 ipcway advise --relation plain
	is_in "framing=line" "$output"
	run -0 ipcway advise --size 8M --rate 10
	is_in "max=9M" "$output"
}

# A file as ipcway bench leaves it here, of so long ago.
measured() { # SECONDS
	local processor
	processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
	mkdir -p "$D/cache/ipcway"
	"${BENCH_SAMPLE:-$BATS_TEST_DIRNAME/../../build/tests/bench/sample}" "$D/sample" $(($(date +%s) - $1))
	awk -F '\t' -v OFS='\t' -v processor="${processor:-unknown}" -v kernel="$(uname -srm)" 'NR == 2 { $2 = substr(processor, 1, 90); $3 = kernel } { print }' "$D/sample" \
		>"$D/cache/ipcway/bench"
	chmod 600 "$D/cache/ipcway/bench"
	export XDG_CACHE_HOME=$D/cache
}

@test "advise: what was measured counts, and how long ago is told" {
	measured $((5 * 86400))
	run -0 ipcway advise --size 64
	is_in "speeds    measured on this machine 5 days ago" "$output"
	row unix+seqpacket 1 "1.1 us"
	row fifo 3 "368 ns" # (461 + 64 * 0.26) * 1.08 / 1.4, says the sample
	run -0 ipcway advise --size 64 --wait spin
	row shm 1 " ns"
	run -0 ipcway advise --size 64 --relation parent-child --rate 1000000
	is_in "busy 31 % of the time" "$output"
	[[ $output != *"busy"*"by rule of thumb"* ]]
	measured $((200 * 86400))
	run -0 ipcway advise
	is_in "200 days ago, which is long: ipcway bench measures anew" "$output"
	[[ $output != *"another kernel"* ]]
	ipcway advise --json | "$JSON_CHECK" speeds measured
}

@test "advise: a quick run is called that" {
	measured 3600
	run -0 ipcway advise
	[[ $output == *"speeds    measured"* && $output != *"quick"* ]]
	awk -F '\t' -v OFS='\t' '$1 == "end" { $2 = n } !/\tpolling\t/ { print; n += $1 == "cell" }' "$D/cache/ipcway/bench" >"$D/quick"
	cat "$D/quick" >"$D/cache/ipcway/bench"
	run -0 ipcway advise
	is_in "60 minutes ago, in a quick run; with ~ by rule of thumb" "$output"
}

@test "advise: a file that is not to be believed is named, and the answer comes without it" {
	local file=$D/cache/ipcway/bench
	measured 3600
	chmod g+w "$file"
	run -0 ipcway advise
	is_in "bench is writable by others: not used" "$output"
	is_in "use       unix+seqpacket " "$output"
	chmod g-w "$file"
	sed -i '2s/\tLinux [^\t]*/\tLinux 2.6.18 x86_64/' "$file"
	run -0 ipcway advise
	is_in "measured under another kernel, Linux 2.6.18 x86_64" "$output"
	is_in "speeds    measured" "$output"
	sed -i '2s/^machine\t[^\t]*/machine\tZ80/' "$file"
	run -0 ipcway advise
	is_in "of another processor, Z80: not used" "$output"
	is_in "speeds    rules of thumb" "$output"
	sed -i '7s/ping-pong/pong-ping/' "$file"
	run -0 ipcway advise
	is_in "bench is damaged in line 7: not used" "$output"
	is_in "speeds    rules of thumb" "$output"
	head -c 100000 /dev/urandom >"$file"
	run -0 ipcway advise
	is_in "not used" "$output"
	rm "$file"
	mkfifo "$file"
	run -0 ipcway advise
	is_in "not used" "$output"
	rm "$file"
	run -0 ipcway advise
	[[ $output != *"not used"* ]]
}

@test "advise: locks, semaphores and memory" {
	run -0 ipcway advise --for turns --permits 4
	is_in "asked     --for turns --rate 1000 --permits 4 --relation unrelated --machines one --wait block" "$output"
	is_in "undo=1&value=4" "$output"
	is_in "ipw_gate_acquire(gate, 0, IPW_FOREVER);" "$output"
	is_in "lock            if only one could have it at once" "$output"
	run -0 ipcway advise --for turns --hand-over --rate 10
	is_in '"sem:/orders?value=0"' "$output"
	run -0 ipcway advise --for memory --size 64K --name state
	is_in 'ipw_segment_open(&memory, "shm:/state?size=65536", 0, &why);' "$output"
	[[ $output != *speeds* ]]
	ipcway advise --for turns --json | "$JSON_CHECK" ranking 0 answer lines open >/dev/null
}

@test "advise: JSON has the same" {
	ipcway advise --json | "$JSON_CHECK"
	run -0 ipcway advise --json
	is_in '"use": "unix+seqpacket"' "$output"
	is_in '"if": "they were parent and child"' "$output"
	run -1 ipcway advise --machines many --fanout N:M --json
	is_in '"use": null' "$output"
}

@test "advise: wrong words are refused" {
	run -2 ipcway advise orders
	run -2 ipcway advise --fanout 2:1
	is_in "1:1|N:1|1:N|1:M|N:M" "$output"
	run -2 ipcway advise --size -1
	run -2 ipcway advise --name 'a"b'
	is_in "letters, digits" "$output"
	run -2 ipcway advise --relation
	run -2 ipcway advise --for turns --permits 0
}
