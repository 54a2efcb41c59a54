# SPDX-License-Identifier: MIT
# Completion for fish. What can be said is known by `ipcway complete`; behind "--" stand somebody else's words, and files.
complete -c ipcway -f -a '(ipcway complete -- (commandline -opc)[2..-1] (commandline -ct))'
complete -c ipcway -n 'contains -- -- (commandline -opc)' -F
