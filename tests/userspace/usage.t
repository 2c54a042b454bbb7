#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The command line: usage, errors and exit statuses; and that manuals, completion
# and the command table say the same.
# shellcheck disable=SC2013,SC2031
# shellcheck source=tests/userspace/lib.sh
. "$(dirname "$0")/lib.sh"
etc=$top/userspace/etc

run
is 'no command' "$status ${err%%$'\n'*}" '2 Usage: devirt COMMAND [OPTION...] [ARGUMENT...]'
run --help
is 'help' "$status $err" '0 '
is 'help fits 80 columns' "$(awk 'length > 80' <<<"$out")" ''
run --version
version=$(awk '/define DEVIRT_API_VERSION/ { print $3 }' "$top/uapi/linux/devirt.h")
like 'version' "$status $out" "0 devirt *API version $version*"
run chekc
is 'a suggestion' "$status $err" "2 devirt: unknown command 'chekc'; did you mean 'check'?; see 'devirt --help'"
run frobnicate
is 'no suggestion' "$status $err" "2 devirt: unknown command 'frobnicate'; see 'devirt --help'"
run --force
is 'unknown option' "$status $err" "2 devirt: unknown option '--force'; see 'devirt --help'"
run plan --force x
is 'unknown option of a command' "$status $err" "2 devirt: unknown option '--force'; see 'devirt plan --help'"
run devices --follow
is 'option of another command' "$status $err" "2 devirt: 'devices' has no option '--follow'; see 'devirt devices --help'"
run plan -x a
is 'short option' "$status $err" "2 devirt: unknown option '-x'; see 'devirt plan --help'"
run plan a --topology
is 'option without its value' "$status $err" "2 devirt: option '--topology' wants a value; see 'devirt plan --help'"
run create --arrive=10 web
is 'value of an option without' "$status $err" "2 devirt: option '--arrive=10' takes no value; see 'devirt create --help'"
run release --wait=soon x
like 'bad number' "$status $err" '2 *--wait=soon: *'
run chekc --json
is 'errors are JSON' "$status $(query '[.error.status, .error.command]')" '2 [2,null]'
run plan --json
is 'with the command' "$(query '[.error.command, .error.remedy]')" "[\"plan\",\"see 'devirt plan --help'\"]"
run plan --json $'a\xffb'
is 'errors are JSON whatever was typed' "$(iconv -f UTF-8 -t UTF-8 "$dir/out" >/dev/null && query .error.message)" \
	"\"'a?b' isn't a partition's name\""
for command in plan create release args; do
	run "$command"
	is "$command without a name" "$status" 2
	run "$command" a b
	is "$command with two" "$status" 2
done
run check "$dir/none.conf"
like 'check of no file' "$status $err" "2 devirt: $dir/none.conf: No such file*"
for command in check show stat events; do
	run "$command" a b
	is "$command takes one" "$status" 2
done
for seconds in '' 0 0.05 -1 x 2s 1e3 0x10 inf nan 86401; do
	run stat --watch="$seconds"
	is "--watch=$seconds" "$status $err" \
		"2 devirt: --watch=$seconds: a number of seconds is wanted, 0.1 to 86400; see 'devirt stat --help'"
done
run stat --watch 2
like '--watch takes its value with =' "$status $err" '[13] *'
run run
is 'run without a name' "$status" 125
run run x
is 'run without a VMM' "$status" 125
run run x --
is 'run without a VMM, with --' "$status" 125
run run /none.conf -- /bin/true
is 'run without a file' "$status" 125
config $'[cpus]\ncount=1'
run run "$dir/t.conf" -- /none/vmm --help
is 'no VMM' "$status $err" '127 devirt: /none/vmm: No such file or directory; install it, or give its path'
run run "$dir/t.conf" -- no-such-vmm
is 'no VMM on the path' "$status" 127
run run "$dir/t.conf" "$dir/t.conf"
is 'VMM that is no program' "$status" 126
run run "$dir/t.conf" /
is 'VMM that is a directory' "$status" 126
run run --json "$dir/t.conf" /none/vmm
is "run's errors go to stderr" "$out $(jq -c .error.status "$dir/err")" ' 127'
run plan 'a b'
like 'not a name' "$status $err" "2 *'a b' isn't a partition's name; *"
run plan reserve
like 'a name that is another file' "$status $err" "2 devirt: 'reserve' can't be a partition: *reserve.conf says what is kept off *"
run plan vfs
like 'and another' "$status $err" "2 devirt: 'vfs' can't be a partition: *vfs.conf says how many VFs *"
run plan "$(printf 'a%.0s' {1..64})"
is 'name that is too long' "$status" 2

