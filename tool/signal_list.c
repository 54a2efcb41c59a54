/* SPDX-License-Identifier: MIT */
/* ipcway signal list: all signals in a table, or all about one. */
#include "signal_list.h"

#include <signal.h>
#include <stdio.h>

#include "command.h"
#include "ipcway.h"
#include "json.h"
#include "say.h"
#include "signal_facts.h"
#include "signal_fault.h"
#include "table.h"

static json_t *as_json(int number, const struct signal_facts *f)
{
        char name[16] = "";

        (void)ipw_signal_name(number, name, sizeof(name));
        return json_pack("{s:i,s:s,s:s,s:b,s:s,s:b,s:s}", "number", number, "name", name, "default", f->action, "catchable",
                         signal_is_catchable(number), "pending", signal_is_queued(number) ? "queued" : "merged", "fault", f->fault, "when",
                         f->when);
}

static int add_row(struct table *table, int number, const struct signal_facts *f)
{
        char digits[16], name[16] = "";

        (void)snprintf(digits, sizeof(digits), "%d", number);
        (void)ipw_signal_name(number, name, sizeof(name));
        return table_row(table, (const char *[]){ digits, name, f->action, signal_is_catchable(number) ? "yes" : "no",
                                                  signal_is_queued(number) ? "queued" : "merged", f->when });
}

/* Real-time ones are alike: one row for all. */
static int add_real_time(struct table *table)
{
        char digits[24];

        (void)snprintf(digits, sizeof(digits), "%d-%d", SIGRTMIN, SIGRTMAX);
        return table_row(table, (const char *[]){ digits, "RTMIN+n", signal_facts(SIGRTMIN)->action, "yes", "queued",
                                                  signal_facts(SIGRTMIN)->when });
}

int signal_list_all(int json)
{
        static const struct column columns[] = { { "NUMBER", 1, 0 },    { "NAME", 0, 0 },    { "IF NOBODY CARES", 0, 0 },
                                                 { "CATCHABLE", 0, 0 }, { "WAITING", 0, 0 }, { "SENT WHEN", 0, 1 } };
        struct table *table = json ? NULL : table_new(columns, 6);
        json_t *list = json ? json_array() : NULL;

        for (int number = 1; number <= SIGRTMAX; number++) {
                const struct signal_facts *f = signal_facts(number);

                if (!f)
                        continue;
                if (json)
                        (void)json_array_append_new(list, as_json(number, f));
                else if (!table || (number < SIGRTMIN && add_row(table, number, f) < 0))
                        return FAILED;
        }
        if (json)
                return json_print(json_pack("{s:o}", "signals", list));
        return add_real_time(table) < 0 ? FAILED : table_print(table);
}

int signal_list_one(int number, int json)
{
        const struct signal_facts *f = signal_facts(number);
        char name[16] = "";

        if (json)
                return json_print(as_json(number, f));
        (void)ipw_signal_name(number, name, sizeof(name));
        printf("%s, number %d: %s\n\n  if nobody cares  %s\n  catchable        %s\n  while it waits   %s\n\n%s", name, number, f->when,
               f->action, signal_is_catchable(number) ? "yes" : "no: nobody can handle, block or receive it",
               signal_is_queued(number) ? "queued, each with its value" : "merged: several are one", f->advice);
        if (!f->fault)
                return say_finish();
        printf("\n");
        return signal_fault_show(number);
}
