/* SPDX-License-Identifier: MIT */
/* The header alone, first, as strict C11 without GNU names: it must need nothing before it. */
#include <ipcway.h>
#include <ipcway/probe.h>

_Static_assert(sizeof(struct ipw_why) == 512, "a foreign interface counts on it");
_Static_assert(IPW_MS(3) == 3000000, "milliseconds are nanoseconds");

int main(void)
{
        return ipw_mechanism_next(NULL) == NULL;
}
