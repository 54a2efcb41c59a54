/* SPDX-License-Identifier: MIT */
/*
 * The command. Data goes to stdout, all else to stderr. A sub-command is one file and its line in `commands`; the help is made from the same
 * tables that parse the command line.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "complete.h"
#include "ipcway.h"
#include "nearest.h"
#include "say.h"
#include "stop.h"

static int help(const struct arguments *);
static const struct command command_help = {
        .name = "help",
        .group = "Learn",
        .arguments = "[COMMAND]",
        .summary = "this list, or all about one command",
        .text = "",
        .run = help,
};

/* In the order of the help; a group is a run of neighbours. */
static const struct command *const commands[] = {
        &command_send,
        &command_recv,
        &command_pair,
        &command_accept,
        &command_serve,
        &command_wait,
        &command_bridge,
        &command_run,
        &command_segment,
        &command_lock,
        &command_sem,
        &command_signal,
        &command_ls,
        &command_why,
        &command_deadlocks,
        &command_leaks,
        &command_snapshot,
        &command_diff,
        &command_doctor,
        &command_remove,
        &command_clean,
        &command_log,
        &command_bench,
        &command_advise,
        &command_mechanisms,
        &command_describe,
        &command_tour,
        &command_help,
        NULL,
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) - 1 };

/* `pair` is a command anyhow. */
static const struct alias aliases[] = {
        { "push", &command_send, IPW_PUSH },
        { "pub", &command_send, IPW_PUB },
        { "pull", &command_recv, IPW_PULL },
        { "sub", &command_recv, IPW_SUB },
        { 0 },
};

const struct command *const *command_list(void)
{
        return commands;
}

const struct alias *command_aliases(void)
{
        return aliases;
}

static const struct alias *find_alias(const char *name)
{
        const struct alias *a = aliases;

        while (a->name && strcmp(a->name, name) != 0)
                a++;
        return a->name ? a : NULL;
}

const struct command *command_find(const char *name)
{
        const struct alias *alias = find_alias(name);

        if (alias)
                return alias->command;
        for (unsigned i = 0; i < COMMANDS; i++)
                if (strcmp(commands[i]->name, name) == 0)
                        return commands[i];
        return NULL;
}

static int help_all(FILE *out)
{
        const char *group = "";

        (void)fprintf(
                out,
                "usage: ipcway COMMAND ...\n\nEvery way two Linux processes can talk. Addresses name a mechanism and an object: fifo:/tmp/my_fifo\n");
        for (unsigned i = 0; i < COMMANDS; i++) {
                if (strcmp(group, commands[i]->group) != 0)
                        (void)fprintf(out, "\n%s\n", commands[i]->group);
                group = commands[i]->group;
                (void)fprintf(out, "  %-10s %-30s %s\n", commands[i]->name, commands[i]->arguments, commands[i]->summary);
        }
        (void)fprintf(
                out,
                "\nnngcat's words are known, too: push and pub send, pull and sub receive, each in that role only; pair.\n"
                "All about one: ipcway help COMMAND\nStatus: 0 done, 1 failed, 2 wrong usage, 124 the time given was over; run, serve, accept, lock and sem say their own.\n");
        return out == stdout ? say_finish() : DONE;
}

static int help_one(const struct command *c)
{
        printf("usage: ipcway %s %s\n\n%s.\n", c->name, c->arguments, c->summary);
        if (*c->text)
                printf("\n%s", c->text);
        if (c->settings && c->settings->name) {
                printf("\n");
                settings_print(c->settings);
        }
        return say_finish();
}

/* As command_find(), and says if there is none. */
static const struct command *find(const char *name)
{
        const struct command *c = command_find(name);
        struct nearest nearest = { .word = name };

        if (c)
                return c;
        if (strcmp(name, "req") == 0 || strcmp(name, "rep") == 0) {
                say_error(
                        "'%s': no mechanism of this build offers request and reply; a conversation is: ipcway help pair, ipcway help serve",
                        name);
                return NULL;
        }
        for (unsigned i = 0; i < COMMANDS; i++)
                nearest_try(&nearest, commands[i]->name);
        if (nearest.best)
                say_error("'%s' is no command; did you mean: ipcway %s", name, nearest.best);
        else
                say_error("'%s' is no command; see: ipcway help", name);
        return NULL;
}

static int help(const struct arguments *a)
{
        const struct command *c;

        if (a->count == 0)
                return help_all(stdout);
        c = find(a->word[0]);
        return c ? help_one(c) : WRONG_USAGE;
}

static int is_wrapper(const struct command *c, int argc, char **argv)
{
        return c->wrapper && (!*c->wrapper || (argc > 0 && strcmp(argv[0], c->wrapper) == 0));
}

int main(int argc, char **argv)
{
        const struct alias *alias;
        const struct command *c;
        struct arguments arguments;
        char hint[100];

        stop_prepare();
        if (argc < 2) {
                (void)help_all(stderr);
                return WRONG_USAGE;
        }
        if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
                return help_all(stdout);
        if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
                printf("ipcway %s\n", IPW_VERSION);
                return say_finish();
        }
        if (strcmp(argv[1], "complete") == 0)
                return complete(argc - 2, argv + 2);
        c = find(argv[1]);
        if (!c)
                return WRONG_USAGE;
        for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
                if (strcmp(argv[i], "--help") == 0)
                        return help_one(c);
        (void)snprintf(hint, sizeof(hint), "%ssee: ipcway help %s",
                       strstr(c->arguments, "MESSAGE") ? "a message that begins with '-' goes behind \"--\"; " : "", c->name);
        if (settings_parse(c->settings, hint, argc - 2, argv + 2, &arguments) < 0)
                return is_wrapper(c, argc - 2, argv + 2) ? OURS_FAILED : WRONG_USAGE;
        alias = find_alias(argv[1]);
        arguments.role = alias ? alias->role : 0;
        return c->run(&arguments);
}
