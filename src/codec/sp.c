/* SPDX-License-Identifier: MIT */
#include "sp.h"

#include <errno.h>

#include "bytes.h"

const struct length sp_over_tcp = { "sp", .size = 8 };
const struct length sp_over_unix = { "sp", .lead = 1, .size = 8 };

void sp_put(unsigned char hello[SP_HELLO], unsigned kind)
{
        const unsigned char bytes[SP_HELLO] = { 0, 'S', 'P', 0, (unsigned char)(kind >> 8), (unsigned char)kind, 0, 0 };

        memcpy(hello, bytes, sizeof(bytes));
}

int sp_get(const unsigned char *data, size_t have, unsigned *kind)
{
        static const unsigned char always[SP_HELLO] = { 0, 'S', 'P' }; /* bytes 4 and 5 are the kind */

        for (size_t i = 0; i < MIN(have, (size_t)SP_HELLO); i++)
                if (i != 4 && i != 5 && data[i] != always[i])
                        return -EBADMSG;
        if (have < SP_HELLO)
                return 0;
        *kind = (unsigned)data[4] << 8 | data[5];
        return 1;
}

const char *sp_name(unsigned kind)
{
        static const struct {
                unsigned kind;
                const char *name;
        } names[] = {
                { SP_PAIR, "pair0" }, { 0x11, "pair1" },   { 0x20, "pub" },      { 0x21, "sub" },        { 0x30, "req" }, { 0x31, "rep" },
                { SP_PUSH, "push" },  { SP_PULL, "pull" }, { 0x62, "surveyor" }, { 0x63, "respondent" }, { 0x70, "bus" },
        };

        for (size_t i = 0; i < COUNT_OF(names); i++)
                if (names[i].kind == kind)
                        return names[i].name;
        return "unknown";
}
