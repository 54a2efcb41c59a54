/* SPDX-License-Identifier: MIT */
/* A picture that was kept, as anybody may have written it: it is refused with words, or all that diff uses of it is there and is what it must be. */
#include "picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static void check(const struct picture *p)
{
        const json_t *fact, *user;
        const char *id;
        json_t *line;
        size_t i;

        must(json_is_string(json_object_get(p->head, "boot")));
        json_object_foreach(p->lines, id, line)
        {
                must(strcmp(json_string_value(json_object_get(line, "id")), id) == 0);
                must(*json_string_value(json_object_get(line, "line")) && *json_string_value(json_object_get(line, "kind")) &&
                     *json_string_value(json_object_get(line, "address")));
                json_array_foreach(json_object_get(line, "facts"), i, fact)
                {
                        must(json_is_string(json_object_get(fact, "fact")) && json_is_string(json_object_get(fact, "state")));
                        must(json_integer_value(json_object_get(fact, "value")) >= 0);
                }
                json_array_foreach(json_object_get(line, "users"), i, user)
                {
                        must(json_is_integer(json_object_get(user, "pid")) && json_is_array(json_object_get(user, "how")));
                }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char why[PICTURE_WHY] = "";
        struct picture picture;
        FILE *f;
        int r;

        if (size == 0)
                return 0;
        f = fmemopen((void *)(uintptr_t)data, size, "r");
        must(f);
        r = picture_read(&picture, f, why);
        must(r == 0 || (r == -EBADMSG && *why && memchr(why, 0, sizeof(why))));
        if (r == 0)
                check(&picture);
        else
                must(!picture.head && !picture.lines);
        picture_free(&picture);
        (void)fclose(f);
        return 0;
}
