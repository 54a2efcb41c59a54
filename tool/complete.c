/* SPDX-License-Identifier: MIT */
/*
 * ipcway complete -- WORDS: what could stand where the last of WORDS begins, a candidate a line. The shells' own scripts only ask this and show the answer,
 * so that all shells know the same, and nothing has to be kept in step with the tables that parse and explain the command line.
 *
 * Names are those that are there now: FIFOs, sockets and files under a path, abstract sockets, POSIX queues, semaphores and memory, keys of System V queues,
 * semaphores and memory, processes, signals. Nothing is opened.
 */
#include "complete.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "command.h"
#include "fields.h"
#include "ipcway.h"
#include "object.h"
#include "say.h"

/* What stands between begins with `word` if the whole does. */
static void offer(const char *word, const char *a, const char *b, const char *c)
{
        size_t room = strlen(a) + strlen(b) + strlen(c) + 1;
        char *whole = malloc(room);

        if (!whole)
                return;
        (void)snprintf(whole, room, "%s%s%s", a, b, c);
        if (strncmp(whole, word, strlen(word)) == 0 && !strchr(whole, '\n'))
                puts(whole);
        free(whole);
}

/* "line|nul|raw": each with `before` in front of it. */
static void offer_words(const char *word, const char *before, const char *words)
{
        while (*words) {
                size_t n = strcspn(words, "|");
                char one[64];

                (void)snprintf(one, sizeof(one), "%.*s", (int)n, words);
                offer(word, before, one, "");
                words += n + (words[n] == '|');
        }
}

/* ---- names that exist ---------------------------------------------------------------------------------------------------------- */

/* `before` stands before the path in the candidate. `type`: of S_IFMT; 0: any. Folders always, for what is in them. */
static void offer_paths(const char *word, const char *before, const char *path, mode_t type)
{
        const char *slash = strrchr(path, '/');
        int length = slash ? (int)(slash - path) + 1 : 0;
        char folder[4096], full[4096 + 256];
        struct dirent *entry;
        struct stat st;
        DIR *d;

        if (length >= (int)sizeof(folder))
                return;
        (void)snprintf(folder, sizeof(folder), "%.*s", length, path);
        d = opendir(length ? folder : ".");
        while (d && (entry = readdir(d))) {
                if (entry->d_name[0] == '.' && path[length] != '.')
                        continue;
                (void)snprintf(full, sizeof(full), "%s%s", folder, entry->d_name);
                if (stat(full, &st) < 0)
                        continue;
                (void)snprintf(full, sizeof(full), "%s%s%s", folder, entry->d_name, S_ISDIR(st.st_mode) ? "/" : "");
                if (S_ISDIR(st.st_mode) || type == 0 || (st.st_mode & S_IFMT) == type)
                        offer(word, before, full, "");
        }
        if (d)
                (void)closedir(d);
}

static void offer_abstract(const char *word, const char *before, int type)
{
        char line[512];
        FILE *f = fopen("/proc/net/unix", "re");

        while (f && fgets(line, sizeof(line), f)) {
                const char *name = fields_abstract(line, type);

                if (name)
                        offer(word, before, name, "");
        }
        if (f)
                (void)fclose(f);
}

/* Names that begin with a slash, and lie as files in `folder`; of those that begin with `prefix` what follows it. */
static void offer_named(const char *word, const char *before, const char *folder, const char *prefix)
{
        size_t length = strlen(prefix);
        DIR *d = opendir(folder);
        struct dirent *entry;

        while (d && (entry = readdir(d)))
                if (entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, length) == 0)
                        offer(word, before, "/", entry->d_name + length);
        if (d)
                (void)closedir(d);
}

static void offer_processes(const char *word, const char *before)
{
        DIR *d = opendir("/proc");
        struct dirent *entry;

        while (d && (entry = readdir(d)))
                if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
                        offer(word, before, entry->d_name, "");
        if (d)
                (void)closedir(d);
}

static void offer_signals(const char *word, const char *before)
{
        char name[16];

        for (int n = 1; n <= 64; n++)
                if (ipw_signal_name(n, name, sizeof(name)) > 0)
                        offer(word, before, name, "");
}

static void offer_keys(const char *word, const char *before, const char *list)
{
        enum { KEY, ID, FIELDS };
        char line[256], text[64], *field[FIELDS];
        FILE *f = fopen(list, "re");

        while (f && fgets(line, sizeof(line), f)) {
                long key;

                if (fields_of(line, field, FIELDS) < FIELDS || strcmp(field[KEY], "key") == 0)
                        continue;
                key = strtol(field[KEY], NULL, 10);
                if (key)
                        (void)snprintf(text, sizeof(text), "0x%08x", (unsigned)key);
                else
                        (void)snprintf(text, sizeof(text), "id=%s", field[ID]);
                offer(word, before, text, "");
        }
        if (f)
                (void)fclose(f);
}

