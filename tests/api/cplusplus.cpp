/* SPDX-License-Identifier: MIT */
/* The header in C++: compiles, links with C names, and its structs can be made the C++ way. */
#include <ipcway.h>
#include <ipcway/probe.h>

int main()
{
        ipw_message message = {};
        ipw_why why = {};
        ipw_address *address = nullptr;

        message.flags = IPW_DEFER;
        return ipw_address_parse(&address, "nothing:", &why) == 0 || message.size != 0;
}
