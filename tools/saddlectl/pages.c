/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/saddlectl/pages.h"

/* Fields of requests and answers that come in pages, and the most rows that one may have. */
#define TOKEN      "page_token"
#define NEXT_TOKEN "next_page_token"
#define PAGE_SIZE  "page_size"
#define PAGE_MAX   1000

struct pages {
    const char *rows; /* the field that grows */
    struct json_object *request;
    struct json_object *whole; /* what there is so far */
    bool more, malformed;
};

bool pages_are_many(const struct command *command)
{
    const ProtobufCMethodDescriptor *method = command_method(command->method);

    return method && protobuf_c_message_descriptor_get_field_by_name(method->output, NEXT_TOKEN);
}

/* Adds the rows of a page to those before, and has the request ask for the next. */
static bool keep(void *context, struct json_object *answer)
{
    struct pages *pages = context;
    struct json_object *token = json_object_object_get(answer, NEXT_TOKEN);
    struct json_object *rows = json_object_object_get(answer, pages->rows);

    pages->more = json_object_get_string_len(token) > 0;
    /* Else it would go on for ever. */
    pages->malformed =
        pages->more && json_object_equal(token, json_object_object_get(pages->request, TOKEN));
    json_object_object_add(pages->request, TOKEN, json_object_get(token));
    if (!pages->whole) {
        pages->whole = json_object_get(answer);
        json_object_object_add(answer, NEXT_TOKEN, json_object_new_string(""));
        return true;
    }
    for (size_t i = 0; i < json_object_array_length(rows); i++)
        json_object_array_add(json_object_object_get(pages->whole, pages->rows),
                              json_object_get(json_object_array_get_idx(rows, i)));
    return true;
}

int pages_ask(struct asker *asker, const struct command *command, struct json_object *request,
              ask_answer *answer, void *context, struct ask_end *end)
{
    struct pages pages = {.rows = command->rows, .request = request};
    int status;

    json_object_object_del(request, TOKEN);
    json_object_object_add(request, PAGE_SIZE, json_object_new_int(PAGE_MAX));
    do {
        status = ask(asker, command->method, request, false, keep, &pages, end);
    } while (!status && pages.more && !pages.malformed);
    if (!status && (pages.malformed || !pages.whole))
        status = ask_malformed(asker, end);
    if (!status)
        answer(context, pages.whole);
    json_object_put(pages.whole);
    return status;
}