/* ---- addresses ------------------------------------------------------------------------------------------------------------------ */

static const struct ipw_mechanism *mechanism_of(const char *address)
{
        size_t length = strcspn(address, ":");

        for (const struct ipw_mechanism *m = ipw_mechanism_next(NULL); m; m = ipw_mechanism_next(m))
                if (strlen(m->scheme) == length && memcmp(m->scheme, address, length) == 0 && address[length])
                        return m;
        return NULL;
}

static void offer_options(const char *word, const char *before, const struct ipw_mechanism *m)
{
        for (size_t i = 0; i < m->option_count; i++)
                offer(word, before, m->options[i].name, "=");
}

/* Behind the last '?' or '&' the key, behind '=' the value. */
static void complete_option(const char *word, const struct ipw_mechanism *m, size_t start)
{
        const char *equals = strchr(word + start, '=');
        char before[4352];

        (void)snprintf(before, sizeof(before), "%.*s", (int)(equals ? (size_t)(equals + 1 - word) : start), word);
        if (!equals) {
                offer_options(word, before, m);
                return;
        }
        for (size_t i = 0; i < m->option_count; i++)
                if (strlen(m->options[i].name) == (size_t)(equals - word) - start &&
                    strncmp(m->options[i].name, word + start, (size_t)(equals - word) - start) == 0 && strchr(m->options[i].values, '|'))
                        offer_words(word, before, m->options[i].values);
}

/* `rest`: where in the word the name begins. */
static void complete_name(const char *word, const char *rest, const struct ipw_mechanism *m)
{
        const char *scheme = m->scheme, *comma = strrchr(rest, ',');
        char before[512];

        /* a list of signals grows behind its last comma; a path may hold one */
        (void)snprintf(before, sizeof(before), "%.*s", (int)((comma && strcmp(scheme, "signal") == 0 ? comma + 1 : rest) - word), word);
        if (strncmp(scheme, "unix", 4) == 0) {
                offer_paths(word, before, rest, S_IFSOCK);
                offer_abstract(word, before,
                               strcmp(scheme, "unix+dgram") == 0       ? SOCK_DGRAM
                               : strcmp(scheme, "unix+seqpacket") == 0 ? SOCK_SEQPACKET
                                                                       : SOCK_STREAM);
        } else if (strcmp(scheme, "fifo") == 0) {
                offer_paths(word, before, rest, S_IFIFO);
        } else if (strcmp(scheme, "mq") == 0) {
                offer_named(word, before, "/dev/mqueue", "");
        } else if (strcmp(scheme, "sem") == 0) {
                offer_named(word, before, "/dev/shm", "sem.");
        } else if (strcmp(scheme, "shm") == 0 || strcmp(scheme, "sem+shm") == 0) {
                offer_named(word, before, "/dev/shm", "");
        } else if (strstr(scheme, "+sysv")) {
                offer_keys(word, before,
                           strcmp(scheme, "mq+sysv") == 0    ? "/proc/sysvipc/msg"
                           : strcmp(scheme, "shm+sysv") == 0 ? "/proc/sysvipc/shm"
                                                             : "/proc/sysvipc/sem");
                offer_paths(word, before, rest, S_IFREG);
        } else if (strcmp(scheme, "signal") == 0) {
                offer_signals(word, before);
                offer_processes(word, before);
        } else if (strcmp(scheme, "child") == 0) {
                offer_processes(word, before);
        } else if (strchr(m->syntax, ':') && strncmp(strchr(m->syntax, ':'), ":PATH", 5) == 0) {
                offer_paths(word, before, rest, S_IFREG);
        }
}

static const struct ipw_mechanism *mechanism_called(const char *scheme)
{
        for (const struct ipw_mechanism *m = ipw_mechanism_next(NULL); m; m = ipw_mechanism_next(m))
                if (strcmp(m->scheme, scheme) == 0)
                        return m;
        return NULL;
}

/* `bare`: the scheme of a name without one, and then only what is of its kind; NULL: a name must have one. */
static void complete_address(const char *word, const char *bare)
{
        const struct ipw_mechanism *m = mechanism_of(word), *kind = bare ? mechanism_called(bare) : NULL;
        size_t start = strcspn(word, "?");

        if (!m) {
                for (m = ipw_mechanism_next(NULL); m; m = ipw_mechanism_next(m))
                        if (!kind || (m->gate == kind->gate && m->segment == kind->segment))
                                offer(word, m->scheme, ":", "");
                if (kind)
                        complete_name(word, word, kind);
                return;
        }
        if (!word[start]) {
                complete_name(word, word + strlen(m->scheme) + 1, m);
                return;
        }
        for (size_t i = start; word[i]; i++)
                if (word[i] == '&' || word[i] == ',')
                        start = i;
        complete_option(word, m, start + 1);
}

