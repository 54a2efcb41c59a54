/* SPDX-License-Identifier: MIT */
#include "fields.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { LISTENS = 0x10000 }; /* among the flags of /proc/net/unix */

int fields_of(char *line, char *field[], int most)
{
        static char nothing[1];
        char *rest;
        int n = 0;

        for (char *one = strtok_r(line, " \t\n", &rest); one && n < most; one = strtok_r(NULL, " \t\n", &rest))
                field[n++] = one;
        for (int i = n; i < most; i++)
                field[i] = nothing;
        return n;
}

const char *fields_abstract(char *line, int type)
{
        enum { FLAGS = 3, TYPE = 4, NAME = 7, FIELDS };
        char *field[FIELDS];

        if (fields_of(line, field, FIELDS) < FIELDS || field[NAME][0] != '@' || strtol(field[TYPE], NULL, 16) != type)
                return NULL;
        return type == SOCK_DGRAM || strtoul(field[FLAGS], NULL, 16) & LISTENS ? field[NAME] : NULL;
}
