/* SPDX-License-Identifier: MIT */
#pragma once

/* ipcway complete -- WORDS: candidates for the last of WORDS, to stdout. */
int complete(int count, char **word);