/* ---- command lines -------------------------------------------------------------------------------------------------------------- */

static void offer_settings(const char *word, const struct setting *s)
{
        for (; s && s->name; s++)
                if (s->help)
                        offer(word, strlen(s->name) == 1 ? "-" : "--", s->name, "");
        offer(word, "--", "help", "");
}

static void complete_value(const char *word, const char *before, const struct setting *s, const struct ipw_mechanism *m)
{
        if (s->kind == SETTING_WORD)
                offer_words(word, before, s->value);
        else if (strcmp(s->name, "file") == 0)
                offer_paths(word, before, word + strlen(before), 0);
        else if (strcmp(s->name, "O") == 0 && m && strchr(word, '='))
                complete_option(word, m, 0);
        else if (strcmp(s->name, "O") == 0 && m)
                offer_options(word, before, m);
}

static const struct setting *find_setting(const struct setting *s, const char *word)
{
        size_t dashes = strspn(word, "-"), length = strcspn(word + dashes, "=");

        for (; dashes && s && s->name; s++)
                if ((strlen(s->name) == length && memcmp(s->name, word + dashes, length) == 0) ||
                    (dashes == 1 && length == 1 && s->letter == word[1]))
                        return s;
        return NULL;
}

/* signal send PID SIG, signal wait SIG..., signal list SIG. */
static void complete_signal(const char *verb, const char *last, int plain)
{
        if (strcmp(verb, "send") == 0 && plain == 1)
                offer_processes(last, "");
        else if (plain == (strcmp(verb, "send") == 0 ? 2 : 1) || strcmp(verb, "wait") == 0)
                offer_signals(last, "");
}

/* The words of one command, the last of which is to be completed. */
static void complete_arguments(const struct command *c, char **word, int count)
{
        const char *last = word[count - 1];
        const struct ipw_mechanism *m = NULL;
        const struct setting *waiting = NULL;
        const char *first = NULL;
        int plain = 0;

        for (int i = 0; i < count - 1; i++) {
                if (strcmp(word[i], "--") == 0)
                        return; /* somebody else's words */
                if (waiting) {
                        waiting = NULL;
                } else if (word[i][0] == '-' && word[i][1]) {
                        waiting = find_setting(c->settings, word[i]);
                        if (waiting && (waiting->kind == SETTING_FLAG || strchr(word[i], '=')))
                                waiting = NULL;
                } else {
                        if (plain++ == 0)
                                first = word[i];
                        if (!m)
                                m = mechanism_of(word[i]);
                }
        }
        if (waiting) {
                complete_value(last, "", waiting, m);
        } else if (last[0] == '-' && strchr(last, '=')) {
                const struct setting *s = find_setting(c->settings, last);
                char before[64];

                (void)snprintf(before, sizeof(before), "%.*s", (int)strcspn(last, "=") + 1, last);
                if (s)
                        complete_value(last, before, s, m);
        } else if (last[0] == '-') {
                offer_settings(last, c->settings);
        } else if (c->verbs && plain == 0) {
                offer_words(last, "", c->verbs);
        } else if (c == &command_signal) {
                complete_signal(first, last, plain);
        } else if (c == &command_ls) {
                offer_words(last, "", LS_KINDS);
        } else if ((c == &command_why && plain == 0) || c == &command_leaks) {
                offer_processes(last, "");
                complete_address(last, c->bare);
        } else if (strncmp(c->arguments, "FROM TO", 7) == 0 ? plain < 2 : strstr(c->arguments, "ADDR") && plain == (c->verbs != NULL)) {
                complete_address(last, c->bare);
        } else if ((strstr(c->arguments, "FILE") && plain == 0) || (c == &command_diff && plain < 2)) {
                offer_paths(last, "", last, 0);
        } else if (strstr(c->arguments, "COMMAND") && plain == 0) {
                for (const struct command *const *k = command_list(); *k; k++)
                        offer(last, (*k)->name, "", "");
        } else if (strstr(c->arguments, "NAME") && plain == 0) {
                for (m = ipw_mechanism_next(NULL); m; m = ipw_mechanism_next(m))
                        offer(last, m->scheme, "", "");
        }
}

int complete(int count, char **word)
{
        const struct command *c;

        if (count && strcmp(word[0], "--") == 0) {
                word++;
                count--;
        }
        if (count == 1) {
                for (const struct command *const *k = command_list(); *k; k++)
                        offer(word[0], (*k)->name, "", "");
                for (const struct alias *a = command_aliases(); a->name; a++)
                        offer(word[0], a->name, "", "");
        } else if (count > 1) {
                c = command_find(word[0]);
                if (c)
                        complete_arguments(c, word + 1, count - 1);
        }
        return say_finish();
}