if [[ ! -e /dev/devirt ]]; then
	for command in show stat 'stat --watch=1 x' 'release x' events 'events x' "create $dir/t.conf"; do
		# shellcheck disable=SC2086
		run $command
		is "no module: ${command%% *}" "$status $err" \
			"3 devirt: the devirt module isn't loaded (there is no /dev/devirt); load it with 'modprobe devirt'"
	done
	run run "$dir/t.conf" true
	is 'no module: run' "$status" 125
	run show --json
	is 'no module: JSON' "$(query '[.error.status, .error.error, .error.remedy]')" "[3,\"ENOENT\",\"load it with 'modprobe devirt'\"]"
	run check
	is 'no module: check' "$status" 1
fi
run check
is 'check fits 80 columns' "$(awk 'length > 80' <<<"$out")" ''
run check --json
is 'check --json' "$(query 'has("ready") and (.items | length > 3) and all(.items[]; .state | IN("ok", "warn", "fail"))')" true
quiet=$(query '.items[] | select(.item == "quiet CPUs") | .found')
is 'check names the tick' "$(query '[.items[] | select(.item | IN("quiet CPUs", "idle states", "frequency"))] | length')" 3
if [[ $quiet == *'tick interrupts'* ]]; then
	like 'check names boot parameters' "$(query .boot_parameters)" '"nohz_full=[0-9]* rcu_nocbs=[0-9]*"'
	last=$(($(getconf _NPROCESSORS_ONLN) - 1))
	config $'[cpus]\ncpus='"$last"$'\nshare-core=yes'
	run check --json "$dir/t.conf"
	is "of a partition's CPUs" "$(query .boot_parameters)" "\"nohz_full=$last rcu_nocbs=$last\""
else
	echo "ok $((++tests)) - boot parameters # SKIP ${quiet//\"/}"
fi
config $'[cpus]\ncount=1\nmin-frequency=99GHz'
run check --json "$dir/t.conf"
is 'check warns of a frequency that cannot be had' "$(query '.items[] | select(.item == "frequency") | .state')" '"warn"'
run devices
is 'devices fits 80 columns' "$status $(awk 'length > 80' <<<"$out")" '0 '
run devices --json --all
is 'devices --json' "$status $(query 'has("devices")')" '0 true'
"$devirt" --help >/dev/full
is 'a full disk is an error' "$?" 1

