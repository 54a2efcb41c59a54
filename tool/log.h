/* SPDX-License-Identifier: MIT */
/* What describe says of a durable log that exists. */
#pragma once

/* Reads all of it and prints what `ipcway log check` does; nothing if there is no log. DONE, or FAILED: damage, or it could not be read. */
int log_verify(const char *address);
