/* SPDX-License-Identifier: MIT */
/* Names of signals, for those who print or read them. */
#include <string.h>

#include "ipcway.h"
#include "signal_name.h"

int ipw_signal_number(const char *name)
{
        return signal_number(name, strlen(name));
}

int ipw_signal_name(int number, char *text, size_t room)
{
        return signal_name(number, text, room);
}