table=$("$devirt" --command-table)
manual=$etc/man/devirt.8
while read -r command options; do
	run "$command" --help
	is "$command --help" "$status" 0
	is "$command: --help fits 80 columns" "$(awk 'length > 80' <<<"$out")" ''
	if grep -q "^\.BR\{0,1\} \"\{0,1\}$command " "$manual"; then
		pass "$command is in devirt(8)"
	else
		flunk "$command is in devirt(8)"
	fi
	entry=$(grep "^\.BR \"$command " "$manual" | sed 's/\\-/-/g')
	for option in $options; do
		like "$command: ${option%=} is in its usage" "$out" "*$option*"
		like "$command: ${option%=} is in devirt(8)" "$entry" "*${option%=}*"
	done
	# a command may have two entries
	listed=$(grep -o -- '--[a-z-]*' <<<"$entry" | sort -u)
	# the -- before the VMM is none
	is "$command: and no others" "$(grep -v '^--$' <<<"$listed" | tr -d '\n')" \
		"$(tr ' ' '\n' <<<"${options//=/}" | sort | tr -d '\n')"
done <<<"$table"

for key in $(sed -n 's/^\.BI \([a-z-]*\)=.*/\1/p' "$etc/man/devirt.conf.5" | sort -u); do
	if grep -q "!strcmp(key, \"$key\")" "$top/userspace/cli/config_key.c" "$top"/userspace/cli/setting*.c; then
		pass "$key= of devirt.conf(5) is a key"
	else
		flunk "$key= of devirt.conf(5) is a key"
	fi
done
for key in $(sed -n 's/.*!strcmp(key, "\([a-z-]*\)").*/\1/p' "$top/userspace/cli/config_key.c" "$top"/userspace/cli/setting*.c | sort -u); do
	if grep -q "^\.BI $key=" "$etc/man/devirt.conf.5"; then
		pass "key $key= is in devirt.conf(5)"
	else
		flunk "key $key= is in devirt.conf(5)"
	fi
done

# The words that libdevirt has for the events.
for word in $(sed -n '/devirt_event_name/,/^}/s/.*= "\(.*\)",/\1/p' "$top/userspace/lib/words.c"); do
	if sed -n '/^\.SH EVENTS/,/^\.SH EXIT/p' "$manual" | grep -qx "\.B $word"; then
		pass "event $word is in devirt(8)"
	else
		flunk "event $word is in devirt(8)"
	fi
done
for ioctl in $(sed -n 's/^#define \(DEVIRT_[A-Z]*\)[[:space:]]*_IO(.*/\1/p' "$top/uapi/linux/devirt.h"); do
	if grep -q "^\.BI \"int ioctl(int .* $ioctl, " "$etc/man/devirt.4"; then
		pass "$ioctl is in devirt(4)"
	else
		flunk "$ioctl is in devirt(4)"
	fi
done

# complete WORD...: what completion offers for the last
complete_words() {
	(
		PATH="$(dirname "$devirt"):$PATH"
		# shellcheck source=userspace/etc/devirt.bash-completion
		. "$etc/devirt.bash-completion"
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		# bash-completion's, for the word that the other command line begins with
		_command_offset() { COMPREPLY=("word $1"); }
		_devirt 2>/dev/null
		printf '%s\n' "${COMPREPLY[@]}"
	)
}
is 'completion: commands' "$(complete_words devirt '' | grep -v '^--' | tr '\n' ' ')" "$(cut -d' ' -f1 <<<"$table" | tr '\n' ' ')"
is 'completion: a command' "$(complete_words devirt che)" check
is 'completion: options' "$(complete_words devirt args --one)" --one-line
is 'completion: no others' "$(complete_words devirt check --fol)" ''
like 'completion: files' "$(complete_words devirt plan "$dir/t")" "*$dir/t.conf*"
is 'completion: devices takes none' "$(complete_words devirt devices '')" ''
is 'completion: cpus takes none' "$(complete_words devirt cpus '')" ''
files=$(complete_words devirt plan "$dir/t")
is "completion: after an option's value" "$(complete_words devirt plan --topology = x "$dir/t")" "$files"
is 'completion: that is a word beside it' "$(complete_words devirt plan --topology x "$dir/t")" "$files"
is 'completion: where = breaks no words' "$(complete_words devirt plan --topology=x "$dir/t")" "$files"
is 'completion: no value of --wait' "$(complete_words devirt create --wait =)$(complete_words devirt create --wait = 5)" ''
is 'completion: a file for --topology' "$(complete_words devirt plan --topology = "$dir/t.c")" "$dir/t.conf"
is 'completion: options after a value' "$(complete_words devirt create --wait = 5 --arr)" --arrive
is 'completion: no second name' "$(complete_words devirt create --wait = 5 web "$dir/t")" ''
is 'completion: the VMM' "$(complete_words devirt run web qe)" 'word 3'
is 'completion: the VMM after --' "$(complete_words devirt run web -- qe)" 'word 4'
is 'completion: and its options' "$(complete_words devirt run web -- qemu --he)" 'word 4'
is "completion: the VMM after an option's value" "$(complete_words devirt run --wait = 5 web -- qe)" 'word 7'
is 'completion: a name before it' "$(complete_words devirt run --wait = 5 "$dir/t")" "$files"
is 'completion: --watch' "$(complete_words devirt stat --w)" --watch
finish
