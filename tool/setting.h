/* SPDX-License-Identifier: MIT */
/* What may stand on the command line of a sub-command, as a table: the same rows are parsed and printed as help. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum setting_kind {
        SETTING_FLAG,   /* int: 1 when given */
        SETTING_TEXT,   /* const char * */
        SETTING_LIST,   /* struct list: may be given several times */
        SETTING_TIME,   /* int64_t, ns */
        SETTING_NUMBER, /* int64_t */
        SETTING_WORD,   /* int: index into `value`, "line|nul|raw" */
};

struct setting {
        enum setting_kind kind;
        char letter;       /* 0: none */
        const char *name;  /* without the dashes */
        const char *value; /* what help calls it; for SETTING_WORD the words */
        void *to;
        const char *help; /* NULL: another spelling of the row above, not shown */
};

enum { LIST_MAX = 16 };
struct list {
        const char *item[LIST_MAX];
        int count;
};

struct arguments {
        char **word; /* what is no setting */
        int count;
        char **rest; /* what stands behind the first "--" */
        int rest_count;
        int dashes;    /* there was a "--" */
        unsigned role; /* fixed by the name under which the command was called; 0: not */
};

/* Sorts argv in place. 0, or -EINVAL after having said what is wrong; `hint` goes with an option that is not known. */
int settings_parse(const struct setting *, const char *hint, int argc, char **argv, struct arguments *);
void settings_print(const struct setting *); /* to stdout, as a part of help */
