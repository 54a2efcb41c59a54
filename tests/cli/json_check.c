/* SPDX-License-Identifier: MIT */
/*
 * For tests of --json, where no jq is: reads stdin. `json_check` succeeds if it is one JSON value, `json_check -l` if each line is one.
 * `json_check KEY|INDEX...` goes down these steps and prints what it finds there, a string without its quotes.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_lines(void)
{
        char *line = NULL;
        size_t room = 0;
        int lines = 0;
        json_error_t error;

        while (getline(&line, &room, stdin) > 0) {
                json_t *value = json_loads(line, JSON_DECODE_ANY, &error);

                if (!value) {
                        fprintf(stderr, "line %d: %s\n", lines + 1, error.text);
                        return 1;
                }
                json_decref(value);
                lines++;
        }
        free(line);
        printf("%d\n", lines);
        return 0;
}

int main(int argc, char **argv)
{
        json_error_t error;
        json_t *root, *at;

        if (argc == 2 && strcmp(argv[1], "-l") == 0)
                return check_lines();
        root = json_loadf(stdin, JSON_DECODE_ANY, &error);
        if (!root) {
                fprintf(stderr, "line %d: %s\n", error.line, error.text);
                return 1;
        }
        at = root;
        for (int i = 1; i < argc && at; i++)
                at = json_is_array(at) ? json_array_get(at, (size_t)strtoul(argv[i], NULL, 10)) : json_object_get(at, argv[i]);
        if (!at) {
                fprintf(stderr, "there is no such value\n");
                return 1;
        }
        if (json_is_string(at))
                printf("%s\n", json_string_value(at));
        else if (argc > 1 && json_dumpf(at, stdout, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
                printf("\n");
        json_decref(root);
        return 0;
}
