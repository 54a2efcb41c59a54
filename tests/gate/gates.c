/* SPDX-License-Identifier: MIT */
/* The words of gates.h. */
#include "gates.h"

struct ipw_gate *open_address(const char *address, unsigned how)
{
        struct ipw_why why = { 0 };
        struct ipw_gate *g = NULL;
        int r = ipw_gate_open(&g, address, how, &why);

        CHECK(r == 0, "ipw_gate_open(\"%s\", 0x%x): %s: %s", address, how, result_name(r), why.text);
        return g;
}

struct ipw_gate *open_gate(struct run *run, unsigned how)
{
        return open_address(run->address, how);
}

void refused(const char *address, unsigned how, int error, const char *word)
{
        struct ipw_why why = { 0 };
        struct ipw_gate *g = NULL;
        int r = ipw_gate_open(&g, address, how, &why);

        CHECK(r == -error, "ipw_gate_open(\"%s\"): %s (%s), not %s", address, result_name(r), why.text, result_name(-error));
        CHECK(why.error == error && strlen(why.text) > 10, "the text for \"%s\" is only \"%s\" (%d)", address, why.text, why.error);
        CHECK(strstr(why.text, word), "the text for \"%s\" does not name \"%s\": \"%s\"", address, word, why.text);
}

void check_gate_why(struct ipw_gate *g, int error, const char *word)
{
        struct ipw_why why;

        ipw_gate_why(g, &why);
        CHECK(why.error == error, "ipw_gate_why() says %d (%s), not %s", why.error, why.text, result_name(-error));
        CHECK(strlen(why.text) > 10, "the text for %s is only \"%s\"", result_name(-error), why.text);
        CHECK(!word || strstr(why.text, word), "the text for %s does not name \"%s\": \"%s\"", result_name(-error), word, why.text);
}

void take(struct ipw_gate *g)
{
        EQUAL(ipw_gate_acquire(g, 0, 0), 0);
}

void give(struct ipw_gate *g)
{
        EQUAL(ipw_gate_release(g), 0);
}

void take_all(struct run *run, struct ipw_gate *g)
{
        for (unsigned i = 0; i < run->row->most; i++)
                take(g);
}

void give_all(struct run *run, struct ipw_gate *g)
{
        for (unsigned i = 0; i < run->row->most; i++)
                give(g);
}

static void hold(struct run *run, void *argument)
{
        struct ipw_gate *g = open_gate(run, 0);

        (void)argument;
        take_all(run, g);
        step_to(1);
        step_wait(2);
        give_all(run, g);
        EQUAL(ipw_gate_close(g), 0);
}

pid_t holder(struct run *run)
{
        pid_t pid;

        step_to(0);
        pid = peer(run, hold, NULL);
        step_wait(1);
        return pid;
}
