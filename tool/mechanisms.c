/* SPDX-License-Identifier: MIT */
/* ipcway mechanisms: what this build can do, and the options of one. */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "nearest.h"
#include "say.h"
#include "table.h"
#include "target.h"

static struct {
        int json;
} set;

static const struct setting settings[] = {
        { SETTING_FLAG, 0, "json", NULL, &set.json, "JSON instead of a table" },
        { 0 },
};

/* What a message stands on: bytes that a framing cuts, or records that the kernel keeps apart. A gate has no messages. */
static const char *shape(const struct ipw_mechanism *m)
{
        return m->gate ? "gate" : target_knows(m, "framing") ? "stream" : "record";
}

static const struct {
        unsigned role;
        const char *name;
} roles[] = { { IPW_PUSH, "push" }, { IPW_PULL, "pull" }, { IPW_PAIR, "pair" }, { IPW_PUB, "pub" },
              { IPW_SUB, "sub" },   { IPW_REQ, "req" },   { IPW_REP, "rep" } };

static json_t *as_json(const struct ipw_mechanism *m)
{
        json_t *list = json_array(), *options = json_array();

        for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
                if (m->roles & 1u << roles[i].role)
                        (void)json_array_append_new(list, json_string(roles[i].name));
        for (size_t i = 0; i < m->option_count; i++)
                (void)json_array_append_new(options,
                                            json_pack("{s:s,s:s,s:s,s:s}", "name", m->options[i].name, "values", m->options[i].values,
                                                      "standard", m->options[i].standard, "help", m->options[i].help));
        return json_pack("{s:s,s:s,s:s,s:s,s:s,s:b,s:b,s:o,s:o}", "scheme", m->scheme, "syntax", m->syntax, "shape", shape(m), "summary",
                         m->summary, "good_for", m->good_for, "anonymous", m->anonymous, "segment", m->segment, "roles", list, "options",
                         options);
}

static int all(void)
{
        static const struct column columns[] = { { "ADDRESS", 0, 0 }, { "SHAPE", 0, 0 }, { "GOOD FOR", 0, 1 } };
        json_t *list = set.json ? json_array() : NULL;
        struct table *table = set.json ? NULL : table_new(columns, 3);

        for (const struct ipw_mechanism *m = ipw_mechanism_next(NULL); m; m = ipw_mechanism_next(m))
                if (set.json)
                        (void)json_array_append_new(list, as_json(m));
                else if (!table || table_row(table, (const char *[]){ m->syntax, shape(m), m->good_for }) < 0)
                        return FAILED;
        return set.json ? json_print(json_pack("{s:o}", "mechanisms", list)) : table_print(table);
}

static int one(const struct ipw_mechanism *m)
{
        static const struct column columns[] = { { "OPTION", 0, 0 }, { "VALUES", 0, 0 }, { "STANDARD", 0, 0 }, { "MEANING", 0, 1 } };
        struct table *table;

        if (set.json)
                return json_print(as_json(m));
        printf("%s  %s\n\n  good for  %s\n  shape     %s%s%s\n", m->syntax, m->summary, m->good_for, shape(m),
               m->anonymous ? ", without a name: see ipcway help run" : "",
               m->segment ? "; the bytes themselves: see ipcway help segment" : "");
        if (m->roles)
                printf("  roles    ");
        for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
                if (m->roles & 1u << roles[i].role)
                        printf(" %s", roles[i].name);
        printf(m->roles ? "\n\n" : "\n");
        if (!m->option_count)
                return say_finish();
        (void)fflush(stdout);
        table = table_new(columns, 4);
        for (size_t i = 0; table && i < m->option_count; i++)
                if (table_row(table, (const char *[]){ m->options[i].name, m->options[i].values,
                                                       *m->options[i].standard ? m->options[i].standard : "-", m->options[i].help }) < 0)
                        return FAILED;
        return table ? table_print(table) : FAILED;
}

static int run(const struct arguments *a)
{
        struct nearest nearest;
        size_t length;

        if (a->count == 0 && !a->dashes)
                return all();
        if (a->count != 1 || a->dashes) {
                say_error("mechanisms: takes one name at most; see: ipcway help mechanisms");
                return WRONG_USAGE;
        }
        nearest = (struct nearest){ .word = a->word[0] };
        length = strcspn(a->word[0], ":");
        for (const struct ipw_mechanism *m = ipw_mechanism_next(NULL); m; m = ipw_mechanism_next(m)) {
                if (strlen(m->scheme) == length && memcmp(m->scheme, a->word[0], length) == 0)
                        return one(m);
                nearest_try(&nearest, m->scheme);
        }
        say_error("no mechanism is called '%s'%s%s%s; see: ipcway mechanisms", a->word[0], nearest.best ? "; did you mean " : "",
                  nearest.best ? nearest.best : "", nearest.best ? "?" : "");
        return WRONG_USAGE;
}

const struct command command_mechanisms = {
        .name = "mechanisms",
        .group = "Learn",
        .arguments = "[NAME]",
        .summary = "the ways to talk that this build knows, or all about one of them",
        .text = "Which of them for a job: ipcway advise.\n\n"
                "  ipcway mechanisms\n"
                "  ipcway mechanisms fifo\n",
        .settings = settings,
        .run = run,
};
